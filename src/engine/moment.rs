//! A point of the run clock. What the clock leaves out is decided in [`super::clock`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A time on the run clock: nanoseconds since the run began, without the time it was suspended. Where it is written, it
/// is written as the time since then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "Duration", into = "Duration")]
pub struct Moment(pub u64);

impl Moment {
    /// The start of the run.
    pub const ZERO: Self = Self(0);

    /// Time from `earlier` to here; zero if it is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Time since the start of the run.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        Duration::from_nanos(self.0)
    }
}

/// So long after the start of the run.
impl From<Duration> for Moment {
    fn from(elapsed: Duration) -> Self {
        Self(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl From<Moment> for Duration {
    fn from(moment: Moment) -> Self {
        moment.elapsed()
    }
}

impl std::ops::Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(Self::from(duration).0))
    }
}

/// No earlier than the start of the run.
impl std::ops::Sub<Duration> for Moment {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(Self::from(duration).0))
    }
}
