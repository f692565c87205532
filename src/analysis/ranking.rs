//! Which arm is the best, and which ones are as good as far as can be told.

use crate::analysis::inference::Looks;
use crate::analysis::verdict::{Counted, Finding, RunFigure, verdicts};

/// The fastest arm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Best {
    /// Index of the arm.
    pub(crate) arm: usize,
    /// Arms that are not told apart from it.
    pub(crate) ties: Vec<usize>,
    /// Arms that were not run often enough to tell.
    pub(crate) open: Vec<usize>,
    /// Whether any of these comparisons rests on a suspect run.
    pub(crate) suspect: bool,
}

/// The arm with the highest throughput (geometric mean of its runs), and how the others compare with it, corrected for how
/// many they are. `None` where fewer than two arms were measured.
#[must_use]
pub(crate) fn best(arms: &[Counted<'_>], looks: Looks) -> Option<Best> {
    let rate = |counted: &Counted<'_>| {
        let figures: Vec<RunFigure> = counted.figures().into_iter().filter(RunFigure::usable).collect();
        let sum: f64 = figures.iter().map(|figure| figure.throughput.ln()).sum();
        (!figures.is_empty()).then(|| sum / figures.len() as f64)
    };
    let rates: Vec<(usize, f64)> = (0..).zip(arms).filter_map(|(arm, counted)| Some((arm, rate(counted)?))).collect();
    let (arm, _) = rates.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1)).filter(|_| rates.len() > 1)?;
    let others = verdicts(arms, arm, looks, None);
    let with = |finding: Finding| others.iter().filter(move |one| one.finding == finding).map(|one| one.arm).collect();
    let suspect = others.iter().any(|one| one.suspect > 0);
    Some(Best { arm, ties: with(Finding::NoClearDifference), open: with(Finding::TooEarly), suspect })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::metrics::fixtures::snapshot;
    use crate::metrics::snapshot::Snapshot;

    fn found(arms: &[&[f64]]) -> Option<Best> {
        let run = |rate: &f64| Arc::new(Snapshot { throughput_whole: *rate, ..snapshot() });
        let runs: Vec<Vec<Arc<Snapshot>>> = arms.iter().map(|rates| rates.iter().map(run).collect()).collect();
        let counted: Vec<Counted<'_>> = runs.iter().map(|runs| Counted { runs, rounds: &[] }).collect();
        best(&counted, Looks::Once(100))
    }

    #[test]
    fn best_is_named_with_those_that_are_as_good() {
        let arms: [&[f64]; 4] = [&[50.0, 51.0, 49.0], &[99.0, 103.0, 98.0], &[100.0, 101.0, 99.5], &[98.0]];
        assert_eq!(found(&arms), Some(Best { arm: 2, ties: vec![1], open: vec![3], suspect: false }));
        assert_eq!(found(&arms[..1]), None);
        assert_eq!(found(&[&[1.0], &[]]), None);
    }
}
