//! Proof by simulation: readings of quiet runs and of disturbed ones, and how often each is marked.

use super::*;
use crate::os::pressure::Processors;
use crate::workload::simulated::Trials;

const TRIALS: u32 = 1000;

/// What a machine went through while a run was made.
struct Run {
    before: Pressure,
    after: Pressure,
    cores: u32,
    seconds: f64,
    workers_cpu: Duration,
    major_faults: u64,
    suspended: Duration,
    stopped: Duration,
    sampler_lag: Duration,
    mhz: Option<(u32, u32)>,
}

fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.max(0.0))
}

impl Run {
    /// A run of 2 to 60 s on 1 to 64 cores. Other programs use 3 % of them on average, the hypervisor takes a little,
    /// readings of several files are not of one moment, samples come late by some milliseconds.
    fn quiet(trials: &mut Trials) -> Self {
        let seconds = trials.between(2.0, 60.0);
        let cores = trials.between(1.0, 65.0) as u32;
        let available = seconds * f64::from(cores);
        let [others, stolen, stalled] = [0.03, 0.005, 0.005].map(|mean| trials.exponential(mean).min(1.0));
        let workers = available * trials.between(0.0, 1.0 - others);
        let own = available * trials.between(0.0, 0.02);
        let start = trials.between(100.0, 1e6);
        let mut before =
            Pressure { too_hot: Some(4), throttled: Some(7), swapped_in: Some(900), ..Pressure::default() };
        before.monotonic = secs(start);
        before.boot = Some(secs(start + 500.0));
        before.wall = secs(1.7e9);
        before.own_cpu = secs(3.0);
        before.processors = Some(Processors { count: cores, busy: secs(5e4), stolen: secs(90.0) });
        before.memory_stall = Some(secs(12.0));
        let mut after = before.clone();
        after.monotonic = secs(start + seconds);
        after.boot = Some(secs(start + 500.0 + seconds + trials.normal(0.01)));
        after.wall = secs(1.7e9 + seconds + trials.normal(0.02));
        after.own_cpu = secs(3.0 + own);
        let busy = secs(5e4 + workers + own + available * others);
        after.processors = Some(Processors { count: cores, busy, stolen: secs(90.0 + available * stolen) });
        after.swapped_in = Some(900 + trials.between(0.0, 60.0) as u64);
        after.memory_stall = Some(secs(12.0 + seconds * stalled));
        let early = trials.between(2000.0, 4000.0);
        let late = early * (1.0 + trials.normal(0.03));
        Self {
            before,
            after,
            cores,
            seconds,
            workers_cpu: secs(workers),
            major_faults: trials.between(0.0, 150.0) as u64,
            suspended: Duration::ZERO,
            stopped: Duration::ZERO,
            sampler_lag: secs(trials.exponential(0.05)),
            mhz: Some((early as u32, late as u32)),
        }
    }

    fn reasons(&self) -> Vec<String> {
        reasons(&Evidence {
            readings: Some((&self.before, &self.after)),
            workers_cpu: self.workers_cpu,
            major_faults: self.major_faults,
            suspended: self.suspended,
            stopped: self.stopped,
            sampler_lag: self.sampler_lag,
            mhz: self.mhz,
        })
    }

    fn processors(&mut self) -> &mut Processors {
        self.after.processors.as_mut().unwrap()
    }
}

/// A word of the reason, and what happens to a run so that it has it.
type Disturbance = (&'static str, fn(&mut Run, &mut Trials));

const DISTURBANCES: [Disturbance; 12] = [
    ("quota", |run, trials| run.after.throttled = Some(7 + trials.between(1.0, 500.0) as u64)),
    ("suspended", |run, trials| run.suspended = secs(trials.between(0.05, 30.0))),
    ("stopped", |run, trials| run.stopped = secs(trials.between(0.05, 30.0))),
    ("sampler", |run, trials| run.sampler_lag = secs(trials.between(2.1, 20.0))),
    ("swapping", |run, trials| run.after.swapped_in = Some(900 + trials.between(300.0, 1e6) as u64)),
    ("disk", |run, trials| run.major_faults = 250 + (run.seconds * trials.between(60.0, 5000.0)) as u64),
    ("memory was short", |run, trials| {
        run.after.memory_stall = Some(secs(12.0 + (run.seconds * trials.between(0.08, 0.9)).max(0.25)));
    }),
    ("other programs", |run, trials| {
        // They leave our workers less, or use what these did not.
        let share = trials.between(0.25, 0.9);
        let available = run.seconds * f64::from(run.cores);
        run.workers_cpu = run.workers_cpu.min(secs(available * (1.0 - share)));
        let own = run.after.own_cpu - run.before.own_cpu;
        let busy = run.before.processors.unwrap().busy + run.workers_cpu + own + secs(available * share);
        run.processors().busy = busy;
    }),
    ("hypervisor", |run, trials| {
        let available = run.seconds * f64::from(run.cores);
        run.processors().stolen += secs((available * trials.between(0.06, 0.5)).max(0.25));
    }),
    ("slept", |run, trials| {
        let asleep = secs(trials.between(1.0, 4000.0));
        run.after.boot = run.after.boot.map(|boot| boot + asleep);
        run.after.wall += asleep;
    }),
    ("clock was set", |run, trials| run.after.wall += secs(trials.between(0.7, 4000.0))),
    ("became slower", |run, trials| {
        let available = run.seconds * f64::from(run.cores);
        run.workers_cpu = secs(available * trials.between(0.75, 0.95));
        run.processors().busy = run.before.processors.unwrap().busy + run.workers_cpu;
        let early = trials.between(2000.0, 4000.0);
        run.mhz = Some((early as u32, (early * trials.between(0.3, 0.82)) as u32));
    }),
];

#[test]
fn quiet_runs_are_left_alone() {
    let mut trials = Trials::new(81);
    let marked: Vec<Vec<String>> =
        (0..TRIALS).map(|_| Run::quiet(&mut trials).reasons()).filter(|reasons| !reasons.is_empty()).collect();
    println!("seed 81: {} of {TRIALS} quiet runs are marked: {marked:?}", marked.len());
    assert!(marked.len() as u32 <= TRIALS / 50, "{} of {TRIALS}, seed 81: {marked:?}", marked.len());
}

#[test]
fn every_disturbance_is_marked_with_its_reason() {
    for ((word, disturb), seed) in DISTURBANCES.into_iter().zip(82..) {
        let mut trials = Trials::new(seed);
        let mut marked = 0;
        for _ in 0..TRIALS {
            let mut run = Run::quiet(&mut trials);
            disturb(&mut run, &mut trials);
            marked += u32::from(run.reasons().iter().any(|reason| reason.contains(word)));
        }
        println!("seed {seed}: {marked} of {TRIALS} runs are marked `{word}`");
        assert!(marked >= TRIALS * 95 / 100, "{word}: {marked} of {TRIALS}, seed {seed}");
    }
}
