//! What is reported of workers, from their start to their end.

use super::{Heard, Ledger, ReportedLane, ReportedWorker};
use crate::engine::error::Contradiction;
use crate::engine::event::{Beginning, DeathCause, EndReason, Event, Moment, Severity, Slot, Usage, WorkerId};
use crate::engine::outcome::{Cause, Exit};
use crate::os::board;
use crate::os::clock::monotonic;

impl Ledger {
    pub(super) fn worker(&mut self, worker: u32) -> Result<&mut ReportedWorker, Contradiction> {
        self.workers.get_mut(&worker).ok_or(Contradiction::Worker { worker, how: "which has not started or is gone" })
    }

    pub(super) fn worker_started(&mut self, worker: u32, pid: u32, lanes: Vec<Slot>, restart: bool) -> Heard {
        self.worker_started_at(monotonic(), (worker, pid), lanes, restart)
    }

    /// The same, where that was at a reading of `CLOCK_MONOTONIC`.
    pub(super) fn worker_started_at(
        &mut self,
        at: u64,
        (worker, pid): (u32, u32),
        lanes: Vec<Slot>,
        restart: bool,
    ) -> Heard {
        let wrong = |how| Err(Contradiction::Worker { worker, how });
        if self.workers.contains_key(&worker) {
            return wrong("which has started already");
        }
        if self.workers.values().any(|other| other.pid == pid) {
            return wrong("whose process is another worker's");
        }
        let Some(first) = lanes.first().copied().filter(|_| lanes.iter().all(|lane| lane.0 < board::SLOTS)) else {
            return wrong("whose lanes are none or too many");
        };
        for lane in &lanes {
            let index = lane.index();
            if self.lanes.len() <= index {
                self.lanes.resize(index + 1, ReportedLane::default());
            }
            if self.lanes[index].worker.replace(worker).is_some() {
                return wrong("whose lane is another worker's");
            }
        }
        let started = self.clock.moment(at);
        let account = &mut self.lanes[first.index()];
        account.epoch += 1;
        let id = WorkerId { slot: first, epoch: account.epoch };
        let new = ReportedWorker {
            id,
            pid,
            lanes,
            ready: false,
            started,
            began: None,
            usage: Usage::NONE,
            peak_rss_bytes: None,
            killed_on_request: false,
        };
        self.workers.insert(worker, new);
        self.tell_of(at, &Event::WorkerStarted { worker: id, pid, restart });
        Ok(())
    }

    /// The process of a worker was ready for what comes next at a reading of `CLOCK_MONOTONIC`: how it came to be is known now,
    /// if it was told.
    pub(super) fn worker_began(&mut self, worker: u32, ready: u64) -> Heard {
        let known = self.worker(worker)?;
        let (worker, called) = (known.id, known.started);
        let Some((executed, began)) = known.began.take() else { return Ok(()) };
        let at = |monotonic: u64, from: Moment| self.clock.moment(monotonic).max(from);
        let executed = at(executed, called);
        let began = at(began, executed);
        let beginning = Beginning { called, executed, own: Some((began, at(ready, began))) };
        self.tell_of(ready, &Event::WorkerBegan { worker, beginning });
        Ok(())
    }

    /// A worker can work since a reading of `CLOCK_MONOTONIC`.
    pub(super) fn worker_ready(&mut self, worker: u32, at: u64) -> Heard {
        let ready = self.clock.moment(at);
        let known = self.worker(worker)?;
        known.ready = true;
        let (worker, took) = (known.id, ready.since(known.started));
        self.tell_of(at, &Event::WorkerReady { worker, took });
        Ok(())
    }

    pub(super) fn worker_exited(
        &mut self,
        worker: u32,
        exit: Exit,
        usage: Usage,
        peak_rss_bytes: Option<u64>,
        expected: bool,
    ) {
        let Some(gone) = self.workers.remove(&worker) else { return };
        let cause = Cause::WorkerDied { exit, by_user: gone.killed_on_request, out_of_memory: false };
        for lane in &gone.lanes {
            self.lose(*lane, gone.pid, &cause, exit);
            if let Some(lane) = self.lanes.get_mut(lane.index()) {
                lane.worker = None;
            }
        }
        let initializes = self.observed.as_ref().is_some_and(|seen| seen.has_initializer);
        let death = match (gone.killed_on_request, expected) {
            (true, _) => DeathCause::Request,
            (false, true) => DeathCause::Left,
            (false, false) if initializes && !gone.ready => DeathCause::Initializer,
            (false, false) => DeathCause::of_itself(exit, false, false),
        };
        let (worker, pid) = (gone.id, gone.pid);
        self.tell(&Event::WorkerExited { worker, pid, exit, usage, expected, cause: death, peak_rss_bytes });
    }

    /// The worker in a slot, or the first one that is in a task, is to be killed if it is there: its number. One that is to
    /// be killed already is as good as gone.
    pub(in crate::engine::external) fn kill(&mut self, slot: Option<Slot>) -> Option<u32> {
        let busy = |lane: &ReportedLane| lane.task.is_some();
        let killable = |lane: &ReportedLane| {
            let worker = lane.worker?;
            self.workers.get(&worker).filter(|worker| !worker.killed_on_request).map(|_| worker)
        };
        let number = match slot {
            Some(slot) => self.lanes.get(slot.index()).and_then(killable)?,
            None => self.lanes.iter().filter(|lane| busy(lane)).find_map(killable)?,
        };
        let worker = self.workers.get_mut(&number)?;
        worker.killed_on_request = true;
        let (id, pid) = (worker.id, worker.pid);
        let is_busy =
            |worker: &&ReportedWorker| worker.lanes.iter().filter_map(|lane| self.lanes.get(lane.index())).any(busy);
        let others = self.workers.values().filter(is_busy).map(|other| other.id);
        let others: Vec<WorkerId> = others.filter(|other| *other != id).collect();
        let (pid, reason) = (Some(pid), EndReason::Request);
        self.tell(&Event::WorkerEnding { worker: id, slot: id.slot, pid, reason, others: &others });
        Some(number)
    }

    /// How many workers there are.
    pub(in crate::engine::external) fn live_workers(&self) -> usize {
        self.workers.len()
    }

    /// Whether a lane with this number was ever reported.
    pub(in crate::engine::external) fn knows_lane(&self, lane: Slot) -> bool {
        self.lanes.len() > lane.index()
    }

    /// The program is gone, and with it every worker. What has no outcome is lost where it had begun, unless the run was
    /// `stopped`, and cancelled otherwise; `own` is the account of the program itself.
    pub(in crate::engine::external) fn close(
        &mut self,
        pid: u32,
        own: (Exit, Usage, Option<u64>),
        stopped: bool,
        well: bool,
    ) {
        if stopped {
            for lane in &mut self.lanes {
                lane.task = None;
            }
            self.counts.running = 0;
        }
        let left: Vec<u32> = self.workers.keys().copied().collect();
        for number in left {
            let Some(worker) = self.workers.get(&number) else { continue };
            if worker.pid != pid && well && !stopped {
                let text = format!(
                    "worker {number} (pid {}) was not reported as ended: its CPU time is not known",
                    worker.pid
                );
                let note = Event::Note { severity: Severity::Warning, text };
                self.observer.event(self.clock.now(), &note);
            }
            let Some(worker) = self.workers.get(&number) else { continue };
            let (exit, usage, peak) = if worker.pid == pid { own } else { (Exit::Unknown, worker.usage, None) };
            self.worker_exited(number, exit, usage, peak, stopped || well);
        }
        self.close_observed();
        self.given.clear();
        self.in_order.clear();
        self.counts.queued = 0;
        self.counts.cancelled += self.counts.submitted - self.counts.finished();
    }
}
