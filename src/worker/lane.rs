//! A lane: works on one task at a time and reports. Knows nothing of other lanes but that there may be some.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use crate::os::accounting::Usage;
use crate::os::board::{BoardEntry, OwnLine};
use crate::os::capture::Capture;
use crate::os::child::{UsageOf, own_usage};
use crate::os::clock::monotonic;
use crate::os::{early, signals};
use crate::worker::calibration::Calibration;
use crate::worker::faults;
use crate::worker::protocol::{
    self, Failure, Frame, LaneNumber, MAX_BYTES, MAX_PAYLOAD, MAX_RECORDS, Piece, ProtocolError, Setup, TaskRun,
    ToWorker, WireRecord,
};
use crate::worker::{command, initializer, work};
use crate::workload::model::{BadResult, TaskIndex, Work};

/// A worker reports at the latest this long after a task, in nanoseconds, unless the next one keeps it busy.
const REPORT_AFTER: u64 = 100_000;

/// Whether there is more to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Go,
    Leave,
}

/// Where reports go. Several lanes take turns, so that no frame is cut in two; one lane needs none.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReportSocket<'a> {
    pub(crate) socket: &'a UnixStream,
    pub(crate) turns: Option<&'a Mutex<()>>,
}

impl ReportSocket<'_> {
    pub(super) fn send(mut self, bytes: &[u8]) -> io::Result<()> {
        let _turn = self.turns.map(|turns| turns.lock().unwrap_or_else(PoisonError::into_inner));
        self.socket.write_all(bytes)
    }
}

/// What the tasks of a class do.
#[derive(Debug)]
enum Job {
    /// Work from a seed and an index: the hot path.
    Native(Work),
    /// Anything else: a program, work with bytes, work with faults.
    Special(Work),
}

/// A run of tasks that was sent.
#[derive(Clone, Copy, Debug)]
struct Portion {
    run: TaskRun,
    /// Whether its report waits for those that were sent with it.
    whole: bool,
    /// Whether none that was sent with it comes after it.
    last: bool,
}

/// See the module docs.
#[derive(Debug)]
pub(super) struct Lane<'a> {
    number: LaneNumber,
    line: OwnLine,
    outlet: ReportSocket<'a>,
    setup: &'a Setup,
    classes: Vec<Option<Job>>,
    portions: VecDeque<Portion>,
    /// What came with tasks that are not done yet.
    payloads: BTreeMap<TaskIndex, Vec<u8>>,
    records: Vec<WireRecord>,
    outbox: Vec<u8>,
    reported: u64,
    /// What the programs used that this lane ran.
    programs: Usage,
}

impl<'a> Lane<'a> {
    pub(super) fn new(number: LaneNumber, line: OwnLine, outlet: ReportSocket<'a>, setup: &'a Setup) -> Self {
        Self {
            number,
            line,
            outlet,
            setup,
            classes: Vec::new(),
            portions: VecDeque::new(),
            payloads: BTreeMap::new(),
            records: Vec::new(),
            outbox: Vec::new(),
            reported: monotonic(),
            programs: Usage::NONE,
        }
    }

    /// What is sent with the next report, before everything else.
    pub(super) fn outbox(&mut self) -> &mut Vec<u8> {
        &mut self.outbox
    }

    /// Takes in a frame.
    pub(super) fn take(&mut self, frame: Frame<'_>) -> io::Result<Next> {
        match protocol::decode_to_worker(frame).map_err(io::Error::other)? {
            ToWorker::Setup(_) => return Err(io::Error::other("a second setup frame")),
            ToWorker::Class(id, work) => self.learn(id.into(), work),
            ToWorker::Tasks { whole, runs } => {
                self.portions.extend(runs.into_iter().map(|run| Portion { run, whole, last: false }));
                if let Some(portion) = self.portions.back_mut() {
                    portion.last = true;
                }
            }
            ToWorker::Initialize(initialize) => {
                // It is alive, whatever becomes of the rest.
                self.report()?;
                let initialized = initializer::run(&initialize, self.setup);
                protocol::put_initialized(&mut self.outbox, &initialized);
                // Before its first task, so that its limit and what went wrong with it are not those of the task.
                self.report()?;
                if let Some(error) = initialized.error {
                    return Err(io::Error::other(error));
                }
            }
            ToWorker::Payload(piece) => self.keep(piece)?,
            ToWorker::Retire => {
                self.line.recall();
                return Ok(Next::Leave);
            }
        }
        Ok(Next::Go)
    }

    fn learn(&mut self, id: usize, work: Work) {
        if self.classes.len() <= id {
            self.classes.resize_with(id + 1, || None);
        }
        let faulty = self.setup.faults.iter().any(|fault| fault.class.is_none_or(|class| usize::from(class) == id));
        self.classes[id] = Some(match work {
            Work::Command(_) | Work::Echo => Job::Special(work),
            _ if faulty => Job::Special(work),
            _ => Job::Native(work),
        });
    }

    fn keep(&mut self, piece: Piece<'_>) -> io::Result<()> {
        let kept = self.payloads.entry(piece.index).or_default();
        if kept.len() + piece.bytes.len() > MAX_BYTES {
            return Err(io::Error::other(ProtocolError::TooMuch));
        }
        kept.extend_from_slice(piece.bytes);
        Ok(())
    }

    /// Whether it was asked to leave.
    pub(super) fn recalled(&self) -> bool {
        self.line.recalled()
    }

    /// Works on everything it has.
    pub(super) fn work(&mut self) -> io::Result<Next> {
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
                Job::Native(work) => (guarded(work, seed, index, calibration), monotonic()),
                Job::Special(work) => {
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
        let faults = if matches!(work, Work::Command(_)) { &[] } else { setup.faults.as_slice() };
        let instead = faults::strike(faults, setup.seed, task);
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

    /// The time up to which these tasks were to be begun has passed.
    fn skip(&mut self, first: TaskIndex, count: u64) {
        self.put_records();
        protocol::put_skipped(&mut self.outbox, self.number, &[(first, count)]);
    }

    /// Gives back everything that it has not begun: it leaves, and others stay.
    pub(super) fn give_back(&mut self) {
        while let Some(Portion { run, .. }) = self.portions.pop_front() {
            self.skip(run.first, run.count.into());
        }
        self.payloads.clear();
    }

    fn put_records(&mut self) {
        if self.records.is_empty() {
            return;
        }
        let usage = self.usage();
        protocol::put_done(&mut self.outbox, self.number, &usage, &self.records);
        self.records.clear();
    }

    fn usage(&self) -> Usage {
        let alone = self.outlet.turns.is_none();
        let mut usage = own_usage(if alone { UsageOf::Process } else { UsageOf::Thread });
        usage += if alone { own_usage(UsageOf::Children) } else { self.programs };
        usage
    }

    /// Sends what there is to say.
    pub(super) fn report(&mut self) -> io::Result<()> {
        self.line.end();
        self.put_records();
        if !self.outbox.is_empty() {
            let sent = self.outlet.send(&self.outbox);
            self.outbox.clear();
            // The parent is gone: there is no one to report to.
            if sent.is_err() {
                early::leave(0);
            }
        }
        self.reported = monotonic();
        Ok(())
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
    Err(Box::new(Failure { message: Some(message), ..Failure::default() }))
}
