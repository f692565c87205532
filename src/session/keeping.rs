//! Runs that outlive a session: those that were made before it, and where it sends those that it makes.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::metrics::snapshot::Snapshot;

/// A counted run that was made to its end.
#[derive(Clone, Debug)]
pub struct KeptRun {
    /// Index of its arm in the session.
    pub arm: usize,
    /// Worker count that it had.
    pub workers: u32,
    /// Runs of the same round were made right after each other.
    pub round: u32,
    /// Its end.
    pub run: Arc<Snapshot>,
}

/// What a session goes on from, and who is told of its runs.
#[derive(Debug, Default)]
pub struct Keeping {
    /// Runs that count as if this session had made them; arms that it does not have are left out.
    pub earlier: Vec<KeptRun>,
    /// Gets each counted run in which the user had no hand; sending never waits.
    pub sender: Option<mpsc::UnboundedSender<KeptRun>>,
}
