//! What goes together with tasks in Python in one file, and what does not.

use crate::workload::load::field::Field;
use crate::workload::load::reference;
use crate::workload::load::task::RawTask;
use crate::workload::model::{EngineSpec, Measure, PythonSettings, StartMethod, Work};
use crate::workload::yaml::Tree;

/// A worker is an interpreter, or it is none.
pub(crate) fn check_tasks(tasks: &[RawTask<'_>]) {
    let is_python = |task: &RawTask<'_>| task.work.as_ref().map(|work| matches!(work, Work::Python(_)));
    let Some(first) = tasks.iter().find(|task| is_python(task) == Some(true)) else { return };
    if let Some(other) = tasks.iter().find(|task| is_python(task) == Some(false)) {
        let context = other.field.context;
        let error = other.field.error("a task of another kind beside tasks in Python");
        let error = error.allowed("all tasks in Python, or none: the workers of an arm are all of one sort");
        context.report(error.related(context.lines, first.field.mark(), "a task in Python"));
    }
}

/// How workers are started where nobody says it. `field` is `engines`, where it is there.
pub(crate) fn default_start_methods(field: Option<&Field<'_>>, engines: &mut [EngineSpec], tasks: &[RawTask<'_>]) {
    let in_python = tasks.iter().any(|task| matches!(task.work, Some(Work::Python(_))));
    let entries = field.map(|field| field.items().unwrap_or_default()).unwrap_or_default();
    for (place, spec) in engines.iter_mut().enumerate() {
        if entries.get(place).is_none_or(|entry| entry.entry("start_method").is_none()) {
            spec.start_method = StartMethod::usual(spec.kind, in_python);
        }
    }
}

/// Only an interpreter has a lock to probe. `field` is `measure.gil_probe`.
pub(crate) fn check_probe(field: &Field<'_>, measure: Option<&Measure>, tasks: &[RawTask<'_>]) {
    let is_native = |task: &RawTask<'_>| task.work.as_ref().is_some_and(|work| !matches!(work, Work::Python(_)));
    if measure.is_some_and(|measure| measure.gil_probe) && tasks.iter().all(is_native) {
        field.wrong::<()>("it probes interpreters of Python, and no task is in Python", "leave it out");
    }
}

/// What engines say that goes with tasks in Python, or that does not. `field` is `engines`.
pub(crate) fn check_engines(field: &Field<'_>, engines: &[EngineSpec], tasks: &[RawTask<'_>]) {
    let is_python = |task: &RawTask<'_>| task.work.as_ref().is_none_or(|work| matches!(work, Work::Python(_)));
    let in_python = tasks.iter().any(is_python);
    let Tree::Seq(entries) = field.tree else { return };
    if entries.len() != engines.len() {
        return;
    }
    for (spec, entry) in engines.iter().zip(field.items().unwrap_or_default()) {
        if let Some(method) =
            entry.entry("start_method").filter(|_| !in_python && spec.start_method == StartMethod::Fork)
        {
            let allowed = "spawn or forkserver: a native worker would be forked from Poolscope itself, which has threads, and \
                           a copy of a process with threads cannot be relied on";
            method.wrong::<()>("`fork` is for Python alone", allowed);
        }
        let calls = spec.initializer.as_ref().is_some_and(|initializer| initializer.call.is_some());
        let initializer = entry.entry("initializer").filter(|_| !in_python && calls);
        if let Some(callable) = initializer.and_then(|initializer| initializer.entry("callable")) {
            callable
                .wrong::<()>("it is a function in Python, and no task is in Python", "cpu and memory, or leave it out");
        }
        reference::check(&entry, spec, in_python);
        if let Some(kind) = entry.entry("kind").filter(|_| !in_python && spec.kind.shares_process()) {
            let message = format!("a {} engine cannot run tasks of this kind", spec.kind.word());
            kind.wrong::<()>(
                message,
                "runs functions in Python (`kind: python`) alone: native tasks and commands have no GIL",
            );
        }
        for (key, is_there) in [("when", spec.when.is_some()), ("python", spec.python != PythonSettings::default())] {
            if let Some(found) = entry.entry(key).filter(|_| !in_python && is_there) {
                found.wrong::<()>(
                    format!("`{key}` is about an interpreter of Python, and no task is in Python"),
                    "leave it out",
                );
            }
        }
    }
}
