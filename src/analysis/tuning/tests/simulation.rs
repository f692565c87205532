//! Whole sweeps of planted curves with noise: how good what they recommend is, and that they end. Prints its figures.

use proptest::prelude::*;
use rand_core::SeedableRng as _;
use rand_pcg::Pcg64Mcg;

use super::*;

/// A rate for each worker count.
type Curve = fn(f64) -> f64;

const CURVES: [(&str, Curve); 7] = [
    ("Amdahl, 5 % serial", |n| n / (1.0 + 0.05 * (n - 1.0))),
    ("USL with a peak", |n| n / (1.0 + 0.02 * (n - 1.0) + 0.003 * n * (n - 1.0))),
    ("flat", |_| 1.0),
    ("linear to 7", |n| n.min(7.0)),
    ("linear to 23", |n| n.min(23.0)),
    ("linear", |n| n),
    ("falling", |n| n.powf(-0.3)),
];
const SWEEPS: u64 = 100;

/// About normal, mean 0 and deviation 1 (Irwin and Hall).
fn noise(generator: &mut Pcg64Mcg) -> f64 {
    let unit = || generator.next_u64() as f64 / u64::MAX as f64;
    std::iter::repeat_with(unit).take(12).sum::<f64>() - 6.0
}

/// What a sweep measures of a curve whose runs scatter, and how many runs it makes.
fn sweep(curve: Curve, deviation: impl Fn(u32) -> f64, seed: u64) -> (Tuning, usize) {
    let mut generator = Pcg64Mcg::seed_from_u64(seed);
    let mut rates: std::collections::BTreeMap<u32, Vec<f64>> = std::collections::BTreeMap::new();
    for made in 0..600 {
        let points =
            rates.iter().map(|(workers, rates)| Point { rate: estimate(rates), ..Point::of(*workers, &[], 0) });
        let tuning = Tuning::of(points.collect(), BOUNDS);
        match next_step(&tuning.points, RUNS, BOUNDS) {
            Step::Done => return (tuning, made),
            Step::Run(workers) => {
                assert!((1..=BOUNDS.most).contains(&workers), "seed {seed}: {workers}");
                let rate = curve(f64::from(workers)) * (1.0 + deviation(workers) * noise(&mut generator));
                rates.entry(workers).or_default().push(rate);
            }
        }
    }
    panic!("seed {seed}: a sweep without an end");
}

#[test]
fn sweeps_find_a_good_count_in_spite_of_noise() {
    println!("noise  curve                answered  within 5 % + noise  runs  counts");
    for noise in [0.005, 0.02, 0.05] {
        for (name, curve) in CURVES {
            let best = (1..=BOUNDS.most).map(|workers| curve(f64::from(workers))).fold(0.0, f64::max);
            let (mut answered, mut good, mut runs, mut counts) = (0, 0, 0, 0);
            for seed in 0..SWEEPS {
                let (tuning, made) = sweep(curve, |_| noise, seed);
                (runs, counts) = (runs + made, counts + tuning.points.len());
                if let Advice::Use { workers, .. } = tuning.advice {
                    answered += 1;
                    let rate = curve(f64::from(workers));
                    good += u64::from(rate >= (1.0 - WITHIN - noise) * best);
                }
            }
            let each = SWEEPS as usize;
            println!(
                "{noise:5}  {name:20} {answered:7} %  {good:5} of {answered:<10} {:6}  {:4}",
                runs / each,
                counts / each
            );
            assert!(
                answered >= if noise < 0.03 { 99 } else { 80 },
                "{noise} {name}: {answered} answered (seeds 0..{SWEEPS})"
            );
            assert!(good * 100 >= answered * 95, "{noise} {name}: {good} of {answered} good (seeds 0..{SWEEPS})");
            assert!(runs / each <= 75, "{noise} {name}: {} runs on average", runs / each);
        }
    }
}

#[test]
fn noise_of_one_count_does_not_blur_the_others() {
    // As on a busy machine: what waits is not disturbed, what computes is.
    for seed in 0..SWEEPS {
        let noise = |workers| if workers <= 16 { 0.0005 } else { 0.05 };
        let (tuning, _) = sweep(|n| n.min(17.0), noise, seed);
        let quiet = tuning.point(16).and_then(Point::precision).unwrap();
        assert!(quiet < 0.01, "seed {seed}: ±{quiet} of sixteen workers");
    }
}

proptest! {
    /// The end is reached whatever is measured, and the rule holds for what comes out.
    #[test]
    fn advice_follows_the_rule(
        rates in prop::collection::btree_map(1..200u32, prop::collection::vec(0.0..1e6f64, 0..5), 0..9),
        most in 1..200u32,
    ) {
        let bounds = Bounds { most, ..BOUNDS };
        let points = |scale: f64| -> Vec<Point> {
            let rate = |rates: &Vec<f64>| estimate(&rates.iter().map(|rate| rate * scale).collect::<Vec<_>>());
            rates.iter().map(|(workers, rates)| Point { rate: rate(rates), ..Point::of(*workers, &[], 0) }).collect()
        };
        let tuning = Tuning::of(points(1.0), bounds);
        prop_assert_eq!(Tuning::of(points(4.0), bounds).advice, tuning.advice, "the unit does not matter");
        let mean = |workers: u32| tuning.point(workers).and_then(Point::mean);
        if let Some(next) = tuning.next {
            let again = matches!(tuning.advice, Advice::Unclear { best } if best == next);
            prop_assert!(again || tuning.point(next).is_none_or(|point| point.runs() == 0) && next <= most, "{:?}", tuning);
        }
        match tuning.advice {
            Advice::Nothing => prop_assert!(tuning.points.iter().all(|point| point.mean().is_none())),
            Advice::Rising { best } | Advice::Unclear { best } => prop_assert!(mean(best).is_some()),
            Advice::Use { workers, best } => {
                let enough = 0.95 * mean(best).unwrap();
                let good = |point: &Point| point.lower().is_some_and(|lower| lower >= enough);
                prop_assert!(tuning.points.iter().all(|point| mean(best) >= point.mean()));
                let first = tuning.points.iter().find(|point| good(point)).map(|point| point.workers);
                prop_assert_eq!(first, Some(workers));
                let higher = tuning.points.iter().any(|point| point.workers > workers && point.rate.is_some());
                prop_assert!(higher || workers >= most, "no higher count was tried: {:?}", tuning);
            }
        }
        prop_assert!(tuning.advice == Advice::Nothing || !tuning.why.is_empty());
    }

    #[test]
    fn a_sweep_ends_on_any_curve(
        curve in prop::collection::vec(prop_oneof![1 => Just(0.0), 4 => 0.1..1e3f64], 64),
        seed: u64,
        deviation in 0.0..0.3f64,
    ) {
        let mut generator = Pcg64Mcg::seed_from_u64(seed);
        let mut rates: std::collections::BTreeMap<u32, Vec<f64>> = std::collections::BTreeMap::new();
        for _ in 0..=64 * RUNS * MORE {
            let points: Vec<Point> =
                rates.iter().map(|(workers, rates)| Point { rate: estimate(rates), ..Point::of(*workers, &[], 0) }).collect();
            let Step::Run(workers) = next_step(&points, RUNS, BOUNDS) else { return Ok(()) };
            let rate = curve[workers as usize - 1] * (1.0 + deviation * noise(&mut generator)).max(0.0);
            rates.entry(workers).or_default().push(rate);
            prop_assert!(rates[&workers].len() <= (RUNS * MORE) as usize);
        }
        prop_assert!(false, "a sweep without an end");
    }
}
