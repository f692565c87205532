//! Where the time of workers went, in shares that add up to all of it, in one form of words.

use crate::metrics::snapshot::WorkerTime;

/// A smaller share than this is none, and is not told.
const NOTHING: f64 = 0.005;

/// Shares of worker time, from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shares {
    /// In tasks.
    pub work: f64,
    /// Of processes that were starting.
    pub startup: f64,
    /// Between dispatch to a worker that is kept and the first instruction of a task.
    pub dispatch: f64,
    /// In initializers.
    pub initializing: f64,
    /// With tasks whose callers had given up.
    pub ghosts: f64,
    /// With the bytes of tasks and results.
    pub bytes: f64,
    /// None of these.
    pub idle: f64,
}

impl Shares {
    /// Of a time; all of them are 0 where there is none.
    #[must_use]
    pub(crate) fn of(time: &WorkerTime) -> Self {
        let (work, startup, idle) = time.shares();
        Self {
            work,
            startup,
            dispatch: time.dispatch_share(),
            initializing: time.initializing_share(),
            ghosts: time.ghost_share(),
            bytes: time.carrying_share(),
            idle,
        }
    }

    /// All of them together: 1, or 0 where there is no time.
    #[must_use]
    pub(crate) fn sum(&self) -> f64 {
        self.work + self.startup + self.dispatch + self.initializing + self.ghosts + self.bytes + self.idle
    }

    /// What is not work, in words: `1 % start-up, 70 % dispatch, 9 % idle`. Start-up and idle time are always told.
    #[must_use]
    pub(crate) fn beside_work(&self) -> String {
        let rare = [
            (self.dispatch, "dispatch"),
            (self.initializing, "initializing"),
            (self.ghosts, "ghosts"),
            (self.bytes, "bytes of tasks"),
        ];
        let rare = rare.into_iter().filter(|(share, _)| *share >= NOTHING);
        let told = std::iter::once((self.startup, "start-up")).chain(rare).chain([(self.idle, "idle")]);
        told.map(|(share, what)| format!("{} {what}", percent(share))).collect::<Vec<_>>().join(", ")
    }
}

/// Without digits behind the point.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_part_is_told_and_they_add_up() {
        let of = |seconds: u64| Duration::from_secs(seconds);
        let time = WorkerTime {
            work: of(30),
            startup: of(5),
            dispatch: of(10),
            initializing: of(20),
            ghost: of(15),
            carrying: of(12),
            idle: of(8),
        };
        let shares = Shares::of(&time);
        assert!((shares.sum() - 1.0).abs() < 1e-12, "{shares:?}");
        assert_eq!(
            shares.beside_work(),
            "5 % start-up, 10 % dispatch, 20 % initializing, 15 % ghosts, 12 % bytes of tasks, 8 % idle"
        );
        assert_eq!(Shares::of(&WorkerTime::default()).sum(), 0.0);
    }
}
