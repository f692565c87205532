//! The run clock: the monotonic clock without the time for which the run was suspended. One value owns the time of a run,
//! so that nothing can forget a suspension.

use std::time::Duration;

use crate::engine::moment::Moment;
use crate::os::clock::monotonic;

/// A run's clock. See the module docs.
#[derive(Debug)]
pub(crate) struct RunClock {
    origin: u64,
    /// Closed suspensions: when each began, and the sum of all up to its end. Monotonic nanoseconds.
    suspensions: Vec<Suspension>,
    suspended_at: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Suspension {
    begin: u64,
    end: u64,
    total_after: u64,
}

impl RunClock {
    /// A clock that starts now.
    #[must_use]
    pub(crate) fn start() -> Self {
        Self { origin: monotonic(), suspensions: Vec::new(), suspended_at: None }
    }

    /// The run clock now.
    #[must_use]
    pub(crate) fn now(&self) -> Moment {
        self.moment(monotonic())
    }

    /// The run clock at a reading of the monotonic clock.
    #[must_use]
    pub(crate) fn moment(&self, monotonic: u64) -> Moment {
        let monotonic = self.suspended_at.map_or(monotonic, |begin| monotonic.min(begin));
        let mut excluded = 0;
        for suspension in self.suspensions.iter().rev() {
            if monotonic >= suspension.end {
                excluded = suspension.total_after;
                break;
            }
            if monotonic > suspension.begin {
                excluded = suspension.total_after - (suspension.end - monotonic);
                break;
            }
        }
        Moment(monotonic.saturating_sub(self.origin).saturating_sub(excluded))
    }

    /// The monotonic clock at a future moment, if nothing is suspended until then.
    #[must_use]
    pub(crate) fn monotonic(&self, moment: Moment) -> u64 {
        let excluded = self.suspensions.last().map_or(0, |last| last.total_after);
        moment.0.saturating_add(self.origin).saturating_add(excluded)
    }

    /// Whether the clock stands still.
    #[must_use]
    pub(crate) fn is_suspended(&self) -> bool {
        self.suspended_at.is_some()
    }

    /// Stops the clock.
    pub(crate) fn suspend(&mut self) {
        self.suspended_at.get_or_insert_with(monotonic);
    }

    /// Starts it again; says how long it stood.
    pub(crate) fn resume(&mut self) -> Duration {
        let Some(begin) = self.suspended_at.take() else { return Duration::ZERO };
        let end = monotonic();
        let before = self.suspensions.last().map_or(0, |last| last.total_after);
        self.suspensions.push(Suspension { begin, end, total_after: before + (end - begin) });
        Duration::from_nanos(end - begin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(suspensions: &[(u64, u64)]) -> RunClock {
        let mut total = 0;
        let suspensions = suspensions
            .iter()
            .map(|&(begin, end)| {
                total += end - begin;
                Suspension { begin, end, total_after: total }
            })
            .collect();
        RunClock { origin: 100, suspensions, suspended_at: None }
    }

    #[test]
    fn time_while_suspended_is_no_time() {
        let clock = clock(&[(200, 300), (400, 450)]);
        let at = |monotonic| clock.moment(monotonic).0;
        assert_eq!([at(100), at(150), at(200), at(250), at(300), at(350)], [0, 50, 100, 100, 100, 150]);
        assert_eq!([at(400), at(420), at(450), at(1000)], [200, 200, 200, 750]);
        assert_eq!(clock.monotonic(Moment(750)), 1000);
    }

    #[test]
    fn a_suspended_clock_stands_still() {
        let mut clock = RunClock::start();
        clock.suspend();
        let stopped = clock.now();
        let begin = std::time::Instant::now();
        while begin.elapsed() < Duration::from_millis(5) {
            assert_eq!(clock.now(), stopped);
        }
        assert!(clock.resume() >= Duration::from_millis(5));
        assert!(clock.now().since(stopped) < Duration::from_millis(5));
    }
}
