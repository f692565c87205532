//! What a sweep may try: which arms have counts to be tried, which counts make sense, and whether the machine bears it.

use std::num::NonZeroU32;

use crate::cli::{ChangeArgs, MOST, WorkerCounts};
use crate::commands::prepare::{self, Platform, Prepared};
use crate::commands::{ExitReason, placing, write};
use crate::report::clean;
use crate::session::view::SweepCounts;
use crate::workload::model::{EngineSpec, Workers, Workload};
use crate::workload::plan::{Machine, Plan, PlanNote, most_workers, plan_stream};
use crate::workload::stream::Stream;

/// What is sure to be tried where the results lead.
const SURE: [u32; 3] = [1, 2, 4];
/// Tasks that are scheduled at most to foresee how long a sweep takes.
const MOST_FORESEEN: u64 = 20_000_000;

/// The arms whose worker count can be another one, each of them once; those that are left out are told.
pub(in crate::commands) fn arms(all: Vec<EngineSpec>) -> Prepared<Vec<EngineSpec>> {
    let same_but_workers = |one: &EngineSpec, other: &EngineSpec| {
        let named = EngineSpec { name: other.name.clone(), workers: other.workers, ..one.clone() };
        named == *other
    };
    let mut kept: Vec<EngineSpec> = Vec::new();
    for arm in all {
        let name = clean::line(&arm.name).into_owned();
        if !arm.kind.has_worker_count() {
            write::say(&format!("note: {name} is left out: a {} engine has one worker", arm.kind.word()));
        } else if let Some(same) = kept.iter().find(|one| same_but_workers(one, &arm)) {
            let same = clean::line(&same.name);
            write::say(&format!(
                "note: {name} is left out: it differs from {same} in its workers alone, which are tried"
            ));
        } else {
            kept.push(arm);
        }
    }
    if kept.is_empty() {
        write::say("error: there is no engine whose number of workers could be another one");
        return Err(ExitReason::BadInput);
    }
    Ok(kept)
}

/// Checks what is to be tried before anything is started; tells what is cut. Each workload has the arms that take part in it and
/// the runs of each point; `swept` is whether worker counts are tried, given or found.
pub(super) fn check(
    mut workloads: Vec<&mut Workload>,
    swept: bool,
    platform: &Platform,
    changes: &ChangeArgs,
) -> Prepared<SweepCounts> {
    let streams: Vec<Stream> = workloads.iter().map(|workload| Stream::new(workload)).collect();
    let tasks =
        streams.iter().map(Stream::total).max().map_or(1, |tasks| u32::try_from(tasks).unwrap_or(u32::MAX).max(1));
    let arms = workloads.iter().map(|workload| workload.engines.len()).sum();
    let counts = match &changes.workers {
        Some(counts) if swept => SweepCounts::Given(given(counts, tasks, arms)?),
        _ if swept => SweepCounts::Found,
        _ => SweepCounts::Own,
    };
    let mut all: Option<Plan> = None;
    for (workload, stream) in workloads.iter_mut().zip(&streams) {
        let counts: Vec<u32> = match &counts {
            SweepCounts::Given(counts) => counts.clone(),
            SweepCounts::Found | SweepCounts::For(_) => {
                let most = bearable(workload, stream, tasks, platform, changes).min(tasks);
                SURE.into_iter().filter(|count| *count <= most).collect()
            }
            SweepCounts::Own => Vec::new(),
        };
        let plan = foreseen(workload, stream, &counts, platform.machine());
        let plan = Plan { impossible: placing::impossible(workload), ..plan };
        all = Some(match all {
            None => plan,
            Some(before) => together(before, plan),
        });
        if let Some(first) = counts.first() {
            set_workers(workload, *first);
        }
    }
    if let Some(plan) = all {
        let plan = plan.limited_as(changes.max_time, "engines times points times repeats, and warm-up");
        prepare::check_limits(&plan, platform, changes)?;
    }
    Ok(counts)
}

/// One after the other.
fn together(mut one: Plan, other: Plan) -> Plan {
    one.at_least_s = match (one.at_least_s, other.at_least_s) {
        (Some(one), Some(other)) => Some(one + other),
        (known, other) => known.or(other),
    };
    one.runs_per_engine = one.runs_per_engine.saturating_add(other.runs_per_engine);
    let new = |list: &[PlanNote], note: &PlanNote| !list.contains(note);
    for (list, more) in [
        (&mut one.warnings, other.warnings),
        (&mut one.refusals, other.refusals),
        (&mut one.impossible, other.impossible),
    ] {
        for note in more {
            if new(list, &note) {
                list.push(note);
            }
        }
    }
    one.engines.extend(other.engines);
    one
}

/// The counts of a list; more workers than tasks are no more than the tasks.
fn given(counts: &WorkerCounts, tasks: u32, arms: usize) -> Prepared<Vec<u32>> {
    let all = counts.all();
    let mut kept: Vec<u32> = all.iter().map(|count| (*count).min(tasks)).collect();
    kept.dedup();
    let cut = all.iter().filter(|count| **count > tasks).count();
    if cut > 0 {
        let counts = if cut == 1 { "a larger count is".to_owned() } else { format!("{cut} larger counts are") };
        let workers = if tasks == 1 { "1 worker".to_owned() } else { format!("{tasks} workers") };
        write::say(&format!("note: there is work for {workers} at most ({tasks} tasks): {counts} not tried"));
    }
    let cells = kept.len().saturating_mul(arms);
    if cells > MOST {
        write::say(&format!(
            "error: {} worker counts of {arms} engines are {cells} to be tried; {MOST} is the most. --engines takes fewer \
             engines, and 1..64x2 tries 1, 2, 4 ... 64",
            kept.len()
        ));
        return Err(ExitReason::BadInput);
    }
    Ok(kept)
}

/// The largest count that the limits of this machine allow; tells what the limit is if it is not that of processes.
fn bearable(workload: &Workload, stream: &Stream, tasks: u32, platform: &Platform, changes: &ChangeArgs) -> u32 {
    if changes.i_know {
        return u32::MAX;
    }
    let most = most_workers(workload, platform.machine());
    if most < platform.limits.safe_workers().min(tasks) {
        let more = most.saturating_add(1);
        let refusal = plan_at(workload, stream, more, platform.machine()).refusals.into_iter().next();
        let reason = refusal.map(|refusal| format!("; with {more}: {}", clean::line(&refusal.message)));
        write::say(&format!("note: no more than {most} workers are tried{}", reason.unwrap_or_default()));
    }
    most
}

fn set_workers(workload: &mut Workload, count: u32) {
    for engine in &mut workload.engines {
        engine.workers = Workers::Fixed(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN));
    }
}

fn plan_at(workload: &Workload, stream: &Stream, count: u32, machine: Machine) -> Plan {
    let mut workload = workload.clone();
    set_workers(&mut workload, count);
    plan_stream(&workload, stream, machine)
}

/// The plan of all counts together: what speaks against the smallest or the largest, and how long all take.
fn foreseen(workload: &Workload, stream: &Stream, counts: &[u32], machine: Machine) -> Plan {
    let mut once = workload.clone();
    (once.measure.warmup, once.measure.repeats) = (0, NonZeroU32::MIN);
    if counts.is_empty() {
        // Each arm with its own count.
        let mut plan = plan_stream(&once, stream, machine);
        let (runs, warmup) = (workload.measure.repeats.get(), workload.measure.warmup);
        plan.at_least_s = plan.at_least_s.map(|once| once * f64::from(runs.saturating_add(warmup)));
        plan.runs_per_engine = runs.saturating_add(warmup);
        return plan;
    }
    let at = |count: u32| plan_at(&once, stream, count, machine);
    let (first, last) = (counts.first().copied().unwrap_or(1), counts.last().copied().unwrap_or(1));
    let (smallest, mut plan) = (at(first), at(last));
    let arms = workload.engines.len() as u64;
    // No count takes less time than the largest one.
    let one_by_one = stream.total().saturating_mul(counts.len() as u64 * arms) <= MOST_FORESEEN;
    let time = |count: u32| {
        let known = if count == first { smallest.at_least_s } else { plan.at_least_s };
        if one_by_one { at(count).at_least_s } else { known }
    };
    let (runs, warmup) = (workload.measure.repeats.get(), workload.measure.warmup);
    let all: f64 = counts.iter().filter_map(|count| time(*count)).sum();
    let all = all * f64::from(runs) + smallest.at_least_s.unwrap_or(0.0) * f64::from(warmup);
    plan.at_least_s = (all > 0.0).then_some(all);
    plan.runs_per_engine = u32::try_from(counts.len()).unwrap_or(u32::MAX).saturating_mul(runs).saturating_add(warmup);
    for refusal in smallest.refusals {
        if !plan.refusals.contains(&refusal) {
            plan.refusals.push(refusal);
        }
    }
    plan
}
