//! Who else is told what happens in the runs of a session, beside its recorder.

use std::fmt::Debug;

use crate::engine::event::Observer;
use crate::metrics::snapshot::RunId;

/// Makes an observer for each run. It is told everything on the engine's own thread, after the recorder.
pub trait ObserverSource: Debug + Send + Sync {
    /// The observer of a run that is about to begin.
    fn observer(&self, run: RunId) -> Box<dyn Observer>;
}
