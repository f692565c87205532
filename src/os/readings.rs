//! Live readings of one process: CPU clock and memory.

use std::io;
use std::time::Duration;

/// CPU time of a live process, all threads, user and system (`clock_getcpuclockid(3)`).
///
/// # Errors
/// `ESRCH` when there is no such process; `Unsupported` on systems without per-process CPU clocks.
#[cfg(target_os = "linux")]
pub(crate) fn cpu_time(pid: u32) -> io::Result<Duration> {
    let gone = || io::Error::from_raw_os_error(libc::ESRCH);
    // Zero would mean the caller.
    let pid = libc::pid_t::try_from(pid).ok().filter(|pid| *pid > 0).ok_or_else(gone)?;
    let mut clock: libc::clockid_t = 0;
    // SAFETY: the pointer is valid for writing.
    let error = unsafe { libc::clock_getcpuclockid(pid, &raw mut clock) };
    if error != 0 {
        return Err(io::Error::from_raw_os_error(error));
    }
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: as above; the clock may have vanished with its process, which the call reports.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        let error = io::Error::last_os_error();
        // A clock that was valid a moment ago and is not any more has lost its process.
        return Err(if error.raw_os_error() == Some(libc::EINVAL) { gone() } else { error });
    }
    Ok(Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0)))
}

/// See the Linux version.
///
/// # Errors
/// Always `Unsupported`: this system has no CPU clock of other processes.
#[cfg(not(target_os = "linux"))]
pub(crate) fn cpu_time(_pid: u32) -> io::Result<Duration> {
    Err(io::ErrorKind::Unsupported.into())
}

/// What a thread has used, and waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ThreadTimes {
    /// On a processor.
    pub(crate) cpu: Duration,
    /// Ready, and without one.
    pub(crate) delay: Duration,
}

/// What a live thread of a process has used and waited for, in nanoseconds (`/proc/PID/task/TID/schedstat`, see
/// Documentation/scheduler/sched-stats.rst of the kernel).
///
/// # Errors
/// When there is no such thread, or this kernel does not tell.
pub(crate) fn thread_times(pid: u32, thread: u32) -> io::Result<ThreadTimes> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{thread}/schedstat"))?;
    let mut numbers = text.split_ascii_whitespace().map(|word| word.parse().map(Duration::from_nanos));
    match (numbers.next(), numbers.next()) {
        (Some(Ok(cpu)), Some(Ok(delay))) => Ok(ThreadTimes { cpu, delay }),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Memory of a live process, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryReading {
    /// Resident set size.
    pub rss_bytes: u64,
    /// Proportional set size; `None` where the system does not tell.
    pub pss_bytes: Option<u64>,
}

/// Memory of a live process: `smaps_rollup` where there is one, otherwise `status` without PSS.
///
/// # Errors
/// When there is no such process, it has ended and only waits to be reaped, or it may not be read.
pub fn memory(pid: u32) -> io::Result<MemoryReading> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"));
    if let Ok(text) = &rollup
        && let Some(rss_bytes) = kib_field(text, "Rss:")
    {
        return Ok(MemoryReading { rss_bytes, pss_bytes: kib_field(text, "Pss:") });
    }
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    // A zombie has no memory lines: that it has none left is not a reading of zero.
    let rss_bytes = kib_field(&status, "VmRSS:").ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    Ok(MemoryReading { rss_bytes, pss_bytes: None })
}

/// Resident set of a live process, in bytes, as `/proc/PID/statm` has it: quickly told, and not to the last page
/// (proc_pid_statm(5)).
///
/// # Errors
/// When there is no such process, it has ended and only waits to be reaped, or it may not be read.
pub(crate) fn rss(pid: u32) -> io::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm"))?;
    let pages: Option<u64> = text.split_ascii_whitespace().nth(1).and_then(|pages| pages.parse().ok());
    let pages = pages.filter(|pages| *pages > 0).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
    Ok(pages * rustix::param::page_size() as u64)
}

/// Largest resident set a live process has had (`VmHWM`), in bytes.
///
/// # Errors
/// When there is no such process or it may not be read.
pub fn peak_rss(pid: u32) -> io::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    kib_field(&status, "VmHWM:").ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
}

/// A line `NAME   123 kB`, in bytes.
fn kib_field(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "Rss:                1024 kB\nPss:                 512 kB\nPss_Dirty:  4 kB\nVmHWM: x kB\n";
        assert_eq!(kib_field(text, "Rss:"), Some(1 << 20));
        assert_eq!(kib_field(text, "Pss:"), Some(1 << 19));
        assert_eq!(kib_field(text, "VmHWM:"), None);
        assert_eq!(kib_field(text, "Swap:"), None);
    }

    #[test]
    fn this_process_uses_cpu_and_memory() {
        let pid = std::process::id();
        let before = cpu_time(pid).unwrap();
        let sum = (0..20_000_000u64).fold(0, |sum, n| std::hint::black_box(sum ^ n));
        std::hint::black_box(sum);
        assert!(cpu_time(pid).unwrap() > before);
        let memory = memory(pid).unwrap();
        assert!(memory.rss_bytes > 1 << 20 && memory.pss_bytes.is_none_or(|pss| pss <= memory.rss_bytes));
        assert!(peak_rss(pid).unwrap() >= memory.rss_bytes / 2);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_thread_has_times_of_its_own() {
        let burn = || {
            let sum = (0..20_000_000u64).fold(0, |sum, n| std::hint::black_box(sum ^ n));
            std::hint::black_box(sum);
            let thread = rustix::thread::gettid().as_raw_nonzero().get();
            thread_times(std::process::id(), u32::try_from(thread).unwrap()).unwrap()
        };
        let theirs = std::thread::spawn(burn).join().unwrap();
        assert!(theirs.cpu > Duration::from_millis(1) && theirs.cpu <= cpu_time(std::process::id()).unwrap());
        assert!(thread_times(std::process::id(), u32::MAX).is_err());
    }

    #[test]
    fn a_process_that_does_not_exist_is_an_error() {
        for pid in [0, u32::MAX] {
            assert_eq!(cpu_time(pid).unwrap_err().raw_os_error(), Some(libc::ESRCH), "{pid}");
            assert!(memory(pid).is_err() && peak_rss(pid).is_err(), "{pid}");
        }
    }

    #[test]
    fn a_zombie_has_used_cpu_and_has_no_memory() {
        let mut child = std::process::Command::new("/bin/sh").args(["-c", "exit 0"]).spawn().unwrap();
        let pid = child.id();
        let is_zombie = || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
            stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z"))
        };
        while !is_zombie() {
            std::thread::yield_now();
        }
        assert!(cpu_time(pid).is_ok());
        assert_eq!(memory(pid).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(peak_rss(pid).is_err());
        child.wait().unwrap();
        assert_eq!(cpu_time(pid).unwrap_err().raw_os_error(), Some(libc::ESRCH));
    }
}
