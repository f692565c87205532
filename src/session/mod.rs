//! One comparison in progress: which arm runs when, the tracks of the runs, and the verdict so far.
//!
//! Headless commands and the dashboard drive the same session; a fair one never runs two arms at once. Nothing in here
//! counts or measures: that is the recorder's part.

mod agenda;
mod arm;
pub(crate) mod arm_spec;
pub mod conductor;
mod deadline;
pub mod ending;
pub(crate) mod error;
pub mod escalation;
pub mod handle;
pub mod keeping;
mod kills;
mod lifecycle;
pub mod observing;
mod schedule;
pub(crate) mod stream;
pub(crate) mod suspension;
pub mod view;
mod wake;
