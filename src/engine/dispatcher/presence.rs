//! How long tasks are in the system: the integral of their number over time, exact to the moment of each input.
//!
//! It is counted from what the dispatcher sees, and not from what tasks say of themselves: that makes it a check of their
//! sojourn times. But for this: of tasks that are reported together, all have ended before the last of them, and are there
//! no longer than until then. What the report itself takes to be heard is not known here, and counts.

use std::time::Duration;

use crate::engine::event::{Moment, Presence, Record};

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

    /// Tasks that are reported together had ended before the last of them: so many nanoseconds earlier, all in all.
    pub(super) fn ended_earlier(&mut self, nanos: u128) {
        self.sum = self.sum.saturating_sub(nanos);
    }

    /// Until now, with so many tasks there.
    pub(super) fn seen(mut self, now: Moment, tasks: u64) -> Presence {
        self.pass(now, tasks);
        Presence { time: duration(self.sum), outside: duration(self.outside), until: self.until }
    }
}

/// How many nanoseconds before `told` these tasks have ended, all in all: the end of the last that is reported with them.
pub(super) fn earlier(records: &[Record], arrival: Moment, told: Moment) -> u64 {
    // Whatever a worker says of its times: nobody is there before it has come, or after it was heard of.
    let end = |record: &Record| record.start.0.saturating_add(record.service).max(arrival.0);
    records.iter().fold(0, |sum: u64, record| sum.saturating_add(told.0.saturating_sub(end(record))))
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

    #[test]
    fn what_was_reported_together_was_there_until_it_ended() {
        let records = [(0, 10), (10, 90), (100, 50)].map(|(start, service)| Record {
            index: 0,
            start: Moment(start),
            service,
            value: 0,
            after: 0,
        });
        // Ends at 10, 100 and 150; heard at 170.
        assert_eq!(earlier(&records, Moment(0), Moment(150)), 140 + 50);
        assert_eq!(earlier(&records, Moment(30), Moment(150)), 120 + 50, "nobody ends before it has come");
        assert_eq!(earlier(&records, Moment(0), Moment(100)), 90, "nor after it was heard of");
        let mut present = TasksPresent::default();
        present.came(Moment(0), 3, Moment(0));
        present.pass(Moment(170), 3);
        present.ended_earlier(u128::from(earlier(&records, Moment(0), Moment(150))));
        assert_eq!(present.seen(Moment(200), 0).time, Duration::from_nanos(10 + 100 + 150 + 3 * 20));
    }
}
