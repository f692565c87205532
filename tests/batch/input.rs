//! Items that come on standard input while the run goes on.

use std::fs;

use super::support::cli::{code, document, json, text};
use super::{done, entries, lines, shell, workload};

const ENGINES: [&str; 2] = ["process", "pool"];

fn reading() -> super::WorkloadFolder {
    workload("{lines: \"-\"}", "echo out {item}", "")
}

#[test]
fn what_has_come_is_done_while_the_rest_is_still_to_come() {
    for engine in ENGINES {
        let folder = reading();
        // The second item comes when the first is done, and the end when both are; what is not ended by a line feed is an item.
        let wait = |count: u32| format!("until [ \"$(wc -l < done)\" -ge {count} ]; do sleep 0.01; done");
        let producer =
            format!("touch done; echo 'a b'; {}; printf '\\n\\r\\nsecond'; sleep 0.3; printf ' item'", wait(1));
        let script =
            format!("({producer}) | timeout 20 POOLSCOPE run w.yaml --engine {engine} -q --joblog log --workers 1");
        let output = shell(&folder, &script);
        code(&output, 0);
        assert_eq!(lines(&folder, "done"), ["a b", "second item"], "{engine}");
        assert_eq!(text(&output.stdout), "out a b\nout second item\n", "{engine}");
        assert_eq!(entries(&folder, "log").len(), 2);
    }
}

#[test]
fn they_are_the_same_tasks_as_those_of_a_file() {
    let folder = reading();
    fs::write(folder.path("items"), "a\n\nb\r\nc\n").unwrap();
    let from_input = json(&shell(&folder, "POOLSCOPE run w.yaml -q --format json < items"));
    fs::write(folder.path("w.yaml"), fs::read_to_string(folder.path("w.yaml")).unwrap().replace("\"-\"", "items"))
        .unwrap();
    let from_file = json(&shell(&folder, "POOLSCOPE run w.yaml -q --format json"));
    for part in ["/workload/stream_hash", "/workload/tasks", "/arms/0/runs/0/tasks", "/arms/0/runs/0/results_hash"] {
        assert!(from_file.pointer(part).is_some(), "{part}: {from_file}");
        assert_eq!(from_input.pointer(part), from_file.pointer(part), "{part}");
    }
}

#[test]
fn a_log_of_what_came_is_resumed_with_what_comes() {
    let folder = reading();
    code(&shell(&folder, "printf 'a\\nb\\n' | POOLSCOPE run w.yaml -q --joblog log"), 0);
    code(&shell(&folder, "printf 'b\\nc\\na\\n' | POOLSCOPE run w.yaml -q --resume log"), 0);
    assert_eq!(done(&folder), ["a", "b", "c"]);
}

#[test]
fn without_an_item_nothing_is_started_and_with_too_long_a_one_those_before_are_done() {
    let folder = reading();
    for input in ["</dev/null", "<&-"] {
        let output = shell(&folder, &format!("POOLSCOPE run w.yaml -q {input}"));
        code(&output, 2);
        assert!(text(&output.stderr).contains("standard input"), "{input}: {}", text(&output.stderr));
    }
    let script = "{ echo a; head -c 2000000 /dev/zero | tr '\\0' x; } | POOLSCOPE run w.yaml -q --format json";
    let output = shell(&folder, script);
    code(&output, 3);
    assert!(text(&output.stderr).contains("item 2 is longer than 1 MiB"), "{}", text(&output.stderr));
    assert_eq!(document(&output)["arms"][0]["runs"][0]["tasks"]["succeeded"], 1);
    assert_eq!(done(&folder), ["a"]);
}

#[test]
fn several_runs_read_what_was_kept() {
    let folder = reading();
    let output = shell(&folder, "printf 'a\\nb\\n' | POOLSCOPE compare w.yaml -q --format json");
    assert_eq!(json(&output)["arms"].as_array().unwrap().len(), 2);
    assert_eq!(done(&folder), ["a", "a", "b", "b"]);
}

#[test]
fn a_silent_producer_is_waited_for_until_somebody_stops_it() {
    let folder = reading();
    let script = "mkfifo pipe; (echo a; sleep 30) > pipe & producer=$!; \
                  POOLSCOPE run w.yaml -q --joblog log < pipe & \
                  until [ -s done ]; do sleep 0.01; done; sleep 0.2; kill -INT $!; wait $!; code=$?; kill $producer; exit $code";
    let output = shell(&folder, script);
    // A shell has its background jobs ignore SIGINT; then it is SIGTERM's turn.
    assert!(matches!(output.status.code(), Some(130)), "{:?}", output.status);
    assert_eq!(entries(&folder, "log").len(), 1);
}

#[test]
fn millions_of_lines_take_little_memory() {
    let folder = reading();
    let script = "seq 4000000 | POOLSCOPE run w.yaml -q --set tasks.0.command='test {item} -lt 150 || sleep 0.02' --halt now,done=260 & \
                  run=$!; for n in $(seq 200); do grep -s VmHWM /proc/$run/status || break; sleep 0.02; done; wait $run";
    let output = shell(&folder, script);
    code(&output, 0);
    let said = text(&output.stdout);
    let peak = said.lines().filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).max().unwrap();
    assert!(peak < 60_000, "{peak} KiB for four million items");
}
