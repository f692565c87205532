//! `faults[]`: what is to go wrong.

use std::num::NonZeroU8;

use crate::workload::load::field::Field;
use crate::workload::load::map::MapReader;
use crate::workload::load::{keys, worker_life};
use crate::workload::model::{
    BadResult, ClassId, EngineSpec, Fault, FaultKind, FaultRule, MOST_TIMED, Mishap, OnTimeout, TaskClass, TaskIndex,
    Trigger, Work, Workers,
};
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

/// Its words, for the schema of the format.
pub(super) fn signals() -> impl Iterator<Item = &'static str> {
    SIGNALS.iter().map(|(word, _)| *word)
}

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

/// Its words, for the schema of the format.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|(word, _)| *word)
}

const BAD_RESULTS: [(&str, BadResult); 3] =
    [("wrong", BadResult::Wrong), ("undecodable", BadResult::Undecodable), ("oversized", BadResult::Oversized)];

/// Its words, for the schema of the format.
pub(super) fn bad_results() -> impl Iterator<Item = &'static str> {
    BAD_RESULTS.iter().map(|(word, _)| *word)
}

/// What an entry may name.
pub(crate) struct Names<'a> {
    pub(crate) engines: &'a [EngineSpec],
    pub(crate) classes: &'a [TaskClass],
    /// How many tasks there are, where that is known.
    pub(crate) total: Option<u64>,
    /// The class of a task.
    pub(crate) class_of: &'a dyn Fn(TaskIndex) -> ClassId,
}

/// Reads the list.
pub(crate) fn read(field: &Field<'_>, names: &Names<'_>) -> Option<Vec<FaultRule>> {
    let items = field.items()?;
    if items.len() > MOST_FAULTS {
        return field.wrong(format!("{} entries", items.len()), format!("must have at most {MOST_FAULTS} entries"));
    }
    let read: Vec<Option<FaultRule>> = items.iter().zip(0..).map(|(item, place)| entry(item, place, names)).collect();
    let is_timed = |rule: &&FaultRule| matches!(rule.mishap, Mishap::InTask(Fault { at: Trigger::Time(_), .. }));
    let timed = read.iter().flatten().filter(is_timed).count();
    if timed > MOST_TIMED {
        return field.wrong(format!("{timed} faults in tasks at a time"), format!("must be at most {MOST_TIMED}"));
    }
    read.into_iter().collect()
}

/// When it happens, as it is written.
enum When {
    Time(std::time::Duration),
    Tasks(Trigger),
}

fn entry(field: &Field<'_>, place: u64, names: &Names<'_>) -> Option<FaultRule> {
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
    let when = when(&mut map, kind, names);
    let rule = match kind {
        Kind::KillWorker => kill_worker(&mut map, when.as_ref(), engine.flatten(), names),
        _ => in_task(&mut map, kind, when.as_ref(), names).map(Mishap::InTask),
    };
    map.finish(&keys::FAULT, &format!("fault {word}"));
    let mut mishap = rule?;
    if let Mishap::InTask(fault) = &mut mishap {
        fault.draw = Some(place);
        check_task(field, fault, names)?;
        warn_of_hanging(field, fault, engine.flatten(), names);
    }
    let arm = engine?.and_then(|engine| names.engines.get(engine));
    Some(FaultRule { engine: arm.map(|arm| arm.name.clone()), mishap })
}

/// Programs and functions in Python do wrong what their authors had them do.
fn does_its_own(work: &Work) -> bool {
    work.is_a_users()
}

fn sort(work: &Work) -> &'static str {
    if matches!(work, Work::Python(_)) { "a function in Python" } else { "a program" }
}

/// A task that is named by its index must be one that it can happen in.
fn check_task(field: &Field<'_>, fault: &Fault, names: &Names<'_>) -> Option<()> {
    let Trigger::Index(index) = fault.at else { return Some(()) };
    let class = (names.class_of)(index);
    let Some(found) = names.classes.get(usize::from(class)) else { return Some(()) };
    if does_its_own(&found.work) {
        let message = format!("task {index} is {} (`{}`), which does its own wrong", sort(&found.work), found.name);
        return field.wrong(message, "must be a task of another kind; a time and kill_worker are for any");
    }
    let wanted =
        fault.class.filter(|wanted| *wanted != class).and_then(|wanted| names.classes.get(usize::from(wanted)));
    match wanted {
        Some(wanted) => field.wrong(
            format!("task {index} is one of `{}` and not of `{}`", found.name, wanted.name),
            "must be a task of that name, or have no `task`",
        ),
        None => Some(()),
    }
}

/// A task that never ends, and that nobody ends, keeps its worker for good.
fn warn_of_hanging(field: &Field<'_>, fault: &Fault, engine: Option<usize>, names: &Names<'_>) {
    if fault.kind != FaultKind::Hang {
        return;
    }
    let of_it = |index: usize| fault.class.is_none_or(|class| usize::from(class) == index);
    let classes = || names.classes.iter().zip(0..).filter(|(_, index)| of_it(*index)).map(|(class, _)| class);
    if let Some(class) = classes().find(|class| class.timeout.is_none() && !does_its_own(&class.work)) {
        field.warn(format!(
            "a task of `{}` that hangs is never ended, and neither is the run: no `timeout`",
            class.name
        ));
        return;
    }
    let arms = names.engines.iter().zip(0..).filter(|(_, index)| engine.is_none_or(|engine| engine == *index));
    let abandons =
        |spec: &EngineSpec| classes().any(|class| spec.on_timeout.unwrap_or(class.on_timeout) == OnTimeout::Abandon);
    if let Some((spec, _)) = arms.into_iter().find(|(spec, _)| abandons(spec)) {
        field.warn(format!(
            "in `{}` a task that hangs keeps its worker for good (abandon): when every worker has one, nothing goes on",
            spec.name
        ));
    }
}

fn engine(field: &Field<'_>, names: &Names<'_>) -> Option<usize> {
    let engines: Vec<(&str, usize)> = names.engines.iter().map(|engine| engine.name.as_str()).zip(0..).collect();
    field.choice("engine", &engines, &[])
}

fn when(map: &mut MapReader<'_>, kind: Kind, names: &Names<'_>) -> Option<When> {
    let at = map.get("at");
    let rate = map.get("rate");
    match (at, rate) {
        (Some(at), Some(rate)) => {
            worker_life::rate(&rate);
            at.wrong("`at` and `rate` together", "one of them")
        }
        (None, Some(rate)) => Some(When::Tasks(Trigger::Rate(worker_life::rate(&rate)?))),
        (Some(at), None) => moment_or_task(&at, kind, names),
        (None, None) if matches!(kind, Kind::Leak | Kind::IgnoreSigterm) => Some(When::Tasks(Trigger::Rate(1.0))),
        (None, None) => {
            if !map.misspelt("at") && !map.misspelt("rate") {
                let allowed = match kind {
                    Kind::KillWorker => "when: `at: 3s`, `at: 781` (a task) or `rate: 0.01`",
                    _ => "in which tasks: `at: 781` (a task), `at: 3s` (the next one then) or `rate: 0.01`",
                };
                map.field.context.report(map.missing("at").allowed(allowed));
            }
            None
        }
    }
}

fn moment_or_task(at: &Field<'_>, kind: Kind, names: &Names<'_>) -> Option<When> {
    // Whatever begins with a number and ends with a letter is meant as a time.
    let like_a_time =
        |text: &str| text.starts_with(|c: char| c.is_ascii_digit()) && text.ends_with(char::is_alphabetic);
    let is_time = matches!(at.tree, Tree::Text(text) if like_a_time(text));
    if is_time {
        let time = at.duration()?;
        return Some(if kind == Kind::KillWorker { When::Time(time) } else { When::Tasks(Trigger::Time(time)) });
    }
    let others = " (a task), or a time such as 3s";
    let index = at.integer_or(0, u64::MAX, others)?;
    match names.total {
        Some(total) if index >= total => at.wrong(
            format!("there is no task {index}"),
            format!("must be below the {total} tasks, counted from 0{others}"),
        ),
        _ => Some(When::Tasks(Trigger::Index(index))),
    }
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
            Some(Mishap::InTask(Fault { kind: FaultKind::Crash(libc::SIGKILL), at: *at, class, draw: None }))
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
    Some(Fault { kind: kind?, at: *at, class: class?, draw: None })
}

fn crash(map: &mut MapReader<'_>) -> Option<FaultKind> {
    let signal = map.get("signal");
    let exit = map.get("exit");
    match (signal, exit) {
        (Some(_), Some(exit)) => exit.wrong("`signal` and `exit` together", "one of them"),
        (Some(signal), None) => {
            let plain =
                |text: &str| text.strip_prefix("SIG").and_then(|word| SIGNALS.iter().find(|(name, _)| *name == word));
            let long = if let Tree::Text(text) = signal.tree { plain(text) } else { None };
            let number = long.map(|(_, number)| *number).or_else(|| signal.choice("signal", &SIGNALS, &[]));
            number.map(FaultKind::Crash)
        }
        (None, Some(exit)) => {
            let code = NonZeroU8::new(u8::try_from(exit.integer(1, 255)?).ok()?)?;
            Some(FaultKind::Exit(code.get()))
        }
        (None, None) => Some(FaultKind::Crash(libc::SIGABRT)),
    }
}

/// The class it is for. What a program does wrong is its own affair: in a process engine nobody else is there to do it.
fn class(map: &mut MapReader<'_>, names: &Names<'_>) -> Option<Option<ClassId>> {
    let is_program = |class: &TaskClass| does_its_own(&class.work);
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
