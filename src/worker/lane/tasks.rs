//! Working on tasks: the hot path, and what is not.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Class, Job, LaneRunner, Next, REPORT_AFTER};
use crate::os::board::BoardEntry;
use crate::os::capture::Capture;
use crate::os::clock::monotonic;
use crate::os::{early, signals};
use crate::worker::calibration::Calibration;
use crate::worker::faults;
use crate::worker::protocol::{self, Failure, Handled, MAX_PAYLOAD, MAX_RECORDS, TaskRun, WireRecord};
use crate::worker::{command, work};
use crate::workload::model::{BadResult, PayloadSizes, ProgramRules, TaskIndex, Work};
use crate::workload::program_start::ProgramStart;
use crate::workload::service;

impl LaneRunner<'_> {
    /// Works on everything it has.
    pub(in crate::worker) fn work(&mut self) -> io::Result<Next> {
        while let Some(run) = self.runs.pop_front() {
            let class = usize::from(run.class);
            let Some(of_class) = self.classes.get_mut(class).and_then(Option::take) else {
                return Err(io::Error::other("tasks of an unknown class"));
            };
            let next = self.work_on(run, &of_class);
            self.classes[class] = Some(of_class);
            if !self.payloads.is_empty() {
                self.payloads.retain(|index, _| index.wrapping_sub(run.first) >= u64::from(run.count));
            }
            if next? == Next::Leave {
                return Ok(Next::Leave);
            }
        }
        Ok(Next::Go)
    }

    fn work_on(&mut self, run: TaskRun, class: &Class) -> io::Result<Next> {
        let (setup, Class { job, orders }) = (self.setup, class);
        let (seed, calibration) = (setup.seed, Calibration { iterations_per_second: setup.iterations_per_second });
        let mut start = monotonic();
        let begin_by = if run.begin_by == 0 { u64::MAX } else { run.begin_by };
        let end = run.first.saturating_add(u64::from(run.count));
        let mut report_at = self.report_at();
        let payload = setup.payloads.iter().find(|(class, _)| *class == run.class).map(|(_, payload)| *payload);
        let mut after = 0;
        for index in run.first..end {
            if start >= begin_by {
                self.skip(index, end - index);
                break;
            }
            if self.line.recalled() {
                return Ok(self.leave_with(rest_of(run, index)));
            }
            self.line.begin(BoardEntry { index, started: start });
            let (outcome, end) = match job {
                Job::Native(work) if self.line.open_orders() & orders == 0 => {
                    (guarded(work, seed, index, calibration), monotonic())
                }
                Job::Native(work) | Job::Special(work) => {
                    let mut done = self.special(work, *orders, &TaskRun { first: index, count: 1, ..run }, &mut start);
                    if let Some(payload) = payload {
                        self.carry(index, payload, &mut done);
                        after = monotonic();
                    }
                    if self.outbox.len() > MAX_PAYLOAD {
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
            start = end.max(after);
            if self.records.len() >= MAX_RECORDS || end >= report_at {
                self.line.end();
                self.report()?;
                report_at = self.report_at();
                start = monotonic();
            }
            // A SIGTERM is remembered only while a program runs. The last one that did leaves.
            if matches!(job, Job::Special(_)) && signals::terminated() {
                self.report()?;
                if !signals::termination_is_caught() {
                    early::leave(0);
                }
                return Ok(self.leave_with(rest_of(run, index + 1)));
            }
        }
        self.line.end();
        Ok(Next::Go)
    }

    /// What is not begun is left to other workers.
    fn leave_with(&mut self, rest: TaskRun) -> Next {
        if rest.count > 0 {
            self.runs.push_front(rest);
        }
        Next::Leave
    }

    fn report_at(&self) -> u64 {
        self.reported.saturating_add(REPORT_AFTER)
    }

    /// One task that is not simply work from a seed and an index. What it came to, and when it ended.
    fn special(
        &mut self,
        work: &Work,
        orders: u64,
        task: &TaskRun,
        start: &mut u64,
    ) -> (Result<u64, Box<Failure>>, u64) {
        let setup = self.setup;
        // A program does its own wrong: where it is the process itself, nobody else is there to do it.
        let does_its_own = work.is_program();
        let instead =
            if does_its_own { None } else { faults::strike(&setup.faults, orders, setup.seed, task, &self.line) };
        if let Some(bad @ (BadResult::Undecodable | BadResult::Oversized)) = instead {
            self.send_nonsense(bad);
        }
        let (outcome, end) = match work {
            Work::Command(_) | Work::Program(_) => {
                let begin = match work {
                    Work::Command(line) => {
                        Ok(ProgramStart::of_words(&line.arguments(task.first, task.attempt, setup.seed)))
                    }
                    _ => ProgramStart::decoded(self.came_with(task.first)),
                };
                let usual = ProgramRules::default();
                let rules = if let Work::Program(rules) = work { rules } else { &usual };
                let ran = match begin {
                    Ok(begin) => command::run(&begin, rules, task, setup, &self.line),
                    Err(error) => command::unclear(&error),
                };
                *start = ran.started;
                self.programs += ran.usage;
                (ran.result, ran.ended)
            }
            Work::Served(program) => {
                let line = match self.payloads.remove(&task.first) {
                    Some(came) => came.bytes,
                    None => program.line(task.first, task.attempt, setup.seed),
                };
                let served = self.served.entry(task.class).or_default();
                signals::catch_termination();
                let ran = served.run(program, &line, task, setup, |at, pid| self.line.program_started(at, pid));
                signals::release_termination();
                *start = ran.started;
                self.programs += ran.usage;
                self.put_late();
                (ran.result, ran.ended)
            }
            Work::Echo => (Ok(self.echo(task.first)), monotonic()),
            work if service::is_told(work) => {
                let told = self.came_with(task.first);
                let calibration = Calibration { iterations_per_second: setup.iterations_per_second };
                let payload = setup.payloads.iter().find(|(class, _)| *class == task.class);
                let payload = payload.map_or(0, |(_, payload)| payload.with_task);
                let times = told.len().saturating_sub(usize::try_from(payload).unwrap_or(usize::MAX));
                let outcome = match service::with_times(work, &told[..times]) {
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
        if instead == Some(BadResult::Wrong) && outcome.is_ok() {
            protocol::put_wrong(&mut self.outbox, self.number, task.first);
            return (outcome.map(|right| !right), end);
        }
        (outcome, end)
    }

    fn came_with(&self, index: TaskIndex) -> &[u8] {
        self.payloads.get(&index).map_or(&[], |came| &came.bytes)
    }

    /// Checks that what should have come with a task did, and returns what is to travel with its result: neither is its work.
    fn carry(&mut self, index: TaskIndex, payload: PayloadSizes, done: &mut (Result<u64, Box<Failure>>, u64)) {
        let came = self.payloads.remove(&index).unwrap_or_default();
        let (outcome, end) = done;
        if outcome.is_ok() && (came.bytes.len() as u64) < payload.with_task {
            let message = format!("{} bytes came with it, and {} should have", came.bytes.len(), payload.with_task);
            *outcome = Err(failed_with(message));
        }
        if outcome.is_ok() && payload.with_result > 0 {
            self.line.work_ended(*end);
            protocol::put_result(&mut self.outbox, self.number, index, &payload.with_result(index));
        }
        if self.setup.handling {
            let packing = if payload.with_result > 0 { monotonic().saturating_sub(*end) } else { 0 };
            let handled = Handled { index, received: came.at, packing, ..Handled::default() };
            protocol::put_handled(&mut self.outbox, self.number, &handled);
        }
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
        let bytes = self.payloads.remove(&index).unwrap_or_default().bytes;
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
