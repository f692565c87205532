//! The life of processes, beyond the tasks in them: how they came to be and how they went.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What is known of the lives of a run's processes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Life {
    pub fork_servers: ForkServers,
}

/// What workers were forked from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkServers {
    /// Servers that became ready: one, and one more for each that had to be replaced.
    pub starts: u64,
    /// CPU time of those that have ended, their initializers and their forks: in the run's CPU time, and in no worker's.
    pub cpu: Duration,
}
