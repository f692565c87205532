//! Working on tasks: the hot path, and what is not.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Job, LaneRunner, Next, Portion, REPORT_AFTER};
use crate::os::board::BoardEntry;
use crate::os::capture::Capture;
use crate::os::clock::monotonic;
use crate::os::{early, signals};
use crate::worker::calibration::Calibration;
use crate::worker::faults;
use crate::worker::protocol::{self, Failure, MAX_PAYLOAD, MAX_RECORDS, TaskRun, WireRecord};
use crate::worker::{command, work};
use crate::workload::model::{BadResult, TaskIndex, Work};
use crate::workload::service;

impl LaneRunner<'_> {
    /// Works on everything it has.
    pub(in crate::worker) fn work(&mut self) -> io::Result<Next> {
        while let Some(portion) = self.portions.pop_front() {
            let class = usize::from(portion.run.class);
            let Some(job) = self.classes.get_mut(class).and_then(Option::take) else {
                return Err(io::Error::other("tasks of an unknown class"));
            };
            let next = self.work_on(portion, &job);
            self.classes[class] = Some(job);
            if !self.payloads.is_empty() {
                let run = portion.run;
                self.payloads.retain(|index, _| index.wrapping_sub(run.first) >= u64::from(run.count));
            }
            if next? == Next::Leave {
                return Ok(Next::Leave);
            }
        }
        Ok(Next::Go)
    }

    fn work_on(&mut self, Portion { run, whole, last }: Portion, job: &Job) -> io::Result<Next> {
        let setup = self.setup;
        let (seed, calibration) = (setup.seed, Calibration { iterations_per_second: setup.iterations_per_second });
        let mut start = monotonic();
        let begin_by = if run.begin_by == 0 { u64::MAX } else { run.begin_by };
        let end = run.first.saturating_add(u64::from(run.count));
        let mut report_at = self.report_at(whole);
        for index in run.first..end {
            if start >= begin_by {
                self.skip(index, end - index);
                break;
            }
            if self.line.recalled() {
                return Ok(self.leave_with(Portion { run: rest_of(run, index), whole, last }));
            }
            self.line.begin(BoardEntry { index, started: start });
            let (outcome, end) = match job {
                Job::Native(work) if self.line.open_orders() == 0 => {
                    (guarded(work, seed, index, calibration), monotonic())
                }
                Job::Native(work) | Job::Special(work) => {
                    let done = self.special(work, &TaskRun { first: index, count: 1, ..run }, &mut start);
                    if !whole && self.outbox.len() > MAX_PAYLOAD {
                        // So much is not kept until there is more.
                        report_at = 0;
                    }
                    done
                }
            };
            let service = end.saturating_sub(start);
            match outcome {
                Ok(value) => self.records.push(WireRecord { index, start, service, value }),
                Err(failure) => {
                    self.put_records();
                    let failure = Failure { index, start, service, ..*failure };
                    protocol::put_failed(&mut self.outbox, self.number, &failure);
                }
            }
            start = end;
            if self.records.len() >= MAX_RECORDS || end >= report_at {
                if whole {
                    self.put_records();
                } else {
                    self.line.end();
                    self.report()?;
                    report_at = self.report_at(whole);
                    start = monotonic();
                }
            }
            // A SIGTERM is remembered only while a program runs. The last one that did leaves.
            if matches!(job, Job::Special(_)) && signals::terminated() {
                self.report()?;
                if !signals::termination_is_caught() {
                    early::leave(0);
                }
                return Ok(self.leave_with(Portion { run: rest_of(run, index + 1), whole, last }));
            }
        }
        self.line.end();
        if whole && last {
            self.report()?;
        }
        Ok(Next::Go)
    }

    /// What is not begun is left to other workers.
    fn leave_with(&mut self, rest: Portion) -> Next {
        if rest.run.count > 0 {
            self.portions.push_front(rest);
        }
        Next::Leave
    }

    fn report_at(&self, whole: bool) -> u64 {
        if whole { u64::MAX } else { self.reported.saturating_add(REPORT_AFTER) }
    }

    /// One task that is not simply work from a seed and an index. What it came to, and when it ended.
    fn special(&mut self, work: &Work, task: &TaskRun, start: &mut u64) -> (Result<u64, Box<Failure>>, u64) {
        let setup = self.setup;
        // A program does its own wrong: where it is the process itself, nobody else is there to do it.
        let does_its_own = matches!(work, Work::Command(_));
        let instead = if does_its_own { None } else { faults::strike(&setup.faults, setup.seed, task, &self.line) };
        if let Some(bad @ (BadResult::Undecodable | BadResult::Oversized)) = instead {
            self.send_nonsense(bad);
        }
        let (outcome, end) = match work {
            Work::Command(line) => {
                let ran = command::run(line, task, setup, |at, pid| self.line.program_started(at, pid));
                *start = ran.started;
                self.programs += ran.usage;
                (ran.result, ran.ended)
            }
            Work::Echo => (Ok(self.echo(task.first)), monotonic()),
            work if service::is_told(work) => {
                let told = self.payloads.remove(&task.first).unwrap_or_default();
                let calibration = Calibration { iterations_per_second: setup.iterations_per_second };
                let outcome = match service::with_times(work, &told) {
                    Some(work) => guarded(&work, setup.seed, task.first, calibration),
                    None => Err(failed_with("no time came with the task, or one that is none".to_owned())),
                };
                (outcome, monotonic())
            }
            work => {
                let calibration = Calibration { iterations_per_second: setup.iterations_per_second };
                (guarded(work, setup.seed, task.first, calibration), monotonic())
            }
        };
        let wrong = |right: u64| if instead == Some(BadResult::Wrong) { !right } else { right };
        (outcome.map(wrong), end)
    }

    /// Sends what cannot be a result, and stays in its task: whoever looks is to see which one it was.
    fn send_nonsense(&mut self, bad: BadResult) -> ! {
        self.put_records();
        protocol::put_nonsense(&mut self.outbox, self.number, bad);
        let _ = self.outlet.send(&self.outbox);
        loop {
            std::thread::sleep(std::time::Duration::from_secs(3600));
        }
    }

    /// Gives back what came with a task; its hash.
    fn echo(&mut self, index: TaskIndex) -> u64 {
        let bytes = self.payloads.remove(&index).unwrap_or_default();
        protocol::put_result(&mut self.outbox, self.number, index, &bytes);
        let mut hash = Capture::default();
        hash.push(&bytes);
        hash.hash()
    }
}

/// What is left of a run from this task on.
fn rest_of(run: TaskRun, from: TaskIndex) -> TaskRun {
    TaskRun { first: from, count: run.count.saturating_sub(from.wrapping_sub(run.first) as u32), ..run }
}

/// Runs native work; a panic in it is that task's error and not the worker's end. Inlined into the hot path, which would
/// otherwise pay for its being used elsewhere too.
#[inline(always)]
fn guarded(work: &Work, seed: u64, index: u64, calibration: Calibration) -> Result<u64, Box<Failure>> {
    let result = catch_unwind(AssertUnwindSafe(|| work::run(work, seed, index, calibration)));
    let message = match result {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => error.to_string(),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
            format!("panic: {}", text.unwrap_or("without a message"))
        }
    };
    Err(failed_with(message))
}

fn failed_with(message: String) -> Box<Failure> {
    Box::new(Failure { message: Some(message), ..Failure::default() })
}
