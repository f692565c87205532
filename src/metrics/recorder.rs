//! The fold: events of one run in, snapshots out. It runs on the engine's thread and must be quick: results go through
//! `Latencies::batch` without an allocation, starts and exits touch a few counters, and everything that costs more
//! (percentiles, rows, readings) waits for the ten snapshots a second. It never waits for anybody.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::engine::control::Capabilities;
use crate::engine::event::{
    EngineView, Event, InitializerFigures, Moment, Observer, Presence, RunState, Severity, Slot,
};
use crate::engine::outcome::{AttemptReport, Outcome};
use crate::metrics::carriage::Carriages;
use crate::metrics::classes::{Classes, CpuSource};
use crate::metrics::course::CourseWriter;
use crate::metrics::delivery::Deliveries;
use crate::metrics::gil_probe::Probes;
use crate::metrics::kills::Kills;
use crate::metrics::life::{ForkServerUse, Lives};
use crate::metrics::log::{Last, keep_begin, trimmed};
use crate::metrics::results_hash::ResultsHash;
use crate::metrics::sampler::{Account, Live, Sampler};
use crate::metrics::slots::Slots;
use crate::metrics::snapshot::{
    Cpu, Death, Ghosts, Initializers, Kill, Little, Load, Memory, Note, Overhead, QueueFigures, RunEnd, RunId,
    Snapshot, ThreadUse,
};
use crate::metrics::stages::Stages;
use crate::metrics::stalls::Stalls;
use crate::metrics::suspect::{self, Evidence};
use crate::metrics::windows::{Capacity, Level, Pauses, Rate};
use crate::os::job_control;
use crate::os::pressure::Pressure;

mod ends;
mod rows;

use ends::RunEnds;

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
    classes: Classes,
    hash: ResultsHash,
    slots: Slots,
    sampler: Option<Sampler>,
    live: Live,
    /// The machine when the run began.
    before: Option<Pressure>,
    rate: Rate,
    capacity: Capacity,
    depth: Level,
    stages: Stages,
    notes: Last<Note>,
    failures: Last<AttemptReport>,
    kills: Kills,
    ghosts: Ghosts,
    /// CPU time of those that are still there.
    burning: Duration,
    wrong_results: u64,
    initializers: Initializers,
    deliveries: Deliveries,
    unkillable: u64,
    lives: Lives,
    /// The account of the fork servers.
    fork_server: Account,
    not_forked: Option<Box<str>>,
    pauses: Pauses,
    /// Last outcome of a task, pauses left out.
    last_outcome: Moment,
    /// When the run came to its end or was ended, which is told before its workers are gone.
    ends: Option<RunEnds>,
    succeeded: u64,
    /// Tasks that reached their `queue_timeout`, and how long they waited together.
    expired: u64,
    expired_wait: Duration,
    suspended: Duration,
    course: CourseWriter,
    carriages: Carriages,
    probes: Probes,
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
            classes: Classes::new(1, CpuSource::Nobody),
            hash: ResultsHash::default(),
            slots: Slots::default(),
            sampler: None,
            live: Live::default(),
            before: config.sample_interval.map(|_| Pressure::read()),
            rate: Rate::default(),
            capacity: Capacity::default(),
            depth: Level::default(),
            stages: Stages::default(),
            notes: Last::default(),
            failures: Last::default(),
            kills: Kills::default(),
            ghosts: Ghosts::default(),
            burning: Duration::ZERO,
            wrong_results: 0,
            initializers: Initializers::default(),
            deliveries: Deliveries::default(),
            unkillable: 0,
            lives: Lives::default(),
            fork_server: Account::default(),
            not_forked: None,
            pauses: Pauses::default(),
            last_outcome: Moment::ZERO,
            ends: None,
            succeeded: 0,
            expired: 0,
            expired_wait: Duration::ZERO,
            suspended: Duration::ZERO,
            course: CourseWriter::default(),
            carriages: Carriages::default(),
            probes: Probes::default(),
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

    /// Measures the utilisation between these times too, each the begin and the end of a stage of arrivals.
    pub(crate) fn follow(&mut self, stages: &[(Duration, Duration)]) {
        self.stages = Stages::new(stages);
    }

    /// Tells so many classes of tasks apart. Before anything is told.
    pub(crate) fn tell_apart(&mut self, classes: usize, cpu: CpuSource) {
        self.classes = Classes::new(classes, cpu);
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
        self.classes.attempt(report);
        self.slots.attempted(report, self.measured_until());
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

    fn tell_of_fork_server(&self) {
        self.sampler.iter().for_each(|sampler| sampler.tell_fork_server(self.fork_server));
    }

    fn fork_server_use(&self) -> Option<Box<ForkServerUse>> {
        if self.fork_server == Account::default() && self.not_forked.is_none() {
            return None;
        }
        let live = &self.live.fork_server;
        let now = live.memory.filter(|(pid, _)| self.fork_server.pid == Some(*pid)).map(|(_, reading)| reading);
        Some(Box::new(ForkServerUse {
            cpu: if self.fork_server.pid.is_some() {
                live.cpu.max(self.fork_server.exited)
            } else {
                self.fork_server.exited
            },
            pss_bytes: now.and_then(|now| now.pss_bytes),
            rss_bytes: now.map(|now| now.rss_bytes),
            peak_pss_bytes: live.peak_pss_bytes,
            peak_rss_bytes: live.peak_rss_bytes,
            not_forked: self.not_forked.clone(),
        }))
    }

    fn snapshot(&mut self, now: Moment, view: &EngineView<'_>) -> Snapshot {
        let over = view.state.is_over();
        let counts = view.counts;
        let clock = self.pauses.clock(now);
        let wall = self.wall(clock, view.state);
        // What failed, timed out or was given up was not done: it has no place in a rate.
        let throughput = self.rate.advance(clock, counts.succeeded);
        // Of the time after the last outcome there is no worker time.
        let seen = if over { (wall + self.pauses.until(now)).min(now) } else { now };
        let seen = self.measured_until().map_or(seen, |until| until.min(seen));
        let (worker_time, busy) = self.worker_time(seen, wall, view);
        self.stages.see(seen, busy, worker_time.idle);
        let (suspect, others) = self.suspect(over);
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
            latency: self.classes.summary(),
            classes: Arc::new(self.classes.figures(over)),
            load: Box::new(Load {
                utilisation: Load::utilisation(busy, worker_time.idle, self.config.unbounded),
                little: self.little(now, view),
            }),
            stages: self.stages.loads(self.config.unbounded),
            chunks: view.chunks.map(Box::new),
            carriage: self.carriages.figures(),
            gil_probe: self.probes.figures(),
            worker_time,
            ghosts: Ghosts { cpu: self.ghosts.cpu + self.burning, ..self.ghosts },
            unkillable: self.unkillable,
            initializers: self.initializers,
            life: self.lives.life(),
            fork_server: self.fork_server_use(),
            workers_target: view.workers,
            workers: self.rows(now, view),
            // Workers that go on after the run was ended use processors until they are gone.
            cpu: self.cpu(over, if self.measured_early() { clock } else { wall }.elapsed()),
            memory: self.memory(),
            worker_starts: self.slots.starts,
            worker_restarts: self.slots.restarts,
            overhead: Box::new(Overhead { sampler_lag: self.evidence(None).lag(), others, ..self.live.overhead }),
            results_hash: self.hash.value(),
            wrong_results: self.wrong_results,
            suspect,
            notes: self.notes.shared(),
            failures: self.failures.shared(),
            kills: self.kills.requested.shared(),
            timeouts: self.kills.timeouts.shared(),
            delivery: self.deliveries.figures(view.caller),
            end: over.then(|| Arc::new(self.end(wall, view, worker_time.idle))),
            page_faults: self.page_faults().map(Box::new),
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
        let left = self.classes.waits() + self.expired;
        let seconds = wall.elapsed().as_secs_f64();
        let paused = !self.pauses.until(wall).is_zero();
        if view.state.is_over()
            && !paused
            && counts.retries == 0
            && left + counts.dropped == counts.submitted
            && seconds > 0.0
        {
            // Arrivals that were held outside have waited too, but not in the queue.
            let outside = view.presence.map_or(Duration::ZERO, |presence| presence.outside);
            let waited = (self.classes.waited() + self.expired_wait).saturating_sub(outside);
            let exact = waited.as_secs_f64() / seconds;
            mean = if exact <= self.depth.max as f64 { exact } else { mean };
        }
        QueueFigures { depth: counts.queued, max: self.depth.max, mean, oldest: view.oldest }
    }

    /// Both sides of Little's law over the same time, in which pauses count: tasks stay in the system then.
    fn little(&self, now: Moment, view: &EngineView<'_>) -> Option<Little> {
        let Presence { time, until, .. } = view.presence?;
        let window = if view.state.is_over() { until } else { now };
        let left = self.classes.sojourns() + self.expired;
        let sojourns = self.classes.sojourned() + self.expired_wait;
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

    fn evidence<'a>(&'a self, readings: Option<(&'a Pressure, &'a Pressure)>) -> Evidence<'a> {
        let usage = self.slots.usage();
        Evidence {
            readings,
            workers_cpu: usage.cpu().max(self.live.workers_cpu),
            major_faults: usage.major_faults,
            suspended: self.suspended,
            stopped: self.stalls.stopped(job_control::times_continued()),
            sampler_lag: self.live.overhead.sampler_lag,
            // Both while it went on: before and after it the processors rest.
            mhz: self.live.first_mhz.zip(self.live.pressure.as_ref().and_then(|newest| newest.mhz)),
        }
    }

    /// Why it should not be trusted, and how many cores other programs have used.
    fn suspect(&self, over: bool) -> (Vec<String>, Option<f64>) {
        if over {
            self.stalls.wait_for_word(job_control::times_continued);
        }
        let last = (over && self.before.is_some()).then(|| Arc::new(Pressure::read()));
        let newest = last.as_ref().or(self.live.pressure.as_ref());
        let readings = self.before.as_ref().zip(newest.map(AsRef::as_ref));
        let evidence = self.evidence(readings);
        (suspect::reasons(&evidence), suspect::others(&evidence))
    }

    fn end(&mut self, wall: Moment, view: &EngineView<'_>, idle: Duration) -> RunEnd {
        RunEnd {
            wall: wall.elapsed(),
            tail_idle: self.tail_idle(wall, view).min(idle),
            distributions: self.classes.distributions(),
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
                let sums = self.classes.batch(batch, &mut self.hash);
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
            Event::Expired { class, count, limit, reports } => {
                self.classes.expired(*class, *count);
                reports.iter().for_each(|report| self.failures.push(trimmed(report)));
                self.expired += count;
                self.expired_wait += limit.duration().saturating_mul(u32::try_from(*count).unwrap_or(u32::MAX));
                self.last_outcome = self.pauses.clock(now);
            }
            Event::WorkerStarted { worker, pid, restart } => {
                let kept = !self.config.capabilities.process_per_task;
                self.slots.started(*worker, *pid, *restart, kept, now);
                self.classes.started(worker.slot);
                self.tell_sampler(worker.slot);
            }
            Event::WorkerReady { worker, .. } => {
                // A process that is its task says so with its result: it is there when it begins to work.
                if !self.config.capabilities.process_per_task {
                    self.kills.replaced(worker.slot, now);
                }
                self.slots.ready(self.measured(now), *worker, None);
            }
            Event::WorkerEnding { worker, slot, pid, reason, others } => {
                let kill = Kill::new(self.pauses.clock(now), *slot, *pid, *reason);
                self.kills.ending(now, *worker, kill, others);
            }
            Event::WorkerUnkillable { .. } => self.unkillable += 1,
            Event::LaneBegins { lane, cpu, delay } => {
                self.classes.told(*lane, *cpu);
                self.slots.lane_begins(*lane, ThreadUse { cpu: *cpu, delay: *delay, between: Duration::ZERO });
            }
            Event::LaneThread { lane, thread, delay } => self.slots.thread(*lane, *thread, *delay),
            Event::WorkerUsage { lane, usage } => {
                self.classes.told(*lane, usage.cpu());
                self.slots.told(*lane, *usage);
            }
            Event::WorkerExited { worker, pid, usage, peak_rss_bytes, expected, exit, cause } => {
                self.classes.exited(*worker, usage.cpu());
                let at = self.pauses.clock(now);
                let death = Death { at, slot: worker.slot, pid: *pid, exit: *exit, cause: *cause };
                self.slots.died(death);
                if !cause.is_ordinary() {
                    self.deaths.push(death);
                    self.deaths_total += 1;
                }
                self.kills.exited(now, *worker, *expected);
                // One that is sent away before it was of use, as at the end of a run, was needed until the last outcome.
                let until = self.measured_until();
                let needed = if *expected { until.unwrap_or_else(|| self.last_outcome_at(now)) } else { now };
                let needed = until.map_or(needed, |until| until.min(needed));
                if self.slots.exited((now, needed, until), *worker, *pid, *usage, *peak_rss_bytes) {
                    // Its task was given up, which is an outcome too.
                    self.pauses.ran(now);
                    self.last_outcome = self.pauses.clock(now);
                }
                self.tell_sampler(worker.slot);
            }
            Event::Delivered(parts) => self.deliveries.delivered(now, parts),
            Event::WorkerBegan { worker, beginning } => {
                self.lives.began(beginning);
                let kept = !self.config.capabilities.process_per_task;
                if let Some((_, ready)) = beginning.own.filter(|_| kept) {
                    self.slots.began(*worker, self.measured(ready));
                }
            }
            Event::WorkerReaped { after, .. } => self.lives.reaped(*after),
            Event::WorkerJoined { delay, .. } => self.lives.joined(*delay),
            Event::Undead { zombies, new_orphans, over } => self.lives.seen(*zombies, *new_orphans, *over),
            Event::ForkServerStarted { pid } => {
                self.fork_server.pid = Some(*pid);
                self.slots.boots(now);
                self.tell_of_fork_server();
            }
            Event::NotForked { reason } => self.not_forked = Some((*reason).into()),
            Event::ForkServerReady { took, initializer, .. } => {
                self.lives.fork_servers.starts += 1;
                self.lives.fork_servers.startup += *took;
                self.slots.booted(self.measured(now), self.lanes());
                if let Some(figures) = initializer {
                    self.initialized(*figures);
                }
            }
            Event::ForkServerExited { usage, .. } => {
                self.slots.booted(self.measured(now), self.lanes());
                self.lives.fork_servers.cpu += usage.cpu();
                self.fork_server = Account { exited: self.lives.fork_servers.cpu, ..Account::default() };
                self.tell_of_fork_server();
                self.slots.exited += *usage;
            }
            Event::RunEnds { early } => {
                let ends = RunEnds { at: now, clock: self.pauses.clock(now), early: *early };
                self.ends.get_or_insert(ends);
            }
            Event::CutShort { slot, index, dispatched, start, ended } => {
                self.pauses.runs_since(*start);
                self.slots.cut_short(*slot, *index, (*dispatched, *start, *ended), self.measured_until());
                self.at_work(*slot, Some(*start));
            }
            Event::Values(Some(values)) => values.iter().for_each(|(index, value)| self.hash.correct(*index, *value)),
            Event::Values(None) => self.hash = ResultsHash::unknown(),
            // The bytes are the caller's.
            Event::Returned { .. } | Event::Wrote { .. } => {}
            Event::Carried { carried, .. } => self.carriages.add(carried),
            Event::Probed { late, switch_interval } => self.probes.add(late, *switch_interval),
            Event::MadeWrong { count } => self.wrong_results += count,
            Event::GhostBegan { lane } => {
                self.ghosts.began += 1;
                self.slots.haunted(*lane, true, now);
            }
            Event::GhostsBurn { cpu } => self.burning = *cpu,
            Event::GhostEnded { lane, after, cpu } => {
                self.ghosts.ended += 1;
                let late = self.measured_until().map_or(Duration::ZERO, |until| now.since(until));
                self.ghosts.time += after.saturating_sub(late);
                self.slots.haunted(*lane, false, now);
                self.ghosts.cpu += cpu.unwrap_or_default();
                self.ghosts.unmeasured += u64::from(cpu.is_none());
            }
            Event::WorkerInitialized { worker, wall, cpu, rss_bytes } => {
                if !self.config.capabilities.process_per_task {
                    let until = self.measured(now);
                    self.slots.ready(until, *worker, Some(wall.saturating_sub(now.since(until))));
                }
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
            sampler.tell_fork_server(self.fork_server);
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
