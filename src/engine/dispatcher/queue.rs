//! The queue of waiting tasks. A closed batch is a cursor over the stream, not ten million entries.

use std::cell::OnceCell;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::engine::event::Moment;
use crate::engine::stream::TaskStream;
use crate::workload::model::{Attempt, ClassId, TaskIndex};

/// Waiting tasks with consecutive indices that share everything else.
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
    /// When their `queue_timeout` runs out: `None` without one, and once they have been in work.
    pub expires: Option<Moment>,
}

impl Ticket {
    /// Whether it has this task.
    #[must_use]
    pub(crate) fn contains(&self, index: TaskIndex) -> bool {
        (self.first..self.first + self.count).contains(&index)
    }
}

/// The end of a piece of the stream that was admitted as a whole, and when.
#[derive(Clone, Copy, Debug)]
struct Admitted {
    end: u64,
    arrival: Moment,
}

/// Tasks of one class whose `queue_timeout` ran out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expired {
    pub(crate) count: u64,
    /// Some of them by name, at most [`NAMED`].
    pub(crate) named: Vec<TaskIndex>,
}

/// Most expired tasks of a class that are named one by one: as many as anybody keeps.
pub(crate) const NAMED: usize = 200;
/// Most runs of the stream that are looked at for names: of a rare class, fewer are named.
const LOOKED_AT: usize = 10_000;

impl Expired {
    /// Adds a ticket's tasks.
    pub(crate) fn add(&mut self, ticket: &Ticket) {
        self.count += ticket.count;
        let room = NAMED.saturating_sub(self.named.len());
        self.named.extend((ticket.first..ticket.first + ticket.count).take(room));
    }
}

/// The queue of waiting tasks: first those that came back (their worker left or died), then those that are tried again
/// in the order in which they came due, then those of the stream in order.
pub(crate) struct TaskQueue {
    stream: Box<dyn TaskStream>,
    /// First position of the stream that was neither taken nor expired; for a batch only.
    cursor: u64,
    /// End of the part of the stream that was admitted as a whole, and not one by one.
    batch_end: u64,
    /// The pieces in which that was, as far as the cursor has not passed them.
    batches: VecDeque<Admitted>,
    /// For each class: tasks of the batch taken so far, tasks in all (counted when first needed), and whether the rest of
    /// them expired.
    taken: Vec<u64>,
    totals: Vec<OnceCell<u64>>,
    expired: Vec<bool>,
    /// Tasks of expired classes that the cursor has still to skip.
    expired_ahead: u64,
    /// Arrived one by one, by position in the stream.
    arrived: BTreeMap<u64, Ticket>,
    /// For each class with a `queue_timeout`: positions in order of arrival, some of them no longer in `arrived`.
    expiring: Vec<VecDeque<(u64, Moment)>>,
    returned: VecDeque<Ticket>,
    returned_count: u64,
    /// No ticket in `returned` expires before this.
    returned_expiry: Option<Moment>,
    /// The `queue_timeout` of each class.
    limits: Vec<Option<Duration>>,
}

impl std::fmt::Debug for TaskQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskQueue").field("len", &self.len()).field("cursor", &self.cursor).finish_non_exhaustive()
    }
}

impl TaskQueue {
    /// An empty queue over a stream whose classes have these `queue_timeout`s.
    #[must_use]
    pub(crate) fn new(stream: Box<dyn TaskStream>, limits: Vec<Option<Duration>>) -> Self {
        let classes = limits.len();
        Self {
            stream,
            cursor: 0,
            batch_end: 0,
            batches: VecDeque::new(),
            taken: vec![0; classes],
            totals: vec![OnceCell::new(); classes],
            expired: vec![false; classes],
            expired_ahead: 0,
            arrived: BTreeMap::new(),
            expiring: vec![VecDeque::new(); classes],
            returned: VecDeque::new(),
            returned_count: 0,
            returned_expiry: None,
            limits,
        }
    }

    fn expiry(&self, class: ClassId, arrival: Moment) -> Option<Moment> {
        self.limits.get(usize::from(class)).copied().flatten().map(|limit| arrival + limit)
    }

    /// Tasks of the whole stream, where that is known.
    #[must_use]
    pub(crate) fn total(&self) -> Option<u64> {
        self.stream.total()
    }

    /// Admits the whole stream at time zero.
    pub(crate) fn admit_batch(&mut self) -> u64 {
        self.batch_end = self.stream.total().unwrap_or(0);
        self.batches.push_back(Admitted { end: self.batch_end, arrival: Moment::ZERO });
        self.batch_end
    }

    /// Admits the `count` tasks from this position on, which is where the last ones ended. Without limits of their own they
    /// take up no room each.
    pub(crate) fn admit_next(&mut self, position: u64, count: u64, arrival: Moment) {
        if self.limits.iter().any(Option::is_some) {
            return (position..position.saturating_add(count)).for_each(|position| self.admit(position, arrival));
        }
        self.batch_end = position.saturating_add(count);
        match self.batches.back_mut() {
            Some(last) if last.arrival == arrival => last.end = self.batch_end,
            _ => self.batches.push_back(Admitted { end: self.batch_end, arrival }),
        }
    }

    /// When the task at the cursor arrived.
    fn batch_arrival(&self) -> Moment {
        let batch = self.batches.iter().find(|batch| batch.end > self.cursor);
        batch.map_or(Moment::ZERO, |batch| batch.arrival)
    }

    /// Admits the task at this position.
    pub(crate) fn admit(&mut self, position: u64, arrival: Moment) {
        let run = self.stream.run_at(position, 1);
        let expires = self.expiry(run.class, arrival);
        if let (Some(at), Some(expiring)) = (expires, self.expiring.get_mut(usize::from(run.class))) {
            expiring.push_back((position, at));
        }
        let ticket = Ticket { first: run.first, count: 1, class: run.class, attempt: Attempt::FIRST, arrival, expires };
        self.arrived.insert(position, ticket);
    }

    /// Waiting tasks.
    #[must_use]
    pub(crate) fn len(&self) -> u64 {
        self.returned_count + self.arrived.len() as u64 + (self.batch_end - self.cursor - self.expired_ahead)
    }

    /// Whether nothing waits.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Earliest intended arrival among the waiting tasks.
    #[must_use]
    pub(crate) fn oldest(&self) -> Option<Moment> {
        let mut batch = None;
        if self.batch_end - self.cursor > self.expired_ahead {
            batch = Some(self.batch_arrival());
        }
        let returned = self.returned.iter().map(|ticket| ticket.arrival).min();
        let arrived = self.arrived.first_key_value().map(|(_, ticket)| ticket.arrival);
        [batch, returned, arrived].into_iter().flatten().min()
    }

    /// Class of the task that [`TaskQueue::take`] would give next.
    #[must_use]
    pub(crate) fn next_class(&mut self) -> Option<ClassId> {
        if let Some(ticket) = self.returned.front() {
            return Some(ticket.class);
        }
        if let Some((_, ticket)) = self.arrived.first_key_value() {
            return Some(ticket.class);
        }
        self.skip_expired();
        (self.cursor < self.batch_end).then(|| self.stream.run_at(self.cursor, 1).class)
    }

    /// Takes up to `most` tasks that can travel as one run.
    pub(crate) fn take(&mut self, most: u64) -> Option<Ticket> {
        if let Some(front) = self.returned.front_mut() {
            let mut ticket = *front;
            ticket.count = front.count.min(most);
            front.first += ticket.count;
            front.count -= ticket.count;
            if front.count == 0 {
                self.returned.pop_front();
            }
            self.returned_count -= ticket.count;
            return Some(ticket);
        }
        if let Some((_, ticket)) = self.arrived.pop_first() {
            return Some(ticket);
        }
        self.skip_expired();
        if self.cursor >= self.batch_end {
            return None;
        }
        while self.batches.front().is_some_and(|batch| batch.end <= self.cursor) {
            self.batches.pop_front();
        }
        let Admitted { end, arrival } = *self.batches.front()?;
        let run = self.stream.run_at(self.cursor, most.min(end - self.cursor));
        self.cursor += run.count;
        if let Some(taken) = self.taken.get_mut(usize::from(run.class)) {
            *taken += run.count;
        }
        let expires = self.expiry(run.class, arrival);
        Some(Ticket { first: run.first, count: run.count, class: run.class, attempt: Attempt::FIRST, arrival, expires })
    }

    fn skip_expired(&mut self) {
        while self.expired_ahead > 0 && self.cursor < self.batch_end {
            let run = self.stream.run_at(self.cursor, self.batch_end - self.cursor);
            if !self.expired.get(usize::from(run.class)).copied().unwrap_or(false) {
                return;
            }
            self.cursor += run.count;
            self.expired_ahead -= run.count;
        }
    }

    /// Puts tasks back at the head, in the order in which they are given.
    pub(crate) fn give_back(&mut self, tickets: impl DoubleEndedIterator<Item = Ticket>) {
        for ticket in tickets.rev().filter(|ticket| ticket.count > 0) {
            self.count_returned(&ticket);
            self.returned.push_front(ticket);
        }
    }

    /// Takes in a task that is to be tried again: behind those that came due before it, ahead of the stream.
    pub(crate) fn try_again(&mut self, ticket: Ticket) {
        self.count_returned(&ticket);
        self.returned.push_back(ticket);
    }

    fn count_returned(&mut self, ticket: &Ticket) {
        self.returned_count += ticket.count;
        self.returned_expiry = [self.returned_expiry, ticket.expires].into_iter().flatten().min();
    }

    /// Removes every waiting task; says how many there were.
    pub(crate) fn clear(&mut self) -> u64 {
        let len = self.len();
        self.cursor = self.batch_end;
        self.batches.clear();
        self.expired_ahead = 0;
        self.arrived.clear();
        self.returned.clear();
        self.returned_count = 0;
        self.returned_expiry = None;
        len
    }

    /// When the next `queue_timeout` runs out. May be early: a task that has left the queue is found out by
    /// [`TaskQueue::expire`].
    #[must_use]
    pub(crate) fn next_expiry(&self) -> Option<Moment> {
        let arrived = self.expiring.iter().filter_map(|queue| queue.front().map(|(_, at)| *at));
        let batch = self.limits.iter().enumerate().filter_map(|(class, limit)| {
            // Asking for the limit first: counting a class may mean to look at every task once.
            limit.filter(|_| self.waiting_of(class) > 0).map(|limit| Moment::ZERO + limit)
        });
        arrived.chain(self.returned_expiry).chain(batch).min()
    }

    /// Tasks of this class that wait in an admitted batch.
    fn waiting_of(&self, class: usize) -> u64 {
        if self.batch_end == 0 || self.cursor >= self.batch_end || self.expired.get(class).copied().unwrap_or(true) {
            return 0;
        }
        let Some(total) = self.totals.get(class) else { return 0 };
        let total = total.get_or_init(|| ClassId::try_from(class).map_or(0, |class| self.stream.class_total(class)));
        total - self.taken.get(class).copied().unwrap_or(0)
    }

    /// Removes the tasks whose `queue_timeout` has run out: one entry for each class.
    pub(crate) fn expire(&mut self, now: Moment) -> Vec<Expired> {
        let mut gone = vec![Expired::default(); self.limits.len()];
        for (class, gone) in gone.iter_mut().enumerate() {
            self.expire_batch(class, now, gone);
            let Some(expiring) = self.expiring.get_mut(class) else { continue };
            while let Some(&(position, at)) = expiring.front() {
                let waits = self.arrived.contains_key(&position);
                if waits && at > now {
                    break;
                }
                expiring.pop_front();
                if let Some(ticket) = self.arrived.remove(&position) {
                    gone.add(&ticket);
                }
            }
        }
        if self.returned_expiry.is_some_and(|at| at <= now) {
            self.returned.retain(|ticket| {
                let late = ticket.expires.is_some_and(|at| at <= now);
                if late && let Some(gone) = gone.get_mut(usize::from(ticket.class)) {
                    gone.add(ticket);
                }
                !late
            });
            self.returned_count = self.returned.iter().map(|ticket| ticket.count).sum();
            self.returned_expiry = self.returned.iter().filter_map(|ticket| ticket.expires).min();
        }
        gone
    }

    fn expire_batch(&mut self, class: usize, now: Moment, gone: &mut Expired) {
        let due = self.limits.get(class).copied().flatten().is_some_and(|limit| Moment::ZERO + limit <= now);
        let waiting = if due { self.waiting_of(class) } else { 0 };
        if waiting == 0 {
            return;
        }
        let mut position = self.cursor;
        for _ in 0..LOOKED_AT {
            let room = (NAMED - gone.named.len()) as u64;
            if position >= self.batch_end || room == 0 {
                break;
            }
            let run = self.stream.run_at(position, self.batch_end - position);
            if usize::from(run.class) == class {
                gone.named.extend(run.first..run.first + run.count.min(room));
            }
            position += run.count;
        }
        gone.count += waiting;
        self.expired_ahead += waiting;
        self.expired[class] = true;
    }
}
