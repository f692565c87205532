//! Grandchildren that outlive their parent: a program that put itself in the background, or left a child behind.
//!
//! A process that made itself a subreaper (`PR_SET_CHILD_SUBREAPER`, `prctl(2)`) inherits them and can end them. They are
//! known by a variable in their environment, so that nothing else is ever touched. Where there is no such thing, only
//! those in the child's own group are ended.

use std::io;

use rustix::process::{Pid, Signal, WaitOptions};

use crate::os::child;

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
fn children() -> Vec<Pid> {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return Vec::new() };
    threads
        .flatten()
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|list| {
            list.split_ascii_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect::<Vec<_>>()
        })
        .collect()
}

/// Whether a process was started with exactly this variable (`NAME=value`) in its environment.
fn carries(pid: Pid, variable: &str) -> bool {
    let path = format!("/proc/{}/environ", pid.as_raw_nonzero());
    std::fs::read(path)
        .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes()))
}

/// Kills and reaps every child that nobody owns and that carries this variable, until none is left: killing one may
/// orphan its own children, which then arrive here. Children that nobody owns and that have ended by themselves are reaped
/// too, whatever they carried. Returns how many were killed.
pub fn end_children(variable: &str) -> usize {
    let mut ended = 0;
    // A bound, so that a program that forks faster than it can be killed cannot hold us here.
    for _ in 0..100 {
        // Nobody is started or reaped by its owner in the meantime.
        let owned = child::owned();
        let mut killed = 0;
        for pid in children().into_iter().filter(|pid| !owned.contains(&pid.as_raw_nonzero().get())) {
            let dead = matches!(rustix::process::waitpid(Some(pid), WaitOptions::NOHANG), Ok(Some(_)));
            if !dead && carries(pid, variable) && rustix::process::kill_process(pid, Signal::KILL).is_ok() {
                let _ = rustix::process::waitpid(Some(pid), WaitOptions::empty());
                killed += 1;
            }
        }
        if killed == 0 {
            break;
        }
        ended += killed;
    }
    ended
}

/// Kills every process of this user, anywhere in the system, that carries this variable. Returns how many there were.
/// Not reaped: they are not ours.
pub fn end_everywhere(variable: &str) -> usize {
    let Ok(processes) = std::fs::read_dir("/proc") else { return 0 };
    let own = rustix::process::getpid();
    processes
        .flatten()
        .filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
        .filter(|pid| *pid != own && carries(*pid, variable))
        .filter(|pid| rustix::process::kill_process(*pid, Signal::KILL).is_ok())
        .count()
}
