//! Figures over time: a rate over the last second, time-weighted sums.

use std::collections::VecDeque;
use std::time::Duration;

use crate::engine::event::Moment;

/// Length of the window of [`Rate`].
const WINDOW: Duration = Duration::from_secs(1);

/// Growth of a counter over the last second.
#[derive(Debug)]
pub(crate) struct Rate {
    /// (time, counter), oldest first; spans at least the window once there was so much time.
    points: VecDeque<(Moment, u64)>,
}

impl Default for Rate {
    fn default() -> Self {
        Self { points: VecDeque::from([(Moment::ZERO, 0)]) }
    }
}

impl Rate {
    /// Notes the counter and tells its growth per second over the last second, or since the start if that is less.
    pub(crate) fn advance(&mut self, now: Moment, counter: u64) -> f64 {
        // The clock stands still while a run is suspended: the last point is replaced then, but never the first.
        if self.points.len() > 1 && self.points.back().is_some_and(|(time, _)| *time >= now) {
            self.points.pop_back();
        }
        while self.points.get(1).is_some_and(|(time, _)| now.since(*time) >= WINDOW) {
            self.points.pop_front();
        }
        let Some((time, before)) = self.points.front().copied() else { return 0.0 };
        let seconds = now.since(time).as_secs_f64();
        if seconds <= 0.0 {
            return 0.0;
        }
        self.points.push_back((now, counter));
        counter.saturating_sub(before) as f64 / seconds
    }
}

/// The pauses of a run, as far as nothing ran in them: that time counts for nothing. Tasks that were under way when a pause
/// began go on, and as their work counts, so does the time it takes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pauses {
    /// When the run was paused, if it is.
    paused: Option<Moment>,
    /// The last time that something was seen to run.
    ran: Moment,
    /// Since when nothing has run in the pause.
    since: Option<Moment>,
    /// Those that are over.
    over: Duration,
}

impl Pauses {
    /// Whether the run is paused now, and whether anything runs all the same.
    pub(crate) fn see(&mut self, now: Moment, paused: bool, running: bool) {
        if !paused {
            self.runs_since(now);
            self.paused = None;
            return;
        }
        let paused = *self.paused.get_or_insert(now);
        if running {
            self.runs_since(now);
            self.ran(now);
        } else if self.since.is_none() {
            self.since = Some(paused.max(self.ran));
        }
    }

    /// Something ran until `end`.
    pub(crate) fn ran(&mut self, end: Moment) {
        self.ran = self.ran.max(end);
    }

    /// Something has run since `start`: a standstill was over by then.
    pub(crate) fn runs_since(&mut self, start: Moment) {
        if let Some(since) = self.since.take() {
            self.over += start.since(since);
        }
    }

    /// How long they were until `now`.
    #[must_use]
    pub(crate) fn until(&self, now: Moment) -> Duration {
        self.over + self.since.map_or(Duration::ZERO, |since| now.since(since))
    }

    /// The run clock without them.
    #[must_use]
    pub(crate) fn clock(&self, now: Moment) -> Moment {
        Moment(now.0.saturating_sub(crate::metrics::nanos::ns(self.until(now))))
    }
}

/// Integral of the number of workers over time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Capacity {
    workers: Option<u32>,
    /// Workers before the last change.
    before: u32,
    since: Moment,
    /// Nanoseconds until `since`.
    sum: u128,
}

impl Capacity {
    /// The number of workers is so many from `now` on; the first number counts from the start of the run.
    pub(crate) fn set(&mut self, now: Moment, workers: u32) {
        match self.workers {
            Some(same) if same == workers => {}
            Some(before) => {
                self.sum = self.until(now);
                (self.before, self.since, self.workers) = (before, now, Some(workers));
            }
            None => (self.before, self.workers) = (workers, Some(workers)),
        }
    }

    /// How many there are now; 0 before that is known.
    #[must_use]
    pub(crate) fn now(&self) -> u32 {
        self.workers.unwrap_or(0)
    }

    /// Nanoseconds that all workers had until `time`.
    #[must_use]
    pub(crate) fn until(&self, time: Moment) -> u128 {
        let Some(workers) = self.workers else { return 0 };
        if time >= self.since {
            self.sum + u128::from(workers) * u128::from(time.0 - self.since.0)
        } else {
            self.sum.saturating_sub(u128::from(self.before) * u128::from(self.since.0 - time.0))
        }
    }
}

/// Largest value and time-weighted mean of a level that is seen from time to time and taken to change evenly between.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Level {
    last: Option<(Moment, u64)>,
    first: Moment,
    /// Level x nanoseconds.
    area: f64,
    /// Largest value.
    pub(crate) max: u64,
}

impl Level {
    pub(crate) fn see(&mut self, now: Moment, level: u64) {
        self.max = self.max.max(level);
        match self.last {
            Some((time, before)) => {
                self.area += (before as f64 + level as f64) / 2.0 * now.since(time).as_nanos() as f64;
            }
            None => self.first = now,
        }
        self.last = Some((now, level));
    }

    /// Time-weighted mean between the first and the last sight.
    #[must_use]
    pub(crate) fn mean(&self) -> f64 {
        let Some((last, level)) = self.last else { return 0.0 };
        let span = last.since(self.first).as_nanos() as f64;
        if span > 0.0 { self.area / span } else { level as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment(millis * 1_000_000)
    }

    #[test]
    fn rate_of_the_last_second_and_not_of_what_was_before() {
        let mut rate = Rate::default();
        assert_eq!(rate.advance(at(0), 0), 0.0);
        assert_eq!(rate.advance(at(500), 100), 200.0, "since the start");
        assert_eq!(rate.advance(at(1000), 100), 100.0);
        for tick in 11..=30 {
            rate.advance(at(tick * 100), 100 + (tick - 10) * 5);
        }
        assert_eq!(rate.advance(at(3100), 205), 50.0);
        assert_eq!(rate.advance(at(60_000), 205), 0.0, "nothing for a minute");
    }

    #[test]
    fn rate_survives_a_clock_that_stands_still() {
        let mut rate = Rate::default();
        assert_eq!(rate.advance(at(0), 7), 0.0);
        assert_eq!(rate.advance(at(1000), 50), 50.0);
        for _ in 0..1000 {
            assert_eq!(rate.advance(at(1000), 50), 50.0);
        }
        assert!(rate.points.len() < 5);
    }

    #[test]
    fn capacity_follows_resizes_and_answers_for_a_little_before_the_last_one() {
        let mut capacity = Capacity::default();
        assert_eq!(capacity.until(at(5)), 0);
        capacity.set(at(100), 2);
        capacity.set(at(1000), 2);
        assert_eq!(capacity.until(at(1000)), 2_000_000_000, "the first number counts from the start");
        capacity.set(at(1000), 4);
        assert_eq!(capacity.until(at(2000)), 6_000_000_000);
        assert_eq!(capacity.until(at(500)), 1_000_000_000);
    }

    #[test]
    fn mean_level_is_weighted_by_time() {
        let mut level = Level::default();
        assert_eq!(level.mean(), 0.0);
        level.see(at(0), 10);
        assert_eq!(level.mean(), 10.0);
        level.see(at(1000), 10);
        level.see(at(1500), 0);
        level.see(at(4000), 0);
        assert!((level.mean() - (10.0 + 2.5) / 4.0).abs() < 1e-12);
        assert_eq!(level.max, 10);
    }
}
