//! Sessions against each other and against a baseline, with planted figures; and what exports and prunes.

use super::support::cli::{code, json, text};
use super::*;

impl Stage {
    /// So many sessions of three runs of each arm.
    fn with_sessions(count: usize) -> Self {
        let stage = Self::new(QUICK);
        (0..count).for_each(|_| code(&stage.run(&["compare", "w.yaml", "--quiet"]), 0));
        // The load of whoever else uses this machine is none of these tests' business.
        stage.sql("UPDATE runs SET suspect = '[]'");
        stage
    }

    /// Plants rates around a mean in all runs of a session.
    fn plant(&self, session: u32, rate: f64, scatter: f64) {
        self.sql(&format!(
            "UPDATE runs SET throughput = {rate} * (1 + {scatter} * (id % 3 - 1)) \
             WHERE arm IN (SELECT id FROM arms WHERE session = {session})"
        ));
    }
}

#[test]
fn sessions_are_compared_arm_by_arm() {
    let stage = Stage::with_sessions(2);
    stage.plant(1, 100.0, 0.01);
    stage.plant(2, 80.0, 0.01);
    let found = stage.history(&["compare", "1", "2"]);
    let arms = found["arms"].as_array().unwrap();
    assert_eq!(arms.len(), 2);
    for arm in arms {
        let rate = &arm["figures"][0];
        assert_eq!((&rate["metric"], &rate["verdict"]), (&"throughput".into(), &"slower".into()), "{arm:#}");
        assert!((rate["ratio"].as_f64().unwrap() - 0.8).abs() < 1e-6, "{rate}");
        let interval = rate["ci95"].as_array().unwrap();
        assert!(interval[0].as_f64().unwrap() < 0.8 && interval[1].as_f64().unwrap() < 0.85, "{rate}");
    }
    let one = stage.history(&["compare", "2:pool", "1:process@2"]);
    assert_eq!(one["arms"][0]["figures"][0]["verdict"], "faster");
    assert!(one["arms"][0]["warnings"][0].as_str().unwrap().contains("kind"), "{one:#}");
    let page = text(&stage.run(&["history", "compare", "1", "2"]).stdout);
    assert!(page.contains("B is slower: 0.80×") && page.contains("not made in turns"), "{page}");
    for wrong in [["1:thread", "2"], ["1", "3"]] {
        code(&stage.run(&["history", "compare", wrong[0], wrong[1]]), 2);
    }
}

#[test]
fn what_is_not_comparable_is_refused_and_what_differs_is_told() {
    let stage = Stage::with_sessions(1);
    code(&stage.run(&["compare", "w.yaml", "--quiet", "--seed", "9"]), 0);
    code(&stage.run(&["compare", "w.yaml", "--quiet", "--set", "measure.repeats=2"]), 0);
    code(&stage.run(&["compare", "w.yaml", "--quiet", "--workers", "1"]), 0);
    code(&stage.run(&["compare", "w.yaml", "--quiet", "--together"]), 0);
    let refused = stage.run(&["history", "compare", "1", "2"]);
    code(&refused, 2);
    assert!(text(&refused.stderr).contains("did not run the same tasks"), "{}", text(&refused.stderr));
    let anyway = stage.history(&["compare", "1", "2", "--anyway"]);
    assert_eq!(anyway["refused"].as_array().unwrap().len(), 1);
    let changed = stage.history(&["compare", "1", "3"]);
    assert!(changed["warnings"].to_string().contains("file differs"), "{changed:#}");
    let workers = stage.history(&["compare", "1", "4"]);
    assert!(workers["arms"][0]["warnings"].to_string().contains("has 2 workers"), "{workers:#}");
    let together = stage.run(&["history", "compare", "1", "5"]);
    code(&together, 2);
    assert!(text(&together.stderr).contains("shared the cores"), "{}", text(&together.stderr));
    code(&stage.run(&["history", "baseline", "set", "5"]), 2);
    // One that was just made without being a measurement is not passed over in silence.
    code(&stage.run(&["history", "baseline", "set", "1"]), 0);
    let check = stage.run(&["history", "check"]);
    assert!(text(&check.stderr).contains("session 5 is passed over"), "{}", text(&check.stderr));
    code(&stage.run(&["history", "check", "--id", "5"]), 2);
    // Another machine: the same figures mean something else there.
    stage.sql("UPDATE sessions SET host = json_set(host, '$.cpu_model', 'Other CPU') WHERE id = 3");
    let moved = stage.run(&["history", "compare", "1", "3"]);
    code(&moved, 2);
    assert!(text(&moved.stderr).contains("different machines"), "{}", text(&moved.stderr));
    stage.sql("UPDATE runs SET suspect = '[\"the run was suspended for 12 s\"]' WHERE id = 1");
    let suspect = stage.history(&["compare", "1", "4"]);
    assert!(suspect["arms"][0]["warnings"].to_string().contains("suspended for 12 s"), "{suspect:#}");
}

#[test]
fn a_check_tells_a_regression_from_noise_and_from_what_holds() {
    let stage = Stage::with_sessions(3);
    let check = |more: &[&str]| stage.run(&[&["history", "check", "quick", "--format", "json"], more].concat());
    code(&check(&[]), 2);
    code(&stage.run(&["history", "baseline", "set", "1"]), 0);
    assert_eq!(stage.history(&["baseline", "show"])["baselines"][0]["session"], 1);
    stage.plant(1, 100.0, 0.01);
    stage.plant(2, 99.0, 0.01);
    stage.plant(3, 80.0, 0.01);
    let found = super::support::cli::json_after(&check(&[]), 1);
    assert_eq!(found["outcome"], "regression");
    let outcomes: Vec<&str> =
        found["checked"].as_array().unwrap().iter().map(|one| one["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["holds", "regression"], "those between are told too");
    let page = text(&stage.run(&["history", "check"]).stdout);
    assert!(page.contains("REGRESSION: worse than the baseline by more than 5 %"), "{page}");
    // So much may be.
    assert_eq!(json(&check(&["--margin", "30%", "--strict"]))["outcome"], "holds");
    let one = stage.run(&["history", "check", "--id", "2", "--format", "json"]);
    assert_eq!(json(&one)["outcome"], "holds");
    stage.plant(3, 95.0, 0.3);
    assert_eq!(json(&check(&[]))["outcome"], "too_noisy_to_say");
    code(&check(&["--strict"]), 4);
    stage.plant(3, 99.0, 0.01);
    assert_eq!(json(&check(&["--strict"]))["outcome"], "holds");
    stage.sql("UPDATE runs SET suspect = '[\"throttled\"]'");
    code(&check(&[]), 0);
    code(&check(&["--strict"]), 4);
    code(&stage.run(&["history", "baseline", "clear", "quick"]), 0);
    code(&stage.run(&["history", "baseline", "clear", "quick"]), 2);
    code(&check(&[]), 2);
}

#[test]
fn an_export_has_everything_and_a_table_a_line_for_each_run() {
    let stage = Stage::with_sessions(2);
    let export = |arguments: &[&str]| {
        let output = stage.run(&[&["history", "export"], arguments].concat());
        code(&output, 0);
        text(&output.stdout)
    };
    let written = export(&[]);
    let all: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(written, format!("{all:#}\n"), "piece by piece it is the same document");
    assert_eq!(
        export(&["--workload", "other"]),
        format!("{:#}\n", serde_json::json!({ "schema": all["schema"], "sessions": [], "version": all["version"] }))
    );
    assert_eq!(
        serde_json::from_str::<Value>(&export(&["2", "2"])).unwrap()["sessions"],
        serde_json::json!([all["sessions"][1]])
    );
    let sessions = all["sessions"].as_array().unwrap();
    assert_eq!((&all["schema"], sessions.len()), (&"poolscope.history/1".into(), 2));
    assert_eq!(sessions[0]["result"]["schema"], "poolscope.result/1");
    assert_eq!(sessions[0]["workload"]["text"], QUICK);
    let table = export(&["--format", "csv"]);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 1 + 2 * 6, "{table}");
    assert!(lines[0].starts_with("session,started,") && lines[1].contains(",quick,"), "{table}");
    assert_eq!(export(&["--format", "csv", "2"]).lines().count(), 1 + 6);
    assert_eq!(export(&["--format", "csv", "--workload", "other"]).lines().count(), 1);
    // Percentiles over all tasks come out of the histograms.
    let shown = stage.history(&["show", "1"]);
    assert_eq!(shown["session"]["arms"][1]["latency_of_all_tasks"]["count"], 150, "{shown:#}");
}

#[test]
fn no_result_takes_the_place_of_the_history() {
    let stage = Stage::with_sessions(1);
    std::os::unix::fs::symlink(stage.db(), stage.path("link")).unwrap();
    std::fs::hard_link(stage.db(), stage.path("hard")).unwrap();
    for name in ["history.db", "history.db-wal", "history.db-shm", "link", "hard"] {
        for verb in
            [&["history", "export"][..], &["history", "list"], &["history", "show", "1"], &["run", "w.yaml", "--quiet"]]
        {
            let output = stage.run(&[verb, &["--output", name]].concat());
            code(&output, 2);
            assert!(text(&output.stderr).contains("cannot be written to"), "{}", text(&output.stderr));
        }
    }
    assert_eq!(stage.sessions().len(), 1);
    code(&stage.run(&["history", "export", "--output", "history.json"]), 0);
    let written: Value = serde_json::from_slice(&std::fs::read(stage.path("history.json")).unwrap()).unwrap();
    assert_eq!(written["sessions"][0]["id"], 1);
    assert!(!names(stage.0.path()).iter().any(|name| name.ends_with(".tmp")));
}

#[test]
fn what_a_check_has_not_seen_is_said() {
    let stage = Stage::with_sessions(2);
    code(&stage.run(&["history", "baseline", "set", "1"]), 0);
    stage.plant(1, 100.0, 0.01);
    stage.plant(2, 100.0, 0.01);
    let check = |more: &[&str]| stage.run(&[&["history", "check", "quick"], more].concat());
    code(&check(&["--strict"]), 0);
    // A run in which nothing succeeded is in no ratio.
    let one_run = "(SELECT min(runs.id) FROM runs JOIN arms ON arms.id = runs.arm WHERE session = 2)";
    stage.sql(&format!("UPDATE runs SET throughput = 0 WHERE id = {one_run}"));
    let failed = check(&[]);
    code(&failed, 1);
    assert!(
        text(&failed.stdout).contains("1 of 3 runs of pool in this session are in no mean"),
        "{}",
        text(&failed.stdout)
    );
    let compared = stage.history(&["compare", "1", "2"]);
    assert_eq!(compared["arms"][0]["figures"][0]["left_out"], serde_json::json!([0, 1]));
    // An arm that the baseline has and the session does not, and the other way round.
    stage.sql("UPDATE runs SET throughput = 100 WHERE throughput = 0");
    stage.sql("UPDATE arms SET name = 'renamed' WHERE session = 2 AND name = 'process'");
    let missing = check(&[]);
    code(&missing, 0);
    let page = text(&missing.stdout);
    assert!(page.contains("NOT CHECKED: process@2") && page.contains("renamed@2 is not in the baseline"), "{page}");
    let document = super::support::cli::json_after(&check(&["--strict", "--format", "json"]), 4);
    assert_eq!(document["checked"][0]["not_checked"][0], "process@2");
    assert!(stage.history(&["compare", "1", "2"])["warnings"].to_string().contains("process@2 is in A alone"));
}

#[test]
fn what_is_pruned_is_gone_and_baselines_stay() {
    let stage = Stage::with_sessions(4);
    code(&stage.run(&["history", "prune"]), 2);
    code(&stage.run(&["history", "baseline", "set", "1"]), 0);
    let ids = || stage.sessions().iter().map(|session| session["id"].as_u64().unwrap()).collect::<Vec<_>>();
    let kept = stage.history(&["prune", "--keep", "2", "--dry-run"]);
    assert_eq!((&kept["removed"], ids()), (&serde_json::json!([2]), vec![1, 2, 3, 4]));
    assert_eq!(stage.history(&["prune", "--keep", "2"])["removed"], serde_json::json!([2]));
    assert_eq!(ids(), [1, 3, 4]);
    assert_eq!(stage.history(&["prune", "--older-than", "1d"])["removed"], serde_json::json!([]));
    stage.sql("UPDATE sessions SET started_ms = started_ms - 2 * 86400000 WHERE id IN (1, 3)");
    assert_eq!(stage.history(&["prune", "--older-than", "1d"])["removed"], serde_json::json!([3]));
    let before = std::fs::metadata(stage.db()).unwrap().len();
    let pruned = stage.history(&["prune", "--max-size", "1B"]);
    assert_eq!((&pruned["removed"], ids()), (&serde_json::json!([4]), vec![1]));
    assert!(std::fs::metadata(stage.db()).unwrap().len() < before, "its room is given back");
    // Numbers are not given out again.
    code(&stage.run(&["run", "w.yaml", "--quiet"]), 0);
    assert_eq!(ids(), [1, 5]);
}
