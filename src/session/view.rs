//! A comparison as it is now: everything a screen or a progress line needs.

use std::sync::Arc;

use crate::analysis::verdict::Verdict;
use crate::engine::outcome::Counts;
use crate::metrics::snapshot::{Snapshot, Track};
use crate::os::host::Host;
use crate::workload::model::{EngineSpec, Workload};

/// A comparison as it is now.
#[derive(Clone, Debug)]
pub struct SessionView {
    /// What is compared.
    pub workload: Arc<Workload>,
    /// Where.
    pub host: Arc<Host>,
    /// One entry for each arm, in the order of the workload's engines that take part.
    pub arms: Vec<ArmView>,
    /// Where the comparison stands.
    pub phase: SessionPhase,
    /// How runs follow each other.
    pub mode: Mode,
    /// The round under way, from 1 (warm-up rounds first).
    pub round: u32,
    /// Rounds in all, with warm-up.
    pub rounds: u32,
    /// How many of the rounds are warm-up.
    pub warmup: u32,
    /// Baseline first, then one verdict for each other arm, in arm order; empty with a single arm.
    pub verdicts: Vec<Verdict>,
}

/// One arm of a comparison.
#[derive(Clone, Debug)]
pub struct ArmView {
    /// Its entry in the workload file.
    pub spec: EngineSpec,
    /// Workers aimed at: resolved from `auto`, changed by `+` and `-`.
    pub workers: u32,
    /// Whether a run of this arm is under way.
    pub live: bool,
    /// The run under way, or else the last one; empty before the first.
    pub track: Arc<Track>,
    /// Ends of the counted runs, oldest first.
    pub finished: Vec<Arc<Snapshot>>,
}

impl ArmView {
    /// The newest frame of the run under way, or the last frame of the last run.
    #[must_use]
    pub fn latest(&self) -> Option<&Arc<Snapshot>> {
        self.track.frames.last()
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
    /// An engine could not go on: the first reason.
    Broken(String),
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

/// What a user may ask of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionCommand {
    /// Start, or start again from the first round.
    Run(Mode),
    /// Stop giving out work, or give it out again.
    TogglePause,
    /// End the comparison; running tasks get their grace period. A second one kills.
    Stop,
    /// One worker more (positive) or fewer (negative) in an arm; lasts for its later runs.
    ChangeWorkers {
        /// Index into [`SessionView::arms`].
        arm: usize,
        /// Difference.
        by: i32,
    },
    /// SIGKILL the worker in a slot of a running arm.
    KillWorker {
        /// Index into [`SessionView::arms`].
        arm: usize,
        /// Its slot.
        slot: u32,
    },
    /// Stop every worker and the clock (Ctrl-Z).
    Suspend,
    /// Reverse of `Suspend`.
    Unsuspend,
}
