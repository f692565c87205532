//! Starting workers by asking the run's fork server for them: it is sent orders, and its answers become inputs. A worker that
//! it was asked for has its place from then on; its process is known when that is told.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use super::core::Core;
use super::fork_server::ForkServer;
use super::links::Link;
use crate::engine::dispatcher::{Input, StartFailure};
use crate::engine::error::NotStarted;
use crate::engine::event::{InitializerFigures, WorkerId};
use crate::os::capture::Capture;
use crate::os::child::{Child, Reaped};
use crate::os::pipe::{drain, pipe};
use crate::os::spawn::{Program, is_transient};
use crate::os::{orphans, packets, readiness};
use crate::worker::entry;
use crate::worker::fork_server::{Answer, Order};
use crate::worker::protocol::{self, BOARD_FD, FromWorker, Initialize, SOCKET_FD};

/// How long the end of a server that was told to leave is waited for.
const PATIENCE: Duration = Duration::from_millis(500);

impl Core {
    pub(super) fn start_fork_server(&mut self) {
        match self.try_start_fork_server() {
            Ok(server) => {
                self.fork_server = Some(server);
                self.fork_server_unwatched = true;
            }
            Err(error) => {
                let transient = is_transient(&error);
                let error = NotStarted { what: "the fork server".to_owned(), source: error };
                let failure = if transient { StartFailure::Transient(error) } else { StartFailure::Engine(error) };
                self.handle(self.clock.now(), Input::ForkServerNotStarted { failure });
            }
        }
    }

    fn try_start_fork_server(&mut self) -> io::Result<ForkServer> {
        let (ours, theirs) = packets::pair()?;
        let (output, output_end) = pipe()?;
        let parent = std::process::id().to_string();
        let program: Program =
            self.worker.with_arguments_alone(&["poolscope-forkserver", entry::FORK_SERVER, &parent])?;
        let mut child = program.spawn(&[
            (self.null.as_fd(), 0),
            (output_end.as_fd(), 1),
            (output_end.as_fd(), 2),
            (theirs.as_fd(), SOCKET_FD),
            (self.board.fd().ok_or_else(|| io::Error::other("the board has no descriptor"))?, BOARD_FD),
        ])?;
        // A worker that has just been forked is in the server's group for a moment.
        child.leave_group_alone();
        let mut frames = self.setup.clone();
        if let Some(initialize) = &self.orders.initialize {
            protocol::put_initialize(&mut frames, &Initialize { start: self.servers, ..*initialize });
        }
        self.servers += 1;
        let pieces = frames.chunks(Order::PIECE);
        let last = pieces.len().saturating_sub(1);
        let outbox =
            pieces.enumerate().map(|(number, piece)| (Order::Prepare(piece.to_vec(), number == last), Vec::new()));
        let mut server = ForkServer {
            child,
            line: Rc::new(readiness::readable(ours)?),
            output,
            outbox: outbox.collect(),
            asked: VecDeque::new(),
            readers: Vec::new(),
        };
        server.flush();
        Ok(server)
    }

    /// Asks for a worker whose place is taken already; it begins with these descriptors.
    pub(super) fn ask_for_worker(&mut self, worker: WorkerId, line: u32, descriptors: Vec<OwnedFd>) -> io::Result<()> {
        let Some(server) = &mut self.fork_server else {
            return Err(io::Error::from_raw_os_error(libc::EAGAIN));
        };
        server.asked.push_back(worker);
        server.outbox.push_back((Order::Fork(line), descriptors));
        server.flush();
        Ok(())
    }

    /// Takes in what the server has said. Says whether it may say more.
    pub(super) fn hear_fork_server(&mut self) -> bool {
        loop {
            let Some(server) = &mut self.fork_server else { return false };
            match packets::receive(server.line.get_ref(), &mut self.buffer) {
                Ok(Some(packet)) => {
                    server.flush();
                    let descriptor = packet.descriptors.into_iter().next();
                    match Answer::of(&packet.bytes) {
                        Some(answer) => self.fork_server_said(answer, descriptor),
                        None => return false,
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Ok(None) | Err(_) => return false,
            }
        }
    }

    fn fork_server_said(&mut self, answer: Answer, descriptor: Option<OwnedFd>) {
        match answer {
            Answer::MorePlease => {}
            Answer::Hello => {
                let pid = self.fork_server.as_ref().map_or(0, |server| server.child.pid());
                self.feed(Input::ForkServerHello { pid });
            }
            Answer::Initialized(frame) => {
                let result = match protocol::split(&frame).ok().flatten().map(protocol::decode_from_worker) {
                    Some(Ok(FromWorker::Initialized(told))) => {
                        let figures = InitializerFigures {
                            wall: Duration::from_nanos(told.wall_ns),
                            cpu: Duration::from_nanos(told.cpu_ns),
                            rss_bytes: (told.rss_bytes > 0).then_some(told.rss_bytes),
                        };
                        told.error.map_or(Ok(figures), Err)
                    }
                    _ => Err("its answer cannot be understood".to_owned()),
                };
                self.feed(Input::ForkServerInitialized { result });
            }
            Answer::Forked { pid, forked, .. } => {
                let Some(worker) = self.next_asked() else { return };
                let child = match descriptor {
                    Some(pidfd) => Child::of_fork_server(pid, pidfd, forked),
                    None => Err(io::Error::from_raw_os_error(libc::EMFILE)),
                };
                match child {
                    Ok(child) => self.forked(worker, child),
                    Err(error) => {
                        // It is a child without an owner; others may be on their way to theirs.
                        if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
                            orphans::end_child(pid);
                        }
                        self.not_forked(worker, error);
                    }
                }
            }
            Answer::Refused(errno) => {
                if let Some(worker) = self.next_asked() {
                    self.not_forked(worker, io::Error::from_raw_os_error(errno));
                }
            }
        }
    }

    fn next_asked(&mut self) -> Option<WorkerId> {
        self.fork_server.as_mut()?.asked.pop_front()
    }

    fn forked(&mut self, worker: WorkerId, child: Child) {
        let suspended = self.clock.is_suspended();
        let pid = child.pid();
        let Some(link) = self.link(worker) else { return };
        if suspended {
            // One that is gone already needs no signal.
            let _ = child.signal(rustix::process::Signal::STOP);
        }
        link.child = Some(child);
        let stop = link.stop_when_there.take();
        self.unwatched.push(worker);
        self.feed(Input::Started { worker, pid });
        if let Some(how) = stop {
            self.stop(worker, how);
        }
    }

    fn not_forked(&mut self, worker: WorkerId, error: io::Error) {
        self.remove_unborn(worker);
        let transient = is_transient(&error);
        let error = NotStarted { what: "a worker".to_owned(), source: error };
        let failure = if transient { StartFailure::Transient(error) } else { StartFailure::Engine(error) };
        self.feed(Input::StartFailed { worker, failure });
    }

    /// Takes the place back of a worker that was never there.
    fn remove_unborn(&mut self, worker: WorkerId) {
        if let Some(place) = self.links.get_mut(worker.slot.index()) {
            place.take_if(|link: &mut Link| link.epoch == worker.epoch);
        }
    }

    /// It has ended. What it has said before counts; what it was asked for and has not answered was not started.
    pub(super) fn fork_server_ended(&mut self, reaped: Reaped) {
        self.hear_fork_server();
        let Some(mut server) = self.fork_server.take() else { return };
        orphans::end_untold();
        let mut capture = Capture::default();
        drain(&server.output, &mut capture);
        let asked = std::mem::take(&mut server.asked);
        drop(server);
        asked.iter().for_each(|worker| self.remove_unborn(*worker));
        self.feed(Input::ForkServerEnded { exit: reaped.exit, usage: reaped.usage, wrote: capture.text() });
        for worker in asked {
            let source = io::Error::new(io::ErrorKind::WouldBlock, "the fork server ended before it was forked");
            let error = NotStarted { what: "a worker".to_owned(), source };
            self.feed(Input::StartFailed { worker, failure: StartFailure::Transient(error) });
        }
    }

    /// Ends the server without delay: it is waited for elsewhere.
    pub(super) fn stop_fork_server(&mut self) {
        if let Some(server) = &self.fork_server {
            // One that is gone already needs no signal.
            let _ = server.child.signal(rustix::process::Signal::KILL);
        }
    }

    /// The run is over: the server leaves.
    pub(super) fn dismiss_fork_server(&mut self) {
        let Some(mut server) = self.fork_server.take() else { return };
        server.readers.drain(..).for_each(|reader| reader.abort());
        // Shut down and not only closed: a local task may still hold it.
        let _ = rustix::net::shutdown(server.line.get_ref(), rustix::net::Shutdown::Both);
        let reaped = server.child.wait_at_most(PATIENCE).or_else(|| {
            let _ = server.child.signal(rustix::process::Signal::KILL);
            server.child.wait_at_most(PATIENCE)
        });
        if let Some(reaped) = reaped {
            self.feed(Input::ForkServerEnded { exit: reaped.exit, usage: reaped.usage, wrote: String::new() });
        }
    }
}
