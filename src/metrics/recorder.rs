//! The fold: events of one run in, snapshots out. It runs on the engine's thread and must be quick: results go through
//! [`Latencies::batch`] without an allocation, starts and exits touch a few counters, and everything that costs more
//! (percentiles, rows, readings) waits for the ten snapshots a second. It never waits for anybody.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::engine::control::Capabilities;
use crate::engine::event::{
    EngineView, Event, InitializerFigures, Moment, Observer, Presence, RunState, Severity, Slot, WorkerState,
};
use crate::engine::outcome::{AttemptReport, Outcome};
use crate::metrics::course::CourseWriter;
use crate::metrics::delivery::Deliveries;
use crate::metrics::kills::Kills;
use crate::metrics::latency::Latencies;
use crate::metrics::life::Lives;
use crate::metrics::log::{Last, keep_begin, trimmed};
use crate::metrics::nanos::nanos;
use crate::metrics::results_hash::ResultsHash;
use crate::metrics::sampler::{Live, Sampler};
use crate::metrics::slots::Slots;
use crate::metrics::snapshot::{
    Cpu, Death, Ghosts, Initializers, Kill, Little, Load, Memory, Note, Overhead, QueueFigures, RunEnd, RunId,
    Snapshot, WorkerTime,
};
use crate::metrics::stalls::Stalls;
use crate::metrics::suspect::{self, Evidence};
use crate::metrics::windows::{Capacity, Level, Pauses, Rate};
use crate::os::job_control;
use crate::os::pressure::Pressure;

mod rows;

/// What a recorder needs to know beforehand.
#[derive(Clone, Copy, Debug)]
pub struct RecorderConfig {
    /// How often live CPU is read, ten times a second for a dashboard; `None` starts no sampler: no bars, no memory and
    /// no reasons for suspicion from the machine, but the same results.
    pub sample_interval: Option<Duration>,
    /// Cores that the workers may use; a bar never shows more.
    pub cores: u32,
    /// What the engine can do: with a process for each task, the start of a process is start-up time of its task.
    pub capabilities: Capabilities,
    /// Whether there is no limit on the number of workers. Then there is no idle time either.
    pub unbounded: bool,
    /// Which run of a session it is.
    pub run: RunId,
}

/// Folds the events of one run.
#[derive(Debug)]
pub struct Recorder {
    config: RecorderConfig,
    publish: watch::Sender<Arc<Snapshot>>,
    latencies: Latencies,
    hash: ResultsHash,
    slots: Slots,
    sampler: Option<Sampler>,
    live: Live,
    /// The machine when the run began.
    before: Option<Pressure>,
    rate: Rate,
    capacity: Capacity,
    depth: Level,
    notes: Last<Note>,
    failures: Last<AttemptReport>,
    kills: Kills,
    ghosts: Ghosts,
    initializers: Initializers,
    deliveries: Deliveries,
    unkillable: u64,
    lives: Lives,
    pauses: Pauses,
    /// Last outcome of a task, pauses left out.
    last_outcome: Moment,
    succeeded: u64,
    /// Tasks that reached their `queue_timeout`, and how long they waited together.
    expired: u64,
    expired_wait: Duration,
    suspended: Duration,
    course: CourseWriter,
    deaths: Last<Death>,
    deaths_total: u64,
    stalls: Stalls,
}

impl Recorder {
    /// A recorder and where its snapshots appear; the first one is empty. Starts the sampler's thread.
    #[must_use]
    pub fn new(config: RecorderConfig) -> (Self, watch::Receiver<Arc<Snapshot>>) {
        let (publish, snapshots) = watch::channel(Arc::new(Snapshot { run: config.run, ..Snapshot::empty() }));
        let mut recorder = Self {
            config,
            publish,
            latencies: Latencies::default(),
            hash: ResultsHash::default(),
            slots: Slots::default(),
            sampler: None,
            live: Live::default(),
            before: config.sample_interval.map(|_| Pressure::read()),
            rate: Rate::default(),
            capacity: Capacity::default(),
            depth: Level::default(),
            notes: Last::default(),
            failures: Last::default(),
            kills: Kills::default(),
            ghosts: Ghosts::default(),
            initializers: Initializers::default(),
            deliveries: Deliveries::default(),
            unkillable: 0,
            lives: Lives::default(),
            pauses: Pauses::default(),
            last_outcome: Moment::ZERO,
            succeeded: 0,
            expired: 0,
            expired_wait: Duration::ZERO,
            suspended: Duration::ZERO,
            course: CourseWriter::default(),
            deaths: Last::default(),
            deaths_total: 0,
            stalls: Stalls::new(job_control::times_continued()),
        };
        match config.sample_interval.map(|interval| Sampler::start(interval, config.cores)) {
            None => {}
            Some(Ok(sampler)) => recorder.sampler = Some(sampler),
            Some(Err(error)) => {
                let text = format!("no live CPU bars and no memory figures: cannot start a thread: {error}");
                recorder.note(Moment::ZERO, Severity::Warning, text);
            }
        }
        (recorder, snapshots)
    }

    fn note(&mut self, now: Moment, severity: Severity, mut text: String) {
        keep_begin(&mut text);
        self.notes.push(Note { at: self.pauses.clock(now), severity, text });
    }

    fn initialized(&mut self, figures: InitializerFigures) {
        self.initializers.count += 1;
        self.initializers.wall += figures.wall;
        self.initializers.cpu += figures.cpu;
        self.initializers.rss_bytes = self.initializers.rss_bytes.max(figures.rss_bytes);
    }

    fn attempt(&mut self, now: Moment, report: &AttemptReport) {
        if !report.retried {
            self.last_outcome = self.pauses.clock(now);
        }
        // Of one that never started (no such program, a worker dead on arrival) neither has anything to record.
        if report.slot.is_some() {
            self.latencies.attempt(report);
        }
        self.slots.attempted(report);
        self.kills.attempt(report);
        if let Some(times) = report.times() {
            let began = report.ended - times.service;
            self.pauses.runs_since(began);
            report.slot.into_iter().for_each(|slot| self.at_work(slot, Some(began)));
        }
        self.pauses.ran(now);
        if !matches!(report.outcome, Outcome::Cancelled | Outcome::Dropped | Outcome::Succeeded) {
            self.failures.push(trimmed(report));
        }
    }

    /// The worker of a slot began a task at a moment.
    fn at_work(&mut self, slot: Slot, began: Option<Moment>) {
        if let Some(began) = began.filter(|_| self.config.capabilities.process_per_task) {
            self.kills.replaced(slot, began);
        }
    }

    /// The account of a slot has changed: the sampler should know before its next sample.
    fn tell_sampler(&mut self, slot: Slot) {
        let Some(sampler) = self.sampler.as_mut().filter(|_| self.slots.get(slot).is_some()) else { return };
        sampler.tell(slot.index(), self.slots.account(slot));
        if sampler.is_stale() {
            sampler.tell_all(self.slots.accounts());
        }
    }

    fn snapshot(&mut self, now: Moment, view: &EngineView<'_>) -> Snapshot {
        let over = view.state.is_over();
        let counts = view.counts;
        let clock = self.pauses.clock(now);
        let wall = if over && self.last_outcome > Moment::ZERO { self.last_outcome } else { clock };
        // What failed, timed out or was given up was not done: it has no place in a rate.
        let throughput = self.rate.advance(clock, counts.succeeded);
        let worker_time = self.worker_time(now, wall, view);
        let suspect = self.suspect(over);
        Snapshot {
            run: self.config.run,
            at: clock,
            paused: self.pauses.until(now),
            state: view.state,
            counts,
            // As long as the total is not known, those that there are.
            total: view.total.unwrap_or(view.counts.submitted),
            throughput,
            throughput_whole: per_second(counts.succeeded, wall.elapsed()),
            queue: self.queue(wall, view),
            latency: self.latencies.summary(),
            load: Load {
                utilisation: Load::utilisation(worker_time.busy(), worker_time.idle, self.config.unbounded),
                little: self.little(now, view),
            },
            worker_time,
            ghosts: self.ghosts,
            unkillable: self.unkillable,
            initializers: self.initializers,
            life: self.lives.life(),
            workers_target: view.workers,
            workers: self.rows(now, view),
            cpu: self.cpu(over, wall.elapsed()),
            memory: self.memory(),
            worker_starts: self.slots.starts,
            worker_restarts: self.slots.restarts,
            overhead: Overhead { sampler_lag: self.evidence(None).lag(), ..self.live.overhead },
            results_hash: self.hash.value(),
            suspect,
            notes: self.notes.shared(),
            failures: self.failures.shared(),
            kills: self.kills.requested.shared(),
            timeouts: self.kills.timeouts.shared(),
            delivery: self.deliveries.figures(view.caller),
            end: over.then(|| Arc::new(self.end(now, wall, view))),
            page_faults: self.page_faults(),
            memory_course: self.course.shared(),
            deaths: self.deaths.shared(),
            deaths_total: self.deaths_total,
        }
    }

    fn queue(&self, wall: Moment, view: &EngineView<'_>) -> QueueFigures {
        let counts = &view.counts;
        let mut mean = self.depth.mean();
        // When every task that came has left the queue once, the sum of their waits is the integral of its depth: exact,
        // however short the run was (J. D. C. Little, A Proof for the Queuing Formula L = lambda W, 1961).
        let left = self.latencies.waits() + self.expired;
        let seconds = wall.elapsed().as_secs_f64();
        let paused = !self.pauses.until(wall).is_zero();
        if view.state.is_over()
            && !paused
            && counts.retries == 0
            && left + counts.dropped == counts.submitted
            && seconds > 0.0
        {
            let exact = (self.latencies.waited() + self.expired_wait).as_secs_f64() / seconds;
            // Arrivals that were held back outside have waited too, but not in the queue.
            mean = if exact <= self.depth.max as f64 { exact } else { mean };
        }
        QueueFigures { depth: counts.queued, max: self.depth.max, mean, oldest: view.oldest }
    }

    /// Both sides of Little's law over the same time, in which pauses count: tasks stay in the system then.
    fn little(&self, now: Moment, view: &EngineView<'_>) -> Option<Little> {
        let Presence { time, until } = view.presence?;
        let window = if view.state.is_over() { until } else { now };
        let left = self.latencies.sojourns() + self.expired;
        let sojourns = self.latencies.sojourned() + self.expired_wait;
        let gone = view.counts.finished() - view.counts.dropped;
        Little::new(time, window, sojourns, left, gone.saturating_sub(left))
    }

    fn cpu(&self, over: bool, wall: Duration) -> Cpu {
        let usage = self.slots.usage();
        // While processes live, what they use is sampled; when all are reaped, only the kernel's accounts count.
        let total = if over { usage.cpu() } else { usage.cpu().max(self.live.workers_cpu) };
        let seconds = wall.as_secs_f64();
        let cores_used_whole = if seconds > 0.0 { total.as_secs_f64() / seconds } else { 0.0 };
        Cpu { user: usage.user, system: usage.system, cores_used: self.live.cores_used, cores_used_whole }
    }

    fn memory(&self) -> Memory {
        let mut memory = self.live.memory;
        memory.peak_rss_bytes = memory.peak_rss_bytes.max(self.slots.peak_rss);
        memory
    }

    /// Where the time of the workers went until `wall`, with tasks and starts that are under way.
    fn worker_time(&self, now: Moment, wall: Moment, view: &EngineView<'_>) -> WorkerTime {
        let (mut work, mut startup) = (u128::from(self.slots.work), u128::from(self.slots.startup));
        let mut ghost = self.ghosts.time.as_nanos();
        for slot in view.slots {
            let totals = self.slots.get(slot.slot).copied().unwrap_or_default();
            match slot.task {
                Some((.., start)) if slot.state == WorkerState::Ghost => {
                    ghost += now.since(start.max(totals.lane.last_end)).as_nanos();
                }
                Some((.., start)) => work += now.since(start.max(totals.lane.last_end)).as_nanos(),
                None if self.config.capabilities.process_per_task && rows::starting(slot) => {
                    startup += now.since(totals.worker.started).as_nanos();
                }
                None => {}
            }
        }
        let whole = if self.config.unbounded { 0 } else { self.capacity.until(wall) };
        let idle = whole.saturating_sub(work + startup + ghost);
        let [work, startup, ghost, idle] = [work, startup, ghost, idle].map(nanos);
        WorkerTime { work, startup, ghost, idle }
    }

    fn evidence<'a>(&'a self, readings: Option<(&'a Pressure, &'a Pressure)>) -> Evidence<'a> {
        let usage = self.slots.usage();
        Evidence {
            readings,
            workers_cpu: usage.cpu().max(self.live.workers_cpu),
            major_faults: usage.major_faults,
            suspended: self.suspended,
            stopped: self.stalls.stopped(job_control::times_continued()),
            sampler_lag: self.live.overhead.sampler_lag,
        }
    }

    fn suspect(&self, over: bool) -> Vec<String> {
        let last = (over && self.before.is_some()).then(|| Arc::new(Pressure::read()));
        let newest = last.as_ref().or(self.live.pressure.as_ref());
        let readings = self.before.as_ref().zip(newest.map(AsRef::as_ref));
        suspect::reasons(&self.evidence(readings))
    }

    fn end(&mut self, now: Moment, wall: Moment, view: &EngineView<'_>) -> RunEnd {
        let last = wall + self.pauses.until(now);
        let workers = if self.config.unbounded { 0 } else { view.workers };
        let last_end = |slot| self.slots.get(Slot(slot)).map_or(Moment::ZERO, |totals| totals.lane.last_end);
        RunEnd {
            wall: wall.elapsed(),
            tail_idle: (0..workers).map(|slot| last.since(last_end(slot))).sum(),
            distributions: self.latencies.distributions(),
            delivered: self.deliveries.distribution(),
            so_far: None,
            unreaped: self.slots.starts.saturating_sub(self.slots.exits),
        }
    }
}

impl Observer for Recorder {
    fn event(&mut self, now: Moment, event: &Event<'_>) {
        match event {
            Event::Succeeded(batch) => {
                let sums = self.latencies.batch(batch, &mut self.hash);
                if let Some(first) = batch.records.first() {
                    self.pauses.runs_since(first.start);
                }
                self.pauses.ran(now);
                self.succeeded += batch.records.len() as u64;
                self.slots.succeeded(batch.slot, batch.records, &sums);
                self.at_work(batch.slot, batch.records.first().map(|record| record.start));
                self.last_outcome = self.pauses.clock(now);
            }
            Event::Attempt(report) => self.attempt(now, report),
            Event::Expired { count, limit, reports, .. } => {
                reports.iter().for_each(|report| self.failures.push(trimmed(report)));
                self.expired += count;
                self.expired_wait += limit.duration().saturating_mul(u32::try_from(*count).unwrap_or(u32::MAX));
                self.last_outcome = self.pauses.clock(now);
            }
            Event::WorkerStarted { worker, pid, restart } => {
                self.slots.started(*worker, *pid, *restart, now);
                self.tell_sampler(worker.slot);
            }
            Event::WorkerReady { worker, .. } => {
                // A process that is its task says so with its result: it is there when it begins to work.
                if !self.config.capabilities.process_per_task {
                    self.kills.replaced(worker.slot, now);
                }
            }
            Event::WorkerEnding { worker, slot, pid, reason, others } => {
                let kill = Kill::new(self.pauses.clock(now), *slot, *pid, *reason);
                self.kills.ending(now, *worker, kill, others);
            }
            Event::WorkerUnkillable { .. } => self.unkillable += 1,
            Event::WorkerUsage { lane, usage } => self.slots.told(*lane, *usage),
            Event::WorkerExited { worker, pid, usage, peak_rss_bytes, expected, exit, cause } => {
                let at = self.pauses.clock(now);
                let death = Death { at, slot: worker.slot, pid: *pid, exit: *exit, cause: *cause };
                self.slots.died(death);
                if !cause.is_ordinary() {
                    self.deaths.push(death);
                    self.deaths_total += 1;
                }
                self.kills.exited(now, *worker, *expected);
                if self.slots.exited(now, *worker, *pid, *usage, *peak_rss_bytes) {
                    // Its task was given up, which is an outcome too.
                    self.pauses.ran(now);
                    self.last_outcome = self.pauses.clock(now);
                }
                self.tell_sampler(worker.slot);
            }
            Event::Delivered(parts) => self.deliveries.delivered(now, parts),
            Event::WorkerBegan { beginning, .. } => self.lives.began(beginning),
            Event::WorkerReaped { after, .. } => self.lives.reaped(*after),
            Event::WorkerJoined { delay, .. } => self.lives.joined(*delay),
            Event::Undead { zombies, new_orphans, over } => self.lives.seen(*zombies, *new_orphans, *over),
            Event::ForkServerReady { initializer, .. } => {
                self.lives.fork_servers.starts += 1;
                if let Some(figures) = initializer {
                    self.initialized(*figures);
                }
            }
            Event::ForkServerExited { usage, .. } => {
                self.lives.fork_servers.cpu += usage.cpu();
                self.slots.exited += *usage;
            }
            // The bytes are the caller's.
            Event::Returned { .. } => {}
            Event::GhostBegan { .. } => self.ghosts.began += 1,
            Event::GhostEnded { after, cpu, .. } => {
                self.ghosts.ended += 1;
                self.ghosts.time += *after;
                self.ghosts.cpu += cpu.unwrap_or_default();
                self.ghosts.unmeasured += u64::from(cpu.is_none());
            }
            Event::WorkerInitialized { wall, cpu, rss_bytes, .. } => {
                self.initialized(InitializerFigures { wall: *wall, cpu: *cpu, rss_bytes: *rss_bytes });
            }
            Event::Resized { workers } => {
                self.capacity.set(self.pauses.clock(now), *workers);
                let plural = if *workers == 1 { "" } else { "s" };
                self.note(now, Severity::Info, format!("{workers} worker{plural} from now on"));
            }
            Event::Suspended(duration) => {
                self.suspended += *duration;
                let text = format!("the run stood still for {:.1} s", duration.as_secs_f64());
                self.note(now, Severity::Warning, text);
            }
            Event::Note { severity, text } => self.note(now, *severity, text.clone()),
        }
    }

    fn state(&mut self, now: Moment, view: &EngineView<'_>) {
        debug_assert!(view.counts.conserved(), "conservation: {:?}", view.counts);
        debug_assert_eq!(view.counts.succeeded, self.succeeded, "successes counted and successes told");
        self.stalls.alive(now);
        match view.state {
            // A run can be suspended in a pause; its clock stands still then.
            RunState::Suspended => {}
            state => {
                let starts = view.slots.iter().filter_map(|slot| Some(slot.task?.2));
                if let Some(start) = starts.min() {
                    self.pauses.runs_since(start);
                }
                self.pauses.see(now, state == RunState::Paused, view.counts.running > 0);
            }
        }
        view.slots.iter().for_each(|slot| self.slots.seen(slot));
        view.slots.iter().for_each(|slot| self.at_work(slot.slot, slot.task.map(|(.., start)| start)));
        if view.state.is_over() {
            self.kills.over();
        }
        let clock = self.pauses.clock(now);
        self.capacity.set(clock, view.workers);
        self.depth.see(clock, view.counts.queued);
        if let Some(sampler) = self.sampler.as_mut() {
            sampler.tell_all(self.slots.accounts());
            sampler.read(&mut self.live);
        }
        self.follow_memory(now, view);
        let snapshot = Arc::new(self.snapshot(now, view));
        if view.state.is_over() {
            self.sampler = None;
        }
        self.publish.send_replace(snapshot);
    }
}

fn per_second(count: u64, wall: Duration) -> f64 {
    let seconds = wall.as_secs_f64();
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

#[cfg(test)]
mod tests;
