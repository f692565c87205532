//! Tasks that were dealt out: each lane has a queue of its own (`dispatch: round_robin`).

use std::collections::VecDeque;

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
    hands: Vec<VecDeque<Ticket>>,
    /// Tasks in each hand.
    counts: Vec<u64>,
    /// Whose turn it is, and how many tasks it is still to be dealt.
    turn: usize,
    left: u64,
    count: u64,
    given_up: u64,
    /// No ticket in a hand expires before this.
    expiry: Option<Moment>,
}

impl Hands {
    pub(super) fn new(unit: u64) -> Self {
        let unit = unit.max(1);
        Self { unit, hands: Vec::new(), counts: Vec::new(), turn: 0, left: unit, count: 0, given_up: 0, expiry: None }
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
        self.expiry
    }

    /// Tasks in one hand.
    pub(super) fn len_of(&self, slot: Slot) -> u64 {
        self.counts.get(slot.index()).copied().unwrap_or(0)
    }

    pub(super) fn oldest(&self) -> Option<Moment> {
        let oldest = |hand: &VecDeque<Ticket>| hand.iter().find(|ticket| !ticket.given_up).map(|ticket| ticket.arrival);
        self.hands.iter().filter_map(oldest).min()
    }

    /// There are so many lanes from now on: what others hold goes back to the line.
    pub(super) fn set_lanes(&mut self, lanes: usize, line: &mut Line) {
        if lanes < self.hands.len() {
            let back: Vec<Ticket> = self.hands.drain(lanes..).flatten().collect();
            for ticket in &back {
                self.count -= ticket.count;
                self.given_up -= if ticket.given_up { ticket.count } else { 0 };
            }
            line.give_back(back.into_iter());
        }
        self.hands.resize_with(lanes, VecDeque::new);
        self.counts.resize(lanes, 0);
        if self.turn >= lanes {
            (self.turn, self.left) = (0, self.unit);
        }
    }

    /// The first ticket of a lane, dealt out now if need be.
    pub(super) fn front(&mut self, slot: Slot, line: &mut Line) -> Option<&mut Ticket> {
        while self.hands.get(slot.index())?.is_empty() {
            let ticket = line.take(self.left)?;
            self.deal(ticket);
        }
        self.hands.get_mut(slot.index())?.front_mut()
    }

    fn deal(&mut self, ticket: Ticket) {
        self.count += ticket.count;
        if let Some(count) = self.counts.get_mut(self.turn) {
            *count += ticket.count;
        }
        self.given_up += if ticket.given_up { ticket.count } else { 0 };
        self.expiry = [self.expiry, ticket.expires].into_iter().flatten().min();
        self.left = self.left.saturating_sub(ticket.count);
        if let Some(hand) = self.hands.get_mut(self.turn)
            && !hand.back_mut().is_some_and(|last| last.join(&ticket))
        {
            hand.push_back(ticket);
        }
        if self.left == 0 {
            (self.turn, self.left) = ((self.turn + 1) % self.hands.len().max(1), self.unit);
        }
    }

    /// Takes up to `most` tasks of a lane that can travel as one run.
    pub(super) fn take(&mut self, slot: Slot, most: u64, line: &mut Line) -> Option<Ticket> {
        let front = self.front(slot, line)?;
        let ticket = front.split_off(most);
        let empty = front.count == 0;
        if let Some(hand) = self.hands.get_mut(slot.index()).filter(|_| empty) {
            hand.pop_front();
        }
        self.count -= ticket.count;
        if let Some(count) = self.counts.get_mut(slot.index()) {
            *count -= ticket.count;
        }
        self.given_up -= if ticket.given_up { ticket.count } else { 0 };
        Some(ticket)
    }

    pub(super) fn expire(&mut self, now: Moment, limits: &Limits, gone: &mut Gone) {
        if self.expiry.is_none_or(|at| at > now) {
            return;
        }
        for (hand, in_hand) in self.hands.iter_mut().zip(&mut self.counts) {
            hand.retain_mut(|ticket| {
                let late = ticket.expires.is_some_and(|at| at <= now);
                if !late {
                    return true;
                }
                let stays = gone.add(ticket, limits);
                *in_hand -= if stays { 0 } else { ticket.count };
                *(if stays { &mut self.given_up } else { &mut self.count }) =
                    if stays { self.given_up + ticket.count } else { self.count - ticket.count };
                stays
            });
        }
        self.expiry = self.hands.iter().flatten().filter_map(|ticket| ticket.expires).min();
    }

    pub(super) fn clear(&mut self) {
        self.hands.iter_mut().for_each(VecDeque::clear);
        self.counts.fill(0);
        (self.count, self.given_up, self.expiry) = (0, 0, None);
    }
}
