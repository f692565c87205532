//! Folds what happened into bounded aggregates. The only place that counts, averages or takes percentiles of a run.
//!
//! Knows the vocabulary of `engine` (events, outcomes) and nothing of how engines work.

pub mod distribution;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod kept;
pub mod kills;
pub mod latency;
pub mod log;
pub mod nanos;
pub mod quantiles;
pub mod recorder;
pub mod recording;
pub mod results_hash;
pub mod sampler;
pub mod slots;
pub mod snapshot;
pub mod suspect;
pub mod track;
pub mod windows;
