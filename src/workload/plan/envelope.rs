//! The safety envelope: what could hurt the machine is refused with its numbers, unless the user says `--i-know`; what
//! may only surprise is a warning.

use std::time::Duration;

use crate::workload::load::one_worker;
use crate::workload::model::{Arrivals, EngineKind, EngineSpec, Reap, StartMethod, Work, Workload};
use crate::workload::plan::{EnginePlan, Machine, Plan, PlanNote, Room};
use crate::workload::service;
use crate::workload::units::format_duration;

/// Offered load over capacity from which a queue without bound fills memory before anything is learned.
const MOST_OVERLOAD: f64 = 50.0;
/// Share of memory that tasks may take together.
const MOST_MEMORY: f64 = 0.8;

/// Processes alive at once: the workers, and where a pool worker runs commands, the command of each.
pub(super) fn processes(workload: &Workload, kind: EngineKind, at_once: u64) -> u64 {
    at_once.saturating_mul(processes_each(workload, kind))
}

fn processes_each(workload: &Workload, kind: EngineKind) -> u64 {
    let commands = workload.classes.iter().any(|class| matches!(class.work, Work::Command(_)));
    if commands && !kind.process_per_task() { 2 } else { 1 }
}

/// Most workers that any of the arms may have before the plan is refused for it; at least 1.
#[must_use]
pub(crate) fn most_workers(workload: &Workload, machine: Machine) -> u32 {
    let by = |room: Room, each: u64| room.left() / each.max(1);
    let each = workload.engines.iter().map(|engine| processes_each(workload, engine.kind)).max().unwrap_or(1);
    let by_descriptors = machine.descriptors.map_or(u64::MAX, |room| by(room, room.each));
    let by_memory = bearable_memory(machine).checked_div(memory_each(workload)).unwrap_or(u64::MAX);
    let most = by(machine.processes, each).min(by_descriptors).min(by_memory);
    u32::try_from(most).unwrap_or(u32::MAX).max(1)
}

/// Bytes that tasks may take together.
fn bearable_memory(machine: Machine) -> u64 {
    (machine.memory_bytes as f64 * MOST_MEMORY) as u64
}

/// Bytes that one task takes at most.
pub(super) fn memory_each(workload: &Workload) -> u64 {
    workload.classes.iter().map(|class| service::memory(&class.work)).max().unwrap_or(0)
}

/// Why so many workers are too many, with the largest number that works; `None` if they are not.
fn too_many(name: &str, processes: Room, descriptors: Option<Room>, wanted: u64) -> Option<String> {
    let (room, what) = [(Some(processes), "processes"), (descriptors, "open files")]
        .into_iter()
        .filter_map(|(room, what)| Some((room?, what)))
        .min_by_key(|(room, _)| room.left() / room.each.max(1))?;
    let most = room.left() / room.each.max(1);
    if wanted <= most {
        return None;
    }
    let need = wanted.saturating_mul(room.each);
    let Room { limit, used, reserve, .. } = room;
    let largest = match most {
        0 => format!("not even one worker works here; the limit would have to be {}", used + reserve + room.each),
        most => format!("{most} is the largest number of workers that works here"),
    };
    Some(format!(
        "`{name}` needs {need} {what} for {wanted} worker{} at once; of the limit of {limit}, {used} are in use and \
         {reserve} are kept for Poolscope itself and others, which leaves {}: {largest}",
        if wanted == 1 { "" } else { "s" },
        room.left()
    ))
}

/// Why so many processes are too many to be left as zombies.
fn too_many_zombies(name: &str, room: Room, tasks: u64) -> Option<String> {
    let left = room.left();
    (tasks > left).then(|| {
        format!(
            "`{name}` would leave {tasks} zombies, one for each task, which keep their places in the process table; of the \
             limit of {}, {} are in use and {} are kept for Poolscope itself and others, which leaves {left}",
            room.limit, room.used, room.reserve
        )
    })
}

/// Why the plan should not be carried out on this machine.
pub(super) fn refusals(workload: &Workload, machine: Machine, plan: &Plan) -> Vec<PlanNote> {
    let mut notes = Vec::new();
    let memory = bearable_memory(machine);
    for (index, (engine, spec)) in plan.engines.iter().zip(&workload.engines).enumerate() {
        let key = format!("engines[{index}].workers");
        let each = processes_each(workload, spec.kind);
        let processes = Room { each, ..machine.processes };
        if spec.reap == Reap::Never {
            notes.extend(
                too_many_zombies(&engine.name, machine.processes, engine.peak_processes)
                    .map(|message| PlanNote { key: format!("engines[{index}].reap"), message }),
            );
        }
        let at_once = if spec.reap == Reap::Never {
            engine.workers.unwrap_or(engine.peak_processes)
        } else {
            engine.peak_processes / each
        };
        notes.extend(
            too_many(&engine.name, processes, machine.descriptors, at_once)
                .map(|message| PlanNote { key: key.clone(), message }),
        );
        if engine.peak_memory_bytes > memory {
            let message = format!(
                "tasks of `{}` would allocate up to {} at once; 80 % of this machine's memory is {}",
                engine.name,
                bytesize::ByteSize(engine.peak_memory_bytes),
                bytesize::ByteSize(memory)
            );
            notes.push(PlanNote { key, message });
        }
    }
    if let Arrivals::Open(open) = &workload.arrivals
        && open.max_in_flight.is_none()
    {
        notes.extend(overload(plan, MOST_OVERLOAD, |engine, rate, rho| {
            format!(
                "{rate} tasks/s are {rho:.0} times what `{}` can do; without `max_in_flight` the queue would fill memory",
                engine.name
            )
        }));
    }
    notes
}

/// What may not be meant.
pub(super) fn warnings(workload: &Workload, plan: &Plan) -> Vec<PlanNote> {
    let mut notes = overload(plan, 1.0, |engine, rate, rho| {
        format!(
            "at {rate} tasks/s `{}` is offered {rho:.2} times what it can do: the queue will grow without bound: that may be \
             the lesson",
            engine.name
        )
    });
    notes.extend(limits_never_reached(workload, plan));
    notes.extend(nothing_to_fork(workload));
    notes
}

/// Programs are always spawned.
fn nothing_to_fork(workload: &Workload) -> impl Iterator<Item = PlanNote> {
    let programs = workload.classes.iter().all(|class| matches!(class.work, Work::Command(_)));
    let forks = move |spec: &EngineSpec| {
        programs && spec.kind.process_per_task() && spec.start_method == StartMethod::Forkserver
    };
    workload.engines.iter().enumerate().filter(move |(_, spec)| forks(spec)).map(|(index, spec)| PlanNote {
        key: format!("engines[{index}].start_method"),
        message: format!(
            "every task of `{}` is a program of its own, and those are spawned: nothing is forked",
            spec.name
        ),
    })
}

/// A note for each stage and engine where ρ is at least `from`.
fn overload(plan: &Plan, from: f64, message: impl Fn(&EnginePlan, f64, f64) -> String) -> Vec<PlanNote> {
    let Some(arrivals) = &plan.arrivals else { return Vec::new() };
    let mut notes = Vec::new();
    for (index, stage) in arrivals.stages.iter().enumerate() {
        for engine in &plan.engines {
            let Some(rho) = engine.utilisation.get(index).filter(|rho| **rho >= from) else { continue };
            notes.push(PlanNote {
                key: format!("arrivals.stages[{index}].rate"),
                message: message(engine, stage.rate, *rho),
            });
        }
    }
    notes
}

/// Limits longer than the longest predicted run of all arms.
fn limits_never_reached(workload: &Workload, plan: &Plan) -> Vec<PlanNote> {
    let ends: Option<Vec<f64>> = plan.engines.iter().map(|engine| Some(engine.makespan?.at_most_s)).collect();
    let Some(longest) = ends.and_then(|ends| ends.into_iter().max_by(f64::total_cmp)) else { return Vec::new() };
    // Beyond what one worker alone would take, loading the file has warned already, with the line.
    let told = one_worker(workload).unwrap_or(Duration::MAX);
    let mut notes = Vec::new();
    for (index, class) in workload.classes.iter().enumerate() {
        for (name, limit) in [("timeout", class.timeout), ("queue_timeout", class.queue_timeout)] {
            let Some(limit) = limit.filter(|limit| limit.as_secs_f64() > longest && *limit <= told) else { continue };
            let message = format!(
                "{} is longer than the whole run, about {longest:.1} s: it can never be reached",
                format_duration(limit)
            );
            notes.push(PlanNote { key: format!("tasks[{index}].{name}"), message });
        }
    }
    notes
}
