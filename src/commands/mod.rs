//! One file per verb of the command line. The only place that may use everything.
//!
//! The way of a command that runs something (prepared, run as a session, reported) can be read in `headless::execute`;
//! that of the dashboard, which runs as many sessions as its user likes, in `dashboard::execute`.

mod batch;
mod calibration;
pub(crate) mod check;
mod claims;
pub(crate) mod compare;
mod consent;
mod console;
pub(crate) mod dashboard;
pub(crate) mod doctor;
mod drive;
pub(crate) mod explain;
mod farewell;
mod headless;
pub(crate) mod history;
mod in_place;
mod interpreters;
mod keep;
pub mod keep_cost;
pub(crate) mod list;
mod measured;
pub(crate) mod new;
mod placing;
mod prepare;
mod programs;
mod progress;
mod python;
mod python_check;
pub(crate) mod run;
mod run_log;
pub(crate) mod schema;
pub(crate) mod sweep;
mod sweep_state;
mod target;
mod task_rows;
pub(crate) mod trial;
pub(crate) mod tune;
mod unpacked;
mod write;

use std::process::ExitCode;

use anyhow::Context as _;

use crate::cli::{Cli, Verb};
use crate::os::process_owner::ProcessOwner;
use crate::worker::environment;

/// How the program ends, as its exit code says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitReason {
    /// 0: done.
    Done,
    /// 1: a task did not succeed, and that was asked to be an error.
    Failed,
    /// 2: the input is bad and nothing was started.
    BadInput,
    /// 3: aborted, an engine could not go on, not one task of an arm succeeded, or the result could not be written.
    Aborted,
    /// 4: a run is suspect, and that was asked to be an error.
    Suspect,
    /// 128 plus the number: ended by this signal.
    Signal(i32),
}

impl ExitReason {
    #[must_use]
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::BadInput => 2,
            Self::Aborted => 3,
            Self::Suspect => 4,
            Self::Signal(signal) => 128u8.wrapping_add(u8::try_from(signal).unwrap_or(0)),
        }
    }
}

impl ExitReason {
    /// The one of two that is told: a signal, then 2, 3, 1 and 4.
    #[must_use]
    pub(crate) fn or_graver(self, other: Self) -> Self {
        let rank = |exit: Self| match exit {
            Self::Signal(_) => 5,
            Self::BadInput => 4,
            Self::Aborted => 3,
            Self::Failed => 2,
            Self::Suspect => 1,
            Self::Done => 0,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

impl From<ExitReason> for ExitCode {
    fn from(exit: ExitReason) -> Self {
        Self::from(exit.code())
    }
}

/// The end of a command's way: what is left of this process is its exit code. A session that was left behind is not waited
/// for, which could take for ever; its workers end with this process.
fn leave(exit: ExitReason, left_behind: bool) -> ExitReason {
    if left_behind {
        std::process::exit(exit.code().into());
    }
    exit
}

/// The claim to this process, which `main` has made.
fn process() -> anyhow::Result<ProcessOwner> {
    ProcessOwner::current().context("the program has not claimed its process")
}

/// Does what the command line asks for.
///
/// # Errors
/// What could not be done, for people; the exit code is that of [`ExitReason::Aborted`].
pub fn execute(cli: Cli) -> anyhow::Result<ExitReason> {
    let depth = environment::depth();
    if depth > environment::MAX_DEPTH {
        anyhow::bail!(
            "Poolscope was started by Poolscope {depth} levels deep (at most {}): does a workload's command start \
             Poolscope on itself?",
            environment::MAX_DEPTH
        );
    }
    let done = execute_verb(cli);
    unpacked::remove();
    done
}

fn execute_verb(cli: Cli) -> anyhow::Result<ExitReason> {
    match cli.command {
        None => dashboard::execute(&cli.dashboard),
        Some(Verb::Run(arguments)) => run::execute(&arguments),
        Some(Verb::Compare(arguments)) => compare::execute(&arguments),
        Some(Verb::Sweep(arguments)) => sweep::execute(&arguments),
        Some(Verb::Tune(arguments)) => tune::execute(&arguments),
        Some(Verb::Check(arguments)) => check::execute(&arguments),
        Some(Verb::List(arguments)) => list::execute(&arguments),
        Some(Verb::Try(arguments)) => trial::execute(&arguments),
        Some(Verb::New(arguments)) => new::execute(&arguments),
        Some(Verb::History(arguments)) => history::execute(&arguments),
        Some(Verb::Schema(arguments)) => schema::execute(&arguments),
        Some(Verb::Doctor(arguments)) => doctor::execute(&arguments),
        Some(Verb::Explain(arguments)) => explain::execute(&arguments),
    }
}
