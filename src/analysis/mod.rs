//! Statistics and verdicts: pure functions over what was measured.

pub mod lints;
pub mod statistics;
pub mod verdict;
