//! Workers: processes that speak the worker protocol.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd as _;
use std::rc::Rc;
use std::sync::Arc;

use super::core::Core;
use super::links::{Link, OutputPipe, Peer, WorkerPeer};
use super::programs::Which;
use crate::engine::clock::RunClock;
use crate::engine::dispatcher::input::Ended;
use crate::engine::dispatcher::queue::Ticket;
use crate::engine::dispatcher::{Input, StartFailure};
use crate::engine::event::{LaneId, WorkerId};
use crate::os::accounting::Exit;
use crate::os::child::Reaped;
use crate::os::pipe::pipe;
use crate::os::spawn::is_transient;
use crate::worker::protocol::{self, BOARD_FD, Initialize, LaneNumber, SOCKET_FD, TaskRun, Tells};
use crate::workload::model::Work;

/// How often a socket is read before others have their turn.
const TURNS: usize = 4;
/// Turns of reading after the end of a worker: more than a socket holds (net.core.wmem_max, socket(7)).
const MOST_LEFT: usize = 64;

/// How a socket is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// The runtime has said that there is something, and is told when there is nothing more.
    WhenReady,
    /// Whatever the runtime believes.
    Directly,
}

/// What came of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// Something; there may be more at once.
    More,
    /// There is nothing more for now.
    NothingNow,
    /// There will never be more.
    End,
}

fn runs(tickets: &[Ticket], clock: &RunClock) -> Vec<TaskRun> {
    tickets
        .iter()
        .map(|ticket| TaskRun {
            first: ticket.first,
            count: u32::try_from(ticket.count).unwrap_or(u32::MAX),
            class: ticket.class,
            attempt: ticket.attempt,
            begin_by: ticket.expires.map_or(0, |at| clock.monotonic(at)),
        })
        .collect()
}

impl Core {
    pub(super) fn start(&mut self, worker: WorkerId, lanes: u16, task: Option<Ticket>) {
        let program = task.and_then(|ticket| match self.works.get(usize::from(ticket.class)) {
            Some(Work::Command(command)) => Some((ticket, command.clone())),
            _ => None,
        });
        if let Some((ticket, command)) = program {
            return self.start_program(worker, ticket, &command);
        }
        match self.start_worker(worker, lanes, task) {
            Ok(link) => {
                let pid = link.child.pid();
                let all_sent = matches!(&link.peer, Peer::Worker(peer) if peer.outbox.is_empty());
                self.place(worker, link);
                self.unwatched.push(worker);
                self.handle(self.clock.now(), Input::Started { worker, pid });
                if !all_sent {
                    self.flush(worker);
                }
            }
            Err(error) => {
                let reason = format!("a worker could not be started: {error}");
                let failure =
                    if is_transient(&error) { StartFailure::Transient(reason) } else { StartFailure::Engine(reason) };
                self.handle(self.clock.now(), Input::StartFailed { worker, failure });
            }
        }
    }

    fn start_worker(&mut self, worker: WorkerId, lanes: u16, task: Option<Ticket>) -> io::Result<Link> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        let (output, output_end) = pipe()?;
        (0..lanes).for_each(|number| self.board.reset(worker.lane(number).slot().0));
        let mut knows = vec![false; self.works.len()];
        let mut outbox = self.setup.clone();
        if let Some(initialize) = self.orders.initialize {
            protocol::put_initialize(&mut outbox, &Initialize { start: self.starts, ..initialize });
        }
        let mut held = BTreeMap::new();
        if let Some(ticket) = task {
            let runs = self.put_tasks(&mut outbox, &mut knows, 0, &[ticket]);
            // How it tells which task it is in is not known before its hello.
            held.insert(0, VecDeque::from(runs));
        }
        ours.set_nonblocking(true)?;
        // The first frames are there before the worker is: it never waits for them.
        let sent = match io::Write::write(&mut &ours, &outbox) {
            Ok(sent) => sent,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        outbox.drain(..sent);
        let closing = task.is_some();
        if closing && outbox.is_empty() {
            ours.shutdown(Shutdown::Write)?;
        }
        self.worker.set_argument(2, worker.slot.to_string().as_ref())?;
        let group = self.slot_group(worker.slot)?;
        let descriptors = [
            (self.null.as_fd(), 0),
            (output_end.as_fd(), 1),
            (output_end.as_fd(), 2),
            (theirs.as_fd(), SOCKET_FD),
            (self.board.fd().ok_or_else(|| io::Error::other("the board has no descriptor"))?, BOARD_FD),
        ];
        let child = self.worker.spawn_in(&descriptors, group.as_ref().map(|group| group.as_fd()))?;
        self.starts += 1;
        let peer = WorkerPeer {
            socket: Rc::new(tokio::net::UnixStream::from_std(ours)?),
            inbox: Vec::new(),
            outbox,
            sent: 0,
            sending: false,
            closing,
            knows,
            output: OutputPipe::new(output)?,
            greeted: false,
            tells: Tells::Board,
            held,
            returning: BTreeMap::new(),
        };
        Ok(Link {
            epoch: worker.epoch,
            lanes,
            child,
            stopped: false,
            peer: Peer::Worker(Box::new(peer)),
            readers: Vec::new(),
        })
    }

    fn put_tasks(&self, out: &mut Vec<u8>, knows: &mut [bool], lane: LaneNumber, tickets: &[Ticket]) -> Vec<TaskRun> {
        for ticket in tickets {
            let class = usize::from(ticket.class);
            if let (Some(known), Some(work)) = (knows.get_mut(class), self.works.get(class))
                && !std::mem::replace(known, true)
            {
                protocol::put_class(out, ticket.class, work);
            }
        }
        if let Some(payload) = &self.orders.payload {
            for index in tickets.iter().flat_map(|ticket| ticket.first..ticket.first + ticket.count) {
                if let Some(bytes) = payload(index) {
                    protocol::put_payload(out, lane, index, &bytes);
                }
            }
        }
        let runs = runs(tickets, &self.clock);
        protocol::put_tasks(out, lane, self.orders.whole_chunks, &runs);
        runs
    }

    pub(super) fn send(&mut self, lane: LaneId, tickets: &[Ticket]) {
        let worker = lane.worker;
        let Some(Link { peer: Peer::Worker(peer), lanes, .. }) = self.link(worker) else { return };
        let new = *lanes..=lane.number;
        *lanes = (*lanes).max(lane.number.saturating_add(1));
        let (mut outbox, mut knows) = (std::mem::take(&mut peer.outbox), std::mem::take(&mut peer.knows));
        let told = peer.tells != Tells::Nothing;
        new.for_each(|number| self.board.reset(worker.lane(number).slot().0));
        let runs = self.put_tasks(&mut outbox, &mut knows, lane.number, tickets);
        if let Some(Link { peer: Peer::Worker(peer), .. }) = self.link(worker) {
            (peer.outbox, peer.knows) = (outbox, knows);
        }
        if !told {
            self.suppose_sent(lane, &runs);
        }
        self.flush(worker);
    }

    /// Sends what the socket takes; the rest waits for a local task that sends it when there is room.
    pub(super) fn flush(&mut self, worker: WorkerId) {
        let Some(Link { peer: Peer::Worker(peer), .. }) = self.link(worker) else { return };
        while peer.sent < peer.outbox.len() {
            // Not through the runtime: it believes that a new socket cannot be written to until it has looked.
            match rustix::io::write(peer.socket.as_fd(), &peer.outbox[peer.sent..]) {
                Ok(sent) => peer.sent += sent,
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => {
                    if !std::mem::replace(&mut peer.sending, true) {
                        self.blocked.push(worker);
                    }
                    return;
                }
                // The worker does not read any more. What it was sent is given to others when it is gone.
                Err(_) => {
                    (peer.sent, peer.sending) = (0, false);
                    peer.outbox.clear();
                    return self.handle(self.clock.now(), Input::Closed { worker });
                }
            }
        }
        (peer.sent, peer.sending) = (0, false);
        peer.outbox.clear();
        if peer.closing {
            // Not connected any more is as good as shut down.
            let _ = rustix::net::shutdown(peer.socket.as_fd(), rustix::net::Shutdown::Write);
        }
    }

    pub(super) fn retire(&mut self, worker: WorkerId) {
        let board = Arc::clone(&self.board);
        let Some(Link { peer: Peer::Worker(peer), lanes, .. }) = self.link(worker) else { return };
        for number in 0..*lanes {
            board.recall(worker.lane(number).slot().0);
            // For those that do not look at the board, and to wake those that wait.
            protocol::put_retire(&mut peer.outbox, number);
        }
        peer.closing = true;
        self.flush(worker);
    }

    /// Takes in what a worker has sent.
    pub(super) fn receive(&mut self, worker: WorkerId, read: Read) -> Received {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut received = Received::More;
        for _ in 0..TURNS {
            let Some(Link { peer: Peer::Worker(peer), .. }) = self.link(worker) else {
                received = Received::End;
                break;
            };
            let begin = peer.inbox.len();
            if buffer.len() < begin + 64 * 1024 {
                buffer.resize(begin + 64 * 1024, 0);
            }
            buffer[..begin].copy_from_slice(&peer.inbox);
            let count = match read {
                Read::WhenReady => peer.socket.try_read(&mut buffer[begin..]),
                Read::Directly => rustix::io::read(peer.socket.as_fd(), &mut buffer[begin..]).map_err(io::Error::from),
            };
            let count = match count {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    received = Received::NothingNow;
                    break;
                }
                Ok(0) | Err(_) => {
                    received = Received::End;
                    break;
                }
                Ok(count) => count,
            };
            peer.inbox.clear();
            match self.take_frames(worker, &buffer[..begin + count]) {
                Ok(used) => {
                    if let Some(Link { peer: Peer::Worker(peer), .. }) = self.link(worker) {
                        peer.inbox.extend_from_slice(&buffer[used..begin + count]);
                    }
                }
                Err(reason) => {
                    self.feed(Input::Misbehaved { worker, reason });
                    received = Received::End;
                    break;
                }
            }
        }
        self.buffer = buffer;
        received
    }

    /// A worker has ended: what it said is taken in first, then its end.
    pub(super) fn worker_ended(&mut self, worker: WorkerId, reaped: Reaped) {
        // What it has sent is in the socket. Somebody else who holds its end may go on for ever.
        for _ in 0..MOST_LEFT {
            if self.receive(worker, Read::Directly) != Received::More {
                break;
            }
        }
        self.read_stream(worker, Which::Stderr);
        let tasks = self.in_tasks(worker);
        let out_of_memory = reaped.exit == Exit::Signal(libc::SIGKILL)
            && self.link(worker).is_some_and(|link| !link.stopped)
            && self.out_of_memory();
        let Some(Some(link)) = self.links.get_mut(worker.slot.index()).map(Option::take) else { return };
        let Peer::Worker(peer) = &link.peer else { return };
        let output = &peer.output.capture;
        (0..link.lanes).for_each(|number| self.board.reset(worker.lane(number).slot().0));
        self.look_for_strays();
        let ended = Ended {
            exit: reaped.exit,
            tasks,
            usage: reaped.usage,
            peak_rss_bytes: reaped.peak_rss_bytes,
            out_of_memory,
            output: Self::output_of(String::new(), output.text(), output.omitted()),
        };
        self.feed(Input::Exited { worker, ended: Box::new(ended) });
    }
}
