//! The start itself: `clone3(2)` without a copy of the memory, and what the child does until its own program runs.
//!
//! The child shares this process's memory while the calling thread stands still (`CLONE_VM | CLONE_VFORK`), so until
//! `execve` it only makes system calls: no allocation, no lock, no panic. Where clone3 is refused (an older kernel, a
//! seccomp filter) `clone(2)` does the same without control groups.

use std::cell::OnceCell;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

use crate::os::child::StartedChild;
use crate::os::clock;
use crate::os::inherited::Caller;
use crate::os::signals::{self, Blocked};

/// Resets caught signals to their default in the child (clone3(2), since Linux 5.5).
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
/// Places the child in a control group (clone3(2), since Linux 5.7).
pub(in crate::os) const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Bytes of the stack that the child uses until its own program runs.
const STACK: usize = 64 * 1024;

/// Lowest number that a descriptor is moved to when its own number is needed.
const ABOVE_TARGETS: RawFd = 10;

/// Signals that may be ignored in a process that is ours; caught ones are reset by the kernel.
const IGNORABLE: [libc::c_int; 8] = [
    libc::SIGPIPE,
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGCHLD,
    libc::SIGTSTP,
    libc::SIGXFSZ,
];

/// What the child is to be. All pointers are to data that outlives the call.
pub(super) struct ChildSetup {
    /// Files to try, ended by null.
    pub(crate) files: *const *const libc::c_char,
    /// Ended by null.
    pub(crate) argv: *const *const libc::c_char,
    /// Ended by null.
    pub(crate) environment: *const *const libc::c_char,
    /// Null for the caller's own.
    pub(crate) folder: *const libc::c_char,
    /// (source, target) pairs.
    pub(crate) descriptors: *const (RawFd, RawFd),
    pub(crate) descriptor_count: usize,
    pub(crate) own_group: bool,
    pub(crate) dies_with_parent: bool,
    /// Umask and limits of the caller, where the child is not to have those of this process.
    pub(crate) caller: Option<Caller>,
    /// A bit for each CPU that it may run on, in words; none for those of this process.
    pub(crate) cpus: *const libc::c_ulong,
    pub(crate) cpus_words: usize,
    /// Its niceness; `None` for that of this process.
    pub(crate) nice: Option<i32>,
    /// Descriptors that it may have open; `None` for the limits of the caller, or of this process.
    pub(crate) open_files: Option<u64>,
    /// Whether this process is a host's, which may have ignored any signal, and have descriptors open that are passed
    /// on.
    pub(crate) of_a_guest: bool,
}

/// Which part of the start failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StartStep {
    /// Making the process.
    Clone,
    /// Descriptors, group, signals and limits.
    Prepare,
    /// Entering its folder.
    Folder,
    /// Placing it on its CPUs.
    Affinity,
    /// Giving it its niceness.
    Nice,
    /// Limiting its open files.
    OpenFiles,
    /// Running the program.
    Exec,
}

/// A start that failed; nothing is left of it.
#[derive(Debug)]
pub(super) struct Failed {
    pub(crate) step: StartStep,
    pub(crate) errno: i32,
}

/// What parent and child share until the program runs.
struct Shared<'a> {
    setup: &'a ChildSetup,
    parent: libc::pid_t,
    /// Whether the kernel has reset caught signals.
    signals_cleared: bool,
    /// Written by the child: `CLOCK_MONOTONIC` in nanoseconds right before its program takes over.
    started: u64,
    /// Written by the child: which of the files it tries.
    turn: usize,
    /// Written by the child.
    failed: Option<Failed>,
}

/// Whether clone3 was found to be refused.
static NO_CLONE3: AtomicBool = AtomicBool::new(false);

/// A stack for children of this thread: they use it one after the other.
struct Stack(*mut libc::c_void);

impl Stack {
    fn new() -> io::Result<Self> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a fresh private mapping; nothing else refers to the address.
        Ok(Self(unsafe { mmap_anonymous(std::ptr::null_mut(), STACK, protection, MapFlags::PRIVATE)? }))
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`; no child runs on it any more, because each has been waited for by CLONE_VFORK.
        let _ = unsafe { munmap(self.0, STACK) };
    }
}

thread_local! {
    static STACK_OF_CHILDREN: OnceCell<Stack> = const { OnceCell::new() };
}

fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL)
}

fn failed(step: StartStep, error: &io::Error) -> Failed {
    Failed { step, errno: error.raw_os_error().unwrap_or(libc::EINVAL) }
}

/// Starts a child; says which of its files it runs, counted from 0. When it began is told by the child itself: this thread goes on only when it has its turn again, which
/// may be after a short program's end.
///
/// # Safety
/// The pointers in `setup` are valid as it says.
pub(super) unsafe fn start(setup: &ChildSetup, group: Option<BorrowedFd<'_>>) -> Result<(StartedChild, usize), Failed> {
    let stack = STACK_OF_CHILDREN.with(|cell| match cell.get() {
        Some(stack) => Ok(stack.0),
        None => Stack::new().map(|stack| cell.get_or_init(|| stack).0),
    });
    let stack = stack.map_err(|error| failed(StartStep::Clone, &error))?;
    let mut shared = Shared {
        setup,
        // SAFETY: always succeeds.
        parent: unsafe { libc::getpid() },
        signals_cleared: false,
        started: 0,
        turn: 0,
        failed: None,
    };
    // No handler of ours may run in the child: it shares our memory.
    let blocked = Blocked::all();
    let made = clone_child(&mut shared, stack, group);
    drop(blocked);
    let (pid, pidfd) = made?;
    // SAFETY: the kernel has just made this descriptor for us.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    match shared.failed {
        None => Ok((StartedChild { pid, pidfd, at: shared.started }, shared.turn)),
        Some(failed) => {
            // It has ended by itself, without a program.
            // SAFETY: an unreaped child of this process; no status is asked for.
            while unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) } < 0 && errno() == libc::EINTR {}
            Err(failed)
        }
    }
}

fn clone_child(
    shared: &mut Shared<'_>,
    stack: *mut libc::c_void,
    group: Option<BorrowedFd<'_>>,
) -> Result<(libc::pid_t, RawFd), Failed> {
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD;
    let argument: *mut Shared<'_> = shared;
    let mut pidfd: RawFd = -1;
    if group.is_some() || !NO_CLONE3.load(Ordering::Relaxed) {
        // SAFETY: exclusive access as long as the child does not run.
        unsafe { (*argument).signals_cleared = true };
        let cgroup = group.map_or(0, |group| group.as_raw_fd() as u64);
        let into = if group.is_some() { CLONE_INTO_CGROUP } else { 0 };
        let arguments = CloneArguments {
            flags: flags as u64 | CLONE_CLEAR_SIGHAND | into,
            pidfd: &raw mut pidfd as u64,
            exit_signal: libc::SIGCHLD as u64,
            stack: stack as u64,
            stack_size: STACK as u64,
            cgroup,
            ..CloneArguments::default()
        };
        // SAFETY: the stack is this thread's and unused, `run_child` never returns, and both share only `argument`.
        let made = unsafe { clone3(&arguments, argument.cast()) };
        match made {
            Ok(pid) => return Ok((pid, pidfd)),
            // What an older kernel, one that does not know a flag, and a filter say.
            Err(libc::ENOSYS | libc::EPERM | libc::EINVAL | libc::E2BIG) if group.is_none() => {
                NO_CLONE3.store(true, Ordering::Relaxed);
            }
            Err(errno) => return Err(Failed { step: StartStep::Clone, errno }),
        }
    }
    // SAFETY: as above.
    unsafe { (*argument).signals_cleared = false };
    let top = stack.wrapping_byte_add(STACK);
    // SAFETY: as above; with CLONE_PIDFD the argument after `argument` is where the descriptor is written (clone(2)).
    let pid = unsafe { libc::clone(run_child, top, flags | libc::SIGCHLD, argument.cast(), &raw mut pidfd) };
    if pid < 0 { Err(Failed { step: StartStep::Clone, errno: errno() }) } else { Ok((pid, pidfd)) }
}

/// `struct clone_args` of clone3(2), version 2.
#[repr(C, align(8))]
#[derive(Default)]
pub(in crate::os) struct CloneArguments {
    pub(in crate::os) flags: u64,
    pub(in crate::os) pidfd: u64,
    pub(in crate::os) child_tid: u64,
    pub(in crate::os) parent_tid: u64,
    pub(in crate::os) exit_signal: u64,
    pub(in crate::os) stack: u64,
    pub(in crate::os) stack_size: u64,
    pub(in crate::os) tls: u64,
    pub(in crate::os) set_tid: u64,
    pub(in crate::os) set_tid_size: u64,
    pub(in crate::os) cgroup: u64,
}

/// The system call, after which the child goes on in [`run_child`] on its own stack. The C library has no wrapper for it,
/// and the usual one for system calls would have the child return through the parent's stack.
///
/// # Safety
/// `arguments` names a stack that is not in use; `argument` is a [`Shared`] that nothing else touches until this
/// returns.
unsafe fn clone3(arguments: &CloneArguments, argument: *mut libc::c_void) -> Result<libc::pid_t, i32> {
    let result: isize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: see above; r8 and r9 survive a system call, rcx and r11 do not (syscall(2)).
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r9",
            "call r8",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone3 as isize => result,
            in("rdi") std::ptr::from_ref(arguments),
            in("rsi") size_of::<CloneArguments>(),
            in("r8") run_child as *const (),
            in("r9") argument,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: see above; a system call changes x0 only (syscall(2)).
    unsafe {
        std::arch::asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, x3",
            "blr x2",
            "brk 1",
            "2:",
            inlateout("x0") std::ptr::from_ref(arguments) as isize => result,
            in("x1") size_of::<CloneArguments>(),
            in("x2") run_child as *const (),
            in("x3") argument,
            in("x8") libc::SYS_clone3,
        );
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        let _ = (arguments, argument);
        result = -(libc::ENOSYS as isize);
    }
    if result < 0 { Err(i32::try_from(-result).unwrap_or(libc::EINVAL)) } else { Ok(result as libc::pid_t) }
}

/// The child from its first instruction to its own program, which it does not return from.
extern "C" fn run_child(argument: *mut libc::c_void) -> libc::c_int {
    let shared: *mut Shared<'_> = argument.cast();
    // SAFETY: the parent stands still and has handed this over. Only async-signal-safe calls are made.
    unsafe {
        let failed = match prepare(&*shared) {
            Ok(()) => {
                (*shared).started = clock::monotonic();
                exec((*shared).setup, &raw mut (*shared).turn)
            }
            Err(failed) => failed,
        };
        (*shared).failed = Some(failed);
        libc::_exit(127)
    }
}

/// # Safety
/// As in [`run_child`].
unsafe fn prepare(shared: &Shared<'_>) -> Result<(), Failed> {
    let setup = shared.setup;
    let check =
        |result: libc::c_int, step: StartStep| if result < 0 { Err(Failed { step, errno: errno() }) } else { Ok(()) };
    // SAFETY: plain system calls on values and on pointers that `Setup` says are valid.
    unsafe {
        if shared.signals_cleared && !setup.of_a_guest {
            IGNORABLE.iter().for_each(|signal| signals::reset(*signal));
        } else {
            (1..=signals::LAST).for_each(signals::reset);
        }
        if setup.own_group {
            check(libc::setpgid(0, 0), StartStep::Prepare)?;
            forget_pending_signals();
        }
        if setup.dies_with_parent {
            #[cfg(target_os = "linux")]
            check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL), StartStep::Prepare)?;
            // The parent may have ended before that: then none is left to be told.
            if libc::getppid() != shared.parent {
                libc::_exit(0);
            }
        }
        if !setup.folder.is_null() {
            check(libc::chdir(setup.folder), StartStep::Folder)?;
        }
        if setup.of_a_guest {
            // Where the system cannot (before Linux 5.11), the child has them too.
            libc::close_range(3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC as libc::c_int);
        }
        descriptors(setup)?;
        if let Some(caller) = &setup.caller {
            libc::umask(caller.umask);
            let limit = libc::rlimit { rlim_cur: caller.descriptors, rlim_max: caller.most_descriptors };
            check(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), StartStep::Prepare)?;
            let limit = libc::rlimit { rlim_cur: caller.file_size, rlim_max: caller.most_file_size };
            check(libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit), StartStep::Prepare)?;
        }
        if let Some(most) = setup.open_files {
            let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
            check(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit), StartStep::OpenFiles)?;
        }
        if setup.cpus_words > 0 {
            let bytes = setup.cpus_words * size_of::<libc::c_ulong>();
            check(libc::sched_setaffinity(0, bytes, setup.cpus.cast()), StartStep::Affinity)?;
        }
        if let Some(nice) = setup.nice {
            check(libc::setpriority(libc::PRIO_PROCESS, 0, nice), StartStep::Nice)?;
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        check(libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut()), StartStep::Prepare)
    }
}

/// Takes back what came while all signals were blocked: it was sent to the group that the child has just left (the
/// terminal's Ctrl-C or Ctrl-Z), and would end or stop it, and this process with it, before its own program runs.
///
/// # Safety
/// As in [`run_child`].
unsafe fn forget_pending_signals() {
    let (all, at_once) = (u64::MAX, libc::timespec { tv_sec: 0, tv_nsec: 0 });
    let nobody = std::ptr::null_mut::<libc::siginfo_t>();
    // SAFETY: a plain system call; the set is as long as it says (rt_sigtimedwait(2)).
    let taken = || unsafe {
        libc::syscall(libc::SYS_rt_sigtimedwait, &raw const all, nobody, &raw const at_once, size_of_val(&all))
    };
    while taken() > 0 {}
}

/// Gives the child its descriptors.
///
/// # Safety
/// As in [`run_child`].
unsafe fn descriptors(setup: &ChildSetup) -> Result<(), Failed> {
    let fail = || Failed { step: StartStep::Prepare, errno: errno() };
    let mut sources = [-1 as RawFd; ABOVE_TARGETS as usize];
    // SAFETY: the array is as long as it says; the rest are system calls on numbers.
    unsafe {
        // One whose number is a target of another would be overwritten before its turn.
        for (position, moved) in sources.iter_mut().enumerate().take(setup.descriptor_count) {
            let (source, target) = *setup.descriptors.add(position);
            *moved = source;
            if source < ABOVE_TARGETS && source != target {
                *moved = libc::fcntl(source, libc::F_DUPFD_CLOEXEC, ABOVE_TARGETS);
                if *moved < 0 {
                    return Err(fail());
                }
            }
        }
        for (position, source) in sources.iter().enumerate().take(setup.descriptor_count) {
            let (_, target) = *setup.descriptors.add(position);
            let done =
                if *source == target { libc::fcntl(target, libc::F_SETFD, 0) } else { libc::dup2(*source, target) };
            if done < 0 {
                return Err(fail());
            }
        }
    }
    Ok(())
}

/// Tries each file (execvp(3)); returns only when none can be run.
///
/// # Safety
/// As in [`run_child`].
unsafe fn exec(setup: &ChildSetup, turn: *mut usize) -> Failed {
    let mut worst = libc::ENOENT;
    let mut file = setup.files;
    // SAFETY: the array ends with a null pointer; see `Setup`.
    unsafe {
        while !(*file).is_null() {
            libc::execve(*file, setup.argv, setup.environment);
            match errno() {
                libc::EACCES => worst = libc::EACCES,
                libc::ENOENT | libc::ENOTDIR | libc::ESTALE | libc::ENODEV | libc::ETIMEDOUT => {}
                errno => return Failed { step: StartStep::Exec, errno },
            }
            file = file.add(1);
            *turn += 1;
        }
    }
    Failed { step: StartStep::Exec, errno: worst }
}
