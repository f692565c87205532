//! From accounts and readings to bars: what the sampler thread computes at each tick. No clock and no lock in here.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::family::Family;
use super::{Account, Live, LiveSlot, OwnThread, Readings};
use crate::metrics::snapshot::Memory;
use crate::os::readings::MemoryReading;

/// Length of one entry of a CPU history: thirty of them are the ten seconds that the screens show.
const HISTORY_STEP: Duration = Duration::from_millis(333);
/// A look at families and memory is followed by this many times its own CPU time without one.
const LOOK_REST: u32 = 100;
/// CPU time of one look; the slots that are left follow in the next ones.
const LOOK: Duration = Duration::from_millis(10);
/// Most processes whose CPU clock is read in one tick, at about a microsecond each.
const CPU_ROUND: usize = 512;
/// Time between two readings of the machine.
const PRESSURE_STEP: Duration = Duration::from_secs(1);
/// Length of the window of "cores used".
const WINDOW: Duration = Duration::from_secs(1);

/// Progress of one slot.
#[derive(Clone, Debug, Default)]
struct Progress {
    /// When its CPU was last known, and how much it was.
    sampled: Option<(Duration, Duration)>,
    /// The same at the end of its last history entry.
    pushed: Option<(Duration, Duration)>,
    account: Account,
    family: Family,
    /// When its family was last looked at, and how much CPU all of them had used then.
    looked: Option<(Duration, Duration)>,
    /// CPU time of the others then.
    others: Duration,
}

/// One tick, for one slot.
#[derive(Clone, Copy, Debug)]
struct Tick {
    now: Duration,
    previous: Duration,
    /// Whether its family was looked at.
    seen: bool,
    ceiling: f64,
}

/// Everything the sampler remembers.
#[derive(Debug)]
pub(super) struct Gauges {
    live: Live,
    slots: Vec<Progress>,
    fork_server: (Account, Progress),
    /// Recent (time, CPU of all workers, own CPU).
    window: VecDeque<(Duration, Duration, Duration)>,
    /// Highest percentage shown: all cores.
    ceiling: f64,
    previous: Duration,
    round: usize,
    look_due: Duration,
    look_from: usize,
    /// Slots that were looked at in this tick.
    seen: Vec<bool>,
    pressure_due: Duration,
}

impl Gauges {
    pub(super) fn new(cores: u32) -> Self {
        Self {
            live: Live::default(),
            slots: Vec::new(),
            fork_server: Default::default(),
            window: VecDeque::new(),
            ceiling: 100.0 * f64::from(cores.max(1)),
            previous: Duration::ZERO,
            round: 0,
            look_due: Duration::ZERO,
            look_from: 0,
            seen: Vec::new(),
            pressure_due: PRESSURE_STEP,
        }
    }

    pub(super) fn live(&self) -> &Live {
        &self.live
    }

    /// What is known of the fork servers from now on.
    pub(super) fn set_fork_server(&mut self, account: Account) {
        self.fork_server.0 = account;
    }

    /// One sample at `now` (since the sampler began), `late` after it was due.
    pub(super) fn tick(&mut self, now: Duration, late: Duration, accounts: &[Account], readings: &mut dyn Readings) {
        self.live.overhead.sampler_lag = self.live.overhead.sampler_lag.max(late);
        if accounts.len() > self.slots.len() {
            self.slots.resize(accounts.len(), Progress::default());
            self.live.slots.resize(accounts.len(), LiveSlot::default());
        }
        self.seen.clear();
        self.seen.resize(self.slots.len(), false);
        if now >= self.look_due {
            self.look(now, accounts, readings);
        }
        let strides = accounts.len().div_ceil(CPU_ROUND).max(1);
        let slots = self.slots.iter_mut().zip(&mut self.live.slots).zip(accounts).enumerate();
        for (number, ((progress, live), account)) in slots {
            if number % strides == self.round % strides {
                let seen = self.seen.get(number).copied().unwrap_or_default();
                progress.sample(
                    Tick { now, previous: self.previous, seen, ceiling: self.ceiling },
                    account,
                    live,
                    readings,
                );
            }
        }
        let (account, progress) = &mut self.fork_server;
        let tick = Tick { now, previous: self.previous, seen: false, ceiling: self.ceiling };
        progress.sample(tick, account, &mut self.live.fork_server, readings);
        self.round = self.round.wrapping_add(1);
        self.previous = now;
        self.cores(now, readings.own_cpu());
        if now >= self.pressure_due {
            self.pressure_due = now + PRESSURE_STEP;
            let pressure = readings.pressure();
            self.live.first_mhz = self.live.first_mhz.or(pressure.mhz);
            self.live.pressure = Some(Arc::new(pressure));
        }
    }

    fn cores(&mut self, now: Duration, own: Duration) {
        let workers = self.live.slots.iter().chain([&self.live.fork_server]).map(|slot| slot.cpu).sum();
        self.live.workers_cpu = workers;
        if self.window.is_empty() {
            self.window.push_back((Duration::ZERO, Duration::ZERO, own));
        }
        while self.window.get(1).is_some_and(|(time, ..)| *time + WINDOW <= now) {
            self.window.pop_front();
        }
        if let Some((time, cpu, own_cpu)) = self.window.front() {
            let seconds = now.saturating_sub(*time).as_secs_f64();
            if seconds > 0.0 {
                let most = self.ceiling / 100.0;
                self.live.cores_used = (workers.saturating_sub(*cpu).as_secs_f64() / seconds).min(most);
                self.live.overhead.cores_used = own.saturating_sub(*own_cpu).as_secs_f64() / seconds;
            }
        }
        self.window.push_back((now, workers, own));
    }

    /// Looks at as many slots as there is time for: who descends from their workers, and how much memory all of them have.
    fn look(&mut self, now: Duration, accounts: &[Account], readings: &mut dyn Readings) {
        let begin = readings.spent();
        let workers: HashSet<u32> = accounts.iter().filter_map(|account| account.pid).collect();
        let slots = self.slots.len();
        let from = self.look_from;
        let server = self.fork_server.0.pid;
        self.live.fork_server.memory.take_if(|(owner, _)| Some(*owner) != server);
        if let Some(pid) = server {
            // What it has started are workers, which have rows of their own.
            self.live.fork_server.see_memory(now, pid, readings.memory(pid).ok());
        }
        let mut spent = readings.spent().saturating_sub(begin);
        for number in (0..slots).map(|step| (from + step) % slots) {
            let (Some(progress), Some(live)) = (self.slots.get_mut(number), self.live.slots.get_mut(number)) else {
                continue;
            };
            let pid = accounts.get(number).and_then(|account| account.pid);
            live.memory.take_if(|(owner, _)| Some(*owner) != pid);
            let Some(pid) = pid.filter(|_| spent < LOOK) else { continue };
            progress.family.look(pid, &workers, readings);
            live.see_memory(now, pid, progress.family.memory(pid, readings).ok());
            if let Some(seen) = self.seen.get_mut(number) {
                *seen = true;
            }
            self.look_from = (number + 1) % slots;
            spent = readings.spent().saturating_sub(begin);
        }
        self.look_due = now + spent * LOOK_REST;
        self.sum_memory();
    }

    fn sum_memory(&mut self) {
        let mut sum = Memory { pss_bytes: Some(0), ..self.live.memory };
        sum.rss_bytes = 0;
        let mut any = false;
        let all = self.live.slots.iter().chain([&self.live.fork_server]);
        for (_, reading) in all.filter_map(|slot| slot.memory) {
            any = true;
            sum.rss_bytes = sum.rss_bytes.saturating_add(reading.rss_bytes);
            sum.pss_bytes = sum.pss_bytes.zip(reading.pss_bytes).map(|(sum, more)| sum.saturating_add(more));
        }
        // Without a single reading nothing is known; a sum of nothing is not zero bytes.
        sum.pss_bytes = sum.pss_bytes.filter(|_| any);
        sum.peak_rss_bytes = sum.peak_rss_bytes.max(sum.rss_bytes);
        sum.peak_pss_bytes = sum.peak_pss_bytes.max(sum.pss_bytes);
        self.live.memory = sum;
    }
}

impl LiveSlot {
    /// The memory of this process was read, or could not be.
    fn see_memory(&mut self, now: Duration, pid: u32, reading: Option<MemoryReading>) {
        self.memory = reading.map(|reading| (pid, reading));
        self.memory_at = now;
        self.peak_rss_bytes = self.peak_rss_bytes.max(reading.map(|reading| reading.rss_bytes));
        self.peak_pss_bytes = self.peak_pss_bytes.max(reading.and_then(|reading| reading.pss_bytes));
    }
}

impl Progress {
    /// Reads one slot. Its bar is the growth of its account and its live family together; that of a lane that shares its
    /// process is the growth of what is told of it.
    fn sample(&mut self, tick: Tick, account: &Account, live: &mut LiveSlot, readings: &mut dyn Readings) {
        let Tick { now, previous, seen, ceiling } = tick;
        // What others use beside the worker is known only where they are looked at.
        if !seen && account.lane.is_none() && account.pid.is_some_and(|pid| self.family.lives(pid)) {
            return;
        }
        // A slot that is seen for the first time began after the tick before.
        let (since, before) = *self.sampled.get_or_insert((previous, Duration::ZERO));
        let changed = *account != self.account;
        let lane = account.lane.map(|told| match account.thread {
            // What is told of it is told when its task is over.
            Some(OwnThread { pid, id, spent }) => match readings.thread_cpu(pid, id) {
                Ok(cpu) => (told.max(spent + cpu), true),
                Err(_) => (told, account.lane != self.account.lane),
            },
            None => (told, account.lane != self.account.lane),
        });
        let read = account.pid.map(|pid| readings.cpu_time(pid));
        let others = account.pid.map_or(Duration::ZERO, |pid| self.family.cpu(pid));
        let (running, known) = match read {
            None => (Duration::ZERO, true),
            Some(Ok(cpu)) => ((cpu + others).max(account.reported), true),
            // No CPU clocks here: the bar moves when the account does.
            Some(Err(error)) if error.kind() == io::ErrorKind::Unsupported => (account.reported, changed),
            // It has just ended: its account will say how much it used, and already says what those before it used.
            Some(Err(_)) if changed => (account.reported, true),
            Some(Err(_)) => return,
        };
        self.account = *account;
        let total = (account.exited + running).max(live.cpu);
        live.cpu = total;
        let (total, known) = lane.unwrap_or((total, known));
        if !known {
            live.percent = None;
            return;
        }
        // What was found at this look was used since the one before it, and not since the last tick.
        let found = seen
            && account.lane.is_none()
            && (others > self.others || account.pid.is_some_and(|pid| self.family.lives(pid)));
        let (since, before) = self.looked.filter(|_| found).unwrap_or((since, before));
        self.others = others;
        if seen {
            self.looked = Some((now, total));
        }
        if now > since {
            live.percent = Some(percent(total.saturating_sub(before), now - since, ceiling) as f32);
        }
        self.sampled = Some((now, total));
        let (since, before) = *self.pushed.get_or_insert((previous, Duration::ZERO));
        if now.saturating_sub(since) >= HISTORY_STEP {
            live.history.push(percent(total.saturating_sub(before), now - since, ceiling).round() as u8);
            self.pushed = Some((now, total));
        }
    }
}

fn percent(cpu: Duration, wall: Duration, ceiling: f64) -> f64 {
    (100.0 * cpu.as_secs_f64() / wall.as_secs_f64()).min(ceiling)
}
