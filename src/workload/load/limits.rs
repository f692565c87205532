//! `limits`: the safety envelope that a file sets for itself.

use crate::workload::load::field::Field;
use crate::workload::load::keys;
use crate::workload::model::Limits;

/// Descriptors that a worker itself needs while it runs a program, with some to spare.
const LEAST_OPEN_FILES: u64 = 32;
/// The largest number of descriptors that a kernel can be told (`fs.nr_open`, proc_sys_fs(5)).
const MOST_OPEN_FILES: u64 = 0x7fff_ffc0;

pub(crate) fn read(field: &Field<'_>) -> Option<Limits> {
    let mut map = field.map()?;
    let max_processes = map.optional("max_processes", |field| field.count32(u32::MAX));
    let max_memory_bytes = map.optional("max_memory", Field::size);
    let max_time = map.optional("max_time", Field::positive_duration);
    let max_open_files = map.optional("max_open_files", |field| field.integer(LEAST_OPEN_FILES, MOST_OPEN_FILES));
    map.finish(&keys::LIMITS, "`limits`");
    Some(Limits {
        max_processes: max_processes?,
        max_memory_bytes: max_memory_bytes?,
        max_time: max_time?,
        max_open_files: max_open_files?,
    })
}
