//! `expectations`: what had to hold, and what became of it. All but `text`, `measured` and `holds` is additive to version 1.
//!
//! * `holds`: `null` where it cannot be said; `outcome` tells why: `holds`, `fails`, `too_noisy`, `not_measured` (there is no
//!   figure) or `skipped` (it was not asked here), and `because` tells it in words.
//! * `measured`, `ci95`, `limit`: in `unit` (`count`, `number`, `seconds`, `bytes`, `per_second`, `truth`): the geometric mean over
//!   `runs` or the ratio to another arm's figure; of what is counted the run that is nearest to failing or fails most.
//! * `margin`: how far it lies on the right side of its limit, as a share of that; negative beyond it.

use serde::Serialize;

use crate::analysis::expectations::{Checked, Judgement};
use crate::workload::model::Unit;

#[derive(Serialize)]
pub(in crate::report) struct ExpectationOut<'a> {
    text: &'a str,
    engines: &'a str,
    measured: Option<f64>,
    ci95: Option<[f64; 2]>,
    limit: Option<f64>,
    unit: &'static str,
    margin: Option<f64>,
    runs: usize,
    holds: Option<bool>,
    outcome: &'static str,
    because: Option<&'a str>,
}

impl<'a> From<&'a Checked> for ExpectationOut<'a> {
    fn from(checked: &'a Checked) -> Self {
        let Checked { text, engines, unit, measured, ci95, limit, margin, runs, judgement } = checked;
        Self {
            text,
            engines,
            measured: *measured,
            ci95: ci95.map(<[f64; 2]>::from),
            limit: *limit,
            unit: match unit {
                Unit::Count => "count",
                Unit::Number => "number",
                Unit::Seconds => "seconds",
                Unit::Bytes => "bytes",
                Unit::PerSecond => "per_second",
                Unit::Truth => "truth",
            },
            margin: *margin,
            runs: *runs,
            holds: match judgement {
                Judgement::Holds => Some(true),
                Judgement::Fails(_) => Some(false),
                _ => None,
            },
            outcome: judgement.word(),
            because: judgement.why(),
        }
    }
}

/// All of them.
pub(in crate::report) fn all(checked: &[Checked]) -> Vec<ExpectationOut<'_>> {
    checked.iter().map(ExpectationOut::from).collect()
}
