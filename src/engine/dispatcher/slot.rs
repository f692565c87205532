//! One row of the worker table.

use std::collections::VecDeque;
use std::time::Duration;

use super::Policy;
use super::input::TaskFailure;
use crate::engine::event::{Moment, WorkerState};
use crate::engine::queue::Ticket;
use crate::workload::model::{ClassId, TaskIndex};

/// A stable place for workers, one after the other.
#[derive(Debug, Default)]
pub(super) struct Slot {
    /// Counts the workers that had this slot.
    pub epoch: u32,
    pub life: Life,
    pub pid: Option<u32>,
    /// What the worker holds, in the order in which it works on it. The task that `life` says is being ended is not in
    /// here any more.
    pub held: VecDeque<Held>,
    /// End of the task before the first of `held`.
    pub free_since: Moment,
    /// Whether the next worker here replaces one that died or was killed.
    pub replaces: bool,
    /// Whether a deadline timer is pending.
    pub watched: bool,
    /// Whether the worker did anything yet.
    pub proven: bool,
}

/// What a slot's worker is up to.
#[derive(Debug, Default)]
pub(super) enum Life {
    /// There is none.
    #[default]
    Free,
    /// There will be one as soon as the system lets us.
    Waiting,
    /// Its process is starting since then.
    Starting(Moment),
    /// It is there for work.
    Working,
    /// It was asked to leave after its task, or has done its only task.
    Leaving,
    /// It is being ended.
    Ending(Box<Ending>),
}

/// A worker that is being ended.
#[derive(Debug)]
pub(super) struct Ending {
    pub why: Why,
    /// Whether it had to be killed after its grace period.
    pub killed: bool,
}

/// Why a worker is being ended.
#[derive(Debug)]
pub(super) enum Why {
    /// A task worked too long.
    Timeout(Overdue),
    /// The user asked for it.
    User,
    /// The run is being ended.
    RunEnds,
    /// It cannot be understood.
    Misbehaved(String),
}

/// A task that worked too long.
#[derive(Debug)]
pub(super) struct Overdue {
    pub task: Held,
    pub started: Moment,
    pub limit: Duration,
    /// What it said while it was being ended.
    pub last_words: Option<Box<TaskFailure>>,
}

/// Tasks that a worker holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub ticket: Ticket,
    pub sent: Moment,
    /// Expected nanoseconds of each.
    pub estimate: u64,
}

impl Held {
    pub(super) fn contains(&self, index: TaskIndex) -> bool {
        (self.ticket.first..self.ticket.first + self.ticket.count).contains(&index)
    }
}

impl Slot {
    /// Tasks without an outcome that this slot answers for.
    pub(super) fn tasks(&self) -> u64 {
        self.held.iter().map(|held| held.ticket.count).sum::<u64>() + u64::from(self.overdue().is_some())
    }

    /// Whether a task is being worked on here.
    pub(super) fn busy(&self) -> bool {
        !self.held.is_empty() || self.overdue().is_some()
    }

    pub(super) fn overdue(&self) -> Option<&Overdue> {
        match &self.life {
            Life::Ending(ending) => match &ending.why {
                Why::Timeout(overdue) => Some(overdue),
                _ => None,
            },
            _ => None,
        }
    }

    pub(super) fn overdue_mut(&mut self) -> Option<&mut Overdue> {
        match &mut self.life {
            Life::Ending(ending) => match &mut ending.why {
                Why::Timeout(overdue) => Some(overdue),
                _ => None,
            },
            _ => None,
        }
    }

    /// Class of a task that this slot answers for.
    pub(super) fn class_of(&self, index: TaskIndex) -> Option<ClassId> {
        let overdue = self.overdue().map(|overdue| &overdue.task);
        self.held.iter().chain(overdue).find(|held| held.contains(index)).map(|held| held.ticket.class)
    }

    pub(super) fn state(&self, policy: Policy) -> WorkerState {
        match &self.life {
            Life::Free | Life::Waiting => WorkerState::Free,
            Life::Starting(_) => WorkerState::Starting,
            Life::Working if self.busy() => WorkerState::Busy,
            Life::Working => WorkerState::Idle,
            // The end of a process that has done its only task is part of its life, not a departure.
            Life::Leaving if policy == Policy::OneTask => WorkerState::Ending,
            Life::Leaving => WorkerState::Retiring,
            Life::Ending(_) => WorkerState::Ending,
        }
    }

    /// Takes the task with this index out of what is held: `None` if it is not there.
    pub(super) fn take_task(&mut self, index: TaskIndex) -> Option<Held> {
        let position = self.held.iter().position(|held| held.contains(index))?;
        let held = self.held.remove(position)?;
        let part = |first: u64, end: u64| Held { ticket: Ticket { first, count: end - first, ..held.ticket }, ..held };
        let end = held.ticket.first + held.ticket.count;
        let parts = [part(held.ticket.first, index), part(index + 1, end)];
        for part in parts.into_iter().rev().filter(|part| part.ticket.count > 0) {
            self.held.insert(position, part);
        }
        Some(part(index, index + 1))
    }
}
