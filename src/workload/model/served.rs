//! Tasks that are sent to a program as lines.

use serde::{Deserialize, Serialize};

use super::{Arguments, CommandLine, Draw, Work};

/// A program that reads a line for each task and answers with one. The format of both is
/// [`crate::worker::lines`]' part; nothing of a task is in its command line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServedProgram {
    /// In its arguments only `{seed}` is replaced.
    pub command: CommandLine,
    /// What is sent with each task, beside which one it is.
    pub args: Option<Arguments>,
    /// What is drawn for each task, in the order of [`Value::Draw`](super::Value::Draw)'s places.
    pub draws: Vec<Draw>,
    /// Texts with placeholders of an item, in the order of [`Value::Told`](super::Value::Told)'s places.
    #[serde(skip)]
    pub told: Vec<String>,
}

impl Work {
    /// The program that does it, where it is an external one.
    #[must_use]
    pub(crate) fn program(&self) -> Option<&CommandLine> {
        match self {
            Self::Command(command) => Some(command),
            Self::Served(program) => Some(&program.command),
            _ => None,
        }
    }

    /// Whether it is an external program.
    #[must_use]
    pub(crate) fn is_program(&self) -> bool {
        matches!(self, Self::Command(_) | Self::Program(_) | Self::Served(_))
    }

    /// Texts of its arguments that are filled in for each task, which are not in its JSON.
    pub(crate) fn told_texts(&self) -> &[String] {
        match self {
            Self::Served(program) => &program.told,
            Self::Python(call) => &call.told,
            _ => &[],
        }
    }

    /// Whether items are quoted in it.
    pub(crate) fn is_shell(&self) -> bool {
        self.program().is_some_and(|command| command.shell)
    }

    /// Whether what is run is the user's own: a program, or a function in Python.
    #[must_use]
    pub(crate) fn is_a_users(&self) -> bool {
        self.is_program() || matches!(self, Self::Python(_))
    }
}
