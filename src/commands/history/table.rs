//! What lists and pages of the history share: moments, states and figures in few characters, and sessions as JSON.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::SCHEMA;
use crate::analysis::statistics::estimate;
use crate::history::record::{Arm, Commit, Run, Session, State};
use crate::report::units;

/// `2026-11-23 05:41`, in UTC.
pub(super) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M").to_string()
}

/// The first digits of a commit, `+` where files differ from it, `?` where that is not known.
pub(super) fn commit(commit: &Commit) -> String {
    let mark = match commit.dirty {
        Some(true) => "+",
        Some(false) => "",
        None => "?",
    };
    format!("{}{mark}", commit.id.get(..9).unwrap_or(&commit.id))
}

/// Mean and half the width of its 95 % interval: `97.1 ± 0.6`.
pub(super) fn rate(arm: &Arm) -> String {
    let Some(found) = estimate(&arm.figures(|run| Some(run.throughput))) else { return "–".to_owned() };
    let half = found.ci95.map_or_else(String::new, |(low, high)| format!(" ± {}", units::rate((high - low) / 2.0)));
    format!("{}{half}", units::rate(found.mean))
}

/// The mean of a time over the runs.
pub(super) fn time(arm: &Arm, figure: fn(&Run) -> Option<f64>) -> String {
    let mean = estimate(&arm.figures(figure)).map(|found| found.mean);
    mean.and_then(|mean| std::time::Duration::try_from_secs_f64(mean).ok()).map_or("–".to_owned(), units::duration)
}

/// What is to be known about a session before its figures are believed.
pub(super) fn state(session: &Session) -> Option<String> {
    match &session.state {
        State::Running => Some("under way".to_owned()),
        State::DidNotEnd => Some("did not end: its program was killed".to_owned()),
        State::Ended(end) => match (&end.aborted, end.sharing_cores) {
            (Some(why), _) => Some(format!("aborted: {why}")),
            (None, true) => Some("arms shared the cores: no measurement".to_owned()),
            (None, false) => None,
        },
    }
}

/// The document that sessions are in.
pub(super) fn document(more: Value) -> Value {
    let mut document = json!({ "schema": SCHEMA, "version": env!("CARGO_PKG_VERSION") });
    if let (Value::Object(document), Value::Object(more)) = (&mut document, more) {
        document.extend(more);
    }
    document
}

/// A session; with the text of its workload and its whole result if wanted.
pub(super) fn session(session: &Session, whole: bool) -> Value {
    let (start, end) = (&session.start, session.end());
    let workload = &start.workload;
    let state = match &session.state {
        State::Running => "running",
        State::DidNotEnd => "did_not_end",
        State::Ended(end) if end.aborted.is_some() => "aborted",
        State::Ended(_) => "finished",
    };
    let mut out = json!({
        "id": session.id,
        "verb": start.verb,
        "state": state,
        "started": start.at.to_string(),
        "ended": end.map(|end| end.at.to_string()),
        "aborted_because": end.and_then(|end| end.aborted.clone()),
        "workload": {
            "name": workload.name,
            "title": workload.title,
            "hash": workload.hash,
            "stream_hash": end.map(|end| &end.stream_hash),
            "seed": workload.seed,
            "set": workload.set,
        },
        "host": start.host,
        "commit": start.commit.as_ref().map(|commit| json!({ "id": commit.id, "dirty": commit.dirty })),
        "sharing_cores": end.is_some_and(|end| end.sharing_cores),
        "latency": end.map(|end| &end.latency),
        "arms": end.map_or_else(Vec::new, |end| end.arms.iter().map(arm).collect()),
    });
    if whole {
        out["workload"]["text"] = workload.text.clone().into();
        // It was written by this program; one that is none stays visible as text.
        out["result"] = end
            .map_or(Value::Null, |end| serde_json::from_str(&end.result).unwrap_or_else(|_| end.result.clone().into()));
    }
    out
}

fn arm(arm: &Arm) -> Value {
    json!({
        "name": arm.name,
        "engine": arm.engine,
        "workers": arm.workers,
        "settings": arm.settings,
        "baseline": arm.is_baseline,
        "runs": arm.runs.iter().map(run).collect::<Vec<_>>(),
    })
}

fn run(run: &Run) -> Value {
    json!({
        "round": run.round,
        "partial": !run.complete,
        "wall_s": run.wall_s,
        "throughput": run.throughput,
        "succeeded": run.succeeded,
        "unsuccessful": run.unsuccessful,
        "cores_used": run.cores_used,
        "p50_s": run.p50_s,
        "p95_s": run.p95_s,
        "p99_s": run.p99_s,
        "peak_pss_bytes": run.peak_pss_bytes,
        "results_hash": run.results_hash,
        "suspect": run.suspect,
    })
}
