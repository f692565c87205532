//! Virtual workers, a virtual user and virtual time around a real dispatcher.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use crate::draws::{Dice, MS, Stream, rules};
use crate::faults::Faults;
use crate::limits::GONE_AT_STOP;
use crate::told::Told;
use poolscope::engine::control::Command;
use poolscope::engine::dispatcher::input::{Ended, TaskFailure, TaskOutput};
use poolscope::engine::dispatcher::queue::Ticket;
use poolscope::engine::dispatcher::window::Chunk;
use poolscope::engine::dispatcher::{Dispatcher, Effect, Input, Policy, Settings, StartFailure, Stop};
use poolscope::engine::event::{InTask, Moment, Record, RunState, Usage};
use poolscope::engine::outcome::Exit;
use poolscope::engine::stream::{Admission, ClassRules};
use poolscope::workload::model::OnFull;

mod user;

#[derive(Default)]
pub struct Worker {
    /// What it was sent: task, and until when it may begin it, by a clock that does not stand still.
    pub tasks: VecDeque<(u64, Option<u64>)>,
    /// What its board says.
    pub current: Option<Current>,
    /// What it has begun without its board saying so yet: task and start.
    beginning: Option<(u64, u64)>,
    pub unreported: Vec<Record>,
    pub leaving: bool,
    ignores_term: bool,
    started_for_one: bool,
    ready: bool,
    /// It does nothing any more, since then.
    pub silent_since: Option<u64>,
    /// It closed its socket and lives on, since then.
    pub closed_since: Option<u64>,
    /// Until when it must be gone or killed: it was told to end, politely.
    pub gone_by: Option<u64>,
    /// Whether it was told to end.
    pub stopped: bool,
    /// Since when it has been killed.
    pub killed: Option<u64>,
    /// Nothing ends it.
    never_goes: bool,
}

/// A task that a worker's board shows.
#[derive(Clone, Copy)]
pub struct Current {
    pub index: u64,
    pub started: u64,
    /// Since when the board shows it.
    pub seen: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Ready(u32, u32),
    Begin(u32, u32),
    Seen(u32, u32),
    CloseSocket(u32, u32),
    Finish(u32, u32),
    Die(u32, u32, i32),
    Leave(u32, u32),
    User,
}

pub struct World {
    pub seed: u64,
    pub(crate) dice: Dice,
    pub now: u64,
    /// How long the run clock has stood still.
    stood: u64,
    pub dispatcher: Dispatcher,
    pub policy: Policy,
    pub start_timeout: u64,
    pub stream: Stream,
    pub rules: Vec<ClassRules>,
    /// Intended arrival of each task.
    pub arrivals: Vec<u64>,
    pub on_full: OnFull,
    pub told: Told,
    /// Tasks that were ever begun.
    pub begun: HashSet<u64>,
    pub workers: HashMap<(u32, u32), Worker>,
    /// Tasks without an outcome when the input that is being worked on came in.
    remaining: u64,
    /// Inputs within inputs.
    depth: u32,
    agenda: BinaryHeap<Reverse<(u64, u64, Happening)>>,
    sequence: u64,
    faults: Faults,
    /// Percent of the tasks in which a fault of a kind happens; 0 in tame worlds.
    trouble: u64,
    users_left: u64,
    /// Tasks that were in work when the user stopped the run.
    cut_short: Vec<u64>,
    /// When the user stopped the run.
    pub stopped_at: Option<u64>,
    misbehaved: HashSet<u64>,
    verbose: bool,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let stream = Stream { total: dice.below(60), classes: 1 + dice.below(3), run: 1 + dice.below(20) };
        let rules: Vec<_> = (0..stream.classes).map(|_| rules(&mut dice)).collect();
        let policy = if dice.chance(50) { Policy::Reuse } else { Policy::OneTask };
        let chunk = match (policy, dice.below(3)) {
            (Policy::OneTask, _) => Chunk::One,
            (_, 0) => Chunk::Fixed(1 + dice.below(10)),
            _ => Chunk::Adaptive,
        };
        let mut arrivals = vec![0; stream.total as usize];
        let on_full = if dice.chance(50) { OnFull::Drop } else { OnFull::Block };
        let admission = if dice.chance(60) {
            Admission::Batch
        } else {
            let mut at = 0;
            let gap = 1 + dice.below(10 * MS);
            for arrival in &mut arrivals {
                at += dice.below(gap);
                *arrival = at;
            }
            let times: Vec<_> = arrivals.iter().map(|at| Duration::from_nanos(*at)).collect();
            let max_in_flight = dice.chance(50).then(|| 1 + dice.below(10));
            Admission::Open { times: Box::new(times.into_iter()), max_in_flight, on_full }
        };
        let start_timeout = Duration::from_millis(20 + dice.below(200));
        let plan = Settings {
            policy,
            workers: 1 + dice.below(6) as u32,
            max_workers: 16,
            chunk,
            start_timeout,
            classes: rules.clone(),
            admission,
            seed,
        };
        let trouble = [0, 2, 10, 30][dice.below(4) as usize];
        Self {
            seed,
            now: 0,
            stood: 0,
            policy,
            start_timeout: start_timeout.as_nanos() as u64,
            arrivals,
            on_full,
            begun: HashSet::new(),
            remaining: stream.total,
            depth: 0,
            dispatcher: Dispatcher::new(plan, Box::new(stream)),
            stream,
            rules,
            told: Told::default(),
            workers: HashMap::new(),
            agenda: BinaryHeap::new(),
            sequence: 0,
            faults: Faults::default(),
            trouble,
            users_left: if dice.chance(50) { dice.below(8) } else { 0 },
            cut_short: Vec::new(),
            stopped_at: None,
            misbehaved: HashSet::new(),
            verbose: false,
            dice,
        }
    }

    pub fn verbose(mut self) -> Self {
        self.verbose = true;
        self
    }

    fn trouble(&mut self) -> bool {
        let trouble = self.trouble;
        self.dice.chance(trouble)
    }

    fn later(&mut self, after: u64, happening: Happening) {
        self.sequence += 1;
        self.agenda.push(Reverse((self.now + after, self.sequence, happening)));
    }

    fn feed(&mut self, input: Input<'_>) {
        if self.verbose {
            println!("{:>12} {input:?}", self.now);
        }
        if self.depth == 0 {
            self.remaining = self.stream.total - self.dispatcher.counts().finished();
        }
        self.depth += 1;
        self.dispatcher.handle(Moment(self.now), input, &mut self.told);
        let counts = self.dispatcher.counts();
        assert!(counts.conserved(), "seed {}: {counts:?}", self.seed);
        while let Some(effect) = self.told.effects.pop_front() {
            if self.verbose {
                println!("{:>12}   {effect:?}", self.now);
            }
            self.carry_out(effect);
        }
        self.depth -= 1;
        if self.depth == 0 {
            self.limits_are_met();
        }
    }

    /// Runs to the end.
    pub fn run(mut self) -> Faults {
        let gap = 1 + self.dice.below(100 * MS);
        if self.users_left > 0 {
            self.later(gap, Happening::User);
        }
        self.feed(Input::Begin);
        let mut steps = 0;
        while self.told.over.is_none() {
            steps += 1;
            assert!(steps < 200_000, "seed {}: no end in sight", self.seed);
            let wake = self.dispatcher.next_wake().map(|at| at.0.max(self.now));
            let next = self.agenda.peek().map(|Reverse((at, ..))| *at);
            match (wake, next) {
                (Some(wake), None) => self.wake(wake),
                (Some(wake), Some(next)) if wake <= next => self.wake(wake),
                (_, Some(_)) => {
                    let Some(Reverse((at, _, happening))) = self.agenda.pop() else { continue };
                    self.now = at;
                    self.happen(happening);
                }
                (None, None) => match self.dispatcher.state() {
                    RunState::Paused => self.feed(Input::Control(Command::Resume)),
                    RunState::Suspended => self.feed(Input::Control(Command::Unsuspend)),
                    state => panic!("seed {}: stuck in {state:?}: {:#?}", self.seed, self.dispatcher),
                },
            }
        }
        self.check();
        self.faults
    }

    fn wake(&mut self, at: u64) {
        self.now = at;
        self.feed(Input::Wake);
    }

    fn check(&mut self) {
        let counts = self.dispatcher.counts();
        let told = &self.told;
        assert_eq!((counts.queued, counts.running), (0, 0), "seed {}", self.seed);
        assert_eq!(counts.succeeded, told.succeeded);
        assert_eq!(counts.failed, told.failed);
        assert_eq!(counts.timed_out, told.timed_out + told.expired);
        assert_eq!(counts.queue_timed_out, told.expired);
        let silenced = self.faults.silences + self.faults.closed_sockets;
        assert!(told.silent <= silenced, "seed {}: one that spoke was taken to be silent", self.seed);
        assert_eq!(counts.lost, told.lost);
        assert_eq!(counts.retries, told.retries);
        assert!(self.workers.is_empty(), "seed {}: a worker was left behind", self.seed);
        for index in &self.cut_short {
            assert!(!told.ended.contains(index), "seed {}: task {index} was cut short by a stop", self.seed);
        }
        self.faults.cut_short += self.cut_short.len() as u64;
        if told.over == Some(RunState::Finished) {
            assert_eq!(counts.submitted, self.stream.total, "seed {}: tasks were lost", self.seed);
            assert_eq!(counts.cancelled, 0);
        }
        self.faults.expired += told.expired;
        self.faults.timeouts += told.timed_out;
        self.faults.retries += told.retries;
        self.faults.dropped += counts.dropped;
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Start { slot, epoch, task } => self.start(slot, epoch, task),
            Effect::Send { slot, epoch, tickets } => self.send(slot, epoch, &tickets),
            Effect::Probe { slot, epoch } => {
                let task = self.in_task(slot, epoch);
                self.feed(Input::Progress { slot, epoch, task });
            }
            Effect::Retire { slot, epoch } => {
                let Some(worker) = self.workers.get_mut(&(slot, epoch)) else { return };
                worker.leaving = true;
                let idle = worker.current.is_none();
                let slow = self.dice.chance(2);
                let delay = if slow { 3000 * MS } else { self.dice.below(MS) };
                if idle {
                    self.later(delay, Happening::Leave(slot, epoch));
                }
            }
            Effect::Stop { slot, epoch, how } => {
                let delay = self.dice.below(MS);
                let now = self.now;
                let Some(worker) = self.workers.get_mut(&(slot, epoch)) else { return };
                worker.stopped = true;
                match how {
                    Stop::Terminate => {
                        // Whose grace period it is is known if it was in a task.
                        let class = worker.current.map(|current| usize::from(self.stream.class(current.index)));
                        worker.gone_by = class.map(|class| now + self.rules[class].grace_period.as_nanos() as u64);
                    }
                    Stop::Kill => _ = worker.killed.get_or_insert(now),
                }
                match how {
                    _ if worker.never_goes => {}
                    Stop::Terminate if worker.ignores_term => self.faults.ignored_terms += 1,
                    Stop::Terminate => self.later(delay, Happening::Die(slot, epoch, 15)),
                    Stop::Kill => self.later(delay, Happening::Die(slot, epoch, 9)),
                }
            }
            Effect::Abandon { slot, epoch } => {
                let Some(worker) = self.workers.get(&(slot, epoch)) else { return };
                let early = worker.killed.is_none_or(|at| self.now < at + GONE_AT_STOP);
                assert!(!early, "seed {}: {:?} was given up too early", self.seed, (slot, epoch));
                self.faults.abandoned += 1;
                self.die(slot, epoch, Exit::Unknown);
            }
            Effect::Over(state) => {
                assert!(self.told.over.replace(state).is_none(), "over twice");
            }
        }
    }

    fn in_task(&self, slot: u32, epoch: u32) -> Option<InTask> {
        let Current { index, started, .. } = self.workers.get(&(slot, epoch))?.current?;
        Some(InTask { index, started: Moment(started) })
    }

    fn start(&mut self, slot: u32, epoch: u32, task: Option<Ticket>) {
        if self.trouble() {
            self.faults.failed_starts += 1;
            let failure = if task.is_some() && self.dice.chance(30) {
                StartFailure::Task("no such program".to_owned())
            } else {
                StartFailure::Transient("EAGAIN".to_owned())
            };
            return self.feed(Input::StartFailed { slot, epoch, failure });
        }
        assert!(!self.workers.keys().any(|(other, _)| *other == slot), "two workers in slot {slot}");
        let at_work = self.workers.values().filter(|worker| !worker.leaving && !worker.stopped).count() as u64;
        // A process that has done its task is still there when the next one is started for another.
        let more = self.policy == Policy::Reuse && at_work >= self.remaining;
        assert!(!more, "seed {}: more workers than tasks remain", self.seed);
        let worker = Worker {
            ignores_term: self.trouble(),
            never_goes: self.trouble() && self.dice.chance(30),
            started_for_one: task.is_some(),
            ..Worker::default()
        };
        self.workers.insert((slot, epoch), worker);
        if let Some(ticket) = task {
            assert_eq!(ticket.expires, None, "a task that is being started does not wait any more");
            self.take_in(slot, epoch, &[ticket]);
        }
        let delay = self.dice.below(3 * MS);
        if self.trouble() && self.dice.chance(30) {
            self.falls_silent(slot, epoch);
        } else if self.trouble() && self.dice.chance(30) {
            self.later(delay, Happening::CloseSocket(slot, epoch));
        } else if self.trouble() {
            self.later(delay, Happening::Die(slot, epoch, 11));
        } else {
            self.later(delay, Happening::Ready(slot, epoch));
        }
        self.feed(Input::Started { slot, epoch, pid: slot + 1000 });
    }

    fn take_in(&mut self, slot: u32, epoch: u32, tickets: &[Ticket]) {
        for ticket in tickets {
            assert!(ticket.count > 0, "an empty ticket");
            for index in ticket.first..ticket.first + ticket.count {
                assert_eq!(ticket.class, self.stream.class(index));
                assert!(!self.told.ended.contains(&index), "task {index} was given out after its end");
                let elsewhere = self.workers.iter().any(|(_, worker)| {
                    worker.tasks.iter().any(|(held, _)| *held == index)
                        || worker.current.is_some_and(|current| current.index == index)
                });
                assert!(!elsewhere, "task {index} was given out twice");
                if let Some(limit) = self.rules[usize::from(ticket.class)].queue_timeout
                    && !self.begun.contains(&index)
                    && !self.told.attempts.contains_key(&index)
                {
                    let due = self.arrivals[index as usize] + limit.as_nanos() as u64;
                    assert!(self.now < due, "seed {}: task {index} was given out after its queue_timeout", self.seed);
                }
                let begin_by = ticket.expires.map(|at| at.0 + self.stood);
                if let Some(worker) = self.workers.get_mut(&(slot, epoch)) {
                    worker.tasks.push_back((index, begin_by));
                }
            }
        }
    }

    fn send(&mut self, slot: u32, epoch: u32, tickets: &[Ticket]) {
        let Some(worker) = self.workers.get(&(slot, epoch)) else { return };
        assert!(worker.ready, "work was sent to a worker that is not ready");
        assert_eq!(worker.closed_since, None, "work was sent to a worker whose socket is closed");
        let idle = worker.current.is_none() && worker.beginning.is_none() && worker.tasks.is_empty();
        self.take_in(slot, epoch, tickets);
        if !idle {
            return;
        }
        if self.trouble() && self.dice.chance(30) {
            self.falls_silent(slot, epoch);
        } else if self.trouble() {
            let delay = self.dice.below(8 * MS);
            self.later(delay, Happening::Begin(slot, epoch));
        } else {
            self.begin(slot, epoch);
        }
    }

    fn falls_silent(&mut self, slot: u32, epoch: u32) {
        self.faults.silences += 1;
        let now = self.now;
        if let Some(worker) = self.workers.get_mut(&(slot, epoch)) {
            worker.silent_since.get_or_insert(now);
        }
    }

    fn close_socket(&mut self, slot: u32, epoch: u32) {
        let now = self.now;
        let Some(worker) = self.workers.get_mut(&(slot, epoch)) else { return };
        worker.closed_since = Some(now);
        worker.unreported.clear();
        self.faults.closed_sockets += 1;
        if self.dice.chance(50) {
            let delay = self.dice.below(10 * MS);
            self.later(delay, Happening::Leave(slot, epoch));
        }
        self.feed(Input::Closed { slot, epoch });
    }

    fn begin(&mut self, slot: u32, epoch: u32) {
        let (now, clock) = (self.now, self.now + self.stood);
        let Some(worker) = self.workers.get_mut(&(slot, epoch)) else { return };
        let stands_still = worker.closed_since.is_some() || worker.silent_since.is_some();
        if worker.current.is_some() || worker.beginning.is_some() || stands_still {
            return;
        }
        let Some((index, begin_by)) = worker.tasks.pop_front() else { return };
        if begin_by.is_some_and(|at| clock >= at) {
            self.report(slot, epoch);
            self.faults.skips += 1;
            self.feed(Input::Skipped { slot, epoch, first: index, count: 1 });
            return self.begin(slot, epoch);
        }
        self.begun.insert(index);
        worker.beginning = Some((index, now));
        if self.trouble() && self.dice.chance(30) {
            // Between reading its clock and writing its board, somebody else has its turn.
            let delay = self.dice.below(8 * MS);
            self.later(delay, Happening::Seen(slot, epoch));
        } else {
            self.seen(slot, epoch);
        }
    }

    /// The board shows the task that a worker has begun.
    fn seen(&mut self, slot: u32, epoch: u32) {
        let now = self.now;
        let Some(worker) = self.workers.get_mut(&(slot, epoch)) else { return };
        let Some((index, started)) = worker.beginning.take() else { return };
        worker.current = Some(Current { index, started, seen: now });
        let class = usize::from(self.stream.class(index));
        let can_hang = self.rules[class].timeout.is_some();
        let service = self.dice.below(30 * MS);
        if self.trouble() {
            self.later(service, Happening::Die(slot, epoch, 11));
        } else if can_hang && self.trouble() {
            self.faults.hangs += 1;
        } else if self.trouble() && self.dice.chance(30) {
            self.later(service, Happening::CloseSocket(slot, epoch));
        } else {
            self.later(service, Happening::Finish(slot, epoch));
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Ready(slot, epoch) => {
                let Some(worker) = self.workers.get_mut(&(slot, epoch)) else { return };
                worker.ready = true;
                self.feed(Input::Ready { slot, epoch });
                if self.workers.get(&(slot, epoch)).is_some_and(|worker| worker.started_for_one) {
                    self.begin(slot, epoch);
                }
            }
            Happening::Begin(slot, epoch) => self.begin(slot, epoch),
            Happening::Seen(slot, epoch) => self.seen(slot, epoch),
            Happening::CloseSocket(slot, epoch) => self.close_socket(slot, epoch),
            Happening::Finish(slot, epoch) => self.finish(slot, epoch),
            Happening::Die(slot, epoch, signal) => self.die(slot, epoch, Exit::Signal(signal)),
            Happening::Leave(slot, epoch) => {
                self.report(slot, epoch);
                self.die(slot, epoch, Exit::Code(0));
            }
            Happening::User => self.user(),
        }
    }

    fn report(&mut self, slot: u32, epoch: u32) {
        let Some(worker) = self.workers.get_mut(&(slot, epoch)) else { return };
        let records = std::mem::take(&mut worker.unreported);
        if worker.closed_since.is_some() {
            return;
        }
        if !records.is_empty() {
            self.feed(Input::Done { slot, epoch, records: &records });
        }
    }

    fn finish(&mut self, slot: u32, epoch: u32) {
        let Some(worker) = self.workers.get_mut(&(slot, epoch)) else { return };
        if worker.closed_since.is_some() {
            return;
        }
        let Some(Current { index, started, .. }) = worker.current.take() else { return };
        let service = self.now - started;
        if self.trouble() {
            self.report(slot, epoch);
            self.faults.errors += 1;
            let failure = TaskFailure {
                index,
                start: Moment(started),
                service,
                message: self.dice.chance(50).then(|| "boom".to_owned()),
                exit: Some(Exit::Code(1)),
                not_started: false,
                output: TaskOutput::default(),
            };
            self.feed(Input::Failed { slot, epoch, failure: Box::new(failure) });
        } else if self.dice.chance(self.trouble / 10) {
            self.report(slot, epoch);
            self.faults.misbehaviour += 1;
            let record = Record { index: index + 1_000_000, start: Moment(started), service, value: 0 };
            self.misbehaved.insert(index);
            self.feed(Input::Done { slot, epoch, records: &[record] });
            return;
        } else if let Some(worker) = self.workers.get_mut(&(slot, epoch)) {
            worker.unreported.push(Record { index, start: Moment(started), service, value: index });
        }
        let Some(worker) = self.workers.get(&(slot, epoch)) else { return };
        if worker.started_for_one || worker.leaving {
            self.report(slot, epoch);
            let delay = self.dice.below(MS);
            self.later(delay, Happening::Leave(slot, epoch));
            return;
        }
        if worker.tasks.is_empty() || self.dice.chance(50) {
            self.report(slot, epoch);
        }
        if self.workers.get(&(slot, epoch)).is_some_and(|worker| worker.current.is_none()) {
            self.begin(slot, epoch);
        }
    }

    fn die(&mut self, slot: u32, epoch: u32, exit: Exit) {
        let keeps_reports = self.dice.chance(50);
        if keeps_reports {
            self.report(slot, epoch);
        }
        let task = self.in_task(slot, epoch);
        let Some(worker) = self.workers.remove(&(slot, epoch)) else { return };
        if exit != Exit::Code(0) {
            self.faults.deaths += 1;
        }
        if !worker.unreported.is_empty() {
            self.faults.lost_reports += 1;
        }
        let ended = Ended {
            exit,
            task,
            usage: Usage::default(),
            peak_rss_bytes: None,
            out_of_memory: false,
            output: TaskOutput::default(),
        };
        self.feed(Input::Exited { slot, epoch, ended: Box::new(ended) });
    }
}
