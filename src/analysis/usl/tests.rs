use super::*;
use crate::analysis::simulated::{Trials, by_chance};

fn law(lambda: f64, sigma: f64, kappa: f64, workers: u32) -> f64 {
    let n = f64::from(workers);
    lambda * n / (1.0 + sigma * (n - 1.0) + kappa * n * (n - 1.0))
}

/// Three runs of each count.
fn sweep(counts: &[u32], mut rate: impl FnMut(u32) -> f64) -> Vec<(u32, f64)> {
    counts.iter().flat_map(|workers| [*workers; 3]).map(|workers| (workers, rate(workers))).collect()
}

const COUNTS: [u32; 8] = [1, 2, 4, 6, 8, 12, 16, 32];

#[test]
fn what_was_planted_is_found_to_the_last_digits_where_nothing_scatters() {
    for (sigma, kappa) in [(0.0, 0.0), (0.05, 0.0), (0.03, 0.002), (0.0, 0.01), (0.9, 0.1)] {
        let fit = fit(&sweep(&COUNTS, |n| law(48.0, sigma, kappa, n))).expect("a fit");
        for (found, planted) in [(fit.lambda, 48.0), (fit.sigma.value, sigma), (fit.kappa.value, kappa)] {
            assert!((found - planted).abs() < 1e-7 * 48.0, "{found} instead of {planted}: {fit:?}");
        }
        assert!(fit.r_squared > 0.999_999 && fit.is_amdahl() == (kappa == 0.0), "{fit:?}");
    }
    // A ray tracer on 1 to 64 processors (Gunther 2007, chapter 5; data set `raytracer` of the R package usl).
    let ray = [(1, 20.0), (4, 78.0), (8, 130.0), (12, 170.0), (16, 190.0), (20, 200.0), (24, 210.0), (28, 230.0)];
    let ray: Vec<(u32, f64)> = ray.into_iter().chain([(32, 260.0), (48, 280.0), (64, 310.0)]).collect();
    let fit = fit(&ray).expect("a fit");
    assert!((fit.sigma.value - 0.05).abs() < 0.02 && fit.kappa.value < 1e-4, "published: 0.05 and about 0: {fit:?}");
}

#[test]
fn planted_values_lie_in_their_intervals_in_95_of_100_sweeps() {
    const TRIALS: u32 = 1_000;
    let limits = by_chance(TRIALS, 0.95);
    for (seed, noise, sigma, kappa) in [(1, 0.01, 0.05, 0.001), (2, 0.03, 0.1, 0.0005), (3, 0.03, 0.02, 0.004)] {
        let mut trials = Trials::new(seed);
        let (mut sigmas, mut kappas, mut lacking) = (0, 0, 0);
        for _ in 0..TRIALS {
            let runs = sweep(&COUNTS, |n| law(250.0, sigma, kappa, n) * trials.normal(noise).exp());
            let fit = fit(&runs).expect("a fit");
            let holds = |found: Parameter, planted| (found.ci95.0..=found.ci95.1).contains(&planted);
            sigmas += u32::from(holds(fit.sigma, sigma));
            kappas += u32::from(holds(fit.kappa, kappa));
            lacking += u32::from(fit.is_lacking());
        }
        for (what, held) in [("sigma", sigmas), ("kappa", kappas)] {
            assert!((limits.0..=limits.1).contains(&held), "seed {seed}: {what} in {held} of {TRIALS}: {limits:?}");
        }
        let (_, most) = by_chance(TRIALS, LACK);
        assert!(lacking <= most, "seed {seed}: the law is said not to hold in {lacking} of {TRIALS}, at most {most}");
    }
}

#[test]
fn coherency_that_is_not_there_is_not_found() {
    const TRIALS: u32 = 1_000;
    let mut trials = Trials::new(11);
    let (mut amdahl, mut serial) = (0, 0);
    for _ in 0..TRIALS {
        let fit = fit(&sweep(&COUNTS, |n| law(250.0, 0.08, 0.0, n) * trials.normal(0.02).exp())).expect("a fit");
        assert!(fit.kappa.value >= 0.0 && fit.kappa.ci95.0 >= 0.0 && fit.kappa.value <= fit.kappa.ci95.1, "{fit:?}");
        amdahl += u32::from(fit.is_amdahl());
        serial += u32::from(fit.serial.is_some_and(|found| (found.ci95.0..=found.ci95.1).contains(&0.08)));
    }
    let (least, _) = by_chance(TRIALS, 0.95);
    assert!(amdahl >= least && serial >= least, "seed 11: {amdahl} and {serial} of {TRIALS}, at least {least}");
}

#[test]
fn a_law_that_does_not_hold_is_said_not_to() {
    let mut trials = Trials::new(21);
    // Eight cores: proportional up to there, and not a bit more above.
    let runs = sweep(&COUNTS, |n| 50.0 * f64::from(n.min(8)) * trials.normal(0.005).exp());
    let lacking = fit(&runs).expect("a fit");
    assert!(lacking.is_lacking(), "seed 21: {lacking:?}");
    let mut trials = Trials::new(21);
    let holds = fit(&sweep(&COUNTS, |n| law(50.0, 0.05, 0.001, n) * trials.normal(0.005).exp())).expect("a fit");
    let width = |one: Parameter| one.ci95.1 - one.ci95.0;
    assert!(!holds.is_lacking() && width(lacking.sigma) > 5.0 * width(holds.sigma), "seed 21: {holds:?}");
}

#[test]
fn what_does_not_tell_enough_has_no_fit() {
    assert_eq!(fit(&[]), Err(NoFit::TooFew(0)));
    let three = fit(&sweep(&[1, 2, 4], |n| law(10.0, 0.1, 0.0, n))).unwrap_err();
    assert_eq!(
        (three, three.to_string()),
        (NoFit::TooFew(3), "no fit: 3 counts were measured, 4 are the least".into())
    );
    // Far from one worker, and scattered: any rate of one would do.
    let mut trials = Trials::new(31);
    let far = fit(&sweep(&[60, 61, 62, 63], |n| law(10.0, 0.5, 0.0, n) * trials.normal(0.1).exp()));
    assert_eq!(far, Err(NoFit::Undetermined), "seed 31");
    let single = COUNTS.map(|n| (n, law(10.0, 0.1, 0.001, n)));
    assert!(fit(&single).is_ok_and(|fit| fit.lack_p.is_none()), "one run of each count will do");
}

#[test]
fn beyond_twice_the_measured_counts_nothing_is_said() {
    let found = fit(&sweep(&[2, 4, 6, 8], |n| law(10.0, 0.02, 0.005, n))).expect("a fit");
    assert_eq!(found.trusted(), (2, 16));
    assert!(found.rate(16.0).is_some() && found.rate(17.0).is_none() && found.rate(1.0).is_none());
    assert!(found.peak().is_some_and(|peak| (peak - 14.0).abs() < 0.01), "{found:?}");
    let far = fit(&sweep(&[2, 4, 6, 8], |n| law(10.0, 0.02, 0.001, n))).expect("a fit");
    assert_eq!(far.peak(), None, "it would be at 31");
}
