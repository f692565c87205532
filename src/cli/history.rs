//! Arguments of `history`, and of the commands whose runs it keeps.

use std::path::PathBuf;

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::{Format, Selector};
use crate::workload::units;

pub(super) const AFTER: &str = "\
Every counted run of run, compare, sweep, try, tune and the dashboard is kept, in a SQLite
database in $XDG_DATA_HOME/poolscope or ~/.local/share/poolscope, with workload, hashes, machine,
commit, all figures and histograms; --no-history keeps nothing, --db PATH or $POOLSCOPE_DB name
another database, and POOLSCOPE_DB=off switches it off. In the dashboard, 5 shows it.

Examples:
  poolscope history list                               the newest first
  poolscope history show 12                            the result of session 12
  poolscope history show 12 --workload > again.yaml    the workload that it ran
  poolscope history compare 12 15                      each arm of 15 against that of 12
  poolscope history compare 12:pool@4 15:pool@8        two arms, or worker counts of a sweep
  poolscope history baseline set 12                    what later sessions are checked against
  poolscope history check quick                        is the newest one slower? exit code 1 if so
  poolscope history export --format csv > runs.csv     a line for each run
  poolscope history prune --older-than 90d --keep 200";

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
    /// Compare two sessions, arm by arm: B against A
    Compare(CompareRunsArgs),
    /// The session that later ones of its workload are checked against
    Baseline(BaselineArgs),
    /// Check a session against the baseline of its workload: exit code 1 if it is worse
    Check(RegressionArgs),
    /// Write sessions with all their figures as JSON, or a line of CSV for each run
    Export(ExportArgs),
    /// Remove sessions: those that are old, too many or too large; never a baseline
    Prune(PruneArgs),
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

/// Arguments of `history compare`.
#[derive(Debug, Args)]
pub struct CompareRunsArgs {
    /// What is compared with: 12, 12:pool, 12:pool@8
    #[arg(value_name = "A")]
    pub a: Selector,
    /// What is compared: likewise
    #[arg(value_name = "B")]
    pub b: Selector,
    /// Compare also what is not comparable: other tasks, another machine
    #[arg(long)]
    pub anyway: bool,
    /// Which history, and how it is told of.
    #[command(flatten)]
    pub place: Place,
}

/// Arguments of `history baseline`.
#[derive(Debug, Args)]
pub struct BaselineArgs {
    /// What is to be done.
    #[command(subcommand)]
    pub verb: BaselineVerb,
}

/// What can be done with baselines.
#[derive(Debug, Subcommand)]
pub enum BaselineVerb {
    /// Make a session the baseline of its workload on its machine
    Set {
        /// Number of the session
        #[arg(value_name = "ID")]
        id: i64,
        /// Which history, and how it is told of.
        #[command(flatten)]
        place: Place,
    },
    /// Show the baselines
    Show {
        /// Of this workload alone
        #[arg(value_name = "NAME")]
        workload: Option<String>,
        /// Which history, and how it is told of.
        #[command(flatten)]
        place: Place,
    },
    /// Take the baseline of a workload away; its session stays
    Clear {
        /// Name of the workload
        #[arg(value_name = "NAME")]
        workload: String,
        /// Which history, and how it is told of.
        #[command(flatten)]
        place: Place,
    },
}

/// Arguments of `history check`.
#[derive(Debug, Args)]
pub struct RegressionArgs {
    /// Name of the workload; that of the newest session without this (sessions of tune are passed over)
    #[arg(value_name = "NAME")]
    pub workload: Option<String>,
    /// Check this session instead of the newest one of the workload
    #[arg(long, value_name = "ID", conflicts_with = "workload")]
    pub id: Option<i64>,
    /// By how much a figure may be worse
    #[arg(long, value_name = "PERCENT", default_value = "5%", value_parser = margin)]
    pub margin: f64,
    /// Figures that are checked; latencies are those that the workload leads with
    #[arg(long, value_enum, value_name = "A,B", value_delimiter = ',', default_value = "throughput")]
    pub metric: Vec<Metric>,
    /// Exit with 4 if it is too noisy to say, a run is suspect, or an arm of the baseline was not run
    #[arg(long)]
    pub strict: bool,
    /// Which history, and how it is told of.
    #[command(flatten)]
    pub place: Place,
}

/// A figure that can be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Metric {
    /// Succeeded tasks per second
    Throughput,
    /// Median of the latency
    P50,
    /// 95th percentile of the latency
    P95,
    /// 99th percentile of the latency
    P99,
}

/// Arguments of `history export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Numbers of sessions; all without any
    #[arg(value_name = "ID")]
    pub ids: Vec<i64>,
    /// Only sessions of this workload, by its name
    #[arg(long, value_name = "NAME")]
    pub workload: Option<String>,
    /// json: everything, schema poolscope.history/1; csv: a line for each run
    #[arg(long, value_enum, default_value_t = ExportFormat::Json)]
    pub format: ExportFormat,
    /// The database; $POOLSCOPE_DB or the user's own without this
    #[arg(long, value_name = "PATH")]
    pub db: Option<PathBuf>,
    /// Write it to this file instead of standard output
    #[arg(long, value_name = "PATH")]
    pub output: Option<PathBuf>,
}

/// Format of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Everything
    Json,
    /// A line for each run
    Csv,
}

/// Arguments of `history prune`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("limit").required(true).multiple(true).args(["older_than", "keep", "max_size"]))]
pub struct PruneArgs {
    /// Remove sessions that began longer ago, e.g. 90d
    #[arg(long, value_name = "DURATION", value_parser = age)]
    pub older_than: Option<Duration>,
    /// Keep at most so many, the newest
    #[arg(long, value_name = "N")]
    pub keep: Option<u64>,
    /// Remove the oldest until the others take no more than this, e.g. 50MB
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub max_size: Option<u64>,
    /// Only sessions of this workload, by its name
    #[arg(long, value_name = "NAME")]
    pub workload: Option<String>,
    /// Say what would go, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Which history, and how it is told of.
    #[command(flatten)]
    pub place: Place,
}

/// A share in percent, from 0 to less than 100.
fn margin(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>().ok();
    let share = number.map(|percent| percent / 100.0).filter(|share| (0.0..1.0).contains(share));
    share.ok_or_else(|| "must be a percentage from 0% to less than 100%, such as 5%".to_owned())
}

/// A duration as workload files have it, or whole days: `90d`.
fn age(text: &str) -> Result<Duration, String> {
    if let Some(days) = text.strip_suffix('d').and_then(|days| days.parse::<u32>().ok()) {
        return Ok(Duration::from_secs(u64::from(days) * 24 * 60 * 60));
    }
    units::parse_duration(text)
        .map_err(|error| format!("{error}; must be days such as 90d, or {}", units::DURATION_FORM))
}

fn size(text: &str) -> Result<u64, String> {
    units::parse_size(text).map_err(|error| format!("{error}; must be {}", units::SIZE_FORM))
}
