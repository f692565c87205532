//! The machine: how many cores there are and how many of them may be used.

use crate::os::cgroup;

/// What is known about the machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Host {
    /// Host name.
    pub name: String,
    /// Processors that are online.
    pub cores_online: u32,
    /// Processors this process may run on (`sched_getaffinity`).
    pub cores_affinity: u32,
    /// CPU time per wall time that the cgroup allows (v2 `cpu.max`, v1 `cpu.cfs_quota_us`); `None` without a limit.
    pub cores_quota: Option<f64>,
    /// Processor model as the system names it.
    pub cpu_model: String,
    /// Kernel name and release.
    pub kernel: String,
    /// Main memory in bytes.
    pub memory_bytes: u64,
}

impl Host {
    /// Reads what this machine tells. What it does not tell is empty, zero or the number of cores.
    #[must_use]
    pub fn detect() -> Self {
        let online = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
        let affinity = affinity().unwrap_or(online);
        let uname = rustix::system::uname();
        Self {
            name: uname.nodename().to_string_lossy().into_owned(),
            cores_online: online_cores().unwrap_or(online).max(affinity),
            cores_affinity: affinity,
            cores_quota: cgroup::cpu_quota(),
            cpu_model: cpu_model(),
            kernel: format!("{} {}", uname.sysname().to_string_lossy(), uname.release().to_string_lossy()),
            memory_bytes: sysinfo::System::new_with_specifics(
                sysinfo::RefreshKind::nothing().with_memory(sysinfo::MemoryRefreshKind::nothing().with_ram()),
            )
            .map_or(0, |system| system.total_memory()),
        }
    }

    /// What `workers: auto` means here: the smaller of affinity and quota (rounded up), at least 1.
    #[must_use]
    pub fn usable_cores(&self) -> u32 {
        let quota = self.cores_quota.map_or(u32::MAX, |quota| (quota.ceil() as u32).max(1));
        self.cores_affinity.min(quota).max(1)
    }
}

/// Processors this process may run on.
fn affinity() -> Option<u32> {
    #[cfg(target_os = "linux")]
    return rustix::thread::sched_getaffinity(None).ok().map(|set| set.count());
    #[cfg(not(target_os = "linux"))]
    None
}

/// Processors that are online (`/sys/devices/system/cpu/online`).
fn online_cores() -> Option<u32> {
    count_list(std::fs::read_to_string("/sys/devices/system/cpu/online").ok()?.trim())
}

/// Length of a list such as `0-3,8,10-11`.
fn count_list(list: &str) -> Option<u32> {
    list.split(',').try_fold(0u32, |sum, part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        sum.checked_add(last.checked_sub(first)?.checked_add(1)?)
    })
}

fn cpu_model() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let names = ["model name", "Model", "Hardware", "CPU part"];
    names
        .iter()
        .find_map(|name| {
            let line = text.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == *name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        })
        .unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_processors() {
        assert_eq!(count_list("0-3,8,10-11"), Some(7));
        assert_eq!(count_list("0"), Some(1));
        assert_eq!(count_list("3-1"), None);
        assert_eq!(count_list(""), None);
    }

    #[test]
    fn usable_cores_are_the_smaller_of_affinity_and_quota() {
        let host = |affinity, quota| Host { cores_affinity: affinity, cores_quota: quota, ..Host::detect() };
        assert_eq!(host(8, None).usable_cores(), 8);
        assert_eq!(host(8, Some(2.5)).usable_cores(), 3);
        assert_eq!(host(2, Some(16.0)).usable_cores(), 2);
        assert_eq!(host(4, Some(0.2)).usable_cores(), 1);
    }

    #[test]
    fn this_machine_has_cores_and_memory() {
        let host = Host::detect();
        assert!(host.usable_cores() >= 1 && host.cores_online >= host.cores_affinity, "{host:?}");
        assert!(host.memory_bytes > 1 << 24);
    }
}
