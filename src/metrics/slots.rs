//! What was counted slot by slot: of lanes the tasks and the time in them, of workers the processes and what these used.
//!
//! CPU time is counted once: while a worker lives it is what its lanes say of themselves, together; when its process was
//! reaped, it is the kernel's account of that, and nothing that the lanes said counts in any sum.

use std::time::Duration;

use crate::engine::event::{LaneId, Moment, PageFaults, Record, Slot, SlotView, Usage, WorkerId, WorkerState};
use crate::engine::outcome::AttemptReport;
use crate::metrics::latency::BatchSums;
use crate::metrics::nanos::ns;
use crate::metrics::sampler::{Account, OwnThread};
use crate::metrics::snapshot::{Death, ThreadUse};
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
    /// When its first task began; `None` before one has ended.
    first_begin: Option<Moment>,
    /// End of its last task.
    pub(crate) last_end: Moment,
    /// When the last ghost in it was gone.
    haunted_until: Moment,
    /// The task it was last seen in and nothing was heard of since.
    in_task: Option<SeenTask>,
    /// Whether the caller of the task that it is in has given up: that is no work any more.
    pub(crate) is_ghost: bool,
    /// What the live one has used, as it said itself.
    told: Usage,
    /// Whether it is one of several that a worker has told apart.
    told_apart: bool,
    /// The thread of the live one, where it has one of its own: its process, and the kernel's number of it.
    thread: Option<(u32, u32)>,
    /// How long that was ready and had no processor; `None` where nobody tells.
    delay: Option<Duration>,
    /// What it had used and waited before its first task, where its process began with it.
    before: ThreadUse,
    /// What those did that are gone; `None` where nobody has told.
    gone: Option<ThreadUse>,
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
    /// Since when the process of the live one is starting, where it is kept for many tasks.
    pub(crate) starting: Option<Moment>,
    /// Since when the live one does what comes before its first task.
    pub(crate) initializes: Option<Moment>,
    /// When the last of them could take tasks, or had failed to get there.
    pub(crate) there: Moment,
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
    /// What its threads did in tasks; `None` where nobody tells.
    #[must_use]
    pub(crate) fn thread_use(&self) -> Option<ThreadUse> {
        let LaneTotals { delay, gone, told, before, first_begin, last_end, busy, .. } = self.lane;
        let live = delay.map(|delay| ThreadUse {
            between: Duration::ZERO,
            cpu: told.cpu().saturating_sub(before.cpu),
            delay: delay.saturating_sub(before.delay),
        });
        let both = gone.unwrap_or_default();
        live.or(gone)?;
        let live = live.unwrap_or_default();
        let whole = first_begin.map_or(0, |begin| last_end.0.saturating_sub(begin.0));
        let between = Duration::from_nanos(whole.saturating_sub(busy));
        Some(ThreadUse { cpu: live.cpu + both.cpu, delay: live.delay + both.delay, between })
    }

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
    /// When it was last in a task, of a caller who waits or of one that had given up.
    pub(crate) fn last_taken(&self) -> Moment {
        self.last_end.max(self.haunted_until)
    }

    /// Its thread is gone, with what was told last of it.
    fn thread_ended(&mut self) {
        if let Some(delay) = self.delay.take() {
            let gone = self.gone.get_or_insert_default();
            gone.cpu += self.told.cpu().saturating_sub(self.before.cpu);
            gone.delay += delay.saturating_sub(self.before.delay);
        }
        (self.thread, self.before) = (None, ThreadUse::default());
    }

    fn worked(&mut self, service: u64, ended: Moment) {
        self.busy = self.busy.saturating_add(service);
        if self.first_begin.is_none() {
            self.first_begin = Some(Moment(ended.0.saturating_sub(service)));
        }
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
    /// Nanoseconds in which processes of workers that are kept were starting.
    pub(crate) starting: u64,
    /// Nanoseconds between the end of work and the worker's being free.
    pub(crate) after: u64,
    /// Nanoseconds in initializers of workers that are kept.
    pub(crate) initializing: u64,
    /// Processes started.
    pub(crate) starts: u64,
    /// Of these, in place of one that died or was killed.
    pub(crate) restarts: u64,
    /// Since when a fork server comes up, without which no worker can be started.
    boots: Option<Moment>,
    /// Nanoseconds in which lanes had no process because it was not there yet, together.
    booting: u64,
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
            thread: totals.lane.thread.map(|(pid, id)| OwnThread { pid, id, spent: totals.lane.spent }),
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
        if let Some(first) = records.first() {
            self.is_there(slot, first.start);
        }
        self.after = self.after.saturating_add(sums.after);
        if let Some(SlotTotals { lane, .. }) = self.slot(slot) {
            lane.done += records.len() as u64;
            let last = records.last().map_or(Moment::ZERO, |record| record.start);
            lane.in_task.take_if(|task| task.start <= last);
            lane.busy = lane.busy.saturating_add(sums.work);
            lane.last_end = lane.last_end.max(sums.end);
        }
    }

    /// An attempt that did not succeed. One that never started (no such program) has no times to add.
    ///
    /// Of the time after `until`, where that is over, nothing counts.
    pub(crate) fn attempted(&mut self, report: &AttemptReport, until: Option<Moment>) {
        let Some(slot) = report.slot else { return };
        if let Some(SlotTotals { lane, .. }) = self.slot(slot) {
            lane.in_task.take_if(|task| task.index == report.index);
        }
        if let Some(times) = report.times() {
            let start = report.ended - times.service;
            self.ran(slot, (start - times.startup, start, report.ended), until);
        }
    }

    /// A task was cut short by the end of the run.
    pub(crate) fn cut_short(
        &mut self,
        slot: Slot,
        index: TaskIndex,
        times: (Moment, Moment, Moment),
        until: Option<Moment>,
    ) {
        if let Some(SlotTotals { lane, .. }) = self.slot(slot) {
            lane.in_task.take_if(|task| task.index == index);
        }
        self.ran(slot, times, until);
    }

    /// A task was dispatched, began and ended at these moments.
    fn ran(&mut self, slot: Slot, (dispatched, start, ended): (Moment, Moment, Moment), until: Option<Moment>) {
        let [dispatched, start, ended] =
            [dispatched, start, ended].map(|moment| until.map_or(moment, |until| until.min(moment)));
        self.startup = self.startup.saturating_add(ns(start.since(dispatched)));
        self.is_there(slot, start);
        self.worked(slot, ns(ended.since(start)), ended);
    }

    /// The caller of what a lane is in has given up, or that is over.
    pub(crate) fn haunted(&mut self, lane: LaneId, is_ghost: bool, now: Moment) {
        if let Some(SlotTotals { lane, .. }) = self.slot(lane.slot()) {
            (lane.is_ghost, lane.in_task) = (is_ghost, None);
            lane.haunted_until = now;
        }
    }

    /// What a slot is in now.
    pub(crate) fn seen(&mut self, view: &SlotView) {
        let task = view.task.map(|(index, _, start)| SeenTask { index, start, pid: view.pid });
        if let Some((.., start)) = view.task {
            self.is_there(view.slot, start);
        }
        let known = if task.is_some() { self.slot(view.slot) } else { self.slots.get_mut(view.slot.index()) };
        let Some(SlotTotals { lane, worker }) = known else { return };
        lane.in_task = task.filter(|_| !lane.is_ghost && view.state != WorkerState::Ghost);
        let shares = view.pid.is_some() && worker.live.map(|live| live.pid) != view.pid;
        self.lanes_share |= shares;
    }

    /// A process ended in tasks that have no report: the run was stopped. They were work until then, and did not become
    /// idle time because nothing came of them. Whether there were any.
    fn cut_off(&mut self, now: Moment, worker: WorkerId, pid: u32, until: Moment) -> bool {
        let all = if self.lanes_share { 0..self.slots.len() } else { worker.slot.index()..worker.slot.index() + 1 };
        let mut any = false;
        for slot in all {
            let Some(SlotTotals { lane, .. }) = self.slots.get_mut(slot) else { continue };
            let Some(task) = lane.in_task.take_if(|task| task.pid == Some(pid)) else { continue };
            let end = until.min(now);
            let service = ns(end.since(task.start.max(lane.last_end)));
            lane.worked(service, end);
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

    /// A process was started; whether it is `kept` for many tasks.
    pub(crate) fn started(&mut self, id: WorkerId, pid: u32, restart: bool, kept: bool, now: Moment) {
        self.starts += 1;
        self.restarts += u64::from(restart);
        if let Some(SlotTotals { worker, lane }) = self.slot(id.slot) {
            worker.done_before = lane.done;
            worker.starts += 1;
            worker.restarts += u64::from(restart);
            worker.live = Some(LiveWorker { id, pid, lanes: 0 });
            worker.started = now;
            worker.starting = kept.then_some(now);
        }
    }

    /// A fork server was started.
    pub(crate) fn boots(&mut self, now: Moment) {
        self.boots = Some(now);
    }

    /// It can fork workers, or is gone; there are to be so many lanes.
    pub(crate) fn booted(&mut self, now: Moment, lanes: u32) {
        self.booting = self.booting(now, lanes);
        self.boots = None;
    }

    /// Nanoseconds in which lanes waited for fork servers until now. Those that have a process did not.
    pub(crate) fn booting(&self, now: Moment, lanes: u32) -> u64 {
        let live = self.slots.iter().filter(|slot| slot.worker.live.is_some()).count() as u64;
        let waiting = u64::from(lanes).saturating_sub(live);
        let since = self.boots.map_or(0, |since| ns(now.since(since)));
        self.booting.saturating_add(since.saturating_mul(waiting))
    }

    /// The process of a worker is there: it said so, or is at work, whether it said so or not.
    fn is_there(&mut self, slot: Slot, since: Moment) {
        let Some(SlotTotals { worker, .. }) = self.slots.get_mut(slot.index()) else { return };
        let Some(started) = worker.starting.take() else { return };
        worker.there = worker.there.max(since);
        self.starting = self.starting.saturating_add(ns(since.since(started)));
    }

    /// A worker that is kept has begun: its initializer, if it has one, comes next.
    pub(crate) fn began(&mut self, id: WorkerId, ready: Moment) {
        self.is_there(id.slot, ready);
        if let Some(SlotTotals { worker, .. }) = self.slot(id.slot) {
            worker.initializes = Some(ready);
        }
    }

    /// It can take tasks from now on; `initializer`: how long that took, if it has one.
    pub(crate) fn ready(&mut self, now: Moment, id: WorkerId, initializer: Option<Duration>) {
        // One that did not say so has been there since its initializer began.
        let took = initializer.map_or(0, ns);
        self.is_there(id.slot, Moment(now.0.saturating_sub(took)));
        self.initializing = self.initializing.saturating_add(took);
        if let Some(SlotTotals { worker, .. }) = self.slots.get_mut(id.slot.index()) {
            worker.there = worker.there.max(worker.initializes.take().map_or(Moment::ZERO, |_| now));
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

    /// What the only lane of a live worker had used before its first task.
    pub(crate) fn lane_begins(&mut self, lane: LaneId, before: ThreadUse) {
        if let Some(SlotTotals { lane, .. }) = self.slot(lane.slot()) {
            lane.before = before;
        }
    }

    /// What the thread of a live worker's lane is, and how long it was ready and had no processor.
    pub(crate) fn thread(&mut self, lane: LaneId, thread: u32, delay: Duration) {
        let Some(SlotTotals { lane: first, worker }) = self.slots.get_mut(lane.worker.slot.index()) else { return };
        let Some(live) = worker.live.as_mut().filter(|live| live.id == lane.worker) else { return };
        let pid = live.pid;
        // One that has the thread that its process began with is alone in that.
        let own = thread != pid;
        if own {
            live.lanes = live.lanes.max(lane.number.saturating_add(1));
            first.told_apart = true;
        }
        if let Some(SlotTotals { lane: totals, .. }) = self.slot(lane.slot()) {
            totals.told_apart |= own;
            totals.thread = own.then_some((pid, thread));
            totals.delay = Some(delay);
        }
    }

    /// How the worker of a slot ended.
    pub(crate) fn died(&mut self, death: Death) {
        if let Some(SlotTotals { worker, .. }) = self.slot(death.slot) {
            worker.last_exit = Some(death);
        }
    }

    /// A process was reaped. Whether it was cut off in a task. What it did before its first task it did at the latest until
    /// `needed`; of the time after `until`, where that is over, nothing counts.
    pub(crate) fn exited(
        &mut self,
        (now, needed, until): (Moment, Moment, Option<Moment>),
        id: WorkerId,
        pid: u32,
        usage: Usage,
        peak_rss_bytes: Option<u64>,
    ) -> bool {
        self.exits += 1;
        self.exited += usage;
        // One that never came to be there took its time too.
        self.is_there(id.slot, needed);
        self.peak_rss = self.peak_rss.max(peak_rss_bytes.unwrap_or(0));
        let (mut rest, mut faults) = (usage.cpu(), usage.page_faults());
        if let Some(live) = self.get(id.slot).and_then(|slot| slot.worker.live).filter(|live| live.id == id) {
            for lane in live.lanes().skip(1) {
                let Some(SlotTotals { lane, .. }) = self.slots.get_mut(lane.slot().index()) else { continue };
                lane.thread_ended();
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
            lane.thread_ended();
            lane.told = Usage::default();
            lane.spent += rest;
            lane.faults = lane.faults + faults;
            worker.exited += usage.cpu();
            worker.live.take_if(|live| live.id == id);
            // An initializer that failed took its time too.
            let initializes = worker.initializes.take();
            worker.there = worker.there.max(initializes.map_or(Moment::ZERO, |_| needed));
            let failed = initializes.map_or(0, |since| ns(needed.since(since)));
            self.initializing = self.initializing.saturating_add(failed);
        }
        self.cut_off(now, id, pid, until.unwrap_or(now))
    }

    fn slot(&mut self, slot: Slot) -> Option<&mut SlotTotals> {
        let place = slot.index();
        if place >= self.slots.len() && place < MOST {
            self.slots.resize(place + 1, SlotTotals::default());
        }
        self.slots.get_mut(place)
    }
}
