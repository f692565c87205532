//! Virtual workers, a virtual user and virtual time around a real dispatcher.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::num::NonZeroU32;
use std::time::Duration;

use crate::faults::Faults;
use poolscope::engine::control::Command;
use poolscope::engine::dispatcher::input::{Ended, TaskFailure, TaskOutput};
use poolscope::engine::dispatcher::{Dispatcher, Effect, Input, Output, Plan, Policy, StartFailure, Stop};
use poolscope::engine::event::{Event, InTask, Moment, Record, RunState, Usage};
use poolscope::engine::outcome::Exit;
use poolscope::engine::queue::Ticket;
use poolscope::engine::stream::{Admission, ClassRules, StreamRun, TaskStream};
use poolscope::engine::window::Chunk;
use poolscope::workload::model::{Backoff, ClassId, OnFull, Retries};
use rand_core::{Rng as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

const MS: u64 = 1_000_000;

/// A small generator with the few draws a world needs.
pub struct Dice(Pcg64Mcg);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0.next_u64() % end.max(1)
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// A stream in which runs of a class alternate.
#[derive(Clone, Copy)]
struct Stream {
    total: u64,
    classes: u64,
    run: u64,
}

impl Stream {
    fn class(&self, index: u64) -> ClassId {
        ((index / self.run) % self.classes) as ClassId
    }
}

impl TaskStream for Stream {
    fn total(&self) -> u64 {
        self.total
    }

    fn class_total(&self, class: ClassId) -> u64 {
        (0..self.total).filter(|index| self.class(*index) == class).count() as u64
    }

    fn run_at(&self, position: u64, most: u64) -> StreamRun {
        let left = self.run - position % self.run;
        StreamRun { first: position, count: left.min(most).min(self.total - position), class: self.class(position) }
    }
}

#[derive(Default)]
struct Worker {
    tasks: VecDeque<(u64, u32)>,
    current: Option<(u64, u64)>,
    unreported: Vec<Record>,
    leaving: bool,
    hangs: bool,
    ignores_term: bool,
    started_for_one: bool,
    ready: bool,
    doomed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Ready(u32, u32),
    Finish(u32, u32),
    Die(u32, u32, i32),
    Leave(u32, u32),
    User,
}

#[derive(Default)]
struct Told {
    effects: VecDeque<Effect>,
    over: Option<RunState>,
    ended: HashSet<u64>,
    attempts: HashMap<u64, u32>,
    succeeded: u64,
    failed: u64,
    timed_out: u64,
    lost: u64,
    expired: u64,
    retries: u64,
}

impl Told {
    fn final_outcome(&mut self, index: u64) {
        assert!(self.ended.insert(index), "task {index} has two outcomes");
    }
}

impl Output for Told {
    fn effect(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    fn event(&mut self, _now: Moment, event: &Event<'_>) {
        match event {
            Event::Succeeded(batch) => {
                for record in batch.records {
                    self.final_outcome(record.index);
                    self.succeeded += 1;
                }
            }
            Event::Attempt(report) => {
                let attempts = self.attempts.entry(report.index).or_default();
                *attempts += 1;
                assert_eq!(report.attempt, *attempts, "attempts of task {} are counted", report.index);
                assert!(report.attempt <= report.attempts_allowed, "task {} is tried too often", report.index);
                if report.retried {
                    self.retries += 1;
                    return;
                }
                use poolscope::engine::outcome::Outcome::{Failed, Lost, TimedOut};
                self.final_outcome(report.index);
                match report.outcome {
                    Failed => self.failed += 1,
                    TimedOut => self.timed_out += 1,
                    Lost => self.lost += 1,
                    other => panic!("an attempt cannot be {other:?}"),
                }
            }
            Event::Expired { count, .. } => self.expired += count,
            _ => {}
        }
    }
}

pub struct World {
    seed: u64,
    dice: Dice,
    now: u64,
    dispatcher: Dispatcher,
    stream: Stream,
    rules: Vec<ClassRules>,
    told: Told,
    workers: HashMap<(u32, u32), Worker>,
    agenda: BinaryHeap<Reverse<(u64, u64, Happening)>>,
    sequence: u64,
    faults: Faults,
    /// Percent of the tasks in which a fault of a kind happens; 0 in tame worlds.
    trouble: u64,
    users_left: u64,
    stopped: bool,
    misbehaved: HashSet<u64>,
    verbose: bool,
}

fn rules(dice: &mut Dice) -> ClassRules {
    let grace = if dice.chance(30) { 0 } else { dice.below(50) };
    ClassRules {
        timeout: dice.chance(60).then(|| Duration::from_millis(1 + dice.below(60))),
        queue_timeout: dice.chance(20).then(|| Duration::from_millis(1 + dice.below(200))),
        grace_period: Duration::from_millis(grace),
        retries: Retries {
            max: dice.below(4) as u32,
            on_crash: dice.chance(70),
            on_timeout: dice.chance(70),
            on_error: dice.chance(70),
            backoff: Backoff {
                delay: Duration::from_millis(dice.below(20)),
                factor: 2.0,
                max_delay: Duration::from_millis(100),
                jitter: dice.chance(50),
            },
        },
    }
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice(Pcg64Mcg::seed_from_u64(seed));
        let stream = Stream { total: dice.below(60), classes: 1 + dice.below(3), run: 1 + dice.below(20) };
        let rules: Vec<_> = (0..stream.classes).map(|_| rules(&mut dice)).collect();
        let policy = if dice.chance(50) { Policy::Reuse } else { Policy::OneTask };
        let chunk = match (policy, dice.below(3)) {
            (Policy::OneTask, _) => Chunk::One,
            (_, 0) => Chunk::Fixed(1 + dice.below(10)),
            _ => Chunk::Adaptive,
        };
        let admission = if dice.chance(60) {
            Admission::Batch
        } else {
            let mut at = 0;
            let gap = 1 + dice.below(10 * MS);
            let mut inner = Dice(Pcg64Mcg::seed_from_u64(!seed));
            let times = std::iter::repeat_with(move || {
                at += inner.below(gap);
                Duration::from_nanos(at)
            });
            Admission::Open {
                times: Box::new(times),
                max_in_flight: dice.chance(50).then(|| 1 + dice.below(10)),
                on_full: if dice.chance(50) { OnFull::Drop } else { OnFull::Block },
            }
        };
        let plan = Plan {
            policy,
            workers: 1 + dice.below(6) as u32,
            max_workers: 16,
            chunk,
            classes: rules.clone(),
            admission,
            seed,
        };
        let trouble = [0, 2, 10, 30][dice.below(4) as usize];
        Self {
            seed,
            now: 0,
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
            stopped: false,
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
        self.dispatcher.handle(Moment(self.now), input, &mut self.told);
        let counts = self.dispatcher.counts();
        assert!(counts.conserved(), "seed {}: {counts:?}", self.seed);
        while let Some(effect) = self.told.effects.pop_front() {
            if self.verbose {
                println!("{:>12}   {effect:?}", self.now);
            }
            self.carry_out(effect);
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
        assert_eq!(counts.lost, told.lost);
        assert_eq!(counts.retries, told.retries);
        assert!(self.workers.is_empty(), "seed {}: a worker was left behind", self.seed);
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
                let Some(worker) = self.workers.get_mut(&(slot, epoch)) else { return };
                match how {
                    Stop::Terminate if worker.ignores_term => self.faults.ignored_terms += 1,
                    Stop::Terminate => self.later(delay, Happening::Die(slot, epoch, 15)),
                    Stop::Kill => {
                        worker.doomed = true;
                        self.later(delay, Happening::Die(slot, epoch, 9));
                    }
                }
            }
            Effect::Over(state) => {
                assert!(self.told.over.replace(state).is_none(), "over twice");
            }
        }
    }

    fn in_task(&self, slot: u32, epoch: u32) -> Option<InTask> {
        let (index, started) = self.workers.get(&(slot, epoch))?.current?;
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
        let worker = Worker { ignores_term: self.trouble(), started_for_one: task.is_some(), ..Worker::default() };
        self.workers.insert((slot, epoch), worker);
        if let Some(ticket) = task {
            self.take_in(slot, epoch, &[ticket]);
        }
        let delay = self.dice.below(3 * MS);
        let event = if self.trouble() { Happening::Die(slot, epoch, 11) } else { Happening::Ready(slot, epoch) };
        self.later(delay, event);
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
                        || worker.current.is_some_and(|(held, _)| held == index)
                });
                assert!(!elsewhere, "task {index} was given out twice");
                if let Some(worker) = self.workers.get_mut(&(slot, epoch)) {
                    worker.tasks.push_back((index, ticket.attempt));
                }
            }
        }
    }

    fn send(&mut self, slot: u32, epoch: u32, tickets: &[Ticket]) {
        self.take_in(slot, epoch, tickets);
        let Some(worker) = self.workers.get(&(slot, epoch)) else { return };
        assert!(worker.ready, "work was sent to a worker that is not ready");
        if worker.current.is_none() {
            self.begin(slot, epoch);
        }
    }

    fn begin(&mut self, slot: u32, epoch: u32) {
        let now = self.now;
        let Some(worker) = self.workers.get_mut(&(slot, epoch)) else { return };
        let Some((index, _)) = worker.tasks.pop_front() else { return };
        worker.current = Some((index, now));
        let class = usize::from(self.stream.class(index));
        let can_hang = self.rules[class].timeout.is_some();
        let service = self.dice.below(30 * MS);
        if self.trouble() {
            self.later(service, Happening::Die(slot, epoch, 11));
        } else if can_hang && self.trouble() {
            self.faults.hangs += 1;
            if let Some(worker) = self.workers.get_mut(&(slot, epoch)) {
                worker.hangs = true;
            }
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
        if !records.is_empty() {
            self.feed(Input::Done { slot, epoch, records: &records });
        }
    }

    fn finish(&mut self, slot: u32, epoch: u32) {
        let Some(worker) = self.workers.get_mut(&(slot, epoch)) else { return };
        let Some((index, started)) = worker.current.take() else { return };
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

    fn user(&mut self) {
        self.users_left -= 1;
        let command = match self.dice.below(12) {
            0..=3 => {
                self.faults.resizes += 1;
                let workers = NonZeroU32::new(1 + self.dice.below(10) as u32);
                Command::Resize(workers.unwrap_or(NonZeroU32::MIN))
            }
            4 => Command::Pause,
            5 | 6 => Command::Resume,
            7 => Command::Suspend,
            8 => Command::Unsuspend,
            9 | 10 => {
                self.faults.kills += 1;
                Command::KillWorker(self.dice.below(8) as u32)
            }
            _ => {
                self.faults.stops += 1;
                self.stopped = true;
                if self.dice.chance(50) { Command::Stop } else { Command::Kill }
            }
        };
        self.feed(Input::Control(command));
        if self.dispatcher.state() == RunState::Suspended {
            // A suspended run is woken, or nothing would ever happen.
            self.now += self.dice.below(10 * MS);
            self.feed(Input::Control(Command::Unsuspend));
        }
        if self.users_left > 0 && self.told.over.is_none() {
            let gap = 1 + self.dice.below(50 * MS);
            self.later(gap, Happening::User);
        }
    }
}
