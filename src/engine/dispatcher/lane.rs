//! A lane: what runs one task at a time, and what it was given.

use super::input::TaskFailure;
use crate::engine::dispatcher::queue::Ticket;
use crate::engine::event::{InTask, Moment};
use crate::engine::outcome::Cause;
use crate::workload::model::{ClassId, TaskIndex};
use std::collections::VecDeque;

/// What runs one task at a time, and what it was given.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// What it holds, in the order in which its worker works on it. The overdue task is not in here any more.
    pub(crate) held: VecDeque<Held>,
    /// The task for which its worker is being ended.
    pub(crate) overdue: Option<Overdue>,
    /// The task that it is still in although its caller has given up.
    pub(crate) ghost: Option<Ghost>,
    /// What it held besides a ghost and was given to others: what its worker may still say of it is ignored.
    pub(crate) taken_back: Vec<Held>,
    /// End of the task before the first of `held`.
    pub(crate) free_since: Moment,
    /// The task that it was found in last, and the earliest moment that was told as its start.
    pub(crate) found_in: Option<InTask>,
    /// When it is looked at next: never later than the first moment at which a limit of it can be reached.
    pub(crate) watched_until: Option<Moment>,
    /// Last sign of life while something is due from it.
    pub(crate) heard: Moment,
    /// When it was first found in no task since then.
    pub(crate) quiet_since: Option<Moment>,
    /// Whether it holds nothing because there is no room at its worker for the bytes of the next task.
    pub(crate) waits_for_room: bool,
    /// Whether its process may have ended long before what it is told to have worked until.
    pub(crate) ended_unseen: bool,
}

/// A task that worked too long.
#[derive(Debug)]
pub(super) struct Overdue {
    pub(crate) task: Held,
    /// Its first instruction; `None` if it had not come to that.
    pub(crate) started: Option<Moment>,
    /// The limit that it has reached.
    pub(crate) cause: Cause,
    /// What it said while it was being ended.
    pub(crate) last_words: Option<Box<TaskFailure>>,
}

/// A task whose caller has given up and whose worker goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ghost {
    pub(crate) index: TaskIndex,
    pub(crate) class: ClassId,
    pub(crate) started: Moment,
    /// When the caller gave up.
    pub(crate) since: Moment,
    /// Whether it is known to have begun.
    pub(crate) begun: bool,
    /// Whether it has worked longer than its `timeout`: nobody knows whether it will ever end.
    pub(crate) overdue: bool,
}

/// Tasks that a worker holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(crate) ticket: Ticket,
    pub(crate) sent: Moment,
    /// Expected nanoseconds of each.
    pub(crate) estimate: u64,
    /// Their `queue_timeout` ran out here: they have their outcome, and the worker will say that it skipped them.
    pub(crate) expired: bool,
}

impl Held {
    pub(super) fn new(ticket: Ticket, sent: Moment, estimate: u64) -> Self {
        Self { ticket, sent, estimate, expired: false }
    }

    /// The first `count` tasks, and the others if there are any.
    pub(super) fn split(self, count: u64) -> (Self, Option<Self>) {
        let (mut first, mut rest) = (self, self);
        first.ticket.count = count;
        rest.ticket.first += count;
        rest.ticket.count -= count;
        (first, (rest.ticket.count > 0).then_some(rest))
    }

    pub(super) fn contains(&self, index: TaskIndex) -> bool {
        self.ticket.contains(index)
    }
}

impl Ghost {
    /// That of a task whose caller gave up before it began, as far as is known.
    pub(super) fn of(ticket: &Ticket, now: Moment) -> Self {
        Self { index: ticket.first, class: ticket.class, started: now, since: now, begun: false, overdue: false }
    }
}

impl Lane {
    /// Whether it is in a task that has worked longer than its `timeout`.
    pub(super) fn is_overdue(&self) -> bool {
        self.ghost.is_some_and(|ghost| ghost.overdue)
    }

    /// Tasks without an outcome that this lane answers for.
    pub(super) fn tasks(&self) -> u64 {
        self.open().map(|held| held.ticket.count).sum::<u64>() + u64::from(self.overdue.is_some())
    }

    /// What is held and has no outcome yet, in the order in which the worker works on it.
    pub(super) fn open(&self) -> impl Iterator<Item = &Held> {
        self.held.iter().filter(|held| !held.expired)
    }

    /// Whether nothing is held that has no outcome yet.
    pub(super) fn is_empty(&self) -> bool {
        self.open().next().is_none()
    }

    /// Whether a word is due about what it was given: a ghost that has begun may be silent for as long as it likes.
    pub(super) fn owes(&self) -> bool {
        !self.held.is_empty() || self.ghost.is_some_and(|ghost| !ghost.begun)
    }

    /// Whether it has nothing to do.
    pub(super) fn is_at_rest(&self) -> bool {
        self.is_empty() && self.ghost.is_none()
    }

    /// It was found in this task: it cannot have begun later than now, nor later than was told before.
    pub(super) fn found_in(&mut self, now: Moment, task: InTask) -> InTask {
        let before = self.found_in.filter(|before| before.index == task.index).map_or(now, |before| before.started);
        let task = InTask { started: task.started.min(before).min(now), ..task };
        self.found_in = Some(task);
        task
    }

    /// Whether a task is being worked on here that has no outcome yet.
    pub(super) fn busy(&self) -> bool {
        !self.is_empty() || self.overdue.is_some()
    }

    /// The worker gave a sign of life.
    pub(super) fn hear(&mut self, now: Moment) {
        self.heard = now;
        self.quiet_since = None;
    }

    /// A task that this lane answers for, unless it is overdue.
    pub(super) fn open_task(&self, index: TaskIndex) -> Option<&Held> {
        self.open().find(|held| held.contains(index))
    }

    /// Class of a task that this lane answers for.
    pub(super) fn class_of(&self, index: TaskIndex) -> Option<ClassId> {
        let overdue = self.overdue.as_ref().map(|overdue| &overdue.task);
        self.open().chain(overdue).find(|held| held.contains(index)).map(|held| held.ticket.class)
    }

    /// Whether this task has reached its `queue_timeout` here.
    pub(super) fn has_expired(&self, index: TaskIndex) -> bool {
        self.held.iter().any(|held| held.expired && held.contains(index))
    }

    /// The worker is in this task: it, and whatever was sent before it, has left the queue for good.
    pub(super) fn begun(&mut self, index: TaskIndex) {
        let Some(position) = self.held.iter().position(|held| !held.expired && held.contains(index)) else { return };
        for held in self.held.iter_mut().take(position) {
            held.ticket.expires = None;
        }
        let Some(held) = self.held.get_mut(position).filter(|held| held.ticket.expires.is_some()) else { return };
        let (begun, rest) = held.split(index + 1 - held.ticket.first);
        *held = begun;
        held.ticket.expires = None;
        if let Some(rest) = rest {
            self.held.insert(position + 1, rest);
        }
    }

    /// Takes out what it still holds of a ticket, in order.
    pub(super) fn take_back(&mut self, ticket: &Ticket) -> Vec<Held> {
        let of_ticket =
            |held: &Held| !held.expired && held.ticket.attempt == ticket.attempt && ticket.contains(held.ticket.first);
        // What was sent of it is at the end of the part before.
        if let Some(position) = self
            .held
            .iter()
            .position(|held| !held.expired && held.ticket.first < ticket.first && held.contains(ticket.first))
            && let Some(held) = self.held.get_mut(position)
        {
            let (sent, rest) = held.split(ticket.first - held.ticket.first);
            *held = sent;
            rest.into_iter().for_each(|rest| self.held.insert(position + 1, rest));
        }
        let (taken, rest): (Vec<Held>, Vec<Held>) = std::mem::take(&mut self.held).into_iter().partition(of_ticket);
        self.held = rest.into();
        taken
    }

    /// Takes the task with this index out of what is held: `None` if it is not there.
    pub(super) fn take_task(&mut self, index: TaskIndex) -> Option<Held> {
        let position = self.held.iter().position(|held| !held.expired && held.contains(index))?;
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
