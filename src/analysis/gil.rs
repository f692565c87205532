//! What the runs show of the global interpreter lock: threads of one interpreter against one task after the other, and
//! against processes. Cores used alone decide nothing: handing the lock over burns processor time too.

use serde::Serialize;

use crate::analysis::verdict::{Counted, RunFigure, compare};
use crate::engine::event::RunState;
use crate::metrics::snapshot::{GilProbe, Snapshot, WorkerRow};
use crate::workload::model::{EngineKind, EngineSpec};

mod probe;

pub(crate) use probe::{Lateness, words as probe_words};

/// Tasks of a run for each thread that a verdict needs.
const ENOUGH: f64 = 4.0;
/// Up to this ratio of throughputs nothing is faster: that of 1,000 repeats of the same scatters by less.
const NOTHING: (f64, f64) = (0.95, 1.15);
/// That nothing is faster is said only where so much can be excluded: an interval that goes beyond it says nothing.
const EXCLUDED: f64 = 1.5;
/// From this part of what would be possible on, threads work side by side.
const TOGETHER: f64 = 0.6;
/// Cores used beyond one without any gain: the lock is handed to and fro.
const HAND_OVER: f64 = 1.2;
/// Cores used for each task at once below which tasks hardly compute.
const WAITING: f64 = 0.3;
/// A callable that is blocked for less than this share of its time when it is alone waits for nothing of its own.
const OWN_WAITING: f64 = 0.02;
/// Up to this share of its time in tasks a thread may have been in none of them, for its CPU time to be held against tasks.
const BETWEEN: f64 = 0.03;
/// From this part of its switch interval on a probe waits for the lock.
const LATE: f64 = 0.5;
/// By more than this share of their tasks arms must not differ in what succeeds: they would not do the same.
const SAME_OUTCOMES: f64 = 0.005;
/// What a control must be able to use of the cores that are compared.
const FREE: f64 = 0.95;

/// What a native control is, where it is named: they are tried before the first run.
const CONTROL: &str = "threads without Python";

/// What was measured of an arm.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ArmFigures {
    pub(crate) name: String,
    pub(crate) kind: EngineKind,
    /// Tasks at once.
    pub(crate) workers: u32,
    /// What runs it: only arms of one and the same interpreter are compared.
    pub(crate) interpreter: String,
    /// Whether that has a lock in use.
    pub(crate) gil: bool,
    /// Tasks of one run.
    pub(crate) tasks: u64,
    /// Succeeded tasks per second of its runs, with the round that each was made in.
    pub(crate) runs: Vec<RunFigure>,
    /// Share of its tasks that succeeded, in all of its runs.
    pub(crate) succeeded: f64,
    /// CPU time / wall time, mean of its runs.
    pub(crate) cores: f64,
    /// Share of the time in tasks in which their threads neither ran nor waited for a processor; `None` where not known: what
    /// they have used is known for each thread, not for each task, and some of it may have been between tasks.
    pub(crate) blocked: Option<f64>,
    /// Whether one of its runs is suspect.
    pub(crate) suspect: bool,
    /// What probes have shown, in a run of their own.
    pub(crate) probe: Option<Lateness>,
}

/// What threads turn out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Finding {
    /// One thread runs at a time.
    Held,
    /// So it is, and handing the lock over costs processor time.
    HandedOver,
    /// Threads work side by side although there is a lock: what they do releases it.
    Released,
    /// Tasks hardly compute: waiting holds no lock.
    Waiting,
    /// Something between one at a time and side by side.
    Partly,
    /// There is no lock in use, and threads work side by side.
    Off,
    /// Threads are no faster, and it is not the lock: there is none, or processes are no faster either.
    NotTheLock,
    /// The runs are suspect, so that whatever they show may have another cause, or they differ too much from each other.
    Unclear,
}

/// An arm beside one task after the other.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ArmEvidence {
    pub(crate) name: String,
    pub(crate) workers: u32,
    pub(crate) cores_used: f64,
    /// Throughput against that of one task after the other.
    pub(crate) speed_up: f64,
    /// 95 % confidence interval of that; `None` below two pairs of runs.
    pub(crate) ci95: Option<(f64, f64)>,
    /// See [`ArmFigures::blocked`].
    pub(crate) blocked: Option<f64>,
    /// See [`ArmFigures::probe`].
    pub(crate) probe: Option<Lateness>,
}

/// What can be said, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Evidence {
    /// For an audience.
    pub(crate) sentence: String,
    /// The same for a place with less room.
    #[serde(skip)]
    pub(crate) short: String,
    pub(crate) finding: Finding,
    /// What it rests on, a line each.
    pub(crate) details: Vec<String>,
    pub(crate) gil: bool,
    pub(crate) threads: ArmEvidence,
    pub(crate) processes: Option<ArmEvidence>,
    /// Cores that a native control could use when this was measured; `None` where that was not tried.
    pub(crate) control_cores: Option<f64>,
    /// Why it should not be trusted.
    pub(crate) suspect: Option<String>,
}

impl ArmFigures {
    /// What the counted runs of an arm show; `None` where it has no interpreter, or no whole run.
    pub(crate) fn of(spec: &EngineSpec, workers: u32, counted: Counted<'_>, probe: Option<GilProbe>) -> Option<Self> {
        let found = spec.interpreter.as_ref()?;
        let whole = |run: &Snapshot| run.state == RunState::Finished && run.counts.succeeded > 0;
        let runs: Vec<&Snapshot> = counted.runs.iter().map(AsRef::as_ref).filter(|run| whole(run)).collect();
        let mean = |figure: fn(&Snapshot) -> f64| runs.iter().map(|run| figure(run)).sum::<f64>() / runs.len() as f64;
        Some(Self {
            name: spec.name.clone(),
            kind: spec.kind,
            workers,
            interpreter: found.executable.display().to_string(),
            gil: found.gil,
            tasks: runs.last()?.total,
            runs: counted.figures(),
            succeeded: mean(|run| run.counts.succeeded as f64 / run.total.max(1) as f64),
            cores: mean(|run| run.cpu.cores_used_whole),
            blocked: blocked(runs.iter().flat_map(|run| &run.workers)),
            suspect: runs.iter().any(|run| !run.suspect.is_empty()),
            probe: probe.as_ref().and_then(Lateness::of),
        })
    }

    /// Mean of its whole runs; 0 without any.
    fn throughput(&self) -> f64 {
        let whole: Vec<f64> = self.runs.iter().filter(|run| run.complete).map(|run| run.throughput).collect();
        whole.iter().sum::<f64>() / whole.len().max(1) as f64
    }
}

/// What a speed-up and its interval allow to be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gain {
    /// Fewer than two pairs of runs.
    TooEarly,
    /// The interval includes 1 and much else.
    Unclear,
    Nothing,
    Faster,
    Slower,
}

impl ArmEvidence {
    fn of(arm: &ArmFigures, single: &ArmFigures) -> Self {
        let comparison = compare(&single.runs, &arm.runs);
        Self {
            name: arm.name.clone(),
            workers: arm.workers,
            cores_used: arm.cores,
            speed_up: comparison.ratio.unwrap_or_else(|| arm.throughput() / single.throughput()),
            ci95: comparison.ci95,
            blocked: arm.blocked,
            probe: arm.probe,
        }
    }

    /// The same without figures that are not needed.
    fn brief(&self, than: &str, like: &str) -> String {
        match self.gain() {
            Gain::Slower => format!("slower{than}"),
            Gain::Unclear => "unclear".to_owned(),
            _ => self.words(than, like, ""),
        }
    }

    fn gain(&self) -> Gain {
        let Some((low, high)) = self.ci95 else { return Gain::TooEarly };
        match self.speed_up {
            ratio if ratio > NOTHING.1 => {
                if low > 1.0 {
                    Gain::Faster
                } else {
                    Gain::Unclear
                }
            }
            ratio if ratio < NOTHING.0 => {
                if high < 1.0 {
                    Gain::Slower
                } else {
                    Gain::Unclear
                }
            }
            _ if high > EXCLUDED => Gain::Unclear,
            _ => Gain::Nothing,
        }
    }

    /// How much faster it is, `than` one task after the other.
    fn words(&self, than: &str, like: &str, to: &str) -> String {
        let ratio = self.speed_up;
        match (self.gain(), self.ci95) {
            (Gain::Slower, _) => format!("slower{than} ({ratio:.2} times as fast)"),
            (Gain::Nothing, _) => format!("no faster{than}"),
            (Gain::Faster, _) => format!("{ratio:.1} times as fast{like}"),
            (_, Some((low, high))) => format!("no clear difference{to} ({low:.2} to {high:.2} times as fast)"),
            (_, None) => format!("{ratio:.1} times as fast{like} so far"),
        }
    }
}

/// Share of the time in tasks that was neither CPU time nor waiting for a processor.
fn blocked<'a>(rows: impl Iterator<Item = &'a WorkerRow>) -> Option<f64> {
    let (mut service, mut accounted, mut between) = (0.0, 0.0, 0.0);
    for row in rows.filter(|row| row.done > 0) {
        let thread = row.thread?;
        service += row.busy.as_secs_f64();
        accounted += (thread.cpu + thread.delay).as_secs_f64();
        between += thread.between.as_secs_f64();
    }
    (service > 0.0 && between <= BETWEEN * service).then(|| (1.0 - accounted / service).clamp(0.0, 1.0))
}

/// What the arms show together, for each arm with threads: none where there is nothing to compare them with, too few tasks, or
/// not the same outcomes. `cores` may be used, and a native control could use `control` of them.
pub(crate) fn evidence(arms: &[ArmFigures], cores: u32, control: Option<f64>) -> Vec<Evidence> {
    let threads = arms.iter().filter(|arm| arm.kind == EngineKind::Thread && arm.workers > 1);
    threads.filter_map(|threads| evidence_of(threads, arms, cores, control)).collect()
}

fn evidence_of(threads: &ArmFigures, arms: &[ArmFigures], cores: u32, control: Option<f64>) -> Option<Evidence> {
    let enough = |arm: &ArmFigures| arm.tasks as f64 >= ENOUGH * f64::from(arm.workers) && arm.throughput() > 0.0;
    let same = |arm: &ArmFigures| (arm.succeeded - threads.succeeded).abs() <= SAME_OUTCOMES;
    if !enough(threads) {
        return None;
    }
    let alike = |arm: &&ArmFigures| arm.interpreter == threads.interpreter && enough(arm) && same(arm);
    let kept = |arm: &&ArmFigures| !arm.kind.process_per_task();
    let single = arms.iter().filter(alike).filter(kept).find(|arm| arm.workers == 1)?;
    let many = || arms.iter().filter(alike).filter(|arm| !arm.kind.shares_process() && arm.workers > 1);
    let processes = many().find(|arm| arm.kind == EngineKind::Pool).or_else(|| many().next());
    let speed = ArmEvidence::of(threads, single);
    let rivals = processes.map(|processes| ArmEvidence::of(processes, single));
    let used = [Some(threads), Some(single), processes];
    let suspect = suspicion(threads, cores, control, used.into_iter().flatten().any(|arm| arm.suspect));
    let finding = match suspect {
        // What looks like waiting may be others' use of the cores.
        Some(_) if cores > 1 => Finding::Unclear,
        _ => finding(threads, &speed, rivals.as_ref(), cores),
    };
    Some(Evidence {
        sentence: sentence(threads, &speed, rivals.as_ref(), cores),
        short: short(threads, &speed, rivals.as_ref()),
        finding,
        details: details(finding, (threads, single), &speed, cores, control),
        gil: threads.gil,
        suspect,
        threads: speed,
        processes: rivals,
        control_cores: control,
    })
}

fn finding(threads: &ArmFigures, speed: &ArmEvidence, rivals: Option<&ArmEvidence>, cores: u32) -> Finding {
    let lanes = f64::from(threads.workers);
    let waits = threads.cores < WAITING * speed.speed_up.max(1.0);
    let possible = if waits { lanes } else { lanes.min(f64::from(cores)) };
    let gained = (speed.speed_up - 1.0) / (possible - 1.0).max(1.0);
    match speed.gain() {
        Gain::TooEarly | Gain::Unclear => return Finding::Unclear,
        Gain::Faster if waits => return Finding::Waiting,
        Gain::Faster if gained < TOGETHER => return Finding::Partly,
        Gain::Faster => return if threads.gil { Finding::Released } else { Finding::Off },
        Gain::Nothing | Gain::Slower => {}
    }
    let rivals = rivals.map(ArmEvidence::gain);
    if !threads.gil || waits || cores < 2 || matches!(rivals, Some(Gain::Nothing | Gain::Slower)) {
        return Finding::NotTheLock;
    }
    if matches!(rivals, Some(Gain::TooEarly | Gain::Unclear)) {
        return Finding::Unclear;
    }
    if threads.cores >= HAND_OVER { Finding::HandedOver } else { Finding::Held }
}

/// `GIL: 2 threads, 1.0 of 2 cores, no faster than 1; 2 processes, 1.9 cores, 1.9 times as fast`
fn sentence(threads: &ArmFigures, speed: &ArmEvidence, rivals: Option<&ArmEvidence>, cores: u32) -> String {
    let head = if threads.gil { "GIL" } else { "GIL off" };
    let plural = if cores == 1 { "" } else { "s" };
    let mut text = format!(
        "{head}: {} threads, {:.1} of {cores} core{plural}, {}",
        threads.workers,
        threads.cores,
        speed.words(" than 1", " as 1", " to 1")
    );
    if let Some(rivals) = rivals {
        let what = rivals.words("", "", "");
        text.push_str(&format!("; {} processes, {:.1} cores, {what}", rivals.workers, rivals.cores_used));
    }
    text
}

/// `GIL: 2 threads no faster than 1; 2 processes 1.9 times as fast`
fn short(threads: &ArmFigures, speed: &ArmEvidence, rivals: Option<&ArmEvidence>) -> String {
    let head = if threads.gil { "GIL" } else { "GIL off" };
    let mut text = format!("{head}: {} threads {}", threads.workers, speed.brief(" than 1", " as 1"));
    if let Some(rivals) = rivals {
        text.push_str(&format!("; {} processes {}", rivals.workers, rivals.brief("", "")));
    }
    text
}

fn details(
    finding: Finding,
    (threads, single): (&ArmFigures, &ArmFigures),
    speed: &ArmEvidence,
    cores: u32,
    control: Option<f64>,
) -> Vec<String> {
    // A lock of the task's own looks the same to everybody but a probe.
    let is_late = |probe: Lateness| probe.p50_s >= LATE * probe.switch_interval_s;
    let shown = threads.probe.is_some_and(is_late);
    let why = match finding {
        Finding::Held if shown => "one thread at a time runs Python: the others wait for the GIL",
        Finding::Held => "one thread at a time: the GIL or a lock of the task's own",
        Finding::HandedOver if shown => {
            "nothing is gained by the cores that are used: handing the GIL over burns CPU time"
        }
        Finding::HandedOver => {
            "nothing is gained by the cores that are used: handing over the GIL, or a lock of the task's own, burns CPU time"
        }
        Finding::Released => "what the tasks do releases the GIL, so that threads work side by side",
        Finding::Waiting if !threads.gil => "the tasks wait more than they compute, and there is no GIL in use",
        Finding::Waiting => "the tasks wait more than they compute, and waiting does not hold the GIL",
        Finding::Partly if !threads.gil => {
            "there is no GIL in use: something else keeps threads from working side by side all the time"
        }
        Finding::Partly => "a part of the work holds the GIL, and a part does not",
        Finding::Off => "this interpreter has no GIL in use: threads work side by side",
        Finding::Unclear if speed.gain() == Gain::TooEarly => {
            "too early to tell: fewer than two pairs of runs have no confidence interval"
        }
        Finding::Unclear => {
            "what keeps threads from working side by side, if anything does, cannot be told from these runs"
        }
        Finding::NotTheLock if !threads.gil => {
            "there is no GIL in use: something else keeps threads from working side by side"
        }
        Finding::NotTheLock => {
            "it cannot be told to be the GIL: processes are no faster, or there is nothing to compute"
        }
    };
    let mut details = vec![why.to_owned()];
    let interval = speed.ci95.map_or_else(String::new, |(low, high)| format!(" (95 % CI {low:.2} to {high:.2})"));
    details.push(format!(
        "{:.2} times the throughput of {}{interval} with {:.2} cores used",
        speed.speed_up, single.name, threads.cores
    ));
    if let Some(share) = threads.blocked.filter(|_| finding != Finding::Unclear && cores > 1) {
        let own = single.blocked.is_some_and(|alone| alone < OWN_WAITING);
        let word = match (threads.gil, own) {
            (true, true) if shown => "waiting for the GIL",
            (true, true) => "waiting for the GIL or a lock of the task's own",
            (true, false) => "waiting (GIL or I/O)",
            (false, _) => "waiting (locks or I/O)",
        };
        let alone =
            single.blocked.map_or_else(String::new, |alone| format!("; {} {:.1} %", single.name, alone * 100.0));
        details.push(format!("{}: {:.0} % of the time in tasks {word}{alone}", threads.name, share * 100.0));
    }
    if let Some(control) = control {
        details.push(format!("a native control ({CONTROL}) could use {control:.1} of {cores} cores"));
    }
    details
}

fn suspicion(threads: &ArmFigures, cores: u32, control: Option<f64>, runs: bool) -> Option<String> {
    let wanted = f64::from(threads.workers.min(cores));
    if cores < 2 {
        return Some("one usable core: two tasks cannot run at once in any engine".to_owned());
    }
    if let Some(control) = control.filter(|control| *control < FREE * wanted) {
        return Some(format!("only {control:.1} of {cores} cores were free for a native control ({CONTROL})"));
    }
    runs.then(|| "a run that it rests on is suspect".to_owned())
}

#[cfg(test)]
mod tests;
