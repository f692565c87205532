//! What a task is, whatever its number: its work as it is written, and its item.
//!
//! The key is the first half of a SHA-256 of both. Where its items stand and how many there are makes no difference, nor do
//! limits, retries, engines, or what is made of the output. A task without an item is its number.

use sha2::{Digest as _, Sha256};

use super::shell_words;
use crate::workload::items::ItemError;
use crate::workload::model::{Attempt, ClassId, CommandLine, TaskClass, TaskIndex, Work, Workload};
use crate::workload::program_start::ProgramStart;

/// Tells the tasks of a workload from each other.
#[derive(Debug)]
pub(super) struct Identities {
    seed: u64,
    classes: Vec<(TaskClass, Sha256)>,
}

impl Identities {
    pub(super) fn new(workload: &Workload) -> Self {
        let classes = workload.classes.iter().map(|class| (class.clone(), written(&class.work))).collect();
        Self { seed: workload.seed, classes }
    }

    /// The key of a task.
    ///
    /// # Errors
    /// When its item cannot be read.
    pub(super) fn key(&self, class: ClassId, index: TaskIndex) -> Result<u128, ItemError> {
        let Some((class, written)) = self.classes.get(usize::from(class)) else { return Ok(0) };
        let mut hasher = written.clone();
        match &class.items {
            Some(items) => {
                hasher.update(b"item\0");
                hasher.update(items.of(index)?.whole.text());
            }
            None => hasher.update(format!("index\0{index} {}", self.seed)),
        }
        let digest = hasher.finalize();
        Ok(digest.iter().take(16).fold(0, |key, byte| key << 8 | u128::from(*byte)))
    }

    /// The task as a command line: for a program one that a shell takes, for anything else words for people.
    pub(super) fn command(&self, class: ClassId, index: TaskIndex) -> Vec<u8> {
        let Some((class, _)) = self.classes.get(usize::from(class)) else { return Vec::new() };
        self.try_command(class, index).unwrap_or_else(|error| format!("({error})").into_bytes())
    }

    fn try_command(&self, class: &TaskClass, index: TaskIndex) -> Result<Vec<u8>, ItemError> {
        let item = || class.items.as_ref().map(|items| items.of(index)).transpose();
        let with_item = |mut words: Vec<Vec<u8>>| -> Result<Vec<u8>, ItemError> {
            words.extend(item()?.map(|item| item.whole.text().to_vec()));
            Ok(shell_words::join(words.iter().map(Vec::as_slice)))
        };
        match &class.work {
            Work::Command(command) => self.program(class, command, index),
            Work::Served(served) => with_item(served.argv(self.seed).into_iter().map(String::into_bytes).collect()),
            Work::Python(call) => with_item(vec![call.callable.clone().into_bytes()]),
            _ => with_item(vec![class.name.clone().into_bytes()]),
        }
    }

    fn program(&self, class: &TaskClass, command: &CommandLine, index: TaskIndex) -> Result<Vec<u8>, ItemError> {
        let start = ProgramStart::new(command, class.items.as_ref(), index, Attempt::FIRST, self.seed)?;
        Ok(match start.argv.last().filter(|_| command.shell) {
            Some(script) => script.clone(),
            None => shell_words::join(start.argv.iter().map(Vec::as_slice)),
        })
    }
}

/// The work of a class as it is written, but for what is made of its output.
fn written(work: &Work) -> Sha256 {
    let mut work = work.clone();
    let shell = work.is_shell();
    if let Work::Command(command) = &mut work {
        command.options.output = None;
        command.options.rules = Default::default();
    }
    let text = serde_json::to_string(&work).unwrap_or_default();
    Sha256::new_with_prefix(format!("poolscope.task/1\n{text}\n{:?} {shell}\n", work.told_texts()))
}
