//! Who is faster, by how much, and whether that can be said at all.

use std::sync::Arc;

use crate::analysis::failing::{NOTABLE, unsuccessful_share};
use crate::analysis::holm::holm;
use crate::analysis::inference::{Inference, Looks, infer};
use crate::analysis::lints::{Lint, startup_explains, together};
use crate::analysis::rank_test::signed_rank;
use crate::engine::event::RunState;
use crate::metrics::kept::Runs;
use crate::metrics::snapshot::Snapshot;

/// One minus the confidence.
pub(crate) const ALPHA: f64 = 0.05;

/// What can be said about an arm against the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Fewer than two pairs of runs (or none with enough tasks): no interval can be given.
    TooEarly,
    /// The interval includes 1, or does not once it is considered that several arms were looked at.
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
    /// 95 % confidence interval of the ratio by itself; `None` below two pairs, or three where it is always valid.
    pub ci95: Option<(f64, f64)>,
    /// Whether that holds after every round, as it must while somebody looks: at runs that were made as planned, it holds
    /// at their number alone and is narrower.
    pub always_valid: bool,
    /// The chance of such a ratio or one farther from 1 if there were no difference, and the same corrected for all arms
    /// that are compared with the baseline.
    pub p: Option<P>,
    /// The chance of such pairs by their ranks alone, from six pairs on and only where they were made as planned.
    pub rank_p: Option<f64>,
    /// Pairs of counted runs.
    pub pairs: usize,
    /// Of these, with a suspect run: what follows from them is suspect too.
    pub suspect: usize,
    /// Whether the runs of a pair were not made right after each other, as when one arm was measured again by itself.
    pub apart: bool,
    /// What follows.
    pub finding: Finding,
    /// Why it is so, as far as the measurements show of the arm that is behind.
    pub reasons: Vec<Lint>,
    /// Of the two arms, those of whose tasks more than a tenth did not succeed: the ratio is not one of equal work.
    pub unsuccessful: Vec<Unsuccessful>,
}

/// How likely a ratio is where there is no difference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct P {
    /// By itself.
    pub single: f64,
    /// Together with the others that were asked (Holm).
    pub corrected: f64,
    /// How many were.
    pub comparisons: usize,
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
    /// Whether there is a reason not to trust it.
    pub suspect: bool,
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
    /// The round in which the run at a place was made.
    pub(crate) fn round(&self, place: usize) -> u32 {
        self.rounds.get(place).copied().unwrap_or(place as u32)
    }

    pub(crate) fn figures(&self) -> Vec<RunFigure> {
        self.runs.iter().enumerate().map(|(place, run)| RunFigure::of(run, self.round(place))).collect()
    }
}

impl RunFigure {
    /// The figure of a run.
    #[must_use]
    pub(crate) fn of(run: &Snapshot, round: u32) -> Self {
        let (complete, suspect) = (run.state == RunState::Finished, !run.suspect.is_empty());
        Self { throughput: run.throughput_whole, complete, round, suspect }
    }

    pub(crate) fn usable(&self) -> bool {
        self.complete && self.throughput.is_finite() && self.throughput > 0.0
    }
}

impl Verdict {
    /// Index of the arm that is behind so far, which the reasons are about.
    #[must_use]
    pub(crate) fn behind(&self) -> usize {
        if self.ratio.is_some_and(|ratio| ratio > 1.0) { self.baseline } else { self.arm }
    }

    /// Of how many comparisons at once it is one that differs by itself and not any more once it is considered how many
    /// they are; `None` for any other.
    #[must_use]
    pub(crate) fn taken_back(&self) -> Option<usize> {
        taken_back(self.finding, self.ci95, self.p)
    }
}

/// See [`Verdict::taken_back`].
pub(crate) fn taken_back(finding: Finding, ci95: Option<(f64, f64)>, p: Option<P>) -> Option<usize> {
    let alone = matches!(Finding::of(ci95), Finding::Faster | Finding::Slower);
    p.filter(|_| alone && finding == Finding::NoClearDifference).map(|p| p.comparisons)
}

impl Finding {
    /// What an interval of the ratio says: a difference only where 1 lies outside of it.
    pub(crate) fn of(ci95: Option<(f64, f64)>) -> Self {
        match ci95 {
            None => Self::TooEarly,
            Some((low, _)) if low > 1.0 => Self::Faster,
            Some((_, high)) if high < 1.0 => Self::Slower,
            Some(_) => Self::NoClearDifference,
        }
    }

    /// What is left of it where several were asked at once.
    pub(crate) fn corrected(self, p: Option<P>) -> Self {
        match (self, p) {
            (Self::Faster | Self::Slower, Some(p)) if p.comparisons > 1 && p.corrected > ALPHA => {
                Self::NoClearDifference
            }
            (finding, _) => finding,
        }
    }

    /// The same said of the other side.
    #[must_use]
    pub(crate) fn reversed(self) -> Self {
        match self {
            Self::Faster => Self::Slower,
            Self::Slower => Self::Faster,
            other => other,
        }
    }
}

impl P {
    /// p-values that were asked for together, corrected for that.
    #[must_use]
    pub(crate) fn corrected(values: &[Option<f64>]) -> Vec<Option<Self>> {
        let corrected = holm(values);
        let p = |(single, corrected): (&Option<f64>, Option<f64>)| {
            Some(Self { single: (*single)?, corrected: corrected?, comparisons: values.len() })
        };
        values.iter().zip(corrected).map(p).collect()
    }
}

/// Ratio of throughputs over pairs of runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Comparison {
    /// Geometric mean; `None` without a pair.
    pub(crate) ratio: Option<f64>,
    /// 95 % confidence interval; `None` where there are too few pairs.
    pub(crate) ci95: Option<(f64, f64)>,
    /// Whether that holds at every number of pairs.
    pub(crate) always_valid: bool,
    /// Two-sided p of no difference.
    pub(crate) p: Option<f64>,
    /// By ranks.
    pub(crate) rank_p: Option<f64>,
    /// Pairs of complete runs.
    pub(crate) pairs: usize,
    /// Of these, with a suspect run.
    pub(crate) suspect: usize,
    /// Whether they are not of the same rounds.
    pub(crate) apart: bool,
    /// What follows.
    pub(crate) finding: Finding,
}

/// Compares the runs of an arm with those of the baseline, looked at in this way, in pairs ([`pairs`]): the geometric mean of their ratios, with an
/// interval of the logarithms, which are symmetrical (twice as fast and half as fast lie as far from 1). Fleming and
/// Wallace, How not to lie with statistics, CACM 29, 1986, for the geometric mean of ratios.
#[must_use]
pub(crate) fn compare_looking(baseline: &[RunFigure], arm: &[RunFigure], looks: Looks) -> Comparison {
    let Pairs { pairs, apart } = pairs(baseline, arm, RunFigure::usable);
    let logarithms: Vec<f64> = pairs.iter().map(|(one, other)| (other.throughput / one.throughput).ln()).collect();
    let planned = looks.is_one(logarithms.len());
    let inference = infer(&logarithms, looks);
    let ci95 = inference.and_then(|Inference { ci95, .. }| ci95).map(|(low, high)| (low.exp(), high.exp()));
    Comparison {
        ratio: inference.map(|inference| inference.mean.exp()),
        ci95,
        always_valid: !planned,
        p: inference.and_then(|inference| inference.p),
        rank_p: planned.then(|| signed_rank(&logarithms)).flatten(),
        pairs: logarithms.len(),
        suspect: pairs.iter().filter(|(one, other)| one.suspect || other.suspect).count(),
        apart,
        finding: Finding::of(ci95),
    }
}

/// The same where all runs were planned.
#[cfg(test)]
#[must_use]
pub(crate) fn compare(baseline: &[RunFigure], arm: &[RunFigure]) -> Comparison {
    compare_looking(baseline, arm, Looks::Once(u32::MAX))
}

/// What was measured of two arms in the same rounds.
#[derive(Clone, Debug)]
pub(crate) struct Pairs<T> {
    /// Of the baseline, and of the arm.
    pub(crate) pairs: Vec<(T, T)>,
    /// Whether they are not of the same rounds.
    pub(crate) apart: bool,
}

/// Something that was measured in a round.
pub(crate) trait OfRound {
    fn round(&self) -> u32;
}

impl OfRound for RunFigure {
    fn round(&self) -> u32 {
        self.round
    }
}

/// Two runs of the same round were made right after each other, so that what changes slowly (temperature, other load)
/// falls out of their ratio. Where fewer than two rounds have usable runs of both, run i is paired with run i: an interval
/// is then wider by what changed in between.
pub(crate) fn pairs<T: OfRound + Copy>(baseline: &[T], arm: &[T], usable: impl Fn(&T) -> bool) -> Pairs<T> {
    let together: Vec<(T, T)> = baseline
        .iter()
        .filter_map(|one| Some((*one, *arm.iter().find(|other| other.round() == one.round())?)))
        .filter(|(one, other)| usable(one) && usable(other))
        .collect();
    let all = |figures: &[T]| figures.iter().copied().filter(|one| usable(one)).collect::<Vec<_>>();
    let (baseline, arm) = (all(baseline), all(arm));
    let apart = together.len() < 2 && baseline.len().min(arm.len()) > together.len();
    Pairs { pairs: if apart { baseline.into_iter().zip(arm).collect() } else { together }, apart }
}

/// An arm against the baseline, as one of several.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Against {
    /// Its index.
    pub(crate) arm: usize,
    /// By itself.
    pub(crate) comparison: Comparison,
    pub(crate) p: Option<P>,
    /// Corrected for how many they are.
    pub(crate) finding: Finding,
}

/// Compares each arm but the baseline with it. Their findings are corrected for how many they are.
#[must_use]
pub(crate) fn compare_all(arms: &[Vec<RunFigure>], baseline: usize, looks: Looks) -> Vec<Against> {
    let Some(reference) = arms.get(baseline) else { return Vec::new() };
    let others = || arms.iter().enumerate().filter(|(arm, _)| *arm != baseline);
    let found: Vec<Comparison> = others().map(|(_, figures)| compare_looking(reference, figures, looks)).collect();
    let corrected = P::corrected(&found.iter().map(|comparison| comparison.p).collect::<Vec<_>>());
    let against = |(arm, (comparison, p)): (usize, (Comparison, Option<P>))| Against {
        arm,
        comparison,
        p,
        finding: comparison.finding.corrected(p),
    };
    others().map(|(arm, _)| arm).zip(found.into_iter().zip(corrected)).map(against).collect()
}

/// A verdict for every arm against every other one, so that any two can be looked at.
#[must_use]
pub(crate) fn every_pair(arms: &[Counted<'_>], looks: Looks, usable_cores: Option<u32>) -> Vec<Verdict> {
    (0..arms.len()).flat_map(|baseline| verdicts(arms, baseline, looks, usable_cores)).collect()
}

/// One verdict for each arm but the baseline, in arm order; none with a single arm.
///
/// `arms` holds the counted runs of each arm, oldest first, and may hold the newest frame of a run under way as the last
/// one. While there is no pair of complete runs, the ratio is that of the newest frames, which should then be of the same
/// second since the start of their runs: worth showing, but the finding stays [`Finding::TooEarly`] and there is no
/// interval.
///
/// With several arms their findings are corrected for that (Holm): the chance that any of them is found to differ where
/// none does is 5 %.
///
/// `usable_cores` adds the reason "more workers than cores".
#[must_use]
pub(crate) fn verdicts(arms: &[Counted<'_>], baseline: usize, looks: Looks, usable_cores: Option<u32>) -> Vec<Verdict> {
    let Some(reference) = arms.get(baseline) else { return Vec::new() };
    let figures: Vec<Vec<RunFigure>> = arms.iter().map(Counted::figures).collect();
    compare_all(&figures, baseline, looks)
        .into_iter()
        .map(|Against { arm, comparison, p, finding }| {
            let (reference, runs) = (reference.runs, arms.get(arm).map_or(&[] as &[_], |counted| counted.runs));
            let ratio = comparison.ratio.or_else(|| live_ratio(reference, runs));
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
                ci95: comparison.ci95,
                always_valid: comparison.always_valid,
                p,
                rank_p: comparison.rank_p,
                pairs: comparison.pairs,
                suspect: comparison.suspect,
                apart: comparison.apart,
                finding,
                reasons: reasons(behind, ratio, comparison.finding, usable_cores),
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
fn reasons(runs: &[Arc<Snapshot>], ratio: Option<f64>, finding: Finding, usable_cores: Option<u32>) -> Vec<Lint> {
    let differs = matches!(finding, Finding::Faster | Finding::Slower);
    let behind = ratio.filter(|_| differs).map(|ratio| ratio.min(1.0 / ratio));
    let startup = behind.and_then(|behind| startup_explains(runs.iter().map(AsRef::as_ref), behind));
    let suspect = runs.iter().filter(|run| !run.suspect.is_empty()).count();
    let suspect = (suspect > 0 && suspect * 2 >= runs.len()).then_some(Lint::Suspect { suspect, runs: runs.len() });
    let explained = startup.is_some();
    let others = together(runs.iter().map(AsRef::as_ref), usable_cores).into_iter();
    let others = others.filter(|lint| !(explained && matches!(lint, Lint::StartupBound(_))));
    startup.into_iter().chain(others).chain(suspect).collect()
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
