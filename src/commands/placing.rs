//! What cannot be given to the processes of an engine here: CPUs, a niceness and a limit of open files that this process
//! does not have the right to.
//! Nothing is started for it but children that end before they are a program.

use crate::os::spawn::Program;
use crate::os::surroundings::{self, Surroundings};
use crate::workload::model::{CpuList, Workload};
use crate::workload::plan::PlanNote;

/// Why engines cannot be placed as the file says, with the numbers; no flag changes that.
pub(super) fn impossible(workload: &Workload) -> Vec<PlanNote> {
    let mut notes = Vec::new();
    if let Some(message) = workload.limits.max_open_files.and_then(against_open_files) {
        notes.push(PlanNote { key: "limits.max_open_files".to_owned(), message });
    }
    for (index, engine) in workload.engines.iter().enumerate() {
        let mut note = |key: &str, message| notes.push(PlanNote { key: format!("engines[{index}].{key}"), message });
        if let Some(message) = engine.placement.affinity.as_ref().and_then(against_cpus) {
            note("affinity", message);
        }
        if let Some(message) = engine.placement.nice.and_then(against_nice) {
            note("nice", message);
        }
    }
    notes
}

fn against_cpus(cpus: &CpuList) -> Option<String> {
    let among = |numbers: &[u32]| cpus.numbers().iter().copied().find(|cpu| !numbers.contains(cpu));
    let online = surroundings::online_cpus().and_then(|text| CpuList::parse(&text).ok());
    if let Some(online) = online
        && let Some(cpu) = among(online.numbers())
    {
        return Some(format!("there is no CPU {cpu} here; there are {online}"));
    }
    if let Some(allowed) = surroundings::allowed_cpus()
        && let Some(cpu) = among(&allowed)
    {
        let allowed = CpuList::new(allowed).map_or_else(|_| "none".to_owned(), |allowed| allowed.to_string());
        return Some(format!("CPU {cpu} is not allowed here; {allowed} may be used (taskset, cpuset)"));
    }
    let error = Program::can_be_surrounded_by(&Surroundings::new(Some(cpus.numbers()), None, None)).err()?;
    Some(format!("CPUs {cpus} cannot be used: {error}"))
}

fn against_open_files(most: u64) -> Option<String> {
    let error = Program::can_be_surrounded_by(&Surroundings::new(None, None, Some(most))).err()?;
    let hard = surroundings::most_open_files().map_or_else(|| "none".to_owned(), |limit| limit.to_string());
    Some(format!(
        "{most} open files are not allowed: the hard limit of this process (RLIMIT_NOFILE) is {hard} ({error})"
    ))
}

fn against_nice(nice: i32) -> Option<String> {
    let error = Program::can_be_surrounded_by(&Surroundings::new(None, Some(nice), None)).err()?;
    let (own, lowest) = surroundings::niceness();
    Some(format!("a niceness of {nice} is not allowed: this process has {own}, and its lowest is {lowest} ({error})"))
}
