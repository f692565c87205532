//! Gives a terminal back when a signal that cannot be waited for ends the process: a crash, or one that is not watched.
//! Only what may be done in a signal handler (signal-safety(7)) is done there; everything else belongs to the code that
//! took the terminal.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use crate::os::process_owner::ProcessOwner;

/// Crashes. Each ends the process afterwards, as it would have without us.
const CRASHES: [libc::c_int; 7] =
    [libc::SIGABRT, libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGSYS];

/// What is to be done.
struct LastAct {
    /// Written to standard output.
    farewell: &'static [u8],
    /// Set for standard input.
    modes: libc::termios,
}

static ARMED: AtomicBool = AtomicBool::new(false);
static ACT: AtomicPtr<LastAct> = AtomicPtr::new(std::ptr::null_mut());

/// From now on such an end writes this to the terminal, and sets the modes that it has now.
pub(crate) fn arm(_: ProcessOwner, farewell: &'static [u8]) {
    static ONCE: Once = Once::new();
    // SAFETY: plain data that the call fills in.
    let mut modes: libc::termios = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    if unsafe { libc::tcgetattr(libc::STDIN_FILENO, &raw mut modes) } != 0 {
        return;
    }
    // Never freed: a handler may be reading the one before. Terminals are taken a few times in a process's life.
    ACT.store(Box::leak(Box::new(LastAct { farewell, modes })), Ordering::SeqCst);
    ARMED.store(true, Ordering::SeqCst);
    ONCE.call_once(|| CRASHES.into_iter().for_each(install));
}

/// The terminal was given back.
pub(crate) fn disarm() {
    ARMED.store(false, Ordering::SeqCst);
}

fn install(signal: libc::c_int) {
    // SAFETY: the handler does only what is async-signal-safe; the struct is plain data. An alternate stack, where the
    // runtime has set one up, is what a stack that overflowed needs.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = act as *const () as usize;
        action.sa_flags = libc::SA_ONSTACK | libc::SA_RESETHAND;
        libc::sigaction(signal, &raw const action, std::ptr::null_mut());
    }
}

extern "C" fn act(signal: libc::c_int) {
    if ARMED.swap(false, Ordering::SeqCst) {
        // SAFETY: what is pointed to is never freed; write, tcsetattr and raise are async-signal-safe.
        unsafe {
            if let Some(act) = ACT.load(Ordering::SeqCst).as_ref() {
                libc::write(libc::STDOUT_FILENO, act.farewell.as_ptr().cast(), act.farewell.len());
                libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, &raw const act.modes);
            }
        }
    }
    // SAFETY: async-signal-safe; it comes once the handler is over, and the default is in place again.
    unsafe { libc::raise(signal) };
}
