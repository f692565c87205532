//! `faults[]`: what is to go wrong.

use std::num::NonZeroU8;

use crate::workload::load::field::Field;
use crate::workload::load::map::MapReader;
use crate::workload::load::{keys, worker_life};
use crate::workload::model::{
    BadResult, ClassId, EngineSpec, Fault, FaultKind, FaultRule, Mishap, TaskClass, Trigger, Work, Workers,
};
use crate::workload::units;
use crate::workload::yaml::Tree;

/// More than anybody writes by hand.
const MOST_FAULTS: usize = 1000;

/// Signals that a crash may be: those that end a process.
const SIGNALS: [(&str, i32); 10] = [
    ("ABRT", libc::SIGABRT),
    ("BUS", libc::SIGBUS),
    ("FPE", libc::SIGFPE),
    ("HUP", libc::SIGHUP),
    ("ILL", libc::SIGILL),
    ("INT", libc::SIGINT),
    ("KILL", libc::SIGKILL),
    ("QUIT", libc::SIGQUIT),
    ("SEGV", libc::SIGSEGV),
    ("TERM", libc::SIGTERM),
];

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Crash,
    Hang,
    Leak,
    IgnoreSigterm,
    KillWorker,
    BadResult,
}

const KINDS: [(&str, Kind); 6] = [
    ("crash", Kind::Crash),
    ("hang", Kind::Hang),
    ("leak", Kind::Leak),
    ("ignore_sigterm", Kind::IgnoreSigterm),
    ("kill_worker", Kind::KillWorker),
    ("bad_result", Kind::BadResult),
];

const BAD_RESULTS: [(&str, BadResult); 3] =
    [("wrong", BadResult::Wrong), ("undecodable", BadResult::Undecodable), ("oversized", BadResult::Oversized)];

/// What an entry may name.
pub(crate) struct Names<'a> {
    pub(crate) engines: &'a [EngineSpec],
    pub(crate) classes: &'a [TaskClass],
}

/// Reads the list.
pub(crate) fn read(field: &Field<'_>, names: &Names<'_>) -> Option<Vec<FaultRule>> {
    let items = field.items()?;
    if items.len() > MOST_FAULTS {
        return field.wrong(format!("{} entries", items.len()), format!("must have at most {MOST_FAULTS} entries"));
    }
    let read: Vec<Option<FaultRule>> = items.iter().map(|item| entry(item, names)).collect();
    read.into_iter().collect()
}

/// When it happens, as it is written.
enum When {
    Time(std::time::Duration),
    Tasks(Trigger),
}

fn entry(field: &Field<'_>, names: &Names<'_>) -> Option<FaultRule> {
    if !matches!(field.tree, Tree::Map(_)) {
        return field.unfit("must be a map such as { kind: crash, rate: 0.01 }");
    }
    let mut map = field.map()?;
    let Some(kind) = map.required("kind").and_then(|field| field.choice("kind of fault", &KINDS, &[])) else {
        map.finish_any(&keys::FAULT, "a fault");
        return None;
    };
    let word = KINDS.iter().find(|(_, other)| *other == kind).map_or("", |(word, _)| word);
    let engine = map.optional("engine", |field| engine(field, names));
    let when = when(&mut map, kind, word);
    let rule = match kind {
        Kind::KillWorker => kill_worker(&mut map, when.as_ref(), engine.flatten(), names),
        _ => in_task(&mut map, kind, when.as_ref(), names).map(Mishap::InTask),
    };
    map.finish(&keys::FAULT, &format!("fault {word}"));
    Some(FaultRule { engine: engine?, mishap: rule? })
}

fn engine(field: &Field<'_>, names: &Names<'_>) -> Option<usize> {
    let engines: Vec<(&str, usize)> = names.engines.iter().map(|engine| engine.name.as_str()).zip(0..).collect();
    field.choice("engine", &engines, &[])
}

fn when(map: &mut MapReader<'_>, kind: Kind, word: &str) -> Option<When> {
    let at = map.get("at");
    let rate = map.get("rate");
    match (at, rate) {
        (Some(at), Some(rate)) => {
            worker_life::rate(&rate);
            at.wrong("`at` and `rate` together", "one of them")
        }
        (None, Some(rate)) => Some(When::Tasks(Trigger::Rate(worker_life::rate(&rate)?))),
        (Some(at), None) => moment_or_task(&at, kind, word),
        (None, None) if matches!(kind, Kind::Leak | Kind::IgnoreSigterm) => Some(When::Tasks(Trigger::Rate(1.0))),
        (None, None) => {
            if !map.misspelt("at") && !map.misspelt("rate") {
                let allowed = match kind {
                    Kind::KillWorker => "when: `at: 3s`, `at: 781` (a task) or `rate: 0.01`",
                    _ => "in which tasks: `at: 781` or `rate: 0.01`",
                };
                map.field.context.report(map.missing("at").allowed(allowed));
            }
            None
        }
    }
}

fn moment_or_task(at: &Field<'_>, kind: Kind, word: &str) -> Option<When> {
    let is_time = matches!(at.tree, Tree::Text(text) if units::parse_duration(text).is_ok());
    if is_time && kind == Kind::KillWorker {
        return Some(When::Time(at.duration()?));
    }
    if is_time {
        return at.wrong(
            format!("{word} happens in a task, not at a time"),
            "must be the index of a task, as in `at: 781`; a time is for kill_worker",
        );
    }
    let others = if kind == Kind::KillWorker { " (a task), or a time such as 3s" } else { "" };
    Some(When::Tasks(Trigger::Index(at.integer_or(0, u64::MAX, others)?)))
}

fn kill_worker(
    map: &mut MapReader<'_>,
    when: Option<&When>,
    engine: Option<usize>,
    names: &Names<'_>,
) -> Option<Mishap> {
    match when? {
        When::Time(at) => {
            let worker = map.optional("worker", |field| worker(field, engine, names))?;
            Some(Mishap::KillWorker { at: *at, worker })
        }
        When::Tasks(at) => {
            let class = class(map, names)?;
            Some(Mishap::InTask(Fault { kind: FaultKind::Crash(libc::SIGKILL), at: *at, class }))
        }
    }
}

/// A worker's number, which the arms it is for must have.
fn worker(field: &Field<'_>, engine: Option<usize>, names: &Names<'_>) -> Option<u32> {
    let number = u32::try_from(field.integer(0, u64::from(u32::MAX) - 1)?).ok()?;
    let concerned = names.engines.iter().zip(0..).filter(|(_, index)| engine.is_none_or(|engine| engine == *index));
    for (spec, _) in concerned {
        if let Workers::Fixed(workers) = spec.workers
            && number >= workers.get()
        {
            let message = format!("engine `{}` has no worker {number}", spec.name);
            return field.wrong(message, format!("must be below its {workers} workers, counted from 0"));
        }
    }
    Some(number)
}

fn in_task(map: &mut MapReader<'_>, kind: Kind, when: Option<&When>, names: &Names<'_>) -> Option<Fault> {
    let class = class(map, names);
    let kind = match kind {
        Kind::Crash => crash(map),
        Kind::Hang => Some(FaultKind::Hang),
        Kind::Leak => map.required("bytes").and_then(|field| field.size()).map(FaultKind::Leak),
        Kind::IgnoreSigterm => Some(FaultKind::IgnoreSigterm),
        Kind::BadResult => map
            .or("result", BadResult::Wrong, |field| field.choice("result", &BAD_RESULTS, &[]))
            .map(FaultKind::BadResult),
        Kind::KillWorker => Some(FaultKind::Crash(libc::SIGKILL)),
    };
    let Some(When::Tasks(at)) = when else { return None };
    Some(Fault { kind: kind?, at: *at, class: class? })
}

fn crash(map: &mut MapReader<'_>) -> Option<FaultKind> {
    let signal = map.get("signal");
    let exit = map.get("exit");
    match (signal, exit) {
        (Some(_), Some(exit)) => exit.wrong("`signal` and `exit` together", "one of them"),
        (Some(signal), None) => signal.choice("signal", &SIGNALS, &[]).map(FaultKind::Crash),
        (None, Some(exit)) => {
            let code = NonZeroU8::new(u8::try_from(exit.integer(1, 255)?).ok()?)?;
            Some(FaultKind::Exit(code.get()))
        }
        (None, None) => Some(FaultKind::Crash(libc::SIGABRT)),
    }
}

/// The class it is for. What a program does wrong is its own affair: in a process engine nobody else is there to do it.
fn class(map: &mut MapReader<'_>, names: &Names<'_>) -> Option<Option<ClassId>> {
    let is_program = |class: &TaskClass| matches!(class.work, Work::Command(_));
    let Some(field) = map.get("task") else {
        if !names.classes.is_empty() && names.classes.iter().all(is_program) {
            return map.field.wrong(
                "every task is a program, which does its own wrong",
                "faults are for tasks of other kinds; a time and kill_worker for any",
            );
        }
        return Some(None);
    };
    let classes: Vec<(&str, usize)> = names.classes.iter().map(|class| class.name.as_str()).zip(0..).collect();
    let index = field.choice("task", &classes, &[])?;
    if names.classes.get(index).is_some_and(is_program) {
        return field.wrong(
            "a program does its own wrong",
            "must be a task of another kind; a time and kill_worker are for any",
        );
    }
    Some(Some(ClassId::try_from(index).ok()?))
}
