//! The seeded stream of tasks: which class each is of, how long it takes, in which order they come. A function of the
//! workload alone, so that every engine gets the same; nothing is stored per task unless the order demands it.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::workload::arrivals::ArrivalTimes;
use crate::workload::model::{Arrivals, ClassId, Order, Phase, Share, TaskIndex, Total, Work, Workload};
use crate::workload::random::{Purpose, bits, uniform};

/// Most tasks that can be put in order of their length: the order is held in memory.
pub const MOST_LPT: u64 = 5_000_000;
/// Draws that go into the hash of a stream.
const HASHED: u64 = 10_000;

/// The tasks of a workload.
#[derive(Clone, Debug)]
pub struct Stream {
    seed: u64,
    total: u64,
    classes: Classes,
    works: Vec<Work>,
    order: Positions,
    hash: String,
}

#[derive(Clone, Debug)]
enum Classes {
    /// Index at which each class ends.
    Blocks(Vec<u64>),
    /// Cumulative weights, the last one being 1.
    Weights(Vec<f64>),
}

#[derive(Clone, Debug)]
enum Positions {
    Same,
    Shuffled(Permutation),
    Listed(std::sync::Arc<[u32]>),
}

/// The service time that a task draws: CPU and sleep time of all its phases; `None` if its work has none.
#[must_use]
pub fn service_time(work: &Work, seed: u64, index: TaskIndex) -> Option<Duration> {
    match work {
        Work::Cpu(dist) | Work::Sleep(dist) => Some(dist.draw(seed, index, 0)),
        Work::Mixed(phases) => phases
            .iter()
            .zip(0u32..)
            .filter_map(|(phase, number)| match phase {
                Phase::Cpu(dist) | Phase::Sleep(dist) => Some(dist.draw(seed, index, number)),
                Phase::Io(_) | Phase::Memory(_) => None,
            })
            .reduce(|sum, time| sum + time),
        Work::Io(_) | Work::Memory(_) | Work::Kernel(_) | Work::Command(_) => None,
    }
}

impl Stream {
    /// The stream of a workload.
    #[must_use]
    pub fn new(workload: &Workload) -> Self {
        let counts = || {
            workload.classes.iter().scan(0u64, |end, class| {
                *end += match class.share {
                    Share::Count(count) => count.get(),
                    Share::Weight(_) => 0,
                };
                Some(*end)
            })
        };
        let sum: f64 = workload.classes.iter().map(|class| weight(class.share)).sum();
        let weights = || {
            workload.classes.iter().scan(0.0, move |end, class| {
                *end += weight(class.share) / sum;
                Some(*end)
            })
        };
        let (classes, total) = match workload.total {
            Total::PerClass => (Classes::Blocks(counts().collect()), counts().last().unwrap_or(0)),
            Total::Weighted(total) => (Classes::Weights(weights().collect()), total.get()),
            Total::ByDuration => (Classes::Weights(weights().collect()), u64::MAX),
        };
        // Arrivals may end before the tasks do.
        let total = match &workload.arrivals {
            Arrivals::Batch => total,
            Arrivals::Open(open) => {
                let ends = open.stages.iter().all(|stage| stage.duration.is_some());
                let most = usize::try_from(total).unwrap_or(usize::MAX);
                if ends { ArrivalTimes::new(open, workload.seed).take(most).count() as u64 } else { total }
            }
        };
        let mut stream = Self {
            seed: workload.seed,
            total,
            classes,
            works: workload.classes.iter().map(|class| class.work.clone()).collect(),
            order: Positions::Same,
            hash: String::new(),
        };
        stream.order = match workload.order {
            Order::AsGenerated => Positions::Same,
            Order::Shuffle => Positions::Shuffled(Permutation::new(workload.seed, total)),
            Order::Lpt => stream.longest_first(),
        };
        stream.hash = stream.compute_hash(workload);
        stream
    }

    fn longest_first(&self) -> Positions {
        let count = u32::try_from(self.total.min(MOST_LPT)).unwrap_or(u32::MAX);
        let mut list: Vec<(Duration, u32)> =
            (0..count).map(|index| (self.service_time(u64::from(index)).unwrap_or_default(), index)).collect();
        list.sort_by_key(|&(time, index)| (std::cmp::Reverse(time), index));
        Positions::Listed(list.into_iter().map(|(_, index)| index).collect())
    }

    /// How many tasks there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The class of a task.
    #[must_use]
    pub fn class_of(&self, index: TaskIndex) -> ClassId {
        let class = match &self.classes {
            Classes::Blocks(ends) => ends.partition_point(|end| *end <= index),
            Classes::Weights(ends) if ends.len() == 1 => 0,
            Classes::Weights(ends) => {
                let drawn = uniform(self.seed, Purpose::Class, index, 0);
                ends.partition_point(|end| *end <= drawn)
            }
        };
        // Rounding may leave the last sum of weights a little below 1.
        class.min(self.works.len().saturating_sub(1)) as ClassId
    }

    /// How many tasks are of a class. Counts them one by one where classes are drawn.
    #[must_use]
    pub fn class_total(&self, class: ClassId) -> u64 {
        match &self.classes {
            Classes::Blocks(ends) => {
                let class = usize::from(class);
                let begin = class.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
                ends.get(class).map_or(0, |end| (*end).min(self.total) - begin.min(self.total))
            }
            Classes::Weights(ends) if ends.len() == 1 => self.total,
            Classes::Weights(_) => (0..self.total).filter(|index| self.class_of(*index) == class).count() as u64,
        }
    }

    /// The task at a position.
    #[must_use]
    pub fn index_at(&self, position: u64) -> TaskIndex {
        match &self.order {
            Positions::Same => position,
            Positions::Shuffled(permutation) => permutation.at(position),
            Positions::Listed(list) => usize::try_from(position)
                .ok()
                .and_then(|position| list.get(position))
                .map_or(position, |i| u64::from(*i)),
        }
    }

    /// From `position` on: the first index, and how many tasks with consecutive indices and of the same class follow, at
    /// most `most` and at least one. Does not look at single tasks where all are alike.
    #[must_use]
    pub fn run_at(&self, position: u64, most: u64) -> (TaskIndex, u64, ClassId) {
        let most = most.min(self.total.saturating_sub(position)).max(1);
        let first = self.index_at(position);
        let class = self.class_of(first);
        let alike = match (&self.order, &self.classes) {
            (Positions::Same, Classes::Blocks(ends)) => {
                ends.get(usize::from(class)).map_or(1, |end| end.saturating_sub(first))
            }
            (Positions::Same, Classes::Weights(ends)) if ends.len() == 1 => most,
            _ => {
                (1..most)
                    .take_while(|step| {
                        let next = self.index_at(position + step);
                        next == first + step && self.class_of(next) == class
                    })
                    .count() as u64
                    + 1
            }
        };
        (first, alike.clamp(1, most), class)
    }

    /// See [`service_time`].
    #[must_use]
    pub fn service_time(&self, index: TaskIndex) -> Option<Duration> {
        service_time(self.works.get(usize::from(self.class_of(index)))?, self.seed, index)
    }

    /// 16 hexadecimal digits that tell one stream from another: SHA-256 over the classes, the order, the arrivals and the
    /// first 10,000 tasks as drawn.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    fn compute_hash(&self, workload: &Workload) -> String {
        let mut hasher = Sha256::new();
        let definition = (&workload.classes, workload.seed, self.total, workload.order, &workload.arrivals);
        hasher.update(format!("{definition:?}"));
        for position in 0..self.total.min(HASHED) {
            let index = self.index_at(position);
            let time = self.service_time(index).unwrap_or_default();
            hasher.update(index.to_le_bytes());
            hasher.update(self.class_of(index).to_le_bytes());
            hasher.update(time.as_nanos().to_le_bytes());
        }
        if let Arrivals::Open(open) = &workload.arrivals {
            let most = usize::try_from(self.total.min(HASHED)).unwrap_or(usize::MAX);
            for time in ArrivalTimes::new(open, workload.seed).take(most) {
                hasher.update(time.as_nanos().to_le_bytes());
            }
        }
        hasher.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

fn weight(share: Share) -> f64 {
    match share {
        Share::Weight(weight) => weight,
        Share::Count(_) => 0.0,
    }
}

/// A seeded permutation of 0..n without a table: a four-round Feistel network over the next even power of two, walked
/// along its cycle until it lands below n (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002).
#[derive(Clone, Copy, Debug)]
struct Permutation {
    seed: u64,
    count: u64,
    half: u32,
}

impl Permutation {
    fn new(seed: u64, count: u64) -> Self {
        let width = u64::BITS - count.saturating_sub(1).leading_zeros();
        Self { seed, count, half: width.div_ceil(2).max(1) }
    }

    fn at(&self, position: u64) -> u64 {
        if position >= self.count {
            return position;
        }
        let mut value = self.round_trip(position);
        while value >= self.count {
            value = self.round_trip(value);
        }
        value
    }

    fn round_trip(&self, value: u64) -> u64 {
        let mask = (1u64 << self.half) - 1;
        let (mut left, mut right) = (value >> self.half & mask, value & mask);
        for round in 0..4 {
            (left, right) = (right, left ^ (bits(self.seed, Purpose::Order, right, round) & mask));
        }
        left << self.half | right
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shuffle_is_a_permutation_of_any_length() {
        for count in [1, 2, 3, 7, 64, 65, 1000, 4097] {
            let permutation = Permutation::new(11, count);
            let mut seen: Vec<u64> = (0..count).map(|position| permutation.at(position)).collect();
            let moved = seen.iter().zip(0..).filter(|(index, position)| **index != *position).count();
            assert!(count < 64 || moved > count as usize / 2, "{count}: only {moved} moved");
            seen.sort_unstable();
            assert!(seen.into_iter().eq(0..count), "{count}");
        }
    }
}
