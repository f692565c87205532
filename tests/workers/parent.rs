//! A parent that does nothing but speak.

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use poolscope::os::accounting::{Exit, Usage};
use poolscope::os::board::Board;
use poolscope::os::capture::Capture;
use poolscope::os::child::Child;
use poolscope::os::pipe::{drain, pipe};
use poolscope::os::spawn::Program;
use poolscope::worker::entry::WORKER;
use poolscope::worker::protocol::{
    self, BOARD_FD, Failure, FromWorker, Hello, Initialized, SOCKET_FD, Setup, Started, TaskRun, WireRecord,
};
use poolscope::workload::model::{Attempt, Work};

use crate::support::{foreign, hard_limit};

/// The line of the board that lane 0 has.
pub const LINE: u32 = 5;

/// Every worker there is, by name.
pub fn every_worker() -> Vec<(&'static str, OsString)> {
    let foreign = ["board", "started", "nothing"].map(|tells| (tells, foreign::python(tells)));
    std::iter::once(("ours", ours())).chain(foreign).collect()
}

pub fn ours() -> OsString {
    env!("CARGO_BIN_EXE_poolscope").into()
}

pub fn run(first: u64, count: u32, class: u16) -> TaskRun {
    TaskRun { first, count, class, attempt: Attempt::FIRST, begin_by: 0 }
}

/// What a worker said, with its lane where it has one.
#[derive(Debug, PartialEq)]
pub enum Said {
    Wrong(u16, u64),
    Hello(Hello),
    Done(u16, Usage, Vec<WireRecord>),
    Failed(u16, Failure),
    Skipped(u16, Vec<(u64, u64)>),
    Initialized(Initialized),
    Result(u16, u64, bool, Vec<u8>),
    Started(u16, Started),
    /// It closed its socket.
    End,
}

pub struct Parent {
    socket: UnixStream,
    pub board: Board,
    pub child: Child,
    output: OwnedFd,
    inbox: Vec<u8>,
}

impl Parent {
    pub fn start(program: &OsString, setup: &Setup) -> Self {
        hard_limit();
        let (socket, theirs) = UnixStream::pair().unwrap();
        socket.set_read_timeout(Some(crate::support::WALL)).unwrap();
        let (output, output_end) = pipe().unwrap();
        let board = Board::create().unwrap();
        (0..u32::from(setup.lanes)).for_each(|lane| board.reset(LINE + lane));
        let (line, own) = (LINE.to_string(), std::process::id().to_string());
        let worker = Program::new(&["worker", WORKER, &line, &own]).unwrap().executable(program).unwrap();
        let child = worker
            .spawn(&[(output_end.as_fd(), 2), (theirs.as_fd(), SOCKET_FD), (board.fd().unwrap(), BOARD_FD)])
            .unwrap();
        let mut parent = Self { socket, board, child, output, inbox: Vec::new() };
        parent.send(|out| protocol::put_setup(out, setup));
        parent
    }

    /// Starts a worker that is to know these classes, and waits for its hello.
    pub fn with_classes(program: &OsString, setup: &Setup, classes: &[Work]) -> Self {
        let mut parent = Self::start(program, setup);
        for (work, id) in classes.iter().zip(0..) {
            parent.send(|out| protocol::put_class(out, id, work));
        }
        let Said::Hello(hello) = parent.next() else { panic!("it says hello first") };
        assert_eq!(hello.protocol, protocol::VERSION);
        assert!(hello.lanes >= setup.lanes);
        parent
    }

    pub fn send(&mut self, put: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = Vec::new();
        put(&mut bytes);
        self.socket.write_all(&bytes).unwrap();
    }

    pub fn tasks(&mut self, lane: u16, runs: &[TaskRun]) {
        self.send(|out| protocol::put_tasks(out, lane, runs));
    }

    pub fn close(&self) {
        self.socket.shutdown(std::net::Shutdown::Write).unwrap();
    }

    /// The next thing that it says, whatever it is.
    pub fn hear(&mut self) -> Said {
        loop {
            if let Some(frame) = protocol::split(&self.inbox).unwrap() {
                let (length, lane) = (frame.length(), frame.lane);
                let said = match protocol::decode_from_worker(frame).unwrap() {
                    FromWorker::Hello(hello) => Said::Hello(hello),
                    FromWorker::Done(done) => Said::Done(lane, done.usage, done.records().collect()),
                    FromWorker::Failed(failure) => Said::Failed(lane, failure),
                    FromWorker::Skipped(runs) => Said::Skipped(lane, runs),
                    FromWorker::Initialized(initialized) => Said::Initialized(initialized),
                    FromWorker::Result(piece) => Said::Result(lane, piece.index, piece.more, piece.bytes.to_vec()),
                    FromWorker::Started(started) => Said::Started(lane, started),
                    unasked @ (FromWorker::Handled(_)
                    | FromWorker::Changed(_)
                    | FromWorker::Probed(_)
                    | FromWorker::Late(_)) => {
                        panic!("nobody has asked: {unasked:?}")
                    }
                    FromWorker::Wrong(index) => Said::Wrong(lane, index),
                };
                self.inbox.drain(..length);
                return said;
            }
            let mut buffer = [0; 65536];
            match self.socket.read(&mut buffer) {
                Ok(0) => return Said::End,
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return Said::End,
                count => self.inbox.extend_from_slice(&buffer[..count.unwrap()]),
            }
        }
    }

    /// The next thing that it says but that a task has started, or that its result is wrong.
    pub fn next(&mut self) -> Said {
        loop {
            match self.hear() {
                Said::Started(..) | Said::Wrong(..) => {}
                said => return said,
            }
        }
    }

    /// The next records, of so many tasks of a lane.
    pub fn records(&mut self, lane: u16, count: usize) -> Vec<WireRecord> {
        let mut all = Vec::new();
        while all.len() < count {
            match self.next() {
                Said::Done(of, _, records) if of == lane => all.extend(records),
                other => panic!("{other:?} after {} of {count} records", all.len()),
            }
        }
        assert_eq!(all.len(), count);
        all
    }

    /// Whether it says nothing for so long.
    pub fn is_quiet_for(&mut self, time: Duration) -> bool {
        self.socket.set_read_timeout(Some(time)).unwrap();
        let mut byte = [0];
        let quiet = matches!(self.socket.read(&mut byte), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock);
        if !quiet {
            self.inbox.push(byte[0]);
        }
        self.socket.set_read_timeout(Some(crate::support::WALL)).unwrap();
        quiet
    }

    /// Waits for its end; how it ended, and what it wrote.
    pub fn end(mut self) -> (Exit, String) {
        let exit = self.child.wait().unwrap().exit;
        let mut output = Capture::default();
        drain(&self.output, &mut output);
        (exit, output.text())
    }
}
