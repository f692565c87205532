//! Whose process this is. What is the whole process's own (its signals, its orphans, its limits, its umask, its heap, its
//! panic hook) is changed only with a [`ProcessOwner`], which the `main` of a program claims.
//!
//! As a library in a host's process Poolscope is a guest and claims nothing. Then
//! * signals keep their handlers and masks, and none is handled on a thread of ours ([`crate::os::threads`]);
//! * no child is reaped or signalled but those that were started here, each by its own pid;
//! * orphans go where they went before. So processes that a task leaves behind are not found while the run goes on, unless
//!   the host takes orphans in itself (`PR_SET_CHILD_SUBREAPER`, or as process 1); at its end those are ended that were born in its control groups or
//!   still carry its mark in their environment. The run says so with a note;
//! * tasks are started with the umask and the limits of the host, without its descriptors and its ignored signals.
//!
//! A host that waits for any child (`waitpid(-1)`) or ignores SIGCHLD takes the ends of workers away: how they ended is not
//! known then ([`crate::os::accounting::Exit::Unknown`]).
//!
//! Workers and guardians are processes of their own and claim themselves.

use std::sync::atomic::{AtomicBool, Ordering};

static CLAIMED: AtomicBool = AtomicBool::new(false);

/// Evidence that this whole process is Poolscope's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "claiming alone changes nothing: it is asked for by what does"]
pub struct ProcessOwner(());

impl ProcessOwner {
    /// Claims this process. For the `main` of a program, before it has started anything: from then on every child that
    /// has no owner counts as left behind by a task.
    pub fn claim() -> Self {
        CLAIMED.store(true, Ordering::Relaxed);
        Self(())
    }

    /// Evidence without a claim, for what follows from one.
    #[cfg(test)]
    pub(crate) fn claimed_for_a_test() -> Self {
        Self(())
    }

    /// The claim, where one was made.
    #[must_use]
    pub fn current() -> Option<Self> {
        CLAIMED.load(Ordering::Relaxed).then_some(Self(()))
    }
}
