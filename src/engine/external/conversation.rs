//! What is said to an external program and what it says: turns lines into entries of the [`Ledger`] and commands into
//! lines, and knows every limit. No I/O: bytes come in and go out, and the run clock tells the time.

use std::time::Duration;

use crate::engine::control::{Capabilities, Command};
use crate::engine::event::{EngineView, Event, Moment, Observer, RunState, Severity, SlotView};
use crate::engine::external::SaidCapabilities;
use crate::engine::external::contradiction::Contradiction;
use crate::engine::external::feed::Feed;
use crate::engine::external::ledger::Ledger;
use crate::engine::external::protocol::{Class, FromProgram, MOST_GIVEN, MOST_LINE, ToProgram, VERSION};
use crate::engine::external::spec::Spec;
use crate::engine::outcome::Exit;
use crate::os::child::Reaped;
use crate::os::clock::monotonic;
use crate::workload::model::TaskClass;
use crate::workload::service;

/// Most tasks in one line.
const MOST_IN_LINE: u64 = 256;
/// No more is written ahead of what the socket takes.
const WRITTEN_AHEAD: usize = 64 * 1024;
/// Bytes of a line that are told.
const TOLD: usize = 200;

/// Why a run could not go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broke {
    #[error("the program said nothing for {0:?}")]
    Silent(Duration),
    #[error("the program has nothing left to do and did not end within {0:?}")]
    Stays(Duration),
    #[error("the program has closed its socket and goes on")]
    SocketClosed,
    #[error("the program said something that is no line of the protocol: {line}")]
    Unreadable { line: String, source: serde_json::Error },
    #[error("the program said something without an end: more than {MOST_LINE} bytes in one line")]
    LongLine,
    #[error("the program did not begin with hello")]
    NoHello,
    #[error("the program speaks version {0} of the protocol; this is version {VERSION}")]
    Version(u32),
    #[error("the workload has a timeout, which the program cannot do")]
    NoTimeouts,
    #[error("the program contradicts itself")]
    Contradiction(#[from] Contradiction),
    #[error("the program ended with {exit} while {left} tasks had no outcome")]
    Ended { exit: Exit, left: u64 },
    #[error("the program ended with {0} after its last task")]
    EndedBadly(Exit),
}

/// See the module docs.
pub(super) struct Conversation {
    ledger: Ledger,
    feed: Feed,
    state: RunState,
    /// The state that a suspension interrupted.
    before: RunState,
    classes: Vec<TaskClass>,
    seed: u64,
    workers: u32,
    most_workers: u32,
    silence: Duration,
    said: SaidCapabilities,
    /// Whether it has said hello, and what it can do.
    can: Option<Capabilities>,
    /// Commands that came before that.
    early: Vec<Command>,
    /// Tasks that may still be sent.
    wanted: u64,
    end_was_sent: bool,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    /// When the last line came.
    heard: Moment,
    /// When it is killed: the end of the grace period.
    kill_at: Option<Moment>,
    closed_at: Option<Moment>,
    /// When it must have ended, having nothing left to do.
    end_by: Option<Moment>,
    kill: bool,
    broke: Option<Broke>,
    slots: Vec<SlotView>,
}

impl Conversation {
    pub(super) fn new(spec: Spec, observer: Box<dyn Observer>) -> Self {
        let timeouts = spec.classes.iter().map(|class| class.timeout).collect();
        let mut ledger = Ledger::new(timeouts, observer);
        let feed = spec.feed;
        ledger.counts.submitted = feed.submitted_at_start();
        let mut new = Self {
            ledger,
            feed,
            state: RunState::Running,
            before: RunState::Running,
            classes: spec.classes,
            seed: spec.seed,
            workers: spec.workers,
            most_workers: spec.most_workers,
            silence: spec.silence,
            said: spec.said,
            can: None,
            early: Vec::new(),
            wanted: 0,
            end_was_sent: false,
            inbox: Vec::new(),
            outbox: Vec::new(),
            heard: Moment::ZERO,
            kill_at: None,
            closed_at: None,
            end_by: None,
            kill: false,
            broke: None,
            slots: Vec::new(),
        };
        let classes: Vec<Class<'_>> = new.classes.iter().map(class_line).collect();
        let start = ToProgram::Start {
            version: VERSION,
            workers: spec.workers,
            total: new.feed.total(),
            seed: spec.seed,
            iterations_per_second: spec.iterations_per_second,
            silence: nanos(spec.silence),
            classes: &classes,
        };
        put(&mut new.outbox, &start);
        new
    }

    pub(super) fn note(&mut self, severity: Severity, text: String) {
        self.ledger.observer.event(self.ledger.clock.now(), &Event::Note { severity, text });
    }

    pub(super) fn outbox(&self) -> &[u8] {
        &self.outbox
    }

    /// So many bytes were written, or the program will never read them.
    pub(super) fn sent(&mut self, count: usize) {
        self.outbox.drain(..count.min(self.outbox.len()));
    }

    pub(super) fn is_to_be_killed(&self) -> bool {
        self.kill
    }

    fn say(&mut self, line: &ToProgram<'_>) {
        put(&mut self.outbox, line);
    }

    fn breaks(&mut self, why: Broke) {
        self.broke.get_or_insert(why);
        self.kill = true;
    }

    /// Gives the program what it wants and what has arrived, as far as the socket keeps up.
    pub(super) fn give(&mut self) {
        let now = self.ledger.clock.now();
        if matches!(self.state, RunState::Suspended | RunState::Stopping) || self.kill {
            return;
        }
        self.feed.admit(now, &mut self.ledger.counts);
        if self.state != RunState::Running {
            return;
        }
        while self.outbox.len() < WRITTEN_AHEAD {
            let most = self.wanted.min(MOST_GIVEN.saturating_sub(self.ledger.outstanding())).min(MOST_IN_LINE);
            let Some((run, arrival)) = self.feed.next(most) else { break };
            self.wanted -= run.count;
            self.ledger.give(run, arrival, monotonic());
            let work = self.classes.get(usize::from(run.class)).map(|class| &class.work);
            let nanos = |task| {
                let time = service::service_time(work?, self.seed, task)?;
                u64::try_from(time.as_nanos()).ok()
            };
            let service = (run.first..run.first + run.count).map(nanos).collect();
            self.say(&ToProgram::Tasks { class: run.class, first: run.first, count: run.count, service });
        }
        if self.can.is_some() && self.feed.is_exhausted() && !std::mem::replace(&mut self.end_was_sent, true) {
            self.say(&ToProgram::End);
        }
        self.must_end_by();
    }

    /// By when a program that has nothing left to do must have ended.
    fn must_end_by(&mut self) {
        let done = self.end_was_sent && self.ledger.outstanding() == 0;
        if done && self.end_by.is_none() {
            self.end_by = Some(self.ledger.clock.now() + self.silence);
        }
    }

    /// Takes what the program has sent.
    pub(super) fn hear(&mut self, bytes: &[u8]) {
        let mut inbox = std::mem::take(&mut self.inbox);
        inbox.extend_from_slice(bytes);
        let mut used = 0;
        while let Some(length) = inbox[used..].iter().position(|byte| *byte == b'\n') {
            if self.broke.is_some() {
                return;
            }
            let line = &inbox[used..used + length];
            used += length + 1;
            if let Err(why) = self.hear_line(line) {
                self.breaks(why);
            }
        }
        inbox.drain(..used);
        if inbox.len() > MOST_LINE {
            self.breaks(Broke::LongLine);
            return;
        }
        self.inbox = inbox;
        self.must_end_by();
    }

    fn hear_line(&mut self, bytes: &[u8]) -> Result<(), Broke> {
        self.heard = self.ledger.clock.now();
        let line: FromProgram = serde_json::from_slice(bytes).map_err(|source| {
            let line = String::from_utf8_lossy(&bytes[..bytes.len().min(TOLD)]).into_owned();
            Broke::Unreadable { line, source }
        })?;
        match line {
            FromProgram::Hello { version, can } if self.can.is_none() => self.hello(version, &can),
            _ if self.can.is_none() => Err(Broke::NoHello),
            FromProgram::Want { tasks } => {
                self.wanted = self.wanted.saturating_add(tasks);
                Ok(())
            }
            FromProgram::WorkerStarted { worker, ref lanes, .. }
                if lanes.len() > 1 && !self.can.is_some_and(|can| can.lanes) =>
            {
                Err(Contradiction::Worker { worker, how: "which has several lanes, and did not say that it can" }
                    .into())
            }
            line => Ok(self.ledger.hear(line, monotonic())?),
        }
    }

    fn hello(&mut self, version: u32, can: &[String]) -> Result<(), Broke> {
        if version != VERSION {
            return Err(Broke::Version(version));
        }
        let can = |word: &str| can.iter().any(|said| said == word);
        if !can("timeout") && self.classes.iter().any(|class| class.timeout.is_some()) {
            return Err(Broke::NoTimeouts);
        }
        let can = Capabilities {
            resize: can("resize"),
            pause: can("pause"),
            kill_worker: can("kill_worker"),
            process_per_task: false,
            lanes: can("lanes"),
        };
        self.can = Some(can);
        self.said.set(can);
        for command in std::mem::take(&mut self.early) {
            self.command(command);
        }
        Ok(())
    }

    /// What the user asks for; stopping a process and its clock is the caller's part.
    pub(super) fn command(&mut self, command: Command) {
        let ending = self.state == RunState::Stopping || self.kill;
        match command {
            Command::Kill => {
                self.state = RunState::Stopping;
                self.kill = true;
            }
            Command::Stop if !ending => self.stop(),
            Command::Suspend if self.state != RunState::Suspended => {
                self.before = std::mem::replace(&mut self.state, RunState::Suspended);
                self.ledger.clock.suspend();
            }
            Command::Unsuspend if self.state == RunState::Suspended => {
                let stood = self.ledger.clock.resume();
                self.state = self.before;
                self.ledger.observer.event(self.ledger.clock.now(), &Event::Suspended(stood));
            }
            Command::Stop | Command::Suspend | Command::Unsuspend | Command::Submit => {}
            _ if ending => {}
            command => match self.can {
                None => self.early.push(command),
                Some(can) if can.allow(command) => self.ask(command),
                Some(_) => self.note(Severity::Warning, refusal(command).to_owned()),
            },
        }
    }

    pub(super) fn is_suspended(&self) -> bool {
        self.state == RunState::Suspended
    }

    fn stop(&mut self) {
        let grace = self.classes.iter().map(|class| class.grace_period).max().unwrap_or_default();
        self.state = RunState::Stopping;
        self.kill = grace.is_zero();
        self.kill_at = Some(self.ledger.clock.now() + grace);
        self.say(&ToProgram::Stop);
    }

    /// Another state; one that stands still has it when it goes on.
    fn enter(&mut self, state: RunState) {
        let of = if self.is_suspended() { &mut self.before } else { &mut self.state };
        *of = state;
    }

    fn ask(&mut self, command: Command) {
        match command {
            Command::Resize(workers) => {
                self.workers = workers.get().min(self.most_workers);
                let workers = self.workers;
                self.ledger.observer.event(self.ledger.clock.now(), &Event::Resized { workers });
                self.say(&ToProgram::Resize { workers });
            }
            Command::Pause => {
                self.enter(RunState::Paused);
                self.say(&ToProgram::Pause);
            }
            Command::Resume => {
                self.enter(RunState::Running);
                self.say(&ToProgram::Resume);
            }
            Command::KillWorker(slot) => {
                if let Some(worker) = self.ledger.condemn(slot) {
                    self.say(&ToProgram::KillWorker { worker });
                }
            }
            Command::Submit | Command::Suspend | Command::Unsuspend | Command::Stop | Command::Kill => {}
        }
    }

    /// The program cannot say any more.
    pub(super) fn socket_closed(&mut self, patience: Duration) {
        // One that has done everything may take as long to end as it may to say something.
        let patience = if self.ledger.outstanding() == 0 { patience.max(self.silence) } else { patience };
        self.closed_at = Some(self.ledger.clock.now() + patience);
    }

    fn limits(&self) -> impl Iterator<Item = Moment> {
        let goes_on = self.state != RunState::Stopping;
        let silence = (self.closed_at.is_none() && goes_on).then(|| self.heard + self.silence);
        let arrival = self.feed.next_arrival(&self.ledger.counts).filter(|_| goes_on);
        let closed = self.closed_at.filter(|_| goes_on);
        let end_by = self.end_by.filter(|_| goes_on);
        [silence, arrival, self.kill_at, closed, end_by].into_iter().flatten()
    }

    /// Time until the next moment at which something is due.
    pub(super) fn until_limit(&self) -> Duration {
        let now = self.ledger.clock.now();
        let next = self.limits().min().filter(|_| !self.is_suspended() && !self.kill);
        // A timer far away is none.
        next.map_or(Duration::from_secs(3600), |at| at.since(now))
    }

    pub(super) fn check_limits(&mut self) {
        let now = self.ledger.clock.now();
        if self.is_suspended() || self.kill {
            return;
        }
        if self.kill_at.is_some_and(|at| at <= now) {
            self.kill = true;
        } else if self.state == RunState::Stopping {
            // Its grace period is all that counts.
        } else if self.end_by.is_some_and(|at| at <= now) {
            self.breaks(Broke::Stays(self.silence));
        } else if self.closed_at.is_some_and(|at| at <= now) {
            self.breaks(Broke::SocketClosed);
        } else if self.closed_at.is_none() && self.heard + self.silence <= now {
            self.breaks(Broke::Silent(self.silence));
        }
    }

    /// Tells the observer the state.
    pub(super) fn tell_state(&mut self) {
        let now = self.ledger.clock.now();
        let counts = self.ledger.view(&mut self.slots);
        debug_assert!(counts.conserved(), "{counts:?}");
        let oldest = self.ledger.oldest().into_iter().chain(self.feed.oldest()).min();
        let view = EngineView {
            state: self.state,
            counts,
            total: Some(self.feed.total()),
            oldest: oldest.map_or(Duration::ZERO, |arrival| now.since(arrival)),
            workers: self.workers,
            slots: &self.slots,
        };
        self.ledger.observer.state(now, &view);
    }

    /// The process is gone: what it left undone gets its outcome, and the end of the run is told.
    pub(super) fn conclude(mut self, pid: u32, reaped: Reaped, output: &str) -> RunState {
        if self.is_suspended() {
            self.command(Command::Unsuspend);
        }
        let stopped = self.state == RunState::Stopping && self.broke.is_none();
        let counts = self.ledger.counts;
        let left = self.feed.total() - counts.finished();
        if self.broke.is_none() && !stopped {
            self.broke = match reaped.exit {
                exit if left > 0 => Some(Broke::Ended { exit, left }),
                exit if !exit.is_success() => Some(Broke::EndedBadly(exit)),
                _ => None,
            };
        }
        let own = (reaped.exit, reaped.usage, reaped.peak_rss_bytes);
        self.ledger.close(pid, own, stopped, self.broke.is_none());
        self.state = match &self.broke {
            Some(_) => RunState::Broken,
            None if stopped => RunState::Stopped,
            None => RunState::Finished,
        };
        if let Some(why) = self.broke.take() {
            self.note(Severity::Error, told(&why, output));
        }
        self.tell_state();
        self.state
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn class_line(class: &TaskClass) -> Class<'_> {
    let TaskClass { name, work, timeout, grace_period, .. } = class;
    Class { name, work, timeout: timeout.map(nanos), grace: nanos(*grace_period) }
}

fn refusal(command: Command) -> &'static str {
    match command {
        Command::Resize(_) => "the program cannot change its number of workers while it runs",
        Command::KillWorker(_) => "the program cannot kill one of its workers",
        _ => "the program cannot pause",
    }
}

/// The whole reason, and the last line that the program wrote.
fn told(why: &Broke, output: &str) -> String {
    let mut text = crate::engine::chain(why);
    if let Some(last) = output.lines().rev().find(|line| !line.trim().is_empty()) {
        text = format!("{text}; it wrote: {}", last.trim());
    }
    text
}

fn put(out: &mut Vec<u8>, line: &ToProgram<'_>) {
    // Plain data of ours always has a JSON form, and memory takes every byte.
    if serde_json::to_writer(&mut *out, line).is_ok() {
        out.push(b'\n');
    }
}
