//! Job control: stopping ourselves so that the shell gets its terminal back.

use rustix::process::{Pid, Signal, getpgid, getpid, getppid, getsid, kill_current_process_group};

/// Longest chain of wrappers (`sudo`, `time`, `cargo run`) between a shell and this program that is followed.
const MOST_WRAPPERS: usize = 64;

/// Whether there is a shell to come back to: the nearest ancestor outside of our process group must be in our session.
/// Otherwise the group is orphaned (POSIX.1-2024, 3.243), as that of a session's leader always is, and once stopped
/// nobody would continue it.
#[must_use]
pub fn can_stop() -> bool {
    let (Ok(group), Ok(session)) = (getpgid(None), getsid(None)) else { return false };
    let mut ancestor = getppid();
    for _ in 0..MOST_WRAPPERS {
        let Some(pid) = ancestor else { return false };
        if getpgid(Some(pid)) != Ok(group) {
            return pid != getpid() && getsid(Some(pid)) == Ok(session);
        }
        ancestor = parent(pid);
    }
    false
}

/// Parent of a process, where the system tells it.
fn parent(pid: Pid) -> Option<Pid> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may contain anything, parentheses too.
    let (_, fields) = stat.rsplit_once(')')?;
    Pid::from_raw(fields.split_whitespace().nth(1)?.parse().ok()?)
}

/// Stops the whole foreground job, as the terminal would have done on Ctrl-Z.
///
/// May return a moment before the stop takes effect, because another thread may be the one that the kernel gives the
/// signal to: whoever must not go on before `fg` waits for SIGCONT.
///
/// The group rather than the process alone, because the shell waits for the program it started, which may be a wrapper
/// (`cargo run`, `sudo`). SIGSTOP rather than SIGTSTP, because the latter is caught here and could be ignored there.
/// Workers have groups of their own and are not reached.
///
/// # Errors
/// When the signal could not be sent.
pub fn raise_stop() -> std::io::Result<()> {
    Ok(kill_current_process_group(Signal::STOP)?)
}

#[cfg(test)]
mod tests {
    use super::*;

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
