//! The points of a sweep over fields of the file: one workload for each combination of values, as the file would say it, and
//! the arms that take part in it. An engine to which a field does not apply takes part once, as it is.

use std::sync::Arc;

use crate::cli::ChangeArgs;
use crate::commands::prepare::{self, Prepared};
use crate::commands::{ExitReason, python, write};
use crate::report::clean;
use crate::workload::load;
use crate::workload::model::{Dimension, EngineSpec, Workload};
use crate::workload::redact;
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
pub(super) struct Origin<'a> {
    pub(super) source: &'a Source,
    pub(super) base: &'a Workload,
    pub(super) changes: &'a ChangeArgs,
}

/// A field with the entries that it means.
struct Resolved<'a> {
    dimension: &'a Dimension,
    entries: Vec<Entry>,
}

struct Entry {
    path: String,
    /// The engine whose field it is.
    engine: Option<String>,
    /// For each value whether it may have it.
    accepts: Vec<bool>,
}

/// The combinations, at most [`MOST`]; without dimensions, the one that is there. `pick` chooses the arms of each.
pub(super) fn all(
    origin: &Origin<'_>,
    dimensions: &[Dimension],
    pick: impl Fn(&Workload) -> Prepared<Vec<EngineSpec>>,
) -> Prepared<Vec<Cell>> {
    let count = dimensions.iter().fold(1_usize, |count, dimension| count.saturating_mul(dimension.values.len()));
    if count > MOST {
        write::say(&format!("error: these are {count} combinations; {MOST} is the most that can be tried"));
        return Err(ExitReason::BadInput);
    }
    let resolved: Vec<Resolved<'_>> =
        dimensions.iter().map(|dimension| resolve(origin, dimension)).collect::<Result<_, _>>()?;
    let mut kept: Vec<Cell> = Vec::new();
    let mut groups: Vec<(Workload, String)> = Vec::new();
    for number in 0..count {
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
        let chosen: Vec<(&Resolved<'_>, usize)> = resolved.iter().zip(values.into_iter().rev()).collect();
        let mut workload = combined(origin, &chosen)?;
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
                Some((one.dimension.path.clone(), told(one.dimension).values.get(*value)?.clone()))
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

/// A dimension as it may be told: what an environment holds may be a secret, so its values have numbers.
pub(super) fn told(dimension: &Dimension) -> Dimension {
    let mut told = dimension.clone();
    if redact::names_env(&told.path) {
        (1..).zip(&mut told.values).for_each(|(number, value)| *value = format!("#{number}"));
    }
    told
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

fn resolve<'a>(origin: &Origin<'_>, dimension: &'a Dimension) -> Prepared<Resolved<'a>> {
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
            let list = clean::line(list);
            write::say(&format!(
                "error: --sweep {}: `*` is every entry of `engines` or `tasks`, not of `{list}`",
                dimension.path
            ));
            return Err(ExitReason::BadInput);
        }
    };
    let accepts = |path: &str, value: &String| {
        prepare::reloaded(origin.source, origin.changes, &[Dimension::change(path, value)]).is_ok()
    };
    let entries: Vec<Entry> = entries
        .into_iter()
        .map(|(path, engine)| Entry {
            accepts: dimension.values.iter().map(|value| accepts(&path, value)).collect(),
            path,
            engine,
        })
        .collect();
    // A value that nothing may have is wrong, and why is best said by who reads it.
    let refused =
        (0..dimension.values.len()).find(|value| !entries.iter().any(|entry| entry.accepts.get(*value) == Some(&true)));
    if let (Some(refused), Some(entry)) = (refused.and_then(|value| dimension.values.get(value)), entries.first()) {
        let change = Dimension::change(&entry.path, refused);
        return match prepare::reloaded(origin.source, origin.changes, &[change]) {
            Err(diagnostics) => {
                write::say(&format!(
                    "error: {}={} cannot be tried",
                    clean::line(&dimension.path),
                    clean::line(refused)
                ));
                write::say(&diagnostics.render(false));
                Err(ExitReason::BadInput)
            }
            Ok(_) => Err(ExitReason::BadInput),
        };
    }
    for entry in entries.iter().filter(|entry| !entry.applies()) {
        if let Some(engine) = &entry.engine {
            let (engine, path) = (clean::line(engine), clean::line(&dimension.path));
            write::say(&format!("note: {path} does not apply to {engine}, which is run as it is"));
        }
    }
    Ok(Resolved { dimension, entries })
}

fn combined(origin: &Origin<'_>, chosen: &[(&Resolved<'_>, usize)]) -> Prepared<Workload> {
    if chosen.is_empty() {
        return Ok(origin.base.clone());
    }
    let mut set = Vec::new();
    for (one, value) in chosen {
        let Some(text) = one.dimension.values.get(*value) else { continue };
        let may = one.entries.iter().filter(|entry| entry.accepts.get(*value) == Some(&true));
        set.extend(may.map(|entry| Dimension::change(&entry.path, text)));
    }
    prepare::reloaded(origin.source, origin.changes, &set).map_err(|diagnostics| {
        write::say(&format!("error: {} cannot be tried together", clean::line(&set.join(", "))));
        write::say(&diagnostics.render(false));
        ExitReason::BadInput
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
    fn what_an_environment_holds_is_not_told() {
        let dimension = |text: &str| text.parse::<Dimension>().expect("a dimension");
        assert_eq!(told(&dimension("tasks[0].env.TOKEN=sesame,open")).values, ["#1", "#2"]);
        assert_eq!(told(&dimension("python.env.TOKEN=sesame,open")).values, ["#1", "#2"]);
        let other = dimension("tasks[environment].count=1,2");
        assert_eq!(told(&other).values, other.values);
    }
}
