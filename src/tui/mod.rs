//! The dashboard: draws a session's view and sends its commands; it never looks inside an engine and never waits for one.
//!
//! * [`model`], [`state`], [`keys`]: what is shown, what the user chose, what a key means. Pure.
//! * [`draw`], [`widgets`], [`theme`], [`text`], [`format`]: one frame from these. Pure.
//! * `terminal`, `screen`, `input`, `event_loop`: the only parts that touch the terminal, the clock and signals.

pub mod draw;
#[cfg(test)]
pub(crate) mod fixture;
pub mod format;
pub mod keys;
mod lints;
pub mod model;
pub mod state;
pub mod text;
pub mod theme;
pub mod widgets;
