//! `poolscope history list`: sessions, the newest first, a line for each arm with each worker count.

use serde_json::json;

use super::{Options, deliver, open, refused, table};
use crate::cli::ListRunsArgs;
use crate::commands::ExitReason;
use crate::commands::prepare::Prepared;
use crate::history::Store;
use crate::history::query::{Extent, Filter};
use crate::history::record::{Arm, Session};
use crate::report::history::{Listed, ListedArm};
use crate::report::text::table::{fit, pad, pad_left};
use crate::report::{clean, units};
use crate::workload::model::EngineKind;

pub(super) fn execute(arguments: &ListRunsArgs) -> Prepared<ExitReason> {
    let place: &Options = &arguments.place;
    let store = open(place.db.as_deref())?;
    let (workload, most) = (arguments.workload.clone(), Some(arguments.limit));
    let filter = Filter { workload, most, brief: true, ..Filter::default() };
    let sessions = store.sessions(&filter).map_err(refused)?;
    let extent = store.extent().map_err(refused)?;
    let json = || {
        table::document(json!({
            "database": store.path().display().to_string(),
            "sessions_total": extent.sessions,
            "sessions": sessions.iter().map(|session| table::session(session, false)).collect::<Vec<_>>(),
        }))
    };
    deliver(place, &store, || page(&store, extent, &sessions), json)
}

/// The lines of a session: one for each arm with each worker count, or one alone.
pub(crate) fn listed(session: &Session) -> Vec<Listed> {
    let start = &session.start;
    let line = |place: usize, arm: Option<ListedArm>, notes: Vec<String>| Listed {
        id: session.id,
        place,
        when: table::moment(start.at),
        verb: start.verb.clone(),
        workload: start.workload.name.clone(),
        host: start.host.name.clone(),
        commit: start.commit.as_ref().map_or_else(String::new, table::commit),
        arm,
        note: notes.join("; "),
    };
    let state = table::state(session);
    let arms = session.end().map_or(&[][..], |end| &end.arms);
    if arms.is_empty() {
        return vec![line(0, None, vec![state.unwrap_or_else(|| "nothing was measured".to_owned())])];
    }
    let of_arm = |(place, arm): (usize, &Arm)| {
        let figures = ListedArm {
            name: arm.name.clone(),
            kind: EngineKind::from_word(&arm.engine),
            workers: arm.workers,
            rate: table::rate(arm),
            p95: table::time(arm, |run| run.p95_s),
            failed: arm.runs.iter().map(|run| run.unsuccessful).sum(),
        };
        let state = state.clone().filter(|_| place == 0);
        line(place, Some(figures), state.into_iter().chain(note(arm)).collect())
    };
    arms.iter().enumerate().map(of_arm).collect()
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
    let mut text = String::new();
    for Listed { id, place, when, workload, arm, note, .. } in listed(session) {
        let head = match place {
            0 => format!("{id:>6}  {when}  {}", pad(&fit(&clean::line(&workload), 12), 12)),
            _ => " ".repeat(38),
        };
        let figures = arm.as_ref().map_or_else(String::new, figures);
        let line = format!("{head}  {figures}{}", clean::line(&note));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn figures(arm: &ListedArm) -> String {
    format!(
        "{} {}  {} {}  {}  ",
        pad(&fit(&clean::line(&arm.name), 9), 9),
        pad_left(&arm.workers.to_string(), 3),
        pad(&arm.rate, 14),
        pad_left(&arm.p95, 6),
        pad_left(&arm.failed.to_string(), 5),
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
