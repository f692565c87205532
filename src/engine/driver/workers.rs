//! Workers: processes that speak the worker protocol.

use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd as _;
use std::rc::Rc;

use super::core::Core;
use super::links::{Link, Peer, WorkerPeer};
use crate::engine::clock::RunClock;
use crate::engine::dispatcher::input::{Ended, TaskFailure, TaskOutput};
use crate::engine::dispatcher::queue::Ticket;
use crate::engine::dispatcher::{Input, StartFailure};
use crate::engine::event::{Event, LaneId, Record, WorkerId};
use crate::os::accounting::Exit;
use crate::os::capture::Capture;
use crate::os::child::Reaped;
use crate::os::pipe::{drain, pipe};
use crate::os::spawn::is_transient;
use crate::worker::protocol::{self, BOARD_FD, Failure, FromWorker, SOCKET_FD, TaskRun};
use crate::workload::model::Work;

/// How often a socket is read before others have their turn.
const TURNS: usize = 4;

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
            attempt: u16::try_from(ticket.attempt).unwrap_or(u16::MAX),
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
                self.place(worker, link);
                self.unwatched.push(worker);
                self.handle(self.clock.now(), Input::Started { worker, pid });
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
        let (stderr, stderr_end) = pipe()?;
        // What nobody reads before the end must not block the one who writes it.
        rustix::io::ioctl_fionbio(&stderr_end, true)?;
        self.board.reset(worker.slot.0);
        let mut knows = vec![false; self.works.len()];
        let mut outbox = self.setup.clone();
        if let Some(ticket) = task {
            self.put_tasks(&mut outbox, &mut knows, &[ticket]);
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
        let group = self.slot_group(worker.slot.0)?;
        let descriptors = [
            (self.null.as_fd(), 0),
            (self.null.as_fd(), 1),
            (stderr_end.as_fd(), 2),
            (theirs.as_fd(), SOCKET_FD),
            (self.board.fd().ok_or_else(|| io::Error::other("the board has no descriptor"))?, BOARD_FD),
        ];
        let child = self.worker.spawn_in(&descriptors, group.as_ref().map(|group| group.as_fd()))?;
        let socket = Rc::new(tokio::net::UnixStream::from_std(ours)?);
        let peer = WorkerPeer { socket, inbox: Vec::new(), outbox, sending: false, closing, knows, stderr };
        Ok(Link { epoch: worker.epoch, lanes, child, stopped: false, peer: Peer::Worker(peer), readers: Vec::new() })
    }

    fn put_tasks(&self, out: &mut Vec<u8>, knows: &mut [bool], tickets: &[Ticket]) {
        for ticket in tickets {
            let class = usize::from(ticket.class);
            if let (Some(known), Some(work)) = (knows.get_mut(class), self.works.get(class))
                && !std::mem::replace(known, true)
            {
                protocol::put_class(out, ticket.class, work);
            }
        }
        protocol::put_tasks(out, &runs(tickets, &self.clock));
    }

    pub(super) fn send(&mut self, lane: LaneId, tickets: &[Ticket]) {
        let worker = lane.worker;
        let Some(Link { peer: Peer::Worker(peer), .. }) = self.link(worker) else { return };
        let (mut outbox, mut knows) = (std::mem::take(&mut peer.outbox), std::mem::take(&mut peer.knows));
        self.put_tasks(&mut outbox, &mut knows, tickets);
        if let Some(Link { peer: Peer::Worker(peer), .. }) = self.link(worker) {
            (peer.outbox, peer.knows) = (outbox, knows);
        }
        self.flush(worker);
    }

    /// Sends what the socket takes; the rest waits for a local task that sends it when there is room.
    pub(super) fn flush(&mut self, worker: WorkerId) {
        let Some(Link { peer: Peer::Worker(peer), .. }) = self.link(worker) else { return };
        while !peer.outbox.is_empty() {
            // Not through the runtime: it believes that a new socket cannot be written to until it has looked.
            match rustix::io::write(peer.socket.as_fd(), &peer.outbox) {
                Ok(sent) => {
                    peer.outbox.drain(..sent);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => {
                    if !std::mem::replace(&mut peer.sending, true) {
                        self.blocked.push(worker);
                    }
                    return;
                }
                // Nobody listens any more. What it was sent is given to others when it is gone.
                Err(_) => {
                    peer.outbox.clear();
                    peer.sending = false;
                    return self.handle(self.clock.now(), Input::Closed { worker });
                }
            }
        }
        peer.sending = false;
        if peer.closing {
            // Not connected any more is as good as shut down.
            let _ = rustix::net::shutdown(peer.socket.as_fd(), rustix::net::Shutdown::Write);
        }
    }

    pub(super) fn retire(&mut self, worker: WorkerId) {
        let board = &self.board;
        let Some(Some(link)) = self.links.get_mut(worker.slot.index()) else { return };
        let Link { epoch: of, peer: Peer::Worker(peer), .. } = link else { return };
        if *of != worker.epoch {
            return;
        }
        board.recall(worker.slot.0);
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

    /// Works through whole frames; says how many bytes they took up.
    fn take_frames(&mut self, worker: WorkerId, bytes: &[u8]) -> Result<usize, String> {
        let mut records = std::mem::take(&mut self.records);
        records.clear();
        let mut used = 0;
        let mut usage = None;
        let result = loop {
            let frame = match protocol::split(&bytes[used..]) {
                Ok(Some(frame)) => frame,
                Ok(None) => break Ok(used),
                Err(error) => break Err(error.to_string()),
            };
            used += frame.length();
            match protocol::decode_from_worker(frame) {
                Ok(FromWorker::Done(done)) => {
                    usage = Some(done.usage);
                    records.extend(done.records().map(|record| self.record(record)));
                }
                Ok(FromWorker::Hello(_)) => {
                    self.flush_records(worker, &mut records);
                    self.feed(Input::Hello { worker });
                }
                Ok(FromWorker::Skipped(runs)) => {
                    self.flush_records(worker, &mut records);
                    for (first, count) in runs {
                        self.feed(Input::Skipped { lane: worker.lane(0), first, count });
                    }
                }
                Ok(FromWorker::Failed(failure)) => {
                    self.flush_records(worker, &mut records);
                    let failure = Box::new(self.failure(failure));
                    self.feed(Input::Failed { lane: worker.lane(0), failure });
                }
                Err(error) => break Err(error.to_string()),
            }
        };
        self.flush_records(worker, &mut records);
        self.records = records;
        self.look_for_strays();
        if let Some(usage) = usage
            && let Some(pid) = self.link(worker).map(|link| link.child.pid())
        {
            self.observer.event(self.clock.now(), &Event::WorkerUsage { slot: worker.slot.0, pid, usage });
        }
        result
    }

    fn flush_records(&mut self, worker: WorkerId, records: &mut Vec<Record>) {
        if !records.is_empty() {
            self.feed(Input::Done { lane: worker.lane(0), records });
            records.clear();
        }
    }

    fn record(&self, wire: protocol::WireRecord) -> Record {
        let start = self.clock.moment(wire.start);
        let end = self.clock.moment(wire.start.saturating_add(wire.service));
        Record { index: wire.index, start, service: end.0 - start.0, value: wire.value }
    }

    fn failure(&self, failure: Failure) -> TaskFailure {
        let start = self.clock.moment(failure.start);
        let end = self.clock.moment(failure.start.saturating_add(failure.service));
        TaskFailure {
            index: failure.index,
            start,
            service: end.0 - start.0,
            message: failure.message,
            exit: failure.exit,
            not_started: failure.not_started,
            output: TaskOutput {
                stdout: failure.stdout_tail,
                stderr: failure.stderr_tail,
                omitted: failure.output_omitted_bytes,
            },
        }
    }

    /// A worker has ended: what it said is taken in first, then its end.
    pub(super) fn worker_ended(&mut self, worker: WorkerId, reaped: Reaped) {
        // The other end is closed, so reading comes to an end without waiting.
        while self.receive(worker, Read::Directly) == Received::More {}
        let tasks = self.in_tasks(worker);
        let out_of_memory = reaped.exit == Exit::Signal(libc::SIGKILL)
            && self.link(worker).is_some_and(|link| !link.stopped)
            && self.out_of_memory();
        let Some(Some(link)) = self.links.get_mut(worker.slot.index()).map(Option::take) else { return };
        let mut stderr = Capture::default();
        if let Peer::Worker(peer) = &link.peer {
            drain(&peer.stderr, &mut stderr);
        }
        self.board.reset(worker.slot.0);
        self.look_for_strays();
        let ended = Ended {
            exit: reaped.exit,
            tasks,
            usage: reaped.usage,
            peak_rss_bytes: reaped.peak_rss_bytes,
            out_of_memory,
            output: Self::output_of(String::new(), stderr.text(), stderr.omitted()),
        };
        self.feed(Input::Exited { worker, ended: Box::new(ended) });
    }
}
