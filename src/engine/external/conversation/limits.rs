//! How long a program may take for what.

use std::time::Duration;

use super::Conversation;
use crate::engine::error::ProgramError;
use crate::engine::event::{Moment, RunState, Severity};

impl Conversation {
    /// By when a program that has nothing left to do must have ended.
    pub(super) fn must_end_by(&mut self) {
        let done = self.end_was_sent && self.ledger.outstanding() == 0;
        if done {
            self.ledger.run_ends(false);
        }
        if done && self.end_by.is_none() {
            self.end_by = Some(self.ledger.clock.now() + self.silence);
        }
    }

    /// Its caller has every result and waits for its workers to end, in this call.
    pub(super) fn close_by(&mut self, call: String) {
        self.end_by = Some(self.ledger.clock.now() + self.leaving);
        self.closing = Some(call);
    }

    /// It does not leave, as a caller does that waits for its workers: nobody waits with it.
    fn does_not_leave(&mut self, call: &str) {
        let who = match self.ledger.live_workers() {
            0 => "it did not end".to_owned(),
            1 => "1 worker lives on".to_owned(),
            more => format!("{more} workers live on"),
        };
        let text = format!(
            "{call} of CPython waits for as long as it takes: {who} {:?} after the last result (a thread that a task has \
             left, say), and was ended here",
            self.leaving
        );
        self.note(Severity::Warning, text.clone());
        self.given_up = Some(text);
        self.kill = true;
    }

    /// The program cannot say any more.
    pub(in crate::engine::external) fn socket_closed(&mut self, patience: Duration) {
        // One that has done everything may take as long to end as it may to say something.
        let patience = if self.ledger.outstanding() == 0 { patience.max(self.silence) } else { patience };
        self.closed_at = Some(self.ledger.clock.now() + patience);
    }

    fn limits(&self) -> impl Iterator<Item = Moment> {
        let goes_on = self.state != RunState::Stopping;
        let talks = self.closed_at.is_none() && self.closing.is_none();
        let silence = (talks && goes_on).then(|| self.heard + self.silence);
        let arrival = self.feed.next_arrival(&self.ledger.counts).filter(|_| goes_on && self.can.is_some());
        let closed = self.closed_at.filter(|_| goes_on && self.closing.is_none());
        let end_by = self.end_by.filter(|_| goes_on);
        [silence, arrival, self.kill_at, closed, end_by].into_iter().flatten()
    }

    /// Time until the next moment at which something is due.
    pub(in crate::engine::external) fn until_limit(&self) -> Duration {
        let now = self.ledger.clock.now();
        let next = self.limits().min().filter(|_| !self.is_suspended() && !self.kill);
        // A timer far away is none.
        next.map_or(Duration::from_secs(3600), |at| at.since(now))
    }

    pub(in crate::engine::external) fn check_limits(&mut self) {
        let now = self.ledger.clock.now();
        if self.is_suspended() || self.kill {
            return;
        }
        if self.kill_at.is_some_and(|at| at <= now) {
            self.kill = true;
        } else if self.state == RunState::Stopping {
            // Its grace period is all that counts.
        } else if self.end_by.is_some_and(|at| at <= now) {
            match self.closing.clone() {
                Some(call) => self.does_not_leave(&call),
                None => self.breaks(ProgramError::Stays(self.silence)),
            }
        } else if self.closing.is_some() {
            // Nothing is to be heard of it any more.
        } else if self.closed_at.is_some_and(|at| at <= now) {
            self.breaks(ProgramError::SocketClosed);
        } else if self.closed_at.is_none() && self.heard + self.silence <= now {
            self.breaks(ProgramError::Silent(self.silence));
        }
    }
}
