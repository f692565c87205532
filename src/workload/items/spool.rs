//! Files without a name: whatever becomes of this process, nothing is left behind.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use super::Store;

/// What has at most so many bytes is kept in memory.
const SMALL: u64 = 1 << 20;

/// What is read to its end, where it can be read again: in memory, or in a file without a name in the folder for temporary
/// files.
///
/// # Errors
/// When it cannot be read, or there is no room for it.
pub(crate) fn spooled(mut from: impl Read) -> io::Result<Store> {
    let mut small = Vec::new();
    (&mut from).take(SMALL + 1).read_to_end(&mut small)?;
    if small.len() as u64 <= SMALL {
        return Ok(Store::Memory(small));
    }
    Ok(Store::File(copied(small.as_slice().chain(from))?))
}

/// A file without a name that has all that can be read.
///
/// # Errors
/// When it cannot be read, or there is no room for it; which of them is said.
pub(crate) fn copied(mut from: impl Read) -> io::Result<File> {
    let file = temporary_file()?;
    let mut piece = vec![0; 64 * 1024];
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok(file),
            Ok(read) => keep(&file, &piece[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A file without a name in the folder for temporary files.
///
/// # Errors
/// When it cannot be created; they name the folder.
pub(crate) fn temporary_file() -> io::Result<File> {
    unlinked_file(&std::env::temp_dir()).map_err(|error| named("making", &error))
}

/// Writes on in a temporary file.
pub(super) fn keep(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes).map_err(|error| named("writing", &error))
}

/// What went wrong with a temporary file, with where it was to be.
fn named(what: &str, error: &io::Error) -> io::Error {
    let folder = std::env::temp_dir();
    io::Error::new(error.kind(), format!("{what} a temporary file in {} (TMPDIR): {error}", folder.display()))
}

/// A file without a name.
///
/// # Errors
/// When it cannot be created.
pub(crate) fn unlinked_file(folder: &Path) -> io::Result<File> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{Mode, OFlags, open};
        match open(folder, OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR) {
            Ok(fd) => return Ok(File::from(fd)),
            // Not every file system can do it.
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::ISDIR | rustix::io::Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
    }
    named_and_unlinked(folder)
}

/// The same where files have names: it has one for a moment.
fn named_and_unlinked(folder: &Path) -> io::Result<File> {
    static FILES: AtomicU32 = AtomicU32::new(0);
    let path = folder.join(format!(".poolscope-{}-{}", std::process::id(), FILES.fetch_add(1, Ordering::Relaxed)));
    let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_is_left_behind() {
        let folder = tempfile::tempdir().unwrap();
        for make in [unlinked_file, named_and_unlinked] {
            let mut file = make(folder.path()).unwrap();
            file.write_all(b"x").unwrap();
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
            assert_eq!(make(&folder.path().join("nowhere")).unwrap_err().kind(), io::ErrorKind::NotFound);
        }
    }
}
