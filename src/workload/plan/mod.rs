//! What a workload would do on a machine, without running any of it.
//!
//! Predictions use the drawn service times alone: starting processes, passing messages and everything else an engine
//! does comes on top, and telling how much that is, is what running it is for.

mod envelope;
mod lives;
mod load;
mod makespan;
mod schedule;

use std::time::Duration;

use serde::Serialize;

use crate::workload::model::{ArrivalProcess, Arrivals, EngineSpec, Reap, SubmitMode, Work, Workers, Workload};
use crate::workload::service;
use crate::workload::stream::Stream;
use crate::workload::units::format_duration;

pub(crate) use envelope::{most_workers, most_workers_of, process_room};
pub(crate) use load::{offered, stages};
pub(crate) use makespan::Makespan;

/// What has to be known about a machine to plan for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// What `workers: auto` means here.
    pub cores: u32,
    /// Main memory that may be used, in bytes.
    pub memory_bytes: u64,
    /// Where that comes from, in words.
    pub memory_source: &'static str,
    /// Processes that may be started.
    pub processes: Room,
    /// Open descriptors that workers may take; `None` without a limit.
    pub descriptors: Option<Room>,
}

/// What is left of a limit of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    pub limit: u64,
    /// What is in use now.
    pub used: u64,
    /// What is kept for Poolscope itself and for others.
    pub reserve: u64,
    /// What one worker takes.
    pub each: u64,
    /// Where the limit comes from, in words.
    pub source: &'static str,
}

impl Room {
    /// A limit of so many, nothing of which is in use.
    #[must_use]
    pub const fn of(limit: u64) -> Self {
        Self { limit, used: 0, reserve: 0, each: 1, source: "the limit" }
    }

    /// How much there is for workers.
    #[must_use]
    pub(crate) fn left(&self) -> u64 {
        self.limit.saturating_sub(self.used).saturating_sub(self.reserve)
    }
}

/// What a workload would do. Times are in seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Plan {
    pub tasks: u64,
    /// Identifies the stream of tasks.
    pub stream_hash: String,
    /// Task classes, in file order.
    pub classes: Vec<ClassPlan>,
    /// CPU time of one run as far as it is drawn.
    pub cpu_s: f64,
    /// Names of the classes whose time is known only by running them.
    pub unknown: Vec<String>,
    /// Open arrivals; `None` for closed ones.
    pub arrivals: Option<ArrivalPlan>,
    /// Most tasks queued and running together, where the arrivals limit that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<u64>,
    /// Arms, in file order.
    pub engines: Vec<EnginePlan>,
    /// Runs of each arm, warm-up included.
    pub runs_per_engine: u32,
    /// Least time all runs of all arms take, of the work whose time is known (see `unknown`); `None` where none is.
    pub at_least_s: Option<f64>,
    /// What may not be meant.
    pub warnings: Vec<PlanNote>,
    /// Why it should not be run here; `--i-know` overrides them.
    pub refusals: Vec<PlanNote>,
    /// Why it cannot be run here at all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub impossible: Vec<PlanNote>,
    /// The file's own `limits.max_time`, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_time_s: Option<f64>,
}

/// A task class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassPlan {
    pub name: String,
    /// Its kind, as in the file.
    pub kind: &'static str,
    pub tasks: u64,
    /// Mean drawn service time, where there is one.
    pub mean_service_s: Option<f64>,
    /// Mean time one task keeps a worker busy, with its timeout and the retries that follow from it.
    pub mean_busy_s: Option<f64>,
}

/// Open arrivals.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ArrivalPlan {
    /// Its word in the file.
    pub process: &'static str,
    /// From the start to the (expected) last arrival.
    pub span_s: f64,
    /// Stages, in file order; of recorded moments, the rate that they amount to in stretches of equal length.
    pub stages: Vec<StagePlan>,
    /// Whether they are recorded moments.
    #[serde(skip)]
    pub(crate) recorded: bool,
}

/// A stage of open arrivals.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StagePlan {
    /// Length; `None` until the tasks are used up.
    pub duration_s: Option<f64>,
    /// Arrivals per second, at its begin if they change.
    pub rate: f64,
    /// Arrivals per second at its end, where they change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_rate: Option<f64>,
}

impl StagePlan {
    /// The highest number of arrivals per second.
    pub(crate) fn highest(&self) -> f64 {
        self.end_rate.unwrap_or(self.rate).max(self.rate)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EnginePlan {
    pub name: String,
    /// Its kind, as in the file.
    pub kind: &'static str,
    /// Most tasks at once on this machine; `None` without a limit.
    pub workers: Option<u64>,
    /// Most processes alive at once.
    pub peak_processes: u64,
    /// Memory that tasks are known to allocate at once.
    pub peak_memory_bytes: u64,
    /// Predicted time from start to end of one run; `None` where the time of a class is not drawn, and for open
    /// arrivals, whose end is theirs.
    pub makespan: Option<Makespan>,
    /// Why there is none although all times are drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_predicted: Option<String>,
    /// What the prediction does not reckon with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leaves_out: Vec<&'static str>,
    /// `ceil(n / workers)` where all tasks of a batch take equally long.
    pub waves: Option<u64>,
    /// Offered load divided by capacity, for each stage of open arrivals at its highest rate (ρ of queueing theory);
    /// from 1 on the queue grows without bound.
    pub utilisation: Vec<f64>,
    /// The same on average over each stage, which is what a run measures.
    pub mean_utilisation: Vec<f64>,
}

/// A remark about the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanNote {
    /// Key path of what it is about.
    pub key: String,
    /// One sentence with the numbers.
    pub message: String,
}

#[must_use]
pub fn plan(workload: &Workload, machine: Machine) -> Plan {
    let stream = Stream::new(workload);
    plan_stream(workload, &stream, machine)
}

/// Plans a workload whose stream is already there.
#[must_use]
pub(crate) fn plan_stream(workload: &Workload, stream: &Stream, machine: Machine) -> Plan {
    let loads = load::of_classes(workload, stream, None);
    let classes = workload.classes.iter().zip(&loads).map(|(class, load)| ClassPlan {
        name: class.name.clone(),
        kind: class.work.word(),
        tasks: load.tasks,
        mean_service_s: service::mean_service_time(&class.work).map(|mean| mean.as_secs_f64()),
        mean_busy_s: load.known.then_some(load.busy_s),
    });
    let engines: Vec<EnginePlan> =
        workload.engines.iter().map(|spec| engine(workload, stream, machine, &loads, spec)).collect();
    let uncounted = workload.measure.warmup.saturating_add(u32::from(workload.has_probes()));
    let runs_per_engine = uncounted.saturating_add(workload.measure.repeats.get());
    let arrivals = arrivals(workload, stream);
    let run_s = |(engine, spec): (&EnginePlan, &EngineSpec)| match &engine.makespan {
        Some(makespan) => makespan.at_least_s.max(load::longest_chain_s(workload)),
        None => {
            let (span, cores) = (arrivals.as_ref().map(|plan| plan.span_s), spec.placement.cores(machine.cores));
            load::least_s(workload, &loads, span, engine.workers, cores)
        }
    };
    let least: f64 = engines.iter().zip(&workload.engines).map(run_s).sum();
    let mut plan = Plan {
        tasks: stream.total(),
        stream_hash: stream.hash().to_owned(),
        classes: classes.collect(),
        cpu_s: loads.iter().map(|load| load.cpu_s * load.tasks as f64).sum(),
        unknown: workload
            .classes
            .iter()
            .zip(&loads)
            .filter(|(_, load)| !load.known)
            .map(|(class, _)| class.name.clone())
            .collect(),
        at_least_s: (least > 0.0).then(|| least * f64::from(runs_per_engine)),
        arrivals,
        max_in_flight: workload.arrivals.max_in_flight(),
        engines,
        runs_per_engine,
        warnings: Vec::new(),
        refusals: Vec::new(),
        impossible: Vec::new(),
        max_time_s: workload.limits.max_time.map(|limit| limit.as_secs_f64()),
    };
    plan.warnings = envelope::warnings(workload, &plan);
    plan.refusals = envelope::refusals(workload, machine, &plan);
    plan
}

/// Longest time that all runs of a comparison may take together without being asked for.
pub(crate) const MAX_TIME: Duration = Duration::from_secs(600);

impl Plan {
    /// Refuses what takes longer than `limit`. Without one, several runs have [`MAX_TIME`] and a single run has none,
    /// but a warning.
    #[must_use]
    pub(crate) fn limited(self, limit: Option<Duration>) -> Self {
        self.limited_as(limit, "engines times repeats and warm-up")
    }

    /// The same, where so many runs are the product of something else.
    #[must_use]
    pub(crate) fn limited_as(mut self, limit: Option<Duration>, product: &str) -> Self {
        let runs = u64::from(self.runs_per_engine) * self.engines.len() as u64;
        let most = limit.unwrap_or(MAX_TIME);
        let Some(least) = self.at_least_s else { return self };
        let message = if runs == 1 {
            format!("the run takes at least {}", about(least))
        } else {
            format!("{runs} runs ({product}) take at least {} together", about(least))
        };
        if let Some(own) = self.max_time_s.filter(|own| least > *own) {
            let own = format_duration(Duration::try_from_secs_f64(own).unwrap_or(Duration::MAX));
            let message = format!("{message}; after {own} they would be stopped");
            self.refusals.push(PlanNote { key: "limits.max_time".to_owned(), message });
            return self;
        }
        if least <= most.as_secs_f64() {
            return self;
        }
        let single = runs == 1 && limit.is_none();
        let message = if single { message } else { format!("{message}; --max-time is {}", format_duration(most)) };
        let note = PlanNote { key: "measure".to_owned(), message };
        if single { &mut self.warnings } else { &mut self.refusals }.push(note);
        self
    }
}

/// A time with two digits: `25 min`, `520000 h`.
fn about(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 120.0 => format!("{seconds:.0} s"),
        seconds if seconds < 7200.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{:.0} h", seconds / 3600.0),
    }
}

impl Work {
    /// The word for the kind used in YAML, JSON and on screen.
    #[must_use]
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Cpu(_) => "cpu",
            Self::Sleep(_) => "sleep",
            Self::Io(_) => "io",
            Self::Memory(_) => "memory",
            Self::Mixed(_) => "mixed",
            Self::Kernel(_) => "kernel",
            Self::Echo => "echo",
            Self::Command(_) | Self::Program(_) | Self::Served(_) => "command",
            Self::Python(_) => "python",
        }
    }
}

impl Workers {
    /// Most tasks at once on a machine with so many usable cores; `None` without a limit.
    #[must_use]
    pub fn resolve(self, cores: u32) -> Option<u32> {
        match self {
            Self::Auto => Some(cores.max(1)),
            Self::Fixed(workers) => Some(workers.get()),
            Self::Unbounded => None,
        }
    }
}

fn arrivals(workload: &Workload, stream: &Stream) -> Option<ArrivalPlan> {
    let Arrivals::Open(open) = &workload.arrivals else { return None };
    let stages = stages(workload);
    let stages = stages.iter().map(|stage| StagePlan {
        duration_s: stage.duration.map(|duration| duration.as_secs_f64()),
        rate: stage.rate,
        end_rate: stage.is_ramp().then_some(stage.end_rate),
    });
    Some(ArrivalPlan {
        process: open.process.word(),
        span_s: open.last_arrival(stream.total()).as_secs_f64(),
        stages: stages.collect(),
        recorded: matches!(open.process, ArrivalProcess::Trace(_)),
    })
}

fn engine(
    workload: &Workload,
    stream: &Stream,
    machine: Machine,
    loads: &[load::ClassLoad],
    spec: &EngineSpec,
) -> EnginePlan {
    let own: Vec<load::ClassLoad>;
    let loads = match spec.on_timeout {
        None => loads,
        own_rule => {
            own = load::of_classes(workload, stream, own_rule);
            &own
        }
    };
    let cores = spec.placement.cores(machine.cores);
    let workers = spec.workers.resolve(cores).map(u64::from);
    // Without a limit everything that is in the system runs: all tasks of a batch, or all that may be in flight.
    let most = workload.arrivals.max_in_flight().unwrap_or(u64::MAX).min(stream.total());
    // A caller who waits for each task keeps one worker busy.
    let most = if spec.submit == SubmitMode::Apply { most.min(1) } else { most };
    let at_once = workers.unwrap_or(most).min(most);
    // Workers that are kept are there from the start, however few tasks there are at once.
    let processes = match spec.kind {
        kind if kind.process_per_task() => at_once,
        kind if kind.shares_process() => 1,
        _ => workers.unwrap_or(most).min(stream.total()),
    };
    let memory = envelope::memory_each(workload, spec);
    let utilisation = load::utilisation(workload, loads, workers, cores);
    EnginePlan {
        name: spec.name.clone(),
        kind: spec.kind.word(),
        workers,
        // What is not reaped keeps its place in the process table.
        peak_processes: match spec.reap {
            Reap::Always => envelope::processes(workload, spec.kind, processes),
            Reap::Never => stream.total(),
        },
        peak_memory_bytes: memory.saturating_mul(at_once),
        makespan: makespan::predict(workload, spec, stream, loads, at_once, cores),
        not_predicted: makespan::not_predicted(workload, spec, stream),
        leaves_out: makespan::leaves_out(workload, spec),
        waves: makespan::waves(workload, spec, stream, at_once),
        utilisation: utilisation.peak,
        mean_utilisation: utilisation.mean,
    }
}

#[cfg(test)]
mod tests;
