//! Intervals and p-values that hold however often one looks: after every round, and at whichever one somebody stops.
//!
//! A Student interval holds at one number of measurements that was fixed beforehand. Looking at it after each round and
//! stopping where it pleases makes a difference out of nothing in every fourth comparison. The one here holds at all
//! numbers at once, for which it is about twice as wide.
//!
//! It is the t-test of a Gaussian mixture (Wang and Ramdas, Anytime-valid t-tests and confidence sequences for Gaussian
//! means with unknown variance, arXiv 2310.03722, 2024, after Lai, On confidence sequences, Annals of Statistics 4, 1976).
//! The evidence against a mean μ is the Bayes factor of an effect (mean / standard deviation) drawn from a normal
//! distribution of variance `g` against none (Gönen and others, The Bayesian two-sample t test, The American
//! Statistician 59, 2005): with n measurements of mean m and sum of squared deviations S, and r = n (m - μ)² / S,
//!
//! > E = (1 + n g)^(-1/2) ((1 + r) / (1 + r / (1 + n g)))^(n/2).
//!
//! It depends on scale-free figures alone, in which it is a martingale of mean 1 if μ is the mean, whatever the variance
//! is; so the chance that it *ever* reaches 1/α is at most α (Ville's inequality). Assumes normal measurements, as
//! Student's interval does.

/// Variance of the effects that the mixture looks for: it decides at which number of rounds the interval is narrowest in
/// comparison, and nothing about its validity. This one gives an interval from the third round on.
const G: f64 = 30.0;

/// What is known of a mean at every number of measurements at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AlwaysValid {
    /// 95 % confidence interval; `None` while there is no bound, as below three measurements.
    pub(crate) ci95: Option<(f64, f64)>,
    /// The chance of such evidence at any time if the mean were 0.
    pub(crate) p: f64,
}

/// The always-valid interval of the mean of independent normal measurements; `None` below two.
#[must_use]
pub(crate) fn always_valid(values: &[f64]) -> Option<AlwaysValid> {
    if values.len() < 2 {
        return None;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let shrink = n.mul_add(G, 1.0);
    // Solved for r: those means belong to the interval against which there is less evidence than 1/α.
    let bound = (shrink.sqrt() / ALPHA).powf(2.0 / n);
    let half = (bound < shrink).then(|| (squares / n * (bound - 1.0) / (1.0 - bound / shrink)).sqrt());
    let p = (-ln_evidence(n, mean, squares)).exp().min(1.0);
    Some(AlwaysValid { ci95: half.map(|half| (mean - half, mean + half)), p })
}

/// One minus the confidence.
const ALPHA: f64 = 0.05;

/// Logarithm of the evidence against a mean of 0.
fn ln_evidence(n: f64, mean: f64, squares: f64) -> f64 {
    let shrink = n.mul_add(G, 1.0);
    let against = n * mean * mean;
    if against <= 0.0 {
        return -0.5 * shrink.ln();
    }
    // r / (1 + r) and so on, in a form that stands measurements that are equal to the last digit.
    n / 2.0 * ((squares + against).ln() - (squares + against / shrink).ln()) - 0.5 * shrink.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_and_interval_computed_by_hand() {
        // n = 4, mean 2, S = 2: r = 16 / 2 = 8, 1 + n g = 121;
        // E = 121^-0.5 * (9 / (1 + 8 / 121))^2 = 0.0909091 * 71.2625 = 6.47841.
        let values = [1.0, 2.0, 2.0, 3.0];
        let found = always_valid(&values).expect("values");
        assert!((found.p - 1.0 / 6.47841).abs() < 1e-4, "{found:?}");
        // Bound: (11 * 20)^(1/2) = 14.8324; r* = 13.8324 / (1 - 14.8324 / 121) = 15.7650; half = sqrt(2 / 4 * 15.7650) = 2.80758.
        let (low, high) = found.ci95.expect("an interval");
        assert!((low - (2.0 - 2.80758)).abs() < 1e-4 && (high - 4.80758).abs() < 1e-4, "{low} {high}");
    }

    #[test]
    fn the_interval_holds_zero_exactly_where_the_evidence_is_below_its_limit() {
        for shift in [0.0, 0.5, 0.9, 1.2, 1.5, 1.9, 2.5] {
            let values = [0.2 + shift, -0.3 + shift, 0.4 + shift, -0.1 + shift, 0.1 + shift];
            let found = always_valid(&values).expect("values");
            let (low, high) = found.ci95.expect("an interval");
            assert_eq!(low <= 0.0 && 0.0 <= high, found.p >= ALPHA, "{shift}: {found:?}");
        }
    }

    #[test]
    fn too_few_values_have_no_bound_and_equal_ones_are_no_error() {
        assert_eq!(always_valid(&[]), None);
        assert_eq!(always_valid(&[7.0]), None);
        let two = always_valid(&[7.0, 7.1]).expect("values");
        assert!(two.ci95.is_none() && two.p > ALPHA, "{two:?}");
        let equal = always_valid(&[0.5, 0.5, 0.5]).expect("values");
        assert_eq!(equal.ci95, Some((0.5, 0.5)));
        assert!((equal.p - 1.0 / 91.0).abs() < 1e-9, "{equal:?}");
        let none = always_valid(&[0.0, 0.0, 0.0]).expect("values");
        assert_eq!((none.ci95, none.p), (Some((0.0, 0.0)), 1.0));
    }
}
