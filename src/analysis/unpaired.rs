//! Ratio of measurements that were not made in pairs: of two sessions, each with its own runs.

use statrs::distribution::{ContinuousCDF as _, StudentsT};

use crate::analysis::statistics::{t_quantile, two_sided};

/// Ratio of the geometric means of two groups of measurements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Unpaired {
    /// Second / first.
    pub(crate) ratio: f64,
    /// 95 % confidence interval; `None` where a group has fewer than two.
    pub(crate) ci95: Option<(f64, f64)>,
    /// Of the logarithm: standard error and degrees of freedom.
    spread: Option<(f64, f64)>,
}

/// Compares two groups of independent measurements above 0 (others are left out) by the logarithms of their values, which are
/// about normal; `None` where a group has none. The groups may scatter differently (Welch, The generalization of Student's
/// problem when several different population variances are involved, Biometrika 34, 1947).
#[must_use]
pub(crate) fn unpaired(before: &[f64], after: &[f64]) -> Option<Unpaired> {
    let (before, after) = (Group::of(before)?, Group::of(after)?);
    let difference = after.mean - before.mean;
    let spread = before.error.zip(after.error).map(|((one, n), (other, m))| {
        let error = one + other;
        let freedom = error.powi(2) / (one.powi(2) / (n - 1.0) + other.powi(2) / (m - 1.0));
        // Measurements that do not scatter at all.
        (error.sqrt(), if freedom.is_finite() { freedom } else { n + m - 2.0 })
    });
    let half = spread.and_then(|(error, freedom)| Some(error * t_quantile(0.975, freedom)?));
    let ci95 = half.map(|half| ((difference - half).exp(), (difference + half).exp()));
    Some(Unpaired { ratio: difference.exp(), ci95, spread })
}

impl Unpaired {
    /// How likely a ratio as far from `ratio` is, to both sides, if that were the true one; `None` where there are too few
    /// measurements.
    #[must_use]
    pub(crate) fn p_of(&self, ratio: f64) -> Option<f64> {
        let (error, freedom) = self.spread?;
        two_sided((self.ratio.ln() - ratio.ln()) / error, freedom)
    }

    /// How likely a ratio as low as this one, or as high (`above`), is if the true one were `ratio`.
    #[must_use]
    pub(crate) fn p_beyond(&self, ratio: f64, above: bool) -> Option<f64> {
        let (error, freedom) = self.spread?;
        let t = (self.ratio.ln() - ratio.ln()) / error;
        let t = if above { -t } else { t };
        match t {
            t if t.is_nan() => Some(1.0),
            t if t.is_infinite() => Some(if t < 0.0 { 0.0 } else { 1.0 }),
            t => Some(StudentsT::new(0.0, 1.0, freedom).ok()?.cdf(t)),
        }
    }
}

/// Logarithms of one group.
struct Group {
    mean: f64,
    /// Variance of the mean, and how many there are; `None` below two.
    error: Option<(f64, f64)>,
}

impl Group {
    fn of(values: &[f64]) -> Option<Self> {
        let logarithms: Vec<f64> =
            values.iter().filter(|value| value.is_finite() && **value > 0.0).map(|value| value.ln()).collect();
        let n = logarithms.len() as f64;
        let mean = logarithms.iter().sum::<f64>() / n;
        let squares: f64 = logarithms.iter().map(|value| (value - mean).powi(2)).sum();
        let error = (logarithms.len() > 1).then(|| (squares / (n - 1.0) / n, n));
        (!logarithms.is_empty()).then_some(Self { mean, error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::simulated::{Trials, by_chance, most_by_chance};

    #[test]
    fn welch_computed_by_hand() {
        // Logarithms 0, 1, 2 and 3, 5: means 1 and 4, variances of the means 1/3 and 1; se = 1.1547,
        // freedom = (4/3)² / ((1/9)/2 + 1/1) = 1.6842.
        let of = |values: &[f64]| values.iter().map(|value| value.exp()).collect::<Vec<_>>();
        let found = unpaired(&of(&[0.0, 1.0, 2.0]), &of(&[3.0, 5.0])).expect("a ratio");
        let (error, freedom) = found.spread.expect("a spread");
        assert!((found.ratio.ln() - 3.0).abs() < 1e-12 && (error - 1.154_700_5).abs() < 1e-6, "{found:?}");
        assert!((freedom - 1.684_210_5).abs() < 1e-6, "{freedom}");
        let (low, high) = found.ci95.expect("an interval");
        assert!((low.ln() + high.ln() - 6.0).abs() < 1e-9 && found.p_of(low).is_some_and(|p| (p - 0.05).abs() < 1e-6));
        assert!(found.p_beyond(high, false).is_some_and(|p| (p - 0.025).abs() < 1e-6));
        assert!(found.p_beyond(low, true).is_some_and(|p| (p - 0.025).abs() < 1e-6));
    }

    #[test]
    fn too_few_measurements_have_no_interval() {
        assert_eq!(unpaired(&[], &[1.0]), None);
        assert_eq!(unpaired(&[0.0, f64::NAN], &[1.0]), None);
        let found = unpaired(&[2.0], &[1.0, 1.1]).expect("a ratio");
        assert_eq!((found.ci95, found.p_of(1.0)), (None, None));
        let equal = unpaired(&[2.0, 2.0], &[2.0, 2.0]).expect("a ratio");
        assert_eq!((equal.ci95, equal.p_of(1.0)), (Some((1.0, 1.0)), Some(1.0)));
        let apart = unpaired(&[2.0, 2.0], &[1.0, 1.0]).expect("a ratio");
        assert_eq!((apart.p_of(1.0), apart.p_beyond(1.0, false)), (Some(0.0), Some(0.0)));
    }

    #[test]
    fn planted_ratios_lie_in_the_interval_and_equal_groups_rarely_differ() {
        const TRIALS: u32 = 2000;
        let mut trials = Trials::new(83);
        let (mut covered, mut differs) = (0, 0);
        for _ in 0..TRIALS {
            let mut group = |count: usize, scale: f64, scatter: f64| -> Vec<f64> {
                (0..count).map(|_| scale * trials.normal(scatter).exp()).collect()
            };
            let (before, after) = (group(5, 250.0, 0.03), group(8, 250.0 * 1.1, 0.05));
            let (low, high) = unpaired(&before, &after).and_then(|found| found.ci95).expect("an interval");
            covered += u32::from(low <= 1.1 && 1.1 <= high);
            let (one, other) = (group(5, 250.0, 0.03), group(5, 250.0, 0.03));
            differs += u32::from(unpaired(&one, &other).and_then(|found| found.p_of(1.0)).expect("a p") <= 0.05);
        }
        println!("seed 83: {covered} of {TRIALS} cover, {differs} differ");
        let (least, most) = by_chance(TRIALS, 0.95);
        assert!((least..=most).contains(&covered), "{covered} of {TRIALS}");
        assert!(differs <= most_by_chance(TRIALS, 0.05), "{differs} of {TRIALS}");
    }
}
