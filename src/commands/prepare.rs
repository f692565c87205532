//! From a name on the command line to a workload that may be run here.

use std::io::IsTerminal as _;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

use crate::cli::{Changes, Color, WorkerCounts};
use crate::commands::{Exit, write};
use crate::engine::assembly::Surroundings;
use crate::os::board;
use crate::os::host::Host;
use crate::os::limits::{self, DESCRIPTORS_PER_WORKER, Limits};
use crate::report::clean;
use crate::session::conductor::SessionSpec;
use crate::worker::calibration::{Calibration, Origin};
use crate::workload::model::{Chunksize, EngineKind, EngineSpec, Workers, Workload};
use crate::workload::plan::{self, Machine, Plan};
use crate::workload::source::{self, Source};

/// What came of preparing: ready, or an exit whose reason was told.
pub(super) type Prepared<T> = Result<T, Exit>;

/// The machine a workload is run on.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub host: Arc<Host>,
    pub limits: Limits,
}

impl Place {
    pub(super) fn detect() -> Self {
        Self { host: Arc::new(Host::detect()), limits: Limits::read() }
    }

    pub(super) fn machine(&self) -> Machine {
        Machine {
            cores: self.host.usable_cores(),
            memory_bytes: self.limits.memory_available.unwrap_or(self.host.memory_bytes),
            processes: room(self.limits.process_room(), 1),
            descriptors: self.limits.descriptors.map(|descriptors| room(descriptors, DESCRIPTORS_PER_WORKER)),
        }
    }

    /// Loads or measures the calibration; a cache that cannot be used is told on standard error.
    /// `i_know` lifts the safety limit on processes.
    pub(super) fn surroundings(&self, i_know: bool) -> anyhow::Result<Surroundings> {
        let (calibration, origin) = Calibration::load_or_measure(&self.host.cpu_model);
        if let Origin::NotStored(reason) = origin {
            write::say(&format!("note: the calibration could not be stored and is measured at every start ({reason})"));
        }
        Ok(Surroundings {
            usable_cores: self.host.usable_cores(),
            max_processes: if i_know { board::SLOTS } else { self.limits.safe_workers() },
            iterations_per_second: calibration.iterations_per_second,
            worker_program: std::env::current_exe().context("finding this program's own file")?.into_os_string(),
        })
    }
}

fn room(limits::Room { limit, used, reserve }: limits::Room, each: u64) -> plan::Room {
    plan::Room { limit, used, reserve, each }
}

/// Opens and loads a workload and applies what the command line changes. What is wrong is told on standard error.
pub(super) fn workload(name: &str, changes: &Changes, color: Color) -> Prepared<Arc<Workload>> {
    source_and_workload(name, changes, color).map(|(_, workload)| workload)
}

/// The same with where it came from.
pub(super) fn source_and_workload(name: &str, changes: &Changes, color: Color) -> Prepared<(Source, Arc<Workload>)> {
    let colored = write::colored_stderr(color);
    let bad = |message: String| {
        write::say(&message);
        Exit::BadInput
    };
    announce(name);
    let (source, loaded) =
        source::load(name, changes.allow_exec, &changes.set).map_err(|diagnostics| bad(diagnostics.render(colored)))?;
    for warning in &loaded.warnings {
        write::say(&warning.render(colored));
    }
    let mut workload = loaded.workload;
    if let Some(seed) = changes.seed {
        workload.seed = seed;
    }
    // Several counts are a sweep's.
    if let Some(workers) = changes.workers.as_ref().and_then(WorkerCounts::single).and_then(NonZeroU32::new) {
        for engine in workload.engines.iter_mut().filter(|engine| engine.kind != EngineKind::Serial) {
            engine.workers = Workers::Fixed(workers);
        }
    }
    Ok((source, Arc::new(workload)))
}

/// Refuses several worker counts where one is needed; `who` needs it.
pub(super) fn one_count(changes: &Changes, who: &str, file: Option<&str>) -> Prepared<()> {
    match changes.workers.as_ref().filter(|counts| counts.single().is_none()) {
        None => Ok(()),
        Some(counts) => {
            let (counts, file) = (clean::line(&counts.to_string()).into_owned(), clean::line(file.unwrap_or("FILE")));
            write::say(&format!(
                "error: {who} takes one number of workers; several are tried by poolscope sweep {file} --workers {counts}"
            ));
            Err(Exit::BadInput)
        }
    }
}

/// Says what is waited for where somebody has to type it.
pub(super) fn announce(name: &str) {
    if source::is_standard_input(name) && std::io::stdin().is_terminal() {
        write::say("reading the workload from the terminal; Ctrl-D ends it");
    } else if source::is_named_pipe(name) {
        write::say(&format!("reading the workload from the pipe {}", clean::line(name)));
    }
}

/// Refuses a plan that this machine cannot bear, unless it is asked for; tells warnings. `together`: all arms at once.
pub(super) fn envelope(workload: &Workload, place: &Place, changes: &Changes, together: bool) -> Prepared<()> {
    let mut plan = plan(workload, place, changes.max_time);
    if together {
        plan.refusals.extend(all_at_once(&plan, place.machine()));
    }
    judge(&plan, place, changes)
}

/// Refuses a plan that has refusals, unless it is asked for; tells warnings.
pub(super) fn judge(plan: &Plan, place: &Place, changes: &Changes) -> Prepared<()> {
    for warning in &plan.warnings {
        write::say(&format!("warning: {}: {}", warning.key, warning.message));
    }
    for refusal in &plan.refusals {
        let word = if changes.i_know { "warning" } else { "error" };
        write::say(&format!("{word}: {}: {}", refusal.key, refusal.message));
    }
    // No flag makes more room on the status board.
    let too_many =
        plan.engines.iter().find(|engine| engine.workers.is_some_and(|workers| workers > board::SLOTS.into()));
    if let Some(engine) = too_many {
        write::say(&format!("error: {}: no more than {} workers are possible", engine.name, board::SLOTS));
        return Err(Exit::BadInput);
    }
    // Workers that there is no room for wait for it, but one has to be there.
    let descriptors = place.machine().descriptors.filter(|room| room.left() < room.each);
    if let Some(room) = descriptors {
        let least = room.used + room.reserve + room.each;
        write::say(&format!("error: a limit of {} open files is too low: one worker needs {least}", room.limit));
        return Err(Exit::BadInput);
    }
    if plan.refusals.is_empty() || changes.i_know {
        return Ok(());
    }
    write::say("nothing was started; --i-know runs it all the same");
    Err(Exit::BadInput)
}

/// Why the arms cannot run at the same time, though each could by itself.
fn all_at_once(plan: &Plan, machine: Machine) -> Vec<plan::Note> {
    let workers: u64 = plan.engines.iter().filter_map(|engine| engine.workers).sum();
    let processes: u64 = plan.engines.iter().map(|engine| engine.peak_processes).sum();
    let needs = [(Some(machine.processes), processes, "processes"), (machine.descriptors, workers, "open files")];
    let short = needs.into_iter().filter_map(|(room, count, what)| {
        let room = room?;
        let need = count.saturating_mul(room.each);
        let message = format!("all arms together need {need} {what}; {} are left for workers", room.left());
        (need > room.left()).then(|| plan::Note { key: "--together".to_owned(), message })
    });
    short.collect()
}

/// What a workload would do here, and whether that is within limits.
pub(super) fn plan(workload: &Workload, place: &Place, max_time: Option<Duration>) -> Plan {
    plan::plan(workload, place.machine()).limited(max_time)
}

/// The arm that a name on the command line means: an entry of `engines:`, or a kind with its defaults.
pub(super) fn arm(workload: &Workload, name: &str) -> Prepared<EngineSpec> {
    if let Some(engine) = workload.engines.iter().find(|engine| engine.name == name) {
        return Ok(engine.clone());
    }
    let kind = match name {
        "pool" => EngineKind::Pool,
        "process" => EngineKind::Process,
        "serial" => EngineKind::Serial,
        _ => {
            let known: Vec<&str> = workload.engines.iter().map(|engine| engine.name.as_str()).collect();
            write::say(&format!(
                "error: no engine {name:?}: this workload has {}; a kind (pool, process, serial) runs with its defaults",
                known.join(", ")
            ));
            return Err(Exit::BadInput);
        }
    };
    // `--workers` has changed every entry of the file alike; a kind that is not in it takes the same.
    let workers =
        workload.engines.iter().find(|engine| engine.kind == kind).map_or(Workers::Auto, |engine| engine.workers);
    let defaults = EngineSpec::of_kind(kind, workers);
    Ok(EngineSpec { name: name.to_owned(), workers, chunksize: Chunksize::Auto, ..defaults })
}

/// The arms that names on the command line mean; without any, all entries of `engines:`.
pub(super) fn arms(workload: &Workload, names: &[String]) -> Prepared<Vec<EngineSpec>> {
    if names.is_empty() {
        return Ok(workload.engines.clone());
    }
    let arms: Vec<EngineSpec> = names.iter().map(|name| arm(workload, name)).collect::<Result<_, _>>()?;
    let double = arms.iter().enumerate().find(|(index, arm)| arms.iter().take(*index).any(|one| one.name == arm.name));
    if let Some((_, arm)) = double {
        write::say(&format!("error: --engines names {} twice", clean::line(&arm.name)));
        return Err(Exit::BadInput);
    }
    Ok(arms)
}

/// A session over some of a workload's arms.
pub(super) fn session(
    workload: Arc<Workload>,
    arms: Vec<EngineSpec>,
    place: &Place,
    i_know: bool,
) -> anyhow::Result<SessionSpec> {
    let preferred = workload.engines.get(workload.baseline).map(|engine| engine.name.clone());
    let baseline = arms.iter().position(|arm| Some(&arm.name) == preferred.as_ref()).unwrap_or(0);
    let mut surroundings = place.surroundings(i_know)?;
    if !i_know {
        // A key or a sweep gives no more workers than a file could ask for.
        surroundings.max_processes = surroundings.max_processes.min(plan::most_workers(&workload, place.machine()));
    }
    Ok(SessionSpec { workload, arms, baseline, host: Arc::clone(&place.host), surroundings })
}
