//! A sweep as JSON, schema `poolscope.sweep/1`: names and meanings stay, fields may be added.
//!
//! Units and hashes are those of `poolscope.result/1`; what was not measured is `null`. `gain` is the throughput over that
//! of the next lower count, less 1. `recommendation.advice` is `use` (`use` holds the count), `rising`, `unclear` or
//! `nothing`; `best` has the highest mean, `next` is worth trying.

use serde::Serialize;

use super::{SweepResults, SweptArm};
use crate::analysis::tuning::arms::{AtCounts, Basis};
use crate::analysis::tuning::{Advice, Point, RULE, Tuning};
use crate::report::json::comparison::finding_word;
use crate::report::json::{EstimateOut, HostOut, WorkloadOut, host_out, pretty, seconds, workload_out};
use crate::workload::model::EngineKind;

/// Name of the schema.
pub(crate) const SCHEMA: &str = "poolscope.sweep/1";

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    version: &'static str,
    workload: WorkloadOut<'a>,
    host: HostOut<'a>,
    /// Counted runs that each count was to get.
    runs: u32,
    arms: Vec<ArmOut<'a>>,
    comparison: Vec<ComparisonOut<'a>>,
    rule: &'static str,
    /// Whether it was ended before its last run.
    aborted: bool,
    aborted_because: Option<String>,
}

#[derive(Serialize)]
struct ArmOut<'a> {
    name: &'a str,
    engine: EngineKind,
    points: Vec<PointOut<'a>>,
    recommendation: RecommendationOut<'a>,
    /// If not one task succeeded with any count.
    all_failed: Option<AllFailedOut<'a>>,
    /// The run that was cut off: in no point.
    partial: Option<PartialOut>,
}

#[derive(Serialize)]
struct PointOut<'a> {
    workers: u32,
    runs: u32,
    throughput: EstimateOut,
    gain: Option<f64>,
    cores_used: Option<f64>,
    sojourn_p95_s: Option<f64>,
    startup_share: Option<f64>,
    peak_pss_bytes: Option<u64>,
    /// Tasks, all runs together.
    unsuccessful: u64,
    all_failed: Option<AllFailedOut<'a>>,
    /// The first reason of each suspect run.
    suspect: &'a [String],
}

#[derive(Serialize)]
struct AllFailedOut<'a> {
    tasks: u64,
    cause: &'a str,
}

#[derive(Serialize)]
struct RecommendationOut<'a> {
    advice: &'static str,
    #[serde(rename = "use")]
    workers: Option<u32>,
    best: Option<u32>,
    next: Option<u32>,
    why: &'a str,
    /// Whether the count has suspect runs (additive to version 1).
    suspect: bool,
}

#[derive(Serialize)]
struct PartialOut {
    workers: u32,
    warmup: bool,
    finished: u64,
    tasks: u64,
}

#[derive(Serialize)]
struct ComparisonOut<'a> {
    metric: &'static str,
    arm: &'a str,
    arm_workers: u32,
    baseline: &'a str,
    baseline_workers: u32,
    /// `best` counts of both, measured in pairs; `equal` counts, measured in pairs; best counts measured `apart`.
    basis: &'static str,
    ratio: Option<f64>,
    ci95: Option<[f64; 2]>,
    verdict: &'static str,
    pairs: usize,
    /// Of these, with a suspect run (additive to version 1).
    suspect_pairs: usize,
}

/// The document as text, indented, with a newline at its end. Characters that would control a terminal are escaped.
#[must_use]
pub(crate) fn text(results: &SweepResults) -> String {
    let SweepResults { workload, host, stream_hash, runs, ending, .. } = results;
    pretty(&Document {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION"),
        workload: workload_out(workload, stream_hash, results.tasks().unwrap_or(0)),
        host: host_out(host),
        runs: *runs,
        arms: results.arms.iter().map(arm).collect(),
        comparison: results.compared().map(|(baseline, arm, found)| comparison(baseline, arm, &found)).collect(),
        rule: RULE,
        aborted: ending.aborted().is_some(),
        aborted_because: ending.aborted(),
    })
}

fn arm(arm: &SweptArm) -> ArmOut<'_> {
    let Tuning { points, advice, why, next, complete: _ } = &*arm.tuning;
    let (workers, best) = match *advice {
        Advice::Nothing => (None, None),
        Advice::Rising { best } | Advice::Unclear { best } => (None, Some(best)),
        Advice::Use { workers, best } => (Some(workers), Some(best)),
    };
    ArmOut {
        name: &arm.spec.name,
        engine: arm.spec.kind,
        points: points.iter().map(|one| point(one, &arm.tuning)).collect(),
        recommendation: RecommendationOut {
            advice: advice.word(),
            workers,
            best,
            next: *next,
            why,
            suspect: arm.tuning.is_suspect(),
        },
        all_failed: arm.all_failed().map(|found| AllFailedOut { tasks: found.tasks, cause: &found.cause }),
        partial: arm.partial.as_ref().map(|(workers, partial)| PartialOut {
            workers: *workers,
            warmup: partial.warmup,
            finished: crate::report::ending::made(&partial.run),
            tasks: partial.run.total,
        }),
    }
}

fn point<'a>(point: &'a Point, tuning: &Tuning) -> PointOut<'a> {
    let measured = |figure: f64| point.rate.map(|_| figure);
    PointOut {
        workers: point.workers,
        runs: point.runs(),
        throughput: EstimateOut::from(point.rate),
        gain: tuning.gain(point.workers),
        cores_used: measured(point.cores_used),
        sojourn_p95_s: point.sojourn_p95.map(seconds),
        startup_share: measured(point.worker_time.shares().1),
        peak_pss_bytes: point.peak_pss_bytes,
        unsuccessful: point.unsuccessful,
        all_failed: point.all_failed.as_ref().map(|found| AllFailedOut { tasks: found.tasks, cause: &found.cause }),
        suspect: &point.suspect,
    }
}

fn comparison<'a>(baseline: &'a SweptArm, arm: &'a SweptArm, found: &AtCounts) -> ComparisonOut<'a> {
    let AtCounts { baseline: baseline_workers, arm: arm_workers, basis, comparison } = *found;
    ComparisonOut {
        metric: "throughput",
        arm: &arm.spec.name,
        arm_workers,
        baseline: &baseline.spec.name,
        baseline_workers,
        basis: match basis {
            Basis::Best => "best",
            Basis::Equal => "equal",
            Basis::Apart => "apart",
        },
        ratio: comparison.ratio,
        ci95: comparison.ci95.map(<[f64; 2]>::from),
        verdict: finding_word(comparison.finding),
        pairs: comparison.pairs,
        suspect_pairs: comparison.suspect,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::report::sweep::fixtures::sweep;

    fn document(results: &SweepResults) -> Value {
        serde_json::from_str(&text(results)).expect("valid JSON")
    }

    #[test]
    fn every_documented_field() {
        let document = document(&sweep());
        assert_eq!((&document["schema"], &document["runs"]), (&Value::from(SCHEMA), &Value::from(3)));
        let fields = [
            "workers",
            "runs",
            "throughput",
            "gain",
            "cores_used",
            "sojourn_p95_s",
            "startup_share",
            "peak_pss_bytes",
            "unsuccessful",
            "suspect",
            "all_failed",
        ];
        let point = &document["arms"][0]["points"][1];
        for field in fields {
            assert!(point.get(field).is_some(), "{field}: {point}");
        }
        let (mean, low) = (&point["throughput"]["mean"], &point["throughput"]["ci95"][0]);
        assert!(low.as_f64() < mean.as_f64() && point["gain"].as_f64() > Some(0.9), "{point}");
        let advice = &document["arms"][0]["recommendation"];
        assert_eq!((&advice["advice"], &advice["use"]), (&Value::from("use"), &Value::from(2)));
        assert!(advice["why"].as_str().is_some_and(|why| !why.is_empty()));
        let rising = &document["arms"][1]["recommendation"];
        assert_eq!((&rising["advice"], &rising["use"], &rising["best"]), (&"rising".into(), &Value::Null, &4.into()));
        let comparison = &document["comparison"][0];
        assert_eq!((&comparison["arm"], &comparison["baseline"]), (&"process".into(), &"pool".into()));
        assert_eq!((&comparison["basis"], &comparison["arm_workers"]), (&"equal".into(), &4.into()));
        assert_eq!((&document["aborted"], &document["rule"]), (&false.into(), &RULE.into()));
    }

    #[test]
    fn what_was_not_measured_is_null() {
        let mut results = sweep();
        results.arms[0].tuning = Default::default();
        let document = document(&results);
        assert_eq!(document["arms"][0]["points"], Value::Array(Vec::new()));
        assert_eq!(document["arms"][0]["recommendation"]["advice"], "nothing");
        assert_eq!(document["comparison"], Value::Array(Vec::new()));
    }
}
