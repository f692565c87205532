//! Retries of tasks whose time is drawn: the same task again, or one that is drawn anew.

#[path = "support/mod.rs"]
mod support;

use support::cli::{code, text};
use support::program::{WorkloadFolder, only_run};

/// Half of the tasks take longer than they may.
fn workload(retries: &str) -> WorkloadFolder {
    WorkloadFolder::new(&format!(
        "version: 1\nname: w\nseed: 7\ntasks:\n  - {{ name: t, kind: sleep, count: 12, timeout: 150ms, \
         service_time: {{ dist: bimodal, fast: 1ms, slow: 3s, p_slow: 0.5 }}, retries: {retries} }}\n\
         engines: [{{ kind: pool, workers: 4 }}, {{ kind: process, workers: 4 }}, {{ kind: serial }}]\n\
         measure: {{ warmup: 0, repeats: 1 }}\n"
    ))
}

#[test]
fn a_time_that_is_drawn_anew_may_be_a_shorter_one() {
    let folder = workload("{ max: 20, redraw: true }");
    let hashes = ["pool", "process", "serial"].map(|engine| {
        let run = only_run(&folder.run(engine, &["--format", "json"]).output().unwrap());
        assert_eq!(run["tasks"]["succeeded"], 12, "{engine}: {run}");
        assert!(run["tasks"]["retries"].as_u64().unwrap() >= 3, "{engine}: {run}");
        (run["tasks"]["retries"].clone(), run["results_hash"].clone())
    });
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "the same draws in every engine: {hashes:?}");
}

#[test]
fn the_same_time_again_is_too_long_again_and_the_report_says_so() {
    let folder = workload("{ max: 1 }");
    let output = folder.run("pool", &[]).output().unwrap();
    let report = text(&output.stdout);
    assert!(report.contains("retries cannot help"), "{report}\n{}", text(&output.stderr));
    assert!(report.contains("`redraw: true`"), "{report}");
    let redrawn = workload("{ max: 20, redraw: true }").run("pool", &[]).output().unwrap();
    assert!(!text(&redrawn.stdout).contains("retries cannot help"), "{}", text(&redrawn.stdout));
}

#[test]
fn what_is_not_drawn_cannot_be_drawn_anew() {
    let folder = WorkloadFolder::new(
        "version: 1\nname: w\ntasks: [{ name: t, kind: sleep, count: 1, \
         service_time: { dist: constant, value: 1ms }, retries: { max: 1, redraw: true } }]\n",
    );
    let output = folder.run("process", &[]).output().unwrap();
    code(&output, 2);
    let errors = text(&output.stderr);
    assert!(errors.contains("tasks[0].retries.redraw: nothing of this task is drawn"), "{errors}");
}
