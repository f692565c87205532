//! Giving out work: which lane gets how many tasks.

use std::num::NonZeroU32;
use std::time::Duration;

use super::Dispatcher;
use super::input::{Effect, Sink};
use super::lane::Held;
use super::queue::Ticket;
use super::queue::expired::Limits;
use super::worker::Life;
use crate::engine::dispatcher::window::Holding;
use crate::engine::event::{Chunks, Moment, RunState, Slot};
use crate::engine::stream::ClassRules;
use crate::workload::model::{Backoff, ClassId, OnTimeout, Retries};

/// Most runs in one message.
const MOST_RUNS: usize = 1024;

const NO_RULES: ClassRules = ClassRules {
    timeout: None,
    on_timeout: OnTimeout::Kill,
    queue_timeout: None,
    wait_timeout: None,
    answers: false,
    grace_period: Duration::ZERO,
    retries: Retries {
        max: 0,
        on_crash: false,
        on_timeout: false,
        on_error: false,
        backoff: Backoff { delay: Duration::ZERO, factor: 1.0, max_delay: Duration::ZERO, jitter: false },
        redraw: false,
    },
};

impl Dispatcher {
    pub(super) fn rules(&self, class: ClassId) -> ClassRules {
        self.classes.get(usize::from(class)).copied().unwrap_or(NO_RULES)
    }

    /// Gives work to everyone who waits for it.
    pub(super) fn pump(&mut self, now: Moment, out: &mut dyn Sink) {
        while self.state == RunState::Running && !self.queue.is_empty() && !self.queue.is_shut() {
            let keeps_workers = self.policy.keeps_workers();
            if !keeps_workers && !self.starts.any_left() {
                self.unfinished |= !self.idle.is_empty();
                return;
            }
            if !keeps_workers && !self.caller_starts(now, out) {
                return;
            }
            let Some(slot) = self.queue.first_with_work(self.idle.iter().copied()) else { return };
            self.idle.remove(&slot);
            if keeps_workers {
                self.refill(now, slot, out);
            } else if let Some(ticket) = self.queue.take(slot, 1) {
                self.start(now, slot, Some(ticket), out);
            } else {
                // What is next was not found in this turn: the place is still free.
                self.idle.insert(slot);
                return;
            }
        }
    }

    /// Fills a lane's window.
    pub(super) fn refill(&mut self, now: Moment, slot: Slot, out: &mut dyn Sink) {
        let Some((worker, lane)) = self.table.at(slot) else { return };
        if !matches!(worker.life, Life::Working) || worker.closed || lane.ghost.is_some() {
            return;
        }
        if slot.0 >= self.lanes_aimed_at() {
            return;
        }
        if self.leave_if_spent(now, slot, out) {
            return;
        }
        loop {
            let mut tickets = Vec::new();
            if self.state == RunState::Running {
                self.fill(now, slot, &mut tickets, out);
            }
            if tickets.is_empty() {
                if self.table.at(slot).is_some_and(|(_, lane)| lane.is_at_rest()) {
                    self.idle.insert(slot);
                }
                return;
            }
            self.idle.remove(&slot);
            self.watch_sent(now, slot, &tickets);
            self.count_chunk(&tickets);
            if let Some(lane) = self.table.lane_id(slot) {
                out.effect(Effect::Send { lane, tickets });
            }
            // A window is filled by one message; behind a chunk there may be room for another one, but not behind a ghost.
            let is_ghost = self.table.at(slot).is_some_and(|(_, lane)| lane.ghost.is_some());
            if self.chunk.is_adaptive() || is_ghost {
                return;
            }
        }
    }

    fn count_chunk(&mut self, tickets: &[Ticket]) {
        let Some(last) = tickets.last() else { return };
        let (chunks, tasks, _) = self.sent;
        self.sent = (chunks + 1, tasks + tickets.iter().map(|ticket| ticket.count).sum::<u64>(), last.class);
    }

    /// How tasks have travelled, and would travel now if there were as many as one likes.
    pub(super) fn chunks(&self) -> Chunks {
        let (sent, tasks, class) = self.sent;
        let size = match self.lanes_are_sent_one {
            true => 1,
            false => {
                let nothing = Holding { tasks: 0, nanos: 0 };
                self.chunk.room(nothing, self.estimates.nanos(class), u64::MAX, 1, true)
            }
        };
        let size = u32::try_from(size.max(1)).ok().and_then(NonZeroU32::new);
        Chunks { sent, tasks, size: size.unwrap_or(NonZeroU32::MAX) }
    }

    fn fill(&mut self, now: Moment, slot: Slot, tickets: &mut Vec<Ticket>, out: &mut dyn Sink) {
        if self.queue.is_shut() {
            return;
        }
        let mut allowance = self.allowance(slot);
        let (waiting, sharers) = self.queue.share_of(slot, self.workers);
        let Some((worker, lane)) = self.table.at_mut(slot) else { return };
        let mut holding = Holding { tasks: 0, nanos: 0 };
        if lane.held.is_empty() {
            lane.hear(now);
        }
        for held in lane.open() {
            holding.tasks += held.ticket.count;
            holding.nanos = holding.nanos.saturating_add(held.ticket.count.saturating_mul(held.estimate));
        }
        let one_by_one = self.lanes_are_sent_one;
        let mut room = None;
        while tickets.len() < MOST_RUNS {
            let Some((class, given_up)) = self.queue.next(slot) else { return };
            if given_up {
                if holding.tasks == 0 && allowance > 0 {
                    self.send_ghost(now, slot, tickets, out);
                }
                return;
            }
            let estimate = self.estimates.nanos(class);
            // A fixed chunk is decided once; the adaptive window follows the classes that go into it.
            let most = match room {
                Some(left) if !self.chunk.is_adaptive() => left,
                _ => {
                    let first = tickets.is_empty();
                    self.chunk.room(holding, estimate, waiting, sharers, first)
                }
            };
            let most = if one_by_one { most.min(1_u64.saturating_sub(holding.tasks)) } else { most };
            let most = most.min(allowance);
            if most == 0 {
                return;
            }
            let Some(ticket) = self.queue.take(slot, most) else { return };
            room = Some(most - ticket.count);
            allowance -= ticket.count;
            worker.given += ticket.count;
            holding.tasks += ticket.count;
            holding.nanos = holding.nanos.saturating_add(ticket.count.saturating_mul(estimate));
            lane.held.push_back(Held::new(ticket, now, estimate));
            tickets.push(as_sent(ticket, self.queue.limits()));
        }
    }
}

/// A ticket as its worker is told it: what is to be done even if its caller gives up, it may begin at any time.
fn as_sent(ticket: Ticket, limits: &Limits) -> Ticket {
    let stays =
        ticket.expires.is_some() && limits.reached(&ticket).is_some_and(|limit| limits.stays(ticket.class, limit));
    Ticket { expires: ticket.expires.filter(|_| !stays), ..ticket }
}
