//! Where a result goes. That it can go there is found out before anything runs, without touching what is there; at the
//! end it is written whole, and if that fails in spite of all it goes to standard output and what was there stays.

mod databases;
mod streamed;

pub(super) use streamed::Streamed;

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Uid, fchown};

use crate::commands::{ExitReason, in_place, write};
use crate::os::process_owner::ProcessOwner;
use crate::os::{signals, standard_output};

/// Links that are followed, as many as the kernel does (`path_resolution(7)`).
const MOST_LINKS: usize = 40;

/// Where a result goes.
#[derive(Debug)]
pub(super) enum Target {
    /// To standard output.
    Standard,
    /// To a pipe, a device or another descriptor: written to as it is.
    Stream { file: File, name: String },
    /// To a file: written beside it and moved over it.
    File(Replacement),
    /// To a file that cannot be replaced.
    InPlace { path: PathBuf, name: String },
}

/// A file that will be there whole or not at all.
#[derive(Debug)]
pub(super) struct Replacement {
    /// With every link resolved.
    path: PathBuf,
    /// How messages call it.
    name: String,
    /// Mode and owner of what is there already.
    kept: Option<(u32, Uid, Gid)>,
    /// Holds the room until it is needed. Has no name, so that nothing is left of it whatever ends this process.
    room: Option<File>,
}

impl Target {
    /// Finds out whether a result can be written; `inputs` are the files that must not be overwritten with it. What
    /// speaks against it is told.
    pub(crate) fn open(path: Option<&Path>, inputs: &[&str]) -> Result<Self, ExitReason> {
        let target = match path {
            None => Self::Standard,
            Some(path) => Self::of(path, inputs).map_err(|reason| {
                write::say(&format!("error: the result cannot be written to {}: {reason}", path.display()));
                ExitReason::BadInput
            })?,
        };
        if target.is_standard() && standard_output::was_closed() {
            write::say("error: standard output is closed; --output PATH writes the result to a file");
            return Err(ExitReason::BadInput);
        }
        Ok(target)
    }

    /// The same for what is read from a database that is open.
    pub(crate) fn beside_history(path: Option<&Path>, database: &Path) -> Result<Self, ExitReason> {
        if let Some(path) = path.filter(|path| databases::is_of(path, database)) {
            write::say(&format!(
                "error: the result cannot be written to {}: it is the history that is read",
                path.display()
            ));
            return Err(ExitReason::BadInput);
        }
        Self::open(path, &[])
    }

    fn of(path: &Path, inputs: &[&str]) -> Result<Self, String> {
        if path == Path::new("-") {
            return Ok(Self::Standard);
        }
        let name = path.display().to_string();
        let place = match resolve(path)? {
            Destination::StandardOutput => return Ok(Self::Standard),
            Destination::Descriptor(path) => {
                if let Some(reason) = databases::forbids(&path) {
                    return Err(reason.to_owned());
                }
                // What is behind it may be a file that others write to as well.
                let append = OpenOptions::new().append(true).custom_flags(libc::O_NOCTTY).open(path);
                let file = append.map_err(plain)?;
                if file.metadata().is_ok_and(|file| inputs.iter().any(|input| is_same(input, &file))) {
                    return Err("it is the workload itself".to_owned());
                }
                return Ok(Self::Stream { file, name });
            }
            Destination::Path(place) => place,
        };
        if let Some(reason) = databases::forbids(&place) {
            return Err(reason.to_owned());
        }
        let there = match fs::metadata(&place) {
            Ok(metadata) if metadata.is_dir() => return Err("it is a folder".to_owned()),
            Ok(metadata) if metadata.is_file() => Some(metadata),
            Ok(metadata) => {
                if metadata.file_type().is_socket() {
                    return Err("it is a socket".to_owned());
                }
                let file = OpenOptions::new().write(true).custom_flags(libc::O_NOCTTY).open(&place).map_err(plain)?;
                return Ok(Self::Stream { file, name });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(plain(error)),
        };
        if let Some(metadata) = &there {
            if inputs.iter().any(|input| is_same(input, metadata)) {
                return Err("it is the workload itself".to_owned());
            }
            // Opening changes nothing, and nothing else tells as much.
            OpenOptions::new().write(true).open(&place).map_err(plain)?;
        }
        let folder = place.parent().ok_or("it is a folder")?;
        let room = match reserve(folder) {
            // The folder is of another file system, as where the file is a mount point.
            Ok(room) if there.as_ref().is_some_and(|there| !is_beside(&room, there)) => None,
            Ok(room) => Some(room),
            Err(error) if there.is_some() && is_closed(&error) => None,
            Err(error) => return Err(format!("{} in {}", plain(error), folder.display())),
        };
        let Some(room) = room else {
            in_place::has_room(&place).map_err(plain)?;
            return Ok(Self::InPlace { path: place, name });
        };
        let kept = there.map(|file| (file.mode() & 0o7777, Uid::from_raw(file.uid()), Gid::from_raw(file.gid())));
        Ok(Self::File(Replacement { path: place, name, kept, room: Some(room) }))
    }

    /// Whether it goes to standard output.
    pub(crate) fn is_standard(&self) -> bool {
        matches!(self, Self::Standard)
    }

    /// Writes the result. What goes wrong is told; the result is on standard output then.
    pub(crate) fn deliver(self, text: &str) -> ExitReason {
        let (name, written) = match self {
            Self::Standard => return to_standard_output(text),
            Self::Stream { mut file, name } => {
                // The other side may never read.
                release_ending();
                (name, write::tolerate_closed(file.write_all(text.as_bytes())))
            }
            Self::File(replacement) => (replacement.name.clone(), signals::without_ending(|| replacement.put(text))),
            Self::InPlace { path, name } => (name, signals::without_ending(|| in_place::write(&path, text))),
        };
        let Err(error) = written else { return ExitReason::Done };
        write::say(&format!("error: writing {name}: {}; the result goes to standard output", plain(error)));
        let _told = to_standard_output(text);
        ExitReason::Aborted
    }
}

/// Nothing is left to do but to write.
pub(super) fn release_ending() {
    if let Some(process) = ProcessOwner::current() {
        signals::release_ending(process);
    }
}

fn to_standard_output(text: &str) -> ExitReason {
    release_ending();
    match write::stdout(text) {
        Ok(()) => ExitReason::Done,
        Err(error) => {
            write::say(&format!("error: {error:#}"));
            ExitReason::Aborted
        }
    }
}

/// What a path leads to.
pub(super) enum Destination {
    /// A path whose last part is no link; there may be nothing yet.
    Path(PathBuf),
    /// An open descriptor, of this process or another, as the path that opens what is behind it.
    Descriptor(PathBuf),
    /// This process's standard output.
    StandardOutput,
}

/// Follows links, also one that leads to where nothing is yet.
pub(super) fn resolve(path: &Path) -> Result<Destination, String> {
    if path.as_os_str().as_bytes().ends_with(b"/") {
        return Err(if path.is_dir() { "it is a folder" } else { "there is no such folder" }.to_owned());
    }
    let mut path = std::path::absolute(path).map_err(plain)?;
    for _ in 0..MOST_LINKS {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err("it is a folder".to_owned());
        };
        let folder = fs::canonicalize(parent).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => format!("there is no folder {}", parent.display()),
            _ => format!("{}: {}", parent.display(), plain(error)),
        })?;
        let place = folder.join(name);
        if has_own_descriptors(&folder) && name == "1" {
            return Ok(Destination::StandardOutput);
        }
        // Its links lead to what is open, wherever that is and even if it has no name.
        if folder == Path::new("/dev/fd") || folder.starts_with("/proc") && folder.ends_with("fd") {
            return Ok(Destination::Descriptor(place));
        }
        match fs::read_link(&place) {
            Ok(link) => path = folder.join(link),
            // No link, or nothing at all. What else is wrong shows when it is opened.
            Err(_) => return Ok(Destination::Path(place)),
        }
    }
    Err("too many links lead on from there".to_owned())
}

/// Whether a folder, without links, holds the descriptors of this process: `/dev/fd`, `/proc/self/fd` and
/// `/proc/thread-self/fd` lead there.
fn has_own_descriptors(folder: &Path) -> bool {
    // Not by our number: it is another one where /proc belongs to another namespace.
    let own = fs::canonicalize("/proc/self").ok();
    let in_own =
        |own: PathBuf| folder == own.join("fd") || folder.starts_with(own.join("task")) && folder.ends_with("fd");
    folder == Path::new("/dev/fd") || own.is_some_and(in_own)
}

/// Whether a file could be moved over another.
fn is_beside(file: &File, there: &fs::Metadata) -> bool {
    file.metadata().is_ok_and(|file| file.dev() == there.dev())
}

/// Whether nothing can be made in a folder, for whatever reason but a lack of room.
fn is_closed(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EACCES | libc::EPERM | libc::EROFS))
}

/// Whether an input is the very file, by whatever name.
fn is_same(input: &str, there: &fs::Metadata) -> bool {
    let input = if input == "-" { "/dev/stdin" } else { input };
    fs::metadata(input).is_ok_and(|file| (file.dev(), file.ino()) == (there.dev(), there.ino()))
}

/// Takes some room in a folder, in a file without a name.
fn reserve(folder: &Path) -> io::Result<File> {
    let mut file = match unnamed(folder) {
        Some(file) => file?,
        None => signals::without_ending(|| {
            let (file, path) = named(folder, "", 0o600)?;
            fs::remove_file(path)?;
            Ok::<_, io::Error>(file)
        })?,
    };
    file.write_all(&[0; in_place::ROOM])?;
    Ok(file)
}

/// A file without a name (`O_TMPFILE`, `open(2)`); `None` where the file system has none.
#[cfg(target_os = "linux")]
fn unnamed(folder: &Path) -> Option<io::Result<File>> {
    use rustix::fs::{Mode, OFlags, open};
    use rustix::io::Errno;
    match open(folder, OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR) {
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => None,
        other => Some(other.map(File::from).map_err(io::Error::from)),
    }
}

#[cfg(not(target_os = "linux"))]
fn unnamed(_: &Path) -> Option<io::Result<File>> {
    None
}

/// Names that are tried.
const MOST_NAMES: u32 = 100;

/// A new file beside the target. One that is there may be another one's that has our number in another container.
fn named(folder: &Path, sort: &str, mode: u32) -> io::Result<(File, PathBuf)> {
    let number = std::process::id();
    for place in 0..MOST_NAMES {
        let path = folder.join(format!(".poolscope-{number}-{place}{sort}.tmp"));
        match OpenOptions::new().write(true).create_new(true).mode(mode).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|file| (file, path)),
        }
    }
    Err(io::Error::from(io::ErrorKind::AlreadyExists))
}

impl Replacement {
    /// A file has the owner and the mode of what it replaces.
    fn keep_owner(&self, file: &File) -> io::Result<()> {
        let Some((mode, user, group)) = self.kept else { return Ok(()) };
        // Only root may give a file away; a group of ours may be kept.
        if fchown(file, Some(user), Some(group)).is_err() {
            let _ = fchown(file, None, Some(group));
        }
        file.set_permissions(Permissions::from_mode(mode))
    }

    fn put(mut self, text: &str) -> io::Result<()> {
        self.room = None;
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        // What replaces a private file is private from the start.
        let (mut file, temporary) = named(folder, "", if self.kept.is_some() { 0o600 } else { 0o666 })?;
        let mut fill = || {
            self.keep_owner(&file)?;
            file.write_all(text.as_bytes())?;
            // Some file systems find out only then that there is no room.
            file.sync_all()
        };
        let moved = fill().and_then(|()| fs::rename(&temporary, &self.path).map_err(io::Error::other));
        let Err(error) = moved else { return Ok(()) };
        let _ = fs::remove_file(&temporary);
        if self.kept.is_some() && error.kind() == io::ErrorKind::Other {
            // It cannot be replaced (it is a mount point, or another user's in a shared folder), but it can be written
            // to.
            return in_place::write(&self.path, text);
        }
        Err(error)
    }
}

/// What the system says, without its number.
pub(super) fn plain(error: impl Into<io::Error>) -> String {
    let text = error.into().to_string();
    let words = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = words.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
