//! What is drawn at random: numbers, a stream of tasks, the rules of a class.

use std::time::Duration;

use poolscope::engine::error::NotStarted;
use poolscope::engine::stream::{ClassRules, StreamRun, TaskStream};
use poolscope::workload::model::{Backoff, ClassId, OnTimeout, Retries};
use rand_core::{Rng as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

pub const MS: u64 = 1_000_000;

/// A process that the system did not start.
pub fn not_started(kind: std::io::ErrorKind) -> NotStarted {
    NotStarted { what: "a worker".to_owned(), source: kind.into() }
}

/// A small generator with the few draws a world needs.
pub struct Dice(Pcg64Mcg);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(Pcg64Mcg::seed_from_u64(seed))
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0.next_u64() % end.max(1)
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// A stream in which runs of a class alternate.
#[derive(Clone, Copy)]
pub struct Stream {
    pub total: u64,
    /// Whether the dispatcher is told how many there are.
    pub known: bool,
    pub classes: u64,
    pub run: u64,
}

impl Stream {
    pub fn class(&self, index: u64) -> ClassId {
        ((index / self.run) % self.classes) as ClassId
    }
}

impl TaskStream for Stream {
    fn total(&self) -> Option<u64> {
        self.known.then_some(self.total)
    }

    fn class_total(&self, class: ClassId) -> u64 {
        (0..self.total).filter(|index| self.class(*index) == class).count() as u64
    }

    fn run_at(&self, position: u64, most: u64) -> StreamRun {
        let left = self.run - position % self.run;
        StreamRun { first: position, count: left.min(most).min(self.total - position), class: self.class(position) }
    }
}

pub fn rules(dice: &mut Dice) -> ClassRules {
    let grace = if dice.chance(30) { 0 } else { dice.below(50) };
    ClassRules {
        timeout: dice.chance(60).then(|| Duration::from_millis(1 + dice.below(60))),
        on_timeout: if dice.chance(20) { OnTimeout::Abandon } else { OnTimeout::Kill },
        queue_timeout: dice.chance(20).then(|| Duration::from_millis(1 + dice.below(200))),
        wait_timeout: dice.chance(15).then(|| Duration::from_millis(1 + dice.below(300))),
        grace_period: Duration::from_millis(grace),
        answers: false,
        retries: Retries {
            max: dice.below(4) as u32,
            on_crash: dice.chance(70),
            on_timeout: dice.chance(70),
            on_error: dice.chance(70),
            backoff: Backoff {
                delay: Duration::from_millis(dice.below(20)),
                factor: 2.0,
                max_delay: Duration::from_millis(100),
                jitter: dice.chance(50),
            },
            redraw: false,
        },
    }
}
