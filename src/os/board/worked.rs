//! Attempts at tasks as the board tells them apart, and what is asked of their ends.

use std::time::Duration;

/// Cut off is whichever attempt a lane is in.
pub(crate) const ANY_ATTEMPT: u32 = 2;

/// Tells the attempts at the tasks of a lane from each other, from [`ANY_ATTEMPT`], and from 0, which is none.
#[must_use]
pub(crate) fn attempt(index: u64, attempt: u32) -> u32 {
    // The higher half of a product depends on all that is below.
    let mixed = (index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32;
    mixed.wrapping_add(attempt) << 2 | 1
}

/// The work of a program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Worked {
    /// Which attempt it was ([`attempt`]).
    pub(crate) attempt: u32,
    /// From when until when, by `CLOCK_MONOTONIC` in nanoseconds.
    pub(crate) from: u64,
    pub(crate) until: u64,
    /// How long it may work.
    pub(crate) timeout: Option<Duration>,
}
