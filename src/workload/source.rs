//! Where a workload's text comes from: a file, or one of the bundled workloads.
//!
//! Reading is all that happens here. What is not a regular file is refused without being opened for longer than it
//! takes to see that (a FIFO would wait for a writer, a device might do anything).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::workload::bundled;
use crate::workload::diagnostic::{Diagnostic, Diagnostics};
use crate::workload::load::{self, LARGEST_FILE, Loaded};
use crate::workload::model::{Work, Workload};
use crate::workload::text::neutral;

/// Anybody may write to the file.
const WORLD_WRITABLE: u32 = 0o002;

/// The text of a workload and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The text, at most 1 MiB.
    pub text: String,
    /// How messages call it: the path as it was given, or the bundled file's name.
    pub name: String,
    /// The file; `None` for a bundled workload.
    pub path: Option<PathBuf>,
    /// Whether every user of the machine may change the file.
    pub world_writable: bool,
}

/// Why a workload could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// There is neither such a file nor such a bundled workload.
    #[error("no such file, and no bundled workload of this name")]
    NotFound {
        /// What was asked for.
        name: String,
        /// A bundled workload with a similar name.
        suggestion: Option<&'static str>,
    },
    /// It is there, but it is not a regular file.
    #[error("{kind}, not a regular file")]
    NotRegular {
        /// What was asked for.
        name: String,
        /// What it is.
        kind: &'static str,
    },
    /// It is larger than 1 MiB.
    #[error("the file is larger than 1 MiB")]
    TooLarge {
        /// What was asked for.
        name: String,
    },
    /// It is not text.
    #[error("not UTF-8 text (line {line}, byte {byte} of it)")]
    NotText {
        /// What was asked for.
        name: String,
        /// Line of the first byte that is not UTF-8, from 1.
        line: usize,
        /// Place of that byte in its line, from 1.
        byte: usize,
    },
    /// The system would not let it be read.
    #[error("cannot be read: {error}")]
    Io {
        /// What was asked for.
        name: String,
        /// Why.
        error: io::Error,
    },
}

impl SourceError {
    /// The same as a diagnostic, so that all bad input is reported in one form.
    #[must_use]
    pub fn diagnostic(&self) -> Diagnostic {
        let (Self::NotFound { name, .. }
        | Self::NotRegular { name, .. }
        | Self::TooLarge { name }
        | Self::NotText { name, .. }
        | Self::Io { name, .. }) = self;
        let mut diagnostic = Diagnostic::of_file(name, &self.to_string());
        match self {
            Self::NotFound { suggestion: Some(suggestion), .. } => diagnostic = diagnostic.suggest(suggestion),
            Self::NotFound { .. } => {
                let names: Vec<&str> = bundled::all().iter().map(|workload| workload.name).collect();
                diagnostic = diagnostic.allowed(format!("bundled are {}", names.join(", ")));
            }
            Self::NotText { line, byte, .. } => (diagnostic.line, diagnostic.col) = (*line, *byte),
            Self::NotRegular { .. } | Self::TooLarge { .. } | Self::Io { .. } => {}
        }
        diagnostic
    }
}

/// Finds and reads a workload: an existing file wins, otherwise a bundled name, with or without `.yaml`, `-` and `_`
/// being equal.
///
/// # Errors
/// See [`SourceError`].
pub fn open(name_or_path: &str) -> Result<Source, SourceError> {
    let path = Path::new(name_or_path);
    let name = || name_or_path.to_owned();
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => read(path),
        // A folder that happens to be called like a bundled workload does not hide it.
        Ok(metadata) => {
            bundled(name_or_path).ok_or_else(|| SourceError::NotRegular { name: name(), kind: kind(&metadata) })
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            bundled(name_or_path)
                .ok_or_else(|| SourceError::NotFound { name: name(), suggestion: bundled::nearest(name_or_path) })
        }
        Err(error) => bundled(name_or_path).ok_or_else(|| SourceError::Io { name: name(), error }),
    }
}

/// Reads a file and nothing else.
///
/// # Errors
/// See [`SourceError`].
pub fn read(path: &Path) -> Result<Source, SourceError> {
    let name = path.display().to_string();
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => SourceError::NotFound { name: name.clone(), suggestion: None },
        _ => SourceError::Io { name: name.clone(), error },
    };
    // Asked before it is opened: opening some devices has effects. Asked again afterwards: it may have been replaced.
    let regular = |metadata: &fs::Metadata| {
        if metadata.is_file() {
            Ok(())
        } else {
            Err(SourceError::NotRegular { name: name.clone(), kind: kind(metadata) })
        }
    };
    regular(&fs::metadata(path).map_err(failed)?)?;
    let file: File =
        OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    regular(&metadata)?;
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(SourceError::TooLarge { name });
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let before = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            let byte = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
            return Err(SourceError::NotText { name, line, byte });
        }
    };
    let world_writable = metadata.mode() & WORLD_WRITABLE != 0;
    Ok(Source { text, name, path: Some(path.to_owned()), world_writable })
}

/// Finds, reads and checks a workload in one step. `allow_exec` is the user's word that commands of a file that
/// everybody may change may be run.
///
/// # Errors
/// All problems, as diagnostics.
pub fn load(name_or_path: &str, allow_exec: bool) -> Result<(Source, Loaded), Diagnostics> {
    let source = open(name_or_path).map_err(|error| error.diagnostic())?;
    let loaded = load::load(&source.text, &source.name)?;
    match source.exec_refusal(&loaded.workload, allow_exec) {
        Some(refusal) => Err(refusal.into()),
        None => Ok((source, loaded)),
    }
}

impl Source {
    /// Why the workload must not be run as it is: a workload file is code, and anybody could have written this one.
    #[must_use]
    pub fn exec_refusal(&self, workload: &Workload, allow_exec: bool) -> Option<Diagnostic> {
        if allow_exec || !self.world_writable {
            return None;
        }
        let class = workload.classes.iter().find(|class| matches!(class.work, Work::Command(_)))?;
        let message = format!("runs commands (task `{}`), and everybody may write to this file", neutral(&class.name));
        let help = format!("`chmod o-w {}`, or --allow-exec if you trust it", neutral(&self.name));
        Some(Diagnostic::of_file(&self.name, &message).help(help))
    }
}

fn bundled(name: &str) -> Option<Source> {
    let workload = bundled::get(name)?;
    let name = format!("{}.yaml", workload.name);
    Some(Source { text: workload.text.to_owned(), name, path: None, world_writable: false })
}

fn kind(metadata: &fs::Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    let kind = metadata.file_type();
    if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

#[cfg(test)]
mod tests;
