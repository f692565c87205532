//! Engines on real processes.

#[path = "../support/mod.rs"]
mod support;

mod basics;
mod faults;
