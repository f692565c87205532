//! `start_method`, `join`, `reap`: how the processes of an engine begin and end.

use crate::workload::load::field::Field;
use crate::workload::model::{EngineKind, Join, Reap, StartMethod, WorkerCounts};
use crate::workload::yaml::Tree;

/// `start_method`.
pub(crate) fn start_method(field: &Field<'_>, kind: EngineKind) -> Option<StartMethod> {
    if kind.row().workers == WorkerCounts::One {
        return does_not_apply(field, kind, "leave it out: its one worker is started once");
    }
    if matches!(field.tree, Tree::Text(word) if word == "fork") {
        let error = field.error("`fork` is for tasks in Python alone");
        let allowed = "spawn or forkserver: Poolscope itself has threads, and a copy of a process with threads cannot be \
                       relied on";
        return field.refuse(error.allowed(allowed));
    }
    field.choice("start method", &[("spawn", StartMethod::Spawn), ("forkserver", StartMethod::Forkserver)], &[])
}

/// `join`.
pub(crate) fn join(field: &Field<'_>, kind: EngineKind) -> Option<Join> {
    if !kind.process_per_task() {
        return does_not_apply(field, kind, "leave it out: its workers are not joined one by one");
    }
    let words = [("as_completed", Join::AsCompleted), ("start_all_join_all", Join::StartAllJoinAll)];
    field.choice("way to join", &words, &[])
}

/// `reap`.
pub(crate) fn reap(field: &Field<'_>, kind: EngineKind) -> Option<Reap> {
    if !kind.process_per_task() {
        return does_not_apply(field, kind, "leave it out: only a process for each task leaves zombies worth counting");
    }
    field.choice("way to reap", &[("always", Reap::Always), ("never", Reap::Never)], &[])
}

fn does_not_apply<T>(field: &Field<'_>, kind: EngineKind, instead: &str) -> Option<T> {
    let context = field.context;
    let mark = field.key.unwrap_or_else(|| field.mark());
    let error = context.error(mark, &field.path, &format!("does not apply to a {} engine", kind.word()));
    field.refuse(error.allowed(instead))
}
