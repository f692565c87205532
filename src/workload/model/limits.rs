//! `limits`: what a workload may take of a machine, whatever more the machine has.

use std::num::NonZeroU32;
use std::time::Duration;

/// Upper bounds that a file sets for itself; `None` where the machine's alone hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Processes alive at once in one run: workers and the programs that are tasks.
    pub max_processes: Option<NonZeroU32>,
    /// Bytes that tasks and initializers may be known to allocate at once.
    pub max_memory_bytes: Option<u64>,
    /// From the beginning of the first run to the end of the last one, without the time for which all of it was
    /// suspended.
    pub max_time: Option<Duration>,
    /// Descriptors that each worker and each program may have open (`RLIMIT_NOFILE`, getrlimit(2)).
    pub max_open_files: Option<u64>,
}
