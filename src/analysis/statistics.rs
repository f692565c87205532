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

/// Geometric mean of ratios and its 95 % confidence interval; `None` without a ratio. Ratios must be positive.
///
/// Logarithms of ratios are symmetrical (twice as fast and half as fast lie as far from 1), so the interval is Student's
/// interval of the logarithms, raised again (Fleming and Wallace, How not to lie with statistics, CACM 29, 1986, for the
/// geometric mean of ratios).
#[must_use]
pub(crate) fn estimate_ratio(ratios: &[f64]) -> Option<Estimate> {
    let logarithms: Vec<f64> = ratios.iter().map(|ratio| ratio.ln()).collect();
    let Estimate { mean, ci95, count } = estimate(&logarithms)?;
    Some(Estimate { mean: mean.exp(), ci95: ci95.map(|(low, high)| (low.exp(), high.exp())), count })
}

/// 97.5 % quantile of Student's t distribution; `None` without a degree of freedom.
pub(crate) fn t975(freedom: usize) -> Option<f64> {
    if freedom == 0 {
        return None;
    }
    StudentsT::new(0.0, 1.0, freedom as f64).ok().map(|t| t.inverse_cdf(0.975))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    #[test]
    fn ratios_are_symmetrical() {
        let Estimate { mean, ci95, .. } = estimate_ratio(&[2.0, 0.5]).expect("ratios");
        close(mean, 1.0);
        let (low, high) = ci95.expect("an interval");
        // Logarithms ±0.693147: s = 0.980258, half width = 12.7062 * 0.980258 / sqrt(2) = 8.80727.
        close(high.ln(), 8.80727);
        close(low * high, 1.0);
    }

    proptest! {
        /// The interval holds its mean, and exchanging the arms turns everything upside down.
        #[test]
        fn exchanging_arms_inverts_the_ratio(ratios in prop::collection::vec(0.01..100.0f64, 2..20)) {
            let there = estimate_ratio(&ratios).expect("ratios");
            let inverse: Vec<f64> = ratios.iter().map(|ratio| 1.0 / ratio).collect();
            let back = estimate_ratio(&inverse).expect("ratios");
            let ((low, high), (other_low, other_high)) = there.ci95.zip(back.ci95).expect("intervals");
            prop_assert!(low <= there.mean * (1.0 + 1e-12) && there.mean <= high * (1.0 + 1e-12));
            prop_assert!((there.mean * back.mean - 1.0).abs() < 1e-9);
            prop_assert!((low * other_high - 1.0).abs() < 1e-9 && (high * other_low - 1.0).abs() < 1e-9);
        }
    }
}
