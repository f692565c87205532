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
    let arguments = ["--workers", "1,2..3", "--repeats", "2", "--full", "--format", "json", "--quiet"];
    let output = run(&[&["sweep", path(&file)], &arguments[..]].concat());
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
fn clearly_bad_points_are_dropped_and_that_is_said_in_every_format() {
    let file = file(NAPS);
    let arguments = ["--workers", "1,2,6,12", "--engines", "pool", "--repeats", "2", "--no-progress"];
    let arguments = [&["sweep", path(&file)], &arguments[..]].concat();
    let document = json_after(&run(&[&arguments[..], &["--format", "json"]].concat()), 0);
    let dropped = |point: &Value| (point["workers"].as_u64(), point["runs"].as_u64(), point["dropped"] == true);
    let found: Vec<_> = document["arms"][0]["points"].as_array().unwrap().iter().map(dropped).collect();
    assert_eq!(
        found,
        [(Some(1), Some(1), true), (Some(2), Some(1), true), (Some(6), Some(2), false), (Some(12), Some(2), false)]
    );
    assert!(document["dropped_because"].as_str().unwrap().contains("--full"), "{document}");
    let page = text(&run(&arguments).stdout);
    assert!(page.contains("dropped: pool ×1 ×2: clearly bad") && page.contains("--full"), "{page}");
}

#[test]
fn a_setting_is_swept_in_the_engines_that_have_it() {
    let file = file(&NAPS.replace("{ kind: serial }", "{ name: threads, kind: pool, chunksize: 4 }"));
    let arguments = ["--sweep", "chunksize=1,6", "--engines", "pool,process", "--repeats", "1", "--warmup", "0"];
    let arguments = [&["sweep", path(&file), "--no-progress"], &arguments[..]].concat();
    let output = run(&[&arguments[..], &["--format", "json"]].concat());
    let document = json_after(&output, 0);
    let arms: Vec<(&str, &str)> = document["arms"]
        .as_array()
        .unwrap()
        .iter()
        .map(|arm| (arm["base"].as_str().unwrap(), arm["settings"]["chunksize"].as_str().unwrap_or("-")))
        .collect();
    assert_eq!(arms, [("pool", "1"), ("process", "-"), ("pool", "6")], "{}", text(&output.stderr));
    let told = text(&output.stderr);
    assert!(told.contains("chunksize does not apply to process, which is run as it is"), "{told}");
    let page = text(&run(&arguments).stdout);
    assert!(page.contains("  chunksize") && page.contains("fastest of pool: chunksize="), "{page}");
}

#[test]
fn the_file_says_what_is_swept_and_the_command_line_says_otherwise() {
    let text_of_file = format!("{NAPS}sweep: {{ workers: [2, 4], service_time: 5ms..20msx4 }}\n");
    let file = file(&text_of_file);
    let arguments = ["--engines", "pool", "--repeats", "1", "--warmup", "0", "--quiet", "--format", "json"];
    let document = json_after(&run(&[&["sweep", path(&file)], &arguments[..]].concat()), 0);
    let points = |document: &Value| -> Vec<(String, u64, f64)> {
        let arms = document["arms"].as_array().unwrap().iter();
        let of = |arm: &Value| {
            let setting = arm["settings"]["service_time"].as_str().unwrap_or("-").to_owned();
            let point = |point: &Value| {
                (setting.clone(), point["workers"].as_u64().unwrap(), point["throughput"]["mean"].as_f64().unwrap())
            };
            arm["points"].as_array().unwrap().iter().map(point).collect::<Vec<_>>()
        };
        arms.flat_map(of).collect()
    };
    let found = points(&document);
    let places: Vec<(&str, u64)> = found.iter().map(|(size, workers, _)| (size.as_str(), *workers)).collect();
    assert_eq!(places, [("5ms", 2), ("5ms", 4), ("20ms", 2), ("20ms", 4)]);
    assert!(found[0].2 > 1.5 * found[2].2, "tasks of 5 ms are faster than those of 20 ms: {found:?}");
    let other = [&["sweep", path(&file), "--sweep", "total=1"], &arguments[..]].concat();
    code(&run(&other), 2);
    let other = [&["sweep", path(&file), "--sweep", "tasks.nap.count=4,8"], &arguments[..]].concat();
    let document = json_after(&run(&other), 0);
    assert_eq!(document["dimensions"], serde_json::json!([{ "field": "tasks.nap.count", "values": ["4", "8"] }]));
    assert!(points(&document).iter().all(|(_, workers, _)| *workers == 2), "the file's own count: {document}");
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
        (&["sweep", file, "--sweep", "chunksize=0,1"], "chunksize=0 cannot be tried"),
        (&["sweep", file, "--sweep", "chunk=1,2"], "unknown key"),
        (&["sweep", file, "--sweep", "workers=0..4"], "0 workers"),
        (&["sweep", file, "--sweep", "total=1..30", "--sweep", "nice=1..19"], "570 combinations; 500"),
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

#[test]
fn a_sweep_goes_on_where_it_was_interrupted_and_nowhere_else() {
    let (file, folder) = (file(NAPS), tempfile::tempdir().unwrap());
    let state = folder.path().join("state");
    let state = state.to_str().unwrap();
    let sweep = |counts: &str, repeats: &str, more: &[&str]| {
        let arguments = ["sweep", path(&file), "--workers", counts, "--engines", "pool", "--full", "--quiet"];
        let arguments = [&arguments[..], &["--repeats", repeats, "--resume", state, "--format", "json"], more].concat();
        run(&arguments)
    };
    let kept = || {
        std::fs::read_dir(state)
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|ending| ending == "track"))
            .count()
    };
    let first = json_after(&sweep("2,4", "2", &[]), 0);
    assert_eq!((points(&first["arms"][0]), kept()), (vec![(2, 2), (4, 2)], 4));
    // As after a crash: one run is gone, and one was not written whole.
    let mut files: Vec<_> = std::fs::read_dir(state).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    std::fs::remove_file(&files[0]).unwrap();
    std::fs::write(&files[1], "poolscope.track/1\n").unwrap();
    let again = sweep("2,4", "3", &[]);
    let told = text(&again.stderr);
    let second = json_after(&again, 0);
    assert_eq!(points(&second["arms"][0]), [(2, 3), (4, 3)], "{told}");
    assert!(told.contains("resumed with 2 runs") && told.contains("is damaged"), "{told}");
    let rate = |document: &Value| document["arms"][0]["points"][0]["throughput"]["mean"].as_f64().unwrap();
    std::fs::remove_file(&files[1]).unwrap();
    let third = json_after(&sweep("2,4", "3", &[]), 0);
    assert!((rate(&second) - rate(&third)).abs() < 1e-9 * rate(&third), "nothing was run: {second} {third}");
    for more in [&["--set", "tasks.nap.count=12"][..], &["--sweep", "chunksize=1,2"]] {
        let output = sweep("2,4", "3", more);
        code(&output, 2);
        assert!(text(&output.stderr).contains("another sweep"), "{}", text(&output.stderr));
    }
    let head = std::path::Path::new(state).join("sweep.json");
    let elsewhere = std::fs::read_to_string(&head).unwrap().replace("\"cores\": ", "\"cores\": 9");
    std::fs::write(&head, elsewhere).unwrap();
    let output = sweep("2,4", "3", &[]);
    code(&output, 2);
    assert!(text(&output.stderr).contains("it was measured on"), "{}", text(&output.stderr));
}

#[test]
fn settings_that_were_tried_with_another_count_are_not_gone_on_from() {
    let (file, folder) = (file(NAPS), tempfile::tempdir().unwrap());
    let sweep = |workers: &str| {
        let arguments = ["sweep", path(&file), "--engines", "pool", "--sweep", "chunksize=1,4", "--workers", workers];
        run(&[&arguments[..], &["--repeats", "1", "--quiet", "--resume", folder.path().to_str().unwrap()]].concat())
    };
    code(&sweep("2"), 0);
    code(&sweep("2"), 0);
    let refused = sweep("3");
    code(&refused, 2);
    let said = text(&refused.stderr);
    assert!(
        said.contains("tries settings with 2 workers") && said.contains("this one tries settings with 3"),
        "{said}"
    );
}
