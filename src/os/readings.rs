//! Live readings of one process: CPU clock and memory.

use std::io;
use std::time::Duration;

/// CPU time of a live process, all threads, user and system (`clock_getcpuclockid(3)`).
///
/// # Errors
/// `ESRCH` when there is no such process; `Unsupported` on systems without per-process CPU clocks.
pub fn cpu_time(pid: u32) -> io::Result<Duration> {
    let _ = pid;
    Err(io::ErrorKind::Unsupported.into())
}

/// Memory of a live process, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryReading {
    /// Resident set size.
    pub rss_bytes: u64,
    /// Proportional set size; `None` where the system does not tell.
    pub pss_bytes: Option<u64>,
}

/// Memory of a live process: `smaps_rollup` where there is one.
///
/// # Errors
/// When there is no such process or it may not be read.
pub fn memory(pid: u32) -> io::Result<MemoryReading> {
    let _ = pid;
    Err(io::ErrorKind::Unsupported.into())
}

/// Largest resident set a live process has had (`VmHWM`), in bytes.
///
/// # Errors
/// When there is no such process or it may not be read.
pub fn peak_rss(pid: u32) -> io::Result<u64> {
    let _ = pid;
    Err(io::ErrorKind::Unsupported.into())
}
