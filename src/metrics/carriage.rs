//! Bytes that travel with tasks and results: how many, and what that takes beside the work. Costs nothing where none do.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::event::Carried;
use crate::metrics::latency::Recorded;
use crate::metrics::nanos::ns;
use crate::metrics::quantiles::Quantiles;

/// What travelled with the tasks of a run that were reported, and what that took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Carriage {
    /// Tasks with bytes in either direction, or with a result that was made a number of.
    pub tasks: u64,
    /// Bytes that came with tasks: payloads, and numbers that were drawn for them.
    pub bytes_in: u64,
    /// Bytes that tasks returned: payloads, and pickled results.
    pub bytes_out: u64,
    /// Results that nothing can be made of that could be compared with those of another arm.
    pub opaque: u64,
    /// Making the bytes that go with a task.
    pub packing_in: Quantiles,
    /// From their being sent, and the worker's being free for them, until all of them are there.
    pub transfer_in: Quantiles,
    /// Making arguments of them.
    pub unpacking: Quantiles,
    /// Making bytes of a result.
    pub packing: Quantiles,
    /// Making a number of a result.
    pub hashing: Quantiles,
    /// From then until all of a result is here.
    pub transfer_out: Quantiles,
}

impl Carriage {
    /// Its six times, in the order in which they pass.
    #[must_use]
    pub(crate) fn times(&self) -> [(&'static str, &Quantiles); 6] {
        [
            ("serialise in", &self.packing_in),
            ("transfer in", &self.transfer_in),
            ("deserialise", &self.unpacking),
            ("serialise out", &self.packing),
            ("hash", &self.hashing),
            ("transfer out", &self.transfer_out),
        ]
    }
}

/// Folds what is told of single tasks.
#[derive(Debug, Default)]
pub(super) struct Carriages(Option<Box<Folded>>);

#[derive(Debug, Default)]
struct Folded {
    figures: Carriage,
    times: [Recorded; 6],
    /// Of these, what workers did before the first instruction of tasks.
    before: u64,
}

impl Carriages {
    pub(super) fn add(&mut self, carried: &Carried) {
        let Folded { figures, times, before } = &mut **self.0.get_or_insert_default();
        figures.tasks += 1;
        figures.bytes_in += carried.bytes_in;
        figures.bytes_out += carried.bytes_out;
        figures.opaque += u64::from(carried.opaque);
        let [packing_in, transfer_in, unpacking, packing, hashing, transfer_out] = times;
        // A time is that of the tasks that have something of the kind.
        let record = |times: &mut Recorded, time: Duration, has: bool| {
            if has {
                times.record_scattered(ns(time));
            }
        };
        record(packing_in, carried.packing_in, carried.bytes_in > 0);
        record(transfer_in, carried.transfer_in, carried.bytes_in > 0 && carried.told);
        record(unpacking, carried.unpacking, !carried.unpacking.is_zero());
        record(packing, carried.packing, !carried.packing.is_zero());
        record(hashing, carried.hashing, !carried.hashing.is_zero());
        record(transfer_out, carried.transfer_out, carried.bytes_out > 0 && carried.told);
        *before += ns(carried.transfer_in + carried.unpacking);
    }

    /// Time of workers between the dispatch of tasks and their first instructions that bytes took, in nanoseconds.
    pub(super) fn before(&self) -> u64 {
        self.0.as_ref().map_or(0, |folded| folded.before)
    }

    pub(super) fn figures(&mut self) -> Option<Box<Carriage>> {
        let Folded { figures, times, .. } = &mut **self.0.as_mut()?;
        let [packing_in, transfer_in, unpacking, packing, hashing, transfer_out] =
            times.each_mut().map(Recorded::quantiles);
        Some(Box::new(Carriage {
            packing_in,
            transfer_in,
            unpacking,
            packing,
            hashing,
            transfer_out,
            ..figures.clone()
        }))
    }
}
