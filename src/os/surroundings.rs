//! What a child has instead of what this process has: CPUs, niceness and a limit of open files. They are set between clone and exec, so that
//! they hold from the first instruction of its program on, and for everything that it starts.

/// What a child has instead of what this process has; by default nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// A bit for each CPU that it may run on, in words as the kernel reads them; empty for those of this process.
    pub(super) cpus: Vec<libc::c_ulong>,
    pub(super) nice: Option<i32>,
    /// Descriptors that it may have open.
    pub(super) open_files: Option<u64>,
}

impl Surroundings {
    /// Exactly these CPUs, this niceness and this limit of open files, where they are given.
    #[must_use]
    pub fn new(cpus: Option<&[u32]>, nice: Option<i32>, open_files: Option<u64>) -> Self {
        let mut words: Vec<libc::c_ulong> = Vec::new();
        for cpu in cpus.unwrap_or_default() {
            let (word, bit) = (cpu / libc::c_ulong::BITS, cpu % libc::c_ulong::BITS);
            let word = word as usize;
            if words.len() <= word {
                words.resize(word + 1, 0);
            }
            if let Some(word) = words.get_mut(word) {
                *word |= 1 << bit;
            }
        }
        Self { cpus: words, nice, open_files }
    }

    /// Descriptors that the child may have open, where that is given.
    #[must_use]
    pub(crate) fn open_files(&self) -> Option<u64> {
        self.open_files
    }
}

/// The hard limit of open files of this process; `None` without one.
#[must_use]
pub(crate) fn most_open_files() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum
}

/// CPUs that are online, as the kernel lists them.
#[must_use]
pub(crate) fn online_cpus() -> Option<String> {
    Some(std::fs::read_to_string("/sys/devices/system/cpu/online").ok()?.trim().to_owned())
}

/// CPUs that this process may run on, ascending; `None` where the system does not tell.
#[must_use]
pub(crate) fn allowed_cpus() -> Option<Vec<u32>> {
    let set = rustix::thread::sched_getaffinity(None).ok()?;
    Some(
        (0..rustix::thread::CpuSet::MAX_CPU)
            .filter(|cpu| set.is_set(*cpu))
            .filter_map(|cpu| cpu.try_into().ok())
            .collect(),
    )
}

/// The niceness of this process, and the lowest that it may give itself or a child as far as its limit says
/// (`RLIMIT_NICE`, getrlimit(2)); a privileged one may give any.
#[must_use]
pub(crate) fn niceness() -> (i32, i32) {
    let own = rustix::process::getpriority_process(None).unwrap_or(0);
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nice).current;
    let by_limit = limit.map_or(-20, |limit| 20 - i32::try_from(limit.min(40)).unwrap_or(0));
    (own, by_limit.min(own))
}
