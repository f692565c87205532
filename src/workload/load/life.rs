//! `start_method`, `join`, `reap`: how the processes of an engine begin and end.

use crate::workload::load::field::Field;
use crate::workload::model::{EngineKind, Join, Reap, StartMethod, WorkerCounts};

/// `start_method`.
pub(crate) fn start_method(field: &Field<'_>, kind: EngineKind) -> Option<StartMethod> {
    if kind.shares_process() {
        return does_not_apply(
            field,
            kind,
            "leave it out: its one interpreter is started once, and its tasks are no processes",
        );
    }
    if kind.row().workers == WorkerCounts::One {
        return does_not_apply(field, kind, "leave it out: its one worker is started once");
    }
    field.choice("start method", &StartMethod::WORDS, &[])
}

/// `on_timeout: kill` of an arm whose tasks cannot be ended one by one.
pub(crate) fn cannot_kill(field: &Field<'_>, kind: EngineKind) -> Option<()> {
    field.wrong(
        format!("a {} engine cannot kill a task: a thread cannot be ended from outside", kind.word()),
        "must be abandon, or leave it out: the caller gives up and the task goes on as a ghost",
    )
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
