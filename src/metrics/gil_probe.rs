//! How late probes in interpreters went on: what the lock of an interpreter does to whoever wants it for a moment.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::metrics::latency::Recorded;
use crate::metrics::nanos::ns;
use crate::metrics::quantiles::Quantiles;

/// What the probes of a run have noted, all workers together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GilProbe {
    /// How much later than it was to a probe went on.
    pub late: Quantiles,
    /// After how long a thread asks for the lock, as the interpreter was set last.
    pub switch_interval: Duration,
}

/// Folds what workers tell.
#[derive(Debug, Default)]
pub(super) struct Probes(Option<Box<(Recorded, Duration)>>);

impl Probes {
    pub(super) fn add(&mut self, late: &[Duration], switch_interval: Duration) {
        let (times, interval) = &mut **self.0.get_or_insert_default();
        late.iter().for_each(|late| times.record_scattered(ns(*late)));
        *interval = switch_interval;
    }

    pub(super) fn figures(&mut self) -> Option<Box<GilProbe>> {
        let (times, switch_interval) = &mut **self.0.as_mut()?;
        Some(Box::new(GilProbe { late: times.quantiles(), switch_interval: *switch_interval }))
    }
}
