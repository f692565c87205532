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
fn rows_and_values_are_begun_as_they_come_and_a_bad_one_ends_them() {
    for (engine, source, head, rows, bad, error) in [
        (
            "process",
            "csv",
            "name,n\\n",
            ["\"a b\",1\\n", "c,2\\n"],
            "\"d\\n,3\\n",
            "a quote that opens in line 4 is never closed",
        ),
        (
            "pool",
            "csv",
            "name,n\\n",
            ["\"a b\",1\\n", "c,2\\n"],
            "d\\ne,4\\n",
            "line 4 has 1 fields, and the header has 2",
        ),
        (
            "process",
            "jsonl",
            "",
            ["{\"name\":\"a b\",\"n\":1}\\n", "{\"name\":\"c\",\"n\":2}\\n"],
            "{\"name\":\"d\"}\\n{\"name\":\"e\",\"n\":1}\\n",
            "item 3 has no `n`",
        ),
    ] {
        let folder = workload(&format!("{{{source}: \"-\"}}"), "echo {item.name}={item.n}", "");
        let [first, second] = rows;
        // Each is done before the next one comes.
        let wait = |count: u32| format!("until [ \"$(wc -l < log)\" -gt {count} ]; do sleep 0.01; done");
        let producer = format!(
            "touch log; printf '{head}'; sleep 0.1; printf '{first}'; {}; printf '{second}'; {}; printf '{bad}'",
            wait(1),
            wait(2)
        );
        let script = format!("({producer}) | timeout 20 POOLSCOPE run w.yaml --engine {engine} -q --joblog log");
        let output = shell(&folder, &script);
        code(&output, 3);
        assert_eq!(text(&output.stdout), "a b=1\nc=2\n", "{engine} {source}");
        let said = text(&output.stderr);
        assert!(said.contains("the items on standard input: ") && said.contains(error), "{engine} {source}: {said}");
        assert_eq!(entries(&folder, "log").len(), 2, "{engine} {source}");
        // What names a field that is not there is refused before anything is begun, and so is what is no header.
        for (script, input) in [("{item.m}", format!("{head}{first}")), ("{item}", "a,a\\n1,2\\n".to_owned())] {
            let refused = workload(&format!("{{{source}: \"-\"}}"), script, "");
            let output = shell(&refused, &format!("printf '{input}' | POOLSCOPE run w.yaml -q"));
            code(&output, 2);
            assert!(done(&refused).is_empty(), "{source}: {}", text(&output.stderr));
        }
    }
}

#[test]
fn rows_and_values_are_the_same_tasks_as_those_of_a_file() {
    for (source, items) in [("csv", "n\n1\n\"2\n3\"\n"), ("jsonl", "{\"n\":1}\n\n{\"n\":[2, 3]}\n")] {
        let result = |name: &str| {
            let folder = workload(&format!("{{{source}: \"{name}\"}}"), "echo {item.n}", "");
            fs::write(folder.path("items"), items).unwrap();
            json(&shell(&folder, "POOLSCOPE run w.yaml -q --format json < items"))
        };
        let (from_input, from_file) = (result("-"), result("items"));
        for part in ["/workload/stream_hash", "/workload/tasks", "/arms/0/runs/0/results_hash"] {
            assert!(from_file.pointer(part).is_some(), "{part}: {from_file}");
            assert_eq!(from_input.pointer(part), from_file.pointer(part), "{source}: {part}");
        }
    }
}

#[test]
fn without_a_place_for_temporary_files_it_is_said_which_and_nothing_is_begun() {
    for source in ["lines", "csv", "jsonl"] {
        let folder = workload(&format!("{{{source}: \"-\"}}"), "true", "");
        for resume in ["", "--resume log"] {
            let script = format!("printf 'a\\n1\\n' | TMPDIR=/nowhere POOLSCOPE run w.yaml -q {resume}");
            let output = shell(&folder, &script);
            code(&output, 2);
            let said = text(&output.stderr);
            assert!(said.contains("making a temporary file in /nowhere (TMPDIR): No such file"), "{source}: {said}");
        }
        assert!(done(&folder).is_empty(), "{source}");
    }
    let folder = workload("[a]", "true", "");
    let output = shell(&folder, "TMPDIR=/nowhere POOLSCOPE run w.yaml -q --engine pool");
    code(&output, 2);
    let said = text(&output.stderr);
    assert!(said.contains("making a folder in /nowhere (TMPDIR): No such file"), "{said}");
    // No place for a file: what does not fit is what ends the items.
    let folder = reading();
    let script = "{ echo a; head -c 3000000 /dev/zero | tr '\\0' '\\n'; } | \
                  { trap '' XFSZ; ulimit -f 2048; exec POOLSCOPE run w.yaml -q; }";
    let output = shell(&folder, script);
    code(&output, 3);
    let said = text(&output.stderr);
    assert!(said.contains("standard input: cannot be kept: writing a temporary file in "), "{said}");
    assert_eq!(done(&folder), ["a"]);
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
