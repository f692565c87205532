//! The plan of a workload as text: what it would do, without running it.

use std::time::Duration;

use serde::Serialize;

use crate::analysis::percentiles;
use crate::report::{clean, settings, units};
use crate::workload::model::{
    Adaptive, ArrivalProcess, Arrivals, Dimension, Expectation, Limit, Metric, Stage, Statistic, Test, Workload,
};
use crate::workload::plan::{ArrivalPlan, EnginePlan, Plan, StagePlan};
use crate::workload::stream::Stream;
use crate::workload::units::format_duration;

/// Classes that are listed one by one.
const CLASSES: usize = 8;
/// Stages that are told one by one.
const STAGES: usize = 8;

fn seconds(seconds: f64) -> String {
    units::duration(Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX))
}

/// What is expected of the results.
#[derive(Debug, Serialize)]
pub(crate) struct Expected {
    /// `sojourn_p99 < 250ms`.
    pub(crate) text: String,
    /// The arms that it is about.
    pub(crate) engines: Vec<String>,
    /// Where alone it is asked.
    pub(crate) when: Option<String>,
    /// Why it cannot be judged with so few tasks.
    pub(crate) not_judged: Option<String>,
}

/// A field that a sweep of the file tries values of.
#[derive(Debug, Serialize)]
pub(crate) struct Swept {
    pub(crate) field: String,
    pub(crate) values: Vec<String>,
}

/// Every expectation of a workload.
#[must_use]
pub(crate) fn expectations(workload: &Workload) -> Vec<Expected> {
    let tasks = Stream::new(workload).total();
    let of = |expectation: &Expectation| {
        let than = match &expectation.test {
            Test::Compared(_, Limit::Than(than, _)) => Some(than),
            _ => None,
        };
        let all = || workload.engines.iter().map(|engine| &engine.name).filter(|name| Some(*name) != than).cloned();
        let engines = if expectation.engines.is_empty() { all().collect() } else { expectation.engines.clone() };
        let when = expectation.when.as_ref().map(ToString::to_string);
        let not_judged = match expectation.metric {
            Metric::Latency(_, Statistic::Percentile(percentile)) if percentiles::too_few(tasks, percentile) => {
                Some(percentiles::why_not(tasks, percentile))
            }
            _ => None,
        };
        Expected { text: expectation.to_string(), engines, when, not_judged }
    };
    workload.expect.iter().map(of).collect()
}

/// Every field that is swept.
#[must_use]
pub(crate) fn sweep(workload: &Workload) -> Vec<Swept> {
    let told = workload.sweep.iter().map(Dimension::as_told);
    told.map(|Dimension { path, values }| Swept { field: path, values }).collect()
}

/// One line for each thing that is worth knowing, without control characters.
#[must_use]
pub(crate) fn lines(workload: &Workload, plan: &Plan) -> Vec<String> {
    let mut lines = vec![format!("tasks     {} (seed {}, stream {})", plan.tasks, workload.seed, plan.stream_hash)];
    for class in plan.classes.iter().take(CLASSES) {
        let mean = class.mean_service_s.map_or(String::new(), |mean| format!(", {} each on average", seconds(mean)));
        lines.push(format!("          {} {}: {}{mean}", class.tasks, clean::line(&class.name), class.kind));
    }
    if plan.classes.len() > CLASSES {
        lines.push(format!("          and {} more classes", plan.classes.len() - CLASSES));
    }
    if let Arrivals::ClosedLoop { max_in_flight } = workload.arrivals {
        lines.push(format!("arrivals  a new task when one ends, at most {max_in_flight} queued and running together"));
    }
    if let Some(arrivals) = &plan.arrivals {
        lines.push(format!("arrivals  {} over {}", arrivals_words(workload, arrivals), seconds(arrivals.span_s)));
    }
    if plan.cpu_s > 0.0 {
        lines.push(format!("work      {} of CPU in one run", seconds(plan.cpu_s)));
    }
    for (position, engine) in plan.engines.iter().enumerate() {
        let title = if position == 0 { "engines" } else { "" };
        lines.push(format!("{title:9} {}", engine_line(engine)));
        let settings = workload.engines.get(position).map(|spec| settings::of_engine(spec, &workload.arrivals));
        let settings = settings.unwrap_or_default();
        lines.extend(settings.into_iter().map(|words| format!("            {words}")));
    }
    for (position, rule) in workload.faults.iter().take(CLASSES).enumerate() {
        let title = if position == 0 { "faults" } else { "" };
        lines.push(format!("{title:9} {}", settings::of_fault(rule, workload)));
    }
    if workload.faults.len() > CLASSES {
        lines.push(format!("          and {} more faults", workload.faults.len() - CLASSES));
    }
    for (position, expected) in expectations(workload).iter().enumerate() {
        let title = if position == 0 { "expect" } else { "" };
        let when = expected.when.as_ref().map_or_else(String::new, |when| format!(", where {when}"));
        let engines = expected.engines.join(", ");
        let why = expected.not_judged.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
        lines.push(format!("{title:9} {}: {}{when}{why}", clean::line(&engines), clean::line(&expected.text)));
    }
    for (position, swept) in sweep(workload).iter().enumerate() {
        let title = if position == 0 { "sweep" } else { "" };
        let values = swept.values.join(", ");
        lines.push(format!("{title:9} {}: {}", clean::line(&swept.field), clean::line(&values)));
    }
    lines.extend(settings::of_limits(&workload.limits).map(|words| format!("limits    {words}")));
    let measure = &workload.measure;
    let unknown = if plan.unknown.is_empty() {
        String::new()
    } else {
        // Names may be words or sizes: they must not read as a part of the sentence.
        let names: Vec<String> =
            plan.unknown.iter().take(CLASSES).map(|name| format!("`{}`", clean::line(name))).collect();
        let more = plan.unknown.len().saturating_sub(CLASSES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let (tasks, take, them) =
            if plan.unknown.len() == 1 { ("", "takes", "it") } else { ("tasks ", "take", "them") };
        format!(" (how long {tasks}{}{more} {take} is known only by running {them})", names.join(", "))
    };
    let least = plan.at_least_s.map_or(String::new(), |least| format!(", at least {} in all", seconds(least)));
    let least = format!("{least}{unknown}");
    let probe = if workload.has_probes() { ", 1 to probe the GIL" } else { "" };
    let (repeats, warmup) = (measure.repeats, measure.warmup);
    let repeats = match measure.adaptive {
        None => format!("{repeats} of each engine"),
        Some(Adaptive { precision, max_repeats, max_time }) => {
            let (precision, time) = (precision * 100.0, format_duration(max_time));
            format!(
                "{repeats} to {max_repeats} of each engine, until all are precise to ±{precision} % or {time} are over"
            )
        }
    };
    lines.push(format!("runs      {repeats}, {warmup} to warm up{probe}{least}"));
    for (word, notes) in [("WARNING", &plan.warnings), ("REFUSED", &plan.refusals), ("REFUSED", &plan.impossible)] {
        lines.extend(
            notes.iter().map(|note| format!("{word}   {}: {}", clean::line(&note.key), clean::line(&note.message))),
        );
    }
    lines
}

/// What a process is called, what belongs to it alone, and its rates.
fn arrivals_words(workload: &Workload, arrivals: &ArrivalPlan) -> String {
    let process = match &workload.arrivals {
        Arrivals::Open(open) => &open.process,
        Arrivals::Batch | Arrivals::ClosedLoop { .. } => return arrivals.process.to_owned(),
    };
    let mut rates: Vec<String> = arrivals.stages.iter().map(stage_words).collect();
    if let (Arrivals::Open(open), Some(rate)) = (&workload.arrivals, rates.last_mut()) {
        rate.push_str(&cut_off(&open.stages, &arrivals.stages));
    }
    match process {
        ArrivalProcess::Burst { size, every } => {
            format!("{}, {size} every {}, {}", arrivals.process, format_duration(*every), rates.join(" then "))
        }
        ArrivalProcess::Trace(moments) => {
            let highest = arrivals.stages.iter().map(StagePlan::highest).fold(0.0, f64::max);
            let mean = arrivals.stages.iter().map(|stage| stage.rate).sum::<f64>() / arrivals.stages.len() as f64;
            let rates = match arrivals.stages.len() {
                0 => ", all at the start".to_owned(),
                1 => format!(", {}/s", units::rate(mean)),
                _ => format!(", {}/s on average and up to {}/s", units::rate(mean), units::rate(highest)),
            };
            format!("{} of {} moments{rates}", arrivals.process, moments.len())
        }
        _ => format!("{}, {}", arrivals.process, rates.join(" then ")),
    }
}

/// What the tasks are used up before: the end of a stage, or whole ones.
fn cut_off(written: &[Stage], met: &[StagePlan]) -> String {
    let last = met.len().checked_sub(1).and_then(|last| written.get(last)).zip(met.last());
    let end = last.filter(|(stage, met)| stage.is_ramp() && met.end_rate != Some(stage.end_rate));
    match (end, written.len() - met.len().min(written.len())) {
        (None, 0) => String::new(),
        (Some((stage, _)), 0) => {
            format!(", where the tasks are used up (it would go on to {}/s)", units::rate(stage.end_rate))
        }
        (_, 1) => ", where the tasks are used up (a later stage is not reached)".to_owned(),
        (_, more) => format!(", where the tasks are used up ({more} later stages are not reached)"),
    }
}

fn stage_words(stage: &StagePlan) -> String {
    let begin = format!("{}/s", units::rate(stage.rate));
    stage.end_rate.map_or_else(|| begin.clone(), |end| format!("{begin} to {}/s", units::rate(end)))
}

/// Stage by stage, or between which bounds.
fn rho(stages: &[f64]) -> String {
    if stages.len() <= STAGES {
        return stages.iter().map(|value| format!("{value:.2}")).collect::<Vec<_>>().join(" then ");
    }
    let bounds = (stages.iter().copied().fold(f64::INFINITY, f64::min), stages.iter().copied().fold(0.0, f64::max));
    format!("{:.2} to {:.2} in {} stretches", bounds.0, bounds.1, stages.len())
}

fn engine_line(engine: &EnginePlan) -> String {
    let workers = engine.workers.map_or("no limit of workers".to_owned(), |workers| match workers {
        1 => "1 worker".to_owned(),
        workers => format!("{workers} workers"),
    });
    let name = clean::line(&engine.name);
    let kind = if engine.name == engine.kind { String::new() } else { format!(" ({})", engine.kind) };
    let mut line = format!("{name}{kind}: {workers}");
    if let Some(makespan) = &engine.makespan {
        let (least, most) = (seconds(makespan.at_least_s), seconds(makespan.at_most_s));
        let range = if least == most { least } else { format!("{least} to {most}") };
        line.push_str(&format!(", predicted makespan {range}"));
        if !engine.leaves_out.is_empty() {
            line.push_str(&format!(" without {}", engine.leaves_out.join(" and ")));
        }
    }
    if let Some(reason) = &engine.not_predicted {
        line.push_str(&format!(", makespan not predicted: {reason}"));
    }
    if let Some(waves) = engine.waves.filter(|waves| *waves > 1) {
        line.push_str(&format!(" ({waves} waves)"));
    }
    if !engine.utilisation.is_empty() {
        line.push_str(&format!(", utilisation: mean \u{3c1} {}", rho(&engine.mean_utilisation)));
        if engine.utilisation != engine.mean_utilisation {
            line.push_str(&format!(", peak \u{3c1} {}", rho(&engine.utilisation)));
        }
    }
    line
}
