//! What a run of an external arm needs.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::engine::arm::{RunRequest, StartError};
use crate::engine::external::SaidCapabilities;
use crate::engine::external::feed::Feed;
use crate::workload::model::{TaskClass, Workload};

/// Everything a run needs.
pub(super) struct Spec {
    pub(super) argv: Vec<OsString>,
    pub(super) folder: Option<PathBuf>,
    pub(super) worker_program: OsString,
    pub(super) classes: Vec<TaskClass>,
    pub(super) seed: u64,
    pub(super) iterations_per_second: f64,
    pub(super) workers: u32,
    pub(super) most_workers: u32,
    pub(super) silence: Duration,
    pub(super) feed: Feed,
    pub(super) said: SaidCapabilities,
}

impl Spec {
    pub(super) fn new(argv: &[OsString], request: RunRequest<'_>, said: SaidCapabilities) -> Result<Self, StartError> {
        let RunRequest { workload, spec, workers, stream, admission, context } = request;
        let feed = Feed::new(stream, admission);
        let feed = feed.ok_or(StartError::Unsupported { what: "tasks that are submitted while it runs" })?;
        let Workload { classes, folder, seed, .. } = workload;
        Ok(Self {
            argv: argv.to_vec(),
            folder: folder.clone(),
            worker_program: context.worker_program.clone(),
            classes: classes.clone(),
            seed: *seed,
            iterations_per_second: context.iterations_per_second,
            workers,
            most_workers: context.max_workers(),
            silence: spec.start_timeout,
            feed,
            said,
        })
    }
}
