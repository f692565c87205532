//! Virtual workers, a virtual user and virtual time around a real dispatcher.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use crate::draws::{Dice, MS, Stream, rules};
use crate::faults::Faults;
use crate::limits::GONE_AT_STOP;
use crate::submits::Shared;
use crate::told::Told;
use poolscope::engine::control::Command;
use poolscope::engine::dispatcher::queue::Ticket;
use poolscope::engine::dispatcher::window::Chunk;
use poolscope::engine::dispatcher::{
    Dispatcher, Effect, InitializerRules, Input, Policy, Settings, StartFailure, Stop,
};
use poolscope::engine::event::{InTask, LaneId, Moment, Record, RunState, WorkerId};
use poolscope::engine::outcome::Exit;
use poolscope::engine::stream::{Admission, ClassRules};
use poolscope::workload::model::OnFull;

mod lives;
mod user;

#[derive(Default)]
pub struct Worker {
    /// By number, as far as they were sent anything.
    pub lanes: BTreeMap<u16, Lane>,
    pub leaving: bool,
    ignores_term: bool,
    started_for_one: bool,
    ready: bool,
    /// It does nothing any more, since then.
    pub silent_since: Option<u64>,
    /// It closed its socket and lives on, since then.
    pub closed_since: Option<u64>,
    /// Since when it runs its initializer.
    pub initializing_since: Option<u64>,
    /// Until when it must be gone or killed: it was told to end, politely.
    pub gone_by: Option<u64>,
    /// Whether it was told to end.
    pub stopped: bool,
    /// Since when it has been killed.
    pub killed: Option<u64>,
    /// Nothing ends it.
    never_goes: bool,
}

#[derive(Default)]
pub struct Lane {
    /// What it was sent: task, and until when it may begin it, by a clock that does not stand still.
    pub tasks: VecDeque<(u64, Option<u64>)>,
    /// What its board says.
    pub current: Option<Current>,
    /// What it has begun without its board saying so yet: task and start.
    pub beginning: Option<(u64, u64)>,
    pub unreported: Vec<Record>,
    /// Whether nobody waits for what it is in.
    pub ghost: bool,
}

impl Lane {
    fn in_no_task(&self) -> bool {
        self.current.is_none() && self.beginning.is_none()
    }
}

impl Worker {
    /// Whether it was sent nothing that it has not begun.
    pub fn holds_nothing(&self) -> bool {
        self.lanes.values().all(|lane| lane.tasks.is_empty())
    }

    /// Whether its board shows a task.
    pub fn is_in_task(&self) -> bool {
        self.lanes.values().any(|lane| lane.current.is_some())
    }
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
    Hello(WorkerId),
    Initialized(WorkerId),
    Begin(LaneId),
    Seen(LaneId),
    CloseSocket(WorkerId),
    Finish(LaneId),
    Submit,
    Die(WorkerId, i32),
    Leave(WorkerId),
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
    pub initializer: Option<InitializerRules>,
    /// How late a wake may come.
    pub lateness: u64,
    pub stream: Stream,
    caller: Shared,
    pub rules: Vec<ClassRules>,
    /// Intended arrival of each task.
    pub arrivals: Vec<u64>,
    pub on_full: OnFull,
    pub told: Told,
    /// Tasks that were ever begun.
    pub begun: HashSet<u64>,
    pub workers: HashMap<WorkerId, Worker>,
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
        let known = dice.chance(80);
        let stream = Stream { known, total: dice.below(60), classes: 1 + dice.below(3), run: 1 + dice.below(20) };
        let rules: Vec<_> = (0..stream.classes).map(|_| rules(&mut dice)).collect();
        let policy =
            [Policy::Reuse, Policy::Reuse, Policy::OneTask, Policy::OneTask, Policy::OneWorker][dice.below(5) as usize];
        let chunk = match (policy, dice.below(3)) {
            (Policy::OneTask, _) => Chunk::One,
            (_, 0) => Chunk::Fixed(1 + dice.below(10)),
            _ => Chunk::Adaptive,
        };
        let mut arrivals = vec![0; stream.total as usize];
        let on_full = if dice.chance(50) { OnFull::Drop } else { OnFull::Block };
        let caller = Shared::default();
        let admission = if !known {
            let capacity = dice.chance(50).then(|| 1 + dice.below(10));
            caller.with(|caller| (caller.later, caller.capacity) = (stream.total, capacity));
            Admission::Submitted { submitter: Box::new(caller.clone()), capacity }
        } else if dice.chance(70) {
            Admission::Batch
        } else {
            let mut at = 0;
            let gap = 1 + dice.below(10 * MS);
            for arrival in &mut arrivals {
                at += dice.below(gap);
                *arrival = at;
            }
            let times: Vec<_> = arrivals.iter().copied().map(Moment).collect();
            let max_in_flight = dice.chance(50).then(|| 1 + dice.below(10));
            Admission::Open { times: Box::new(times.into_iter()), max_in_flight, on_full }
        };
        let start_timeout = Duration::from_millis(20 + dice.below(200));
        let initializer = dice.chance(20).then(|| InitializerRules {
            timeout: dice.chance(50).then(|| Duration::from_millis(1 + dice.below(30))),
            max_failures: dice.below(20) as u32,
        });
        let plan = Settings {
            policy,
            workers: 1 + dice.below(6) as u32,
            max_workers: 16,
            chunk,
            start_timeout,
            initializer,
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
            initializer,
            lateness: if dice.chance(20) { dice.below(20 * MS) } else { 0 },
            arrivals,
            on_full,
            begun: HashSet::new(),
            remaining: stream.total,
            depth: 0,
            dispatcher: Dispatcher::new(plan, Box::new(stream)),
            stream,
            caller,
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
        for index in std::mem::take(&mut self.told.abandoned) {
            self.becomes_a_ghost(index);
        }
        self.caller.with(|caller| {
            for (arrival, at) in self.arrivals.iter_mut().zip(&caller.submitted) {
                *arrival = *at;
            }
        });
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
        if !self.stream.known {
            self.later(0, Happening::Submit);
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
                    // A late wake may have gone before it.
                    self.now = self.now.max(at);
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
        if self.lateness > 0 && self.dice.chance(20) {
            self.faults.late_wakes += 1;
            self.now += self.dice.below(self.lateness);
        }
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
        // Where a wake is late, what is said meanwhile is heard late.
        let heard_late = self.lateness > 0;
        assert!(told.silent <= silenced || heard_late, "seed {}: one that spoke was taken to be silent", self.seed);
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
        if !self.stream.known && counts.cancelled == 0 {
            let told_to_caller = self.caller.with(|caller| caller.ended);
            assert_eq!(told_to_caller, counts.finished(), "seed {}: the caller was not told everything", self.seed);
            self.faults.submitted += counts.submitted;
        }
        self.faults.expired += told.expired;
        assert_eq!(told.ghosts_ended, self.faults.ghosts, "seed {}: every ghost comes to an end", self.seed);
        self.faults.timeouts += told.timed_out;
        self.faults.retries += told.retries;
        self.faults.dropped += counts.dropped;
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Start { worker: id, task, .. } => self.start(id, task),
            Effect::Send { lane, tickets } => self.send(lane, &tickets),
            Effect::Probe { lane } => {
                let task = self.in_task(lane);
                self.feed(Input::Progress { lane, task });
            }
            Effect::Retire { worker: id } => {
                let Some(worker) = self.workers.get_mut(&id) else { return };
                worker.leaving = true;
                let idle = !worker.is_in_task();
                let slow = self.dice.chance(2);
                let delay = if slow { 3000 * MS } else { self.dice.below(MS) };
                if idle {
                    self.later(delay, Happening::Leave(id));
                }
            }
            Effect::Stop { worker: id, how } => {
                let delay = self.dice.below(MS);
                let now = self.now;
                let Some(worker) = self.workers.get_mut(&id) else { return };
                worker.stopped = true;
                match how {
                    Stop::Terminate => {
                        // Whose grace period it is is known if it was in a task.
                        let current = worker.lanes.values().filter_map(|lane| lane.current);
                        let grace = current
                            .map(|current| self.rules[usize::from(self.stream.class(current.index))].grace_period);
                        worker.gone_by = grace.max().map(|grace| now + grace.as_nanos() as u64);
                    }
                    Stop::Kill => _ = worker.killed.get_or_insert(now),
                }
                match how {
                    _ if worker.never_goes => {}
                    Stop::Terminate if worker.ignores_term => self.faults.ignored_terms += 1,
                    Stop::Terminate => self.later(delay, Happening::Die(id, 15)),
                    Stop::Kill => self.later(delay, Happening::Die(id, 9)),
                }
            }
            Effect::Abandon { worker: id } => {
                let Some(worker) = self.workers.get(&id) else { return };
                let early = worker.killed.is_none_or(|at| self.now < at + GONE_AT_STOP);
                assert!(!early, "seed {}: {:?} was given up too early", self.seed, (id));
                self.faults.abandoned += 1;
                self.die(id, Exit::Unknown);
            }
            Effect::Over(state) => {
                assert!(self.told.over.replace(state).is_none(), "over twice");
            }
        }
    }

    fn lane(&mut self, id: LaneId) -> Option<&mut Lane> {
        self.workers.get_mut(&id.worker).map(|worker| worker.lanes.entry(id.number).or_default())
    }

    fn in_task(&self, id: LaneId) -> Option<InTask> {
        let Current { index, started, .. } = self.workers.get(&id.worker)?.lanes.get(&id.number)?.current?;
        Some(InTask { index, started: Moment(started) })
    }

    fn in_tasks(&self, id: WorkerId) -> Vec<(u16, InTask)> {
        let numbers = self.workers.get(&id).into_iter().flat_map(|worker| worker.lanes.keys());
        numbers.filter_map(|number| Some((*number, self.in_task(id.lane(*number))?))).collect()
    }

    /// The caller has given up the task that some lane is in; what is behind it there is taken back.
    fn becomes_a_ghost(&mut self, index: u64) {
        let mut haunted = None;
        for (id, worker) in &mut self.workers {
            for (number, lane) in &mut worker.lanes {
                if lane.current.is_some_and(|current| current.index == index) && !lane.ghost {
                    lane.ghost = true;
                    lane.tasks.clear();
                    haunted = Some(id.lane(*number));
                }
            }
        }
        let ghost = haunted.unwrap_or_else(|| panic!("seed {}: nobody is in task {index}", self.seed));
        self.faults.ghosts += 1;
        // Also one that hangs comes to an end, or a pool of ghosts would wait for ever.
        let after = self.dice.below(100 * MS);
        self.later(after, Happening::Finish(ghost));
    }

    fn start(&mut self, id: WorkerId, task: Option<Ticket>) {
        if self.trouble() {
            self.faults.failed_starts += 1;
            let failure = if self.dice.chance(1) {
                self.faults.engine_failures += 1;
                StartFailure::Engine("no such worker program".to_owned())
            } else if task.is_some() && self.dice.chance(30) {
                StartFailure::Task("no such program".to_owned())
            } else {
                StartFailure::Transient("EAGAIN".to_owned())
            };
            return self.feed(Input::StartFailed { worker: id, failure });
        }
        assert!(!self.workers.keys().any(|other| other.slot == id.slot), "two workers in slot {}", id.slot);
        let of_use =
            |worker: &&Worker| !worker.leaving && !worker.stopped && !worker.lanes.values().any(|lane| lane.ghost);
        let at_work = self.workers.values().filter(of_use).count() as u64;
        // A process that has done its task is still there when the next one is started for another.
        let more = self.policy.keeps_workers() && self.stream.known && at_work >= self.remaining;
        assert!(!more, "seed {}: more workers than tasks remain", self.seed);
        let worker = Worker {
            ignores_term: self.trouble(),
            never_goes: self.trouble() && self.dice.chance(30),
            started_for_one: task.is_some(),
            ..Worker::default()
        };
        self.workers.insert(id, worker);
        if let Some(ticket) = task {
            assert_eq!(ticket.expires, None, "a task that is being started does not wait any more");
            self.take_tickets(id.lane(0), &[ticket]);
        }
        let delay = self.dice.below(3 * MS);
        if self.trouble() && self.dice.chance(30) {
            self.falls_silent(id);
        } else if self.trouble() && self.dice.chance(30) {
            self.later(delay, Happening::CloseSocket(id));
        } else if self.trouble() {
            self.later(delay, Happening::Die(id, 11));
        } else {
            self.later(delay, Happening::Hello(id));
        }
        self.feed(Input::Started { worker: id, pid: id.slot.0 + 1000 });
    }

    fn take_tickets(&mut self, id: LaneId, tickets: &[Ticket]) {
        for ticket in tickets {
            assert!(ticket.count > 0, "an empty ticket");
            for index in ticket.first..ticket.first + ticket.count {
                assert_eq!(ticket.class, self.stream.class(index));
                assert!(!self.told.ended.contains(&index), "task {index} was given out after its end");
                let elsewhere = self.workers.values().flat_map(|worker| worker.lanes.values()).any(|lane| {
                    lane.tasks.iter().any(|(held, _)| *held == index)
                        || lane.current.is_some_and(|current| current.index == index && !lane.ghost)
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
                if let Some(lane) = self.lane(id) {
                    lane.tasks.push_back((index, begin_by));
                }
            }
        }
    }

    fn send(&mut self, id: LaneId, tickets: &[Ticket]) {
        let Some(worker) = self.workers.get(&id.worker) else { return };
        assert!(worker.ready, "work was sent to a worker that is not ready");
        assert_eq!(worker.closed_since, None, "work was sent to a worker whose socket is closed");
        assert!(id.number == 0 || self.policy.shares_worker(), "a worker of its own has one lane");
        let idle = worker.lanes.get(&id.number).is_none_or(|lane| lane.in_no_task() && lane.tasks.is_empty());
        self.take_tickets(id, tickets);
        if !idle {
            return;
        }
        if self.trouble() && self.dice.chance(30) {
            self.falls_silent(id.worker);
        } else if self.trouble() {
            let delay = self.dice.below(8 * MS);
            self.later(delay, Happening::Begin(id));
        } else {
            self.begin(id);
        }
    }

    fn falls_silent(&mut self, id: WorkerId) {
        self.faults.silences += 1;
        let now = self.now;
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.silent_since.get_or_insert(now);
        }
    }

    fn close_socket(&mut self, id: WorkerId) {
        let now = self.now;
        let Some(worker) = self.workers.get_mut(&id) else { return };
        worker.closed_since = Some(now);
        worker.lanes.values_mut().for_each(|lane| lane.unreported.clear());
        self.faults.closed_sockets += 1;
        if self.dice.chance(50) {
            let delay = self.dice.below(10 * MS);
            self.later(delay, Happening::Leave(id));
        }
        self.feed(Input::Closed { worker: id });
    }

    /// The caller has more to submit.
    fn submit(&mut self) {
        let count = 1 + self.dice.below(10);
        let left = self.caller.with(|caller| {
            let count = count.min(caller.later);
            (caller.ready, caller.later) = (caller.ready + count, caller.later - count);
            caller.later
        });
        if left > 0 {
            let gap = self.dice.below(10 * MS);
            self.later(gap, Happening::Submit);
        }
        self.feed(Input::Control(Command::Submit));
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Hello(id) => self.hello(id),
            Happening::Initialized(id) => self.initialized(id),
            Happening::Begin(id) => self.begin(id),
            Happening::Seen(id) => self.seen(id),
            Happening::CloseSocket(id) => self.close_socket(id),
            Happening::Finish(id) => self.finish(id),
            Happening::Die(id, signal) => self.die(id, Exit::Signal(signal)),
            Happening::Leave(id) => {
                self.report_all(id);
                self.die(id, Exit::Code(0));
            }
            Happening::Submit => self.submit(),
            Happening::User => self.user(),
        }
    }
}
