//! How the processes of an engine come to be.

use serde::{Deserialize, Serialize};

use super::EngineKind;

/// How a process that works on tasks comes to be. One that is a program is always spawned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartMethod {
    /// A new process runs the worker from its first instruction.
    #[default]
    Spawn,
    /// It is forked from a small process that has been set up once, the initializer included.
    Forkserver,
    /// It is forked from an interpreter that has imported what tasks call; the initializer is each worker's own. For
    /// tasks in Python alone.
    Fork,
}

impl StartMethod {
    /// All of them, by the words used in YAML, JSON and on screen.
    pub(crate) const WORDS: [(&'static str, Self); 3] =
        [("spawn", Self::Spawn), ("forkserver", Self::Forkserver), ("fork", Self::Fork)];

    /// See [`Self::WORDS`].
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Spawn => "spawn",
            Self::Forkserver => "forkserver",
            Self::Fork => "fork",
        }
    }

    /// Where nobody says it: a process for each task in Python would be the start of an interpreter and its imports for
    /// each, so that it is forked.
    #[must_use]
    pub(crate) fn usual(kind: EngineKind, in_python: bool) -> Self {
        if in_python && kind.process_per_task() { Self::Forkserver } else { Self::Spawn }
    }

    /// Whether workers are forked from another process than Poolscope.
    #[must_use]
    pub fn forks(self) -> bool {
        self != Self::Spawn
    }

    /// Whether the initializer runs once, in what workers are forked from, and not in each of them.
    #[must_use]
    pub fn initializes_once(self) -> bool {
        self == Self::Forkserver
    }
}
