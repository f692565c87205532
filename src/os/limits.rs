//! How many processes and descriptors may be had.

use rustix::process::{Resource, getrlimit};

/// Processes that are left to others when the plan is checked.
const SPARE_PROCESSES: u64 = 200;
/// Most processes a plan may have at once, whatever the system allows.
const MOST_PROCESSES: u64 = 4096;

/// Soft limits; `None` means without limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Processes and threads of this user (`RLIMIT_NPROC`).
    pub processes: Option<u64>,
    /// Open descriptors of this process (`RLIMIT_NOFILE`).
    pub descriptors: Option<u64>,
}

impl Limits {
    /// Reads them.
    #[must_use]
    pub fn read() -> Self {
        Self { processes: getrlimit(Resource::Nproc).current, descriptors: getrlimit(Resource::Nofile).current }
    }

    /// Most worker processes a plan may have at once: the smaller of 4096 and the process limit less 200.
    #[must_use]
    pub fn safe_processes(&self) -> u32 {
        let allowed = self.processes.map_or(u64::MAX, |limit| limit.saturating_sub(SPARE_PROCESSES));
        u32::try_from(allowed.min(MOST_PROCESSES)).unwrap_or(u32::MAX).max(1)
    }
}

/// Raises the soft limit of open descriptors to the hard one: each worker takes a few.
pub fn raise_descriptors() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        // Where it may not be raised, starting workers says so in time.
        let _ = rustix::process::setrlimit(Resource::Nofile, limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_safe_number_leaves_room_for_others() {
        let safe = |processes| Limits { processes, descriptors: None }.safe_processes();
        assert_eq!(safe(None), 4096);
        assert_eq!(safe(Some(1000)), 800);
        assert_eq!(safe(Some(100)), 1);
    }
}
