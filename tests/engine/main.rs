//! Engines on real processes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod basics;
mod chunks;
mod deaths;
mod ends;
mod faults;
mod fork_server;
mod ghosts;
mod joins;
mod lanes;
mod lateness;
mod lives;
mod memory;
mod observers;
mod orders;
mod perl;
mod recycle;
mod same;
mod silence;
mod stops;
mod struck;
mod submission;
mod submits;
mod suspended;
mod turns;
mod unendable;
mod unkillable;
