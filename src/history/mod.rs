//! The run store: an embedded SQLite database in which every session leaves what it measured.
//!
//! Knows how it is stored and found again, and nothing else: it starts nothing, draws nothing, and decides neither where a
//! text goes nor what a difference means. A session comes in two steps. A row that says that it has begun ([`Store::begin`])
//! is written before anything runs, so that one whose program was killed is known; all that was measured comes in one
//! transaction when it is over ([`Store::finish`]).
//!
//! What is kept of a run: its figures (in the result of the session, schema `poolscope.result/1` or `poolscope.sweep/1`), and
//! a recording of its last moment (`metrics::recording`) with its whole distributions: every bucket of the histograms, so that
//! any percentile can be computed later. Of the older of more than eight runs of an arm, the percentiles 50, 90, 95, 99 and
//! those of `measure.percentiles` are exact, and the sum of their distributions is whole.
//!
//! [`place`] says where the database is, [`schema`] what is in it, [`query`] reads it; [`record`] has the types of both
//! directions; [`baseline`] and [`prune`] change what is there; [`comparable`] says what stands between two sessions, and
//! [`commit`] reads the version of the user's own work.

pub(crate) mod baseline;
pub(crate) mod commit;
pub(crate) mod comparable;
pub(crate) mod error;
pub(crate) mod place;
pub(crate) mod prune;
pub(crate) mod query;
pub(crate) mod record;
mod schema;
pub(crate) mod store;
#[cfg(test)]
mod tests;

pub(crate) use error::HistoryError;
pub(crate) use store::Store;
