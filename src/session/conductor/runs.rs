//! Which run begins now, and what becomes of the runs under way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Conductor;
use crate::analysis::tuning::Bounds;
use crate::analysis::tuning::found::{self, Found, found};
use crate::engine::arm::{Completion, RunRequest};
use crate::engine::control::Command;
use crate::engine::event::{Observer, Observers, RunState};
use crate::metrics::classes::CpuSource;
use crate::metrics::recorder::{self, Recorder};
use crate::metrics::snapshot::RunId;
use crate::os::spare_cores;
use crate::session::agenda::{Again, Agenda, ArmFacts, Sweeping, Turn};
use crate::session::arm::LiveRun;
use crate::session::error::SessionError;
use crate::session::keeping::KeptRun;
use crate::session::lifecycle::Lifecycle;
use crate::session::observing::RunBegins;
use crate::session::schedule::Schedule;
use crate::session::view::{Answer, Mode, RunPosition, Sweep, SweepCounts};
use crate::workload::model::{Arrivals, Workers};

/// How long the control computes.
const CONTROL: Duration = Duration::from_millis(200);

impl Conductor {
    pub(super) fn begin(&mut self, mode: Mode) {
        self.enter(mode);
        self.try_control();
        let warm = self.arms.iter().all(|arm| arm.warm);
        let mut schedule = Schedule::new(&self.spec.workload, self.arms.len(), warm, self.numbers.counted());
        for arm in &mut self.arms {
            arm.changed = false;
        }
        match mode {
            Mode::Interleaved => self.begin_agenda(Agenda::Rounds(schedule)),
            Mode::Together => {
                schedule.skip_to_single_round();
                self.agenda = Agenda::Rounds(schedule);
                self.begin_anew();
                for arm in 0..self.arms.len() {
                    // What could not be started with the others is no comparison with them.
                    if self.lifecycle.broken.is_none() {
                        if let Some(arm) = self.arms.get_mut(arm) {
                            arm.forget_together();
                        }
                        self.start_run(Turn { arm, workers: None, counted: true, gil_probe: false, place: None });
                    }
                }
            }
        }
    }

    /// Looks how many cores a native program can use, where threads that share a lock are to be compared.
    fn try_control(&mut self) {
        if self.spec.workload.engines.iter().any(|engine| engine.kind.shares_process()) {
            self.control_cores = spare_cores::usable_now(self.spec.host.usable_cores(), CONTROL);
        }
    }

    /// What is seen of one mode is no replay for the other, and what was before is no pair with what comes.
    pub(super) fn enter(&mut self, mode: Mode) {
        if mode != self.mode || mode == Mode::Together {
            self.arms.iter_mut().for_each(|arm| arm.track = Arc::default());
        }
        self.mode = mode;
        self.rounds.begin();
        self.deadline.begin(Instant::now(), self.suspended);
        self.budget.begin(Instant::now(), self.suspended);
        self.precision = None;
    }

    pub(super) fn begin_agenda(&mut self, agenda: Agenda) {
        self.enter(Mode::Interleaved);
        self.begin_anew();
        self.agenda = agenda;
        self.go_on();
    }

    fn begin_anew(&mut self) {
        self.lifecycle = Lifecycle { begun: true, ..Lifecycle::default() };
        self.arms.iter_mut().for_each(|arm| arm.broken = false);
    }

    pub(super) fn begin_sweep(&mut self, sweep: Sweep) {
        // One that this one takes the place of has found something too.
        self.answer();
        for arm in &sweep.arms {
            if let Some(arm) = self.arms.get_mut(*arm) {
                // It ends with the count that it finds.
                arm.changed = false;
                arm.dropped.clear();
            }
        }
        self.target = match sweep.counts {
            SweepCounts::For(target) => Some(target),
            SweepCounts::Found | SweepCounts::Given(_) | SweepCounts::Own => None,
        };
        self.looks_for = self.target;
        self.begin_agenda(Agenda::Sweep(Box::new(Sweeping::new(sweep))));
    }

    /// Notes what was found for a target, once nothing more is run for it.
    pub(super) fn answer(&mut self) {
        if self.is_under_way() {
            return;
        }
        let (Some(target), Agenda::Sweep(sweep)) = (self.looks_for.take(), &self.agenda) else { return };
        let found = |index: &usize| {
            let tuning = self.arms.get(*index)?.tuning();
            let found = found(tuning, target, self.bounds(*index));
            let rate = found.workers.and_then(|workers| tuning.point(workers)?.mean());
            (tuning.points.iter().any(|point| point.runs() > 0)).then_some((*index, rate, found))
        };
        let found: Vec<(usize, Option<f64>, Found)> = sweep.arms().iter().filter_map(found).collect();
        let best = found::best(found.iter().map(|(_, rate, found)| (*rate, found)), target);
        let best = best.and_then(|place| found.get(place)).filter(|_| found.len() > 1).map(|(index, ..)| *index);
        let found: Vec<(usize, Found)> = found.into_iter().map(|(index, _, found)| (index, found)).collect();
        if !found.is_empty() {
            let ended = !self.lifecycle.may_go_on();
            Arc::make_mut(&mut self.answers).push(Answer { target, found, best, ended });
        }
    }

    /// Measures every arm whose worker count was changed.
    pub(super) fn measure_changed(&mut self) {
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
    pub(super) fn measure_again(&mut self, index: usize, workers: u32) {
        let repeats = self.repeats();
        let Some(arm) = self.arms.get_mut(index) else { return };
        let workers = if arm.has_worker_count() { workers.clamp(1, arm.most_workers) } else { 1 };
        arm.workers = workers;
        arm.changed = false;
        self.begin_agenda(Agenda::Again(Again::new([(index, workers, repeats)])));
    }

    /// Starts the next run of an arm that is not broken, if there is one.
    pub(super) fn go_on(&mut self) {
        self.decide_whether_enough();
        while let Some(turn) = self.next_turn() {
            if !self.arms.get(turn.arm).is_some_and(|arm| arm.broken) && self.start_run(turn) {
                return;
            }
        }
        self.agenda_is_over();
    }

    fn next_turn(&mut self) -> Option<Turn> {
        let bounds: Vec<Bounds> = (0..self.arms.len()).map(|index| self.bounds(index)).collect();
        let facts: Vec<ArmFacts<'_>> = bounds
            .iter()
            .zip(&self.arms)
            .map(|(bounds, arm)| ArmFacts {
                tuning: arm.tuning(),
                bounds: *bounds,
                warmup: if arm.warm { 0 } else { self.spec.workload.measure.warmup },
                last: arm.shown_workers(),
                wanted: arm.workers,
                broken: arm.broken,
            })
            .collect();
        let turn = self.agenda.next(&facts);
        if let Agenda::Sweep(sweep) = &self.agenda {
            for (index, workers) in sweep.dropped() {
                if let Some(arm) = self.arms.get_mut(*index).filter(|arm| !arm.dropped.contains(workers)) {
                    arm.dropped.insert(*workers);
                    arm.sum_up(bounds.get(*index).copied().unwrap_or_default());
                }
            }
        }
        turn
    }

    pub(super) fn agenda_is_over(&mut self) {
        self.deadline.end();
        if let Agenda::Sweep(sweep) = &self.agenda {
            let found = |index: &usize| {
                let arm = self.arms.get(*index).filter(|arm| !arm.changed)?;
                Some((*index, sweep.recommended(arm.tuning(), self.bounds(*index))?))
            };
            let found: Vec<(usize, u32)> = sweep.arms().iter().filter_map(found).collect();
            for (index, workers) in found {
                self.arms.get_mut(index).into_iter().for_each(|arm| arm.workers = workers);
            }
        }
        // What was changed meanwhile is measured at once where the keys rest already.
        if self.waits_for_rest() && self.rested <= Instant::now() {
            self.measure_changed();
        }
    }

    /// The name of the run that is started now.
    pub(super) fn next_run(&mut self, round: u32) -> RunId {
        self.started += 1;
        let warmup = self.agenda.position().is_some_and(RunPosition::is_warmup);
        RunId { serial: self.started, round: self.numbers.of(round, warmup), warmup }
    }

    /// Whether it was started.
    pub(super) fn start_run(&mut self, Turn { arm: index, workers, counted, gil_probe, place }: Turn) -> bool {
        let round = self.rounds.of(index, place);
        let run = self.next_run(round);
        let Some(arm) = self.arms.get_mut(index) else { return false };
        let workers = if arm.has_worker_count() { workers.unwrap_or(arm.workers) } else { 1 };
        let workload = &arm.workload;
        let context = &self.spec.context;
        let as_written = context.workers(&arm.spec, arm.stream.total());
        let request = RunRequest {
            workload,
            spec: &arm.spec,
            workers,
            stream: Box::new(arm.stream.clone()),
            admission: arm.stream.admission(workload),
            context,
            gil_probe,
        };
        let (mut recorder, snapshots) = Recorder::new(recorder::RecorderConfig {
            sample_interval: Some(workload.measure.sample_interval),
            cores: context.usable_cores,
            capabilities: arm.capabilities(),
            // One that was given a count has it.
            unbounded: arm.spec.workers == Workers::Unbounded && workers == as_written,
            run,
        });
        recorder.tell_apart(workload.classes.len(), CpuSource::of(arm.spec.kind));
        if let Arrivals::Open(open) = &workload.arrivals {
            recorder.follow(&open.spans(arm.stream.total()));
        }
        let begins = RunBegins { workload, spec: &arm.spec, run, workers };
        let others: Vec<_> = self.spec.observers.iter().filter_map(|observer| observer.of_run(&begins)).collect();
        let observer: Box<dyn Observer> = if others.is_empty() {
            Box::new(recorder)
        } else {
            let recorder: Box<dyn Observer> = Box::new(recorder);
            Box::new(std::iter::once(recorder).chain(others).collect::<Observers>())
        };
        match arm.program.start(request, observer) {
            Ok(run) => {
                let standing = [(self.lifecycle.paused, Command::Pause), (self.suspended, Command::Suspend)];
                standing.into_iter().filter(|(stands, _)| *stands).for_each(|(_, command)| run.command(command));
                // The user has paused it before it began.
                let touched = self.lifecycle.paused;
                let on_timeout = arm.spec.on_timeout_in(&arm.workload);
                arm.began(LiveRun { run, snapshots, workers, round, counted, gil_probe, touched, on_timeout });
                self.kills.run_began(index);
                self.compare();
                true
            }
            Err(source) => {
                arm.track = Arc::default();
                let arm = arm.spec.name.clone();
                self.broken(index, SessionError::NotStarted { arm, source });
                false
            }
        }
    }

    pub(super) fn snapshot_arrived(&mut self, index: usize) {
        let Some(arm) = self.arms.get_mut(index) else { return };
        let Some(live) = &mut arm.live else { return };
        // The recorder goes with the engine's thread: without a last word, that thread has panicked.
        let gone = live.snapshots.has_changed().is_err();
        let snapshot = Arc::clone(&live.snapshots.borrow_and_update());
        let state = if gone && !snapshot.state.is_over() { RunState::Broken } else { snapshot.state };
        Arc::make_mut(&mut arm.track).push(Arc::clone(&snapshot));
        self.kills.keep(index, &snapshot);
        if !state.is_over() {
            return self.carry_out_kill(index, false);
        }
        let Some(live) = arm.live.take() else { return };
        if state == RunState::Finished {
            let counts = live.counted && !live.touched && self.mode == Mode::Interleaved;
            if let Some(keep) = self.keep.as_ref().filter(|_| counts) {
                let run = Arc::clone(&snapshot);
                // Nobody listens any more: it is kept here all the same.
                let _gone = keep.send(KeptRun { arm: index, workers: live.workers, round: live.round, run });
            }
            arm.keep(&live, snapshot, self.mode, &self.spec.workload.measure.percentiles);
        }
        // It is over: this does not wait for long.
        match live.run.join() {
            Ok(Completion::Finished) => self.sum_up(),
            Err(source) => {
                let arm = arm.spec.name.clone();
                self.broken(index, SessionError::Broke { arm, source });
            }
            // The user has ended it, or we did because another one broke.
            Ok(Completion::Stopped) => self.lifecycle.stopped = true,
        }
        if self.mode == Mode::Interleaved && self.lifecycle.may_go_on() {
            self.go_on();
        }
        if !self.is_under_way()
            && let Some(sweep) = self.next_sweep.take().filter(|_| !self.lifecycle.in_vain)
        {
            self.begin_sweep(sweep);
        }
    }
}
