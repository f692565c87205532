//! Statistics and verdicts: pure functions over what was measured.

pub mod failing;
pub mod lints;
pub mod statistics;
pub mod tuning;
pub mod verdict;
