//! One comparison in progress: which arm runs when, the tracks of the runs, and the verdict so far.
//!
//! Headless commands and the dashboard drive the same session; a fair one never runs two arms at once.

pub mod handle;
pub mod view;
