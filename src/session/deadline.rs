//! `limits.max_time`: the moment at which what was begun is ended. Time in which everything stands still does not count.

use std::time::{Duration, Instant};

/// A limit of time, and how far it is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Deadline {
    limit: Option<Duration>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is limited now.
    Off,
    /// It passes then.
    At(Instant),
    /// So much is left, and everything stands still.
    Left(Duration),
}

impl Deadline {
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Self { limit, state: State::Off }
    }

    /// The whole time is there from now on. A limit of centuries is none.
    pub(super) fn begin(&mut self, now: Instant, stands_still: bool) {
        self.state = match self.limit {
            None => State::Off,
            Some(limit) if stands_still => State::Left(limit),
            Some(limit) => now.checked_add(limit).map_or(State::Off, State::At),
        };
    }

    /// There is nothing to be ended.
    pub(super) fn end(&mut self) {
        self.state = State::Off;
    }

    pub(super) fn suspend(&mut self, now: Instant) {
        if let State::At(at) = self.state {
            self.state = State::Left(at.saturating_duration_since(now));
        }
    }

    pub(super) fn resume(&mut self, now: Instant) {
        if let State::Left(left) = self.state {
            self.state = now.checked_add(left).map_or(State::Off, State::At);
        }
    }

    /// When it passes, if nothing stands still.
    pub(super) fn at(&self) -> Option<Instant> {
        if let State::At(at) = self.state { Some(at) } else { None }
    }

    /// How much is left of it; `None` where nothing is limited.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        match self.state {
            State::Off => None,
            State::At(at) => Some(at.saturating_duration_since(now)),
            State::Left(left) => Some(left),
        }
    }

    /// It has passed: once. Says how long the whole time was.
    pub(super) fn pass(&mut self) -> Option<Duration> {
        self.state = State::Off;
        self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn time_that_stands_still_does_not_count() {
        let now = Instant::now();
        let mut deadline = Deadline::new(Some(SECOND * 10));
        assert_eq!(deadline.at(), None, "nothing has begun");
        deadline.begin(now, false);
        assert_eq!(deadline.at(), Some(now + SECOND * 10));
        deadline.suspend(now + SECOND * 4);
        deadline.suspend(now + SECOND * 5);
        assert_eq!(deadline.at(), None);
        deadline.resume(now + SECOND * 104);
        deadline.resume(now + SECOND * 105);
        assert_eq!(deadline.at(), Some(now + SECOND * 110));
        assert_eq!(deadline.left(now + SECOND * 106), Some(SECOND * 4));
        deadline.end();
        deadline.resume(now);
        assert_eq!(deadline.at(), None);
    }

    #[test]
    fn what_begins_while_everything_stands_still_has_all_its_time_afterwards() {
        let now = Instant::now();
        let mut deadline = Deadline::new(Some(SECOND));
        deadline.begin(now, true);
        assert_eq!(deadline.at(), None);
        deadline.resume(now + SECOND * 7);
        assert_eq!(deadline.at(), Some(now + SECOND * 8));
        assert_eq!((deadline.pass(), deadline.at()), (Some(SECOND), None));
    }

    #[test]
    fn without_a_limit_or_with_one_of_centuries_nothing_passes() {
        for limit in [None, Some(Duration::MAX)] {
            let mut deadline = Deadline::new(limit);
            deadline.begin(Instant::now(), false);
            assert_eq!(deadline.at(), None, "{limit:?}");
        }
    }
}
