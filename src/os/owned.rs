//! Which children of this process have an owner here, and which have come from elsewhere.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::Pid;

use crate::os::process_table::{children, raw};

/// Children of this process that have an owner. Locked while one is started, so that no sweep takes a child that has
/// ended already for an orphan before its owner is known.
static OWNED: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// The children that have an owner, for as long as no other can be started or reaped.
pub(super) fn owned() -> MutexGuard<'static, BTreeSet<i32>> {
    // A thread that panicked with the lock did not leave the set half changed.
    OWNED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Children of this process that it has not started itself.
pub(super) fn arrived() -> Vec<Pid> {
    let mut arrived = children();
    if !arrived.is_empty() {
        let owned = owned();
        arrived.retain(|pid| !owned.contains(&raw(*pid)));
    }
    arrived
}
