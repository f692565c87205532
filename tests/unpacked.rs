//! Sources of bundled workloads, as the program unpacks them: private, and gone with the program however it ends.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/mod.rs"]
mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The program in a folder that has nothing, with a place for temporary files of its own.
fn poolscope(place: &Path, arguments: &[&str]) -> Command {
    support::hard_limit();
    let mut command = Command::new(env!("CARGO_BIN_EXE_poolscope"));
    command
        .args(arguments)
        .current_dir(place)
        .env("TMPDIR", place)
        .env("POOLSCOPE_CACHE_DIR", place.join("cache"))
        .env("POOLSCOPE_DB", "off");
    command.stdin(Stdio::null());
    command
}

/// The folders that it has made there.
fn folders(place: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(place).unwrap().map(|entry| entry.unwrap());
    entries
        .filter(|entry| entry.file_name().to_str().unwrap().starts_with("poolscope-"))
        .map(|entry| entry.path())
        .collect()
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A run that is in its tasks.
fn under_way(place: &Path) -> Child {
    let arguments = ["run", "article-python", "--engine", "pool", "--quiet"];
    let child = poolscope(place, &arguments).stdout(Stdio::null()).spawn().unwrap();
    until("there is a folder with sources", || folders(place).iter().any(|folder| folder.join("gil.py").exists()));
    child
}

#[test]
fn a_bundled_workload_runs_from_anywhere_and_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let output = poolscope(place.path(), &["run", "unpicklable", "--engine", "pool", "--format", "json", "--quiet"])
        .output()
        .unwrap();
    let told: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let tasks = &told["arms"][0]["runs"][0]["tasks"];
    assert_eq!((&tasks["succeeded"], &tasks["failed"]), (&40.into(), &10.into()), "{tasks}");
    assert_eq!(folders(place.path()), [] as [PathBuf; 0]);
    // What is only looked at is not unpacked, and one without Python needs nothing.
    assert!(poolscope(place.path(), &["check", "gil"]).output().unwrap().status.success());
    assert!(poolscope(place.path(), &["run", "tiny-tasks", "--quiet"]).output().unwrap().status.success());
    assert_eq!(folders(place.path()), [] as [PathBuf; 0]);
}

#[test]
fn what_is_changed_in_a_bundled_workload_leaves_its_sources() {
    let place = tempfile::tempdir().unwrap();
    let changed = ["--set", "tasks[0].count=3", "--set", "name=mine"];
    let output =
        poolscope(place.path(), &["run", "gil", "--engine", "pool", "--quiet"]).args(changed).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("mine"), "{output:?}");
}

#[test]
fn the_folder_is_private_and_goes_with_the_program_however_that_ends() {
    for signal in [None, Some(Signal::INT), Some(Signal::TERM), Some(Signal::KILL)] {
        let place = tempfile::tempdir().unwrap();
        let mut child = under_way(place.path());
        for folder in folders(place.path()) {
            let mode = std::fs::metadata(folder).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700);
        }
        if let Some(signal) = signal {
            kill_process(Pid::from_child(&child), signal).unwrap();
        }
        child.wait().unwrap();
        if signal.is_some() {
            // Where nobody asked the program, somebody else removes it, right afterwards.
            until("the folder is gone", || folders(place.path()).is_empty());
        }
        assert_eq!(folders(place.path()), [] as [PathBuf; 0], "{signal:?}");
    }
}

#[test]
fn where_nothing_can_be_written_nothing_is_started() {
    let place = tempfile::tempdir().unwrap();
    let nowhere = place.path().join("nowhere");
    let output = poolscope(place.path(), &["run", "gil", "--quiet"]).env("TMPDIR", &nowhere).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("cannot be written") && said.contains("nothing was started"), "{said}");
}
