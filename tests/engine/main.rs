//! Engines on real processes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod basics;
mod faults;
mod fork_server;
mod ghosts;
mod lanes;
mod lateness;
mod lives;
mod observers;
mod orders;
mod perl;
mod recycle;
mod silence;
mod stops;
mod submits;
mod turns;
mod unendable;
