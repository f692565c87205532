//! What the user asks for, and how processes are ended.

use std::io;
use std::os::fd::AsFd as _;

use super::core::Core;
use super::links::{Link, Peer};
use crate::engine::control::Command;
use crate::engine::dispatcher::{Input, Stop};
use crate::engine::event::{Event, Severity, WorkerId};
use crate::os::child::Reaped;
use crate::os::clock::monotonic;

impl Core {
    pub(super) fn stop(&mut self, worker: WorkerId, how: Stop) {
        use rustix::process::Signal;
        // What it has started may be seen to have lost its parent before its own end is heard of.
        self.tell_cut_short(worker);
        self.ghosts.last_look(worker, &self.board);
        let tasks = self.in_tasks(worker);
        let cut_off = self.programs_cpu(worker, &tasks);
        if let Some(Link { peer: Peer::Worker(peer), .. }) = self.link(worker) {
            peer.cut_off = cut_off;
        }
        let Some(link) = self.link(worker) else { return };
        link.stopped = true;
        let signals: &[Signal] = match how {
            Stop::Terminate => &[Signal::TERM, Signal::CONT],
            Stop::Kill => &[Signal::KILL],
        };
        let Some(child) = &link.child else {
            link.stop_when_there = Some(how);
            return;
        };
        if link.end.is_none()
            && let Ok(pidfd) = child.another_pidfd()
        {
            // What it was in lasts until its end.
            let end = self.await_end(Some(pidfd.as_fd())).map(|end| end.keeping(pidfd));
            if let Some(link) = self.link(worker) {
                link.end = end;
            }
        }
        let Some(child) = self.link(worker).and_then(|link| link.child.as_ref()) else { return };
        let refused: Vec<_> = signals.iter().filter_map(|signal| child.signal(*signal).err()).collect();
        // What may not even be killed (it has become another user's) is not waited for.
        let futile = how == Stop::Kill && refused.iter().any(|error| error.kind() == io::ErrorKind::PermissionDenied);
        for error in refused {
            self.note(Severity::Warning, format!("a worker could not be signalled: {error}"));
        }
        if futile {
            self.abandon(worker);
        }
    }

    /// Leaves a child behind that cannot be ended, unless it has ended in this very moment.
    pub(super) fn abandon(&mut self, worker: WorkerId) {
        let Some(link) = self.link(worker) else { return };
        let is_program = matches!(link.peer, Peer::Program(_));
        let Some(child) = &mut link.child else { return };
        let (pid, ended) = (child.pid(), child.try_reap().ok().flatten());
        if ended.is_none() {
            child.abandon();
            self.tell_unkillable(pid, "");
        }
        let reaped = ended.unwrap_or(Reaped::UNKNOWN);
        if is_program {
            self.program_ended(worker, reaped, monotonic());
        } else {
            self.worker_ended(worker, reaped, monotonic());
        }
    }

    pub(super) fn tell_unkillable(&mut self, pid: u32, who: &str) {
        let process = if who.is_empty() { format!("process {pid}") } else { format!("{who} (pid {pid})") };
        self.note(Severity::Warning, format!("{process} is UNKILLABLE: it could not be ended and is left behind"));
    }

    /// What the user asks for.
    pub(super) fn control(&mut self, command: Command) {
        if let Err(refusal) = self.capabilities.check(command) {
            return self.note(Severity::Warning, refusal.to_string());
        }
        match command {
            Command::Suspend if !self.clock.is_suspended() => {
                self.feed(Input::Control(command));
                self.signal_all(rustix::process::Signal::STOP);
                self.board.suspend();
                self.clock.suspend();
                // The session that is about to stop this whole process waits to see this.
                self.tell_state();
            }
            Command::Unsuspend if self.clock.is_suspended() => {
                let stood = self.clock.resume();
                self.signal_all(rustix::process::Signal::CONT);
                self.observer.event(self.clock.now(), &Event::Suspended(stood));
                self.feed(Input::Control(command));
            }
            Command::Suspend | Command::Unsuspend => {}
            Command::Stop | Command::Kill if self.clock.is_suspended() => {
                self.control(Command::Unsuspend);
                self.control(command);
            }
            command => self.feed(Input::Control(command)),
        }
        self.alarm_changed.notify_one();
    }

    fn signal_all(&mut self, signal: rustix::process::Signal) {
        let workers = self.links.iter().flatten().filter_map(|link| link.child.as_ref());
        for child in workers.chain(self.fork_server.as_ref().map(|server| &server.child)) {
            // One that is gone already needs no signal.
            let _ = child.signal(signal);
        }
    }
}
