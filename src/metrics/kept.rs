//! What is kept of a run that is over: what comparisons, tuning and reports need of it, however many runs follow.
//!
//! The last [`WHOLE`] runs of an arm are kept with their whole distributions. Of an older run the figures stay, exact as
//! they were; its distributions go into one sum over all such runs of the arm, so that percentiles over all tasks of an
//! arm stay exact too.

use std::sync::Arc;

use crate::engine::outcome::AttemptReport;
use crate::metrics::distribution::{Distribution, Distributions};
use crate::metrics::log::of_each_sort;
use crate::metrics::snapshot::{RunEnd, Snapshot, SoFar};

/// Runs of an arm that are kept with their whole distributions.
pub(crate) const WHOLE: usize = 8;
/// Unsuccessful attempts that are kept of a run, and of an older one.
pub(crate) const FAILURES: usize = 20;
const OLD_FAILURES: usize = 2;
/// Notes that are kept of an older run.
const OLD_NOTES: usize = 3;
/// The percentiles that are kept in any case.
const PERCENTILES: [f64; 4] = [50.0, 90.0, 95.0, 99.0];

/// The counted runs of one arm with one worker count, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Runs {
    runs: Vec<Arc<Snapshot>>,
    /// The round that each was made in.
    rounds: Vec<u32>,
    /// So many of the oldest have their distributions in the sum, which the last of them carries.
    folded: usize,
}

impl std::ops::Deref for Runs {
    type Target = [Arc<Snapshot>];

    fn deref(&self) -> &Self::Target {
        &self.runs
    }
}

impl Runs {
    /// The round that each run was made in; runs of several arms in the same round were made right after each other.
    #[must_use]
    pub(crate) fn rounds(&self) -> &[u32] {
        &self.rounds
    }

    /// Adds a run that is over. `percentiles` (above 0, at most 100) are those that will be asked for.
    pub(crate) fn push(&mut self, mut run: Arc<Snapshot>, round: u32, percentiles: &[f64]) {
        let last = Arc::make_mut(&mut run);
        for row in &mut last.workers {
            // It was for the live picture.
            row.cpu_history = Vec::new();
        }
        last.workers.shrink_to_fit();
        // The session keeps what those cost.
        (last.kills, last.timeouts) = Default::default();
        last.failures = some(&last.failures, FAILURES);
        self.runs.push(run);
        self.rounds.push(round);
        if self.runs.len() > self.folded + WHOLE {
            let before = self.folded.checked_sub(1).and_then(|place| take_sum(self.runs.get_mut(place)?));
            if let Some(old) = self.runs.get_mut(self.folded) {
                fold(Arc::make_mut(old), before, percentiles);
                self.folded += 1;
            }
        }
    }
}

/// The latencies of all runs of an arm together; `None` if there is no run, or one that is not over.
#[must_use]
pub(crate) fn together(runs: &[Arc<Snapshot>]) -> Option<SoFar> {
    let mut all: Option<SoFar> = None;
    for run in runs {
        let end = run.end.as_ref()?;
        match &end.so_far {
            Some(sum) => all = Some(SoFar::clone(sum)),
            None => all.get_or_insert_default().merge(run, end),
        }
    }
    all
}

fn take_sum(run: &mut Arc<Snapshot>) -> Option<SoFar> {
    let end = Arc::make_mut(run).end.as_mut()?;
    Arc::make_mut(end).so_far.take().map(Arc::unwrap_or_clone)
}

fn fold(run: &mut Snapshot, before: Option<SoFar>, percentiles: &[f64]) {
    run.failures = some(&run.failures, OLD_FAILURES);
    run.notes = first(&run.notes, OLD_NOTES);
    run.memory_course = Arc::default();
    // Everything is made anew: what an engine's thread has allocated between the large tables of its recorder would keep
    // their pages from being given back.
    let Some(mut end) = run.end.take().map(|end| end.as_ref().clone()) else { return };
    let mut sum = before.unwrap_or_default();
    sum.merge(run, &end);
    end.so_far = Some(Arc::new(sum));
    let quantiles = || PERCENTILES.iter().chain(percentiles).map(|percentile| percentile / 100.0);
    let reduce = |all: &mut Distributions| all.each(|distribution| *distribution = distribution.reduced(quantiles()));
    reduce(&mut end.distributions);
    if !run.classes.is_empty() {
        let mut classes = run.classes.to_vec();
        classes.iter_mut().filter_map(|class| class.whole.as_deref_mut()).for_each(reduce);
        run.classes = Arc::new(classes);
    }
    end.delivered = end.delivered.reduced(quantiles());
    run.end = Some(Arc::new(end));
}

/// Attempts of every sort, in a list of their own.
fn some(list: &[AttemptReport], most: usize) -> Arc<Vec<AttemptReport>> {
    let chosen = of_each_sort(list, most, |_| (), |report| report);
    Arc::new(chosen.into_iter().filter_map(|place| list.get(place).cloned()).collect())
}

/// The first entries, in a list of their own.
fn first<T: Clone>(list: &[T], most: usize) -> Arc<Vec<T>> {
    Arc::new(list.iter().take(most).cloned().collect())
}

impl SoFar {
    /// Adds the latencies of another run.
    fn merge(&mut self, run: &Snapshot, end: &RunEnd) {
        self.all.merge(&end.distributions);
        if self.classes.is_empty() {
            self.classes = vec![Distributions::default(); run.classes.len()].into();
        }
        let classes = run.classes.iter().map(|class| class.whole.as_deref());
        self.classes
            .iter_mut()
            .zip(classes)
            .for_each(|(sum, class)| class.into_iter().for_each(|class| sum.merge(class)));
    }
}

impl Distributions {
    /// Adds the latencies of other tasks.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.wait.merge(&other.wait);
        self.startup.merge(&other.startup);
        self.service.merge(&other.service);
        self.sojourn.merge(&other.sojourn);
    }

    fn each(&mut self, mut change: impl FnMut(&mut Distribution)) {
        [&mut self.wait, &mut self.startup, &mut self.service, &mut self.sojourn].into_iter().for_each(&mut change);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::fixtures::{attempt, snapshot};
    use crate::metrics::latency::Recorded;
    use crate::metrics::snapshot::{ClassFigures, WorkerRow};

    /// A run of a thousand tasks that differ from one another and from those of other runs.
    fn run(number: u64, classes: usize) -> Arc<Snapshot> {
        let mut recorded = Recorded::new();
        (0..1000).for_each(|task| recorded.record(1_000_000 + number * 7919 + task * task * 1009));
        let latency = recorded.distribution();
        let distributions = Distributions {
            wait: latency.clone(),
            startup: latency.clone(),
            service: latency.clone(),
            sojourn: latency,
        };
        let mut run = snapshot();
        run.failures = Arc::new((0..200).map(attempt).collect());
        let class = ClassFigures { whole: Some(Box::new(distributions.clone())), ..ClassFigures::default() };
        run.classes = Arc::new(vec![class; classes]);
        run.end = Some(Arc::new(RunEnd { distributions, ..RunEnd::default() }));
        Arc::new(run)
    }

    /// Heap and own bytes that only this run holds; what sums up older runs is counted apart.
    fn bytes(run: &Snapshot) -> usize {
        let lists = run.workers.capacity() * size_of::<WorkerRow>()
            + run.workers.iter().map(|row| row.cpu_history.capacity()).sum::<usize>()
            + run
                .failures
                .iter()
                .map(|report| size_of_val(report) + report.stderr_tail.capacity() + report.stdout_tail.capacity())
                .sum::<usize>()
            + run.notes.iter().map(|note| size_of_val(note) + note.text.capacity()).sum::<usize>();
        let end = run.end.as_ref().map_or(0, |end| {
            let of_all = |all: &Distributions| {
                let Distributions { wait, startup, service, sojourn } = all;
                let buckets = [wait, startup, service, sojourn].map(|distribution| distribution.buckets().len() * 16);
                buckets.iter().sum::<usize>()
            };
            let whole = |class: &ClassFigures| {
                class.whole.as_deref().map_or(0, |whole| size_of_val(class) + size_of_val(whole) + of_all(whole))
            };
            size_of::<RunEnd>() + of_all(&end.distributions) + run.classes.iter().map(whole).sum::<usize>()
        });
        size_of::<Snapshot>() + lists + end
    }

    #[test]
    fn a_run_costs_little_once_others_have_followed() {
        let runs_of = |classes| {
            let mut runs = Runs::default();
            (0..500).for_each(|number| runs.push(run(number, classes), 1, &[99.9]));
            runs
        };
        let (runs, with_classes) = (runs_of(0), runs_of(4));
        let (old, recent) = runs.split_at(500 - WHOLE);
        for (run, same) in with_classes.iter().zip(old) {
            let each = (bytes(run) - bytes(same)) / 4;
            assert!(each <= 3 * 1024 / 2, "a class takes {each} bytes");
        }
        let rows = snapshot().workers.len() * size_of::<WorkerRow>();
        for run in old {
            assert!(bytes(run) - rows <= 3 * 1024, "{} bytes", bytes(run) - rows);
        }
        assert!(bytes(&recent[0]) > 30_000, "{} bytes: without the fix every run was so large", bytes(&recent[0]));
        let sums = runs.iter().filter(|run| run.end.as_ref().is_some_and(|end| end.so_far.is_some())).count();
        assert_eq!(sums, 1, "one sum for all older runs");
    }

    #[test]
    fn every_figure_stays_as_it_was() {
        let mut runs = Runs::default();
        let mut whole = Distributions::default();
        for number in 0..40 {
            let run = run(number, 1);
            whole.merge(&run.end.as_ref().unwrap().distributions);
            runs.push(run, number as u32, &[99.9, 25.0]);
            let sum = together(&runs).expect("runs");
            assert_eq!((&sum.all, &sum.classes[..]), (&whole, &[whole.clone()][..]), "after {number}");
        }
        for (number, kept_run) in (0..).zip(runs.iter()) {
            let (before, kept) = (run(number, 1), kept_run.end.as_ref().unwrap());
            let before = &before.end.as_ref().unwrap().distributions;
            for percentile in [25.0, 50.0, 90.0, 95.0, 99.0, 99.9] {
                let quantile = |of: &Distributions| of.sojourn.quantile(percentile / 100.0);
                assert_eq!(quantile(&kept.distributions), quantile(before), "p{percentile} of run {number}");
                assert_eq!(
                    quantile(kept_run.classes[0].whole.as_ref().unwrap()),
                    quantile(before),
                    "p{percentile} of its class"
                );
            }
            assert_eq!(kept.distributions.wait.count(), 1000);
            assert!(kept.distributions.service.summary().mean > Duration::ZERO);
        }
        assert_eq!(together(&[]), None);
    }
}
