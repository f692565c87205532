//! A worker and what it has started: their CPU time and memory as one. No clock and no lock in here.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use super::Readings;
use crate::os::readings::MemoryReading;

/// What descends from the worker of a slot, as it was seen in the last look at it.
#[derive(Clone, Debug, Default)]
pub(super) struct Family {
    /// The worker.
    pid: Option<u32>,
    relatives: Vec<u32>,
    /// CPU time beside the worker's own clock; it never goes back.
    cpu: Duration,
    /// What processes used that are gone and that nobody has waited for.
    unaccounted: Duration,
    /// Whether less was seen in the last look than in the one before.
    shrank: bool,
}

impl Family {
    /// CPU time of all that the worker has started, waited for or alive; nothing before it was looked at.
    pub(super) fn cpu(&self, worker: u32) -> Duration {
        if self.pid == Some(worker) { self.cpu } else { Duration::ZERO }
    }

    /// Whether a worker has others at work beside it.
    pub(super) fn lives(&self, worker: u32) -> bool {
        self.pid == Some(worker) && !self.relatives.is_empty()
    }

    /// Looks for the relatives of a worker that are no `others`, and at what they use.
    pub(super) fn look(&mut self, worker: u32, others: &HashSet<u32>, readings: &mut dyn Readings) {
        if self.pid != Some(worker) {
            *self = Self { pid: Some(worker), ..Self::default() };
        }
        // Parents before their children: one that ends in between is missing once and never there twice.
        let mut cpu = readings.waited_for(worker).unwrap_or_default();
        self.relatives = readings.descendants(worker, others);
        for relative in &self.relatives {
            let waited_for = readings.waited_for(*relative).unwrap_or_default();
            cpu += readings.cpu_time(*relative).unwrap_or_default() + waited_for;
        }
        let seen = cpu + self.unaccounted;
        if seen >= self.cpu {
            (self.cpu, self.shrank) = (seen, false);
        } else if std::mem::replace(&mut self.shrank, true) {
            // Whoever has that is gone for good, and nobody's child any more.
            self.unaccounted += self.cpu - seen;
            self.shrank = false;
        }
    }

    /// Memory of a worker and of its relatives as they were at the last look.
    ///
    /// # Errors
    /// When that of one of them cannot be told: a part of a sum is no sum. One that has just ended has none.
    pub(super) fn memory(&self, worker: u32, readings: &mut dyn Readings) -> io::Result<MemoryReading> {
        let mut sum = readings.memory(worker)?;
        for relative in &self.relatives {
            let more = match readings.memory(*relative) {
                Ok(more) => more,
                Err(error) if is_gone(&error) => continue,
                Err(error) => return Err(error),
            };
            sum.rss_bytes = sum.rss_bytes.saturating_add(more.rss_bytes);
            sum.pss_bytes = sum.pss_bytes.zip(more.pss_bytes).map(|(sum, more)| sum.saturating_add(more));
        }
        Ok(sum)
    }
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
}
