//! The workers: who is started, when, and who is asked to leave.

use std::num::NonZeroU32;
use std::time::Duration;

use super::Dispatcher;
use super::deadlines::LEAVE;
use super::input::{Due, Effect, InitializerFigures, Sink, StartFailure};
use super::lane::{Ghost, Held};
use super::queue::Ticket;
use super::timers::Timer;
use super::worker::{Life, Why, Worker};
use crate::engine::chain;
use crate::engine::error::{EngineError, NotStarted};
use crate::engine::event::{Event, Moment, Severity, Slot, WorkerId};
use crate::engine::outcome::{Cause, Outcome};

/// First and longest pause before another try to start a worker.
const START_PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));
/// How long starts may fail, while no worker is there at all, before the engine gives up.
pub(super) const START_PATIENCE: Duration = Duration::from_secs(60);

impl Dispatcher {
    /// Makes the table as long as the number of lanes aimed at, and starts or dismisses workers to fit it.
    pub(super) fn fit_table(&mut self, now: Moment, out: &mut dyn Sink) {
        if self.ending.is_some() {
            return;
        }
        let lanes = self.lanes_aimed_at();
        self.table.grow(lanes);
        self.deal_to_lanes();
        let beyond: Vec<Slot> = self.table.slots().skip(lanes as usize).collect();
        for slot in beyond {
            self.idle.remove(&slot);
            // A worker that others share stays; what its lane holds is finished.
            if let Some(lane) = self.table.lane_id(slot).filter(|_| !self.policy.shares_worker()) {
                self.retire(now, lane.worker, out);
            }
        }
        let mut vacancies = self.vacancies();
        for slot in (0..lanes).map(Slot) {
            if vacancies > 0 && self.prepare_slot(now, slot, out) {
                vacancies -= 1;
            }
        }
        self.pump(now, out);
    }

    /// How many more workers there may be: never more than tasks that are still to be done, now or later.
    fn vacancies(&self) -> u32 {
        let total = self.arrivals.total(self.queue.total());
        let left = total.map_or(u64::MAX, |total| total.saturating_sub(self.counts.finished()));
        if self.policy.shares_worker() {
            return if left > 0 { u32::MAX } else { 0 };
        }
        // Whether a lane with a queue of its own needs a worker, that queue says.
        if !self.policy.keeps_workers() || self.queue.is_dealt() || left >= u64::from(self.workers) {
            return u32::MAX;
        }
        // A ghost does nothing of what is left.
        let of_use = |id: &WorkerId| self.table.lanes_of(*id).iter().any(|lane| lane.ghost.is_none());
        let places = self.table.ids().zip(self.table.workers()).take(self.workers as usize);
        let taken = places.filter(|(id, worker)| !worker.is_free() && of_use(id)).count() as u64;
        u32::try_from(left.saturating_sub(taken)).unwrap_or(u32::MAX)
    }

    /// Starts workers for lanes that were dealt tasks and have none.
    pub(super) fn staff_hands(&mut self, now: Moment, out: &mut dyn Sink) {
        if !self.queue.is_dealt() || !self.policy.keeps_workers() || self.queue.is_empty() {
            return;
        }
        for slot in (0..self.lanes_aimed_at()).map(Slot) {
            if self.table.at(slot).is_some_and(|(worker, _)| worker.is_free()) {
                self.prepare_slot(now, slot, out);
            }
        }
    }

    /// A place may have become free: another worker is started there if one is needed.
    pub(super) fn repopulate(&mut self, now: Moment, worker: WorkerId, out: &mut dyn Sink) {
        let (slots, lanes) = (self.table.slots_of(worker), self.lanes_aimed_at());
        for slot in slots.take_while(|slot| *slot < lanes).map(Slot).collect::<Vec<_>>() {
            if self.table.at(slot).is_some_and(|(worker, _)| worker.is_free()) && self.vacancies() > 0 {
                self.prepare_slot(now, slot, out);
            }
        }
    }

    /// Sees to it that a slot is ready for work: a worker that is kept is started, a place for others waits for its task.
    /// Says whether a worker was started.
    fn prepare_slot(&mut self, now: Moment, slot: Slot, out: &mut dyn Sink) -> bool {
        let Some((worker, lane)) = self.table.at(slot) else { return false };
        if self.ending.is_some() {
            return false;
        }
        // A lane of a worker that is there already.
        if self.policy.shares_worker() && matches!(worker.life, Life::Working) && lane.is_at_rest() && !worker.closed {
            self.idle.insert(slot);
        }
        if !worker.is_free() {
            return false;
        }
        if !self.policy.keeps_workers() {
            self.idle.insert(slot);
        } else if self.queue.is_dealt() && !self.policy.shares_worker() && self.queue.next(slot).is_none() {
            // It is started when there is something for it.
        } else if !self.starts.any_left() {
            self.unfinished = true;
        } else {
            self.start(now, slot, None, out);
            return true;
        }
        false
    }

    pub(super) fn start(&mut self, now: Moment, slot: Slot, task: Option<Ticket>, out: &mut dyn Sink) {
        let blocked = now < self.start_blocked_until || !self.can_fork(now, out);
        let Some((worker, _)) = self.table.at_mut(slot) else { return };
        worker.epoch += 1;
        worker.life = if blocked { Life::Waiting } else { Life::Starting(now) };
        if !blocked {
            (worker.pid, worker.asked_for, worker.closed, worker.proven, worker.given) = (None, false, false, false, 0);
        }
        let Some(id) = self.table.lane_id(slot).map(|lane| lane.worker) else { return };
        if blocked {
            self.queue.give_back(task.into_iter());
            // Else the fork server's word is waited for.
            if now < self.start_blocked_until {
                self.timers.set(self.start_blocked_until, Timer::Start(id));
            }
            return;
        }
        for lane in self.table.lanes_of_mut(id) {
            lane.hear(now);
            lane.free_since = now;
            lane.held.clear();
            lane.ghost = None;
            lane.found_in = None;
            lane.taken_back.clear();
            lane.waits_for_room = false;
        }
        if let Some((lane, ticket)) = self.table.lanes_of_mut(id).first_mut().zip(task) {
            if ticket.given_up {
                // Its caller has given up: it is a ghost as soon as there is a process.
                lane.ghost = Some(Ghost::of(&ticket, now));
            } else {
                lane.held.push_back(Held::new(ticket, now, 0));
            }
        }
        if task.is_some_and(|ticket| ticket.given_up) {
            self.deal_to_lanes();
        }
        self.starts.take();
        self.caller_started(id);
        let in_work = task.map(|ticket| Ticket { expires: None, ..ticket });
        let lanes = self.policy.lanes_of_a_worker(NonZeroU32::new(self.workers).unwrap_or(NonZeroU32::MIN));
        out.effect(Effect::Start { worker: id, lanes, task: in_work });
        self.watch_sent(now, id.slot, task.as_slice());
    }

    pub(super) fn started(&mut self, now: Moment, id: WorkerId, pid: u32, out: &mut dyn Sink) {
        self.failed_starts = 0;
        self.start_blocked_until = Moment::ZERO;
        if !self.table.worker(id).is_some_and(|worker| worker.asked_for) {
            // The answer to a start comes right after it, or after that to the one before.
            self.starts.took(now.since(self.turn_before));
        }
        if self.fork_answered(now, id) {
            self.fork_server_proven();
        }
        let Some(worker) = self.table.worker_mut(id) else { return };
        worker.pid = Some(pid);
        let restart = std::mem::take(&mut worker.replaces);
        self.hear_all(now, id);
        out.event(now, &Event::WorkerStarted { worker: id, pid, restart });
        for slot in self.table.slots_of(id).map(Slot) {
            let Some((worker, lane)) = self.table.at_mut(slot) else { break };
            if lane.ghost.is_some() {
                worker.proven = true;
                self.table.lane_id(slot).into_iter().for_each(|lane| out.event(now, &Event::GhostBegan { lane }));
            }
            // Its silence counts from here, whenever it was looked at before.
            self.watch_sent(now, slot, &[]);
        }
    }

    fn hear_all(&mut self, now: Moment, id: WorkerId) {
        self.table.lanes_of_mut(id).iter_mut().for_each(|lane| lane.hear(now));
    }

    /// A worker said hello: it is ready, unless it has an initializer to run.
    pub(super) fn hello(&mut self, now: Moment, id: WorkerId, out: &mut dyn Sink) {
        let Some(worker) = self.table.worker_mut(id) else { return };
        let Life::Starting(since) = worker.life else { return };
        match self.initializer {
            None => self.ready(now, id, out),
            Some(rules) => {
                worker.life = Life::Initializing(since);
                self.hear_all(now, id);
                if let Some(limit) = rules.timeout {
                    self.timers.set(now + limit, Timer::Due(id, Due::Initializer));
                }
            }
        }
    }

    pub(super) fn initialized(
        &mut self,
        now: Moment,
        id: WorkerId,
        result: Result<Option<InitializerFigures>, String>,
        out: &mut dyn Sink,
    ) {
        let Some(worker) = self.table.worker(id) else { return };
        if matches!(worker.life, Life::Leaving | Life::Ending(_)) {
            // It was asked to leave meanwhile.
            return;
        }
        if !matches!(worker.life, Life::Initializing(_)) {
            let reason = "answer of an initializer that was not asked for".to_owned();
            return self.misbehaved(now, id, reason, out);
        }
        match result {
            Ok(figures) => {
                self.failed_initializers = 0;
                if let Some(InitializerFigures { wall, cpu, rss_bytes }) = figures {
                    out.event(now, &Event::WorkerInitialized { worker: id, wall, cpu, rss_bytes });
                }
                self.ready(now, id, out);
            }
            Err(reason) => self.end_worker(now, id, Why::NotInitialized(reason), Duration::ZERO, out),
        }
    }

    /// An initializer has reached its own limit.
    pub(super) fn initializer_overdue(&mut self, now: Moment, id: WorkerId, out: &mut dyn Sink) {
        let is_in_it = |worker: &&Worker| matches!(worker.life, Life::Initializing(_));
        if self.table.worker(id).filter(is_in_it).is_none() {
            return;
        }
        let limit = self.initializer.and_then(|rules| rules.timeout).unwrap_or_default();
        let why = Why::NotInitialized(format!("it took longer than its timeout of {limit:?}"));
        self.end_worker(now, id, why, Duration::ZERO, out);
    }

    fn ready(&mut self, now: Moment, id: WorkerId, out: &mut dyn Sink) {
        let Some(worker) = self.table.worker_mut(id) else { return };
        let (Life::Starting(since) | Life::Initializing(since)) = worker.life else { return };
        worker.life = Life::Working;
        self.hear_all(now, id);
        out.event(now, &Event::WorkerReady { worker: id, took: now.since(since) });
        if !self.policy.keeps_workers() {
            return;
        }
        if id.slot.0 >= self.workers {
            return self.retire(now, id, out);
        }
        for slot in self.table.slots_of(id).map(Slot).collect::<Vec<_>>() {
            if let Some((_, lane)) = self.table.at_mut(slot) {
                lane.free_since = now;
            }
            self.refill(now, slot, out);
        }
    }

    pub(super) fn start_failed(&mut self, now: Moment, id: WorkerId, failure: StartFailure, out: &mut dyn Sink) {
        self.fork_answered(now, id);
        if self.table.worker(id).is_none() {
            return;
        }
        let held = self.table.lanes_of_mut(id).first_mut().and_then(|lane| {
            // A task that nobody waits for is not tried again.
            lane.ghost = None;
            lane.held.pop_front()
        });
        self.deal_to_lanes();
        let overdue = self.table.lanes_of_mut(id).first_mut().and_then(|lane| lane.overdue.take());
        if let Some(overdue) = overdue {
            let report = self.report(now, id.slot, &overdue.task, Outcome::TimedOut, overdue.cause);
            self.attempt_over(now, &overdue.task, report, false, out);
        }
        self.watch(id.slot, None);
        self.caller_did_not_start(now, id, out);
        let life = match failure {
            StartFailure::Transient(_) if self.stopped_at.is_none() => Life::Waiting,
            _ => Life::Free,
        };
        if let Some(worker) = self.table.worker_mut(id) {
            worker.life = life;
        }
        if self.stopped_at.is_some() {
            self.counts.cancelled += held.map_or(0, |held| held.ticket.count);
            return;
        }
        match failure {
            StartFailure::Engine(error) => {
                self.queue.give_back(held.map(|held| held.ticket).into_iter());
                self.give_up(now, error.into(), out);
            }
            StartFailure::Task(message) => {
                // The system was not short of anything.
                self.failed_starts = 0;
                self.start_blocked_until = Moment::ZERO;
                if let Some(held) = held {
                    let report = self.report(now, id.slot, &held, Outcome::Failed, Cause::NotStarted { message });
                    // Another attempt would find the same: no retry.
                    self.attempt_over(now, &held, report, false, out);
                }
                self.repopulate(now, id, out);
                self.pump(now, out);
            }
            StartFailure::Transient(error) => {
                self.queue.give_back(held.map(|held| held.ticket).into_iter());
                // Several that were asked for at the same time are one failure.
                if now >= self.start_blocked_until {
                    self.block_starts(now, &error, out);
                }
                let anyone = self.table.workers().iter().any(|worker| worker.pid.is_some());
                if !anyone && now.since(self.failing_since) > START_PATIENCE {
                    return self.give_up(now, EngineError::Shortage { patience: START_PATIENCE, source: error }, out);
                }
                self.timers.set(self.start_blocked_until, Timer::Start(id));
            }
        }
    }

    /// The system is short of something: for a while no worker is started, each time for longer.
    pub(super) fn block_starts(&mut self, now: Moment, error: &NotStarted, out: &mut dyn Sink) {
        if self.failed_starts == 0 {
            self.failing_since = now;
        }
        let doublings = self.failed_starts.min(16);
        self.failed_starts += 1;
        let pause = START_PAUSE.0.saturating_mul(1 << doublings).min(START_PAUSE.1);
        self.start_blocked_until = now + pause;
        self.shortages += 1;
        // Often enough to be seen, rarely enough to leave room for other notes.
        if self.shortages.is_power_of_two() {
            let reason = chain(error);
            let text = format!("{reason}; trying again in {pause:?} (short {} times so far)", self.shortages);
            self.note(now, Severity::Warning, text, out);
        }
    }

    pub(super) fn start_again(&mut self, now: Moment, id: WorkerId, out: &mut dyn Sink) {
        let Some(worker) = self.table.worker_mut(id) else { return };
        if matches!(worker.life, Life::Waiting) {
            worker.life = Life::Free;
            self.repopulate(now, id, out);
            self.pump(now, out);
        }
    }

    /// Asks a worker to leave after its task.
    pub(super) fn retire(&mut self, now: Moment, id: WorkerId, out: &mut dyn Sink) {
        let keeps_workers = self.policy.keeps_workers();
        let idle = self.is_at_rest(id);
        let Some(worker) = self.table.worker_mut(id) else { return };
        match worker.life {
            Life::Waiting => worker.life = Life::Free,
            // It has not done anything yet, and nobody knows for how long it would be at it.
            Life::Initializing(_) if keeps_workers => self.end_worker(now, id, Why::RunEnds, Duration::ZERO, out),
            // A process with its only task is left to finish it.
            Life::Starting(_) | Life::Working if keeps_workers => {
                worker.life = Life::Leaving;
                worker.deaf = worker.closed;
                self.table.slots_of(id).for_each(|slot| _ = self.idle.remove(&Slot(slot)));
                out.effect(Effect::Retire { worker: id });
                if idle {
                    self.timers.set(now + LEAVE, Timer::Leave(id));
                }
            }
            _ => {}
        }
    }
}
