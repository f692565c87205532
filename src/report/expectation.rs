//! An expectation and what became of it, in the words that every format uses.

use std::time::Duration;

use crate::analysis::expectations::{Checked, Judgement};
use crate::report::{clean, units};
use crate::workload::model::Unit;

/// A figure in the unit of its metric.
#[must_use]
pub(crate) fn value(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Seconds => units::duration(Duration::try_from_secs_f64(value).unwrap_or_default()),
        Unit::Bytes => units::bytes(value as u64),
        Unit::PerSecond => format!("{}/s", units::rate(value)),
        Unit::Count | Unit::Truth => format!("{value:.0}"),
        Unit::Number => units::factor(value),
    }
}

/// What was measured and how far that is from the limit: `181/s (176/s–190/s), 82 % inside the limit, 5 runs`; empty where
/// nothing was.
#[must_use]
pub(crate) fn measured(checked: &Checked) -> String {
    let Checked { unit, measured: Some(found), ci95, margin, runs, .. } = checked else { return String::new() };
    let interval =
        ci95.map(|(low, high)| format!(" ({}–{})", value(*unit, low), value(*unit, high))).unwrap_or_default();
    let side = |margin: f64| if margin < 0.0 { "beyond" } else { "inside" };
    let margin = margin.filter(|margin| margin.abs() >= 0.0005);
    let margin = margin.map(|margin| format!(", {} {} the limit", units::percent(margin.abs()), side(margin)));
    let plural = if *runs == 1 { "" } else { "s" };
    format!("{}{interval}{}, {runs} run{plural}", value(*unit, *found), margin.unwrap_or_default())
}

/// What became of it, in one word or a few.
#[must_use]
pub(crate) fn word(judgement: &Judgement) -> &'static str {
    match judgement {
        Judgement::Holds => "holds",
        Judgement::Fails(_) => "FAILS",
        Judgement::TooNoisy(_) => "too noisy to say",
        Judgement::NotMeasured(_) => "not measured",
        Judgement::Skipped(_) => "skipped",
    }
}

/// The same with what is to be said of it: `FAILS: in 2 of 5 runs`.
#[must_use]
pub(crate) fn outcome(judgement: &Judgement) -> String {
    let word = word(judgement);
    judgement.why().map_or_else(|| word.to_owned(), |why| format!("{word}: {}", clean::line(why)))
}

/// All of it in one line: `pool: lost_tasks == 0: FAILS: in 1 of 5 runs (2, 5 runs)`.
#[must_use]
pub(crate) fn sentence(checked: &Checked) -> String {
    let measured = measured(checked);
    let figures = if measured.is_empty() { measured } else { format!(" ({measured})") };
    let (engines, text) = (clean::line(&checked.engines), clean::line(&checked.text));
    format!("{engines}: {text}: {}{figures}", outcome(&checked.judgement))
}

/// How many there are of each kind: `2 hold, 1 FAILS, 1 too noisy to say`.
#[must_use]
pub(crate) fn sum(all: &[Checked]) -> String {
    let count = |is: fn(&Judgement) -> bool| all.iter().filter(|one| is(&one.judgement)).count();
    let parts = [
        (count(|one| matches!(one, Judgement::Holds)), "holds", "hold"),
        (count(|one| matches!(one, Judgement::Fails(_))), "FAILS", "FAIL"),
        (count(|one| matches!(one, Judgement::TooNoisy(_))), "too noisy to say", "too noisy to say"),
        (count(|one| matches!(one, Judgement::NotMeasured(_))), "not measured", "not measured"),
        (count(|one| matches!(one, Judgement::Skipped(_))), "skipped", "skipped"),
    ];
    let told = parts.iter().filter(|(count, ..)| *count > 0);
    told.map(|(count, one, several)| format!("{count} {}", if *count == 1 { one } else { several }))
        .collect::<Vec<_>>()
        .join(", ")
}
