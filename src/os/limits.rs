//! How many processes and descriptors, and how much memory, may be had.

use rustix::process::{Resource, getrlimit};
use sysinfo::{MemoryRefreshKind, RefreshKind, System};

use crate::os::cgroup;

/// Processes that are left to others when the plan is checked.
const SPARE_PROCESSES: u64 = 200;
/// Most processes a plan may have at once, whatever the system allows.
const MOST_PROCESSES: u64 = 4096;
/// Processes and threads of a control group that are left to the dashboard, the engine and the guardian.
const SPARE_IN_GROUP: u64 = 16;

/// What may be had now; `None` means without limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Processes and threads of this user (`RLIMIT_NPROC`).
    pub processes: Option<u64>,
    /// Open descriptors of this process (`RLIMIT_NOFILE`).
    pub descriptors: Option<u64>,
    /// Processes and threads that the control group lets start from now on (`pids.max` less `pids.current`).
    pub group_processes: Option<u64>,
    /// Bytes that can be allocated without swapping: the smaller of what the system and the control group have left;
    /// `None` where neither tells.
    pub memory_available: Option<u64>,
}

impl Limits {
    /// Reads them.
    #[must_use]
    pub fn read() -> Self {
        Self {
            processes: getrlimit(Resource::Nproc).current,
            descriptors: getrlimit(Resource::Nofile).current,
            group_processes: cgroup::processes_left(),
            memory_available: memory_available(),
        }
    }

    /// Most worker processes a plan may have at once: the smallest of 4096, the user's limit less 200, and what the
    /// control group has left less 16.
    #[must_use]
    pub fn safe_processes(&self) -> u32 {
        let of_user = self.processes.map_or(u64::MAX, |limit| limit.saturating_sub(SPARE_PROCESSES));
        let of_group = self.group_processes.map_or(u64::MAX, |left| left.saturating_sub(SPARE_IN_GROUP));
        u32::try_from(of_user.min(of_group).min(MOST_PROCESSES)).unwrap_or(u32::MAX).max(1)
    }
}

fn memory_available() -> Option<u64> {
    let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system =
        System::new_with_specifics(memory).ok().map(|system| system.available_memory()).filter(|bytes| *bytes > 0);
    system.into_iter().chain(cgroup::memory_left()).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_safe_number_leaves_room_for_others() {
        let safe = |processes, group_processes| {
            Limits { processes, descriptors: None, group_processes, memory_available: None }.safe_processes()
        };
        assert_eq!(safe(None, None), 4096);
        assert_eq!(safe(Some(1000), None), 800);
        assert_eq!(safe(Some(100), None), 1);
        assert_eq!(safe(Some(1000), Some(64)), 48);
        assert_eq!(safe(None, Some(3)), 1);
        assert_eq!(safe(Some(300), Some(1_000_000)), 100);
    }

    #[test]
    fn this_machine_has_memory_left() {
        let available = Limits::read().memory_available;
        assert!(available.is_some_and(|bytes| bytes > 1 << 20), "{available:?}");
    }
}
