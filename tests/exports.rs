//! What the real program writes beside its report: the event log, the trace, and results in other formats.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use support::cli::*;

/// 20 naps of which two crash, one hangs into its timeout and is abandoned, in a pool and a process engine.
const NAPS: &str = "
version: 1
name: naps
seed: 3
tasks: [{ name: \"a|b <c>\", kind: sleep, count: 20, service_time: { dist: constant, value: 2ms }, timeout: 60ms }]
engines: [{ name: pool, kind: pool, workers: 2, on_timeout: abandon }, { name: process, kind: process, workers: 2 }]
faults: [{ kind: crash, at: 4 }, { kind: crash, at: 9 }, { kind: hang, at: 12, engine: process }]
measure: { warmup: 0, repeats: 1 }
";

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// Runs a comparison that writes both logs; its result, the lines and the trace.
fn logged() -> (Value, Vec<Value>, Value) {
    let (folder, file) = (tempfile::tempdir().unwrap(), file(NAPS));
    let [events, trace] = ["events.jsonl", "trace.json"].map(|name| folder.path().join(name));
    let logs = ["--events", events.to_str().unwrap(), "--trace", trace.to_str().unwrap()];
    let output = run(&[&["compare", path(&file), "--format", "json", "--quiet"], &logs[..]].concat());
    let document = json_after(&output, 0);
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "nothing else is left: {left:?}");
    let trace = serde_json::from_str(&std::fs::read_to_string(trace).unwrap()).unwrap();
    // A small run is told whole, and nothing is said of that.
    assert!(!text(&output.stderr).contains("note:"), "{}", text(&output.stderr));
    (document, lines(&std::fs::read_to_string(events).unwrap()), trace)
}

#[test]
fn the_event_log_and_the_trace_agree_with_the_result() {
    let (document, events, trace) = logged();
    assert_eq!((&events[0]["event"], &events[0]["schema"]), (&"log".into(), &"poolscope.events/1".into()));
    assert_eq!(events[0]["workload"]["stream_hash"], document["workload"]["stream_hash"]);
    let of = |run: u64, event: &str| {
        events.iter().filter(|line| line["run"] == run && line["event"] == event).collect::<Vec<_>>()
    };
    for (run, arm) in (1..).zip(document["arms"].as_array().unwrap()) {
        assert_eq!(of(run, "run_started")[0]["arm"], arm["name"]);
        let result = &arm["runs"][0];
        let tasks = of(run, "task");
        let index: BTreeSet<u64> = tasks.iter().map(|task| task["index"].as_u64().unwrap()).collect();
        assert_eq!((tasks.len() as u64, index.len()), (result["tasks"]["succeeded"].as_u64().unwrap(), tasks.len()));
        for task in &tasks {
            let [arrival, dispatched, start, service, at] =
                ["arrival", "dispatched", "start", "service", "at"].map(|key| task[key].as_f64().unwrap());
            assert!(arrival <= dispatched && dispatched <= start && (start + service - at).abs() < 1e-8, "{task}");
            assert!(service >= 0.002 && task["class"] == "a|b <c>", "{task}");
        }
        let outcomes =
            |outcome: &str| of(run, "attempt").iter().filter(|line| line["outcome"] == outcome).count() as u64;
        for outcome in ["lost", "timed_out"] {
            assert_eq!(outcomes(outcome), result["tasks"][outcome].as_u64().unwrap(), "{outcome}");
        }
        let starts = of(run, "worker_started").len() as u64;
        assert_eq!(starts, result["worker_starts"].as_u64().unwrap());
        assert_eq!(of(run, "worker_exited").len() as u64, starts, "every worker ends");
        assert_eq!(of(run, "run_ended").len(), 1);
        assert!(of(run, "lost").is_empty() && !of(run, "state").is_empty());
    }
    check_trace(&trace, &document);
}

/// Every event has what the Trace Event Format asks for, and the spans are those of the tasks.
fn check_trace(trace: &Value, document: &Value) {
    let all = trace["traceEvents"].as_array().unwrap();
    let mut open: BTreeMap<String, i64> = BTreeMap::new();
    for event in all {
        let phase = event["ph"].as_str().unwrap();
        assert!(event["name"].is_string() && event["pid"].is_u64() && event["tid"].is_u64(), "{event}");
        assert!(phase == "M" || event["ts"].as_f64().is_some_and(|ts| ts >= 0.0), "{event}");
        match phase {
            "X" => assert!(event["dur"].as_f64().is_some_and(|dur| dur >= 0.0), "{event}"),
            "i" => assert!(["g", "p", "t"].contains(&event["s"].as_str().unwrap()), "{event}"),
            "C" => assert!(event["args"].as_object().unwrap().values().all(Value::is_u64), "{event}"),
            "M" => assert!(event["args"].is_object(), "{event}"),
            "b" | "e" => {
                let id = format!("{} {}", event["cat"], event["id"].as_str().unwrap());
                *open.entry(id).or_default() += if phase == "b" { 1 } else { -1 };
            }
            other => panic!("phase {other}: {event}"),
        }
    }
    assert!(open.values().all(|open| *open == 0), "every wait ends: {open:?}");
    check_lanes(all);
    assert_eq!(trace["told"]["text"], "everything", "{}", trace["told"]);
    let count = |is: &dyn Fn(&Value) -> bool| all.iter().filter(|event| is(event)).count() as u64;
    for (pid, arm) in (1u64..).zip(document["arms"].as_array().unwrap()) {
        let tasks = &arm["runs"][0]["tasks"];
        let spans = count(&|event| event["pid"] == pid && event["cat"] == "task");
        assert_eq!(spans, tasks["succeeded"].as_u64().unwrap());
        for outcome in ["lost", "timed_out"] {
            let instants = count(&|event| event["pid"] == pid && event["ph"] == "i" && event["name"] == outcome);
            assert_eq!(instants, tasks[outcome].as_u64().unwrap(), "{outcome}");
        }
        let starts = count(&|event| event["pid"] == pid && event["cat"] == "start-up");
        assert!(starts >= 2, "{arm}");
        let named = |event: &Value| event["name"] == "process_name" && event["pid"] == pid;
        let name = all.iter().find(|event| named(event)).unwrap()["args"]["name"].as_str().unwrap();
        assert!(name.starts_with(arm["name"].as_str().unwrap()), "{name}");
    }
}

/// What Perfetto drops or misplaces without a word: spans of a lane that overlap, lanes without a name, an end before its begin.
fn check_lanes(all: &[Value]) {
    let lane = |event: &Value| (event["pid"].as_u64().unwrap(), event["tid"].as_u64().unwrap());
    let nanos = |value: &Value| (value.as_f64().unwrap() * 1e3).round() as u64;
    let named: BTreeSet<_> = all.iter().filter(|event| event["name"] == "thread_name").map(lane).collect();
    let mut lanes: BTreeMap<(u64, u64), Vec<(u64, u64)>> = BTreeMap::new();
    let mut begun: BTreeMap<&str, u64> = BTreeMap::new();
    for event in all {
        match event["ph"].as_str().unwrap() {
            "X" => {
                let from = nanos(&event["ts"]);
                lanes.entry(lane(event)).or_default().push((from, from + nanos(&event["dur"])));
            }
            "b" => assert_eq!(begun.insert(event["id"].as_str().unwrap(), nanos(&event["ts"])), None, "{event}"),
            "e" => assert!(begun.remove(event["id"].as_str().unwrap()).is_some_and(|from| from <= nanos(&event["ts"]))),
            // No flow leads nowhere: there is none.
            phase => assert!(!["s", "t", "f"].contains(&phase), "{event}"),
        }
    }
    for (lane, mut spans) in lanes {
        assert!(named.contains(&lane) && lane.1 > 0, "{lane:?} has no name");
        spans.sort_by_key(|(from, to)| (*from, std::cmp::Reverse(*to)));
        let mut around: Vec<u64> = Vec::new();
        for (from, to) in spans {
            around.retain(|end| *end > from);
            assert!(around.last().is_none_or(|end| to <= *end), "{lane:?}: {from}-{to} ends outside of {around:?}");
            around.push(to);
        }
    }
}

#[test]
fn a_run_that_is_not_told_whole_says_so_in_the_logs_and_on_the_screen() {
    let workload = "version: 1\nname: many\ntasks: [{ name: t, kind: kernel, kernel: noop, count: 300000 }]\n\
                    engines: [{ kind: pool, workers: 2, chunksize: 64 }]\nmeasure: { warmup: 0, repeats: 1 }\n";
    let (folder, file) = (tempfile::tempdir().unwrap(), file(workload));
    let [events, trace] = ["events.jsonl", "trace.json"].map(|name| folder.path().join(name));
    let logs = ["--events", events.to_str().unwrap(), "--trace", trace.to_str().unwrap()];
    let output = run(&[&["run", path(&file), "--format", "json", "--quiet"], &logs[..]].concat());
    json_after(&output, 0);
    let told = text(&output.stderr);
    for path in [&events, &trace] {
        let note = format!("note: {} does not tell everything: tasks: ", path.display());
        assert!(told.lines().any(|line| line.starts_with(&note) && line.contains(" summed up")), "{told}");
    }
    let events = lines(&std::fs::read_to_string(events).unwrap());
    let count = |event: &str| {
        let of = events.iter().filter(|line| line["event"] == event);
        of.map(|line| line["count"].as_u64().unwrap_or(1)).sum::<u64>()
    };
    assert_eq!(count("task") + count("tasks") + count("lost"), 300_000, "{told}");
    let trace: Value = serde_json::from_str(&std::fs::read_to_string(trace).unwrap()).unwrap();
    let all = trace["traceEvents"].as_array().unwrap();
    check_lanes(all);
    let spans = all.iter().filter(|event| event["cat"] == "task" || event["cat"] == "tasks");
    let in_spans: u64 = spans.map(|event| event["args"]["count"].as_u64().unwrap_or(1)).sum();
    let figure = |name: &str| trace["told"][name].as_u64().unwrap();
    assert_eq!(in_spans, figure("tasks") + figure("tasks_summed_up"), "{}", trace["told"]);
    assert_eq!(in_spans + figure("tasks_left_out"), 300_000, "{}", trace["told"]);
    assert!(all.iter().any(|event| event["name"] == "not told whole"));
}

#[test]
fn every_task_has_a_row_and_other_formats_have_their_form() {
    let file = file(NAPS);
    let written = |format: &str| {
        let output = run(&["run", path(&file), "--engine", "process", "--format", format, "--quiet"]);
        code(&output, 0);
        text(&output.stdout)
    };
    let csv = written("csv");
    let rows: Vec<&str> = csv.lines().collect();
    assert!(rows[0].starts_with("arm,engine,workers,run,round,warmup,index,class,attempt,outcome"), "{csv}");
    assert_eq!(rows.len(), 21, "{csv}");
    let with = |outcome: &str| rows.iter().filter(|row| row.contains(&format!(",{outcome},"))).count();
    assert_eq!((with("succeeded"), with("lost"), with("timed_out")), (17, 2, 1), "{csv}");
    let markdown = written("markdown");
    assert!(markdown.starts_with("## naps\n") && markdown.contains("| process | 2 | 1 |"), "{markdown}");
    let prometheus = written("prometheus");
    assert!(prometheus.contains("outcome=\"lost\"} 2\n"), "{prometheus}");
    let output = run(&[
        "sweep",
        path(&file),
        "--engines",
        "pool",
        "--workers",
        "1,2",
        "--repeats",
        "1",
        "--format",
        "prometheus",
        "--quiet",
    ]);
    code(&output, 0);
    assert!(
        text(&output.stdout)
            .contains("poolscope_throughput{workload=\"naps\",arm=\"pool\",engine=\"pool\",workers=\"2\"}")
    );
}

#[test]
fn a_log_that_cannot_be_written_is_told_and_the_result_is_there() {
    let file = file(NAPS);
    for (arguments, wanted, told) in [
        (&["--events", "/dev/full"][..], 3, "error: writing /dev/full: no space left on device"),
        (&["--trace", "/nowhere/at/all.json"], 2, "there is no folder"),
        (&["--events", "-"], 2, "--events needs a file of its own"),
        (&["--events", "/tmp/same", "--trace", "/tmp/same"], 2, "--trace needs a file of its own"),
        (&["--events", "/tmp/./same", "--output", "/tmp/same"], 2, "--events needs a file of its own"),
        (&["--joblog", "/tmp/./same", "--output", "/tmp/same"], 2, "--output needs a file of its own"),
        (&["--db", "/tmp/same", "--trace", "/tmp/same-wal"], 2, "that of --db, too"),
    ] {
        let output = run(&[&["run", path(&file), "--format", "json", "--quiet"], arguments].concat());
        code(&output, wanted);
        assert!(text(&output.stderr).contains(told), "{}", text(&output.stderr));
        assert_eq!(output.stdout.is_empty(), wanted == 2, "the result is printed all the same");
    }
}
