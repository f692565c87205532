//! Which run comes next: the rounds of a comparison, runs of arms whose worker count was changed, or a sweep.

use std::collections::VecDeque;

use crate::analysis::tuning::found::found;
use crate::analysis::tuning::{Bounds, Point, Step, Tried, Tuning, clearly_bad, next_step, target};
pub(super) use crate::session::schedule::Turn;
use crate::session::schedule::{Place, Schedule};
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
    Sweep(Box<Sweeping>),
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
    /// The counted run for which these are made.
    planned: Option<Planned>,
    /// (arm, workers): recommended counts with which an arm was run once more.
    shown: Vec<(usize, u32)>,
    position: Option<RunPosition>,
}

/// A counted run of a sweep.
#[derive(Clone, Copy, Debug)]
struct Planned {
    arm: usize,
    workers: u32,
    /// From 1, of this count.
    run: u32,
    place: Option<Place>,
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
        Some(Turn { arm, workers: Some(workers), counted: true, gil_probe: false, place: None })
    }
}

impl Cell {
    fn count(self, known: &[ArmFacts<'_>]) -> u32 {
        self.workers.or_else(|| known.get(self.arm).map(|arm| arm.wanted)).unwrap_or(1)
    }

    fn point<'a>(self, known: &[ArmFacts<'a>]) -> Option<&'a Point> {
        known.get(self.arm)?.tuning.point(self.count(known))
    }

    /// Counted runs that it has.
    fn made(self, known: &[ArmFacts<'_>]) -> u32 {
        self.point(known).map_or(0, Point::runs)
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
            planned: None,
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
            SweepCounts::For(target) => found(tuning, target, bounds).workers,
            _ => tuning.advice.workers(),
        }
    }

    /// (arm, workers) of the points of which no more runs are made.
    pub(crate) fn dropped(&self) -> &[(usize, u32)] {
        &self.dropped
    }

    fn next(&mut self, known: &[ArmFacts<'_>]) -> Option<Turn> {
        let is_broken = |arm: usize| known.get(arm).is_some_and(|arm| arm.broken);
        // Where no counted run is to be made, there is nothing to warm up for; and one that was to be made is made no more where
        // its arm did not get through its warm-up.
        let planned = match self.planned.take().filter(|planned| !is_broken(planned.arm)) {
            Some(planned) => planned,
            None if self.finds() => self.found(known)?,
            None => self.given(known)?,
        };
        // What an arm has never done takes longer the first time.
        let needed = || {
            let arms = self.sweep.arms.iter().filter(|arm| **arm == planned.arm || self.has_runs_to_make(**arm, known));
            arms.map(|arm| (*arm, known.get(*arm).map_or(0, |arm| arm.warmup))).collect()
        };
        let mut warmup: Vec<(usize, u32)> = match &self.warmup {
            Some(warmup) => warmup.clone(),
            None => needed(),
        };
        let cold = warmup.iter_mut().find(|(arm, runs)| *runs > 0 && !is_broken(*arm)).map(|(arm, runs)| {
            *runs -= 1;
            *arm
        });
        self.warmup = Some(warmup);
        let (arm, workers, run, place) = match cold {
            Some(arm) => {
                self.planned = Some(planned);
                // Before the first round.
                (arm, self.first_count(arm, known), 0, Some(Place { round: 0, workers: None }))
            }
            None => (planned.arm, planned.workers, planned.run, planned.place),
        };
        self.position = Some(RunPosition::Sweep { arm, workers, run, runs: self.sweep.runs });
        Some(Turn { arm, workers: Some(workers), counted: cold.is_none(), gil_probe: false, place })
    }

    /// Whether results lead to the counts.
    fn finds(&self) -> bool {
        matches!(self.sweep.counts, SweepCounts::Found | SweepCounts::For(_))
    }

    /// Whether counted runs of an arm are missing.
    fn has_runs_to_make(&self, arm: usize, known: &[ArmFacts<'_>]) -> bool {
        let Some(facts) = known.get(arm).filter(|facts| !facts.broken) else { return false };
        if self.finds() {
            return self.step(facts) != Step::Done || self.unseen(arm, facts).is_some();
        }
        self.cells.iter().any(|cell| cell.arm == arm && cell.made(known) < self.sweep.runs)
    }

    fn step(&self, known: &ArmFacts<'_>) -> Step {
        match self.sweep.counts {
            SweepCounts::For(target) => target::next(&known.tuning.points, target, self.sweep.runs, known.bounds),
            _ => next_step(&known.tuning.points, self.sweep.runs, known.bounds),
        }
    }

    /// The recommended count of an arm, where a run of it is to be the last one and was not.
    fn unseen(&self, arm: usize, known: &ArmFacts<'_>) -> Option<u32> {
        let wanted = self.recommended(known.tuning, known.bounds).filter(|_| self.sweep.show_best);
        wanted.filter(|workers| *workers != known.last && !self.shown.contains(&(arm, *workers)))
    }

    fn first_count(&self, arm: usize, known: &[ArmFacts<'_>]) -> u32 {
        match &self.sweep.counts {
            SweepCounts::Found | SweepCounts::For(_) => 1,
            SweepCounts::Given(counts) => counts.first().copied().unwrap_or(1),
            SweepCounts::Own => known.get(arm).map_or(1, |arm| arm.wanted),
        }
    }

    /// Round by round, so that what changes slowly meets all of them.
    fn given(&mut self, known: &[ArmFacts<'_>]) -> Option<Planned> {
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
            let is_broken = known.get(cell.arm).is_some_and(|arm| arm.broken);
            // What was measured before counts too.
            if cell.made(known) < self.round && !is_broken {
                let place = Some(Place { round: self.round, workers: cell.workers });
                return Some(Planned { arm: cell.arm, workers, run: self.round, place });
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
            // A sweep that is resumed drops what it has dropped before: later rounds do not count.
            let tried = |cell: &Cell| cell.point(known).map_or(Tried::default(), |point| Tried::of(point, self.round));
            let bad = clearly_bad(&rivals.iter().map(tried).collect::<Vec<_>>());
            let bad = bad.into_iter().filter_map(|place| rivals.get(place)).map(|cell| (cell.arm, cell.count(known)));
            self.dropped.extend(bad);
        }
        self.cells.retain(|cell| !self.dropped.contains(&(cell.arm, cell.count(known))));
    }

    /// The arms have their turns one after the other, so that what changes slowly meets all of them.
    fn found(&mut self, known: &[ArmFacts<'_>]) -> Option<Planned> {
        let arms = self.sweep.arms.len();
        for place in (1..=arms).map(|step| (self.last + step) % arms.max(1)) {
            let Some((arm, known)) = self.sweep.arms.get(place).and_then(|arm| Some((*arm, known.get(*arm)?))) else {
                continue;
            };
            if known.broken {
                continue;
            }
            let workers = match self.step(known) {
                Step::Run(workers) => Some(workers),
                // The picture of the last run is that of the recommended count; it counts too, and may lead to another one.
                Step::Done => {
                    let unseen = self.unseen(arm, known);
                    self.shown.extend(unseen.map(|workers| (arm, workers)));
                    unseen
                }
            };
            if let Some(workers) = workers {
                self.last = place;
                let run = known.tuning.point(workers).map_or(0, Point::runs) + 1;
                return Some(Planned { arm, workers, run, place: None });
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
    use crate::analysis::verdict::RunFigure;

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

    /// A point with so many runs of a rate, the first of which is disturbed or not.
    fn point(workers: u32, rate: f64, runs: usize, disturbed: bool) -> Point {
        let figure =
            |round: u32| RunFigure { throughput: rate, complete: true, round, suspect: disturbed && round == 0 };
        let figures = (0..).take(runs).map(figure).collect();
        Point { rate: estimate(&vec![rate; runs]), figures, ..Point::of(workers, &[], 0) }
    }

    fn next(sweep: &mut Sweeping, tuning: &Tuning, last: u32) -> Option<u32> {
        turn(sweep, tuning, last, 0).and_then(|turn| turn.workers)
    }

    fn turn(sweep: &mut Sweeping, tuning: &Tuning, last: u32, warmup: u32) -> Option<Turn> {
        sweep.next(&[ArmFacts { tuning, bounds: BOUNDS, warmup, last, wanted: last, broken: false }])
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
        let turns = |groups: Vec<usize>, before: usize| sweep(groups, [before; 8], &rates, &[]);
        let (all, none) = turns(Vec::new(), 0);
        assert_eq!((all.len(), none), (24, Vec::new()));
        let (some, dropped) = turns(vec![0], 0);
        assert_eq!(dropped, [(0, 3), (0, 2), (0, 1)], "the others have 80 % of the best rate");
        assert_eq!(some, [1, 2, 3, 4, 5, 6, 7, 8, 4, 5, 6, 7, 8, 4, 5, 6, 7, 8]);
        assert_eq!(turns(Vec::new(), 2).0, [1, 2, 3, 4, 5, 6, 7, 8], "what was made before counts too");
        assert_eq!(turns(Vec::new(), 3).0, [0; 0]);
        let resumed = sweep(vec![0], [1, 1, 1, 3, 3, 3, 3, 3], &rates, &[]);
        assert_eq!(resumed, (Vec::new(), vec![(0, 3), (0, 2), (0, 1)]), "what was dropped stays dropped");
    }

    /// The counted turns of a sweep over 1 to 8 workers that have such rates, and what is dropped; the first runs of some are
    /// disturbed.
    fn sweep(
        groups: Vec<usize>,
        mut made: [usize; 8],
        rates: &[f64; 8],
        disturbed: &[u32],
    ) -> (Vec<u32>, Vec<(usize, u32)>) {
        let counts = SweepCounts::Given((1..=8).collect());
        let mut sweep = Sweeping::new(Sweep { arms: vec![0], counts, groups, runs: 3, show_best: false });
        let mut turns = Vec::new();
        loop {
            let known = (1..).zip(rates).zip(made);
            let points = known.map(|((workers, rate), made)| point(workers, *rate, made, disturbed.contains(&workers)));
            let Some(workers) = next(&mut sweep, &Tuning::of(points.collect(), BOUNDS), 8) else {
                return (turns, sweep.dropped().to_vec());
            };
            made[workers as usize - 1] += 1;
            turns.push(workers);
        }
    }

    #[test]
    fn what_was_disturbed_more_than_its_rivals_gets_another_run_before_it_is_dropped() {
        let rates = [10.0, 20.0, 29.0, 38.5, 35.0, 36.0, 37.0, 40.0];
        let dropped = |disturbed: &[u32]| sweep(vec![0], [0; 8], &rates, disturbed);
        let (turns, at_last) = dropped(&[2, 5]);
        assert_eq!(turns.iter().filter(|workers| **workers == 2).count(), 2, "once more, {turns:?}");
        assert_eq!(at_last, [(0, 3), (0, 1), (0, 2)], "of two runs, one was quiet");
        let all: Vec<u32> = (1..=8).collect();
        assert_eq!(dropped(&all), dropped(&[]), "on a busy machine all are alike");
        assert_eq!(dropped(&[1]), dropped(&[]), "no disturbance explains a quarter of the best");
    }

    #[test]
    fn where_no_run_is_missing_nothing_is_run_to_warm_up() {
        let of = |counts: SweepCounts| {
            Sweeping::new(Sweep { arms: vec![0], counts, groups: vec![0], runs: 3, show_best: false })
        };
        let rates = [10.0, 20.0, 29.0, 38.5, 35.0, 36.0, 37.0, 40.0];
        let points = |made: [usize; 8]| {
            let points = (1..).zip(rates).zip(made).map(|((workers, rate), made)| point(workers, rate, made, false));
            Tuning::of(points.collect(), BOUNDS)
        };
        let given = || of(SweepCounts::Given((1..=8).collect()));
        let finished = points([1, 1, 1, 3, 3, 3, 3, 3]);
        assert_eq!(turn(&mut given(), &finished, 8, 2), None, "the first three were dropped");
        assert_eq!(turn(&mut of(SweepCounts::Found), &points([3; 8]), 8, 2), None);
        let mut sweep = given();
        let missing = points([1, 1, 1, 3, 3, 3, 2, 3]);
        let turns: Vec<Option<(Option<u32>, bool)>> =
            (0..3).map(|_| turn(&mut sweep, &missing, 8, 2).map(|turn| (turn.workers, turn.counted))).collect();
        assert_eq!(turns, [Some((Some(1), false)), Some((Some(1), false)), Some((Some(7), true))]);
    }

    /// What is known of arms, each with its points and whether it is broken: none has run in this session.
    fn facts<'a>(tunings: &'a [Tuning], broken: &[usize]) -> Vec<ArmFacts<'a>> {
        let of = |(arm, tuning)| {
            let broken = broken.contains(&arm);
            ArmFacts { tuning, bounds: BOUNDS, warmup: 1, last: 8, wanted: 8, broken }
        };
        tunings.iter().enumerate().map(of).collect()
    }

    #[test]
    fn an_arm_that_its_warm_up_has_broken_gets_no_counted_run() {
        for counts in [SweepCounts::Found, SweepCounts::Given(vec![2, 3]), SweepCounts::Own] {
            let mut sweep =
                Sweeping::new(Sweep { arms: vec![0, 1], counts, groups: Vec::new(), runs: 1, show_best: false });
            let tunings = [Tuning::default(), Tuning::default()];
            let mut turn = |broken: &[usize]| sweep.next(&facts(&tunings, broken)).map(|turn| (turn.arm, turn.counted));
            assert_eq!(turn(&[]), Some((0, false)));
            assert_eq!(turn(&[0]), Some((1, false)), "the other one goes on");
            assert_eq!(turn(&[0]), Some((1, true)));
            assert_eq!(turn(&[0, 1]), None);
        }
    }

    #[test]
    fn an_arm_of_which_only_its_picture_is_missing_is_warmed_up_too() {
        let mut sweep = Sweeping::new(Sweep {
            arms: vec![0, 1],
            counts: SweepCounts::Found,
            groups: Vec::new(),
            runs: 3,
            show_best: true,
        });
        let tunings = [Tuning::default(), tuning(None)];
        let mut turn = || sweep.next(&facts(&tunings, &[])).map(|turn| (turn.arm, turn.counted));
        assert_eq!([turn(), turn()], [Some((0, false)), Some((1, false))]);
    }

    #[test]
    fn a_count_that_one_arm_has_done_without_shifts_no_pairs_of_the_others() {
        let mut sweep = Sweeping::new(Sweep {
            arms: vec![0, 1],
            counts: SweepCounts::Given(vec![1, 2, 3, 4]),
            groups: Vec::new(),
            runs: 3,
            show_best: false,
        });
        // One count of the first arm was dropped.
        sweep.cells.retain(|cell| (cell.arm, cell.workers) != (0, Some(1)));
        let mut made = [[0; 4]; 2];
        let mut rounds = crate::session::schedule::Rounds::default();
        let mut ran: Vec<Vec<(u32, u32)>> = vec![Vec::new(); 2];
        loop {
            let of =
                |made: &[usize; 4]| (1..).zip(made).map(|(workers, made)| point(workers, 1.0, *made, false)).collect();
            let tunings = made.each_ref().map(|made| Tuning::of(of(made), BOUNDS));
            let mut known = facts(&tunings, &[]);
            known.iter_mut().for_each(|arm| arm.warmup = 0);
            let Some(turn) = sweep.next(&known) else { break };
            let workers = turn.workers.unwrap();
            made[turn.arm][workers as usize - 1] += 1;
            ran[turn.arm].push((workers, rounds.of(turn.arm, turn.place)));
        }
        let of_both = ran[1].iter().filter(|(workers, _)| *workers > 1).copied().collect::<Vec<_>>();
        assert_eq!((ran[0].len(), &ran[0]), (9, &of_both), "every run of the first one has its pair");
    }
}
