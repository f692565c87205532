//! Writes over a file that cannot be replaced: its folder is closed to us, it is a mount point, or it is another user's
//! in a shared folder. What was there stays if that fails; only an end in the middle of it (`kill -9`) can leave a
//! mixture.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::process::{Resource, getrlimit};

/// Room that must be left on the disk before anything is started.
pub(super) const ROOM: usize = 16 * 1024;

/// Whether there seems to be room for a result, without touching what is there.
///
/// # Errors
/// When there is none.
pub(super) fn has_room(path: &Path) -> io::Result<()> {
    let room = ROOM as u64;
    let system = statvfs(path)?;
    // Some have no number of blocks.
    if system.f_blocks > 0 && system.f_bavail.saturating_mul(system.f_frsize) < room {
        return Err(io::Error::from_raw_os_error(libc::ENOSPC));
    }
    if getrlimit(Resource::Fsize).current.is_some_and(|limit| limit < room) {
        return Err(io::Error::from_raw_os_error(libc::EFBIG));
    }
    Ok(())
}

/// Writes over a file.
///
/// # Errors
/// What went wrong; the file has its old content then.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    let length = file.metadata()?.len();
    let old = beginning(path, text.len());
    let written = make_room(&file, length, text.len() as u64)
        .and_then(|()| file.write_all_at(text.as_bytes(), 0))
        .and_then(|()| file.sync_all());
    if let Err(error) = written {
        // The old bytes have their room, or their file system could not be trusted before either.
        let restored = old.map_or(Ok(()), |old| file.write_all_at(&old, 0));
        return Err(file.set_len(length).and(restored).err().unwrap_or(error));
    }
    file.set_len(text.len() as u64)?;
    file.sync_all()
}

/// What will be written over, where it may be read.
fn beginning(path: &Path, most: usize) -> Option<Vec<u8>> {
    let mut old = Vec::new();
    File::open(path).and_then(|file| file.take(most as u64).read_to_end(&mut old)).ok()?;
    Some(old)
}

/// Makes sure of the room before a byte of the old content is gone.
fn make_room(file: &File, length: u64, needed: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::KEEP_SIZE, 0, needed.max(1)) {
        Ok(()) => return Ok(()),
        // Some file systems cannot.
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {}
        Err(error) => return Err(error.into()),
    }
    let zeros = [0; 4096];
    let mut at = length;
    while at < needed {
        let most = usize::try_from(needed - at).unwrap_or(zeros.len()).min(zeros.len());
        file.write_all_at(zeros.get(..most).unwrap_or_default(), at)?;
        at += most as u64;
    }
    file.sync_all()
}
