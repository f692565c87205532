//! External programs: what is run, in which surroundings, and what is made of its end.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An external program. `{index}`, `{attempt}` and `{seed}` in an argument are replaced, and `{item}` where its class has
/// items.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CommandLine {
    /// Program and arguments; never empty. With `shell: true` this is `["/bin/sh", "-c", TEXT]`.
    pub argv: Vec<String>,
    /// Whether the last argument is a text for the shell, in which items are quoted.
    #[serde(skip)]
    pub shell: bool,
    /// Whether all that it writes is handed on, and how.
    #[serde(skip)]
    pub spool: Option<Spool>,
    /// What is not as usual.
    #[serde(default, skip_serializing_if = "CommandOptions::are_usual")]
    pub options: Box<CommandOptions>,
}

/// Where a program runs, what it is given, and what is made of its end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CommandOptions {
    /// The folder that it runs in, from that of the workload.
    pub folder: Option<String>,
    /// Whether its environment begins empty.
    pub clean: bool,
    /// Variables that it gets, in order; those without a value are taken away.
    pub variables: Vec<(String, Option<String>)>,
    /// What it reads.
    pub input: ProgramInput,
    /// Folder in which what it writes is kept, from that of the workload.
    pub output: Option<String>,
    pub rules: ProgramRules,
}

/// How everything that a program writes is handed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spool {
    /// Whoever starts it tells the observers of the run.
    Told,
    /// In files in this folder, by index and attempt: of programs that are started by workers.
    Folder(PathBuf),
}

/// What a program finds on its standard input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProgramInput {
    /// Nothing: its end.
    #[default]
    Null,
    /// This text.
    Text(String),
    /// A file, from the folder of the workload.
    File(String),
}

/// What is made of a program's end and of what it writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProgramRules {
    /// Exit codes that are a success.
    pub success_codes: Vec<u8>,
    /// What is kept of its output.
    pub keep_output: KeepOutput,
    /// Whether what it writes is its result, a number.
    pub result_is_output: bool,
    /// What works as long as this has timed out, in whatever way it ends: then nothing that it has written is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
}

/// What is kept of the output of a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeepOutput {
    /// Nothing.
    None,
    /// Its beginning and its end, where it does not succeed.
    #[default]
    Tail,
    /// All of it, in a file.
    File,
}

impl Default for ProgramRules {
    fn default() -> Self {
        Self { success_codes: vec![0], keep_output: KeepOutput::default(), result_is_output: false, timeout: None }
    }
}

impl CommandLine {
    /// A program with its arguments.
    #[must_use]
    pub fn new(argv: Vec<String>) -> Self {
        Self { argv, ..Self::default() }
    }
}

impl CommandOptions {
    /// Whether everything is as usual.
    #[must_use]
    #[expect(clippy::borrowed_box, reason = "serde asks for it")]
    pub(crate) fn are_usual(this: &Box<Self>) -> bool {
        **this == Self::default()
    }
}
