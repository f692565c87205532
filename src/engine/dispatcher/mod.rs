//! The dispatcher: a pure state machine without I/O and without a clock.
//!
//! It is fed [`Input`]s with the time at which they happened and answers with [`Effect`]s and [`Event`]s through an
//! [`Sink`]. It owns the queue, the worker table, the windows, the deadlines, the retries and the law that every task
//! has exactly one outcome. It must never read a clock, touch a process or know who observes: that is what makes it
//! testable by simulation, and what makes a difference between engines the difference of their [`Policy`] alone.
//!
//! `staff` starts and dismisses workers, `starts` says how many in one turn, `dispatch` gives out work, `results` takes it in, `deaths` deals with workers
//! that end, `deadlines` with time that runs out, `late` with what ended after that, `expiry` with waiting that lasts too long, `ghosts` with workers whose
//! caller has given up, `control` with what the user asks for, `recycle` with workers that have done their share,
//! `arrivals` with tasks that come, `fork_server` with what workers are forked from, `joins` with a caller that joins in the
//! order of its starts, `unsent` with tasks that there is no room for, `delivery` with results on their way to the caller,
//! `caller` with the time in which that is blocked.

mod arrivals;
mod caller;
mod control;
mod deadlines;
mod deaths;
pub mod delivery;
mod dispatch;
mod expiry;
mod fork_server;
mod ghosts;
mod halt;
pub mod input;
mod joins;
mod lane;
mod late;
mod policy;
mod presence;
pub mod queue;
mod recycle;
mod results;
mod staff;
mod starts;
mod timers;
mod unsent;
pub mod window;
mod worker;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::engine::dispatcher::queue::TaskQueue;
use crate::engine::dispatcher::queue::expired::Limits;
use crate::engine::dispatcher::window::{Chunk, Estimates};
use crate::engine::error::EngineError;
use crate::engine::event::{EngineView, Event, InTask, Moment, RunState, Severity, Slot, SlotView, WorkerState};
use crate::engine::outcome::Counts;
use crate::engine::stream::{Admission, ClassRules, TaskStream};
use crate::workload::model::{ClassId, Halt, Recycling, StartMethod};

use arrivals::{PendingArrivals, in_system};
use caller::Caller;
use delivery::Deliveries;
pub use delivery::Submitting;
use fork_server::ForkServer;
use halt::Halting;
pub use input::{Due, Effect, Ended, Input, Sink, StartFailure, Stop};
use joins::Joins;
use lane::Lane;
pub use policy::Policy;
use presence::TasksPresent;
use starts::Starts;
use timers::{Timer, Timers};
use worker::{Table, Worker};

/// Everything a dispatcher needs to know beforehand.
#[derive(Debug)]
pub struct Settings {
    /// What happens to a worker around a task.
    pub policy: Policy,
    /// Lanes at the start, with a worker each unless the policy shares one; at least 1.
    pub workers: u32,
    /// Most lanes a resize may ask for.
    pub max_workers: u32,
    /// How many tasks a worker may hold.
    pub chunk: Chunk,
    /// How long a worker may say nothing while something is due from it: its first word after its start, or the beginning
    /// of a task that it was given.
    pub start_timeout: Duration,
    /// What a worker runs before its first task; `None` if nothing.
    pub initializer: Option<InitializerRules>,
    /// Whether the caller starts as many processes as there are places and joins them in that order before it starts more.
    pub joins_all: bool,
    /// How workers are started: forked from a server or not, and which of both runs the initializer.
    pub start_method: StartMethod,
    /// When workers are replaced although they are well.
    pub recycling: Recycling,
    /// How long workers may take to leave once every task has its outcome.
    pub join_timeout: Duration,
    /// When, since the start of the run, a worker is killed: the one in this slot, or the first one found in a task.
    pub kills: Vec<(Duration, Option<Slot>)>,
    /// One entry for each class.
    pub classes: Vec<ClassRules>,
    /// When tasks are admitted.
    pub admission: Admission,
    /// How their caller submits them and gets results.
    pub submitting: Submitting,
    /// Whether lanes take their tasks in turn, so many at a time, instead of from one queue.
    pub dealt: Option<u64>,
    /// When the run is ended before its last task.
    pub halt: Option<Halt>,
    /// Seeds the jitter of retries.
    pub seed: u64,
}

/// What the dispatcher needs to know of an initializer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitializerRules {
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// After so many failures in a row the engine gives up.
    pub max_failures: u32,
}

/// The state machine. See the module docs.
#[derive(Debug)]
pub struct Dispatcher {
    policy: Policy,
    chunk: Chunk,
    start_timeout: Duration,
    initializer: Option<InitializerRules>,
    fork_server: Option<ForkServer>,
    joins: Option<Joins>,
    recycling: Recycling,
    join_timeout: Duration,
    kills: Vec<(Duration, Option<Slot>)>,
    classes: Vec<ClassRules>,
    /// The shortest limit on the work of a task, in nanoseconds.
    shortest_limit: u64,
    seed: u64,
    max_workers: u32,
    /// Whether a lane is given a task only when it has none: nothing that it has not begun could be taken back from a
    /// worker that others share, nor from one behind a task whose caller gives up.
    lanes_are_sent_one: bool,
    /// Number of lanes aimed at.
    workers: u32,
    state: RunState,
    /// State to return to after a suspension.
    before_suspend: RunState,
    /// How the run will end once every worker is gone.
    ending: Option<RunState>,
    /// The first reason why it cannot go on.
    error: Option<EngineError>,
    /// When the run began to be ended before its last task. What was in work then is cancelled, whatever comes of it.
    stopped_at: Option<Moment>,
    halting: Halting,
    queue: TaskQueue,
    table: Table,
    /// Slots that could take a task now: idle lanes, or free places where a worker is started for each task.
    idle: BTreeSet<Slot>,
    timers: Timers,
    arrivals: PendingArrivals,
    queue_capacity: Option<u64>,
    deliveries: Option<Deliveries>,
    caller: Caller,
    estimates: Estimates,
    /// Chunks that were sent, tasks in them and the class of the last.
    sent: (u64, u64, ClassId),
    present: TasksPresent,
    counts: Counts,
    /// Tasks that wait for their next attempt.
    retrying: u64,
    /// Starts that failed one after the other, and since when.
    failed_starts: u32,
    failing_since: Moment,
    /// Times in all that the system was short of something.
    shortages: u64,
    /// No worker is started before this: the system was short of something a moment ago.
    start_blocked_until: Moment,
    /// Workers that died one after the other before they did anything.
    early_deaths: u32,
    /// Initializers that failed one after the other.
    failed_initializers: u32,
    /// Why the last one failed; lines after the first one say where.
    initializer_failure: String,
    /// Whether it was told that nothing but ghosts is at work.
    told_haunted: bool,
    /// Workers that the user wants killed as soon as they are there; `None` is the first one found in a task.
    to_kill: BTreeSet<Option<Slot>>,
    /// Not before this it is asked again which worker is in a task.
    look_again: Moment,
    /// Workers that may be started before others have their turn.
    starts: Starts,
    /// Whether there are workers to be started, or tasks to be given to new ones, when others have had their turn.
    unfinished: bool,
    views: Vec<SlotView>,
    /// When the turn before this one was, and this one.
    turn_before: Moment,
    turn_now: Moment,
}

impl Dispatcher {
    /// A dispatcher that waits for [`Input::Begin`].
    #[must_use]
    pub fn new(settings: Settings, stream: Box<dyn TaskStream>) -> Self {
        let total = stream.total();
        Self {
            policy: settings.policy,
            chunk: settings.chunk,
            start_timeout: settings.start_timeout,
            initializer: settings.initializer.filter(|_| !settings.start_method.initializes_once()),
            fork_server: settings
                .start_method
                .forks()
                .then(|| ForkServer::new(settings.initializer.filter(|_| settings.start_method.initializes_once()))),
            joins: (settings.joins_all && !settings.policy.keeps_workers()).then(Joins::default),
            recycling: settings.recycling,
            join_timeout: settings.join_timeout,
            kills: settings.kills,
            seed: settings.seed,
            max_workers: settings.max_workers.max(1),
            lanes_are_sent_one: settings.classes.iter().any(|class| class.wait_timeout.is_some())
                || settings.policy.shares_worker() && settings.classes.iter().any(ClassRules::may_abandon),
            workers: settings.workers.clamp(1, settings.max_workers.max(1)),
            state: RunState::Running,
            before_suspend: RunState::Running,
            ending: None,
            error: None,
            stopped_at: None,
            halting: Halting::new(settings.halt, total),
            queue: TaskQueue::new(stream, Limits::new(&settings.classes), settings.dealt),
            table: Table::new(settings.policy),
            idle: BTreeSet::new(),
            timers: Timers::default(),
            deliveries: Deliveries::new(settings.submitting, total),
            caller: Caller::new(settings.submitting.mode),
            queue_capacity: settings.submitting.queue_capacity,
            arrivals: PendingArrivals::new(settings.admission, total),
            estimates: Estimates::new(settings.classes.len()),
            sent: (0, 0, 0),
            shortest_limit: late::shortest(&settings.classes),
            classes: settings.classes,
            present: TasksPresent::default(),
            counts: Counts::default(),
            retrying: 0,
            failed_starts: 0,
            failing_since: Moment::ZERO,
            shortages: 0,
            start_blocked_until: Moment::ZERO,
            early_deaths: 0,
            failed_initializers: 0,
            initializer_failure: String::new(),
            told_haunted: false,
            to_kill: BTreeSet::new(),
            look_again: Moment::ZERO,
            starts: Starts::new(),
            unfinished: false,
            views: Vec::new(),
            turn_before: Moment::ZERO,
            turn_now: Moment::ZERO,
        }
    }

    /// Lays down when something goes wrong in the next task that begins, by the numbers of the orders.
    pub fn lay_down(&mut self, orders: impl Iterator<Item = (Duration, u8)>) {
        orders.for_each(|(at, order)| self.timers.set(Moment::ZERO + at, Timer::Fault(order)));
    }

    /// Feeds one input. Inputs about a worker that was replaced in the meantime are ignored.
    ///
    /// Whatever the input is, nothing is given out whose time is over, and every timer that is due goes off: a limit does
    /// not wait for its own [`Input::Wake`] while the driver is busy with others.
    pub fn handle(&mut self, now: Moment, input: Input<'_>, out: &mut dyn Sink) {
        if matches!(input, Input::Begin | Input::Wake) {
            self.starts.turn_begins();
            self.arrivals.turn_begins();
            self.queue.turn_begins();
        }
        self.caller.turn_begins(now);
        (self.turn_before, self.turn_now) = (self.turn_now, now);
        self.present.pass(now, in_system(&self.counts));
        self.admit(now, out);
        let input = if self.is_disbelieved(&input) { Input::Wake } else { input };
        match input {
            Input::Begin => self.begin(now, out),
            Input::Wake => {}
            Input::Control(command) => self.control(now, command, out),
            Input::Broken(error) => self.give_up(now, error, out),
            Input::Started { worker, pid } => self.started(now, worker, pid, out),
            Input::StartFailed { worker, failure } => self.start_failed(now, worker, failure, out),
            Input::Hello { worker } => self.hello(now, worker, out),
            Input::Initialized { worker, result } => self.initialized(now, worker, result, out),
            Input::Done { lane, records } => self.done_or_late(now, lane, records, out),
            Input::Failed { lane, failure } => {
                if !self.is_late(now, lane, &failure, out) {
                    self.failed(now, lane, failure, out);
                }
            }
            Input::Skipped { lane, first, count } => self.skipped(now, lane, first, count, out),
            Input::Returned { lane, index, bytes } => self.returned(now, lane, index, bytes, out),
            Input::Grown { worker } => self.grown(now, worker, out),
            Input::Unsent { lane, tickets, refused } => self.unsent(now, lane, &tickets, refused, out),
            Input::Closed { worker } => self.closed(now, worker),
            Input::StillThere { worker, due } => self.still_there(now, worker, due, out),
            Input::Progress { lane, task } => self.progress(now, lane, task, out),
            Input::EndedUnseen { lane } => {
                if let Some((_, lane)) = self.table.lane_mut(lane) {
                    lane.ended_unseen = true;
                }
            }
            Input::GettingReady { lane } => {
                if let Some((_, lane)) = self.table.lane_mut(lane) {
                    lane.hear(now);
                }
            }
            Input::Misbehaved { worker, reason } => self.misbehaved(now, worker, reason, out),
            Input::ForkAskedFor { worker } => self.fork_asked_for(now, worker),
            Input::ForkServerStarted { pid } => self.fork_server_started(now, pid, out),
            Input::ForkServerHello => self.fork_server_hello(now, out),
            Input::ForkServerInitialized { result } => self.fork_server_initialized(now, result, out),
            Input::ForkServerMisbehaved { reason } => self.fork_server_misbehaved(now, reason, out),
            Input::ForkServerNotStarted { failure } => self.fork_server_not_started(now, failure, out),
            Input::ForkServerUnfit { reason } => self.fork_server_unfit(now, &reason, out),
            Input::ForkServerEnded { exit, usage, wrote } => {
                self.fork_server_ended(now, (exit, usage, &wrote), out);
            }
            Input::Exited { worker, ended } => self.exited(now, worker, &ended, out),
        }
        self.catch_up(now, out);
        self.settle(now, out);
        self.caller_waits(now);
    }

    /// Whether this is what a worker says of tasks that has broken the protocol: what it holds is not its own any more.
    fn is_disbelieved(&self, input: &Input<'_>) -> bool {
        let (Input::Done { lane, .. }
        | Input::Failed { lane, .. }
        | Input::Skipped { lane, .. }
        | Input::Returned { lane, .. }) = input
        else {
            return false;
        };
        self.table.worker(lane.worker).is_some_and(Worker::has_broken_the_protocol)
    }

    /// When [`Input::Wake`] is due; `None` when nothing is waited for but workers and users.
    #[must_use]
    pub fn next_wake(&self) -> Option<Moment> {
        if self.state.is_over() || self.state == RunState::Suspended {
            return None;
        }
        if self.unfinished || self.queue.wants_a_turn() {
            return Some(Moment::ZERO);
        }
        let expiry = self.queue.next_expiry();
        [self.timers.next(), expiry, self.next_arrival()].into_iter().flatten().min()
    }

    /// Where the run stands.
    #[must_use]
    pub fn state(&self) -> RunState {
        self.state
    }

    /// Why the run is broken, if it is. `None` the second time.
    #[must_use]
    pub fn take_error(&mut self) -> Option<EngineError> {
        self.error.take()
    }

    /// The state for an observer. `task` tells what the lane in a slot is in.
    pub(crate) fn view(&mut self, now: Moment, task: impl Fn(Slot) -> Option<InTask>) -> EngineView<'_> {
        let mut views = std::mem::take(&mut self.views);
        views.clear();
        views.extend(self.table.rows().filter_map(|(slot, worker, lane)| self.row(slot, worker, lane, &task)));
        self.views = views;
        EngineView {
            state: self.state,
            counts: self.counts(),
            total: self.arrivals.total(self.queue.total()),
            presence: Some(self.present.seen(now, in_system(&self.counts))),
            oldest: self.queue.oldest().map_or(Duration::ZERO, |arrival| now.since(arrival)),
            workers: self.workers,
            slots: &self.views,
            caller: self.caller.view(now),
            chunks: self.policy.keeps_workers().then(|| self.chunks()),
        }
    }

    fn row(&self, slot: Slot, worker: &Worker, lane: &Lane, task: impl Fn(Slot) -> Option<InTask>) -> Option<SlotView> {
        let mut state = worker.state(lane, self.policy);
        let is_there = state != WorkerState::Free && (!self.policy.shares_worker() || !lane.is_at_rest());
        let task = if lane.busy() { task(slot) } else { None };
        let task = task.and_then(|task| Some((task.index, lane.class_of(task.index)?, task.started)));
        let task = task.or(lane.ghost.map(|ghost| (ghost.index, ghost.class, ghost.started)));
        // A process that is its task says hello with its result: it has started when it is in its task.
        let is_new = matches!(state, WorkerState::Starting | WorkerState::Initializing);
        if !self.policy.keeps_workers() && is_new && task.is_some() {
            state = if lane.ghost.is_some() { WorkerState::Ghost } else { WorkerState::Busy };
        }
        (is_there || slot.0 < self.lanes_aimed_at()).then_some(SlotView { slot, pid: worker.pid, state, task })
    }

    /// Exact counts; waiting and running tasks are counted afresh, so that the conservation law says something.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = self.counts;
        counts.running = self.table.lanes().iter().filter(|lane| lane.busy()).count() as u64;
        let held: u64 = self.table.lanes().iter().map(Lane::tasks).sum();
        counts.queued = self.queue.waiting() + self.retrying + held - counts.running;
        counts
    }

    fn begin(&mut self, now: Moment, out: &mut dyn Sink) {
        if self.arrivals.is_batch() {
            self.counts.submitted = self.queue.admit_batch();
            self.present.came(now, self.counts.submitted, Moment::ZERO);
        }
        for (at, slot) in std::mem::take(&mut self.kills) {
            self.timers.set(Moment::ZERO + at, Timer::KillWorker(slot));
        }
        self.admit(now, out);
        self.fit_table(now, out);
    }

    /// Does what is due by now.
    fn catch_up(&mut self, now: Moment, out: &mut dyn Sink) {
        if self.state.is_over() || self.state == RunState::Suspended {
            return;
        }
        // What a timer sets for this very moment has its turn after the others.
        let due: Vec<Timer> = std::iter::from_fn(|| self.timers.pop_due(now)).collect();
        for timer in due {
            self.timer(now, timer, out);
        }
        if self.unfinished && self.starts.any_left() {
            self.unfinished = false;
            // Places for processes are all there; what they are started for is given out below.
            if self.policy.keeps_workers() {
                self.fit_table(now, out);
            }
        }
        // Whatever has happened may have left room.
        self.admit(now, out);
        self.tell_expired(now, out);
        self.pump(now, out);
        self.staff_hands(now, out);
        if self.state == RunState::Running && self.queue.is_empty() {
            self.caller_joins(now, out);
        }
        self.kill_wanted(now, out);
    }

    fn timer(&mut self, now: Moment, timer: Timer, out: &mut dyn Sink) {
        match timer {
            Timer::Watch { slot } => self.look(slot, out),
            Timer::ForkServer(number) => self.fork_server_overdue(now, number, out),
            Timer::ForkServerStuck(number) => self.fork_server_stuck(number, out),
            Timer::Due(worker, due) => self.look_for(worker, due, out),
            Timer::Leave(worker) => self.look_for(worker, Due::Leave, out),
            Timer::Join(worker) => self.look_for(worker, Due::Join, out),
            Timer::Stuck(worker) => self.stuck(now, worker, out),
            Timer::Start(worker) => self.start_again(now, worker, out),
            // Every turn ends with it.
            Timer::Kill => {}
            Timer::KillWorker(Some(slot)) if slot.0 >= self.lanes_aimed_at() => {
                let text = format!("worker {slot} was to be killed now, and there is none");
                self.note(now, Severity::Warning, text, out);
            }
            Timer::KillWorker(slot) => _ = self.to_kill.insert(slot),
            Timer::Fault(_) if self.ending.is_some() => {}
            Timer::Fault(order) => out.effect(Effect::Order(order)),
            Timer::Retry(ticket) => {
                self.retrying -= ticket.count;
                if self.ending.is_some() {
                    self.counts.cancelled += ticket.count;
                } else {
                    self.queue.try_again(ticket);
                }
            }
        }
    }

    /// Ends the run when there is nothing left to do.
    fn settle(&mut self, now: Moment, out: &mut dyn Sink) {
        if self.state.is_over() {
            return;
        }
        self.carry_out_halt(now, out);
        let any_left = self.queue.waiting() > 0 || self.queue.is_telling() || self.retrying > 0;
        if self.ending.is_none() && self.arrivals.exhausted() && !any_left {
            let held: u64 = self.table.lanes().iter().map(Lane::tasks).sum();
            if held == 0 {
                self.ending = Some(self.halting.ending());
                // Nobody waits for what is left.
                self.queue.clear();
                self.deliver_rest(now, out);
                out.event(now, &Event::RunEnds { early: false });
                self.dismiss_all(now, out);
            }
        }
        if let Some(ending) = self.ending
            && self.table.workers().iter().all(Worker::is_free)
        {
            self.state = ending;
            out.effect(Effect::Over(ending));
        }
    }

    fn note(&self, now: Moment, severity: Severity, text: String, out: &mut dyn Sink) {
        out.event(now, &Event::Note { severity, text });
    }
}
