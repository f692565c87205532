//! Worker counts tried by the real program, headless: tables, JSON, what is refused, and what an abort leaves.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/mod.rs"]
mod support;

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;
use support::cli::*;

const NAPS: &str = "
version: 1
name: naps
seed: 1
tasks: [{ name: nap, kind: sleep, count: 24, service_time: { dist: constant, value: 10ms } }]
engines:
  - { name: pool, kind: pool, workers: 2 }
  - { name: process, kind: process, workers: unbounded }
  - { name: process-4, kind: process, workers: 4 }
  - { kind: serial }
measure: { warmup: 1, repeats: 2 }
";

/// Counts and runs of an arm.
fn points(arm: &Value) -> Vec<(u64, u64)> {
    let number = |point: &Value, name: &str| point[name].as_u64().unwrap();
    arm["points"].as_array().unwrap().iter().map(|point| (number(point, "workers"), number(point, "runs"))).collect()
}

#[test]
fn given_counts_are_tried_as_often_as_asked_for() {
    let file = file(NAPS);
    let output = run(&["sweep", path(&file), "--workers", "1,2..3", "--repeats", "2", "--format", "json", "--quiet"]);
    let document = json_after(&output, 0);
    assert_eq!((&document["schema"], &document["runs"]), (&"poolscope.sweep/1".into(), &2.into()));
    let arms = document["arms"].as_array().unwrap();
    assert_eq!(arms.iter().map(|arm| arm["name"].as_str().unwrap()).collect::<Vec<_>>(), ["pool", "process"]);
    for arm in arms {
        assert_eq!(points(arm), [(1, 2), (2, 2), (3, 2)]);
        assert!(arm["points"][1]["gain"].as_f64().unwrap() > 0.3, "{arm}");
    }
    let told = text(&output.stderr);
    assert!(told.contains("serial is left out") && told.contains("process-4 is left out"), "{told}");
    let comparison = &document["comparison"][0];
    assert_eq!((&comparison["baseline"], &comparison["pairs"]), (&"pool".into(), &2.into()));
}

#[test]
fn without_counts_the_results_lead() {
    let file = file(NAPS);
    let output = run(&["sweep", path(&file), "--engines", "pool", "--warmup", "0", "--format", "json", "--quiet"]);
    let document = json_after(&output, 0);
    let counts: Vec<u64> = points(&document["arms"][0]).into_iter().map(|(workers, _)| workers).collect();
    assert!(
        counts.starts_with(&[1, 2]) && counts.contains(&4) && counts.iter().all(|count| *count <= 24),
        "{counts:?}"
    );
    // One run where the rate rises steeply, three where the count may matter, more where they tell too little.
    let points = points(&document["arms"][0]);
    assert!(points.iter().all(|(_, runs)| (1..=40).contains(runs)), "{document}");
    assert!(points.iter().any(|(_, runs)| *runs >= 3), "{document}");
    let advice = document["arms"][0]["recommendation"]["advice"].as_str().unwrap();
    assert!(["use", "unclear"].contains(&advice), "{advice}");
}

#[test]
fn the_page_has_a_table_for_each_arm_the_advice_and_the_rule() {
    let file = file(NAPS);
    let by_sweep = run(&["sweep", path(&file), "--workers", "1..2", "--repeats", "1", "--no-progress"]);
    let by_compare = run(&["compare", path(&file), "--workers", "1..2", "--repeats", "1", "--no-progress"]);
    for output in [by_sweep, by_compare] {
        code(&output, 0);
        let page = text(&output.stdout);
        for words in [
            "● pool\n",
            "■ process\n",
            "workers  tasks/s",
            "±95 %",
            "gain",
            "2 is the best tried",
            "why: ",
            "rule: USE",
        ] {
            assert!(page.contains(words), "{words}\n{page}");
        }
        let row = page.lines().find(|line| line.starts_with('▸')).unwrap();
        assert!(row.split_whitespace().nth(1) == Some("2") && row.contains("%"), "{row}");
    }
}

#[test]
fn compare_takes_its_repeats_from_the_file() {
    let file = file(NAPS);
    let arguments = ["compare", path(&file), "--workers", "1,2", "--engines", "pool", "--format", "json", "--quiet"];
    assert_eq!(points(&json(&run(&arguments))["arms"][0]), [(1, 2), (2, 2)]);
    let one = ["compare", path(&file), "--workers", "2", "--engines", "pool", "--format", "json", "--quiet"];
    assert_eq!(json(&run(&one))["schema"], "poolscope.result/1", "one number stays a comparison");
}

#[test]
fn what_cannot_be_is_refused_before_anything_starts() {
    let many = |count: &str| file(&NAPS.replace("count: 24", &format!("count: {count}")));
    let (some, many, more) = (file(NAPS), many("20000"), many("100000"));
    let (file, many, more) = (path(&some), path(&many), path(&more));
    for (arguments, words) in [
        (&["sweep", file, "--workers", "8..1"][..], "8..1 goes down"),
        (&["sweep", file, "--workers", "0..4"], "0 workers"),
        (&["sweep", file, "--engines", "serial"], "no engine whose number of workers"),
        (&["sweep", file, "--engines", "pool,pool"], "names pool twice"),
        (&["run", file, "--workers", "1..8"], "poolscope sweep"),
        (&[file, "--workers", "1..8"], "the dashboard takes one number of workers"),
        (&["compare", file, "--workers", "1..8", "--together"], "--together"),
        (&["sweep", many, "--workers", "1..400"], "800 to be tried; 500"),
        (&["sweep", more, "--workers", "1,90000"], "no more than"),
        (&["sweep", more], "--max-time is 10min"),
        (&["sweep", many, "--workers", "1,2"], "14 runs"),
        (&["sweep", file, "--output", "/no/such/folder/x"], "cannot be written"),
    ] {
        let output = run(arguments);
        code(&output, 2);
        let told = text(&output.stderr);
        assert!(told.contains(words) && output.stdout.is_empty(), "{words}: {told}");
    }
}

#[test]
fn more_workers_than_tasks_are_cut_and_that_is_said() {
    let file = file(NAPS);
    let arguments = ["sweep", path(&file), "--workers", "8,24,30,64", "--repeats", "1", "--format", "json", "--quiet"];
    let output = run(&arguments);
    assert_eq!(points(&json_after(&output, 0)["arms"][0]), [(8, 1), (24, 1)]);
    assert!(
        text(&output.stderr).contains("24 workers at most (24 tasks): 2 larger counts are not tried"),
        "{output:?}"
    );
}

#[test]
fn what_tasks_allocate_bounds_a_sweep_without_counts() {
    // Nothing is started, because the result could not be written. One of the sizes fits once or twice, but not thrice.
    let told = |size: u32| {
        let file = file(&format!(
            "version: 1\nname: large\ntasks: [{{ name: large, kind: memory, bytes: {size}MiB, count: 3 }}]\n\
             engines: [{{ kind: pool }}]\n"
        ));
        let output = run(&["sweep", path(&file), "--output", "/no/such/folder/x"]);
        code(&output, 2);
        text(&output.stderr)
    };
    let all: Vec<String> = (6..24).map(|power| told(1 << power)).collect();
    assert!(!all[0].contains("note:"), "{}", all[0]);
    assert!(all.iter().any(|told| told.contains("workers are tried; with") && told.contains("memory")), "{all:?}");
    assert!(all.last().is_some_and(|told| told.contains("error: engines[0].workers: tasks of `pool`")), "{all:?}");
}

#[test]
fn nothing_that_succeeds_is_an_error_with_its_cause() {
    let file = file(
        "version: 1\nname: t\ntasks: [{ name: t, kind: command, count: 4, command: [/no/such/program] }]\n\
         engines: [{ kind: pool }]\n",
    );
    let output = run(&["sweep", path(&file), "--no-progress"]);
    code(&output, 3);
    let page = text(&output.stdout);
    assert!(page.contains("✗ ● pool: ALL 4 TASKS FAILED") && page.contains("not found"), "{page}");
    let output = run(&["sweep", path(&file), "--workers", "1,2", "--repeats", "1", "--format", "json", "--quiet"]);
    let document = json_after(&output, 3);
    assert_eq!(document["arms"][0]["all_failed"]["tasks"], 4);
    assert_eq!(document["arms"][0]["recommendation"]["advice"], "nothing");
    assert!(text(&output.stderr).contains("pool: ALL 4 TASKS FAILED"), "{output:?}");
}

#[test]
fn an_aborted_sweep_prints_what_was_measured() {
    let file = file(NAPS);
    let arguments =
        ["sweep", path(&file), "--engines", "pool", "--workers", "8,1", "--repeats", "400", "--warmup", "0"];
    let mut child = poolscope(&[&arguments[..], &["--max-time", "1h"]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut progress = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let seen = progress.find(|line| line.contains("8 workers, run 2/400"));
    assert!(seen.is_some());
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let _rest = progress.count();
    let output = child.wait_with_output().unwrap();
    code(&output, 130);
    let page = text(&output.stdout);
    assert!(page.contains("ABORTED: ended by SIGINT") && page.contains("not counted"), "{page}");
    assert!(
        page.lines().any(|line| line.trim_start().trim_start_matches("▸ ").trim_start().starts_with("1 ")),
        "{page}"
    );
}
