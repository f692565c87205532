//! What an entry of `engines:` cannot ask of CPython's own (`mp_pool`, `mp_process`, `ppe`).

use crate::workload::load::field::Field;
use crate::workload::model::{Dispatch, EngineKind, EngineSpec, OnTimeout, SubmitMode};

/// It calls a function in each of its workers, and that is all that it knows of it.
fn initializer(entry: &Field<'_>, spec: &EngineSpec) {
    let Some(field) = entry.entry("initializer").filter(|_| spec.initializer.is_some()) else { return };
    let word = spec.kind.word();
    let mut refused = false;
    for (key, why) in [
        ("cpu", "calls a function in each worker and does nothing beside it"),
        ("memory", "calls a function in each worker and does nothing beside it"),
        ("fail_rate", "calls a function in each worker, which alone decides whether that fails"),
        ("timeout", "waits for an initializer for as long as it takes"),
    ] {
        if let Some(found) = field.entry(key) {
            found.wrong::<()>(format!("{word} {why}"), "leave it out");
            refused = true;
        }
    }
    if !refused && spec.initializer.as_ref().is_some_and(|initializer| initializer.call.is_none()) {
        field.wrong::<()>(format!("{word} calls a function in each worker"), "must have a `callable`");
    }
}

/// Tells everything that is wrong with such an entry.
pub(crate) fn check(entry: &Field<'_>, spec: &EngineSpec, in_python: bool) {
    if !spec.kind.is_reference() {
        return;
    }
    let word = spec.kind.word();
    if let Some(kind) = entry.entry("kind").filter(|_| !in_python) {
        kind.wrong::<()>(
            format!("{word} is CPython's own, and no task is in Python"),
            "goes with `kind: python` tasks",
        );
    }
    let refuse = |key: &str, is_there: bool, why: &str, instead: &str| {
        if let Some(field) = entry.entry(key).filter(|_| is_there) {
            field.wrong::<()>(format!("{word} {why}"), instead);
        }
    };
    let leave_it_out = "leave it out";
    refuse("queue_capacity", spec.queue_capacity.is_some(), "has a queue without a limit", leave_it_out);
    let dealt = spec.dispatch != Dispatch::Shared;
    refuse("dispatch", dealt, "has one queue that all its workers share", leave_it_out);
    let kills = spec.on_timeout == Some(OnTimeout::Kill);
    let abandons = "must be abandon, or leave it out: the caller gives up and the worker stays busy";
    refuse("on_timeout", kills, "cannot end one task", abandons);
    initializer(entry, spec);
    let by_memory = spec.recycling.max_rss_bytes.is_some();
    refuse("max_rss_per_child", by_memory, "does not look at the memory of its workers", leave_it_out);
    refuse("join", true, "is waited for as its tasks end", leave_it_out);
    refuse("reap", true, "reaps its processes itself", leave_it_out);
    let (unknown, modes) = match spec.kind {
        EngineKind::MpProcess => {
            (spec.submit.returns_chunks(), "must be apply or apply_async: a process does one task")
        }
        EngineKind::Ppe => (
            matches!(spec.submit, SubmitMode::Imap | SubmitMode::ImapUnordered),
            "must be apply, apply_async (its submit) or map (whose results come one by one)",
        ),
        _ => (false, ""),
    };
    refuse("submit", unknown, &format!("has no {}", spec.submit.word()), modes);
}
