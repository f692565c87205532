//! `comparison`: throughput of each arm against the baseline, then the percentiles of the latency that the workload leads
//! with; `comparison_by_class`: these percentiles of the tasks of each class, where there are several; which arm is the best of several, and how many rounds all that rests on.

use serde::Serialize;

use crate::analysis::latencies::{self, LatencyVerdict};
use crate::analysis::lints::Lint;
use crate::analysis::precision::PrecisionEnd;
use crate::analysis::series::{Drift, Remark};
use crate::analysis::verdict::{Finding, P, Unsuccessful, Verdict};
use crate::report::Results;

#[derive(Serialize)]
pub(super) struct ComparisonOut<'a> {
    /// `throughput`, or a percentile such as `sojourn_p99` (additive to version 1).
    metric: String,
    /// The task class whose tasks it is of, in `comparison_by_class`.
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<String>,
    arm: &'a str,
    baseline: &'a str,
    ratio: Option<f64>,
    ci95: Option<[f64; 2]>,
    /// Of the arm - of the baseline, in seconds; of a percentile alone (additive to version 1).
    #[serde(skip_serializing_if = "Option::is_none")]
    difference_s: Option<DifferenceOut>,
    /// `fixed_rounds` holds at the planned number of rounds, `always_valid` whenever one looks (additive to version 1).
    interval: &'static str,
    /// Two-sided, of no difference: by itself, and corrected for so many that are asked at once by Holm's method, which
    /// is what the verdict follows (additive to version 1).
    p: Option<f64>,
    p_corrected: Option<f64>,
    comparisons: Option<usize>,
    /// Of Wilcoxon's signed-rank test, from six pairs on (additive to version 1).
    rank_p: Option<f64>,
    verdict: &'static str,
    pairs: usize,
    /// Of these, with a suspect run: the verdict is suspect too (additive to version 1).
    suspect_pairs: usize,
    /// Tasks of a run that are too few for this percentile, which is not judged then (additive to version 1).
    #[serde(skip_serializing_if = "Option::is_none")]
    too_few_tasks: Option<u64>,
    reasons: Vec<&'static str>,
    /// Arms of whose tasks more than a tenth did not succeed, with their share (additive to version 1).
    unsuccessful: Vec<UnsuccessfulOut<'a>>,
    /// Why there is no pair of runs, where there is none (additive to version 1).
    no_pair_because: Option<String>,
}

#[derive(Serialize)]
struct UnsuccessfulOut<'a> {
    arm: &'a str,
    share: f64,
}

#[derive(Serialize)]
struct DifferenceOut {
    mean: f64,
    ci95: Option<[f64; 2]>,
}

/// The arm with the highest throughput.
#[derive(Serialize)]
pub(super) struct BestOut<'a> {
    arm: &'a str,
    /// No clear difference to it.
    ties: Vec<&'a str>,
    /// Too early to tell.
    open: Vec<&'a str>,
    /// Comparisons at once, for which all this is corrected by Holm's method (additive to version 1).
    comparisons: usize,
    /// Whether any of them rests on a suspect run (additive to version 1).
    suspect: bool,
}

#[derive(Serialize)]
pub(super) struct MeasurementOut {
    /// As in `comparison`.
    interval: &'static str,
    /// Most counted runs of an arm.
    rounds: usize,
    /// `measure.precision`, where that was asked for.
    precision: Option<PrecisionOut>,
}

#[derive(Serialize)]
struct PrecisionOut {
    /// Half the width of the widest interval, as a share of its ratio: asked for, and in the end.
    wanted: f64,
    reached: Option<f64>,
    rounds: u32,
    /// `precision`, `max_repeats`, `max_time`, `nothing_to_compare`; null where it was aborted.
    ended_because: Option<&'static str>,
}

/// A trend over the runs of an arm.
#[derive(Serialize)]
pub(super) struct DriftOut {
    /// Last rate / first rate on the line through all of them, less 1.
    change: f64,
    runs: usize,
    p: f64,
}

impl DriftOut {
    pub(super) fn of(remark: &Remark) -> Option<Self> {
        let Remark::Drift(Drift { change, runs, p }) = *remark else { return None };
        Some(Self { change, runs, p })
    }
}

impl MeasurementOut {
    pub(super) fn of(results: &Results) -> Self {
        let rounds = results.arms.iter().map(|arm| arm.runs.len()).max().unwrap_or(0);
        Self {
            interval: interval(!results.looks.is_one(rounds)),
            rounds,
            precision: results.precision.map(|found| PrecisionOut {
                wanted: found.wanted,
                reached: found.reached,
                rounds: found.rounds,
                ended_because: found.end.map(PrecisionEnd::word),
            }),
        }
    }
}

pub(in crate::report) fn interval(always_valid: bool) -> &'static str {
    if always_valid { "always_valid" } else { "fixed_rounds" }
}

pub(super) fn best(results: &Results) -> Option<BestOut<'_>> {
    let best = results.best().filter(|_| results.arms.len() > 2)?;
    let name = |arm: usize| results.arms.get(arm).map(|arm| arm.spec.name.as_str());
    let names = |arms: Vec<usize>| arms.into_iter().filter_map(name).collect();
    Some(BestOut {
        arm: name(best.arm)?,
        ties: names(best.ties),
        open: names(best.open),
        comparisons: results.arms.len() - 1,
        suspect: best.suspect,
    })
}

/// Throughput of every arm, then percentiles.
pub(super) fn all<'a>(verdicts: &'a [Verdict], results: &'a Results) -> Vec<ComparisonOut<'a>> {
    let throughput = verdicts.iter().filter_map(|verdict| throughput(verdict, results));
    let latencies = results.latencies();
    let latencies = latencies.iter().filter_map(|found| latency(found, results));
    throughput.chain(latencies).collect()
}

/// Percentiles of every arm, class by class.
pub(super) fn of_classes(results: &Results) -> Vec<ComparisonOut<'_>> {
    results.latencies_of_classes().iter().filter_map(|found| latency(found, results)).collect()
}

fn throughput<'a>(verdict: &'a Verdict, results: &'a Results) -> Option<ComparisonOut<'a>> {
    let arms = &results.arms;
    let share =
        |found: &Unsuccessful| Some(UnsuccessfulOut { arm: &arms.get(found.arm)?.spec.name, share: found.share });
    Some(ComparisonOut {
        metric: "throughput".to_owned(),
        class: None,
        arm: &arms.get(verdict.arm)?.spec.name,
        baseline: &arms.get(verdict.baseline)?.spec.name,
        ratio: verdict.ratio,
        ci95: verdict.ci95.map(<[f64; 2]>::from),
        difference_s: None,
        interval: interval(verdict.always_valid),
        p: verdict.p.map(|p| p.single),
        p_corrected: verdict.p.map(|p| p.corrected),
        comparisons: verdict.p.map(|p| p.comparisons),
        rank_p: verdict.rank_p,
        verdict: finding_word(verdict.finding),
        pairs: verdict.pairs,
        suspect_pairs: verdict.suspect,
        too_few_tasks: None,
        reasons: verdict.reasons.iter().map(Lint::name).collect(),
        unsuccessful: verdict.unsuccessful.iter().filter_map(share).collect(),
        no_pair_because: results.no_pair_because(verdict),
    })
}

fn latency<'a>(found: &LatencyVerdict, results: &'a Results) -> Option<ComparisonOut<'a>> {
    let p = |pick: fn(P) -> f64| found.p.map(pick);
    Some(ComparisonOut {
        metric: format!("{}_p{}", latencies::name(found.from), found.percentile),
        class: found.class.and_then(|place| results.name_of_class(place)),
        arm: &results.arms.get(found.arm)?.spec.name,
        baseline: &results.arms.get(found.baseline)?.spec.name,
        ratio: found.ratio,
        ci95: found.ratio_ci95.map(<[f64; 2]>::from),
        difference_s: found
            .difference
            .map(|mean| DifferenceOut { mean, ci95: found.difference_ci95.map(<[f64; 2]>::from) }),
        interval: interval(!results.looks.is_one(found.pairs)),
        p: p(|p| p.single),
        p_corrected: p(|p| p.corrected),
        comparisons: found.p.map(|p| p.comparisons),
        rank_p: None,
        verdict: finding_word(found.finding),
        pairs: found.pairs,
        suspect_pairs: found.suspect,
        too_few_tasks: found.too_few,
        reasons: Vec::new(),
        unsuccessful: Vec::new(),
        no_pair_because: None,
    })
}

pub(crate) fn finding_word(finding: Finding) -> &'static str {
    match finding {
        Finding::TooEarly => "too_early",
        Finding::NoClearDifference => "no_clear_difference",
        Finding::Faster => "faster",
        Finding::Slower => "slower",
    }
}
