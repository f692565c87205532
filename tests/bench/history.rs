//! What writing the history costs a session of 1, 6 and 20 runs: sessions that the real program has measured, kept again and
//! again by the steps that the program takes, in a history on the same disk that grows meanwhile. The limit is 5 ms for each
//! run. Times are means: now and then the log of the history is folded into it, which waits for the disk.
//!
//! `cargo bench --bench history`
#![expect(clippy::expect_used, reason = "a benchmark that cannot run says so by panicking")]

mod ratios;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use poolscope::commands::keep_cost;
use ratios::Ratios;

/// Milliseconds that writing may cost for each run.
const LIMIT: f64 = 5.0;
const ROUNDS: usize = 9;
/// Times that each session is kept in a round: more than the log takes.
const TIMES: u32 = 40;

/// Runs so many runs of two arms, or one of one, so that they are kept in a history.
fn measure(folder: &Path, database: &Path, runs: u32) {
    let repeats = (runs / 2).max(1);
    let other = if runs > 1 { ", { name: process, kind: process, workers: 2 }" } else { "" };
    let workload = format!(
        "version: 1\nname: kept\nseed: 1\ntasks: [{{ name: t, kind: sleep, count: 200, \
         service_time: {{ dist: lognormal, median: 1ms, sigma: 0.5 }} }}]\n\
         engines: [{{ name: pool, kind: pool, workers: 2 }}{other}]\nmeasure: {{ warmup: 0, repeats: {repeats} }}\n"
    );
    std::fs::write(folder.join("kept.yaml"), workload).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_poolscope"));
    command.args(["compare", "kept.yaml", "--quiet"]).current_dir(folder).env("POOLSCOPE_DB", database);
    let output = command.stdin(Stdio::null()).output().expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn mean_ms(times: &[Duration]) -> f64 {
    times.iter().sum::<Duration>().as_secs_f64() * 1e3 / times.len() as f64
}

fn main() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let (from, into) = (folder.path().join("from.db"), folder.path().join("into.db"));
    for runs in [1, 6, 20] {
        measure(folder.path(), &from, runs);
    }
    let names = ["a session of 1 run", "a session of 6 runs", "a session of 20 runs"];
    let mut ratios = names.map(|name| Ratios::of_times(name, " ms a run", 1.0, 0.5));
    for _ in 0..ROUNDS {
        let costs = keep_cost::of_each(&from, &into, TIMES).expect("sessions are kept");
        assert_eq!(costs.iter().map(|cost| cost.runs).collect::<Vec<_>>(), [1, 6, 20]);
        for (ratios, cost) in ratios.iter_mut().zip(costs) {
            let (encoding, storing) = (mean_ms(&cost.encoding), mean_ms(&cost.storing));
            let longest = cost.storing.iter().max().map_or(0.0, |longest| mean_ms(&[*longest]));
            println!(
                "{} runs, {} bytes of recordings: encoded in {encoding:.2} ms, stored in {storing:.2} ms (longest {longest:.2})",
                cost.runs, cost.bytes
            );
            ratios.round(LIMIT, (encoding + storing) / cost.runs as f64);
        }
    }
    ratios.into_iter().for_each(Ratios::verdict);
}
