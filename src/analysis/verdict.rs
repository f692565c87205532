//! Who is faster, by how much, and whether that can be said at all.

/// What can be said about an arm against the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Fewer than two pairs of runs (or none with enough tasks): no interval can be given.
    TooEarly,
    /// The interval includes 1.
    NoClearDifference,
    /// The interval lies above 1.
    Faster,
    /// The interval lies below 1.
    Slower,
}

/// One arm's throughput against the baseline's.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Index of the arm.
    pub arm: usize,
    /// Index of the baseline arm.
    pub baseline: usize,
    /// Throughput of the arm / throughput of the baseline: geometric mean over the pairs of runs; `None` without a pair.
    pub ratio: Option<f64>,
    /// 95 % confidence interval of the ratio; `None` below two pairs.
    pub ci95: Option<(f64, f64)>,
    /// Pairs of counted runs.
    pub pairs: usize,
    /// What follows.
    pub finding: Finding,
    /// Why it is so, as far as the measurements show: "start-up bound", ...
    pub reasons: Vec<String>,
}
