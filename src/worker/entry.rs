//! A worker process from its first instruction to its last.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::mem::ManuallyDrop;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use crate::os::accounting::Usage;
use crate::os::board::{Board, BoardEntry};
use crate::os::child::{UsageOf, own_usage};
use crate::os::clock::monotonic;
use crate::os::process_owner::ProcessOwner;
use crate::os::{early, inherited, signals};
use crate::worker::calibration::Calibration;
use crate::worker::protocol::{
    self, BOARD_FD, Failure, Hello, MAX_RECORDS, SOCKET_FD, Setup, TaskRun, ToWorker, WireRecord,
};
use crate::worker::{command, guardian, work};
use crate::workload::model::{ClassId, TaskIndex, Work};

/// First argument of a worker process; its slot and its parent's pid follow.
pub const WORKER: &str = "__worker";
/// First argument of a guardian process; the run's mark, Poolscope's pid and the folder of its control groups follow.
pub const GUARDIAN: &str = "__guardian";

/// A worker reports at the latest this long after a task, in nanoseconds, unless the next one keeps it busy.
const REPORT_AFTER: u64 = 100_000;
/// Bytes read at once, as many again as are there for a frame that is not whole yet: few at first, because each page of
/// the buffer costs a fault in a process that lives for one task.
const READ: usize = 1024;

/// Runs this process as a worker or a guardian if its arguments say so, and ends it; returns if they do not. To be
/// called before anything else is set up.
pub fn take_over() {
    let mut arguments = std::env::args_os().skip(1);
    let Some(role) = arguments.next() else { return };
    let mut text = || arguments.next().and_then(|text| text.into_string().ok()).unwrap_or_default();
    match role.to_str() {
        Some(WORKER) => {
            let (Ok(slot), Ok(parent)) = (text().parse(), text().parse()) else { return };
            match work_for(slot, parent) {
                Ok(()) => early::leave(0),
                Err(error) => {
                    let _ = writeln!(io::stderr(), "worker: {error}");
                    early::leave(70);
                }
            }
        }
        Some(GUARDIAN) => {
            let (run, program, spared) = (text(), text().parse().unwrap_or(0), text());
            guardian::main(&run, program, &spared, &PathBuf::from(text()));
            early::leave(0);
        }
        _ => {}
    }
}

fn work_for(slot: u32, parent: u32) -> io::Result<()> {
    let _own = ProcessOwner::claim();
    // Whoever does not listen any more is an error of the write, not the end of this process.
    signals::ignore(rustix::process::Signal::PIPE);
    if !signals::die_with_parent(parent) {
        return Ok(());
    }
    let socket = UnixStream::from(inherited::take(SOCKET_FD)?);
    let board = Board::map(inherited::take(BOARD_FD)?.as_fd())?;
    let worker = Worker {
        socket,
        board,
        slot,
        setup: None,
        classes: Vec::new(),
        tasks: VecDeque::new(),
        inbox: Vec::new(),
        records: Vec::new(),
        outbox: Vec::new(),
        reported: monotonic(),
    };
    // Never dropped: the process ends with it, and the kernel is quicker.
    ManuallyDrop::new(worker).run()
}

struct Worker {
    socket: UnixStream,
    board: Board,
    slot: u32,
    setup: Option<Setup>,
    classes: Vec<Option<Work>>,
    tasks: VecDeque<TaskRun>,
    inbox: Vec<u8>,
    records: Vec<WireRecord>,
    outbox: Vec<u8>,
    reported: u64,
}

/// Whether there is more to do.
#[derive(PartialEq, Eq)]
enum Next {
    Go,
    Leave,
}

impl Worker {
    fn run(&mut self) -> io::Result<()> {
        protocol::put_hello(&mut self.outbox, &Hello { protocol: protocol::VERSION, pid: std::process::id() });
        loop {
            while let Some(run) = self.tasks.pop_front() {
                if self.work_off(run)? == Next::Leave {
                    return self.report();
                }
            }
            // What the parent has sent in the meantime is read before the report, so that a worker that is started for
            // one task says hello and reports in one message.
            if self.setup.is_some() {
                self.report()?;
            }
            if self.board.recalled(self.slot) || self.receive()? == Next::Leave {
                return self.report();
            }
        }
    }

    /// Reads frames until there is at least one.
    fn receive(&mut self) -> io::Result<Next> {
        loop {
            let begin = self.inbox.len();
            self.inbox.resize(begin + READ.max(begin), 0);
            let count = loop {
                match self.socket.read(&mut self.inbox[begin..]) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    other => break other,
                }
            };
            self.inbox.truncate(begin + *count.as_ref().unwrap_or(&0));
            if count? == 0 {
                return Ok(Next::Leave);
            }
            let mut used = 0;
            let mut any = false;
            while let Some(frame) = protocol::split(&self.inbox[used..]).map_err(io::Error::other)? {
                let length = frame.length();
                let message = protocol::decode_to_worker(frame).map_err(io::Error::other)?;
                used += length;
                any = true;
                match message {
                    ToWorker::Setup(setup) => {
                        inherited::set_caller(setup.caller);
                        self.setup = Some(setup);
                    }
                    ToWorker::Class(id, work) => self.learn(id, work),
                    ToWorker::Tasks(runs) => self.tasks.extend(runs),
                }
            }
            self.inbox.drain(..used);
            if any {
                return Ok(Next::Go);
            }
        }
    }

    fn learn(&mut self, id: ClassId, work: Work) {
        let id = usize::from(id);
        if self.classes.len() <= id {
            self.classes.resize(id + 1, None);
        }
        self.classes[id] = Some(work);
    }

    fn work_off(&mut self, run: TaskRun) -> io::Result<Next> {
        let Some(setup) = self.setup.take() else { return Err(io::Error::other("tasks before the setup frame")) };
        let Some(work) = self.classes.get_mut(usize::from(run.class)).and_then(Option::take) else {
            return Err(io::Error::other("tasks of an unknown class"));
        };
        let next = self.work_off_class(run, &setup, &work);
        self.setup = Some(setup);
        self.classes[usize::from(run.class)] = Some(work);
        next
    }

    fn work_off_class(&mut self, run: TaskRun, setup: &Setup, work: &Work) -> io::Result<Next> {
        let calibration = Calibration { iterations_per_second: setup.iterations_per_second };
        let mut start = monotonic();
        let begin_by = if run.begin_by == 0 { u64::MAX } else { run.begin_by };
        let end = run.first + u64::from(run.count);
        for index in run.first..end {
            if start >= begin_by {
                self.skip(index, end - index);
                break;
            }
            if self.board.recalled(self.slot) {
                return Ok(Next::Leave);
            }
            self.board.begin(self.slot, BoardEntry { index, started: start });
            let (outcome, end) = match work {
                Work::Command(line) => {
                    let (board, slot) = (&self.board, self.slot);
                    let begun = |at, pid| board.program_started(slot, at, pid);
                    let ran = command::run(line, &TaskRun { first: index, ..run }, setup, begun);
                    start = ran.started;
                    (ran.result, ran.ended)
                }
                work => (guarded(work, setup.seed, index, calibration), monotonic()),
            };
            let service = end.saturating_sub(start);
            match outcome {
                Ok(value) => self.records.push(WireRecord { index, start, service, value }),
                Err(failure) => {
                    self.put_records();
                    let failure = Failure { index, start, service, ..*failure };
                    protocol::put_failed(&mut self.outbox, &failure);
                }
            }
            start = end;
            if self.records.len() >= MAX_RECORDS || end - self.reported >= REPORT_AFTER {
                self.board.end(self.slot);
                self.report()?;
                start = monotonic();
            }
            if signals::terminated() {
                return Ok(Next::Leave);
            }
        }
        self.board.end(self.slot);
        Ok(Next::Go)
    }

    /// The time up to which these tasks were to be begun has passed.
    fn skip(&mut self, first: TaskIndex, count: u64) {
        self.put_records();
        protocol::put_skipped(&mut self.outbox, &[(first, count)]);
    }

    fn put_records(&mut self) {
        if self.records.is_empty() {
            return;
        }
        let mut usage: Usage = own_usage(UsageOf::Process);
        usage += own_usage(UsageOf::Children);
        protocol::put_done(&mut self.outbox, &usage, &self.records);
        self.records.clear();
    }

    fn report(&mut self) -> io::Result<()> {
        self.board.end(self.slot);
        self.put_records();
        if !self.outbox.is_empty() {
            let sent = self.socket.write_all(&self.outbox);
            self.outbox.clear();
            // Nobody is left to report to.
            if sent.is_err() {
                early::leave(0);
            }
        }
        self.reported = monotonic();
        Ok(())
    }
}

/// Runs native work; a panic in it is that task's error and not the worker's end.
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
