//! The first and the last thing a small process does: deciding what it is before the standard library has set anything
//! up, and leaving without tearing anything down.
//!
//! Before `main` Rust's runtime looks at the standard descriptors, reads the memory map for the stack's guard page and
//! sets up handlers and a stack for them: a sixth of what it takes to start a worker that needs none of it.

/// Has a function called before the standard library's runtime is set up, where the C library makes that possible; the
/// program calls it at the top of `main` as well. Arguments and environment are known by then; signals are as they were
/// inherited.
///
/// To be used once, in the program itself: in a library it would run in every program that is linked with it.
#[macro_export]
macro_rules! before_main {
    ($run:path) => {
        // glibc hands arguments to initialisers, which is how the standard library knows them before `main`.
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        const _: () = {
            extern "C" fn early() {
                $run();
            }
            // SAFETY: the section holds pointers to functions that are called once, on the only thread there is; the
            // standard library's own entry has a number and so comes before this one.
            #[used]
            #[unsafe(link_section = ".init_array")]
            static EARLY: extern "C" fn() = early;
        };
    };
}

/// Has a function called when the program is loaded, before the standard library's runtime is set up. It must need nothing
/// of that, nor arguments or the environment. To be used in the program itself, as `before_main`.
#[macro_export]
macro_rules! on_load {
    ($run:path) => {
        const _: () = {
            extern "C" fn on_load() {
                $run();
            }
            // SAFETY: the section holds pointers to functions that are called once each before `main`.
            #[used]
            #[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
            #[cfg_attr(not(target_os = "macos"), unsafe(link_section = ".init_array"))]
            static ON_LOAD: extern "C" fn() = on_load;
        };
    };
}

/// Ends this process at once: no destructors, no handlers, no flushing (`_exit(2)`).
pub(crate) fn leave(code: i32) -> ! {
    // SAFETY: ends the process whatever state it is in.
    unsafe { libc::_exit(code) }
}

/// Ends this process by a signal, as a crash does, and leaves no picture of its memory behind.
pub(crate) fn end_by_signal(signal: i32) -> ! {
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    // Where that is refused there is one file more.
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, none);
    crate::os::signals::reset(signal);
    // SAFETY: plain data; the set is filled by the calls, and the signal is for this thread.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
        libc::kill(libc::getpid(), signal);
    }
    // One that does not end a process.
    std::process::abort()
}

/// Whether this program was linked statically: started without a loader (`getauxval(3)`).
#[must_use]
pub(crate) fn linked_statically() -> bool {
    #[cfg(target_os = "linux")]
    // SAFETY: only reads what the kernel told this process when it started.
    let linked_statically = unsafe { libc::getauxval(libc::AT_BASE) } == 0;
    #[cfg(not(target_os = "linux"))]
    let linked_statically = false;
    linked_statically
}
