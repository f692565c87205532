//! Between durations and the whole nanoseconds that are counted and summed.

use std::time::Duration;

/// Whole nanoseconds of a duration, saturating.
#[must_use]
pub(crate) fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A duration of so many nanoseconds, saturating.
#[must_use]
pub(crate) fn nanos(nanos: u128) -> Duration {
    u64::try_from(nanos).map_or_else(
        |_| Duration::from_secs(u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX)),
        Duration::from_nanos,
    )
}
