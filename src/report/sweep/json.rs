//! A sweep as JSON, schema `poolscope.sweep/1`: names and meanings stay, fields may be added.
//!
//! Units and hashes are those of `poolscope.result/1`; what was not measured is `null`. `gain` is the throughput over that
//! of the next lower count, less 1; `speedup` is over that of one worker, `efficiency` that over the workers. `fit` is that of
//! the Universal Scalability Law ([`crate::analysis::usl`]), `serial` its like by Amdahl's law; `null` where there is none, and
//! `no_fit` says why. It may be `trusted` for counts of that range alone. `recommendation.advice` is `use` (`use` holds the count), `rising`, `unclear` or
//! `nothing`; `best` has the highest mean, `next` is worth trying.

use std::collections::BTreeMap;

use serde::Serialize;

use super::words::DROPPED;
use super::{SweepResults, SweptArm};
use crate::analysis::tuning::arms::{AtCounts, Basis};
use crate::analysis::tuning::{Advice, Point, RULE, Tuning};
use crate::analysis::usl::{Fit, Parameter};
use crate::report::json::comparison::{finding_word, interval};
use crate::report::json::expectations::{self, ExpectationOut};
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
    /// Fields that were swept.
    dimensions: Vec<DimensionOut<'a>>,
    arms: Vec<ArmOut<'a>>,
    comparison: Vec<ComparisonOut<'a>>,
    /// With the counts that are recommended (see `poolscope.result/1`).
    expectations: Vec<ExpectationOut<'a>>,
    rule: &'static str,
    /// Why points are `dropped`, if any is.
    dropped_because: Option<&'static str>,
    /// Whether it was ended before its last run.
    aborted: bool,
    aborted_because: Option<String>,
}

#[derive(Serialize)]
struct DimensionOut<'a> {
    field: &'a str,
    values: &'a [String],
}

#[derive(Serialize)]
struct ArmOut<'a> {
    name: &'a str,
    /// Name of its engine in the file, and the fields that were swept with the values that it had.
    base: &'a str,
    settings: BTreeMap<&'a str, &'a str>,
    engine: EngineKind,
    points: Vec<PointOut<'a>>,
    fit: Option<FitOut>,
    no_fit: Option<String>,
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
    speedup: Option<f64>,
    efficiency: Option<f64>,
    cores_used: Option<f64>,
    sojourn_p95_s: Option<f64>,
    startup_share: Option<f64>,
    peak_pss_bytes: Option<u64>,
    /// Tasks, all runs together.
    unsuccessful: u64,
    all_failed: Option<AllFailedOut<'a>>,
    /// Whether no more runs were made of it because it was clearly bad.
    dropped: bool,
    /// The first reason of each suspect run.
    suspect: &'a [String],
}

#[derive(Serialize)]
struct FitOut {
    lambda: f64,
    sigma: ParameterOut,
    kappa: ParameterOut,
    serial: Option<ParameterOut>,
    r_squared: f64,
    lack_of_fit_p: Option<f64>,
    measured: [u32; 2],
    trusted: [u32; 2],
    /// The count with the highest rate, where it is within that range.
    peak: Option<f64>,
    runs: usize,
}

#[derive(Serialize)]
struct ParameterOut {
    value: f64,
    ci95: [f64; 2],
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
    /// `fixed_rounds` holds at the planned number of runs, `always_valid` whenever one looks (additive to version 1).
    interval: &'static str,
    /// Two-sided, of no difference: by itself, and corrected for so many comparisons at once by Holm's method, which is what
    /// the verdict follows (additive to version 1).
    p: Option<f64>,
    p_corrected: Option<f64>,
    comparisons: Option<usize>,
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
        dimensions: results
            .dimensions
            .iter()
            .map(|one| DimensionOut { field: &one.path, values: &one.values })
            .collect(),
        arms: results.arms.iter().map(arm).collect(),
        comparison: results.compared().map(|(baseline, arm, found)| comparison(baseline, arm, &found)).collect(),
        expectations: expectations::all(&results.expectations),
        rule: RULE,
        dropped_because: results.dropped().next().map(|_| DROPPED),
        aborted: ending.aborted().is_some(),
        aborted_because: ending.aborted(),
    })
}

fn arm(arm: &SweptArm) -> ArmOut<'_> {
    let Tuning { points, advice, why, next, complete: _, fit } = &*arm.tuning;
    let (workers, best) = match *advice {
        Advice::Nothing => (None, None),
        Advice::Rising { best } | Advice::Unclear { best } => (None, Some(best)),
        Advice::Use { workers, best } => (Some(workers), Some(best)),
    };
    ArmOut {
        name: &arm.spec.name,
        base: &arm.base,
        settings: arm.settings.iter().map(|(path, value)| (path.as_str(), value.as_str())).collect(),
        engine: arm.spec.kind,
        points: points.iter().map(|one| point(one, &arm.tuning)).collect(),
        fit: fit.as_ref().ok().map(fit_out),
        no_fit: fit.as_ref().err().map(ToString::to_string),
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

fn fit_out(fit: &Fit) -> FitOut {
    let parameter = |Parameter { value, ci95 }| ParameterOut { value, ci95: ci95.into() };
    FitOut {
        lambda: fit.lambda,
        sigma: parameter(fit.sigma),
        kappa: parameter(fit.kappa),
        serial: fit.serial.map(parameter),
        r_squared: fit.r_squared,
        lack_of_fit_p: fit.lack_p,
        measured: fit.measured.into(),
        trusted: fit.trusted().into(),
        peak: fit.peak(),
        runs: fit.runs,
    }
}

fn point<'a>(point: &'a Point, tuning: &Tuning) -> PointOut<'a> {
    let measured = |figure: f64| point.rate.map(|_| figure);
    PointOut {
        workers: point.workers,
        runs: point.runs(),
        throughput: EstimateOut::from(point.rate),
        gain: tuning.gain(point.workers),
        speedup: tuning.speedup(point.workers),
        efficiency: tuning.efficiency(point.workers),
        cores_used: measured(point.cores_used),
        sojourn_p95_s: point.sojourn_p95.map(seconds),
        startup_share: measured(point.worker_time.shares().1),
        peak_pss_bytes: point.peak_pss_bytes,
        unsuccessful: point.unsuccessful,
        all_failed: point.all_failed.as_ref().map(|found| AllFailedOut { tasks: found.tasks, cause: &found.cause }),
        dropped: point.dropped,
        suspect: &point.suspect,
    }
}

fn comparison<'a>(baseline: &'a SweptArm, arm: &'a SweptArm, found: &AtCounts) -> ComparisonOut<'a> {
    let AtCounts { baseline: baseline_workers, arm: arm_workers, basis, comparison, p, finding } = *found;
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
        interval: interval(comparison.always_valid),
        p: p.map(|p| p.single),
        p_corrected: p.map(|p| p.corrected),
        comparisons: p.map(|p| p.comparisons),
        verdict: finding_word(finding),
        pairs: comparison.pairs,
        suspect_pairs: comparison.suspect,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::report::sweep::fixtures::{settings, sweep, tuning};

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
            "speedup",
            "efficiency",
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
        let arm = &document["arms"][0];
        assert_eq!(
            (&arm["fit"], &point["efficiency"].as_f64().map(|it| (it * 100.0).round())),
            (&Value::Null, &Some(98.0))
        );
        assert_eq!(arm["no_fit"], "no fit: 3 counts were measured, 4 are the least");
        let rising = &document["arms"][1]["recommendation"];
        assert_eq!((&rising["advice"], &rising["use"], &rising["best"]), (&"rising".into(), &Value::Null, &4.into()));
        let comparison = &document["comparison"][0];
        assert_eq!((&comparison["arm"], &comparison["baseline"]), (&"process".into(), &"pool".into()));
        assert_eq!((&comparison["basis"], &comparison["arm_workers"]), (&"equal".into(), &4.into()));
        assert_eq!((&document["aborted"], &document["rule"]), (&false.into(), &RULE.into()));
    }

    #[test]
    fn a_fit_has_its_intervals_and_where_it_may_be_trusted() {
        let mut results = sweep();
        results.arms[0].tuning = std::sync::Arc::new(tuning(&[(1, 10.0), (2, 5.2), (4, 2.8), (8, 1.9)]));
        let fit = &document(&results)["arms"][0]["fit"];
        for of in ["sigma", "kappa", "serial"] {
            let (value, low) = (fit[of]["value"].as_f64(), fit[of]["ci95"][0].as_f64());
            assert!(value.is_some() && low <= value && value <= fit[of]["ci95"][1].as_f64(), "{fit}");
        }
        assert_eq!((&fit["measured"], &fit["trusted"], &fit["runs"]), (&[1, 8].into(), &[1, 16].into(), &12.into()));
        assert!(fit["r_squared"].as_f64() > Some(0.9) && fit["lambda"].as_f64() > Some(90.0), "{fit}");
    }

    #[test]
    fn settings_and_what_was_dropped() {
        let mut results = settings();
        std::sync::Arc::make_mut(&mut results.arms[0].tuning).points[0].dropped = true;
        let document = document(&results);
        assert_eq!(document["dimensions"], serde_json::json!([{ "field": "chunksize", "values": ["1", "16"] }]));
        let arm = &document["arms"][1];
        assert_eq!((&arm["base"], &arm["settings"]["chunksize"]), (&"pool".into(), &"16".into()));
        let dropped = |arm: usize| document["arms"][arm]["points"][0]["dropped"] == true;
        assert!(dropped(0) && !dropped(1) && document["dropped_because"].is_string(), "{document}");
        let pairs: Vec<_> =
            document["comparison"].as_array().unwrap().iter().map(|one| [&one["arm"], &one["baseline"]]).collect();
        assert_eq!(pairs, [["process chunksize=1", "pool chunksize=1"], ["process chunksize=16", "pool chunksize=16"]]);
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
