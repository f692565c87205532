//! Conducts a comparison: one run after the other, each arm in its turn, on a thread of its own.

use std::io;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use crate::analysis::tuning::Bounds;
use crate::analysis::verdict::{self, Counted, Verdict};
use crate::engine::assembly::{Surroundings, run_spec};
use crate::engine::control::Command;
use crate::engine::driver::Run;
use crate::engine::event::{RunState, Severity};
use crate::metrics::kept::Runs;
use crate::metrics::recorder::{self, Recorder};
use crate::metrics::snapshot::RunId;
use crate::os::host::Host;
use crate::session::agenda::{Again, Agenda, Known, Sweeping, Turn};
use crate::session::arm::{Arm, Live};
use crate::session::handle::SessionHandle;
use crate::session::kills::Kills;
use crate::session::progress::Progress;
use crate::session::schedule::{Rounds, Schedule};
use crate::session::stream::SharedStream;
use crate::session::view::{Change, Mode, Place, SessionCommand, SessionPhase, SessionView, Sweep};
use crate::session::wake::{Wakeup, next};
use crate::workload::model::{Arrivals, EngineSpec, Work, Workers, Workload};

/// What to compare, and how.
#[derive(Clone, Debug)]
pub struct SessionSpec {
    /// The workload; its `measure` says how often.
    pub workload: Arc<Workload>,
    /// The arms that take part, the baseline's index among them, in the order of the panes.
    pub arms: Vec<EngineSpec>,
    /// Index into `arms`.
    pub baseline: usize,
    /// The machine.
    pub host: Arc<Host>,
    /// What is the same for every run.
    pub surroundings: Surroundings,
}

/// A comparison under way. Dropping it ends what runs and waits for that.
#[derive(Debug)]
pub struct Session {
    /// The user interface's end.
    pub handle: SessionHandle,
    thread: Option<JoinHandle<()>>,
}

impl Session {
    /// Makes a session that waits for [`SessionCommand::Run`].
    ///
    /// # Errors
    /// When its thread or runtime cannot be made.
    pub fn start(spec: SessionSpec) -> io::Result<Self> {
        let (commands, requests) = mpsc::unbounded_channel();
        let conductor = Conductor::new(spec);
        let (sender, view) = watch::channel(Arc::new(conductor.view()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new()
            .name("session".to_owned())
            .spawn(move || runtime.block_on(conductor.conduct(requests, &sender)))?;
        Ok(Self { handle: SessionHandle { view, commands }, thread: Some(thread) })
    }
}

impl Session {
    /// The user interface's end, and what is to be waited for once that end was dropped.
    #[must_use]
    pub fn into_parts(mut self) -> (SessionHandle, JoinOnDrop) {
        let (closed, _) = mpsc::unbounded_channel();
        let (_, nothing) = watch::channel(Arc::clone(&self.handle.view.borrow()));
        let handle = std::mem::replace(&mut self.handle, SessionHandle { view: nothing, commands: closed });
        (handle, JoinOnDrop { thread: self.thread.take() })
    }
}

/// Waits, when it is dropped, until a session whose handle is gone has ended everything it started.
#[derive(Debug)]
pub struct JoinOnDrop {
    thread: Option<JoinHandle<()>>,
}

impl Drop for JoinOnDrop {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Nobody is left to ask for anything: the conductor takes that as the end.
        let (closed, _) = mpsc::unbounded_channel();
        self.handle.commands = closed;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Once the keys have rested for so long after a change of a worker count, it is measured.
const REST: Duration = Duration::from_millis(500);

struct Conductor {
    spec: SessionSpec,
    stream: SharedStream,
    arms: Vec<Arm>,
    progress: Progress,
    mode: Mode,
    agenda: Agenda,
    rounds: Rounds,
    verdicts: Arc<Vec<Verdict>>,
    kills: Kills,
    /// When changed arms may be measured by themselves.
    rested: Instant,
    /// Begun as soon as what runs has been stopped for it.
    next_sweep: Option<Sweep>,
    /// Everything stands still (Ctrl-Z); a run that begins meanwhile does too.
    suspended: bool,
    /// Runs that were started, of all arms.
    started: u32,
}

impl Conductor {
    fn new(spec: SessionSpec) -> Self {
        let stream = SharedStream::new(&spec.workload);
        let tasks = stream.total();
        let arms: Vec<Arm> =
            spec.arms.iter().map(|arm| Arm::new(arm.clone(), spec.surroundings.workers(arm, tasks))).collect();
        let agenda = Agenda::Rounds(Schedule::new(&spec.workload, arms.len(), false));
        Self {
            stream,
            arms,
            progress: Progress::default(),
            mode: Mode::Interleaved,
            agenda,
            rounds: Rounds::default(),
            verdicts: Arc::default(),
            kills: Kills::new(),
            rested: Instant::now(),
            next_sweep: None,
            suspended: false,
            started: 0,
            spec,
        }
    }

    fn repeats(&self) -> u32 {
        self.spec.workload.measure.repeats.get()
    }

    fn view(&self) -> SessionView {
        let nowhere = Place::Round { round: 0, rounds: 0, warmup: 0 };
        SessionView {
            workload: Arc::clone(&self.spec.workload),
            host: Arc::clone(&self.spec.host),
            arms: self.arms.iter().map(|arm| arm.view(self.mode, self.repeats())).collect(),
            phase: self.phase(),
            mode: self.mode,
            place: self.agenda.place().unwrap_or(nowhere),
            baseline: self.spec.baseline,
            verdicts: Arc::clone(&self.verdicts),
            most_workers: self.most_workers(),
            measures_by_itself: self.measures_by_itself(),
            kills: self.kills.view(),
        }
    }

    /// Commands are somebody's own: they are run as often as was asked for.
    fn measures_by_itself(&self) -> bool {
        self.spec.workload.classes.iter().all(|class| !matches!(class.work, Work::Command(_)))
    }

    /// Sums up again what was measured: after a run, and when another count is shown.
    fn sum_up(&mut self) {
        for index in 0..self.arms.len() {
            let bounds = self.bounds(index);
            if let Some(arm) = self.arms.get_mut(index) {
                arm.sum_up(bounds);
            }
        }
        self.compare();
    }

    fn compare(&mut self) {
        let finished: Vec<Arc<Runs>> = self.arms.iter().map(|arm| arm.finished(self.mode)).collect();
        let counted: Vec<Counted<'_>> = finished.iter().map(|runs| Counted::from(&**runs)).collect();
        self.verdicts = match self.mode {
            Mode::Interleaved => Arc::new(verdict::every_pair(&counted, Some(self.spec.surroundings.usable_cores))),
            Mode::Together => Arc::default(),
        };
    }

    /// Most workers that make sense: as many as may be started, and no more than there are tasks.
    fn most_workers(&self) -> u32 {
        let tasks = u32::try_from(self.stream.total()).unwrap_or(u32::MAX).max(1);
        self.spec.surroundings.max_workers().min(tasks)
    }

    fn bounds(&self, arm: usize) -> Bounds {
        let resizable = self.arms.get(arm).is_some_and(Arm::can_resize);
        Bounds {
            most: if resizable { self.most_workers() } else { 1 },
            cores: self.spec.surroundings.usable_cores,
            open_arrivals: matches!(self.spec.workload.arrivals, Arrivals::Open(_)),
            free: self.measures_by_itself(),
        }
    }

    async fn conduct(
        mut self,
        mut requests: mpsc::UnboundedReceiver<SessionCommand>,
        sender: &watch::Sender<Arc<SessionView>>,
    ) {
        loop {
            let rested = self.waits_for_rest().then_some(self.rested);
            match next(&mut self.arms, &mut requests, rested).await {
                Wakeup::Request(None) => {
                    // Dropping a run ends it at once.
                    self.arms.clear();
                    return;
                }
                Wakeup::Request(Some(command)) => self.obey(command),
                Wakeup::Snapshot(arm) => self.take_in(arm),
                Wakeup::Rested => self.measure_changed(),
            }
            sender.send_replace(Arc::new(self.view()));
        }
    }

    fn live(&self) -> impl Iterator<Item = &Live> {
        self.arms.iter().filter_map(|arm| arm.live.as_ref())
    }

    fn is_under_way(&self) -> bool {
        self.live().next().is_some()
    }

    fn phase(&self) -> SessionPhase {
        self.progress.phase(self.is_under_way())
    }

    /// Whether changed arms will be measured as soon as the keys have rested.
    fn waits_for_rest(&self) -> bool {
        self.phase() == SessionPhase::Finished
            && self.mode == Mode::Interleaved
            && self.measures_by_itself()
            && self.arms.iter().any(|arm| arm.owed(self.repeats()) > 0)
    }

    /// An engine could not go on: whatever else runs is of no use any more.
    fn broken(&mut self, arm: usize, reason: &str) {
        let name = self.arms.get(arm).map(|arm| arm.spec.name.as_str()).unwrap_or_default();
        self.progress.broken.get_or_insert(format!("{name}: {reason}"));
        self.kills.forget_wishes();
        self.tell_all(Command::Kill);
    }

    fn tell_all(&self, command: Command) {
        self.live().for_each(|live| live.run.command(command));
    }

    fn obey(&mut self, command: SessionCommand) {
        let idle = !self.is_under_way();
        match command {
            SessionCommand::Run(mode) if idle => self.begin(mode),
            SessionCommand::Measure(None) if idle => self.measure_changed(),
            SessionCommand::Measure(Some((arm, workers))) if idle => self.measure_again(arm, workers),
            SessionCommand::Sweep(sweep) if idle => self.begin_sweep(sweep),
            SessionCommand::Sweep(sweep) => {
                self.kills.forget_wishes();
                if self.next_sweep.replace(sweep).is_none() {
                    self.stop();
                }
            }
            // One thing at a time.
            SessionCommand::Run(_) | SessionCommand::Measure(_) => {}
            SessionCommand::TogglePause => match self.phase() {
                SessionPhase::Running => {
                    self.progress.paused = true;
                    self.arms.iter_mut().for_each(Arm::had_a_hand);
                    self.tell_all(Command::Pause);
                }
                SessionPhase::Paused => {
                    self.progress.paused = false;
                    self.tell_all(Command::Resume);
                }
                _ => {}
            },
            SessionCommand::Stop => {
                self.kills.forget_wishes();
                // What is being stopped for a sweep has been asked once already, by us.
                let asked = self.next_sweep.take().is_some();
                if !idle && !asked {
                    self.stop();
                }
            }
            SessionCommand::ChangeWorkers { arm, change } => self.change_workers(arm, change),
            SessionCommand::SameWorkers(model) => {
                let Some(workers) = self.arms.get(model).map(Arm::workers_now) else { return };
                let others = (0..self.arms.len()).filter(|arm| *arm != model);
                others.for_each(|arm| self.change_workers(arm, Change::To(workers)));
            }
            SessionCommand::Baseline(arm) => {
                if arm < self.arms.len() {
                    self.spec.baseline = arm;
                }
            }
            SessionCommand::KillWorker { arm, slot } => self.wish_kill(arm, slot),
            SessionCommand::Suspend => {
                self.suspended = true;
                self.tell_all(Command::Suspend);
            }
            SessionCommand::Unsuspend => {
                self.suspended = false;
                self.tell_all(Command::Unsuspend);
            }
        }
    }

    fn wish_kill(&mut self, index: usize, slot: Option<u32>) {
        // What nothing follows on is not waited for, unless it is already.
        if index >= self.arms.len() || !self.is_under_way() && !self.kills.waits(index) {
            return;
        }
        self.kills.wish(index, slot);
        self.grant_kill(index, true);
    }

    /// Kills a worker if the user wants one killed and there is one at work.
    fn grant_kill(&mut self, index: usize, idle_too: bool) {
        let Some(arm) = self.arms.get_mut(index) else { return };
        let Some(live) = &arm.live else { return };
        if let Some(newest) = arm.track.frames.last()
            && let Some(victim) = self.kills.grant(index, newest, idle_too)
        {
            live.run.command(Command::KillWorker(victim));
            arm.had_a_hand();
        }
    }

    /// Ends what runs; the second time it is killed.
    fn stop(&mut self) {
        self.tell_all(if self.progress.stops == 0 { Command::Stop } else { Command::Kill });
        self.progress.stops += 1;
    }

    fn change_workers(&mut self, index: usize, change: Change) {
        let most = self.most_workers();
        let Some(arm) = self.arms.get_mut(index).filter(|arm| arm.can_resize()) else { return };
        let now = arm.workers_now();
        let wanted = match change {
            Change::By(by) => now.saturating_add_signed(by),
            Change::Double => now.saturating_mul(2),
            Change::Halve => now / 2,
            Change::To(workers) => workers,
        };
        let workers = wanted.clamp(1, most);
        self.rested = Instant::now() + REST;
        if workers == now && workers == arm.workers {
            return;
        }
        arm.workers = workers;
        arm.changed = true;
        if workers == now {
            return;
        }
        if let (Some(live), Some(count)) = (&arm.live, NonZeroU32::new(workers)) {
            live.run.command(Command::Resize(count));
            arm.resized(workers);
            self.compare();
        }
    }

    fn begin(&mut self, mode: Mode) {
        self.enter(mode);
        let warm = self.arms.iter().all(|arm| arm.warm);
        let mut schedule = Schedule::new(&self.spec.workload, self.arms.len(), warm);
        for arm in &mut self.arms {
            arm.changed = false;
        }
        match mode {
            Mode::Interleaved => self.begin_agenda(Agenda::Rounds(schedule)),
            Mode::Together => {
                schedule.skip_to_single_round();
                self.agenda = Agenda::Rounds(schedule);
                self.progress = Progress { begun: true, ..Progress::default() };
                for arm in 0..self.arms.len() {
                    // What could not be started with the others is no comparison with them.
                    if self.progress.broken.is_none() {
                        if let Some(arm) = self.arms.get_mut(arm) {
                            arm.forget_together();
                        }
                        self.start_run(Turn { arm, workers: None, counted: true });
                    }
                }
            }
        }
    }

    /// What is seen of one mode is no replay for the other, and what was before is no pair with what comes.
    fn enter(&mut self, mode: Mode) {
        if mode != self.mode || mode == Mode::Together {
            self.arms.iter_mut().for_each(|arm| arm.track = Arc::default());
        }
        self.mode = mode;
        self.rounds.begin();
    }

    fn begin_agenda(&mut self, agenda: Agenda) {
        self.enter(Mode::Interleaved);
        self.progress = Progress { begun: true, ..Progress::default() };
        self.agenda = agenda;
        self.go_on();
    }

    fn begin_sweep(&mut self, sweep: Sweep) {
        for arm in &sweep.arms {
            if let Some(arm) = self.arms.get_mut(*arm) {
                // It ends with the count that it finds.
                arm.changed = false;
            }
        }
        self.begin_agenda(Agenda::Sweep(Sweeping::new(sweep)));
    }

    /// Measures every arm whose worker count was changed.
    fn measure_changed(&mut self) {
        let repeats = self.repeats();
        let owed: Vec<(usize, u32, u32)> = (0..)
            .zip(&self.arms)
            .map(|(index, arm)| (index, arm.workers, arm.owed(repeats)))
            .filter(|(_, _, runs)| *runs > 0)
            .collect();
        if owed.is_empty() {
            return;
        }
        for arm in &mut self.arms {
            arm.changed = false;
        }
        self.begin_agenda(Agenda::Again(Again::new(owed)));
    }

    /// Measures an arm with a count as often as a comparison does, however often it was measured before.
    fn measure_again(&mut self, index: usize, workers: u32) {
        let (repeats, most) = (self.repeats(), self.most_workers());
        let Some(arm) = self.arms.get_mut(index) else { return };
        let workers = if arm.can_resize() { workers.clamp(1, most) } else { 1 };
        arm.workers = workers;
        arm.changed = false;
        self.begin_agenda(Agenda::Again(Again::new([(index, workers, repeats)])));
    }

    /// Starts the next run, if there is one.
    fn go_on(&mut self) {
        let known: Vec<Known<'_>> = (0..)
            .zip(&self.arms)
            .map(|(index, arm)| Known {
                tuning: arm.tuning(),
                bounds: self.bounds(index),
                warmup: if arm.warm { 0 } else { self.spec.workload.measure.warmup },
                last: arm.shown_workers(),
            })
            .collect();
        let turn = self.agenda.next(&known);
        match turn {
            Some(turn) => self.start_run(turn),
            None => self.agenda_is_over(),
        }
    }

    fn agenda_is_over(&mut self) {
        if let Agenda::Sweep(sweep) = &self.agenda {
            for index in sweep.arms() {
                let arm = self.arms.get_mut(*index).filter(|arm| !arm.changed);
                if let Some((arm, workers)) =
                    arm.and_then(|arm| arm.tuning().advice.workers().map(|count| (arm, count)))
                {
                    arm.workers = workers;
                }
            }
        }
        // What was changed meanwhile is measured at once where the keys rest already.
        if self.waits_for_rest() && self.rested <= Instant::now() {
            self.measure_changed();
        }
    }

    /// The name of the run that is started now.
    fn next_run(&mut self, round: u32) -> RunId {
        self.started += 1;
        let (round, warmup) = match self.agenda.place() {
            Some(Place::Round { round, warmup, .. }) if round > warmup => (round - warmup, false),
            Some(Place::Round { round, .. }) => (round, true),
            Some(place) => (round, place.is_warmup()),
            None => (round, false),
        };
        RunId { serial: self.started, round, warmup }
    }

    fn start_run(&mut self, Turn { arm: index, workers, counted }: Turn) {
        let round = self.rounds.of(index);
        let run = self.next_run(round);
        let Some(arm) = self.arms.get_mut(index) else { return };
        let workers = if arm.can_resize() { workers.unwrap_or(arm.workers) } else { 1 };
        let workload = &self.spec.workload;
        let surroundings = &self.spec.surroundings;
        let as_written = surroundings.workers(&arm.spec, self.stream.total());
        let spec = run_spec(
            workload,
            &arm.spec,
            workers,
            Box::new(self.stream.clone()),
            self.stream.admission(workload),
            surroundings,
        );
        let (recorder, snapshots) = Recorder::new(recorder::Config {
            sample_interval: Some(workload.measure.sample_interval),
            cores: surroundings.usable_cores,
            kind: arm.spec.kind,
            // One that was given a count has it.
            unbounded: arm.spec.workers == Workers::Unbounded && workers == as_written,
            run,
        });
        match Run::start(spec, Box::new(recorder)) {
            Ok(run) => {
                let standing = [(self.progress.paused, Command::Pause), (self.suspended, Command::Suspend)];
                standing.into_iter().filter(|(stands, _)| *stands).for_each(|(_, command)| run.command(command));
                // One that begins paused has the user's hand in it.
                let touched = self.progress.paused;
                arm.began(Live { run, snapshots, workers, round, counted, touched });
                if let Some(place) = self.agenda.place() {
                    self.kills.run_began(index, place);
                }
                self.compare();
            }
            Err(error) => {
                arm.track = Arc::default();
                self.broken(index, &error.to_string());
            }
        }
    }

    fn take_in(&mut self, index: usize) {
        let Some(arm) = self.arms.get_mut(index) else { return };
        let Some(live) = &mut arm.live else { return };
        // The recorder goes with the engine's thread: without a last word, that thread has panicked.
        let gone = live.snapshots.has_changed().is_err();
        let snapshot = Arc::clone(&live.snapshots.borrow_and_update());
        let state = if gone && !snapshot.state.is_over() { RunState::Broken } else { snapshot.state };
        Arc::make_mut(&mut arm.track).push(Arc::clone(&snapshot));
        self.kills.take_in(index, &snapshot);
        if !state.is_over() {
            return self.grant_kill(index, false);
        }
        let Some(live) = arm.live.take() else { return };
        match state {
            RunState::Finished => {
                arm.keep(&live, snapshot, self.mode, &self.spec.workload.measure.percentiles);
                // It is over: this does not wait for long.
                live.run.join();
                self.sum_up();
                if self.mode == Mode::Interleaved && self.progress.may_go_on() {
                    self.go_on();
                }
            }
            RunState::Broken => {
                live.run.join();
                let last = snapshot.notes.iter().rev().find(|note| note.severity == Severity::Error);
                self.broken(index, last.map_or("the engine could not go on", |note| note.text.as_str()));
            }
            // Somebody has ended it: the user, or we because another one broke.
            _ => {
                live.run.join();
                self.progress.stopped = true;
            }
        }
        if !self.is_under_way()
            && let Some(sweep) = self.next_sweep.take().filter(|_| self.progress.broken.is_none())
        {
            self.begin_sweep(sweep);
        }
    }
}
