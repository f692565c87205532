//! Which run comes next: the rounds of a comparison, runs of arms whose worker count was changed, or a sweep.

use std::collections::VecDeque;

use crate::analysis::tuning::{Bounds, Point, Step, Tuning, next_step};
use crate::session::schedule::Schedule;
pub(super) use crate::session::schedule::Turn;
use crate::session::view::{RunPosition, Sweep};

/// What an agenda needs to know of an arm.
pub(super) struct ArmFacts<'a> {
    /// What was measured.
    pub(crate) tuning: &'a Tuning,
    /// Bounds of its worker count.
    pub(crate) bounds: Bounds,
    /// Warm-up runs that it needs: none if it has run in this session.
    pub(crate) warmup: u32,
    /// Worker count of its last run.
    pub(crate) last: u32,
    /// Whether it could not go on: nothing more will be known of it.
    pub(crate) broken: bool,
}

/// Which runs are to be made.
#[derive(Clone, Debug)]
pub(super) enum Agenda {
    /// The rounds of the comparison.
    Rounds(Schedule),
    /// Runs of changed arms.
    Again(Again),
    /// A sweep over worker counts.
    Sweep(Sweeping),
}

/// Runs of arms, each with a worker count of its own, in turn.
#[derive(Clone, Debug, Default)]
pub(super) struct Again {
    waiting: VecDeque<(usize, u32, u32, u32)>,
    position: Option<RunPosition>,
}

/// A sweep under way.
#[derive(Clone, Debug)]
pub(super) struct Sweeping {
    sweep: Sweep,
    /// Given counts: (arm, workers), in the order of a round.
    cells: Vec<(usize, u32)>,
    /// Runs of the given counts that were given out.
    given: usize,
    /// The arm that had the last turn, as a place in `sweep.arms`.
    last: usize,
    /// Warm-up runs that each arm still needs, once that is known.
    warmup: Option<Vec<(usize, u32)>>,
    /// (arm, workers): recommended counts with which an arm was run once more.
    shown: Vec<(usize, u32)>,
    position: Option<RunPosition>,
}

impl Again {
    /// (arm, workers, runs) for each arm.
    pub(crate) fn new(arms: impl IntoIterator<Item = (usize, u32, u32)>) -> Self {
        Self { waiting: arms.into_iter().map(|(arm, workers, runs)| (arm, workers, 1, runs)).collect(), position: None }
    }

    fn next(&mut self) -> Option<Turn> {
        let (arm, workers, run, runs) = self.waiting.pop_front()?;
        if run < runs {
            self.waiting.push_back((arm, workers, run + 1, runs));
        }
        self.position = Some(RunPosition::Again { arm, run, runs });
        Some(Turn { arm, workers: Some(workers), counted: true, gil_probe: false })
    }
}

impl Sweeping {
    pub(crate) fn new(sweep: Sweep) -> Self {
        let counts = sweep.counts.as_deref().unwrap_or_default();
        let cells = counts.iter().flat_map(|workers| sweep.arms.iter().map(move |arm| (*arm, *workers))).collect();
        let last = sweep.arms.len().saturating_sub(1);
        Self { cells, given: 0, last, warmup: None, shown: Vec::new(), position: None, sweep }
    }

    /// The arms that take part.
    pub(crate) fn arms(&self) -> &[usize] {
        &self.sweep.arms
    }

    fn next(&mut self, known: &[ArmFacts<'_>]) -> Option<Turn> {
        // What an arm has never done takes longer the first time.
        let needed = || self.sweep.arms.iter().map(|arm| (*arm, known.get(*arm).map_or(0, |arm| arm.warmup))).collect();
        let mut warmup: Vec<(usize, u32)> = self.warmup.take().unwrap_or_else(needed);
        let cold = warmup.iter_mut().find(|(_, runs)| *runs > 0).map(|(arm, runs)| {
            *runs -= 1;
            *arm
        });
        self.warmup = Some(warmup);
        let runs = self.sweep.runs;
        let (arm, workers, run) = match cold {
            Some(arm) => (arm, self.first_count(), 0),
            None if self.sweep.counts.is_some() => {
                let cell = self.cells.get(self.given % self.cells.len().max(1)).copied();
                let run = u32::try_from(self.given / self.cells.len().max(1)).unwrap_or(u32::MAX);
                let (arm, workers) = cell.filter(|_| run < runs)?;
                self.given += 1;
                (arm, workers, run + 1)
            }
            None => self.found(known)?,
        };
        self.position = Some(RunPosition::Sweep { arm, workers, run, runs });
        Some(Turn { arm, workers: Some(workers), counted: cold.is_none(), gil_probe: false })
    }

    fn first_count(&self) -> u32 {
        self.sweep.counts.as_ref().and_then(|counts| counts.first().copied()).unwrap_or(1)
    }

    /// The arms have their turns one after the other, so that what changes slowly meets all of them.
    fn found(&mut self, known: &[ArmFacts<'_>]) -> Option<(usize, u32, u32)> {
        let arms = self.sweep.arms.len();
        for place in (1..=arms).map(|step| (self.last + step) % arms.max(1)) {
            let Some((arm, known)) = self.sweep.arms.get(place).and_then(|arm| Some((*arm, known.get(*arm)?))) else {
                continue;
            };
            if known.broken {
                continue;
            }
            let workers = match next_step(&known.tuning.points, self.sweep.runs, known.bounds) {
                Step::Run(workers) => Some(workers),
                // The picture of the last run is that of the recommended count; it counts too, and may lead to another one.
                Step::Done if !self.sweep.show_best => None,
                Step::Done => {
                    let wanted = known.tuning.advice.workers().filter(|workers| *workers != known.last);
                    let unseen = wanted.filter(|workers| !self.shown.contains(&(arm, *workers)));
                    self.shown.extend(unseen.map(|workers| (arm, workers)));
                    unseen
                }
            };
            if let Some(workers) = workers {
                self.last = place;
                let run = known.tuning.point(workers).map_or(0, Point::runs) + 1;
                return Some((arm, workers, run));
            }
        }
        None
    }
}

impl Agenda {
    /// The next run, if there is one.
    pub(crate) fn next(&mut self, known: &[ArmFacts<'_>]) -> Option<Turn> {
        match self {
            Self::Rounds(schedule) => schedule.next(),
            Self::Again(again) => again.next(),
            Self::Sweep(sweep) => sweep.next(known),
        }
    }

    /// Which run is under way; `None` where none was given out yet and it makes no sense to say so.
    pub(crate) fn position(&self) -> Option<RunPosition> {
        match self {
            Self::Rounds(schedule) => Some(schedule.position()),
            Self::Again(again) => again.position,
            Self::Sweep(sweep) => sweep.position,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::statistics::estimate;

    const BOUNDS: Bounds = Bounds { most: 8, cores: 8, open_arrivals: false, free: false };

    /// What was measured: three runs of each count, and one more of four workers.
    fn tuning(more: Option<f64>) -> Tuning {
        let rates = [10.0, 20.0, 29.0, 38.5, 35.0, 36.0, 37.0, 40.0];
        let points = (1..).zip(rates).map(|(workers, rate)| {
            let runs: Vec<f64> = [rate; 3].into_iter().chain(more.filter(|_| workers == 4)).collect();
            Point { rate: estimate(&runs), ..Point::of(workers, &[], 0) }
        });
        Tuning::of(points.collect(), BOUNDS)
    }

    fn next(sweep: &mut Sweeping, tuning: &Tuning, last: u32) -> Option<u32> {
        sweep.next(&[ArmFacts { tuning, bounds: BOUNDS, warmup: 0, last, broken: false }]).and_then(|turn| turn.workers)
    }

    #[test]
    fn a_sweep_ends_with_a_run_of_what_it_recommends_also_where_that_run_leads_to_another_count() {
        let mut sweep = Sweeping::new(Sweep { arms: vec![0], counts: None, runs: 3, show_best: true });
        assert_eq!(next(&mut sweep, &tuning(None), 8), Some(4));
        assert_eq!(next(&mut sweep, &tuning(Some(30.0)), 4), Some(8), "four were not as good as they seemed");
        assert_eq!(next(&mut sweep, &tuning(Some(30.0)), 8), None);
        let mut sweep = Sweeping::new(Sweep { arms: vec![0], counts: None, runs: 3, show_best: true });
        assert_eq!(next(&mut sweep, &tuning(None), 8), Some(4));
        assert_eq!(next(&mut sweep, &tuning(None), 5), None, "the user has chosen another one meanwhile");
    }
}
