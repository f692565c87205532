//! The one line in which all tasks wait. A closed batch is a cursor over the stream, not ten million entries.

use std::cell::OnceCell;
use std::collections::{BTreeMap, VecDeque};

use super::expired::{Expired, Gone, LOOKED_AT, Limits, Place};
use super::ticket::Ticket;
use super::untold::Untold;
use crate::engine::event::Moment;
use crate::engine::stream::{StreamRun, TaskStream};
use crate::workload::model::{Attempt, ClassId};

/// Most runs of the stream that are passed by in one turn, in search of one that is not removed.
const PASSED: u64 = 1 << 13;

/// The end of a piece of the stream that was admitted as a whole, and when.
#[derive(Clone, Copy, Debug)]
struct Admitted {
    end: u64,
    arrival: Moment,
}

/// Waiting tasks in the order in which they are given out: first those that came back (their worker left or died), then those that are tried again
/// in the order in which they came due, then those of the stream in order.
pub(super) struct Line {
    stream: Box<dyn TaskStream>,
    /// First position of the stream that was neither taken nor expired; for a batch only.
    cursor: u64,
    /// End of the part of the stream that was admitted as a whole, and not one by one.
    batch_end: u64,
    /// The pieces in which that was, as far as the cursor has not passed them.
    batches: VecDeque<Admitted>,
    /// For each class: tasks of the batch taken so far, tasks in all (counted when first needed), and what became of the
    /// rest of them.
    taken: Vec<u64>,
    totals: Vec<OnceCell<u64>>,
    rest: Vec<Rest>,
    /// Tasks that were removed and that the cursor has still to skip, and how many runs it may pass by in this turn.
    removed_ahead: u64,
    to_pass: u64,
    untold: Untold,
    /// Tasks of the batch whose callers have given up, and others.
    given_up_ahead: u64,
    given_up: u64,
    /// Arrived one by one, by position in the stream.
    arrived: BTreeMap<u64, Ticket>,
    /// For each class with a limit: positions in order of arrival, some of them no longer in `arrived`.
    expiring: Vec<VecDeque<(u64, Moment)>>,
    returned: VecDeque<Ticket>,
    returned_count: u64,
    /// No ticket in `returned` expires before this.
    returned_expiry: Option<Moment>,
    limits: Limits,
}

/// The tasks of a class in the batch that were not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    Waits,
    /// Their waiting is over.
    Removed,
    /// Their callers have given up, and they stay.
    GivenUp,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line").field("len", &self.len()).field("cursor", &self.cursor).finish_non_exhaustive()
    }
}

impl Line {
    pub(super) fn new(stream: Box<dyn TaskStream>, limits: Limits) -> Self {
        let classes = limits.classes();
        Self {
            stream,
            cursor: 0,
            batch_end: 0,
            batches: VecDeque::new(),
            taken: vec![0; classes],
            totals: vec![OnceCell::new(); classes],
            rest: vec![Rest::Waits; classes],
            removed_ahead: 0,
            to_pass: PASSED,
            untold: Untold::default(),
            given_up_ahead: 0,
            given_up: 0,
            arrived: BTreeMap::new(),
            expiring: vec![VecDeque::new(); classes],
            returned: VecDeque::new(),
            returned_count: 0,
            returned_expiry: None,
            limits,
        }
    }

    pub(super) fn limits_mut(&mut self) -> &mut Limits {
        &mut self.limits
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
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
        if self.limits.any() {
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

    /// The task at this position.
    pub(super) fn task_at(&self, position: u64) -> StreamRun {
        self.stream.run_at(position, 1)
    }

    /// Admits the task at this position.
    pub(crate) fn admit(&mut self, position: u64, arrival: Moment) {
        let run = self.task_at(position);
        let expires = self.limits.first_expiry(run.class, arrival);
        if let (Some(at), Some(expiring)) = (expires, self.expiring.get_mut(usize::from(run.class))) {
            expiring.push_back((position, at));
        }
        let shift = position.wrapping_sub(run.first);
        let (attempt, given_up) = (Attempt::FIRST, false);
        let ticket =
            Ticket { first: run.first, count: 1, class: run.class, attempt, arrival, expires, shift, given_up };
        self.arrived.insert(position, ticket);
    }

    /// Tasks in it, whether somebody waits for them or not.
    #[must_use]
    pub(crate) fn len(&self) -> u64 {
        self.returned_count + self.arrived.len() as u64 + (self.batch_end - self.cursor - self.removed_ahead)
    }

    /// Tasks in it whose callers have given up.
    #[must_use]
    pub(crate) fn given_up(&self) -> u64 {
        self.given_up + self.given_up_ahead
    }

    /// Earliest intended arrival among the waiting tasks.
    #[must_use]
    pub(crate) fn oldest(&self) -> Option<Moment> {
        let mut batch = None;
        if self.batch_end - self.cursor > self.removed_ahead + self.given_up_ahead {
            batch = Some(self.batch_arrival());
        }
        let returned = self.returned.iter().filter(|ticket| !ticket.given_up).map(|ticket| ticket.arrival).min();
        let arrived = self.arrived.values().find(|ticket| !ticket.given_up).map(|ticket| ticket.arrival);
        [batch, returned, arrived].into_iter().flatten().min()
    }

    /// Class of the task that [`Line::take`] would give next, and whether its caller has given up.
    #[must_use]
    pub(crate) fn next(&mut self) -> Option<(ClassId, bool)> {
        if let Some(ticket) = self.returned.front() {
            return Some((ticket.class, ticket.given_up));
        }
        if let Some((_, ticket)) = self.arrived.first_key_value() {
            return Some((ticket.class, ticket.given_up));
        }
        if !self.skip_removed() {
            return None;
        }
        let class = (self.cursor < self.batch_end).then(|| self.stream.run_at(self.cursor, 1).class)?;
        Some((class, self.rest_of(class) == Rest::GivenUp))
    }

    /// Takes up to `most` tasks that can travel as one run.
    pub(crate) fn take(&mut self, most: u64) -> Option<Ticket> {
        if let Some(front) = self.returned.front_mut() {
            let ticket = front.split_off(most);
            if front.count == 0 {
                self.returned.pop_front();
            }
            self.returned_count -= ticket.count;
            self.given_up -= if ticket.given_up { ticket.count } else { 0 };
            return Some(ticket);
        }
        if let Some((_, ticket)) = self.arrived.pop_first() {
            self.given_up -= u64::from(ticket.given_up);
            return Some(ticket);
        }
        if !self.skip_removed() || self.cursor >= self.batch_end {
            return None;
        }
        while self.batches.front().is_some_and(|batch| batch.end <= self.cursor) {
            self.batches.pop_front();
        }
        let Admitted { end, arrival } = *self.batches.front()?;
        let run = self.stream.run_at(self.cursor, most.min(end - self.cursor));
        let shift = self.cursor.wrapping_sub(run.first);
        self.cursor += run.count;
        if let Some(taken) = self.taken.get_mut(usize::from(run.class)) {
            *taken += run.count;
        }
        let expires = self.limits.first_expiry(run.class, arrival);
        let given_up = self.rest_of(run.class) == Rest::GivenUp;
        self.given_up_ahead -= if given_up { run.count } else { 0 };
        let (attempt, expires) = (Attempt::FIRST, expires.filter(|_| !given_up));
        Some(Ticket {
            first: run.first,
            count: run.count,
            class: run.class,
            attempt,
            arrival,
            expires,
            shift,
            given_up,
        })
    }

    fn rest_of(&self, class: ClassId) -> Rest {
        self.rest.get(usize::from(class)).copied().unwrap_or(Rest::Waits)
    }

    /// Passes by what was removed; says whether that was not too much for one turn.
    fn skip_removed(&mut self) -> bool {
        if self.removed_ahead == self.batch_end - self.cursor {
            (self.cursor, self.removed_ahead) = (self.batch_end, 0);
        }
        while self.removed_ahead > 0 && self.cursor < self.batch_end {
            if self.to_pass == 0 {
                return false;
            }
            let run = self.stream.run_at(self.cursor, self.batch_end - self.cursor);
            if self.rest_of(run.class) != Rest::Removed {
                break;
            }
            self.cursor += run.count;
            self.removed_ahead -= run.count;
            self.to_pass -= 1;
        }
        true
    }

    /// Others have had their turn.
    pub(super) fn turn_begins(&mut self) {
        self.to_pass = PASSED;
    }

    /// Whether there may be more behind what was passed by in this turn.
    pub(super) fn is_searching(&self) -> bool {
        self.to_pass == 0 && self.removed_ahead > 0
    }

    /// The places of tasks of the batch whose waiting is over, some at a time, and when it was.
    pub(super) fn next_untold(&mut self, left: &mut u64) -> Option<(Moment, Vec<Place>)> {
        self.untold.next(&*self.stream, left)
    }

    pub(super) fn is_telling(&self) -> bool {
        !self.untold.is_empty()
    }

    /// Puts tasks back at the head, in the order in which they are given.
    pub(crate) fn give_back(&mut self, tickets: impl DoubleEndedIterator<Item = Ticket>) {
        for ticket in tickets.rev().filter(|ticket| ticket.count > 0) {
            let ticket = self.count_returned(ticket);
            self.returned.push_front(ticket);
        }
    }

    /// Takes in a task that is to be tried again: behind those that came due before it, ahead of the stream.
    pub(crate) fn try_again(&mut self, ticket: Ticket) {
        let ticket = self.count_returned(ticket);
        self.returned.push_back(ticket);
    }

    fn count_returned(&mut self, mut ticket: Ticket) -> Ticket {
        self.returned_count += ticket.count;
        if ticket.given_up {
            self.given_up += ticket.count;
        } else if ticket.expires.is_none() {
            // It may have been in work, where nothing but its caller's patience ends its waiting.
            ticket.expires = self.limits.caller_expiry(ticket.class, ticket.arrival);
        }
        self.returned_expiry = [self.returned_expiry, ticket.expires].into_iter().flatten().min();
        ticket
    }

    /// Removes every task.
    pub(crate) fn clear(&mut self) {
        self.cursor = self.batch_end;
        self.untold.clear();
        self.batches.clear();
        (self.removed_ahead, self.given_up_ahead, self.given_up) = (0, 0, 0);
        self.arrived.clear();
        self.returned.clear();
        self.returned_count = 0;
        self.returned_expiry = None;
    }

    /// When the waiting of a task ends next. May be early: a task that has left the queue is found out by
    /// [`Line::expire`].
    #[must_use]
    pub(crate) fn next_expiry(&self) -> Option<Moment> {
        let arrived = self.expiring.iter().filter_map(|queue| queue.front().map(|(_, at)| *at));
        let batch = (0..self.limits.classes()).filter_map(|class| {
            // Asking for the limit first: counting a class may mean to look at every task once.
            let limit = self.limits.first_of(class)?.duration();
            (self.waiting_of(class) > 0).then_some(Moment::ZERO + limit)
        });
        arrived.chain(self.returned_expiry).chain(batch).min()
    }

    /// Tasks of this class that wait in an admitted batch.
    fn waiting_of(&self, class: usize) -> u64 {
        let waits = self.rest.get(class) == Some(&Rest::Waits);
        if self.batch_end == 0 || self.cursor >= self.batch_end || !waits {
            return 0;
        }
        let Some(total) = self.totals.get(class) else { return 0 };
        let total = total.get_or_init(|| ClassId::try_from(class).map_or(0, |class| self.stream.class_total(class)));
        total - self.taken.get(class).copied().unwrap_or(0)
    }

    /// Ends the waiting of tasks whose time is over, at most so many that have come one by one: they are removed, or stay
    /// and nobody waits for them.
    pub(crate) fn expire(&mut self, now: Moment, left: &mut u64, gone: &mut Gone) {
        for class in 0..self.limits.classes() {
            self.expire_batch(class, now, gone);
            let Some(expiring) = self.expiring.get_mut(class) else { continue };
            while let Some(&(position, at)) = expiring.front().filter(|_| *left > 0) {
                let waits = self.arrived.get(&position).is_some_and(|ticket| !ticket.given_up);
                if waits && at > now {
                    break;
                }
                *left -= 1;
                expiring.pop_front();
                let Some(ticket) = self.arrived.get_mut(&position).filter(|_| waits) else { continue };
                if gone.add(ticket, &self.limits) {
                    self.given_up += 1;
                } else {
                    self.arrived.remove(&position);
                }
            }
        }
        if self.returned_expiry.is_some_and(|at| at <= now) {
            let (limits, given_up) = (&self.limits, &mut self.given_up);
            self.returned.retain_mut(|ticket| {
                let late = ticket.expires.is_some_and(|at| at <= now);
                if !late {
                    return true;
                }
                let stays = gone.add(ticket, limits);
                *given_up += if stays { ticket.count } else { 0 };
                stays
            });
            self.returned_count = self.returned.iter().map(|ticket| ticket.count).sum();
            self.returned_expiry = self.returned.iter().filter_map(|ticket| ticket.expires).min();
        }
    }

    fn expire_batch(&mut self, class: usize, now: Moment, gone: &mut Gone) {
        let Some(limit) = self.limits.first_of(class).filter(|limit| Moment::ZERO + limit.duration() <= now) else {
            return;
        };
        let waiting = self.waiting_of(class);
        let (Ok(id), true) = (ClassId::try_from(class), waiting > 0) else { return };
        let stays = self.limits.stays(id, limit);
        let expired = gone.of(id, limit);
        expired.count += waiting;
        self.name(id, expired);
        if gone.wants_places() {
            self.untold.add((self.cursor, self.batch_end), id, now);
        }
        let rest = if stays { Rest::GivenUp } else { Rest::Removed };
        *(if stays { &mut self.given_up_ahead } else { &mut self.removed_ahead }) += waiting;
        if let Some(entry) = self.rest.get_mut(class) {
            *entry = rest;
        }
    }

    /// Names tasks of a class in the batch, as many as are wanted.
    fn name(&self, class: ClassId, expired: &mut Expired) {
        let mut position = self.cursor;
        let mut looked_at = 0;
        while position < self.batch_end && looked_at < LOOKED_AT && expired.has_room() {
            let run = self.stream.run_at(position, self.batch_end - position);
            if run.class == class {
                expired.name(run.first, run.count, Attempt::FIRST);
            }
            position += run.count;
            looked_at += 1;
        }
    }
}
