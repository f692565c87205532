//! The lives of a run's processes in its result. All of it but `zombies` is additive to version 1.
//!
//! * `zombies`: children that had ended and were not reaped, in `/proc`, at the last look before the end of the run, where
//!   what was left on purpose (`reap: never`) is reaped; `null` where `/proc` was not looked at.
//! * `orphans`: descendants that had lost their parent and were taken in by Poolscope.
//! * `startup`, `reaping`, `join_delay`: parts of the lives of processes; all figures `null` where no process told any.
//! * `not_forked`: where workers were to be forked and were spawned, why.
//! * `startup.sum_s`: its three parts, each over all `processes` of the run, and their sum; a process that does not tell its
//!   own part has none. `null` where no process told any. Initializers come after that, and are apart (`initializers`).

use serde::Serialize;

use super::{QuantilesOut, quantiles, seconds};
use crate::metrics::life::ForkServerUse;
use crate::metrics::snapshot::{Initializers, Snapshot};

/// What workers did before their first task.
#[derive(Serialize)]
pub(super) struct InitializersOut {
    count: u64,
    wall_s: f64,
    cpu_s: f64,
    /// Largest resident set after one.
    rss_bytes: Option<u64>,
}

impl InitializersOut {
    /// `None` where there was none.
    pub(super) fn of(all: &Initializers) -> Option<Self> {
        (all.count > 0).then(|| Self {
            count: all.count,
            wall_s: seconds(all.wall),
            cpu_s: seconds(all.cpu),
            rss_bytes: all.rss_bytes,
        })
    }
}

#[derive(Serialize)]
pub(super) struct LivesOut<'a> {
    /// Why its workers were spawned although they were to be forked.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_forked: Option<&'a str>,
    /// The start of processes in three parts.
    startup: StartupOut,
    /// From the end of processes until they were reaped.
    reaping: QuantilesOut,
    /// From the end of processes until their caller joined them, with `join: start_all_join_all`.
    join_delay: Option<QuantilesOut>,
    /// Descendants that had lost their parent.
    orphans: u64,
    /// What workers were forked from.
    fork_server: Option<ForkServerOut>,
    zombies: Option<u64>,
}

#[derive(Serialize)]
struct StartupOut {
    /// From the decision to start it until its program takes over, or until it was forked.
    fork_exec: QuantilesOut,
    /// Until its first own instruction.
    loading: QuantilesOut,
    /// Until it is ready for its initializer, or its first task.
    ready: QuantilesOut,
    processes: u64,
    sum_s: Option<StartupSumsOut>,
}

#[derive(Serialize)]
struct StartupSumsOut {
    fork_exec: f64,
    loading: f64,
    ready: f64,
    whole: f64,
}

#[derive(Serialize)]
struct ForkServerOut {
    /// One, and one more for each that had to be replaced.
    starts: u64,
    /// Until they could fork workers, their initializers included, together (additive to version 1).
    startup_s: f64,
    /// Its initializer and its forks: in the run's `cpu`, and in no worker's.
    cpu_s: f64,
    /// The most that was seen of any; `null` where it was not there at any look.
    peak_pss_bytes: Option<u64>,
    peak_rss_bytes: Option<u64>,
}

impl<'a> LivesOut<'a> {
    pub(super) fn of(run: &'a Snapshot) -> Self {
        let life = &run.life;
        // A recording may have been made before this was measured: then that of those that have ended is known.
        let ended = ForkServerUse { cpu: life.fork_servers.cpu, ..ForkServerUse::default() };
        let used = run.fork_server.as_deref().unwrap_or(&ended);
        let plain = |times| quantiles(times, None, &[]);
        let servers = life.fork_servers;
        let sums = life.startup.sums();
        Self {
            not_forked: run.not_forked(),
            startup: StartupOut {
                fork_exec: plain(&life.startup.fork_exec),
                loading: plain(&life.startup.loading),
                ready: plain(&life.startup.ready),
                processes: sums.processes,
                sum_s: (sums.processes > 0).then(|| StartupSumsOut {
                    fork_exec: seconds(sums.fork_exec),
                    loading: seconds(sums.loading),
                    ready: seconds(sums.ready),
                    whole: seconds(sums.whole()),
                }),
            },
            reaping: plain(&life.reaping),
            join_delay: (life.join_delay.count > 0).then(|| plain(&life.join_delay)),
            orphans: life.undead.orphans,
            fork_server: (servers.starts > 0).then(|| ForkServerOut {
                starts: servers.starts,
                startup_s: seconds(servers.startup),
                cpu_s: seconds(used.cpu),
                peak_pss_bytes: used.peak_pss_bytes,
                peak_rss_bytes: used.peak_rss_bytes,
            }),
            zombies: life.undead.zombies_at_end,
        }
    }
}
