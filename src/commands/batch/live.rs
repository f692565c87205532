//! Items that are still coming on standard input: whether they can be begun as they come, or have to be there first.

use crate::cli::BatchArgs;
use crate::commands::prepare::Prepared;
use crate::commands::{ExitReason, write};
use crate::workload::items::ItemError;
use crate::workload::model::{
    Arrivals, Chunksize, EngineKind, HaltLimit, Join, Order, Reap, Share, SubmitMode, Workers, Workload,
};

/// The workload as it can be run: its items come while it does where that can be, or else they have come. Waits for the first
/// one, or for all.
pub(in crate::commands) fn settled(workload: Workload, arguments: &BatchArgs) -> Prepared<Workload> {
    let Some(live) = workload.live() else { return Ok(workload) };
    let refused = |error: ItemError| {
        write::say(&format!("error: the items on standard input: {error}"));
        ExitReason::BadInput
    };
    if needs_all(&workload, arguments) {
        live.wait_for_all().map_err(refused)?;
        return workload.settled().map_err(refused);
    }
    let known = live.wait_for_first();
    match (known.count, live.error()) {
        (0, Some(error)) => Err(refused(error)),
        (0, None) => Err(refused(ItemError::Empty)),
        _ => Ok(workload),
    }
}

/// Whether something has to know how many tasks there are, or which ones, before the first is begun.
fn needs_all(workload: &Workload, arguments: &BatchArgs) -> bool {
    let [class] = workload.classes.as_slice() else { return true };
    let [arm] = workload.engines.as_slice() else { return true };
    let foreign = arm.kind.is_reference() || arm.kind == EngineKind::External;
    let percentage = arguments.halt.is_some_and(|halt| matches!(halt.limit, HaltLimit::Percent(_)));
    let timed = matches!(workload.arrivals, Arrivals::Open(_)) || workload.order != Order::AsGenerated;
    let counted = arm.submit != SubmitMode::ApplyAsync
        || arm.chunksize == Chunksize::Cpython
        || arm.workers == Workers::Unbounded
        || arm.join != Join::AsCompleted
        || arm.reap != Reap::Always;
    let several = workload.measure.repeats.get() > 1 || workload.measure.warmup > 0;
    foreign
        || timed
        || counted
        || several
        || percentage
        || arguments.resume.is_some()
        || !matches!(class.share, Share::Count(_))
}
