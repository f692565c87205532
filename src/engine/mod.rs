//! HOW it runs. Pool and process are two policies of one dispatcher.
//!
//! An [`arm::Arm`] is whatever can run the stream: [`dispatched`] is ours, [`external`] another program's.
//! `dispatcher` is a pure state machine (no clock, no I/O), `driver` carries out its effects on real processes, and an
//! [`event::Observer`] is told what happened. Nothing in here knows who observes: never use `metrics`, `tui` or `report`.

pub(crate) mod arm;
pub(crate) mod clock;
pub mod context;
pub mod control;
pub(crate) mod death;
pub(crate) mod dispatched;
pub mod dispatcher;
pub mod driver;
pub mod error;
pub mod event;
pub mod external;
pub(crate) mod moment;
pub mod outcome;
pub mod stream;
pub mod submission;
pub(crate) mod worker_id;

/// An error and everything that it comes from, in one line.
#[must_use]
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
