//! Tasks on their way through an engine, as many at a time as have everything in common.

use crate::engine::event::Moment;
use crate::workload::model::{Attempt, ClassId, TaskIndex};

/// Tasks with consecutive indices and places in the stream that share everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub first: TaskIndex,
    /// How many; at least 1.
    pub count: u64,
    /// Their class.
    pub class: ClassId,
    pub attempt: Attempt,
    /// Their intended arrival.
    pub arrival: Moment,
    /// When their waiting ends: `None` without a limit, and once they have been in work.
    pub expires: Option<Moment>,
    /// What is to be added to the index of a task, wrapping, for its place in the stream.
    pub shift: u64,
    /// Their callers have given up: they have their outcome, and are done all the same.
    pub given_up: bool,
}

impl Ticket {
    /// Whether it has this task.
    #[must_use]
    pub(crate) fn contains(&self, index: TaskIndex) -> bool {
        (self.first..self.first + self.count).contains(&index)
    }

    /// The place of its first task in the stream.
    #[must_use]
    pub(crate) fn position(&self) -> u64 {
        self.first.wrapping_add(self.shift)
    }

    /// Takes so many tasks from its front; what is left may be none.
    pub(crate) fn split_off(&mut self, count: u64) -> Self {
        let front = Self { count: self.count.min(count), ..*self };
        self.first += front.count;
        self.count -= front.count;
        front
    }

    /// Adds tasks that follow directly and share everything. Says whether they do.
    pub(crate) fn join(&mut self, next: &Self) -> bool {
        let follows = *next == Self { first: self.first + self.count, count: next.count, ..*self };
        if follows {
            self.count += next.count;
        }
        follows
    }
}
