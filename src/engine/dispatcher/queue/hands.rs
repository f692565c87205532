//! Tasks that were dealt out: each lane has a queue of its own (`dispatch: round_robin`).

use std::collections::{BTreeSet, VecDeque};

use super::expired::{Gone, Limits};
use super::line::Line;
use super::ticket::Ticket;
use crate::engine::event::{Moment, Slot};

/// The queues of the lanes, and whose turn it is. Tasks are dealt out when somebody wants one, which gives everybody before
/// it its own.
#[derive(Debug)]
pub(super) struct Hands {
    /// Tasks that one lane is dealt before the next has its turn.
    unit: u64,
    hands: Vec<Hand>,
    /// Whose turn it is, and how many tasks it is still to be dealt.
    turn: usize,
    left: u64,
    count: u64,
    given_up: u64,
    /// When tickets expire, whose hand each of them is in, and its number there.
    expiring: BTreeSet<(Moment, usize, u64)>,
}

/// The queue of one lane.
#[derive(Debug, Default)]
struct Hand {
    /// The first of them has tasks; one behind it whose tasks have expired has none and waits until it is the first, so that
    /// the others keep their numbers.
    tickets: VecDeque<Ticket>,
    /// Tickets that have left it, which is the number of the first one in it.
    passed: u64,
    /// Tasks in it.
    count: u64,
    /// Whether its lane is in a task that may never end: it is dealt nothing.
    shut: bool,
}

impl Hand {
    /// Takes away what has no tasks at its front.
    fn trim(&mut self) {
        while self.tickets.pop_front_if(|ticket| ticket.count == 0).is_some() {
            self.passed += 1;
        }
    }

    /// Adds a ticket; says which number it has if it is not part of the one before.
    fn push(&mut self, ticket: Ticket) -> Option<u64> {
        self.count += ticket.count;
        if self.tickets.back_mut().is_some_and(|last| last.count > 0 && last.join(&ticket)) {
            return None;
        }
        self.tickets.push_back(ticket);
        Some(self.passed + self.tickets.len() as u64 - 1)
    }

    fn numbered(&mut self, number: u64) -> Option<&mut Ticket> {
        self.tickets.get_mut(usize::try_from(number.checked_sub(self.passed)?).ok()?)
    }
}

impl Hands {
    pub(super) fn new(unit: u64) -> Self {
        let unit = unit.max(1);
        Self { unit, hands: Vec::new(), turn: 0, left: unit, count: 0, given_up: 0, expiring: BTreeSet::new() }
    }

    /// Tasks in all hands.
    pub(super) fn len(&self) -> u64 {
        self.count
    }

    /// Of these, those whose callers have given up.
    pub(super) fn given_up(&self) -> u64 {
        self.given_up
    }

    pub(super) fn expiry(&self) -> Option<Moment> {
        self.expiring.first().map(|(at, ..)| *at)
    }

    /// Tasks in one hand.
    pub(super) fn len_of(&self, slot: Slot) -> u64 {
        self.hands.get(slot.index()).map_or(0, |hand| hand.count)
    }

    pub(super) fn oldest(&self) -> Option<Moment> {
        let waits = |ticket: &&Ticket| ticket.count > 0 && !ticket.given_up;
        let oldest = |hand: &Hand| hand.tickets.iter().find(waits).map(|ticket| ticket.arrival);
        self.hands.iter().filter_map(oldest).min()
    }

    /// There are these lanes from now on, with whether each of them is to be dealt tasks: what others hold goes back to the
    /// line.
    pub(super) fn set_lanes(&mut self, lanes: impl Iterator<Item = bool>, line: &mut Line) {
        let dealt: Vec<bool> = lanes.collect();
        let mut back: Vec<Ticket> = Vec::new();
        for (number, hand) in self.hands.iter_mut().enumerate() {
            hand.shut = !dealt.get(number).is_some_and(|dealt| *dealt);
            if hand.shut {
                hand.passed += hand.tickets.len() as u64;
                hand.count = 0;
                back.extend(hand.tickets.drain(..).filter(|ticket| ticket.count > 0));
            }
        }
        self.hands.truncate(dealt.len());
        let new = dealt.iter().skip(self.hands.len()).map(|dealt| Hand { shut: !dealt, ..Hand::default() });
        self.hands.extend(new);
        let hands = &self.hands;
        self.expiring.retain(|(_, number, _)| hands.get(*number).is_some_and(|hand| !hand.shut));
        for ticket in &back {
            self.count -= ticket.count;
            self.given_up -= if ticket.given_up { ticket.count } else { 0 };
        }
        line.give_back(back.into_iter());
        if self.turn >= self.hands.len() {
            (self.turn, self.left) = (0, self.unit);
        }
    }

    /// The first ticket of a lane, dealt out now if need be.
    pub(super) fn front(&mut self, slot: Slot, line: &mut Line) -> Option<&mut Ticket> {
        while self.hands.get(slot.index()).filter(|hand| !hand.shut)?.tickets.is_empty() {
            // That of this lane comes, at the latest.
            while self.hands.get(self.turn).is_none_or(|hand| hand.shut) {
                self.next_turn();
            }
            let ticket = line.take(self.left)?;
            self.deal(ticket);
        }
        self.hands.get_mut(slot.index())?.tickets.front_mut()
    }

    fn next_turn(&mut self) {
        (self.turn, self.left) = ((self.turn + 1) % self.hands.len().max(1), self.unit);
    }

    fn deal(&mut self, ticket: Ticket) {
        self.count += ticket.count;
        self.given_up += if ticket.given_up { ticket.count } else { 0 };
        self.left = self.left.saturating_sub(ticket.count);
        if let Some(hand) = self.hands.get_mut(self.turn)
            && let Some(number) = hand.push(ticket)
            && let Some(at) = ticket.expires
        {
            self.expiring.insert((at, self.turn, number));
        }
        if self.left == 0 {
            self.next_turn();
        }
    }

    /// Takes up to `most` tasks of a lane that can travel as one run.
    pub(super) fn take(&mut self, slot: Slot, most: u64, line: &mut Line) -> Option<Ticket> {
        let ticket = self.front(slot, line)?.split_off(most);
        let hand = self.hands.get_mut(slot.index())?;
        if let Some(at) = ticket.expires
            && hand.tickets.front().is_some_and(|front| front.count == 0)
        {
            self.expiring.remove(&(at, slot.index(), hand.passed));
        }
        hand.trim();
        hand.count -= ticket.count;
        self.count -= ticket.count;
        self.given_up -= if ticket.given_up { ticket.count } else { 0 };
        Some(ticket)
    }

    /// Ends the waiting of tickets whose time is over, at most so many.
    pub(super) fn expire(&mut self, now: Moment, limits: &Limits, left: &mut u64, gone: &mut Gone) {
        while *left > 0
            && self.expiry().is_some_and(|at| at <= now)
            && let Some((_, index, number)) = self.expiring.pop_first()
        {
            *left -= 1;
            let Some(hand) = self.hands.get_mut(index) else { continue };
            let Some(ticket) = hand.numbered(number) else { continue };
            let count = ticket.count;
            if gone.add(ticket, limits) {
                self.given_up += count;
            } else {
                ticket.count = 0;
                hand.count -= count;
                self.count -= count;
                hand.trim();
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.expiring.clear();
        for hand in &mut self.hands {
            hand.tickets.clear();
            hand.count = 0;
        }
        (self.count, self.given_up) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::model::Attempt;

    fn ticket(first: u64, count: u64, expires: u64) -> Ticket {
        let expires = Some(Moment(expires));
        Ticket {
            first,
            count,
            class: 0,
            attempt: Attempt::FIRST,
            arrival: Moment(0),
            expires,
            shift: 0,
            given_up: false,
        }
    }

    #[test]
    fn what_has_left_a_hand_does_not_expire_and_what_expires_behind_others_leaves_them_in_order() {
        let mut hand = Hand::default();
        assert_eq!((hand.push(ticket(0, 2, 50)), hand.push(ticket(2, 1, 50))), (Some(0), None), "one run");
        assert_eq!((hand.push(ticket(5, 1, 10)), hand.push(ticket(7, 4, 90))), (Some(1), Some(2)));
        let behind = hand.numbered(1).unwrap();
        behind.count = 0;
        hand.trim();
        assert_eq!(hand.numbered(2), Some(&mut ticket(7, 4, 90)), "it has kept its number");
        hand.numbered(0).unwrap().count = 0;
        hand.trim();
        assert_eq!((hand.tickets.len(), hand.passed), (1, 2), "both are gone");
        assert_eq!(hand.numbered(0), None);
    }
}
