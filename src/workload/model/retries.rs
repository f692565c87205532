//! Attempts after the first one.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Which attempts are repeated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retries {
    /// Attempts after the first one; 0 means none.
    pub max: u32,
    /// A worker that died.
    pub on_crash: bool,
    pub on_timeout: bool,
    /// An error or a non-zero exit code.
    pub on_error: bool,
    /// Pause before the next attempt.
    pub backoff: Backoff,
    /// Whether what is drawn of a task is drawn anew for each attempt; otherwise it is the same task again.
    pub redraw: bool,
}

/// Pause between an unsuccessful attempt and the next one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Backoff {
    /// Pause before the first retry; zero means none.
    pub delay: Duration,
    /// Each further pause is so many times the one before; 1 keeps it constant.
    pub factor: f64,
    /// Longest pause.
    pub max_delay: Duration,
    /// Whether the pause is drawn evenly from 0 to its length (seeded).
    pub jitter: bool,
}
