use std::sync::Arc;

use super::*;
use crate::engine::event::{Moment, Slot};
use crate::metrics::snapshot::MemoryCourse;

/// Numbers of a standard normal distribution (G. Box and M. Muller, 1958).
struct Normal(u64);

impl Normal {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn draw(&mut self) -> f64 {
        let (a, b) = (self.unit().max(1e-300), self.unit());
        (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }
}

/// `lives` series of `length` readings in which `rho` of what lies beside the line goes on.
fn simulated(seed: u64, (lives, length): (usize, usize), rho: f64, slope: f64) -> Vec<Vec<(f64, f64)>> {
    let mut normal = Normal(seed.wrapping_mul(0xD1B5_4A32_D192_ED03));
    let life = |_| {
        let level = 1e7 + 1e6 * normal.draw();
        let mut beside = if rho < 1.0 { normal.draw() / (1.0 - rho * rho).sqrt() } else { 0.0 };
        let point = |tick: usize| {
            beside = rho * beside + normal.draw();
            let time = 3.0 + tick as f64 * 0.1;
            (time, level + slope * time + 1e5 * beside)
        };
        (0..length).map(point).collect()
    };
    (0..lives).map(life).collect()
}

const SHAPES: [(usize, usize); 5] = [(1, 40), (2, 30), (4, 120), (8, 12), (30, 6)];
const CORRELATIONS: [f64; 5] = [0.0, 0.5, 0.8, 0.95, 1.0];

/// In how many of a thousand simulations the interval holds the truth.
fn held(shape: (usize, usize), rho: f64, truth: f64) -> usize {
    let holds = |seed: &u64| {
        let slope = slope(&simulated(*seed, shape, rho, truth)).expect("a slope");
        (slope.ci95.0..=slope.ci95.1).contains(&truth)
    };
    (0..1000).filter(holds).count()
}

#[test]
fn the_interval_of_a_flat_series_holds_zero_in_about_95_of_100_whatever_its_autocorrelation() {
    let mut seen = Vec::new();
    for shape in SHAPES {
        for rho in CORRELATIONS {
            seen.push((shape, rho, held(shape, rho, 0.0)));
        }
    }
    // The least is that of the hardest, a single random walk of forty readings; many short lives get wide ones.
    let wrong: Vec<_> = seen.iter().filter(|(.., held)| !(885..=999).contains(held)).collect();
    assert!(wrong.is_empty(), "{wrong:?} of {seen:?}");
}

#[test]
fn without_the_autocorrelation_it_would_be_far_too_narrow() {
    let naive = |seed: &u64| {
        let series = simulated(*seed, (1, 120), 0.95, 0.0);
        let fit = fit(&series.iter().collect::<Vec<_>>(), 0.0).expect("a fit");
        let half = t975(118).expect("a quantile") * (fit.residuals / fit.freedom / fit.spread).sqrt();
        fit.value.abs() <= half
    };
    assert!((0..1000).filter(naive).count() < 500);
}

#[test]
fn a_leak_is_found_with_its_size() {
    for (shape, rho) in [((1, 60), 0.0), ((4, 60), 0.5), ((30, 6), 0.0), ((30, 6), 0.5)] {
        let found = |seed: &u64| {
            let slope = slope(&simulated(*seed, shape, rho, 1e6)).expect("a slope");
            slope.ci95.0 > 0.0 && (0.5e6..1.5e6).contains(&slope.value)
        };
        let found = (0..200).filter(found).count();
        assert!(found >= 170, "{shape:?}, {rho}: {found}");
    }
}

#[test]
fn a_ramp_without_noise_is_exact_and_too_little_is_nothing() {
    let ramp: Vec<(f64, f64)> = (0..20).map(|tick| (f64::from(tick), 5e9 + 3.0 * f64::from(tick))).collect();
    let found = slope(&[ramp.clone(), vec![(0.0, 1.0)]]).expect("a slope");
    assert!((found.value - 3.0).abs() < 1e-6 && found.half() < 1e-3, "{found:?}");
    assert_eq!(slope(&[ramp[..4].to_vec()]), None);
    assert_eq!(slope(&[vec![(1.0, 2.0); 9]]), None, "all at one moment");
    assert_eq!(slope(&[]), None);
}

/// A run of a second with a reading every 50 ms, of workers that have so many bytes at a reading.
fn run_of(workers: u32, readings: usize, bytes: impl Fn(u32, usize) -> f64) -> Snapshot {
    let point = |slot, tick| MemoryPoint {
        at: Moment(tick as u64 * 50_000_000),
        rss_bytes: bytes(slot, tick) as u64,
        pss_bytes: None,
        tasks: tick as u64,
    };
    let life = |slot| LifeCourse {
        slot: Slot(slot),
        pid: slot + 1,
        over: false,
        points: (0..readings).map(|tick| point(slot, tick)).collect(),
    };
    let mut run = crate::metrics::fixtures::snapshot();
    run.workers_target = workers;
    run.memory_course = Arc::new(MemoryCourse { all: Vec::new(), lives: (0..workers).map(life).collect() });
    run
}

#[test]
fn workers_that_warm_up_do_not_leak_and_those_that_leak_while_they_do_so_are_found() {
    const LEVEL: f64 = 7_135_232.0;
    // Not all of them to the byte.
    let own = |slot: u32| f64::from(slot % 2) * 4096.0;
    let step = |slot, tick: usize| LEVEL + if tick > 0 { 1_122_304.0 + own(slot) } else { 0.0 };
    let curve = |slot, tick: usize| LEVEL + (8e6 + own(slot)) * (1.0 - (-(tick as f64) / 4.0).exp());
    let leak = |slot, tick: usize| LEVEL + (3e5 + own(slot)) * tick as f64;
    let both = |slot, tick| step(slot, tick) + leak(slot, tick);
    let sure = |runs: &[Snapshot]| Leak::of(runs).map(|leak| (leak.is_sure, leak.slope.ci95.0 > 0.0));
    // Two runs with two readings of each of four workers, as a run of a second had them that was told to leak.
    let seen = [run_of(4, 2, step), run_of(4, 2, step)];
    assert_eq!(sure(&seen), Some((false, true)), "no interval tells");
    for (name, found) in [
        ("a step", sure(&[run_of(4, 6, step), run_of(4, 20, step)])),
        ("a curve", sure(&[run_of(4, 20, curve)])),
        ("one reading each, and one more", sure(&[run_of(9, 2, leak)])),
    ] {
        assert!(found.is_some_and(|(sure, _)| !sure), "{name}: {found:?}");
    }
    for (name, runs) in [
        ("long lives", vec![run_of(4, 20, leak)]),
        ("short ones", vec![run_of(30, 4, leak)]),
        ("warming up", vec![run_of(4, 20, both)]),
    ] {
        assert_eq!(sure(&runs), Some((true, true)), "{name}");
    }
}
