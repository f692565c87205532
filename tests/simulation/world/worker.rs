//! A virtual worker: what it was sent, what it is in, what is wrong with it.

use std::collections::{BTreeMap, VecDeque};

use poolscope::engine::dispatcher::Stop;
use poolscope::engine::event::Record;

#[derive(Default)]
pub struct Worker {
    /// By number, as far as they were sent anything.
    pub lanes: BTreeMap<u16, Lane>,
    pub leaving: bool,
    pub(super) ignores_term: bool,
    pub(super) started_for_one: bool,
    pub(super) ready: bool,
    /// Whether the fork server has not told of it yet.
    pub(crate) unborn: bool,
    pub(super) stop_at_birth: Option<Stop>,
    /// It does nothing any more, since then.
    pub silent_since: Option<u64>,
    /// It closed its socket and lives on, since then.
    pub closed_since: Option<u64>,
    /// Since when it runs its initializer.
    pub initializing_since: Option<u64>,
    /// Until when it must be gone or killed: it was told to end, politely.
    pub gone_by: Option<u64>,
    /// Whether it was told to end.
    pub stopped: bool,
    /// What it was in then, or was started for.
    pub ended_in: Vec<u64>,
    /// Since when it has been killed.
    pub killed: Option<u64>,
    /// Nothing ends it.
    pub(super) never_goes: bool,
}

#[derive(Default)]
pub struct Lane {
    /// What it was sent: task, and until when it may begin it, by a clock that does not stand still.
    pub tasks: VecDeque<(u64, Option<u64>)>,
    /// What its board says.
    pub current: Option<Current>,
    /// What it has begun without its board saying so yet: task and start.
    pub beginning: Option<(u64, u64)>,
    pub unreported: Vec<Record>,
    /// Whether nobody waits for what it is in.
    pub ghost: bool,
    /// Whether that does not end by itself.
    pub(super) endless: bool,
}

impl Lane {
    pub(super) fn in_no_task(&self) -> bool {
        self.current.is_none() && self.beginning.is_none()
    }
}

impl Worker {
    /// Whether it was sent nothing that it has not begun.
    pub fn holds_nothing(&self) -> bool {
        self.lanes.values().all(|lane| lane.tasks.is_empty())
    }

    /// Whether its board shows a task.
    pub fn is_in_task(&self) -> bool {
        self.lanes.values().any(|lane| lane.current.is_some())
    }
}

/// A task that a worker's board shows.
#[derive(Clone, Copy)]
pub struct Current {
    pub index: u64,
    pub started: u64,
    /// Since when the board shows it.
    pub seen: u64,
}
