//! Engines as far as a file does not describe them: which there are where it names none, what each is where only its kind
//! is given, and under which names a file may give its number of workers. The loader reads by this, and changes are made
//! by it; nothing in here reads or reports.

use std::num::NonZeroU32;

use crate::workload::model::{
    DEFAULT_START_TIMEOUT, Dispatch, EngineKind, EngineSpec, Join, Placement, PythonSettings, Reap, Recycling,
    StartMethod, SubmitMode, Workers,
};
use crate::workload::yaml::Tree;

/// Names of the number of workers: ours, and those of libraries that people come from.
pub(crate) const WORKERS: [&str; 5] = ["workers", "processes", "max_workers", "n_jobs", "max_procs"];

/// The arms of a file that names none: one pool and one process engine, as many workers as cores.
pub(crate) fn default_arms() -> Vec<EngineSpec> {
    [EngineKind::Pool, EngineKind::Process].map(|kind| EngineSpec::of_kind(kind, Workers::Auto)).to_vec()
}

/// The same as it would be written.
pub(crate) fn default_tree() -> Tree {
    let text = |text: &str| Tree::Text(text.to_owned());
    let entry = |arm: &EngineSpec| Tree::Map(vec![(text("kind"), text(arm.kind.word()))]);
    Tree::Seq(default_arms().iter().map(entry).collect())
}

impl EngineSpec {
    /// An arm with the defaults of its kind, named like it. `workers` means nothing to a kind that has one worker.
    #[must_use]
    pub fn of_kind(kind: EngineKind, workers: Workers) -> Self {
        let workers = if kind.has_worker_count() { workers } else { Workers::Fixed(NonZeroU32::MIN) };
        Self {
            name: kind.word().to_owned(),
            kind,
            workers,
            chunksize: kind.default_chunksize(),
            start_timeout: DEFAULT_START_TIMEOUT,
            recycling: Recycling::default(),
            initializer: None,
            start_method: StartMethod::default(),
            chosen_start_method: None,
            join: Join::default(),
            reap: Reap::default(),
            on_timeout: None,
            submit: SubmitMode::default(),
            dispatch: Dispatch::default(),
            queue_capacity: None,
            placement: Placement::default(),
            python: PythonSettings::default(),
            when: None,
            interpreter: None,
        }
    }
}
