//! Bytes that travel with tasks: how many of them are on their way to a worker, and which tasks there is room for.

use std::collections::BTreeMap;

use crate::engine::dispatcher::queue::Ticket;
use crate::worker::protocol::{MAX_BYTES, ProtocolError};
use crate::workload::model::TaskIndex;

/// Bytes that were sent to a worker with tasks that it has not reported.
#[derive(Debug, Default)]
pub(super) struct Payloads {
    held: BTreeMap<TaskIndex, usize>,
    total: usize,
}

impl Payloads {
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// What a worker holds alone may be more than the budget, or it would never be sent.
    pub(super) fn has_room(&self, bytes: usize, budget: usize) -> bool {
        self.total == 0 || self.total.saturating_add(bytes) <= budget
    }

    pub(super) fn add(&mut self, index: TaskIndex, bytes: usize) {
        self.total += bytes;
        self.total -= self.held.insert(index, bytes).unwrap_or(0);
    }

    /// A task was reported in any way.
    pub(super) fn reported(&mut self, index: TaskIndex) {
        self.total -= self.held.remove(&index).unwrap_or(0);
    }

    /// So were those from here to there.
    pub(super) fn reported_all(&mut self, first: TaskIndex, end: TaskIndex) {
        while let Some((index, _)) = self.held.range(first..end.max(first)).next() {
            let index = *index;
            self.reported(index);
        }
    }
}

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
        payloads.add(1, 6);
        assert!(payloads.has_room(4, 10) && !payloads.has_room(5, 10));
        payloads.add(2, 4);
        payloads.add(9, 1);
        payloads.reported_all(2, 9);
        payloads.reported(1);
        payloads.reported(1);
        assert_eq!((payloads.total, payloads.held.len()), (1, 1));
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
