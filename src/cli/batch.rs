//! Options of a run as a batch.

use std::path::PathBuf;

use clap::Args;

use crate::workload::model::Halt;

/// How a run is a batch.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Batch")]
pub struct BatchArgs {
    /// Append a line for each task that ends, in GNU parallel's format and one column more
    #[arg(long, value_name = "FILE")]
    pub joblog: Option<PathBuf>,
    /// Skip what has succeeded by this joblog, and go on with it unless --joblog names another
    #[arg(long, value_name = "JOBLOG")]
    pub resume: Option<PathBuf>,
    /// End early, e.g. now,fail=1 or soon,fail=10%: WHEN is now (running tasks are ended) or soon (they are not), WHY fail,
    /// success or done. By fail the exit code is 1
    #[arg(long, value_name = "WHEN,WHY=N|N%")]
    pub halt: Option<Halt>,
    /// Give out what tasks write in the order of their items
    #[arg(long, short)]
    pub keep_order: bool,
}

impl BatchArgs {
    /// As they are typed.
    pub(crate) fn words(&self) -> Vec<String> {
        // Every option is looked at: a new one does not get lost.
        let Self { joblog, resume, halt, keep_order } = self;
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        let valued = [
            ("--joblog", joblog.as_ref().map(path)),
            ("--resume", resume.as_ref().map(path)),
            ("--halt", halt.map(|halt| halt.to_string())),
        ];
        let given = valued.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value?])).flatten();
        given.chain(keep_order.then(|| "--keep-order".to_owned())).collect()
    }

    /// The first of them that is given.
    pub(crate) fn first(&self) -> Option<&'static str> {
        let given = [
            (self.joblog.is_some(), "--joblog"),
            (self.resume.is_some(), "--resume"),
            (self.halt.is_some(), "--halt"),
            (self.keep_order, "--keep-order"),
        ];
        given.into_iter().find_map(|(given, name)| given.then_some(name))
    }
}

/// The same where they are refused: known, so that the reason can be told, and in no help. `--resume` is the verb's own.
#[derive(Clone, Debug, Default, Args)]
pub struct HiddenBatchArgs {
    #[arg(long, value_name = "FILE", hide = true)]
    joblog: Option<PathBuf>,
    #[arg(long, value_name = "WHEN,WHY=N|N%", hide = true)]
    halt: Option<Halt>,
    #[arg(long, short, hide = true)]
    keep_order: bool,
}

impl From<&HiddenBatchArgs> for BatchArgs {
    fn from(HiddenBatchArgs { joblog, halt, keep_order }: &HiddenBatchArgs) -> Self {
        Self { joblog: joblog.clone(), resume: None, halt: *halt, keep_order: *keep_order }
    }
}
