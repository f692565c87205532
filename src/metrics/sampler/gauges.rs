//! From accounts and readings to bars: what the sampler thread computes at each tick. No clock and no lock in here.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::{Account, Live, LiveSlot, Readings};
use crate::metrics::snapshot::Memory;

/// Length of one entry of a CPU history: thirty of them are the ten seconds that the screens show.
const HISTORY_STEP: Duration = Duration::from_millis(333);
/// Time between two rounds of memory readings: each costs some 50 µs of kernel time for a small process.
const MEMORY_STEP: Duration = Duration::from_millis(500);
/// Most processes whose memory is read in one round; the others follow in the next ones.
const MEMORY_ROUND: usize = 64;
/// Most processes whose CPU clock is read in one tick, at about a microsecond each.
const CPU_ROUND: usize = 512;
/// Time between two readings of the machine.
const PRESSURE_STEP: Duration = Duration::from_secs(1);
/// Length of the window of "cores used".
const WINDOW: Duration = Duration::from_secs(1);

/// Progress of one slot.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// When its CPU was last known, and how much it was.
    sampled: Option<(Duration, Duration)>,
    /// The same at the end of its last history entry.
    pushed: Option<(Duration, Duration)>,
    account: Account,
}

/// Everything the sampler remembers.
#[derive(Debug)]
pub(super) struct Gauges {
    live: Live,
    slots: Vec<Progress>,
    /// Recent (time, CPU of all workers, own CPU).
    window: VecDeque<(Duration, Duration, Duration)>,
    /// Highest percentage shown: all cores.
    ceiling: f64,
    previous: Duration,
    round: usize,
    memory_due: Duration,
    memory_from: usize,
    pressure_due: Duration,
}

impl Gauges {
    pub(super) fn new(cores: u32) -> Self {
        Self {
            live: Live::default(),
            slots: Vec::new(),
            window: VecDeque::new(),
            ceiling: 100.0 * f64::from(cores.max(1)),
            previous: Duration::ZERO,
            round: 0,
            memory_due: Duration::ZERO,
            memory_from: 0,
            pressure_due: PRESSURE_STEP,
        }
    }

    pub(super) fn live(&self) -> &Live {
        &self.live
    }

    /// One sample at `now` (since the sampler began), `late` after it was due.
    pub(super) fn tick(&mut self, now: Duration, late: Duration, accounts: &[Account], readings: &mut dyn Readings) {
        self.live.overhead.sampler_lag = self.live.overhead.sampler_lag.max(late);
        if accounts.len() > self.slots.len() {
            self.slots.resize(accounts.len(), Progress::default());
            self.live.slots.resize(accounts.len(), LiveSlot::default());
        }
        let strides = accounts.len().div_ceil(CPU_ROUND).max(1);
        let slots = self.slots.iter_mut().zip(&mut self.live.slots).zip(accounts).enumerate();
        for (number, ((progress, live), account)) in slots {
            if number % strides == self.round % strides {
                progress.sample(now, self.previous, account, live, self.ceiling, readings);
            }
        }
        self.round = self.round.wrapping_add(1);
        self.previous = now;
        self.cores(now, readings.own_cpu());
        if now >= self.memory_due {
            self.memory_due = now + MEMORY_STEP;
            self.memory(accounts, readings);
        }
        if now >= self.pressure_due {
            self.pressure_due = now + PRESSURE_STEP;
            self.live.pressure = Some(Arc::new(readings.pressure()));
        }
    }

    fn cores(&mut self, now: Duration, own: Duration) {
        let workers = self.live.slots.iter().map(|slot| slot.cpu).sum();
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

    fn memory(&mut self, accounts: &[Account], readings: &mut dyn Readings) {
        let slots = self.live.slots.len().max(1);
        let mut read = 0;
        for step in 0..slots {
            let number = (self.memory_from + step) % slots;
            let (Some(live), account) = (self.live.slots.get_mut(number), accounts.get(number)) else { continue };
            let pid = account.and_then(|account| account.pid);
            if live.memory.map(|(owner, _)| owner) != pid {
                live.memory = None;
            }
            let Some(pid) = pid.filter(|_| read < MEMORY_ROUND) else { continue };
            read += 1;
            live.memory = readings.memory(pid).ok().map(|reading| (pid, reading));
            if read == MEMORY_ROUND {
                self.memory_from = (number + 1) % slots;
            }
        }
        let mut sum = Memory { pss_bytes: Some(0), ..self.live.memory };
        sum.rss_bytes = 0;
        let mut any = false;
        for (_, reading) in self.live.slots.iter().filter_map(|slot| slot.memory) {
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

impl Progress {
    /// Reads one slot. Its bar is the growth of its account and its live process together; that of a lane that shares its
    /// process is the growth of what is told of it.
    fn sample(
        &mut self,
        now: Duration,
        previous: Duration,
        account: &Account,
        live: &mut LiveSlot,
        ceiling: f64,
        readings: &mut dyn Readings,
    ) {
        // A slot that is seen for the first time began after the tick before.
        let (since, before) = *self.sampled.get_or_insert((previous, Duration::ZERO));
        let changed = *account != self.account;
        let lane = account.lane.map(|cpu| (cpu, account.lane != self.account.lane));
        let read = account.pid.map(|pid| readings.cpu_time(pid));
        let (running, known) = match read {
            None => (Duration::ZERO, true),
            Some(Ok(cpu)) => (cpu.max(account.reported), true),
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
