//! What was counted slot by slot: of lanes the tasks and the time in them, of workers the processes and what these used.
//!
//! CPU time is counted once: while a worker lives it is what its lanes say of themselves, together; when its process was
//! reaped, it is the kernel's account of that, and nothing that the lanes said counts in any sum.

use std::time::Duration;

use crate::engine::event::{LaneId, Moment, PageFaults, Record, Slot, SlotView, Usage, WorkerId};
use crate::engine::outcome::AttemptReport;
use crate::metrics::latency::BatchSums;
use crate::metrics::nanos::ns;
use crate::metrics::sampler::Account;
use crate::metrics::snapshot::Death;
use crate::workload::model::TaskIndex;

/// Slots that are told apart; an engine has far fewer. Bounds the memory against a wrong number.
const MOST: usize = 1 << 16;

/// Totals of one slot.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SlotTotals {
    /// The lanes that had it, one after the other.
    pub(crate) lane: LaneTotals,
    /// The workers whose first lanes these were.
    pub(crate) worker: WorkerTotals,
}

/// Totals of the lanes that had a slot.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LaneTotals {
    /// Tasks that succeeded.
    pub(crate) done: u64,
    /// Nanoseconds in tasks.
    pub(crate) busy: u64,
    /// End of its last task.
    pub(crate) last_end: Moment,
    /// The task it was last seen in and nothing was heard of since.
    in_task: Option<SeenTask>,
    /// What the live one has used, as it said itself.
    told: Usage,
    /// Whether it is one of several that a worker has told apart.
    told_apart: bool,
    /// Its part of what reaped processes used. The first lane has all that is no other's.
    spent: Duration,
    /// Its part of their page faults, likewise.
    faults: PageFaults,
}

#[derive(Clone, Copy, Debug)]
struct SeenTask {
    index: TaskIndex,
    /// Its first instruction.
    start: Moment,
    /// The process that it was seen in.
    pid: Option<u32>,
}

/// Totals of the workers whose first lanes had a slot.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct WorkerTotals {
    /// Processes started.
    pub(crate) starts: u64,
    /// Of these, in place of one that died or was killed.
    pub(crate) restarts: u64,
    /// The live one.
    live: Option<LiveWorker>,
    /// When it was started.
    pub(crate) started: Moment,
    /// Tasks that had succeeded in its slot before it was started.
    done_before: u64,
    /// What the reaped ones used.
    exited: Duration,
    /// How the last one that is gone ended.
    pub(crate) last_exit: Option<Death>,
}

#[derive(Clone, Copy, Debug)]
struct LiveWorker {
    id: WorkerId,
    pid: u32,
    /// So many of its first lanes have been told apart.
    lanes: u16,
}

impl LiveWorker {
    fn lanes(self) -> impl Iterator<Item = LaneId> {
        (0..self.lanes).map(move |number| self.id.lane(number))
    }
}

impl SlotTotals {
    /// CPU time of its lanes; `sampled` is what the sampler has seen its workers use.
    #[must_use]
    pub(crate) fn cpu(&self, sampled: Duration) -> Duration {
        // What a process has used is that of its lane only where it has one.
        let running = if self.lane.told_apart { Duration::ZERO } else { sampled.saturating_sub(self.worker.exited) };
        self.lane.spent + self.lane.told.cpu().max(running)
    }
}

impl SlotTotals {
    /// Page faults of its lanes, of live ones as they say themselves.
    #[must_use]
    pub(crate) fn page_faults(&self) -> PageFaults {
        self.lane.faults + self.lane.told.page_faults()
    }

    /// Tasks that succeeded in the first lane of the live worker.
    #[must_use]
    pub(crate) fn done_by_worker(&self) -> u64 {
        self.lane.done.saturating_sub(self.worker.done_before)
    }
}

impl LaneTotals {
    fn worked(&mut self, service: u64, ended: Moment) {
        self.busy = self.busy.saturating_add(service);
        self.last_end = self.last_end.max(ended);
    }
}

/// All slots there have been, and their sums.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    slots: Vec<SlotTotals>,
    /// Whether a worker was seen with several lanes.
    lanes_share: bool,
    /// Nanoseconds in tasks.
    pub(crate) work: u64,
    /// Nanoseconds between dispatch and first instruction.
    pub(crate) startup: u64,
    /// Processes started.
    pub(crate) starts: u64,
    /// Of these, in place of one that died or was killed.
    pub(crate) restarts: u64,
    /// Processes reaped.
    pub(crate) exits: u64,
    /// Largest resident set of a reaped process.
    pub(crate) peak_rss: u64,
    /// What all reaped processes used.
    pub(crate) exited: Usage,
}

impl Slots {
    /// Totals of a slot; none before anything happened in it.
    #[must_use]
    pub(crate) fn get(&self, slot: Slot) -> Option<&SlotTotals> {
        self.slots.get(slot.index())
    }

    /// All slots that anything happened in, and those between them, in order.
    #[must_use]
    pub(crate) fn all(&self) -> &[SlotTotals] {
        &self.slots
    }

    /// What all processes used, as exactly as is known now.
    #[must_use]
    pub(crate) fn usage(&self) -> Usage {
        let mut usage = self.exited;
        self.slots.iter().for_each(|slot| usage += slot.lane.told);
        usage
    }

    /// What the sampler needs to know of a slot.
    #[must_use]
    pub(crate) fn account(&self, slot: Slot) -> Account {
        let Some(totals) = self.get(slot) else { return Account::default() };
        let worker = &totals.worker;
        let told = |lane: LaneId| self.get(lane.slot()).map_or(Duration::ZERO, |slot| slot.lane.told.cpu());
        Account {
            pid: worker.live.map(|live| live.pid),
            exited: worker.exited,
            reported: worker.live.into_iter().flat_map(LiveWorker::lanes).map(told).sum(),
            lane: totals.lane.told_apart.then(|| totals.cpu(Duration::ZERO)),
        }
    }

    /// That of every slot, in order.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = Account> + '_ {
        (0..).map(Slot).take(self.slots.len()).map(|slot| self.account(slot))
    }

    /// Successful tasks.
    pub(crate) fn succeeded(&mut self, slot: Slot, records: &[Record], sums: &BatchSums) {
        self.work = self.work.saturating_add(sums.work);
        self.startup = self.startup.saturating_add(sums.startup);
        if let Some(SlotTotals { lane, .. }) = self.slot(slot) {
            lane.done += records.len() as u64;
            let last = records.last().map_or(Moment::ZERO, |record| record.start);
            lane.in_task.take_if(|task| task.start <= last);
            lane.busy = lane.busy.saturating_add(sums.work);
            lane.last_end = lane.last_end.max(sums.end);
        }
    }

    /// An attempt that did not succeed. One that never started (no such program) has no times to add.
    pub(crate) fn attempted(&mut self, report: &AttemptReport) {
        let Some(slot) = report.slot else { return };
        if let Some(SlotTotals { lane, .. }) = self.slot(slot) {
            lane.in_task.take_if(|task| task.index == report.index);
        }
        if let Some(times) = report.times() {
            self.startup = self.startup.saturating_add(ns(times.startup));
            self.worked(slot, ns(times.service), report.ended);
        }
    }

    /// What a slot is in now.
    pub(crate) fn seen(&mut self, view: &SlotView) {
        let task = view.task.map(|(index, _, start)| SeenTask { index, start, pid: view.pid });
        let known = if task.is_some() { self.slot(view.slot) } else { self.slots.get_mut(view.slot.index()) };
        let Some(SlotTotals { lane, worker }) = known else { return };
        lane.in_task = task;
        let shares = view.pid.is_some() && worker.live.map(|live| live.pid) != view.pid;
        self.lanes_share |= shares;
    }

    /// A process ended in tasks that have no report: the run was stopped. They were work until then, and did not become
    /// idle time because nothing came of them. Whether there were any.
    fn cut_off(&mut self, now: Moment, worker: WorkerId, pid: u32) -> bool {
        let all = if self.lanes_share { 0..self.slots.len() } else { worker.slot.index()..worker.slot.index() + 1 };
        let mut any = false;
        for slot in all {
            let Some(SlotTotals { lane, .. }) = self.slots.get_mut(slot) else { continue };
            let Some(task) = lane.in_task.take_if(|task| task.pid == Some(pid)) else { continue };
            let service = ns(now.since(task.start.max(lane.last_end)));
            lane.worked(service, now);
            self.work = self.work.saturating_add(service);
            any = true;
        }
        any
    }

    fn worked(&mut self, slot: Slot, service: u64, ended: Moment) {
        self.work = self.work.saturating_add(service);
        if let Some(SlotTotals { lane, .. }) = self.slot(slot) {
            lane.worked(service, ended);
        }
    }

    /// A process was started.
    pub(crate) fn started(&mut self, id: WorkerId, pid: u32, restart: bool, now: Moment) {
        self.starts += 1;
        self.restarts += u64::from(restart);
        if let Some(SlotTotals { worker, lane }) = self.slot(id.slot) {
            worker.done_before = lane.done;
            worker.starts += 1;
            worker.restarts += u64::from(restart);
            worker.live = Some(LiveWorker { id, pid, lanes: 0 });
            worker.started = now;
        }
    }

    /// A lane of a live worker said what it has used. Late words of an earlier worker are not heard.
    pub(crate) fn told(&mut self, lane: LaneId, usage: Usage) {
        let Some(SlotTotals { lane: first, worker }) = self.slots.get_mut(lane.worker.slot.index()) else { return };
        let Some(live) = worker.live.as_mut().filter(|live| live.id == lane.worker) else { return };
        live.lanes = live.lanes.max(lane.number.saturating_add(1));
        let several = live.lanes > 1;
        first.told_apart |= several;
        if let Some(SlotTotals { lane: own, .. }) = self.slot(lane.slot()) {
            own.told = usage;
            own.told_apart |= several;
        }
    }

    /// How the worker of a slot ended.
    pub(crate) fn died(&mut self, death: Death) {
        if let Some(SlotTotals { worker, .. }) = self.slot(death.slot) {
            worker.last_exit = Some(death);
        }
    }

    /// A process was reaped. Whether it was cut off in a task.
    pub(crate) fn exited(
        &mut self,
        now: Moment,
        id: WorkerId,
        pid: u32,
        usage: Usage,
        peak_rss_bytes: Option<u64>,
    ) -> bool {
        self.exits += 1;
        self.exited += usage;
        self.peak_rss = self.peak_rss.max(peak_rss_bytes.unwrap_or(0));
        let (mut rest, mut faults) = (usage.cpu(), usage.page_faults());
        if let Some(live) = self.get(id.slot).and_then(|slot| slot.worker.live).filter(|live| live.id == id) {
            for lane in live.lanes().skip(1) {
                let Some(SlotTotals { lane, .. }) = self.slots.get_mut(lane.slot().index()) else { continue };
                // The kernel's word is the last one.
                let told = std::mem::take(&mut lane.told);
                let (own, own_faults) = (told.cpu().min(rest), told.page_faults().at_most(faults));
                rest -= own;
                faults = faults.beyond(own_faults);
                lane.spent += own;
                lane.faults = lane.faults + own_faults;
            }
        }
        if let Some(SlotTotals { lane, worker }) = self.slot(id.slot) {
            lane.told = Usage::default();
            lane.spent += rest;
            lane.faults = lane.faults + faults;
            worker.exited += usage.cpu();
            worker.live.take_if(|live| live.id == id);
        }
        self.cut_off(now, id, pid)
    }

    fn slot(&mut self, slot: Slot) -> Option<&mut SlotTotals> {
        let place = slot.index();
        if place >= self.slots.len() && place < MOST {
            self.slots.resize(place + 1, SlotTotals::default());
        }
        self.slots.get_mut(place)
    }
}
