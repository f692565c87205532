//! The safety envelope: what could hurt the machine is refused with its numbers, unless the user says `--i-know`; what
//! may only surprise is a warning.

use std::time::Duration;

use bytesize::ByteSize;

use crate::workload::load::one_worker;
use crate::workload::model::{Arrivals, EngineKind, EngineSpec, OnFull, Reap, StartMethod, Workload};
use crate::workload::plan::{EnginePlan, Machine, Plan, PlanNote, Room, StagePlan};
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
    let commands = workload.classes.iter().any(|class| class.work.program().is_some());
    if commands && !kind.process_per_task() { 2 } else { 1 }
}

/// Most workers that every one of the arms may have before the plan is refused for it; at least 1.
#[must_use]
pub(crate) fn most_workers(workload: &Workload, machine: Machine) -> u32 {
    workload.engines.iter().map(|spec| most_workers_of(workload, machine, spec)).min().unwrap_or(u32::MAX)
}

/// Most workers that an arm may have before the plan is refused for it; at least 1.
#[must_use]
pub(crate) fn most_workers_of(workload: &Workload, machine: Machine, spec: &EngineSpec) -> u32 {
    let by = |room: Room, each: u64| room.left() / each.max(1);
    let by_processes = by(process_room(workload, machine), processes_each(workload, spec.kind));
    let by_descriptors = machine.descriptors.map_or(u64::MAX, |room| by(room, room.each));
    let by_memory = bearable_memory(workload, machine).0.checked_div(memory_each(workload, spec)).unwrap_or(u64::MAX);
    u32::try_from(by_processes.min(by_descriptors).min(by_memory)).unwrap_or(u32::MAX).max(1)
}

/// Processes that workers may be: the tighter of what the machine has left and what the file allows itself.
pub(crate) fn process_room(workload: &Workload, machine: Machine) -> Room {
    let own = workload
        .limits
        .max_processes
        .map(|most| Room { source: "limits.max_processes", ..Room::of(u64::from(most.get())) });
    own.filter(|own| own.left() < machine.processes.left()).unwrap_or(machine.processes)
}

/// Bytes that tasks may take together, and where that limit comes from.
fn bearable_memory(workload: &Workload, machine: Machine) -> (u64, String) {
    let most = (machine.memory_bytes as f64 * MOST_MEMORY) as u64;
    match workload.limits.max_memory_bytes.filter(|own| *own < most) {
        Some(own) => (own, format!("limits.max_memory is {}", ByteSize(own))),
        None => (
            most,
            format!("80 % of {} ({}) is {}", machine.memory_source, ByteSize(machine.memory_bytes), ByteSize(most)),
        ),
    }
}

/// Bytes that one worker takes at most, as far as that is known: its initializer's, and those of its largest task.
pub(super) fn memory_each(workload: &Workload, spec: &EngineSpec) -> u64 {
    let initializer = spec.initializer.as_ref().map_or(0, |initializer| initializer.memory_bytes);
    let task = workload.classes.iter().map(|class| service::memory(&class.work)).max().unwrap_or(0);
    initializer.saturating_add(task)
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
    let Room { limit, used, reserve, source, .. } = room;
    let largest = match most {
        0 => format!("not even one worker works here; the limit would have to be {}", used + reserve + room.each),
        most => format!("{most} is the largest number of workers that works here"),
    };
    let leaves = match used + reserve {
        0 => format!("{source} is {limit}"),
        _ => format!(
            "of {source}, a limit of {limit}, {used} are in use and {reserve} are kept for Poolscope itself and others, \
             which leaves {}",
            room.left()
        ),
    };
    let workers = if wanted == 1 { "worker" } else { "workers" };
    Some(format!("`{name}` needs {need} {what} for {wanted} {workers} at once; {leaves}: {largest}"))
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
    let (memory, because) = bearable_memory(workload, machine);
    for (index, (engine, spec)) in plan.engines.iter().zip(&workload.engines).enumerate() {
        let key = format!("engines[{index}].workers");
        let each = processes_each(workload, spec.kind);
        let processes = Room { each, ..process_room(workload, machine) };
        if spec.reap == Reap::Never {
            notes.extend(
                too_many_zombies(&engine.name, processes, engine.peak_processes)
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
                "tasks of `{}` would allocate up to {} at once; {because}",
                engine.name,
                ByteSize(engine.peak_memory_bytes)
            );
            notes.push(PlanNote { key, message });
        }
    }
    if let Arrivals::Open(open) = &workload.arrivals
        && open.max_in_flight.is_none()
    {
        let mut unbounded = plan.clone();
        unbounded.engines.retain(|engine| !has_bounded_queue(workload, engine));
        notes.extend(overload(&unbounded, MOST_OVERLOAD, |engine, stage, rho| {
            let rate = in_words(stage.highest());
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
    let mut notes = overload(plan, 1.0, |engine, stage, rho| {
        let (rate, name) = (in_words(stage.highest()), &engine.name);
        match (when_full(workload, engine), stage.end_rate) {
            (Some(full), _) => format!(
                "at up to {rate} tasks/s `{name}` is offered up to {rho:.2} times what it can do: {full}: that may be the \
                 lesson"
            ),
            (None, None) => format!(
                "at {rate} tasks/s `{name}` is offered {rho:.2} times what it can do: the queue will grow without bound: that \
                 may be the lesson"
            ),
            (None, Some(_)) => format!(
                "at up to {rate} tasks/s `{name}` is offered up to {rho:.2} times what it can do: the queue will grow as long \
                 as it is more than it can do: that may be the lesson"
            ),
        }
    });
    notes.extend(workers_without_tasks(workload, plan));
    notes.extend(limits_never_reached(workload, plan));
    notes.extend(nothing_to_fork(workload));
    notes
}

/// A rate with as many digits as mean something.
fn in_words(rate: f64) -> String {
    let digits = (2 - rate.abs().max(1e-3).log10().floor() as i32).clamp(0, 6);
    let rounded = format!("{rate:.*}", digits as usize);
    // Whatever the file says is said as it is.
    if rate.to_string().len() <= rounded.len() { rate.to_string() } else { rounded }
}

/// What happens to the arrivals of an engine that cannot follow, where there is a limit to what waits.
fn when_full(workload: &Workload, engine: &EnginePlan) -> Option<String> {
    let Arrivals::Open(open) = &workload.arrivals else { return None };
    let limit = match (open.max_in_flight, has_bounded_queue(workload, engine)) {
        (Some(_), true) => "`max_in_flight` or `queue_capacity`",
        (Some(_), false) => "`max_in_flight`",
        (None, true) => "`queue_capacity`",
        (None, false) => return None,
    };
    let what = match open.on_full {
        OnFull::Drop => "dropped",
        OnFull::Block => "held up",
    };
    Some(format!("once {limit} is reached, arrivals are {what}"))
}

fn has_bounded_queue(workload: &Workload, engine: &EnginePlan) -> bool {
    workload.engines.iter().any(|spec| spec.name == engine.name && spec.queue_capacity.is_some())
}

/// Programs are always spawned.
fn nothing_to_fork(workload: &Workload) -> impl Iterator<Item = PlanNote> {
    let programs = workload.classes.iter().all(|class| class.work.program().is_some());
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
fn overload(plan: &Plan, from: f64, message: impl Fn(&EnginePlan, &StagePlan, f64) -> String) -> Vec<PlanNote> {
    let Some(arrivals) = &plan.arrivals else { return Vec::new() };
    let mut notes = Vec::new();
    if arrivals.recorded {
        // Nobody wrote its stages: the worst one is told.
        for engine in &plan.engines {
            let stages = arrivals.stages.iter().zip(&engine.utilisation);
            let worst = stages.max_by(|(_, one), (_, other)| one.total_cmp(other)).filter(|(_, rho)| **rho >= from);
            notes.extend(worst.map(|(stage, rho)| PlanNote {
                key: "arrivals.file".to_owned(),
                message: message(engine, &StagePlan { end_rate: Some(stage.rate), ..stage.clone() }, *rho),
            }));
        }
        return notes;
    }
    for (index, stage) in arrivals.stages.iter().enumerate() {
        for engine in &plan.engines {
            let Some(rho) = engine.utilisation.get(index).filter(|rho| **rho >= from) else { continue };
            // One stage may be written without `stages`.
            let one = arrivals.stages.len() == 1;
            let key = if one { "arrivals".to_owned() } else { format!("arrivals.stages[{index}].rate") };
            notes.push(PlanNote { key, message: message(engine, stage, *rho) });
        }
    }
    notes
}

/// Closed loops with fewer tasks than an engine has workers.
fn workers_without_tasks(workload: &Workload, plan: &Plan) -> Vec<PlanNote> {
    let Arrivals::ClosedLoop { max_in_flight } = workload.arrivals else { return Vec::new() };
    let note = |engine: &EnginePlan| {
        let workers = engine.workers.filter(|workers| *workers > max_in_flight.get())?;
        let message =
            format!("`{}` has {workers} workers, and no more than {max_in_flight} ever have a task", engine.name);
        Some(PlanNote { key: "arrivals.max_in_flight".to_owned(), message })
    };
    plan.engines.iter().filter_map(note).collect()
}

/// Limits longer than the longest predicted run of all arms.
fn limits_never_reached(workload: &Workload, plan: &Plan) -> Vec<PlanNote> {
    let ends: Option<Vec<f64>> = plan.engines.iter().map(|engine| Some(engine.makespan?.at_most_s)).collect();
    let Some(longest) = ends.and_then(|ends| ends.into_iter().max_by(f64::total_cmp)) else { return Vec::new() };
    // Beyond what one worker alone would take, loading the file has warned already, with the line.
    let told = one_worker(workload).unwrap_or(Duration::MAX);
    let mut notes = Vec::new();
    for (index, class) in workload.classes.iter().enumerate() {
        let limits =
            [("timeout", class.timeout), ("queue_timeout", class.queue_timeout), ("wait_timeout", class.wait_timeout)];
        for (name, limit) in limits {
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
