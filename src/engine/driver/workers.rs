//! Workers: processes that speak the worker protocol.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd as _, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use super::lane_threads::MOST_WORDS;
use super::links::{Initialization, Link, OutputPipe, Peer, WorkerPeer};
use super::marks::Marks;
use super::payloads::{self, Fit, Payloads};
use super::results::PartialResults;
use crate::engine::clock::RunClock;
use crate::engine::dispatcher::queue::Ticket;
use crate::engine::dispatcher::{Effect, Input, StartFailure};
use crate::engine::error::NotStarted;
use crate::engine::event::{LaneId, WorkerId};
use crate::os::accounting::Usage;
use crate::os::capture::Capture;
use crate::os::child::Child;
use crate::os::clock::monotonic;
use crate::os::pipe::pipe;
use crate::os::readiness;
use crate::os::spawn::is_transient;
use crate::worker::fork_server::Newcomer;
use crate::worker::protocol::{self, BOARD_FD, CODE_FD, Initialize, LaneNumber, SOCKET_FD, TaskRun, Tells};
use crate::workload::model::TaskIndex;
use crate::workload::service;

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

/// The bytes that come with a task, and what making them took in nanoseconds.
type Packed = (Vec<u8>, u64);

impl Core {
    pub(super) fn start(&mut self, worker: WorkerId, lanes: u16, task: Option<Ticket>) {
        let begin = monotonic();
        let payload = task.and_then(|ticket| self.payload(&ticket, ticket.first)).transpose();
        let payload = match payload {
            Ok(payload) => payload,
            Err(reason) => {
                let failure = StartFailure::Task(reason);
                return self.handle(self.clock.now(), Input::StartFailed { worker, failure });
            }
        };
        let packing = monotonic() - begin;
        let program = task.and_then(|ticket| match self.works.get(usize::from(ticket.class)) {
            Some(work) if work.is_program() => Some((ticket, work.clone())),
            _ => None,
        });
        if let Some((ticket, work)) = program {
            return self.start_program(worker, ticket, &work, payload.as_deref());
        }
        match self.start_worker(worker, lanes, task.map(|ticket| (ticket, payload.map(|bytes| (bytes, packing))))) {
            Ok(link) => {
                // One that is forked is there when the server has told so.
                let pid = link.child.as_ref().map(Child::pid);
                let all_sent = matches!(&link.peer, Peer::Worker(peer) if peer.outbox.is_empty());
                self.place(worker, link);
                let now = self.clock.now();
                if let Some(pid) = pid {
                    self.unwatched.push(worker);
                    self.handle(now, Input::Started { worker, pid });
                } else {
                    self.handle(now, Input::ForkAskedFor { worker });
                }
                if !all_sent {
                    self.flush(worker);
                }
            }
            Err(error) => {
                let transient = is_transient(&error);
                let error = NotStarted { what: "a worker".to_owned(), source: error };
                let failure = if transient { StartFailure::Transient(error) } else { StartFailure::Engine(error) };
                self.handle(self.clock.now(), Input::StartFailed { worker, failure });
            }
        }
    }

    /// The bytes that come with one of these tasks, or why it cannot be sent.
    fn payload(&self, ticket: &Ticket, index: TaskIndex) -> Option<Result<Vec<u8>, String>> {
        let bytes = self.orders.payload.as_ref()?(ticket.class, index, ticket.attempt)?;
        Some(bytes.and_then(|bytes| payloads::refusal(&bytes).map_or(Ok(bytes), Err)))
    }

    /// Starts a worker, for this one task where there is one, with the bytes that come with it and what making them took.
    fn start_worker(
        &mut self,
        worker: WorkerId,
        lanes: u16,
        task: Option<(Ticket, Option<Packed>)>,
    ) -> io::Result<Link> {
        let called = monotonic();
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        let (output, output_end) = pipe()?;
        (0..lanes).for_each(|number| self.board.reset(worker.lane(number).slot().0));
        // What the fork server is made ready with, those that it forks have.
        let is_forked = self.start_method.forks();
        let mut knows = vec![is_forked; self.works.len()];
        let mut outbox = if is_forked { Vec::new() } else { self.setup.clone() };
        let mut initialization = Initialization::None;
        if let Some(initialize) = self.orders.initialize.filter(|_| !self.start_method.initializes_once()) {
            protocol::put_initialize(&mut outbox, &Initialize { start: self.starts, ..initialize });
            initialization = Initialization::Awaited;
        }
        let (mut held, mut payloads) = (BTreeMap::new(), Payloads::default());
        let closing = task.is_some();
        if let Some((ticket, payload)) = task {
            if let Some((bytes, packing)) = payload {
                payloads.add(ticket.first, bytes.len(), packing);
                protocol::put_payload(&mut outbox, 0, ticket.first, &bytes);
            }
            let runs = self.put_tasks(&mut outbox, &mut knows, 0, &[ticket]);
            // How it tells which task it is in is not known before its hello.
            held.insert(0, VecDeque::from(runs));
        }
        ours.set_nonblocking(true)?;
        // The first frames are there before the worker is: it never waits for them.
        if !outbox.is_empty() {
            let sent = match io::Write::write(&mut &ours, &outbox) {
                Ok(sent) => sent,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                Err(error) => return Err(error),
            };
            outbox.drain(..sent);
        }
        if closing && outbox.is_empty() {
            ours.shutdown(Shutdown::Write)?;
        }
        let group = self.slot_group(worker.slot)?;
        let child = if is_forked {
            let ends = [theirs.into(), output_end].into_iter().chain(group.map(OwnedFd::from)).collect();
            self.ask_for_worker(worker, Newcomer { first_line: worker.slot.0, has_task: closing }, ends)?;
            None
        } else {
            self.worker.set_argument(self.line_argument, worker.slot.to_string().as_ref())?;
            let mut descriptors = vec![
                (self.null.as_fd(), 0),
                (output_end.as_fd(), 1),
                (output_end.as_fd(), 2),
                (theirs.as_fd(), SOCKET_FD),
                (self.board.fd().ok_or_else(|| io::Error::other("the board has no descriptor"))?, BOARD_FD),
            ];
            descriptors.extend(self.code.as_ref().map(|code| (code.as_fd(), CODE_FD)));
            let mut child = self.worker.spawn_in(&descriptors, group.as_ref().map(|group| group.as_fd()))?;
            if self.code.is_some() {
                child.spare_trackers();
            }
            Some(child)
        };
        self.starts += 1;
        let capture = if self.policy.shares_worker() { Capture::with_tail(MOST_WORDS) } else { Capture::default() };
        let peer = WorkerPeer {
            socket: Rc::new(readiness::readable(ours.into())?),
            inbox: Vec::new(),
            outbox,
            sent: 0,
            sending: false,
            closing,
            knows,
            output: OutputPipe { marks: self.mark.map(Marks::new), capture, ..OutputPipe::new(output) },
            greeted: false,
            tells: Tells::Board,
            measured: 0,
            told: Usage::NONE,
            cut_off: Duration::ZERO,
            held,
            results: PartialResults::default(),
            payloads,
            initialization,
            broken: false,
        };
        Ok(Link {
            epoch: worker.epoch,
            lanes,
            child,
            end: None,
            called,
            stopped: false,
            stop_when_there: None,
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
                protocol::put_class(out, ticket.class, &service::without_traces(work));
            }
        }
        let runs = runs(tickets, &self.clock);
        protocol::put_tasks(out, lane, &runs);
        runs
    }

    /// Puts the bytes of as many tasks as there is room for.
    fn put_payloads(&self, out: &mut Vec<u8>, held: &mut Payloads, lane: LaneNumber, tickets: &[Ticket]) -> Fit {
        if self.orders.payload.is_none() {
            return Fit::All;
        }
        let indices = |ticket: &Ticket| ticket.first..ticket.first + ticket.count;
        let tasks = tickets.iter().flat_map(|ticket| indices(ticket).map(move |index| (ticket, index)));
        for (fitting, (ticket, index)) in (0..).zip(tasks) {
            let begin = monotonic();
            let bytes = match self.payload(ticket, index) {
                None => continue,
                Some(Ok(bytes)) => bytes,
                Some(Err(reason)) => return Fit::Never(fitting, reason),
            };
            if !held.has_room(bytes.len(), self.orders.payload_budget) {
                return Fit::Some(fitting);
            }
            protocol::put_payload(out, lane, index, &bytes);
            held.add(index, bytes.len(), monotonic() - begin);
        }
        Fit::All
    }

    pub(super) fn send(&mut self, lane: LaneId, tickets: &[Ticket]) {
        let worker = lane.worker;
        let Some(Link { peer: Peer::Worker(peer), lanes, .. }) = self.link(worker) else { return };
        let new = *lanes..=lane.number;
        *lanes = (*lanes).max(lane.number.saturating_add(1));
        let (mut outbox, mut knows) = (std::mem::take(&mut peer.outbox), std::mem::take(&mut peer.knows));
        let mut held = std::mem::take(&mut peer.payloads);
        let has_board = peer.tells == Tells::Board;
        new.for_each(|number| self.board.reset(worker.lane(number).slot().0));
        let (fitting, refused) = match self.put_payloads(&mut outbox, &mut held, lane.number, tickets) {
            Fit::All => (None, None),
            Fit::Some(count) => (Some(count), None),
            Fit::Never(count, reason) => (Some(count), Some(reason)),
        };
        let split = fitting.map(|count| payloads::split(tickets, count));
        let sent = split.as_ref().map_or(tickets, |(sent, _)| sent.as_slice());
        let runs =
            if sent.is_empty() { Vec::new() } else { self.put_tasks(&mut outbox, &mut knows, lane.number, sent) };
        if let Some(Link { peer: Peer::Worker(peer), .. }) = self.link(worker) {
            (peer.outbox, peer.knows, peer.payloads) = (outbox, knows, held);
        }
        if !has_board {
            self.sent(lane, &runs);
        }
        // What goes to the same worker next is written together with it.
        let more = matches!(self.effects.front(), Some(Effect::Send { lane, .. }) if lane.worker == worker);
        if !more {
            self.flush(worker);
        }
        if let Some((_, tickets)) = split {
            self.handle(self.clock.now(), Input::Unsent { lane, tickets, refused });
        }
    }

    /// Sends what the socket takes; the rest waits for a local task that sends it when there is room.
    pub(super) fn flush(&mut self, worker: WorkerId) {
        let Some(Link { peer: Peer::Worker(peer), .. }) = self.link(worker) else { return };
        while peer.sent < peer.outbox.len() {
            match rustix::io::write(peer.socket.get_ref(), &peer.outbox[peer.sent..]) {
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
            let _ = rustix::net::shutdown(peer.socket.get_ref(), rustix::net::Shutdown::Write);
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
}
