//! Every limit is met at its very moment: asserted from above after every input, whatever happens. The only delays are
//! those of the world itself: a board that shows a task late, a worker that is in no task.

use poolscope::engine::event::{RunState, WaitingLimit, WorkerId};
use poolscope::workload::model::OnFull;

use crate::draws::MS;
use crate::world::{Current, Lane, Worker, World};

/// How long a worker that is in no task is given to report before what it holds expires.
const REPORTING: u64 = 5 * MS;
/// How often it is looked at in that time.
const AGAIN: u64 = MS;
/// Until a fork server that does not answer is gone, and with it what it was asked for.
const SERVER_GOES: u64 = 12 * MS;
/// How long a worker may live on after its socket was closed.
const CLOSING: u64 = 50 * MS;
/// How long a killed worker may be waited for.
const GONE: u64 = 5_000 * MS;
/// The same once the run is being stopped.
pub const GONE_AT_STOP: u64 = 800 * MS;

fn nanos(limit: std::time::Duration) -> u64 {
    limit.as_nanos() as u64
}

impl World {
    pub(crate) fn limits_are_met(&self) {
        for (name, worker) in &self.workers {
            let Some(killed) = worker.killed else { continue };
            let at_stop = self.stopped_at.map_or(u64::MAX, |stopped| killed.max(stopped) + GONE_AT_STOP);
            let goes = self.lateness + if worker.unborn { SERVER_GOES } else { 0 };
            assert!(
                self.now < at_stop.min(killed + GONE) + goes,
                "seed {}: {name:?} is waited for for ever",
                self.seed
            );
        }
        if !matches!(self.dispatcher.state(), RunState::Running | RunState::Paused) {
            return;
        }
        for (name, worker) in &self.workers {
            self.worker_meets_its_limits(*name, worker);
        }
        self.nobody_waits_too_long();
    }

    fn worker_meets_its_limits(&self, name: WorkerId, worker: &Worker) {
        let seed = self.seed;
        // What a late wake is late by, everything else may be.
        let now = self.now.saturating_sub(self.lateness);
        for (number, lane) in worker.lanes.iter().filter(|(_, lane)| !lane.ghost) {
            let Some(current) = lane.current.filter(|current| !self.told.ended.contains(&current.index)) else {
                continue;
            };
            let Current { index, started, seen } = current;
            if let Some(limit) = self.rules[usize::from(self.stream.class(index))].wait_timeout {
                let due = self.arrivals[index as usize] + nanos(limit);
                // One that was in no task at the last look is found in it at the next.
                let due = if seen > due { seen + AGAIN } else { due };
                assert!(worker.stopped || now < due, "seed {seed}: lane {number} of {name:?} in {index}, given up");
            }
            if let Some(limit) = self.rules[usize::from(self.stream.class(index))].timeout {
                let due = started.max(seen) + nanos(limit);
                assert!(
                    worker.stopped || now < due,
                    "seed {seed}: lane {number} of {name:?} in {index} since {started}"
                );
            }
        }
        if let Some(limit) = self.initializer.and_then(|rules| rules.timeout)
            && let Some(since) = worker.initializing_since
        {
            let due = since + nanos(limit);
            // One that was asked to leave has the time for that.
            let told_to_go = worker.stopped || worker.leaving;
            assert!(told_to_go || now < due, "seed {seed}: {name:?} is being initialized since {since}");
        }
        if let Some(due) = worker.gone_by {
            assert!(worker.killed.is_some() || now < due, "seed {seed}: {name:?} outlives its grace period");
        }
        if worker.stopped {
            return;
        }
        let gone_anyway = worker.leaving && worker.holds_nothing();
        if let Some(since) = worker.silent_since.filter(|_| !gone_anyway) {
            // One that is not there goes with the server, which is looked at again first and takes a moment to be gone.
            let due = since + self.start_timeout + if worker.unborn { SERVER_GOES } else { 0 };
            assert!(now < due, "seed {seed}: {name:?} is silent since {since}");
        }
        if let Some(since) = worker.closed_since.filter(|_| !gone_anyway || worker.is_in_task()) {
            assert!(now < since + CLOSING, "seed {seed}: {name:?} lives on without a socket since {since}");
        }
    }

    fn nobody_waits_too_long(&self) {
        for &(index, at, limit) in &self.told.expiries {
            assert!(
                at >= self.arrivals[index as usize] + nanos(limit.duration()),
                "seed {}: task {index} expired early",
                self.seed
            );
        }
        // What a living worker has done by its board does not expire, reported or not.
        for worker in self.workers.values().filter(|worker| !worker.stopped) {
            for record in worker.lanes.values().flat_map(|lane| &lane.unreported) {
                let end = record.start.0 + record.service;
                let limit = self.rules[usize::from(self.stream.class(record.index))].queue_timeout.map_or(0, nanos);
                let due = self.arrivals[record.index as usize] + limit;
                let told = |told: &&(u64, u64, WaitingLimit)| (told.0, told.1) == (record.index, due);
                let expired = self.told.expiries.iter().find(told).is_some() && end < due;
                assert!(!expired, "seed {}: task {} was done and expired", self.seed, record.index);
            }
        }
        let dropping = self.on_full == OnFull::Drop;
        // Which arrivals were dropped is not told one by one.
        if dropping && self.dispatcher.counts().dropped > 0 {
            return;
        }
        // One that is held because there is no room waits too.
        let arrived = match self.timed {
            true => self.arrivals.partition_point(|at| *at <= self.now) as u64,
            false => self.dispatcher.counts().submitted,
        };
        for index in 0..arrived {
            let rules = self.rules[usize::from(self.stream.class(index))];
            let was_in_work = self.begun.contains(&index) || self.told.attempts.contains_key(&index);
            // Its caller's patience ends whatever became of it so far.
            let in_queue = rules.queue_timeout.filter(|_| !was_in_work);
            let Some(limit) = in_queue.into_iter().chain(rules.wait_timeout).min() else { continue };
            let due = self.arrivals[index as usize] + nanos(limit);
            if self.now < due || self.told.ended.contains(&index) {
                continue;
            }
            // In work, by its board or not yet: that has its own limit. Done, and not reported: that is no wait.
            let in_work = self.workers.values().any(|worker| {
                let at_it = |lane: &Lane| {
                    lane.current.is_some_and(|current| current.index == index)
                        || lane.beginning.is_some_and(|(beginning, _)| beginning == index)
                        || lane.unreported.iter().any(|record| record.index == index)
                };
                worker.lanes.values().any(at_it) || worker.ended_in.contains(&index)
            });
            if in_work {
                continue;
            }
            let mut lanes = self.workers.values().flat_map(|worker| worker.lanes.values());
            let holder = lanes.find(|lane| lane.tasks.iter().any(|(held, _)| *held == index));
            let allowed = match holder {
                // A process that is started for a task has taken it out of the queue.
                Some(_) if !self.policy.keeps_workers() && rules.wait_timeout != Some(limit) => continue,
                Some(_) if !self.policy.keeps_workers() => due,
                Some(lane) => match lane.current {
                    None => due + REPORTING,
                    // One that was in no task at the last look is found in it at the next.
                    Some(current) => due.max(current.seen + AGAIN),
                },
                None => due,
            };
            assert!(
                self.now < allowed + self.lateness,
                "seed {}: task {index} waits since {}",
                self.seed,
                self.arrivals[index as usize]
            );
        }
    }
}
