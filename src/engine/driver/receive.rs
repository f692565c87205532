//! Hearing a worker: what is in its socket, up to its end.

use std::io;
use std::time::Duration;

use super::core::Core;
use super::lane_threads::{culprit, words_of};
use super::links::{Link, Peer};
use super::programs::Which;
use crate::engine::dispatcher::Input;
use crate::engine::dispatcher::input::Ended;
use crate::engine::event::{InTask, WorkerId};
use crate::os::capture::Capture;
use crate::os::child::{Child, Reaped};
use crate::os::relatives;
use crate::worker::protocol::{LaneNumber, Tells};

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

impl Core {
    /// Takes in what a worker has sent.
    pub(super) fn receive(&mut self, worker: WorkerId, read: Read) -> Received {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut received = Received::More;
        for _ in 0..TURNS {
            let Some(Link { peer: Peer::Worker(peer), .. }) = self.link(worker) else {
                received = Received::End;
                break;
            };
            if peer.broken {
                received = Received::End;
                break;
            }
            let begin = peer.inbox.len();
            if buffer.len() < begin + 64 * 1024 {
                buffer.resize(begin + 64 * 1024, 0);
            }
            buffer[..begin].copy_from_slice(&peer.inbox);
            let room = buffer.len() - begin;
            let count = rustix::io::read(peer.socket.get_ref(), &mut buffer[begin..]).map_err(io::Error::from);
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
                Err(breach) => {
                    let mut lanes = 0;
                    if let Some(Link { peer: Peer::Worker(peer), lanes: all, .. }) = self.link(worker) {
                        peer.broken = true;
                        lanes = *all;
                    }
                    let struck = (0..lanes).any(|number| self.board.struck(worker.lane(number).slot().0));
                    // So that nobody looks for a mistake.
                    let whose = if struck { "a fault that was asked for (bad_result): " } else { "" };
                    self.feed(Input::Misbehaved { worker, reason: format!("{whose}{breach}") });
                    received = Received::End;
                    break;
                }
            }
            // A socket that gives less than there is room for is empty (epoll(7), "Questions and answers", 9): no read in vain
            // is needed to know it. After the end of its worker it is read to its own end.
            if read == Read::WhenReady && count < room {
                received = Received::NothingNow;
                break;
            }
        }
        self.buffer = buffer;
        received
    }

    /// CPU time of the programs that a worker is in the middle of, as far as they are there: where it ends before them, nobody
    /// waits for them in its place.
    pub(super) fn programs_cpu(&self, worker: WorkerId, tasks: &[(LaneNumber, InTask)]) -> Duration {
        let slots = tasks.iter().map(|(number, _)| worker.lane(*number).slot().0);
        let cpu = |slot| {
            let (entered, task) = (self.board.entered(slot)?, self.board.task(slot)?);
            relatives::cpu_of(entered.program?, task.started)
        };
        slots.filter_map(cpu).sum()
    }

    /// A worker has ended, which was noticed at this reading of the monotonic clock: what it said is taken in first, then its
    /// end.
    pub(super) fn worker_ended(&mut self, worker: WorkerId, reaped: Reaped, noticed: u64) {
        let at = self.ended_at(worker, noticed);
        // What it has sent is in the socket. Somebody else who holds its end may go on for ever.
        for _ in 0..MOST_LEFT {
            if self.receive(worker, Read::Directly) != Received::More {
                break;
            }
        }
        self.read_stream(worker, Which::Stderr);
        self.tell_cut_short(worker);
        let mut tasks = self.in_tasks(worker);
        if let Some(Link { peer: Peer::Worker(peer), .. }) = self.link(worker)
            && peer.tells == Tells::Nothing
            && peer.closing
            && reaped.exit.is_success()
        {
            // What it was supposed to be in it has not begun: it has left, as it was asked to.
            tasks.clear();
        }
        self.tell_threads(worker);
        let pid = self.link(worker).filter(|link| !link.stopped).and_then(|link| link.child.as_ref()).map(Child::pid);
        let out_of_memory =
            pid.is_some_and(|pid| self.out_of_memory(&format!("worker {} (pid {pid})", worker.slot), reaped.exit));
        let cut_off = self.programs_cpu(worker, &tasks);
        let Some(Some(link)) = self.links.get_mut(worker.slot.index()).map(Option::take) else { return };
        let Peer::Worker(peer) = &link.peer else { return };
        let mut used = reaped.usage;
        if !tasks.is_empty() {
            // One that is not in its task any more has waited for its program.
            used.user += cut_off.max(peer.cut_off);
        }
        let words = peer.output.capture.text();
        let culprit = culprit(&self.board, worker, link.lanes, &words);
        let thread = culprit.and_then(|number| self.board.thread(worker.lane(number).slot().0));
        let mut told = Capture::default();
        told.push(words_of(&words, thread.map(|thread| thread.ident)).as_bytes());
        let omitted = peer.output.capture.omitted() + told.omitted();
        let fault = (0..link.lanes).any(|number| self.board.struck(worker.lane(number).slot().0));
        (0..link.lanes).for_each(|number| self.board.reset(worker.lane(number).slot().0));
        self.look_for_strays();
        let left_behind = link.child.as_ref().is_some_and(|child| child.is_abandoned());
        let ended = Ended {
            exit: reaped.exit,
            at,
            tasks,
            culprit,
            // The kernel's word is the last one, but it has not heard of programs that nobody has waited for.
            usage: if used.cpu() < peer.told.cpu() { peer.told } else { used },
            peak_rss_bytes: reaped.peak_rss_bytes,
            out_of_memory,
            fault,
            left_behind,
            output: Self::output_of(String::new(), told.text(), omitted),
        };
        self.feed(Input::Exited { worker, ended: Box::new(ended) });
    }
}
