//! The history of runs, kept and read by the real program in databases of its own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod broken;
mod judged;
mod kept;
mod places;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use support::cli::{code, json, poolscope};

const QUICK: &str = "
version: 1
name: quick
tasks: [{ name: t, kind: kernel, kernel: noop, count: 50 }]
engines: [{ kind: pool, workers: 2 }, { kind: process, workers: 2 }]
measure: { repeats: 3, warmup: 0 }
";

/// A folder with a workload in it and a history of its own.
struct Stage(tempfile::TempDir);

impl Stage {
    fn new(workload: &str) -> Self {
        let stage = Self(tempfile::tempdir().unwrap());
        std::fs::write(stage.path("w.yaml"), workload).unwrap();
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn db(&self) -> PathBuf {
        self.path("history.db")
    }

    /// The program in that folder, which is in no repository.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = poolscope(arguments);
        command.current_dir(self.0.path()).env("POOLSCOPE_DB", self.db()).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Changes what is stored.
    fn sql(&self, statements: &str) {
        rusqlite::Connection::open(self.db()).unwrap().execute_batch(statements).unwrap();
    }

    /// `history ... --format json`.
    fn history(&self, arguments: &[&str]) -> Value {
        json(&self.run(&[&["history"], arguments, &["--format", "json"]].concat()))
    }

    /// All sessions, the oldest first.
    fn sessions(&self) -> Vec<Value> {
        let mut sessions = self.history(&["list", "--limit", "1000"])["sessions"].as_array().unwrap().clone();
        sessions.reverse();
        sessions
    }
}

/// A run whose result is on standard output, and what was said beside it.
fn result_and_notes(output: &Output) -> (Value, String) {
    code(output, 0);
    (serde_json::from_slice(&output.stdout).unwrap(), String::from_utf8(output.stderr.clone()).unwrap())
}

/// Files of a folder by name.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
