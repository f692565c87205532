//! `poolscope history prune`: by age, number and size.

use jiff::Timestamp;
use serde_json::json;

use super::{deliver_to, open, refused, table, target};
use crate::cli::PruneArgs;
use crate::commands::ExitReason;
use crate::commands::prepare::Prepared;
use crate::history::prune::Limits;
use crate::report::units;

pub(super) fn execute(arguments: &PruneArgs) -> Prepared<ExitReason> {
    let PruneArgs { older_than, keep, max_size, workload, dry_run, place } = arguments;
    let mut store = open(place.db.as_deref())?;
    let target = target(place, &store)?;
    let limits = Limits {
        workload: workload.clone(),
        // Before time began, nothing did.
        before: older_than.map(|age| Timestamp::now().checked_sub(age).unwrap_or(Timestamp::MIN)),
        most: *keep,
        bytes: *max_size,
    };
    let gone = store.beyond(&limits).map_err(refused)?;
    let before = store.extent().map_err(refused)?;
    if !dry_run && !gone.is_empty() {
        store.remove(&gone).map_err(refused)?;
    }
    let after = store.extent().map_err(refused)?;
    let text = || {
        let plural = if gone.len() == 1 { "" } else { "s" };
        let (count, all) = (gone.len(), before.sessions);
        if *dry_run {
            return format!("{count} session{plural} of {all} would be removed\n");
        }
        format!(
            "{count} session{plural} of {all} removed: {} instead of {}\n",
            units::bytes(after.bytes),
            units::bytes(before.bytes)
        )
    };
    let json = || {
        table::document(json!({
            "removed": gone,
            "dry_run": dry_run,
            "sessions": after.sessions,
            "bytes_before": before.bytes,
            "bytes": after.bytes,
        }))
    };
    Ok(deliver_to(target, place, text, json))
}
