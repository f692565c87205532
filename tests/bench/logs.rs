//! What logs cost: the real program, a pool of two workers and no-op tasks by the millions, without a log, with an event log
//! (`--events`) and with a trace (`--trace`), in turn and each time in another order; with `chunksize: auto`, and in chunks of 16, which
//! is about a million tasks a second. The rates are those that the program reports; the ratios are what counts.
//!
//! `cargo bench --bench logs`
#![expect(clippy::expect_used, reason = "a benchmark that cannot run says so by panicking")]

mod ratios;

use std::path::Path;
use std::process::{Command, Stdio};

use ratios::Ratios;

const ROUNDS: usize = 9;

/// How tasks travel, and how many they are.
struct Case {
    chunksize: &'static str,
    tasks: u64,
    events: Ratios,
    trace: Ratios,
}

/// Tasks per second of one run, with this log.
fn rate(folder: &Path, case: &Case, log: Option<&str>) -> f64 {
    let Case { chunksize, tasks, .. } = case;
    let workload = format!(
        "version: 1\nname: logged\nseed: 1\ntasks: [{{ name: noop, kind: kernel, kernel: noop, count: {tasks} }}]\n\
         engines: [{{ name: pool, kind: pool, workers: 2, chunksize: {chunksize} }}]\nmeasure: {{ warmup: 0, repeats: 1 }}\n"
    );
    std::fs::write(folder.join("logged.yaml"), workload).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_poolscope"));
    command.args(["run", "logged.yaml", "--format", "json", "--quiet", "--no-history"]).current_dir(folder);
    if let Some(log) = log {
        command.arg(log).arg(folder.join("log"));
    }
    let output = command.stdin(Stdio::null()).output().expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a result");
    let run = &document["arms"][0]["runs"][0];
    assert_eq!(run["tasks"]["succeeded"], *tasks, "{run}");
    run["throughput"].as_f64().expect("a rate")
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let ratios = |name| Ratios::new(name, 0.85, 0.95);
    let mut cases = [
        Case {
            chunksize: "auto",
            tasks: 10_000_000,
            events: ratios("chunksize auto: --events / without"),
            trace: ratios("chunksize auto: --trace / without"),
        },
        Case {
            chunksize: "16",
            tasks: 2_000_000,
            events: ratios("chunksize 16: --events / without"),
            trace: ratios("chunksize 16: --trace / without"),
        },
    ];
    let ways = [None, Some("--events"), Some("--trace")];
    for case in &mut cases {
        for round in 0..ROUNDS {
            let mut rates = [0.0; 3];
            for place in (0..3).map(|place| (place + round) % 3) {
                rates[place] = rate(folder.path(), case, ways[place]);
            }
            let [without, with_events, with_trace] = rates;
            case.events.round(without, with_events);
            case.trace.round(without, with_trace);
        }
        for log in ["--events", "--trace"] {
            rate(folder.path(), case, Some(log));
            let bytes = std::fs::metadata(folder.path().join("log")).expect("a log").len();
            println!("{log}: {:.1} MB for {} tasks", bytes as f64 / 1e6, case.tasks);
        }
    }
    for Case { events, trace, .. } in cases {
        events.verdict();
        trace.verdict();
    }
}
