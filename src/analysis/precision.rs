//! How many rounds are enough: until the interval of every ratio is as narrow as was asked for, or a budget ends.
//!
//! What decides is looked at after every round, so the intervals are the always-valid ones: a Student interval that is
//! reported because it has become narrow would hold less often than it says.

use std::time::Duration;

use crate::analysis::inference::{Looks, infer};
use crate::analysis::verdict::{Counted, compare_looking};
use crate::workload::model::Adaptive;

/// How precise a comparison is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Precision {
    /// Asked for, as a share.
    pub wanted: f64,
    /// Half the width of the widest interval, as a share of its ratio (of the rate where there is one arm); `None` while
    /// there is one without a bound.
    pub reached: Option<f64>,
    /// Counted rounds.
    pub rounds: u32,
    /// Why no more were made; `None` while more are.
    pub end: Option<PrecisionEnd>,
}

/// Why no more rounds are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrecisionEnd {
    /// It is as precise as it should be.
    Reached,
    /// `max_repeats` rounds were made.
    MaxRepeats,
    /// Another round would not be over within `max_time`.
    MaxTime,
    /// No two arms have runs to be compared, and more of them would not change that.
    Nothing,
}

impl PrecisionEnd {
    /// In one word, for machines.
    #[must_use]
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Reached => "precision",
            Self::MaxRepeats => "max_repeats",
            Self::MaxTime => "max_time",
            Self::Nothing => "nothing_to_compare",
        }
    }
}

/// What has been made of a comparison.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made {
    /// Counted rounds, all arms of which have run.
    pub(crate) rounds: u32,
    /// Fewest that are asked for.
    pub(crate) least: u32,
    /// Time since it began, without suspensions.
    pub(crate) elapsed: Duration,
    /// What one more round is expected to take.
    pub(crate) round: Duration,
}

/// How precise it is after a round, and whether that was the last one.
#[must_use]
pub(crate) fn after_round(arms: &[Counted<'_>], baseline: usize, wanted: Adaptive, made: Made) -> Precision {
    let widths = widths(arms, baseline);
    let reached = widths.iter().copied().reduce(|a, b| Some(a?.max(b?))).flatten();
    let precise = reached.is_some_and(|reached| reached <= wanted.precision);
    let end = if made.rounds >= made.least && precise {
        Some(PrecisionEnd::Reached)
    } else if made.rounds >= made.least && widths.is_empty() {
        Some(PrecisionEnd::Nothing)
    } else if made.rounds >= wanted.max_repeats.get() {
        Some(PrecisionEnd::MaxRepeats)
    } else if made.elapsed + made.round > wanted.max_time {
        Some(PrecisionEnd::MaxTime)
    } else {
        None
    };
    Precision { wanted: wanted.precision, reached, rounds: made.rounds, end }
}

/// Half the relative width of the interval of each arm against the baseline, or of the rate of a single arm; `None` for
/// one without a bound yet. An arm of which no run counts has none.
fn widths(arms: &[Counted<'_>], baseline: usize) -> Vec<Option<f64>> {
    let half = |(low, high): (f64, f64)| ((high - low) / 2.0).exp() - 1.0;
    let of_logarithms = |(low, high): (f64, f64)| half((low.ln(), high.ln()));
    if let [single] = arms {
        let rates: Vec<f64> =
            single.figures().iter().filter(|figure| figure.usable()).map(|figure| figure.throughput.ln()).collect();
        return infer(&rates, Looks::AfterEach).map(|found| found.ci95.map(half)).into_iter().collect();
    }
    let Some(reference) = arms.get(baseline).map(Counted::figures) else { return Vec::new() };
    let others = arms.iter().enumerate().filter(|(arm, _)| *arm != baseline);
    let found = others.map(|(_, counted)| compare_looking(&reference, &counted.figures(), Looks::AfterEach));
    found.filter(|found| found.pairs > 0).map(|found| found.ci95.map(of_logarithms)).collect()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::sync::Arc;

    use super::*;
    use crate::engine::event::RunState;
    use crate::metrics::fixtures::snapshot;
    use crate::metrics::snapshot::Snapshot;

    const WANTED: Adaptive =
        Adaptive { precision: 0.02, max_repeats: NonZeroU32::new(8).unwrap(), max_time: Duration::from_secs(60) };

    fn after(arms: &[&[f64]], made: Made) -> Precision {
        let run = |rate: &f64| Arc::new(Snapshot { throughput_whole: *rate, state: RunState::Finished, ..snapshot() });
        let runs: Vec<Vec<Arc<Snapshot>>> = arms.iter().map(|rates| rates.iter().map(run).collect()).collect();
        let counted: Vec<Counted<'_>> = runs.iter().map(|runs| Counted { runs, rounds: &[] }).collect();
        after_round(&counted, 0, WANTED, made)
    }

    fn made(rounds: u32) -> Made {
        Made { rounds, least: 3, elapsed: Duration::from_secs(10), round: Duration::from_secs(2) }
    }

    #[test]
    fn it_ends_when_the_widest_interval_is_narrow_enough() {
        let narrow: &[f64] = &[100.0, 100.1, 100.05, 99.95];
        let wide: &[f64] = &[50.0, 54.0, 47.0, 51.0];
        let found = after(&[narrow, &[200.0, 200.3, 200.1, 200.0]], made(4));
        assert_eq!(found.end, Some(PrecisionEnd::Reached));
        assert!(found.reached.expect("a width") < 0.01, "{found:?}");
        let found = after(&[narrow, narrow, wide], made(4));
        assert_eq!(found.end, None, "one of them is not");
        assert!(found.reached.expect("a width") > 0.1, "{found:?}");
        assert_eq!(after(&[narrow], made(4)).end, Some(PrecisionEnd::Reached), "one arm: its rate");
        assert_eq!(after(&[wide], made(4)).end, None);
    }

    #[test]
    fn fewest_rounds_and_budgets_are_kept() {
        let equal: &[f64] = &[100.0, 100.0, 100.0];
        assert_eq!(after(&[equal, equal], made(2)).end, None, "three were asked for");
        let wide: &[f64] = &[50.0, 54.0];
        let found = after(&[equal, wide], made(2));
        assert_eq!((found.reached, found.end), (None, None), "no bound yet");
        assert_eq!(after(&[equal, wide], made(8)).end, Some(PrecisionEnd::MaxRepeats));
        let late = Made { elapsed: Duration::from_secs(59), ..made(1) };
        assert_eq!(after(&[equal, wide], late).end, Some(PrecisionEnd::MaxTime));
        assert_eq!(after(&[equal, &[]], made(3)).end, Some(PrecisionEnd::Nothing));
        assert_eq!(after(&[equal, &[], equal], made(3)).end, Some(PrecisionEnd::Reached), "the others are compared");
    }
}
