//! `engines[]`: the arms of a comparison.

use std::collections::HashMap;
use std::num::NonZeroU32;

use crate::workload::engines::WORKERS;
use crate::workload::load::field::Field;
use crate::workload::load::map::MapReader;
use crate::workload::load::{keys, life, placement, python, submission, task, worker_life};
use crate::workload::model::{
    Chunksize, DEFAULT_START_TIMEOUT, EngineKind, EngineSpec, Join, OnTimeout, PythonSettings, Reap, StartMethod,
    SubmitMode, WorkerCounts, Workers,
};
use crate::workload::scan::Mark;
use crate::workload::yaml::Tree;

const MOST_ENGINES: usize = 32;
const LATER_KINDS: [&str; 1] = ["dask"];

/// Reads the list; the second value is the index of the baseline.
pub(crate) fn read(field: &Field<'_>) -> Option<(Vec<EngineSpec>, usize)> {
    let items = field.some_items(MOST_ENGINES)?;
    let read: Vec<Option<EngineEntry<'_>>> = items.iter().map(entry).collect();
    let mut named: HashMap<String, Mark> = HashMap::new();
    let mut baseline: Option<(usize, Mark)> = None;
    let mut fine = true;
    for (index, entry) in read.iter().enumerate() {
        let Some(entry) = entry else { continue };
        if let Some(name) = &entry.name {
            let mark = entry.name_field.mark();
            if let Some(first) = named.get(name) {
                let context = field.context;
                let error = entry
                    .name_field
                    .error(format!("a second engine named `{name}`"))
                    .allowed("each engine needs a `name` of its own (default: its kind)");
                context.report(error.related(context.lines, *first, "first named here"));
                fine = false;
            } else {
                named.insert(name.clone(), mark);
            }
        }
        if let Some(mark) = entry.baseline {
            if let Some((_, first)) = baseline {
                let context = field.context;
                let error = context.error(mark, &format!("{}.baseline", entry.path), "a second baseline");
                context.report(error.allowed("one engine is the baseline").related(context.lines, first, "first one"));
                fine = false;
            } else {
                baseline = Some((index, mark));
            }
        }
    }
    let specs: Vec<EngineSpec> = read.into_iter().map(|entry| entry?.spec).collect::<Option<_>>()?;
    fine.then(|| (specs, baseline.map_or(0, |(index, _)| index)))
}

struct EngineEntry<'a> {
    path: String,
    name: Option<String>,
    /// Where the name is, or the kind that stands in for it.
    name_field: Field<'a>,
    /// Where `baseline: true` is.
    baseline: Option<Mark>,
    spec: Option<EngineSpec>,
}

fn entry<'a>(field: &Field<'a>) -> Option<EngineEntry<'a>> {
    if !matches!(field.tree, Tree::Map(_)) {
        return field.unfit("must be a map such as { kind: pool }");
    }
    let mut map = field.map()?;
    let kind_field = map.required("kind");
    let kinds: Vec<(&str, EngineKind)> = EngineKind::in_files().map(|kind| (kind.word(), kind)).collect();
    let kind = kind_field.as_ref().and_then(|field| field.choice("kind of engine", &kinds, &LATER_KINDS));
    let name_field = map.get("name");
    let name = match &name_field {
        Some(field) => field.name(),
        None => kind.map(|kind| kind.word().to_owned()),
    };
    let baseline_field = map.get("baseline");
    let baseline = match &baseline_field {
        Some(field) => field.boolean(),
        None => Some(false),
    };
    let start_timeout = map.or("start_timeout", DEFAULT_START_TIMEOUT, Field::positive_duration);
    let (start_method, join, reap) = (map.get("start_method"), map.get("join"), map.get("reap"));
    let says_start_method = start_method.is_some();
    let on_timeout_field = map.get("on_timeout");
    let on_timeout = match &on_timeout_field {
        Some(field) => task::on_timeout(field).map(Some),
        None => Some(None),
    };
    let submit = map.or("submit", SubmitMode::default(), submission::submit);
    let queue_capacity = map.or("queue_capacity", None, submission::queue_capacity);
    let initializer = map.optional("initializer", worker_life::initializer);
    let placement = placement::read(&mut map);
    let interpreter = map.or("python", PythonSettings::default(), python::settings);
    let when = map.optional("when", python::when);
    let ((workers, chunksize, recycling, dispatch), (start_method, join, reap)) = match kind {
        Some(kind) => {
            let read = (
                workers(&mut map, kind),
                chunksize(&mut map, kind),
                worker_life::recycling(&mut map, kind),
                submission::dispatch(&mut map, kind),
            );
            map.finish(&keys::ENGINE, "an engine");
            let start_method =
                start_method.map_or(Some(StartMethod::default()), |field| life::start_method(&field, kind));
            let join = join.map_or(Some(Join::default()), |field| life::join(&field, kind));
            let reap = reap.map_or(Some(Reap::default()), |field| life::reap(&field, kind));
            let kills = on_timeout == Some(Some(OnTimeout::Kill)) && kind.shares_process();
            if let Some(field) = on_timeout_field.as_ref().filter(|_| kills) {
                life::cannot_kill(field, kind);
            }
            (read, (start_method, join, reap))
        }
        None => {
            map.finish_any(&keys::ENGINE, "an engine");
            ((None, None, None, None), (None, None, None))
        }
    };
    let spec = || {
        baseline?;
        Some(EngineSpec {
            name: name.clone()?,
            kind: kind?,
            workers: workers?,
            chunksize: chunksize?,
            start_method: start_method?,
            chosen_start_method: start_method.filter(|_| says_start_method),
            join: join?,
            reap: reap?,
            start_timeout: start_timeout?,
            recycling: recycling?,
            initializer: initializer?,
            on_timeout: on_timeout?,
            submit: submit?,
            dispatch: dispatch?,
            queue_capacity: queue_capacity?,
            placement: placement?,
            python: interpreter?,
            when: when?,
            interpreter: None,
        })
    };
    let spec = spec();
    Some(EngineEntry {
        path: field.path.clone(),
        name,
        name_field: name_field.or(kind_field).unwrap_or_else(|| field.clone()),
        baseline: baseline_field.filter(|_| baseline == Some(true)).map(|field| field.mark()),
        spec,
    })
}

fn workers(map: &mut MapReader<'_>, kind: EngineKind) -> Option<Workers> {
    let default = EngineSpec::of_kind(kind, Workers::Auto).workers;
    let Some(field) = map.one_of(&WORKERS) else { return Some(default) };
    let counts = kind.row().workers;
    let others = if counts == WorkerCounts::AnyOrUnbounded { ", auto or unbounded" } else { " or auto" };
    let workers = match field.tree {
        Tree::Text(word) if word == "auto" => Workers::Auto,
        Tree::Text(word) if word == "unbounded" && counts == WorkerCounts::AnyOrUnbounded => Workers::Unbounded,
        Tree::Text(word) if word == "unbounded" => {
            return field.wrong("only a process engine can be unbounded", "must be an integer >= 1 or auto");
        }
        _ => Workers::Fixed(NonZeroU32::new(u32::try_from(field.integer_or(1, u32::MAX.into(), others)?).ok()?)?),
    };
    if counts == WorkerCounts::One && workers != default {
        let message = format!("{} runs one task at a time", kind.word());
        return field.wrong(&message, "must be 1, or leave it out");
    }
    Some(workers)
}

fn chunksize(map: &mut MapReader<'_>, kind: EngineKind) -> Option<Chunksize> {
    let Some(field) = map.get("chunksize") else { return Some(kind.default_chunksize()) };
    if kind.row().chunksize.is_none() {
        let context = field.context;
        let mark = field.key.unwrap_or_else(|| field.mark());
        let error = context.error(mark, &field.path, &format!("does not apply to a {} engine", kind.word()));
        return field.refuse(error.allowed("leave it out: a process does one task"));
    }
    match field.tree {
        Tree::Text(word) if word == "auto" => Some(Chunksize::Auto),
        Tree::Text(word) if word == "cpython" => Some(Chunksize::Cpython),
        _ => Some(Chunksize::Fixed(NonZeroU32::new(
            u32::try_from(field.integer_or(1, u32::MAX.into(), ", auto or cpython")?).ok()?,
        )?)),
    }
}
