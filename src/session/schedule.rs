//! Which arm runs when: warm-up rounds first, then the counted ones; every arm once in each round.

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
}

/// The order of the runs of one comparison.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    arms: usize,
    warmup: u32,
    rounds: u32,
    order: RunOrder,
    seed: u64,
    /// Runs given out.
    given: u32,
}

impl Schedule {
    /// The schedule a workload asks for; `warm` arms have run before and need no warm-up.
    #[must_use]
    pub(crate) fn new(workload: &Workload, arms: usize, warm: bool) -> Self {
        let measure = &workload.measure;
        let warmup = if warm { 0 } else { measure.warmup };
        Self {
            arms: arms.max(1),
            warmup,
            rounds: warmup + measure.repeats.get(),
            order: measure.order,
            seed: workload.seed,
            given: 0,
        }
    }

    /// A single counted round.
    pub(crate) fn skip_to_single_round(&mut self) {
        (self.warmup, self.rounds) = (0, 1);
        self.given = u32::try_from(self.arms).unwrap_or(u32::MAX);
    }

    /// The round under way, from 1; 0 before the first.
    fn round(&self) -> u32 {
        self.given.div_ceil(u32::try_from(self.arms).unwrap_or(u32::MAX))
    }

    /// The round under way, and how many there are.
    #[must_use]
    pub(crate) fn position(&self) -> RunPosition {
        RunPosition::Round { round: self.round(), rounds: self.rounds, warmup: self.warmup }
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
        let round = self.given / arms;
        if round >= self.rounds {
            return None;
        }
        let arm = self.order_of(round).get((self.given % arms) as usize).copied()?;
        self.given += 1;
        Some(Turn { arm, workers: None, counted: round >= self.warmup })
    }
}

/// Numbers the stretches of time in which no arm ran twice: runs of one such round can be compared in pairs.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    number: u32,
    ran: Vec<usize>,
}

impl Rounds {
    /// What was before lies apart: the next run begins a round.
    pub(crate) fn begin(&mut self) {
        self.ran.clear();
    }

    /// The number of the round in which an arm that is about to run does so.
    pub(crate) fn of(&mut self, arm: usize) -> u32 {
        if self.ran.is_empty() || self.ran.contains(&arm) {
            self.number += 1;
            self.ran.clear();
        }
        self.ran.push(arm);
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(order: RunOrder) -> Schedule {
        Schedule { arms: 3, warmup: 1, rounds: 4, order, seed: 7, given: 0 }
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
}
