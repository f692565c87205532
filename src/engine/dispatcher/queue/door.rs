//! Tasks that have arrived and that there is no room for: they wait outside until there is, or until their limit ends that.
//!
//! Their limits run from their intended arrival, outside as in the queue. A task that is never let in was never queued,
//! so it does not stay there when its caller gives up, whatever `on_timeout` says.
//!
//! None of them is kept, however many there are. What is in order of arrival is in order of its limit too, as long as the
//! limits are of one length: so for each length there is one place in the list of arrivals, which goes ahead of that of
//! the tasks that are let in. Of those with that limit, whoever stands between the two has given up. Memory grows with the
//! number of different limits alone, and each arrival is looked at once for each of them.

use std::time::Duration;

use super::expired::{Gone, Limits, Place};
use super::line::Line;
use super::upcoming::Upcoming;
use crate::engine::event::Moment;

/// See the module docs.
#[derive(Debug)]
pub(super) struct Door {
    /// One for each length that a limit has.
    watches: Vec<Watch>,
    /// For each class, which of them is for it.
    of_class: Vec<Option<usize>>,
    /// Position of the task that is let in next.
    next_in: u64,
    /// Whether somebody is outside.
    open: bool,
}

#[derive(Debug)]
struct Watch {
    limit: Duration,
    /// Everything ahead of this that has the limit is in or gone.
    position: u64,
    upcoming: Upcoming,
}

impl Door {
    pub(super) fn new(limits: &Limits) -> Self {
        let mut watches: Vec<Watch> = Vec::new();
        let mut watch_with = |limit: Duration| {
            watches.iter().position(|watch| watch.limit == limit).unwrap_or_else(|| {
                watches.push(Watch { limit, position: 0, upcoming: Upcoming::none() });
                watches.len() - 1
            })
        };
        let limit_of = |class| limits.first_of(class).map(|limit| limit.duration());
        let of_class = (0..limits.classes()).map(|class| limit_of(class).map(&mut watch_with)).collect();
        Self { watches, of_class, next_in: 0, open: false }
    }

    /// Whether somebody is outside whose limit is watched.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// The tasks from this position on, which come at these times, find no room.
    pub(super) fn open(&mut self, position: u64, upcoming: &Upcoming) {
        self.next_in = position;
        for watch in self.watches.iter_mut().filter(|watch| !self.open || watch.position < position) {
            (watch.position, watch.upcoming) = (position, upcoming.again());
        }
        self.open = true;
    }

    /// Everybody is in.
    pub(super) fn close(&mut self) {
        self.open = false;
    }

    /// The task at this position is let in.
    pub(super) fn let_in(&mut self, position: u64) {
        self.next_in = position + 1;
    }

    /// Whether the task at this position, which is the next to be let in, has given that up.
    pub(super) fn has_lost(&self, position: u64, line: &Line) -> bool {
        let passed = |watch: &Watch| position < watch.position;
        // Only where one of them went ahead does it matter which of them it is.
        self.open
            && self.watches.iter().any(passed)
            && self.watch_of(position, line).and_then(|number| self.watches.get(number)).is_some_and(passed)
    }

    fn watch_of(&self, position: u64, line: &Line) -> Option<usize> {
        *self.of_class.get(usize::from(line.task_at(position).class))?
    }

    /// May be early: what comes next need not have the limit that it is watched for.
    pub(super) fn next_expiry(&self) -> Option<Moment> {
        let next = |watch: &Watch| watch.upcoming.next().map(|at| at + watch.limit);
        self.watches.iter().filter(|_| self.open).filter_map(next).min()
    }

    /// Ends the waiting of tasks whose time is over; at most so many are looked at.
    pub(super) fn expire(&mut self, now: Moment, line: &Line, left: &mut u64, gone: &mut Gone) {
        if !self.open {
            return;
        }
        for number in 0..self.watches.len() {
            while let Some(watch) = self.watches.get(number).filter(|_| *left > 0) {
                let (position, Some(at)) = (watch.position, watch.upcoming.next().filter(|at| *at <= now)) else {
                    break;
                };
                let (over, is_outside) = (at + watch.limit <= now, position >= self.next_in);
                if is_outside && self.watch_of(position, line) == Some(number) {
                    if !over {
                        break;
                    }
                    let run = line.task_at(position);
                    if let Some(limit) = line.limits().first_of(usize::from(run.class)) {
                        gone.add_outside(run.class, limit, run.first, Place { position, count: 1, arrival: at });
                    }
                }
                *left -= 1;
                if let Some(watch) = self.watches.get_mut(number) {
                    watch.position += 1;
                    watch.upcoming.pass();
                }
            }
        }
    }
}
