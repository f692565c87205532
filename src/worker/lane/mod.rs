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
use crate::worker::lines::Served;
use crate::worker::protocol::{
    self, Frame, LaneNumber, MAX_BYTES, Piece, ProtocolError, Setup, TaskRun, ToWorker, WireRecord,
};
use crate::worker::{faults, initializer};
use crate::workload::model::{ClassId, TaskIndex, Work};
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

/// What a lane knows of a class.
#[derive(Debug)]
struct Class {
    job: Job,
    /// The orders that concern its tasks, a bit each: as long as none of them is open there is nothing to look for.
    orders: u64,
}

/// What came with a task.
#[derive(Debug, Default)]
struct Came {
    bytes: Vec<u8>,
    /// `CLOCK_MONOTONIC` in nanoseconds at which the last of them was there.
    at: u64,
}

/// See the module docs.
#[derive(Debug)]
pub(super) struct LaneRunner<'a> {
    number: LaneNumber,
    line: OwnLine,
    outlet: ReportSocket<'a>,
    setup: &'a Setup,
    classes: Vec<Option<Class>>,
    /// What it was sent and has not begun.
    runs: VecDeque<TaskRun>,
    /// What came with tasks that are not done yet.
    payloads: BTreeMap<TaskIndex, Came>,
    records: Vec<WireRecord>,
    outbox: Vec<u8>,
    reported: u64,
    /// What the programs used that this lane ran.
    programs: Usage,
    /// Those that stay.
    served: BTreeMap<ClassId, Served>,
    /// What was told of them all; what is not known of one that lives may be known when it has ended.
    told: Usage,
}

impl<'a> LaneRunner<'a> {
    pub(super) fn new(number: LaneNumber, line: OwnLine, outlet: ReportSocket<'a>, setup: &'a Setup) -> Self {
        Self {
            number,
            line,
            outlet,
            setup,
            classes: Vec::new(),
            runs: VecDeque::new(),
            payloads: BTreeMap::new(),
            records: Vec::new(),
            outbox: Vec::new(),
            reported: monotonic(),
            programs: Usage::NONE,
            served: BTreeMap::new(),
            told: Usage::NONE,
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
            ToWorker::Class(id, work) => self.learn(id, work),
            ToWorker::Tasks(runs) => self.runs.extend(runs),
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

    /// Tasks of this class are this work.
    pub(super) fn learn(&mut self, class: ClassId, work: Work) {
        let id = usize::from(class);
        if self.classes.len() <= id {
            self.classes.resize_with(id + 1, || None);
        }
        let faults = &self.setup.faults;
        let job = match work {
            Work::Command(_) | Work::Program(_) | Work::Served(_) | Work::Python(_) | Work::Echo => Job::Special(work),
            _ if faults::are_drawn_for(faults, class) || service::is_told(&work) || self.carries(id) => {
                Job::Special(work)
            }
            _ => Job::Native(work),
        };
        self.classes[id] = Some(Class { job, orders: faults::orders_for(faults, class) });
    }

    /// Whether bytes travel with tasks of this class or with their results, beside what they need.
    fn carries(&self, id: usize) -> bool {
        self.setup.payloads.iter().any(|(class, _)| usize::from(*class) == id)
    }

    fn keep(&mut self, piece: Piece<'_>) -> io::Result<()> {
        let kept = self.payloads.entry(piece.index).or_default();
        if kept.bytes.len() + piece.bytes.len() > MAX_BYTES {
            return Err(io::Error::other(ProtocolError::TooMuch));
        }
        kept.bytes.extend_from_slice(piece.bytes);
        kept.at = monotonic();
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
        while let Some(run) = self.runs.pop_front() {
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

    /// Has the programs that have stayed end, and waits for that for a moment.
    pub(super) fn dismiss_programs(&mut self) {
        Served::dismiss(self.served.values_mut());
        self.put_late();
    }

    /// What programs that stay did after their answers.
    fn put_late(&mut self) {
        for late in self.served.values_mut().filter_map(Served::take_late) {
            if self.setup.late {
                protocol::put_late(&mut self.outbox, self.number, &late);
            }
        }
    }

    fn usage(&mut self) -> Usage {
        let alone = self.outlet.turns.is_none();
        let mut usage = own_usage(if alone { UsageOf::Process } else { UsageOf::Thread });
        // Without programs there are no children whose account would have to be asked for.
        let asks = alone && self.programs != Usage::NONE;
        usage += if asks { own_usage(UsageOf::Children) } else { self.programs };
        if !self.served.is_empty() {
            self.served.values_mut().for_each(|served| usage += served.live());
            self.told = self.told.at_least(usage);
            return self.told;
        }
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
