//! Statistics and verdicts: pure functions over what was measured.

pub(crate) mod failing;
pub(crate) mod leak;
pub(crate) mod lints;
pub(crate) mod statistics;
pub mod tuning;
pub(crate) mod verdict;
