//! `poolscope history export`: sessions with all their figures as JSON, or a line of CSV for each run.

use std::collections::BTreeSet;
use std::io;
use std::ops::ControlFlow;

use serde_json::json;

use super::{no_session, open, refused, table};
use crate::cli::{ExportArgs, ExportFormat};
use crate::commands::ExitReason;
use crate::commands::prepare::Prepared;
use crate::commands::target::Target;
use crate::history::Store;
use crate::history::query::{Filter, Order};
use crate::history::record::{Arm, Run, Session, SessionId};
use crate::report::csv::plain;

const COLUMNS: [&str; 29] = [
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

/// Takes a piece of what is written.
type Write<'a> = &'a mut dyn FnMut(&str) -> io::Result<()>;

pub(super) fn execute(arguments: &ExportArgs) -> Prepared<ExitReason> {
    let store = open(arguments.db.as_deref())?;
    for id in &arguments.ids {
        if !store.has(*id).map_err(refused)? {
            return Err(no_session(&store, *id));
        }
    }
    let target = Target::beside_history(arguments.output.as_deref(), store.path())?;
    target.deliver_pieces(|write| match arguments.format {
        ExportFormat::Json => json(&store, arguments, write),
        ExportFormat::Csv => csv(&store, arguments, write),
    })
}

/// Hands out what is wanted, the oldest first: one session is in memory at a time. `Ok(Err)`: it cannot be written.
fn each(
    store: &Store,
    arguments: &ExportArgs,
    mut with: impl FnMut(&Session) -> io::Result<()>,
) -> Prepared<io::Result<()>> {
    let mut written = Ok(());
    if arguments.ids.is_empty() {
        let brief = arguments.format == ExportFormat::Csv;
        let filter = Filter { workload: arguments.workload.clone(), brief, ..Filter::default() };
        let read = store.each(&filter, Order::OldestFirst, |session| {
            written = with(&session);
            if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        return read.map(|()| written).map_err(refused);
    }
    let ids: BTreeSet<SessionId> = arguments.ids.iter().copied().collect();
    for id in ids {
        // One that has gone since it was looked for is not there.
        let session = store.session(id).map_err(refused)?;
        let wanted =
            |session: &Session| arguments.workload.as_ref().is_none_or(|name| session.start.workload.name == *name);
        if let (Some(session), Ok(())) = (session.filter(wanted), &written) {
            written = with(&session);
        }
    }
    Ok(written)
}

/// As serde_json would write the document as a whole.
fn json(store: &Store, arguments: &ExportArgs, write: Write<'_>) -> Prepared<io::Result<()>> {
    let whole = format!("{:#}\n", table::document(json!({ "sessions": [] })));
    let Some((head, tail)) = whole.split_once("[]") else { return Ok(Err(io::Error::other("no place for sessions"))) };
    if let Err(error) = write(head).and_then(|()| write("[")) {
        return Ok(Err(error));
    }
    let mut any = false;
    let written = each(store, arguments, |session| {
        let text = format!("{:#}", table::session(session, true)).replace('\n', "\n    ");
        let comma = if any { "," } else { "" };
        any = true;
        write(&format!("{comma}\n    {text}"))
    })?;
    let end = if any { "\n  ]" } else { "]" };
    Ok(written.and_then(|()| write(end)).and_then(|()| write(tail)))
}

fn csv(store: &Store, arguments: &ExportArgs, write: Write<'_>) -> Prepared<io::Result<()>> {
    let mut lines = |records: &mut dyn Iterator<Item = [String; COLUMNS.len()]>| -> io::Result<()> {
        let mut out = csv::Writer::from_writer(Vec::new());
        for record in records {
            out.write_record(record)?;
        }
        let bytes = out.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
        write(&String::from_utf8(bytes).map_err(io::Error::other)?)
    };
    if let Err(error) = lines(&mut std::iter::once(COLUMNS.map(str::to_owned))) {
        return Ok(Err(error));
    }
    each(store, arguments, |session| {
        let arms = session.end().map_or(&[][..], |end| &end.arms).iter();
        let runs = arms.flat_map(|arm| arm.runs.iter().map(move |run| (arm, run)));
        lines(&mut runs.map(|(arm, run)| record(session, arm, run)))
    })
}

fn record(session: &Session, arm: &Arm, run: &Run) -> [String; COLUMNS.len()] {
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
