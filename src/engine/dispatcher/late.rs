//! Tasks that have worked longer than they may and ended before anybody has looked: what their own times say counts, as it
//! would have at the moment of the limit.

use super::Dispatcher;
use super::input::{Sink, TaskFailure, TaskOutput};
use crate::engine::event::{LaneId, Moment, Record};
use crate::engine::outcome::{Cause, Outcome};
use crate::engine::stream::ClassRules;
use crate::workload::model::TaskIndex;
use std::time::Duration;

/// The shortest limit on the work of a task, in nanoseconds.
pub(super) fn shortest(classes: &[ClassRules]) -> u64 {
    let limits = classes.iter().filter_map(|rules| rules.timeout);
    limits.min().map_or(u64::MAX, |limit| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX))
}

impl Dispatcher {
    /// Takes in results, some of which may have come too late.
    pub(super) fn done_or_late(&mut self, now: Moment, id: LaneId, records: &[Record], out: &mut dyn Sink) {
        let mut rest = records;
        let mut seen = 0;
        while let Some(place) = rest[seen..].iter().position(|record| record.service >= self.shortest_limit) {
            let place = seen + place;
            let Record { index, start, service, .. } = rest[place];
            seen = place + 1;
            if self.limit_passed(id, index, service).is_none() {
                continue;
            }
            let (before, late) = rest.split_at(place);
            if !before.is_empty() {
                self.done(now, id, before, out);
            }
            (rest, seen) = (&late[1..], 0);
            let output = TaskOutput::default();
            let failure = TaskFailure { index, start, service, message: None, exit: None, not_started: false, output };
            if !self.is_late(now, id, &failure, out) {
                self.done(now, id, &late[..1], out);
            }
        }
        if !rest.is_empty() || records.is_empty() {
            self.done(now, id, rest, out);
        }
    }

    /// The limit that a task has reached which a lane answers for and has worked for so many nanoseconds.
    fn limit_passed(&self, id: LaneId, index: TaskIndex, service: u64) -> Option<Duration> {
        if self.stopped_at.is_some() {
            // What is in work is cancelled.
            return None;
        }
        // Where it was not seen when it ended, it may have been in time.
        let lane = self.table.lane(id).filter(|lane| !lane.ended_unseen)?;
        let limit = self.rules(lane.open_task(index)?.ticket.class).timeout?;
        (Duration::from_nanos(service) >= limit).then_some(limit)
    }

    /// Deals with a task that has ended in its own way and too late; says whether it is one.
    pub(super) fn is_late(&mut self, now: Moment, id: LaneId, ended: &TaskFailure, out: &mut dyn Sink) -> bool {
        let (index, service) = (ended.index, ended.service);
        let Some(limit) = self.limit_passed(id, index, service).filter(|_| !ended.not_started) else { return false };
        let Some((worker, lane)) = self.table.lane_mut(id) else { return false };
        let Some(next) = lane.held.pop_front_if(|held| held.ticket.first == index && !held.expired) else {
            return false;
        };
        let (held, rest) = next.split(1);
        rest.into_iter().for_each(|rest| lane.held.push_front(rest));
        let times = lane.times(&held, ended.start, service);
        // The next attempt at it, be it here, has a start of its own.
        lane.found_in = None;
        lane.hear(now);
        lane.free_since = Moment(ended.start.0.saturating_add(service));
        worker.proven = true;
        self.early_deaths = 0;
        self.estimates.observe(held.ticket.class, 1, service);
        let mut report = self.report(now, id.slot(), &held, Outcome::TimedOut, Cause::Timeout { limit });
        report.set_times(times);
        report.exit = ended.exit;
        report.stdout_tail.clone_from(&ended.output.stdout);
        report.stderr_tail.clone_from(&ended.output.stderr);
        report.output_omitted_bytes = ended.output.omitted;
        let may_retry = self.rules(held.ticket.class).retries.on_timeout;
        self.attempt_over(now, &held, report, may_retry, out);
        self.after_result(now, id.slot(), out);
        true
    }
}
