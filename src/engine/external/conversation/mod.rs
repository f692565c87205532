//! What is said to an external program and what it says: turns lines into entries of the [`Ledger`] and commands into
//! lines, and knows every limit. No I/O: bytes come in and go out, and the run clock tells the time.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::engine::arm::Completion;
use crate::engine::chain;
use crate::engine::clock::RunClock;
use crate::engine::control::{Capabilities, Command};
use crate::engine::error::{Contradiction, EngineError, ProgramError};
use crate::engine::event::{EngineView, Event, Moment, Observer, RunState, Severity, Slot, SlotView};
use crate::engine::external::SaidCapabilities;
use crate::engine::external::feed::Feed;
use crate::engine::external::ledger::{Ledger, Observed};
use crate::engine::external::protocol::{Class, FromProgram, MOST_GIVEN, MOST_LINE, OfItem, ToProgram, VERSION};
use crate::engine::external::spec::Spec;
use crate::os::child::Reaped;
use crate::os::clock::monotonic;
use crate::worker::shim::Record;
use crate::workload::model::{TaskClass, Work};
use crate::workload::service;

mod commands;
mod limits;

/// Most tasks in one line.
const MOST_IN_LINE: u64 = 256;
/// No more is written ahead of what the socket takes.
const WRITTEN_AHEAD: usize = 64 * 1024;
/// Bytes of a line that are told.
const TOLD: usize = 200;

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
    /// How long workers may take to leave after the last task.
    leaving: Duration,
    /// The call in which the program waits for that, once it does.
    closing: Option<String>,
    most_not_initialized: Option<NonZeroU32>,
    said: SaidCapabilities,
    /// Whether it has said hello, and what it can do.
    can: Option<Capabilities>,
    process_per_task: bool,
    /// Whether it is told what was drawn for the arguments of a call.
    in_python: bool,
    /// What it would wait for for ever, so that it is ended.
    given_up: Option<String>,
    /// Commands that came before that.
    early: Vec<Command>,
    /// Workers that the user wants killed as soon as they are there; `None` is the first one that is in a task.
    to_kill: BTreeSet<Option<Slot>>,
    /// Tasks that may still be sent.
    wanted: u64,
    end_was_sent: bool,
    inbox: Vec<u8>,
    shim_inbox: Vec<u8>,
    outbox: Vec<u8>,
    /// When the last line came.
    heard: Moment,
    /// When it is killed: the end of the grace period.
    kill_at: Option<Moment>,
    closed_at: Option<Moment>,
    /// When it must have ended, having nothing left to do.
    end_by: Option<Moment>,
    kill: bool,
    broke: Option<ProgramError>,
    slots: Vec<SlotView>,
}

impl Conversation {
    pub(super) fn new(spec: Spec, observer: Box<dyn Observer>) -> Self {
        let timeouts = spec.classes.iter().map(|class| class.timeout).collect();
        let waits = spec.classes.iter().map(|class| class.wait_timeout).collect();
        let mut ledger = Ledger::new(timeouts, waits, observer);
        if let Some(calls) = &spec.calls {
            let mut seen = Observed::new(calls.orders.submit, calls.tells_of_ends);
            seen.has_initializer = calls.orders.initializer.is_some();
            seen.process_per_task = calls.process_per_task;
            ledger.observed = Some(seen);
        }
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
            leaving: spec.leaving,
            closing: None,
            most_not_initialized: spec.calls.as_ref().and_then(|calls| calls.most_not_initialized),
            said: spec.said,
            can: None,
            process_per_task: spec.calls.as_ref().is_some_and(|calls| calls.process_per_task),
            in_python: spec.calls.is_some(),
            given_up: None,
            early: Vec::new(),
            to_kill: BTreeSet::new(),
            wanted: 0,
            end_was_sent: false,
            inbox: Vec::new(),
            shim_inbox: Vec::new(),
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
            caller: spec.calls.as_ref().map(|calls| &calls.orders),
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

    pub(in crate::engine::external) fn is_suspended(&self) -> bool {
        self.state == RunState::Suspended
    }

    pub(super) fn is_to_be_killed(&self) -> bool {
        self.kill
    }

    fn say(&mut self, line: &ToProgram<'_>) {
        put(&mut self.outbox, line);
    }

    fn breaks(&mut self, why: ProgramError) {
        self.broke.get_or_insert(why);
        self.kill = true;
    }

    /// Gives the program what it wants and what has arrived, as far as the socket keeps up.
    pub(super) fn give(&mut self) {
        let now = self.ledger.clock.now();
        if matches!(self.state, RunState::Suspended | RunState::Stopping) || self.kill || self.can.is_none() {
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
            let draws = match work {
                Some(Work::Python(call)) if self.in_python && !call.draws.is_empty() => {
                    Some((run.first..run.first + run.count).map(|task| call.drawn(self.seed, task).collect()).collect())
                }
                _ => None,
            };
            let tasks = run.first..run.first + run.count;
            let class = self.classes.get(usize::from(run.class)).filter(|_| self.in_python);
            let told = class
                .and_then(|class| tasks.map(|task| class.told_in_json(self.seed, task).map(OfItem::from)).collect());
            self.say(&ToProgram::Tasks { class: run.class, first: run.first, count: run.count, service, draws, told });
        }
        if self.can.is_some() && self.feed.is_exhausted() && !std::mem::replace(&mut self.end_was_sent, true) {
            self.say(&ToProgram::End);
        }
        self.must_end_by();
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
            self.breaks(ProgramError::LongLine { most: MOST_LINE });
            return;
        }
        self.inbox = inbox;
        self.heard_something();
    }

    /// Takes what the shim in the program's processes says: before whatever the program says after that.
    pub(super) fn hear_shim(&mut self, bytes: &[u8]) {
        let mut lines = std::mem::take(&mut self.shim_inbox);
        lines.extend_from_slice(bytes);
        let whole = lines.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        for line in lines[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            // Nothing else is written there, unless a task of the user's does.
            let Some(record) = Record::parse(line) else { continue };
            if self.broke.is_some() {
                return;
            }
            self.heard = self.ledger.clock.now();
            if let Err(why) = self.ledger.see(record, monotonic()) {
                self.breaks(why.into());
            }
            self.end_if_not_initialized();
        }
        lines.drain(..whole);
        self.shim_inbox = lines;
        self.heard_something();
    }

    fn heard_something(&mut self) {
        self.kill_wanted();
        self.must_end_by();
        self.end_if_in_vain();
    }

    /// Ends a program that starts workers for ever whose initializer fails.
    fn end_if_not_initialized(&mut self) {
        let failed = self.ledger.observed.as_ref().map_or(0, |seen| seen.not_initialized);
        let is_too_often = self.most_not_initialized.is_some_and(|most| failed >= most.get());
        if is_too_often && self.state == RunState::Running && !self.kill {
            let text =
                "CPython's Pool starts another worker for each whose initializer fails, for ever: it is ended here";
            self.note(Severity::Warning, text.to_owned());
            self.breaks(ProgramError::NotInitialized { times: failed });
        }
    }

    /// Ends a program whose caller waits for ever and for nothing else.
    pub(super) fn end_if_in_vain(&mut self) {
        if let Err(why) = self.ledger.release_late(monotonic()) {
            self.breaks(why.into());
        }
        self.ledger.look_for_lost();
        if self.state == RunState::Running && !self.kill && self.ledger.waits_for_ever(self.end_was_sent) {
            self.given_up = self.ledger.observed.as_mut().and_then(|seen| seen.in_vain.clone());
            self.kill = true;
        }
    }

    fn hear_line(&mut self, bytes: &[u8]) -> Result<(), ProgramError> {
        self.heard = self.ledger.clock.now();
        let line: FromProgram = serde_json::from_slice(bytes).map_err(|source| {
            let line = String::from_utf8_lossy(&bytes[..bytes.len().min(TOLD)]).into_owned();
            ProgramError::Unreadable { line, source }
        })?;
        match line {
            FromProgram::Hello { version, can } if self.can.is_none() => self.hello(version, &can),
            _ if self.can.is_none() => Err(ProgramError::NoHello),
            FromProgram::Want { tasks } => {
                self.wanted = self.wanted.saturating_add(tasks);
                Ok(())
            }
            FromProgram::Closing { by } => {
                self.close_by(by);
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

    fn hello(&mut self, version: u32, can: &[String]) -> Result<(), ProgramError> {
        if version != VERSION {
            return Err(ProgramError::Version { theirs: version, ours: VERSION });
        }
        let can = |word: &str| can.iter().any(|said| said == word);
        if !can("timeout") && self.classes.iter().any(|class| class.timeout.is_some()) {
            return Err(ProgramError::NoTimeouts);
        }
        let can = Capabilities {
            resize: can("resize"),
            pause: can("pause"),
            kill_worker: can("kill_worker"),
            on_timeout: false,
            // What its tasks do is its own affair.
            inject_fault: false,
            process_per_task: self.process_per_task,
            lanes: can("lanes"),
        };
        if self.state == RunState::Running && self.can.is_none() {
            // What it took to come up is not part of the run.
            self.ledger.clock = RunClock::start();
            self.heard = Moment::ZERO;
        }
        self.can = Some(can);
        self.said.set(can);
        for command in std::mem::take(&mut self.early) {
            self.command(command);
        }
        Ok(())
    }

    /// Tells the observer the state.
    pub(super) fn tell_state(&mut self) {
        if self.can.is_none() && self.state == RunState::Running && !self.kill {
            // Nothing has begun.
            return;
        }
        self.end_if_in_vain();
        let now = self.ledger.clock.now();
        let counts = self.ledger.view(&mut self.slots);
        debug_assert!(counts.conserved(), "{counts:?}");
        let (caller, chunks) = self.ledger.observed.as_ref().map_or_else(Default::default, |seen| seen.view(now));
        let chunks = chunks.filter(|_| !self.process_per_task);
        let oldest = self.ledger.oldest().into_iter().chain(self.feed.oldest()).min();
        let view = EngineView {
            presence: None,
            chunks,
            state: self.state,
            counts,
            total: Some(self.feed.total()),
            oldest: oldest.map_or(Duration::ZERO, |arrival| now.since(arrival)),
            workers: self.workers,
            slots: &self.slots,
            caller,
        };
        self.ledger.observer.state(now, &view);
    }

    /// The process is gone: what it left undone gets its outcome, and the end of the run is told.
    pub(super) fn conclude(mut self, pid: u32, reaped: Reaped, output: &str) -> Result<Completion, EngineError> {
        if self.is_suspended() {
            self.command(Command::Unsuspend);
        }
        if let Err(why) = self.ledger.release_all(monotonic()) {
            self.breaks(why.into());
        }
        let stopped = self.state == RunState::Stopping && self.broke.is_none();
        let counts = self.ledger.counts;
        let left = self.feed.total() - counts.finished();
        if self.broke.is_none() && !stopped && self.given_up.is_none() {
            self.broke = match reaped.exit {
                exit if left > 0 => Some(ProgramError::EndedEarly { exit, left }),
                exit if !exit.is_success() => Some(ProgramError::EndedBadly(exit)),
                _ => None,
            };
        }
        let own = (reaped.exit, reaped.usage, reaped.peak_rss_bytes);
        // What nobody got back is lost, and what was never handed in is cancelled.
        self.ledger.close(pid, own, stopped || self.given_up.is_some(), self.broke.is_none());
        if self.broke.is_none() {
            self.ledger.run_ends(false);
        }
        let ended = match self.broke.take() {
            Some(ProgramError::NotInitialized { times }) => {
                Err(EngineError::initializer(times, &last_error(output).unwrap_or_default()))
            }
            Some(source) => Err(EngineError::Program { wrote: last_line(output), source }),
            None if stopped => Ok(Completion::Stopped),
            None => Ok(Completion::Finished),
        };
        self.state = ended.as_ref().map_or(RunState::Broken, |completion| RunState::from(*completion));
        match &ended {
            Err(error) => self.note(Severity::Error, chain(error)),
            Ok(_) => self.tell_failed_initializers(output),
        }
        self.tell_state();
        ended
    }
}

impl Conversation {
    /// What became of initializers, where that did not end the run.
    fn tell_failed_initializers(&mut self, output: &str) {
        let failed = self.ledger.observed.as_ref().map_or(0, |seen| seen.failed_initializers);
        if failed > 0 {
            let why = last_error(output).map_or(String::new(), |line| format!(": {line}"));
            let workers = if failed == 1 { "1 worker".to_owned() } else { format!("{failed} workers") };
            self.note(Severity::Warning, format!("the initializer of {workers} failed{why}"));
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn class_line(class: &TaskClass) -> Class<'_> {
    let TaskClass { name, work, timeout, grace_period, wait_timeout, .. } = class;
    let (timeout, wait_timeout) = (timeout.map(nanos), wait_timeout.map(nanos));
    Class { name, work: service::without_traces(work), timeout, grace: nanos(*grace_period), wait_timeout }
}

fn last_line(output: &str) -> Option<String> {
    let line = output.lines().rev().find(|line| !line.trim().is_empty())?;
    Some(line.trim().to_owned())
}

/// The last line that says what a Python process has ended with. Others may have begun to say more.
fn last_error(output: &str) -> Option<String> {
    // `ValueError: no licence`, as a traceback ends; what others print between is none.
    let ends_a_traceback = |line: &&str| {
        let (name, says) = line.split_once(": ").map_or((*line, false), |(name, _)| (name, true));
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
        is_name && (says || ["Error", "Exception", "Interrupt", "Exit"].iter().any(|end| name.ends_with(end)))
    };
    let traced = output.split_once("Traceback (most recent call last):");
    if let Some(line) = traced.and_then(|(_, rest)| rest.lines().rev().find(ends_a_traceback)) {
        return Some(line.trim().to_owned());
    }
    let is_more =
        |line: &&str| line.starts_with([' ', '\t']) || line.starts_with("Process ") || line.starts_with("Traceback");
    let line = output.lines().rev().filter(|line| !line.trim().is_empty()).find(|line| !is_more(line))?;
    Some(line.trim().to_owned())
}

fn put(out: &mut Vec<u8>, line: &ToProgram<'_>) {
    // Plain data of ours always has a JSON form, and memory takes every byte.
    if serde_json::to_writer(&mut *out, line).is_ok() {
        out.push(b'\n');
    }
}

#[cfg(test)]
mod tests;
