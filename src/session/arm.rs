//! One arm of a session: what runs, and what was measured with each worker count. Nothing that was measured is thrown away.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::watch;

use crate::analysis::tuning::{Bounds, Point, Tuning};
use crate::engine::arm::{Arm, ArmRun};
use crate::engine::context::RunContext;
use crate::engine::control::Capabilities;
use crate::metrics::kept::Runs;
use crate::metrics::snapshot::{GilProbe, Snapshot};
use crate::metrics::track::Track;
use crate::session::arm_spec::ArmSpec;
use crate::session::keeping::KeptRun;
use crate::session::stream::SharedStream;
use crate::session::view::{ArmView, Mode};
use crate::workload::model::{EngineSpec, OnTimeout, Workload};

/// What is known of one arm.
pub(super) struct ArmState {
    pub(crate) spec: EngineSpec,
    pub(crate) program: Arc<dyn Arm>,
    /// What it runs.
    pub(crate) workload: Arc<Workload>,
    pub(crate) stream: SharedStream,
    /// The worker count it is to have.
    pub(crate) workers: u32,
    /// Most workers that make sense and may be had.
    pub(crate) most_workers: u32,
    /// Whether the user changed that count after a run with it was made or planned.
    pub(crate) changed: bool,
    pub(crate) live: Option<LiveRun>,
    /// Whether it could not go on since the comparison began.
    pub(crate) broken: bool,
    pub(crate) track: Arc<Track>,
    /// Whether any run was made: the next one needs no warm-up.
    pub(crate) warm: bool,
    /// Worker count of the run in `track`.
    measured: Option<u32>,
    counts: BTreeMap<u32, Count>,
    /// Counts of which a sweep makes no more runs.
    pub(crate) dropped: BTreeSet<u32>,
    /// Worker count of the last run that counts.
    counted: Option<u32>,
    /// Runs that do not count, because they were to warm up or the user changed something in them, and in which something failed.
    aside: Arc<Runs>,
    /// Runs at the same time as those of other arms: shown, but no measurement.
    together: Arc<Runs>,
    tuning: Arc<Tuning>,
    /// What the last run has shown in which its interpreters were probed, and its worker count.
    probed: Option<(u32, GilProbe)>,
}

/// The run under way.
pub(super) struct LiveRun {
    pub(crate) run: Box<dyn ArmRun>,
    pub(crate) snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Worker count that it began with.
    pub(crate) workers: u32,
    /// The round it belongs to.
    pub(crate) round: u32,
    /// Whether its figures count.
    pub(crate) counted: bool,
    /// Whether its interpreters are probed.
    pub(crate) gil_probe: bool,
    /// Whether the user has changed something in it.
    pub(crate) touched: bool,
    /// What happens in it at a timeout; `None` where its classes differ.
    pub(crate) on_timeout: Option<OnTimeout>,
}

/// What was measured with one worker count.
#[derive(Debug, Default)]
struct Count {
    runs: Arc<Runs>,
    touched: u32,
}

impl ArmState {
    /// It runs this workload unless it has one of its own.
    pub(crate) fn new(spec: ArmSpec, shared: (&Arc<Workload>, &SharedStream), context: &RunContext) -> Self {
        let ArmSpec { entry, arm, most_workers, workload } = spec;
        let stream = workload.as_ref().map_or_else(|| shared.1.clone(), |own| SharedStream::new(own));
        let tasks = stream.total();
        let most = context.max_workers().min(u32::try_from(tasks).unwrap_or(u32::MAX).max(1));
        let most_workers = most_workers.map_or(most, |own| own.min(most)).max(1);
        let workers = context.workers(&entry, tasks);
        Self {
            spec: entry,
            program: arm,
            workload: workload.unwrap_or_else(|| Arc::clone(shared.0)),
            stream,
            dropped: BTreeSet::new(),
            workers: workers.min(most_workers),
            most_workers,
            changed: false,
            live: None,
            broken: false,
            track: Arc::default(),
            warm: false,
            measured: None,
            counts: BTreeMap::new(),
            counted: None,
            aside: Arc::default(),
            together: Arc::default(),
            tuning: Arc::default(),
            probed: None,
        }
    }

    /// Whether its worker count can be another one.
    pub(crate) fn has_worker_count(&self) -> bool {
        self.spec.kind.has_worker_count()
    }

    /// What may be asked of the run under way, or of the next one.
    pub(crate) fn capabilities(&self) -> Capabilities {
        self.live.as_ref().map_or_else(|| self.program.capabilities(), |live| live.run.capabilities())
    }

    /// The worker count that keys change: that of a run under way where it can have another one (a sweep may try one), or
    /// else the one that the arm is to have.
    pub(crate) fn workers_now(&self) -> u32 {
        if self.live.is_some() && self.capabilities().resize { self.shown_workers() } else { self.workers }
    }

    /// Counted runs with a worker count.
    pub(crate) fn runs(&self, workers: u32) -> u32 {
        self.counts.get(&workers).map_or(0, |count| u32::try_from(count.runs.len()).unwrap_or(u32::MAX))
    }

    /// Everything that is known about its worker count.
    pub(crate) fn tuning(&self) -> &Tuning {
        &self.tuning
    }

    /// A run with so many workers begins.
    pub(crate) fn began(&mut self, live: LiveRun) {
        self.measured = Some(live.workers);
        self.track = Arc::default();
        self.live = Some(live);
    }

    /// The live run has another number of workers now.
    pub(crate) fn resized(&mut self, workers: u32) {
        self.measured = Some(workers);
        self.touch();
    }

    /// The user has changed something in the live run: it is shown, and not averaged.
    pub(crate) fn touch(&mut self) {
        if let Some(live) = &mut self.live {
            live.touched = true;
        }
    }

    /// Keeps a run that was made to its end.
    pub(crate) fn keep(&mut self, live: &LiveRun, end: Arc<Snapshot>, mode: Mode, percentiles: &[f64]) {
        // What was made only in part has not warmed up.
        self.warm = true;
        if live.gil_probe && !live.touched {
            self.probed = Some((live.workers, end.gil_probe.as_deref().copied().unwrap_or_default()));
        }
        match mode {
            _ if !live.counted => self.set_aside(live, end, percentiles),
            Mode::Together => Arc::make_mut(&mut self.together).push(end, live.round, percentiles),
            Mode::Interleaved => {
                let count = self.counts.entry(live.workers).or_default();
                if live.touched {
                    count.touched += 1;
                    self.set_aside(live, end, percentiles);
                } else {
                    Arc::make_mut(&mut count.runs).push(end, live.round, percentiles);
                    self.counted = Some(live.workers);
                }
            }
        }
    }

    /// Keeps a run that was made before this session.
    pub(crate) fn resume(&mut self, KeptRun { workers, round, run, .. }: KeptRun, percentiles: &[f64]) {
        Arc::make_mut(&mut self.counts.entry(workers).or_default().runs).push(run, round, percentiles);
    }

    /// Keeps a run that does not count where something failed in it: that stays known.
    fn set_aside(&mut self, live: &LiveRun, end: Arc<Snapshot>, percentiles: &[f64]) {
        if !end.failures.is_empty() {
            Arc::make_mut(&mut self.aside).push(end, live.round, percentiles);
        }
    }

    /// A demonstration begins anew.
    pub(crate) fn forget_together(&mut self) {
        self.together = Arc::default();
    }

    /// Sums up again what was measured.
    pub(crate) fn sum_up(&mut self, bounds: Bounds) {
        let points = self.counts.iter().map(|(workers, count)| {
            let dropped = self.dropped.contains(workers);
            Point { dropped, ..Point::of_runs(*workers, &count.runs, count.touched) }
        });
        self.tuning = Arc::new(Tuning::of(points.collect(), bounds));
    }

    /// The counted runs with the worker count of the run that is shown.
    pub(crate) fn finished(&self, mode: Mode) -> Arc<Runs> {
        match mode {
            Mode::Together => Arc::clone(&self.together),
            Mode::Interleaved => {
                self.counts.get(&self.shown_workers()).map(|count| Arc::clone(&count.runs)).unwrap_or_default()
            }
        }
    }

    /// The worker count and the runs that a report tells: of the wanted count, or else of the one that is shown, or else
    /// of the last one, whichever has counted runs.
    fn told(&self, mode: Mode) -> (u32, Arc<Runs>) {
        let wanted = [Some(self.workers), Some(self.shown_workers()), self.counted];
        let counted = wanted.into_iter().flatten().find_map(|workers| {
            let count = self.counts.get(&workers).filter(|count| !count.runs.is_empty())?;
            Some((workers, Arc::clone(&count.runs)))
        });
        let shown = (self.shown_workers(), self.finished(mode));
        counted.filter(|_| mode == Mode::Interleaved).unwrap_or(shown)
    }

    /// The runs that are not among the finished ones: with other worker counts, and those that do not count.
    fn others(&self, mode: Mode) -> Vec<Arc<Runs>> {
        let shown = self.shown_workers();
        let others = self.counts.iter().filter(|(workers, count)| **workers != shown && !count.runs.is_empty());
        let others = others.map(|(_, count)| &count.runs).filter(|_| mode == Mode::Interleaved);
        others.chain([&self.aside]).filter(|runs| !runs.is_empty()).map(Arc::clone).collect()
    }

    /// The counted runs with every count.
    fn counted_runs(&self) -> Vec<(u32, Arc<Runs>)> {
        let counts = self.counts.iter().filter(|(_, count)| !count.runs.is_empty());
        counts.map(|(workers, count)| (*workers, Arc::clone(&count.runs))).collect()
    }

    pub(crate) fn shown_workers(&self) -> u32 {
        self.measured.unwrap_or(self.workers)
    }

    /// Runs that it still needs with the count it was given, where a comparison makes `repeats`: at least one where another
    /// count is shown.
    pub(crate) fn owed(&self, repeats: u32) -> u32 {
        let missing = repeats.saturating_sub(self.runs(self.workers));
        match (self.changed, self.shown_workers() == self.workers) {
            (false, _) => 0,
            (true, true) => missing,
            (true, false) => missing.max(1),
        }
    }

    pub(crate) fn view(&self, mode: Mode, repeats: u32) -> ArmView {
        ArmView {
            spec: self.spec.clone(),
            workers: self.workers,
            measured: self.shown_workers(),
            owed: self.owed(repeats),
            most_workers: self.most_workers,
            live: self.live.is_some(),
            capabilities: self.capabilities(),
            on_timeout: self
                .live
                .as_ref()
                .map_or_else(|| self.spec.on_timeout_in(&self.workload), |live| live.on_timeout),
            track: Arc::clone(&self.track),
            finished: self.finished(mode),
            told: self.told(mode),
            touched: self.counts.values().map(|count| count.touched).sum(),
            others: self.others(mode),
            counted: self.counted_runs(),
            tuning: Arc::clone(&self.tuning),
            probed: self.probed,
        }
    }
}
