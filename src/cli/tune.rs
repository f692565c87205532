//! The command line of `tune`.

use clap::{Args, ValueEnum};

use crate::analysis::tuning::goal::Goal;
use crate::cli::{ChangeArgs, Output};

pub(super) const AFTER: &str = "\
Targets:
  throughput      the smallest count whose lower 95 % bound is within 5 % of the best
  p99<250ms       the smallest count whose sojourn stays below that (p50 p90 p95 p99 max); p50 takes
                  4 tasks a run, p90 20, p95 40, p99 200, max any number
  memory<2GiB     as throughput, of the counts whose memory stays below that: the highest sum of all
                  workers' memory (PSS, with that of what they are forked from) in any counted run
  break-even      the size of a task at which a pool is no more than 5 % faster than a process
                  for each: all tasks of the file are given that size (kinds cpu and sleep)
  knee            the rate of arrivals beyond which the queue grows for as long as they come;
                  the file's own arrivals are replaced (poisson, which takes a seed, or constant
                  where they are)
Where no count meets a limit, that is the answer, with the count that comes closest and how far it is
from the limit, and the exit code is 0. --max-time is the budget of the whole search: nothing is begun
that does not fit into what is left, what runs then is ended, and what is known until then is told
(exit code 3). break-even compares the arms with the counts of the file; --workers N gives both one.
Work that has items is done for real: how often is asked for first (--yes for scripts).

Examples:
  poolscope tune io-wait                               how many workers, in the fewest runs
  poolscope tune my.yaml --target 'p99<250ms' --engine pool
  poolscope tune my.yaml --target 'memory<2GiB' --also chunksize,start_method,engine
  poolscope tune my.yaml --target break-even --workers 4
                                                       from which size on is a process worth it?
  poolscope tune my.yaml --target knee --format json   schema poolscope.tune/1";

/// What `tune` tries beside worker counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Also {
    /// auto, 1, 4, 16, 64 and cpython
    Chunksize,
    /// spawn, forkserver and fork
    #[value(name = "start_method")]
    StartMethod,
    /// Every engine of the file
    Engine,
}

/// Arguments of `tune`.
#[derive(Debug, Args)]
pub struct TuneArgs {
    /// Workload file or name of a bundled workload
    pub file: String,
    /// What it is to be good for: throughput, 'p99<250ms', 'memory<2GiB', break-even or knee
    #[arg(long = "target", value_name = "TARGET", default_value = "throughput")]
    pub goal: Goal,
    /// What else may be changed once the count is found
    #[arg(long, value_enum, value_name = "A,B", value_delimiter = ',')]
    pub also: Vec<Also>,
    /// The arm that is tuned: an entry in `engines:` or a kind; the baseline without this
    #[arg(long, value_name = "NAME")]
    pub engine: Option<String>,
    /// Counted runs of each point that matters [default: 3], and up to three times as many where they tell too little
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub repeats: Option<u32>,
    /// Do not ask before work that has items is done more than once
    #[arg(long, short)]
    pub yes: bool,
    /// How the workload is changed before it is run.
    #[command(flatten)]
    pub changes: ChangeArgs,
    /// How results are written.
    #[command(flatten)]
    pub output: Output,
}
