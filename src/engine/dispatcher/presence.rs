//! How long tasks are in the system: the integral of their number over time, exact to the moment of each input.
//!
//! It is counted from what the dispatcher sees, and not from what tasks say of themselves: that makes it a check of their
//! sojourn times.

use std::time::Duration;

use crate::engine::event::{Moment, Presence};

/// See the module docs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TasksPresent {
    /// Task-nanoseconds until `since`.
    sum: u128,
    since: Moment,
    /// The last moment at which there was a task.
    until: Moment,
    /// Task-nanoseconds between arrival and admission, where there was no room.
    outside: u128,
}

impl TasksPresent {
    /// So many tasks were there from the last time that this was asked until now.
    pub(super) fn pass(&mut self, now: Moment, tasks: u64) {
        self.sum += u128::from(tasks) * u128::from(now.0.saturating_sub(self.since.0));
        self.since = self.since.max(now);
        if tasks > 0 {
            self.until = self.since;
        }
    }

    /// Tasks are seen now that arrived before.
    pub(super) fn came(&mut self, now: Moment, tasks: u64, arrival: Moment) {
        self.sum += u128::from(tasks) * u128::from(now.0.saturating_sub(arrival.0));
    }

    /// Tasks that found no room until now are let in, or have given that up: for so many nanoseconds in all they waited.
    pub(super) fn came_from_outside(&mut self, waited: u128) {
        self.sum += waited;
        self.outside += waited;
    }

    /// Until now, with so many tasks there.
    pub(super) fn seen(mut self, now: Moment, tasks: u64) -> Presence {
        self.pass(now, tasks);
        Presence { time: duration(self.sum), outside: duration(self.outside), until: self.until }
    }
}

fn duration(nanos: u128) -> Duration {
    let fraction = u32::try_from(nanos % 1_000_000_000).unwrap_or(0);
    Duration::new(u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX), fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_area_under_the_number_of_tasks() {
        let at = |millis: u64| Moment(millis * 1_000_000);
        let mut present = TasksPresent::default();
        present.pass(at(10), 0);
        // Two are seen 3 ms after they came, stay for 20 ms; one of them for 5 ms more.
        present.came(at(10), 2, at(7));
        present.pass(at(30), 2);
        let seen = present.seen(at(35), 1);
        assert_eq!((seen.time, seen.until), (Duration::from_millis(6 + 40 + 5), at(35)));
        present.pass(at(35), 1);
        let seen = present.seen(at(99), 0);
        assert_eq!((seen.time, seen.until), (Duration::from_millis(51), at(35)), "nobody is there any more");
    }
}
