//! The caller's own time: for how long it is blocked, because it waits for results or because there is no room for what
//! it wants to submit.
//!
//! Between two inputs nothing changes but the time: at the end of each turn it is known from when on the caller is blocked
//! if nothing happens.

use super::Dispatcher;
use crate::engine::event::{CallerView, Moment};
use crate::workload::model::SubmitMode;

/// What is known of the caller.
#[derive(Debug)]
pub(super) struct Caller {
    mode: SubmitMode,
    /// From when on it is blocked, if nothing happens.
    blocked_from: Option<Moment>,
    /// In all, until the last turn.
    blocked: u64,
}

impl Caller {
    pub(super) fn new(mode: SubmitMode) -> Self {
        Self { mode, blocked_from: None, blocked: 0 }
    }

    /// Whether it is blocked, as far as nothing has happened since the last turn.
    pub(super) fn is_blocked(&self, now: Moment) -> bool {
        self.blocked_from.is_some_and(|from| from <= now)
    }

    pub(super) fn view(&self, now: Moment) -> CallerView {
        let blocked = self.is_blocked(now);
        let last = self.blocked_from.map_or(0, |from| nanos_between(from, now));
        CallerView { mode: self.mode, blocked, blocked_for: std::time::Duration::from_nanos(self.blocked + last) }
    }

    /// A turn begins: what it was blocked for until now is certain.
    pub(super) fn turn_begins(&mut self, now: Moment) {
        if let Some(from) = &mut self.blocked_from {
            self.blocked += nanos_between(*from, now);
            *from = now.max(*from);
        }
    }
}

fn nanos_between(from: Moment, to: Moment) -> u64 {
    to.0.saturating_sub(from.0)
}

impl Dispatcher {
    /// A turn ends.
    pub(super) fn caller_waits(&mut self, now: Moment) {
        self.caller.blocked_from = if self.ending.is_some() {
            // Every result is there, or will not come.
            None
        } else if self.caller.mode.blocks() {
            Some(now)
        } else {
            self.submission_blocked_from(now)
        };
    }
}
