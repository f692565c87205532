//! Bytes in a file without a name, to be handed to another process.

use std::io;
use std::os::fd::OwnedFd;

/// A file in memory with this content, which nobody can change. It is to be read with `pread`: its place is shared by all
/// who have it.
///
/// # Errors
/// When the system has no descriptor or memory left.
pub(crate) fn of(content: &[u8]) -> io::Result<OwnedFd> {
    #[cfg(target_os = "linux")]
    let fd = {
        let flags = rustix::fs::MemfdFlags::CLOEXEC | rustix::fs::MemfdFlags::ALLOW_SEALING;
        rustix::fs::memfd_create("poolscope", flags)?
    };
    #[cfg(not(target_os = "linux"))]
    let fd = crate::os::temporary::unlinked_file()?;
    let mut rest = content;
    while !rest.is_empty() {
        let written = rustix::io::write(&fd, rest)?;
        rest = rest.get(written..).unwrap_or_default();
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::SealFlags;
        let all = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
        rustix::fs::fcntl_add_seals(&fd, all)?;
    }
    Ok(fd)
}
