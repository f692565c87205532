//! Conducts a comparison: one run after the other, each arm in its turn, on a thread of its own.
//!
//! The conductor waits for one thing at a time and hands it to the room that it belongs to: `commands` (what the user asks
//! for), `runs` (which run begins, and what becomes of it), `sums` (what follows from what was measured). It knows arms by
//! the traits of [`crate::engine::arm`] alone.

mod commands;
mod runs;
mod sums;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::sync::{mpsc, watch};

use crate::analysis::precision::Precision;
use crate::analysis::tuning::target::Target;
use crate::analysis::verdict::Verdict;
use crate::engine::context::RunContext;
use crate::os::host::Host;
use crate::os::threads;
use crate::session::agenda::Agenda;
use crate::session::arm::{ArmState, LiveRun};
pub use crate::session::arm_spec::ArmSpec;
use crate::session::deadline::Deadline;
use crate::session::error::SessionStartError;
use crate::session::handle::SessionHandle;
use crate::session::keeping::{Keeping, KeptRun};
use crate::session::kills::KillRequests;
use crate::session::lifecycle::Lifecycle;
use crate::session::observing::ObserveRuns;
use crate::session::schedule::{Rounds, RunNumbers, Schedule};
use crate::session::stream::SharedStream;
use crate::session::view::{Answer, Mode, RunPosition, SessionCommand, SessionPhase, SessionView, Sweep};
use crate::session::wake::{Wakeup, next};
use crate::workload::model::Workload;

/// What to compare, and how.
#[derive(Clone, Debug)]
pub struct SessionSpec {
    /// The workload; its `measure` says how often.
    pub workload: Arc<Workload>,
    /// The arms that take part, the baseline's index among them, in the order of the panes.
    pub arms: Vec<ArmSpec>,
    /// Index into `arms`.
    pub baseline: usize,
    /// The machine that the comparison runs on.
    pub host: Arc<Host>,
    /// What is the same for every run.
    pub context: RunContext,
    /// Who watches runs beside the recorder.
    pub observers: Vec<Arc<dyn ObserveRuns>>,
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
    pub fn start(spec: SessionSpec) -> Result<Self, SessionStartError> {
        Self::resume(spec, Keeping::default())
    }

    /// Makes a session that goes on from runs that were made before, and tells of those that it makes.
    ///
    /// # Errors
    /// See [`Session::start`].
    pub fn resume(spec: SessionSpec, keeping: Keeping) -> Result<Self, SessionStartError> {
        let (commands, requests) = mpsc::unbounded_channel();
        let conductor = Conductor::new(spec, keeping);
        let (sender, view) = watch::channel(Arc::new(conductor.view()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|source| SessionStartError::Runtime { source })?;
        let thread = threads::start("session", move || runtime.block_on(conductor.conduct(requests, &sender)))
            .map_err(|source| SessionStartError::Thread { source })?;
        Ok(Self { handle: SessionHandle { view, commands }, thread: Some(thread) })
    }

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
        // The conductor takes a closed channel as the end.
        let (closed, _) = mpsc::unbounded_channel();
        self.handle.commands = closed;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Conductor {
    spec: SessionSpec,
    arms: Vec<ArmState>,
    lifecycle: Lifecycle,
    mode: Mode,
    agenda: Agenda,
    rounds: Rounds,
    /// Who is told of counted runs.
    keep: Option<mpsc::UnboundedSender<KeptRun>>,
    verdicts: Arc<Vec<Verdict>>,
    kills: KillRequests,
    /// When changed arms may be measured by themselves.
    rested: Instant,
    /// Begun as soon as what runs has been stopped for it.
    next_sweep: Option<Sweep>,
    /// Whether everything stands still (Ctrl-Z); a run that begins meanwhile does too.
    suspended: bool,
    /// Runs that were started, of all arms.
    started: u32,
    numbers: RunNumbers,
    deadline: Deadline,
    /// `measure.max_time`, which ends nothing: no round is begun that would not be over by then.
    budget: Deadline,
    precision: Option<Precision>,
    /// Cores that a native program could use when the comparison began, where somebody wants to know.
    control_cores: Option<f64>,
    /// What the last sweep looked for, where that was a target.
    target: Option<Target>,
    /// What was found for those that were looked for.
    answers: Arc<Vec<Answer>>,
    /// The one that is looked for now.
    looks_for: Option<Target>,
}

impl Conductor {
    fn new(spec: SessionSpec, Keeping { earlier, sender }: Keeping) -> Self {
        let stream = SharedStream::new(&spec.workload);
        let arm = |of: &ArmSpec| ArmState::new(of.clone(), (&spec.workload, &stream), &spec.context);
        let mut arms: Vec<ArmState> = spec.arms.iter().map(arm).collect();
        let rounds = Rounds::after(earlier.iter().map(|kept| kept.round).max().unwrap_or(0));
        let is_resumed = !earlier.is_empty();
        for kept in earlier {
            if let Some(arm) = arms.get_mut(kept.arm) {
                arm.resume(kept, &spec.workload.measure.percentiles);
            }
        }
        let agenda = Agenda::Rounds(Schedule::new(&spec.workload, arms.len(), false, 0));
        let mut conductor = Self {
            arms,
            lifecycle: Lifecycle::default(),
            mode: Mode::Interleaved,
            agenda,
            rounds,
            keep: sender,
            verdicts: Arc::default(),
            kills: KillRequests::new(),
            rested: Instant::now(),
            next_sweep: None,
            suspended: false,
            started: 0,
            numbers: RunNumbers::default(),
            deadline: Deadline::new(spec.workload.limits.max_time),
            budget: Deadline::new(spec.workload.measure.adaptive.map(|adaptive| adaptive.max_time)),
            precision: None,
            control_cores: None,
            target: None,
            answers: Arc::default(),
            looks_for: None,
            spec,
        };
        if is_resumed {
            conductor.sum_up();
        }
        conductor
    }

    fn view(&self) -> SessionView {
        let nowhere = RunPosition::Round { round: 0, rounds: 0, warmup: 0, probes: false, open: false };
        SessionView {
            workload: Arc::clone(&self.spec.workload),
            host: Arc::clone(&self.spec.host),
            arms: self.arms.iter().map(|arm| arm.view(self.mode, self.repeats())).collect(),
            phase: self.phase(),
            mode: self.mode,
            position: self.agenda.position().unwrap_or(nowhere),
            baseline: self.spec.baseline,
            verdicts: Arc::clone(&self.verdicts),
            looks: self.looks(),
            precision: self.precision,
            out_of_time: self.lifecycle.out_of_time,
            measures_by_itself: self.measures_by_itself(),
            kills: self.kills.view(),
            control_cores: self.control_cores,
            target: self.target,
            answers: Arc::clone(&self.answers),
        }
    }

    async fn conduct(
        mut self,
        mut requests: mpsc::UnboundedReceiver<SessionCommand>,
        sender: &watch::Sender<Arc<SessionView>>,
    ) {
        loop {
            let rested = self.waits_for_rest().then_some(self.rested);
            match next(&mut self.arms, &mut requests, rested, self.deadline.at()).await {
                Wakeup::Request(None) => {
                    // Dropping a run ends it at once.
                    self.arms.clear();
                    return;
                }
                Wakeup::Request(Some(command)) => self.handle(command),
                Wakeup::Snapshot(arm) => self.snapshot_arrived(arm),
                Wakeup::Rested => self.measure_changed(),
                Wakeup::OutOfTime => self.out_of_time(),
            }
            self.answer();
            sender.send_replace(Arc::new(self.view()));
        }
    }

    fn live(&self) -> impl Iterator<Item = &LiveRun> {
        self.arms.iter().filter_map(|arm| arm.live.as_ref())
    }

    fn is_under_way(&self) -> bool {
        self.live().next().is_some()
    }

    fn phase(&self) -> SessionPhase {
        self.lifecycle.phase(self.is_under_way())
    }
}
