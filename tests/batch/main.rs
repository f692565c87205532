//! A run as a batch: what has ended is written down, the rest can be done later, and nothing is done twice or lost.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod halt;
mod input;
mod joblog;
mod output;
mod resume;

use std::fs;
use std::process::Output;
use std::time::Duration;

use support::program::WorkloadFolder;

/// A workload of one command for each item; `done` in its folder has a line for each that was begun.
pub fn workload(items: &str, script: &str, more: &str) -> WorkloadFolder {
    let script = serde_json::to_string(&format!("echo {{item}} >> done; {script}")).unwrap();
    WorkloadFolder::new(&format!(
        "version: 1\nname: b\ntasks:\n  - {{name: t, kind: command, shell: true, command: {script}, items: {items}{more}}}\n\
         engines:\n  - {{kind: process, workers: 2}}\n  - {{kind: pool, workers: 2}}\n"
    ))
}

/// A script in its folder.
pub fn shell(folder: &WorkloadFolder, script: &str) -> Output {
    folder.shell(script).env("POOLSCOPE_CACHE_DIR", support::cli::cache()).env("POOLSCOPE_DB", "off").output().unwrap()
}

/// What was begun, sorted.
pub fn done(folder: &WorkloadFolder) -> Vec<String> {
    let mut lines = lines(folder, "done");
    lines.sort();
    lines
}

/// Lines of a file in it.
pub fn lines(folder: &WorkloadFolder, name: &str) -> Vec<String> {
    let text = fs::read(folder.path(name)).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().map(str::to_owned).collect()
}

/// Lines of a joblog as (Seq, Exitval, Signal, Command, outcome).
pub fn entries(folder: &WorkloadFolder, name: &str) -> Vec<(u64, i32, i32, String, String)> {
    let lines = lines(folder, name);
    assert_eq!(lines[0], "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand");
    let entry = |line: &String| {
        let columns: Vec<&str> = line.split('\t').collect();
        assert_eq!((columns.len(), columns[1]), (10, ":"), "{line}");
        let number = |place: usize| columns[place].trim().parse::<f64>().unwrap();
        assert!(number(2) > 1.7e9 && number(3) >= 0.0, "{line}");
        let outcome = columns[9].strip_prefix("#poolscope ").unwrap().split(' ').next().unwrap();
        (number(0) as u64, number(6) as i32, number(7) as i32, columns[8].to_owned(), outcome.to_owned())
    };
    lines[1..].iter().map(entry).collect()
}

/// Waits until something is so.
#[track_caller]
pub fn until(what: &str, is_so: impl Fn() -> bool) {
    let end = std::time::Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(std::time::Instant::now() < end, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(5));
    }
}
