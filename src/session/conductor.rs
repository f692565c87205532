//! Conducts a comparison: one run after the other, each arm in its turn, on a thread of its own.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, watch};

use crate::analysis::verdict;
use crate::engine::control::Command;
use crate::engine::driver::Run;
use crate::engine::event::{RunState, Severity};
use crate::engine::plan::{Surroundings, run_spec};
use crate::metrics::kept::Runs;
use crate::metrics::recorder::{self, Recorder};
use crate::metrics::snapshot::{RunId, Snapshot};
use crate::metrics::track::Track;
use crate::os::host::Host;
use crate::session::handle::SessionHandle;
use crate::session::schedule::Schedule;
use crate::session::stream::SharedStream;
use crate::session::view::{ArmView, Mode, SessionCommand, SessionPhase, SessionView};
use crate::workload::model::{EngineSpec, Workers, Workload};

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
    pub fn into_parts(mut self) -> (SessionHandle, Ending) {
        let (closed, _) = mpsc::unbounded_channel();
        let (_, nothing) = watch::channel(Arc::clone(&self.handle.view.borrow()));
        let handle = std::mem::replace(&mut self.handle, SessionHandle { view: nothing, commands: closed });
        (handle, Ending { thread: self.thread.take() })
    }
}

/// Waits, when it is dropped, until a session whose handle is gone has ended everything it started.
#[derive(Debug)]
pub struct Ending {
    thread: Option<JoinHandle<()>>,
}

impl Drop for Ending {
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

struct Conductor {
    spec: SessionSpec,
    stream: SharedStream,
    arms: Vec<Arm>,
    progress: Progress,
    mode: Mode,
    schedule: Schedule,
    /// The last round in which the user had a hand: it does not count.
    uncounted: u32,
    /// Everything stands still (Ctrl-Z); a run that begins meanwhile does too.
    suspended: bool,
    /// Runs that were started, of all arms.
    started: u32,
}

struct Arm {
    spec: EngineSpec,
    workers: u32,
    live: Option<Live>,
    track: Arc<Track>,
    finished: Runs,
}

struct Live {
    run: Run,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Whether its figures count.
    counted: bool,
}

/// Something that happened to a run.
enum Happening {
    Request(Option<SessionCommand>),
    Snapshot(usize),
}

impl Conductor {
    fn new(spec: SessionSpec) -> Self {
        let stream = SharedStream::new(&spec.workload);
        let tasks = stream.total();
        let arms = spec
            .arms
            .iter()
            .map(|arm| Arm {
                spec: arm.clone(),
                workers: spec.surroundings.workers(arm, tasks),
                live: None,
                track: Arc::default(),
                finished: Runs::default(),
            })
            .collect();
        let schedule = Schedule::new(&spec.workload, spec.arms.len());
        Self {
            stream,
            arms,
            progress: Progress::default(),
            mode: Mode::Interleaved,
            schedule,
            uncounted: 0,
            suspended: false,
            started: 0,
            spec,
        }
    }

    fn view(&self) -> SessionView {
        let finished: Vec<Vec<Arc<Snapshot>>> = self.arms.iter().map(|arm| arm.finished.to_vec()).collect();
        SessionView {
            workload: Arc::clone(&self.spec.workload),
            host: Arc::clone(&self.spec.host),
            arms: self
                .arms
                .iter()
                .map(|arm| ArmView {
                    spec: arm.spec.clone(),
                    workers: arm.workers,
                    live: arm.live.is_some(),
                    track: Arc::clone(&arm.track),
                    finished: arm.finished.to_vec(),
                })
                .collect(),
            phase: self.phase(),
            mode: self.mode,
            round: self.schedule.round(),
            rounds: self.schedule.rounds(),
            warmup: self.schedule.warmup(),
            verdicts: match self.mode {
                Mode::Interleaved => {
                    let cores = Some(self.spec.surroundings.usable_cores);
                    verdict::verdicts_on(&finished, self.spec.baseline, cores)
                }
                Mode::Together => Vec::new(),
            },
        }
    }

    async fn conduct(
        mut self,
        mut requests: mpsc::UnboundedReceiver<SessionCommand>,
        sender: &watch::Sender<Arc<SessionView>>,
    ) {
        loop {
            match next(&mut self.arms, &mut requests).await {
                Happening::Request(None) => {
                    // Dropping a run ends it at once.
                    self.arms.clear();
                    return;
                }
                Happening::Request(Some(command)) => self.obey(command),
                Happening::Snapshot(arm) => self.take_in(arm),
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

    /// An engine could not go on: whatever else runs is of no use any more.
    fn broken(&mut self, arm: usize, reason: &str) {
        let name = self.arms.get(arm).map(|arm| arm.spec.name.as_str()).unwrap_or_default();
        self.progress.broken.get_or_insert(format!("{name}: {reason}"));
        self.tell_all(Command::Kill);
    }

    fn tell_all(&self, command: Command) {
        self.live().for_each(|live| live.run.command(command));
    }

    fn obey(&mut self, command: SessionCommand) {
        match command {
            SessionCommand::Run(mode) => {
                if !self.is_under_way() {
                    self.begin(mode);
                }
            }
            SessionCommand::TogglePause => match self.phase() {
                SessionPhase::Running => {
                    self.progress.paused = true;
                    self.discount_round();
                    self.tell_all(Command::Pause);
                }
                SessionPhase::Paused => {
                    self.progress.paused = false;
                    self.tell_all(Command::Resume);
                }
                _ => {}
            },
            SessionCommand::Stop => {
                if self.is_under_way() {
                    self.tell_all(if self.progress.stops == 0 { Command::Stop } else { Command::Kill });
                    self.progress.stops += 1;
                }
            }
            SessionCommand::ChangeWorkers { arm, by } => self.change_workers(arm, by),
            SessionCommand::KillWorker { arm, slot } => {
                if let Some(live) = self.arms.get(arm).and_then(|arm| arm.live.as_ref()) {
                    live.run.command(Command::KillWorker(slot));
                    self.discount_round();
                }
            }
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

    fn change_workers(&mut self, arm: usize, by: i32) {
        let most = self.spec.surroundings.max_workers();
        let Some(arm) = self.arms.get_mut(arm) else { return };
        if arm.spec.kind == crate::workload::model::EngineKind::Serial {
            return;
        }
        let workers = arm.workers.saturating_add_signed(by).clamp(1, most);
        if workers == arm.workers {
            return;
        }
        arm.workers = workers;
        if let (Some(live), Some(workers)) = (&arm.live, std::num::NonZeroU32::new(workers)) {
            live.run.command(Command::Resize(workers));
        }
        // What was measured before is another comparison.
        for arm in &mut self.arms {
            arm.finished.clear();
        }
        self.discount_round();
    }

    /// The user had a hand in the round under way: none of its runs counts.
    fn discount_round(&mut self) {
        self.uncounted = self.schedule.round();
        // Rounds are worked off one after the other: an arm that is ahead has had its turn in this one.
        let whole = self.arms.iter().map(|arm| arm.finished.len()).min().unwrap_or(0);
        for arm in &mut self.arms {
            arm.finished.truncate(whole);
            if let Some(live) = &mut arm.live {
                live.counted = false;
            }
        }
    }

    fn begin(&mut self, mode: Mode) {
        self.mode = mode;
        self.progress = Progress { begun: true, ..Progress::default() };
        self.uncounted = 0;
        for arm in &mut self.arms {
            arm.finished.clear();
            arm.track = Arc::default();
        }
        self.schedule = Schedule::new(&self.spec.workload, self.arms.len());
        match mode {
            Mode::Interleaved => self.go_on(),
            Mode::Together => {
                self.schedule.skip_to_single_round();
                for arm in 0..self.arms.len() {
                    // What could not be started with the others is no comparison with them.
                    if self.progress.broken.is_none() {
                        self.start_run(arm, true);
                    }
                }
            }
        }
    }

    /// Starts the next run, if there is one.
    fn go_on(&mut self) {
        if let Some(turn) = self.schedule.next() {
            if self.progress.paused {
                // It begins paused: that is the user's hand.
                self.uncounted = self.schedule.round();
            }
            self.start_run(turn.arm, turn.counted && self.schedule.round() > self.uncounted);
        }
    }

    /// The name of the run that is started now.
    fn next_run(&mut self) -> RunId {
        self.started += 1;
        let (round, warmup) = (self.schedule.round(), self.schedule.warmup());
        let to_warm_up = round <= warmup;
        RunId { serial: self.started, round: if to_warm_up { round } else { round - warmup }, warmup: to_warm_up }
    }

    fn start_run(&mut self, index: usize, counted: bool) {
        let run = self.next_run();
        let Some(arm) = self.arms.get_mut(index) else { return };
        let workload = &self.spec.workload;
        let surroundings = &self.spec.surroundings;
        let spec = run_spec(
            workload,
            &arm.spec,
            arm.workers,
            Box::new(self.stream.clone()),
            self.stream.admission(workload),
            surroundings,
        );
        let (recorder, snapshots) = Recorder::new(recorder::Config {
            sample_interval: Some(workload.measure.sample_interval),
            cores: surroundings.usable_cores,
            kind: arm.spec.kind,
            unbounded: arm.spec.workers == Workers::Unbounded,
            run,
        });
        arm.track = Arc::default();
        match Run::start(spec, Box::new(recorder)) {
            Ok(run) => {
                let standing = [(self.progress.paused, Command::Pause), (self.suspended, Command::Suspend)];
                standing.into_iter().filter(|(stands, _)| *stands).for_each(|(_, command)| run.command(command));
                arm.live = Some(Live { run, snapshots, counted });
            }
            Err(error) => self.broken(index, &error.to_string()),
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
        if !state.is_over() {
            return;
        }
        let counted = live.counted;
        if let Some(live) = arm.live.take() {
            // It is over: this does not wait for long.
            live.run.join();
        }
        match state {
            RunState::Finished => {
                if counted {
                    arm.finished.push(snapshot, &self.spec.workload.measure.percentiles);
                }
                if self.mode == Mode::Interleaved && self.progress.may_go_on() {
                    self.go_on();
                }
            }
            RunState::Broken => {
                let last = snapshot.notes.iter().rev().find(|note| note.severity == Severity::Error);
                self.broken(index, last.map_or("the engine could not go on", |note| note.text.as_str()));
            }
            // Somebody has ended it: the user, or we because another one broke.
            _ => self.progress.stopped = true,
        }
    }
}

/// What has happened to a comparison since it began. Facts alone, each of which stays: so in whatever order the runs of
/// several arms end, the same follows.
#[derive(Clone, Debug, Default)]
struct Progress {
    /// Whether it began at all.
    begun: bool,
    /// Whether no work is given out.
    paused: bool,
    /// How often the user has asked for the end.
    stops: u32,
    /// Whether a run was ended before its last task.
    stopped: bool,
    /// The first reason why an engine could not go on.
    broken: Option<String>,
}

impl Progress {
    fn may_go_on(&self) -> bool {
        self.stops == 0 && !self.stopped && self.broken.is_none()
    }

    fn phase(&self, under_way: bool) -> SessionPhase {
        match &self.broken {
            _ if !self.begun => SessionPhase::Ready,
            _ if under_way && !self.may_go_on() => SessionPhase::Stopping,
            _ if under_way && self.paused => SessionPhase::Paused,
            _ if under_way => SessionPhase::Running,
            Some(reason) => SessionPhase::Broken(reason.clone()),
            None if !self.may_go_on() => SessionPhase::Stopped,
            None => SessionPhase::Finished,
        }
    }
}

/// Waits for a request or for a new snapshot of any live run. The end of a run's thread without a last snapshot (a panic)
/// shows as a closed channel, which [`Conductor::take_in`] must see too.
async fn next(arms: &mut [Arm], requests: &mut mpsc::UnboundedReceiver<SessionCommand>) -> Happening {
    let mut changes: Vec<_> = arms
        .iter_mut()
        .enumerate()
        .filter_map(|(index, arm)| Some((index, arm.live.as_mut()?)))
        .map(|(index, live)| {
            Box::pin(async move {
                let _ = live.snapshots.changed().await;
                index
            })
        })
        .collect();
    let any = std::future::poll_fn(|context| {
        for change in &mut changes {
            if let std::task::Poll::Ready(index) = change.as_mut().poll(context) {
                return std::task::Poll::Ready(index);
            }
        }
        std::task::Poll::Pending
    });
    tokio::select! {
        request = requests.recv() => Happening::Request(request),
        index = any => Happening::Snapshot(index),
    }
}

#[cfg(test)]
#[path = "conductor_tests.rs"]
mod tests;
