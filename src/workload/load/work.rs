//! What a task does: the fields that depend on its `kind`.

use crate::workload::load::field::Field;
use crate::workload::load::items::OfItems;
use crate::workload::load::map::MapReader;
use crate::workload::load::{command, dist, kernel, keys, python};
use crate::workload::model::{Dist, IoWork, MemoryWork, Phase, Work};

/// Kinds of task that are read now.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum WorkKind {
    Cpu,
    Sleep,
    Io,
    Memory,
    Mixed,
    Kernel,
    Command,
    Python,
}

const KINDS: [(&str, WorkKind); 8] = [
    ("cpu", WorkKind::Cpu),
    ("sleep", WorkKind::Sleep),
    ("io", WorkKind::Io),
    ("memory", WorkKind::Memory),
    ("mixed", WorkKind::Mixed),
    ("kernel", WorkKind::Kernel),
    ("command", WorkKind::Command),
    ("python", WorkKind::Python),
];

/// Its words, for the schema of the format.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|(word, _)| *word)
}
/// Most phases of a mixed task.
const MOST_PHASES: usize = 100;

/// Reads `kind`.
pub(crate) fn kind(map: &mut MapReader<'_>) -> Option<WorkKind> {
    map.required("kind").and_then(|field| field.choice("kind", &KINDS, &["ipc"]))
}

/// How a message calls a kind.
pub(crate) fn describe(kind: WorkKind, thing: &str) -> String {
    let name = KINDS.iter().find(|(_, other)| *other == kind).map_or("", |(name, _)| name);
    format!("{thing} of kind {name}")
}

/// Reads the fields of a kind.
pub(crate) fn read(map: &mut MapReader<'_>, kind: WorkKind, items: &OfItems<'_>) -> Option<Work> {
    match kind {
        WorkKind::Cpu => service_time(map).map(Work::Cpu),
        WorkKind::Sleep => service_time(map).map(Work::Sleep),
        WorkKind::Io => io(map).map(Work::Io),
        WorkKind::Memory => memory(map).map(Work::Memory),
        WorkKind::Mixed => map.required("phases").and_then(|field| phases(&field)).map(Work::Mixed),
        WorkKind::Kernel => kernel::read(map).map(Work::Kernel),
        WorkKind::Command => command::work(map, items),
        WorkKind::Python => python::call(map, items).map(|call| Work::Python(Box::new(call))),
    }
}

fn service_time(map: &mut MapReader<'_>) -> Option<Dist> {
    map.required("service_time").and_then(|field| dist::read(&field))
}

fn io(map: &mut MapReader<'_>) -> Option<IoWork> {
    let bytes = map.required("bytes").and_then(|field| field.size());
    let sync = map.or("sync", false, Field::boolean);
    Some(IoWork { bytes: bytes?, sync: sync? })
}

fn memory(map: &mut MapReader<'_>) -> Option<MemoryWork> {
    let bytes = map.required("bytes").and_then(|field| field.size());
    let passes = map.or("passes", 1, |field| field.count32(1_000_000).map(u32::from));
    Some(MemoryWork { bytes: bytes?, passes: passes? })
}

fn phases(field: &Field<'_>) -> Option<Vec<Phase>> {
    // All phases are read before the first refused one ends it, so that all problems are found.
    let read: Vec<Option<Phase>> = field.some_items(MOST_PHASES)?.iter().map(phase).collect();
    read.into_iter().collect()
}

fn phase(field: &Field<'_>) -> Option<Phase> {
    let mut map = field.map()?;
    let kinds: Vec<(&str, WorkKind)> =
        KINDS.into_iter().filter(|(_, kind)| (*kind as u8) < WorkKind::Mixed as u8).collect();
    let Some(kind) = map.required("kind").and_then(|field| field.choice("kind of phase", &kinds, &[])) else {
        map.finish_any(&keys::PHASE, "a phase");
        return None;
    };
    let phase = match kind {
        WorkKind::Cpu => service_time(&mut map).map(Phase::Cpu),
        WorkKind::Sleep => service_time(&mut map).map(Phase::Sleep),
        WorkKind::Io => io(&mut map).map(Phase::Io),
        WorkKind::Memory => memory(&mut map).map(Phase::Memory),
        WorkKind::Mixed | WorkKind::Kernel | WorkKind::Command | WorkKind::Python => None,
    };
    map.finish(&keys::PHASE, &describe(kind, "a phase"));
    phase
}
