//! A child process from its start until it was reaped, with the kernel's accounting of its whole life.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::MutexGuard;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

pub use crate::os::accounting::Reaped;
use crate::os::accounting::{Exit, Usage};
use crate::os::owned::owned;
use crate::os::resource_tracker::{self, Leader};
use crate::os::teller::{Heard, Teller, Word, teller};

/// How long the drop of a child waits for its end.
const DROP_PATIENCE: Duration = Duration::from_secs(1);

/// A child that runs its own program.
#[derive(Debug)]
pub(super) struct StartedChild {
    pub(crate) pid: libc::pid_t,
    pub(crate) pidfd: OwnedFd,
    /// `CLOCK_MONOTONIC` in nanoseconds right before the program took over.
    pub(crate) at: u64,
}

/// A child that was not reaped yet. Its pid cannot be used again by the system until it is, so signals always reach it or
/// nobody. Dropping it kills and reaps it; one that cannot be killed is left to [`crate::os::orphans`].
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    pidfd: Option<OwnedFd>,
    started: u64,
    leads_group: bool,
    trackers: Trackers,
    reaped: bool,
    /// Whether it could not be ended and was left behind.
    abandoned: bool,
    parent: Parent,
}

/// What becomes of trackers of resources ([`crate::os::resource_tracker`]) in the group of a child when it is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trackers {
    /// There are none.
    No,
    /// They are spared, unless the child has left by itself and so has seen to them.
    SparedIfItDied,
    /// They are spared.
    Spared,
}

/// Who waits for a child, and so is told how it ended.
#[derive(Debug)]
enum Parent {
    /// This process.
    Us,
    /// Another one, which hands on what it was told. If it ends before, the child becomes ours, or
    /// that of another process that takes orphans in: then nobody says more than that it has ended.
    Other { word: Word, end: OwnedFd },
}

impl Parent {
    /// How a child ended that is none of the system's children of ours, as far as it has ended.
    fn heard(&self) -> Option<Reaped> {
        match self {
            Self::Us => Some(Reaped::UNKNOWN),
            Self::Other { word, end } => match word.heard() {
                Heard::End(reaped) => Some(reaped),
                Heard::NeverWill => has_ended(end).then_some(Reaped::UNKNOWN),
                Heard::Nothing => None,
            },
        }
    }
}

impl Child {
    /// Takes charge of a child that was just started; `owned` was locked before that.
    pub(super) fn adopt(
        StartedChild { pid, pidfd, at }: StartedChild,
        leads_group: bool,
        mut owned: MutexGuard<'_, BTreeSet<i32>>,
    ) -> io::Result<Self> {
        owned.insert(pid);
        drop(owned);
        let pid = Pid::from_raw(pid).ok_or_else(|| io::Error::other("the system returned no process id"))?;
        Ok(Self {
            pid,
            pidfd: Some(pidfd),
            started: at,
            leads_group,
            trackers: Trackers::No,
            reaped: false,
            abandoned: false,
            parent: Parent::Us,
        })
    }

    /// Takes charge of a child of this process that our fork server has made: what is told of its end is the kernel's word.
    /// Nobody else may wait for it before.
    ///
    /// # Errors
    /// When that is no process id.
    pub(crate) fn of_fork_server(pid: u32, pidfd: OwnedFd, at: u64) -> io::Result<Self> {
        let owned = owned();
        let pid = i32::try_from(pid).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        Self::adopt(StartedChild { pid, pidfd, at }, true, owned)
    }

    /// It is an interpreter that ends its tracker of resources itself before it leaves.
    pub(crate) fn spare_trackers(&mut self) {
        self.trackers = Trackers::SparedIfItDied;
    }

    /// Interpreters may be in its group whose trackers of resources outlive it.
    pub(crate) fn spare_trackers_always(&mut self) {
        self.trackers = Trackers::Spared;
    }

    /// Has signals go to the child alone from now on: what else is in its group is looked after by others.
    pub(crate) fn leave_group_alone(&mut self) {
        self.leads_group = false;
    }

    /// Takes charge of a process that another one has started for us and will wait for. That one must not reap it before
    /// the teller has told: until then its pid cannot be anybody else's.
    ///
    /// # Errors
    /// When there is no such process.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for workers whose fork server cannot make them children of ours")
    )]
    pub(crate) fn of_another(pid: u32, started: u64, leads_group: bool) -> io::Result<(Self, Teller)> {
        let (teller, word) = teller()?;
        let mut owned = owned();
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(missing)?;
        let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())?;
        let parent = Parent::Other { word, end: pidfd.try_clone()? };
        owned.insert(pid.as_raw_nonzero().get());
        let trackers = Trackers::No;
        let child =
            Self { pid, pidfd: Some(pidfd), started, leads_group, trackers, reaped: false, abandoned: false, parent };
        Ok((child, teller))
    }

    /// Becomes readable when its parent has told how it ended, or will not: where that is another process, the end alone
    /// is not enough. `None` for a child of our own, and the second time.
    pub(crate) fn take_word(&mut self) -> Option<OwnedFd> {
        match &mut self.parent {
            Parent::Us => None,
            Parent::Other { word, .. } => word.take_arrival(),
        }
    }

    /// Process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// `CLOCK_MONOTONIC` in nanoseconds right before its program took over.
    #[must_use]
    pub(crate) fn started_at(&self) -> u64 {
        self.started
    }

    /// Becomes readable when the child ends (`pidfd_open(2)`).
    #[must_use]
    pub(crate) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd.as_ref().map(AsFd::as_fd)
    }

    /// Another one, while that is with the task that waits for the end.
    ///
    /// # Errors
    /// When no descriptor is left, or the child was reaped.
    pub(crate) fn another_pidfd(&self) -> io::Result<OwnedFd> {
        if self.reaped {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(rustix::process::pidfd_open(self.pid, rustix::process::PidfdFlags::empty())?)
    }

    /// Hands the pidfd over to the task that waits for the end. `None` the second time.
    pub(crate) fn take_pidfd(&mut self) -> Option<OwnedFd> {
        self.pidfd.take()
    }

    /// Whether the child has ended and was not reaped, or was, as far as that can be seen without reaping it.
    #[must_use]
    pub(crate) fn has_ended(&self) -> bool {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        self.reaped || matches!(rustix::process::waitid(WaitId::Pid(self.pid), look), Ok(Some(_)))
    }

    /// Sends a signal to the child's whole group, or to the child alone where it leads none.
    ///
    /// # Errors
    /// Only what is not "already gone".
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        if self.reaped { Ok(()) } else { self.signal_group(signal, Leader::MayLive) }
    }

    fn signal_group(&self, signal: Signal, leader: Leader) -> io::Result<()> {
        let gone = |result: &rustix::io::Result<()>| *result == Err(rustix::io::Errno::SRCH);
        let sent = |result| match result {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(io::Error::from(error)),
        };
        let mut result = Ok(());
        let mut reached = false;
        let spares = signal == Signal::KILL && self.trackers != Trackers::No;
        if self.leads_group && spares && resource_tracker::kill_others_of_group(self.pid, leader) {
            reached = true;
        } else if self.leads_group {
            let to_group = rustix::process::kill_process_group(self.pid, signal);
            reached = !gone(&to_group);
            result = sent(to_group);
        }
        // It may have gone to another group, or just been born and not have made its own yet.
        if !reached || group_of(self.pid) != self.pid.as_raw_nonzero().get() {
            result = result.and(sent(rustix::process::kill_process(self.pid, signal)));
        }
        result
    }

    /// Reaps the child if it has ended: looks first, ends whatever is left of its group while its pid is still its own,
    /// then takes it away. One that a host reaped has ended, and how is not known.
    ///
    /// # Errors
    /// What the system says, other than that.
    pub(crate) fn try_reap(&mut self) -> io::Result<Option<Reaped>> {
        self.reap(WaitIdOptions::NOHANG)
    }

    /// Looks whether the child has ended and says how, and leaves it as it is: a zombie, whose account is final. What else is
    /// in its group is ended.
    ///
    /// # Errors
    /// As [`Child::try_reap`].
    #[cfg(target_os = "linux")]
    pub(crate) fn try_look(&mut self) -> io::Result<Option<Reaped>> {
        // SAFETY: plain data that the call fills in; the raw call takes a rusage beside what waitid(3) takes.
        let (mut info, mut rusage): (libc::siginfo_t, libc::rusage) = unsafe { std::mem::zeroed() };
        let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        let pid = self.pid.as_raw_nonzero().get();
        // SAFETY: the pointers are valid for writing; the pid is an unreaped child of this process.
        let result =
            unsafe { libc::syscall(libc::SYS_waitid, libc::P_PID, pid, &raw mut info, options, &raw mut rusage) };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: these fields are there for what waitid reports.
        let (ended, status) = unsafe { (info.si_pid() != 0, info.si_status()) };
        if !ended {
            return Ok(None);
        }
        self.end_group(info.si_code == libc::CLD_EXITED && status == 0);
        let exit = if info.si_code == libc::CLD_EXITED { Exit::Code(status) } else { Exit::Signal(status) };
        Ok(Some(reaped(exit, &rusage, own_peak_rss_kib())))
    }

    /// Elsewhere it is reaped.
    ///
    /// # Errors
    /// As [`Child::try_reap`].
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn try_look(&mut self) -> io::Result<Option<Reaped>> {
        self.try_reap()
    }

    /// Waits until the child ends and reaps it. The end of another's child is not waited for but asked for.
    ///
    /// # Errors
    /// As [`Child::try_reap`].
    pub fn wait(&mut self) -> io::Result<Reaped> {
        self.reap(WaitIdOptions::empty()).map(|reaped| reaped.unwrap_or(Reaped::UNKNOWN))
    }

    fn reap(&mut self, hang: WaitIdOptions) -> io::Result<Option<Reaped>> {
        if self.reaped {
            return Ok(Some(Reaped::UNKNOWN));
        }
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | hang;
        match rustix::io::retry_on_intr(|| rustix::process::waitid(WaitId::Pid(self.pid), look)) {
            Ok(None) => Ok(None),
            Ok(Some(status)) => self.take(status.exit_status() == Some(0)).map(Some),
            Err(rustix::io::Errno::CHILD) => {
                let end = self.parent.heard();
                if end.is_some() {
                    self.forget();
                }
                Ok(end)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Leaves it behind: it is neither ended nor waited for any more, and the sweep for orphans may have it.
    pub(crate) fn abandon(&mut self) {
        self.abandoned = true;
        self.forget();
    }

    /// Whether it was left behind.
    #[must_use]
    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned
    }

    /// It need not be reaped any more.
    fn forget(&mut self) {
        self.reaped = true;
        owned().remove(&self.pid.as_raw_nonzero().get());
    }

    /// Ends what is left of its group; `well`: it has left by itself and has seen to what is its own.
    fn end_group(&mut self, well: bool) {
        if self.trackers == Trackers::SparedIfItDied && well {
            self.trackers = Trackers::No;
        }
        if self.leads_group {
            // Some of the group may belong to another user by now: that does not keep the child from being reaped.
            let _ = self.signal_group(Signal::KILL, Leader::HasEnded);
        }
    }

    fn take(&mut self, well: bool) -> io::Result<Reaped> {
        self.end_group(well);
        let own_peak = own_peak_rss_kib();
        let mut owned = owned();
        let mut status: libc::c_int = 0;
        // SAFETY: rusage is plain data that the call fills in.
        let mut rusage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: both pointers are valid for writing; the pid is an unreaped child of this process.
        let pid = unsafe { libc::wait4(self.pid.as_raw_nonzero().get(), &raw mut status, 0, &raw mut rusage) };
        if pid < 0 {
            let error = io::Error::last_os_error();
            drop(owned);
            if error.raw_os_error() == Some(libc::ECHILD) {
                self.forget();
                return Ok(Reaped::UNKNOWN);
            }
            return Err(error);
        }
        self.reaped = true;
        owned.remove(&pid);
        drop(owned);
        let exit = if libc::WIFSIGNALED(status) {
            Exit::Signal(libc::WTERMSIG(status))
        } else {
            Exit::Code(libc::WEXITSTATUS(status))
        };
        Ok(reaped(exit, &rusage, own_peak))
    }

    /// Waits at most so long for its end and reaps it then; `None` if it has not ended, or that cannot be told.
    pub(crate) fn wait_at_most(&mut self, patience: Duration) -> Option<Reaped> {
        let deadline = Instant::now() + patience;
        loop {
            match self.try_reap() {
                Ok(None) => {}
                Ok(reaped) => return reaped,
                Err(_) => return None,
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            match (&self.pidfd, rustix::event::Timespec::try_from(left)) {
                (Some(pidfd), Ok(left)) => {
                    let mut ends = [PollFd::new(pidfd, PollFlags::IN)];
                    // An interrupted wait is looked into like any other.
                    let ended = rustix::event::poll(&mut ends, Some(&left)).is_ok_and(|ready| ready > 0);
                    if ended && matches!(self.parent, Parent::Other { .. }) && self.parent.heard().is_none() {
                        // Its parent does the rest.
                        return None;
                    }
                }
                _ => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }
}

/// Whether the process of a pidfd has ended.
fn has_ended(pidfd: &OwnedFd) -> bool {
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::event::poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&now)).is_ok_and(|ready| ready > 0)
}

/// The process group of a process, 0 where it is not known here.
fn group_of(pid: Pid) -> i32 {
    // SAFETY: takes and returns numbers only.
    unsafe { libc::getpgid(pid.as_raw_nonzero().get()) }.max(0)
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.reaped {
            return;
        }
        let _ = self.signal(Signal::KILL);
        self.wait_at_most(DROP_PATIENCE);
        if !self.reaped {
            // A program of another user, or one that the kernel does not let go: it has no owner from here on.
            self.forget();
        }
    }
}

/// This process's own accounting, with or without the children it waited for.
#[must_use]
pub fn own_usage(of: UsageOf) -> Usage {
    // SAFETY: rusage is plain data that the call fills in; the call cannot fail for these constants.
    let rusage = unsafe {
        let mut rusage: libc::rusage = std::mem::zeroed();
        let who = match of {
            UsageOf::Process => libc::RUSAGE_SELF,
            UsageOf::Children => libc::RUSAGE_CHILDREN,
            #[cfg(target_os = "linux")]
            UsageOf::Thread => libc::RUSAGE_THREAD,
            #[cfg(not(target_os = "linux"))]
            UsageOf::Thread => return thread_usage(),
        };
        libc::getrusage(who, &raw mut rusage);
        rusage
    };
    usage(&rusage)
}

/// Whose accounting is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageOf {
    /// This process, all threads.
    Process,
    /// Children that were reaped.
    Children,
    /// The calling thread alone.
    Thread,
}

/// Elsewhere a thread's faults and switches cannot be told, and its CPU time has one number: all of it counts as user time.
#[cfg(not(target_os = "linux"))]
fn thread_usage() -> Usage {
    Usage { user: super::threads::cpu_time(), ..Usage::NONE }
}

fn own_peak_rss_kib() -> u64 {
    // SAFETY: as in `own_usage`.
    let rusage = unsafe {
        let mut rusage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut rusage);
        rusage
    };
    u64::try_from(rusage.ru_maxrss).unwrap_or(0)
}

fn reaped(exit: Exit, rusage: &libc::rusage, own_peak: u64) -> Reaped {
    let peak_kib = u64::try_from(rusage.ru_maxrss).unwrap_or(0);
    Reaped { exit, usage: usage(rusage), peak_rss_bytes: (peak_kib > own_peak).then_some(peak_kib * 1024) }
}

fn usage(rusage: &libc::rusage) -> Usage {
    let time = |time: libc::timeval| {
        Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0))
            + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
    };
    let count = |count: libc::c_long| u64::try_from(count).unwrap_or(0);
    Usage {
        user: time(rusage.ru_utime),
        system: time(rusage.ru_stime),
        minor_faults: count(rusage.ru_minflt),
        major_faults: count(rusage.ru_majflt),
        voluntary_switches: count(rusage.ru_nvcsw),
        involuntary_switches: count(rusage.ru_nivcsw),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::spawn::Program;

    fn run(script: &str) -> Reaped {
        Program::new(&["/bin/sh", "-c", script]).unwrap().spawn(&[]).unwrap().wait().unwrap()
    }

    #[test]
    fn exit_codes_and_signals_are_told_apart() {
        assert_eq!(run("exit 0").exit, Exit::Code(0));
        assert_eq!(run("exit 7").exit, Exit::Code(7));
        assert_eq!(run("kill -TERM $$").exit, Exit::Signal(libc::SIGTERM));
    }

    /// A shell that starts `sleep` and lives on, and that `sleep`.
    fn grandchild() -> (std::process::Child, u32) {
        use std::io::BufRead as _;
        let shell = "sleep 600 >/dev/null & echo $!; wait; cat";
        let mut command = std::process::Command::new("/bin/sh");
        command.args(["-c", shell]).stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut parent = command.spawn().unwrap();
        let mut line = String::new();
        std::io::BufReader::new(parent.stdout.take().unwrap()).read_line(&mut line).unwrap();
        (parent, line.trim().parse().unwrap())
    }

    #[test]
    fn another_ones_child_ends_when_its_parent_says_so() {
        let (mut parent, pid) = grandchild();
        let (mut child, teller) = Child::of_another(pid, 0, false).unwrap();
        assert_eq!(child.try_reap().unwrap(), None, "it lives");
        child.signal(Signal::KILL).unwrap();
        let mut ends = [PollFd::from_borrowed_fd(child.pidfd().unwrap(), PollFlags::IN)];
        let limit = rustix::event::Timespec { tv_sec: 10, tv_nsec: 0 };
        assert_eq!(rustix::event::poll(&mut ends, Some(&limit)).unwrap(), 1);
        assert_eq!(child.try_reap().unwrap(), None, "how it ended is for its parent to say");
        let end = Reaped { exit: Exit::Signal(libc::SIGKILL), ..Reaped::UNKNOWN };
        teller.tell(end);
        assert_eq!(child.try_reap().unwrap(), Some(end));
        drop(parent.stdin.take());
        parent.wait().unwrap();
    }

    #[test]
    fn a_child_of_which_nobody_will_tell_ends_all_the_same() {
        let (mut parent, pid) = grandchild();
        let (mut child, teller) = Child::of_another(pid, 0, false).unwrap();
        drop(teller);
        assert_eq!(child.try_reap().unwrap(), None, "it lives");
        child.signal(Signal::KILL).unwrap();
        let mut ends = [PollFd::from_borrowed_fd(child.pidfd().unwrap(), PollFlags::IN)];
        let limit = rustix::event::Timespec { tv_sec: 10, tv_nsec: 0 };
        assert_eq!(rustix::event::poll(&mut ends, Some(&limit)).unwrap(), 1);
        assert_eq!(child.try_reap().unwrap(), Some(Reaped::UNKNOWN));
        drop(parent.stdin.take());
        parent.wait().unwrap();
    }

    #[test]
    fn nobody_takes_charge_of_a_process_that_is_not_there() {
        let mut gone = std::process::Command::new("/bin/true").spawn().unwrap();
        gone.wait().unwrap();
        assert!(Child::of_another(gone.id(), 0, false).is_err());
        assert!(Child::of_another(0, 0, false).is_err());
    }

    #[test]
    fn a_missing_program_is_an_error_of_the_start() {
        let error = Program::new(&["/no/such/program"]).unwrap().spawn(&[]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
        assert!(!crate::os::spawn::is_transient(&error));
    }

    #[test]
    fn strays_of_the_group_end_with_their_leader() {
        let path = tempfile::NamedTempFile::new().unwrap();
        let script = format!("sleep 600 & echo $! > {}; exit 3", path.path().display());
        assert_eq!(run(&script).exit, Exit::Code(3));
        let stray: i32 = std::fs::read_to_string(path.path()).unwrap().trim().parse().unwrap();
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        loop {
            let state = std::fs::read_to_string(format!("/proc/{stray}/stat")).unwrap_or_default();
            if state.is_empty() || state.contains(") Z") {
                break;
            }
            assert!(std::time::Instant::now() < deadline, "still there: {state}");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_dropped_child_is_killed_and_reaped() {
        let child = Program::new(&["/bin/sleep", "600"]).unwrap().spawn(&[]).unwrap();
        let pid = child.pid();
        drop(child);
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    }
}
