//! A search as text: a line for each step with its reason, and what follows.

use super::{TuneResults, TuneStep};
use crate::report::sweep::text::wrapped;
use crate::report::text::{Paint, TextOptions, failing, header, line, plural, table};
use crate::report::{clean, shell, units};

/// The whole report, with a newline at its end.
#[must_use]
pub(crate) fn render(results: &TuneResults, options: TextOptions) -> String {
    let paint = Paint(options.colour);
    let mut out = String::new();
    header(&mut out, (&results.workload, &results.host, &results.stream_hash), Some(results.tasks), paint);
    failing::aborted(&mut out, &results.ending, paint);
    let target = clean::line(&results.target).into_owned();
    line(&mut out, &paint.with(Paint::BOLD, &format!("target: {target}")));
    steps(&mut out, &results.steps, options.width, paint);
    out.push('\n');
    for (name, found) in &results.failed {
        failing::nothing_succeeded(&mut out, &clean::line(name), found, paint);
    }
    if let Some(outcome) = &results.outcome {
        let style = if outcome.met == Some(true) { Paint::GOOD } else { Paint::WARN };
        wrapped(&mut out, "", &clean::line(&outcome.marked()), options.width, paint, style);
        wrapped(&mut out, "why: ", &clean::line(&outcome.why), options.width, paint, anstyle::Style::new());
        if !outcome.set.is_empty() {
            let options: Vec<String> = outcome.set.iter().map(|set| format!("--set {}", shell::quote(set))).collect();
            line(&mut out, &format!("as options: {}", options.join(" ")));
        }
    }
    let suspect = results.suspect();
    let suspect = if suspect > 0 { format!(", {suspect} of them SUSPECT") } else { String::new() };
    line(&mut out, &paint.with(Paint::DIM, &format!("{}{suspect}", plural(results.runs().into(), "counted run"))));
    out
}

fn steps(out: &mut String, steps: &[TuneStep], width: usize, paint: Paint) {
    let cells = |step: &TuneStep| {
        let rate = step.rate.map_or_else(String::new, |rate| {
            let half = rate.ci95.map_or(String::new(), |(low, high)| format!(" ±{}", units::rate((high - low) / 2.0)));
            format!("{}/s{half}", units::rate(rate.mean))
        });
        let suspect = if step.suspect > 0 { format!(", {} suspect", step.suspect) } else { String::new() };
        let runs = if step.runs > 0 { plural(step.runs.into(), "run") + &suspect } else { String::new() };
        let figure = step.figure.clone().unwrap_or_default();
        [step.what.clone(), rate, figure, runs].map(|cell| clean::line(&cell).into_owned())
    };
    let lines: Vec<[String; 4]> = steps.iter().map(cells).collect();
    let mut wide = [0; 4];
    for cells in &lines {
        wide.iter_mut().zip(cells).for_each(|(wide, cell)| *wide = (*wide).max(table::width(cell)));
    }
    for ((number, cells), step) in (1..).zip(&lines).zip(steps) {
        let shown = cells.iter().zip(wide).filter(|(_, wide)| *wide > 0);
        let shown: Vec<String> = shown.map(|(cell, wide)| table::pad(cell, wide)).collect();
        let lead = format!("{number:>3}. {}  ", shown.join("  "));
        wrapped(out, &lead, &clean::line(&step.why), width, paint, Paint::DIM);
    }
}
