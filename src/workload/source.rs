//! Where a workload's text comes from: a file, standard input, a pipe, or one of the bundled workloads.
//!
//! Reading is all that happens here. A pipe is read only where the user named it ([`open`]); a look at a file that may
//! be anything ([`read`]) never waits. Devices are refused without being opened: that might do anything.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::workload::bundled;
use crate::workload::diagnostic::{Diagnostic, Diagnostics};
use crate::workload::items::{Live, LiveFormat};
use crate::workload::load::{self, LARGEST_FILE, Loaded, NamedFiles};
use crate::workload::model::{Work, Workload};
use crate::workload::text::neutral;

mod input;

/// How messages call standard input.
const STANDARD_INPUT: &str = "stdin";
/// What stands for the items that are not read.
const IMAGINED: &str = "-\n";
/// And a workload that was typed.
const TYPED: &str = "command line";
/// Anybody may write to the file.
const WORLD_WRITABLE: u32 = 0o002;

/// The text of a workload and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// The text, at most 1 MiB.
    pub(crate) text: String,
    /// How messages call it: the path as it was given, or the bundled file's name.
    pub(crate) name: String,
    /// The file; `None` for a bundled workload and for standard input.
    pub(crate) path: Option<PathBuf>,
    /// The file's folder, absolute and without symbolic links: where its commands run. `None` where there is no file.
    pub(crate) folder: Option<PathBuf>,
    /// Whether every user of the machine may change the file.
    pub(crate) world_writable: bool,
    /// Whether its items may be those of standard input.
    input: Input,
    /// Whether it is one of those inside the program.
    is_bundled: bool,
}

/// Why a file that is not run has no items: no error of the file.
pub(crate) const WAITS_FOR_INPUT: &str =
    "items come from standard input only where a file is run: ... | poolscope run FILE";

/// What standard input is to a workload that has its items there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// Nothing: it is not to be run at once, or is on standard input itself.
    Refused,
    /// It is for whoever runs the workload, which is only looked at: one item stands for those that will come.
    Imagined,
    /// Lines stay there for whoever runs the workload, which is only looked at, and one item stands for them; the rest is read.
    Left,
    /// It is read to its end.
    Whole,
    /// Items on it may be taken while they are still coming ([`Workload::live`]).
    Streamed,
}

/// Why a workload could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// There is neither such a file nor such a bundled workload.
    #[error("no such file, and no bundled workload of this name")]
    NotFound {
        /// The name or path that was asked for.
        name: String,
        /// A file that is there, or a bundled workload, with a similar name.
        suggestion: Option<String>,
    },
    /// It is there, but it is not a regular file.
    #[error("{kind}, not a regular file")]
    NotRegular {
        /// The name or path that was asked for.
        name: String,
        /// What it is.
        kind: &'static str,
    },
    /// It is too large.
    #[error("the file is larger than {} MiB", most >> 20)]
    TooLarge {
        /// The name or path that was asked for.
        name: String,
        /// Most bytes that it may have.
        most: u64,
    },
    /// It is not text.
    #[error("not UTF-8 text (line {line}, byte {byte} of it)")]
    NotText {
        /// The name or path that was asked for.
        name: String,
        /// Line of the first byte that is not UTF-8, from 1.
        line: usize,
        /// Place of that byte in its line, from 1.
        byte: usize,
    },
    /// The system would not let it be read.
    #[error("cannot be read: {error}")]
    Io {
        /// The name or path that was asked for.
        name: String,
        /// What the system said.
        error: io::Error,
    },
}

impl SourceError {
    /// The same as a diagnostic, so that all bad input is reported in one form.
    #[must_use]
    pub(crate) fn diagnostic(&self) -> Diagnostic {
        let (Self::NotFound { name, .. }
        | Self::NotRegular { name, .. }
        | Self::TooLarge { name, .. }
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

/// Whether a name means standard input.
#[must_use]
pub(crate) fn is_standard_input(name: &str) -> bool {
    matches!(name, "-" | "/dev/stdin" | "/dev/fd/0" | "/proc/self/fd/0")
}

/// Whether a name means a named pipe of a file system, whose writer has to be waited for.
#[must_use]
pub(crate) fn is_named_pipe(name: &str) -> bool {
    let shells = name.starts_with("/dev/") || name.starts_with("/proc/");
    !shells && fs::metadata(name).is_ok_and(|metadata| metadata.file_type().is_fifo())
}

/// Finds and reads a workload: an existing file wins, otherwise a bundled name, with or without `.yaml`, `-` and `_`
/// being equal. `-` is standard input, which is read to its end, as is a named pipe.
///
/// # Errors
/// See [`SourceError`].
pub(crate) fn open(name_or_path: &str) -> Result<Source, SourceError> {
    if is_standard_input(name_or_path) {
        let text = text(io::stdin().lock(), STANDARD_INPUT)?;
        return Ok(Source { name: STANDARD_INPUT.to_owned(), ..Source::without_file(text) });
    }
    let path = Path::new(name_or_path);
    let name = || name_or_path.to_owned();
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => read(path),
        Ok(metadata) if metadata.file_type().is_fifo() => pipe(path, &metadata),
        // A folder that happens to be called like a bundled workload does not hide it.
        Ok(metadata) => {
            bundled(name_or_path).ok_or_else(|| SourceError::NotRegular { name: name(), kind: kind(&metadata) })
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            bundled(name_or_path)
                .ok_or_else(|| SourceError::NotFound { name: name(), suggestion: nearest(path, name_or_path) })
        }
        Err(error) => bundled(name_or_path).ok_or_else(|| SourceError::Io { name: name(), error }),
    }
}

/// What may be meant by the name of a file that is not there: the same with the ending that was left out or is another
/// one, or else a bundled workload.
fn nearest(path: &Path, name: &str) -> Option<String> {
    let with = |ending: &str| [format!("{name}.{ending}"), path.with_extension(ending).display().to_string()];
    let files = ["yaml", "yml"].iter().flat_map(|ending| with(ending));
    let file = files.into_iter().find(|file| !name.ends_with('/') && Path::new(file).is_file());
    file.or_else(|| bundled::nearest(name).map(str::to_owned))
}

/// Reads a named pipe, or one that a shell made (`<(...)`), to its end. Waits for its writer, as `cat` does.
fn pipe(path: &Path, metadata: &fs::Metadata) -> Result<Source, SourceError> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| SourceError::Io { name: name.clone(), error })?;
    let text = text(file, &name)?;
    let world_writable = metadata.mode() & WORLD_WRITABLE != 0;
    Ok(Source { name, world_writable, ..Source::without_file(text) })
}

/// What the system said of a file that should be there.
fn failed(name: &str, error: io::Error) -> SourceError {
    let name = name.to_owned();
    match error.kind() {
        io::ErrorKind::NotFound => SourceError::NotFound { name, suggestion: None },
        _ => SourceError::Io { name, error },
    }
}

/// Opens a regular file, and nothing else.
fn open_regular(path: &Path) -> Result<(File, fs::Metadata), SourceError> {
    let name = path.display().to_string();
    let failed = |error| failed(&name, error);
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
    Ok((file, metadata))
}

/// Reads a file and nothing else.
///
/// # Errors
/// See [`SourceError`].
pub(crate) fn read(path: &Path) -> Result<Source, SourceError> {
    let name = path.display().to_string();
    let (file, metadata) = open_regular(path)?;
    let text = text(file, &name)?;
    let world_writable = metadata.mode() & WORLD_WRITABLE != 0;
    let folder = fs::canonicalize(path).map_err(|error| failed(&name, error))?.parent().map(Path::to_owned);
    Ok(Source {
        text,
        name,
        path: Some(path.to_owned()),
        folder,
        world_writable,
        input: Input::Refused,
        is_bundled: false,
    })
}

/// The text that is read to its end, at most 1 MiB of it.
fn text(from: impl Read, name: &str) -> Result<String, SourceError> {
    text_up_to(from, name, LARGEST_FILE)
}

/// The text that is read to its end, at most so many bytes of it.
fn text_up_to(from: impl Read, name: &str, most: u64) -> Result<String, SourceError> {
    let name = || name.to_owned();
    let mut bytes = Vec::new();
    from.take(most.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| SourceError::Io { name: name(), error })?;
    if bytes.len() as u64 > most {
        return Err(SourceError::TooLarge { name: name(), most });
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let byte = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        SourceError::NotText { name: name(), line, byte }
    })
}

/// Finds, reads and checks a workload in one step. `allow_exec` is the user's word that commands of a file that
/// everybody may change may be run; `set` are changes to the file, each `KEY=VALUE`. Standard input is its `input`, unless
/// the workload is on it.
///
/// # Errors
/// All problems, as diagnostics.
pub(crate) fn load(
    name_or_path: &str,
    allow_exec: bool,
    set: &[String],
    input: Input,
) -> Result<(Source, Loaded), Diagnostics> {
    let mut source = open(name_or_path).map_err(|error| error.diagnostic())?;
    // It can be read once.
    source.input = if is_standard_input(name_or_path) { Input::Refused } else { input };
    let loaded = source.load(set)?;
    match source.exec_refusal(&loaded.workload, allow_exec) {
        Some(refusal) => Err(refusal.into()),
        None => Ok((source, loaded)),
    }
}

/// The same of one that is only looked at: lines on standard input are left there.
///
/// # Errors
/// All problems, as diagnostics.
pub(crate) fn looked_at(name_or_path: &str, allow_exec: bool) -> Result<(Source, Loaded), Diagnostics> {
    let mut source = open(name_or_path).map_err(|error| error.diagnostic())?;
    source.input = if is_standard_input(name_or_path) { Input::Refused } else { Input::Left };
    let loaded = source.load(&[])?;
    match source.exec_refusal(&loaded.workload, allow_exec) {
        Some(refusal) => Err(refusal.into()),
        None => Ok((source, loaded)),
    }
}

/// Whether items of standard input were read to their end.
pub(crate) fn input_was_read() -> bool {
    input::was_read()
}

/// Checks a workload that has no file: what it names is looked for in the current folder, and standard input is its own.
///
/// # Errors
/// All problems, as diagnostics.
pub(crate) fn typed(text: String, set: &[String], input: Input) -> Result<(Source, Loaded), Diagnostics> {
    let source = Source { name: TYPED.to_owned(), input, ..Source::without_file(text) };
    let loaded = source.load(set)?;
    Ok((source, loaded))
}

/// Reads and checks a workload file, with the files that it names: those of traces are looked for in its folder, and its
/// commands will run there. Nothing is run. A file that everybody may write to is refused if it runs commands.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path();
/// std::fs::write(folder.join("times.txt"), "3ms\n5ms\n")?;
/// let text = "
///     version: 1
///     tasks: [{ name: nap, kind: sleep, count: 2, service_time: { dist: trace, file: times.txt } }]
/// ";
/// std::fs::write(folder.join("naps.yaml"), text)?;
/// let loaded = poolscope::load_file(folder.join("naps.yaml"))?;
/// assert_eq!(loaded.workload.name, "naps");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// All problems: that the file is not there or cannot be read is one.
pub fn load_file(path: impl AsRef<Path>) -> Result<Loaded, Diagnostics> {
    let source = read(path.as_ref()).map_err(|error| error.diagnostic())?;
    let loaded = source.load(&[])?;
    source.exec_refusal(&loaded.workload, false).map_or(Ok(loaded), |refusal| Err(refusal.into()))
}

/// Files that a workload names, from its folder or, where it has none, from the current one.
#[derive(Clone, Copy, Debug)]
struct Beside<'a> {
    folder: Option<&'a Path>,
    input: Input,
    /// Whether the workload is a bundled one, whose files may be inside the program too.
    is_bundled: bool,
}

/// Why a file that is named cannot be read, in a few words that go with its name.
fn in_short(error: SourceError) -> String {
    match error {
        SourceError::NotFound { .. } => "no such file".to_owned(),
        error => error.to_string(),
    }
}

impl NamedFiles for Beside<'_> {
    fn read(&self, name: &str, most: u64) -> Result<String, String> {
        let path = self.folder.map_or_else(|| PathBuf::from(name), |folder| folder.join(name));
        let text = open_regular(&path).and_then(|(file, _)| text_up_to(file, name, most));
        text.map_err(in_short)
    }

    fn open(&self, name: &str) -> Result<File, String> {
        if is_standard_input(name) {
            return match self.input {
                Input::Refused => Err(WAITS_FOR_INPUT.to_owned()),
                Input::Imagined => input::file_of(IMAGINED).map_err(|error| error.to_string()),
                Input::Whole | Input::Streamed | Input::Left => input::spool(),
            };
        }
        if let Some(text) = self.is_bundled.then(|| bundled::data(name)).flatten() {
            return input::file_of(text).map_err(|error| error.to_string());
        }
        open_regular(&self.folder.map_or_else(|| PathBuf::from(name), |folder| folder.join(name)))
            .map(|(file, _)| file)
            .map_err(in_short)
    }

    fn live(&self, name: &str, format: LiveFormat) -> Result<Option<Arc<Live>>, String> {
        if is_standard_input(name) && self.input == Input::Streamed { input::live(format) } else { Ok(None) }
    }

    fn leaves(&self, name: &str) -> bool {
        self.input == Input::Left && is_standard_input(name)
    }

    fn folder(&self) -> Result<PathBuf, String> {
        let current = || std::env::current_dir().map_err(|error| format!("the current folder: {error}"));
        self.folder.map_or_else(current, |folder| Ok(folder.to_owned()))
    }
}

impl Source {
    fn without_file(text: String) -> Self {
        Self {
            text,
            name: String::new(),
            path: None,
            folder: None,
            world_writable: false,
            input: Input::Refused,
            is_bundled: false,
        }
    }

    /// Checks the text, with changes to it, each `KEY=VALUE`. The workload knows where its commands run.
    ///
    /// # Errors
    /// All problems.
    pub(crate) fn load(&self, set: &[String]) -> Result<Loaded, Diagnostics> {
        let Self { input, is_bundled, .. } = *self;
        let beside = Beside { folder: self.folder.as_deref(), input, is_bundled };
        let mut loaded = load::load_with(&self.text, &self.name, set, &beside)?;
        loaded.workload.folder.clone_from(&self.folder);
        Ok(loaded)
    }

    /// Why the workload must not be run as it is: a workload file is code, and anybody could have written this one.
    #[must_use]
    pub(crate) fn exec_refusal(&self, workload: &Workload, allow_exec: bool) -> Option<Diagnostic> {
        if allow_exec || !self.world_writable {
            return None;
        }
        let runs = |work: &Work| match work {
            Work::Command(_) | Work::Program(_) | Work::Served(_) => Some("commands"),
            Work::Python(_) => Some("functions in Python"),
            _ => None,
        };
        let (class, runs) = workload.classes.iter().find_map(|class| Some((class, runs(&class.work)?)))?;
        let message = format!("runs {runs} (task `{}`), and everybody may write to this file", neutral(&class.name));
        let help = format!("`chmod o-w {}`, or --allow-exec if you trust it", neutral(&self.name));
        Some(Diagnostic::of_file(&self.name, &message).help(help))
    }
}

fn bundled(name: &str) -> Option<Source> {
    let workload = bundled::get(name)?;
    let name = format!("{}.yaml", workload.name);
    Some(Source { name, is_bundled: true, ..Source::without_file(workload.text.to_owned()) })
}

/// Checks a bundled workload.
///
/// # Errors
/// What is wrong with it here: files of the machine that it names may not be there.
pub(crate) fn load_bundled(workload: &bundled::Bundled) -> Result<Loaded, Diagnostics> {
    let source = Source { is_bundled: true, ..Source::without_file(workload.text.to_owned()) };
    Source { name: workload.name.to_owned(), ..source }.load(&[])
}

fn kind(metadata: &fs::Metadata) -> &'static str {
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
