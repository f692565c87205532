//! Results as one self-contained HTML page: no script, nothing loaded from anywhere; readable in light, in dark and on paper.
//! The template is `assets/report.html`; it escapes whatever it is given but the charts, which escape their own texts.

mod charts;
mod svg;

use minijinja::value::Serde;
use minijinja::{Environment, Value};
use serde::Serialize;

use crate::analysis::expectations::{Checked, Judgement};
use crate::analysis::statistics::{Estimate, estimate};
use crate::analysis::tuning::{Point, Tuning};
use crate::os::host::Host;
use crate::report::html::charts::Chart;
use crate::report::sweep::text::signed;
use crate::report::sweep::{SweepResults, SweptArm, grid, words};
use crate::report::{ArmResult, Results, clean, expectation, settings, text, units};
use crate::workload::model::Workload;

const TEMPLATE: &str = include_str!("../../../assets/report.html");
/// Where there is no figure.
const NONE: &str = "–";

#[derive(Serialize)]
struct Page {
    version: &'static str,
    title: String,
    description: String,
    facts: Vec<String>,
    aborted: Option<String>,
    sharing_cores: bool,
    all_failed: Vec<String>,
    verdict: Vec<String>,
    expected: String,
    expectations: Vec<ExpectationRow>,
    tables: Vec<Table>,
    charts: Vec<ChartOut>,
    suspect: Vec<String>,
    host: Vec<(&'static str, String)>,
    /// What was run otherwise than the workload says.
    changed: Vec<String>,
    workload: String,
}

#[derive(Serialize)]
struct ExpectationRow {
    engines: String,
    text: String,
    mark: &'static str,
    class: &'static str,
    outcome: String,
    measured: String,
}

#[derive(Serialize)]
struct Table {
    title: String,
    note: String,
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

#[derive(Serialize)]
struct ChartOut {
    title: String,
    note: String,
    legend: Vec<(String, String)>,
    is_strip: bool,
    svg: Value,
}

impl From<Chart> for ChartOut {
    fn from(Chart { title, note, svg, legend }: Chart) -> Self {
        let is_strip = legend.iter().any(|(_, class)| class == "busy");
        Self { title, note, legend, is_strip, svg: Value::from_safe_string(svg) }
    }
}

/// A comparison or a run.
#[must_use]
pub(crate) fn comparison(results: &Results) -> String {
    let mut page = page(&results.workload, &results.host, &results.stream_hash, &results.expectations());
    page.aborted = results.ending.aborted().map(|why| cleaned(&why));
    page.sharing_cores = results.sharing_cores;
    page.verdict = text::verdict_sentences(results);
    let failed = |(arm, found): (&ArmResult, crate::analysis::failing::AllFailed)| {
        format!("{}: {}", cleaned(&arm.spec.name), cleaned(&found.cause))
    };
    page.all_failed = results.all_failed().map(failed).collect();
    page.tables = vec![figures(&results.arms), outcomes(&results.arms), latencies(&results.arms)];
    page.charts = charts::of_comparison(results).into_iter().map(ChartOut::from).collect();
    for arm in &results.arms {
        for run in &arm.runs {
            page.suspect.extend(
                run.suspect.iter().map(|why| format!("{}, {}: {}", cleaned(&arm.spec.name), run.run, cleaned(why))),
            );
        }
    }
    rendered(&page)
}

/// A sweep.
#[must_use]
pub(crate) fn sweep(results: &SweepResults) -> String {
    let mut page = page(&results.workload, &results.host, &results.stream_hash, &results.expectations);
    page.aborted = results.ending.aborted().map(|why| cleaned(&why));
    let advice = |arm: &SweptArm| {
        let Tuning { why, .. } = &*arm.tuning;
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        cleaned(&format!("{}: {}{why}", arm.spec.name, words::headline(&arm.tuning)))
    };
    let measured = results.arms.iter().filter(|arm| arm.tuning.points.iter().any(|point| point.rate.is_some()));
    page.verdict = match results.tries_counts() {
        true => measured.map(advice).chain(words::comparisons(results)).collect(),
        false => grid::fastest(results).into_iter().chain(words::comparisons(results)).collect(),
    };
    page.verdict.extend(words::dropped(results).map(|dropped| format!("dropped: {dropped}")));
    let failed = results.all_failed();
    page.all_failed =
        failed.map(|(arm, found)| format!("{}: {}", cleaned(&arm.spec.name), cleaned(&found.cause))).collect();
    page.tables = match results.tries_counts() {
        true => results.arms.iter().map(points).chain([fits(&results.arms)]).collect(),
        false => vec![of_settings(results)],
    };
    page.charts = charts::of_sweep(results).into_iter().map(ChartOut::from).collect();
    for arm in &results.arms {
        for point in &arm.tuning.points {
            let name = cleaned(&arm.spec.name);
            page.suspect.extend(point.suspect.iter().map(|why| format!("{name} ×{}: {}", point.workers, cleaned(why))));
        }
    }
    rendered(&page)
}

fn rendered(page: &Page) -> String {
    let mut environment = Environment::new();
    // The name says that it is HTML, which is escaped.
    let added = environment.add_template("report.html", TEMPLATE);
    let written = added.and_then(|()| environment.get_template("report.html")?.render(Value::from(Serde(page))));
    // The template is a part of the program; a test renders it.
    written.map(|text| format!("{}\n", text.trim_end())).unwrap_or_else(|error| format!("<!-- {error:?} -->\n"))
}

fn cleaned(text: &str) -> String {
    clean::line(text).into_owned()
}

fn page(workload: &Workload, host: &Host, stream_hash: &str, expectations: &[Checked]) -> Page {
    let quota = host.cores_quota.map_or_else(|| "none".to_owned(), |quota| format!("{quota:.1}"));
    let changed = settings::overridden(workload);
    let lines = workload.effective.lines().map(|line| clean::line(line).into_owned());
    Page {
        version: env!("CARGO_PKG_VERSION"),
        title: cleaned(&workload.title),
        description: cleaned(&workload.description),
        facts: vec![
            cleaned(&workload.name),
            format!("seed {}", workload.seed),
            format!("workload {}", workload.hash),
            format!("stream {stream_hash}"),
        ],
        aborted: None,
        sharing_cores: false,
        all_failed: Vec::new(),
        verdict: Vec::new(),
        expected: expectation::sum(expectations),
        expectations: expectations.iter().map(expectation_row).collect(),
        tables: Vec::new(),
        charts: Vec::new(),
        suspect: Vec::new(),
        host: vec![
            ("host", cleaned(&host.name)),
            ("processor", cleaned(&host.cpu_model)),
            (
                "cores",
                format!(
                    "{} usable ({} online, affinity {}, quota {quota})",
                    host.usable_cores(),
                    host.cores_online,
                    host.cores_affinity
                ),
            ),
            ("memory", units::bytes(host.memory_bytes)),
            ("kernel", cleaned(&host.kernel)),
        ],
        changed: changed.iter().map(|change| cleaned(change)).collect(),
        workload: lines.collect::<Vec<_>>().join("\n"),
    }
}

fn expectation_row(one: &Checked) -> ExpectationRow {
    let (mark, class) = match one.judgement {
        Judgement::Holds => ("✓", "holds"),
        Judgement::Fails(_) => ("✗", "fails"),
        Judgement::TooNoisy(_) | Judgement::NotMeasured(_) => ("?", "open"),
        Judgement::Skipped(_) => ("–", "dim"),
    };
    ExpectationRow {
        engines: cleaned(&one.engines),
        text: cleaned(&one.text),
        mark,
        class,
        outcome: expectation::outcome(&one.judgement),
        measured: expectation::measured(one),
    }
}

fn time(seconds: f64) -> String {
    units::duration(std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

/// A mean with its interval.
fn mean(found: Option<Estimate>, words: fn(f64) -> String) -> String {
    let Some(Estimate { mean, ci95, .. }) = found.filter(|found| found.mean.is_finite()) else {
        return NONE.to_owned();
    };
    let interval = ci95.map(|(low, high)| format!(" ({}–{})", words(low.max(0.0)), words(high))).unwrap_or_default();
    format!("{}{interval}", words(mean))
}

fn figures(arms: &[ArmResult]) -> Table {
    let row = |arm: &ArmResult| {
        let pss = arm.runs.iter().filter_map(|run| run.memory.peak_pss_bytes).max();
        vec![
            cleaned(&arm.spec.name),
            arm.spec.kind.word().to_owned(),
            arm.workers.to_string(),
            arm.runs.len().to_string(),
            mean(estimate(&arm.figures(|run| run.throughput_whole)), units::rate),
            mean(estimate(&arm.figures(|run| run.wall().as_secs_f64())), time),
            mean(estimate(&arm.figures(|run| run.cpu.cores_used_whole)), |cores| format!("{cores:.2}")),
            pss.map_or_else(|| NONE.to_owned(), units::bytes),
        ]
    };
    Table {
        title: "Figures".to_owned(),
        note: "means over the counted runs, with their 95 % intervals".to_owned(),
        head: vec!["arm", "engine", "workers", "runs", "tasks/s", "makespan", "cores used", "peak PSS"],
        rows: arms.iter().map(row).collect(),
    }
}

fn outcomes(arms: &[ArmResult]) -> Table {
    let row = |arm: &ArmResult| {
        let sum = |count: fn(&crate::engine::outcome::Counts) -> u64| {
            arm.runs.iter().map(|run| count(&run.counts)).sum::<u64>().to_string()
        };
        vec![
            cleaned(&arm.spec.name),
            sum(|counts| counts.submitted),
            sum(|counts| counts.succeeded),
            sum(|counts| counts.failed),
            sum(|counts| counts.timed_out),
            sum(|counts| counts.lost),
            sum(|counts| counts.cancelled),
            sum(|counts| counts.dropped),
            sum(|counts| counts.retries),
        ]
    };
    Table {
        title: "Tasks".to_owned(),
        note: "of all counted runs together".to_owned(),
        head: vec!["arm", "submitted", "succeeded", "failed", "timed out", "lost", "cancelled", "dropped", "retries"],
        rows: arms.iter().map(row).collect(),
    }
}

fn latencies(arms: &[ArmResult]) -> Table {
    let mut rows = Vec::new();
    for arm in arms {
        let Some(all) = arm.distributions() else { continue };
        let each = [
            ("wait", &all.all.wait),
            ("start-up", &all.all.startup),
            ("service", &all.all.service),
            ("sojourn", &all.all.sojourn),
        ];
        for (name, times) in each.into_iter().filter(|(_, times)| times.count() > 0) {
            let found = times.summary();
            let cells = [found.mean, found.p50, found.p90, found.p95, found.p99, found.max].map(units::duration);
            rows.push([cleaned(&arm.spec.name), name.to_owned()].into_iter().chain(cells).collect());
        }
    }
    Table {
        title: "Latencies".to_owned(),
        note: "of all tasks of all counted runs".to_owned(),
        head: vec!["arm", "", "mean", "p50", "p90", "p95", "p99", "max"],
        rows,
    }
}

fn points(arm: &SweptArm) -> Table {
    let tuning = &arm.tuning;
    let or_none = |cell: Option<String>| cell.unwrap_or_else(|| NONE.to_owned());
    let row = |point: &Point| {
        let at = point.workers;
        vec![
            at.to_string(),
            words::marks(point).collect::<Vec<_>>().join(", "),
            point.runs().to_string(),
            mean(point.rate, units::rate),
            or_none(tuning.gain(at).map(signed)),
            or_none(tuning.speedup(at).map(|speedup| format!("{speedup:.2}"))),
            or_none(tuning.efficiency(at).map(units::percent)),
            or_none(point.rate.map(|_| format!("{:.2}", point.cores_used))),
            or_none(point.sojourn_p95.map(units::duration)),
            or_none(point.peak_pss_bytes.map(units::bytes)),
            point.unsuccessful.to_string(),
        ]
    };
    Table {
        title: cleaned(&arm.spec.name),
        note: String::new(),
        head: vec![
            "workers",
            "",
            "runs",
            "tasks/s",
            "gain",
            "speedup",
            "efficiency",
            "cores used",
            "sojourn p95",
            "peak PSS",
            "unsuccessful",
        ],
        rows: tuning.points.iter().map(row).collect(),
    }
}

/// Points that differ in their settings: a row each.
fn of_settings(results: &SweepResults) -> Table {
    let or_none = |cell: Option<String>| cell.unwrap_or_else(|| NONE.to_owned());
    let row = |place: grid::Place<'_>| {
        let point = place.point;
        vec![
            cleaned(&place.arm.spec.name),
            point.workers.to_string(),
            words::marks(point).collect::<Vec<_>>().join(", "),
            point.runs().to_string(),
            mean(point.rate, units::rate),
            or_none(point.rate.map(|_| format!("{:.2}", point.cores_used))),
            or_none(point.sojourn_p95.map(units::duration)),
            or_none(point.peak_pss_bytes.map(units::bytes)),
            point.unsuccessful.to_string(),
        ]
    };
    Table {
        title: cleaned(&results.fields().join(", ")),
        note: String::new(),
        head: vec!["arm", "workers", "", "runs", "tasks/s", "cores used", "sojourn p95", "peak PSS", "unsuccessful"],
        rows: results.places().map(row).collect(),
    }
}

/// How the rates of the arms grow, as far as the Universal Scalability Law says it.
fn fits(arms: &[SweptArm]) -> Table {
    let row = |arm: &SweptArm| {
        let name = cleaned(&arm.spec.name);
        match &arm.tuning.fit {
            Ok(fit) => {
                let range = |(low, high): (u32, u32)| format!("{low}–{high}");
                let law = if fit.is_lacking() { "does not hold well" } else { "holds" };
                let peak = fit.peak().map_or_else(|| NONE.to_owned(), |peak| format!("{peak:.0}"));
                let serial = fit.serial.map_or_else(|| NONE.to_owned(), |serial| serial.to_string());
                let (sigma, kappa) = (fit.sigma.to_string(), fit.kappa.to_string());
                let (r_squared, rate) = (format!("{:.3}", fit.r_squared), units::rate(fit.lambda));
                let ranges = [range(fit.measured), range(fit.trusted())];
                [name, rate, sigma, kappa, serial, r_squared]
                    .into_iter()
                    .chain(ranges)
                    .chain([peak, law.to_owned()])
                    .collect()
            }
            Err(none) => {
                let rest = std::iter::repeat_n(NONE.to_owned(), 8);
                std::iter::once(name).chain(rest).chain([none.to_string()]).collect()
            }
        }
    };
    Table {
        title: "How it scales".to_owned(),
        note: "Universal Scalability Law: λ tasks/s of one worker, contention σ, coherency κ, and serial, the share by Amdahl's \
               law, with 95 % intervals; to be trusted for the workers that are told and no others; the rate is highest at its peak"
            .to_owned(),
        head: vec![
            "arm",
            "λ",
            "σ",
            "κ",
            "serial",
            "R²",
            "measured",
            "trusted",
            "peak",
            "law",
        ],
        rows: arms.iter().map(row).collect(),
    }
}

#[cfg(test)]
mod tests;
