//! What the runs show of the global interpreter lock: threads of one interpreter against one task after the other, and
//! against processes. Cores used alone decide nothing: handing the lock over burns processor time too.

use serde::Serialize;

use crate::analysis::inference::Looks;
use crate::analysis::verdict::{self, Against, Counted, RunFigure, compare_all};
use crate::engine::event::RunState;
use crate::metrics::snapshot::{GilProbe, Snapshot, WorkerRow};
use crate::workload::model::{EngineKind, EngineSpec};

mod probe;

pub(crate) use probe::{Lateness, words as probe_words};

/// Tasks of a run for each thread that a verdict needs.
const ENOUGH: f64 = 4.0;
/// That nothing is faster is said only where more than this is excluded: an interval that goes beyond it says nothing.
const MARGIN: f64 = 1.25;
/// Up to this ratio of throughputs what is faster for sure is so little faster that it is not the lock's doing: that of
/// 1,000 repeats of the same scatters by less.
const LITTLE: f64 = 1.15;
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
    /// What runs it, and with which lock: only arms of one and the same interpreter are compared, and none that has its lock in
    /// use with one that has not.
    pub(crate) interpreter: String,
    /// Whether that has a lock in use.
    pub(crate) gil: bool,
    /// Tasks of one run.
    pub(crate) tasks: u64,
    /// Its place among all arms that are compared.
    pub(crate) place: usize,
    /// Mean of the succeeded tasks per second of its whole runs.
    pub(crate) throughput: f64,
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
    /// The chance of such a ratio where there is no difference, corrected for so many comparisons (Holm), as in verdicts.
    pub(crate) p_corrected: Option<f64>,
    pub(crate) comparisons: usize,
    /// What follows, as in verdicts.
    #[serde(skip)]
    finding: verdict::Finding,
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
    fn of(arm: &Arm<'_>, place: usize) -> Option<Self> {
        let Arm { spec, workers, counted, probe } = *arm;
        let found = spec.interpreter.as_ref()?;
        let whole = |run: &Snapshot| run.state == RunState::Finished && run.counts.succeeded > 0;
        let runs: Vec<&Snapshot> = counted.runs.iter().map(AsRef::as_ref).filter(|run| whole(run)).collect();
        let mean = |figure: fn(&Snapshot) -> f64| runs.iter().map(|run| figure(run)).sum::<f64>() / runs.len() as f64;
        Some(Self {
            name: spec.name.clone(),
            kind: spec.kind,
            workers,
            interpreter: format!("{}, {}", found.executable.display(), found.words()),
            gil: found.gil,
            tasks: runs.last()?.total,
            place,
            throughput: mean(|run| run.throughput_whole),
            succeeded: mean(|run| run.counts.succeeded as f64 / run.total.max(1) as f64),
            cores: mean(|run| run.cpu.cores_used_whole),
            blocked: blocked(runs.iter().flat_map(|run| &run.workers)),
            suspect: runs.iter().any(|run| !run.suspect.is_empty()),
            probe: probe.as_ref().and_then(Lateness::of),
        })
    }
}

/// What a speed-up and its interval allow to be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gain {
    /// Fewer than two pairs of runs.
    TooEarly,
    /// The interval includes 1 and much else, or does once it is considered how many were asked.
    Unclear,
    /// More than [`MARGIN`] is excluded.
    Nothing,
    /// Faster for sure, by no more than [`LITTLE`].
    Little,
    Faster,
    Slower,
}

impl ArmEvidence {
    fn of(arm: &ArmFigures, single: &ArmFigures, all: &[Against]) -> Option<Self> {
        let Against { comparison, p, finding, .. } = *all.iter().find(|against| against.arm == arm.place)?;
        Some(Self {
            name: arm.name.clone(),
            workers: arm.workers,
            cores_used: arm.cores,
            speed_up: comparison.ratio.unwrap_or_else(|| arm.throughput / single.throughput),
            ci95: comparison.ci95,
            p_corrected: p.map(|p| p.corrected),
            comparisons: all.len(),
            finding,
            blocked: arm.blocked,
            probe: arm.probe,
        })
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
        let Some((_, high)) = self.ci95 else { return Gain::TooEarly };
        match self.finding {
            verdict::Finding::Faster if self.speed_up > LITTLE => Gain::Faster,
            verdict::Finding::Faster => Gain::Little,
            verdict::Finding::Slower => Gain::Slower,
            _ if high <= MARGIN => Gain::Nothing,
            _ => Gain::Unclear,
        }
    }

    /// How much faster it is, `than` one task after the other.
    fn words(&self, than: &str, like: &str, to: &str) -> String {
        let ratio = self.speed_up;
        match (self.gain(), self.ci95) {
            (Gain::Slower, _) => format!("slower{than} ({ratio:.2} times as fast)"),
            // What is excluded is a part of the claim.
            (Gain::Nothing, Some((_, high))) => format!("no faster{than} (≤ {high:.2}×)"),
            (Gain::Little, _) => format!("{ratio:.2} times as fast{like}"),
            (Gain::Faster, _) => format!("{ratio:.1} times as fast{like}"),
            (_, Some((low, high))) => {
                let (finding, p) = (self.finding, self.p_corrected);
                let p = p.map(|corrected| verdict::P { single: corrected, corrected, comparisons: self.comparisons });
                let among = verdict::taken_back(finding, self.ci95, p);
                let among = among.map_or_else(String::new, |count| format!(" among {count} comparisons"));
                format!("no clear difference{to}{among} ({low:.2} to {high:.2} times as fast)")
            }
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

/// What is to be known of an arm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arm<'a> {
    pub(crate) spec: &'a EngineSpec,
    /// Its worker count.
    pub(crate) workers: u32,
    pub(crate) counted: Counted<'a>,
    pub(crate) probe: Option<GilProbe>,
}

/// What arms show together, looked at in this way: see [`evidence`].
pub(crate) fn of_arms(arms: &[Arm<'_>], looks: Looks, cores: u32, control: Option<f64>) -> Vec<Evidence> {
    let figures: Vec<ArmFigures> = (0..).zip(arms).filter_map(|(place, arm)| ArmFigures::of(arm, place)).collect();
    let runs: Vec<Vec<RunFigure>> = arms.iter().map(|arm| arm.counted.figures()).collect();
    evidence(&figures, (&runs, looks), cores, control)
}

/// What the arms show together, for each arm with threads: none where there is nothing to compare them with, too few tasks, or
/// not the same outcomes. What is faster is decided as in verdicts: over `runs` of all arms, in their places, corrected for
/// how many they are. `cores` may be used, and a native control could use `control` of them.
fn evidence(arms: &[ArmFigures], runs: (&[Vec<RunFigure>], Looks), cores: u32, control: Option<f64>) -> Vec<Evidence> {
    let threads = arms.iter().filter(|arm| arm.kind == EngineKind::Thread && arm.workers > 1);
    threads.filter_map(|threads| evidence_of(threads, arms, runs, cores, control)).collect()
}

fn evidence_of(
    threads: &ArmFigures,
    arms: &[ArmFigures],
    (runs, looks): (&[Vec<RunFigure>], Looks),
    cores: u32,
    control: Option<f64>,
) -> Option<Evidence> {
    let enough = |arm: &ArmFigures| arm.tasks as f64 >= ENOUGH * f64::from(arm.workers) && arm.throughput > 0.0;
    let same = |arm: &ArmFigures| (arm.succeeded - threads.succeeded).abs() <= SAME_OUTCOMES;
    if !enough(threads) {
        return None;
    }
    let alike = |arm: &&ArmFigures| arm.interpreter == threads.interpreter && enough(arm) && same(arm);
    let kept = |arm: &&ArmFigures| !arm.kind.process_per_task();
    let single = arms.iter().filter(alike).filter(kept).find(|arm| arm.workers == 1)?;
    let many = || arms.iter().filter(alike).filter(|arm| !arm.kind.shares_process() && arm.workers > 1);
    let processes = many().find(|arm| arm.kind == EngineKind::Pool).or_else(|| many().next());
    let against = compare_all(runs, single.place, looks);
    let speed = ArmEvidence::of(threads, single, &against)?;
    let rivals = processes.and_then(|processes| ArmEvidence::of(processes, single, &against));
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
        Gain::Nothing | Gain::Little | Gain::Slower => {}
    }
    let rivals = rivals.map(ArmEvidence::gain);
    if !threads.gil || waits || cores < 2 || matches!(rivals, Some(Gain::Nothing | Gain::Little | Gain::Slower)) {
        return Finding::NotTheLock;
    }
    if matches!(rivals, Some(Gain::TooEarly | Gain::Unclear)) {
        return Finding::Unclear;
    }
    if threads.cores >= HAND_OVER { Finding::HandedOver } else { Finding::Held }
}

/// `GIL: 2 threads, 1.0 of 2 cores, no faster than 1 (≤ 1.04×); 2 processes (pool), 1.9 cores, 1.9 times as fast`
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
        let ArmEvidence { workers, name, cores_used, .. } = rivals;
        text.push_str(&format!("; {workers} processes ({name}), {cores_used:.1} cores, {what}"));
    }
    text
}

/// `GIL: 2 threads no faster than 1 (≤ 1.04×); 2 processes (pool) 1.9 times as fast`
fn short(threads: &ArmFigures, speed: &ArmEvidence, rivals: Option<&ArmEvidence>) -> String {
    let head = if threads.gil { "GIL" } else { "GIL off" };
    let mut text = format!("{head}: {} threads {}", threads.workers, speed.brief(" than 1", " as 1"));
    if let Some(rivals) = rivals {
        text.push_str(&format!("; {} processes ({}) {}", rivals.workers, rivals.name, rivals.brief("", "")));
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
    let corrected = match speed.p_corrected {
        Some(p) if speed.comparisons > 1 => format!(", p {p:.3} of {} comparisons (Holm)", speed.comparisons),
        _ => String::new(),
    };
    details.push(format!(
        "{:.2} times the throughput of {}{interval}{corrected} with {:.2} cores used",
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
