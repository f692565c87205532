//! Whether there was a standard output when the program began.
//!
//! The language's runtime opens `/dev/null` in the place of a closed descriptor before `main`, after which a result
//! would be written to nowhere without an error. So the program has it looked at earlier, when it is loaded.

use std::sync::atomic::{AtomicBool, Ordering};

static CLOSED: AtomicBool = AtomicBool::new(false);

/// Whether standard output was closed when the program began; false where [`look`] was not called.
#[must_use]
pub(crate) fn was_closed() -> bool {
    CLOSED.load(Ordering::Relaxed)
}

/// Looks. For a program, by [`crate::on_load`].
pub fn look() {
    // SAFETY: only asks for the flags of a descriptor, which may be closed; that is the question.
    if unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_GETFD) } < 0 {
        CLOSED.store(true, Ordering::Relaxed);
    }
}
