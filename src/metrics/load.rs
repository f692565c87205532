//! How much the workers were asked for, as queueing theory puts it: the utilisation and Little's law.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::event::Moment;

/// See the module docs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// ρ: the part of the worker time in which a lane could not take a task, because it was in one, was starting one, or
    /// went on with one whose caller had given up. `None` without a number of workers to share it, or before there is any.
    pub utilisation: Option<f64>,
    /// `None` where the number of tasks in the system is not measured, or before any task has left it.
    pub little: Option<Little>,
}

impl Load {
    /// `unbounded`: there is no number of workers.
    pub(crate) fn utilisation(busy: Duration, idle: Duration, unbounded: bool) -> Option<f64> {
        let all = (busy + idle).as_secs_f64();
        (all > 0.0 && !unbounded).then(|| busy.as_secs_f64() / all)
    }
}

/// Little's law, `L = λ W` (J. D. C. Little, A Proof for the Queuing Formula L = λW, 1961), each side measured by itself: the
/// number of tasks is what the dispatcher saw from one input to the next (of those that were reported together, each was there
/// until it ended, and the last until it was reported), the sojourn times are what the tasks' workers reported. The law is exact over a time at whose begin and end nobody is in the system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Little {
    /// L: mean number of tasks queued and running, over the time from the start until the last of them has left.
    pub in_system: f64,
    /// λ: tasks that left, per second of the same time.
    pub rate: f64,
    /// W: their mean time from intended arrival to their end.
    pub sojourn: Duration,
    /// How many tasks λ and W are about: those that left and whose end is known, whatever became of them. A task that was
    /// dropped never was in the system; one that was tried again left it once.
    pub left: u64,
    /// Tasks that are in L alone: cut off when the run was stopped, or never begun because their programs cannot be started.
    pub without_sojourn: u64,
}

impl Little {
    /// `presence` is the integral of the number of tasks over `window`.
    pub(crate) fn new(
        presence: Duration,
        window: Moment,
        sojourns: Duration,
        left: u64,
        without_sojourn: u64,
    ) -> Option<Self> {
        let seconds = window.elapsed().as_secs_f64();
        (left > 0 && seconds > 0.0).then(|| Self {
            in_system: presence.as_secs_f64() / seconds,
            rate: left as f64 / seconds,
            sojourn: sojourns.div_f64(left as f64),
            left,
            without_sojourn,
        })
    }

    /// λ W.
    #[must_use]
    pub fn expected(&self) -> f64 {
        self.rate * self.sojourn.as_secs_f64()
    }

    /// `|L - λ W| / L`: 0 is exact.
    #[must_use]
    pub fn error(&self) -> f64 {
        let off = (self.in_system - self.expected()).abs();
        if off > 0.0 { off / self.in_system } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECONDS: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn both_sides_of_the_law() {
        // Ten tasks in five seconds, three seconds each.
        let exact = Little::new(SECONDS(30), Moment::from(SECONDS(5)), SECONDS(30), 10, 0).unwrap();
        assert_eq!((exact.in_system, exact.rate, exact.sojourn), (6.0, 2.0, SECONDS(3)));
        assert!(exact.error() < 1e-9);
        let late = Little::new(SECONDS(40), Moment::from(SECONDS(5)), SECONDS(30), 10, 0).unwrap();
        assert!((late.error() - 0.25).abs() < 1e-9, "a quarter of what was seen is missing: {late:?}");
        let unseen = Little::new(Duration::ZERO, Moment::from(SECONDS(5)), SECONDS(30), 10, 0).unwrap();
        assert!(unseen.error().is_infinite(), "nothing seen is not exact");
        assert_eq!(Little::new(SECONDS(1), Moment::from(SECONDS(5)), Duration::ZERO, 0, 3), None);
        assert_eq!(Little::new(Duration::ZERO, Moment::ZERO, Duration::ZERO, 1, 0), None);
    }

    #[test]
    fn a_lane_is_in_use_when_it_can_take_no_task() {
        assert_eq!(Load::utilisation(SECONDS(8), SECONDS(2), false), Some(0.8));
        assert_eq!(Load::utilisation(SECONDS(8), SECONDS(0), true), None, "of no number of workers there is no part");
        assert_eq!(Load::utilisation(SECONDS(0), SECONDS(0), false), None);
    }
}
