//! What a task is, whatever its number: its work as it is written, and its item.
//!
//! The key is the first half of a SHA-256 of both. Where its items stand and how many there are makes no difference, nor do
//! limits, retries, engines, or what is made of the output. A task without an item is its number. The seed belongs to it where
//! anything of it follows from that.

use sha2::{Digest as _, Sha256};

use super::shell_words;
use crate::workload::items::ItemError;
use crate::workload::model::{Attempt, ClassId, CommandLine, TaskClass, TaskIndex, Value, Work, Workload};
use crate::workload::program_start::ProgramStart;

/// Tells the tasks of a workload from each other.
#[derive(Debug)]
pub(super) struct Identities {
    seed: u64,
    classes: Vec<(TaskClass, Sha256)>,
}

impl Identities {
    pub(super) fn new(workload: &Workload) -> Self {
        let seed = workload.seed;
        let classes = workload.classes.iter().map(|class| (class.clone(), written(&class.work, seed))).collect();
        Self { seed, classes }
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

    /// The attempt at a task as a command line: for a program one that a shell takes, for anything else words for people.
    pub(super) fn command(&self, class: ClassId, index: TaskIndex, attempt: Attempt) -> Vec<u8> {
        let Some((class, _)) = self.classes.get(usize::from(class)) else { return Vec::new() };
        self.try_command(class, index, attempt).unwrap_or_else(|error| format!("({error})").into_bytes())
    }

    fn try_command(&self, class: &TaskClass, index: TaskIndex, attempt: Attempt) -> Result<Vec<u8>, ItemError> {
        let item = || class.items.as_ref().map(|items| items.of(index)).transpose();
        let with_item = |mut words: Vec<Vec<u8>>| -> Result<Vec<u8>, ItemError> {
            words.extend(item()?.map(|item| item.whole.text().to_vec()));
            Ok(shell_words::join(words.iter().map(Vec::as_slice)))
        };
        match &class.work {
            Work::Command(command) => self.program(class, command, index, attempt),
            Work::Served(served) => with_item(served.argv(self.seed).into_iter().map(String::into_bytes).collect()),
            Work::Python(call) => with_item(vec![call.callable.clone().into_bytes()]),
            _ => with_item(vec![class.name.clone().into_bytes()]),
        }
    }

    fn program(
        &self,
        class: &TaskClass,
        command: &CommandLine,
        index: TaskIndex,
        attempt: Attempt,
    ) -> Result<Vec<u8>, ItemError> {
        let start = ProgramStart::new(command, class.items.as_ref(), index, attempt, self.seed)?;
        Ok(match start.argv.last().filter(|_| command.shell) {
            Some(script) => script.clone(),
            None => shell_words::join(start.argv.iter().map(Vec::as_slice)),
        })
    }
}

/// The work of a class as it is written, but for what is made of its output.
fn written(work: &Work, seed: u64) -> Sha256 {
    let mut work = work.clone();
    let shell = work.is_shell();
    if let Work::Command(command) = &mut work {
        command.options.output = None;
        command.options.rules = Default::default();
    }
    let text = serde_json::to_string(&work).unwrap_or_default();
    let mut hasher = Sha256::new_with_prefix(format!("poolscope.task/1\n{text}\n{:?} {shell}\n", work.told_texts()));
    if let Work::Python(call) = &work
        && !call.draws.is_empty()
    {
        // They are not in its JSON.
        hasher.update(serde_json::to_string(&call.draws).unwrap_or_default());
    }
    if follows_from_seed(&work, &text) {
        hasher.update(format!("seed {seed}\n"));
    }
    hasher
}

/// Whether what a task is, but for which one, follows from the seed. `text` is its JSON.
fn follows_from_seed(work: &Work, text: &str) -> bool {
    const SEED: &str = "{seed}";
    let of_seed = |value: &Value| matches!(value, Value::Seed | Value::Draw { .. } | Value::Payload);
    let args = match work {
        Work::Command(_) | Work::Program(_) | Work::Echo => None,
        Work::Served(served) => served.args.as_ref(),
        Work::Python(call) => Some(&call.args),
        // Times are drawn, and so is what is worked on.
        _ => return true,
    };
    text.contains(SEED)
        || work.told_texts().iter().any(|text| text.contains(SEED))
        || args.is_some_and(|args| args.values().any(|value| value.any(&of_seed)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::load;

    fn key(task: &str, seed: u64) -> u128 {
        let text = format!("version: 1\nseed: {seed}\ntasks: [{{ name: a, items: [x, y], {task} }}]\n");
        Identities::new(&load::load(&text, "w").unwrap().workload).key(0, 1).unwrap()
    }

    #[test]
    fn the_seed_belongs_to_what_follows_from_it_and_to_nothing_else() {
        let python = |args: &str| format!("kind: python, callable: \"a:b\", args: {args}");
        for (task, follows) in [
            ("kind: command, command: [echo, \"{item}\"]", false),
            ("kind: command, command: [echo, \"{seed}\", \"{item}\"]", true),
            ("kind: command, command: [echo, \"{item}\"], env: { S: \"{seed}\" }", true),
            (&python("[\"{item}\"]"), false),
            (&python("[\"{item}\", \"{seed}\"]"), true),
            (&python("[\"{item} {seed}\"]"), true),
            (&python("[\"{item}\", [{ draw: { dist: uniform, min: 1, max: 9 } }]]"), true),
            ("kind: command, command: [cat], serve: lines, args: { a: \"{item}\" }", false),
            ("kind: command, command: [cat, \"{seed}\"], serve: lines, args: { a: \"{item}\" }", true),
        ] {
            assert_eq!(key(task, 1) != key(task, 2), follows, "{task}");
        }
        let [a, b] =
            [9, 8].map(|most| python(&format!("[\"{{item}}\", {{ draw: {{ dist: uniform, min: 1, max: {most} }} }}]")));
        assert_ne!(key(&a, 1), key(&b, 1), "what is drawn belongs to it");
    }

    #[test]
    fn a_command_is_that_of_the_attempt() {
        let text =
            "version: 1\ntasks: [{ name: a, items: [x], kind: command, command: [echo, \"{item}\", \"{attempt}\"] }]\n";
        let identities = Identities::new(&load::load(text, "w").unwrap().workload);
        assert_eq!(identities.command(0, 0, Attempt::FIRST), b"echo x 1");
        assert_eq!(identities.command(0, 0, Attempt::FIRST.next()), b"echo x 2");
    }
}
