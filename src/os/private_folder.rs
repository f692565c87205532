//! A folder for files that other processes need while something runs, which nobody else can read or write. It goes when it
//! is dropped.

use std::fs::DirBuilder;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{Mode, OFlags};

use crate::os::clock::monotonic;

/// The folder for temporary files where nothing else is said.
const USUAL: &str = "/tmp";
/// Tells the folders of one process apart.
static FOLDERS: AtomicU32 = AtomicU32::new(0);

/// See the module docs.
#[derive(Debug)]
pub(crate) struct PrivateFolder(PathBuf);

impl PrivateFolder {
    /// A new one in the folder for temporary files, and whoever looks after it: `keep` is called before it is there. Its path
    /// is absolute and has no colon in it, so that it can be one of a list of folders.
    ///
    /// # Errors
    /// When it cannot be made, or not be looked after.
    pub(crate) fn kept<K>(keep: impl FnOnce(&Path) -> io::Result<K>) -> io::Result<(Self, K)> {
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let name = format!("poolscope-{}-{number}-{:x}", std::process::id(), monotonic());
        let temporary = std::env::temp_dir();
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("making a folder in {} (TMPDIR): {error}", temporary.display()))
        };
        let path = place(&temporary).map_err(named)?.join(name);
        let kept = keep(&path)?;
        // One that is there already may be somebody else's.
        DirBuilder::new().mode(0o700).create(&path).map_err(named)?;
        Ok((Self(path), kept))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A file with this content.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn put(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600).open(self.0.join(name))?.write_all(content)
    }

    /// A named pipe, and its end to read from, which does not block and is never at an end.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn pipe(&self, name: &str) -> io::Result<(PathBuf, OwnedFd)> {
        let path = self.0.join(name);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        // Open for writing too: there is always somebody who could write.
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let end = rustix::fs::open(&path, flags, Mode::empty())?;
        // Whoever writes is not held up as long as there is room; less is enough where the system grants no more.
        let _ = rustix::pipe::fcntl_setpipe_size(&end, 1 << 20);
        Ok((path, end))
    }
}

/// Where they are, given the folder for temporary files: that one, or the usual one where its name will not do.
fn place(temporary: &Path) -> io::Result<PathBuf> {
    let place = temporary.canonicalize()?;
    if place.as_os_str().as_bytes().contains(&b':') { Path::new(USUAL).canonicalize() } else { Ok(place) }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        // What cannot be removed is left to whoever cleans the folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn it_has_an_absolute_path_without_a_colon() {
        let here = std::env::current_dir().unwrap().canonicalize().unwrap();
        assert_eq!(place(Path::new(".")).unwrap(), here);
        let folder = tempfile::tempdir().unwrap();
        let colon = folder.path().join("a:b");
        std::fs::create_dir(&colon).unwrap();
        assert_eq!(place(&colon).unwrap(), Path::new(USUAL).canonicalize().unwrap());
        assert!(place(&folder.path().join("none")).is_err());
    }

    #[test]
    fn what_is_written_into_its_pipe_is_read_and_nothing_is_left() {
        let (folder, seen) = PrivateFolder::kept(|path| Ok(path.exists())).unwrap();
        assert!(!seen, "whoever looks after it is there before it");
        let path = folder.path().to_owned();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        folder.put("a", b"b").unwrap();
        assert!(folder.put("a", b"c").is_err(), "once");
        let (name, end) = folder.pipe("told").unwrap();
        let mut buffer = [0; 8];
        assert_eq!(rustix::io::read(&end, &mut buffer), Err(rustix::io::Errno::AGAIN), "it does not block");
        std::fs::OpenOptions::new().write(true).open(name).unwrap().write_all(b"word").unwrap();
        assert_eq!(rustix::io::read(&end, &mut buffer), Ok(4));
        assert_eq!(rustix::io::read(&end, &mut buffer), Err(rustix::io::Errno::AGAIN), "nor does it end");
        drop(folder);
        assert!(!path.exists());
    }
}
