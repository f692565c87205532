//! `expect[]`: what must hold of the results.

use crate::workload::load::field::{Field, list};
use crate::workload::load::keys;
use crate::workload::load::map::MapReader;
use crate::workload::load::nearest::nearest;
use crate::workload::load::python;
use crate::workload::model::{
    Arrivals, Comparison, Condition, EngineSpec, Expectation, Figure, LatencyOf, Limit, Measure, Metric, Setting,
    Statistic, Test, Unit,
};
use crate::workload::yaml::Tree;

/// More than anybody reads.
const MOST_EXPECTATIONS: usize = 200;
/// Percentiles that are kept of every run.
const KEPT: [f64; 4] = [50.0, 90.0, 95.0, 99.0];
/// Statistics that are suggested for a misspelt latency.
const STATISTICS: [&str; 6] = ["mean", "max", "p50", "p90", "p95", "p99"];

/// What an entry may name.
pub(crate) struct Names<'a> {
    pub(crate) engines: &'a [EngineSpec],
    pub(crate) measure: &'a Measure,
    pub(crate) arrivals: &'a Arrivals,
}

/// Reads the list.
pub(crate) fn read(field: &Field<'_>, names: &Names<'_>) -> Option<Vec<Expectation>> {
    let items = field.some_items(MOST_EXPECTATIONS)?;
    let read: Vec<Option<Expectation>> = items.iter().map(|item| entry(item, names)).collect();
    let read: Vec<Expectation> = read.into_iter().collect::<Option<_>>()?;
    let undecided = read.iter().filter(|one| one.needs_an_interval()).count();
    if undecided > 0 && names.measure.repeats.get() == 1 && names.measure.adaptive.is_none() {
        field.warn(format!(
            "{undecided} of these are about measured figures, and one run (`measure.repeats`) has no interval: they will be \
             too noisy to say"
        ));
    }
    Some(read)
}

fn entry(field: &Field<'_>, names: &Names<'_>) -> Option<Expectation> {
    if !matches!(field.tree, Tree::Map(_)) {
        return field.unfit("must be a map such as { metric: throughput, engine: pool, op: \">\", value: 100/s }");
    }
    let mut map = field.map()?;
    let Some(metric) = map.required("metric").and_then(|field| metric(&field, names)) else {
        map.finish_any(&keys::EXPECT, "an expectation");
        return None;
    };
    let engines = engines(&mut map, names);
    let stage = map.optional("stage", |field| stage(field, metric, names));
    let when = map.optional("when", condition);
    let test = if metric.unit() == Unit::Truth {
        Some(Test::Same)
    } else {
        compared(&mut map, metric, engines.as_deref().unwrap_or_default(), names)
    };
    let what = format!("an expectation of {metric}");
    map.finish(&keys::EXPECT, &what);
    Some(Expectation { metric, engines: engines?, stage: stage?, test: test?, when: when? })
}

fn metric(field: &Field<'_>, names: &Names<'_>) -> Option<Metric> {
    let figures: Vec<&str> = Figure::ALL.iter().map(|(word, ..)| *word).collect();
    let allowed = || {
        let latencies = LatencyOf::ALL.map(|(word, _)| word);
        format!(
            "must be {}, or a latency ({}) and what of it (mean, max, p50, p99 ...), as in sojourn_p99",
            list(&figures),
            list(&latencies)
        )
    };
    let Tree::Text(word) = field.tree else { return field.unfit(allowed()) };
    let Some(metric) = Metric::parse(word) else {
        let latencies =
            LatencyOf::ALL.iter().flat_map(|(of, _)| STATISTICS.map(|statistic| format!("{of}_{statistic}")));
        let latencies: Vec<String> = latencies.collect();
        let all = figures.iter().copied().chain(latencies.iter().map(String::as_str));
        let mut error = field.error(format!("unknown metric {}", field.describe())).allowed(allowed());
        // Of a latency that is known any percentile may be meant.
        let of_latency =
            word.split_once('_').is_some_and(|(of, _)| LatencyOf::ALL.iter().any(|(known, _)| *known == of));
        if let Some(meant) = nearest(word, all).filter(|_| !of_latency) {
            error = error.suggest(meant);
        }
        return field.refuse(error);
    };
    if let Metric::Latency(_, Statistic::Percentile(percentile)) = metric
        && !KEPT.contains(&percentile)
        && !names.measure.percentiles.contains(&percentile)
    {
        let message = format!("the percentile {percentile} is not kept of every run");
        return field
            .wrong(message, format!("must be p50, p90, p95, p99 or one of `measure.percentiles`: add {percentile}"));
    }
    Some(metric)
}

fn engines(map: &mut MapReader<'_>, names: &Names<'_>) -> Option<Vec<String>> {
    let arms: Vec<(&str, &str)> = names.engines.iter().map(|arm| (arm.name.as_str(), arm.name.as_str())).collect();
    let one = |field: &Field<'_>| field.choice("engine", &arms, &[]).map(str::to_owned);
    match (map.get("engine"), map.get("engines")) {
        (Some(_), Some(several)) => several.wrong("`engine` and `engines` together", "one of them"),
        (Some(field), None) => Some(vec![one(&field)?]),
        (None, Some(field)) => {
            let items = field.some_items(arms.len().max(1))?;
            let read: Vec<Option<String>> = items.iter().map(one).collect();
            let read: Vec<String> = read.into_iter().collect::<Option<_>>()?;
            let twice =
                read.iter().enumerate().position(|(place, name)| read.iter().take(place).any(|one| one == name));
            match twice.and_then(|place| items.get(place)) {
                Some(twice) => twice.wrong("it is there twice", "each engine once"),
                None => Some(read),
            }
        }
        (None, None) => Some(Vec::new()),
    }
}

/// Counted from 1, as screens and reports do.
fn stage(field: &Field<'_>, metric: Metric, names: &Names<'_>) -> Option<usize> {
    if metric != Metric::Figure(Figure::Utilisation) {
        return field.wrong(format!("{metric} is not kept stage by stage"), "goes with utilisation");
    }
    let Arrivals::Open(open) = names.arrivals else {
        return field.wrong("the arrivals have no stages", "goes with `arrivals: { mode: open }`");
    };
    let most = open.stages.len() as u64;
    let stage = field.integer(1, u64::MAX)?;
    if stage > most {
        return field.wrong(format!("there is no stage {stage}"), format!("must be at most {most}, the last one"));
    }
    usize::try_from(stage - 1).ok()
}

/// `op` and what it compares with.
fn compared(map: &mut MapReader<'_>, metric: Metric, engines: &[String], names: &Names<'_>) -> Option<Test> {
    let op = map.required("op").and_then(|field| Some((op(&field)?, field)));
    let (value, than, factor) = (map.get("value"), map.get("than"), map.get("factor"));
    let limit = match (value, than) {
        (Some(_), Some(than)) => than.wrong("`value` and `than` together", "one of them"),
        (Some(field), None) => {
            if let Some(factor) = factor {
                return factor.wrong("multiplies what another engine has", "goes with `than`");
            }
            limit(&field, metric)
        }
        (None, Some(field)) => than_other(&field, factor.as_ref(), engines, names),
        (None, None) => {
            if !map.misspelt("value") && !map.misspelt("than") {
                let allowed = "a `value` (250ms, 64MiB, 100/s, 0), or `than: ENGINE` with a `factor`";
                map.field.context.report(map.missing("value").allowed(allowed));
            }
            None
        }
    };
    let ((op, op_field), limit) = (op?, limit?);
    let exact = matches!(op, Comparison::Equal | Comparison::Unequal);
    if exact && metric.unit() != Unit::Count && limit != Limit::Value(0.0) {
        return op_field
            .wrong(format!("{metric} is measured, and no two runs agree to the last digit"), "must be <, <=, > or >=");
    }
    Some(Test::Compared(op, limit))
}

fn op(field: &Field<'_>) -> Option<Comparison> {
    // To YAML a bare > begins a text of several lines.
    if matches!(field.tree, Tree::Text(text) if text.trim().is_empty()) {
        return field.wrong("there is nothing", "must be quoted, as in op: \">\"");
    }
    field.choice("op", &Comparison::ALL, &[])
}

fn than_other(field: &Field<'_>, factor: Option<&Field<'_>>, engines: &[String], names: &Names<'_>) -> Option<Limit> {
    let factor = match factor {
        Some(factor) => factor.number("must be a number above 0", |value| value > 0.0),
        None => Some(1.0),
    };
    let arms: Vec<(&str, &str)> = names.engines.iter().map(|arm| (arm.name.as_str(), arm.name.as_str())).collect();
    let than = field.choice("engine", &arms, &[])?;
    if engines.iter().any(|engine| engine == than) || arms.len() == 1 {
        return field.wrong(format!("`{than}` compared with itself"), "must be another engine");
    }
    Some(Limit::Than(than.to_owned(), factor?))
}

fn limit(field: &Field<'_>, metric: Metric) -> Option<Limit> {
    if let Tree::Map(_) = field.tree {
        let mut map = field.map()?;
        let settings = [("workers", Setting::Workers), ("tasks", Setting::Tasks)];
        let config = map.required("config").and_then(|field| field.choice("setting", &settings, &[]));
        map.finish(&keys::EXPECT_VALUE, "a `value`");
        if !matches!(metric.unit(), Unit::Count | Unit::Number) {
            return field.wrong(
                format!("{metric} is no number of workers or tasks"),
                format!("must be in its own unit, such as {}", metric.unit().written(1.0)),
            );
        }
        return config.map(Limit::Of);
    }
    let number = |allowed: &str| field.number(allowed, |value| value >= 0.0);
    let value = match metric.unit() {
        Unit::Seconds => field.duration()?.as_secs_f64(),
        Unit::Bytes => field.size()? as f64,
        Unit::PerSecond => field.rate()?,
        Unit::Count => field.integer_or(0, 1 << 53, ", or { config: workers } or { config: tasks }")? as f64,
        Unit::Number if matches!(field.tree, Tree::Text(_)) => field.percentage()?,
        Unit::Number | Unit::Truth => number("must be a number >= 0, or a percentage such as 80%")?,
    };
    Some(Limit::Value(value))
}

/// `gil_enabled`, `cores >= 2`, `python >= 3.14`.
fn condition(field: &Field<'_>) -> Option<Condition> {
    const FORM: &str = "must be gil_enabled, gil_disabled, or a condition such as `cores >= 2` or `python >= 3.14`";
    let text = field.line()?;
    match text.trim() {
        "gil_enabled" => return Some(Condition::GilEnabled),
        "gil_disabled" => return Some(Condition::GilDisabled),
        text if text.starts_with("python") => return python::when(field).map(Condition::Python),
        _ => {}
    }
    let Some(rest) = text.trim().strip_prefix("cores") else { return field.wrong("not a condition", FORM) };
    let rest = rest.trim_start();
    let compared = Comparison::ALL.iter().find_map(|(sign, comparison)| Some((*comparison, rest.strip_prefix(sign)?)));
    let Some((comparison, number)) = compared else { return field.wrong("no comparison after `cores`", FORM) };
    match number.trim().parse::<u32>() {
        Ok(cores) => Some(Condition::Cores(comparison, cores)),
        Err(_) => field.wrong("not a number of cores", FORM),
    }
}
