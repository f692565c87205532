//! Bytes that travel with tasks: how many of them are on their way to a worker, what that takes, and which tasks there is
//! room for.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::engine::dispatcher::queue::Ticket;
use crate::engine::event::Carried;
use crate::os::clock::monotonic;
use crate::worker::protocol::{Handled, LaneNumber, MAX_BYTES, ProtocolError};
use crate::workload::model::TaskIndex;

/// What is known of the bytes of a task that its worker has not reported. Moments are of the monotonic clock, lengths
/// nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OnTheWay {
    /// Bytes that were sent with it.
    pub(super) sent_bytes: usize,
    /// What making them took.
    pub(super) packing: u64,
    /// When they were put into the frames.
    pub(super) sent: u64,
    /// What its worker says.
    pub(super) handled: Option<Handled>,
    /// Bytes that it returned, and when all of them were here.
    pub(super) returned: Option<(usize, u64)>,
}

/// Most tasks of a worker that something is known of without their having been sent with bytes: a worker holds no more.
const MOST_KNOWN: usize = 1 << 17;

/// The bytes of the tasks that a worker has not reported.
#[derive(Debug, Default)]
pub(super) struct Payloads {
    held: BTreeMap<TaskIndex, OnTheWay>,
    /// Bytes that were sent.
    total: usize,
    /// Since when each of its lanes has been free for what came next, as far as bytes travelled: monotonic clock.
    free: BTreeMap<LaneNumber, u64>,
}

impl Payloads {
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// What a worker holds alone may be more than the budget, or it would never be sent.
    pub(super) fn has_room(&self, bytes: usize, budget: usize) -> bool {
        self.total == 0 || self.total.saturating_add(bytes) <= budget
    }

    /// Bytes were sent with a task, after they were made in so many nanoseconds.
    pub(super) fn add(&mut self, index: TaskIndex, bytes: usize, packing: u64) {
        self.total += bytes;
        let sent = OnTheWay { sent_bytes: bytes, packing, sent: monotonic(), ..OnTheWay::default() };
        self.total -= self.held.insert(index, sent).map_or(0, |before| before.sent_bytes);
    }

    /// A task has returned its bytes.
    pub(super) fn returned(&mut self, index: TaskIndex, bytes: usize) {
        let returned = Some((bytes, monotonic()));
        self.entry(index).into_iter().for_each(|task| task.returned = returned);
    }

    /// Its worker says what handling its bytes took.
    pub(super) fn handled(&mut self, handled: Handled) {
        self.entry(handled.index).into_iter().for_each(|task| task.handled = Some(handled));
    }

    fn entry(&mut self, index: TaskIndex) -> Option<&mut OnTheWay> {
        let full = self.held.len() >= MOST_KNOWN && !self.held.contains_key(&index);
        (!full).then(|| self.held.entry(index).or_default())
    }

    /// A task was reported in any way; what is known of its bytes.
    pub(super) fn reported(&mut self, index: TaskIndex) -> Option<OnTheWay> {
        let known = self.held.remove(&index);
        self.total -= known.map_or(0, |known| known.sent_bytes);
        known
    }

    /// So were those from here to there.
    pub(super) fn reported_all(&mut self, first: TaskIndex, end: TaskIndex) {
        while let Some((index, _)) = self.held.range(first..end.max(first)).next() {
            let index = *index;
            self.reported(index);
        }
    }

    /// From this moment on a lane was free for what comes next.
    pub(super) fn free_from(&mut self, lane: LaneNumber, at: u64) {
        self.free.insert(lane, at);
    }

    /// A task was reported that took from here to there: what its bytes took, and until when its lane was busy with them.
    pub(super) fn carried(&mut self, lane: LaneNumber, task: OnTheWay, end: u64) -> (Carried, u64) {
        let handled = task.handled.unwrap_or_default();
        let free = self.free.get(&lane).copied().unwrap_or(0);
        let ready = end.saturating_add(handled.packing).saturating_add(handled.hashing);
        let (bytes_out, here) = task.returned.unwrap_or((0, ready));
        // What a socket takes at once lets the worker go on; it waits until the rest of a larger result is taken out.
        let done = if bytes_out > SOCKET { here.max(ready) } else { ready };
        self.free.insert(lane, done);
        let came = handled.received.saturating_sub(task.sent.max(free));
        let carried = Carried {
            bytes_in: task.sent_bytes as u64,
            bytes_out: bytes_out as u64,
            packing_in: Duration::from_nanos(task.packing),
            transfer_in: Duration::from_nanos(if task.sent_bytes > 0 { came } else { 0 }),
            unpacking: Duration::from_nanos(handled.unpacking),
            packing: Duration::from_nanos(handled.packing),
            hashing: Duration::from_nanos(handled.hashing),
            transfer_out: Duration::from_nanos(here.saturating_sub(ready)),
            told: task.handled.is_some(),
            opaque: false,
        };
        (carried, done - end)
    }
}

/// Bytes that a socket takes at least without anybody reading (net.core.wmem_default, socket(7)).
const SOCKET: usize = 208 << 10;

/// How many of some tasks can be sent with their bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fit {
    All,
    /// The first so many; there is no room for the next one now.
    Some(u64),
    /// The first so many; the next one never can, for this reason.
    Never(u64, String),
}

/// Why a task cannot be sent whose bytes are too many.
pub(super) fn refusal(bytes: &[u8]) -> Option<String> {
    let most = ProtocolError::TooMuch;
    (bytes.len() > MAX_BYTES).then(|| format!("{} bytes come with it: {most}", bytes.len()))
}

/// The first so many tasks of some, and the others.
pub(super) fn split(tickets: &[Ticket], mut count: u64) -> (Vec<Ticket>, Vec<Ticket>) {
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    for ticket in tickets {
        let taken = ticket.count.min(count);
        count -= taken;
        let parts = [
            (&mut first, Ticket { count: taken, ..*ticket }),
            (&mut rest, Ticket { first: ticket.first + taken, count: ticket.count - taken, ..*ticket }),
        ];
        parts.into_iter().filter(|(_, part)| part.count > 0).for_each(|(list, part)| list.push(part));
    }
    (first, rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::Moment;
    use crate::workload::model::Attempt;

    #[test]
    fn what_is_reported_makes_room() {
        let mut payloads = Payloads::default();
        assert!(payloads.has_room(100, 10), "the first one always");
        payloads.add(1, 6, 0);
        assert!(payloads.has_room(4, 10) && !payloads.has_room(5, 10));
        payloads.add(2, 4, 0);
        payloads.add(9, 1, 0);
        payloads.reported_all(2, 9);
        payloads.reported(1);
        payloads.reported(1);
        assert_eq!((payloads.total, payloads.held.len()), (1, 1));
    }

    #[test]
    fn what_bytes_took_counts_from_when_the_worker_was_free_for_them() {
        let told = Handled { index: 1, received: 1_500, unpacking: 10, packing: 20, hashing: 30 };
        let task = OnTheWay { sent_bytes: 7, packing: 5, sent: 1_000, handled: Some(told), returned: Some((9, 3_000)) };
        let mut payloads = Payloads::default();
        let (carried, after) = payloads.carried(0, task, 2_000);
        assert_eq!((carried.bytes_in, carried.bytes_out, after), (7, 9, 50), "packing and hashing");
        assert_eq!(carried.transfer_in, Duration::from_nanos(500), "from being sent");
        assert_eq!(carried.transfer_out, Duration::from_nanos(950), "from being ready");
        payloads.free_from(0, 1_200);
        payloads.free_from(1, 9_000);
        assert_eq!(payloads.carried(0, task, 2_000).0.transfer_in, Duration::from_nanos(300), "from being free");
        let large = OnTheWay { returned: Some((SOCKET + 1, 3_000)), ..task };
        assert_eq!(payloads.carried(0, large, 2_000).1, 1_000, "its worker waits until all of it is here");
        let silent = OnTheWay { handled: None, ..task };
        let (carried, after) = payloads.carried(0, silent, 2_000);
        assert_eq!(
            (carried.told, carried.transfer_in, after),
            (false, Duration::ZERO, 0),
            "what is not told is nothing"
        );
    }

    #[test]
    fn tasks_are_split_where_the_room_ends() {
        let ticket = |first, count| Ticket {
            first,
            count,
            class: 0,
            attempt: Attempt::FIRST,
            arrival: Moment::ZERO,
            expires: None,
            shift: 0,
            given_up: false,
        };
        let (first, rest) = split(&[ticket(0, 3), ticket(10, 3), ticket(20, 1)], 4);
        assert_eq!(first, [ticket(0, 3), ticket(10, 1)]);
        assert_eq!(rest, [ticket(11, 2), ticket(20, 1)]);
    }
}
