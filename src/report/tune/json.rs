//! A search as JSON, schema `poolscope.tune/1`: names and meanings stay, fields may be added.
//!
//! Units are those of `poolscope.result/1`. `result` is `null` where the search was ended before it found anything; `met` is `null`
//! where it cannot be told. `place` is between which values a break-even (seconds) or a knee (tasks per second) lies, an end
//! being `null` where it lies beyond what was tried.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Outcome, TuneResults, TuneStep};
use crate::report::json::{EstimateOut, HostOut, WorkloadOut, host_out, pretty, workload_out};

/// Name of the schema.
pub(crate) const SCHEMA: &str = "poolscope.tune/1";

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    version: &'static str,
    workload: WorkloadOut<'a>,
    host: HostOut<'a>,
    target: &'a str,
    steps: Vec<StepOut<'a>>,
    result: Option<ResultOut<'a>>,
    /// Counted runs.
    runs: u32,
    suspect_runs: u32,
    aborted: bool,
    aborted_because: Option<String>,
}

#[derive(Serialize)]
struct StepOut<'a> {
    tried: &'a str,
    why: &'a str,
    runs: u32,
    throughput: EstimateOut,
    figure: Option<&'a str>,
}

#[derive(Serialize)]
struct ResultOut<'a> {
    met: Option<bool>,
    engine: Option<&'a str>,
    workers: Option<u32>,
    settings: BTreeMap<&'a str, &'a str>,
    set: &'a [String],
    place: Option<PlaceOut>,
    words: &'a str,
    why: &'a str,
}

#[derive(Serialize)]
struct PlaceOut {
    unit: &'static str,
    low: Option<f64>,
    high: Option<f64>,
}

/// The document as text, indented, with a newline at its end. Characters that would control a terminal are escaped.
#[must_use]
pub(crate) fn text(results: &TuneResults) -> String {
    let TuneResults { workload, host, stream_hash, tasks, target, steps, outcome, ending, suspect, .. } = results;
    pretty(&Document {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION"),
        workload: workload_out(workload, stream_hash, *tasks),
        host: host_out(host),
        target,
        steps: steps.iter().map(step).collect(),
        result: outcome.as_ref().map(result),
        runs: results.runs(),
        suspect_runs: *suspect,
        aborted: ending.aborted().is_some(),
        aborted_because: ending.aborted(),
    })
}

fn step(TuneStep { what, why, runs, rate, figure }: &TuneStep) -> StepOut<'_> {
    StepOut { tried: what, why, runs: *runs, throughput: EstimateOut::from(*rate), figure: figure.as_deref() }
}

fn result(outcome: &Outcome) -> ResultOut<'_> {
    let Outcome { words, why, met, engine, workers, settings, set, place } = outcome;
    ResultOut {
        met: *met,
        engine: engine.as_deref(),
        workers: *workers,
        settings: settings.iter().map(|(path, value)| (path.as_str(), value.as_str())).collect(),
        set,
        place: place.map(|place| PlaceOut { unit: place.unit, low: place.low, high: place.high }),
        words,
        why,
    }
}
