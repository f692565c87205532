//! What an arm does beside running tasks, and what goes wrong on purpose, in words.

use crate::os::accounting::Exit;
use crate::report::{clean, units};
use crate::workload::load;
use crate::workload::model::{
    Arrivals, BadResult, Dispatch, EngineSpec, Fault, FaultKind, FaultRule, Join, Limits, Mishap, OnFull, OnTimeout,
    Placement, Reap, StartMethod, SubmitMode, Trigger, Workers, Workload,
};
use crate::workload::yaml::{self, Tree};

/// The settings of an arm that are not the defaults: `recycled after 25 tasks`.
#[must_use]
pub(crate) fn of_engine(spec: &EngineSpec, arrivals: &Arrivals) -> Vec<String> {
    let mut words: Vec<String> = spec.interpreter.iter().map(|found| found.words()).collect();
    if let (Some(when), None) = (&spec.when, &spec.interpreter) {
        words.push(format!("if {when}"));
    }
    words.extend(of_placement(&spec.placement));
    if let Some(tasks) = spec.recycling.max_tasks {
        words.push(format!("workers are replaced after {tasks} task{}", if tasks.get() == 1 { "" } else { "s" }));
    }
    if let Some(bytes) = spec.recycling.max_rss_bytes {
        words.push(format!("workers are replaced beyond {}", units::bytes(bytes)));
    }
    if let Some(initializer) = &spec.initializer {
        let mut parts: Vec<String> =
            initializer.call.iter().map(|call| clean::line(&call.callable).into_owned()).collect();
        if !initializer.cpu.is_zero() {
            parts.push(format!("{} of CPU", units::duration(initializer.cpu)));
        }
        if initializer.memory_bytes > 0 {
            parts.push(units::bytes(initializer.memory_bytes));
        }
        if initializer.fail_rate > 0.0 {
            parts.push(format!("fails {} %", units::rate(initializer.fail_rate * 100.0)));
        }
        let each = match (spec.start_method, spec.kind.process_per_task()) {
            (StartMethod::Forkserver, _) => "fork server",
            (StartMethod::Spawn | StartMethod::Fork, true) => "process",
            (StartMethod::Spawn | StartMethod::Fork, false) => "worker",
        };
        let parts = if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") };
        words.push(format!("initializer of each {each}: {parts}"));
    }
    if spec.submit != SubmitMode::default() {
        words.push(format!("submitted with {}", spec.submit.word()));
    }
    if spec.dispatch != Dispatch::default() {
        words.push(format!("dispatch {}", spec.dispatch.word()));
    }
    if let Some(capacity) = spec.queue_capacity {
        let (tasks, wait) = if capacity.get() == 1 { ("task", "waits") } else { ("tasks", "wait") };
        let beyond = match arrivals {
            Arrivals::Open(open) if open.on_full == OnFull::Block => "arrivals beyond that are held up",
            Arrivals::Open(_) => "arrivals beyond that are dropped",
            Arrivals::Batch | Arrivals::ClosedLoop { .. } => "who submits more is blocked until there is room",
        };
        words.push(format!("at most {capacity} {tasks} {wait} (queue_capacity): {beyond}"));
    }
    if spec.join == Join::StartAllJoinAll {
        words.push("all places are started, then joined in that order".to_owned());
    }
    if spec.reap == Reap::Never {
        words.push("ended processes are left as zombies until the end of the run".to_owned());
    }
    match spec.start_method {
        _ if spec.kind.is_reference() => words.extend(of_start(spec)),
        StartMethod::Spawn => {}
        StartMethod::Forkserver => words.push("workers are forked from a server".to_owned()),
        StartMethod::Fork => words.push("workers are forked from a parent that has imported their module".to_owned()),
    }
    if spec.on_timeout == Some(OnTimeout::Abandon) {
        words.push("the caller gives up at a timeout, the worker goes on".to_owned());
    }
    words
}

/// How the processes of one of CPython's own are started: `started by fork (its default)`.
#[must_use]
pub(crate) fn of_start(spec: &EngineSpec) -> Option<String> {
    let is_known = spec.chosen_start_method.is_some() || spec.interpreter.is_some();
    let usual = if spec.chosen_start_method.is_none() { " (its default)" } else { "" };
    let method = if is_known { spec.start_method.word() } else { "its interpreter's default" };
    spec.kind.is_reference().then(|| format!("started by {method}{}", if is_known { usual } else { "" }))
}

/// What a file allows itself, if it says so: `at most 8 processes, 10s`.
#[must_use]
pub(crate) fn of_limits(limits: &Limits) -> Option<String> {
    let words = [
        limits.max_processes.map(|most| format!("{most} processes at once")),
        limits.max_memory_bytes.map(|most| format!("{} of memory", units::bytes(most))),
        limits.max_time.map(|most| format!("{} in all", units::duration(most))),
        limits.max_open_files.map(|most| format!("{most} open files each")),
    ];
    let words: Vec<String> = words.into_iter().flatten().collect();
    (!words.is_empty()).then(|| format!("at most {}", words.join(", ")))
}

/// Where the processes of an arm run, and before whom, if it says so: `on CPUs 0-1`, `niceness 5`.
#[must_use]
pub(crate) fn of_placement(placement: &Placement) -> Vec<String> {
    let mut words = Vec::new();
    if let Some(cpus) = &placement.affinity {
        words.push(format!("on CPU{} {cpus}", if cpus.numbers().len() == 1 { "" } else { "s" }));
    }
    if let Some(nice) = placement.nice {
        words.push(format!("niceness {nice}"));
    }
    words
}

/// What was run otherwise than the file says, as `--set` would say it: `measure.repeats=2`.
#[must_use]
pub(crate) fn overridden(workload: &Workload) -> Vec<String> {
    let Ok(tree) = yaml::parse(&workload.effective) else { return Vec::new() };
    let usual = load::measure::default(workload.has_items());
    let measure = &workload.measure;
    let file = |path: &[&str]| path.iter().try_fold(&tree, |tree, key| entry(tree, key));
    let number = |path: &[&str], usual: u64| match file(path) {
        Some(Tree::Int(value)) => u64::try_from(*value).ok(),
        None => Some(usual),
        Some(_) => None,
    };
    let mut changed = Vec::new();
    let mut told = |path: &[&str], usual: u64, run: u64| {
        if number(path, usual).is_some_and(|file| file != run) {
            changed.push(format!("{}={run}", path.join(".")));
        }
    };
    if measure.adaptive.is_none() {
        told(&["measure", "repeats"], usual.repeats.get().into(), measure.repeats.get().into());
    }
    told(&["measure", "warmup"], usual.warmup.into(), measure.warmup.into());
    // A seed that the file does not say is one that it has by itself.
    told(&["seed"], workload.seed, workload.seed);
    let Some(Tree::Seq(engines)) = file(&["engines"]) else { return changed };
    for (place, engine) in engines.iter().enumerate() {
        let text = |key| match entry(engine, key) {
            Some(Tree::Text(text)) => Some(text.as_str()),
            _ => None,
        };
        let name = text("name").or_else(|| text("kind"));
        let run = workload.engines.iter().find(|run| Some(run.name.as_str()) == name);
        let said = match entry(engine, "workers") {
            Some(Tree::Int(count)) => Some(count.to_string()),
            Some(Tree::Text(text)) => Some(text.clone()),
            _ => None,
        };
        if let (Some(Workers::Fixed(count)), Some(said)) = (run.map(|run| &run.workers), said)
            && said != count.to_string()
        {
            changed.push(format!("engines.{place}.workers={count}"));
        }
    }
    changed
}

fn entry<'a>(tree: &'a Tree, wanted: &str) -> Option<&'a Tree> {
    let Tree::Map(entries) = tree else { return None };
    entries.iter().find_map(|(key, value)| matches!(key, Tree::Text(key) if key == wanted).then_some(value))
}

/// What goes wrong on purpose.
#[must_use]
pub(crate) fn of_fault(rule: &FaultRule, workload: &Workload) -> String {
    let arm = rule.engine.as_ref().map_or(String::new(), |arm| format!(" in {}", clean::line(arm)));
    match &rule.mishap {
        Mishap::KillWorker { at, worker } => {
            let victim = worker.map_or("a busy worker".to_owned(), |worker| format!("worker {worker}"));
            format!("{victim} is killed at {}{arm}", units::duration(*at))
        }
        Mishap::InTask(fault) => format!("{} {}{arm}", what(fault.kind), place(fault, workload)),
    }
}

fn what(kind: FaultKind) -> String {
    match kind {
        FaultKind::Crash(signal) => format!("the worker ends by {}", Exit::Signal(signal)),
        FaultKind::Exit(code) => format!("the worker exits with {code}"),
        FaultKind::Hang => "the task never ends".to_owned(),
        FaultKind::Leak(bytes) => format!("{} leak", units::bytes(bytes)),
        FaultKind::IgnoreSigterm => "the worker ignores SIGTERM from then on".to_owned(),
        FaultKind::BadResult(BadResult::Wrong) => "the result is wrong".to_owned(),
        FaultKind::BadResult(BadResult::Undecodable) => "the result cannot be decoded".to_owned(),
        FaultKind::BadResult(BadResult::Oversized) => "the result is larger than any may be".to_owned(),
    }
}

fn place(fault: &Fault, workload: &Workload) -> String {
    let class = fault.class.and_then(|class| workload.classes.get(usize::from(class)));
    let class = class.map_or(String::new(), |class| format!(" of {}", clean::line(&class.name)));
    match fault.at {
        Trigger::Index(index) => format!("in task {index}{class}"),
        Trigger::Time(at) => format!("in the first task{class} that begins after {}", units::duration(at)),
        Trigger::Rate(rate) if rate >= 1.0 => format!("in every task{class}"),
        Trigger::Rate(rate) => format!("in {} % of the tasks{class}", units::rate(rate * 100.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_run_otherwise_than_the_file_says_is_told() {
        let text = "version: 1\nname: t\nseed: 1\ntasks: [{ name: t, kind: kernel, kernel: noop, count: 5 }]\n\
                    engines: [{ kind: pool, workers: 2 }, { kind: process, workers: 2 }]\nmeasure: { repeats: 20 }\n";
        let mut workload = load::load(text, "t").expect("a workload").workload;
        assert_eq!(overridden(&workload), [""; 0]);
        workload.measure.repeats = std::num::NonZeroU32::new(3).expect("not zero");
        workload.measure.warmup = 0;
        workload.reseed(7);
        workload.engines[1].workers = Workers::Fixed(std::num::NonZeroU32::new(4).expect("not zero"));
        let told = overridden(&workload);
        assert_eq!(told, ["measure.repeats=3", "measure.warmup=0", "seed=7", "engines.1.workers=4"]);
        // What it is told as says the same to the loader.
        let again = load::load(text, "t").expect("a workload").workload;
        let changed = crate::workload::source::typed(text.to_owned(), &told, crate::workload::source::Input::Refused);
        let changed = changed.expect("changes that can be made").1.workload;
        assert_ne!(again.measure.repeats, changed.measure.repeats);
        assert_eq!((&changed.measure, changed.seed), (&workload.measure, workload.seed));
        assert_eq!(changed.engines, workload.engines);
    }
}
