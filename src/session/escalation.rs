//! How hard the user wants what runs to end: stop, then kill, then leave. Pure: the time is an argument.

use std::time::{Duration, Instant};

/// Two signals within this time are one: a wrapper and the terminal both deliver what the user meant once.
pub(crate) const PAUSE: Duration = Duration::from_millis(300);
/// Beyond the grace period, the program leaves whatever happens.
const LEAVE_AFTER: Duration = Duration::from_secs(1);

/// What the user asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopLevel {
    /// Running tasks get SIGTERM and their grace period.
    Stop,
    /// Running tasks are killed.
    Kill,
    /// Leave at once, whatever still runs.
    Leave,
}

/// The levels that were reached so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Escalation {
    level: Option<StopLevel>,
    /// When a signal reached the last level.
    signalled: Option<Instant>,
}

impl Escalation {
    /// A key asks: every one counts.
    pub(crate) fn key(&mut self) -> StopLevel {
        let next = match self.level {
            None => StopLevel::Stop,
            Some(StopLevel::Stop) => StopLevel::Kill,
            Some(StopLevel::Kill | StopLevel::Leave) => StopLevel::Leave,
        };
        self.level = Some(next);
        next
    }

    /// Time asks: what was to stop is killed, unless it is already. Whether that is new.
    pub(crate) fn overdue(&mut self) -> bool {
        let is_new = self.level < Some(StopLevel::Kill);
        self.level = self.level.max(Some(StopLevel::Kill));
        is_new
    }

    /// A signal asks; `None` if it is one with the signal before it.
    pub(crate) fn signal(&mut self, now: Instant) -> Option<StopLevel> {
        if self.signalled.is_some_and(|last| now.saturating_duration_since(last) < PAUSE) {
            return None;
        }
        self.signalled = Some(now);
        Some(self.key())
    }
}

/// When a program that was asked to leave does so by itself.
#[must_use]
pub(crate) fn leave_by(asked: Instant, grace_period: Duration) -> Instant {
    // A grace period of centuries is for ever.
    asked.checked_add(grace_period.saturating_add(LEAVE_AFTER)).unwrap_or_else(|| asked + Duration::from_secs(1 << 32))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn every_key_counts() {
        let mut asked = Escalation::default();
        assert_eq!([asked.key(), asked.key(), asked.key(), asked.key()].map(|level| level as u8), [0, 1, 2, 2]);
    }

    #[test]
    fn what_does_not_end_in_time_is_killed_once() {
        let mut asked = Escalation::default();
        assert_eq!(asked.key(), StopLevel::Stop);
        assert_eq!([asked.overdue(), asked.overdue()], [true, false]);
        assert_eq!([asked.key(), asked.key()], [StopLevel::Leave; 2]);
        assert!(!asked.overdue(), "it was left");
    }

    #[test]
    fn signals_without_a_pause_are_one() {
        let start = Instant::now();
        let mut asked = Escalation::default();
        let mut at = |millis: u32| asked.signal(start + millis * MS);
        assert_eq!(at(0), Some(StopLevel::Stop));
        assert_eq!([at(1), at(299)], [None, None]);
        assert_eq!(at(300), Some(StopLevel::Kill), "the pause counts from the last level, not from the last signal");
        assert_eq!(at(599), None);
        assert_eq!([at(600), at(900)], [Some(StopLevel::Leave); 2]);
    }

    #[test]
    fn a_key_after_a_signal_counts_and_the_other_way_round() {
        let start = Instant::now();
        let mut asked = Escalation::default();
        assert_eq!(asked.signal(start), Some(StopLevel::Stop));
        assert_eq!(asked.key(), StopLevel::Kill);
        assert_eq!(asked.signal(start + MS), None, "still the same signal");
        assert_eq!(asked.signal(start + 300 * MS), Some(StopLevel::Leave));
    }

    #[test]
    fn leaving_takes_the_grace_period_and_a_second() {
        let now = Instant::now();
        assert_eq!(leave_by(now, Duration::from_millis(200)), now + Duration::from_millis(1200));
        assert!(leave_by(now, Duration::MAX) > now);
    }
}
