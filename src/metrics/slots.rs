//! What was counted slot by slot: tasks, processes, time in tasks, exact CPU time.

use std::time::Duration;

use crate::engine::event::{Moment, Record, SlotView, Usage};
use crate::engine::outcome::AttemptReport;
use crate::metrics::latency::BatchSums;
use crate::metrics::nanos::ns;
use crate::metrics::sampler::Account;
use crate::workload::model::TaskIndex;

/// Slots that are told apart; an engine has far fewer. Bounds the memory against a wrong number.
const MOST: usize = 1 << 16;

/// Totals of one slot.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SlotTotals {
    /// Tasks that succeeded.
    pub(crate) done: u64,
    /// Processes started.
    pub(crate) starts: u64,
    /// Of these, in place of one that died or was killed.
    pub(crate) restarts: u64,
    /// Processes reaped.
    pub(crate) exits: u64,
    /// Nanoseconds in tasks.
    pub(crate) busy: u64,
    /// Its live process.
    pub(crate) pid: Option<u32>,
    /// When that process was started.
    pub(crate) started: Moment,
    /// End of its last task.
    pub(crate) last_end: Moment,
    /// The task it was last seen in and nothing was heard of since, and that task's first instruction.
    in_task: Option<(TaskIndex, Moment)>,
    /// What its reaped processes used.
    pub(crate) exited: Usage,
    /// What its live process used, as it said itself.
    pub(crate) reported: Usage,
}

impl SlotTotals {
    /// Exact CPU time: reaped processes and what the live one said.
    #[must_use]
    pub(crate) fn cpu(&self) -> Duration {
        self.exited.cpu() + self.reported.cpu()
    }

    /// What the sampler needs to know.
    #[must_use]
    pub(crate) fn account(&self) -> Account {
        Account { pid: self.pid, exited: self.exited.cpu(), reported: self.reported.cpu() }
    }
}

/// All slots there have been, and their sums.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    slots: Vec<SlotTotals>,
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
    pub(crate) fn get(&self, slot: u32) -> Option<&SlotTotals> {
        self.slots.get(slot as usize)
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
        self.slots.iter().for_each(|slot| usage += slot.reported);
        usage
    }

    /// Successful tasks.
    pub(crate) fn succeeded(&mut self, slot: u32, records: &[Record], sums: &BatchSums) {
        self.work = self.work.saturating_add(sums.work);
        self.startup = self.startup.saturating_add(sums.startup);
        if let Some(totals) = self.slot(slot) {
            totals.done += records.len() as u64;
            let last = records.last().map_or(Moment::ZERO, |record| record.start);
            totals.in_task.take_if(|(_, start)| *start <= last);
            totals.busy = totals.busy.saturating_add(sums.work);
            totals.last_end = totals.last_end.max(sums.end);
        }
    }

    /// An attempt that did not succeed. One that never started (no such program) has no times to add.
    pub(crate) fn attempted(&mut self, report: &AttemptReport) {
        let Some(slot) = report.slot else { return };
        if let Some(totals) = self.slot(slot) {
            totals.in_task.take_if(|(index, _)| *index == report.index);
        }
        if let Some(times) = report.times() {
            self.startup = self.startup.saturating_add(ns(times.startup));
            self.worked(slot, ns(times.service), Moment(ns(report.ended)));
        }
    }

    /// What a slot is in now.
    pub(crate) fn seen(&mut self, view: &SlotView) {
        if let Some(totals) = self.slots.get_mut(view.slot as usize) {
            totals.in_task = view.task.map(|(index, _, start)| (index, start));
        }
    }

    /// The process of a slot ended in a task that has no report: the run was stopped. It was work until then, and did not
    /// become idle time because nothing came of it.
    fn cut_off(&mut self, slot: u32, now: Moment) -> bool {
        let Some(totals) = self.slot(slot) else { return false };
        let Some((_, start)) = totals.in_task.take() else { return false };
        let start = start.max(totals.last_end);
        self.worked(slot, ns(now.since(start)), now);
        true
    }

    fn worked(&mut self, slot: u32, service: u64, ended: Moment) {
        self.work = self.work.saturating_add(service);
        if let Some(totals) = self.slot(slot) {
            totals.busy = totals.busy.saturating_add(service);
            totals.last_end = totals.last_end.max(ended);
        }
    }

    /// A process was started.
    pub(crate) fn started(&mut self, slot: u32, pid: u32, restart: bool, now: Moment) {
        self.starts += 1;
        self.restarts += u64::from(restart);
        if let Some(totals) = self.slot(slot) {
            totals.starts += 1;
            totals.restarts += u64::from(restart);
            totals.pid = Some(pid);
            totals.started = now;
            totals.reported = Usage::default();
        }
    }

    /// The live process of a slot said what it has used. Late words of an earlier process are not heard.
    pub(crate) fn reported(&mut self, slot: u32, pid: u32, usage: Usage) {
        if let Some(totals) = self.slot(slot).filter(|totals| totals.pid == Some(pid)) {
            totals.reported = usage;
        }
    }

    /// A process was reaped. Whether it was cut off in a task.
    pub(crate) fn exited(&mut self, now: Moment, slot: u32, usage: Usage, peak_rss: Option<u64>) -> bool {
        self.exits += 1;
        self.exited += usage;
        self.peak_rss = self.peak_rss.max(peak_rss.unwrap_or(0));
        if let Some(totals) = self.slot(slot) {
            totals.exits += 1;
            totals.exited += usage;
            totals.reported = Usage::default();
            totals.pid = None;
        }
        self.cut_off(slot, now)
    }

    fn slot(&mut self, slot: u32) -> Option<&mut SlotTotals> {
        let place = slot as usize;
        if place >= self.slots.len() && place < MOST {
            self.slots.resize(place + 1, SlotTotals::default());
        }
        self.slots.get_mut(place)
    }
}
