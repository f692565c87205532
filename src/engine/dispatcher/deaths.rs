//! Workers that end: the task that was lost with one, the tasks that go back to the queue, the replacement.

use super::input::{Ended, Sink};
use super::slot::{Life, Termination, Why};
use super::{Dispatcher, Policy};
use crate::engine::event::{Event, Moment, Severity};
use crate::engine::outcome::{Cause, Exit, Outcome};

/// How a worker ends that was killed.
const SIGKILL: i32 = libc::SIGKILL;
/// Workers that may end in a row without having done anything before the engine gives up.
const EARLY_DEATHS: u32 = 5;

impl Dispatcher {
    pub(super) fn exited(&mut self, now: Moment, slot: u32, epoch: u32, ended: &Ended, out: &mut dyn Sink) {
        let Some(entry) = self.live(slot, epoch) else { return };
        let life = std::mem::take(&mut entry.life);
        let pid = entry.pid.unwrap_or(0);
        let proven = entry.proven;
        if let Some(task) = ended.task {
            entry.begun(task.index);
        }
        let mut how = format!("with {}{}", ended.exit, last_line(&ended.output.stderr));
        let expected = match &life {
            Life::Leaving => ended.exit.is_success() || entry.is_empty(),
            Life::Ending(ending) => matches!(ending.why, Why::RunEnds),
            _ => false,
        };
        match life {
            Life::Ending(ending) => {
                if !proven && matches!(ending.why, Why::Misbehaved(_) | Why::Silent | Why::Closed) {
                    self.early_deaths += 1;
                }
                if matches!(ending.why, Why::Silent) {
                    how = format!("because it said nothing for {:?}", self.start_timeout);
                }
                self.ended_on_purpose(now, slot, *ending, ended, out);
            }
            Life::Leaving if ended.exit.is_success() => {}
            Life::Free | Life::Waiting => return,
            Life::Starting(_) | Life::Working | Life::Leaving => {
                let cause = Cause::WorkerDied { exit: ended.exit, by_user: false, out_of_memory: ended.out_of_memory };
                self.lose_task(now, slot, &cause, ended, out);
                if !proven && ended.task.is_none() && !expected {
                    self.early_deaths += 1;
                }
            }
        }
        self.release(now, slot, expected, out);
        out.event(
            now,
            &Event::WorkerExited {
                slot,
                pid,
                exit: ended.exit,
                usage: ended.usage,
                expected,
                peak_rss_bytes: ended.peak_rss_bytes,
            },
        );
        if self.early_deaths > EARLY_DEATHS + self.workers {
            let reason =
                format!("{} workers in a row ended before they did anything, the last one {how}", self.early_deaths);
            return self.give_up(now, &reason, out);
        }
        self.admit(now, out);
        self.occupy(now, slot, out);
        self.pump(now, out);
    }

    /// Frees a slot whose worker is gone: what it still held goes back to the head of the queue.
    fn release(&mut self, now: Moment, slot: u32, expected: bool, out: &mut dyn Sink) {
        let ending = self.ending.is_some();
        let Some(entry) = self.slots.get_mut(slot as usize) else { return };
        // What it took up is free for another.
        self.start_blocked_until = Moment::ZERO;
        entry.pid = None;
        entry.life = Life::Free;
        entry.replaces = !expected && self.policy == Policy::Reuse;
        entry.free_since = now;
        let held = std::mem::take(&mut entry.held);
        self.watch(slot, None);
        let open = held.into_iter().filter(|held| !held.expired).map(|held| held.ticket);
        if ending {
            self.counts.cancelled += open.map(|ticket| ticket.count).sum::<u64>();
        } else {
            self.queue.give_back(open);
            self.expire_queue(now, out);
        }
    }

    fn ended_on_purpose(&mut self, now: Moment, slot: u32, ending: Termination, ended: &Ended, out: &mut dyn Sink) {
        match ending.why {
            // What it held is given out again.
            Why::RunEnds | Why::Silent | Why::Outlived => {}
            Why::Closed if matches!(ended.exit, Exit::Signal(SIGKILL) | Exit::Unknown) => {
                // What it was in can never be reported; what it had not begun is given out again.
                if ended.task.is_some() {
                    let cause = Cause::Error { message: "its worker closed its socket and lived on".to_owned() };
                    self.lose_task(now, slot, &cause, ended, out);
                }
            }
            Why::Closed => {
                // It was about to end by itself.
                let cause = Cause::WorkerDied { exit: ended.exit, by_user: false, out_of_memory: ended.out_of_memory };
                self.lose_task(now, slot, &cause, ended, out);
            }
            Why::User => {
                let cause = Cause::WorkerDied { exit: ended.exit, by_user: true, out_of_memory: false };
                self.lose_task(now, slot, &cause, ended, out);
            }
            Why::Misbehaved(reason) => {
                let Some(entry) = self.slots.get_mut(slot as usize) else { return };
                let victim = entry.open().next().map(|held| held.ticket.first);
                let Some(first) = victim.and_then(|index| entry.take_task(index)) else { return };
                let cause = Cause::Error { message: format!("its worker broke the protocol: {reason}") };
                let report = self.report(now, slot, &first, Outcome::Failed, cause);
                let may_retry = self.rules(first.ticket.class).retries.on_error;
                self.attempt_over(now, &first, report, may_retry, out);
            }
            Why::Timeout(overdue) => {
                let held = overdue.task;
                let cause = Cause::Timeout { limit: overdue.limit };
                let mut report = self.report(now, slot, &held, Outcome::TimedOut, cause);
                let service = u64::try_from(now.since(overdue.started).as_nanos()).unwrap_or(u64::MAX);
                if let Some(entry) = self.slots.get(slot as usize) {
                    report.set_times(entry.times(&held, overdue.started, service));
                }
                report.exit = Some(ended.exit);
                report.killed = ending.killed;
                report.peak_rss_bytes = ended.peak_rss_bytes;
                let output = overdue.last_words.map_or_else(|| ended.output.clone(), |words| words.output);
                report.stdout_tail = output.stdout;
                report.stderr_tail = output.stderr;
                report.output_omitted_bytes = output.omitted;
                let may_retry = self.rules(held.ticket.class).retries.on_timeout;
                self.attempt_over(now, &held, report, may_retry, out);
            }
        }
    }

    /// The task that a worker was in is lost with it.
    fn lose_task(&mut self, now: Moment, slot: u32, cause: &Cause, ended: &Ended, out: &mut dyn Sink) {
        let policy = self.policy;
        let Some(entry) = self.slots.get_mut(slot as usize) else { return };
        // The board says which task it was. A process that was started for one task is that task, even if it died
        // before it began.
        let index = match (ended.task, policy) {
            (Some(task), _) => Some(task.index),
            (None, Policy::OneTask) => entry.held.front().map(|held| held.ticket.first),
            (None, Policy::Reuse) => None,
        };
        let Some(held) = index.and_then(|index| entry.take_task(index)) else { return };
        let times = ended.task.map(|task| {
            let service = u64::try_from(now.since(task.started).as_nanos()).unwrap_or(u64::MAX);
            entry.times(&held, task.started, service)
        });
        let mut report = self.report(now, slot, &held, Outcome::Lost, cause.clone());
        if let Some(times) = times {
            report.set_times(times);
        }
        report.exit = Some(ended.exit);
        report.peak_rss_bytes = ended.peak_rss_bytes;
        report.stdout_tail.clone_from(&ended.output.stdout);
        report.stderr_tail.clone_from(&ended.output.stderr);
        report.output_omitted_bytes = ended.output.omitted;
        let may_retry = self.rules(held.ticket.class).retries.on_crash;
        self.attempt_over(now, &held, report, may_retry, out);
    }

    /// The engine cannot go on: everything that is left is cancelled and every worker ended.
    pub(super) fn give_up(&mut self, now: Moment, reason: &str, out: &mut dyn Sink) {
        self.note(now, Severity::Error, reason.to_owned(), out);
        self.end_run(now, crate::engine::event::RunState::Broken, true, out);
    }
}

fn last_line(text: &str) -> String {
    text.lines().rev().find(|line| !line.trim().is_empty()).map_or_else(String::new, |line| format!(": {line}"))
}
