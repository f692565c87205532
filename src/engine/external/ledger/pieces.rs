//! The outcomes of tasks that a shim saw running, once their piece has come back to the caller.

use super::{Given, Heard, Ledger, check_times};
use crate::engine::error::Contradiction;
use crate::engine::event::{Batch, Event, Moment, Record, Slot};
use crate::engine::outcome::{Cause, Exit, Outcome};
use crate::workload::model::{Attempt, SubmitMode, TaskIndex};

/// Where and when a task ran whose outcome is not known yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct RanThere {
    pub(super) slot: Slot,
    /// `CLOCK_MONOTONIC` at its first instruction.
    pub(super) start: u64,
    /// Nanoseconds.
    pub(super) service: u64,
    /// When its lane was free for it.
    pub(super) free_since: u64,
    /// Whether it ended with an exception.
    pub(super) raised: bool,
}

/// Why a piece did not go well.
#[derive(Debug)]
pub(super) struct Unsuccessful<'a> {
    pub(super) message: &'a str,
    pub(super) trace: &'a str,
    /// When its process was started, or it was handed in; 0 if that is known otherwise.
    pub(super) since: u64,
    /// The whole pool is broken.
    pub(super) broken: bool,
}

impl Ledger {
    /// A task has run in a lane, well or not.
    pub(super) fn task_ran(&mut self, slot: Slot, task: TaskIndex, ran: (u64, u64), raised: bool, now: u64) -> Heard {
        let (start, service) = ran;
        let Some(lane) = self.lanes.get_mut(slot.index()) else { return Ok(()) };
        let free_since = lane.free_since;
        let was_in = lane.task.is_some_and(|(in_it, ..)| in_it == task);
        if was_in {
            lane.task = None;
        }
        lane.free_since = lane.free_since.max(start + service);
        if let Some(since) = lane.ghost.take_if(|_| was_in) {
            let worker = lane.worker.and_then(|worker| self.workers.get(&worker)).map(|worker| worker.id);
            if let Some(worker) = worker {
                let after = self.clock.now().since(since);
                self.tell(&Event::GhostEnded { lane: worker.lane(0), after, cpu: None });
            }
        }
        let Some(given) = self.given.get(&task).copied() else { return Ok(()) };
        check_times(task, given, free_since, start, service, now)?;
        if was_in {
            self.counts.running -= 1;
        }
        if let Some(given) = self.given.get_mut(&task) {
            given.lane = Some(slot);
            given.ran = Some(RanThere { slot, start, service, free_since, raised });
        }
        Ok(())
    }

    /// The caller has the results of a piece since a reading of `CLOCK_MONOTONIC`.
    pub(super) fn piece_came_back(&mut self, (job, piece): (u64, u64), at: u64, since: u64) -> Heard {
        let positions = self.seen().positions(job, piece);
        let tasks = self.seen().tasks(positions.clone());
        let moment = self.clock.moment(at);
        let mut records: Vec<Record> = Vec::with_capacity(tasks.len());
        let mut head: Option<(Given, RanThere)> = None;
        let mut heard = Ok(());
        for (task, position) in tasks.into_iter().zip(positions) {
            // One that was given up has its outcome.
            let Some(mut given) = self.given.get(&task).copied() else { continue };
            let Some(ran) = given.ran else {
                heard = Err(Contradiction::Times { task, how: "as done, of which its worker has told nothing" });
                break;
            };
            self.given.remove(&task);
            self.since(&mut given, since);
            self.reported.succeeded += 1;
            if self.stopped_at.is_some_and(|stopped| ran.start + ran.service > stopped) {
                self.counts.cancelled += 1;
                continue;
            }
            let alike = |(head, _): &(Given, RanThere)| (head.arrival, head.sent) == (given.arrival, given.sent);
            if !head.as_ref().is_some_and(alike) {
                self.put_batch(moment, head.take(), &mut records);
                head = Some((given, ran));
            }
            self.counts.succeeded += 1;
            let (begin, end) = (self.clock.moment(ran.start), self.clock.moment(ran.start + ran.service));
            records.push(Record { index: task, start: begin, service: end.0 - begin.0, after: 0, value: 0 });
            self.deliverable(moment, position, given.arrival, end);
        }
        self.put_batch(moment, head, &mut records);
        heard
    }

    /// The caller handed it in, or started its process, at this time: with `apply` no earlier task had to be waited for.
    fn since(&self, given: &mut Given, since: u64) {
        if since > 0 {
            given.sent = given.sent.max(since);
            if self.observed.as_ref().is_some_and(|seen| seen.mode == SubmitMode::Apply) {
                given.arrival = given.arrival.max(self.clock.moment(since));
            }
        }
    }

    fn put_batch(&mut self, moment: Moment, head: Option<(Given, RanThere)>, records: &mut Vec<Record>) {
        if let Some((given, ran)) = head {
            let batch = Batch {
                slot: ran.slot,
                class: given.class,
                attempt: Attempt::FIRST,
                arrival: given.arrival,
                sent: self.clock.moment(given.sent),
                free_since: self.clock.moment(ran.free_since),
                records,
            };
            self.observer.event(moment, &Event::Succeeded(batch));
        }
        records.clear();
    }

    /// A piece did not go well: each of its tasks has raised, ran and was not delivered, or was never run.
    pub(super) fn tasks_failed(&mut self, tasks: &[TaskIndex], first: u64, at: u64, how: &Unsuccessful<'_>) {
        let ran = |ledger: &Self, task: &TaskIndex| ledger.given.get(task).and_then(|given| given.ran);
        let culprit = tasks.iter().copied().find(|task| ran(self, task).is_some_and(|ran| ran.raised));
        let moment = self.clock.moment(at);
        for (task, position) in tasks.iter().copied().zip(first..) {
            let Some(mut given) = self.given.get(&task).copied() else { continue };
            self.since(&mut given, how.since);
            let message = |text: String| Cause::Error { message: text };
            let own = || message(how.message.to_owned());
            let (outcome, cause) = match (given.ran, culprit) {
                (Some(ran), Some(other)) if !ran.raised => {
                    let text = format!("it ran, and its result was not delivered: task {other} of its chunk failed");
                    (Outcome::Lost, message(text))
                }
                (None, Some(other)) => {
                    (Outcome::Failed, message(format!("never run: task {other} of its chunk failed")))
                }
                (None, None) if how.broken && given.lane.is_some() => (Outcome::Lost, own()),
                _ => (Outcome::Failed, own()),
            };
            self.leave_lane(task);
            self.given.remove(&task);
            match outcome {
                Outcome::Lost => self.reported.lost += 1,
                _ => self.reported.failed += 1,
            }
            let ended = given.ran.map(|ran| ran.start + ran.service);
            if self.stopped_at.is_some_and(|stopped| ended.is_none_or(|ended| ended > stopped)) {
                self.counts.cancelled += 1;
                continue;
            }
            let mut report = self.report(task, given, outcome, cause);
            if let Some(ran) = given.ran {
                self.set_ran(&mut report, given, (ran.slot, ran.start, ran.service), ran.free_since);
                if outcome == Outcome::Failed {
                    how.trace.clone_into(&mut report.stderr_tail);
                }
            }
            let (arrival, end) = (given.arrival, report.ended);
            self.count_at(moment, &report);
            self.deliverable(moment, position, arrival, end);
        }
    }

    /// A task is in no lane any more.
    pub(super) fn leave_lane(&mut self, task: TaskIndex) {
        let Some(given) = self.given.get_mut(&task) else { return };
        let Some(lane) = given.lane.and_then(|lane| self.lanes.get_mut(lane.index())) else { return };
        if lane.task.is_some_and(|(in_it, ..)| in_it == task) {
            lane.task = None;
            self.counts.running -= 1;
        }
    }

    /// A task is lost, whether it began or not.
    pub(super) fn lose_task(&mut self, task: TaskIndex, cause: Cause, died: Option<(Exit, u32)>) {
        let Some(given) = self.given.get(&task).copied() else { return };
        let start = given.lane.and_then(|lane| {
            let (in_it, _, start) = self.lanes.get(lane.index())?.task?;
            (in_it == task).then_some((lane, start))
        });
        self.leave_lane(task);
        self.given.remove(&task);
        self.reported.lost += 1;
        if self.stopped_at.is_some() {
            self.counts.cancelled += 1;
            return;
        }
        let mut report = self.report(task, given, Outcome::Lost, cause);
        let now = crate::os::clock::monotonic();
        if let Some(ran) = given.ran {
            self.set_ran(&mut report, given, (ran.slot, ran.start, ran.service), ran.free_since);
        } else if let Some((slot, start)) = start {
            let free_since = self.lanes.get(slot.index()).map_or(0, |lane| lane.free_since);
            self.set_ran(&mut report, given, (slot, start, now.saturating_sub(start)), free_since);
        }
        if let Some((exit, pid)) = died {
            (report.exit, report.pid) = (Some(exit), Some(pid));
        }
        self.count_at(self.clock.now(), &report);
    }
}
