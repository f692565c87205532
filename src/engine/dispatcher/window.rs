//! How many tasks a worker may hold: the adaptive window, a fixed chunk size, CPython's rule.

use std::time::Duration;

use crate::workload::model::ClassId;

/// Work that the adaptive window keeps at a worker. Long enough that a message's cost (some 25 µs with one in flight, see
/// the module docs of `worker::protocol`) disappears, short enough that a worker asked to leave does so at once.
const WINDOW: Duration = Duration::from_millis(2);
/// A chunk that is worth less than this may have a second one waiting behind it.
const PREFETCH: Duration = Duration::from_millis(1);
/// A task of the adaptive window that is shorter than this has another one waiting behind it while there are plenty: the way
/// of a report and of the next task (some 100 µs) would leave its worker idle for more than 2 % of the time.
const ALONE: Duration = Duration::from_millis(5);
/// Most tasks a worker holds.
const MOST: u64 = 8192;

/// The rule of one engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// Follows the measured service time.
    Adaptive,
    /// So many at a time.
    Fixed(u64),
    /// One process per task.
    One,
}

/// CPython's rule for `Pool.map` without a chunksize: `ceil(n / 4W)`
/// (`Lib/multiprocessing/pool.py`, `Pool._map_async`).
#[must_use]
pub(crate) fn cpython_chunksize(tasks: u64, workers: u32) -> u64 {
    tasks.div_ceil(u64::from(workers).max(1) * 4).max(1)
}

/// Estimates of the time a task of each class takes a worker, as a moving average over what was measured.
#[derive(Clone, Debug)]
pub(crate) struct Estimates {
    nanos: Vec<Option<f64>>,
}

impl Estimates {
    /// Nothing known about so many classes.
    #[must_use]
    pub(crate) fn new(classes: usize) -> Self {
        Self { nanos: vec![None; classes] }
    }

    /// `count` tasks of a class kept a worker busy for `nanos` in all.
    pub(crate) fn observe(&mut self, class: ClassId, count: u64, nanos: u64) {
        let Some(estimate) = self.nanos.get_mut(usize::from(class)) else { return };
        let mean = nanos as f64 / count.max(1) as f64;
        // A batch weighs in by its length: eight tasks count half.
        let weight = count as f64 / (count as f64 + 8.0);
        *estimate = Some(estimate.map_or(mean, |old| old + (mean - old) * weight));
    }

    /// Expected nanoseconds of one task. The first task of a class nothing is known of travels alone.
    #[must_use]
    pub(crate) fn nanos(&self, class: ClassId) -> u64 {
        let known = self.nanos.get(usize::from(class)).copied().flatten();
        known.map_or(ALONE.as_nanos() as u64, |nanos| nanos.max(1.0) as u64)
    }
}

/// What a worker holds, for the decision.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holding {
    pub(crate) tasks: u64,
    /// Their expected nanoseconds.
    pub(crate) nanos: u64,
}

impl Chunk {
    /// Whether the number depends on what is measured.
    #[must_use]
    pub(crate) fn is_adaptive(self) -> bool {
        self == Self::Adaptive
    }

    /// How many tasks of a class may be added to what a worker holds now: 0 while it holds enough. `waiting` is the
    /// length of the queue, `workers` the number that share it, `first` whether this begins a message: one is sent only
    /// when the window is half empty, and then fills it.
    #[must_use]
    pub(crate) fn room(self, holding: Holding, estimate: u64, waiting: u64, workers: u32, first: bool) -> u64 {
        match self {
            Self::One => u64::from(holding.tasks == 0),
            Self::Fixed(chunk) => {
                let quick = chunk.saturating_mul(estimate) < PREFETCH.as_nanos() as u64;
                let may_wait = if quick { chunk } else { 0 };
                if holding.tasks <= may_wait { chunk } else { 0 }
            }
            Self::Adaptive => {
                // Guided self-scheduling (Polychronopoulos and Kuck, 1987): towards the end the pieces get smaller, so
                // that no worker sits on a long tail.
                let by_share = waiting / (u64::from(workers).max(1) * 2);
                let short = holding.nanos.max(estimate) < ALONE.as_nanos() as u64;
                let least = match holding.tasks {
                    0 => 1,
                    1 if short => by_share.min(1),
                    _ => 0,
                };
                let window = WINDOW.as_nanos() as u64;
                if first && holding.tasks > 0 && holding.nanos.saturating_mul(2) > window {
                    return least;
                }
                let by_time = window.saturating_sub(holding.nanos) / estimate.max(1);
                by_time.min(by_share).min(MOST.saturating_sub(holding.tasks)).max(least)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: Holding = Holding { tasks: 0, nanos: 0 };

    #[test]
    fn cpythons_rule_is_a_quarter_of_each_workers_share_rounded_up() {
        assert_eq!(cpython_chunksize(2000, 4), 125);
        assert_eq!(cpython_chunksize(2001, 4), 126);
        assert_eq!(cpython_chunksize(1, 8), 1);
        assert_eq!(cpython_chunksize(0, 0), 1);
    }

    #[test]
    fn tiny_tasks_travel_in_thousands_and_long_ones_alone() {
        let room = |estimate| Chunk::Adaptive.room(EMPTY, estimate, 10_000_000, 2, true);
        assert_eq!(room(100), MOST);
        assert_eq!(room(100_000), 20);
        assert_eq!(room(5_000_000), 1);
        assert_eq!(room(Estimates::new(1).nanos(0)), 1, "an unknown task travels alone");
    }

    #[test]
    fn the_tail_is_shared_out_in_small_pieces() {
        assert_eq!(Chunk::Adaptive.room(EMPTY, 100, 400, 4, true), 50);
        assert_eq!(Chunk::Adaptive.room(EMPTY, 100, 3, 4, true), 1);
    }

    #[test]
    fn a_full_window_takes_nothing_and_a_half_empty_one_is_filled() {
        let holding = |tasks| Holding { tasks, nanos: tasks * 1000 };
        assert_eq!(Chunk::Adaptive.room(holding(1500), 1000, 1 << 20, 1, true), 0);
        assert_eq!(Chunk::Adaptive.room(holding(500), 1000, 1 << 20, 1, true), 1500);
    }

    #[test]
    fn behind_a_task_that_is_not_long_one_waits_until_the_tail() {
        let behind = |held_nanos, estimate, waiting| {
            Chunk::Adaptive.room(Holding { tasks: 1, nanos: held_nanos }, estimate, waiting, 4, true)
        };
        let unknown = Estimates::new(1).nanos(0);
        assert_eq!(behind(3_000_000, 3_000_000, 8), 1);
        assert_eq!(behind(3_000_000, 3_000_000, 7), 0, "the last tasks go to whoever is free first");
        assert_eq!(behind(50_000_000, 100_000, 1000), 0, "not behind a long task");
        assert_eq!(behind(100_000, 50_000_000, 1000), 0, "nor a long one");
        assert_eq!(behind(unknown, unknown, 1000), 0, "nor where nothing is known");
        let two = Holding { tasks: 2, nanos: 6_000_000 };
        assert_eq!(Chunk::Adaptive.room(two, 3_000_000, 1000, 4, true), 0, "no second one");
    }

    #[test]
    fn a_fixed_chunk_waits_behind_another_only_if_it_is_quick() {
        let one = Holding { tasks: 1, nanos: 0 };
        assert_eq!(Chunk::Fixed(1).room(one, 1000, 100, 2, true), 1);
        assert_eq!(Chunk::Fixed(1).room(one, 50_000_000, 100, 2, true), 0);
        assert_eq!(Chunk::Fixed(25).room(EMPTY, 50_000_000, 100, 2, true), 25);
    }
}
