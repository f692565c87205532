//! The life of a worker that is kept: what it does before its first task, and when it is replaced although it is well.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use super::PythonCall;

/// When a worker is replaced although it is well. Nothing it holds is lost: it is given no more, and leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recycling {
    /// After so many tasks.
    pub max_tasks: Option<NonZeroU64>,
    /// When it has grown to so many bytes of resident memory, after the task that it is in then.
    pub max_rss_bytes: Option<u64>,
}

/// What a worker does once, before its first task, and again after each replacement.
#[derive(Clone, Debug, PartialEq)]
pub struct Initializer {
    /// What it calls, where workers are interpreters.
    pub call: Option<PythonCall>,
    /// Work, as the time that it takes a calibrated idle core.
    pub cpu: Duration,
    /// Bytes that it allocates, writes to and keeps.
    pub memory_bytes: u64,
    /// How probable it is that it fails, from 0 to 1.
    pub fail_rate: f64,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// After so many failures in a row the engine gives up.
    pub max_failures: NonZeroU32,
}
