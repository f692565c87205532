//! Statistics and verdicts: pure functions over what was measured.

pub(crate) mod always_valid;
pub(crate) mod bracket;
pub(crate) mod edges;
pub(crate) mod expectations;
pub(crate) mod failing;
pub(crate) mod futile;
pub(crate) mod gil;
pub(crate) mod holm;
pub mod inference;
pub(crate) mod latencies;
pub(crate) mod leak;
pub(crate) mod lints;
pub(crate) mod percentiles;
pub mod precision;
pub(crate) mod rank_test;
pub(crate) mod ranking;
pub(crate) mod series;
pub(crate) mod shares;
pub(crate) mod silence;
#[cfg(test)]
pub(crate) mod simulated;
pub(crate) mod statistics;
pub mod tuning;
pub(crate) mod unpaired;
pub mod usl;
pub(crate) mod verdict;
