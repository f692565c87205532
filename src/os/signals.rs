//! Names of signals.

/// The usual name without `SIG`, as `kill -l` prints it; `?` for an unknown number.
#[must_use]
pub fn name(signal: i32) -> &'static str {
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
        _ => "?",
    }
}

/// Ignores the signals that ask a process to end. For a process whose end comes with the end of its input.
pub fn ignore_terminating() {
    use rustix::process::Signal;
    [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT].into_iter().for_each(ignore);
}

/// Ignores a signal from now on.
pub fn ignore(signal: rustix::process::Signal) {
    // SAFETY: SIG_IGN is a valid disposition and no handler is involved.
    unsafe { libc::signal(signal.as_raw(), libc::SIG_IGN) };
}

static TERMINATED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

extern "C" fn remember_termination(_: libc::c_int) {
    TERMINATED.store(true, std::sync::atomic::Ordering::Relaxed);
}

/// From now on SIGTERM is remembered instead of ending the process; interrupted calls go on.
pub fn catch_termination() {
    // SAFETY: the handler only stores to an atomic, which is async-signal-safe; the struct is plain data.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = remember_termination as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGTERM, &raw const action, std::ptr::null_mut());
    }
}

/// From now on SIGTERM ends the process again.
pub fn release_termination() {
    // SAFETY: SIG_DFL is a valid disposition.
    unsafe { libc::signal(libc::SIGTERM, libc::SIG_DFL) };
}

/// Whether SIGTERM was remembered.
#[must_use]
pub fn terminated() -> bool {
    TERMINATED.load(std::sync::atomic::Ordering::Relaxed)
}

/// Has the kernel kill this process when the thread that started it ends (`PR_SET_PDEATHSIG`, `prctl(2)`), and says
/// whether that parent is still there.
#[must_use]
pub fn die_with_parent(parent: u32) -> bool {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    rustix::process::getppid().is_some_and(|pid| pid.as_raw_nonzero().get().unsigned_abs() == parent)
}

/// Whether the end of a process can be waited for with a descriptor (`pidfd_open(2)`, since Linux 5.3).
#[must_use]
pub fn pidfd_works() -> bool {
    rustix::process::pidfd_open(rustix::process::getpid(), rustix::process::PidfdFlags::empty()).is_ok()
}
