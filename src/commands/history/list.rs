//! `poolscope history list`: sessions, the newest first, a line for each arm with each worker count.

use jiff::Timestamp;
use serde_json::json;

use super::{Options, deliver, open, refused, table};
use crate::cli::ListRunsArgs;
use crate::commands::prepare::Prepared;
use crate::commands::tune::VERB as TUNE;
use crate::commands::{ExitReason, write};
use crate::history::Store;
use crate::history::query::{Extent, Filter};
use crate::history::record::{Arm, Session};
use crate::report::history::{Listed, ListedArm};
use crate::report::text::table::{fit, pad, pad_left, width as width_of};
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
    let line = |place: usize, arm: Option<ListedArm>, step: String, notes: Vec<String>| Listed {
        id: session.id,
        place,
        when: table::moment(start.at),
        verb: start.verb.clone(),
        workload: start.workload.name.clone(),
        host: start.host.name.clone(),
        commit: start.commit.as_ref().map_or_else(String::new, table::commit),
        arm,
        step,
        note: notes.join("; "),
    };
    let state = table::state(session);
    let arms = session.end().map_or(&[][..], |end| &end.arms);
    if arms.is_empty() {
        return vec![line(0, None, String::new(), vec![state.unwrap_or_else(|| "nothing was measured".to_owned())])];
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
        line(place, Some(figures), step(session, arm), state.into_iter().chain(note(arm)).collect())
    };
    arms.iter().enumerate().map(of_arm).collect()
}

/// Settings that an arm of a sweep or a search was tried with. A name of such an arm ends with those of fields.
fn step(session: &Session, arm: &Arm) -> String {
    let start = &session.start;
    if !["sweep", TUNE].contains(&start.verb.as_str()) {
        return String::new();
    }
    let fields = arm.name.split(' ').skip_while(|word| !word.contains('=')).map(str::to_owned);
    // What a search has set, by the last part of its path.
    let last = |set: &String| {
        set.split_once('=').map(|(path, value)| (path.rsplit('.').next().unwrap_or(path).to_owned(), value.to_owned()))
    };
    let set = start.workload.set.iter().filter(|_| start.verb == TUNE).filter_map(last);
    let set = set.filter(|(key, _)| key != "workers").map(|(key, value)| format!("{key}={value}"));
    let workers = format!("workers={}", arm.workers);
    fields.chain(set).chain([workers]).collect::<Vec<_>>().join(" ")
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
    text.push_str("   id when        verb      workload   arm         w tasks/s           p95  fail\n");
    let (year, width) = (Timestamp::now().strftime("%Y-").to_string(), write::stdout_width());
    sessions.iter().for_each(|session| text.push_str(&lines(session, &year, width)));
    text
}

/// Columns before the workload.
const HEAD: usize = 28;

/// The lines of a session; what is to be known of one has a line of its own where there is no room behind its figures.
fn lines(session: &Session, year: &str, width: usize) -> String {
    let mut text = String::new();
    for Listed { id, place, when, verb, workload, arm, step, note, .. } in listed(session) {
        let head = match place {
            // Of this year without it, of another one without its time.
            0 => format!(
                "{id:>5} {} {} {}",
                pad(&fit(when.strip_prefix(year).unwrap_or(when.get(..10).unwrap_or(&when)), 11), 11),
                pad(&fit(&clean::line(&verb), 9), 9),
                pad(&fit(&clean::line(&workload), 10), 10)
            ),
            _ => " ".repeat(HEAD + 10),
        };
        let line = format!("{head} {}", arm.as_ref().map_or_else(String::new, figures));
        let line = line.trim_end();
        // A worker count alone is in its column.
        let step = (!step.is_empty() && !step.starts_with("workers=")).then_some(step);
        let about: Vec<String> = step.into_iter().chain((!note.is_empty()).then_some(note)).collect();
        let about = clean::line(&about.join("; ")).into_owned();
        let gap = match (about.is_empty(), width_of(line) + 1 + width_of(&about) <= width) {
            (true, _) => String::new(),
            (false, true) => " ".to_owned(),
            (false, false) => format!("\n{}", " ".repeat(HEAD)),
        };
        text.push_str(&format!("{line}{gap}{about}\n"));
    }
    text
}

fn figures(arm: &ListedArm) -> String {
    format!(
        "{} {} {} {} {}",
        pad(&fit(&clean::line(&arm.name), 9), 9),
        pad_left(&arm.workers.to_string(), 3),
        pad(&arm.rate, 13),
        pad_left(&arm.p95, 7),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::record::{End, HostFacts, Start, State, WorkloadFacts};

    #[test]
    fn the_verb_and_the_settings_of_a_step_are_told_in_80_columns() {
        let text = |text: &str| text.to_owned();
        let workload = WorkloadFacts {
            name: text("a-long-name-of-a-workload"),
            title: String::new(),
            hash: String::new(),
            seed: 1,
            text: String::new(),
            set: vec![text("engines.0.start_method=fork")],
        };
        let host = HostFacts {
            name: text("h"),
            cpu_model: text("c"),
            kernel: text("k"),
            cores_online: 2,
            cores_usable: 2,
            cores_quota: None,
            memory_bytes: 1,
            program: text("p"),
        };
        let session = |verb: &str| {
            let arm = Arm {
                name: text("pool chunksize=16"),
                engine: text("pool"),
                workers: 4,
                settings: Vec::new(),
                is_baseline: true,
                runs: Vec::new(),
            };
            let end = End {
                at: Timestamp::UNIX_EPOCH,
                aborted: None,
                stream_hash: String::new(),
                latency: text("sojourn"),
                sharing_cores: false,
                result: String::new(),
                arms: vec![arm],
            };
            let start = Start {
                at: Timestamp::UNIX_EPOCH,
                verb: text(verb),
                workload: workload.clone(),
                host: host.clone(),
                commit: None,
            };
            Session { id: 12, start, state: State::Ended(Box::new(end)) }
        };
        let told = |verb: &str| lines(&session(verb), "2026-", 80);
        let (swept, tuned, run) = (told("sweep"), told("tune"), told("compare"));
        assert!(swept.contains("1970-01-01  sweep     a-long-na…"), "{swept}");
        assert!(swept.contains("chunksize=16 workers=4") && !swept.contains("fork"), "{swept}");
        assert!(tuned.contains("chunksize=16 start_method=fork workers=4"), "{tuned}");
        assert!(!run.contains("workers=4"), "{run}");
        assert!([swept, tuned, run].iter().flat_map(|text| text.lines()).all(|line| width_of(line) <= 80));
    }
}
