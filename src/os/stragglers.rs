//! Grandchildren that outlive their parent: a program that put itself in the background, or left a child behind.
//!
//! A process that made itself a subreaper (`PR_SET_CHILD_SUBREAPER`, `prctl(2)`) inherits them and can end them. Where
//! there is no such thing, only those in the child's own group are ended.

use std::io;

/// Makes orphaned descendants children of this process.
///
/// # Errors
/// `Unsupported` where the system has no subreapers.
pub fn become_subreaper() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        Ok(())
    }
    #[cfg(not(target_os = "linux"))]
    Err(io::ErrorKind::Unsupported.into())
}

/// Children of this process as the kernel lists them, of all its threads; empty where there is no such list.
#[must_use]
pub fn children() -> Vec<u32> {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return Vec::new() };
    threads
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|list| list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>())
        .collect()
}

/// Kills and reaps every child that `is_own` does not claim, until none is left: killing one may orphan its own
/// children, which then arrive here. Returns how many there were.
pub fn end_all(is_own: impl Fn(u32) -> bool) -> usize {
    let mut ended = 0;
    // A bound, so that a program that forks faster than it can be killed cannot hold us here.
    for _ in 0..100 {
        let strangers: Vec<u32> = children().into_iter().filter(|pid| !is_own(*pid)).collect();
        if strangers.is_empty() {
            break;
        }
        for pid in strangers {
            let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) else { continue };
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            if rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty()).is_ok() {
                ended += 1;
            }
        }
    }
    ended
}
