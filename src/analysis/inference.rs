//! What ratios of paired runs say about the ratio behind them.

use crate::analysis::always_valid::always_valid;
use crate::analysis::statistics::{estimate, two_sided};

/// How often results are looked at before somebody stops: it decides which interval holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    /// Once, after at most so many rounds, a number that did not depend on results: Student's interval.
    Once(u32),
    /// After every round, and whoever looks may stop or go on because of it: the always-valid interval.
    AfterEach,
}

/// An estimate of a mean from measurements that are about normal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Inference {
    pub(crate) mean: f64,
    /// 95 % confidence interval; `None` below two measurements, or three where it is always valid.
    pub(crate) ci95: Option<(f64, f64)>,
    /// Two-sided p of a mean of 0; `None` below two measurements.
    pub(crate) p: Option<f64>,
}

/// The mean of independent measurements, looked at in this way; `None` without any.
#[must_use]
pub(crate) fn infer(values: &[f64], looks: Looks) -> Option<Inference> {
    let mean = estimate(values)?.mean;
    if looks.is_one(values.len()) {
        return Some(Inference { mean, ci95: estimate(values)?.ci95, p: student(values, mean) });
    }
    let found = always_valid(values);
    Some(Inference { mean, ci95: found.and_then(|found| found.ci95), p: found.map(|found| found.p) })
}

impl Looks {
    /// Whether so many measurements are those that were planned.
    #[must_use]
    pub(crate) fn is_one(self, measurements: usize) -> bool {
        matches!(self, Self::Once(most) if measurements as u64 <= u64::from(most))
    }

    /// Measurements from which on there is an interval.
    #[must_use]
    pub(crate) fn least(self, measurements: usize) -> usize {
        if self.is_one(measurements) { 2 } else { 3 }
    }
}

/// Student's two-sided p of a mean of 0.
fn student(values: &[f64], mean: f64) -> Option<f64> {
    let n = values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    two_sided(mean / (squares / (n - 1.0) / n).sqrt(), n - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_of_students_test_as_tables_have_it() {
        // Mean 1, s = 1, n = 3: t = 1.7320508, two degrees of freedom: p = 1 - t / sqrt(2 + t²) = 0.2254.
        let found = infer(&[0.0, 1.0, 2.0], Looks::Once(5)).expect("values");
        assert!((found.p.expect("a p") - 0.225_403).abs() < 1e-5, "{found:?}");
        for (values, p) in [(&[1.0, 1.0][..], 0.0), (&[0.0, 0.0], 1.0)] {
            assert_eq!(infer(values, Looks::Once(5)).expect("values").p, Some(p), "equal to the last digit");
        }
        assert_eq!(infer(&[1.0], Looks::Once(5)).expect("a value").p, None);
        assert_eq!(infer(&[], Looks::Once(5)), None);
    }

    #[test]
    fn more_than_was_planned_was_looked_at_before() {
        let values = [0.9, 1.0, 1.2];
        let planned = infer(&values, Looks::Once(3)).and_then(|found| found.ci95).expect("an interval");
        for looks in [Looks::Once(2), Looks::AfterEach] {
            let always = infer(&values, looks).and_then(|found| found.ci95).expect("an interval");
            assert!(always.0 < planned.0 && planned.1 < always.1, "{planned:?} {always:?}");
        }
        assert_eq!(infer(&values[..2], Looks::AfterEach).expect("values").ci95, None);
        assert_eq!((Looks::Once(2).least(2), Looks::Once(2).least(3), Looks::AfterEach.least(2)), (2, 3, 3));
    }

    #[test]
    fn p_and_interval_agree() {
        for looks in [Looks::Once(9), Looks::AfterEach] {
            for shift in 0..60 {
                let values = [0.2, -0.3, 0.4, -0.1, 0.1].map(|value| value + f64::from(shift) / 20.0);
                let Inference { ci95, p, .. } = infer(&values, looks).expect("values");
                assert_eq!(ci95.expect("an interval").0 > 0.0, p.expect("a p") < 0.05, "{looks:?} {shift}");
            }
        }
    }
}
