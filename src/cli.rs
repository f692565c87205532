//! The command line: definitions only.

mod after;
mod batch;
mod hints;
mod history;
mod schema;
mod selector;
mod sweep;
mod tune;
mod worker_counts;

use std::ffi::OsString;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

pub use crate::analysis::tuning::goal::Goal;
use crate::cli::after::{AFTER, AFTER_CHECK, AFTER_COMPARE, AFTER_NEW, AFTER_RUN, AFTER_SWEEP, AFTER_TRY};
pub use crate::cli::batch::{BatchArgs, HiddenBatchArgs};
pub use crate::cli::history::*;
pub use crate::cli::schema::SchemaArgs;
pub use crate::cli::selector::Selector;
pub use crate::cli::sweep::SweepArgs;
pub use crate::cli::tune::{Also, TuneArgs};
pub use crate::cli::worker_counts::{MOST, WorkerCounts};
use crate::workload::model::Dimension;
use crate::workload::units;

/// Pool or process, how many workers, and how do I know?
#[derive(Debug, Parser)]
#[command(name = "poolscope", version, after_help = AFTER, args_conflicts_with_subcommands = true, max_term_width = 100)]
pub struct Cli {
    /// What to do; the dashboard without one.
    #[command(subcommand)]
    pub command: Option<Verb>,
    /// What the dashboard shows.
    #[command(flatten)]
    pub dashboard: DashboardArgs,
}

impl Cli {
    /// The command line of this process; ends it where that is none.
    #[must_use]
    pub fn read() -> Self {
        Self::try_parse().unwrap_or_else(|error| hints::hinted(error, std::env::args_os().skip(1)).exit())
    }
}

/// Arguments of the dashboard.
#[derive(Debug, Args)]
pub struct DashboardArgs {
    /// Workload file or name of a bundled workload; without one, the picker
    #[arg(value_name = "FILE", value_parser = no_verb)]
    pub file: Option<String>,
    /// Begin with a sweep of this field, in the Tune view: chunksize=1,4,16, workers=1..8 or service_time=1ms..64msx2; several make a
    /// table. Without a terminal the same as poolscope sweep
    #[arg(long = "sweep", value_name = "FIELD=VALUES", requires = "file")]
    pub sweep: Vec<Dimension>,
    /// How it looks.
    #[command(flatten)]
    pub look: Look,
    /// How the workload is changed before it is run.
    #[command(flatten)]
    pub changes: ChangeArgs,
    /// How results are written where there is no terminal.
    #[command(flatten)]
    pub output: Output,
}

/// How the dashboard looks.
#[derive(Clone, Copy, Debug, Args)]
pub struct Look {
    /// Frames per second at most
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=30))]
    pub fps: u16,
    /// Colours
    #[arg(long, value_enum, default_value_t = Theme::Auto)]
    pub theme: Theme,
    /// Draw with ASCII characters only, as by itself on TERM=linux and where the locale is not UTF-8
    #[arg(long)]
    pub ascii: bool,
}

/// Colours of the dashboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Theme {
    /// The terminal's own colours
    Auto,
    /// For a dark background
    Dark,
    /// For a light background
    Light,
    /// As far apart as possible
    HighContrast,
    /// No colours
    Mono,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run one arm, headless
    #[command(after_help = AFTER_RUN)]
    Run(RunArgs),
    /// Run all arms, interleaved, headless
    #[command(after_help = AFTER_COMPARE)]
    Compare(CompareArgs),
    /// Try worker counts, headless: throughput of each, and which to use
    #[command(after_help = AFTER_SWEEP)]
    Sweep(SweepArgs),
    /// Find the settings that a target asks for in few runs, headless, and explain each step
    #[command(after_help = tune::AFTER)]
    Tune(TuneArgs),
    /// Validate workload files and explain what they would do, without running anything
    #[command(after_help = AFTER_CHECK)]
    Check(CheckArgs),
    /// List workload files in the current folder and in ./workloads, and the bundled workloads
    List(ListArgs),
    /// Try your own work without a file: a command or a function, once for each item
    #[command(after_help = AFTER_TRY)]
    Try(TryArgs),
    /// Write a commented workload file to start from
    #[command(after_help = AFTER_NEW)]
    New(NewArgs),
    /// What was measured before: list, show, compare, check against a baseline, export, prune
    #[command(after_help = history::AFTER)]
    History(HistoryArgs),
    /// Print the JSON Schema of workload files, for editors
    Schema(SchemaArgs),
    /// Show what this machine offers: cores, limits, timers, calibration
    Doctor(DoctorArgs),
    /// Explain a figure: its unit, how it comes to be, where it is read, and what it is not; lists all without a name
    Explain(ExplainArgs),
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A key of the JSON result, or what screens call it: throughput, tasks.lost, "sojourn p99", PSS
    pub metric: Vec<String>,
    /// Format of what is printed; json is schema poolscope.explain/1
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Write it to this file instead of standard output
    #[arg(long, value_name = "PATH")]
    pub output: Option<PathBuf>,
}

/// How the workload is changed before it is run.
#[derive(Clone, Debug, Default, Args)]
pub struct ChangeArgs {
    /// Set a field of the file, e.g. --set measure.repeats=3 or --set total=100
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Use this seed instead of the file's
    #[arg(long)]
    pub seed: Option<u64>,
    /// Use this many workers in every arm instead of what the file says; sweep and compare try several: 1..8, 1,2,4..6
    #[arg(long, value_name = "N")]
    pub workers: Option<WorkerCounts>,
    /// Run a file that others may change and that contains commands
    #[arg(long)]
    pub allow_exec: bool,
    /// Longest time, e.g. 2h: a single run, such as a batch, is ended then, and so is the search of tune; several runs that must
    /// take longer together are refused (without it, those beyond 10min)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub max_time: Option<Duration>,
    /// Run a plan beyond the safety limits
    #[arg(long)]
    pub i_know: bool,
}

/// How results are written.
#[derive(Clone, Debug, Args)]
pub struct Output {
    /// Format of the result; json is schema poolscope.result/1, of a sweep poolscope.sweep/1, of tune poolscope.tune/1
    #[arg(long, value_enum, default_value_t = ResultFormat::Text)]
    pub format: ResultFormat,
    /// Write the result to this file instead of standard output, which is -
    #[arg(long, value_name = "PATH")]
    pub output: Option<PathBuf>,
    /// Write what happens to this file while it happens, one line of JSON each: schema poolscope.events/1
    #[arg(long, value_name = "PATH")]
    pub events: Option<PathBuf>,
    /// Write a trace to this file that ui.perfetto.dev opens: tasks and start-ups in lanes, waits, ghosts, faults
    #[arg(long, value_name = "PATH")]
    pub trace: Option<PathBuf>,
    /// Show no progress on standard error
    #[arg(long)]
    pub no_progress: bool,
    /// Print nothing but the result, and errors
    #[arg(long, short)]
    pub quiet: bool,
    /// When to use colours
    #[arg(long, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
    /// Exit with 4 if a run is suspect, or an expectation is too noisy to say
    #[arg(long)]
    pub strict: bool,
    /// Exit with 1 if a task did not succeed
    #[arg(long)]
    pub fail_on_error: bool,
    /// Where it is kept.
    #[command(flatten)]
    pub keep: Keep,
}

/// Format of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ResultFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
    /// A row for each task of every run
    Csv,
    /// Tables for comments and wikis
    Markdown,
    /// One page with charts, for a browser or paper
    Html,
    /// JUnit XML: a test case for each expectation
    Junit,
    /// For the textfile collector of Prometheus
    Prometheus,
}

/// Format of what is no result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Workload file or name of a bundled workload
    pub file: String,
    /// Entry in `engines:`, or a kind (pool, process, serial), which runs with its defaults; the first entry without this
    #[arg(long, value_name = "NAME")]
    pub engine: Option<String>,
    /// How the workload is changed before it is run.
    #[command(flatten)]
    pub changes: ChangeArgs,
    /// How it is run as a batch.
    #[command(flatten)]
    pub batch: BatchArgs,
    /// How results are written.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Workload file or name of a bundled workload
    pub file: String,
    /// Arms to compare: entries in `engines:` or kinds; all entries without this
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub engines: Vec<String>,
    /// Counted runs of each arm; with --precision the fewest
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub repeats: Option<u32>,
    /// Repeat until every interval is as narrow as this, e.g. 2%: within 2 % of its ratio to both sides. Ends at
    /// --max-repeats (50), and before --max-time (10min) has passed
    #[arg(long, value_name = "PERCENT", conflicts_with = "together")]
    pub precision: Option<String>,
    /// Most counted runs of each arm with --precision
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_repeats: Option<u32>,
    /// Runs of each arm that are not counted
    #[arg(long)]
    pub warmup: Option<u32>,
    /// Run all arms at the same time: a demonstration, not a measurement
    #[arg(long)]
    pub together: bool,
    /// Do not ask before work that has items is done more than once, with several worker counts
    #[arg(long, short)]
    pub yes: bool,
    /// How the workload is changed before it is run.
    #[command(flatten)]
    pub changes: ChangeArgs,
    /// Refused, with the reason.
    #[command(flatten)]
    pub batch: HiddenBatchArgs,
    /// Refused likewise.
    #[arg(long, value_name = "JOBLOG", hide = true)]
    pub resume: Option<PathBuf>,
    /// How results are written.
    #[command(flatten)]
    pub output: Output,
}

impl CompareArgs {
    /// All arms as they are written.
    #[must_use]
    pub(crate) fn of_all(file: String, changes: ChangeArgs, output: Output) -> Self {
        let (engines, repeats, precision, max_repeats, warmup, together) = (Vec::new(), None, None, None, None, false);
        let (batch, resume, yes) = (HiddenBatchArgs::default(), None, false);
        Self { file, engines, repeats, precision, max_repeats, warmup, together, yes, changes, batch, resume, output }
    }
}

/// Arguments of `try`.
#[derive(Debug, Args)]
pub struct TryArgs {
    /// The command, after --
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
    /// Call this function instead of a command. Its results are compared, not kept: write them yourself
    #[arg(long, value_name = "MODULE:FUNCTION", conflicts_with = "command")]
    pub python: Option<String>,
    /// An argument of the function: VALUE is JSON where it can be, and text otherwise; the item alone without any
    #[arg(long, value_name = "KEY=VALUE", requires = "python")]
    pub arg: Vec<String>,
    /// Do it once for each item: of this file, of standard input (-), or for each file that matches a pattern
    #[arg(long, value_name = "FILE", conflicts_with = "count")]
    pub items: Option<String>,
    /// Items end with a zero byte each, as `find -print0` writes them, and not with a line
    #[arg(long, short = '0', requires = "items")]
    pub null: bool,
    /// Do it so many times
    #[arg(long, value_name = "N")]
    pub count: Option<NonZeroU64>,
    /// Begin so many a second instead of all at once, e.g. 50/s
    #[arg(long, value_name = "RATE")]
    pub rate: Option<String>,
    /// Kinds of engine to compare [default: process for a command, pool,process for a function]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub engines: Vec<String>,
    /// Longest time for one of them, e.g. 10s
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// Try one that fails again, so many times
    #[arg(long, value_name = "N")]
    pub retries: Option<u32>,
    /// Do it all so many times in each engine [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub repeats: Option<u32>,
    /// Print the workload file that says the same, and do nothing
    #[arg(long)]
    pub print: bool,
    /// No dashboard
    #[arg(long)]
    pub headless: bool,
    /// Do not ask before it is done more than once
    #[arg(long, short)]
    pub yes: bool,
    /// Exit with 0 even if some tasks did not succeed; where not one did, it is 3 all the same
    #[arg(long, conflicts_with = "fail_on_error")]
    pub allow_failures: bool,
    /// How the dashboard looks.
    #[command(flatten)]
    pub look: Look,
    /// How the workload is changed before it is run.
    #[command(flatten)]
    pub changes: ChangeArgs,
    /// How it is run as a batch.
    #[command(flatten)]
    pub batch: BatchArgs,
    /// How results are written.
    #[command(flatten)]
    pub output: Output,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Workload files or names of bundled workloads
    #[arg(required = true)]
    pub files: Vec<String>,
    /// Format of what is printed; json is schema poolscope.check/1
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Write it to this file instead of standard output
    #[arg(long, value_name = "PATH")]
    pub output: Option<PathBuf>,
    /// When to use colours
    #[arg(long, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
    /// Longest time that the runs may take together as far as it can be told, e.g. 2h; 10min for several runs
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub max_time: Option<Duration>,
    /// Accept a plan beyond the safety limits
    #[arg(long)]
    pub i_know: bool,
    /// Accept a file that others may change and that contains commands
    #[arg(long)]
    pub allow_exec: bool,
}

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Format of what is printed; json is schema poolscope.list/1
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Write it to this file instead of standard output
    #[arg(long, value_name = "PATH")]
    pub output: Option<PathBuf>,
}

/// Arguments of `new`.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// Name of the workload, with a folder before it if wanted; the file is NAME.yaml and must not be there yet
    #[arg(default_value = "my-workload")]
    pub name: String,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Format of what is printed; json is schema poolscope.doctor/1
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Write it to this file instead of standard output
    #[arg(long, value_name = "PATH")]
    pub output: Option<PathBuf>,
    /// Measure the calibration anew
    #[arg(long)]
    pub calibrate: bool,
}

/// A time above zero, as workload files have it.
fn duration(text: &str) -> Result<Duration, String> {
    match units::parse_duration(text) {
        Ok(duration) if duration.is_zero() => Err("must be above 0".to_owned()),
        Ok(duration) => Ok(duration),
        Err(error) => Err(error
            .help
            .as_ref()
            .map_or_else(|| format!("{error}; must be {}", units::DURATION_FORM), |help| format!("{error}; {help}"))),
    }
}

/// A verb behind options of the dashboard would be taken for a file of that name.
fn no_verb(file: &str) -> Result<String, String> {
    if Cli::command().get_subcommands().any(|verb| verb.get_name() == file) {
        return Err(format!("a verb comes first and its options after it; a file of this name is ./{file}"));
    }
    Ok(file.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_file_is_the_dashboard_and_a_verb_is_a_verb() {
        let cli = Cli::parse_from(["poolscope", "heavy-tail", "--fps", "20"]);
        assert!(
            cli.command.is_none()
                && cli.dashboard.file.as_deref() == Some("heavy-tail")
                && cli.dashboard.look.fps == 20
        );
        let cli = Cli::parse_from(["poolscope", "run", "heavy-tail", "--engine", "pool"]);
        assert!(matches!(cli.command, Some(Verb::Run(_))));
        let cli = Cli::parse_from(["poolscope", "./run"]);
        assert_eq!((cli.command.is_none(), cli.dashboard.file.as_deref()), (true, Some("./run")));
    }

    #[test]
    fn a_verb_behind_options_is_no_file() {
        let error = Cli::try_parse_from(["poolscope", "--fps", "3", "list"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("./list"), "{error}");
    }

    #[test]
    fn every_option_takes_what_it_should_and_nothing_else() {
        for good in [
            &["--fps", "1"][..],
            &["--theme", "high-contrast", "--ascii"],
            &["run", "f", "--engine", "pool", "--workers", "4", "--set", "seed=1", "--set", "total=3", "--seed", "0"],
            &["compare", "f", "--engines", "a,b", "--repeats", "1", "--warmup", "0", "--together", "--strict", "-q"],
            &["compare", "f", "--format", "json", "--output", "x", "--no-progress", "--color", "never", "--i-know"],
            &["check", "a", "b", "--format", "json", "--allow-exec", "--output", "x", "--max-time", "1h30m"],
            &["run", "-", "--max-time", "2h"],
            &["sweep", "f", "--engines", "a,b", "--workers", "1,2,4..8", "--repeats", "1", "--warmup", "0", "--strict"],
            &["sweep", "f", "--set", "total=3"],
            &["sweep", "f", "--sweep", "workers=1..8", "--sweep", "service_time=1ms..64msx4", "--full"],
            &["sweep", "f", "--resume", "state"],
            &["compare", "f", "--workers", "1..8"],
            &["compare", "f", "--precision", "2%", "--max-repeats", "30", "--max-time", "5min", "--repeats", "4"],
            &["tune", "f"],
            &["tune", "f", "--target", "p99<250ms", "--also", "chunksize,start_method,engine", "--repeats", "2"],
            &["tune", "f", "--target", "break-even"],
            &["list", "--format", "json", "--output", "x"],
            &["new"],
            &["doctor", "--calibrate", "--output", "x"],
            &["explain"],
            &["explain", "sojourn", "p99", "--format", "json"],
        ] {
            assert!(Cli::try_parse_from(["poolscope"].iter().chain(good)).is_ok(), "{good:?}");
        }
        for bad in [
            &["--fps", "0"][..],
            &["--fps", "31"],
            &["--theme", "pink"],
            &["a", "b"],
            &["run"],
            &["run", "f", "--workers", "0"],
            &["run", "f", "--seed", "-1"],
            &["sweep"],
            &["sweep", "f", "--workers", "8..1"],
            &["sweep", "f", "--workers", ""],
            &["sweep", "f", "--sweep", "chunksize"],
            &["sweep", "f", "--repeats", "0"],
            &["sweep", "f", "--together"],
            &["run", "f", "--max-time", "5"],
            &["run", "f", "--max-time", "0s"],
            &["compare", "f", "--repeats", "0"],
            &["compare", "f", "--max-repeats", "0"],
            &["compare", "f", "--precision", "2%", "--together"],
            &["tune"],
            &["tune", "f", "--target", "speed"],
            &["tune", "f", "--also", "workers"],
            &["check"],
            &["doctor", "f"],
        ] {
            let error = Cli::try_parse_from(["poolscope"].iter().chain(bad)).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{bad:?}");
        }
    }

    #[test]
    fn help_tells_the_exit_codes_and_the_version_is_the_crates() {
        let help = Cli::command().render_long_help().to_string();
        for code in ["0", "1", "2", "3", "4", "129", "130", "143"] {
            assert!(help.lines().any(|line| line.trim_start().starts_with(&format!("{code}  "))), "{code}\n{help}");
        }
        assert_eq!(Cli::command().get_version(), Some(env!("CARGO_PKG_VERSION")));
    }
}
