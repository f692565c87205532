//! Small pieces that draw numbers: bars, sparklines, line plots, large digits. They know no sessions.

pub(crate) mod bars;
pub(crate) mod digits;
pub(crate) mod plot;
pub(crate) mod spark;
