//! What virtual workers do by themselves: say hello, initialize, begin, report, fall silent and die.

use poolscope::engine::dispatcher::Input;
use poolscope::engine::dispatcher::input::{Ended, TaskFailure, TaskOutput};
use poolscope::engine::event::{LaneId, Moment, Record, Usage, WorkerId};
use poolscope::engine::outcome::Exit;

use super::{Current, Scheduled, Worker, World};
use crate::draws::MS;

impl World {
    pub(super) fn begin(&mut self, id: LaneId) {
        let (now, clock) = (self.now, self.now + self.stood);
        let Some(worker) = self.workers.get_mut(&id.worker) else { return };
        if worker.closed_since.is_some() || worker.silent_since.is_some() {
            return;
        }
        let lane = worker.lanes.entry(id.number).or_default();
        if !lane.in_no_task() {
            return;
        }
        let Some(&(index, begin_by)) = lane.tasks.front() else { return };
        if begin_by.is_some_and(|at| clock >= at) {
            // It is told first what was done before, and holds this one until it has said that it skips it.
            self.report(id);
            self.lane(id).map(|lane| lane.tasks.pop_front());
            self.faults.skips += 1;
            // It was told until when it may begin, and its caller has given up since.
            self.lane(id).into_iter().for_each(|lane| lane.ghost = false);
            self.feed(Input::Skipped { lane: id, first: index, count: 1 });
            return self.begin(id);
        }
        lane.tasks.pop_front();
        lane.beginning = Some((index, now));
        self.begun.insert(index);
        if self.trouble() && self.dice.chance(30) {
            // Between reading its clock and writing its board, somebody else has its turn. Its board shows no task then: it
            // has just reported, or it would still show the one before.
            self.report(id);
            let delay = self.dice.below(8 * MS);
            self.later(delay, Scheduled::Seen(id));
        } else {
            self.seen(id);
        }
    }

    /// The board shows the task that a lane has begun.
    pub(super) fn seen(&mut self, id: LaneId) {
        let now = self.now;
        let Some(lane) = self.lane(id) else { return };
        let Some((index, started)) = lane.beginning.take() else { return };
        lane.current = Some(Current { index, started, seen: now });
        let ghost = lane.ghost;
        let class = usize::from(self.stream.class(index));
        let can_hang = self.rules[class].timeout.is_some();
        let service = self.dice.below(30 * MS);
        if ghost {
            self.later(service, Scheduled::Finish(id));
        } else if self.trouble() {
            self.later(service, Scheduled::Die(id.worker, 11));
        } else if can_hang && self.trouble() {
            self.faults.hangs += 1;
        } else if self.trouble() && self.dice.chance(30) {
            self.later(service, Scheduled::CloseSocket(id.worker));
        } else {
            self.later(service, Scheduled::Finish(id));
        }
    }

    pub(super) fn hello(&mut self, id: WorkerId) {
        let now = self.now;
        let Some(worker) = self.workers.get_mut(&id) else { return };
        // The fork server has run it.
        if self.initializer.is_none() || self.forks {
            worker.ready = true;
        } else {
            worker.initializing_since = Some(now);
            let takes = self.dice.below(30 * MS);
            if !self.trouble() {
                self.later(takes, Scheduled::Initialized(id));
            } else if self.dice.chance(50) || self.initializer.is_some_and(|rules| rules.timeout.is_none()) {
                self.later(takes, Scheduled::Die(id, 11));
            }
        }
        // One that is its task is in it before anybody hears its hello.
        let silently = self.workers.get(&id).is_some_and(|worker| worker.started_for_one && worker.ready);
        if silently && self.dice.chance(50) {
            self.begin(id.lane(0));
            return;
        }
        self.feed(Input::Hello { worker: id });
        self.begin_only_task(id);
    }

    pub(super) fn begin_only_task(&mut self, id: WorkerId) {
        if self.workers.get(&id).is_some_and(|worker| worker.started_for_one && worker.ready) {
            self.begin(id.lane(0));
        }
    }

    pub(super) fn initialized(&mut self, id: WorkerId) {
        let fails = self.trouble();
        let Some(worker) = self.workers.get_mut(&id) else { return };
        worker.initializing_since = None;
        let result = if fails {
            self.faults.failed_initializers += 1;
            Err("no connection".to_owned())
        } else {
            worker.ready = true;
            Ok(None)
        };
        self.feed(Input::Initialized { worker: id, result });
        self.begin_only_task(id);
    }

    pub(super) fn report_all(&mut self, id: WorkerId) {
        let numbers: Vec<u16> =
            self.workers.get(&id).into_iter().flat_map(|worker| worker.lanes.keys().copied()).collect();
        numbers.into_iter().for_each(|number| self.report(id.lane(number)));
    }

    pub(super) fn report(&mut self, id: LaneId) {
        let Some(lane) = self.lane(id) else { return };
        let records = std::mem::take(&mut lane.unreported);
        if self.workers.get(&id.worker).is_some_and(|worker| worker.closed_since.is_some()) {
            return;
        }
        if !records.is_empty() {
            self.feed(Input::Done { lane: id, records: &records });
        }
    }

    pub(super) fn finish(&mut self, id: LaneId) {
        if self.workers.get(&id.worker).is_none_or(|worker| worker.closed_since.is_some()) {
            return;
        }
        let Some(lane) = self.lane(id) else { return };
        let Some(Current { index, started, .. }) = lane.current.take() else { return };
        lane.ghost = false;
        let service = self.now - started;
        if self.trouble() {
            self.report(id);
            self.faults.errors += 1;
            let failure = TaskFailure {
                index,
                start: Moment(started),
                service,
                message: self.dice.chance(50).then(|| "boom".to_owned()),
                exit: Some(Exit::Code(1)),
                not_started: false,
                output: TaskOutput::default(),
            };
            self.feed(Input::Failed { lane: id, failure: Box::new(failure) });
        } else if self.dice.chance(self.trouble / 10) {
            self.report(id);
            self.faults.misbehaviour += 1;
            let record = Record { index: index + 1_000_000, start: Moment(started), service, after: 0, value: 0 };
            self.misbehaved.insert(index);
            self.feed(Input::Done { lane: id, records: &[record] });
            return;
        } else if let Some(lane) = self.lane(id) {
            lane.unreported.push(Record { index, start: Moment(started), service, after: 0, value: index });
        }
        let Some(worker) = self.workers.get(&id.worker) else { return };
        if worker.started_for_one || worker.leaving {
            self.report(id);
            let delay = self.dice.below(MS);
            if !self.workers.get(&id.worker).is_some_and(Worker::is_in_task) {
                self.later(delay, Scheduled::Leave(id.worker));
            }
            return;
        }
        let empty = worker.lanes.get(&id.number).is_some_and(|lane| lane.tasks.is_empty());
        if empty || self.dice.chance(50) {
            self.report(id);
        }
        self.begin(id);
    }

    /// Asked to leave, it ends in the middle of its task and says that all is well. What it was in has had its attempt.
    pub(super) fn quit(&mut self, id: WorkerId) {
        let in_work: Vec<u64> = self
            .workers
            .get(&id)
            .filter(|worker| worker.leaving && !worker.stopped && worker.closed_since.is_none())
            .into_iter()
            .flat_map(|worker| worker.lanes.values().filter(|lane| !lane.ghost))
            .filter_map(|lane| lane.current.map(|current| current.index))
            .filter(|index| !self.told.ended.contains(index))
            .collect();
        if in_work.is_empty() {
            return;
        }
        let attempts = |world: &Self, index| world.told.attempts.get(index).copied().unwrap_or(0);
        let before: Vec<u32> = in_work.iter().map(|index| attempts(self, index)).collect();
        self.faults.quits += 1;
        self.die(id, Exit::Code(0));
        for (index, before) in in_work.iter().zip(before) {
            assert_eq!(attempts(self, index), before + 1, "seed {}: task {index} was not lost", self.seed);
        }
    }

    pub(super) fn die(&mut self, id: WorkerId, exit: Exit) {
        let keeps_reports = self.dice.chance(50);
        if keeps_reports {
            self.report_all(id);
        }
        let tasks = self.in_tasks(id);
        let Some(worker) = self.workers.remove(&id) else { return };
        if exit != Exit::Code(0) {
            self.faults.deaths += 1;
        }
        if tasks.len() > 1 {
            self.faults.shared_deaths += 1;
        }
        if worker.lanes.values().any(|lane| !lane.unreported.is_empty()) {
            self.faults.lost_reports += 1;
        }
        let ended = Ended {
            culprit: None,
            exit,
            at: Moment(self.now),
            tasks,
            usage: Usage::default(),
            peak_rss_bytes: None,
            out_of_memory: false,
            fault: false,
            left_behind: false,
            output: TaskOutput::default(),
        };
        self.feed(Input::Exited { worker: id, ended: Box::new(ended) });
    }

    pub(super) fn falls_silent(&mut self, id: WorkerId) {
        self.faults.silences += 1;
        let now = self.now;
        if let Some(worker) = self.workers.get_mut(&id) {
            worker.silent_since.get_or_insert(now);
        }
    }

    pub(super) fn close_socket(&mut self, id: WorkerId) {
        let now = self.now;
        let Some(worker) = self.workers.get_mut(&id) else { return };
        worker.closed_since = Some(now);
        worker.lanes.values_mut().for_each(|lane| lane.unreported.clear());
        self.faults.closed_sockets += 1;
        if self.dice.chance(50) {
            let delay = self.dice.below(10 * MS);
            self.later(delay, Scheduled::Leave(id));
        }
        self.feed(Input::Closed { worker: id });
    }
}
