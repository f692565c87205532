//! `poolscope history export`: sessions with all their figures as JSON, or a line of CSV for each run.

use serde_json::json;

use super::{open, refused, session, table, target};
use crate::cli::{ExportArgs, ExportFormat};
use crate::commands::prepare::Prepared;
use crate::commands::{ExitReason, write};
use crate::history::query::Filter;
use crate::history::record::{Arm, Run, Session};
use crate::report::csv::plain;

const COLUMNS: [&str; 30] = [
    "session",
    "started",
    "verb",
    "workload",
    "workload_hash",
    "stream_hash",
    "seed",
    "host",
    "fingerprint",
    "program",
    "commit",
    "dirty",
    "arm",
    "engine",
    "workers",
    "run",
    "round",
    "partial",
    "wall_s",
    "throughput",
    "succeeded",
    "unsuccessful",
    "cores_used",
    "latency",
    "p50_s",
    "p95_s",
    "p99_s",
    "peak_pss_bytes",
    "results_hash",
    "suspect",
];

pub(super) fn execute(arguments: &ExportArgs) -> Prepared<ExitReason> {
    let store = open(arguments.db.as_deref())?;
    let mut sessions = match arguments.ids.as_slice() {
        [] => store.sessions(&Filter { workload: arguments.workload.clone(), most: None }).map_err(refused)?,
        ids => ids.iter().map(|id| session(&store, *id)).collect::<Result<_, _>>()?,
    };
    if let Some(name) = &arguments.workload {
        sessions.retain(|session| session.start.workload.name == *name);
    }
    sessions.sort_by_key(|session| session.id);
    let target = target(Some(store.path()), arguments.output.as_deref())?;
    let text = match arguments.format {
        ExportFormat::Json => {
            let all: Vec<_> = sessions.iter().map(|session| table::session(session, true)).collect();
            format!("{:#}\n", table::document(json!({ "sessions": all })))
        }
        ExportFormat::Csv => csv(&sessions).ok_or_else(|| {
            write::say("error: the table cannot be written");
            ExitReason::Aborted
        })?,
    };
    Ok(target.deliver(&text))
}

fn csv(sessions: &[Session]) -> Option<String> {
    let mut out = csv::Writer::from_writer(Vec::new());
    out.write_record(COLUMNS).ok()?;
    for session in sessions {
        for arm in session.end().map_or(&[][..], |end| &end.arms) {
            for (number, run) in (1..).zip(&arm.runs) {
                out.write_record(record(session, arm, number, run)).ok()?;
            }
        }
    }
    String::from_utf8(out.into_inner().ok()?).ok()
}

fn record(session: &Session, arm: &Arm, number: usize, run: &Run) -> [String; COLUMNS.len()] {
    let (start, end) = (&session.start, session.end());
    let text = |text: Option<&String>| text.cloned().unwrap_or_default();
    let number_of = |value: Option<f64>| {
        value.filter(|value| value.is_finite()).map_or_else(String::new, |value| value.to_string())
    };
    let commit = start.commit.as_ref();
    [
        session.id.to_string(),
        start.at.to_string(),
        plain(&start.verb),
        plain(&start.workload.name),
        start.workload.hash.clone(),
        text(end.map(|end| &end.stream_hash)),
        start.workload.seed.to_string(),
        plain(&start.host.name),
        plain(&start.host.fingerprint()),
        plain(&start.host.program),
        text(commit.map(|commit| &commit.id)),
        commit.and_then(|commit| commit.dirty).map_or_else(String::new, |dirty| dirty.to_string()),
        plain(&arm.name),
        plain(&arm.engine),
        arm.workers.to_string(),
        number.to_string(),
        run.round.to_string(),
        (!run.complete).to_string(),
        number_of(Some(run.wall_s)),
        number_of(Some(run.throughput)),
        run.succeeded.to_string(),
        run.unsuccessful.to_string(),
        number_of(Some(run.cores_used)),
        text(end.map(|end| &end.latency)),
        number_of(run.p50_s),
        number_of(run.p95_s),
        number_of(run.p99_s),
        run.peak_pss_bytes.map_or_else(String::new, |bytes| bytes.to_string()),
        text(run.results_hash.as_ref()),
        plain(&run.suspect.join("; ")),
    ]
}
