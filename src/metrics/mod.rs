//! Folds what happened into bounded aggregates. The only place that counts, averages or takes percentiles of a run.
//!
//! Knows the vocabulary of `engine` (events, outcomes) and nothing of how engines work.

mod carriage;
pub(crate) mod classes;
pub(crate) mod course;
pub(crate) mod delivery;
pub(crate) mod distribution;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod gil_probe;
pub(crate) mod kept;
pub(crate) mod kills;
pub(crate) mod latency;
pub mod life;
pub(crate) mod load;
pub(crate) mod log;
pub(crate) mod nanos;
pub(crate) mod quantiles;
pub mod recorder;
pub mod recording;
pub(crate) mod results_hash;
pub(crate) mod sampler;
pub(crate) mod slots;
pub mod snapshot;
pub(crate) mod stages;
pub(crate) mod stalls;
pub(crate) mod suspect;
pub mod track;
pub(crate) mod windows;
