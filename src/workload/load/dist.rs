//! `service_time`: `{ dist: ..., ... }`.

use std::time::Duration;

use crate::workload::load::field::Field;
use crate::workload::load::map::MapReader;
use crate::workload::load::{keys, trace};
use crate::workload::model::Dist;
use crate::workload::yaml::Tree;

#[derive(Clone, Copy)]
enum DistKind {
    Constant,
    Uniform,
    Exponential,
    Lognormal,
    Pareto,
    Bimodal,
    Trace,
}

const KINDS: [(&str, DistKind); 7] = [
    ("constant", DistKind::Constant),
    ("uniform", DistKind::Uniform),
    ("exponential", DistKind::Exponential),
    ("lognormal", DistKind::Lognormal),
    ("pareto", DistKind::Pareto),
    ("bimodal", DistKind::Bimodal),
    ("trace", DistKind::Trace),
];

/// Its words, for the schema of the format.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|(word, _)| *word)
}

/// What is drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quantity {
    /// A length of time.
    Time,
    /// A number, of which 1 stands for a microsecond.
    Number,
}

/// The largest number that may be drawn.
const LARGEST: f64 = 1e12;

impl Quantity {
    fn read(self, field: &Field<'_>) -> Option<Duration> {
        match self {
            Self::Time => field.duration(),
            Self::Number => {
                let number =
                    field.number("must be a number from 0 to 1e12", |number| (0.0..=LARGEST).contains(&number))?;
                Some(Duration::from_nanos((number * 1000.0).round() as u64))
            }
        }
    }

    fn positive(self, field: &Field<'_>) -> Option<Duration> {
        match self {
            Self::Time => field.positive_duration(),
            Self::Number => match self.read(field)? {
                Duration::ZERO => field.unfit("must be above 0"),
                number => Some(number),
            },
        }
    }
}

/// Reads a distribution of times.
pub(crate) fn read(field: &Field<'_>) -> Option<Dist> {
    read_as(field, Quantity::Time)
}

/// Reads a distribution of numbers, of which 1 stands for a microsecond; whether they are to be integers, as those are
/// that say how they are distributed.
pub(crate) fn numbers(field: &Field<'_>) -> Option<(Dist, bool)> {
    let bounds = ["value", "min", "max", "mean", "median", "fast", "slow"];
    let whole = !bounds.iter().any(|name| matches!(field.entry(name).map(|entry| entry.tree), Some(Tree::Float(_))));
    if let Some(kind) = field.entry("dist").filter(|kind| matches!(kind.tree, Tree::Text(word) if word == "trace")) {
        return kind.wrong("a trace has times, and no numbers", "must be another distribution");
    }
    read_as(field, Quantity::Number).map(|dist| (dist, whole))
}

fn read_as(field: &Field<'_>, quantity: Quantity) -> Option<Dist> {
    if !matches!(field.tree, Tree::Map(_)) {
        return field.unfit("must be a distribution, such as { dist: constant, value: 5ms }");
    }
    let mut map = field.map()?;
    let Some(kind) = map.required("dist").and_then(|field| field.choice("distribution", &KINDS, &[])) else {
        map.finish_any(&keys::DIST, "a distribution");
        return None;
    };
    let dist = match kind {
        DistKind::Constant => map.required("value").and_then(|field| quantity.read(&field)).map(Dist::Constant),
        DistKind::Uniform => uniform(&mut map, quantity),
        DistKind::Exponential => exponential(&mut map, quantity),
        DistKind::Lognormal => lognormal(&mut map, quantity),
        DistKind::Pareto => pareto(&mut map, quantity),
        DistKind::Bimodal => bimodal(&mut map, quantity),
        DistKind::Trace => recorded(&mut map),
    };
    let name = KINDS.iter().find(|(_, other)| *other as u8 == kind as u8).map_or("", |(name, _)| name);
    map.finish(&keys::DIST, &format!("distribution {name}"));
    dist
}

/// `max`, which must not be below the smallest or typical value.
fn ceiling(
    map: &MapReader<'_>,
    max: Option<Field<'_>>,
    floor: &str,
    least: Option<Duration>,
    quantity: Quantity,
) -> Option<Option<Duration>> {
    let Some(field) = max else { return Some(None) };
    let max = quantity.positive(&field)?;
    match least {
        Some(least) if max < least => field
            .wrong(format!("`max` is below `{floor}`"), format!("must be at least `{floor}` of {}", map.field.path)),
        _ => Some(Some(max)),
    }
}

fn uniform(map: &mut MapReader<'_>, quantity: Quantity) -> Option<Dist> {
    let min = map.required("min").and_then(|field| quantity.read(&field));
    let max = map.required("max");
    let max = ceiling(map, max, "min", min, quantity)??;
    Some(Dist::Uniform { min: min?, max })
}

fn exponential(map: &mut MapReader<'_>, quantity: Quantity) -> Option<Dist> {
    let mean = map.required("mean").and_then(|field| quantity.positive(&field));
    let max = map.get("max");
    let max = ceiling(map, max, "mean", None, quantity);
    Some(Dist::Exponential { mean: mean?, max: max? })
}

fn lognormal(map: &mut MapReader<'_>, quantity: Quantity) -> Option<Dist> {
    let median = map.required("median").and_then(|field| quantity.positive(&field));
    let sigma = map
        .required("sigma")
        .and_then(|field| field.number("must be a number from 0 to 10", |v| (0.0..=10.0).contains(&v)));
    let max = map.get("max");
    let max = ceiling(map, max, "median", median, quantity);
    Some(Dist::Lognormal { median: median?, sigma: sigma?, max: max? })
}

fn pareto(map: &mut MapReader<'_>, quantity: Quantity) -> Option<Dist> {
    let min = map.required("min").and_then(|field| quantity.positive(&field));
    let alpha =
        map.required("alpha").and_then(|field| field.number("must be a number above 0", |v| v > 0.0 && v <= 1e6));
    let max = map.get("max");
    if max.is_none() && !map.misspelt("max") {
        let error =
            map.missing("max").allowed("pareto must have a `max`: its mean may be unbounded, and the run endless");
        map.field.context.report(error);
    }
    let max = ceiling(map, max, "min", min, quantity)??;
    Some(Dist::Pareto { min: min?, alpha: alpha?, max })
}

fn bimodal(map: &mut MapReader<'_>, quantity: Quantity) -> Option<Dist> {
    let fast = map.required("fast").and_then(|field| quantity.read(&field));
    let slow_field = map.required("slow");
    let slow = slow_field.as_ref().and_then(|field| quantity.read(field));
    let p_slow = map
        .required("p_slow")
        .and_then(|field| field.number("must be a number from 0 to 1", |v| (0.0..=1.0).contains(&v)));
    let (fast, slow, p_slow) = (fast?, slow?, p_slow?);
    if slow < fast {
        return slow_field?.wrong("`slow` is below `fast`", "must be at least `fast`");
    }
    Some(Dist::Bimodal { fast, slow, p_slow })
}

/// Which task has its first value is known when the shares of all classes are.
fn recorded(map: &mut MapReader<'_>) -> Option<Dist> {
    let values = trace::lengths(map);
    let sampled = map.or("sample", false, Field::boolean);
    Some(Dist::Trace { values: values?, first: 0, sampled: sampled? })
}
