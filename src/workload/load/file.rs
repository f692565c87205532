//! The top level of a workload file.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::workload::arrivals::MOST_COUNTED;
use crate::workload::engines::default_arms;
use crate::workload::load::field::Field;
use crate::workload::load::map::MapReader;
use crate::workload::load::task::{MOST_CLASSES, MOST_TASKS, RawTask};
use crate::workload::load::{
    arrivals, engine, expect, fault, keys, limits, measure, python, seed, share, submission, sweep, task, together,
    warn,
};
use crate::workload::model::{
    Arrivals, BatchRules, Limits, OnTimeout, Order, PythonSettings, Share, TaskClass, Total, Workload,
};
use crate::workload::scan::Mark;
use crate::workload::service;
use crate::workload::stream::MOST_SORTED;
use crate::workload::stream::Shares;
use crate::workload::yaml::{self, Tree};

/// The version this program reads.
const VERSION: u64 = 1;
const DEFAULT_GRACE_PERIOD: Duration = Duration::from_millis(200);
const ORDERS: [(&str, Order); 3] =
    [("as_generated", Order::AsGenerated), ("shuffle", Order::Shuffle), ("lpt", Order::Lpt)];

/// Its words, for the schema of the format.
pub(super) fn orders() -> impl Iterator<Item = &'static str> {
    ORDERS.iter().map(|(word, _)| *word)
}

/// What identifies a file.
pub(crate) struct Identity {
    /// Of its text and of what was changed in it.
    pub(crate) hash: String,
    /// Of its text.
    pub(crate) text_hash: String,
    /// The text as it may be told.
    pub(crate) text: Arc<str>,
}

/// Reads a file. What is refused was reported.
pub(crate) fn read(field: &Field<'_>, source: &str, identity: Identity) -> Option<Workload> {
    let mut map = field.map()?;
    version(&mut map)?;
    let name = match map.get("name") {
        Some(field) => field.name(),
        None => Some(name_of(source)),
    };
    let title = map.optional("title", Field::line);
    let description = map.or("description", String::new(), Field::text);
    let teaches = map.or("teaches", Vec::new(), texts);
    let seed_value = map.optional("seed", |field| field.integer(0, u64::MAX));
    let grace_period = map.or("grace_period", DEFAULT_GRACE_PERIOD, Field::duration);
    let on_timeout = map.or("on_timeout", OnTimeout::Kill, task::on_timeout);
    let total_field = map.get("total").map(|field| {
        let value = field.count(MOST_TASKS);
        (field, value)
    });
    let order_field = map.get("order");
    let order = match &order_field {
        Some(field) => field.choice("order", &ORDERS, &[]),
        None => Some(Order::AsGenerated),
    };
    let arrivals = map.or("arrivals", Arrivals::Batch, arrivals::read);
    let mut engines = map.or("engines", (default_arms(), 0), engine::read);
    let has_items = map.peek("tasks").is_some_and(|tasks| any_has_items(tasks.tree));
    let measure = map.or("measure", measure::default(has_items), |field| measure::read(field, has_items));
    let limits = map.or("limits", Limits::default(), limits::read);
    let sweep = map.or("sweep", Vec::new(), sweep::read);
    let interpreter = map.or("python", PythonSettings::default(), python::settings);
    let raw = map.required("tasks").and_then(|field| {
        let seed = seed_value.flatten().unwrap_or(0);
        tasks(&field, grace_period.unwrap_or_default(), on_timeout.unwrap_or_default(), seed)
    });
    let shares = raw.as_ref().and_then(|raw| {
        // Shares of tasks that could not be read at all are not known.
        raw.complete.then(|| share::read(&raw.tasks, total_field.as_ref(), arrivals.as_ref()))?
    });
    let classes = match (&raw, &shares) {
        (Some(raw), Some((shares, _))) => classes(&raw.tasks, shares),
        _ => None,
    };
    if let Some(raw) = &raw {
        together::check_tasks(&raw.tasks);
        if let Some(field) = map.peek("measure").and_then(|field| field.entry("gil_probe")) {
            together::check_probe(&field, measure.as_ref(), &raw.tasks);
        }
        if let Some((engines, _)) = &mut engines {
            let field = map.peek("engines").filter(|field| matches!(field.tree, Tree::Seq(_)));
            together::default_start_methods(field.as_ref(), engines, &raw.tasks);
        }
        if let (Some(field), Some((engines, _))) = (map.peek("engines"), &engines) {
            together::check_engines(&field, engines, &raw.tasks);
        }
    }
    if let (Some(field), Some(order)) = (&order_field, order) {
        check_order(field, order, classes.as_deref(), shares.as_ref().map(|(_, total)| *total), arrivals.as_ref());
    }
    if let (Some(field), Some(arrivals)) = (map.peek("arrivals"), &arrivals) {
        check_arrivals(&field, arrivals, total_field.as_ref().and_then(|(_, total)| *total), raw.as_ref());
    }
    if let (Some(field), Some((engines, _)), Some(arrivals)) = (map.peek("engines"), &engines, &arrivals) {
        submission::check(&field, engines, arrivals);
    }
    let faults = match (map.get("faults"), &classes, &engines) {
        (Some(field), Some(classes), Some((engines, _))) => {
            let total = shares.as_ref().and_then(|(shares, total)| count_of(shares, *total));
            let seed = seed_value.flatten().unwrap_or(0);
            let shares = Shares::new(classes);
            let class_of = move |index| shares.class_of(seed, index);
            fault::read(&field, &fault::Names { engines, classes, total, class_of: &class_of })
        }
        // What they may name is not known.
        (Some(_), _, _) => None,
        (None, _, _) => Some(Vec::new()),
    };
    let expected = match (map.get("expect"), &engines, &measure, &arrivals) {
        (Some(field), Some((engines, _)), Some(measure), Some(arrivals)) => {
            expect::read(&field, &expect::Names { engines, measure, arrivals })
        }
        // What they may name is not known.
        (Some(_), ..) => None,
        (None, ..) => Some(Vec::new()),
    };
    if !map.has("seed") && !map.misspelt("seed") {
        let tasks = raw.as_ref().map_or(&[][..], |raw| &raw.tasks);
        let engines = engines.as_ref().map_or(&[][..], |(engines, _)| engines);
        let faults = faults.as_deref().unwrap_or_default();
        let (arrivals, measure) = (arrivals.as_ref(), measure.as_ref());
        seed::require(&map.field, &seed::Parts { tasks, order, arrivals, measure, engines, faults });
    }
    map.finish(&keys::FILE, "a workload");
    let name = name?;
    let (engines, baseline) = engines?;
    let ((_, total), raw) = (shares?, raw?);
    on_timeout?;
    let workload = Workload {
        title: title?.unwrap_or_else(|| name.clone()),
        name,
        description: description?,
        teaches: teaches?,
        seed: seed_value?.unwrap_or(0),
        classes: classes?,
        total,
        order: order?,
        arrivals: arrivals?,
        engines,
        skipped: Vec::new(),
        baseline,
        faults: faults?,
        measure: measure?,
        expect: expected?,
        limits: limits?,
        python: interpreter?,
        sweep: sweep?,
        hash: identity.hash,
        text_hash: identity.text_hash,
        text: identity.text,
        effective: yaml::effective(field.tree).into(),
        folder: None,
        batch: BatchRules::default(),
    };
    warn::about(&raw.tasks, total_field.as_ref().map(|(field, _)| field), &workload);
    Some(workload)
}

/// How many tasks there are; `None` where the arrivals tell.
fn count_of(shares: &[Share], total: Total) -> Option<u64> {
    match total {
        Total::Weighted(total) => Some(total.get()),
        Total::PerClass => {
            Some(shares.iter().map(|share| if let Share::Count(count) = share { count.get() } else { 0 }).sum())
        }
        Total::ByDuration => None,
    }
}

/// A newer file may mean something else by every key, so nothing else is read from it.
fn version(map: &mut MapReader<'_>) -> Option<()> {
    let Some(field) = map.required("version") else {
        // Reported; the other problems are worth knowing too.
        return Some(());
    };
    match field.tree {
        Tree::Int(value) if *value > i128::from(VERSION) => {
            field.wrong(format!("version {value} is newer than this program knows"), format!("must be {VERSION}"))
        }
        _ => {
            field.integer(VERSION, VERSION);
            Some(())
        }
    }
}

/// The name of a workload that gives none: its file's, without what could command a terminal.
fn name_of(source: &str) -> String {
    let stem = Path::new(source).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let stem = stem.filter(|stem| !stem.trim().is_empty()).unwrap_or_else(|| "workload".to_owned());
    crate::workload::text::shortened(&stem, 100)
}

fn texts(field: &Field<'_>) -> Option<Vec<String>> {
    let items = field.items()?;
    let read: Vec<Option<String>> = items.iter().map(Field::text).collect();
    read.into_iter().collect()
}

fn any_has_items(tasks: &Tree) -> bool {
    let is_items = |(key, _): &(Tree, Tree)| matches!(key, Tree::Text(key) if key == "items");
    let Tree::Seq(tasks) = tasks else { return false };
    tasks.iter().any(|task| matches!(task, Tree::Map(entries) if entries.iter().any(is_items)))
}

struct RawTasks<'a> {
    tasks: Vec<RawTask<'a>>,
    /// Whether every entry could be read as a map.
    complete: bool,
}

fn tasks<'a>(field: &Field<'a>, grace_period: Duration, on_timeout: OnTimeout, seed: u64) -> Option<RawTasks<'a>> {
    let items = field.some_items(MOST_CLASSES)?;
    let tasks: Vec<RawTask<'a>> =
        items.iter().filter_map(|item| task::read(item, grace_period, on_timeout, seed)).collect();
    let mut named: HashMap<&str, Mark> = HashMap::new();
    for (name, field) in tasks.iter().filter_map(|task| task.name.as_ref()) {
        if let Some(first) = named.get(name.as_str()) {
            let context = field.context;
            let error = field.error("a second task with this name").allowed("each task needs a name of its own");
            context.report(error.related(context.lines, *first, "first named here"));
        } else {
            named.insert(name, field.mark());
        }
    }
    Some(RawTasks { complete: tasks.len() == items.len(), tasks })
}

fn classes(tasks: &[RawTask<'_>], shares: &[Share]) -> Option<Vec<TaskClass>> {
    let mut begin = 0;
    let class = |(task, share): (&RawTask<'_>, &Share)| {
        let mut work = task.work.clone()?;
        let items = match &task.items {
            Some(items) => Some(items.clone()?.beginning_at(begin)),
            None => None,
        };
        // Which tasks are of a class with a weight is drawn: there, the task with number n of all has value n.
        if let Share::Count(count) = share {
            service::begin_traces(&mut work, begin, Some(count.get()));
            begin += count.get();
        }
        Some(TaskClass {
            name: task.name.as_ref()?.0.clone(),
            share: *share,
            items,
            work,
            payload: task.payload?,
            timeout: task.timeout?,
            on_timeout: task.on_timeout?,
            queue_timeout: task.queue_timeout?,
            wait_timeout: task.wait_timeout?,
            grace_period: task.grace_period?,
            retries: task.retries?,
        })
    };
    tasks.iter().zip(shares).map(class).collect()
}

/// `lpt` sorts all tasks before the first is given out, so they must be there, and not be too many.
fn check_order(
    field: &Field<'_>,
    order: Order,
    classes: Option<&[TaskClass]>,
    total: Option<Total>,
    arrivals: Option<&Arrivals>,
) -> Option<()> {
    if order != Order::Lpt {
        return Some(());
    }
    if let Some(Arrivals::Open(_)) = arrivals {
        return field.wrong(
            "`lpt` with open arrivals",
            "tasks that arrive one by one cannot be sorted: as_generated or shuffle",
        );
    }
    let count = match total? {
        Total::Weighted(total) => total.get(),
        Total::PerClass | Total::ByDuration => classes?
            .iter()
            .map(|class| match class.share {
                Share::Count(count) => count.get(),
                Share::Weight(_) => 0,
            })
            .sum(),
    };
    if count > MOST_SORTED {
        return field.wrong(format!("`lpt` with {count} tasks"), format!("lpt sorts at most {MOST_SORTED} tasks"));
    }
    Some(())
}

/// Stages bring as many tasks as arrive; that number must be countable. `field` is `arrivals`.
fn check_arrivals(
    field: &Field<'_>,
    arrivals: &Arrivals,
    total: Option<NonZeroU64>,
    tasks: Option<&RawTasks<'_>>,
) -> Option<()> {
    let Arrivals::Open(open) = arrivals else { return Some(()) };
    let counted = tasks.is_some_and(|raw| raw.tasks.iter().any(|task| task.count.is_some()));
    let limit = total.map_or(f64::INFINITY, |total| total.get() as f64);
    let expected = open.expected();
    if open.duration().is_some() && !counted && expected.min(limit) > MOST_COUNTED as f64 {
        let allowed = format!("at most {MOST_COUNTED}; for more give `total` and a `rate` without duration");
        return field.wrong(format!("the stages bring about {expected:.0} tasks"), allowed);
    }
    Some(())
}
