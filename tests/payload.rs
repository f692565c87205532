//! Bytes that travel with tasks of every kind, and what that takes: it is told for what it is.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/mod.rs"]
mod support;

use serde_json::Value;
use support::program::{WorkloadFolder, only_run};

const ENGINES: &str = "engines:
  - { kind: pool, workers: 2 }
  - { name: spawned, kind: process, workers: 2, start_method: spawn }
  - { name: forked, kind: process, workers: 2, start_method: forkserver }
  - { kind: serial }
";
const NAMES: [&str; 4] = ["pool", "spawned", "forked", "serial"];

fn run(workload: &str, engine: &str) -> Value {
    run_in(&WorkloadFolder::new(""), workload, engine)
}

/// What CPU work comes to depends on the calibration, which is that of the folder's cache.
fn run_in(folder: &WorkloadFolder, workload: &str, engine: &str) -> Value {
    std::fs::write(folder.path("w.yaml"), format!("version: 1\nseed: 3\n{workload}\n{ENGINES}")).unwrap();
    only_run(&folder.run(engine, &["--format", "json"]).output().unwrap())
}

#[test]
fn every_kind_of_work_of_ours_can_carry_bytes() {
    let kinds = [
        "kind: cpu, service_time: { dist: constant, value: 100us }",
        "kind: sleep, service_time: { dist: uniform, min: 10us, max: 100us }",
        "kind: io, bytes: 10KiB",
        "kind: memory, bytes: 1MiB",
        "kind: mixed, phases: [{ kind: cpu, service_time: { dist: constant, value: 10us } }, { kind: sleep, service_time: { dist: constant, value: 10us } }]",
        "kind: kernel, kernel: noop",
        "kind: kernel, kernel: primes, args: { n: 100 }",
    ];
    for name in NAMES {
        let tasks = |payload: &str| {
            let one = |(place, kind): (usize, &&str)| format!("  - {{ name: t{place}, {kind}, count: 6{payload} }}\n");
            format!("tasks:\n{}", kinds.iter().enumerate().map(one).collect::<String>())
        };
        let folder = WorkloadFolder::new("");
        let with = run_in(&folder, &tasks(", payload: { in: 300KiB, out: 100KiB }"), name);
        assert_eq!(with["tasks"]["succeeded"], 42, "{name}: {}", with["failures"]);
        let carried = &with["payload"];
        assert_eq!((&carried["tasks"], &carried["bytes_in"]), (&42.into(), &(42 * 300 * 1024).into()), "{name}");
        assert_eq!(carried["bytes_out"], 42 * 100 * 1024, "{name}");
        for time in ["serialise_in_s", "transfer_in_s", "serialise_out_s", "transfer_out_s"] {
            assert_eq!(carried[time]["count"], 42, "{name} {time}: {carried:#}");
        }
        assert!(
            carried["transfer_in_s"]["mean"].as_f64().unwrap() > 0.0
                && with["worker_time_s"]["carrying"].as_f64().unwrap() > 0.0
        );
        let without = run_in(&folder, &tasks(""), name);
        assert_eq!(with["results_hash"], without["results_hash"], "{name}: what is carried changes no result");
        assert_eq!((&without["payload"], &without["worker_time_s"]["carrying"]), (&Value::Null, &0.0.into()), "{name}");
    }
}

#[test]
fn one_direction_is_enough_and_much_travels_too() {
    for name in NAMES {
        for (payload, bytes) in
            [("in: 1B", [1, 0]), ("out: 1B", [0, 1]), ("in: 17MiB", [17 << 20, 0]), ("out: 17MiB", [0, 17 << 20])]
        {
            let told = run(
                &format!("tasks: [{{ name: t, kind: kernel, kernel: noop, count: 3, payload: {{ {payload} }} }}]"),
                name,
            );
            assert_eq!(told["tasks"]["succeeded"], 3, "{name} {payload}: {}", told["failures"]);
            let found =
                [&told["payload"]["bytes_in"], &told["payload"]["bytes_out"]].map(|bytes| bytes.as_u64().unwrap());
            assert_eq!(found, bytes.map(|bytes| 3 * bytes), "{name} {payload}");
        }
    }
}

#[test]
fn what_a_trace_tells_and_a_payload_come_together() {
    for name in NAMES {
        let trace = "tasks: [{ name: t, kind: sleep, count: 8, payload: { in: 5000B }, service_time: { dist: trace, file: t.csv, unit: ms } }]";
        let folder = WorkloadFolder::new(&format!("version: 1\nseed: 3\n{trace}\n{ENGINES}"));
        std::fs::write(folder.path("t.csv"), "1\n2\n3\n4\n1\n2\n3\n4\n").unwrap();
        let told = only_run(&folder.run(name, &["--format", "json"]).output().unwrap());
        assert_eq!(told["tasks"]["succeeded"], 8, "{name}: {}", told["failures"]);
        assert!(told["latency_s"]["service"]["mean"].as_f64().unwrap() >= 0.0025, "{name}");
        assert_eq!(told["payload"]["bytes_in"], 8 * (5000 + 8), "{name}");
    }
}

#[test]
fn a_program_is_refused_bytes_with_words() {
    let folder = WorkloadFolder::new(
        "version: 1\ntasks: [{ name: t, kind: command, command: [echo], count: 3, payload: { in: 1KiB } }]\n",
    );
    let output = folder.run("pool", &[]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("bytes cannot travel with a program") && text.contains("tasks[0].payload"), "{text}");
}

/// Making a result ready to travel is neither work nor start-up nor idle time, and no timeout counts it; but it must end.
#[test]
fn packing_a_result_is_told_for_what_it_is_and_no_timeout_counts_it() {
    let source = "
import time

class Slow:
    def __init__(self, seconds):
        self.seconds = seconds
    def __reduce__(self):
        time.sleep(self.seconds)
        return (int, ())

def work(index):
    time.sleep(0.05)
    return Slow(3600 if index == 2 else 0.4)
";
    let tasks = "tasks: [{ name: t, kind: python, callable: 'own:work', args: [{ index }], count: 4, timeout: 700ms, grace_period: 50ms }]";
    let python = "python: { interpreter: python3 }";
    let arms =
        "engines: [{ kind: pool, workers: 1, chunksize: 1 }, { kind: process, workers: 1, start_method: spawn }]";
    for name in ["pool", "process"] {
        let folder = WorkloadFolder::new(&format!("version: 1\nseed: 3\n{tasks}\n{python}\n{arms}\n"));
        std::fs::write(folder.path("own.py"), source).unwrap();
        let told = only_run(&folder.run(name, &["--format", "json"]).output().unwrap());
        let counts = [&told["tasks"]["succeeded"], &told["tasks"]["timed_out"]];
        assert_eq!(counts, [&3, &1].map(|count| Value::from(*count)).each_ref(), "{name}: {}", told["failures"]);
        assert_eq!(told["failures"][0]["task"], 2, "{name}");
        let time = |part: &str| told["worker_time_s"][part].as_f64().unwrap();
        assert!(time("carrying") >= 3.0 * 0.4, "{name}: {}", told["worker_time_s"]);
        let packing = &told["payload"]["serialise_out_s"];
        assert!(packing["p50"].as_f64().unwrap() >= 0.4 && packing["count"] == 3, "{name}: {packing}");
        let whole: f64 = ["work", "startup", "carrying", "idle"].iter().map(|part| time(part)).sum();
        assert!((whole - told["wall_s"].as_f64().unwrap()).abs() < 0.1 * whole, "{name}: {}", told["worker_time_s"]);
        assert!(told["latency_s"]["service"]["p50"].as_f64().unwrap() < 0.4, "{name}: it is not work");
    }
}

/// What our own bytes take is under no limit, in no engine: making so many takes longer than the tasks may work.
#[test]
fn no_timeout_counts_the_bytes_that_are_returned_for_nothing() {
    let python = "python: { interpreter: python3 }";
    let limits = "count: 2, timeout: 60ms, payload: { out: 96MiB }";
    let none = format!("{{ name: none, kind: python, callable: 'own:none', {limits} }}");
    let one = format!("{{ name: one, kind: python, callable: 'own:one', {limits} }}");
    let kernel = format!("{{ name: kernel, kind: kernel, kernel: noop, {limits} }}");
    let arms = |more: &str| {
        format!("engines: [{{ kind: pool, workers: 1 }}, {{ kind: process, workers: 1 }}, {{ kind: serial }}{more}]")
    };
    let cases = [(format!("{none}, {one}"), python, ", { kind: thread, workers: 1 }", 4), (kernel, "", "", 2)];
    for (tasks, python, more, count) in cases {
        let workload = format!("version: 1\nseed: 3\ntasks: [{tasks}]\n{python}\n{}\n", arms(more));
        let folder = WorkloadFolder::new(&workload);
        std::fs::write(folder.path("own.py"), "def none(): pass\ndef one(): return 1\n").unwrap();
        let names = ["pool", "process", "serial", "thread"];
        for name in names.iter().filter(|name| !more.is_empty() || **name != "thread") {
            let told = only_run(&folder.run(name, &["--format", "json"]).output().unwrap());
            assert_eq!(told["tasks"]["succeeded"], count, "{name}: {}", told["failures"]);
            assert_eq!(told["payload"]["bytes_out"].as_u64().unwrap() >> 20, count * 96, "{name}");
            let packing = told["payload"]["serialise_out_s"]["max"].as_f64().unwrap();
            assert!(packing > 0.0, "{name}");
        }
    }
}
