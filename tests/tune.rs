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
    assert!(document["result"]["words"].as_str().unwrap().contains("NOT MET"), "{document}");
    let document = tune(path(&file), "memory<1KiB", &[]);
    assert_ne!(document["result"]["met"], true, "{document}");
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
    let (naps, command) =
        (file(NAPS), file("version: 1\ntasks: [{ name: x, kind: command, command: [\"true\"], count: 2 }]\n"));
    for (arguments, words) in [
        (&["tune", path(&naps), "--target", "p99<250"][..], "a duration with a unit"),
        (&["tune", path(&naps), "--workers", "3"], "tune finds the number of workers"),
        (&["tune", path(&naps), "--engine", "poool"], "no engine \"poool\""),
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
