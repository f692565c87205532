//! `measure.gil_probe`: how late a thread goes on that wants the interpreter's lock for a moment, in a run of its own.

use serde_json::Value;

use crate::harness::*;
use crate::support::program::WorkloadFolder;

/// Tasks that hold the lock, and tasks that wait without it.
const SOURCE: &str = "
import sys, time
def busy(ms=150):
    end = time.monotonic() + ms / 1000
    while time.monotonic() < end: pass
def nap(ms=150): time.sleep(ms / 1000)
def impatient():
    sys.setswitchinterval(0.002)
    busy()
";

/// The arms of a comparison of tasks that all call this.
fn arms(python: &Python, callable: &str, engines: &str, measure: &str) -> Vec<Value> {
    let workload = format!(
        "version: 1\nseed: 7\ntasks: [{{ name: t, kind: python, callable: \"probed:{callable}\", count: 8 }}]\n\
         python: {{ interpreter: {}, path: [.] }}\nengines: [{engines}]\n\
         measure: {{ warmup: 0, repeats: 1, {measure} }}\n",
        python.program.display()
    );
    let folder = WorkloadFolder::new(&workload);
    std::fs::write(folder.path("probed.py"), SOURCE).unwrap();
    let output = folder.shell("exec POOLSCOPE compare w.yaml --quiet --format json").output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let result: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}"));
    let arms = result["arms"].as_array().unwrap().clone();
    for arm in &arms {
        let runs = arm["runs"].as_array().unwrap();
        assert_eq!(runs.len(), 1, "the run with the probe is none of those that are measured: {arm}");
        assert_eq!(runs[0]["tasks"]["succeeded"], 8, "{arm}");
    }
    arms
}

fn p50(arm: &Value) -> f64 {
    let probe = &arm["gil_probe"];
    assert!(probe["samples"].as_u64().unwrap_or(0) > 8, "{arm}");
    assert!(probe["max_s"].as_f64() >= probe["p50_s"].as_f64(), "{probe}");
    probe["p50_s"].as_f64().unwrap()
}

#[test]
fn a_probe_goes_on_late_beside_a_thread_that_computes_and_not_beside_one_that_sleeps() {
    const THREADS: &str = "{ kind: thread, workers: 2 }";
    for python in [&pythons()[0], newest()] {
        // What else runs on the machine makes both late; once it lets them, they differ.
        let mut seen = Vec::new();
        let differs = (0..5).any(|_| {
            let late = ["busy", "nap"].map(|callable| p50(&arms(python, callable, THREADS, "gil_probe: true")[0]));
            seen.push(late);
            late[0] > 3.0 * late[1]
        });
        assert!(differs, "{python:?}: {seen:?}");
    }
}

#[test]
fn every_arm_that_holds_our_interpreters_is_probed_and_no_other() {
    let engines = "{ kind: serial }, { kind: thread, workers: 2 }, { kind: pool, workers: 2 }, \
                   { kind: process, workers: 2 }, { kind: process, name: spawned, workers: 2, start_method: spawn }, \
                   { kind: mp_pool, workers: 2 }";
    let arms = arms(newest(), "impatient", engines, "gil_probe: true");
    let (reference, ours) = arms.split_last().unwrap();
    assert!(reference["gil_probe"].is_null(), "{reference}");
    for arm in ours {
        p50(arm);
        // The interval is what the tasks have made of it.
        assert_eq!(arm["gil_probe"]["switch_interval_s"], 0.002, "{arm}");
    }
}

#[test]
fn nothing_is_probed_unasked() {
    let arms = arms(newest(), "nap", "{ kind: thread, workers: 2 }", "gil_probe: false");
    assert!(arms[0]["gil_probe"].is_null(), "{}", arms[0]);
}
