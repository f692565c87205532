//! The charts of a report: which figures they show, and of which run.

use std::time::Duration;

use serde::Serialize;

use crate::analysis::tuning::Advice;
use crate::analysis::usl::Fit;
use crate::engine::event::{Moment, WorkerState};
use crate::metrics::snapshot::Snapshot;
use crate::metrics::track::Track;
use crate::report::html::svg::{Axis, STYLES, Series, Span, lines, strips};
use crate::report::sweep::SweepResults;
use crate::report::{ArmResult, Results, clean, units};
use crate::workload::units::{parse_duration, parse_rate, parse_size};

/// Points of a line over time.
const POINTS: usize = 240;
/// Points of a fitted curve.
const CURVE: usize = 80;
/// Rows of a timeline.
const ROWS: usize = 24;

/// A chart and what is said of it.
#[derive(Serialize)]
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) note: String,
    pub(super) svg: String,
    /// Name and style of each line; none where there is no line.
    pub(super) legend: Vec<(String, String)>,
}

/// Those of a comparison or a run.
pub(super) fn of_comparison(results: &Results) -> Vec<Chart> {
    let arms: Vec<(usize, &ArmResult)> = results.arms.iter().enumerate().collect();
    let tracked: Vec<_> = arms.iter().copied().filter(|(_, arm)| arm.track.frames.len() > 1).collect();
    let note = "the last run of each arm, ten times a second";
    let mut charts = Vec::new();
    if !tracked.is_empty() {
        let rate = |frame: &Snapshot| frame.throughput;
        charts.push(over_time(&tracked, "Throughput", "tasks per second", note, rate, units::rate));
        charts.push(over_time(&tracked, "Queue", "waiting tasks", note, |frame| frame.queue.depth as f64, units::rate));
    }
    charts.extend(latencies(&arms));
    charts.extend(tracked.iter().filter_map(|(_, arm)| timeline(arm)));
    charts
}

fn style(place: usize) -> String {
    format!("s{}", place % STYLES)
}

fn name(arm: &ArmResult) -> String {
    format!("{} ×{}", clean::line(&arm.spec.name), arm.workers)
}

fn seconds(value: f64) -> String {
    units::duration(Duration::try_from_secs_f64(value).unwrap_or_default())
}

fn plain_seconds(value: f64) -> String {
    format!("{} s", (value * 1000.0).round() / 1000.0)
}

fn over_time(
    arms: &[(usize, &ArmResult)],
    title: &str,
    label: &str,
    note: &str,
    figure: fn(&Snapshot) -> f64,
    tick: fn(f64) -> String,
) -> Chart {
    let end = arms.iter().map(|(_, arm)| arm.track.end()).max().unwrap_or(Moment::ZERO);
    let series: Vec<Series> = arms
        .iter()
        .map(|(place, arm)| {
            let points = arm.track.series(Moment::ZERO, end, POINTS, figure).filter(|(_, value)| value.is_finite());
            Series { style: *place, points: points.collect(), bars: Vec::new(), fit: Vec::new(), marked: false }
        })
        .collect();
    let values = series.iter().flat_map(|one| one.points.iter().map(|(_, value)| *value));
    let y = Axis::from_zero(label, values, tick);
    let high = end.elapsed().as_secs_f64().max(1e-3);
    let x = Axis { label: "time of the run".to_owned(), low: 0.0, high, logarithmic: false, tick: plain_seconds };
    Chart {
        title: title.to_owned(),
        note: note.to_owned(),
        svg: lines(&format!("{title} over time"), &x, &y, &series),
        legend: arms.iter().map(|(place, arm)| (name(arm), style(*place))).collect(),
    }
}

/// How many of the tasks had at most such a sojourn, over all runs of each arm.
fn latencies(arms: &[(usize, &ArmResult)]) -> Option<Chart> {
    let mut legend = Vec::new();
    let mut series = Vec::new();
    for (place, arm) in arms {
        let Some(all) = arm.distributions().filter(|all| all.all.sojourn.count() > 0) else { continue };
        let quantile = |q: f64| (all.all.sojourn.quantile(q).as_secs_f64().max(1e-9), q * 100.0);
        // Closer where most of a tail is.
        let shares = (0..=100).map(|percent| f64::from(percent) / 100.0);
        let tail = [0.991, 0.993, 0.995, 0.997, 0.999, 0.9995, 0.9999, 1.0];
        let mut points: Vec<(f64, f64)> = shares.chain(tail).map(quantile).collect();
        points.sort_by(|a, b| a.1.total_cmp(&b.1));
        legend.push((name(arm), style(*place)));
        series.push(Series { style: *place, points, bars: Vec::new(), fit: Vec::new(), marked: false });
    }
    let times = || series.iter().flat_map(|one| one.points.iter().map(|(time, _)| *time));
    let (low, high) = (times().fold(f64::INFINITY, f64::min), times().fold(0.0, f64::max));
    if !(low.is_finite() && high > 0.0) {
        return None;
    }
    let x = Axis {
        label: "from intended arrival to end (logarithmic)".to_owned(),
        low: 10f64.powf(low.log10().floor()),
        high: 10f64.powf(high.log10().ceil()).max(low * 10.0),
        logarithmic: true,
        tick: seconds,
    };
    let percent = |value: f64| format!("{value} %");
    let y = Axis { label: "share of tasks".to_owned(), low: 0.0, high: 100.0, logarithmic: false, tick: percent };
    Some(Chart {
        title: "Latency".to_owned(),
        note: "all counted runs together: how many tasks took at most so long (sojourn)".to_owned(),
        svg: lines("Distribution of the sojourn times", &x, &y, &series),
        legend,
    })
}

/// What the lanes were doing.
fn timeline(arm: &ArmResult) -> Option<Chart> {
    let track: &Track = &arm.track;
    let lanes = track.frames.iter().map(|frame| frame.workers.len()).max().filter(|lanes| *lanes > 0)?;
    let rows = (0..lanes.min(ROWS)).map(|lane| (format!("{lane}"), spans(track, lane))).collect::<Vec<_>>();
    let more = if lanes > ROWS { format!("; {} more lanes are not shown", lanes - ROWS) } else { String::new() };
    let high = track.end().elapsed().as_secs_f64().max(1e-3);
    let x = Axis { label: "time of the run".to_owned(), low: 0.0, high, logarithmic: false, tick: plain_seconds };
    let states =
        [("in a task", "busy"), ("starting", "start"), ("ghost", "ghost"), ("idle", "idle"), ("ending", "end")];
    Some(Chart {
        title: format!("Timeline of {}", name(arm)),
        note: format!(
            "what the workers were seen doing, ten times a second in the last run{more}; --trace tells every task"
        ),
        svg: strips(&format!("Timeline of {}", name(arm)), &x, &rows),
        legend: states.map(|(words, class)| (words.to_owned(), class.to_owned())).to_vec(),
    })
}

/// From each look until the next, those alike together.
fn spans(track: &Track, lane: usize) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    let mut before = 0.0;
    for frame in &track.frames {
        let now = frame.at.elapsed().as_secs_f64();
        let class = frame.workers.get(lane).and_then(|row| match row.state {
            WorkerState::Free => None,
            WorkerState::Starting | WorkerState::Initializing => Some("start"),
            WorkerState::Idle => Some("idle"),
            WorkerState::Busy => Some("busy"),
            WorkerState::Ghost => Some("ghost"),
            WorkerState::Retiring | WorkerState::Ending | WorkerState::Unkillable => Some("end"),
        });
        if let Some(class) = class {
            match spans.last_mut() {
                Some((_, to, last)) if *last == class && (*to - before).abs() < 1e-9 => *to = now,
                _ => spans.push((before, now, class)),
            }
        }
        before = now;
    }
    spans
}

/// The law, from the first count to the last for which it may be trusted.
fn curve(fit: &Fit) -> Vec<(f64, f64)> {
    let (low, high) = fit.trusted();
    let (low, high) = (f64::from(low), f64::from(high));
    let at = |place: usize| low + (high - low) * place as f64 / CURVE as f64;
    (0..=CURVE).filter_map(|place| Some((at(place), fit.rate(at(place))?))).collect()
}

/// Reads a value as a number, and writes one.
type Read = fn(&str) -> Option<f64>;
type Tick = fn(f64) -> String;

/// Throughput against the one field that was swept, where its values are numbers, times or sizes.
fn of_settings(results: &SweepResults) -> Option<Chart> {
    let [dimension] = results.dimensions.as_slice() else { return None };
    let kinds: [(Read, Tick); 4] = [
        (|text| text.parse().ok(), units::rate),
        (|text| Some(parse_duration(text).ok()?.as_secs_f64()), seconds),
        (|text| Some(parse_size(text).ok()? as f64), |value| units::bytes(value as u64)),
        (|text| parse_rate(text).ok(), units::rate),
    ];
    let (read, tick) = kinds.into_iter().find(|(read, _)| dimension.values.iter().all(|text| read(text).is_some()))?;
    let mut legend: Vec<(String, String)> = Vec::new();
    let mut series: Vec<Series> = Vec::new();
    for place in results.places() {
        let at = place.value(&dimension.path).and_then(|text| read(&text));
        let (Some(at), Some(rate)) = (at, place.point.rate) else { continue };
        let name = clean::line(&place.arm.base).into_owned();
        let number = legend.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
            legend.push((name, style(legend.len())));
            series.push(Series { style: series.len(), points: vec![], bars: vec![], fit: vec![], marked: true });
            series.len() - 1
        });
        let Some(one) = series.get_mut(number) else { continue };
        one.points.push((at, rate.mean));
        one.bars.extend(rate.ci95.map(|(low, high)| (at, low.max(0.0), high)));
    }
    for one in &mut series {
        one.points.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    }
    let all = || series.iter().flat_map(|one| one.points.iter());
    let most_rate = all().map(|(_, rate)| *rate).fold(0.0, f64::max);
    let ends = series.iter().flat_map(|one| one.bars.iter().map(|(_, _, high)| high.min(most_rate * 1.5)));
    let y = Axis::from_zero("tasks per second", ends.chain([most_rate]), units::rate);
    let path = clean::line(&dimension.path);
    let x = Axis::from_zero(&path, all().map(|(at, _)| *at), tick);
    let title = format!("Throughput against {path}");
    let note = "mean of the runs of each value with its 95 % interval, cut off where it is far too wide".to_owned();
    (most_rate > 0.0).then(|| Chart { svg: lines(&title, &x, &y, &series), title, note, legend })
}

/// Throughput against the worker count.
pub(super) fn of_sweep(results: &SweepResults) -> Vec<Chart> {
    if !results.tries_counts() {
        return of_settings(results).into_iter().collect();
    }
    let mut legend = Vec::new();
    let mut series = Vec::new();
    for (place, arm) in results.arms.iter().enumerate() {
        let points = arm.tuning.points.iter().filter_map(|point| Some((f64::from(point.workers), point.mean()?)));
        let bars = arm.tuning.points.iter().filter_map(|point| {
            let (low, high) = point.rate?.ci95?;
            Some((f64::from(point.workers), low.max(0.0), high))
        });
        let best = match arm.tuning.advice {
            Advice::Use { workers, .. } => format!(": use {workers}"),
            _ => String::new(),
        };
        legend.push((format!("{}{best}", clean::line(&arm.spec.name)), style(place)));
        let fit = arm.tuning.fit.as_ref().map(curve).unwrap_or_default();
        series.push(Series { style: place, points: points.collect(), bars: bars.collect(), fit, marked: true });
    }
    let workers = || series.iter().flat_map(|one| one.points.iter().map(|(workers, _)| *workers));
    let most = workers().fold(0.0, f64::max);
    if most <= 0.0 {
        return Vec::new();
    }
    // An interval that is much wider than what it is about would leave no room for that: it is cut off.
    let most_rate = series.iter().flat_map(|one| one.points.iter().map(|(_, rate)| *rate)).fold(0.0, f64::max);
    let ends = series.iter().flat_map(|one| one.bars.iter().map(|(_, _, high)| high.min(most_rate * 1.5)));
    let fitted = || series.iter().flat_map(|one| one.fit.iter());
    let rates = ends.chain([most_rate]).chain(fitted().map(|(_, rate)| *rate));
    let y = Axis::from_zero("tasks per second", rates, units::rate);
    let x = Axis {
        label: "workers".to_owned(),
        low: 0.0,
        high: fitted().map(|(workers, _)| *workers).fold(most, f64::max) * 1.05,
        logarithmic: false,
        tick: |value| if value.fract() == 0.0 { value.to_string() } else { String::new() },
    };
    vec![Chart {
        title: "Throughput against workers".to_owned(),
        note: "mean of the runs of each count with its 95 % interval, cut off where it is far too wide; dotted: the Universal \
               Scalability Law as it fits these runs, as far as it may be trusted"
            .to_owned(),
        svg: lines("Throughput against workers", &x, &y, &series),
        legend,
    }]
}
