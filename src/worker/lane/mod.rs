//! What runs a lane: works on one task at a time and reports. Knows nothing of other lanes but that there may be some.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};

use crate::os::accounting::Usage;
use crate::os::board::OwnLine;
use crate::os::child::{UsageOf, own_usage};
use crate::os::clock::monotonic;
use crate::os::early;
use crate::worker::initializer;
use crate::worker::protocol::{
    self, Frame, LaneNumber, MAX_BYTES, Piece, ProtocolError, Setup, TaskRun, ToWorker, WireRecord,
};
use crate::workload::model::{TaskIndex, Work};
use crate::workload::service;

mod tasks;

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
pub(super) struct LaneRunner<'a> {
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

impl<'a> LaneRunner<'a> {
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
            _ if faulty || service::is_told(&work) => Job::Special(work),
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
        // Without programs there are no children whose account would have to be asked for.
        let asks = alone && self.programs != Usage::NONE;
        usage += if asks { own_usage(UsageOf::Children) } else { self.programs };
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
