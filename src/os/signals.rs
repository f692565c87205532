//! Signals: names, dispositions, and what this process does about them.
//!
//! Dispositions are the whole process's: what changes them is for the program, which has claimed it, and for workers and
//! guardians, which are processes of their own.

use crate::os::process_owner::ProcessOwner;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The usual name without `SIG`, as `kill -l` prints it; `?` for an unknown number.
#[must_use]
pub(crate) fn name(signal: i32) -> &'static str {
    match signal {
        libc::SIGHUP => "HUP",
        libc::SIGINT => "INT",
        libc::SIGQUIT => "QUIT",
        libc::SIGILL => "ILL",
        libc::SIGTRAP => "TRAP",
        libc::SIGABRT => "ABRT",
        libc::SIGBUS => "BUS",
        libc::SIGFPE => "FPE",
        libc::SIGKILL => "KILL",
        libc::SIGUSR1 => "USR1",
        libc::SIGSEGV => "SEGV",
        libc::SIGUSR2 => "USR2",
        libc::SIGPIPE => "PIPE",
        libc::SIGALRM => "ALRM",
        libc::SIGTERM => "TERM",
        libc::SIGCHLD => "CHLD",
        libc::SIGCONT => "CONT",
        libc::SIGSTOP => "STOP",
        libc::SIGTSTP => "TSTP",
        libc::SIGTTIN => "TTIN",
        libc::SIGTTOU => "TTOU",
        libc::SIGXCPU => "XCPU",
        libc::SIGXFSZ => "XFSZ",
        libc::SIGSYS => "SYS",
        libc::SIGVTALRM => "VTALRM",
        libc::SIGPROF => "PROF",
        _ => "?",
    }
}

/// The signals that ask this program to end; what comes first is more urgent.
pub(crate) const ENDING: [libc::c_int; 10] = [
    libc::SIGTERM,
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGXCPU,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGALRM,
    libc::SIGVTALRM,
    libc::SIGPROF,
];

/// Highest signal number (signal(7)).
pub(crate) const LAST: libc::c_int = 64;

/// The kernel's `struct sigaction`: the C library keeps two real-time signals from its callers, which a parent may have
/// ignored all the same.
#[repr(C)]
#[derive(Default)]
struct Action {
    handler: usize,
    rest: [usize; 3],
}

/// Bytes of the kernel's signal mask.
const MASK: usize = 8;

#[must_use]
pub(crate) fn is_ignored(signal: libc::c_int) -> bool {
    let mut action = Action::default();
    let nothing = std::ptr::null::<Action>();
    // SAFETY: the struct is at least as large as the kernel's, which is written to it.
    let done = unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, nothing, &raw mut action, MASK) };
    done == 0 && action.handler == libc::SIG_IGN
}

/// Gives a signal its default. Without effect on those that cannot be changed.
pub(crate) fn reset(signal: libc::c_int) {
    let default = Action::default();
    let nothing = std::ptr::null_mut::<Action>();
    // SAFETY: all zeros are the default disposition without flags; the struct is at least as large as the kernel's.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, &raw const default, nothing, MASK) };
}

/// From now on the signals that ask a process to end do so again, even if they were watched; one that is ignored stays
/// so. For a process that has nothing left to do but to write to a reader that may have gone.
pub(crate) fn release_ending(_: ProcessOwner) {
    for signal in ENDING {
        if !is_ignored(signal) {
            // SAFETY: SIG_DFL is a valid disposition.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
    }
}

/// Does something that must not be cut in two by a signal that asks the process to end: it comes right afterwards.
/// Holds for a process of one thread.
pub(crate) fn without_ending<T>(work: impl FnOnce() -> T) -> T {
    let _blocked = Blocked::these(&ENDING);
    work()
}

/// Signals that a thread gets for what it does itself. Blocked, they would end the process all the same, but not through
/// the handler that is there for them.
const FAULTS: [libc::c_int; 7] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS, libc::SIGABRT];

/// Signals are blocked on this thread while this lives; then its mask is what it was.
#[derive(Debug)]
#[must_use = "dropping it puts the mask back"]
pub(crate) struct Blocked {
    before: libc::sigset_t,
    /// The mask is one thread's.
    _here: std::marker::PhantomData<*const ()>,
}

impl Blocked {
    /// Every signal that has a handler, or may have one, beside those that are blocked already.
    pub(crate) fn all() -> Self {
        Self::all_but(&[])
    }

    /// Every signal but those of this thread's own faults.
    pub(crate) fn all_but_faults() -> Self {
        Self::all_but(&FAULTS)
    }

    /// In a process of ours nobody handles SIGCHLD, and what nobody handles is gone at once, unless the thread whose child has
    /// ended blocks it: then it wakes another one for nothing, with each child.
    fn all_but(others: &[libc::c_int]) -> Self {
        // SAFETY: the calls change plain data that the first of them fills in.
        Self::set(|set| unsafe {
            libc::sigfillset(set);
            let ignored = ProcessOwner::current().map(|_| libc::SIGCHLD);
            others.iter().copied().chain(ignored).for_each(|signal| {
                libc::sigdelset(set, signal);
            });
        })
    }

    /// These signals.
    pub(crate) fn these(signals: &[libc::c_int]) -> Self {
        // SAFETY: as above.
        Self::set(|set| unsafe {
            libc::sigemptyset(set);
            signals.iter().for_each(|signal| {
                libc::sigaddset(set, *signal);
            });
        })
    }

    fn set(fill: impl FnOnce(*mut libc::sigset_t)) -> Self {
        // SAFETY: the sets are plain data that the calls fill in, which cannot fail for these arguments.
        let before = unsafe {
            let (mut set, mut before): (libc::sigset_t, libc::sigset_t) = std::mem::zeroed();
            fill(&raw mut set);
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, &raw mut before);
            before
        };
        Self { before, _here: std::marker::PhantomData }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: the mask was this very thread's.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, std::ptr::null_mut()) };
    }
}

/// From now on a file that grows beyond the limit on its size (`ulimit -f`) is an error of the write, not our end.
pub(crate) fn report_file_size(_: ProcessOwner) {
    // SAFETY: SIG_IGN is a valid disposition. Programs that are started get default signals all the same.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// Ignores the signals that ask a process to end. For a process whose end comes with the end of its input.
pub(crate) fn ignore_terminating() {
    use rustix::process::Signal;
    [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT].into_iter().for_each(ignore);
}

/// Ignores a signal from now on.
pub(crate) fn ignore(signal: rustix::process::Signal) {
    // SAFETY: SIG_IGN is a valid disposition and no handler is involved.
    unsafe { libc::signal(signal.as_raw(), libc::SIG_IGN) };
}

static TERMINATED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

extern "C" fn remember_termination(_: libc::c_int) {
    TERMINATED.store(true, std::sync::atomic::Ordering::Relaxed);
}

/// What this process does about SIGTERM.
struct TermHandling {
    /// How many threads want it remembered.
    catchers: u32,
    ignored: bool,
}

static TERMINATION: Mutex<TermHandling> = Mutex::new(TermHandling { catchers: 0, ignored: false });

fn termination() -> MutexGuard<'static, TermHandling> {
    // Two plain values, which no panic leaves half changed.
    TERMINATION.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on SIGTERM is remembered instead of ending the process; interrupted calls go on. Until as many
/// [`release_termination`] have followed.
pub(crate) fn catch_termination() {
    let mut state = termination();
    state.catchers += 1;
    if state.catchers > 1 || state.ignored {
        return;
    }
    // SAFETY: the handler only stores to an atomic, which is async-signal-safe; the struct is plain data.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = remember_termination as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGTERM, &raw const action, std::ptr::null_mut());
    }
}

/// From now on SIGTERM ends the process again, unless another thread wants it remembered or it is ignored.
pub(crate) fn release_termination() {
    let mut state = termination();
    state.catchers = state.catchers.saturating_sub(1);
    if state.catchers > 0 || state.ignored {
        return;
    }
    // SAFETY: SIG_DFL is a valid disposition.
    unsafe { libc::signal(libc::SIGTERM, libc::SIG_DFL) };
}

/// Whether any thread wants SIGTERM remembered.
#[must_use]
pub(crate) fn termination_is_caught() -> bool {
    termination().catchers > 0
}

/// Ignores SIGTERM for good.
pub(crate) fn ignore_termination() {
    termination().ignored = true;
    ignore(rustix::process::Signal::TERM);
}

/// Whether SIGTERM was remembered.
#[must_use]
pub(crate) fn terminated() -> bool {
    TERMINATED.load(std::sync::atomic::Ordering::Relaxed)
}

/// Has the kernel kill this process when the thread that started it ends (`PR_SET_PDEATHSIG`, `prctl(2)`), and says
/// whether that parent is still there.
#[must_use]
pub(crate) fn die_with_parent(parent: u32) -> bool {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    rustix::process::getppid().is_some_and(|pid| pid.as_raw_nonzero().get().unsigned_abs() == parent)
}

/// Whether the end of a process can be waited for with a descriptor (`pidfd_open(2)`, since Linux 5.3).
#[must_use]
pub(crate) fn pidfd_works() -> bool {
    rustix::process::pidfd_open(rustix::process::getpid(), rustix::process::PidfdFlags::empty()).is_ok()
}
