//! Workers: processes that speak the worker protocol.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd as _, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;

use super::core::Core;
use super::links::{Initialization, Link, OutputPipe, Peer, WorkerPeer};
use super::payloads::{self, Fit, Payloads};
use super::results::PartialResults;
use crate::engine::clock::RunClock;
use crate::engine::dispatcher::queue::Ticket;
use crate::engine::dispatcher::{Effect, Input, StartFailure};
use crate::engine::error::NotStarted;
use crate::engine::event::{LaneId, WorkerId};
use crate::os::child::Child;
use crate::os::clock::monotonic;
use crate::os::pipe::pipe;
use crate::os::readiness;
use crate::os::spawn::is_transient;
use crate::worker::protocol::{self, BOARD_FD, Initialize, LaneNumber, SOCKET_FD, TaskRun, Tells};
use crate::workload::model::Work;
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

impl Core {
    pub(super) fn start(&mut self, worker: WorkerId, lanes: u16, task: Option<Ticket>) {
        let program = task.and_then(|ticket| match self.works.get(usize::from(ticket.class)) {
            Some(Work::Command(command)) => Some((ticket, command.clone())),
            _ => None,
        });
        if let Some((ticket, command)) = program {
            return self.start_program(worker, ticket, &command);
        }
        let payload = task.and_then(|ticket| self.orders.payload.as_ref()?(ticket.class, ticket.first));
        if let Some(reason) = payload.as_deref().and_then(payloads::refusal) {
            let failure = StartFailure::Task(reason);
            return self.handle(self.clock.now(), Input::StartFailed { worker, failure });
        }
        match self.start_worker(worker, lanes, task.map(|ticket| (ticket, payload))) {
            Ok(link) => {
                // One that is forked is there when the server has told so.
                let pid = link.child.as_ref().map(Child::pid);
                let all_sent = matches!(&link.peer, Peer::Worker(peer) if peer.outbox.is_empty());
                self.place(worker, link);
                if let Some(pid) = pid {
                    self.unwatched.push(worker);
                    self.handle(self.clock.now(), Input::Started { worker, pid });
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

    /// Starts a worker, for this one task where there is one, with the bytes that come with it.
    fn start_worker(
        &mut self,
        worker: WorkerId,
        lanes: u16,
        task: Option<(Ticket, Option<Vec<u8>>)>,
    ) -> io::Result<Link> {
        let called = monotonic();
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        let (output, output_end) = pipe()?;
        (0..lanes).for_each(|number| self.board.reset(worker.lane(number).slot().0));
        let mut knows = vec![false; self.works.len()];
        // What the fork server is made ready with, those that it forks have.
        let is_forked = self.forks;
        let mut outbox = if is_forked { Vec::new() } else { self.setup.clone() };
        let mut initialization = Initialization::None;
        if let Some(initialize) = self.orders.initialize.filter(|_| !is_forked) {
            protocol::put_initialize(&mut outbox, &Initialize { start: self.starts, ..initialize });
            initialization = Initialization::Awaited;
        }
        let mut held = BTreeMap::new();
        let closing = task.is_some();
        if let Some((ticket, payload)) = task {
            if let Some(bytes) = payload {
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
            self.ask_for_worker(worker, worker.slot.0, ends)?;
            None
        } else {
            self.worker.set_argument(2, worker.slot.to_string().as_ref())?;
            let descriptors = [
                (self.null.as_fd(), 0),
                (output_end.as_fd(), 1),
                (output_end.as_fd(), 2),
                (theirs.as_fd(), SOCKET_FD),
                (self.board.fd().ok_or_else(|| io::Error::other("the board has no descriptor"))?, BOARD_FD),
            ];
            Some(self.worker.spawn_in(&descriptors, group.as_ref().map(|group| group.as_fd()))?)
        };
        self.starts += 1;
        let peer = WorkerPeer {
            socket: Rc::new(readiness::readable(ours.into())?),
            inbox: Vec::new(),
            outbox,
            sent: 0,
            sending: false,
            closing,
            knows,
            output: OutputPipe::new(output)?,
            greeted: false,
            tells: Tells::Board,
            measured: 0,
            held,
            results: PartialResults::default(),
            payloads: Payloads::default(),
            initialization,
            broken: false,
        };
        Ok(Link {
            epoch: worker.epoch,
            lanes,
            child,
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
        protocol::put_tasks(out, lane, self.orders.whole_chunks, &runs);
        runs
    }

    /// Puts the bytes of as many tasks as there is room for.
    fn put_payloads(&self, out: &mut Vec<u8>, held: &mut Payloads, lane: LaneNumber, tickets: &[Ticket]) -> Fit {
        let Some(payload) = &self.orders.payload else { return Fit::All };
        let indices = |ticket: &Ticket| ticket.first..ticket.first + ticket.count;
        let tasks = tickets.iter().flat_map(|ticket| indices(ticket).map(|index| (ticket.class, index)));
        for (fitting, (class, index)) in (0..).zip(tasks) {
            let Some(bytes) = payload(class, index) else { continue };
            if let Some(reason) = payloads::refusal(&bytes) {
                return Fit::Never(fitting, reason);
            }
            if !held.has_room(bytes.len(), self.orders.payload_budget) {
                return Fit::Some(fitting);
            }
            held.add(index, bytes.len());
            protocol::put_payload(out, lane, index, &bytes);
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
