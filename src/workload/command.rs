//! The command line of one attempt at a task: what is run, and what is shown of it. Nothing is run in here.

use crate::workload::model::{Attempt, CommandLine, TaskIndex};
use crate::workload::placeholder::{Values, plain};

/// How a text becomes a command with `shell: true`.
const SHELL: [&str; 2] = ["/bin/sh", "-c"];

impl CommandLine {
    /// A text for the shell.
    #[must_use]
    pub(crate) fn of_shell(text: String) -> Self {
        let mut argv = SHELL.map(str::to_owned).to_vec();
        argv.push(text);
        Self { shell: true, ..Self::new(argv) }
    }

    /// Program and arguments of one attempt without an item: `{index}`, `{attempt}` and `{seed}` are filled in.
    #[must_use]
    pub(crate) fn arguments(&self, index: TaskIndex, attempt: Attempt, seed: u64) -> Vec<String> {
        let values = Values { index, attempt, seed, item: None };
        let fill = |text: &String| values.fill(text, plain).map_or_else(|_| text.clone(), into_text);
        self.argv.iter().map(fill).collect()
    }
}

fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// The text that a program and its arguments give to the shell; `None` for any other program.
#[must_use]
pub(crate) fn shell_text(argv: &[String]) -> Option<&str> {
    match argv {
        [shell, option, text] if [shell, option] == SHELL => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_filled_in_and_nothing_else() {
        let argv = ["{index}", "a{index}-{attempt}", "{seed}{seed}", "{ index }", "{indx}"].map(str::to_owned).to_vec();
        let command = CommandLine::new(argv);
        assert_eq!(command.arguments(41, Attempt::FIRST.next(), 7), ["41", "a41-2", "77", "{ index }", "{indx}"]);
    }

    #[test]
    fn a_text_for_the_shell_comes_back() {
        let argv = CommandLine::of_shell("echo {index} | wc".to_owned()).arguments(3, Attempt::FIRST, 0);
        assert_eq!(shell_text(&argv), Some("echo 3 | wc"));
        for other in [&["/bin/sh", "-c"][..], &["/bin/sh", "-c", "a", "b"], &["sh", "-c", "a"], &[]] {
            let argv: Vec<String> = other.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(shell_text(&argv), None, "{argv:?}");
        }
    }
}
