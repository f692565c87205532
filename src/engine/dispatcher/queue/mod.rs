//! Waiting tasks, and who gets which of them.
//!
//! `line` is the one line in which all tasks wait; `hands` are the queues of single lanes that it is dealt out to where
//! they take their tasks in turn; `ticket` is what waits in both, `expired` what waited too long. Nothing in here gives out
//! work: that is the part of `dispatch`.

pub(crate) mod expired;
mod hands;
mod line;
mod ticket;

use crate::engine::event::{Moment, Slot};
use crate::engine::stream::TaskStream;
use crate::workload::model::{ClassId, OnTimeout};

use expired::{Gone, Limits};
use hands::Hands;
use line::Line;
pub use ticket::Ticket;

/// See the module docs.
#[derive(Debug)]
pub(crate) struct TaskQueue {
    line: Line,
    /// `None` where all lanes take their tasks from the line.
    hands: Option<Hands>,
}

impl TaskQueue {
    /// An empty queue over a stream. With `unit`, tasks are dealt out to lanes in turn, so many at a time.
    #[must_use]
    pub(crate) fn new(stream: Box<dyn TaskStream>, limits: Limits, unit: Option<u64>) -> Self {
        Self { line: Line::new(stream, limits), hands: unit.map(Hands::new) }
    }

    /// There are so many lanes from now on.
    pub(crate) fn set_lanes(&mut self, lanes: u32) {
        if let Some(hands) = &mut self.hands {
            hands.set_lanes(lanes as usize, &mut self.line);
        }
    }

    /// What happens from now on to tasks whose callers give up.
    pub(crate) fn set_on_timeout(&mut self, on_timeout: OnTimeout) {
        self.line.limits_mut().set_on_timeout(on_timeout);
    }

    /// How long tasks may wait.
    pub(crate) fn limits(&self) -> &Limits {
        self.line.limits()
    }

    /// Tasks of the whole stream, where that is known.
    #[must_use]
    pub(crate) fn total(&self) -> Option<u64> {
        self.line.total()
    }

    /// Admits the whole stream at time zero.
    pub(crate) fn admit_batch(&mut self) -> u64 {
        self.line.admit_batch()
    }

    /// Admits the `count` tasks from this position on, which is where the last ones ended.
    pub(crate) fn admit_next(&mut self, position: u64, count: u64, arrival: Moment) {
        self.line.admit_next(position, count, arrival);
    }

    /// Admits the task at this position.
    pub(crate) fn admit(&mut self, position: u64, arrival: Moment) {
        self.line.admit(position, arrival);
    }

    /// Tasks in it, whether somebody waits for them or not.
    #[must_use]
    pub(crate) fn len(&self) -> u64 {
        self.line.len() + self.hands.as_ref().map_or(0, Hands::len)
    }

    /// Whether nothing is in it.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Tasks that somebody waits for.
    #[must_use]
    pub(crate) fn waiting(&self) -> u64 {
        self.len() - self.line.given_up() - self.hands.as_ref().map_or(0, Hands::given_up)
    }

    /// Tasks that a lane may take, now or later, and how many lanes share them.
    #[must_use]
    pub(crate) fn share_of(&self, slot: Slot, lanes: u32) -> (u64, u32) {
        match &self.hands {
            None => (self.line.len(), lanes),
            Some(hands) => (hands.len_of(slot) + self.line.len() / u64::from(lanes).max(1), 1),
        }
    }

    /// Earliest intended arrival among the tasks that somebody waits for.
    #[must_use]
    pub(crate) fn oldest(&self) -> Option<Moment> {
        [self.line.oldest(), self.hands.as_ref().and_then(Hands::oldest)].into_iter().flatten().min()
    }

    /// Class of the task that [`TaskQueue::take`] would give a lane next, and whether its caller has given up.
    #[must_use]
    pub(crate) fn next(&mut self, slot: Slot) -> Option<(ClassId, bool)> {
        match &mut self.hands {
            None => self.line.next(),
            Some(hands) => hands.front(slot, &mut self.line).map(|ticket| (ticket.class, ticket.given_up)),
        }
    }

    /// Whether each lane has a queue of its own.
    #[must_use]
    pub(crate) fn is_dealt(&self) -> bool {
        self.hands.is_some()
    }

    /// The first of these lanes that there is a task for.
    pub(crate) fn first_with_work(&mut self, mut lanes: impl Iterator<Item = Slot>) -> Option<Slot> {
        match &mut self.hands {
            None => lanes.next(),
            Some(hands) => lanes.find(|slot| hands.front(*slot, &mut self.line).is_some()),
        }
    }

    /// Takes up to `most` tasks for a lane that can travel as one run.
    pub(crate) fn take(&mut self, slot: Slot, most: u64) -> Option<Ticket> {
        match &mut self.hands {
            None => self.line.take(most),
            Some(hands) => hands.take(slot, most, &mut self.line),
        }
    }

    /// Puts tasks back at the head, in the order in which they are given.
    pub(crate) fn give_back(&mut self, tickets: impl DoubleEndedIterator<Item = Ticket>) {
        self.line.give_back(tickets);
    }

    /// Takes in a task that is to be tried again: behind those that came due before it, ahead of the stream.
    pub(crate) fn try_again(&mut self, ticket: Ticket) {
        self.line.try_again(ticket);
    }

    /// Removes everything; says how many tasks somebody waited for.
    pub(crate) fn clear(&mut self) -> u64 {
        let waiting = self.waiting();
        self.line.clear();
        self.hands.iter_mut().for_each(Hands::clear);
        waiting
    }

    /// When the waiting of a task ends next. May be early: a task that has left the queue is found out by
    /// [`TaskQueue::expire`].
    #[must_use]
    pub(crate) fn next_expiry(&self) -> Option<Moment> {
        [self.line.next_expiry(), self.hands.as_ref().and_then(Hands::expiry)].into_iter().flatten().min()
    }

    /// Ends the waiting of tasks whose time is over; `with_places` says where each of them is in the stream.
    pub(crate) fn expire(&mut self, now: Moment, with_places: bool) -> Gone {
        let mut gone = Gone::new(with_places);
        self.line.expire(now, &mut gone);
        if let Some(hands) = &mut self.hands {
            hands.expire(now, self.line.limits(), &mut gone);
        }
        gone
    }
}
