//! The whole distributions of a session's runs, out of their recordings: percentiles over all tasks of an arm.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::history::record::Session;
use crate::history::{HistoryError, Store};
use crate::metrics::distribution::Distribution;
use crate::metrics::kept;
use crate::metrics::recording::Recording;
use crate::metrics::snapshot::Snapshot;
use crate::report::units;

/// The percentiles that are told.
const PERCENTILES: [f64; 5] = [50.0, 90.0, 99.0, 99.9, 100.0];

/// The leading latency of all tasks of each arm of a session, in the order of its arms; `None` where that is not known: of an
/// arm without whole runs, or with a recording that is missing or cannot be read.
///
/// # Errors
/// When it cannot be read.
pub(super) fn latencies(store: &Store, session: &Session) -> Result<Vec<Option<Distribution>>, HistoryError> {
    let Some(end) = session.end() else { return Ok(Vec::new()) };
    let mut recordings = store.recordings(session.id)?.into_iter();
    let arm = |arm: &crate::history::record::Arm| {
        let own: Vec<Option<Vec<u8>>> = recordings.by_ref().take(arm.runs.len()).collect();
        let whole = arm.runs.iter().zip(own).filter(|(run, _)| run.complete);
        let runs: Option<Vec<Arc<Snapshot>>> = whole.map(|(_, bytes)| last(&bytes?)).collect();
        let all = kept::together(&runs?)?;
        let distribution = if end.latency == "service" { all.all.service } else { all.all.sojourn };
        (distribution.count() > 0).then_some(distribution)
    };
    Ok(end.arms.iter().map(arm).collect())
}

/// The last moment of a run.
fn last(bytes: &[u8]) -> Option<Arc<Snapshot>> {
    Recording::read(bytes).ok()?.track.frames.pop()
}

fn quantile(of: &Distribution, percentile: f64) -> Duration {
    of.quantile(percentile / 100.0)
}

/// `p50 6.2 ms, p90 …, most 9.0 ms of 1500 tasks`.
pub(super) fn words(of: &Distribution) -> String {
    let name = |percentile: f64| if percentile < 100.0 { format!("p{percentile}") } else { "most".to_owned() };
    let parts =
        PERCENTILES.map(|percentile| format!("{} {}", name(percentile), units::duration(quantile(of, percentile))));
    format!("{} of {} tasks", parts.join(", "), of.count())
}

pub(super) fn json(of: &Distribution) -> Value {
    let figures =
        PERCENTILES.map(|percentile| (format!("p{percentile}_s"), quantile(of, percentile).as_secs_f64().into()));
    let mut all: serde_json::Map<String, Value> = figures.into_iter().collect();
    all.insert("count".to_owned(), json!(of.count()));
    Value::Object(all)
}
