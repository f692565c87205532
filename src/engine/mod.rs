//! HOW it runs. Pool and process are two policies of one dispatcher.
//!
//! `dispatcher` is a pure state machine (no clock, no I/O), `driver` carries out its effects on real processes, and an
//! [`event::Observer`] is told what happened. Nothing in here knows who observes: never use `metrics`, `tui` or `report`.

pub mod assembly;
pub mod clock;
pub mod control;
pub mod dispatcher;
pub mod driver;
pub mod event;
pub mod outcome;
pub mod stream;
