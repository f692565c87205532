//! What is written about runs while they go on: the seam between an observer and the formats of a log.

use std::fmt::Write as _;
use std::time::Duration;

use crate::engine::event::{Batch, EngineView, Event, Moment, Record};
use crate::metrics::snapshot::RunId;

/// A run that is watched.
#[derive(Clone, Debug)]
pub(crate) struct Begun {
    pub(crate) arm: String,
    /// Kind of its engine.
    pub(crate) engine: &'static str,
    pub(crate) workers: u32,
    pub(crate) run: RunId,
    /// Since the session began.
    pub(crate) since: Duration,
    /// Names of the classes of tasks.
    pub(crate) classes: Vec<String>,
}

/// Lines about one run. Quick: it is called on the engine's thread.
pub(crate) trait Lines: Send {
    /// It has begun.
    fn begin(&mut self, out: &mut String);
    /// Something happened.
    fn event(&mut self, out: &mut String, now: Moment, event: &Event<'_>);
    /// The state, about ten times a second and once at the end.
    fn state(&mut self, out: &mut String, now: Moment, view: &EngineView<'_>);
    /// So many lines could not be taken by what writes them, and are missing before this place.
    fn lost(&mut self, out: &mut String, count: u64);
}

/// When the tasks of a batch were dispatched: when they were sent, or when their worker was free for them.
pub(crate) fn dispatched<'a>(batch: &'a Batch<'a>) -> impl Iterator<Item = (Moment, &'a Record)> + 'a {
    let mut free = batch.free_since;
    batch.records.iter().map(move |record| {
        let dispatched = batch.sent.max(free).min(record.start);
        free = record.start + Duration::from_nanos(record.service) + Duration::from_nanos(record.after);
        (dispatched, record)
    })
}

/// Seconds with nine digits: exact, and much quicker than by way of floating point.
pub(crate) fn seconds(out: &mut String, nanos: u64) {
    let _ = write!(out, "{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
}

/// Text as JSON has it, without a character that would control a terminal.
pub(crate) fn quoted(text: &str) -> String {
    super::json::escaped(serde_json::to_string(text).unwrap_or_default())
}
