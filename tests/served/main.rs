//! Programs that stay and are sent their tasks as lines: real ones, in every engine, through the program itself.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod answers;
mod harness;
mod input;
mod life;
