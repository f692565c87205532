//! The state of a driver, and the loop that carries out effects until none is left.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io;
use std::num::NonZeroU32;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use super::links::{Link, Peer, Undead, Writes};
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
use crate::engine::driver::wrong_results::WrongResults;
use crate::engine::error::EngineError;
use crate::engine::event::{
    EndReason, Event, InTask, LaneId, Moment, Observer, Record, RunState, Severity, Slot, WorkerId,
};
use crate::engine::outcome::{AttemptReport, Outcome};
use crate::os::accounting::Exit;
use crate::os::board::{self, Board};
use crate::os::child::Child;
use crate::os::ends::{self, End, Ends};
use crate::os::slot_groups::SlotGroups;
use crate::os::spawn::Program;
use crate::os::{clock, dev_null, inherited, limits, oom};
use crate::worker::protocol::{self, Setup};
use crate::worker::python::PythonWorkers;
use crate::worker::{entry, environment};
use crate::workload::model::{FaultKind, StartMethod, TaskIndex, Trigger, Work, timed_order};

/// Tells the runs of one process apart.
static RUNS: AtomicU32 = AtomicU32::new(0);

/// See the module docs of [`super`].
pub(super) struct Core {
    pub(crate) dispatcher: Dispatcher,
    pub(super) policy: Policy,
    /// So many slots have the streams of their programs held open: two descriptors each.
    pub(super) held_open: u32,
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
    /// Which of its arguments is the line of the status board.
    pub(crate) line_argument: usize,
    /// Whether workers are interpreters.
    pub(crate) in_python: bool,
    /// What an interpreter is to run.
    pub(crate) code: Option<OwnedFd>,
    /// What interpreters mark the ends of what their tasks print with.
    pub(crate) mark: Option<[u8; 16]>,
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
    /// How workers are started.
    pub(crate) start_method: StartMethod,
    /// What they are forked from, while it is there.
    pub(crate) fork_server: Option<ForkServer>,
    /// Whether its local tasks are still to be started.
    pub(crate) fork_server_unwatched: bool,
    /// Processes of ours that the kernel kills for want of memory; `None` where nobody counts them.
    pub(crate) oom_kills: Option<oom::Kills>,
    /// Watches over what programs leave behind; `None` where no task is a program.
    pub(crate) strays: Option<Strays>,
    pub(crate) ghosts: GhostMeter,
    pub(super) wrong: WrongResults,
    /// Most resident memory of a worker.
    pub(crate) max_rss_bytes: Option<u64>,
    /// Wakes the local task that looks for strays.
    pub(crate) strays_notice: Rc<Notify>,
    /// Whether it was told that there were strays.
    pub(crate) strays_told: bool,
    /// How long interpreters may be at their imports.
    imports: Duration,
    /// What tasks have changed for those after them, as far as it was told.
    pub(crate) changes_told: BTreeSet<String>,
    /// Strays that could not be ended, with their start times, as far as they were told.
    pub(crate) unendable: BTreeSet<(u32, u64)>,
    /// Since when programs of tasks could not be started because they are open for writing.
    pub(crate) written_since: BTreeMap<TaskIndex, u64>,
    /// How much programs of tasks write.
    pub(crate) writes: Writes,
    /// Whether it was told that a program did wrong after its answer.
    pub(crate) late_told: bool,
    /// Sees when processes end; `None` as long as nobody's end is awaited by the moment.
    ends: Option<Ends>,
    /// Whether it was told that this cannot be seen.
    ends_failed: bool,
    /// Monotonic clock when the state was told last, and when that came after a gap in which this program may have been stopped.
    state_told: u64,
    gap_over: u64,
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
    board: &'a Board,
    wrong: &'a mut WrongResults,
}

impl Sink for Outlet<'_> {
    fn effect(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    fn event(&mut self, now: Moment, event: &Event<'_>) {
        cut_off(event, self.board);
        let (wrong, observer) = (&mut *self.wrong, &mut *self.observer);
        self.ghosts.pass(event, self.board, |event| wrong.pass(event, |event| observer.event(now, event)));
    }
}

/// Whose outcome does not follow from what it comes to: whoever is in the middle of it is told, since nothing that it has written
/// is kept or given out then.
fn cut_off(event: &Event<'_>, board: &Board) {
    let of_attempt = |report: &AttemptReport| {
        let is_its_own = matches!(report.outcome, Outcome::Succeeded | Outcome::Failed);
        if let Some(slot) = report.slot.filter(|_| !is_its_own) {
            board.cut_off(slot.0, board::attempt(report.index, report.attempt.number()));
        }
    };
    match event {
        Event::Attempt(report) => of_attempt(report),
        Event::Expired { reports, .. } => reports.iter().for_each(of_attempt),
        Event::WorkerEnding { slot, reason: EndReason::Timeout { .. }, .. } => {
            board.cut_off(slot.0, board::ANY_ATTEMPT);
        }
        Event::RunEnds { early: true } => board.stop(clock::monotonic()),
        _ => {}
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
        let (worker, line_argument, code) = match &spec.python {
            Some(python) => {
                let program = python.program(spec.settings.seed, &[entry::WORKER, "0", &parent])?;
                (program, PythonWorkers::ARGUMENTS + 1, Some(python.code()?))
            }
            None => {
                let program = Program::new(&["poolscope-worker", entry::WORKER, "0", &parent])?;
                (program.executable(&spec.worker_program)?.with_our_limits(), 2, None)
            }
        };
        let mut worker =
            worker.in_folder(spec.folder.as_deref())?.dies_with_parent().surrounded_by(spec.surroundings.clone());
        let open_files = spec.surroundings.open_files();
        environment::mark(&mut worker, &run)?;
        let mut program = Program::new(&["program"])?.in_folder(spec.folder.as_deref())?.dies_with_parent();
        program = program.surrounded_by(spec.surroundings);
        environment::mark(&mut program, &run)?;
        let (seed, workers) = (spec.settings.seed, spec.settings.workers);
        let mut setup = Vec::new();
        let iterations_per_second = spec.iterations_per_second;
        let programs = spec.works.iter().any(Work::is_a_users);
        let caller = inherited::caller().filter(|_| programs).map(|caller| caller.with_open_files(open_files));
        let folder = spec.folder.as_ref().filter(|_| programs).map(|folder| folder.as_os_str().as_bytes().to_vec());
        let python = spec.python.as_ref().map(PythonWorkers::setup).transpose()?;
        let shares_worker = spec.settings.policy.shares_worker();
        let frame = Setup {
            lanes: spec.settings.policy.lanes_of_a_worker(NonZeroU32::new(workers).unwrap_or(NonZeroU32::MIN)),
            grows: shares_worker,
            caller,
            folder,
            faults: spec.orders.faults.clone(),
            late: spec.works.iter().any(|work| matches!(work, Work::Served(_))),
            handling: python.is_some() || !spec.orders.payloads.is_empty(),
            payloads: spec.orders.payloads.clone(),
            python: python.as_ref().map(|(setup, _)| setup.clone()),
            ..Setup::of(seed, iterations_per_second)
        };
        protocol::put_setup(&mut setup, &frame);
        let max_rss_bytes = spec.settings.recycling.max_rss_bytes;
        let start_method = spec.settings.start_method;
        let mut core = Self {
            policy: spec.settings.policy,
            held_open: limits::held_open(workers),
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
            line_argument,
            code,
            mark: python.map(|(_, mark)| mark),
            program,
            guardian: None,
            leaves_zombies: spec.leaves_zombies,
            undead: Undead::default(),
            new_orphans: 0,
            servers: 0,
            start_method,
            in_python: spec.python.is_some(),
            fork_server: None,
            fork_server_unwatched: false,
            oom_kills: None,
            strays: None,
            ghosts: GhostMeter::default(),
            wrong: WrongResults::default(),
            max_rss_bytes,
            strays_notice: Rc::new(Notify::new()),
            strays_told: false,
            imports: spec.python.as_ref().map_or(Duration::ZERO, |python| python.settings.patience()),
            changes_told: BTreeSet::new(),
            unendable: BTreeSet::new(),
            written_since: BTreeMap::new(),
            writes: Writes::default(),
            late_told: false,
            ends: None,
            ends_failed: false,
            state_told: clock::monotonic(),
            gap_over: 0,
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
        let groups = core.strays.as_ref().and_then(Strays::groups);
        core.oom_kills = oom::Kills::among(groups.map(SlotGroups::folder));
        core.clock = RunClock::start();
        if let Some(advice) = spec.python.and_then(|python| python.advice) {
            core.note(Severity::Warning, advice);
        }
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
        let (effects, observer, board) = (&mut self.effects, &mut *self.observer, &*self.board);
        let mut sink = Outlet { effects, observer, ghosts: &mut self.ghosts, board, wrong: &mut self.wrong };
        self.dispatcher.handle(now, input, &mut sink);
    }

    /// Awaits an end by the moment: of a process that does not say itself when its work was done.
    pub(super) fn await_end(&mut self, pidfd: Option<BorrowedFd<'_>>) -> Option<End> {
        if self.ends.is_none() && !self.ends_failed {
            match Ends::new() {
                Ok(ends) => self.ends = Some(ends),
                Err(error) => self.cannot_await_ends(&error),
            }
        }
        match self.ends.as_mut()?.of(pidfd?) {
            Ok(end) => Some(end),
            Err(error) => {
                self.cannot_await_ends(&error);
                None
            }
        }
    }

    pub(super) fn keeps_workers(&self) -> bool {
        self.policy.keeps_workers()
    }

    fn cannot_await_ends(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.ends_failed, true) {
            let text = format!("when programs end is seen late where many are started: {error}");
            self.note(Severity::Warning, text);
        }
    }

    /// When a process ended whose end was noticed at this reading of the monotonic clock.
    pub(super) fn ended_at(&mut self, worker: WorkerId, noticed: u64) -> Moment {
        let seen = self.link(worker).and_then(|link| link.end.as_ref()?.seen());
        self.clock.moment(seen.map_or(noticed, |seen| seen.at.min(noticed)))
    }

    /// Whether it may have ended long before that.
    pub(super) fn has_ended_unseen(&mut self, worker: WorkerId, noticed: u64) -> bool {
        match self.link(worker).and_then(|link| link.end.as_ref()?.seen()) {
            Some(seen) => seen.after_gap,
            // It is noticed here first, be it because nobody else looks.
            None => {
                let after = |moment: u64| noticed.saturating_sub(moment);
                after(self.state_told) > ends::GAP || self.gap_over > 0 && after(self.gap_over) < ends::GAP
            }
        }
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
            Effect::NoMoreForks => self.start_method = StartMethod::Spawn,
            Effect::AbandonForkServer => self.abandon_fork_server(),
            Effect::Send { lane, tickets } => self.send(lane, &tickets),
            Effect::Probe { lane } => {
                // What has ended without this having been heard yet has no limit any more, and is not silent.
                let ended = self.has_ended(lane.worker);
                let task = if ended { None } else { self.in_task(lane) };
                let now = self.clock.now();
                if ended || task.is_none() && self.is_getting_ready(lane) {
                    self.handle(now, Input::GettingReady { lane });
                }
                self.handle(now, Input::Progress { lane, task });
            }
            Effect::LookFor { worker, due } => {
                if self.link(worker).is_some() && !self.has_ended(worker) {
                    self.handle(self.clock.now(), Input::StillThere { worker, due });
                }
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

    /// Whether the process of a worker has ended, heard or not.
    fn has_ended(&mut self, worker: WorkerId) -> bool {
        self.link(worker).is_some_and(|link| link.child.as_ref().is_some_and(Child::has_ended))
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

    /// Whether a worker has begun what takes it a while before its hello, or a lane that it has opened later what takes that a while
    /// before its first task, and is within the time that this may take. The lane is in no task.
    fn is_getting_ready(&self, lane: LaneId) -> bool {
        let Some(Some(link)) = self.links.get(lane.worker.slot.index()) else { return false };
        let Peer::Worker(peer) = &link.peer else { return false };
        let awake = |number: u16| self.board.awake_since(lane.worker.lane(number).slot().0);
        let since = if peer.greeted {
            self.board.awake_since(lane.slot().0)
        } else {
            (0..link.lanes).any(|number| awake(number).is_some()).then_some(link.called)
        };
        let imports = u64::try_from(self.imports.as_nanos()).unwrap_or(u64::MAX);
        since.is_some_and(|since| clock::monotonic() < since.saturating_add(imports))
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
        let told = std::mem::replace(&mut self.state_told, clock::monotonic());
        if self.state_told.saturating_sub(told) > ends::GAP {
            self.gap_over = self.state_told;
        }
        let threads: Vec<WorkerId> = (0..)
            .map(Slot)
            .zip(&self.links)
            .filter_map(|(slot, link)| link.as_ref().map(|link| WorkerId { slot, epoch: link.epoch }))
            .collect();
        if self.code.is_some() {
            threads.into_iter().for_each(|worker| self.tell_threads(worker));
        }
        let now = self.clock.now();
        if let Some(cpu) = self.ghosts.burning(&self.board) {
            self.observer.event(now, &Event::GhostsBurn { cpu });
        }
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

    /// Whether the kernel killed a process that has ended like this, and that we have not ended, for want of memory. That is
    /// told, with who says so.
    pub(super) fn out_of_memory(&mut self, who: &str, exit: Exit) -> bool {
        let kills = self.oom_kills.as_mut().filter(|_| exit == Exit::Signal(libc::SIGKILL));
        let Some(source) = kills.and_then(oom::Kills::take) else { return false };
        let text = format!("{who} was killed for want of memory: {source}");
        self.note(Severity::Warning, text);
        true
    }

    pub(super) fn output_of(stdout: String, stderr: String, omitted: u64) -> TaskOutput {
        TaskOutput { stdout, stderr, omitted }
    }
}

/// What a child is in: a worker's board says it, a program is its task.
fn task_of(link: &Link, slot: Slot, board: &Board, clock: &RunClock) -> Option<InTask> {
    let (index, started, ended) = match &link.peer {
        Peer::Worker(_) => board.progress(slot.0).map(|(task, ended)| (task.index, task.started, ended))?,
        Peer::Program(program) => (program.index, program.started, None),
    };
    let limited = |ended| if ended == u64::MAX { InTask::NO_LIMIT } else { clock.moment(ended) };
    Some(InTask { index, started: clock.moment(started), ended: ended.map(limited) })
}
