//! A comparison as it is now: everything a screen or a progress line needs.

use std::sync::Arc;
use std::time::Duration;

use crate::analysis::inference::Looks;
use crate::analysis::precision::Precision;
use crate::analysis::tuning::found::Found;
use crate::analysis::tuning::target::Target;
use crate::analysis::tuning::{Bounds, Tuning};
use crate::analysis::verdict::Verdict;
use crate::engine::control::Capabilities;
use crate::engine::event::Slot;
use crate::engine::outcome::Counts;
use crate::metrics::kept::Runs;
use crate::metrics::snapshot::{GilProbe, Kill, RunId, Snapshot};
use crate::metrics::track::Track;
use crate::os::host::Host;
use crate::session::error::SessionError;
use crate::workload::model::{Arrivals, EngineSpec, FaultKind, OnTimeout, Workload};

/// A comparison as it is now.
#[derive(Clone, Debug)]
pub struct SessionView {
    /// What all arms run.
    pub workload: Arc<Workload>,
    /// The machine that the comparison runs on.
    pub host: Arc<Host>,
    /// One entry for each arm, in the order of the workload's engines that take part.
    pub arms: Vec<ArmView>,
    /// Where the comparison stands.
    pub phase: SessionPhase,
    /// How runs follow each other.
    pub mode: Mode,
    /// Which run is under way, or was the last one.
    pub position: RunPosition,
    /// Index of the arm that the others are compared with.
    pub baseline: usize,
    /// One verdict for every arm against every other one; empty with a single arm and while arms share the cores.
    pub verdicts: Arc<Vec<Verdict>>,
    /// How often those are looked at: once, if the runs that were planned are all that were made.
    pub looks: Looks,
    /// How precise it is, where that decides how many rounds are made.
    pub precision: Option<Precision>,
    /// The `limits.max_time` that has passed and ended it, if one has.
    pub out_of_time: Option<Duration>,
    /// Whether an arm whose worker count was changed is measured again without being asked to: not where that would run
    /// the user's commands.
    pub measures_by_itself: bool,
    /// Workers killed on request and by timeouts.
    pub kills: KillsView,
    /// Cores that a native program could use when the comparison began; `None` where nobody wanted to know.
    pub control_cores: Option<f64>,
    /// What the sweep under way, or the last one, looks for; `None` where that is no target.
    pub target: Option<Target>,
    /// What was found for each target that was looked for, oldest first.
    pub answers: Arc<Vec<Answer>>,
}

/// What was found for a target by a sweep that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What was looked for.
    pub target: Target,
    /// Indices into [`SessionView::arms`], with what was found for each.
    pub found: Vec<(usize, Found)>,
    /// The arm to use, where there are several.
    pub best: Option<usize>,
    /// Whether it was ended before it was through.
    pub ended: bool,
}

impl SessionView {
    /// Bounds of the worker count of one of its arms.
    #[must_use]
    pub(crate) fn bounds(&self, arm: &ArmView) -> Bounds {
        Bounds {
            most: arm.most_workers,
            cores: self.host.usable_cores(),
            open_arrivals: matches!(self.workload.arrivals, Arrivals::Open(_)),
            free: self.measures_by_itself,
        }
    }
}

/// Workers that were killed, or are to be, in all runs of a session.
#[derive(Clone, Debug, Default)]
pub struct KillsView {
    /// Arms of which a worker is killed as soon as one is busy.
    pub waiting: Vec<usize>,
    /// Those killed on request, oldest first; bounded.
    pub requested: Arc<Vec<KillRecord>>,
    /// Those ended because their task timed out, likewise.
    pub timeouts: Arc<Vec<KillRecord>>,
    /// Runs that have begun: the number of the newest one.
    pub runs: u64,
}

/// A worker that was killed, and where.
#[derive(Clone, Debug)]
pub struct KillRecord {
    /// Index into [`SessionView::arms`].
    pub arm: usize,
    /// Number of its run among all runs of the session, from 1.
    pub run: u64,
    /// What that run is called.
    pub id: RunId,
    /// How many workers it had.
    pub workers: u32,
    /// Time since the session began.
    pub since_start: Duration,
    /// What happened, and what it cost.
    pub kill: Kill,
}

/// Which run of how many it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunPosition {
    /// A round of the comparison, in which every arm runs once.
    Round {
        /// From 1, warm-up first; 0 before the first. Rounds that were made before are counted, as [`RunId`] does.
        round: u32,
        /// In all, with warm-up and those that were made before.
        rounds: u32,
        /// How many of them are warm-up.
        warmup: u32,
        /// Whether the last of these is there to probe interpreters.
        probes: bool,
        /// Whether results decide how many there are: at most those.
        open: bool,
    },
    /// A run of one arm with the worker count that it was given.
    Again {
        /// Index into [`SessionView::arms`].
        arm: usize,
        /// From 1.
        run: u32,
        /// In all.
        runs: u32,
    },
    /// A run of a sweep over worker counts.
    Sweep {
        /// Index into [`SessionView::arms`].
        arm: usize,
        /// The count that is tried.
        workers: u32,
        /// The run of this count, from 1.
        run: u32,
        /// Runs that each count gets.
        runs: u32,
    },
}

impl RunPosition {
    /// Whether its figures do not count.
    #[must_use]
    pub(crate) fn is_warmup(self) -> bool {
        match self {
            Self::Round { round, warmup, .. } => round <= warmup,
            Self::Again { .. } => false,
            Self::Sweep { run, .. } => run == 0,
        }
    }
}

impl std::fmt::Display for RunPosition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Round { round, warmup, probes: true, .. } if round == warmup => f.write_str("probe run"),
            Self::Round { round, warmup, probes, .. } if round <= warmup => {
                write!(f, "warm-up {round}/{}", warmup.saturating_sub(u32::from(*probes)))
            }
            Self::Round { round, rounds, warmup, open, .. } => {
                let at_most = if *open { "≤" } else { "" };
                write!(f, "run {}/{at_most}{}", round - warmup, rounds.saturating_sub(*warmup))
            }
            Self::Again { run, runs, .. } => write!(f, "run {run}/{runs}"),
            Self::Sweep { workers, run, runs, .. } => {
                write!(f, "{workers} worker{}", if *workers == 1 { "" } else { "s" })?;
                match run {
                    0 => f.write_str(" (warm-up)"),
                    run if run > runs => write!(f, ", run {run}"),
                    run => write!(f, ", run {run}/{runs}"),
                }
            }
        }
    }
}

/// One arm of a comparison.
#[derive(Clone, Debug)]
pub struct ArmView {
    /// Its entry in the workload file.
    pub spec: EngineSpec,
    /// The worker count it is to have: at once if it runs, from its next run on if not.
    pub workers: u32,
    /// The worker count of the run that is shown; that of the next one before the first.
    pub measured: u32,
    /// Runs with the wanted count that are still to be made once the keys rest; 0 if it was not changed.
    pub owed: u32,
    /// Most workers that it may be given: no more than may be started, and no more than there are tasks.
    pub most_workers: u32,
    /// Whether a run of this arm is under way.
    pub live: bool,
    /// What may be asked of that run, or of the next one as far as is known.
    pub capabilities: Capabilities,
    /// What happens at a timeout in the run under way, or will in the next one; `None` where its classes differ.
    pub on_timeout: Option<OnTimeout>,
    /// The run under way, or else the last one; empty before the first.
    pub track: Arc<Track>,
    /// Ends of the counted runs with the count of the run that is shown.
    pub finished: Arc<Runs>,
    /// The worker count and the counted runs that a report tells.
    pub told: (u32, Arc<Runs>),
    /// Runs that were made to their ends and do not count because the user had a hand in them, with whatever count.
    pub touched: u32,
    /// Runs that are not among the finished ones: with other counts, and those that do not count.
    pub others: Vec<Arc<Runs>>,
    /// The counted runs with every count, fewest workers first.
    pub counted: Vec<(u32, Arc<Runs>)>,
    /// What every count that was tried has shown.
    pub tuning: Arc<Tuning>,
    /// What the last run has shown in which its interpreters were probed, and the worker count of that run.
    pub probed: Option<(u32, GilProbe)>,
}

impl ArmView {
    /// What probes have shown with so many workers.
    #[must_use]
    pub(crate) fn gil_probe(&self, workers: u32) -> Option<GilProbe> {
        self.probed.filter(|(of, _)| *of == workers).map(|(_, probe)| probe)
    }

    /// The newest frame of the run under way, or the last frame of the last run.
    #[must_use]
    pub fn latest(&self) -> Option<&Arc<Snapshot>> {
        self.track.frames.last()
    }

    /// The worker count that keys change: of what runs and can have another one, or else the one that it is to have.
    #[must_use]
    pub fn workers_now(&self) -> u32 {
        if self.live && self.capabilities.resize { self.measured } else { self.workers }
    }

    /// Counts of the newest frame.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.latest().map(|frame| frame.counts).unwrap_or_default()
    }
}

/// Where a comparison stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionPhase {
    /// Nothing was started yet.
    Ready,
    /// A run is under way.
    Running,
    /// A run is under way and no work is given out.
    Paused,
    /// What runs is being ended: on request, or because an engine could not go on.
    Stopping,
    /// All runs were made.
    Finished,
    /// Ended on request; what was measured before stays. Nothing runs any more, as in `Finished` and `Broken`.
    Stopped,
    /// An arm could not go on: the first reason.
    Broken(Arc<SessionError>),
}

impl SessionPhase {
    /// Whether nothing runs any more, and nothing will before it is asked for.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Finished | Self::Stopped | Self::Broken(_))
    }
}

/// How runs follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One arm at a time: a measurement.
    Interleaved,
    /// All arms at the same time, sharing the cores: a demonstration, not a measurement.
    Together,
}

/// A change of a worker count. The result is at least 1 and at most what may be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// So many more, or fewer.
    By(i32),
    /// Twice as many.
    Double,
    /// Half as many.
    Halve,
    /// As many.
    To(u32),
}

/// Which worker counts a sweep tries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SweepCounts {
    /// Those that the results lead to ([`crate::analysis::tuning::next_step`]).
    Found,
    /// Those that the results lead to on the way to a target ([`crate::analysis::tuning::target`]).
    For(Target),
    /// These, in every arm.
    Given(Vec<u32>),
    /// That which each arm is to have: other settings are tried.
    Own,
}

/// What a sweep tries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// Indices into [`SessionView::arms`].
    pub arms: Vec<usize>,
    /// Worker counts.
    pub counts: SweepCounts,
    /// For each of the arms the number of the group in which it has its rivals: the clearly bad points of a group are dropped
    /// after a round ([`crate::analysis::tuning::clearly_bad`]). Without groups, none is.
    pub groups: Vec<usize>,
    /// Counted runs of each.
    pub runs: u32,
    /// Whether one more run with the recommended count is made where the last one had another: for a screen.
    pub show_best: bool,
}

/// What a user may ask of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionCommand {
    /// Start, or start again from the first round.
    Run(Mode),
    /// Stop giving out work, or give it out again.
    TogglePause,
    /// More tasks have come for a run that takes them as they come.
    MoreTasks,
    /// Begin nothing more for the moment, or go on: for a reader of results that cannot keep up, which is no change of what is
    /// measured.
    Hold(bool),
    /// End the comparison; running tasks get their grace period. A second one kills.
    Stop,
    /// Change the worker count that an arm is to have.
    ChangeWorkers {
        /// Index into [`SessionView::arms`].
        arm: usize,
        change: Change,
    },
    /// Give every other arm the worker count that this one is to have.
    SameWorkers(usize),
    /// Measure changed arms, or an arm with one of the counts that were tried.
    Measure(Option<(usize, u32)>),
    /// Find the best worker count of some arms.
    Sweep(Sweep),
    /// Compare the others with this arm.
    Baseline(usize),
    /// SIGKILL a worker of an arm: at once if one is busy, otherwise as soon as one is, be it in the arm's next run. Until
    /// then a second request takes the first one back.
    KillWorker {
        /// Index into [`SessionView::arms`].
        arm: usize,
        /// Its slot; `None` is the first busy one.
        slot: Option<Slot>,
    },
    /// Change what happens at a timeout in the live run of an arm. Its next run has what the file says.
    OnTimeout {
        /// Index into [`SessionView::arms`].
        arm: usize,
        /// From now on.
        then: OnTimeout,
    },
    /// Have this go wrong in the next task that begins in an arm's run, if it is under way.
    InjectFault {
        /// Index into [`SessionView::arms`].
        arm: usize,
        /// One of [`FaultKind::ON_REQUEST`].
        kind: FaultKind,
    },
    /// Stop every worker and the clock (Ctrl-Z).
    Suspend,
    /// Reverse of `Suspend`.
    Unsuspend,
}
