//! `poolscope history baseline set | show | clear`.

use serde_json::json;

use super::{deliver, deliver_to, open, refused, session, table, target};
use crate::cli::{BaselineArgs, BaselineVerb};
use crate::commands::prepare::Prepared;
use crate::commands::{ExitReason, write};
use crate::history::Store;
use crate::history::baseline::Baseline;
use crate::report::clean;

pub(super) fn execute(arguments: &BaselineArgs) -> Prepared<ExitReason> {
    match &arguments.verb {
        BaselineVerb::Set { id, place } => {
            let mut store = open(place.db.as_deref())?;
            let session = session(&store, *id)?;
            let reason = match session.end() {
                None => Some("it did not come to its end"),
                Some(end) if end.sharing_cores => Some("its arms shared the cores, which is no measurement"),
                Some(end) if end.arms.iter().all(|arm| arm.complete().next().is_none()) => Some("it has no whole run"),
                Some(_) => None,
            };
            if let Some(reason) = reason {
                write::say(&format!("error: session {id} cannot be a baseline: {reason}"));
                return Err(ExitReason::BadInput);
            }
            let target = target(place, &store)?;
            let baseline = store.set_baseline(&session).map_err(refused)?;
            let text = || line("set", &store, &baseline);
            Ok(deliver_to(target, place, text, || table::document(json!({ "baselines": [document(&baseline)] }))))
        }
        BaselineVerb::Show { workload, place } => {
            let store = open(place.db.as_deref())?;
            let all = store.baselines(workload.as_deref()).map_err(refused)?;
            let text = || match all.as_slice() {
                [] => "there is no baseline (poolscope history baseline set ID)\n".to_owned(),
                all => all.iter().map(|baseline| line("is", &store, baseline)).collect(),
            };
            let json = || table::document(json!({ "baselines": all.iter().map(document).collect::<Vec<_>>() }));
            deliver(place, &store, text, json)
        }
        BaselineVerb::Clear { workload, place } => {
            let mut store = open(place.db.as_deref())?;
            let target = target(place, &store)?;
            if store.clear_baselines(workload).map_err(refused)? == 0 {
                write::say(&format!("error: there is no baseline of {}", clean::line(workload)));
                return Err(ExitReason::BadInput);
            }
            let text = || format!("the baseline of {} is cleared\n", clean::line(workload));
            Ok(deliver_to(target, place, text, || table::document(json!({ "baselines": [] }))))
        }
    }
}

fn document(baseline: &Baseline) -> serde_json::Value {
    json!({ "workload": baseline.workload, "host": baseline.host, "session": baseline.session })
}

fn line(verb: &str, store: &Store, baseline: &Baseline) -> String {
    let session = store.session(baseline.session).ok().flatten();
    let when = session.map_or_else(String::new, |session| {
        let commit = session.start.commit.as_ref();
        let commit = commit.map_or_else(String::new, |commit| format!(", commit {}", table::commit(commit)));
        format!(" ({} UTC{commit})", table::moment(session.start.at))
    });
    let Baseline { workload, host, session } = baseline;
    let verb = if verb == "set" { "is now" } else { "is" };
    format!(
        "the baseline of {} on {} {verb} session {session}{}\n",
        clean::line(workload),
        clean::line(host),
        clean::line(&when)
    )
}
