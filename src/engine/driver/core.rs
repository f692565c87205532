//! The state of a driver, and the loop that carries out effects until none is left.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io;
use std::num::NonZeroU32;
use std::os::unix::ffi::OsStrExt as _;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::Notify;

use super::links::{Link, Peer, Undead};
use super::{RunSpec, WorkerOrders};
use crate::engine::arm::Completion;
use crate::engine::clock::RunClock;
use crate::engine::control::Capabilities;
use crate::engine::dispatcher::input::TaskOutput;
use crate::engine::dispatcher::{Dispatcher, Effect, Input, Policy, Sink};
use crate::engine::driver::fork_server::ForkServer;
use crate::engine::driver::ghost_meter::GhostMeter;
use crate::engine::driver::guardian::Guardian;
use crate::engine::driver::strays::Strays;
use crate::engine::error::EngineError;
use crate::engine::event::{Event, InTask, LaneId, Moment, Observer, Record, RunState, Severity, Slot, WorkerId};
use crate::os::board::Board;
use crate::os::child::Child;
use crate::os::spawn::Program;
use crate::os::{clock, dev_null, inherited, oom};
use crate::worker::protocol::{self, Setup};
use crate::worker::{entry, environment};
use crate::workload::model::{FaultKind, TaskIndex, Trigger, Work, timed_order};

/// Tells the runs of one process apart.
static RUNS: AtomicU32 = AtomicU32::new(0);

/// See the module docs of [`super`].
pub(super) struct Core {
    pub(crate) dispatcher: Dispatcher,
    policy: Policy,
    pub(crate) capabilities: Capabilities,
    /// When what is being read was read: nothing that is told can have happened later.
    pub(crate) heard: Moment,
    pub(crate) clock: RunClock,
    pub(crate) observer: Box<dyn Observer>,
    pub(crate) effects: VecDeque<Effect>,
    /// Whether effects are being carried out.
    carries: bool,
    pub(crate) links: Vec<Option<Link>>,
    pub(crate) board: Arc<Board>,
    pub(crate) null: File,
    pub(crate) works: Vec<Work>,
    pub(crate) seed: u64,
    pub(crate) setup: Vec<u8>,
    pub(crate) orders: WorkerOrders,
    /// Workers that were started so far.
    pub(crate) starts: u64,
    /// Starts workers; the slot is filled in.
    pub(crate) worker: Program,
    /// Environment of programs that are tasks.
    pub(crate) program: Program,
    pub(crate) guardian: Option<Guardian>,
    /// Whether processes that have ended are left as zombies until the run is over.
    pub(crate) leaves_zombies: bool,
    pub(crate) undead: Undead,
    /// Orphans that have arrived since the last look at those.
    pub(crate) new_orphans: u64,
    /// Fork servers that were started so far.
    pub(crate) servers: u64,
    /// Whether workers are forked.
    pub(crate) forks: bool,
    /// What they are forked from, while it is there.
    pub(crate) fork_server: Option<ForkServer>,
    /// Whether its local tasks are still to be started.
    pub(crate) fork_server_unwatched: bool,
    pub(crate) oom_kills: Option<u64>,
    /// Watches over what programs leave behind; `None` where no task is a program.
    pub(crate) strays: Option<Strays>,
    ghosts: GhostMeter,
    /// Most resident memory of a worker.
    pub(crate) max_rss_bytes: Option<u64>,
    /// Wakes the local task that looks for strays.
    pub(crate) strays_notice: Rc<Notify>,
    /// Whether it was told that there were strays.
    pub(crate) strays_told: bool,
    /// Processes that could not be ended, as far as they were told.
    pub(crate) unendable: BTreeSet<u32>,
    /// Since when programs of tasks could not be started because they are open for writing.
    pub(crate) written_since: BTreeMap<TaskIndex, u64>,
    /// Wakes the local task that waits for the alarm when the time it waits for has changed.
    pub(crate) alarm_changed: Rc<Notify>,
    alarm: Option<Moment>,
    pub(crate) over: Option<RunState>,
    pub(crate) over_notice: Rc<Notify>,
    /// Reused buffers of the hot path.
    pub(crate) buffer: Vec<u8>,
    pub(crate) records: Vec<Record>,
    /// Workers whose local tasks are still to be started.
    pub(crate) unwatched: Vec<WorkerId>,
    /// Workers whose socket is full.
    pub(crate) blocked: Vec<WorkerId>,
}

struct Outlet<'a> {
    effects: &'a mut VecDeque<Effect>,
    observer: &'a mut dyn Observer,
    ghosts: &'a mut GhostMeter,
}

impl Sink for Outlet<'_> {
    fn effect(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    fn event(&mut self, now: Moment, event: &Event<'_>) {
        self.ghosts.pass(event, |event| self.observer.event(now, event));
    }
}

/// Bytes read from a socket at once.
const READ: usize = 256 * 1024;

impl Core {
    pub(super) fn new(spec: RunSpec, observer: Box<dyn Observer>) -> io::Result<Self> {
        // The clock tells it from one of another process with the same id, in another namespace or before.
        let number = RUNS.fetch_add(1, Ordering::Relaxed);
        let run = format!("{}.{number}.{:x}", std::process::id(), clock::monotonic());
        let parent = std::process::id().to_string();
        let mut worker = Program::new(&["poolscope-worker", entry::WORKER, "0", &parent])?;
        worker = worker
            .executable(&spec.worker_program)?
            .in_folder(spec.folder.as_deref())?
            .dies_with_parent()
            .with_our_limits()
            .surrounded_by(spec.surroundings.clone());
        let open_files = spec.surroundings.open_files();
        environment::mark(&mut worker, &run)?;
        let mut program = Program::new(&["program"])?.in_folder(spec.folder.as_deref())?.dies_with_parent();
        program = program.surrounded_by(spec.surroundings);
        environment::mark(&mut program, &run)?;
        let (seed, workers) = (spec.settings.seed, spec.settings.workers);
        let mut setup = Vec::new();
        let iterations_per_second = spec.iterations_per_second;
        let programs = spec.works.iter().any(|work| matches!(work, Work::Command(_)));
        let caller = inherited::caller().filter(|_| programs).map(|caller| caller.with_open_files(open_files));
        let folder = spec.folder.as_ref().filter(|_| programs).map(|folder| folder.as_os_str().as_bytes().to_vec());
        let shares_worker = spec.settings.policy.shares_worker();
        let frame = Setup {
            lanes: spec.settings.policy.lanes_of_a_worker(NonZeroU32::new(workers).unwrap_or(NonZeroU32::MIN)),
            grows: shares_worker,
            caller,
            folder,
            faults: spec.orders.faults.clone(),
            ..Setup::of(seed, iterations_per_second)
        };
        protocol::put_setup(&mut setup, &frame);
        let max_rss_bytes = spec.settings.recycling.max_rss_bytes;
        let forks = spec.settings.fork_server;
        let mut core = Self {
            policy: spec.settings.policy,
            capabilities: spec.capabilities,
            heard: Moment::ZERO,
            dispatcher: Dispatcher::new(spec.settings, spec.stream),
            clock: RunClock::start(),
            observer,
            effects: VecDeque::new(),
            carries: false,
            links: Vec::new(),
            board: Arc::new(Board::create()?),
            null: dev_null::open()?,
            seed,
            setup,
            orders: spec.orders,
            starts: 0,
            worker,
            program,
            guardian: None,
            leaves_zombies: spec.leaves_zombies,
            undead: Undead::default(),
            new_orphans: 0,
            servers: 0,
            forks,
            fork_server: None,
            fork_server_unwatched: false,
            oom_kills: oom::kills(),
            strays: None,
            ghosts: GhostMeter::default(),
            max_rss_bytes,
            strays_notice: Rc::new(Notify::new()),
            strays_told: false,
            unendable: BTreeSet::new(),
            written_since: BTreeMap::new(),
            alarm_changed: Rc::new(Notify::new()),
            alarm: None,
            over: None,
            over_notice: Rc::new(Notify::new()),
            buffer: vec![0; READ],
            records: Vec::new(),
            unwatched: Vec::new(),
            blocked: Vec::new(),
            works: spec.works,
        };
        let timed = core.orders.faults.iter().filter_map(|fault| match fault.at {
            Trigger::Time(at) => Some(at),
            Trigger::Rate(_) | Trigger::Index(_) => None,
        });
        let timed: Vec<_> = timed.enumerate().filter_map(|(place, at)| Some((at, timed_order(place)?))).collect();
        core.dispatcher.lay_down(timed.into_iter());
        if programs {
            core.guard(&spec.own_program, &run, workers);
        }
        core.clock = RunClock::start();
        Ok(core)
    }

    /// How the run ended, once it is over.
    pub(super) fn conclusion(&mut self) -> Result<Completion, EngineError> {
        match self.over {
            Some(RunState::Finished) => Ok(Completion::Finished),
            Some(RunState::Stopped) => Ok(Completion::Stopped),
            _ => Err(self.dispatcher.take_error().unwrap_or(EngineError::Gone)),
        }
    }

    pub(super) fn note(&mut self, severity: Severity, text: String) {
        self.observer.event(self.clock.now(), &Event::Note { severity, text });
    }

    /// Feeds one input and carries out everything that follows from it.
    pub(super) fn feed(&mut self, input: Input<'_>) {
        let now = self.clock.now();
        self.handle(now, input);
        self.carry_on();
    }

    /// Carries out what was decided.
    pub(super) fn carry_on(&mut self) {
        // What an effect leads to waits its turn: many that lead to others would use up the stack.
        if std::mem::replace(&mut self.carries, true) {
            return;
        }
        while let Some(effect) = self.effects.pop_front() {
            self.carry_out(effect);
        }
        self.carries = false;
        let alarm = self.dispatcher.next_wake();
        if alarm != self.alarm {
            self.alarm = alarm;
            self.alarm_changed.notify_one();
        }
    }

    /// Feeds one input; its effects wait their turn.
    pub(super) fn handle(&mut self, now: Moment, input: Input<'_>) {
        let mut sink = Outlet { effects: &mut self.effects, observer: &mut *self.observer, ghosts: &mut self.ghosts };
        self.dispatcher.handle(now, input, &mut sink);
    }

    /// When the alarm is due, as a reading of the monotonic clock.
    pub(super) fn alarm(&self) -> Option<u64> {
        self.alarm.filter(|_| !self.clock.is_suspended()).map(|at| self.clock.monotonic(at))
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Start { worker, lanes, task } => self.start(worker, lanes, task),
            Effect::StartForkServer => self.start_fork_server(),
            Effect::StopForkServer => self.stop_fork_server(),
            Effect::Send { lane, tickets } => self.send(lane, &tickets),
            Effect::Probe { lane } => {
                let task = self.in_task(lane);
                self.handle(self.clock.now(), Input::Progress { lane, task });
            }
            Effect::Retire { worker } => self.retire(worker),
            Effect::Stop { worker, how } => self.stop(worker, how),
            Effect::Abandon { worker } => self.abandon(worker),
            Effect::Order(number) => self.board.order(number),
            Effect::Over(state) => {
                self.over = Some(state);
                self.over_notice.notify_one();
            }
        }
    }

    pub(super) fn link(&mut self, worker: WorkerId) -> Option<&mut Link> {
        self.links.get_mut(worker.slot.index())?.as_mut().filter(|link| link.epoch == worker.epoch)
    }

    pub(super) fn place(&mut self, worker: WorkerId, link: Link) {
        let slot = worker.slot.index();
        if self.links.len() <= slot {
            self.links.resize_with(slot + 1, || None);
        }
        // One that was started while everything stands still, because another has ended, stands still too.
        if let Some(child) = link.child.as_ref().filter(|_| self.clock.is_suspended()) {
            // One that is gone already needs no signal.
            let _ = child.signal(rustix::process::Signal::STOP);
        }
        self.links[slot] = Some(link);
    }

    /// What a lane is in.
    pub(super) fn in_task(&self, lane: LaneId) -> Option<InTask> {
        let link = self.links.get(lane.worker.slot.index())?.as_ref().filter(|link| link.epoch == lane.worker.epoch)?;
        // A program that has ended without this having been heard yet is in no task: what it did has no limit any more.
        if matches!(link.peer, Peer::Program(_)) && link.child.as_ref().is_some_and(Child::has_ended) {
            return None;
        }
        task_of(link, lane.slot(), &self.board, &self.clock)
    }

    /// What all lanes of a worker are in.
    pub(super) fn in_tasks(&mut self, worker: WorkerId) -> Vec<(u16, InTask)> {
        let lanes = self.link(worker).map_or(0, |link| link.lanes);
        (0..lanes).filter_map(|number| Some((number, self.in_task(worker.lane(number))?))).collect()
    }

    /// Says which faults that were asked for have found no task to happen in.
    pub(super) fn tell_unstruck(&mut self) {
        let timed = self.orders.faults.iter().filter_map(|fault| match fault.at {
            Trigger::Time(at) => Some((fault.kind, at)),
            Trigger::Rate(_) | Trigger::Index(_) => None,
        });
        let end = self.clock.now();
        let open = self.board.open_orders();
        let is_open = |order: Option<u8>| order.is_some_and(|order| open >> order & 1 == 1);
        let mut texts: Vec<String> = Vec::new();
        for (place, (kind, at)) in timed.enumerate() {
            if Moment::ZERO + at > end {
                texts.push(format!("no {} at {at:?}: the run was over before", kind.word()));
            } else if is_open(timed_order(place)) {
                texts.push(format!("no {} at {at:?}: no task that it is for began after that", kind.word()));
            }
        }
        let asked = FaultKind::ON_REQUEST.iter().filter(|kind| is_open(kind.order()));
        texts.extend(asked.map(|kind| format!("no {} on request: no task began after that", kind.word())));
        texts.into_iter().for_each(|text| self.note(Severity::Warning, text));
    }

    /// Tells the observer the state.
    pub(super) fn tell_state(&mut self) {
        let now = self.clock.now();
        let (board, clock, links) = (&self.board, &self.clock, &self.links);
        let shared = self.policy.shares_worker();
        let task = |slot: Slot| {
            let first = if shared { 0 } else { slot.index() };
            task_of(links.get(first)?.as_ref()?, slot, board, clock)
        };
        let view = self.dispatcher.view(now, task);
        debug_assert!(view.counts.conserved(), "{:?}", view.counts);
        self.observer.state(now, &view);
    }

    /// Whether the kernel has killed something for want of memory since the last time this was asked.
    pub(super) fn out_of_memory(&mut self) -> bool {
        let kills = oom::kills();
        let more = matches!((self.oom_kills, kills), (Some(before), Some(now)) if now > before);
        self.oom_kills = kills;
        more
    }

    pub(super) fn output_of(stdout: String, stderr: String, omitted: u64) -> TaskOutput {
        TaskOutput { stdout, stderr, omitted }
    }
}

/// What a child is in: a worker's board says it, a program is its task.
fn task_of(link: &Link, slot: Slot, board: &Board, clock: &RunClock) -> Option<InTask> {
    let (index, started) = match &link.peer {
        Peer::Worker(_) => board.task(slot.0).map(|task| (task.index, task.started))?,
        Peer::Program(program) => (program.index, program.started),
    };
    Some(InTask { index, started: clock.moment(started) })
}
