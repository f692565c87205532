//! Job control: stopping ourselves so that the shell gets its terminal back.

use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Pid, Signal, getpid, getppid, kill_current_process_group, kill_process};

use crate::os::process_owner::ProcessOwner;

/// Longest chain of wrappers (`sudo`, `time`, `cargo run`) between a shell and this program that is followed.
const MOST_WRAPPERS: usize = 64;

/// Whether there is a shell to come back to: the nearest ancestor outside of our process group must be in our session.
/// Otherwise the group is orphaned (POSIX.1-2024, 3.243), as that of a session's leader always is, and once stopped
/// no shell would continue it.
#[must_use]
pub(crate) fn can_stop() -> bool {
    let Some(own) = JobIds::of(None) else { return false };
    let ancestors = std::iter::successors(getppid(), |pid| parent(*pid));
    is_continued(own, ancestors.map_while(|pid| JobIds::of(Some(pid))))
}

/// Whether a shell would continue a process with these ids whose ancestors have those, the nearest first.
fn is_continued(own: JobIds, ancestors: impl Iterator<Item = JobIds>) -> bool {
    let outside = ancestors.take(MOST_WRAPPERS).find(|ancestor| ancestor.group != own.group);
    outside.is_some_and(|ancestor| ancestor.session == own.session)
}

/// Where a process stands in job control: numbers to be compared, not processes to be addressed. Either is 0 where the
/// leader is outside of our PID namespace (pid_namespaces(7)), as for whatever a container was started with; what has 0
/// was born with it, so that two in one line of descent are in the same group or session.
#[derive(Clone, Copy)]
struct JobIds {
    group: libc::pid_t,
    session: libc::pid_t,
}

impl JobIds {
    /// That of a process, or our own.
    fn of(pid: Option<Pid>) -> Option<Self> {
        let pid = pid.map_or(0, |pid| pid.as_raw_nonzero().get());
        // SAFETY: plain system calls on a number. (Those of rustix hold that the answer is never 0.)
        let (group, session) = unsafe { (libc::getpgid(pid), libc::getsid(pid)) };
        (group >= 0 && session >= 0).then_some(Self { group, session })
    }
}

/// Parent of a process, where the system tells it.
fn parent(pid: Pid) -> Option<Pid> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may contain anything, parentheses too.
    let (_, fields) = stat.rsplit_once(')')?;
    Pid::from_raw(fields.split_whitespace().nth(1)?.parse().ok()?)
}

/// Who stands still with us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopping {
    /// This process alone: it was sent SIGTSTP. Where the terminal sent it, it has sent one to each process of the job;
    /// where another process did, nobody else was meant.
    Alone,
    /// The whole job, as the terminal would have stopped it on Ctrl-Z: a key was read instead. The shell waits for the
    /// program it started, which may be a wrapper (`cargo run`, `sudo`).
    WithTheJob,
}

/// Stops us, with SIGSTOP: SIGTSTP is caught here, and could be ignored by a wrapper. Workers have groups of their own and
/// are not reached.
///
/// May return a moment before the stop takes effect, because another thread may be the one that the kernel gives the
/// signal to: a caller that must not go on before `fg` waits for SIGCONT.
///
/// # Errors
/// When the signal could not be sent.
pub(crate) fn raise_stop(_: ProcessOwner, stopping: Stopping) -> std::io::Result<()> {
    match stopping {
        Stopping::Alone => kill_process(getpid(), Signal::STOP)?,
        Stopping::WithTheJob => kill_current_process_group(Signal::STOP)?,
    }
    Ok(())
}

/// We were continued: so is whoever we stopped with us. A shell has done that already; who continues us by our pid has not.
pub(crate) fn continue_others(_: ProcessOwner, stopping: Stopping) {
    if stopping == Stopping::WithTheJob {
        // Nobody is left there who could be continued, if it fails.
        let _ = kill_current_process_group(Signal::CONT);
    }
}

/// How often somebody else has continued this process.
static CONTINUED: AtomicU64 = AtomicU64::new(0);

/// SIGCONT came, and it was not the end of a stop of our own.
pub(crate) fn was_continued() {
    CONTINUED.fetch_add(1, Ordering::Relaxed);
}

/// How often this process was continued without having stopped itself, as far as its signals are watched: SIGSTOP cannot
/// be caught, but what ends it can.
#[must_use]
pub(crate) fn times_continued() -> u64 {
    CONTINUED.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use rustix::process::getpid;

    use super::*;

    #[test]
    fn only_an_ancestor_in_the_same_session_and_another_group_continues() {
        let continued = |own: (i32, i32), ancestors: &[(i32, i32)]| {
            let ids = |(group, session)| JobIds { group, session };
            is_continued(ids(own), ancestors.iter().copied().map(ids))
        };
        assert!(continued((7, 5), &[(5, 5), (1, 1)]), "a shell with job control");
        assert!(continued((7, 5), &[(7, 5), (7, 5), (5, 5), (1, 1)]), "a shell behind two wrappers");
        assert!(!continued((5, 5), &[(1, 1)]), "the leader of a session");
        assert!(!continued((5, 5), &[(5, 5), (1, 1)]), "a child of a leader that does no job control");
        assert!(!continued((5, 5), &[]), "nobody can be seen");
        // A leader that is outside of the PID namespace.
        assert!(!continued((0, 0), &[]), "what a container was started with");
        assert!(!continued((0, 0), &[(0, 0)]), "its child");
        assert!(!continued((5, 5), &[(0, 0)]), "a session of its own");
        assert!(continued((7, 0), &[(0, 0)]), "a shell that does job control there");
    }

    #[test]
    fn parents_are_found() {
        assert_eq!(parent(getpid()), getppid());
        let child = std::process::Command::new("/bin/sleep").arg("30").spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{error}"));
        let pid = Pid::from_child(&child);
        assert_eq!(parent(pid), Some(getpid()));
        let _ended = child.kill();
        let _reaped = child.wait();
    }
}
