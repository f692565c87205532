//! The machine: how many cores there are and how many of them may be used.

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
    /// What `workers: auto` means here: the smaller of affinity and quota (rounded up), at least 1.
    #[must_use]
    pub fn usable_cores(&self) -> u32 {
        let quota = self.cores_quota.map_or(u32::MAX, |quota| (quota.ceil() as u32).max(1));
        self.cores_affinity.min(quota).max(1)
    }
}
