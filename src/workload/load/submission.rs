//! `submit`, `dispatch`, `queue_capacity`: how the caller of an engine hands in its tasks.

use std::num::NonZeroU64;

use crate::workload::load::field::Field;
use crate::workload::load::map::MapReader;
use crate::workload::model::{Arrivals, Dispatch, EngineKind, EngineSpec, SubmitMode};
use crate::workload::yaml::Tree;

/// `submit`.
pub(crate) fn submit(field: &Field<'_>) -> Option<SubmitMode> {
    let modes = SubmitMode::ALL.map(|mode| (mode.word(), mode));
    field.choice("submit mode", &modes, &[])
}

/// `dispatch`.
pub(crate) fn dispatch(map: &mut MapReader<'_>, kind: EngineKind) -> Option<Dispatch> {
    let Some(field) = map.get("dispatch") else { return Some(Dispatch::Shared) };
    if !kind.has_worker_count() {
        let context = field.context;
        let mark = field.key.unwrap_or_else(|| field.mark());
        let error = context.error(mark, &field.path, &format!("does not apply to a {} engine", kind.word()));
        return field.refuse(error.allowed("leave it out: there is one worker"));
    }
    let ways = [Dispatch::Shared, Dispatch::RoundRobin].map(|way| (way.word(), way));
    field.choice("dispatch", &ways, &[])
}

/// `queue_capacity`.
pub(crate) fn queue_capacity(field: &Field<'_>) -> Option<Option<NonZeroU64>> {
    match field.tree {
        Tree::Text(word) if word == "unbounded" => Some(None),
        _ => NonZeroU64::new(field.integer_or(1, u64::MAX, " or unbounded")?).map(Some),
    }
}

/// Tasks that come at times of their own are submitted one by one as they come: no caller waits for one before the next.
/// `field` is `engines`.
pub(crate) fn check(field: &Field<'_>, engines: &[EngineSpec], arrivals: &Arrivals) -> Option<()> {
    if !matches!(arrivals, Arrivals::Open(_)) {
        return Some(());
    }
    let mut fine = Some(());
    for (item, engine) in field.items()?.iter().zip(engines) {
        let Some(submit) = item.entry("submit").filter(|_| engine.submit.blocks()) else { continue };
        let message = format!("`{}` with open arrivals", engine.submit.word());
        fine = submit.wrong(message, "tasks that arrive at times of their own are submitted with apply_async");
    }
    fine
}
