//! How the caller hands in its tasks and waits for them: the methods of `multiprocessing.Pool`.

use serde::{Deserialize, Serialize};

/// How the caller of an engine submits tasks, and when it gets their results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubmitMode {
    /// Each task for itself, without waiting: a result is there as soon as its task has ended.
    #[default]
    ApplyAsync,
    /// One task at a time: the caller is blocked until it has ended.
    Apply,
    /// All at once: the caller is blocked until every task has ended, and gets the results together.
    Map,
    /// All at once; the caller gets the results one by one in the order in which it submitted the tasks.
    Imap,
    /// All at once; the caller gets the results one by one in the order in which the tasks end.
    ImapUnordered,
}

impl SubmitMode {
    /// Every mode.
    pub(crate) const ALL: [Self; 5] = [Self::ApplyAsync, Self::Apply, Self::Map, Self::Imap, Self::ImapUnordered];

    /// The word used in YAML, JSON and on screen.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::ApplyAsync => "apply_async",
            Self::Apply => "apply",
            Self::Map => "map",
            Self::Imap => "imap",
            Self::ImapUnordered => "imap_unordered",
        }
    }

    /// Whether the caller waits for results before it does anything else.
    #[must_use]
    pub fn blocks(self) -> bool {
        self != Self::ApplyAsync
    }

    /// Whether a fixed chunk is one piece for the caller too: it gets all results of the chunk together.
    #[must_use]
    pub fn returns_chunks(self) -> bool {
        matches!(self, Self::Map | Self::Imap | Self::ImapUnordered)
    }
}

/// From where a worker takes its next task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dispatch {
    /// From one queue that all share: whoever is free takes the next one.
    #[default]
    Shared,
    /// From a queue of its own: tasks are dealt out in turn, and stay where they were dealt to.
    RoundRobin,
}

impl Dispatch {
    /// The word used in YAML and on screen.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::RoundRobin => "round_robin",
        }
    }
}
