//! The state of a driver, and the loop that carries out effects until none is left.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::num::NonZeroU32;
use std::os::unix::ffi::OsStrExt as _;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::Notify;

use super::links::{Link, Peer};
use super::{RunSpec, WorkerOrders};
use crate::engine::clock::RunClock;
use crate::engine::control::Command;
use crate::engine::dispatcher::input::TaskOutput;
use crate::engine::dispatcher::{Dispatcher, Effect, Input, Policy, Sink, Stop};
use crate::engine::driver::guardian::Guardian;
use crate::engine::driver::strays::Strays;
use crate::engine::event::{Event, InTask, LaneId, Moment, Observer, Record, RunState, Severity, Slot, WorkerId};
use crate::os::board::Board;
use crate::os::child::Reaped;
use crate::os::clock::monotonic;
use crate::os::spawn::Program;
use crate::os::{clock, dev_null, inherited, oom};
use crate::worker::protocol::{self, Setup};
use crate::worker::{entry, environment};
use crate::workload::model::{TaskIndex, Work};

/// Tells the runs of one process apart.
static RUNS: AtomicU32 = AtomicU32::new(0);

/// See the module docs of [`super`].
pub(super) struct Core {
    pub(crate) dispatcher: Dispatcher,
    policy: Policy,
    /// When what is being read was read: nothing that is told can have happened later.
    pub(crate) heard: Moment,
    pub(crate) clock: RunClock,
    pub(crate) observer: Box<dyn Observer>,
    effects: VecDeque<Effect>,
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
    pub(crate) oom_kills: Option<u64>,
    /// Watches over what programs leave behind; `None` where no task is a program.
    pub(crate) strays: Option<Strays>,
    /// Wakes the local task that looks for strays.
    pub(crate) strays_notice: Rc<Notify>,
    /// Whether it was told that there were strays.
    strays_told: bool,
    /// Processes that could not be ended, as far as they were told.
    unendable: BTreeSet<u32>,
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
}

impl Sink for Outlet<'_> {
    fn effect(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    fn event(&mut self, now: Moment, event: &Event<'_>) {
        self.observer.event(now, event);
    }
}

/// What a guest in a host's process cannot do.
const STRAYS_AT_THE_END: &str =
    "processes that tasks leave behind are ended with the run: this process does not take orphans in";

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
            .with_our_limits();
        environment::mark(&mut worker, &run)?;
        let mut program = Program::new(&["program"])?.in_folder(spec.folder.as_deref())?.dies_with_parent();
        environment::mark(&mut program, &run)?;
        let (seed, workers) = (spec.settings.seed, spec.settings.workers);
        let mut setup = Vec::new();
        let iterations_per_second = spec.iterations_per_second;
        let programs = spec.works.iter().any(|work| matches!(work, Work::Command(_)));
        let caller = inherited::caller().filter(|_| programs);
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
        let mut core = Self {
            policy: spec.settings.policy,
            heard: Moment::ZERO,
            dispatcher: Dispatcher::new(spec.settings, spec.stream),
            clock: RunClock::start(),
            observer,
            effects: VecDeque::new(),
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
            oom_kills: oom::kills(),
            strays: None,
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
        if programs {
            core.guard(&spec.own_program, &run, workers);
        }
        core.clock = RunClock::start();
        Ok(core)
    }

    /// Programs can leave their group and start others: they are watched over.
    fn guard(&mut self, own_program: &OsString, run: &str, workers: u32) {
        let strays = Strays::watch(run, &self.board, workers);
        let groups = strays.groups().map(|groups| groups.folder().to_owned());
        if !strays.are_found() {
            self.note(Severity::Info, STRAYS_AT_THE_END.to_owned());
        }
        self.strays = Some(strays);
        match Guardian::start(own_program, run, groups.as_deref()) {
            Ok(guardian) => self.guardian = Some(guardian),
            Err(error) => self.note(
                Severity::Warning,
                format!("no guardian could be started ({error}): programs may outlive a killed Poolscope"),
            ),
        }
    }

    /// The control group that the processes of a slot are born in, where there are any.
    pub(super) fn slot_group(&self, slot: Slot) -> io::Result<Option<File>> {
        self.strays.as_ref().and_then(Strays::groups).map(|groups| groups.open(slot.0)).transpose()
    }

    /// A task is over, which may have left strays.
    pub(super) fn look_for_strays(&self) {
        if self.strays.is_some() {
            self.strays_notice.notify_one();
        }
    }

    /// Ends the strays of tasks that are over. Says whether some are to be looked at again soon.
    pub(super) fn sweep_strays(&mut self) -> bool {
        let Some(swept) = self.strays.as_ref().map(Strays::sweep) else { return false };
        self.tell_strays(swept.killed);
        for (pid, error) in swept.refused {
            if self.unendable.insert(pid) {
                self.note(Severity::Warning, format!("process {pid}, left behind by a task, cannot be ended: {error}"));
            }
        }
        swept.dying + swept.killed > 0
    }

    /// The run is over: none of its strays stays.
    pub(super) fn end_strays(&mut self) {
        if let Some(strays) = self.strays.take() {
            self.tell_strays(strays.end());
        }
    }

    fn tell_strays(&mut self, killed: usize) {
        // Once, and without a number: those in a program's own group end with it and are not counted in every engine.
        if killed > 0 && !std::mem::replace(&mut self.strays_told, true) {
            self.note(Severity::Info, "tasks left processes behind, which were ended".to_owned());
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
        while let Some(effect) = self.effects.pop_front() {
            self.carry_out(effect);
        }
        let alarm = self.dispatcher.next_wake();
        if alarm != self.alarm {
            self.alarm = alarm;
            self.alarm_changed.notify_one();
        }
    }

    /// Feeds one input; its effects wait their turn.
    pub(super) fn handle(&mut self, now: Moment, input: Input<'_>) {
        let mut sink = Outlet { effects: &mut self.effects, observer: &mut *self.observer };
        self.dispatcher.handle(now, input, &mut sink);
    }

    /// When the alarm is due, as a reading of the monotonic clock.
    pub(super) fn alarm(&self) -> Option<u64> {
        self.alarm.filter(|_| !self.clock.is_suspended()).map(|at| self.clock.monotonic(at))
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Start { worker, lanes, task } => self.start(worker, lanes, task),
            Effect::Send { lane, tickets } => self.send(lane, &tickets),
            Effect::Probe { lane } => {
                let task = self.in_task(lane);
                self.handle(self.clock.now(), Input::Progress { lane, task });
            }
            Effect::Retire { worker } => self.retire(worker),
            Effect::Stop { worker, how } => self.stop(worker, how),
            Effect::Abandon { worker } => self.abandon(worker),
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
        self.links[slot] = Some(link);
    }

    /// What a lane is in.
    pub(super) fn in_task(&self, lane: LaneId) -> Option<InTask> {
        let link = self.links.get(lane.worker.slot.index())?.as_ref().filter(|link| link.epoch == lane.worker.epoch)?;
        task_of(link, lane.slot(), &self.board, &self.clock)
    }

    /// What all lanes of a worker are in.
    pub(super) fn in_tasks(&mut self, worker: WorkerId) -> Vec<(u16, InTask)> {
        let lanes = self.link(worker).map_or(0, |link| link.lanes);
        (0..lanes).filter_map(|number| Some((number, self.in_task(worker.lane(number))?))).collect()
    }

    fn stop(&mut self, worker: WorkerId, how: Stop) {
        use rustix::process::Signal;
        let Some(link) = self.link(worker) else { return };
        link.stopped = true;
        let signals: &[Signal] = match how {
            Stop::Terminate => &[Signal::TERM, Signal::CONT],
            Stop::Kill => &[Signal::KILL],
        };
        let refused: Vec<_> = signals.iter().filter_map(|signal| link.child.signal(*signal).err()).collect();
        // What may not even be killed (it has become another user's) is not waited for.
        let futile = how == Stop::Kill && refused.iter().any(|error| error.kind() == io::ErrorKind::PermissionDenied);
        for error in refused {
            self.note(Severity::Warning, format!("a worker could not be signalled: {error}"));
        }
        if futile {
            self.abandon(worker);
        }
    }

    /// Leaves a child behind that cannot be ended, unless it has ended in this very moment.
    fn abandon(&mut self, worker: WorkerId) {
        let Some(link) = self.link(worker) else { return };
        let (pid, is_program) = (link.child.pid(), matches!(link.peer, Peer::Program(_)));
        let ended = link.child.try_reap().ok().flatten();
        if ended.is_none() {
            link.child.abandon();
            self.unendable.insert(pid);
            self.note(Severity::Warning, format!("process {pid} could not be ended and is left behind"));
        }
        let reaped = ended.unwrap_or(Reaped::UNKNOWN);
        if is_program {
            self.program_ended(worker, reaped, monotonic());
        } else {
            self.worker_ended(worker, reaped);
        }
    }

    /// What the user asks for.
    pub(super) fn control(&mut self, command: Command) {
        match command {
            Command::Suspend if !self.clock.is_suspended() => {
                self.feed(Input::Control(command));
                self.signal_all(rustix::process::Signal::STOP);
                self.clock.suspend();
                // The session that is about to stop this whole process waits to see this.
                self.tell_state();
            }
            Command::Unsuspend if self.clock.is_suspended() => {
                let stood = self.clock.resume();
                self.signal_all(rustix::process::Signal::CONT);
                self.observer.event(self.clock.now(), &Event::Suspended(stood));
                self.feed(Input::Control(command));
            }
            Command::Suspend | Command::Unsuspend => {}
            Command::Stop | Command::Kill if self.clock.is_suspended() => {
                self.control(Command::Unsuspend);
                self.control(command);
            }
            command => self.feed(Input::Control(command)),
        }
        self.alarm_changed.notify_one();
    }

    fn signal_all(&mut self, signal: rustix::process::Signal) {
        for link in self.links.iter().flatten() {
            // One that is gone already needs no signal.
            let _ = link.child.signal(signal);
        }
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
