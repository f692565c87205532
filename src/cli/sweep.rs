//! The command line of `sweep`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::{ChangeArgs, HiddenBatchArgs, Output};
use crate::workload::model::Dimension;

/// Arguments of `sweep`.
#[derive(Debug, Args)]
pub struct SweepArgs {
    /// Workload file or name of a bundled workload
    pub file: String,
    /// Arms to sweep: entries in `engines:` or kinds; all entries without this
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub engines: Vec<String>,
    /// Try these values of a field: a list (chunksize=1,4,16), a range (workers=1..8) or steps (service_time=1ms..64msx2).
    /// Of several fields, all combinations. Fields are those of --set; what only engines, tasks or arrivals have
    /// may stand alone. Replaces `sweep:` of the file
    #[arg(long = "sweep", value_name = "FIELD=VALUES")]
    pub sweep: Vec<Dimension>,
    /// Run clearly bad points as often as the others too: without it, the worse half of an engine's points gets no more runs after a
    /// round, as far as it has less than 80 % of the best rate
    #[arg(long)]
    pub full: bool,
    /// Keep each run in this folder as soon as it is made, and go on from what is there: after an interruption, or with more
    /// repeats. Refused for another workload, other points or another machine
    #[arg(long, value_name = "FOLDER")]
    pub resume: Option<PathBuf>,
    /// Counted runs of each worker count [default: 3]; without --workers one where the rate still rises steeply, and more
    /// where they differ too much to tell: up to three times as many, up to 40 of short ones
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub repeats: Option<u32>,
    /// Runs of each arm that are not counted
    #[arg(long)]
    pub warmup: Option<u32>,
    /// How the workload is changed before it is run.
    #[command(flatten)]
    pub changes: ChangeArgs,
    /// Refused, with the reason.
    #[command(flatten)]
    pub batch: HiddenBatchArgs,
    /// How results are written.
    #[command(flatten)]
    pub output: Output,
}

impl SweepArgs {
    /// All arms, with the usual runs.
    #[must_use]
    pub(crate) fn of_all(file: String, sweep: Vec<Dimension>, changes: ChangeArgs, output: Output) -> Self {
        let (engines, full, resume, repeats, warmup) = (Vec::new(), false, None, None, None);
        let batch = HiddenBatchArgs::default();
        Self { file, engines, sweep, full, resume, repeats, warmup, changes, batch, output }
    }
}
