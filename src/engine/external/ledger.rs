//! What an external program was given and what it has reported: the one place where its word is held against the rules of
//! [`super::protocol`], counted, and told to the observer. No I/O, no clock of its own.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use crate::engine::clock::RunClock;
use crate::engine::event::{
    Batch, EndReason, Event, Moment, Observer, Record, Severity, Slot, SlotView, Usage, WorkerId, WorkerState,
};
use crate::engine::external::contradiction::Contradiction;
use crate::engine::external::protocol::{FromProgram, Told, exit};
use crate::engine::outcome::{AttemptReport, Cause, Counts, Exit, Outcome, Times};
use crate::engine::stream::StreamRun;
use crate::os::board;
use crate::workload::model::{Attempt, ClassId, TaskIndex};

type Heard = Result<(), Contradiction>;

/// A task without an outcome.
#[derive(Clone, Copy, Debug)]
struct Given {
    class: ClassId,
    arrival: Moment,
    /// `CLOCK_MONOTONIC`.
    sent: u64,
    lane: Option<Slot>,
}

#[derive(Clone, Copy, Debug, Default)]
struct ReportedLane {
    worker: Option<u32>,
    /// The task it is in, and `CLOCK_MONOTONIC` at its first instruction.
    task: Option<(TaskIndex, ClassId, u64)>,
    /// End of its last task.
    free_since: u64,
    /// Counts the workers whose first lane it was.
    epoch: u32,
}

#[derive(Debug)]
struct ReportedWorker {
    id: WorkerId,
    pid: u32,
    lanes: Vec<Slot>,
    ready: bool,
    started: Moment,
    usage: Usage,
    /// Whether the user wants it killed.
    condemned: bool,
}

/// See the module docs.
pub(super) struct Ledger {
    pub(crate) clock: RunClock,
    pub(crate) observer: Box<dyn Observer>,
    pub(crate) counts: Counts,
    /// The limit on the work of a task of each class.
    timeouts: Vec<Option<Duration>>,
    given: HashMap<TaskIndex, Given>,
    /// Tasks in the order in which they were given, to find the one that has waited longest.
    in_order: VecDeque<(TaskIndex, Moment)>,
    lanes: Vec<ReportedLane>,
    workers: BTreeMap<u32, ReportedWorker>,
    /// Reused.
    records: Vec<Record>,
}

/// Where and when an attempt ran: lane, `CLOCK_MONOTONIC` at its first instruction, nanoseconds of work.
type Ran = (Slot, u64, u64);

impl Ledger {
    pub(super) fn new(timeouts: Vec<Option<Duration>>, observer: Box<dyn Observer>) -> Self {
        Self {
            clock: RunClock::start(),
            observer,
            counts: Counts::default(),
            timeouts,
            given: HashMap::new(),
            in_order: VecDeque::new(),
            lanes: Vec::new(),
            workers: BTreeMap::new(),
            records: Vec::new(),
        }
    }

    fn tell(&mut self, event: &Event<'_>) {
        self.observer.event(self.clock.now(), event);
    }

    /// Tasks without an outcome.
    pub(super) fn outstanding(&self) -> u64 {
        self.given.len() as u64
    }

    /// Tasks were sent at a reading of `CLOCK_MONOTONIC`.
    pub(super) fn give(&mut self, run: StreamRun, arrival: Moment, sent: u64) {
        for task in run.first..run.first + run.count {
            self.given.insert(task, Given { class: run.class, arrival, sent, lane: None });
            self.in_order.push_back((task, arrival));
        }
        if self.in_order.len() > 1024 + 2 * self.given.len() {
            let given = &self.given;
            self.in_order.retain(|(task, _)| given.get(task).is_some_and(|given| given.lane.is_none()));
        }
    }

    /// When the task arrived that was given first of those that have not begun.
    pub(super) fn oldest(&mut self) -> Option<Moment> {
        while let Some((task, arrival)) = self.in_order.front() {
            if self.given.get(task).is_some_and(|given| given.lane.is_none()) {
                return Some(*arrival);
            }
            self.in_order.pop_front();
        }
        None
    }

    /// Holds a line against what is known and tells what it says; `now` is `CLOCK_MONOTONIC`.
    pub(super) fn hear(&mut self, line: FromProgram, now: u64) -> Heard {
        match line {
            FromProgram::WorkerStarted { worker, pid, lanes, restart } => {
                self.worker_started(worker, pid, lanes, restart)
            }
            FromProgram::WorkerReady { worker } => self.worker_ready(worker),
            FromProgram::WorkerUsage { worker, user, system } => {
                let usage = usage(user, system);
                let known = self.worker(worker)?;
                known.usage = usage;
                let lane = known.id.lane(0);
                self.tell(&Event::WorkerUsage { lane, usage });
                Ok(())
            }
            FromProgram::WorkerExited { worker, code, signal, user, system, peak_rss_bytes, expected } => {
                let known = self.worker(worker)?;
                let usage = match (user, system) {
                    (None, None) => known.usage,
                    (user, system) => usage(user.unwrap_or(0), system.unwrap_or(0)),
                };
                let exit = exit(code, signal).unwrap_or(Exit::Unknown);
                self.worker_exited(worker, exit, usage, peak_rss_bytes, expected);
                Ok(())
            }
            FromProgram::Started { lane, task, at } => self.started(lane, task, at, now),
            FromProgram::Succeeded { lane, tasks } => self.succeeded(lane, &tasks, now),
            FromProgram::Failed { task, lane, start, service, message, code, signal } => {
                let cause = match exit(code, signal) {
                    Some(exit) if message.is_empty() => Cause::Exited { exit },
                    _ => Cause::Error { message },
                };
                let ran = ran(lane, start, service);
                self.unsuccessful(task, ran, Outcome::Failed, cause, now)
            }
            FromProgram::TimedOut { task, lane, start, service } => {
                let class = self.given.get(&task).ok_or(Contradiction::NotGiven { task })?.class;
                let limit = self.timeouts.get(usize::from(class)).copied().flatten();
                let limit = limit.ok_or(Contradiction::NoTimeout { task })?;
                self.unsuccessful(task, Some((lane, start, service)), Outcome::TimedOut, Cause::Timeout { limit }, now)
            }
            FromProgram::Lost { task, lane, start, service, signal } => {
                let exit = signal.map_or(Exit::Unknown, Exit::Signal);
                let cause = Cause::WorkerDied { exit, by_user: false, out_of_memory: false };
                self.unsuccessful(task, ran(lane, start, service), Outcome::Lost, cause, now)
            }
            FromProgram::Counts(told) => self.compare(told),
            FromProgram::Hello { .. } => Err(Contradiction::Order("it says hello twice")),
            FromProgram::Want { .. } | FromProgram::Alive => Ok(()),
        }
    }

    fn compare(&self, told: Told) -> Heard {
        let Counts { succeeded, failed, timed_out, lost, .. } = self.counts;
        let reported = Told { succeeded, failed, timed_out, lost };
        let words = |told: Told| {
            let Told { succeeded, failed, timed_out, lost } = told;
            format!("{succeeded} succeeded, {failed} failed, {timed_out} timed out, {lost} lost")
        };
        if told == reported {
            Ok(())
        } else {
            Err(Contradiction::Counts { told: words(told), reported: words(reported) })
        }
    }

    fn worker(&mut self, worker: u32) -> Result<&mut ReportedWorker, Contradiction> {
        self.workers.get_mut(&worker).ok_or(Contradiction::Worker { worker, how: "which has not started or is gone" })
    }

    fn worker_started(&mut self, worker: u32, pid: u32, lanes: Vec<Slot>, restart: bool) -> Heard {
        let wrong = |how| Err(Contradiction::Worker { worker, how });
        if self.workers.contains_key(&worker) {
            return wrong("which has started already");
        }
        if self.workers.values().any(|other| other.pid == pid) {
            return wrong("whose process is another worker's");
        }
        let Some(first) = lanes.first().copied().filter(|_| lanes.iter().all(|lane| lane.0 < board::SLOTS)) else {
            return wrong("whose lanes are none or too many");
        };
        for lane in &lanes {
            let index = lane.index();
            if self.lanes.len() <= index {
                self.lanes.resize(index + 1, ReportedLane::default());
            }
            if self.lanes[index].worker.replace(worker).is_some() {
                return wrong("whose lane is another worker's");
            }
        }
        let account = &mut self.lanes[first.index()];
        account.epoch += 1;
        let id = WorkerId { slot: first, epoch: account.epoch };
        let started = self.clock.now();
        let new = ReportedWorker { id, pid, lanes, ready: false, started, usage: Usage::NONE, condemned: false };
        self.workers.insert(worker, new);
        self.tell(&Event::WorkerStarted { worker: id, pid, restart });
        Ok(())
    }

    fn worker_ready(&mut self, worker: u32) -> Heard {
        let now = self.clock.now();
        let known = self.worker(worker)?;
        known.ready = true;
        let (worker, took) = (known.id, now.since(known.started));
        self.tell(&Event::WorkerReady { worker, took });
        Ok(())
    }

    fn worker_exited(&mut self, worker: u32, exit: Exit, usage: Usage, peak_rss_bytes: Option<u64>, expected: bool) {
        let Some(gone) = self.workers.remove(&worker) else { return };
        let cause = Cause::WorkerDied { exit, by_user: gone.condemned, out_of_memory: false };
        for lane in &gone.lanes {
            self.lose(*lane, gone.pid, &cause, exit);
            if let Some(lane) = self.lanes.get_mut(lane.index()) {
                lane.worker = None;
            }
        }
        self.tell(&Event::WorkerExited { worker: gone.id, pid: gone.pid, exit, usage, expected, peak_rss_bytes });
    }

    /// What a lane is in is lost.
    fn lose(&mut self, slot: Slot, pid: u32, cause: &Cause, exit: Exit) {
        let Some(lane) = self.lanes.get_mut(slot.index()) else { return };
        let Some((task, _, start)) = lane.task.take() else { return };
        let free_since = lane.free_since;
        let Some(given) = self.given.remove(&task) else { return };
        self.counts.running -= 1;
        let now = crate::os::clock::monotonic();
        let mut report = self.report(task, given, Outcome::Lost, cause.clone());
        self.set_ran(&mut report, given, (slot, start, now.saturating_sub(start)), free_since);
        (report.exit, report.pid) = (Some(exit), Some(pid));
        self.count(&report);
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

    fn started(&mut self, number: Slot, task: TaskIndex, at: u64, now: u64) -> Heard {
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

    fn succeeded(&mut self, number: Slot, tasks: &[(TaskIndex, u64, u64, u64)], now: u64) -> Heard {
        let mut records = std::mem::take(&mut self.records);
        records.clear();
        let mut head: Option<(Given, u64)> = None;
        let heard = tasks.iter().try_for_each(|(task, start, service, value)| {
            let (given, free_since) = self.finish(*task, Some((number, *start, *service)), now)?;
            let alike = |(head, _): &(Given, u64)| {
                (head.class, head.arrival, head.sent) == (given.class, given.arrival, given.sent)
            };
            if !head.as_ref().is_some_and(alike) {
                self.flush(number, head.take(), &mut records);
                head = Some((given, free_since));
            }
            self.counts.succeeded += 1;
            let (begin, end) = (self.clock.moment(*start), self.clock.moment(start + service));
            records.push(Record { index: *task, start: begin, service: end.0 - begin.0, value: *value });
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

    fn unsuccessful(&mut self, task: TaskIndex, ran: Option<Ran>, outcome: Outcome, cause: Cause, now: u64) -> Heard {
        let (given, free_since) = self.finish(task, ran, now)?;
        let mut report = self.report(task, given, outcome, cause);
        if let Some(ran) = ran {
            self.set_ran(&mut report, given, ran, free_since);
        }
        self.count(&report);
        Ok(())
    }

    fn report(&self, index: TaskIndex, given: Given, outcome: Outcome, cause: Cause) -> AttemptReport {
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

    fn set_ran(&self, report: &mut AttemptReport, given: Given, (slot, start, service): Ran, free_since: u64) {
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

    /// The worker in a slot, or the first one that is in a task, is to be killed. Its number.
    pub(super) fn condemn(&mut self, slot: Option<Slot>) -> Option<u32> {
        let busy = |lane: &ReportedLane| lane.task.is_some();
        let chosen = match slot {
            Some(slot) => self.lanes.get(slot.index())?,
            None => self.lanes.iter().find(|lane| busy(lane))?,
        };
        let number = chosen.worker?;
        let worker = self.workers.get_mut(&number)?;
        worker.condemned = true;
        let (id, pid) = (worker.id, worker.pid);
        let is_busy =
            |worker: &&ReportedWorker| worker.lanes.iter().filter_map(|lane| self.lanes.get(lane.index())).any(busy);
        let others = self.workers.values().filter(is_busy).map(|other| other.id);
        let others: Vec<WorkerId> = others.filter(|other| *other != id).collect();
        let (pid, reason) = (Some(pid), EndReason::Request);
        self.tell(&Event::WorkerEnding { worker: id, slot: id.slot, pid, reason, others: &others });
        Some(number)
    }

    /// The program is gone, and with it every worker. What has no outcome is lost where it had begun, unless the run was
    /// `stopped`, and cancelled otherwise; `own` is the account of the program itself.
    pub(super) fn close(&mut self, pid: u32, own: (Exit, Usage, Option<u64>), stopped: bool, well: bool) {
        if stopped {
            for lane in &mut self.lanes {
                lane.task = None;
            }
            self.counts.running = 0;
        }
        let left: Vec<u32> = self.workers.keys().copied().collect();
        for number in left {
            let Some(worker) = self.workers.get(&number) else { continue };
            if worker.pid != pid && well && !stopped {
                let text = format!(
                    "worker {number} (process {}) was not reported as ended: its CPU time is not known",
                    worker.pid
                );
                let note = Event::Note { severity: Severity::Warning, text };
                self.observer.event(self.clock.now(), &note);
            }
            let Some(worker) = self.workers.get(&number) else { continue };
            let (exit, usage, peak) = if worker.pid == pid { own } else { (Exit::Unknown, worker.usage, None) };
            self.worker_exited(number, exit, usage, peak, stopped || well);
        }
        self.given.clear();
        self.in_order.clear();
        self.counts.queued = 0;
        self.counts.cancelled += self.counts.submitted - self.counts.finished();
    }

    /// Counts as they are, and every lane.
    pub(super) fn view(&mut self, slots: &mut Vec<SlotView>) -> Counts {
        self.counts.queued = self.counts.submitted - self.counts.finished() - self.counts.running;
        slots.clear();
        for (slot, lane) in (0..).map(Slot).zip(&self.lanes) {
            let worker = lane.worker.and_then(|worker| self.workers.get(&worker));
            let state = match (worker, lane.task) {
                (None, _) => WorkerState::Free,
                (Some(worker), _) if worker.condemned => WorkerState::Ending,
                (Some(_), Some(_)) => WorkerState::Busy,
                (Some(worker), None) if worker.ready || lane.free_since > 0 => WorkerState::Idle,
                (Some(_), None) => WorkerState::Starting,
            };
            let task = lane.task.map(|(task, class, start)| (task, class, self.clock.moment(start)));
            slots.push(SlotView { slot, pid: worker.map(|worker| worker.pid), state, task });
        }
        self.counts
    }
}

fn ran(lane: Option<Slot>, start: Option<u64>, service: Option<u64>) -> Option<Ran> {
    Some((lane?, start?, service?))
}

fn usage(user: u64, system: u64) -> Usage {
    Usage { user: Duration::from_nanos(user), system: Duration::from_nanos(system), ..Usage::NONE }
}

fn check_times(task: TaskIndex, given: Given, free_since: u64, start: u64, service: u64, now: u64) -> Heard {
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

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
