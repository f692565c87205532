use super::*;

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
