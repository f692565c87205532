//! A fork server from its first instruction to its last: a small process with one thread that is set up once (the run's setup
//! is read, its initializer run) and forks a worker from there whenever it is told to. The workers are children of
//! Poolscope, as those that it starts itself.
//!
//! Packets go both ways on descriptor 3 ([`crate::os::packets`]). [`Order`] and [`Answer`] are all there is to it; the one for
//! tasks in Python (`python/fork_server.py`) is another program that understands the same. It never waits for a worker, and owns none.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use crate::os::board::Board;
use crate::os::fork::{Alone, Forked};
use crate::os::process_owner::ProcessOwner;
use crate::os::{clock, early, inherited, packets, signals};
use crate::worker::inbox::Inbox;
use crate::worker::protocol::{self, BOARD_FD, Initialize, SOCKET_FD, Setup, ToWorker};
use crate::worker::{initializer, serve};
use crate::workload::model::{ClassId, Work};

/// What a fork server is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// A piece of the frames that every worker would be sent first; whether it is the last one.
    Prepare(Vec<u8>, bool),
    /// Fork a worker. With its end of its socket, the pipe for its output and, where there is one, the folder of its
    /// control group.
    Fork(Newcomer),
}

/// What is known of a worker before it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Newcomer {
    /// The line of the status board that its first lane has.
    pub first_line: u32,
    /// Whether its task is on its way to it: it reads that before it says anything, and so says everything at once.
    pub has_task: bool,
}

/// What it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It has a piece, and waits for more.
    MorePlease,
    /// It has everything; ready, unless there is an initializer to run.
    Hello,
    /// The frame of an initializer that has ended.
    Initialized(Vec<u8>),
    /// A worker: its process id, and readings of `CLOCK_MONOTONIC` right before the fork and after it. With its pidfd.
    Forked { pid: u32, called: u64, forked: u64 },
    /// No worker: the number of the error.
    Refused(i32),
    /// There will be no workers: why nothing can be forked from it. It says nothing more.
    Unfit(String),
}

impl Order {
    /// Most bytes of a piece.
    pub(crate) const PIECE: usize = packets::LONGEST - 1;

    #[must_use]
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Prepare(piece, last) => [&[u8::from(*last)], piece.as_slice()].concat(),
            Self::Fork(Newcomer { first_line, has_task }) => {
                [&[2], first_line.to_le_bytes().as_slice(), &[u8::from(*has_task)]].concat()
            }
        }
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        match bytes.split_first()? {
            (last @ (0 | 1), piece) => Some(Self::Prepare(piece.to_vec(), *last == 1)),
            (2, [line @ .., has_task @ (0 | 1)]) => Some(Self::Fork(Newcomer {
                first_line: u32::from_le_bytes(line.try_into().ok()?),
                has_task: *has_task == 1,
            })),
            _ => None,
        }
    }
}

impl Answer {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::MorePlease => vec![0],
            Self::Hello => vec![1],
            Self::Initialized(frame) => [&[2], frame.as_slice()].concat(),
            Self::Forked { pid, called, forked } => {
                [&[3], pid.to_le_bytes().as_slice(), &called.to_le_bytes(), &forked.to_le_bytes()].concat()
            }
            Self::Refused(errno) => [&[4], errno.to_le_bytes().as_slice()].concat(),
            Self::Unfit(reason) => [&[5], reason.as_bytes()].concat(),
        }
    }

    /// `None` for what no fork server says.
    #[must_use]
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        match bytes.split_first()? {
            (0, []) => Some(Self::MorePlease),
            (1, []) => Some(Self::Hello),
            (2, frame) => Some(Self::Initialized(frame.to_vec())),
            (3, rest) => {
                let (pid, times) = rest.split_first_chunk()?;
                let (called, forked) = times.split_first_chunk()?;
                Some(Self::Forked {
                    pid: u32::from_le_bytes(*pid),
                    called: u64::from_le_bytes(*called),
                    forked: u64::from_le_bytes(forked.try_into().ok()?),
                })
            }
            (4, errno) => Some(Self::Refused(i32::from_le_bytes(errno.try_into().ok()?))),
            (5, reason) => Some(Self::Unfit(String::from_utf8_lossy(reason).into_owned())),
            _ => None,
        }
    }
}

/// Serves Poolscope, the process with this id, until it closes the line.
pub(super) fn main(parent: u32) -> io::Result<()> {
    let _own = ProcessOwner::claim();
    signals::ignore(rustix::process::Signal::PIPE);
    if !signals::die_with_parent(parent) {
        return Ok(());
    }
    let line = inherited::take(SOCKET_FD)?;
    let board = Arc::new(Board::map(inherited::take(BOARD_FD)?.as_fd())?);
    let mut buffer = vec![0; packets::LONGEST];
    let Some(Prepared { setup, classes, initialize }) = prepare(&line, &mut buffer)? else { return Ok(()) };
    inherited::set_caller(setup.caller);
    let alone = Alone::claim()?;
    say(&line, &Answer::Hello)?;
    if let Some(initialize) = initialize {
        let initialized = initializer::run(&initialize, &setup);
        let mut frame = Vec::new();
        protocol::put_initialized(&mut frame, &initialized);
        say(&line, &Answer::Initialized(frame))?;
        if let Some(error) = initialized.error {
            return Err(io::Error::other(error));
        }
    }
    while let Some(order) = packets::receive(&line, &mut buffer)? {
        let Some(Order::Fork(newcomer)) = Order::of(&order.bytes) else {
            return Err(io::Error::other("an order that is none"));
        };
        let mut descriptors = order.descriptors.into_iter();
        let (Some(socket), Some(output)) = (descriptors.next(), descriptors.next()) else {
            // They did not fit into this process.
            say(&line, &Answer::Refused(libc::EMFILE))?;
            continue;
        };
        let group = descriptors.next();
        if order.truncated {
            say(&line, &Answer::Refused(libc::EMFILE))?;
            continue;
        }
        let called = clock::monotonic();
        match alone.fork_sibling(group.as_ref().map(|group| group.as_fd())) {
            Ok(Forked::Sibling) => {
                drop((line, group));
                work(parent, (socket, output), (board, newcomer), &setup, classes);
            }
            Ok(Forked::Server { pid, pidfd }) => {
                let answer = Answer::Forked { pid, called, forked: clock::monotonic() };
                packets::send(&line, &answer.bytes(), &[pidfd.as_fd()])?;
            }
            Err(error) => say(&line, &Answer::Refused(error.raw_os_error().unwrap_or(libc::EINVAL)))?,
        }
    }
    Ok(())
}

fn say(line: &OwnedFd, answer: &Answer) -> io::Result<()> {
    packets::send(line, &answer.bytes(), &[])
}

/// What comes before the first fork. Whoever is forked has it.
struct Prepared {
    setup: Setup,
    classes: Vec<(ClassId, Work)>,
    initialize: Option<Initialize>,
}

/// Waits for it; `None` where the line ends before that.
fn prepare(line: &OwnedFd, buffer: &mut [u8]) -> io::Result<Option<Prepared>> {
    let mut frames = Vec::new();
    loop {
        let Some(packet) = packets::receive(line, buffer)? else { return Ok(None) };
        let Some(Order::Prepare(piece, last)) = Order::of(&packet.bytes) else {
            return Err(io::Error::other("an order before its setup"));
        };
        frames.extend(piece);
        if last {
            break;
        }
        say(line, &Answer::MorePlease)?;
    }
    let mut inbox = Inbox::holding(frames);
    let (mut setup, mut classes, mut initialize) = (None, Vec::new(), None);
    while let Some(frame) = inbox.next()? {
        match protocol::decode_to_worker(frame).map_err(io::Error::other)? {
            ToWorker::Setup(found) => setup = Some(*found),
            ToWorker::Class(id, work) => classes.push((id, work)),
            ToWorker::Initialize(found) => initialize = Some(found),
            _ => return Err(io::Error::other("a frame out of place")),
        }
    }
    let setup = setup.ok_or_else(|| io::Error::other("no setup"))?;
    Ok(Some(Prepared { setup, classes, initialize }))
}

/// The life of a worker in its own process.
fn work(
    parent: u32,
    (socket, output): (OwnedFd, OwnedFd),
    (board, newcomer): (Arc<Board>, Newcomer),
    setup: &Setup,
    classes: Vec<(ClassId, Work)>,
) -> ! {
    let began = clock::monotonic();
    let begin = || {
        // Its parent is Poolscope: whatever becomes of the server, it lives and dies with that.
        if !signals::die_with_parent(parent) {
            early::leave(0);
        }
        rustix::process::setpgid(None, None)?;
        rustix::stdio::dup2_stdout(&output)?;
        rustix::stdio::dup2_stderr(&output)?;
        debug_assert!(output.as_raw_fd() > 2, "its own number would be closed");
        drop(output);
        let (socket, mut inbox) = (UnixStream::from(socket), Inbox::default());
        if newcomer.has_task {
            inbox.receive(&socket)?;
        }
        serve::serve_set_up(&socket, board, (newcomer.first_line, began), (setup, classes), inbox)
    };
    match begin() {
        Ok(()) => early::leave(0),
        Err(error) => serve::give_up(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_what_is_heard() {
        let orders = [Order::Prepare(vec![1, 2, 3], false), Order::Prepare(Vec::new(), true)];
        let newcomers = [true, false].map(|has_task| Order::Fork(Newcomer { first_line: 4095, has_task }));
        for order in orders.into_iter().chain(newcomers) {
            assert_eq!(Order::of(&order.bytes()), Some(order));
        }
        let answers = [
            Answer::MorePlease,
            Answer::Hello,
            Answer::Initialized(vec![7; 9]),
            Answer::Forked { pid: 4711, called: 5, forked: u64::MAX },
            Answer::Refused(libc::EAGAIN),
            Answer::Unfit("it has two threads".to_owned()),
        ];
        for answer in answers {
            assert_eq!(Answer::of(&answer.bytes()), Some(answer));
        }
        for nonsense in [&[][..], &[9], &[3, 1], &[0, 0]] {
            assert_eq!(Answer::of(nonsense), None);
        }
    }
}
