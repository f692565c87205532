//! From a name on the command line to a workload that may be run here.

use std::num::NonZeroU32;
use std::sync::Arc;

use anyhow::Context as _;

use crate::cli::{Changes, Color};
use crate::commands::{Exit, write};
use crate::engine::plan::Surroundings;
use crate::os::board;
use crate::os::host::Host;
use crate::os::limits::{self, Limits};
use crate::session::conductor::SessionSpec;
use crate::worker::calibration::{Calibration, Origin};
use crate::workload::changes;
use crate::workload::diagnostic::Diagnostics;
use crate::workload::load::{self, Loaded};
use crate::workload::model::{Chunksize, EngineKind, EngineSpec, Workers, Workload};
use crate::workload::plan::{self, Machine, Plan};
use crate::workload::source;

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
        limits::raise_descriptors();
        Self { host: Arc::new(Host::detect()), limits: Limits::read() }
    }

    pub(super) fn machine(&self) -> Machine {
        Machine {
            cores: self.host.usable_cores(),
            memory_bytes: self.limits.memory_available.unwrap_or(self.host.memory_bytes),
            process_limit: self.limits.processes,
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
            max_processes: if i_know { board::SLOTS } else { self.limits.safe_processes() },
            iterations_per_second: calibration.iterations_per_second,
            worker_program: std::env::current_exe().context("finding this program's own file")?.into_os_string(),
        })
    }
}

/// Opens and loads a workload and applies what the command line changes. What is wrong is told on standard error.
pub(super) fn workload(name: &str, changes: &Changes, color: Color) -> Prepared<Arc<Workload>> {
    let colored = write::colored_stderr(color);
    let bad = |message: String| {
        write::say(&message);
        Exit::BadInput
    };
    let (source, mut loaded) =
        source::load(name, changes.allow_exec).map_err(|diagnostics| bad(diagnostics.render(colored)))?;
    if !changes.set.is_empty() {
        let text = changes::apply(&source.text, &changes.set).map_err(|error| bad(format!("error: {error}")))?;
        let origin = format!("{} (with --set)", source.name);
        loaded = reload(&text, &origin).map_err(|diagnostics| bad(diagnostics.render(colored)))?;
    }
    for warning in &loaded.warnings {
        write::say(&warning.render(colored));
    }
    let mut workload = loaded.workload;
    if let Some(seed) = changes.seed {
        workload.seed = seed;
    }
    if let Some(workers) = changes.workers.and_then(NonZeroU32::new) {
        for engine in workload.engines.iter_mut().filter(|engine| engine.kind != EngineKind::Serial) {
            engine.workers = Workers::Fixed(workers);
        }
    }
    Ok(Arc::new(workload))
}

fn reload(text: &str, origin: &str) -> Result<Loaded, Diagnostics> {
    load::load(text, origin)
}

/// Refuses a plan that this machine cannot bear, unless it is asked for; tells warnings.
pub(super) fn envelope(workload: &Workload, place: &Place, changes: &Changes) -> Prepared<()> {
    let plan = plan(workload, place);
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
    if plan.refusals.is_empty() || changes.i_know {
        return Ok(());
    }
    write::say("nothing was started; --i-know runs it all the same");
    Err(Exit::BadInput)
}

/// What a workload would do here.
pub(super) fn plan(workload: &Workload, place: &Place) -> Plan {
    plan::plan(workload, place.machine())
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

/// A session over some of a workload's arms.
pub(super) fn session(
    workload: Arc<Workload>,
    arms: Vec<EngineSpec>,
    place: &Place,
    i_know: bool,
) -> anyhow::Result<SessionSpec> {
    let preferred = workload.engines.get(workload.baseline).map(|engine| engine.name.clone());
    let baseline = arms.iter().position(|arm| Some(&arm.name) == preferred.as_ref()).unwrap_or(0);
    Ok(SessionSpec {
        workload,
        arms,
        baseline,
        host: Arc::clone(&place.host),
        surroundings: place.surroundings(i_know)?,
    })
}
