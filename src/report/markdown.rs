//! Results as Markdown (GitHub's), for comments and wikis: what a report says first, as tables.

use std::fmt::Write as _;

use crate::analysis::expectations::{Checked, Judgement};
use crate::analysis::statistics::estimate;
use crate::report::sweep::text::signed;
use crate::report::sweep::{SweepResults, SweptArm, grid, words};
use crate::report::{ArmResult, Results, clean, ending, expectation, text, units};
use crate::workload::model::Workload;

/// A comparison or a run.
#[must_use]
pub(crate) fn comparison(results: &Results, expectations: &[Checked]) -> String {
    let mut out = String::new();
    head(&mut out, &results.workload, &results.host, &results.stream_hash);
    if let Some(why) = results.ending.aborted() {
        let _ = writeln!(out, "**Aborted: {}**\n", escape(&why));
    }
    if results.sharing_cores {
        out.push_str("**Together: the arms shared the cores, so this is not a measurement**\n\n");
    }
    for (arm, found) in results.all_failed() {
        let (name, cause) = (escape(&arm.spec.name), escape(&found.cause));
        let _ = writeln!(out, "**{name}: none of {} tasks succeeded: {cause}**\n", found.tasks);
    }
    for sentence in text::verdict_sentences(results) {
        let _ = writeln!(out, "- {}", escape(&sentence));
    }
    out.push('\n');
    row(
        &mut out,
        &[
            "arm",
            "workers",
            "runs",
            "throughput",
            "makespan",
            "sojourn p50",
            "sojourn p99",
            "cores used",
            "peak PSS",
            "succeeded",
            "unsuccessful",
        ]
        .map(str::to_owned),
    );
    row(&mut out, &["---", "--:", "--:", "--:", "--:", "--:", "--:", "--:", "--:", "--:", "--:"].map(str::to_owned));
    results.arms.iter().for_each(|arm| one_arm(&mut out, arm));
    self::expectations(&mut out, expectations);
    let suspect = results.arms.iter().flat_map(|arm| arm.runs.iter().map(move |run| (arm, run)));
    for (arm, run) in suspect {
        for why in &run.suspect {
            let _ = writeln!(out, "\n> SUSPECT: {}, {}: {}", escape(&arm.spec.name), run.run, escape(why));
        }
    }
    out
}

fn one_arm(out: &mut String, arm: &ArmResult) {
    let rate = estimate(&arm.figures(|run| run.throughput_whole));
    let wall = estimate(&arm.figures(|run| run.wall().as_secs_f64()));
    let none = || "–".to_owned();
    let interval = rate.and_then(|rate| rate.ci95);
    let interval = interval.map(|(low, high)| format!(" ({}–{})", units::rate(low), units::rate(high)));
    let time = |seconds: f64| units::duration(std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default());
    let sojourn = arm.distributions().map(|all| all.all.sojourn).filter(|sojourn| sojourn.count() > 0);
    let sojourn = sojourn.map(|sojourn| sojourn.summary());
    let succeeded: u64 = arm.runs.iter().map(|run| run.counts.succeeded).sum();
    let finished: u64 = arm.runs.iter().map(|run| run.counts.finished()).sum();
    let pss = arm.runs.iter().filter_map(|run| run.memory.peak_pss_bytes).max();
    row(
        out,
        &[
            escape(&arm.spec.name),
            arm.workers.to_string(),
            arm.runs.len().to_string(),
            rate.map_or_else(none, |rate| format!("{}/s{}", units::rate(rate.mean), interval.unwrap_or_default())),
            wall.map_or_else(none, |wall| time(wall.mean)),
            sojourn.map_or_else(none, |sojourn| units::duration(sojourn.p50)),
            sojourn.map_or_else(none, |sojourn| units::duration(sojourn.p99)),
            estimate(&arm.figures(|run| run.cpu.cores_used_whole))
                .map_or_else(none, |cores| format!("{:.2}", cores.mean)),
            pss.map_or_else(none, units::bytes),
            succeeded.to_string(),
            (finished - succeeded).to_string(),
        ],
    );
}

/// A sweep.
#[must_use]
pub(crate) fn sweep(results: &SweepResults) -> String {
    let mut out = String::new();
    head(&mut out, &results.workload, &results.host, &results.stream_hash);
    if let Some(why) = results.ending.aborted() {
        let _ = writeln!(out, "**Aborted: {}**\n", escape(&why));
    }
    for (arm, found) in results.all_failed() {
        let (name, cause) = (escape(&arm.spec.name), escape(&found.cause));
        let _ = writeln!(out, "**{name}: none of {} tasks succeeded: {cause}**\n", found.tasks);
    }
    let fastest = if results.tries_counts() { Vec::new() } else { grid::fastest(results) };
    let sentences: Vec<String> = fastest.into_iter().chain(words::comparisons(results)).collect();
    for sentence in &sentences {
        let _ = writeln!(out, "- {}", escape(sentence));
    }
    if !sentences.is_empty() {
        out.push('\n');
    }
    match results.tries_counts() {
        true => results.arms.iter().for_each(|arm| swept(&mut out, arm)),
        false => settings(&mut out, results),
    }
    if let Some(dropped) = words::dropped(results) {
        let _ = writeln!(out, "Dropped: {}\n", escape(&dropped));
    }
    self::expectations(&mut out, &results.expectations);
    for arm in &results.arms {
        let reasons = arm.tuning.points.iter().flat_map(|point| point.suspect.iter().map(move |why| (point, why)));
        for (point, why) in reasons {
            let _ = writeln!(out, "\n> SUSPECT: {} ×{}: {}", escape(&arm.spec.name), point.workers, escape(why));
        }
    }
    out
}

/// Points that differ in their settings: a row each.
fn settings(out: &mut String, results: &SweepResults) {
    let head =
        ["arm", "workers", "runs", "throughput", "95 % CI", "cores used", "sojourn p95", "unsuccessful", "marks"];
    row(out, &head.map(str::to_owned));
    row(out, &["---", "--:", "--:", "--:", "--:", "--:", "--:", "--:", "---"].map(str::to_owned));
    let or_none = |cell: Option<String>| cell.unwrap_or_else(|| "–".to_owned());
    for grid::Place { arm, point } in results.places() {
        let interval = point.rate.and_then(|rate| rate.ci95);
        let cells = [
            escape(&arm.spec.name),
            point.workers.to_string(),
            point.runs().to_string(),
            or_none(point.mean().map(|rate| format!("{}/s", units::rate(rate)))),
            or_none(interval.map(|(low, high)| format!("{}–{}", units::rate(low), units::rate(high)))),
            or_none(point.rate.map(|_| format!("{:.2}", point.cores_used))),
            or_none(point.sojourn_p95.map(units::duration)),
            point.unsuccessful.to_string(),
            words::marks(point).collect::<Vec<_>>().join(", "),
        ];
        row(out, &cells);
    }
    out.push('\n');
    for arm in &results.arms {
        if let Some((_, partial)) = &arm.partial {
            let (name, made) = (escape(&arm.spec.name), ending::how_far(&partial.run).unwrap_or_default());
            let _ = writeln!(out, "{name}: cut off {}\n", escape(&made));
        }
    }
}

/// One arm of a sweep.
fn swept(out: &mut String, arm: &SweptArm) {
    let tuning = &arm.tuning;
    let _ = writeln!(out, "### {}\n", escape(&arm.spec.name));
    if arm.tuning.points.iter().any(|point| point.rate.is_some()) {
        let _ = writeln!(out, "**{}**\n", escape(&words::headline(tuning)));
    }
    if !tuning.why.is_empty() {
        let _ = writeln!(out, "{}\n", escape(&tuning.why));
    }
    let head = [
        "workers",
        "runs",
        "throughput",
        "95 % CI",
        "gain",
        "efficiency",
        "cores used",
        "sojourn p95",
        "unsuccessful",
        "marks",
    ];
    row(out, &head.map(str::to_owned));
    row(out, &["--:", "--:", "--:", "--:", "--:", "--:", "--:", "--:", "--:", "---"].map(str::to_owned));
    let or_none = |cell: Option<String>| cell.unwrap_or_else(|| "–".to_owned());
    for point in &tuning.points {
        let interval = point.rate.and_then(|rate| rate.ci95);
        let interval = interval.map(|(low, high)| format!("{}–{}", units::rate(low), units::rate(high)));
        row(
            out,
            &[
                point.workers.to_string(),
                point.runs().to_string(),
                or_none(point.mean().map(|rate| format!("{}/s", units::rate(rate)))),
                or_none(interval),
                or_none(tuning.gain(point.workers).map(signed)),
                or_none(tuning.efficiency(point.workers).map(units::percent)),
                or_none(point.rate.map(|_| format!("{:.2}", point.cores_used))),
                or_none(point.sojourn_p95.map(units::duration)),
                point.unsuccessful.to_string(),
                words::marks(point).collect::<Vec<_>>().join(", "),
            ],
        );
    }
    let _ = writeln!(out, "\n{}\n", escape(&words::fit(tuning)));
    if let Some((workers, partial)) = &arm.partial {
        let (name, made) = (escape(&arm.spec.name), ending::how_far(&partial.run).unwrap_or_default());
        let _ = writeln!(out, "{name} ×{workers}: cut off {}\n", escape(&made));
    }
}

/// Title, workload and host.
pub(super) fn head(out: &mut String, workload: &Workload, host: &crate::os::host::Host, stream_hash: &str) {
    let Workload { title, name, seed, hash, .. } = workload;
    let _ = writeln!(out, "## {}\n", escape(if title.is_empty() { name } else { title }));
    let facts = [
        escape(name),
        format!("seed {seed}"),
        format!("workload `{hash}`"),
        format!("stream `{stream_hash}`"),
        format!("{}: {} usable cores, {}", escape(&host.name), host.usable_cores(), escape(&host.cpu_model)),
    ];
    let _ = writeln!(out, "{}\n", facts.join(" · "));
}

fn expectations(out: &mut String, all: &[Checked]) {
    if all.is_empty() {
        return;
    }
    let _ = writeln!(out, "\nExpected: **{}**\n", expectation::sum(all));
    row(out, &["", "arm", "expected", "measured", "outcome"].map(str::to_owned));
    row(out, &["---"; 5].map(str::to_owned));
    for one in all {
        let mark = match one.judgement {
            Judgement::Holds => "✓",
            Judgement::Fails(_) => "✗",
            Judgement::TooNoisy(_) | Judgement::NotMeasured(_) => "?",
            Judgement::Skipped(_) => "–",
        };
        let cells = [&one.engines, &one.text, &expectation::measured(one), &expectation::outcome(&one.judgement)];
        let [engines, text, measured, outcome] = cells.map(|cell| escape(cell));
        row(out, &[mark.to_owned(), engines, text, measured, outcome]);
    }
}

/// A row of a table.
pub(super) fn row(out: &mut String, cells: &[String]) {
    let _ = writeln!(out, "| {} |", cells.join(" | "));
}

/// Text that is nothing but text: neither a table, nor a link, nor HTML.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for character in clean::line(text).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '#' | '!' | '~' => escaped.extend(['\\', character]),
            // Nobody is to be called, and no issue linked.
            '@' => escaped.push_str("&#64;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures;

    #[test]
    fn hostile_names_break_no_table() {
        let mut results = fixtures::comparison();
        results.arms[1].spec.name = "a|b `c` <img src=x onerror=1> [l](http://x) @all \u{1b}[2J\n| x |".to_owned();
        let text = comparison(&results, &results.expectations());
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ")).collect();
        let cells = |row: &str| row.replace("\\|", "").matches('|').count();
        assert_eq!(rows.len(), 4, "{text}");
        assert!(rows.iter().all(|row| cells(row) == cells(rows[0])), "{text}");
        assert!(
            !text.contains("<img") && !text.contains('\u{1b}') && !text.contains("@all") && !text.contains("[l]("),
            "{text}"
        );
    }

    #[test]
    fn a_sweep_has_what_is_to_be_known_before_its_figures_are_believed() {
        let mut results = crate::report::sweep::fixtures::sweep();
        let points = &mut std::sync::Arc::make_mut(&mut results.arms[0].tuning).points;
        (points[0].dropped, points[1].suspect) = (true, vec!["other | load".to_owned()]);
        let text = sweep(&results);
        for part in
            ["| dropped |", "| SUSPECT |", "> SUSPECT: pool ×2: other \\| load", "Dropped: pool ×1: clearly bad"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(text.contains(&format!("**{}**", escape(&words::headline(&results.arms[0].tuning)))), "{text}");
    }

    #[test]
    fn both_reports_as_tables() {
        insta::assert_snapshot!(comparison(&fixtures::comparison(), &[]));
        insta::assert_snapshot!(sweep(&crate::report::sweep::fixtures::sweep()));
    }
}
