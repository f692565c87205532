//! How a rate grows with the worker count: Amdahl's law and the Universal Scalability Law, fitted to the runs of a sweep.
//!
//! With λ the rate of one worker, N workers have the rate
//! `X(N) = λ N / (1 + σ (N - 1) + κ N (N - 1))` (N. J. Gunther, Guerrilla Capacity Planning, Springer 2007, chapter 4).
//! σ is contention: the share of the work that is done by one at a time. κ is coherency: what each worker costs each other
//! one. With κ = 0 it is the law of G. M. Amdahl (Validity of the single processor approach, AFIPS 30, 1967).
//!
//! `N / X(N)` is linear in `1/λ`, `σ/λ` and `κ/λ`, so that no iterative solver with a start value is needed. Rates scatter
//! by a share of themselves; each run is therefore weighted by the inverse square of its fitted value, which is
//! found in a few rounds (iteratively reweighted least squares). σ and κ are ratios of two coefficients: their
//! intervals are Fieller's (E. C. Fieller, Some problems in interval estimation, J. R. Statist. Soc. B 16, 1954), which are
//! exact where that of the delta method is not. Neither law knows negative values: estimates and intervals end at 0.
//!
//! Whether the law describes the rates at all is tested: the means of the counts may lie no farther from it than the runs
//! of one count lie apart (F test for lack of fit). Where they do, intervals are made of that distance, and it is said.
//!
//! Pure; runs nothing.

use statrs::distribution::{ContinuousCDF as _, FisherSnedecor};

use crate::analysis::statistics::t975;

/// Different counts below which there is no fit: three parameters go through any three of them.
pub(crate) const LEAST_COUNTS: usize = 4;
/// A fit says nothing beyond so many times the highest count measured.
pub(crate) const REACH: u32 = 2;
/// A chance of such a distance below which the law does not describe the rates.
const LACK: f64 = 0.05;
/// Rounds of weighting: the weights change by less than a thousandth after three.
const ROUNDS: u32 = 6;

/// A parameter with its 95 % interval, both at least 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter {
    /// The estimate.
    pub value: f64,
    /// Lower and upper end.
    pub ci95: (f64, f64),
}

/// Both laws as they fit the runs of one arm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// Rate of one worker, in tasks per second.
    pub lambda: f64,
    /// Contention, a share.
    pub sigma: Parameter,
    /// Coherency, a share for each pair of workers.
    pub kappa: Parameter,
    /// Contention where coherency is taken to be 0: Amdahl's serial share; `None` where the rates are so far from that law that
    /// they leave it open.
    pub serial: Option<Parameter>,
    /// Share of the scatter of the rates that the Universal Scalability Law explains; 1 is all of it.
    pub r_squared: f64,
    /// The chance of rates so far from the law if it holds; `None` where no count had two runs, or nothing scatters.
    pub lack_p: Option<f64>,
    /// Lowest and highest count measured.
    pub measured: (u32, u32),
    /// Runs it is made of.
    pub runs: usize,
}

/// Why there is no fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoFit {
    /// So many counts were measured: too few.
    TooFew(usize),
    /// Tasks come on a schedule of their own: the rate is theirs, and not that of the workers.
    OpenArrivals,
    /// The counts lie where nothing is known of the rate of one worker: the intervals have no end.
    Undetermined,
}

impl Default for NoFit {
    fn default() -> Self {
        Self::TooFew(0)
    }
}

impl std::fmt::Display for NoFit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooFew(counts) => {
                let were = if *counts == 1 { "1 count was" } else { &format!("{counts} counts were") };
                write!(f, "no fit: {were} measured, {LEAST_COUNTS} are the least")
            }
            Self::OpenArrivals => f.write_str("no fit: tasks arrive on a schedule, which the rate follows"),
            Self::Undetermined => f.write_str("no fit: these counts do not tell the rate of one worker"),
        }
    }
}

impl Fit {
    /// The rate of so many workers by the Universal Scalability Law, in tasks per second; `None` out of [`Self::trusted`].
    #[must_use]
    pub fn rate(&self, workers: f64) -> Option<f64> {
        let (low, high) = self.trusted();
        let inside = (f64::from(low)..=f64::from(high)).contains(&workers);
        inside.then(|| self.lambda * workers / self.slowdown(workers))
    }

    fn slowdown(&self, workers: f64) -> f64 {
        let others = workers - 1.0;
        1.0 + self.sigma.value * others + self.kappa.value * workers * others
    }

    /// The counts for which it may be trusted.
    #[must_use]
    pub fn trusted(&self) -> (u32, u32) {
        (self.measured.0, self.measured.1.saturating_mul(REACH))
    }

    /// The count with the highest rate, `sqrt((1 - σ) / κ)`; `None` where it lies where the fit is not to be trusted.
    #[must_use]
    pub fn peak(&self) -> Option<f64> {
        let peak = ((1.0 - self.sigma.value) / self.kappa.value).sqrt();
        let (low, high) = self.trusted();
        (peak.is_finite() && peak >= f64::from(low) && peak <= f64::from(high)).then_some(peak)
    }

    /// Whether the rates lie farther from the law than runs of one count lie apart.
    #[must_use]
    pub fn is_lacking(&self) -> bool {
        self.lack_p.is_some_and(|p| p < LACK)
    }

    /// Whether Amdahl's law says as much: coherency may be 0.
    #[must_use]
    pub fn is_amdahl(&self) -> bool {
        self.kappa.ci95.0 <= 0.0
    }
}

impl std::fmt::Display for Parameter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (low, high) = self.ci95;
        write!(f, "{} ({}–{})", figure(self.value), figure(low), figure(high))
    }
}

impl std::fmt::Display for Fit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (low, high) = self.trusted();
        write!(f, "fit σ {} κ {} R² {:.2}, for {low}–{high} workers", self.sigma, self.kappa, self.r_squared)?;
        if let Some(p) = self.lack_p.filter(|_| self.is_lacking()) {
            return write!(f, "; the law does not hold well (p {p:.2})");
        }
        match self.peak() {
            Some(peak) => write!(f, "; highest rate at {peak:.0}"),
            None if self.is_amdahl() => f.write_str("; κ may be 0: Amdahl's law"),
            None => Ok(()),
        }
    }
}

/// With two digits that tell something, or three.
fn figure(value: f64) -> String {
    match value {
        value if value < 5e-7 => "0".to_owned(),
        value if value < 0.001 => format!("{value:.1e}"),
        value if value < 0.01 => format!("{value:.4}"),
        value if value < 0.1 => format!("{value:.3}"),
        value => format!("{value:.2}"),
    }
}

/// Fits both laws to runs: (worker count, tasks per second) of each. Rates are finite and above 0.
///
/// # Errors
/// Where the runs do not tell enough.
pub(crate) fn fit(runs: &[(u32, f64)]) -> Result<Fit, NoFit> {
    let mut counts: Vec<u32> = runs.iter().map(|(workers, _)| *workers).collect();
    counts.sort_unstable();
    counts.dedup();
    let (Some(low), Some(high)) = (counts.first(), counts.last()) else { return Err(NoFit::TooFew(0)) };
    if counts.len() < LEAST_COUNTS {
        return Err(NoFit::TooFew(counts.len()));
    }
    let solution = Linear::solve(runs).ok_or(NoFit::Undetermined)?;
    let (amdahl, usl) = (solution.without_coherency(), solution.not_negative());
    let spread = Spread::of(runs, &counts, usl, 3).ok_or(NoFit::Undetermined)?;
    let of_amdahl = Spread::of(runs, &counts, amdahl.coefficients, 2);
    let [one, contention, coherency] = usl;
    let parameter = |value: f64, (low, high): (f64, f64)| {
        let value = value.max(0.0);
        Parameter { value, ci95: (low.clamp(0.0, value), high.max(value)) }
    };
    let found = |which, value| Some(parameter(value, solution.ratio(which, spread)?));
    let [serial_one, serial, _] = amdahl.coefficients;
    let serial_interval = of_amdahl.filter(|_| serial_one > 0.0).and_then(|spread| amdahl.ratio(1, spread));
    Ok(Fit {
        lambda: 1.0 / one,
        sigma: found(1, contention / one).ok_or(NoFit::Undetermined)?,
        kappa: found(2, coherency / one).ok_or(NoFit::Undetermined)?,
        serial: serial_interval.map(|interval| parameter(serial / serial_one, interval)),
        r_squared: r_squared(runs, usl),
        lack_p: spread.lack_p,
        measured: (*low, *high),
        runs: runs.len(),
    })
}

type Vector = [f64; 3];

/// What a coefficient is multiplied with: 1, N - 1, N (N - 1).
fn row(workers: u32) -> Vector {
    let n = f64::from(workers);
    [1.0, n - 1.0, n * (n - 1.0)]
}

fn dot([a, b, c]: Vector, [x, y, z]: Vector) -> f64 {
    a * x + b * y + c * z
}

/// Coefficients of `N / X(N)` (1/λ, σ/λ, κ/λ), and their covariance for runs that scatter by 1.
#[derive(Clone, Copy, Debug)]
struct Linear {
    coefficients: Vector,
    covariance: [Vector; 3],
}

impl Linear {
    fn solve(runs: &[(u32, f64)]) -> Option<Self> {
        let mut found: Option<Self> = None;
        for _ in 0..ROUNDS {
            let (mut matrix, mut right) = ([[0.0; 3]; 3], [0.0; 3]);
            for (workers, rate) in runs {
                let (row, y) = (row(*workers), f64::from(*workers) / rate);
                let fitted = found.map(|found| dot(row, found.coefficients)).filter(|fitted| *fitted > 0.0);
                let weight = fitted.unwrap_or(y).powi(-2);
                for ((line, sum), of) in matrix.iter_mut().zip(&mut right).zip(row) {
                    line.iter_mut().zip(row).for_each(|(cell, by)| *cell += weight * of * by);
                    *sum += weight * of * y;
                }
            }
            let covariance = inverse(matrix)?;
            found = Some(Self { coefficients: covariance.map(|line| dot(line, right)), covariance });
        }
        found.filter(|found| found.coefficients.first().is_some_and(|one| *one > 0.0))
    }

    /// The same where one coefficient is 0.
    fn without(self, which: usize) -> Self {
        let (Some(value), Some(column)) = (self.coefficients.get(which), self.covariance.get(which)) else {
            return self;
        };
        let variance = column.get(which).copied().unwrap_or(0.0);
        let mut without = self;
        for (coefficient, with) in without.coefficients.iter_mut().zip(column) {
            *coefficient -= value * with / variance;
        }
        for (line, of) in without.covariance.iter_mut().zip(column) {
            line.iter_mut().zip(column).for_each(|(cell, by)| *cell -= of * by / variance);
        }
        without
    }

    fn without_coherency(self) -> Self {
        let [one, contention, _] = self.without(2).coefficients;
        Self { coefficients: [one, contention, 0.0], ..self.without(2) }
    }

    /// The coefficients that fit best where none may be below 0.
    fn not_negative(self) -> Vector {
        let [_, contention, coherency] = self.coefficients;
        if contention >= 0.0 && coherency >= 0.0 {
            return self.coefficients;
        }
        let (first, second) = if coherency < 0.0 { (2, 1) } else { (1, 2) };
        let mut without = self.without(first);
        if without.coefficients.get(second).is_some_and(|value| *value < 0.0) {
            // The covariance of what is 0 already is 0, and so it stays as it is.
            without = without.without(second);
        }
        without.coefficients.map(|value| value.max(0.0))
    }

    /// Fieller's interval of the ratio of a coefficient to the first one; `None` where it has no end.
    fn ratio(&self, which: usize, Spread { variance, t, .. }: Spread) -> Option<(f64, f64)> {
        let factor = t * t * variance;
        let of = |one: usize, other: usize| self.covariance.get(one).and_then(|line| line.get(other)).copied();
        let (below, above) = (self.coefficients.first()?, self.coefficients.get(which)?);
        let a = below * below - factor * of(0, 0)?;
        let b = below * above - factor * of(0, which)?;
        let c = above * above - factor * of(which, which)?;
        let root = (b * b - a * c).max(0.0).sqrt();
        (a > 0.0 && root.is_finite()).then(|| ((b - root) / a, (b + root) / a))
    }
}

/// How far runs lie from a law, as shares of their fitted values.
#[derive(Clone, Copy, Debug)]
struct Spread {
    /// Variance of one run.
    variance: f64,
    /// 97.5 % quantile of Student's t for it.
    t: f64,
    lack_p: Option<f64>,
}

impl Spread {
    fn of(runs: &[(u32, f64)], counts: &[u32], coefficients: Vector, parameters: usize) -> Option<Self> {
        let residual = |(workers, rate): &(u32, f64)| {
            let fitted = dot(row(*workers), coefficients);
            (f64::from(*workers) / rate - fitted) / fitted
        };
        let all: f64 = runs.iter().map(|run| residual(run).powi(2)).sum();
        let mut apart = 0.0;
        for count in counts {
            let of_count: Vec<f64> = runs.iter().filter(|(workers, _)| workers == count).map(residual).collect();
            let mean = of_count.iter().sum::<f64>() / of_count.len() as f64;
            apart += of_count.iter().map(|one| (one - mean).powi(2)).sum::<f64>();
        }
        let (between, within) = (counts.len().checked_sub(parameters)?, runs.len() - counts.len());
        let lack = (all - apart).max(0.0) / between as f64;
        let lack_p = FisherSnedecor::new(between as f64, within as f64).ok().filter(|_| apart > 0.0);
        let lack_p = lack_p.map(|f| f.sf(lack / (apart / within as f64)));
        let (variance, freedom) = match lack_p {
            Some(p) if p < LACK => (lack, between),
            _ => (all / (runs.len() - parameters) as f64, runs.len() - parameters),
        };
        Some(Self { variance, t: t975(freedom)?, lack_p })
    }
}

fn r_squared(runs: &[(u32, f64)], coefficients: Vector) -> f64 {
    let mean = runs.iter().map(|(_, rate)| rate).sum::<f64>() / runs.len() as f64;
    let all: f64 = runs.iter().map(|(_, rate)| (rate - mean).powi(2)).sum();
    let fitted = |workers: u32| f64::from(workers) / dot(row(workers), coefficients);
    let left: f64 = runs.iter().map(|(workers, rate)| (rate - fitted(*workers)).powi(2)).sum();
    if all > 0.0 { 1.0 - left / all } else { 1.0 }
}

/// By cofactors, after the columns were brought to the same size; `None` where there is none.
fn inverse(matrix: [Vector; 3]) -> Option<[Vector; 3]> {
    let [[a, ..], [_, e, _], [_, _, i]] = matrix;
    let scale = [a, e, i].map(f64::sqrt);
    let [[a, b, c], [_, e, f], [_, _, i]] = scaled(matrix, scale);
    let (x, y, z) = (e * i - f * f, c * f - b * i, b * f - c * e);
    let determinant = a * x + b * y + c * z;
    let cofactors = [[x, y, z], [y, a * i - c * c, b * c - a * f], [z, b * c - a * f, a * e - b * b]];
    let found = scaled(cofactors.map(|line| line.map(|cell| cell / determinant)), scale);
    (determinant > 1e-12 && found.iter().flatten().all(|cell| cell.is_finite())).then_some(found)
}

fn scaled(matrix: [Vector; 3], scale: Vector) -> [Vector; 3] {
    let mut scaled = matrix;
    for (line, by) in scaled.iter_mut().zip(scale) {
        line.iter_mut().zip(scale).for_each(|(cell, with)| *cell /= by * with);
    }
    scaled
}

#[cfg(test)]
mod tests;
