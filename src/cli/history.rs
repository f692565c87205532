//! Arguments of `history`, and of the commands whose runs it keeps.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::Format;

pub(super) const AFTER: &str = "\
Every counted run of run, compare, sweep, try and the dashboard is kept, in a SQLite database
in $XDG_DATA_HOME/poolscope or ~/.local/share/poolscope, with workload, hashes, machine, commit,
all figures and histograms; --no-history keeps nothing, --db PATH or $POOLSCOPE_DB name another
database, and POOLSCOPE_DB=off switches it off.

Examples:
  poolscope history list                               the newest first
  poolscope history show 12                            the result of session 12
  poolscope history show 12 --workload > again.yaml    the workload that it ran";

/// Where the runs of a command are kept.
#[derive(Clone, Debug, Default, Args)]
pub struct Keep {
    /// Keep the runs in this database instead of the user's own
    #[arg(long, value_name = "PATH", conflicts_with = "no_history")]
    pub db: Option<PathBuf>,
    /// Keep nothing of these runs in the history
    #[arg(long)]
    pub no_history: bool,
    /// Which verb it is kept under, where that is not the one that does the work.
    #[arg(skip)]
    pub verb: Option<&'static str>,
}

/// Arguments of `history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// What is to be done.
    #[command(subcommand)]
    pub verb: HistoryVerb,
}

/// What can be done with the history.
#[derive(Debug, Subcommand)]
pub enum HistoryVerb {
    /// List sessions, the newest first
    List(ListRunsArgs),
    /// Show what a session has measured
    Show(ShowArgs),
}

/// Which history, and how it is told of.
#[derive(Debug, Args)]
pub struct Place {
    /// The database; $POOLSCOPE_DB or the user's own without this
    #[arg(long, value_name = "PATH")]
    pub db: Option<PathBuf>,
    /// Format of what is printed; json is schema poolscope.history/1
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Write it to this file instead of standard output
    #[arg(long, value_name = "PATH")]
    pub output: Option<PathBuf>,
}

/// Arguments of `history list`.
#[derive(Debug, Args)]
pub struct ListRunsArgs {
    /// Only sessions of this workload, by its name
    #[arg(long, value_name = "NAME")]
    pub workload: Option<String>,
    /// At most so many sessions
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: u32,
    /// Which history, and how it is told of.
    #[command(flatten)]
    pub place: Place,
}

/// Arguments of `history show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Number of the session
    #[arg(value_name = "ID")]
    pub id: i64,
    /// Print the text of its workload, without the values of any `env`
    #[arg(long, conflicts_with = "format")]
    pub workload: bool,
    /// Which history, and how it is told of.
    #[command(flatten)]
    pub place: Place,
}
