//! Synthetic comparisons for tests, and how often something comes by chance.

use statrs::distribution::{Binomial, DiscreteCDF as _};

pub(crate) use crate::workload::simulated::Trials;

/// Rates in so many rounds of arms that are so much faster than 250/s each: the machine becomes slower and faster from round to
/// round by 10 %, which the arms share, and each run scatters by 3 % for itself.
pub(crate) fn in_rounds(trials: &mut Trials, count: u32, faster: &[f64]) -> Vec<Vec<f64>> {
    let mut arms = vec![Vec::new(); faster.len()];
    for _ in 0..count {
        let machine = trials.normal(0.1);
        for (rates, factor) in arms.iter_mut().zip(faster) {
            rates.push(250.0 * factor * (machine + trials.normal(0.03)).exp());
        }
    }
    arms
}

/// The 99 % limits of how often something of such a chance comes in so many trials: (least, most).
pub(crate) fn by_chance(trials: u32, chance: f64) -> (u32, u32) {
    let binomial = Binomial::new(chance, trials.into()).expect("a chance");
    let (least, most) = (binomial.inverse_cdf(0.005), binomial.inverse_cdf(0.995));
    (u32::try_from(least).expect("at most all"), u32::try_from(most).expect("at most all"))
}

/// The upper one of them.
pub(crate) fn most_by_chance(trials: u32, chance: f64) -> u32 {
    by_chance(trials, chance).1
}
