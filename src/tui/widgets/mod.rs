//! Small pieces that draw numbers: bars, sparklines, line plots, large digits. They know no sessions.

pub mod bars;
pub mod digits;
pub mod plot;
pub mod spark;
