//! When the caller gets results: as tasks end, in the order in which it submitted them, or all at once; those of a chunk
//! that travels whole together. A moment of its own, *delivered*, because it is later than the end of the task.
//!
//! What ended and is not delivered yet is kept as pieces of the stream with sums, not task by task.

use std::collections::BTreeMap;

use super::Dispatcher;
use super::input::Sink;
use super::queue::Ticket;
use super::queue::expired::Place;
use crate::engine::event::{Delivered, Event, Moment, Record};
use crate::workload::model::SubmitMode;

/// How a caller submits and gets results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Submitting {
    pub mode: SubmitMode,
    /// Tasks of a chunk that is returned whole; 1 where each task is returned for itself.
    pub chunk: u64,
    /// Most tasks that wait for a worker.
    pub queue_capacity: Option<u64>,
}

impl Default for Submitting {
    fn default() -> Self {
        Self { mode: SubmitMode::default(), chunk: 1, queue_capacity: None }
    }
}

/// What has ended and was not delivered yet.
#[derive(Debug)]
pub(super) struct Deliveries {
    order: Order,
    chunk: u64,
    total: u64,
    /// Chunks of which some tasks have ended, by their number.
    open: BTreeMap<u64, Chunk>,
    /// What has ended out of its turn, by its first position.
    ended: BTreeMap<u64, Delivered>,
    /// First position that is not delivered; in order.
    next: u64,
    /// Tasks that have ended; all at once.
    complete: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    AsEnded,
    AsSubmitted,
    Together,
}

#[derive(Debug, Default)]
struct Chunk {
    count: u64,
    /// Those of the same arrival together.
    parts: Vec<Delivered>,
}

impl Deliveries {
    /// `None` where results are delivered as they come, each for itself, and nobody waits for them.
    pub(super) fn new(submitting: Submitting, total: Option<u64>) -> Option<Self> {
        let order = match submitting.mode {
            SubmitMode::ApplyAsync => return None,
            SubmitMode::Apply | SubmitMode::ImapUnordered => Order::AsEnded,
            SubmitMode::Imap => Order::AsSubmitted,
            SubmitMode::Map => Order::Together,
        };
        let chunk = if submitting.mode.returns_chunks() { submitting.chunk.max(1) } else { 1 };
        let (open, ended) = (BTreeMap::new(), BTreeMap::new());
        Some(Self { order, chunk, total: total.unwrap_or(u64::MAX), open, ended, next: 0, complete: 0 })
    }

    /// Tasks have ended that follow each other in the stream and lie in one chunk. Gives what is delivered now.
    fn ended(&mut self, position: u64, part: Delivered) -> Vec<Delivered> {
        // Whatever is not kept in any order need not wait for its chunk either.
        if self.chunk == 1 || self.order == Order::Together {
            return self.complete(position, vec![part]);
        }
        let number = position / self.chunk;
        let size = self.chunk.min(self.total.saturating_sub(number * self.chunk));
        let chunk = self.open.entry(number).or_default();
        chunk.count += part.count;
        add(&mut chunk.parts, part);
        if chunk.count < size {
            return Vec::new();
        }
        let parts = self.open.remove(&number).unwrap_or_default().parts;
        self.complete(number * self.chunk, parts)
    }

    /// No more tasks will come: whatever has ended is delivered.
    fn rest(&mut self) -> Vec<Delivered> {
        let open = std::mem::take(&mut self.open).into_values().flat_map(|chunk| chunk.parts);
        let ended = std::mem::take(&mut self.ended).into_values();
        let mut due = Vec::new();
        open.chain(ended).for_each(|part| add(&mut due, part));
        due
    }

    /// Keeps what has ended out of its turn: next to what has ended before and behind it, it is one piece with that.
    fn keep(&mut self, at: u64, mut part: Delivered) {
        let end = at + part.count;
        if self.ended.get(&end).is_some_and(|next| next.arrival == part.arrival)
            && let Some(next) = self.ended.remove(&end)
        {
            part.join(&next);
        }
        let before = self.ended.range_mut(..at).next_back();
        match before.filter(|(first, last)| **first + last.count == at && last.arrival == part.arrival) {
            Some((_, last)) => last.join(&part),
            None => _ = self.ended.insert(at, part),
        }
    }

    fn complete(&mut self, position: u64, parts: Vec<Delivered>) -> Vec<Delivered> {
        match self.order {
            Order::AsEnded => parts,
            Order::AsSubmitted => {
                let mut at = position;
                for part in parts {
                    let count = part.count;
                    self.keep(at, part);
                    at += count;
                }
                let mut due = Vec::new();
                while let Some(part) = self.ended.remove(&self.next) {
                    self.next += part.count;
                    add(&mut due, part);
                }
                due
            }
            Order::Together => {
                for part in parts {
                    self.complete += part.count;
                    // By arrival: what was submitted at the same moment waits for the same time.
                    let kept = self.ended.entry(part.arrival.0).or_insert(Delivered { count: 0, ..part });
                    kept.join(&part);
                }
                let all = self.complete >= self.total;
                if all { std::mem::take(&mut self.ended).into_values().collect() } else { Vec::new() }
            }
        }
    }
}

/// Adds a part to the last one if that is of the same arrival: they are delivered at the same moment. To look further back
/// would find nothing: what follows in the stream has arrived no earlier.
fn add(parts: &mut Vec<Delivered>, part: Delivered) {
    match parts.last_mut().filter(|last| last.arrival == part.arrival) {
        Some(last) => last.join(&part),
        None => parts.push(part),
    }
}

impl Delivered {
    fn join(&mut self, other: &Self) {
        self.count += other.count;
        self.ends += other.ends;
        self.first_end = self.first_end.min(other.first_end);
    }
}

impl Dispatcher {
    /// Tasks of a ticket succeeded: `records`, in order.
    pub(super) fn deliver_batch(&mut self, now: Moment, ticket: &Ticket, mut records: &[Record], out: &mut dyn Sink) {
        let Some(chunk) = self.deliveries.as_ref().map(|deliveries| deliveries.chunk) else { return };
        let mut position = ticket.position();
        let mut due = Vec::new();
        while !records.is_empty() {
            let room = if chunk == 1 { u64::MAX } else { chunk - position % chunk };
            let most = usize::try_from(room).unwrap_or(usize::MAX).min(records.len());
            let (part, rest) = records.split_at(most);
            records = rest;
            let ends = part.iter().map(|record| Moment(record.start.0.saturating_add(record.service)));
            let part = Delivered {
                count: part.len() as u64,
                arrival: ticket.arrival,
                ends: ends.clone().map(|end| u128::from(end.0)).sum(),
                first_end: ends.min().unwrap_or(now),
            };
            if let Some(deliveries) = &mut self.deliveries {
                due.extend(deliveries.ended(position, part));
            }
            position += part.count;
        }
        self.tell_delivered(now, &due, out);
    }

    /// Tasks have ended without a result: their caller gets the error.
    pub(super) fn deliver_errors(&mut self, now: Moment, ended: Moment, places: &[Place], out: &mut dyn Sink) {
        let Some(deliveries) = &mut self.deliveries else { return };
        let chunk = deliveries.chunk;
        let mut due = Vec::new();
        for Place { mut position, mut count, arrival } in places.iter().copied() {
            while count > 0 {
                let room = if chunk == 1 { u64::MAX } else { chunk - position % chunk };
                let size = room.min(count);
                let ends = u128::from(ended.0) * u128::from(size);
                let part = Delivered { count: size, arrival, ends, first_end: ended };
                deliveries.ended(position, part).into_iter().for_each(|part| add(&mut due, part));
                position += size;
                count -= size;
            }
        }
        self.tell_delivered(now, &due, out);
    }

    /// Every task has its outcome. Where it was not known beforehand how many there would be, some may be undelivered.
    pub(super) fn deliver_rest(&mut self, now: Moment, out: &mut dyn Sink) {
        let due = self.deliveries.as_mut().map(Deliveries::rest).unwrap_or_default();
        self.tell_delivered(now, &due, out);
    }

    fn tell_delivered(&self, now: Moment, parts: &[Delivered], out: &mut dyn Sink) {
        if !parts.is_empty() {
            out.event(now, &Event::Delivered(parts));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deliveries(mode: SubmitMode, chunk: u64, total: u64) -> Deliveries {
        Deliveries::new(Submitting { mode, chunk, queue_capacity: None }, Some(total)).expect("not apply_async")
    }

    /// Ends the tasks one by one, each at ten times its place in this order; says when each delivery came and of how many.
    fn after(deliveries: &mut Deliveries, order: &[u64]) -> Vec<(u64, u64)> {
        let mut told = Vec::new();
        for (step, position) in (1..).zip(order) {
            let end = Moment(step * 10);
            let part = Delivered { count: 1, arrival: Moment::ZERO, ends: u128::from(end.0), first_end: end };
            let due = deliveries.ended(*position, part);
            told.extend(due.iter().map(|part| (end.0, part.count)));
        }
        told
    }

    #[test]
    fn each_mode_delivers_in_its_own_order() {
        let order = [1, 2, 0, 4, 3];
        let all = |mode, chunk| after(&mut deliveries(mode, chunk, 5), &order);
        assert_eq!(all(SubmitMode::Apply, 2), [(10, 1), (20, 1), (30, 1), (40, 1), (50, 1)]);
        assert_eq!(all(SubmitMode::ImapUnordered, 1), [(10, 1), (20, 1), (30, 1), (40, 1), (50, 1)]);
        assert_eq!(all(SubmitMode::Imap, 1), [(30, 3), (50, 2)]);
        assert_eq!(all(SubmitMode::Map, 1), [(50, 5)]);
        // Chunks are 0-1, 2-3 and 4.
        assert_eq!(all(SubmitMode::ImapUnordered, 2), [(30, 2), (40, 1), (50, 2)]);
        assert_eq!(all(SubmitMode::Imap, 2), [(30, 2), (50, 3)]);
        assert_eq!(all(SubmitMode::Map, 2), [(50, 5)]);
        assert!(
            Deliveries::new(Submitting { mode: SubmitMode::ApplyAsync, chunk: 1, queue_capacity: None }, None)
                .is_none()
        );
    }

    #[test]
    fn a_delivery_knows_how_long_its_results_were_held_back() {
        let mut deliveries = deliveries(SubmitMode::Imap, 1, 3);
        let part = |end: u64| Delivered { count: 1, arrival: Moment(3), ends: u128::from(end), first_end: Moment(end) };
        assert_eq!(deliveries.ended(2, part(10)), []);
        assert_eq!(deliveries.ended(1, part(20)), []);
        let due = deliveries.ended(0, part(50));
        assert_eq!(due, [Delivered { count: 3, arrival: Moment(3), ends: 80, first_end: Moment(10) }]);
    }
}
