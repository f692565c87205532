//! What an external program was given and what it has reported: the one place where its word is held against the rules of
//! [`super::protocol`], counted, and told to the observer. No I/O, no clock of its own.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use crate::engine::clock::RunClock;
use crate::engine::error::Contradiction;
use crate::engine::event::{Event, Moment, Observer, Record, Severity, Slot, SlotView, Usage, WorkerId, WorkerState};
use crate::engine::external::protocol::{FromProgram, Told, exit};
use crate::engine::outcome::{Cause, Counts, Exit, Outcome};
use crate::engine::stream::StreamRun;
use crate::workload::model::{ClassId, TaskIndex};

mod observed;
mod pieces;
mod tasks;
mod unborn;
mod workers;

pub(super) use observed::Observed;
use pieces::{RanThere, Unsuccessful};
use tasks::check_times;

type Heard = Result<(), Contradiction>;

/// A task without an outcome.
#[derive(Clone, Copy, Debug)]
struct Given {
    class: ClassId,
    arrival: Moment,
    /// `CLOCK_MONOTONIC`.
    sent: u64,
    lane: Option<Slot>,
    /// Of an observed program: it has run, and its outcome is not known yet.
    ran: Option<RanThere>,
}

#[derive(Clone, Copy, Debug, Default)]
struct ReportedLane {
    worker: Option<u32>,
    /// The task it is in, and `CLOCK_MONOTONIC` at its first instruction.
    task: Option<(TaskIndex, ClassId, u64)>,
    /// End of its last task.
    free_since: u64,
    /// Since when nobody waits any more for the task that it is in.
    ghost: Option<Moment>,
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
    /// When it was first seen and when it began, by `CLOCK_MONOTONIC`, as long as that was not told on.
    began: Option<(u64, u64)>,
    usage: Usage,
    peak_rss_bytes: Option<u64>,
    /// Whether it is being killed because the user wants it.
    killed_on_request: bool,
}

/// See the module docs.
pub(super) struct Ledger {
    pub(crate) clock: RunClock,
    pub(crate) observer: Box<dyn Observer>,
    pub(crate) counts: Counts,
    /// What the program has reported, whatever it counts as.
    reported: Told,
    /// When the run was stopped, by `CLOCK_MONOTONIC`.
    stopped_at: Option<u64>,
    /// Whether the end of what is measured was told.
    ends: bool,
    /// The limit on the work of a task of each class.
    timeouts: Vec<Option<Duration>>,
    /// How long the caller of a task of each class waits.
    waits: Vec<Option<Duration>>,
    given: HashMap<TaskIndex, Given>,
    /// Tasks in the order in which they were given, to find the one that has waited longest.
    in_order: VecDeque<(TaskIndex, Moment)>,
    lanes: Vec<ReportedLane>,
    workers: BTreeMap<u32, ReportedWorker>,
    /// Reused.
    records: Vec<Record>,
    /// What is known of a program with a shim in it.
    pub(crate) observed: Option<Observed>,
}

/// Where and when an attempt ran: lane, `CLOCK_MONOTONIC` at its first instruction, nanoseconds of work.
type Ran = (Slot, u64, u64);

impl Ledger {
    pub(super) fn new(
        timeouts: Vec<Option<Duration>>,
        waits: Vec<Option<Duration>>,
        observer: Box<dyn Observer>,
    ) -> Self {
        Self {
            clock: RunClock::start(),
            observer,
            counts: Counts::default(),
            reported: Told::default(),
            stopped_at: None,
            ends: false,
            timeouts,
            waits,
            given: HashMap::new(),
            in_order: VecDeque::new(),
            lanes: Vec::new(),
            workers: BTreeMap::new(),
            records: Vec::new(),
            observed: None,
        }
    }

    fn tell(&mut self, event: &Event<'_>) {
        self.observer.event(self.clock.now(), event);
    }

    /// Tells what happened at a reading of `CLOCK_MONOTONIC` and was heard of later.
    fn tell_of(&mut self, at: u64, event: &Event<'_>) {
        self.observer.event(self.clock.moment(at).min(self.clock.now()), event);
    }

    /// The run is stopped at a reading of `CLOCK_MONOTONIC`: what ended by then has its outcome, whenever that is heard, and
    /// what ends later is cancelled, in whatever way it ends. The same rule as in every engine.
    pub(super) fn stop(&mut self, now: u64) {
        if self.stopped_at.is_none() {
            self.stopped_at = Some(now);
            self.run_ends(true);
        }
    }

    /// The run is measured until now: every task has its outcome or, `early`, it is ended before that. Told once.
    pub(super) fn run_ends(&mut self, early: bool) {
        if !std::mem::replace(&mut self.ends, true) {
            self.tell(&Event::RunEnds { early });
        }
    }

    /// Tasks without an outcome.
    pub(super) fn outstanding(&self) -> u64 {
        self.given.len() as u64
    }

    /// Tasks were sent at a reading of `CLOCK_MONOTONIC`.
    pub(super) fn give(&mut self, run: StreamRun, arrival: Moment, sent: u64) {
        for task in run.first..run.first + run.count {
            self.given.insert(task, Given { class: run.class, arrival, sent, lane: None, ran: None });
            if let Some(seen) = &mut self.observed {
                seen.order.push(task);
            }
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
        self.release_for(&line, now)?;
        match line {
            FromProgram::WorkerStarted { worker, pid, lanes, restart } => {
                self.worker_started(worker, pid, lanes, restart)
            }
            FromProgram::WorkerReady { worker } => self.worker_ready(worker, now),
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
            FromProgram::Want { .. } | FromProgram::Alive | FromProgram::Closing { .. } => Ok(()),
            FromProgram::Back { results } => {
                results.iter().try_for_each(|(job, piece, at, since)| self.piece_came_back((*job, *piece), *at, *since))
            }
            FromProgram::Unsuccessful { job, piece, at, since, message, trace, broken } => {
                let how = Unsuccessful { message: &message, trace: &trace, since, broken };
                self.piece_failed((job, piece), at, &how);
                Ok(())
            }
            FromProgram::Ended { job, code, signal } => {
                self.ended_before(job, exit(code, signal).unwrap_or(Exit::Unknown));
                Ok(())
            }
            FromProgram::Delivered { results } => {
                results.iter().for_each(|(count, at)| self.delivered(*count, *at));
                Ok(())
            }
            FromProgram::Stuck { why } => {
                self.stuck(&why);
                Ok(())
            }
            FromProgram::Over => {
                let now = self.clock.now();
                self.seen().over = Some(now);
                Ok(())
            }
            FromProgram::Values { values } => {
                self.values(Some(&values));
                Ok(())
            }
            FromProgram::NotCompared => {
                self.values(None);
                Ok(())
            }
            FromProgram::Note { text } => {
                self.tell(&Event::Note { severity: Severity::Warning, text });
                Ok(())
            }
        }
    }

    fn compare(&self, told: Told) -> Heard {
        let reported = self.reported;
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

    /// Counts as they are, and every lane.
    pub(super) fn view(&mut self, slots: &mut Vec<SlotView>) -> Counts {
        let settled = self.counts.finished() + self.counts.running;
        self.counts.queued = self.counts.submitted.saturating_sub(settled);
        slots.clear();
        for (slot, lane) in (0..).map(Slot).zip(&self.lanes) {
            let worker = lane.worker.and_then(|worker| self.workers.get(&worker));
            let state = match (worker, lane.task) {
                (None, _) => WorkerState::Free,
                (Some(worker), _) if worker.killed_on_request => WorkerState::Ending,
                (Some(_), Some(_)) if lane.ghost.is_some() => WorkerState::Ghost,
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

#[cfg(test)]
mod tests;
