//! Searches for settings by the real program, headless: the count for a target, other settings, the break-even and the knee.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/mod.rs"]
mod support;

use serde_json::Value;
use support::cli::*;

const NAPS: &str = "
version: 1
name: naps
seed: 1
tasks: [{ name: nap, kind: sleep, count: 24, service_time: { dist: constant, value: 10ms } }]
engines:
  - { name: pool, kind: pool, workers: 2, chunksize: 12 }
  - { name: process, kind: process, workers: 2 }
measure: { warmup: 0, repeats: 2 }
";

fn tune(file: &str, target: &str, more: &[&str]) -> Value {
    let arguments = ["tune", file, "--target", target, "--quiet", "--format", "json"];
    json_after(&run(&[&arguments[..], more].concat()), 0)
}

fn tried(document: &Value) -> Vec<&str> {
    document["steps"].as_array().unwrap().iter().map(|step| step["tried"].as_str().unwrap()).collect()
}

#[test]
fn a_latency_is_met_with_the_smallest_count_and_each_step_says_why() {
    let file = file(&NAPS.replace("chunksize: 12", "chunksize: 1").replace("10ms", "30ms"));
    // A batch of 720 ms of work: two workers are far above 210 ms, six are below.
    let document = tune(path(&file), "max<210ms", &["--engine", "pool"]);
    let steps = tried(&document);
    assert!(steps.starts_with(&["pool ×1", "pool ×2", "pool ×4"]), "{steps:?}");
    let result = &document["result"];
    assert_eq!(result["met"], true, "{document}");
    let workers = result["workers"].as_u64().unwrap();
    assert!((4..=12).contains(&workers), "{document}");
    assert_eq!(result["set"][0], format!("engines.0.workers={workers}"));
    assert!(document["steps"].as_array().unwrap().iter().all(|step| step["why"].as_str().unwrap().len() > 5));
    let page = text(&run(&["tune", path(&file), "--target", "max<210ms", "--engine", "pool", "--no-progress"]).stdout);
    assert!(
        page.contains("target: max<210ms") && page.contains("  1. pool ×1") && page.contains("USE pool with"),
        "{page}"
    );
}

#[test]
fn a_limit_that_cannot_be_met_is_said() {
    let file = file(NAPS);
    let document = tune(path(&file), "p50<1ms", &["--engine", "process"]);
    assert_eq!(document["result"]["met"], false, "{document}");
    let result = &document["result"];
    let words = result["words"].as_str().unwrap();
    assert!(words.contains("NOT MET") && words.contains("times the limit"), "{document}");
    let figure = &result["figure"];
    assert_eq!((&figure["metric"], &figure["unit"]), (&"sojourn_p50".into(), &"s".into()), "{document}");
    assert!(figure["ratio"].as_f64().unwrap() > 5.0 && figure["limit"].as_f64() == Some(0.001), "{document}");
    let document = tune(path(&file), "memory<1KiB", &[]);
    let result = &document["result"];
    assert_eq!((&result["met"], &result["workers"]), (&false.into(), &1.into()), "{document}");
    assert_eq!(result["figure"]["metric"], "peak_pss", "{document}");
}

#[test]
fn a_budget_is_of_the_whole_search_and_what_is_known_then_is_told_with_runs_that_add_up() {
    let file = file(NAPS);
    let longer = support::cli::file(&NAPS.replace("10ms", "30ms"));
    let arguments = ["tune", path(&longer), "--quiet", "--format", "json"];
    // One worker takes 720 ms a run, and all counts together 1.4 s: there is no time for all of them.
    let output =
        run(&[&arguments[..], &["--target", "p50<1ms", "--engine", "process", "--max-time", "1200ms"]].concat());
    let document = json_after(&output, 3);
    assert!(document["aborted_because"].as_str().unwrap().contains("--max-time"), "{document}");
    assert_eq!((&document["result"]["met"], tried(&document)[0]), (&Value::Null, "process ×1"), "{document}");
    let sum =
        |what: &str| document["steps"].as_array().unwrap().iter().map(|step| step[what].as_u64().unwrap()).sum::<u64>();
    assert_eq!(document["runs"].as_u64(), Some(sum("runs")));
    assert_eq!(document["suspect_runs"].as_u64(), Some(sum("suspect_runs")));
    // Worker counts that are compared are told, however far it came.
    let arguments = ["tune", path(&file), "--quiet", "--format", "json"];
    let unequal = "break-even --repeats 1 --max-time 1500ms --set engines.1.workers=3";
    let output = run(&[&arguments[..], &["--target"], &unequal.split(' ').collect::<Vec<_>>()].concat());
    let document = json_after(&output, 3);
    let result = &document["result"];
    assert_eq!((&result["compared"][0]["workers"], &result["compared"][1]["workers"]), (&2.into(), &3.into()));
    let why = result["why"].as_str().unwrap();
    assert!(
        why.contains("pool ×2") && why.contains("process ×3") && why.contains("worker counts differ"),
        "{document}"
    );
    assert!(text(&output.stderr).contains("warning: pool ×2 and process ×3 are compared as they are"));
}

#[test]
fn a_chunk_that_keeps_workers_from_their_work_is_found() {
    let file = file(NAPS);
    // Twelve tasks a chunk: two workers have work, whatever the count.
    let document = tune(path(&file), "throughput", &["--also", "chunksize", "--repeats", "2"]);
    let result = &document["result"];
    let size = result["settings"]["chunksize"].as_str().unwrap_or_else(|| panic!("{document}"));
    assert!(["auto", "1", "4", "cpython"].contains(&size), "{document}");
    assert!(tried(&document).iter().any(|what| what.contains("chunksize=1 ×")), "{document}");
    assert!(result["set"].as_array().unwrap().iter().any(|set| set == &format!("engines.0.chunksize={size}")));
}

#[test]
fn what_is_no_target_is_refused_before_anything_starts() {
    let seedless = file(&NAPS.replace("seed: 1\n", ""));
    let (naps, command) =
        (file(NAPS), file("version: 1\ntasks: [{ name: x, kind: command, command: [\"true\"], count: 2 }]\n"));
    for (arguments, words) in [
        (&["tune", path(&naps), "--target", "p99<250"][..], "a duration with a unit"),
        (&["tune", path(&naps), "--workers", "3"], "tune finds the number of workers"),
        (&["tune", path(&naps), "--engine", "poool"], "no engine \"poool\""),
        (&["tune", path(&naps), "--target", "p99<1s"], "24 tasks a run are too few, it takes 200"),
        (&["tune", path(&naps), "--max-time", "1ms"], "the budget of the whole search"),
        (&["tune", path(&naps), "--target", "knee", "--workers", "1..3"], "one number of workers"),
        (&["tune", path(&seedless), "--target", "knee"], "--set seed=1 gives a file a seed"),
        (&["tune", path(&command), "--target", "break-even"], "each needs a service_time"),
    ] {
        let output = run(arguments);
        code(&output, 2);
        let told = text(&output.stderr);
        assert!(told.contains(words) && output.stdout.is_empty(), "{words}: {told}");
    }
}

#[test]
fn a_knee_lies_where_arrivals_are_as_fast_as_the_workers() {
    // Two workers of 10 ms: 200/s at most.
    let file = file(NAPS.replace("chunksize: 12", "chunksize: 1").as_str());
    let document = tune(path(&file), "knee", &["--engine", "pool", "--repeats", "2"]);
    let place = &document["result"]["place"];
    assert_eq!(place["unit"], "1/s", "{document}");
    let (low, high) = (place["low"].as_f64(), place["high"].as_f64());
    assert!(low.is_none_or(|low| low < 230.0) && high.is_none_or(|high| high > 90.0), "{document}");
    assert!(low.is_some() || high.is_some(), "{document}");
    assert_eq!(tried(&document)[0], "a batch");
}
