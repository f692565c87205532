//! Virtual workers, a virtual user and virtual time around a real dispatcher: the loop, and what must hold in the end.

use std::collections::{HashMap, HashSet};

use crate::draws::{Dice, MS, Stream};
use crate::faults::Faults;
use crate::submits::SharedCaller;
use crate::told::Told;
use poolscope::engine::control::Command;
use poolscope::engine::dispatcher::{Dispatcher, InitializerRules, Input, Policy, Submitting};
use poolscope::engine::event::{InTask, LaneId, Moment, RunState, WorkerId};
use poolscope::engine::outcome::Exit;
use poolscope::engine::stream::ClassRules;
use poolscope::workload::model::{OnFull, SubmitMode};

use schedule::{Schedule, Scheduled};
pub use worker::{Current, Lane, Worker};

mod behaviour;
mod effects;
mod schedule;
mod server;
mod setup;
mod user;
mod worker;

pub struct World {
    pub seed: u64,
    pub(crate) dice: Dice,
    pub now: u64,
    /// How long the run clock has stood still.
    stood: u64,
    pub dispatcher: Dispatcher,
    pub policy: Policy,
    pub start_timeout: u64,
    pub submitting: Submitting,
    /// Whether lanes have queues of their own: one that has tasks needs a worker, whoever else is idle.
    pub dealt: bool,
    pub initializer: Option<InitializerRules>,
    /// How late a wake may come.
    pub lateness: u64,
    pub stream: Stream,
    caller: SharedCaller,
    pub rules: Vec<ClassRules>,
    /// Intended arrival of each task.
    pub arrivals: Vec<u64>,
    pub on_full: OnFull,
    /// Whether tasks arrive at their own times, whether there is room for them or not.
    pub timed: bool,
    pub told: Told,
    /// Tasks that were ever begun.
    pub begun: HashSet<u64>,
    pub workers: HashMap<WorkerId, Worker>,
    /// Tasks without an outcome when the input that is being worked on came in.
    remaining: u64,
    /// Inputs within inputs.
    depth: u32,
    schedule: Schedule,
    /// Whether workers are forked.
    forks: bool,
    server: Option<server::Server>,
    servers: u32,
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
    /// Whether all tasks come at once, which no capacity can hold back.
    pub starts_with_a_batch: bool,
    /// Lanes at the start.
    pub lanes: u64,
    /// Lanes aimed at.
    aimed_at: u64,
    /// Draws that came later than others: schedules without them stay what they were.
    later_dice: Dice,
    /// Whether ghosts may be in their tasks for ever, and workers that are asked to leave end in the middle of a task.
    worse: bool,
}

impl World {
    pub fn verbose(mut self) -> Self {
        self.verbose = true;
        self
    }

    fn trouble(&mut self) -> bool {
        let trouble = self.trouble;
        self.dice.chance(trouble)
    }

    fn later(&mut self, after: u64, what: Scheduled) {
        self.schedule.at(self.now + after, what);
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
        for lane in std::mem::take(&mut self.told.haunted) {
            self.becomes_a_ghost(lane);
        }
        self.caller.with(|caller| {
            for (arrival, at) in self.arrivals.iter_mut().zip(&caller.submitted) {
                *arrival = *at;
            }
        });
        let counts = self.dispatcher.counts();
        assert!(counts.conserved(), "seed {}: {counts:?}", self.seed);
        self.is_delivered_in_order();
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
            self.later(gap, Scheduled::User);
        }
        if !self.stream.known {
            self.later(0, Scheduled::Submit);
        }
        self.feed(Input::Begin);
        let mut steps = 0;
        while self.told.over.is_none() {
            steps += 1;
            assert!(steps < 200_000, "seed {}: no end in sight", self.seed);
            let wake = self.dispatcher.next_wake().map(|at| at.0.max(self.now));
            match (wake, self.schedule.next()) {
                (Some(wake), None) => self.wake(wake),
                (Some(wake), Some(next)) if wake <= next => self.wake(wake),
                (_, Some(_)) => {
                    let Some((at, scheduled)) = self.schedule.pop() else { continue };
                    // A late wake may have gone before it.
                    self.now = self.now.max(at);
                    self.take_place(scheduled);
                }
                (None, None) => match self.dispatcher.state() {
                    RunState::Paused => self.feed(Input::Control(Command::Resume)),
                    RunState::Suspended => self.feed(Input::Control(Command::Unsuspend)),
                    RunState::Running if self.is_full_of_ghosts() => self.endless_ghosts_end(),
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

    fn take_place(&mut self, scheduled: Scheduled) {
        match scheduled {
            Scheduled::Hello(id) => self.hello(id),
            Scheduled::Initialized(id) => self.initialized(id),
            Scheduled::Begin(id) => self.begin(id),
            Scheduled::Seen(id) => self.seen(id),
            Scheduled::CloseSocket(id) => self.close_socket(id),
            Scheduled::Finish(id) => self.finish(id),
            Scheduled::Die(id, signal) => self.die(id, Exit::Signal(signal)),
            Scheduled::Leave(id) => {
                self.report_all(id);
                self.die(id, Exit::Code(0));
            }
            Scheduled::Quit(id) => self.quit(id),
            Scheduled::Born(id) => self.born(id),
            Scheduled::ServerHello(number) => self.server_hello(number),
            Scheduled::ServerInitialized(number) => self.server_initialized(number),
            Scheduled::ServerDies(number) => self.server_dies(number),
            Scheduled::Submit => self.submit(),
            Scheduled::User => self.user(),
        }
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
            self.later(gap, Scheduled::Submit);
        }
        self.feed(Input::Control(Command::Submit));
    }

    fn lane(&mut self, id: LaneId) -> Option<&mut Lane> {
        self.workers.get_mut(&id.worker).map(|worker| worker.lanes.entry(id.number).or_default())
    }

    fn in_task(&self, id: LaneId) -> Option<InTask> {
        let Current { index, started, .. } = self.workers.get(&id.worker)?.lanes.get(&id.number)?.current?;
        Some(InTask { index, started: Moment(started), ended: None })
    }

    fn in_tasks(&self, id: WorkerId) -> Vec<(u16, InTask)> {
        let numbers = self.workers.get(&id).into_iter().flat_map(|worker| worker.lanes.keys());
        numbers.filter_map(|number| Some((*number, self.in_task(id.lane(*number))?))).collect()
    }

    /// What is delivered has ended, and where results keep their order, so has everything before it.
    fn is_delivered_in_order(&self) {
        let (seed, delivered) = (self.seed, self.told.delivered);
        let counts = self.dispatcher.counts();
        match self.submitting.mode {
            SubmitMode::ApplyAsync => assert_eq!(delivered, 0, "seed {seed}"),
            SubmitMode::Apply => assert_eq!(delivered, self.told.ended.len() as u64, "seed {seed}"),
            SubmitMode::ImapUnordered => assert!(delivered <= self.told.ended.len() as u64, "seed {seed}"),
            SubmitMode::Imap if counts.dropped == 0 => {
                let all_ended = (0..delivered).all(|index| self.told.ended.contains(&index));
                assert!(all_ended, "seed {seed}: {delivered} were delivered before their turn");
            }
            SubmitMode::Map if counts.dropped == 0 => {
                assert!(delivered == 0 || delivered == counts.submitted, "seed {seed}: delivered in pieces");
            }
            SubmitMode::Imap | SubmitMode::Map => {}
        }
        let tame = self.trouble == 0 && self.faults.resizes + self.faults.kills == 0 && counts.retries == 0;
        if let Some(capacity) = self.submitting.queue_capacity.filter(|_| tame && !self.starts_with_a_batch) {
            // What a worker that is replaced was about to begin waits again: one task for each lane.
            let capacity = capacity + self.lanes;
            assert!(counts.queued <= capacity, "seed {seed}: {} wait where {capacity} may", counts.queued);
        }
    }

    fn check(&mut self) {
        let counts = self.dispatcher.counts();
        let told = &self.told;
        assert_eq!((counts.queued, counts.running), (0, 0), "seed {}", self.seed);
        assert_eq!(counts.succeeded, told.succeeded);
        assert_eq!(counts.failed, told.failed);
        assert_eq!(counts.timed_out, told.timed_out + told.expired + told.given_up);
        assert_eq!(counts.queue_timed_out, told.expired);
        assert_eq!(counts.wait_timed_out, told.given_up + told.gave_up);
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
            if self.submitting.mode != SubmitMode::ApplyAsync {
                assert_eq!(told.delivered, counts.submitted - counts.dropped, "seed {}: not delivered", self.seed);
                self.faults.delivered += told.delivered;
            }
        }
        if !self.stream.known && counts.cancelled == 0 {
            let told_to_caller = self.caller.with(|caller| caller.ended);
            assert_eq!(told_to_caller, counts.finished(), "seed {}: the caller was not told everything", self.seed);
            self.faults.submitted += counts.submitted;
        }
        self.faults.expired += told.expired;
        self.faults.gave_up += told.given_up + told.gave_up;
        assert_eq!(told.ghosts_ended, self.faults.ghosts, "seed {}: every ghost comes to an end", self.seed);
        self.faults.timeouts += told.timed_out;
        self.faults.retries += told.retries;
        self.faults.dropped += counts.dropped;
    }
}
