//! How long a task is meant to take: all a worker process needs is the class, the seed and the index.

use std::borrow::Cow;
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

/// Whether chance has a part in the drawn time.
#[must_use]
pub(crate) fn is_random(work: &Work) -> bool {
    timed(work).is_some_and(|mut parts| parts.any(|(.., dist)| dist.is_random()))
}

/// Values of the longest trace that its time comes from; 0 without any.
#[must_use]
pub(crate) fn trace_len(work: &Work) -> u64 {
    let len = |dist: &Dist| if let Dist::Trace { values, .. } = dist { values.len() } else { 0 };
    timed(work).into_iter().flatten().map(|(.., dist)| len(dist)).max().unwrap_or(0)
}

/// Values of the shortest trace whose values its tasks have in turn; `None` without one.
#[must_use]
pub(crate) fn shortest_trace(work: &Work) -> Option<u64> {
    let in_turn = |dist: &Dist| match dist {
        Dist::Trace { values, sampled: false, .. } => Some(values.len()),
        _ => None,
    };
    timed(work).into_iter().flatten().filter_map(|(.., dist)| in_turn(dist)).min()
}

/// Whether workers are to be told the times of its tasks, because they do not have the traces.
#[must_use]
pub(crate) fn has_traces(work: &Work) -> bool {
    trace_len(work) > 0
}

/// What travels with a task of which workers are told the times: one after the other those that come from a trace, or `all`,
/// each as eight bytes, nanoseconds, the least significant first.
#[must_use]
pub(crate) fn told_times(work: &Work, seed: u64, index: TaskIndex, all: bool) -> Vec<u8> {
    let traced = timed(work).into_iter().flatten().filter(|(.., dist)| all || matches!(dist, Dist::Trace { .. }));
    traced.flat_map(|(_, phase, dist)| (dist.draw(seed, index, phase).as_nanos() as u64).to_le_bytes()).collect()
}

/// The work as workers are sent it: without its traces.
#[must_use]
pub(crate) fn without_traces(work: &Work) -> Cow<'_, Work> {
    if !has_traces(work) {
        return Cow::Borrowed(work);
    }
    let mut work = work.clone();
    dists(&mut work).filter(|dist| matches!(dist, Dist::Trace { .. })).for_each(|dist| *dist = Dist::Told);
    Cow::Owned(work)
}

/// The work as workers are sent it that are told all of its times.
#[must_use]
pub(crate) fn without_times(work: &Work) -> Work {
    let mut work = work.clone();
    dists(&mut work).for_each(|dist| *dist = Dist::Told);
    work
}

/// Whether its times come with each task.
#[must_use]
pub(crate) fn is_told(work: &Work) -> bool {
    timed(work).into_iter().flatten().any(|(.., dist)| matches!(dist, Dist::Told))
}

/// The work of one task, with the times that came with it; `None` where they do not fit.
#[must_use]
pub(crate) fn with_times(work: &Work, told: &[u8]) -> Option<Work> {
    let mut work = work.clone();
    let mut times = told.chunks_exact(8).map(|time| time.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)));
    for dist in dists(&mut work).filter(|dist| matches!(dist, Dist::Told)) {
        *dist = Dist::Constant(Duration::from_nanos(times.next()?));
    }
    (times.next().is_none() && told.len().is_multiple_of(8)).then_some(work)
}

/// Gives the first task of a class the first value of its traces. Of `count` tasks the others can never have what is behind
/// that.
pub(crate) fn begin_traces(work: &mut Work, begin: TaskIndex, count: Option<u64>) {
    for dist in dists(work) {
        if let Dist::Trace { values, first, sampled: false } = dist {
            *first = begin;
            *values = count.map_or_else(|| values.clone(), |count| values.first(count));
        }
    }
}

fn dists(work: &mut Work) -> impl Iterator<Item = &mut Dist> {
    let (single, phases) = match work {
        Work::Cpu(dist) | Work::Sleep(dist) => (Some(dist), None),
        Work::Mixed(phases) => (None, Some(phases)),
        Work::Io(_)
        | Work::Memory(_)
        | Work::Kernel(_)
        | Work::Command(_)
        | Work::Program(_)
        | Work::Served(_)
        | Work::Python(_)
        | Work::Echo => (None, None),
    };
    let phases = phases.into_iter().flatten().filter_map(|phase| match phase {
        Phase::Cpu(dist) | Phase::Sleep(dist) => Some(dist),
        Phase::Io(_) | Phase::Memory(_) => None,
    });
    single.into_iter().chain(phases)
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
        Work::Mixed(_)
        | Work::Io(_)
        | Work::Memory(_)
        | Work::Kernel(_)
        | Work::Command(_)
        | Work::Program(_)
        | Work::Served(_)
        | Work::Python(_)
        | Work::Echo => {
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
    use crate::workload::trace::Trace;

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
    fn a_worker_is_told_the_times_of_a_trace_and_never_has_it() {
        let trace =
            |values: &[u64], first| Dist::Trace { values: Trace::new(values.to_vec()).unwrap(), first, sampled: false };
        let io = Phase::Io(IoWork { bytes: 1, sync: false });
        let work = Work::Mixed(vec![
            Phase::Cpu(trace(&[5, 6], 0)),
            io,
            Phase::Sleep(exponential(5)),
            Phase::Sleep(trace(&[7], 0)),
        ]);
        let sent = without_traces(&work);
        assert!(is_told(&sent) && !is_told(&work) && has_traces(&work) && !has_traces(&sent));
        let text = serde_json::to_string(&*sent).unwrap();
        assert!(text.contains(r#"{"Cpu":"Told"}"#), "{text}");
        let received: Work = serde_json::from_str(&text).unwrap();
        let told = told_times(&work, 1, 3, false);
        assert_eq!(told, [6, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]);
        let done = with_times(&received, &told).unwrap();
        assert_eq!(
            (service_time(&done, 1, 3), cpu_time(&done, 1, 3)),
            (service_time(&work, 1, 3), cpu_time(&work, 1, 3))
        );
        for wrong in [&told[..8], &told[..15], &[], &[0; 24]] {
            assert_eq!(with_times(&received, wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn traces_begin_with_their_class_and_end_with_its_last_task() {
        let mut work =
            Work::Sleep(Dist::Trace { values: Trace::new(vec![1, 2, 3, 4]).unwrap(), first: 0, sampled: false });
        begin_traces(&mut work, 100, Some(3));
        let nanos = |index| service_time(&work, 1, index).unwrap().as_nanos();
        assert_eq!([100, 101, 102, 103].map(nanos), [1, 2, 3, 1]);
        assert_eq!(mean_service_time(&work), Some(Duration::from_nanos(2)));
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
