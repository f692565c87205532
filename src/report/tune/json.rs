//! A search as JSON, schema `poolscope.tune/1`: names and meanings stay, fields may be added.
//!
//! Units are those of `poolscope.result/1`. `result` is `null` where the search was ended before it found anything; `met` is `null`
//! where it cannot be told, and where it was ended before it could be: `words` has what is known then. `suspect` tells whether the
//! result rests on suspect runs. `figure` is what a limit is about, of the count that is named: where none meets the limit, that
//! of the one that comes closest. `compared` has the arms of a break-even with their worker counts (`null`: no limit). `place` is between which values a break-even (seconds) or a knee (tasks per second) lies, an end
//! being `null` where it lies beyond what was tried.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Outcome, TuneResults, TuneStep};
use crate::analysis::tuning::found::Distance;
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
    suspect_runs: u32,
    throughput: EstimateOut,
    figure: Option<&'a str>,
}

#[derive(Serialize)]
struct ResultOut<'a> {
    met: Option<bool>,
    suspect: bool,
    engine: Option<&'a str>,
    workers: Option<u32>,
    settings: BTreeMap<&'a str, &'a str>,
    set: &'a [String],
    figure: Option<FigureOut>,
    compared: Vec<ComparedOut<'a>>,
    place: Option<PlaceOut>,
    words: &'a str,
    why: &'a str,
}

#[derive(Serialize)]
struct FigureOut {
    metric: &'static str,
    unit: &'static str,
    value: f64,
    limit: f64,
    /// Of `value` to `limit`.
    ratio: f64,
}

#[derive(Serialize)]
struct ComparedOut<'a> {
    engine: &'a str,
    workers: Option<u32>,
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
    let TuneResults { workload, host, stream_hash, tasks, target, steps, outcome, ending, .. } = results;
    pretty(&Document {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION"),
        workload: workload_out(workload, stream_hash, *tasks),
        host: host_out(host),
        target,
        steps: steps.iter().map(step).collect(),
        result: outcome.as_ref().map(result),
        runs: results.runs(),
        suspect_runs: results.suspect(),
        aborted: ending.aborted().is_some(),
        aborted_because: ending.aborted(),
    })
}

fn step(TuneStep { what, why, runs, suspect, rate, figure }: &TuneStep) -> StepOut<'_> {
    let throughput = EstimateOut::from(*rate);
    StepOut { tried: what, why, runs: *runs, suspect_runs: *suspect, throughput, figure: figure.as_deref() }
}

fn result(outcome: &Outcome) -> ResultOut<'_> {
    let Outcome { words, why, met, suspect, distance, compared, engine, workers, settings, set, place } = outcome;
    let figure = |distance: &Distance| {
        let Distance { value, limit, metric, unit } = *distance;
        FigureOut { metric, unit, value, limit, ratio: distance.ratio() }
    };
    ResultOut {
        met: *met,
        suspect: *suspect,
        engine: engine.as_deref(),
        workers: *workers,
        settings: settings.iter().map(|(path, value)| (path.as_str(), value.as_str())).collect(),
        set,
        figure: distance.as_ref().map(figure),
        compared: compared.iter().map(|(engine, workers)| ComparedOut { engine, workers: *workers }).collect(),
        place: place.map(|place| PlaceOut { unit: place.unit, low: place.low, high: place.high }),
        words,
        why,
    }
}
