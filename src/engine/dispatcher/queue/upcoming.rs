//! The arrivals that are still to come, from some place of the stream on. Knows nothing of the tasks that arrive.

use crate::engine::event::Moment;
use crate::engine::stream::ArrivalMoments;

/// See the module docs.
pub(crate) struct Upcoming {
    times: Box<dyn ArrivalMoments>,
    next: Option<Moment>,
    /// How many there are at most, behind the next one.
    left: u64,
}

impl std::fmt::Debug for Upcoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upcoming").field("next", &self.next).field("left", &self.left).finish_non_exhaustive()
    }
}

impl Upcoming {
    /// At most `total` of these.
    pub(crate) fn new(times: Box<dyn ArrivalMoments>, total: u64) -> Self {
        let mut upcoming = Self { times, next: None, left: total };
        upcoming.pass();
        upcoming
    }

    /// None at all.
    pub(super) fn none() -> Self {
        Self { times: Box::new(std::iter::empty()), next: None, left: 0 }
    }

    /// The same ones once more.
    pub(super) fn again(&self) -> Self {
        Self { times: self.times.again(), ..*self }
    }

    pub(crate) fn next(&self) -> Option<Moment> {
        self.next
    }

    /// The next one has been seen.
    pub(crate) fn pass(&mut self) {
        self.next = if self.left > 0 { self.times.next() } else { None };
        self.left = self.left.saturating_sub(1);
    }
}
