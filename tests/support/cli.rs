//! The program on the command line: how it is called, and what it says.
#![allow(clippy::unwrap_used, dead_code, reason = "each test program uses its own part of the support")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use serde_json::Value;

/// One folder for the calibration of all tests.
pub fn cache() -> &'static Path {
    static CACHE: OnceLock<PathBuf> = OnceLock::new();
    CACHE.get_or_init(|| {
        super::hard_limit();
        tempfile::tempdir().unwrap().keep()
    })
}

pub fn poolscope(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_poolscope"));
    command.args(arguments).env("POOLSCOPE_CACHE_DIR", cache()).env("POOLSCOPE_DB", "off").env("NO_COLOR", "1");
    command
}

pub fn run(arguments: &[&str]) -> Output {
    poolscope(arguments).output().unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[track_caller]
pub fn code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}\n{}", text(&output.stdout), text(&output.stderr));
}

/// The document on standard output of a call that succeeded.
#[track_caller]
pub fn json(output: &Output) -> Value {
    json_after(output, 0)
}

/// The document on standard output of a call that ended with this code.
#[track_caller]
pub fn json_after(output: &Output, wanted: i32) -> Value {
    code(output, wanted);
    document(output)
}

/// The document on standard output, however the call ended.
#[track_caller]
pub fn document(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(&output.stdout)))
}

pub fn file(content: &str) -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    std::fs::write(file.path(), content).unwrap();
    file
}

pub fn path(file: &tempfile::NamedTempFile) -> &str {
    file.path().to_str().unwrap()
}
