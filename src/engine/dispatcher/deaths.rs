//! Workers that end: the task that was lost with one, the tasks that go back to the queue, the replacement.

use super::Dispatcher;
use super::input::{Ended, Sink, TaskOutput};
use super::lane::Overdue;
use super::queue::Ticket;
use super::worker::{Life, Termination, Why};
use crate::engine::chain;
use crate::engine::error::EngineError;
use crate::engine::event::{DeathCause, Event, InTask, Moment, RunState, Severity, Slot, WorkerId};
use crate::engine::outcome::{AttemptReport, Cause, Exit, NO_LINE, Outcome};
use crate::workload::model::TaskIndex;

/// How a worker ends that was killed.
const SIGKILL: i32 = libc::SIGKILL;
/// Workers that may end in a row without having done anything before the engine gives up.
pub(super) const EARLY_DEATHS: u32 = 5;

impl Dispatcher {
    pub(super) fn exited(&mut self, now: Moment, id: WorkerId, ended: &Ended, out: &mut dyn Sink) {
        let empty = self.holds_nothing(id);
        let Some(worker) = self.table.worker_mut(id) else { return };
        let life = std::mem::take(&mut worker.life);
        let pid = worker.pid.unwrap_or(0);
        let proven = worker.proven;
        let told = matches!(&life, Life::Ending(ending) if ending.unkillable);
        if ended.left_behind && !told {
            out.event(now, &Event::WorkerUnkillable { worker: id, pid });
        }
        let mut was_in_task = false;
        for (number, task) in &ended.tasks {
            if let Some((_, lane)) = self.table.lane_mut(id.lane(*number)) {
                // Its board may say what it likes.
                was_in_task |= lane.class_of(task.index).is_some();
                lane.begun(task.index);
            }
        }
        let mut how = format!("with {}{}", ended.exit, last_line(&ended.output.stderr));
        let expected = match &life {
            // One that ends in its task has not come to the end of it, whatever it says with its exit code.
            Life::Leaving => empty || ended.exit.is_success() && !was_in_task,
            Life::Ending(ending) => matches!(ending.why, Why::RunEnds),
            _ => false,
        };
        let cause = why_it_ended(&life, ended, expected);
        match life {
            Life::Ending(ending) => {
                match &ending.why {
                    Why::Misbehaved(_) | Why::Closed if !proven && !was_in_task => self.early_deaths += 1,
                    Why::Silent => {
                        self.early_deaths += u32::from(!proven);
                        how = format!("because it said nothing for {:?}", self.start_timeout);
                    }
                    Why::NotInitialized(reason) => {
                        self.initializer_failed(now, &format!("worker {}", id.slot), reason, out);
                    }
                    _ => {}
                }
                self.ended_on_purpose(now, id, *ending, ended, out);
            }
            Life::Leaving if expected => {}
            Life::Free | Life::Waiting => return,
            Life::Initializing(_) => {
                let reason = format!("its worker ended {how}");
                self.initializer_failed(now, &format!("worker {}", id.slot), &reason, out);
                self.lose_tasks(now, id, &death(ended), ended, out);
            }
            Life::Starting(_) | Life::Working | Life::Leaving => {
                self.lose_tasks(now, id, &death(ended), ended, out);
                if !proven && !was_in_task && !expected {
                    self.early_deaths += 1;
                }
            }
        }
        self.release(now, id, expected, &ended.tasks, out);
        self.ended_for_caller(now, id, out);
        out.event(
            now,
            &Event::WorkerExited {
                worker: id,
                pid,
                exit: ended.exit,
                usage: ended.usage,
                expected,
                cause,
                peak_rss_bytes: ended.peak_rss_bytes,
            },
        );
        // That it cannot go on is told once.
        let goes_on = self.error.is_none();
        if goes_on && self.early_deaths > EARLY_DEATHS + self.workers {
            return self.give_up(now, EngineError::EarlyDeaths { count: self.early_deaths, how }, out);
        }
        if let Some(rules) = self.initializer.filter(|_| goes_on)
            && self.failed_initializers >= rules.max_failures.max(1)
        {
            let error = EngineError::initializer(self.failed_initializers, &self.initializer_failure);
            return self.give_up(now, error, out);
        }
        self.admit(now, out);
        self.repopulate(now, id, out);
        self.pump(now, out);
    }

    pub(super) fn initializer_failed(&mut self, now: Moment, of: &str, reason: &str, out: &mut dyn Sink) {
        self.failed_initializers += 1;
        reason.clone_into(&mut self.initializer_failure);
        // Often enough to be seen, rarely enough to leave room for other notes.
        if self.failed_initializers.is_power_of_two() {
            let text = format!("the initializer of {of} failed: {reason}");
            self.note(now, Severity::Warning, text, out);
        }
    }

    /// Frees the place of a worker that is gone, and that was in these tasks: what its lanes still held goes back to the head
    /// of the queue.
    fn release(&mut self, now: Moment, id: WorkerId, expected: bool, in_tasks: &[(u16, InTask)], out: &mut dyn Sink) {
        if self.stopped_at.is_some() {
            for (number, task) in in_tasks {
                let slot = id.lane(*number).slot();
                if let Some((_, lane)) = self.table.at(slot)
                    && let Some(held) = lane.open_task(task.index)
                {
                    let (index, dispatched, start) = (task.index, lane.dispatched(held), task.started);
                    out.event(now, &Event::CutShort { slot, index, dispatched, start, ended: now });
                }
            }
        }
        let ending = self.ending.is_some();
        let keeps_workers = self.policy.keeps_workers();
        let Some(worker) = self.table.worker_mut(id) else { return };
        // What it took up is free for another.
        self.start_blocked_until = Moment::ZERO;
        worker.pid = None;
        worker.life = Life::Free;
        worker.replaces = !expected && keeps_workers;
        let mut open: Vec<Ticket> = Vec::new();
        let mut gone = Vec::new();
        for slot in self.table.slots_of(id).map(Slot) {
            if let Some((_, lane)) = self.table.at_mut(slot) {
                lane.free_since = now;
                if let Some(ghost) = lane.ghost.take() {
                    let after = now.since(ghost.since);
                    gone.push((slot, after));
                }
                open.extend(lane.held.drain(..).filter(|held| !held.expired).map(|held| held.ticket));
            }
            self.watch(slot, None);
        }
        for (slot, after) in gone {
            if let Some(lane) = self.table.lane_id(slot) {
                out.event(now, &Event::GhostEnded { lane, after, cpu: None });
            }
        }
        self.deal_to_lanes();
        if ending {
            self.counts.cancelled += open.iter().map(|ticket| ticket.count).sum::<u64>();
        } else {
            self.queue.give_back(open.into_iter());
            self.expire_queue(now, out);
        }
    }

    fn ended_on_purpose(&mut self, now: Moment, id: WorkerId, ending: Termination, ended: &Ended, out: &mut dyn Sink) {
        let mut was_overdue = Vec::new();
        for slot in self.table.slots_of(id).map(Slot) {
            if let Some(overdue) = self.table.at_mut(slot).and_then(|(_, lane)| lane.overdue.take()) {
                was_overdue.push(slot);
                self.timed_out(now, slot, overdue, ending.killed, ended, out);
            }
        }
        match ending.why {
            // What it held is given out again, but for what its other lanes were in.
            Why::Silent => {
                let cause = Cause::Error { message: format!("its worker said nothing for {:?}", self.start_timeout) };
                for (number, task) in &ended.tasks {
                    let slot = id.lane(*number).slot();
                    self.lose_task(now, slot, task.index, Some(task.started), &cause, ended, out);
                }
            }
            Why::RunEnds | Why::Outlived | Why::NotInitialized(_) => {}
            // So is what waited for the overdue task. What other lanes were in is lost with their worker.
            Why::Timeout { .. } => {
                let cause = Cause::Error { message: "its worker was ended for another task's timeout".to_owned() };
                for (number, task) in &ended.tasks {
                    let slot = id.lane(*number).slot();
                    if !was_overdue.contains(&slot) {
                        self.lose_task(now, slot, task.index, Some(task.started), &cause, ended, out);
                    }
                }
            }
            Why::Haunted { ghosts, .. } => {
                let message = format!(
                    "its interpreter was replaced: {ghosts} of its threads were in tasks whose callers had given up"
                );
                self.lose_tasks(now, id, &Cause::Error { message }, ended, out);
            }
            Why::Closed if matches!(ended.exit, Exit::Signal(SIGKILL) | Exit::Unknown) => {
                // What it was in can never be reported; what it had not begun is given out again.
                if !ended.tasks.is_empty() {
                    let cause = Cause::Error { message: "its worker closed its socket and lived on".to_owned() };
                    self.lose_tasks(now, id, &cause, ended, out);
                }
            }
            // It was about to end by itself.
            Why::Closed => self.lose_tasks(now, id, &death(ended), ended, out),
            Why::User => {
                let cause = Cause::WorkerDied { exit: ended.exit, by_user: true, out_of_memory: false };
                self.lose_tasks(now, id, &cause, ended, out);
            }
            Why::Misbehaved(reason) => {
                for slot in self.table.slots_of(id).map(Slot) {
                    self.misunderstood(now, slot, &reason, ended, out);
                }
            }
        }
    }

    fn misunderstood(&mut self, now: Moment, slot: Slot, reason: &str, ended: &Ended, out: &mut dyn Sink) {
        let Some((_, lane)) = self.table.at_mut(slot) else { return };
        let victim = lane.open().next().map(|held| held.ticket.first);
        let Some(first) = victim.and_then(|index| lane.take_task(index)) else { return };
        let on_board = ended.tasks.iter().find(|(_, task)| task.index == first.ticket.first);
        let times = on_board.map(|(_, task)| lane.times(&first, task.started, worked(ended, task.started)));
        let cause = Cause::Error { message: format!("its worker broke the protocol: {reason}") };
        let mut report = self.report(now, slot, &first, Outcome::Failed, cause);
        if let Some(times) = times {
            report.set_times(times);
        }
        report.set_end(ended, ended.output.clone());
        let may_retry = self.rules(first.ticket.class).retries.on_error;
        self.attempt_over(now, &first, report, may_retry, out);
    }

    fn timed_out(
        &mut self,
        now: Moment,
        slot: Slot,
        overdue: Overdue,
        killed: bool,
        ended: &Ended,
        out: &mut dyn Sink,
    ) {
        let held = overdue.task;
        let gave_up = matches!(overdue.cause, Cause::WaitTimeout { .. });
        let mut report = self.report(now, slot, &held, Outcome::TimedOut, overdue.cause);
        if let Some(started) = overdue.started
            && let Some((_, lane)) = self.table.at(slot)
        {
            report.set_times(lane.times(&held, started, worked(ended, started)));
        }
        report.killed = killed;
        let mut output = overdue.last_words.map_or_else(|| ended.output.clone(), |words| words.output);
        if self.rules(held.ticket.class).answers && !output.stdout.contains('\n') {
            output.add_line(NO_LINE);
        }
        report.set_end(ended, output);
        let may_retry = self.rules(held.ticket.class).retries.on_timeout && !gave_up;
        self.attempt_over(now, &held, report, may_retry, out);
    }

    fn is_in_known_task(&self, id: WorkerId, ended: &Ended) -> bool {
        let known = |index| self.table.lanes_of(id).first().is_some_and(|lane| lane.class_of(index).is_some());
        ended.tasks.iter().any(|(_, task)| known(task.index))
    }

    /// The tasks that a worker was in are lost with it.
    fn lose_tasks(&mut self, now: Moment, id: WorkerId, cause: &Cause, ended: &Ended, out: &mut dyn Sink) {
        // The board says which tasks it was in. A process that was started for one task is that task, even if it died
        // before it began.
        if !self.policy.keeps_workers() && !self.is_in_known_task(id, ended) {
            let only = self.table.lanes_of(id).first().and_then(|lane| lane.held.front());
            if let Some(index) = only.map(|held| held.ticket.first) {
                self.lose_task(now, id.slot, index, None, cause, ended, out);
            }
        }
        for (number, task) in &ended.tasks {
            let others = bystander(*number, cause, ended);
            let (cause, ended) = others.as_ref().map_or((cause, ended), |(cause, ended)| (cause, ended));
            self.lose_task(now, id.lane(*number).slot(), task.index, Some(task.started), cause, ended, out);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "all of them are facts of one death")]
    fn lose_task(
        &mut self,
        now: Moment,
        slot: Slot,
        index: TaskIndex,
        started: Option<Moment>,
        cause: &Cause,
        ended: &Ended,
        out: &mut dyn Sink,
    ) {
        let Some((_, lane)) = self.table.at_mut(slot) else { return };
        let Some(held) = lane.take_task(index) else { return };
        let times = started.map(|started| lane.times(&held, started, worked(ended, started)));
        let mut report = self.report(now, slot, &held, Outcome::Lost, cause.clone());
        if let Some(times) = times {
            report.set_times(times);
        }
        report.set_end(ended, ended.output.clone());
        let may_retry = self.rules(held.ticket.class).retries.on_crash;
        self.attempt_over(now, &held, report, may_retry, out);
    }

    /// The engine cannot go on: everything that is left is cancelled and every worker ended.
    pub(super) fn give_up(&mut self, now: Moment, error: EngineError, out: &mut dyn Sink) {
        self.note(now, Severity::Error, chain(&error), out);
        self.error.get_or_insert(error);
        self.end_run(now, RunState::Broken, true, out);
    }
}

fn why_it_ended(life: &Life, ended: &Ended, expected: bool) -> DeathCause {
    let by_itself = DeathCause::of_itself(ended.exit, ended.out_of_memory, ended.fault);
    let Life::Ending(ending) = life else { return if expected { DeathCause::Left } else { by_itself } };
    match &ending.why {
        Why::User => DeathCause::Request,
        Why::Timeout { limit } | Why::Haunted { limit, .. } => DeathCause::Timeout { limit: *limit },
        Why::RunEnds => DeathCause::RunOver,
        Why::NotInitialized(_) => DeathCause::Initializer,
        Why::Silent => DeathCause::Silent,
        Why::Outlived => DeathCause::Outlived,
        Why::Misbehaved(_) | Why::Closed if ended.fault => DeathCause::Fault,
        // It was about to end by itself.
        Why::Closed if !matches!(ended.exit, Exit::Signal(SIGKILL) | Exit::Unknown) => by_itself,
        Why::Misbehaved(_) | Why::Closed => DeathCause::Misbehaved,
    }
}

/// What is told of a task that was lost because its worker has died, where it is not the one that did it, or where that is
/// not known.
fn bystander(number: u16, cause: &Cause, ended: &Ended) -> Option<(Cause, Ended)> {
    if ended.tasks.len() < 2 || !matches!(cause, Cause::WorkerDied { by_user: false, .. }) {
        return None;
    }
    let why = if ended.out_of_memory { "want of memory".to_owned() } else { ended.exit.to_string() };
    let message = match ended.culprit {
        Some(culprit) if culprit == number => return None,
        Some(culprit) => {
            let task = ended.tasks.iter().find(|(other, _)| *other == culprit)?.1.index;
            format!("its interpreter ended with {why}: task {task}, in another of its threads, did that")
        }
        None => {
            let tasks = ended.tasks.len();
            format!("its interpreter ended with {why}: which of the {tasks} tasks in its threads did that is not known")
        }
    };
    // What the other one has said is not said by this one.
    let output = if ended.culprit.is_some() { TaskOutput::default() } else { ended.output.clone() };
    Some((Cause::Error { message }, Ended { output, ..ended.clone() }))
}

/// For how long a task was worked on whose worker has ended in it, in nanoseconds: up to that end, whenever it was told.
fn worked(ended: &Ended, started: Moment) -> u64 {
    u64::try_from(ended.at.since(started).as_nanos()).unwrap_or(u64::MAX)
}

fn death(ended: &Ended) -> Cause {
    Cause::WorkerDied { exit: ended.exit, by_user: false, out_of_memory: ended.out_of_memory }
}

pub(super) fn last_line(text: &str) -> String {
    text.lines().rev().find(|line| !line.trim().is_empty()).map_or_else(String::new, |line| format!(": {line}"))
}

impl AttemptReport {
    /// How the worker ended that it was in, and what was printed in it.
    fn set_end(&mut self, ended: &Ended, output: TaskOutput) {
        (self.exit, self.peak_rss_bytes) = (Some(ended.exit), ended.peak_rss_bytes);
        (self.stdout_tail, self.stderr_tail) = (output.stdout, output.stderr);
        self.output_omitted_bytes = output.omitted;
    }
}
