//! A workload as a gate: what it expects, judged by the real program, and with which exit code.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/mod.rs"]
mod support;

use serde_json::Value;
use support::cli::*;

/// Short naps in two engines, of which these things are expected.
fn naps(expect: &str) -> tempfile::NamedTempFile {
    file(&format!(
        "
version: 1
name: naps & <co>
seed: 1
tasks: [{{ name: nap, kind: sleep, count: 12, service_time: {{ dist: constant, value: 5ms }} }}]
engines: [{{ name: pool, kind: pool, workers: 2 }}, {{ name: process, kind: process, workers: 2 }}]
measure: {{ warmup: 0, repeats: 3 }}
expect:
{expect}
"
    ))
}

const HOLDS: &str = "
  - { metric: lost_tasks, op: '==', value: 0 }
  - { metric: worker_starts, engine: process, op: '==', value: { config: tasks } }
  - { metric: service_p50, engine: pool, op: '<', value: 30s }
";
const FAILS: &str = "  - { metric: service_p50, engine: pool, op: '<', value: 1us }\n";

fn outcomes(document: &Value) -> Vec<(&str, &str)> {
    let all = document["expectations"].as_array().unwrap();
    all.iter().map(|one| (one["engines"].as_str().unwrap(), one["outcome"].as_str().unwrap())).collect()
}

#[test]
fn what_holds_is_success_and_what_fails_is_not() {
    let good = naps(HOLDS);
    let output = run(&["compare", path(&good), "--format", "json", "--quiet"]);
    let document = json_after(&output, 0);
    assert_eq!(outcomes(&document), ["pool", "process", "process", "pool"].map(|engine| (engine, "holds")));
    let first = &document["expectations"][0];
    assert_eq!((&first["holds"], &first["runs"], &first["unit"]), (&true.into(), &3.into(), &"count".into()));
    let bad = naps(&format!("{HOLDS}{FAILS}"));
    let output = run(&["compare", path(&bad), "--format", "json", "--quiet"]);
    let document = json_after(&output, 1);
    let failed = document["expectations"].as_array().unwrap().last().unwrap();
    assert_eq!((&failed["holds"], &failed["limit"]), (&false.into(), &1e-6.into()));
    assert!(failed["margin"].as_f64().unwrap() < -1.0 && failed["measured"].as_f64().unwrap() > 4e-3, "{failed}");
    let told = text(&output.stderr);
    assert!(told.contains("error: expected of pool: service_p50 < 1us: FAILS"), "{told}");
    // The page says it itself.
    let output = run(&["compare", path(&bad), "--quiet"]);
    code(&output, 1);
    let page = text(&output.stdout);
    assert!(page.contains("expected: 4 hold, 1 FAILS") && page.contains("✗ pool"), "{page}");
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn what_cannot_be_told_is_no_failure_but_under_strict() {
    let file = naps("  - { metric: throughput, engine: pool, op: '>', value: 1/s }");
    for (strict, wanted) in [(false, 0), (true, 4)] {
        let mut arguments = vec!["run", path(&file), "--format", "json", "--quiet"];
        arguments.extend(strict.then_some("--strict"));
        let document = json_after(&run(&arguments), wanted);
        assert_eq!(
            (outcomes(&document), &document["expectations"][0]["holds"]),
            (vec![("pool", "too_noisy")], &Value::Null)
        );
    }
    let file = naps("  - { metric: retries, engine: process, op: '==', value: 0 }");
    let output = run(&["run", path(&file), "--engine", "pool", "--format", "json", "--quiet", "--strict"]);
    let document = document(&output);
    assert_eq!(outcomes(&document), [("process", "skipped")], "it took no part");
}

#[test]
fn a_sweep_is_a_gate_too() {
    let file = naps("  - { metric: service_p50, engine: pool, op: '<', value: 1us }");
    let arguments = ["sweep", path(&file), "--engines", "pool", "--workers", "1,2", "--repeats", "2", "--quiet"];
    let output = run(&[&arguments[..], &["--format", "json"]].concat());
    assert_eq!(outcomes(&json_after(&output, 1)), [("pool", "fails")]);
    let output = run(&arguments);
    code(&output, 1);
    let page = text(&output.stdout);
    assert!(page.contains("service_p50 < 1us") && page.contains("FAILS"), "{page}");
}

#[test]
fn junit_tells_each_as_a_test_of_the_build() {
    let file = naps(&format!(
        "{HOLDS}{FAILS}  - {{ metric: retries, engine: pool, op: '==', value: 0, when: gil_enabled }}\n"
    ));
    let output = run(&["compare", path(&file), "--format", "junit", "--quiet"]);
    code(&output, 1);
    let report = text(&output.stdout);
    assert!(report.starts_with("<?xml") && report.ends_with("</testsuites>\n"), "{report}");
    let counts = |key: &str| {
        let suite = report.split("<testsuite ").nth(1).unwrap();
        let value = suite.split(&format!("{key}=\"")).nth(1).unwrap();
        value.split('"').next().unwrap().parse::<usize>().unwrap()
    };
    // Six expectations, one for the whole, one for each of the two engines.
    assert_eq!(["tests", "failures", "errors", "skipped"].map(counts), [9, 1, 0, 1]);
    assert!(report.contains("naps &amp; &lt;co&gt;") && report.contains("type=\"fails\""), "{report}");
}

#[test]
fn check_tells_what_is_expected_and_swept_and_refuses_what_cannot_be() {
    let file = naps(&format!("{HOLDS}sweep: {{ chunksize: [1, 4], workers: 1..3 }}\n"));
    let output = run(&["check", path(&file)]);
    code(&output, 0);
    let said = text(&output.stdout);
    for line in ["expect    pool, process: lost_tasks == 0", "sweep     chunksize: 1, 4", "workers: 1, 2, 3"] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(said.contains("chunksize does not apply to process"), "{said}");
    for (sweep, words) in [
        ("{ tasks.0.cuont: [1, 2] }", "tasks.0.cuont=1 cannot be tried"),
        ("{ chunksize: [1, none] }", "chunksize=none cannot be tried"),
        ("{ workers: [0, 2] }", "workers:"),
        ("{ faults.*.rate: [0.1] }", "`*` is every entry of `engines` or `tasks`"),
        ("{ seed: 1..40, tasks.nap.count: 1..40 }", "1600 combinations; 500 is the most"),
        ("{ tasks.nap.count: [1, 2], 'tasks[0].count': [3, 4] }", "are the same field"),
    ] {
        let file = naps(&format!("{HOLDS}sweep: {sweep}\n"));
        let output = run(&["check", path(&file), "--format", "json"]);
        let document = json_after(&output, 2);
        let checked = &document["files"][0];
        assert_eq!(
            (&checked["valid"], &checked["expectations"][0]["text"]),
            (&false.into(), &"lost_tasks == 0".into())
        );
        let refused = checked["sweep_refused"].to_string();
        assert!(refused.contains(words), "{sweep}: {refused}");
        let said = text(&run(&["check", path(&file)]).stdout);
        assert!(said.contains("REFUSED") && said.contains(words), "{said}");
    }
}

#[test]
fn what_the_bundled_workload_expects_holds() {
    let arguments =
        ["compare", "tiny-tasks", "--set", "tasks.0.count=300", "--repeats", "3", "--format", "json", "--quiet"];
    let document = json_after(&run(&arguments), 0);
    let found = outcomes(&document);
    assert_eq!(found.len(), 5, "{found:?}");
    assert!(found.iter().all(|(_, outcome)| *outcome == "holds"), "{found:?}");
}
