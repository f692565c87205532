//! What a program writes, kept in a file: whole, once the program has ended by itself, or not at all. Until then the file
//! has no name, so that nothing is left behind whatever becomes of this process.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::os::inherited;
use crate::os::pipe::Sink;
use crate::os::worded::worded;

/// Permissions of a file that a shell's redirection makes, before the umask.
const MODE: u32 = 0o666;

/// See the module docs.
#[derive(Debug)]
pub(crate) struct KeptOutput {
    file: File,
    /// Its name until it is whole, where a file cannot be without one.
    temporary: Option<PathBuf>,
    path: PathBuf,
    /// What went wrong first.
    error: Option<io::Error>,
}

/// The files of both streams of a program: the path with `.out` and `.err` behind it.
///
/// # Errors
/// When one cannot be made.
pub(crate) fn both(path: &Path) -> io::Result<(KeptOutput, KeptOutput)> {
    let with = |ending: &str| {
        let mut name = OsString::from(path);
        name.push(ending);
        KeptOutput::create(PathBuf::from(name))
    };
    Ok((with(".out")?, with(".err")?))
}

/// A name that nobody else uses, beside this path.
fn beside(path: &Path) -> PathBuf {
    static FILES: AtomicU32 = AtomicU32::new(0);
    let number = FILES.fetch_add(1, Ordering::Relaxed);
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or(OsStr::from_bytes(b"output")));
    name.push(format!(".{}-{number}", std::process::id()));
    path.with_file_name(name)
}

impl KeptOutput {
    fn create(path: PathBuf) -> io::Result<Self> {
        let explained = |error: io::Error| worded(&error, format!("{}: {error}", path.display()));
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(explained)?;
        if path.is_dir() {
            return Err(explained(io::ErrorKind::IsADirectory.into()));
        }
        let (file, temporary) = match unnamed(folder) {
            Some(file) => (file, None),
            None => {
                let name = beside(&path);
                let options = File::options().write(true).create_new(true).mode(MODE).open(&name);
                (options.map_err(explained)?, Some(name))
            }
        };
        Ok(Self { file, temporary, path, error: None })
    }

    /// Everything was written: gives it its name, in place of a file that has it.
    ///
    /// # Errors
    /// When it cannot be kept; then there is nothing of it.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        let done = match self.error.take() {
            Some(error) => Err(error),
            None => self.put(),
        };
        done.map_err(|error| worded(&error, format!("{}: {error}", self.path.display())))
    }

    fn put(&mut self) -> io::Result<()> {
        // Ours may be narrower than that of whoever called.
        if let Some(caller) = inherited::caller() {
            self.file.set_permissions(fs::Permissions::from_mode(MODE & !caller.umask))?;
        }
        if self.temporary.is_none() {
            let name = beside(&self.path);
            link(&self.file, &name)?;
            self.temporary = Some(name);
        }
        if let Some(name) = &self.temporary {
            fs::rename(name, &self.path)?;
            self.temporary = None;
        }
        Ok(())
    }
}

impl Sink for KeptOutput {
    fn push(&mut self, bytes: &[u8]) {
        if self.error.is_none() {
            self.error = self.file.write_all(bytes).err();
        }
    }
}

impl Drop for KeptOutput {
    fn drop(&mut self) {
        if let Some(name) = &self.temporary {
            // Nobody is there to be told.
            let _ = fs::remove_file(name);
        }
    }
}

/// A file without a name in this folder; `None` where there is no such thing.
fn unnamed(folder: &Path) -> Option<File> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{Mode, OFlags, open};
        let mode = Mode::from_raw_mode(MODE);
        open(folder, OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC, mode).ok().map(File::from)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = folder;
        None
    }
}

/// Gives a file without a name this one (open(2), O_TMPFILE).
fn link(file: &File, name: &Path) -> io::Result<()> {
    use std::os::fd::AsRawFd as _;
    let own = format!("/proc/self/fd/{}", file.as_raw_fd());
    let flags = rustix::fs::AtFlags::SYMLINK_FOLLOW;
    Ok(rustix::fs::linkat(rustix::fs::CWD, own.as_str(), rustix::fs::CWD, name, flags)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_when_it_is_whole_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/7");
        let (mut out, err) = both(&path).unwrap();
        out.push(b"some");
        assert_eq!(fs::read_dir(folder.path().join("deep/er")).unwrap().count(), 0, "nothing has a name yet");
        drop(err);
        out.finish().unwrap();
        assert_eq!(fs::read(folder.path().join("deep/er/7.out")).unwrap(), b"some");
        let (mut again, _) = both(&path).unwrap();
        again.push(b"other");
        again.finish().unwrap();
        assert_eq!(fs::read(folder.path().join("deep/er/7.out")).unwrap(), b"other");
        assert_eq!(fs::read_dir(folder.path().join("deep/er")).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("7.out")).unwrap();
        let error = both(&folder.path().join("7")).unwrap_err();
        assert!(error.to_string().contains("7.out: "), "{error}");
    }
}
