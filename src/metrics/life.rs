//! The life of processes, beyond the tasks in them: how they came to be and how they went.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::event::{Beginning, Moment};
use crate::metrics::latency::Recorded;
use crate::metrics::nanos::{nanos, ns};
use crate::metrics::quantiles::Quantiles;

/// What is known of the lives of a run's processes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Life {
    pub startup: Startup,
    /// From the moment at which the end of a process is noticed until it is reaped.
    pub reaping: Quantiles,
    /// From the end of a process until its caller joins it, where the caller joins in the order of the starts.
    pub join_delay: Quantiles,
    pub fork_servers: ForkServers,
    pub undead: Undead,
}

/// The start of a process, in three parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Startup {
    /// From the decision to start it until its program takes over, or until it was forked.
    pub fork_exec: Quantiles,
    /// Until its first own instruction: exec, loader, relocations. Only of workers that tell.
    pub loading: Quantiles,
    /// Until it is ready for what comes next: its initializer, or its first task. Only of workers that tell.
    pub ready: Quantiles,
}

/// The starts of several processes together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StartupSums {
    /// How many processes they are about.
    pub(crate) processes: u64,
    pub(crate) fork_exec: Duration,
    pub(crate) loading: Duration,
    pub(crate) ready: Duration,
}

impl Startup {
    /// Its parts, each summed over all processes.
    pub(crate) fn sums(&self) -> StartupSums {
        let sum = |times: &Quantiles| nanos(times.mean.as_nanos() * u128::from(times.count));
        StartupSums {
            processes: self.fork_exec.count,
            fork_exec: sum(&self.fork_exec),
            loading: sum(&self.loading),
            ready: sum(&self.ready),
        }
    }
}

impl StartupSums {
    /// From the decisions to start them until they were ready.
    pub(crate) fn whole(&self) -> Duration {
        self.fork_exec + self.loading + self.ready
    }
}

impl std::iter::Sum for StartupSums {
    fn sum<I: Iterator<Item = Self>>(sums: I) -> Self {
        sums.fold(Self::default(), |sum, more| Self {
            processes: sum.processes + more.processes,
            fork_exec: sum.fork_exec + more.fork_exec,
            loading: sum.loading + more.loading,
            ready: sum.ready + more.ready,
        })
    }
}

/// What workers were forked from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkServers {
    /// Servers that became ready: one, and one more for each that had to be replaced.
    pub starts: u64,
    /// CPU time of those that have ended, their initializers and their forks: in the run's CPU time, and in no worker's.
    pub cpu: Duration,
    /// From the decisions to start them until they could fork workers, their initializers included, summed.
    #[serde(skip)]
    pub startup: Duration,
}

/// What the fork servers use themselves: in the run's sums, and in no worker's row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkServerUse {
    /// CPU time of all so far, that of a live one sampled.
    pub cpu: Duration,
    /// Proportional share of memory of the one that lives, at the last look.
    pub pss_bytes: Option<u64>,
    /// Its resident memory.
    pub rss_bytes: Option<u64>,
    /// The most that was seen of any.
    pub peak_pss_bytes: Option<u64>,
    /// Likewise.
    pub peak_rss_bytes: Option<u64>,
    /// Why nothing could be forked from it, so that workers are spawned.
    #[serde(skip)]
    pub not_forked: Option<Box<str>>,
}

/// Processes that are dead or have lost their parent, as `/proc` shows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undead {
    /// Children that have ended and were not reaped at the last look; `None` before the first one.
    pub zombies: Option<u64>,
    /// The same when the last task had its outcome, before what was left on purpose is reaped; `None` until then.
    pub zombies_at_end: Option<u64>,
    /// Most of them at any look.
    pub most_zombies: u64,
    /// Descendants that lost their parent and were taken in by this process, so far.
    pub orphans: u64,
}

/// Folds the lives of a run.
#[derive(Debug, Default)]
pub(crate) struct Lives {
    fork_exec: Times,
    loading: Times,
    ready: Times,
    reaping: Times,
    join_delay: Times,
    pub(crate) fork_servers: ForkServers,
    undead: Undead,
}

/// Times of one kind, and their summary as far as nothing was added since.
#[derive(Debug, Default)]
struct Times {
    recorded: Option<Box<Recorded>>,
    summary: Quantiles,
}

impl Times {
    fn add(&mut self, time: Duration) {
        self.recorded.get_or_insert_default().record_scattered(ns(time));
    }

    fn summary(&mut self) -> Quantiles {
        if let Some(recorded) = self.recorded.as_mut().filter(|recorded| recorded.count() != self.summary.count) {
            self.summary = recorded.quantiles();
        }
        self.summary
    }
}

impl Lives {
    /// A process has told how it began.
    pub(crate) fn began(&mut self, told: &Beginning) {
        let between = |from: Moment, to: Moment| to.since(from);
        self.fork_exec.add(between(told.called, told.executed));
        if let Some((began, ready)) = told.own {
            self.loading.add(between(told.executed, began));
            self.ready.add(between(began, ready));
        }
    }

    pub(crate) fn reaped(&mut self, after: Duration) {
        self.reaping.add(after);
    }

    pub(crate) fn joined(&mut self, delay: Duration) {
        self.join_delay.add(delay);
    }

    /// `/proc` was looked at.
    pub(crate) fn seen(&mut self, zombies: u64, new_orphans: u64, over: bool) {
        if over && self.undead.zombies_at_end.is_none() {
            self.undead.zombies_at_end = Some(zombies);
        }
        self.undead.zombies = Some(zombies);
        self.undead.most_zombies = self.undead.most_zombies.max(zombies);
        self.undead.orphans += new_orphans;
    }

    pub(crate) fn life(&mut self) -> Life {
        Life {
            startup: Startup {
                fork_exec: self.fork_exec.summary(),
                loading: self.loading.summary(),
                ready: self.ready.summary(),
            },
            reaping: self.reaping.summary(),
            join_delay: self.join_delay.summary(),
            fork_servers: self.fork_servers,
            undead: self.undead,
        }
    }
}
