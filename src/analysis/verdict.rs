//! Who is faster, by how much, and whether that can be said at all.

use std::sync::Arc;

use crate::analysis::failing::{NOTABLE, unsuccessful_share};
use crate::analysis::lints::{Lint, together};
use crate::analysis::statistics::estimate_ratio;
use crate::engine::event::RunState;
use crate::metrics::kept::Runs;
use crate::metrics::snapshot::Snapshot;

/// What can be said about an arm against the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Fewer than two pairs of runs (or none with enough tasks): no interval can be given.
    TooEarly,
    /// The interval includes 1.
    NoClearDifference,
    /// The interval lies above 1.
    Faster,
    /// The interval lies below 1.
    Slower,
}

/// One arm's throughput against the baseline's.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Index of the arm.
    pub arm: usize,
    /// Index of the baseline arm.
    pub baseline: usize,
    /// Throughput of the arm / throughput of the baseline: geometric mean over the pairs of runs; `None` without a pair.
    pub ratio: Option<f64>,
    /// 95 % confidence interval of the ratio; `None` below two pairs.
    pub ci95: Option<(f64, f64)>,
    /// Pairs of counted runs.
    pub pairs: usize,
    /// Whether the runs of a pair were not made right after each other, as when one arm was measured again by itself.
    pub apart: bool,
    /// What follows.
    pub finding: Finding,
    /// Why it is so, as far as the measurements show of the arm that is behind.
    pub reasons: Vec<Lint>,
    /// Of the two arms, those of whose tasks more than a tenth did not succeed: the ratio is not one of equal work.
    pub unsuccessful: Vec<Unsuccessful>,
}

/// An arm of whose tasks many did not succeed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unsuccessful {
    /// Index of the arm.
    pub arm: usize,
    /// Share of its tasks, from 0 to 1.
    pub share: f64,
}

/// What a comparison needs to know about one run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunFigure {
    /// Succeeded tasks per second of the whole run.
    pub throughput: f64,
    /// Whether the run was made to its end. One that was stopped tells nothing about the tasks it did not run.
    pub complete: bool,
    /// The round it was made in; runs of the same round were made right after each other.
    pub round: u32,
}

/// The counted runs of an arm, and the round that each was made in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted<'a> {
    /// Oldest first.
    pub(crate) runs: &'a [Arc<Snapshot>],
    /// As many; without them, run i was made in round i.
    pub(crate) rounds: &'a [u32],
}

impl<'a> From<&'a Runs> for Counted<'a> {
    fn from(runs: &'a Runs) -> Self {
        Self { runs, rounds: runs.rounds() }
    }
}

impl Counted<'_> {
    fn figures(&self) -> Vec<RunFigure> {
        let round = |place: usize| self.rounds.get(place).copied().unwrap_or(place as u32);
        self.runs.iter().enumerate().map(|(place, run)| RunFigure::of(run, round(place))).collect()
    }
}

impl RunFigure {
    /// The figure of a run.
    #[must_use]
    pub(crate) fn of(run: &Snapshot, round: u32) -> Self {
        Self { throughput: run.throughput_whole, complete: run.state == RunState::Finished, round }
    }

    fn usable(&self) -> bool {
        self.complete && self.throughput.is_finite() && self.throughput > 0.0
    }
}

impl Verdict {
    /// Index of the arm that is behind so far, which the reasons are about.
    #[must_use]
    pub(crate) fn behind(&self) -> usize {
        if self.ratio.is_some_and(|ratio| ratio > 1.0) { self.baseline } else { self.arm }
    }
}

impl Finding {
    /// What an interval of the ratio says: a difference only where 1 lies outside of it.
    fn of(ci95: Option<(f64, f64)>) -> Self {
        match ci95 {
            None => Self::TooEarly,
            Some((low, _)) if low > 1.0 => Self::Faster,
            Some((_, high)) if high < 1.0 => Self::Slower,
            Some(_) => Self::NoClearDifference,
        }
    }
}

/// Ratio of throughputs over pairs of runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Comparison {
    /// Geometric mean; `None` without a pair.
    pub(crate) ratio: Option<f64>,
    /// 95 % confidence interval; `None` below two pairs.
    pub(crate) ci95: Option<(f64, f64)>,
    /// Pairs of complete runs.
    pub(crate) pairs: usize,
    /// Whether they are not of the same rounds.
    pub(crate) apart: bool,
    /// What follows.
    pub(crate) finding: Finding,
}

/// Compares the runs of an arm with those of the baseline in pairs. Two runs of the same round were made right after each
/// other, so that what changes slowly (temperature, other load) falls out of their ratio. Where fewer than two rounds have
/// runs of both, run i is paired with run i: the interval is then wider by what changed in between. See
/// [`estimate_ratio`] for the interval.
#[must_use]
pub(crate) fn compare(baseline: &[RunFigure], arm: &[RunFigure]) -> Comparison {
    let usable = |figures: &[RunFigure]| figures.iter().copied().filter(RunFigure::usable).collect::<Vec<_>>();
    let ratio = |(baseline, arm): (&RunFigure, &RunFigure)| arm.throughput / baseline.throughput;
    let together: Vec<f64> = baseline
        .iter()
        .filter_map(|one| Some((one, arm.iter().find(|other| other.round == one.round)?)))
        .filter(|(one, other)| one.usable() && other.usable())
        .map(ratio)
        .collect();
    let (baseline, arm) = (usable(baseline), usable(arm));
    let apart = together.len() < 2 && baseline.len().min(arm.len()) > together.len();
    let ratios = if apart { baseline.iter().zip(&arm).map(ratio).collect() } else { together };
    let estimate = estimate_ratio(&ratios);
    let ci95 = estimate.and_then(|estimate| estimate.ci95);
    let ratio = estimate.map(|estimate| estimate.mean);
    Comparison { ratio, ci95, pairs: ratios.len(), apart, finding: Finding::of(ci95) }
}

/// A verdict for every arm against every other one, so that any two can be looked at.
#[must_use]
pub(crate) fn every_pair(arms: &[Counted<'_>], usable_cores: Option<u32>) -> Vec<Verdict> {
    (0..arms.len()).flat_map(|baseline| verdicts(arms, baseline, usable_cores)).collect()
}

/// One verdict for each arm but the baseline, in arm order; none with a single arm.
///
/// `arms` holds the counted runs of each arm, oldest first, and may hold the newest frame of a run under way as the last
/// one. While there is no pair of complete runs, the ratio is that of the newest frames, which should then be of the same
/// second since the start of their runs: worth showing, but the finding stays [`Finding::TooEarly`] and there is no
/// interval.
///
/// `usable_cores` adds the reason "more workers than cores".
#[must_use]
pub(crate) fn verdicts(arms: &[Counted<'_>], baseline: usize, usable_cores: Option<u32>) -> Vec<Verdict> {
    let Some(reference) = arms.get(baseline) else { return Vec::new() };
    let baseline_figures = reference.figures();
    let others = arms.iter().enumerate().filter(|(arm, _)| *arm != baseline);
    others
        .map(|(arm, counted)| {
            let (reference, runs) = (reference.runs, counted.runs);
            let Comparison { ratio, ci95, pairs, apart, finding } = compare(&baseline_figures, &counted.figures());
            let ratio = ratio.or_else(|| live_ratio(reference, runs));
            // Reasons are about the side that is behind. Without a ratio there is nothing to explain.
            let behind = match ratio {
                Some(ratio) if ratio > 1.0 => reference,
                Some(_) => runs,
                None => &[],
            };
            let unsuccessful = [(baseline, reference), (arm, runs)]
                .map(|(arm, runs)| Unsuccessful { arm, share: unsuccessful_share(runs) })
                .into_iter()
                .filter(|found| found.share > NOTABLE);
            Verdict {
                arm,
                baseline,
                ratio,
                ci95,
                pairs,
                apart,
                finding,
                reasons: reasons(behind, usable_cores),
                unsuccessful: unsuccessful.collect(),
            }
        })
        .collect()
}

/// Ratio of the newest frames, finished or not.
fn live_ratio(baseline: &[Arc<Snapshot>], arm: &[Arc<Snapshot>]) -> Option<f64> {
    let (baseline, arm) = (baseline.last()?.throughput_whole, arm.last()?.throughput_whole);
    let ratio = arm / baseline;
    (baseline > 0.0 && arm > 0.0 && ratio.is_finite()).then_some(ratio)
}

/// What the runs show together; that they are suspect, if at least half of them are.
fn reasons(runs: &[Arc<Snapshot>], usable_cores: Option<u32>) -> Vec<Lint> {
    let suspect = runs.iter().filter(|run| !run.suspect.is_empty()).count();
    let suspect = (suspect > 0 && suspect * 2 >= runs.len()).then(|| Lint::Suspect(String::new()));
    together(runs.iter().map(AsRef::as_ref), usable_cores).into_iter().chain(suspect).collect()
}

#[cfg(test)]
mod tests;
