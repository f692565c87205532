//! Statistics and verdicts: pure functions over what was measured.

pub mod verdict;
