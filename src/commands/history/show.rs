//! `poolscope history show ID`: what a session has measured, and under which circumstances.

use serde_json::json;

use super::{deliver, open, refused, session, table, whole};
use crate::cli::ShowArgs;
use crate::commands::ExitReason;
use crate::commands::prepare::Prepared;
use crate::commands::target::Target;
use crate::history::record::{Arm, End, Run, Session};
use crate::history::{HistoryError, Store};
use crate::metrics::distribution::Distribution;
use crate::report::text::table::{pad, pad_left};
use crate::report::{clean, units};

pub(super) fn execute(arguments: &ShowArgs) -> Prepared<ExitReason> {
    let place = &arguments.place;
    let store = open(place.db.as_deref())?;
    let session = session(&store, arguments.id)?;
    if arguments.workload {
        let target = Target::beside_history(place.output.as_deref(), store.path())?;
        return Ok(target.deliver(&session.start.workload.text));
    }
    let latencies = whole::latencies(&store, &session).map_err(refused)?;
    let json = || {
        let mut document = table::session(&session, true);
        for (arm, latency) in document["arms"].as_array_mut().into_iter().flatten().zip(&latencies) {
            arm["latency_of_all_tasks"] = latency.as_ref().map_or(serde_json::Value::Null, whole::json);
        }
        table::document(json!({ "session": document }))
    };
    deliver(place, &store, || page(&session, &latencies), json)
}

/// The same as lines of text, of a session that was read from a store.
///
/// # Errors
/// When its distributions cannot be read.
pub(crate) fn lines(store: &Store, session: &Session) -> Result<Vec<String>, HistoryError> {
    let latencies = whole::latencies(store, session)?;
    Ok(page(session, &latencies).lines().map(str::to_owned).collect())
}

fn page(session: &Session, latencies: &[Option<Distribution>]) -> String {
    let start = &session.start;
    let (workload, host) = (&start.workload, &start.host);
    let mut lines = vec![
        format!("session {}: {} {}", session.id, start.verb, clean::line(&workload.name)),
        format!("  began     {} UTC{}", table::moment(start.at), lasted(session)),
        format!("  workload  {}", clean::line(&workload.title)),
        format!("  hash      {}{}, seed {}", workload.hash, stream(session.end()), workload.seed),
    ];
    if !workload.set.is_empty() {
        let set: Vec<String> = workload.set.iter().map(|change| format!("--set {}", clean::line(change))).collect();
        lines.push(format!("  changed   {}", set.join(" ")));
    }
    lines.push(format!("  host      {}: {}", clean::line(&host.name), clean::line(&host.fingerprint())));
    lines.push(format!("  program   poolscope {}, {}", host.program, clean::line(&host.kernel)));
    if let Some(commit) = &start.commit {
        let state = match commit.dirty {
            Some(true) => ", with changes",
            Some(false) => "",
            None => ", unknown whether changed",
        };
        lines.push(format!("  commit    {}{state}", clean::line(&commit.id)));
    }
    lines.extend(table::state(session).map(|state| format!("  ! {}", clean::line(&state))));
    let mut text = lines.join("\n");
    text.push('\n');
    if let Some(end) = session.end() {
        for (arm, latency) in end.arms.iter().zip(latencies) {
            text.push_str(&of_arm(arm, end));
            if let Some(latency) = latency {
                text.push_str(&format!("  {}: {}\n", end.latency, whole::words(latency)));
            }
        }
    }
    text
}

fn lasted(session: &Session) -> String {
    let end = session.end().and_then(|end| std::time::Duration::try_from(end.at - session.start.at).ok());
    end.map_or_else(String::new, |lasted| format!(", lasted {}", units::duration(lasted)))
}

fn stream(end: Option<&End>) -> String {
    end.map_or_else(String::new, |end| format!(", stream {}", end.stream_hash))
}

/// A line for each run and one for their mean.
fn of_arm(arm: &Arm, end: &End) -> String {
    let baseline = if arm.is_baseline && end.arms.len() > 1 { " (baseline)" } else { "" };
    let engine = if arm.engine == arm.name { String::new() } else { format!(" ({})", clean::line(&arm.engine)) };
    let plural = if arm.workers == 1 { "" } else { "s" };
    let mut text = format!("\n{}{engine}, {} worker{plural}{baseline}\n", clean::line(&arm.name), arm.workers);
    for setting in &arm.settings {
        text.push_str(&format!("  {}\n", clean::line(setting)));
    }
    let latency = &end.latency;
    text.push_str(&format!(
        "  {} {}  {}  {}  {}  {}  {}  note\n",
        pad("run", 5),
        pad_left("tasks/s", 14),
        pad_left("wall", 7),
        pad_left("cores", 5),
        pad_left(&format!("{latency} p50"), 11),
        pad_left("p95", 7),
        pad_left("fail", 5),
    ));
    for run in &arm.runs {
        text.push_str(&of_run(run));
    }
    if arm.complete().count() > 1 {
        let rate = pad_left(&table::rate(arm), 14);
        text.push_str(&format!("  {} {rate}  (mean, half of its 95 % interval)\n", pad("mean", 5)));
    }
    text
}

fn of_run(run: &Run) -> String {
    let time = |seconds: Option<f64>| {
        let time = seconds.and_then(|seconds| std::time::Duration::try_from_secs_f64(seconds).ok());
        time.map_or("–".to_owned(), units::duration)
    };
    let notes: Vec<String> = (!run.complete)
        .then(|| "cut off: in no mean".to_owned())
        .into_iter()
        .chain(run.suspect.iter().map(|reason| format!("SUSPECT: {}", clean::line(reason))))
        .collect();
    let line = format!(
        "  {} {}  {}  {}  {}  {}  {}  {}",
        pad(&run.round.to_string(), 5),
        pad_left(&units::rate(run.throughput), 14),
        pad_left(&time(Some(run.wall_s)), 7),
        pad_left(&units::rate(run.cores_used), 5),
        pad_left(&time(run.p50_s), 11),
        pad_left(&time(run.p95_s), 7),
        pad_left(&run.unsuccessful.to_string(), 5),
        notes.join("; "),
    );
    format!("{}\n", line.trim_end())
}
