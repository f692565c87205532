//! Which arm runs when: warm-up rounds first, then one in which interpreters are probed where that is asked for, then the
//! counted ones; every arm once in each round, but for that of the probes, where only those run that have some.

use rand_core::{Rng as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

use crate::session::view::RunPosition;
use crate::workload::model::{RunOrder, Workload};

/// The run that is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// Index of the arm.
    pub(crate) arm: usize,
    /// With this many workers; `None` is as many as the arm is to have.
    pub(crate) workers: Option<u32>,
    /// Whether its figures count.
    pub(crate) counted: bool,
    /// Whether its interpreters are probed.
    pub(crate) gil_probe: bool,
    /// Where it stands in the plan, where that says which runs belong together.
    pub(crate) place: Option<Place>,
}

/// A part of a plan in which each arm runs once at most: runs elsewhere are no pairs of those in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// A round of the plan, warm-up and all.
    pub(crate) round: u32,
    /// The count that all arms have in it; `None` where each has its own.
    pub(crate) workers: Option<u32>,
}

/// The order of the runs of one comparison.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    arms: usize,
    /// Rounds that do not count.
    warmup: u32,
    /// Arms that take part in the last of them, which is for probes; it is there if they are.
    probed: Vec<usize>,
    /// In all; at most so many where results decide ([`Schedule::end_here`]).
    rounds: u32,
    open: bool,
    order: RunOrder,
    seed: u64,
    /// Counted rounds that were made before: the numbers of runs go on.
    before: u32,
    /// Runs given out.
    given: u32,
}

impl Schedule {
    /// The schedule a workload asks for; `warm` arms have run before and need no warm-up. So many counted rounds were made
    /// `before`.
    #[must_use]
    pub(crate) fn new(workload: &Workload, arms: usize, warm: bool, before: u32) -> Self {
        let measure = &workload.measure;
        let engines = (0..).zip(&workload.engines).take(arms);
        let probed: Vec<usize> = engines.filter(|(_, spec)| workload.probes(spec)).map(|(arm, _)| arm).collect();
        let warmup = if warm { 0 } else { measure.warmup } + u32::from(!probed.is_empty());
        Self {
            arms: arms.max(1),
            warmup,
            probed,
            rounds: warmup + measure.adaptive.map_or(measure.repeats, |adaptive| adaptive.max_repeats).get(),
            open: measure.adaptive.is_some(),
            order: measure.order,
            seed: workload.seed,
            before,
            given: 0,
        }
    }

    /// A single counted round.
    pub(crate) fn skip_to_single_round(&mut self) {
        (self.warmup, self.rounds, self.open) = (0, 1, false);
        self.probed.clear();
        self.given = u32::try_from(self.arms).unwrap_or(u32::MAX);
    }

    /// The round under way, from 1; 0 before the first.
    fn round(&self) -> u32 {
        self.given.div_ceil(u32::try_from(self.arms).unwrap_or(u32::MAX))
    }

    /// Counted rounds so far, and all with those to warm up; `None` within a round and before the first that counts.
    #[must_use]
    pub(crate) fn made(&self) -> Option<(u32, u32)> {
        let arms = u32::try_from(self.arms).unwrap_or(u32::MAX);
        let rounds = self.given / arms;
        (self.given.is_multiple_of(arms) && rounds > self.warmup).then(|| (rounds - self.warmup, rounds))
    }

    /// No more rounds are made.
    pub(crate) fn end_here(&mut self) {
        (self.rounds, self.open) = (self.round(), false);
    }

    /// The round under way, and how many there are.
    #[must_use]
    pub(crate) fn position(&self) -> RunPosition {
        let round = self.round();
        let before = if round > self.warmup { self.before } else { 0 };
        let (rounds, warmup) = (self.rounds + self.before, self.warmup);
        let (probes, open) = (!self.probed.is_empty(), self.open);
        RunPosition::Round { round: round + before, rounds, warmup, probes, open }
    }

    fn order_of(&self, round: u32) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.arms).collect();
        if self.order == RunOrder::Randomized {
            let mut generator = Pcg64Mcg::seed_from_u64(self.seed ^ u64::from(round));
            // Fisher and Yates.
            for last in (1..order.len()).rev() {
                let other = (generator.next_u64() % (last as u64 + 1)) as usize;
                order.swap(last, other);
            }
        }
        order
    }
}

impl Iterator for Schedule {
    type Item = Turn;

    fn next(&mut self) -> Option<Turn> {
        let arms = u32::try_from(self.arms).unwrap_or(u32::MAX);
        loop {
            let round = self.given / arms;
            if round >= self.rounds {
                return None;
            }
            let arm = self.order_of(round).get((self.given % arms) as usize).copied()?;
            self.given += 1;
            let gil_probe = !self.probed.is_empty() && round + 1 == self.warmup;
            if !gil_probe || self.probed.contains(&arm) {
                let place = Some(Place { round, workers: None });
                return Some(Turn { arm, workers: None, counted: round >= self.warmup, gil_probe, place });
            }
        }
    }
}

/// Numbers the stretches of time in which no arm ran twice, and which are no more than one place of the plan: runs of one such
/// round can be compared in pairs. Where an arm is left out in a place, those after it are not shifted against each other.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    number: u32,
    ran: Vec<usize>,
    place: Option<Place>,
}

impl Rounds {
    /// Goes on after a round.
    pub(crate) fn after(number: u32) -> Self {
        Self { number, ..Self::default() }
    }

    /// What was before lies apart: the next run begins a round.
    pub(crate) fn begin(&mut self) {
        self.ran.clear();
    }

    /// The number of the round in which an arm that is about to run at a place does so.
    pub(crate) fn of(&mut self, arm: usize, place: Option<Place>) -> u32 {
        if self.ran.is_empty() || self.ran.contains(&arm) || place != self.place {
            self.number += 1;
            self.ran.clear();
        }
        self.place = place;
        self.ran.push(arm);
        self.number
    }
}

/// What rounds are called, from 1: those to warm up and the others are counted apart, over the whole session.
#[derive(Debug, Default)]
pub(super) struct RunNumbers {
    counted: u32,
    warmups: u32,
    /// The round of [`Rounds`] that had its number last.
    round: u32,
}

impl RunNumbers {
    /// The number of the round that is under way.
    pub(crate) fn of(&mut self, round: u32, warmup: bool) -> u32 {
        let number = if warmup { &mut self.warmups } else { &mut self.counted };
        if round != self.round {
            self.round = round;
            *number += 1;
        }
        *number
    }

    /// How many were counted.
    pub(crate) fn counted(&self) -> u32 {
        self.counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(order: RunOrder) -> Schedule {
        let probed = Vec::new();
        Schedule { arms: 3, warmup: 1, probed, rounds: 4, open: false, order, seed: 7, before: 0, given: 0 }
    }

    #[test]
    fn every_arm_runs_once_in_each_round_and_warm_up_does_not_count() {
        for order in [RunOrder::Interleaved, RunOrder::Randomized] {
            let turns: Vec<Turn> = schedule(order).collect();
            assert_eq!(turns.len(), 12);
            for (round, turns) in turns.chunks(3).enumerate() {
                let mut arms: Vec<usize> = turns.iter().map(|turn| turn.arm).collect();
                arms.sort_unstable();
                assert_eq!(arms, [0, 1, 2]);
                assert!(turns.iter().all(|turn| turn.counted == (round > 0)));
            }
        }
    }

    #[test]
    fn interleaved_is_in_file_order_and_the_round_is_told() {
        let mut schedule = schedule(RunOrder::Interleaved);
        assert_eq!(schedule.round(), 0);
        let arms: Vec<(usize, u32)> =
            std::iter::from_fn(|| schedule.next().map(|turn| (turn.arm, schedule.round()))).take(4).collect();
        assert_eq!(arms, [(0, 1), (1, 1), (2, 1), (0, 2)]);
    }

    #[test]
    fn interpreters_are_probed_in_a_round_that_does_not_count() {
        for order in [RunOrder::Interleaved, RunOrder::Randomized] {
            let mut schedule = Schedule { warmup: 2, probed: vec![0, 2], rounds: 5, ..schedule(order) };
            let turns: Vec<(Turn, String)> =
                std::iter::from_fn(|| schedule.next().map(|turn| (turn, schedule.position().to_string()))).collect();
            let mut probes: Vec<usize> =
                turns.iter().filter(|(turn, _)| turn.gil_probe).map(|(turn, _)| turn.arm).collect();
            probes.sort_unstable();
            assert_eq!((turns.len(), probes), (3 + 2 + 9, vec![0, 2]));
            let told = ["warm-up 1/1", "probe run", "run 1/3", "run 2/3", "run 3/3"];
            for (place, (turn, position)) in turns.iter().enumerate() {
                let round = if place < 3 { 0 } else { (place + 1) / 3 };
                assert_eq!((turn.counted, position.as_str()), (round > 1, told[round]));
                assert_eq!(turn.gil_probe, round == 1);
            }
        }
    }

    #[test]
    fn no_two_rounds_have_the_same_number() {
        let (mut rounds, mut numbers) = (Rounds::default(), RunNumbers::default());
        let mut number = |arm, warmup| numbers.of(rounds.of(arm, None), warmup);
        assert_eq!([number(0, true), number(1, true)], [1, 1]);
        assert_eq!([number(0, false), number(1, false), number(0, false), number(1, false)], [1, 1, 2, 2]);
        // A sweep that begins with a warm-up, and what comes after it.
        assert_eq!([number(0, true), number(0, false), number(0, false)], [2, 3, 4]);
        assert_eq!(numbers.counted(), 4);
    }

    #[test]
    fn where_only_some_are_probed_the_rounds_that_count_are_whole() {
        for seed in 0..8 {
            let probed = Schedule { warmup: 2, probed: vec![0, 2], rounds: 5, seed, ..schedule(RunOrder::Randomized) };
            let mut rounds = Rounds::default();
            let counted = probed.filter_map(|turn| {
                let round = rounds.of(turn.arm, turn.place);
                turn.counted.then_some(round)
            });
            assert_eq!(counted.collect::<Vec<_>>(), [3, 3, 3, 4, 4, 4, 5, 5, 5], "seed {seed}");
        }
    }

    #[test]
    fn results_decide_after_whole_rounds_that_count_how_many_there_are() {
        let mut schedule = Schedule { open: true, ..schedule(RunOrder::Randomized) };
        let made: Vec<Option<(u32, u32)>> =
            std::iter::from_fn(|| schedule.next().map(|_| schedule.made())).take(9).collect();
        let expected = [None, None, None, None, None, Some((1, 2)), None, None, Some((2, 3))];
        assert_eq!(made, expected);
        assert_eq!(schedule.position().to_string(), "run 2/≤3");
        schedule.end_here();
        assert_eq!((schedule.next(), schedule.position().to_string()), (None, "run 2/2".to_owned()));
    }

    #[test]
    fn the_numbers_of_runs_go_on_where_they_were() {
        let mut schedule = Schedule { before: 5, ..schedule(RunOrder::Interleaved) };
        let told: Vec<String> =
            std::iter::from_fn(|| schedule.next().map(|_| schedule.position().to_string())).step_by(3).collect();
        assert_eq!(told, ["warm-up 1/1", "run 6/8", "run 7/8", "run 8/8"]);
    }
}
