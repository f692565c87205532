//! Loading: from the text of a workload file to a [`Workload`] in which everything has been checked.
//!
//! The only way to make a [`Workload`]. Two readings of the same text work together: the marked scan says where
//! things are and bounds what is read, the deserialiser says what they are. Readers then walk both, note every problem
//! and go on. Nothing here touches the file system (files that it names are read by whoever
//! loads it, [`NamedFiles`]), and no input may make it panic.

mod arrivals;
mod command;
mod context;
mod dist;
mod engine;
mod env_lines;
mod expect;
mod fault;
mod field;
mod file;
mod files;
mod items;
mod kernel;
mod keys;
mod life;
mod limits;
mod map;
pub(crate) mod measure;
mod misread;
mod nearest;
mod placeholders;
mod placement;
mod program_options;
mod program_texts;
mod python;
mod reference;
mod retries;
pub(crate) mod schema;
mod seed;
mod share;
mod shell;
mod slips;
mod stages;
mod submission;
mod sweep;
mod syntax;
mod task;
mod together;
mod trace;
mod warn;
mod work;
mod worker_life;

use crate::workload::changes::Changes;
use crate::workload::diagnostic::{Diagnostic, Diagnostics, Lines};
use crate::workload::hash::short_hash;
use crate::workload::model::Workload;
use crate::workload::redact;
use crate::workload::scan;
use crate::workload::yaml;

use context::Context;
use field::Field;
pub(crate) use files::NoFiles;

pub use files::NamedFiles;
pub(crate) use sweep::full_path;

pub(crate) use nearest::nearest as nearest_word;
pub(crate) use warn::one_worker;

/// Largest file that is read: 1 MiB.
pub(crate) const LARGEST_FILE: u64 = 1 << 20;

/// A workload and what is worth knowing about its file.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// Checked: an engine can run it.
    pub workload: Workload,
    /// Things that are allowed but may not be meant, in the order of the file.
    pub warnings: Vec<Diagnostic>,
}

/// Reads a workload file's text, which cannot name other files here. `source` is its path or name, for messages; its stem is the workload's name if the
/// file gives none.
///
/// # Errors
/// Every problem that was found, in the order of the file.
pub fn load(text: &str, source: &str) -> Result<Loaded, Diagnostics> {
    load_with(text, source, &[], &NoFiles)
}

/// Reads a workload file's text, with the files that it names; see [`load`].
///
/// ```
/// /// Recorded times that are nowhere but here.
/// struct Recorded;
///
/// impl poolscope::NamedFiles for Recorded {
///     fn read(&self, name: &str, _most: u64) -> Result<String, String> {
///         if name == "times.txt" { Ok("3ms\n5ms\n".to_owned()) } else { Err("no such file".to_owned()) }
///     }
/// }
///
/// let text = "
///     version: 1
///     tasks: [{ name: nap, kind: sleep, count: 2, service_time: { dist: trace, file: times.txt } }]
/// ";
/// let workload = poolscope::load_with_files(text, "naps", &Recorded)?.workload;
/// assert_eq!(workload.name, "naps");
/// assert!(poolscope::load(text, "naps").is_err(), "there, the text is all there is");
/// # Ok::<(), poolscope::Diagnostics>(())
/// ```
///
/// # Errors
/// Every problem that was found, in the order of the file.
pub fn load_with_files(text: &str, source: &str, files: &dyn NamedFiles) -> Result<Loaded, Diagnostics> {
    load_with(text, source, &[], files)
}

/// Reads a workload file's text with changes to it, each `KEY=VALUE`; see [`load_with_files`].
///
/// # Errors
/// Every problem that was found: the file's in the order of the file, those of a change at the change.
pub(crate) fn load_with(
    text: &str,
    source: &str,
    set: &[String],
    files: &dyn NamedFiles,
) -> Result<Loaded, Diagnostics> {
    if text.len() as u64 > LARGEST_FILE {
        return Err(too_large(source).into());
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = Lines::new(source, text);
    // Until it is known what is where in it.
    lines.hide_places(env_lines::places(text));
    let scan = scan::scan(text).map_err(|problem| syntax::refused_by_scan(&lines, problem))?;
    let Some(root) = scan.root() else { return Err(syntax::empty(&lines).into()) };
    let mut tree = yaml::parse(text).map_err(|error| syntax::refused_by_deserialiser(&lines, &error))?;
    let told = redact::text(text, &tree).into();
    lines.hide(redact::secrets(&tree));
    lines.hide_places(redact::places(&scan, &tree));
    let changes = Changes::apply(&mut tree, set)?;
    let changed_lines = changes.lines();
    let context = Context::new(&scan, &lines, &changes, &changed_lines, files);
    let field = Field { context: &context, tree: &tree, node: Some(root), key: None, path: String::new() };
    // What is there is not what its writer meant: everything that follows from it would be misleading.
    if misread::report(&field) {
        return Err(context.into_problems());
    }
    let workload =
        file::read(&field, source, file::Identity { hash: hash(text, set), text_hash: hash(text, &[]), text: told });
    match workload {
        Some(workload) if !context.refused() => {
            Ok(Loaded { workload, warnings: context.into_problems().into_iter().collect() })
        }
        _ => Err(context.into_problems()),
    }
}

/// Identifies the text and what was changed in it.
fn hash(text: &str, set: &[String]) -> String {
    if set.is_empty() {
        short_hash(text.as_bytes())
    } else {
        short_hash(format!("{text}\0{}", set.join("\0")).as_bytes())
    }
}

/// The refusal of a file beyond [`LARGEST_FILE`].
pub(crate) fn too_large(source: &str) -> Diagnostic {
    Diagnostic::of_file(source, "the file is larger than 1 MiB").allowed("at most 1 MiB")
}

#[cfg(test)]
mod tests;
