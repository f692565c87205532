use super::*;
use crate::analysis::simulated::{Trials, most_by_chance};

#[test]
fn outlier_of_five_runs_is_flagged_and_ordinary_scatter_is_not() {
    assert_eq!(outliers(&[100.0, 101.0, 99.0, 100.5, 60.0]), [4]);
    assert_eq!(outliers(&[100.0, 101.0, 99.0, 100.5, 97.0]), [0usize; 0]);
    assert_eq!(outliers(&[100.0, 101.0, 60.0]), [0usize; 0], "too few to tell");
    assert_eq!(outliers(&[100.0; 6]), [0usize; 0]);
    assert_eq!(outliers(&[100.0, 0.0, 100.0, 101.0, 99.0, 98.0]), [0usize; 0], "not a rate");
    let two = [100.0, 101.0, 60.0, 99.0, 100.5, 100.2, 58.0, 99.7, 100.9, 99.3];
    assert_eq!(outliers(&two), [2, 6], "one does not hide the other");
}

#[test]
fn drift_is_a_line_through_all_runs() {
    let falls: Vec<f64> =
        [0.3, -0.2, 0.1, -0.4, 0.2, 0.0].iter().zip(0..).map(|(n, i)| 100.0 - 3.0 * f64::from(i) + n).collect();
    let found = drift(&falls).expect("a drift");
    assert!((found.change + 0.15).abs() < 0.01 && found.runs == 6 && found.p < 0.001, "{found:?}");
    assert_eq!(drift(&[100.0, 101.0, 99.0, 100.5, 99.5, 100.2]), None);
    assert_eq!(drift(&falls[..4]), None, "too few to tell");
    assert_eq!(drift(&[100.0; 6]), None);
    let tiny: Vec<f64> = (0..8).map(|i| 100.0 + f64::from(i) * 0.01).collect();
    assert_eq!(drift(&tiny), None, "a line, but of no importance");
}

#[test]
fn quiet_series_are_left_alone_and_disturbed_ones_are_marked() {
    const TRIALS: u32 = 1000;
    for (runs, seed) in [(5, 51), (6, 52), (10, 53), (20, 54), (50, 55)] {
        let mut trials = Trials::new(seed);
        let (mut quiet, mut found, mut trends, mut drifting) = (0, 0, 0, 0);
        for _ in 0..TRIALS {
            let mut rates: Vec<f64> = (0..runs).map(|_| 250.0 * trials.normal(0.02).exp()).collect();
            quiet += u32::from(!outliers(&rates).is_empty());
            trends += u32::from(drift(&rates).is_some());
            let falling: Vec<f64> = rates
                .iter()
                .zip(0..)
                .map(|(rate, run)| rate * (-0.4 * f64::from(run) / f64::from(runs - 1)).exp())
                .collect();
            drifting += u32::from(drift(&falling).is_some());
            // Another program had half of the machine while one of the runs was made.
            let disturbed = (trials.uniform() * f64::from(runs)) as usize;
            rates[disturbed] /= 2.0;
            found += u32::from(outliers(&rates).contains(&disturbed));
        }
        println!(
            "{runs} runs, seed {seed}: outliers {quiet} quiet {found} disturbed, drifts {trends} quiet {drifting} disturbed of {TRIALS}"
        );
        assert!(
            quiet <= TRIALS / 50 && trends <= TRIALS / 50,
            "{quiet} and {trends} of {TRIALS} quiet series of {runs}, seed {seed}"
        );
        assert!(found >= TRIALS * 95 / 100, "only {found} of {TRIALS} disturbed series of {runs}, seed {seed}");
        assert!(drifting >= TRIALS * 95 / 100, "only {drifting} of {TRIALS} drifting series of {runs}, seed {seed}");
        assert!(quiet <= most_by_chance(TRIALS, 0.01), "{quiet} of {TRIALS} quiet series of {runs}, seed {seed}");
    }
}
