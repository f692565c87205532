//! Taking in results: one outcome for every task, whatever its worker says.

use std::time::Duration;

use super::Dispatcher;
use super::input::{Sink, TaskFailure};
use super::lane::{Held, Lane};
use super::presence::earlier;
use super::timers::Timer;
use super::worker::Life;
use crate::engine::dispatcher::deadlines::LEAVE;
use crate::engine::dispatcher::queue::Ticket;
use crate::engine::dispatcher::queue::expired::Place;
use crate::engine::event::{Batch, Event, LaneId, Moment, Record, Slot};
use crate::engine::outcome::{AttemptReport, Cause, Exit, Outcome, Times};
use crate::workload::model::TaskIndex;

impl Dispatcher {
    pub(super) fn done(&mut self, now: Moment, id: LaneId, records: &[Record], out: &mut dyn Sink) {
        let mut rest = records;
        if let Some((_, lane)) = self.table.lane_mut(id) {
            lane.hear(now);
        }
        let slot = id.slot();
        let told = records.last().map_or(now, end_of).min(now);
        while let Some(record) = rest.first() {
            if self.is_unheard(now, id, record.index, out) {
                rest = &rest[1..];
                continue;
            }
            let Some((worker, lane)) = self.table.lane_mut(id) else { return };
            if lane.overdue.as_ref().is_some_and(|overdue| overdue.task.ticket.first == record.index) {
                // It finished while it was being ended: its outcome stands.
                rest = &rest[1..];
                continue;
            }
            let Some(held) = lane.held.front_mut() else {
                let reason = format!("result of task {} that was not given to it", record.index);
                return self.misbehaved(now, id.worker, reason, out);
            };
            let most = usize::try_from(held.ticket.count).unwrap_or(usize::MAX).min(rest.len());
            let fitting = rest[..most]
                .iter()
                .zip(held.ticket.first..)
                .take_while(|(record, index)| record.index == *index)
                .count();
            if fitting == 0 {
                let reason = format!("result of task {} where {} was next", record.index, held.ticket.first);
                return self.misbehaved(now, id.worker, reason, out);
            }
            let (batch, later) = rest.split_at(fitting);
            rest = later;
            let before = *held;
            held.ticket.first += fitting as u64;
            held.ticket.count -= fitting as u64;
            if held.ticket.count == 0 {
                lane.held.pop_front();
            }
            let free_since = lane.free_since;
            let end = batch.last().map_or(free_since, end_of);
            let free = batch.last().map_or(end, |last| Moment(end.0.saturating_add(last.after)));
            lane.free_since = free;
            worker.proven = true;
            if before.expired {
                // It was begun at the last moment: its outcome stands.
                worker.given += fitting as u64;
                continue;
            }
            self.early_deaths = 0;
            let counted = self.before_stop(batch);
            self.counts.succeeded += counted as u64;
            self.counts.cancelled += (fitting - counted) as u64;
            let (batch, cut) = batch.split_at(counted);
            // The first of these was in work then, and none behind it had begun.
            if let Some(Record { index, start, .. }) = cut.first().copied() {
                let dispatched = before.sent.max(batch.last().map_or(free_since, end_of));
                let ended = cut.first().map_or(start, end_of);
                out.event(now, &Event::CutShort { slot, index, dispatched, start, ended });
            }
            if batch.is_empty() {
                continue;
            }
            let begin = batch.first().map_or(end, |first| first.start);
            let nanos = u64::try_from(free.since(begin).as_nanos()).unwrap_or(u64::MAX);
            self.estimates.observe(before.ticket.class, counted as u64, nanos);
            let Ticket { class, attempt, arrival, .. } = before.ticket;
            self.present.ended_earlier(earlier(batch, arrival, told).into());
            let batch = Batch { slot, class, attempt, arrival, sent: before.sent, free_since, records: batch };
            self.tell(now, &Event::Succeeded(batch), out);
            self.look_at_halt(now, out);
            self.deliver_batch(now, &before.ticket, batch.records, out);
        }
        self.after_result(now, slot, out);
    }

    /// Bytes that a task returns are told if somebody waits for them.
    pub(super) fn returned(&mut self, now: Moment, id: LaneId, index: TaskIndex, bytes: &[u8], out: &mut dyn Sink) {
        let Some((_, lane)) = self.table.lane_mut(id) else { return };
        lane.hear(now);
        let given_up = lane.ghost.is_some_and(|ghost| ghost.index == index)
            || lane.taken_back.iter().any(|held| held.contains(index))
            || lane.has_expired(index);
        if given_up {
            return;
        }
        if lane.class_of(index).is_none() {
            let reason = format!("bytes of task {index}, which was not given to it");
            return self.misbehaved(now, id.worker, reason, out);
        }
        self.tell(now, &Event::Returned { slot: id.slot(), index, bytes }, out);
    }

    pub(super) fn failed(&mut self, now: Moment, id: LaneId, failure: Box<TaskFailure>, out: &mut dyn Sink) {
        let slot = id.slot();
        if self.is_unheard(now, id, failure.index, out) {
            return self.after_result(now, slot, out);
        }
        let Some((worker, lane)) = self.table.lane_mut(id) else { return };
        if let Some(overdue) = &mut lane.overdue
            && overdue.task.ticket.first == failure.index
        {
            overdue.last_words = Some(failure);
            return;
        }
        let Some(next) = lane.held.pop_front_if(|held| held.ticket.first == failure.index) else {
            let reason = format!("error of task {} that was not next", failure.index);
            return self.misbehaved(now, id.worker, reason, out);
        };
        let (held, rest) = next.split(1);
        rest.into_iter().for_each(|rest| lane.held.push_front(rest));
        let (dispatched, report_times) = (lane.dispatched(&held), lane.times(&held, failure.start, failure.service));
        // The next attempt at it, be it here, has a start of its own.
        lane.found_in = None;
        lane.hear(now);
        let end = Moment(failure.start.0.saturating_add(failure.service));
        lane.free_since = end;
        worker.proven = true;
        self.early_deaths = 0;
        if held.expired {
            // It was begun at the last moment: its outcome stands.
            worker.given += 1;
            return self.after_result(now, slot, out);
        }
        if self.stopped_at.is_some_and(|stopped| end > stopped) {
            self.counts.cancelled += 1;
            let (index, start) = (failure.index, failure.start);
            out.event(now, &Event::CutShort { slot, index, dispatched, start, ended: end });
            return self.after_result(now, slot, out);
        }
        self.estimates.observe(held.ticket.class, 1, failure.service);
        let cause = match (&failure.message, failure.exit) {
            (Some(message), _) if failure.not_started => Cause::NotStarted { message: message.clone() },
            (Some(message), _) => Cause::Error { message: message.clone() },
            (None, Some(exit)) => Cause::Exited { exit },
            (None, None) => Cause::Error { message: "the worker gave no reason".to_owned() },
        };
        let mut report = self.report(now, slot, &held, Outcome::Failed, cause);
        if !failure.not_started {
            report.set_times(report_times);
        }
        report.exit = failure.exit;
        report.stdout_tail = failure.output.stdout;
        report.stderr_tail = failure.output.stderr;
        report.output_omitted_bytes = failure.output.omitted;
        let retries = self.rules(held.ticket.class).retries;
        // A program that a signal ended has crashed, even though its worker lives on.
        let crashed = matches!(failure.exit, Some(Exit::Signal(_)));
        let may_retry = (retries.on_error || retries.on_crash && crashed) && !failure.not_started;
        self.attempt_over(now, &held, report, may_retry, out);
        self.after_result(now, slot, out);
    }

    /// How many of these ended before the run was stopped. What was in work at that moment is cancelled, whether it ends
    /// in its grace period or is ended: no engine can tell the two apart for every task.
    fn before_stop(&self, records: &[Record]) -> usize {
        self.stopped_at.map_or(records.len(), |stopped| records.partition_point(|record| end_of(record) <= stopped))
    }

    /// A lane has reported: it gets more to do, or its worker leaves.
    pub(super) fn after_result(&mut self, now: Moment, slot: Slot, out: &mut dyn Sink) {
        let keeps_workers = self.policy.keeps_workers();
        let Some(id) = self.table.lane_id(slot).map(|lane| lane.worker) else { return };
        let empty = self.is_at_rest(id);
        let Some(worker) = self.table.worker_mut(id) else { return };
        match worker.life {
            Life::Working if keeps_workers => self.refill(now, slot, out),
            // A worker that reports before its hello was handed in has said all there is to say.
            Life::Working | Life::Starting(_) | Life::Initializing(_) if empty && !keeps_workers => {
                worker.life = Life::Leaving;
                self.timers.set(now + LEAVE, Timer::Leave(id));
            }
            Life::Leaving if empty && keeps_workers => self.timers.set(now + LEAVE, Timer::Leave(id)),
            _ => {}
        }
        self.room_was_made(now, id, out);
        // Room in the system lets a blocked arrival in.
        self.admit(now, out);
        self.pump(now, out);
    }

    /// A report about an attempt, with what is known in any case.
    pub(super) fn report(&self, now: Moment, slot: Slot, held: &Held, outcome: Outcome, cause: Cause) -> AttemptReport {
        AttemptReport {
            index: held.ticket.first,
            class: held.ticket.class,
            attempt: held.ticket.attempt,
            attempts_allowed: self.rules(held.ticket.class).retries.max + 1,
            outcome,
            cause,
            retried: false,
            slot: Some(slot),
            pid: self.table.at(slot).and_then(|(worker, _)| worker.pid),
            ended: now,
            wait: None,
            startup: None,
            service: None,
            exit: None,
            killed: false,
            peak_rss_bytes: None,
            stdout_tail: String::new(),
            stderr_tail: String::new(),
            output_omitted_bytes: 0,
        }
    }

    /// One task's attempt did not succeed: it is tried again, or that was its outcome.
    pub(super) fn attempt_over(
        &mut self,
        now: Moment,
        held: &Held,
        mut report: AttemptReport,
        may_retry: bool,
        out: &mut dyn Sink,
    ) {
        let ticket = Ticket { count: 1, ..held.ticket };
        let retries = self.rules(ticket.class).retries;
        if self.ending.is_none() && !self.halting.reached && may_retry && ticket.attempt.number() <= retries.max {
            report.retried = true;
            self.counts.retries += 1;
            self.retrying += 1;
            let pause = retries.backoff.pause(self.seed, ticket.first, ticket.attempt.number());
            // Its caller may give up before the pause is over.
            let expires = self.rules(ticket.class).gives_up(ticket.arrival);
            let next = Ticket { attempt: ticket.attempt.next(), expires, ..ticket };
            let at = expires.map_or(now + pause, |expires| expires.min(now + pause));
            self.timers.set(at, Timer::Retry(next));
        } else {
            match report.outcome {
                Outcome::Failed => self.counts.failed += 1,
                Outcome::TimedOut => {
                    self.counts.timed_out += 1;
                    self.counts.wait_timed_out += u64::from(matches!(report.cause, Cause::WaitTimeout { .. }));
                }
                Outcome::Lost => self.counts.lost += 1,
                Outcome::Cancelled => self.counts.cancelled += 1,
                Outcome::Dropped => self.counts.dropped += 1,
                Outcome::Succeeded => self.counts.succeeded += 1,
            }
        }
        self.tell(now, &Event::Attempt(&report), out);
        self.look_at_halt(now, out);
        if !report.retried {
            let place = Place { position: ticket.position(), count: 1, arrival: ticket.arrival };
            self.deliver_errors(now, now, &[place], out);
        }
    }
}

fn end_of(record: &Record) -> Moment {
    Moment(record.start.0.saturating_add(record.service))
}

impl Lane {
    /// When it was free for a task that it holds.
    pub(super) fn dispatched(&self, held: &Held) -> Moment {
        held.sent.max(self.free_since)
    }

    /// Wait, startup and service of a task that began at `start`.
    pub(super) fn times(&self, held: &Held, start: Moment, service: u64) -> Times {
        let dispatched = self.dispatched(held);
        Times {
            wait: dispatched.since(held.ticket.arrival),
            startup: start.since(dispatched),
            service: Duration::from_nanos(service),
        }
    }
}
