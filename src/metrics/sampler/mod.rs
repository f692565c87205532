//! Live readings of the workers of one run: a thread of its own that feeds the CPU bars and the memory figures.
//!
//! It never measures what results report about CPU: a sampler cannot see a process that lives for five milliseconds.
//! The recorder keeps exact accounts (CPU time of exited processes, slot by slot) and shares them; a bar is the growth
//! of *account + live process* between two samples, so it is right for a process of any length.
//!
//! A worker's bar and memory are those of its process and of all that descends from it, unless that is a worker itself. To
//! find these and to read memory costs some 80 µs of kernel time for a small process, so that is rationed: it takes a
//! hundredth of a core at most, the more workers there are the more rarely (`gauges`).
//!
//! The engine's thread never waits for this one: both sides share two mutexes that the recorder only ever *tries*.

mod family;
mod gauges;

use std::collections::HashSet;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::metrics::snapshot::{CPU_HISTORY, Memory, Overhead};
use crate::os::pressure::{self, Pressure};
use crate::os::readings::{self, MemoryReading};
use crate::os::relatives;
use crate::os::threads;

use gauges::Gauges;

/// The first sample comes so soon, so that short runs have one.
const FIRST: Duration = Duration::from_millis(40);
/// Bounds of the sample interval.
const INTERVALS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(10));

/// The exact account of the workers of one slot, as the recorder knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// The live process.
    pub(crate) pid: Option<u32>,
    /// CPU time of the processes that were reaped.
    pub(crate) exited: Duration,
    /// CPU time of the live process as it said itself.
    pub(crate) reported: Duration,
    /// CPU time of the slot's lane, where that is one of several that its worker tells apart: in no sum, because the
    /// worker's has it already.
    pub(crate) lane: Option<Duration>,
    /// The thread of that lane, where it has one of its own.
    pub(crate) thread: Option<OwnThread>,
}

/// A live thread that is a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OwnThread {
    pub(crate) pid: u32,
    /// The kernel's number of it.
    pub(crate) id: u32,
    /// What lanes before it in the same slot have used.
    pub(crate) spent: Duration,
}

/// What the sampler knows about one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct LiveSlot {
    /// CPU in percent of one core over the last sample interval; `None` where it cannot be read.
    pub(crate) percent: Option<f32>,
    /// CPU time of all workers of the slot.
    pub(crate) cpu: Duration,
    /// The last CPU percentages.
    pub(crate) history: History,
    /// Memory of a process with what it has started, while that process is in the slot.
    pub(crate) memory: Option<(u32, MemoryReading)>,
    /// When that was read, since the sampler began.
    pub(crate) memory_at: Duration,
    /// Most resident memory that was read in the slot.
    pub(crate) peak_rss_bytes: Option<u64>,
    /// Largest proportional share that was read in the slot.
    pub(crate) peak_pss_bytes: Option<u64>,
}

/// The last [`CPU_HISTORY`] CPU percentages, each a third of a second long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    percents: [u8; CPU_HISTORY],
    length: usize,
}

impl History {
    fn push(&mut self, percent: u8) {
        if self.length < CPU_HISTORY {
            self.length += 1;
        } else {
            self.percents.rotate_left(1);
        }
        if let Some(last) = self.percents.get_mut(self.length - 1) {
            *last = percent;
        }
    }

    /// Oldest first.
    #[must_use]
    pub(crate) fn percents(&self) -> &[u8] {
        self.percents.get(..self.length).unwrap_or_default()
    }
}

/// What the sampler knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Live {
    /// By slot.
    pub(crate) slots: Vec<LiveSlot>,
    /// What workers are forked from.
    pub(crate) fork_server: LiveSlot,
    /// CPU time of all workers / wall time over about the last second; with that of the fork server, as what follows.
    pub(crate) cores_used: f64,
    /// CPU time of all workers so far, live ones sampled.
    pub(crate) workers_cpu: Duration,
    /// Memory of all workers.
    pub(crate) memory: Memory,
    /// What this program costs.
    pub(crate) overhead: Overhead,
    /// The newest reading of the machine, about one a second.
    pub(crate) pressure: Option<Arc<Pressure>>,
    /// Clock rate of the processors in the first of them, in MHz.
    pub(crate) first_mhz: Option<u32>,
}

/// Where readings come from; tests have their own.
pub(crate) trait Readings {
    /// CPU time of a live process, without its children.
    fn cpu_time(&mut self, pid: u32) -> io::Result<Duration>;
    /// CPU time of a thread of a live process.
    fn thread_cpu(&mut self, pid: u32, thread: u32) -> io::Result<Duration>;
    /// CPU time of the children that a live process has waited for.
    fn waited_for(&mut self, pid: u32) -> Option<Duration>;
    /// The live descendants of a process without `others` and theirs, parents before children.
    fn descendants(&mut self, pid: u32, others: &HashSet<u32>) -> Vec<u32>;
    /// Memory of a live process.
    fn memory(&mut self, pid: u32) -> io::Result<MemoryReading>;
    /// CPU time that this thread has used.
    fn spent(&mut self) -> Duration;
    /// CPU time of this process.
    fn own_cpu(&mut self) -> Duration;
    fn pressure(&mut self) -> Pressure;
}

struct System;

impl Readings for System {
    fn cpu_time(&mut self, pid: u32) -> io::Result<Duration> {
        readings::cpu_time(pid)
    }

    fn thread_cpu(&mut self, pid: u32, thread: u32) -> io::Result<Duration> {
        readings::thread_times(pid, thread).map(|times| times.cpu)
    }

    fn waited_for(&mut self, pid: u32) -> Option<Duration> {
        relatives::waited_for(pid)
    }

    fn descendants(&mut self, pid: u32, others: &HashSet<u32>) -> Vec<u32> {
        relatives::descendants(pid, others)
    }

    fn memory(&mut self, pid: u32) -> io::Result<MemoryReading> {
        readings::memory(pid)
    }

    fn spent(&mut self) -> Duration {
        threads::cpu_time()
    }

    fn own_cpu(&mut self) -> Duration {
        pressure::own_cpu()
    }

    fn pressure(&mut self) -> Pressure {
        Pressure::read()
    }
}

#[derive(Debug, Default)]
struct Shared {
    accounts: Mutex<Vec<Account>>,
    fork_server: Mutex<Account>,
    live: Mutex<Live>,
}

/// The recorder's end. Dropping it ends the thread at once, without waiting for it.
#[derive(Debug)]
pub(crate) struct Sampler {
    shared: Arc<Shared>,
    _alive: Sender<()>,
    /// Whether the shared accounts lag behind because the thread was just reading them.
    stale: bool,
}

impl Sampler {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no thread left to give.
    pub(crate) fn start(interval: Duration, cores: u32) -> io::Result<Self> {
        Self::with(interval, cores, System)
    }

    fn with(interval: Duration, cores: u32, readings: impl Readings + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (alive, ended) = channel();
        let theirs = Arc::clone(&shared);
        let interval = interval.clamp(INTERVALS.0, INTERVALS.1);
        threads::start("sampler", move || run(&theirs, &ended, interval, Gauges::new(cores), readings))?;
        Ok(Self { shared, _alive: alive, stale: false })
    }

    /// Tells the account of a slot that has just changed. Never waits.
    pub(crate) fn tell(&mut self, slot: usize, account: Account) {
        let Some(mut accounts) = try_lock(&self.shared.accounts) else {
            self.stale = true;
            return;
        };
        match accounts.get_mut(slot) {
            Some(theirs) => *theirs = account,
            None => self.stale = true,
        }
    }

    /// Tells the account of the fork servers. Never waits: what does not get through is told again with all accounts.
    pub(crate) fn tell_fork_server(&self, account: Account) {
        if let Some(mut theirs) = try_lock(&self.shared.fork_server) {
            *theirs = account;
        }
    }

    /// Whether [`tell`](Self::tell) could not get through, so that all accounts are needed.
    #[must_use]
    pub(crate) fn is_stale(&self) -> bool {
        self.stale
    }

    /// Tells all accounts, in slot order. Never waits.
    pub(crate) fn tell_all(&mut self, all: impl Iterator<Item = Account>) {
        match try_lock(&self.shared.accounts) {
            Some(mut accounts) => {
                accounts.clear();
                accounts.extend(all);
                self.stale = false;
            }
            None => self.stale = true,
        }
    }

    /// Copies the newest readings to `live`, or leaves it as it is while they are being written. Never waits.
    pub(crate) fn read(&self, live: &mut Live) {
        if let Some(newest) = try_lock(&self.shared.live) {
            live.clone_from(&newest);
        }
    }
}

fn try_lock<T>(mutex: &Mutex<T>) -> Option<std::sync::MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(std::sync::TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(std::sync::TryLockError::WouldBlock) => None,
    }
}

/// The thread: samples until the recorder's end is dropped.
fn run(shared: &Shared, ended: &Receiver<()>, interval: Duration, mut gauges: Gauges, mut readings: impl Readings) {
    let begin = Instant::now();
    let mut due = FIRST.min(interval);
    let mut accounts = Vec::new();
    loop {
        match ended.recv_timeout(due.saturating_sub(begin.elapsed())) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
        let now = begin.elapsed();
        accounts.clone_from(&shared.accounts.lock().unwrap_or_else(PoisonError::into_inner));
        gauges.set_fork_server(*shared.fork_server.lock().unwrap_or_else(PoisonError::into_inner));
        gauges.tick(now, now.saturating_sub(due), &accounts, &mut readings);
        shared.live.lock().unwrap_or_else(PoisonError::into_inner).clone_from(gauges.live());
        // After a delay the rhythm starts anew: samples in quick succession would measure nothing.
        due = (due + interval).max(now + interval / 2);
    }
}

#[cfg(test)]
mod tests;
