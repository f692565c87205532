//! What is reported of tasks: when they ran, and what became of them.

use super::{Given, Heard, Ledger, Ran, ReportedLane};
use crate::engine::error::Contradiction;
use crate::engine::event::{Batch, Event, Record, Slot};
use crate::engine::outcome::{AttemptReport, Cause, Exit, Outcome, Times};
use crate::os::clock::monotonic;
use crate::workload::model::{Attempt, TaskIndex};

impl Ledger {
    /// What a lane is in is lost.
    pub(super) fn lose(&mut self, slot: Slot, pid: u32, cause: &Cause, exit: Exit) {
        let Some(lane) = self.lanes.get_mut(slot.index()) else { return };
        let Some((task, _, start)) = lane.task.take() else { return };
        let ghost = lane.ghost.take();
        let (free_since, worker) =
            (lane.free_since, lane.worker.and_then(|worker| self.workers.get(&worker)).map(|worker| worker.id));
        if let (Some(since), Some(worker)) = (ghost, worker) {
            let after = self.clock.now().since(since);
            self.tell(&Event::GhostEnded { lane: worker.lane(0), after, cpu: None });
        }
        let Some(given) = self.given.remove(&task) else { return };
        self.counts.running -= 1;
        self.reported.lost += 1;
        let now = monotonic();
        if self.is_cut_off(Some(now)) {
            self.counts.cancelled += 1;
            return;
        }
        let mut report = self.report(task, given, Outcome::Lost, cause.clone());
        self.set_ran(&mut report, given, (slot, start, now.saturating_sub(start)), free_since);
        (report.exit, report.pid) = (Some(exit), Some(pid));
        self.count(&report);
    }

    /// Whether a task with this end was cut off by the stop of the run: it ended later, in whatever way, or never began.
    fn is_cut_off(&self, ended: Option<u64>) -> bool {
        self.stopped_at.is_some_and(|stopped| ended.is_none_or(|ended| ended > stopped))
    }

    fn lane(&mut self, task: TaskIndex, lane: Slot) -> Result<&mut ReportedLane, Contradiction> {
        let found = self.lanes.get_mut(lane.index()).filter(|lane| lane.worker.is_some());
        found.ok_or(Contradiction::NoLane { task, lane })
    }

    /// A lane that is free, or in this very task.
    fn lane_for(&mut self, task: TaskIndex, number: Slot) -> Result<ReportedLane, Contradiction> {
        let lane = *self.lane(task, number)?;
        match lane.task {
            Some((other, ..)) if other != task => Err(Contradiction::Busy { task, lane: number, other }),
            _ => Ok(lane),
        }
    }

    pub(super) fn started(&mut self, number: Slot, task: TaskIndex, at: u64, now: u64) -> Heard {
        let lane = self.lane_for(task, number)?;
        let given = *self.given.get(&task).ok_or(Contradiction::NotGiven { task })?;
        if given.lane.is_some() {
            return Err(Contradiction::Times { task, how: "begun twice" });
        }
        check_times(task, given, lane.free_since, at, 0, now)?;
        self.lane(task, number)?.task = Some((task, given.class, at));
        if let Some(given) = self.given.get_mut(&task) {
            given.lane = Some(number);
        }
        self.counts.running += 1;
        Ok(())
    }

    pub(super) fn succeeded(&mut self, number: Slot, tasks: &[(TaskIndex, u64, u64, u64)], now: u64) -> Heard {
        let mut records = std::mem::take(&mut self.records);
        records.clear();
        let mut head: Option<(Given, u64)> = None;
        let heard = tasks.iter().try_for_each(|(task, start, service, value)| {
            let (given, free_since) = self.finish(*task, Some((number, *start, *service)), now)?;
            self.reported.succeeded += 1;
            if self.is_cut_off(Some(start + service)) {
                self.counts.cancelled += 1;
                return Ok(());
            }
            let alike = |(head, _): &(Given, u64)| {
                (head.class, head.arrival, head.sent) == (given.class, given.arrival, given.sent)
            };
            if !head.as_ref().is_some_and(alike) {
                self.flush(number, head.take(), &mut records);
                head = Some((given, free_since));
            }
            self.counts.succeeded += 1;
            let (begin, end) = (self.clock.moment(*start), self.clock.moment(start + service));
            records.push(Record { index: *task, start: begin, service: end.0 - begin.0, after: 0, value: *value });
            Ok(())
        });
        self.flush(number, head, &mut records);
        self.records = records;
        heard
    }

    fn flush(&mut self, slot: Slot, head: Option<(Given, u64)>, records: &mut Vec<Record>) {
        if let Some((given, free_since)) = head {
            let batch = Batch {
                slot,
                class: given.class,
                attempt: Attempt::FIRST,
                arrival: given.arrival,
                sent: self.clock.moment(given.sent),
                free_since: self.clock.moment(free_since),
                records,
            };
            self.observer.event(self.clock.now(), &Event::Succeeded(batch));
        }
        records.clear();
    }

    /// Takes a task out of what is outstanding; also the end of the task before it in its lane.
    fn finish(&mut self, task: TaskIndex, ran: Option<Ran>, now: u64) -> Result<(Given, u64), Contradiction> {
        let given = *self.given.get(&task).ok_or(Contradiction::NotGiven { task })?;
        let mut free_since = 0;
        if let Some((number, start, service)) = ran {
            let lane = self.lane_for(task, number)?;
            if given.lane.is_some_and(|of| of != number) {
                return Err(Contradiction::Times { task, how: "in another lane than the one it began in" });
            }
            check_times(task, given, lane.free_since, start, service, now)?;
            free_since = lane.free_since;
            self.lane(task, number)?.free_since = start + service;
        }
        if let Some(lane) = given.lane.and_then(|lane| self.lanes.get_mut(lane.index())) {
            lane.task = None;
            self.counts.running -= 1;
        }
        self.given.remove(&task);
        Ok((given, free_since))
    }

    pub(super) fn unsuccessful(
        &mut self,
        task: TaskIndex,
        ran: Option<Ran>,
        outcome: Outcome,
        cause: Cause,
        now: u64,
    ) -> Heard {
        let (given, free_since) = self.finish(task, ran, now)?;
        match outcome {
            Outcome::TimedOut => self.reported.timed_out += 1,
            Outcome::Lost => self.reported.lost += 1,
            _ => self.reported.failed += 1,
        }
        if self.is_cut_off(ran.map(|(_, start, service)| start + service)) {
            self.counts.cancelled += 1;
            return Ok(());
        }
        let mut report = self.report(task, given, outcome, cause);
        if let Some(ran) = ran {
            self.set_ran(&mut report, given, ran, free_since);
        }
        self.count(&report);
        Ok(())
    }

    pub(super) fn report(&self, index: TaskIndex, given: Given, outcome: Outcome, cause: Cause) -> AttemptReport {
        let exit = match &cause {
            Cause::Exited { exit } | Cause::WorkerDied { exit, .. } => Some(*exit),
            _ => None,
        };
        AttemptReport {
            index,
            class: given.class,
            attempt: Attempt::FIRST,
            attempts_allowed: 1,
            outcome,
            cause,
            retried: false,
            slot: None,
            pid: None,
            ended: self.clock.now(),
            wait: None,
            startup: None,
            service: None,
            exit,
            killed: false,
            peak_rss_bytes: None,
            stdout_tail: String::new(),
            stderr_tail: String::new(),
            output_omitted_bytes: 0,
        }
    }

    pub(super) fn set_ran(
        &self,
        report: &mut AttemptReport,
        given: Given,
        (slot, start, service): Ran,
        free_since: u64,
    ) {
        let [sent, free, begin, end] = [given.sent, free_since, start, start + service].map(|at| self.clock.moment(at));
        let dispatched = sent.max(free);
        let worker = self.lanes.get(slot.index()).and_then(|lane| self.workers.get(&lane.worker?));
        report.slot = Some(slot);
        report.pid = worker.map(|worker| worker.pid);
        report.ended = end;
        report.set_times(Times {
            wait: dispatched.since(given.arrival),
            startup: begin.since(dispatched),
            service: end.since(begin),
        });
    }

    fn count(&mut self, report: &AttemptReport) {
        match report.outcome {
            Outcome::TimedOut => self.counts.timed_out += 1,
            Outcome::Lost => self.counts.lost += 1,
            _ => self.counts.failed += 1,
        }
        self.tell(&Event::Attempt(report));
    }
}

pub(super) fn check_times(task: TaskIndex, given: Given, free_since: u64, start: u64, service: u64, now: u64) -> Heard {
    let how = if start < given.sent {
        "begun before it was given"
    } else if start < free_since {
        "begun before the end of the one before it in its lane"
    } else if start.checked_add(service).is_none_or(|end| end > now) {
        "with an end in the future"
    } else {
        return Ok(());
    };
    Err(Contradiction::Times { task, how })
}
