//! `poolscope history list`: sessions, the newest first, a line for each arm with each worker count.

use serde_json::json;

use super::{Options, deliver, open, refused, table};
use crate::cli::ListRunsArgs;
use crate::commands::ExitReason;
use crate::commands::prepare::Prepared;
use crate::history::Store;
use crate::history::query::{Extent, Filter};
use crate::history::record::{Arm, Session};
use crate::report::text::table::{fit, pad, pad_left};
use crate::report::{clean, units};

pub(super) fn execute(arguments: &ListRunsArgs) -> Prepared<ExitReason> {
    let place: &Options = &arguments.place;
    let store = open(place.db.as_deref())?;
    let filter = Filter { workload: arguments.workload.clone(), most: Some(arguments.limit) };
    let sessions = store.sessions(&filter).map_err(refused)?;
    let extent = store.extent().map_err(refused)?;
    let json = || {
        table::document(json!({
            "database": store.path().display().to_string(),
            "sessions_total": extent.sessions,
            "sessions": sessions.iter().map(|session| table::session(session, false)).collect::<Vec<_>>(),
        }))
    };
    deliver(place, || page(&store, extent, &sessions), json)
}

fn page(store: &Store, Extent { sessions: all, runs, bytes }: Extent, sessions: &[Session]) -> String {
    let plural = |count: u64, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
    let shown = if (sessions.len() as u64) < all { format!(", {} shown", sessions.len()) } else { String::new() };
    let place = store.path().display().to_string();
    let mut text = format!(
        "{}{shown}, {}, {} in {} (times in UTC)\n",
        plural(all, "session"),
        plural(runs, "run"),
        units::bytes(bytes),
        clean::line(&place)
    );
    if sessions.is_empty() {
        return text;
    }
    text.push_str("    id  when              workload      arm         w  tasks/s         p95     fail  note\n");
    sessions.iter().for_each(|session| text.push_str(&lines(session)));
    text
}

fn lines(session: &Session) -> String {
    let name = clean::line(&session.start.workload.name);
    let head = format!("{:>6}  {}  {}", session.id, table::moment(session.start.at), pad(&fit(&name, 12), 12));
    let state = table::state(session);
    let arms = session.end().map_or(&[][..], |end| &end.arms);
    if arms.is_empty() {
        return format!("{head}  {}\n", state.unwrap_or_else(|| "nothing was measured".to_owned()));
    }
    let mut text = String::new();
    for (place, arm) in arms.iter().enumerate() {
        let left = if place == 0 { head.clone() } else { " ".repeat(38) };
        let notes = [state.clone().filter(|_| place == 0), note(arm)];
        let notes: Vec<String> = notes.into_iter().flatten().collect();
        let line = format!("{left}  {}{}", figures(arm), notes.join("; "));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn figures(arm: &Arm) -> String {
    let failed: u64 = arm.runs.iter().map(|run| run.unsuccessful).sum();
    format!(
        "{} {}  {} {}  {}  ",
        pad(&fit(&clean::line(&arm.name), 9), 9),
        pad_left(&arm.workers.to_string(), 3),
        pad(&table::rate(arm), 14),
        pad_left(&table::time(arm, |run| run.p95_s), 6),
        pad_left(&failed.to_string(), 5),
    )
}

/// What is to be known of an arm's runs.
fn note(arm: &Arm) -> Option<String> {
    let partial = arm.runs.iter().filter(|run| !run.complete).count();
    let suspect: Vec<&String> = arm.runs.iter().flat_map(|run| &run.suspect).collect();
    let partial = (partial > 0).then(|| "a run was cut off".to_owned());
    let suspect = suspect.first().map(|first| format!("suspect: {}", clean::line(first)));
    let notes: Vec<String> = partial.into_iter().chain(suspect).collect();
    (!notes.is_empty()).then(|| notes.join("; "))
}
