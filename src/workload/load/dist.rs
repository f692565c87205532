//! `service_time`: `{ dist: ..., ... }`.

use std::time::Duration;

use crate::workload::load::field::Field;
use crate::workload::load::map::MapReader;
use crate::workload::load::{keys, trace};
use crate::workload::model::Dist;

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

/// Reads a distribution.
pub(crate) fn read(field: &Field<'_>) -> Option<Dist> {
    if !matches!(field.tree, crate::workload::yaml::Tree::Map(_)) {
        return field.unfit("must be a distribution, such as { dist: constant, value: 5ms }");
    }
    let mut map = field.map()?;
    let Some(kind) = map.required("dist").and_then(|field| field.choice("distribution", &KINDS, &[])) else {
        map.finish_any(&keys::DIST, "a distribution");
        return None;
    };
    let dist = match kind {
        DistKind::Constant => map.required("value").and_then(|field| field.duration()).map(Dist::Constant),
        DistKind::Uniform => uniform(&mut map),
        DistKind::Exponential => exponential(&mut map),
        DistKind::Lognormal => lognormal(&mut map),
        DistKind::Pareto => pareto(&mut map),
        DistKind::Bimodal => bimodal(&mut map),
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
) -> Option<Option<Duration>> {
    let Some(field) = max else { return Some(None) };
    let max = field.positive_duration()?;
    match least {
        Some(least) if max < least => field
            .wrong(format!("`max` is below `{floor}`"), format!("must be at least `{floor}` of {}", map.field.path)),
        _ => Some(Some(max)),
    }
}

fn uniform(map: &mut MapReader<'_>) -> Option<Dist> {
    let min = map.required("min").and_then(|field| field.duration());
    let max = map.required("max");
    let max = ceiling(map, max, "min", min)??;
    Some(Dist::Uniform { min: min?, max })
}

fn exponential(map: &mut MapReader<'_>) -> Option<Dist> {
    let mean = map.required("mean").and_then(|field| field.positive_duration());
    let max = map.get("max");
    let max = ceiling(map, max, "mean", None);
    Some(Dist::Exponential { mean: mean?, max: max? })
}

fn lognormal(map: &mut MapReader<'_>) -> Option<Dist> {
    let median = map.required("median").and_then(|field| field.positive_duration());
    let sigma = map
        .required("sigma")
        .and_then(|field| field.number("must be a number from 0 to 10", |v| (0.0..=10.0).contains(&v)));
    let max = map.get("max");
    let max = ceiling(map, max, "median", median);
    Some(Dist::Lognormal { median: median?, sigma: sigma?, max: max? })
}

fn pareto(map: &mut MapReader<'_>) -> Option<Dist> {
    let min = map.required("min").and_then(|field| field.positive_duration());
    let alpha =
        map.required("alpha").and_then(|field| field.number("must be a number above 0", |v| v > 0.0 && v <= 1e6));
    let max = map.get("max");
    if max.is_none() && !map.misspelt("max") {
        let error =
            map.missing("max").allowed("pareto must have a `max`: its mean may be unbounded, and the run endless");
        map.field.context.report(error);
    }
    let max = ceiling(map, max, "min", min)??;
    Some(Dist::Pareto { min: min?, alpha: alpha?, max })
}

fn bimodal(map: &mut MapReader<'_>) -> Option<Dist> {
    let fast = map.required("fast").and_then(|field| field.duration());
    let slow_field = map.required("slow");
    let slow = slow_field.as_ref().and_then(Field::duration);
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
