//! Where the commands of a workload run, and whether their programs are there. Looks; never runs anything.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::report::clean;
use crate::workload::model::Workload;

/// Where commands run, and which of their programs would not start.
#[derive(Debug, Serialize)]
pub(super) struct Programs {
    /// The folder; `None` for the current one, whichever that is.
    folder: Option<PathBuf>,
    /// One sentence for each program that would not start.
    warnings: Vec<String>,
}

/// `None` for a workload without commands.
pub(super) fn of(workload: &Workload) -> Option<Programs> {
    let names = workload.classes.iter().filter_map(|class| {
        let command = class.work.program()?;
        Some((class.name.as_str(), command.argv.first()?.as_str()))
    });
    let mut names = names.peekable();
    names.peek()?;
    let folder = workload.folder.as_deref().unwrap_or(Path::new("."));
    // What has a placeholder in it is a different program for each task.
    let fixed = names.filter(|(_, name)| !name.contains('{'));
    let warnings = fixed.filter_map(|(task, name)| {
        let reason = reason(folder, name)?;
        Some(format!("task `{}`: {}: {reason}", clean::line(task), clean::line(name)))
    });
    Some(Programs { folder: workload.folder.clone(), warnings: warnings.collect() })
}

/// Why a program would not start.
fn reason(folder: &Path, name: &str) -> Option<&'static str> {
    if name.contains('/') {
        return unfit(&folder.join(name));
    }
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).any(|place| unfit(&folder.join(place).join(name)).is_none());
    (!found).then_some("not found in PATH")
}

fn unfit(program: &Path) -> Option<&'static str> {
    match std::fs::metadata(program) {
        Err(_) => Some("not found"),
        Ok(metadata) if !metadata.is_file() => Some("not a file"),
        Ok(metadata) if metadata.permissions().mode() & 0o111 == 0 => Some("not executable"),
        Ok(_) => None,
    }
}

impl Programs {
    /// One sentence for each program that would not start.
    pub(super) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// One line for each thing that is worth knowing.
    pub(super) fn lines(&self) -> Vec<String> {
        let place = self.folder.as_ref().map_or_else(
            || "the current folder".to_owned(),
            |folder| clean::line(&folder.display().to_string()).into_owned(),
        );
        let warnings = self.warnings.iter().map(|warning| format!("WARNING   {warning}"));
        std::iter::once(format!("commands  run in {place}")).chain(warnings).collect()
    }
}
