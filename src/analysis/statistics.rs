//! Means and confidence intervals of a few repeated measurements.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// A mean with what is known about its precision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    pub mean: f64,
    /// 95 % confidence interval; `None` below two measurements.
    pub ci95: Option<(f64, f64)>,
    pub count: usize,
}

/// Mean and 95 % confidence interval of independent measurements; `None` without any.
///
/// The interval is Student's: `mean ± t(0.975, n - 1) * s / sqrt(n)` with the sample standard deviation `s` (Student,
/// The Probable Error of a Mean, Biometrika 6, 1908). It assumes that means of measurements are about normal, which
/// whole runs on a quiet machine are.
#[must_use]
pub(crate) fn estimate(values: &[f64]) -> Option<Estimate> {
    if values.is_empty() {
        return None;
    }
    let count = values.len();
    let n = count as f64;
    let mean = values.iter().sum::<f64>() / n;
    let half = t975(count.saturating_sub(1)).map(|t| {
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
        t * (variance / n).sqrt()
    });
    Some(Estimate { mean, ci95: half.map(|half| (mean - half, mean + half)), count })
}

/// 97.5 % quantile of Student's t distribution; `None` without a degree of freedom.
pub(crate) fn t975(freedom: usize) -> Option<f64> {
    t_quantile(0.975, freedom as f64)
}

/// A quantile of Student's t distribution; `None` without a degree of freedom.
pub(crate) fn t_quantile(p: f64, freedom: f64) -> Option<f64> {
    StudentsT::new(0.0, 1.0, freedom).ok().map(|t| t.inverse_cdf(p))
}

/// The chance of a value of Student's t distribution that lies as far from 0 or farther; `None` without a degree of
/// freedom. Measurements that do not differ at all (0 / 0) are as far from 0 as chance allows.
pub(crate) fn two_sided(t: f64, freedom: f64) -> Option<f64> {
    let distribution = StudentsT::new(0.0, 1.0, freedom).ok()?;
    match t.abs() {
        t if t.is_nan() => Some(1.0),
        t if t.is_infinite() => Some(0.0),
        t => Some((2.0 * distribution.sf(t)).min(1.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, wanted: f64) {
        assert!((found - wanted).abs() <= 1e-4 * wanted.abs().max(1e-9), "{found} instead of {wanted}");
    }

    #[test]
    fn quantiles_as_printed_in_tables() {
        for (freedom, wanted) in
            [(1, 12.7062), (2, 4.30265), (4, 2.77645), (9, 2.26216), (30, 2.04227), (100, 1.98397), (10_000, 1.96020)]
        {
            close(t975(freedom).expect("a quantile"), wanted);
        }
        assert_eq!(t975(0), None);
    }

    #[test]
    fn mean_and_interval_computed_by_hand() {
        // 98, 100, 102: s = 2, half width = 4.30265 * 2 / sqrt(3) = 4.96827.
        let Estimate { mean, ci95, count } = estimate(&[98.0, 100.0, 102.0]).expect("values");
        let (low, high) = ci95.expect("an interval");
        close(mean, 100.0);
        close(low, 95.03173);
        close(high, 104.96827);
        assert_eq!(count, 3);
    }

    #[test]
    fn too_few_values_have_no_interval() {
        assert_eq!(estimate(&[]), None);
        assert_eq!(estimate(&[7.0]), Some(Estimate { mean: 7.0, ci95: None, count: 1 }));
        assert_eq!(estimate(&[7.0, 7.0]), Some(Estimate { mean: 7.0, ci95: Some((7.0, 7.0)), count: 2 }));
    }
}
