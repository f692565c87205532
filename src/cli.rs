//! The command line: definitions only.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

const AFTER: &str = "\
Examples:
  poolscope                                   dashboard with the bundled workloads
  poolscope heavy-tail                        dashboard with one of them
  poolscope compare my.yaml --format json     all arms, headless
  poolscope run cpu-uniform --engine pool --workers 4

Exit codes:
  0 done   1 an expectation failed   2 bad input, nothing was started   3 aborted, or an engine broke
  4 a suspect run under --strict     130, 143 ended by a signal";

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

/// Arguments of the dashboard.
#[derive(Debug, Args)]
pub struct DashboardArgs {
    /// Workload file or name of a bundled workload; without one, the picker
    #[arg(value_name = "FILE")]
    pub file: Option<String>,
    /// Frames per second at most
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=30))]
    pub fps: u16,
    /// Colours
    #[arg(long, value_enum, default_value_t = Theme::Auto)]
    pub theme: Theme,
    /// Draw with ASCII characters only
    #[arg(long)]
    pub ascii: bool,
    /// How the workload is changed before it is run.
    #[command(flatten)]
    pub changes: Changes,
    /// How results are written where there is no terminal.
    #[command(flatten)]
    pub output: Output,
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
    Run(RunArgs),
    /// Run all arms, interleaved, headless
    Compare(CompareArgs),
    /// Validate workload files and explain what they would do, without running anything
    Check(CheckArgs),
    /// List the bundled workloads and those in ./workloads
    List(ListArgs),
    /// Write a commented workload file to start from
    New(NewArgs),
    /// Show what this machine offers: cores, limits, timers, calibration
    Doctor(DoctorArgs),
}

/// How the workload is changed before it is run.
#[derive(Clone, Debug, Default, Args)]
pub struct Changes {
    /// Set a field of the file, e.g. --set measure.repeats=3 or --set tasks.0.count=100
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Use this seed instead of the file's
    #[arg(long)]
    pub seed: Option<u64>,
    /// Use this many workers in every arm instead of what the file says
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub workers: Option<u32>,
    /// Run a file that others may change and that contains commands
    #[arg(long)]
    pub allow_exec: bool,
    /// Run a plan beyond the safety limits
    #[arg(long)]
    pub i_know: bool,
}

/// How results are written.
#[derive(Clone, Debug, Args)]
pub struct Output {
    /// Format of the result on standard output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Write the result to this file instead of standard output
    #[arg(long, value_name = "PATH")]
    pub output: Option<PathBuf>,
    /// Show no progress on standard error
    #[arg(long)]
    pub no_progress: bool,
    /// Print nothing but the result, and errors
    #[arg(long, short)]
    pub quiet: bool,
    /// When to use colours
    #[arg(long, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
    /// Exit with 4 if a run is suspect
    #[arg(long)]
    pub strict: bool,
}

/// Format of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Text,
    /// For programs: schema poolscope.result/1
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
    pub changes: Changes,
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
    /// Counted runs of each arm
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub repeats: Option<u32>,
    /// Runs of each arm that are not counted
    #[arg(long)]
    pub warmup: Option<u32>,
    /// Run all arms at the same time: a demonstration, not a measurement
    #[arg(long)]
    pub together: bool,
    /// How the workload is changed before it is run.
    #[command(flatten)]
    pub changes: Changes,
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
    /// Format of what is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// When to use colours
    #[arg(long, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
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
    /// Format of what is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Arguments of `new`.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// Name of the workload; the file is NAME.yaml
    #[arg(default_value = "my-workload")]
    pub name: String,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Format of what is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Measure the calibration anew
    #[arg(long)]
    pub calibrate: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_file_is_the_dashboard_and_a_verb_is_a_verb() {
        let cli = Cli::parse_from(["poolscope", "heavy-tail", "--fps", "20"]);
        assert!(
            cli.command.is_none() && cli.dashboard.file.as_deref() == Some("heavy-tail") && cli.dashboard.fps == 20
        );
        let cli = Cli::parse_from(["poolscope", "run", "heavy-tail", "--engine", "pool"]);
        assert!(matches!(cli.command, Some(Verb::Run(_))));
        let cli = Cli::parse_from(["poolscope", "./run"]);
        assert!(cli.command.is_none());
    }
}
