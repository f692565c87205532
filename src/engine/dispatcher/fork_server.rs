//! The fork server of a run, where workers are forked: it is started before the first worker, and again when a worker is to
//! be started and it is gone. Until it is ready, starts wait, and what they were for stays in the queue.

use std::time::Duration;

use super::Dispatcher;
use super::input::{Effect, InitializerFigures, Sink, StartFailure};
use super::staff::START_PATIENCE;
use super::timers::Timer;
use super::worker::{Life, Worker};
use super::{InitializerRules, deaths};
use crate::engine::error::{EngineError, NotStarted};
use crate::engine::event::{Event, Moment, Severity, Usage, WorkerId};
use crate::engine::outcome::Exit;

/// What is known of it.
#[derive(Debug)]
pub(super) struct ForkServer {
    /// What it runs once; no worker does.
    initializer: Option<InitializerRules>,
    life: ServerLife,
    pid: u32,
    /// The how manieth it is.
    number: u32,
    /// Those that ended in a row before they were ready.
    early_deaths: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ServerLife {
    /// There is none.
    Absent,
    Starting(Moment),
    /// It has said hello.
    Initializing(Moment),
    /// Its initializer has failed, or taken too long.
    Failed,
    Ready,
}

impl ForkServer {
    pub(super) fn new(initializer: Option<InitializerRules>) -> Self {
        Self { initializer, life: ServerLife::Absent, pid: 0, number: 0, early_deaths: 0 }
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
            self.timers.set(now + self.start_timeout, Timer::ForkServer(server.number));
            out.effect(Effect::StartForkServer);
        }
        self.fork_server.as_ref().is_none_or(|server| server.life == ServerLife::Ready)
    }

    pub(super) fn fork_server_hello(&mut self, now: Moment, pid: u32, out: &mut dyn Sink) {
        let Some(server) = &mut self.fork_server else { return };
        let ServerLife::Starting(since) = server.life else { return };
        server.pid = pid;
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
        let ServerLife::Initializing(since) = server.life else { return };
        match result {
            Ok(figures) => {
                self.failed_initializers = 0;
                self.fork_server_ready(now, since, Some(figures), out);
            }
            Err(reason) => self.fork_server_not_initialized(now, &reason, out),
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
        server.early_deaths = 0;
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

    fn fork_server_not_initialized(&mut self, now: Moment, reason: &str, out: &mut dyn Sink) {
        if let Some(server) = &mut self.fork_server {
            server.life = ServerLife::Failed;
        }
        self.initializer_failed(now, "the fork server", reason, out);
    }

    /// It should have said something by now.
    pub(super) fn fork_server_overdue(&mut self, now: Moment, number: u32, out: &mut dyn Sink) {
        let Some(server) = self.fork_server.as_ref().filter(|server| server.number == number) else { return };
        match server.life {
            ServerLife::Starting(_) => {
                let text = format!("the fork server said nothing for {:?} and is ended", self.start_timeout);
                self.note(now, Severity::Warning, text, out);
            }
            ServerLife::Initializing(_) => {
                let limit = server.initializer.and_then(|rules| rules.timeout).unwrap_or_default();
                self.fork_server_not_initialized(now, &format!("it took longer than its timeout of {limit:?}"), out);
            }
            ServerLife::Absent | ServerLife::Failed | ServerLife::Ready => return,
        }
        out.effect(Effect::StopForkServer);
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
        let how = format!("with {exit}{}", deaths::last_line(wrote));
        match life {
            ServerLife::Absent | ServerLife::Failed => {}
            ServerLife::Ready => {
                let text = format!(
                    "the fork server (process {}) ended {how}; the next start of a worker starts another one",
                    server.pid
                );
                self.note(now, Severity::Warning, text, out);
            }
            ServerLife::Starting(_) => {
                server.early_deaths += 1;
                if server.early_deaths > deaths::EARLY_DEATHS {
                    let count = server.early_deaths;
                    return self.give_up(now, EngineError::ForkServer { count, how }, out);
                }
            }
            ServerLife::Initializing(_) => {
                self.initializer_failed(now, "the fork server", &format!("it ended {how}"), out);
            }
        }
        let rules = self.fork_server.as_ref().and_then(|server| server.initializer);
        if rules.is_some_and(|rules| self.failed_initializers >= rules.max_failures.max(1)) {
            return self.give_up(now, EngineError::Initializer { times: self.failed_initializers }, out);
        }
        if life == ServerLife::Ready {
            return;
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
        for id in self.waiting_starts() {
            self.timers.set(self.start_blocked_until.max(now + Duration::from_nanos(1)), Timer::Start(id));
        }
    }
}

fn died(how: &str) -> NotStarted {
    NotStarted { what: "the fork server".to_owned(), source: std::io::Error::other(format!("it ended {how}")) }
}
