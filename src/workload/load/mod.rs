//! Loading: from the text of a workload file to a [`Workload`] in which everything has been checked.
//!
//! The only way to make a [`Workload`]. Two readings of the same text work together: the marked scan says where
//! things are and bounds what is read, the deserialiser says what they are. Readers then walk both, note every problem
//! and go on. Nothing here touches the file system, and no input may make it panic.

mod arrivals;
mod command;
mod context;
mod dist;
mod engine;
mod field;
mod file;
mod kernel;
mod keys;
mod map;
mod measure;
mod nearest;
mod retries;
mod seed;
mod share;
mod syntax;
mod task;
mod warn;
mod work;

use crate::workload::diagnostic::{Diagnostic, Diagnostics, Lines};
use crate::workload::model::Workload;
use crate::workload::scan;
use crate::workload::stream::short_hash;
use crate::workload::yaml;

use context::Context;
use field::Field;

/// Largest file that is read: 1 MiB.
pub const LARGEST_FILE: u64 = 1 << 20;

/// A workload and what is worth knowing about its file.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The workload.
    pub workload: Workload,
    /// Things that are allowed but may not be meant, in the order of the file.
    pub warnings: Vec<Diagnostic>,
}

/// Reads a workload file's text. `source` is its path or name, for messages; its stem is the workload's name if the
/// file gives none.
///
/// # Errors
/// Every problem that was found, in the order of the file.
pub fn load(text: &str, source: &str) -> Result<Loaded, Diagnostics> {
    if text.len() as u64 > LARGEST_FILE {
        return Err(too_large(source).into());
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = Lines::new(source, text);
    let scan = scan::scan(text).map_err(|problem| syntax::refused_by_scan(&lines, problem))?;
    let Some(root) = scan.root() else { return Err(syntax::empty(&lines).into()) };
    let tree = yaml::parse(text).map_err(|error| syntax::refused_by_deserialiser(&lines, &error))?;
    let context = Context::new(&scan, &lines);
    let field = Field { context: &context, tree: &tree, node: Some(root), key: None, path: String::new() };
    let workload = file::read(&field, source, short_hash(text.as_bytes()));
    match workload {
        Some(workload) if !context.refused() => {
            Ok(Loaded { workload, warnings: context.into_problems().into_iter().collect() })
        }
        _ => Err(context.into_problems()),
    }
}

/// The refusal of a file beyond [`LARGEST_FILE`].
pub(crate) fn too_large(source: &str) -> Diagnostic {
    Diagnostic::of_file(source, "the file is larger than 1 MiB").allowed("at most 1 MiB")
}

#[cfg(test)]
mod tests;
