//! A virtual fork server: it starts late or not at all, has threads, fails to initialize, dies in the middle of what it was asked for, or
//! falls silent; workers that it was asked for are there when it says so.

use std::io::ErrorKind;

use poolscope::engine::dispatcher::{Input, StartFailure};
use poolscope::engine::event::{InitializerFigures, Usage, WorkerId};
use poolscope::engine::outcome::Exit;

use super::{Scheduled, World};
use crate::draws::{MS, not_started};

/// A fork server that there is.
pub(super) struct Server {
    number: u32,
    ready: bool,
    /// Whether it says nothing more.
    hung: bool,
}

impl World {
    pub(super) fn start_fork_server(&mut self) {
        assert!(self.forks, "a fork server that nobody asked for");
        assert!(self.server.is_none(), "seed {}: two fork servers", self.seed);
        if self.trouble() {
            let failure = StartFailure::Transient(not_started(ErrorKind::WouldBlock));
            return self.feed(Input::ForkServerNotStarted { failure });
        }
        self.servers += 1;
        let number = self.servers;
        self.server = Some(Server { number, ready: false, hung: false });
        let after = self.dice.below(3 * MS);
        self.feed(Input::ForkServerStarted { pid: number });
        if self.trouble() {
            self.later(after, Scheduled::ServerDies(number));
        } else if self.trouble() {
            self.faults.silences += 1;
        } else {
            self.later(after, Scheduled::ServerHello(number));
        }
    }

    pub(super) fn stop_fork_server(&mut self) {
        let after = self.dice.below(MS);
        if let Some(server) = &self.server {
            let number = server.number;
            self.later(after, Scheduled::ServerDies(number));
        }
    }

    /// It does not answer: what it was asked for is waited for no longer.
    pub(super) fn kill_fork_server(&mut self) {
        if let Some(server) = &self.server {
            self.server_dies(server.number);
        }
    }

    pub(super) fn server_hello(&mut self, number: u32) {
        let has_initializer = self.initializer.is_some();
        if self.server.as_ref().is_none_or(|server| server.number != number) {
            return;
        }
        // Before its hello or after its initializer, for which this stands.
        if self.trouble() && self.dice.chance(20) {
            return self.server_is_unfit(has_initializer);
        }
        let Some(server) = &mut self.server else { return };
        server.ready = !has_initializer;
        let takes = self.dice.below(30 * MS);
        if has_initializer {
            let dies = self.trouble();
            self.later(takes, if dies { Scheduled::ServerDies(number) } else { Scheduled::ServerInitialized(number) });
        } else if self.trouble() {
            self.later(takes * 3, Scheduled::ServerDies(number));
        }
        self.feed(Input::ForkServerHello);
    }

    pub(super) fn server_initialized(&mut self, number: u32) {
        let fails = self.trouble();
        let Some(server) = self.server.as_mut().filter(|server| server.number == number) else { return };
        let result = if fails {
            self.faults.failed_initializers += 1;
            Err("no connection".to_owned())
        } else {
            server.ready = true;
            Ok(InitializerFigures { wall: Default::default(), cpu: Default::default(), rss_bytes: None })
        };
        if fails {
            self.later(0, Scheduled::ServerDies(number));
        }
        self.feed(Input::ForkServerInitialized { result });
    }

    /// Workers are spawned from here on, and are what runs the initializer.
    fn server_is_unfit(&mut self, after_hello: bool) {
        if after_hello {
            self.feed(Input::ForkServerHello);
        }
        self.feed(Input::ForkServerUnfit { reason: "it has two threads".to_owned() });
    }

    /// A worker that is started was asked for: when it is there, if it ever is. The order may come when the server has ended
    /// and that is not known yet.
    pub(super) fn asked_for(&mut self, id: WorkerId) {
        if self.server.is_none() {
            self.workers.remove(&id);
            let failure = StartFailure::Transient(not_started(ErrorKind::WouldBlock));
            return self.feed(Input::StartFailed { worker: id, failure });
        }
        let dies = self.trouble() && self.dice.chance(20);
        let hangs = self.trouble() && self.dice.chance(10);
        let Some(server) = &mut self.server else { return };
        assert!(server.ready, "seed {}: a start from a fork server that is not ready", self.seed);
        server.hung |= hangs;
        let number = server.number;
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.unborn = true;
        }
        let after = self.dice.below(2 * MS);
        self.feed(Input::ForkAskedFor { worker: id });
        self.later(after, if dies { Scheduled::ServerDies(number) } else { Scheduled::Born(id) });
    }

    pub(super) fn born(&mut self, id: WorkerId) {
        if self.workers.get(&id).is_none_or(|worker| !worker.unborn) {
            return;
        }
        if self.server.as_ref().is_none_or(|server| server.hung) {
            return self.falls_silent(id);
        }
        if self.trouble() && self.dice.chance(20) {
            // Whatever it says in its place, it is ended for it.
            return self.feed(Input::ForkServerMisbehaved { reason: "an answer that is none".to_owned() });
        }
        let Some(worker) = self.workers.get_mut(&id) else { return };
        worker.unborn = false;
        let stop = worker.stop_at_birth.take();
        self.comes_alive(id);
        if let Some(how) = stop {
            self.stop(id, how);
        }
    }

    /// With it goes whoever it was asked for.
    pub(super) fn server_dies(&mut self, number: u32) {
        if self.server.take_if(|server| server.number == number).is_none() {
            return;
        }
        self.faults.server_deaths += 1;
        let mut unborn: Vec<_> = self.workers.iter().filter(|(_, worker)| worker.unborn).map(|(id, _)| *id).collect();
        unborn.sort_unstable();
        let exit = Exit::Signal(9);
        self.feed(Input::ForkServerEnded { exit, usage: Usage::default(), wrote: String::new() });
        for worker in unborn {
            self.workers.remove(&worker);
            let failure = StartFailure::Transient(not_started(ErrorKind::WouldBlock));
            self.feed(Input::StartFailed { worker, failure });
        }
    }
}
