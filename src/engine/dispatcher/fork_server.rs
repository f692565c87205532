//! The fork server of a run, where workers are forked: it is started before the first worker, and again when a worker is to
//! be started and it is gone. Until it is ready, starts wait, and what they were for stays in the queue.
//!
//! A worker that it was asked for and that is not there cannot be silent: it is the server that does not answer. It is held
//! to the same limit as a worker (`start_timeout`), and replaced when that is over.

use std::time::Duration;

use super::Dispatcher;
use super::deadlines::LATE;
use super::input::{Effect, InitializerFigures, Sink, StartFailure};
use super::staff::START_PATIENCE;
use super::timers::Timer;
use super::worker::{Life, Worker};
use super::{InitializerRules, deaths};
use crate::engine::error::{EngineError, NotStarted};
use crate::engine::event::{Event, Moment, Severity, Usage, WorkerId};
use crate::engine::outcome::Exit;

/// Until a server is looked at again that seems silent, where we are late ourselves.
const AGAIN: Duration = Duration::from_millis(10);

/// How long one whose initializer has failed may take to end by itself.
const ENDING: Duration = Duration::from_millis(500);

/// What is known of it.
#[derive(Debug)]
pub(super) struct ForkServer {
    /// What it runs once; no worker does.
    initializer: Option<InitializerRules>,
    life: ServerLife,
    pid: u32,
    /// Grows with each part of its life that has a timer, which tells the timers of parts that are over.
    number: u32,
    /// Those that ended in a row and had forked nothing.
    early_deaths: u32,
    /// Whether this one has forked a worker.
    proven: bool,
    /// How it broke the protocol.
    breach: String,
    /// Workers that it was asked for and has said nothing of.
    owes: u32,
    /// Its last answer; where it owed none then, when it was asked.
    heard: Moment,
    /// Whether its silence has a timer.
    watched: bool,
    /// Whether it was looked at once more because we were late ourselves.
    looked_again: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ServerLife {
    /// There is none.
    Absent,
    Starting(Moment),
    /// It has said hello.
    Initializing(Moment),
    Ready,
    /// It is being ended, or about to end by itself.
    Ending(Trouble),
}

/// Why a server is of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// Its initializer has failed, or taken too long.
    NotInitialized,
    /// It has said nothing since its start.
    NoHello,
    /// It does not answer.
    Silent,
    /// It has said what it may not say.
    Misbehaved,
}

impl ForkServer {
    pub(super) fn new(initializer: Option<InitializerRules>) -> Self {
        let (life, heard) = (ServerLife::Absent, Moment::ZERO);
        Self {
            initializer,
            life,
            pid: 0,
            number: 0,
            early_deaths: 0,
            proven: false,
            breach: String::new(),
            owes: 0,
            heard,
            watched: false,
            looked_again: false,
        }
    }
}

impl Dispatcher {
    /// Whether workers can be started; sees to it that they can be.
    pub(super) fn can_fork(&mut self, now: Moment, out: &mut dyn Sink) -> bool {
        let blocked = now < self.start_blocked_until;
        let Some(server) = &mut self.fork_server else { return true };
        if server.life == ServerLife::Absent && !blocked {
            server.life = ServerLife::Starting(now);
            server.number += 1;
            server.looked_again = false;
            server.proven = false;
            self.timers.set(now + self.start_timeout, Timer::ForkServer(server.number));
            out.effect(Effect::StartForkServer);
        }
        self.fork_server.as_ref().is_none_or(|server| server.life == ServerLife::Ready)
    }

    pub(super) fn fork_server_started(&mut self, now: Moment, pid: u32, out: &mut dyn Sink) {
        let Some(server) = &mut self.fork_server else { return };
        server.pid = pid;
        out.event(now, &Event::ForkServerStarted { pid });
    }

    /// It was asked for a worker.
    pub(super) fn fork_asked_for(&mut self, now: Moment, id: WorkerId) {
        let (Some(server), Some(worker)) = (&mut self.fork_server, self.table.worker_mut(id)) else { return };
        worker.asked_for = true;
        if server.owes == 0 {
            server.heard = now;
        }
        server.owes += 1;
        if !std::mem::replace(&mut server.watched, true) {
            self.timers.set(now + self.start_timeout, Timer::ForkServer(server.number));
        }
    }

    /// A worker is there, or will not come: a word of the server if that was asked for it. Says whether it was.
    pub(super) fn fork_answered(&mut self, now: Moment, id: WorkerId) -> bool {
        let Some(server) = &mut self.fork_server else { return false };
        let was_asked = self.table.worker_mut(id).is_some_and(|worker| std::mem::take(&mut worker.asked_for));
        if was_asked {
            server.owes = server.owes.saturating_sub(1);
            (server.heard, server.looked_again) = (now, false);
        }
        was_asked
    }

    /// It has forked a worker.
    pub(super) fn fork_server_proven(&mut self) {
        if let Some(server) = &mut self.fork_server {
            (server.proven, server.early_deaths) = (true, 0);
        }
    }

    pub(super) fn fork_server_hello(&mut self, now: Moment, out: &mut dyn Sink) {
        let Some(server) = &mut self.fork_server else { return };
        let ServerLife::Starting(since) = server.life else {
            return self.fork_server_misbehaved(now, "a second hello".to_owned(), out);
        };
        let Some(rules) = server.initializer else { return self.fork_server_ready(now, since, None, out) };
        server.life = ServerLife::Initializing(since);
        // The timer of its start is stale from here on.
        server.number += 1;
        if let Some(limit) = rules.timeout {
            self.timers.set(now + limit, Timer::ForkServer(server.number));
        }
    }

    pub(super) fn fork_server_initialized(
        &mut self,
        now: Moment,
        result: Result<InitializerFigures, String>,
        out: &mut dyn Sink,
    ) {
        let Some(server) = &self.fork_server else { return };
        let ServerLife::Initializing(since) = server.life else {
            let reason = "answer of an initializer that was not asked for, or a second one";
            return self.fork_server_misbehaved(now, reason.to_owned(), out);
        };
        match result {
            Ok(figures) => {
                self.failed_initializers = 0;
                self.fork_server_ready(now, since, Some(figures), out);
            }
            Err(reason) => {
                // It is about to end by itself, unless it believes that all went well.
                self.timers.set(now + ENDING, Timer::ForkServer(server.number));
                self.fork_server_not_initialized(now, &reason, out);
            }
        }
    }

    fn fork_server_ready(
        &mut self,
        now: Moment,
        since: Moment,
        initializer: Option<InitializerFigures>,
        out: &mut dyn Sink,
    ) {
        let Some(server) = &mut self.fork_server else { return };
        server.life = ServerLife::Ready;
        server.number += 1;
        (server.heard, server.watched) = (now, false);
        let pid = server.pid;
        out.event(now, &Event::ForkServerReady { pid, took: now.since(since), initializer });
        for id in self.waiting_starts() {
            self.start_again(now, id, out);
        }
    }

    /// Workers whose start waits for something.
    fn waiting_starts(&self) -> Vec<WorkerId> {
        let waits = |worker: &Worker| matches!(worker.life, Life::Waiting);
        self.table.ids().zip(self.table.workers()).filter(|(_, worker)| waits(worker)).map(|(id, _)| id).collect()
    }

    /// Nothing can be forked from it: workers are spawned from here on, and each runs the initializer itself.
    pub(super) fn fork_server_unfit(&mut self, now: Moment, reason: &str, out: &mut dyn Sink) {
        let is_awaited =
            |server: &mut ForkServer| matches!(server.life, ServerLife::Starting(_) | ServerLife::Initializing(_));
        let Some(server) = self.fork_server.take_if(is_awaited) else { return };
        self.initializer = self.initializer.or(server.initializer);
        self.note(now, Severity::Warning, format!("workers are spawned, not forked: {reason}"), out);
        out.event(now, &Event::NotForked { reason });
        out.effect(Effect::NoMoreForks);
        out.effect(Effect::StopForkServer);
        for id in self.waiting_starts() {
            self.start_again(now, id, out);
        }
    }

    fn fork_server_not_initialized(&mut self, now: Moment, reason: &str, out: &mut dyn Sink) {
        if let Some(server) = &mut self.fork_server {
            server.life = ServerLife::Ending(Trouble::NotInitialized);
        }
        self.initializer_failed(now, "the fork server", reason, out);
    }

    /// It should have said something by now.
    pub(super) fn fork_server_overdue(&mut self, now: Moment, number: u32, out: &mut dyn Sink) {
        // What comes late has not heard yet what was said meanwhile.
        let late = now.since(self.turn_before) > LATE;
        let Some(server) = self.fork_server.as_mut().filter(|server| server.number == number) else { return };
        let due = match server.life {
            ServerLife::Ready if server.owes == 0 => return server.watched = false,
            ServerLife::Ready => server.heard + self.start_timeout,
            ServerLife::Starting(_) | ServerLife::Initializing(_) | ServerLife::Ending(Trouble::NotInitialized) => now,
            ServerLife::Absent | ServerLife::Ending(_) => return,
        };
        if due > now {
            return self.timers.set(due, Timer::ForkServer(number));
        }
        if late && !std::mem::replace(&mut server.looked_again, true) {
            return self.timers.set(now + AGAIN, Timer::ForkServer(number));
        }
        match server.life {
            ServerLife::Initializing(_) => {
                let limit = server.initializer.and_then(|rules| rules.timeout).unwrap_or_default();
                self.fork_server_not_initialized(now, &format!("it took longer than its timeout of {limit:?}"), out);
                self.end_fork_server(now, out);
            }
            ServerLife::Ending(_) => self.end_fork_server(now, out),
            _ => self.fork_server_silent(now, self.start_timeout, out),
        }
    }

    /// It has said nothing for so long: it is ended, and what it was asked for is tried again with another one.
    pub(super) fn fork_server_silent(&mut self, now: Moment, silence: Duration, out: &mut dyn Sink) {
        let Some(server) = &mut self.fork_server else { return };
        let (trouble, what, then) = match server.life {
            ServerLife::Starting(_) => (Trouble::NoHello, "said nothing", ""),
            ServerLife::Ready => {
                (Trouble::Silent, "does not answer: it said nothing", "; the next start of a worker starts another one")
            }
            ServerLife::Absent | ServerLife::Initializing(_) | ServerLife::Ending(_) => return,
        };
        server.life = ServerLife::Ending(trouble);
        let text = format!("the fork server (pid {}) {what} for {silence:?} and is ended{then}", server.pid);
        self.note(now, Severity::Warning, text, out);
        self.end_fork_server(now, out);
    }

    /// What it says cannot be relied on: it is ended, and what it was asked for is tried again with another one.
    pub(super) fn fork_server_misbehaved(&mut self, now: Moment, reason: String, out: &mut dyn Sink) {
        let Some(server) = &mut self.fork_server else { return };
        if matches!(server.life, ServerLife::Absent | ServerLife::Ending(_)) {
            return;
        }
        server.life = ServerLife::Ending(Trouble::Misbehaved);
        let text = format!("the fork server (pid {}) broke the protocol: {reason}; it is ended", server.pid);
        server.breach = reason;
        self.note(now, Severity::Warning, text, out);
        self.end_fork_server(now, out);
    }

    fn end_fork_server(&mut self, now: Moment, out: &mut dyn Sink) {
        out.effect(Effect::StopForkServer);
        if let Some(server) = &self.fork_server {
            self.timers.set(now + self.patience_with_the_killed(), Timer::ForkServerStuck(server.number));
        }
    }

    /// It was killed and is still there: it is waited for no longer.
    pub(super) fn fork_server_stuck(&mut self, number: u32, out: &mut dyn Sink) {
        let is_stuck = |server: &ForkServer| server.number == number && matches!(server.life, ServerLife::Ending(_));
        if self.fork_server.as_ref().is_some_and(is_stuck) {
            out.effect(Effect::AbandonForkServer);
        }
    }

    /// It has ended and was reaped. What it was asked for and did not start is told apart.
    pub(super) fn fork_server_ended(
        &mut self,
        now: Moment,
        (exit, usage, wrote): (Exit, Usage, &str),
        out: &mut dyn Sink,
    ) {
        out.event(now, &Event::ForkServerExited { exit, usage });
        let Some(server) = &mut self.fork_server else { return };
        let life = std::mem::replace(&mut server.life, ServerLife::Absent);
        if self.ending.is_some() {
            return;
        }
        let how = match life {
            ServerLife::Ending(Trouble::Misbehaved) => format!("for having broken the protocol: {}", server.breach),
            _ => format!("with {exit}{}", deaths::last_line(wrote)),
        };
        let was_of_use = match life {
            ServerLife::Absent | ServerLife::Ending(Trouble::NotInitialized) | ServerLife::Initializing(_) => true,
            ServerLife::Starting(_) | ServerLife::Ending(Trouble::NoHello) => false,
            ServerLife::Ready | ServerLife::Ending(Trouble::Silent | Trouble::Misbehaved) => server.proven,
        };
        if !was_of_use {
            server.early_deaths += 1;
            if server.early_deaths > deaths::EARLY_DEATHS {
                let count = server.early_deaths;
                return self.give_up(now, EngineError::ForkServer { count, how }, out);
            }
        }
        match life {
            ServerLife::Absent
            | ServerLife::Starting(_)
            | ServerLife::Ending(Trouble::NotInitialized | Trouble::NoHello) => {}
            // That was told; what it was asked for is tried again.
            ServerLife::Ending(Trouble::Silent | Trouble::Misbehaved) => return self.try_waiting_starts(now),
            ServerLife::Ready => {
                let text = format!(
                    "the fork server (pid {}) ended {how}; the next start of a worker starts another one",
                    server.pid
                );
                self.note(now, Severity::Warning, text, out);
            }
            ServerLife::Initializing(_) => {
                self.initializer_failed(now, "the fork server", &format!("it ended {how}"), out);
            }
        }
        let rules = self.fork_server.as_ref().and_then(|server| server.initializer);
        if rules.is_some_and(|rules| self.failed_initializers >= rules.max_failures.max(1)) {
            let error = EngineError::initializer(self.failed_initializers, &self.initializer_failure);
            return self.give_up(now, error, out);
        }
        if life == ServerLife::Ready {
            return self.try_waiting_starts(now);
        }
        self.fork_server_not_started(now, StartFailure::Transient(died(&how)), out);
    }

    /// It could not be started, or not made ready.
    pub(super) fn fork_server_not_started(&mut self, now: Moment, failure: StartFailure, out: &mut dyn Sink) {
        let Some(server) = &mut self.fork_server else { return };
        server.life = ServerLife::Absent;
        if self.ending.is_some() {
            return;
        }
        match failure {
            StartFailure::Engine(error) => self.give_up(now, error.into(), out),
            StartFailure::Task(how) => self.block_starts_without_server(now, &died(&how), out),
            StartFailure::Transient(error) => self.block_starts_without_server(now, &error, out),
        }
    }

    fn block_starts_without_server(&mut self, now: Moment, error: &NotStarted, out: &mut dyn Sink) {
        self.block_starts(now, error, out);
        let anyone = self.table.workers().iter().any(|worker| worker.pid.is_some());
        if !anyone && now.since(self.failing_since) > START_PATIENCE {
            let source = NotStarted { what: error.what.clone(), source: error.source.kind().into() };
            return self.give_up(now, EngineError::Shortage { patience: START_PATIENCE, source }, out);
        }
        self.try_waiting_starts(now);
    }

    /// Workers that wait for a server are started, as soon as starts are allowed, by the next one.
    fn try_waiting_starts(&mut self, now: Moment) {
        for id in self.waiting_starts() {
            self.timers.set(self.start_blocked_until.max(now + Duration::from_nanos(1)), Timer::Start(id));
        }
    }
}

fn died(how: &str) -> NotStarted {
    NotStarted { what: "the fork server".to_owned(), source: std::io::Error::other(format!("it ended {how}")) }
}
