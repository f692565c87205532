//! The points of a sweep over fields of the file: one workload for each combination of values, as the file would say it, and
//! the arms that take part in it. An engine to which a field does not apply takes part once, as it is.

use std::sync::Arc;

use crate::cli::{ChangeArgs, WorkerCounts};
use crate::commands::prepare::{self, Prepared};
use crate::commands::{ExitReason, python, write};
use crate::report::clean;
use crate::workload::load;
use crate::workload::model::{Dimension, EngineSpec, Workload};
use crate::workload::source::Source;
use crate::workload::sweep::MOST;

/// A combination of values.
pub(super) struct Cell {
    pub(super) workload: Workload,
    /// Settings of each of its engines, in their order.
    arms: Vec<ArmSettings>,
}

/// An arm of a sweep: an engine of the file with some settings.
#[derive(Clone, Debug)]
pub(super) struct ArmSettings {
    /// Name of the engine in the file.
    pub(super) base: String,
    /// Fields that were swept, with their values.
    pub(super) settings: Vec<(String, String)>,
    /// Arms of a group run the same tasks in the same engine: they are rivals.
    pub(super) group: usize,
}

/// What is needed to load the file anew.
pub(in crate::commands) struct Origin<'a> {
    pub(in crate::commands) source: &'a Source,
    pub(in crate::commands) base: &'a Workload,
    pub(in crate::commands) changes: &'a ChangeArgs,
}

/// A field with the entries that it means.
struct Resolved<'a> {
    dimension: &'a Dimension,
    entries: Vec<Entry>,
}

struct Entry {
    path: String,
    /// The same for whatever names the same field.
    place: String,
    /// The engine whose field it is.
    engine: Option<String>,
    /// For each value whether it may have it.
    accepts: Vec<bool>,
}

/// Why fields cannot be swept, for people; and what else is to be said of them.
#[derive(Debug, Default)]
pub(in crate::commands) struct Told {
    pub(in crate::commands) wrong: Vec<String>,
    pub(in crate::commands) notes: Vec<String>,
}

/// Whether what a file says in `sweep` can be swept, each field and all of them together.
pub(in crate::commands) fn check(origin: &Origin<'_>, dimensions: &[Dimension]) -> Told {
    let mut told = Told::default();
    let (counts, fields): (Vec<&Dimension>, Vec<&Dimension>) =
        dimensions.iter().partition(|dimension| dimension.is_workers());
    let counts = counts.iter().filter_map(|counts| counts.values.join(",").parse::<WorkerCounts>().err());
    told.wrong.extend(counts.map(|wrong| format!("workers: {wrong}")));
    let fields: Vec<Dimension> = fields.into_iter().cloned().collect();
    let resolved: Vec<Resolved<'_>> = fields.iter().filter_map(|field| resolve(origin, field, &mut told)).collect();
    let whole = resolved.len() == fields.len() && are_different(&resolved, &mut told);
    if let (true, Some(number)) = (whole, combinations(&fields, &mut told)) {
        let wrong = (0..number).find_map(|number| combined(origin, &chosen(&resolved, number)).err());
        told.wrong.extend(wrong);
    }
    told
}

/// Whether no field has two lists of values; if one has, that is told.
fn are_different(resolved: &[Resolved<'_>], told: &mut Told) -> bool {
    let twice = resolved.iter().enumerate().find_map(|(place, one)| {
        let earlier = resolved.iter().take(place);
        let same = |entry: &Entry, other: &Entry| entry.place == other.place && entry.applies() && other.applies();
        let overlaps = |other: &&Resolved<'_>| {
            one.entries.iter().any(|entry| other.entries.iter().any(|other| same(entry, other)))
        };
        let other = earlier.into_iter().find(overlaps)?;
        Some((clean::line(&other.dimension.path), clean::line(&one.dimension.path)))
    });
    if let Some((one, other)) = &twice {
        told.wrong.push(format!("{one} and {other} are the same field, which has one list of values"));
    }
    twice.is_none()
}

/// A path with the numbers of entries that are named, so that one field has one.
fn place_of(path: &str, base: &Workload) -> String {
    let path = path.replace('[', ".").replace(']', "");
    let mut parts: Vec<String> = path.split('.').map(str::to_owned).collect();
    let names: Vec<&str> = match parts.first().map(String::as_str) {
        Some("engines") => base.engines.iter().map(|engine| engine.name.as_str()).collect(),
        Some("tasks") => base.classes.iter().map(|class| class.name.as_str()).collect(),
        _ => Vec::new(),
    };
    if let Some(entry) = parts.get_mut(1)
        && let Some(place) = names.iter().position(|name| name == entry)
    {
        *entry = place.to_string();
    }
    parts.join(".")
}

/// How many combinations there are; `None` where they are too many, which is told.
fn combinations(dimensions: &[Dimension], told: &mut Told) -> Option<usize> {
    let count = dimensions.iter().fold(1_usize, |count, dimension| count.saturating_mul(dimension.values.len()));
    if count > MOST {
        told.wrong.push(format!("these are {count} combinations; {MOST} is the most that can be tried"));
    }
    (count <= MOST).then_some(count)
}

/// The values of one combination, by their places.
fn chosen<'a, 'b>(resolved: &'b [Resolved<'a>], number: usize) -> Vec<(&'b Resolved<'a>, usize)> {
    let mut rest = number;
    let values: Vec<usize> = resolved
        .iter()
        .rev()
        .map(|one| {
            let place = rest % one.dimension.values.len();
            rest /= one.dimension.values.len();
            place
        })
        .collect();
    resolved.iter().zip(values.into_iter().rev()).collect()
}

fn refused(wrong: &[String]) -> ExitReason {
    for words in wrong {
        write::say(&format!("error: {words}"));
    }
    ExitReason::BadInput
}

/// The combinations, at most [`MOST`]; without dimensions, the one that is there. `pick` chooses the arms of each.
pub(super) fn all(
    origin: &Origin<'_>,
    dimensions: &[Dimension],
    pick: impl Fn(&Workload) -> Prepared<Vec<EngineSpec>>,
) -> Prepared<Vec<Cell>> {
    let mut told = Told::default();
    let Some(count) = combinations(dimensions, &mut told) else { return Err(refused(&told.wrong)) };
    let mut resolved: Vec<Resolved<'_>> = Vec::new();
    for dimension in dimensions {
        let Some(one) = resolve(origin, dimension, &mut told) else { return Err(refused(&told.wrong)) };
        resolved.push(one);
    }
    if !are_different(&resolved, &mut told) {
        return Err(refused(&told.wrong));
    }
    for note in &told.notes {
        write::say(&format!("note: {note}"));
    }
    let mut kept: Vec<Cell> = Vec::new();
    let mut groups: Vec<(Workload, String)> = Vec::new();
    for number in 0..count {
        let chosen = chosen(&resolved, number);
        let mut workload = combined(origin, &chosen).map_err(|wrong| refused(&[wrong]))?;
        let takes_part = |arm: &EngineSpec| {
            chosen.iter().all(|(one, value)| {
                let own = one.entries.iter().find(|entry| entry.engine.as_ref() == Some(&arm.name));
                own.is_none_or(|own| own.accepts.get(*value) == Some(&true) || !own.applies())
            })
        };
        let mut arms = Vec::new();
        let picked: Vec<EngineSpec> = pick(&workload)?.into_iter().filter(|arm| takes_part(arm)).collect();
        workload.engines.clear();
        for arm in picked {
            // The same again: a field that does not apply to it has another value.
            let same = |cell: &Cell| same_tasks(&cell.workload, &workload) && cell.workload.python == workload.python;
            if kept.iter().any(|cell| same(cell) && cell.has(&arm)) {
                continue;
            }
            let group = groups.iter().position(|(of, base)| *base == arm.name && same_tasks(of, &workload));
            let group = group.unwrap_or_else(|| {
                groups.push((workload.clone(), arm.name.clone()));
                groups.len() - 1
            });
            let applies = |one: &Resolved<'_>| {
                let own = one.entries.iter().find(|entry| entry.engine.as_ref() == Some(&arm.name));
                own.map_or(one.entries.iter().any(|entry| entry.engine.is_none()), Entry::applies)
            };
            let settings = chosen.iter().filter(|(one, _)| applies(one)).filter_map(|(one, value)| {
                Some((one.dimension.path.clone(), one.dimension.as_told().values.get(*value)?.clone()))
            });
            arms.push(ArmSettings { base: arm.name.clone(), settings: settings.collect(), group });
            workload.engines.push(arm);
        }
        if !arms.is_empty() {
            kept.push(Cell { workload, arms });
        }
    }
    if kept.is_empty() {
        write::say("error: no engine takes part");
        return Err(ExitReason::BadInput);
    }
    Ok(kept)
}

impl Entry {
    /// Whether it may have any of the values.
    fn applies(&self) -> bool {
        self.accepts.contains(&true)
    }
}

impl Cell {
    fn has(&self, arm: &EngineSpec) -> bool {
        self.workload.engines.contains(arm)
    }
}

/// Whether two workloads have the same tasks at the same times.
fn same_tasks(one: &Workload, other: &Workload) -> bool {
    let of = |workload: &Workload| (workload.seed, workload.total, workload.order);
    of(one) == of(other) && one.arrivals == other.arrivals && one.classes == other.classes && one.faults == other.faults
}

/// The entries that a field means; `None` where it cannot be swept, which is told.
fn resolve<'a>(origin: &Origin<'_>, dimension: &'a Dimension, told: &mut Told) -> Option<Resolved<'a>> {
    let path = load::full_path(&dimension.path);
    let Origin { base, .. } = origin;
    let entries: Vec<(String, Option<String>)> = match path.split_once(".*.") {
        None => vec![(path, None)],
        Some(("engines", rest)) => {
            let names = base.engines.iter().map(|engine| Some(engine.name.clone()));
            (0..).zip(names).map(|(place, name): (usize, _)| (format!("engines.{place}.{rest}"), name)).collect()
        }
        Some(("tasks", rest)) => (0..base.classes.len()).map(|place| (format!("tasks.{place}.{rest}"), None)).collect(),
        Some((list, _)) => {
            let (list, path) = (clean::line(list), clean::line(&dimension.path));
            told.wrong.push(format!("{path}: `*` is every entry of `engines` or `tasks`, not of `{list}`"));
            return None;
        }
    };
    let accepts = |path: &str, value: &String| {
        prepare::reloaded(origin.source, origin.changes, &[Dimension::change(path, value)]).is_ok()
    };
    let entries: Vec<Entry> = entries
        .into_iter()
        .map(|(path, engine)| Entry {
            accepts: dimension.values.iter().map(|value| accepts(&path, value)).collect(),
            place: place_of(&path, base),
            path,
            engine,
        })
        .collect();
    // A value that nothing may have is wrong, and why is best said by who reads it.
    let refused =
        (0..dimension.values.len()).find(|value| !entries.iter().any(|entry| entry.accepts.get(*value) == Some(&true)));
    let as_told = dimension.as_told();
    let refused = refused.and_then(|value| dimension.values.get(value).zip(as_told.values.get(value)));
    if let (Some((refused, words)), Some(entry)) = (refused, entries.first()) {
        let change = Dimension::change(&entry.path, refused);
        let why = prepare::reloaded(origin.source, origin.changes, &[change]).err();
        let why = why.map_or_else(String::new, |diagnostics| format!("\n{}", diagnostics.render(false).trim_end()));
        told.wrong.push(format!("{}={} cannot be tried{why}", clean::line(&dimension.path), clean::line(words)));
        return None;
    }
    for entry in entries.iter().filter(|entry| !entry.applies()) {
        if let Some(engine) = &entry.engine {
            let (engine, path) = (clean::line(engine), clean::line(&dimension.path));
            told.notes.push(format!("{path} does not apply to {engine}, which is run as it is"));
        }
    }
    Some(Resolved { dimension, entries })
}

fn combined(origin: &Origin<'_>, chosen: &[(&Resolved<'_>, usize)]) -> Result<Workload, String> {
    if chosen.is_empty() {
        return Ok(origin.base.clone());
    }
    let (mut set, mut words) = (Vec::new(), Vec::new());
    for (one, value) in chosen {
        let as_told = one.dimension.as_told();
        let Some((text, told)) = one.dimension.values.get(*value).zip(as_told.values.get(*value)) else { continue };
        for entry in one.entries.iter().filter(|entry| entry.accepts.get(*value) == Some(&true)) {
            set.push(Dimension::change(&entry.path, text));
            words.push(Dimension::change(&entry.path, told));
        }
    }
    prepare::reloaded(origin.source, origin.changes, &set).map_err(|diagnostics| {
        let why = diagnostics.render(false);
        format!("{} cannot be tried together\n{}", clean::line(&words.join(", ")), why.trim_end())
    })
}

/// All arms of all combinations, ready to be run, with the workload that each of them runs.
pub(super) fn flat(cells: Vec<Cell>) -> Prepared<Vec<(EngineSpec, ArmSettings, Arc<Workload>)>> {
    let mut flat = Vec::new();
    for Cell { workload, arms } in cells {
        let ready = python::ready(Arc::new(workload)).map_err(|unfit| {
            unfit.0.iter().for_each(|line| write::say(line));
            ExitReason::BadInput
        })?;
        for skipped in &ready.skipped {
            write::say(&format!("note: {} is skipped: {}", clean::line(&skipped.name), clean::line(&skipped.reason)));
        }
        for engine in &ready.engines {
            let Some(arm) = arms.iter().find(|arm| arm.base == engine.name) else { continue };
            let name = arm.name();
            // Faults know engines by their names.
            let mut own = Workload::clone(&ready);
            for fault in &mut own.faults {
                if fault.engine.as_ref() == Some(&engine.name) {
                    fault.engine = Some(name.clone());
                }
            }
            let engine = EngineSpec { name, ..engine.clone() };
            own.engines = vec![engine.clone()];
            flat.push((engine, arm.clone(), Arc::new(own)));
        }
    }
    if flat.is_empty() {
        write::say("error: no engine takes part");
        return Err(ExitReason::BadInput);
    }
    Ok(flat)
}

impl ArmSettings {
    /// What the arm is called.
    fn name(&self) -> String {
        let settings = self.settings.iter().map(|(path, value)| format!(" {path}={value}"));
        format!("{}{}", self.base, settings.collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_a_sweep_of_an_environment_is_refused_does_not_tell_what_is_in_it() {
        let task = |name: &str| format!("{{ name: {name}, kind: command, command: [\"true\"], count: 1 }}");
        let text = format!("version: 1\ntasks: [{}, {}]\n", task("x"), task("y"));
        let (source, loaded) =
            crate::workload::source::typed(text, &[], crate::workload::source::Input::Refused).expect("a workload");
        let origin = Origin { source: &source, base: &loaded.workload, changes: &ChangeArgs::default() };
        let told = |dimensions: &[(&str, [&str; 2])]| {
            let dimension = |(path, values): &(&str, [&str; 2])| Dimension {
                path: (*path).to_owned(),
                values: values.map(str::to_owned).to_vec(),
            };
            let dimensions: Vec<Dimension> = dimensions.iter().map(dimension).collect();
            check(&origin, &dimensions).wrong.join("\n")
        };
        let env = ("tasks[0].env.TOKEN", ["sesame-one", "sesame-two"]);
        let together = told(&[env, ("tasks[1].name", ["b", "c"]), ("tasks[0].name", ["a", "c"])]);
        assert!(together.contains("cannot be tried together") && !together.contains("sesame"), "{together}");
        let refused = told(&[("tasks[0].env.TOKEN", ["sesame", r#""ses\0ame""#])]);
        assert!(refused.contains("TOKEN=#2 cannot be tried"), "{refused}");
        assert!(!refused.contains("ame\"") && refused.contains('•'), "{refused}");
    }

    #[test]
    fn what_an_environment_holds_is_not_told() {
        let dimension = |text: &str| text.parse::<Dimension>().expect("a dimension");
        assert_eq!(dimension("tasks[0].env.TOKEN=sesame,open").as_told().values, ["#1", "#2"]);
        assert_eq!(dimension("python.env.TOKEN=sesame,open").as_told().values, ["#1", "#2"]);
        let other = dimension("tasks[environment].count=1,2");
        assert_eq!(other.as_told().values, other.values);
    }
}
