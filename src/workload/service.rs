//! How long a task is meant to take: all a worker process needs is the class, the seed and the index.

use std::time::Duration;

use crate::workload::model::{Backoff, Dist, Phase, TaskIndex, Work};
use crate::workload::random::{Purpose, unit};

/// The service time of a task as far as it is drawn: CPU and sleeping time together.
///
/// `None` for work whose time is known only by doing it: files, memory, kernels and commands. Mixed tasks count what is
/// drawn, and are `None` if nothing is.
#[must_use]
pub(crate) fn service_time(work: &Work, seed: u64, index: TaskIndex) -> Option<Duration> {
    timed(work).map(|parts| parts.map(|(_, phase, dist)| dist.draw(seed, index, phase)).sum())
}

/// The part of [`service_time`] that is CPU work.
#[must_use]
pub(crate) fn cpu_time(work: &Work, seed: u64, index: TaskIndex) -> Option<Duration> {
    let parts = timed(work)?;
    Some(parts.filter(|(part, ..)| *part == Part::Cpu).map(|(_, phase, dist)| dist.draw(seed, index, phase)).sum())
}

/// Mean of [`service_time`] over all tasks of this work.
#[must_use]
pub(crate) fn mean_service_time(work: &Work) -> Option<Duration> {
    timed(work).map(|parts| parts.map(|(.., dist)| dist.mean()).sum())
}

/// Mean of [`cpu_time`] over all tasks of this work.
#[must_use]
pub(crate) fn mean_cpu_time(work: &Work) -> Option<Duration> {
    Some(timed(work)?.filter(|(part, ..)| *part == Part::Cpu).map(|(.., dist)| dist.mean()).sum())
}

/// The drawn time of one phase of a mixed task; `None` for a phase without one. `phase` is its position from 0.
#[must_use]
pub(crate) fn phase_time(phase: &Phase, position: u64, seed: u64, index: TaskIndex) -> Option<Duration> {
    match phase {
        Phase::Cpu(dist) | Phase::Sleep(dist) => Some(dist.draw(seed, index, position)),
        Phase::Io(_) | Phase::Memory(_) => None,
    }
}

/// Whether all tasks of this work have the same drawn time, or none.
#[must_use]
pub(crate) fn is_constant(work: &Work) -> bool {
    timed(work).is_none_or(|mut parts| parts.all(|(.., dist)| dist.is_constant()))
}

/// Most memory that one task of this work is known to need, in bytes; 0 where nothing is said.
#[must_use]
pub(crate) fn memory(work: &Work) -> u64 {
    use crate::workload::model::Kernel;
    match work {
        Work::Memory(memory) => memory.bytes,
        Work::Mixed(phases) => phases
            .iter()
            .map(|phase| match phase {
                Phase::Memory(memory) => memory.bytes,
                _ => 0,
            })
            .max()
            .unwrap_or(0),
        Work::Kernel(Kernel::Matmul { n }) => 3 * 8 * u64::from(*n) * u64::from(*n),
        Work::Kernel(Kernel::Sort { n }) => n.saturating_mul(8),
        _ => 0,
    }
}

impl Backoff {
    /// The pause before retry number `retry` (from 1) of a task.
    #[must_use]
    pub(crate) fn pause(&self, seed: u64, index: TaskIndex, retry: u32) -> Duration {
        let power = i32::try_from(retry.saturating_sub(1)).unwrap_or(i32::MAX);
        let nominal = (self.delay.as_secs_f64() * self.factor.powi(power)).min(self.max_delay.as_secs_f64());
        let share = if self.jitter { unit(seed, Purpose::Backoff, index, retry.into()) } else { 1.0 };
        Duration::try_from_secs_f64(nominal * share).unwrap_or(self.max_delay)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Part {
    Cpu,
    Sleep,
}

/// The parts of a task that have a drawn time, with their draw numbers; `None` if there are none.
fn timed(work: &Work) -> Option<impl Iterator<Item = (Part, u64, &Dist)>> {
    let (single, phases) = match work {
        Work::Cpu(dist) => (Some((Part::Cpu, 0, dist)), None),
        Work::Sleep(dist) => (Some((Part::Sleep, 0, dist)), None),
        Work::Mixed(phases) if phases.iter().any(|phase| matches!(phase, Phase::Cpu(_) | Phase::Sleep(_))) => {
            (None, Some(phases))
        }
        Work::Mixed(_) | Work::Io(_) | Work::Memory(_) | Work::Kernel(_) | Work::Command(_) | Work::Echo => {
            return None;
        }
    };
    let phases = phases.into_iter().flatten().zip(0_u64..).filter_map(|(phase, position)| match phase {
        Phase::Cpu(dist) => Some((Part::Cpu, position, dist)),
        Phase::Sleep(dist) => Some((Part::Sleep, position, dist)),
        Phase::Io(_) | Phase::Memory(_) => None,
    });
    Some(single.into_iter().chain(phases))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::model::IoWork;

    fn exponential(ms: u64) -> Dist {
        Dist::Exponential { mean: Duration::from_millis(ms), max: None }
    }

    #[test]
    fn a_mixed_task_sums_its_phases_and_each_draws_for_itself() {
        let io = Phase::Io(IoWork { bytes: 1, sync: false });
        let phases = vec![Phase::Cpu(exponential(5)), io, Phase::Sleep(exponential(5))];
        let parts: Vec<_> = phases.iter().zip(0..).map(|(phase, at)| phase_time(phase, at, 1, 9)).collect();
        let work = Work::Mixed(phases);
        assert_eq!(parts[1], None);
        assert_ne!(parts[0], parts[2]);
        assert_eq!(service_time(&work, 1, 9), Some(parts[0].unwrap() + parts[2].unwrap()));
        assert_eq!(cpu_time(&work, 1, 9), parts[0]);
        assert_eq!(mean_service_time(&work), Some(Duration::from_millis(10)));
    }

    #[test]
    fn work_that_is_not_drawn_has_no_time() {
        assert_eq!(service_time(&Work::Io(IoWork { bytes: 1, sync: false }), 1, 1), None);
        assert_eq!(service_time(&Work::Mixed(vec![]), 1, 1), None);
    }

    #[test]
    fn pauses_grow_up_to_their_limit() {
        let backoff = Backoff {
            delay: Duration::from_millis(50),
            factor: 2.0,
            max_delay: Duration::from_millis(150),
            jitter: false,
        };
        let pauses: Vec<u128> = [1, 2, 3, 4, u32::MAX].map(|retry| backoff.pause(1, 1, retry).as_millis()).to_vec();
        assert_eq!(pauses, [50, 100, 150, 150, 150]);
        let jittered = Backoff { jitter: true, ..backoff };
        assert!(jittered.pause(1, 1, 1) < backoff.delay);
        assert_ne!(jittered.pause(1, 1, 1), jittered.pause(1, 2, 1));
    }
}
