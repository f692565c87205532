//! `expect`: what must hold of the results.

use std::fmt;
use std::time::Duration;

use crate::workload::model::{Comparison, When};
use crate::workload::units::{format_duration, format_size};

/// Something that must hold of the results.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// What is looked at.
    pub metric: Metric,
    /// Names of the arms that it must hold of, each; none for all of them.
    pub engines: Vec<String>,
    /// The stage of open arrivals that it is about, from 0; `None` for the whole run.
    pub stage: Option<usize>,
    /// What it is compared with.
    pub test: Test,
    /// Where this does not hold, nothing is expected.
    pub when: Option<Condition>,
}

/// How a figure is judged.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// It is the same in every run of all arms: the results.
    Same,
    /// It compares with a limit.
    Compared(Comparison, Limit),
}

/// What a figure is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Limit {
    /// A number in the unit of the metric.
    Value(f64),
    /// A number that the run is made with.
    Of(Setting),
    /// The same figure of another arm, times this.
    Than(String, f64),
}

/// A number that a run is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The workers of the arm.
    Workers,
    /// The tasks of the run.
    Tasks,
}

/// A condition of an expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The interpreter of the arm has a lock that is in use.
    GilEnabled,
    /// It has none.
    GilDisabled,
    /// How many cores can be used.
    Cores(Comparison, u32),
    /// Which version the interpreter of the arm is.
    Python(When),
}

/// What is measured of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Metric {
    /// A single figure.
    Figure(Figure),
    /// A latency of the tasks.
    Latency(LatencyOf, Statistic),
}

/// A figure of a run by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    Throughput,
    Makespan,
    CoresUsed,
    ParallelEfficiency,
    Utilisation,
    Imbalance,
    GhostCpu,
    PeakPss,
    PeakRss,
    QueueMax,
    SucceededTasks,
    FailedTasks,
    TimedOutTasks,
    LostTasks,
    DroppedTasks,
    UnsuccessfulTasks,
    Retries,
    WorkerStarts,
    WorkerRestarts,
    ZombiesAfterJoin,
    ResultsEqual,
}

/// What a figure is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A whole number, which is exact.
    Count,
    /// A number without a unit.
    Number,
    Seconds,
    Bytes,
    PerSecond,
    /// None: it holds or not.
    Truth,
}

/// Which part of a task's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LatencyOf {
    Wait,
    Startup,
    Service,
    Sojourn,
    Delivered,
}

/// What of a distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Statistic {
    Mean,
    Max,
    /// Above 0, at most 100.
    Percentile(f64),
}

impl Expectation {
    /// Whether it takes several runs to say whether it holds: what is counted must hold in each, and so must what there is
    /// to be none or some of.
    #[must_use]
    pub(crate) fn needs_an_interval(&self) -> bool {
        match &self.test {
            Test::Same => false,
            Test::Compared(_, limit) => self.metric.unit() != Unit::Count && *limit != Limit::Value(0.0),
        }
    }
}

impl Figure {
    /// All of them, by the words that a file uses.
    pub(crate) const ALL: [(&'static str, Self, Unit); 21] = [
        ("throughput", Self::Throughput, Unit::PerSecond),
        ("makespan", Self::Makespan, Unit::Seconds),
        ("cores_used", Self::CoresUsed, Unit::Number),
        ("parallel_efficiency", Self::ParallelEfficiency, Unit::Number),
        ("utilisation", Self::Utilisation, Unit::Number),
        ("imbalance", Self::Imbalance, Unit::Number),
        ("ghost_cpu", Self::GhostCpu, Unit::Seconds),
        ("peak_pss", Self::PeakPss, Unit::Bytes),
        ("peak_rss", Self::PeakRss, Unit::Bytes),
        ("queue_max", Self::QueueMax, Unit::Count),
        ("succeeded_tasks", Self::SucceededTasks, Unit::Count),
        ("failed_tasks", Self::FailedTasks, Unit::Count),
        ("timed_out_tasks", Self::TimedOutTasks, Unit::Count),
        ("lost_tasks", Self::LostTasks, Unit::Count),
        ("dropped_tasks", Self::DroppedTasks, Unit::Count),
        ("unsuccessful_tasks", Self::UnsuccessfulTasks, Unit::Count),
        ("retries", Self::Retries, Unit::Count),
        ("worker_starts", Self::WorkerStarts, Unit::Count),
        ("worker_restarts", Self::WorkerRestarts, Unit::Count),
        ("zombies_after_join", Self::ZombiesAfterJoin, Unit::Count),
        ("results_equal", Self::ResultsEqual, Unit::Truth),
    ];

    fn row(self) -> (&'static str, Self, Unit) {
        // Every figure has a row.
        Self::ALL.into_iter().find(|(_, figure, _)| *figure == self).unwrap_or(Self::ALL[0])
    }
}

impl LatencyOf {
    /// All of them, by their words.
    pub(crate) const ALL: [(&'static str, Self); 5] = [
        ("wait", Self::Wait),
        ("startup", Self::Startup),
        ("service", Self::Service),
        ("sojourn", Self::Sojourn),
        ("delivered", Self::Delivered),
    ];
}

impl Metric {
    /// What a word means: a figure, or a latency such as `sojourn_p99`.
    #[must_use]
    pub(crate) fn parse(word: &str) -> Option<Self> {
        if let Some((_, figure, _)) = Figure::ALL.iter().find(|(name, ..)| *name == word) {
            return Some(Self::Figure(*figure));
        }
        let (of, statistic) = word.split_once('_')?;
        let (_, of) = LatencyOf::ALL.iter().find(|(name, _)| *name == of)?;
        let statistic = match statistic {
            "mean" => Statistic::Mean,
            "max" => Statistic::Max,
            // `+5` and `1e1` are numbers, and no percentiles.
            percentile => {
                let digits =
                    percentile.strip_prefix('p').filter(|digits| digits.starts_with(|c: char| c.is_ascii_digit()))?;
                let plain = digits.chars().all(|c| c.is_ascii_digit() || c == '.');
                Statistic::Percentile(digits.parse().ok().filter(|p| plain && *p > 0.0 && *p <= 100.0)?)
            }
        };
        Some(Self::Latency(*of, statistic))
    }

    /// What it is measured in.
    #[must_use]
    pub fn unit(self) -> Unit {
        match self {
            Self::Figure(figure) => figure.row().2,
            Self::Latency(..) => Unit::Seconds,
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Figure(figure) => f.write_str(figure.row().0),
            Self::Latency(of, statistic) => {
                let word = LatencyOf::ALL.iter().find(|(_, other)| other == of).map_or("", |(word, _)| word);
                match statistic {
                    Statistic::Mean => write!(f, "{word}_mean"),
                    Statistic::Max => write!(f, "{word}_max"),
                    Statistic::Percentile(percentile) => write!(f, "{word}_p{percentile}"),
                }
            }
        }
    }
}

/// What is expected, without of whom: `sojourn_p99 of stage 2 < 250ms`.
impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.metric)?;
        if let Some(stage) = self.stage {
            write!(f, " of stage {}", stage + 1)?;
        }
        let Test::Compared(comparison, limit) = &self.test else { return Ok(()) };
        write!(f, " {} ", comparison.sign())?;
        match limit {
            Limit::Value(value) => f.write_str(&self.metric.unit().written(*value)),
            Limit::Of(Setting::Workers) => f.write_str("workers"),
            Limit::Of(Setting::Tasks) => f.write_str("tasks"),
            Limit::Than(arm, factor) if *factor == 1.0 => f.write_str(arm),
            Limit::Than(arm, factor) => write!(f, "{factor} × {arm}"),
        }
    }
}

impl Unit {
    /// A value as a file would have it.
    #[must_use]
    pub(crate) fn written(self, value: f64) -> String {
        match self {
            Self::Seconds => Duration::try_from_secs_f64(value).map_or_else(|_| format!("{value} s"), format_duration),
            Self::Bytes => format_size(value as u64),
            Self::PerSecond => format!("{value}/s"),
            Self::Count | Self::Number | Self::Truth => value.to_string(),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GilEnabled => f.write_str("gil_enabled"),
            Self::GilDisabled => f.write_str("gil_disabled"),
            Self::Cores(comparison, cores) => write!(f, "cores {} {cores}", comparison.sign()),
            Self::Python(when) => write!(f, "python {} {}", when.comparison.sign(), when.version),
        }
    }
}
