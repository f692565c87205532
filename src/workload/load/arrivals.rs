//! `arrivals`: a closed batch or loop, or open with a process. What each process is made of is read in
//! [`crate::workload::load::stages`].

use std::num::NonZeroU64;

use crate::workload::arrivals::stages_of;
use crate::workload::load::field::Field;
use crate::workload::load::map::MapReader;
use crate::workload::load::{keys, stages, trace};
use crate::workload::model::{ArrivalProcess, Arrivals, OnFull, OpenArrivals};

#[derive(Clone, Copy, PartialEq)]
enum ArrivalMode {
    Closed,
    Open,
}

#[derive(Clone, Copy, PartialEq)]
enum Process {
    Batch,
    Constant,
    Poisson,
    Burst,
    Ramp,
    Trace,
}

const PROCESSES: [(&str, Process); 6] = [
    ("batch", Process::Batch),
    ("constant", Process::Constant),
    ("poisson", Process::Poisson),
    ("burst", Process::Burst),
    ("ramp", Process::Ramp),
    ("trace", Process::Trace),
];

/// Its words, for the schema of the format.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    PROCESSES.iter().map(|(word, _)| *word)
}
const OPEN_PROCESSES: &str = "must be constant, poisson, burst, ramp or trace";
const OPEN_ONLY: [&str; 10] =
    ["rate", "duration", "stages", "burst", "every", "file", "column", "unit", "from", "on_full"];

pub(crate) fn read(field: &Field<'_>) -> Option<Arrivals> {
    let mut map = field.map()?;
    let mode = map
        .required("mode")
        .and_then(|field| field.choice("mode", &[("closed", ArrivalMode::Closed), ("open", ArrivalMode::Open)], &[]));
    let process_field = map.get("process");
    let process = match &process_field {
        Some(field) => field.choice("process", &PROCESSES, &[]).map(Some),
        None => Some(None),
    };
    let (Some(mode), Some(process)) = (mode, process) else {
        map.finish_any(&keys::ARRIVALS, "`arrivals`");
        return None;
    };
    match mode {
        ArrivalMode::Closed => closed(map, process, process_field.as_ref()),
        ArrivalMode::Open => open(map, process, process_field.as_ref()),
    }
}

fn closed(mut map: MapReader<'_>, process: Option<Process>, field: Option<&Field<'_>>) -> Option<Arrivals> {
    let mut fine = true;
    for key in OPEN_ONLY {
        if let Some(field) = map.get(key) {
            let context = field.context;
            let error = context.error(
                field.key.unwrap_or_else(|| field.mark()),
                &field.path,
                &format!("closed mode has no `{key}`"),
            );
            context.report(error.allowed("`mode: open`, or leave it out"));
            fine = false;
        }
    }
    if let (Some(process), Some(field)) = (process, field)
        && process != Process::Batch
    {
        field.wrong::<()>("closed mode does not look at the time", "must be batch, or `mode: open`");
        fine = false;
    }
    let max_in_flight = map.optional("max_in_flight", max_in_flight)?;
    map.finish(&keys::ARRIVALS, "`arrivals`");
    fine.then(|| max_in_flight.map_or(Arrivals::Batch, |max_in_flight| Arrivals::ClosedLoop { max_in_flight }))
}

fn open(mut map: MapReader<'_>, process: Option<Process>, field: Option<&Field<'_>>) -> Option<Arrivals> {
    let spaced = match process {
        Some(Process::Constant) => stages::steady(&mut map).map(|stages| (ArrivalProcess::Constant, stages)),
        Some(Process::Poisson) => stages::steady(&mut map).map(|stages| (ArrivalProcess::Poisson, stages)),
        Some(Process::Burst) => stages::bursts(&mut map),
        Some(Process::Trace) => trace::moments(&mut map).map(|moments| {
            let stages = stages_of(&moments);
            (ArrivalProcess::Trace(moments), stages)
        }),
        Some(Process::Ramp) => stages::ramp(&mut map).map(|stages| (ArrivalProcess::Ramp, stages)),
        Some(Process::Batch) | None => {
            match field {
                Some(field) => {
                    field.wrong::<()>("open mode has no batch", OPEN_PROCESSES);
                }
                None if map.misspelt("process") => {}
                None => map.field.context.report(map.missing("process").allowed(OPEN_PROCESSES)),
            }
            // The other keys may be meant for any of them.
            map.finish_any(&keys::ARRIVALS, "`arrivals`");
            return None;
        }
    };
    let max_in_flight = map.optional("max_in_flight", max_in_flight);
    let on_full = on_full(&mut map, &max_in_flight);
    let what = PROCESSES.iter().find(|(_, other)| Some(*other) == process).map_or("", |(word, _)| word);
    map.finish(&keys::ARRIVALS, &format!("process {what}"));
    let (process, stages) = spaced?;
    Some(Arrivals::Open(OpenArrivals { process, stages, max_in_flight: max_in_flight?, on_full: on_full? }))
}

fn max_in_flight(field: &Field<'_>) -> Option<NonZeroU64> {
    field.count(u64::from(u32::MAX))
}

fn on_full(map: &mut MapReader<'_>, max_in_flight: &Option<Option<NonZeroU64>>) -> Option<OnFull> {
    let Some(field) = map.get("on_full") else { return Some(OnFull::Drop) };
    let choice = field.choice("on_full", &[("drop", OnFull::Drop), ("block", OnFull::Block)], &[])?;
    if let Some(None) = max_in_flight {
        return field
            .wrong("`on_full` without `max_in_flight`", "add `max_in_flight: N`: without it nothing is ever full");
    }
    if choice == OnFull::Block {
        field.warn("arrivals that wait for room stop being open-loop: the engine slows them down");
    }
    Some(choice)
}
