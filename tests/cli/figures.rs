//! What a result says of its figures: how sure they are, and what they mean.

use super::*;

#[test]
fn a_precision_decides_how_many_rounds_are_made_and_the_result_says_so() {
    let file = file(KERNELS);
    let arguments = ["compare", path(&file), "--engines", "pool,process", "--precision", "50%", "--max-repeats", "5"];
    let result = json(&run(&[&arguments[..], &["--format", "json", "--quiet"]].concat()));
    let measurement = &result["measurement"];
    assert_eq!(measurement["interval"], "always_valid", "{measurement}");
    let rounds = measurement["rounds"].as_u64().unwrap();
    assert!((3..=5).contains(&rounds), "{measurement}");
    assert_eq!(result["arms"][1]["runs"].as_array().unwrap().len() as u64, rounds);
    let ended = measurement["precision"]["ended_because"].as_str().unwrap();
    assert!(ended == "precision" || ended == "max_repeats" && rounds == 5, "{measurement}");
    for entry in result["comparison"].as_array().unwrap() {
        assert_eq!(
            (entry["interval"].as_str(), entry["pairs"].as_u64()),
            (Some("always_valid"), Some(rounds)),
            "{entry}"
        );
    }
    let percentiles = result["comparison"].as_array().unwrap().iter().filter(|entry| entry["metric"] == "sojourn_p99");
    assert!(percentiles.filter(|entry| entry["difference_s"]["mean"].is_number()).count() == 1, "{result}");
    let refused = run(&["compare", path(&file), "--max-repeats", "5"]);
    code(&refused, 2);
    assert!(text(&refused.stderr).contains("needs `precision`"), "{}", text(&refused.stderr));
}

#[test]
fn figures_are_explained() {
    let told = run(&["explain", "tasks/s"]);
    code(&told, 0);
    for part in ["throughput", "unit", "formula", "source", "is not"] {
        assert!(text(&told.stdout).contains(part), "{}", text(&told.stdout));
    }
    assert!(text(&run(&["explain"]).stdout).lines().count() > 50, "all of them");
    let all = json(&run(&["explain", "--format", "json"]));
    assert!(all["metrics"].as_array().unwrap().iter().all(|one| one["is_not"].is_string()), "{all}");
    let unknown = run(&["explain", "througput"]);
    code(&unknown, 2);
    assert!(text(&unknown.stderr).contains("did you mean `throughput`?"), "{}", text(&unknown.stderr));
}

const CLASSES: &str = "
version: 1
name: classes
seed: 3
order: shuffle
tasks:
  - { name: nap, kind: sleep, count: 14, service_time: { dist: constant, value: 20ms } }
  - { name: work, kind: cpu, count: 14, service_time: { dist: constant, value: 20ms } }
  - { name: wrong, kind: command, count: 3, command: [sh, -c, 'exit 3'] }
engines: [{ kind: pool, workers: 2 }, { kind: process, workers: 2 }, { kind: serial }]
measure: { warmup: 0, repeats: 2, latency_from: start }
";

#[test]
fn each_class_has_figures_of_its_own_in_every_engine() {
    let file = file(CLASSES);
    let result = json(&run(&["compare", path(&file), "--format", "json", "--quiet"]));
    for run in result["arms"].as_array().unwrap().iter().flat_map(|arm| arm["runs"].as_array().unwrap()) {
        let classes = run["classes"].as_array().unwrap();
        let [nap, work, wrong] = &classes[..] else { panic!("{classes:?}") };
        assert_eq!((&nap["name"], &work["name"], &wrong["name"]), (&"nap".into(), &"work".into(), &"wrong".into()));
        for outcome in ["succeeded", "failed", "timed_out", "lost", "retries"] {
            let sum: u64 = classes.iter().map(|class| class["tasks"][outcome].as_u64().unwrap()).sum();
            assert_eq!(Some(sum), run["tasks"][outcome].as_u64(), "{outcome}: {classes:?}");
        }
        assert_eq!((&nap["tasks"]["succeeded"], &wrong["tasks"]["failed"]), (&14.into(), &3.into()));
        for latency in ["wait", "startup", "service", "sojourn"] {
            let count = |of: &Value| of["latency_s"][latency]["count"].as_u64().unwrap();
            assert_eq!(classes.iter().map(count).sum::<u64>(), count(run), "{latency}");
        }
        assert!(nap["latency_s"]["service"]["p50"].as_f64().unwrap() >= 0.02, "{nap}");
        let cpu = |class: &Value| class["cpu"]["mean_s"].as_f64().unwrap();
        assert!(cpu(work) > 2.0 * cpu(nap), "who sleeps uses little: {work} {nap}");
        // Of a worker that is kept, what it tells first is that of its start too.
        let told = nap["cpu"]["tasks"].as_u64().unwrap() + work["cpu"]["tasks"].as_u64().unwrap();
        assert!((20..=28).contains(&told), "{told}");
    }
    let of_nap = result["comparison_by_class"].as_array().unwrap().iter().filter(|entry| entry["class"] == "nap");
    assert_eq!(of_nap.filter(|entry| entry["metric"] == "service_p50" && entry["pairs"] == 2).count(), 2);
    let report = run(&["run", path(&file), "--engine", "pool", "--quiet"]);
    assert!(text(&report.stdout).contains("\nby class "), "{}", text(&report.stdout));
}
