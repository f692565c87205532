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
use crate::os::pipe::pipe;
use crate::os::spawn::{Program, is_transient};
use crate::os::{orphans, packets, readiness};
use crate::worker::entry;
use crate::worker::fork_server::{Answer, Newcomer, Order};
use crate::worker::protocol::{self, BOARD_FD, CODE_FD, FromWorker, Initialize, SOCKET_FD};
use crate::worker::python::PythonWorkers;
use crate::workload::service;

/// How long the end of a server that was told to leave is waited for.
const PATIENCE: Duration = Duration::from_millis(500);

impl Core {
    pub(super) fn start_fork_server(&mut self) {
        match self.try_start_fork_server() {
            Ok(server) => {
                let pid = server.child.pid();
                self.fork_server = Some(server);
                self.fork_server_unwatched = true;
                self.handle(self.clock.now(), Input::ForkServerStarted { pid });
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
        let program: Program = match self.in_python {
            true => self.worker.with_last_arguments(
                self.line_argument.saturating_sub(1),
                &PythonWorkers::fork_server_arguments(&parent),
            )?,
            false => self.worker.with_arguments_alone(&["poolscope-forkserver", entry::FORK_SERVER, &parent])?,
        };
        let mut descriptors = vec![
            (self.null.as_fd(), 0),
            (output_end.as_fd(), 1),
            (output_end.as_fd(), 2),
            (theirs.as_fd(), SOCKET_FD),
            (self.board.fd().ok_or_else(|| io::Error::other("the board has no descriptor"))?, BOARD_FD),
        ];
        descriptors.extend(self.code.as_ref().map(|code| (code.as_fd(), CODE_FD)));
        let mut child = program.spawn(&descriptors)?;
        // A worker that has just been forked is in the server's group for a moment.
        child.leave_group_alone();
        let mut frames = self.setup.clone();
        for (class, work) in (0..).zip(&self.works) {
            protocol::put_class(&mut frames, class, &service::without_traces(work));
        }
        if let Some(initialize) = self.orders.initialize.filter(|_| self.start_method.initializes_once()) {
            protocol::put_initialize(&mut frames, &Initialize { start: self.servers, ..initialize });
        }
        self.servers += 1;
        let pieces = frames.chunks(Order::PIECE);
        let last = pieces.len().saturating_sub(1);
        let outbox =
            pieces.enumerate().map(|(number, piece)| (Order::Prepare(piece.to_vec(), number == last), Vec::new()));
        let mut server = ForkServer {
            child,
            line: Rc::new(readiness::readable(ours)?),
            output: Rc::new(readiness::readable(output)?),
            printed: Capture::default(),
            outbox: outbox.collect(),
            asked: VecDeque::new(),
            readers: Vec::new(),
            stopped: false,
            broken: false,
        };
        server.flush();
        Ok(server)
    }

    /// Asks for a worker whose place is taken already; it begins with these descriptors.
    pub(super) fn ask_for_worker(
        &mut self,
        worker: WorkerId,
        newcomer: Newcomer,
        descriptors: Vec<OwnedFd>,
    ) -> io::Result<()> {
        let Some(server) = &mut self.fork_server else {
            return Err(io::Error::from_raw_os_error(libc::EAGAIN));
        };
        server.asked.push_back(worker);
        server.outbox.push_back((Order::Fork(newcomer), descriptors));
        server.flush();
        Ok(())
    }

    /// Takes in what the server has said. Says whether it may say more.
    pub(super) fn hear_fork_server(&mut self) -> bool {
        loop {
            let Some(server) = self.fork_server.as_mut().filter(|server| !server.broken) else { return false };
            match packets::receive(server.line.get_ref(), &mut self.buffer) {
                Ok(Some(packet)) => {
                    server.flush();
                    let descriptor = packet.descriptors.into_iter().next();
                    let said = match Answer::of(&packet.bytes) {
                        Some(answer) => self.fork_server_said(answer, descriptor),
                        None => Err("an answer that is none"),
                    };
                    if let Err(reason) = said {
                        self.fork_server.iter_mut().for_each(|server| server.broken = true);
                        self.feed(Input::ForkServerMisbehaved { reason: reason.to_owned() });
                        return false;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Ok(None) | Err(_) => return false,
            }
        }
    }

    /// # Errors
    /// Why it may not say that.
    fn fork_server_said(&mut self, answer: Answer, descriptor: Option<OwnedFd>) -> Result<(), &'static str> {
        match answer {
            Answer::MorePlease => {}
            Answer::Hello => self.feed(Input::ForkServerHello),
            Answer::Initialized(frame) => {
                let result = match protocol::split(&frame).ok().flatten().map(protocol::decode_from_worker) {
                    Some(Ok(FromWorker::Initialized(told))) => {
                        let figures = InitializerFigures {
                            wall: Duration::from_nanos(told.wall_ns),
                            cpu: Duration::from_nanos(told.cpu_ns),
                            rss_bytes: (told.rss_bytes > 0).then_some(told.rss_bytes),
                        };
                        told.failure().map_or(Ok(figures), Err)
                    }
                    _ => Err("its answer cannot be understood".to_owned()),
                };
                self.feed(Input::ForkServerInitialized { result });
            }
            Answer::Forked { pid, forked, .. } => {
                let asked = self.next_asked();
                let child = match descriptor.filter(|_| asked.is_some()) {
                    Some(pidfd) => Child::of_fork_server(pid, pidfd, forked),
                    None => Err(io::Error::from_raw_os_error(libc::EMFILE)),
                };
                match (asked, child) {
                    (Some(worker), Ok(mut child)) => {
                        if self.code.is_some() {
                            child.spare_trackers();
                        }
                        self.forked(worker, child);
                    }
                    (asked, child) => {
                        // It is a child without an owner; others may be on their way to theirs.
                        if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
                            orphans::end_child(pid);
                        }
                        let worker = asked.ok_or("a worker that it was not asked for")?;
                        child.err().into_iter().for_each(|error| self.not_forked(worker, error));
                    }
                }
            }
            Answer::Unfit(reason) => self.feed(Input::ForkServerUnfit { reason }),
            Answer::Refused(errno) => {
                let worker = self.next_asked().ok_or("no worker, where it was not asked for one")?;
                self.not_forked(worker, io::Error::from_raw_os_error(errno));
            }
        }
        Ok(())
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
        if !server.stopped {
            self.out_of_memory(&format!("the fork server (pid {})", server.child.pid()), reaped.exit);
        }
        server.read_output();
        let wrote = server.printed.text();
        let asked = std::mem::take(&mut server.asked);
        drop(server);
        asked.iter().for_each(|worker| self.remove_unborn(*worker));
        self.feed(Input::ForkServerEnded { exit: reaped.exit, usage: reaped.usage, wrote });
        for worker in asked {
            let source = io::Error::new(io::ErrorKind::WouldBlock, "the fork server ended before it was forked");
            let error = NotStarted { what: "a worker".to_owned(), source };
            self.feed(Input::StartFailed { worker, failure: StartFailure::Transient(error) });
        }
    }

    /// Ends the server without delay: it is waited for elsewhere.
    pub(super) fn stop_fork_server(&mut self) {
        if let Some(server) = &mut self.fork_server {
            server.stopped = true;
            // One that is gone already needs no signal.
            let _ = server.child.signal(rustix::process::Signal::KILL);
        }
    }

    /// It was killed and is still there: it is left behind.
    pub(super) fn abandon_fork_server(&mut self) {
        let Some(server) = &mut self.fork_server else { return };
        let ended = server.child.try_reap().ok().flatten();
        if ended.is_none() {
            let pid = server.child.pid();
            server.child.abandon();
            self.tell_unkillable(pid, "the fork server");
        }
        self.fork_server_ended(ended.unwrap_or(Reaped::UNKNOWN));
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
        if reaped.is_none() {
            let pid = server.child.pid();
            server.child.abandon();
            self.tell_unkillable(pid, "the fork server");
        }
        let Reaped { exit, usage, .. } = reaped.unwrap_or(Reaped::UNKNOWN);
        self.feed(Input::ForkServerEnded { exit, usage, wrote: String::new() });
    }
}
