//! What a run of an external arm needs.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::engine::arm::{RunRequest, StartError};
use crate::engine::external::SaidCapabilities;
use crate::engine::external::feed::Feed;
use crate::engine::external::protocol::CallerOrders;
use crate::os::spawn::Program;
use crate::worker::shim::Shim;
use crate::workload::model::TaskClass;

/// Everything a run needs.
pub(super) struct Spec {
    pub(super) program: Program,
    /// The program's name, to be told.
    pub(super) name: String,
    pub(super) worker_program: OsString,
    pub(super) classes: Vec<TaskClass>,
    pub(super) seed: u64,
    pub(super) iterations_per_second: f64,
    pub(super) workers: u32,
    pub(super) most_workers: u32,
    pub(super) silence: Duration,
    /// How long its workers may take to leave after the last task.
    pub(super) leaving: Duration,
    pub(super) feed: Feed,
    pub(super) said: SaidCapabilities,
    /// What is in its processes, and which calls it makes, where it is the caller of a reference arm.
    pub(super) shim: Option<Shim>,
    pub(super) calls: Option<Calls>,
}

/// The calls of a reference arm.
#[derive(Clone, Debug)]
pub(super) struct Calls {
    pub(super) orders: CallerOrders,
    /// Whether each task has a process of its own.
    pub(super) process_per_task: bool,
    /// Whether it hears of the end of a worker, so that nothing is waited for in vain.
    pub(super) tells_of_ends: bool,
    /// How many workers in a row may fail in their initializer, where it would start others for ever.
    pub(super) most_not_initialized: Option<NonZeroU32>,
}

impl Spec {
    /// A run of this program, given with its name.
    pub(super) fn new(
        (program, name): (Program, String),
        request: RunRequest<'_>,
        said: SaidCapabilities,
    ) -> Result<Self, StartError> {
        let RunRequest { workload, spec, workers, stream, admission, context, .. } = request;
        let feed = Feed::new(stream, admission);
        let feed = feed.ok_or(StartError::Unsupported { what: "tasks that are submitted while it runs" })?;
        Ok(Self {
            program,
            name,
            worker_program: context.worker_program.clone(),
            classes: workload.classes.clone(),
            seed: workload.seed,
            iterations_per_second: context.iterations_per_second,
            workers,
            most_workers: context.max_workers(),
            silence: spec.start_timeout,
            leaving: workload.measure.join_timeout,
            feed,
            said,
            shim: None,
            calls: None,
        })
    }
}
