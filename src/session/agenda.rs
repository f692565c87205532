//! Which run comes next: the rounds of a comparison, runs of arms whose worker count was changed, or a sweep.

use std::collections::VecDeque;

use crate::analysis::tuning::{Bounds, Point, Step, Tuning, clearly_bad, next_step, target};
use crate::session::schedule::Schedule;
pub(super) use crate::session::schedule::Turn;
use crate::session::view::{RunPosition, Sweep, SweepCounts};

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
    /// Worker count that it is to have.
    pub(crate) wanted: u32,
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
    /// Given points, in the order of a round; those that were dropped are there no more.
    cells: Vec<Cell>,
    /// Those of the round under way that had no turn yet.
    left: VecDeque<Cell>,
    /// The round under way, from 1; 0 before the first.
    round: u32,
    /// (arm, workers): points that were dropped.
    dropped: Vec<(usize, u32)>,
    /// The arm that had the last turn, as a place in `sweep.arms`.
    last: usize,
    /// Warm-up runs that each arm still needs, once that is known.
    warmup: Option<Vec<(usize, u32)>>,
    /// (arm, workers): recommended counts with which an arm was run once more.
    shown: Vec<(usize, u32)>,
    position: Option<RunPosition>,
}

/// A point of a sweep.
#[derive(Clone, Copy, Debug)]
struct Cell {
    arm: usize,
    /// `None` is the arm's own.
    workers: Option<u32>,
    /// Of its rivals.
    group: Option<usize>,
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

impl Cell {
    fn count(self, known: &[ArmFacts<'_>]) -> u32 {
        self.workers.or_else(|| known.get(self.arm).map(|arm| arm.wanted)).unwrap_or(1)
    }
}

impl Sweeping {
    pub(crate) fn new(sweep: Sweep) -> Self {
        let counts: Vec<Option<u32>> = match &sweep.counts {
            SweepCounts::Found | SweepCounts::For(_) => Vec::new(),
            SweepCounts::Given(counts) => counts.iter().copied().map(Some).collect(),
            SweepCounts::Own => vec![None],
        };
        let arms = || sweep.arms.iter().enumerate().map(|(place, arm)| (*arm, sweep.groups.get(place).copied()));
        let cells = counts.into_iter().flat_map(|workers| arms().map(move |(arm, group)| Cell { arm, workers, group }));
        Self {
            cells: cells.collect(),
            left: VecDeque::new(),
            round: 0,
            dropped: Vec::new(),
            last: sweep.arms.len().saturating_sub(1),
            warmup: None,
            shown: Vec::new(),
            position: None,
            sweep,
        }
    }

    /// The arms that take part.
    pub(crate) fn arms(&self) -> &[usize] {
        &self.sweep.arms
    }

    /// The count that follows for an arm.
    pub(crate) fn recommended(&self, tuning: &Tuning, bounds: Bounds) -> Option<u32> {
        match self.sweep.counts {
            SweepCounts::For(target) => target::found(tuning, target, bounds).workers,
            _ => tuning.advice.workers(),
        }
    }

    /// (arm, workers) of the points of which no more runs are made.
    pub(crate) fn dropped(&self) -> &[(usize, u32)] {
        &self.dropped
    }

    fn next(&mut self, known: &[ArmFacts<'_>]) -> Option<Turn> {
        if self.is_complete(known) {
            return None;
        }
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
            Some(arm) => (arm, self.first_count(arm, known), 0),
            None if matches!(self.sweep.counts, SweepCounts::Found | SweepCounts::For(_)) => self.found(known)?,
            None => self.given(known)?,
        };
        self.position = Some(RunPosition::Sweep { arm, workers, run, runs });
        Some(Turn { arm, workers: Some(workers), counted: cold.is_none(), gil_probe: false })
    }

    fn first_count(&self, arm: usize, known: &[ArmFacts<'_>]) -> u32 {
        match &self.sweep.counts {
            SweepCounts::Found | SweepCounts::For(_) => 1,
            SweepCounts::Given(counts) => counts.first().copied().unwrap_or(1),
            SweepCounts::Own => known.get(arm).map_or(1, |arm| arm.wanted),
        }
    }

    /// Whether given points have all their runs, so that none is to be made, be it to warm up.
    fn is_complete(&self, known: &[ArmFacts<'_>]) -> bool {
        let made = |cell: &Cell| Some(known.get(cell.arm)?.tuning.point(cell.count(known))?.runs());
        !self.cells.is_empty() && self.cells.iter().all(|cell| made(cell).unwrap_or(0) >= self.sweep.runs)
    }

    /// Round by round, so that what changes slowly meets all of them.
    fn given(&mut self, known: &[ArmFacts<'_>]) -> Option<(usize, u32, u32)> {
        loop {
            if self.left.is_empty() {
                if self.round >= self.sweep.runs {
                    return None;
                }
                if self.round > 0 {
                    self.drop_bad(known);
                }
                self.round += 1;
                self.left = self.cells.iter().copied().collect();
            }
            let cell = self.left.pop_front()?;
            let workers = cell.count(known);
            let made = known.get(cell.arm).and_then(|arm| arm.tuning.point(workers)).map_or(0, Point::runs);
            // What was measured before counts too.
            if made < self.round {
                return Some((cell.arm, workers, self.round));
            }
        }
    }

    /// What is clearly bad among its rivals gets no more runs.
    fn drop_bad(&mut self, known: &[ArmFacts<'_>]) {
        let mut groups: Vec<usize> = self.cells.iter().filter_map(|cell| cell.group).collect();
        groups.sort_unstable();
        groups.dedup();
        for group in groups {
            let rivals: Vec<Cell> = self.cells.iter().copied().filter(|cell| cell.group == Some(group)).collect();
            let rate = |cell: &Cell| known.get(cell.arm)?.tuning.point(cell.count(known))?.mean();
            let bad = clearly_bad(&rivals.iter().map(rate).collect::<Vec<_>>());
            let bad = bad.into_iter().filter_map(|place| rivals.get(place)).map(|cell| (cell.arm, cell.count(known)));
            self.dropped.extend(bad);
        }
        self.cells.retain(|cell| !self.dropped.contains(&(cell.arm, cell.count(known))));
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
            let step = match self.sweep.counts {
                SweepCounts::For(target) => target::next(&known.tuning.points, target, self.sweep.runs, known.bounds),
                _ => next_step(&known.tuning.points, self.sweep.runs, known.bounds),
            };
            let workers = match step {
                Step::Run(workers) => Some(workers),
                // The picture of the last run is that of the recommended count; it counts too, and may lead to another one.
                Step::Done if !self.sweep.show_best => None,
                Step::Done => {
                    let wanted = self.recommended(known.tuning, known.bounds).filter(|workers| *workers != known.last);
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
        sweep
            .next(&[ArmFacts { tuning, bounds: BOUNDS, warmup: 0, last, wanted: last, broken: false }])
            .and_then(|turn| turn.workers)
    }

    #[test]
    fn a_sweep_ends_with_a_run_of_what_it_recommends_also_where_that_run_leads_to_another_count() {
        let mut sweep = Sweeping::new(Sweep {
            arms: vec![0],
            counts: SweepCounts::Found,
            groups: Vec::new(),
            runs: 3,
            show_best: true,
        });
        assert_eq!(next(&mut sweep, &tuning(None), 8), Some(4));
        assert_eq!(next(&mut sweep, &tuning(Some(30.0)), 4), Some(8), "four were not as good as they seemed");
        assert_eq!(next(&mut sweep, &tuning(Some(30.0)), 8), None);
        let mut sweep = Sweeping::new(Sweep {
            arms: vec![0],
            counts: SweepCounts::Found,
            groups: Vec::new(),
            runs: 3,
            show_best: true,
        });
        assert_eq!(next(&mut sweep, &tuning(None), 8), Some(4));
        assert_eq!(next(&mut sweep, &tuning(None), 5), None, "the user has chosen another one meanwhile");
    }

    #[test]
    fn a_count_for_a_target_is_the_one_that_meets_it() {
        let mut points = tuning(None).points;
        for point in &mut points {
            point.peak_pss_bytes = Some(u64::from(point.workers) << 20);
        }
        let tuning = Tuning::of(points, BOUNDS);
        let sweep =
            |counts| Sweeping::new(Sweep { arms: vec![0], counts, groups: Vec::new(), runs: 3, show_best: true });
        let of = |counts| sweep(counts).recommended(&tuning, BOUNDS);
        assert_eq!(of(SweepCounts::Found), Some(4));
        assert_eq!(of(SweepCounts::For("memory<4MiB".parse().unwrap())), Some(3), "four take that much");
        let mut found = sweep(SweepCounts::For("memory<4MiB".parse().unwrap()));
        assert_eq!(next(&mut found, &tuning, 8), Some(3), "its picture is the last one");
    }

    #[test]
    fn clearly_bad_points_of_a_group_get_no_more_runs() {
        let rates = [10.0, 20.0, 29.0, 38.5, 35.0, 36.0, 37.0, 40.0];
        let turns = |groups: Vec<usize>, before: usize| {
            let counts = SweepCounts::Given((1..=8).collect());
            let mut sweep = Sweeping::new(Sweep { arms: vec![0], counts, groups, runs: 3, show_best: false });
            let (mut made, mut turns) = ([before; 8], Vec::new());
            loop {
                let known = (1..).zip(rates).zip(made);
                let points = known.map(|((workers, rate), made)| Point {
                    rate: estimate(&vec![rate; made]),
                    ..Point::of(workers, &[], 0)
                });
                let Some(workers) = next(&mut sweep, &Tuning::of(points.collect(), BOUNDS), 8) else {
                    return (turns, sweep.dropped().to_vec());
                };
                made[workers as usize - 1] += 1;
                turns.push(workers);
            }
        };
        let (all, none) = turns(Vec::new(), 0);
        assert_eq!((all.len(), none), (24, Vec::new()));
        let (some, dropped) = turns(vec![0], 0);
        assert_eq!(dropped, [(0, 3), (0, 2), (0, 1)], "the others have 80 % of the best rate");
        assert_eq!(some, [1, 2, 3, 4, 5, 6, 7, 8, 4, 5, 6, 7, 8, 4, 5, 6, 7, 8]);
        assert_eq!(turns(Vec::new(), 2).0, [1, 2, 3, 4, 5, 6, 7, 8], "what was made before counts too");
        assert_eq!(turns(Vec::new(), 3).0, [0; 0]);
    }
}
