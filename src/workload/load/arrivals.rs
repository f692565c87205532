//! `arrivals`: closed batch, or open with a rate or stages.

use std::num::NonZeroU64;

use crate::workload::load::field::Field;
use crate::workload::load::keys;
use crate::workload::load::map::MapReader;
use crate::workload::model::{ArrivalProcess, Arrivals, OnFull, OpenArrivals, Stage};

const MOST_STAGES: usize = 1000;

#[derive(Clone, Copy, PartialEq)]
enum ArrivalMode {
    Closed,
    Open,
}

#[derive(Clone, Copy)]
enum Process {
    Batch,
    Spaced(ArrivalProcess),
}

const PROCESSES: [(&str, Process); 3] = [
    ("batch", Process::Batch),
    ("constant", Process::Spaced(ArrivalProcess::Constant)),
    ("poisson", Process::Spaced(ArrivalProcess::Poisson)),
];
const OPEN_ONLY: [&str; 5] = ["rate", "duration", "stages", "max_in_flight", "on_full"];

pub(crate) fn read(field: &Field<'_>) -> Option<Arrivals> {
    let mut map = field.map()?;
    let mode = map
        .required("mode")
        .and_then(|field| field.choice("mode", &[("closed", ArrivalMode::Closed), ("open", ArrivalMode::Open)], &[]));
    let process_field = map.get("process");
    let process = match &process_field {
        Some(field) => field.choice("process", &PROCESSES, &["burst", "ramp", "trace"]).map(Some),
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
    if let (Some(Process::Spaced(_)), Some(field)) = (process, field) {
        field.wrong::<()>("closed mode has all tasks at the start", "must be batch, or `mode: open`");
        fine = false;
    }
    map.finish(&keys::ARRIVALS, "`arrivals`");
    fine.then_some(Arrivals::Batch)
}

fn open(mut map: MapReader<'_>, process: Option<Process>, field: Option<&Field<'_>>) -> Option<Arrivals> {
    let process = match (process, field) {
        (Some(Process::Spaced(process)), _) => Some(process),
        (Some(Process::Batch), Some(field)) => field.wrong("open mode has no batch", "must be constant or poisson"),
        _ => {
            if !map.misspelt("process") {
                map.field.context.report(map.missing("process").allowed("must be constant or poisson"));
            }
            None
        }
    };
    let stages = stages(&mut map);
    let max_in_flight = map.optional("max_in_flight", |field| field.count(u64::from(u32::MAX)));
    let on_full = on_full(&mut map, &max_in_flight);
    map.finish(&keys::ARRIVALS, "`arrivals`");
    Some(Arrivals::Open(OpenArrivals {
        process: process?,
        stages: stages?,
        max_in_flight: max_in_flight?,
        on_full: on_full?,
    }))
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

/// `rate` with or without `duration`, or `stages`.
fn stages(map: &mut MapReader<'_>) -> Option<Vec<Stage>> {
    let rate = map.get("rate");
    let duration = map.get("duration");
    let stages = map.get("stages");
    match (rate, stages) {
        (Some(rate), Some(stages)) => {
            rate.rate();
            read_stages(&stages);
            stages.wrong("`rate` and `stages` together", "one of them")
        }
        (Some(rate), None) => {
            let rate = rate.rate();
            let duration = match duration {
                Some(field) => field.positive_duration().map(Some),
                None => Some(None),
            };
            Some(vec![Stage { duration: duration?, rate: rate? }])
        }
        (None, Some(stages)) => {
            let read = read_stages(&stages);
            if let Some(duration) = duration {
                return duration.wrong("`duration` beside `stages`", "each stage has its own");
            }
            read
        }
        (None, None) => {
            if !map.misspelt("rate") && !map.misspelt("stages") {
                let error = map.missing("rate").allowed("open mode needs `rate: 120/s` or `stages`");
                map.field.context.report(error);
            }
            None
        }
    }
}

fn read_stages(field: &Field<'_>) -> Option<Vec<Stage>> {
    let items = field.some_items(MOST_STAGES)?;
    let last = items.len() - 1;
    let read: Vec<Option<Stage>> = items.iter().enumerate().map(|(index, item)| stage(item, index == last)).collect();
    read.into_iter().collect()
}

fn stage(field: &Field<'_>, last: bool) -> Option<Stage> {
    let mut map = field.map()?;
    let duration = map.optional("duration", Field::positive_duration);
    let rate = map.required("rate").and_then(|field| field.rate());
    if let Some(None) = duration
        && !last
        && !map.misspelt("duration")
    {
        map.field.context.report(map.missing("duration").allowed("every stage but the last needs one"));
        map.finish(&keys::STAGE, "a stage");
        return None;
    }
    map.finish(&keys::STAGE, "a stage");
    Some(Stage { duration: duration?, rate: rate? })
}
