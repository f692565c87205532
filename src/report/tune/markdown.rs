//! A search as Markdown: what came out first, then a table of its steps.

use std::fmt::Write as _;

use super::TuneResults;
use crate::report::markdown::{escape, head, row};
use crate::report::{shell, units};

/// The whole report, with a newline at its end.
#[must_use]
pub(crate) fn text(results: &TuneResults) -> String {
    let mut out = String::new();
    head(&mut out, &results.workload, &results.host, &results.stream_hash);
    if let Some(why) = results.ending.aborted() {
        let _ = writeln!(out, "**Aborted: {}**\n", escape(&why));
    }
    for (name, found) in &results.failed {
        let (name, cause) = (escape(name), escape(&found.cause));
        let _ = writeln!(out, "**{name}: none of {} tasks succeeded: {cause}**\n", found.tasks);
    }
    let _ = writeln!(out, "target: {}\n", escape(&results.target));
    if let Some(outcome) = &results.outcome {
        let _ = writeln!(out, "**{}**\n\nwhy: {}\n", escape(&outcome.marked()), escape(&outcome.why));
        if !outcome.set.is_empty() {
            let options: Vec<String> = outcome.set.iter().map(|set| format!("--set {}", shell::quote(set))).collect();
            let _ = writeln!(out, "as options: {}\n", escape(&options.join(" ")));
        }
    }
    row(&mut out, &["step", "tried", "throughput", "figure", "runs", "suspect", "why"].map(str::to_owned));
    row(&mut out, &["--:", "---", "--:", "---", "--:", "--:", "---"].map(str::to_owned));
    for (number, step) in (1..).zip(&results.steps) {
        let half = |(low, high): (f64, f64)| format!(" ±{}", units::rate((high - low) / 2.0));
        let rate =
            step.rate.map(|rate| format!("{}/s{}", units::rate(rate.mean), rate.ci95.map_or_else(String::new, half)));
        let figure = step.figure.as_deref().unwrap_or("–");
        let cells = [
            number.to_string(),
            escape(&step.what),
            rate.unwrap_or_else(|| "–".to_owned()),
            escape(figure),
            step.runs.to_string(),
            step.suspect.to_string(),
            escape(&step.why),
        ];
        row(&mut out, &cells);
    }
    let _ = writeln!(out, "\n{} counted runs, {} of them SUSPECT", results.runs(), results.suspect());
    out
}
