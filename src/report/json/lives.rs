//! The lives of a run's processes in its result. All of it but `zombies` is additive to version 1.
//!
//! * `zombies`: children that had ended and were not reaped, in `/proc`, at the last look before the end of the run, where
//!   what was left on purpose (`reap: never`) is reaped; `null` where `/proc` was not looked at.
//! * `orphans`: descendants that had lost their parent and were taken in by Poolscope.
//! * `startup`, `reaping`, `join_delay`: parts of the lives of processes; all figures `null` where no process told any.

use serde::Serialize;

use super::{QuantilesOut, quantiles, seconds};
use crate::metrics::life::Life;

#[derive(Serialize)]
pub(super) struct LivesOut {
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
}

#[derive(Serialize)]
struct ForkServerOut {
    /// One, and one more for each that had to be replaced.
    starts: u64,
    /// Its initializer and its forks: in the run's `cpu`, and in no worker's.
    cpu_s: f64,
}

impl LivesOut {
    pub(super) fn of(life: &Life) -> Self {
        let plain = |times| quantiles(times, None, &[]);
        let servers = life.fork_servers;
        Self {
            startup: StartupOut {
                fork_exec: plain(&life.startup.fork_exec),
                loading: plain(&life.startup.loading),
                ready: plain(&life.startup.ready),
            },
            reaping: plain(&life.reaping),
            join_delay: (life.join_delay.count > 0).then(|| plain(&life.join_delay)),
            orphans: life.undead.orphans,
            fork_server: (servers.starts > 0)
                .then(|| ForkServerOut { starts: servers.starts, cpu_s: seconds(servers.cpu) }),
            zombies: life.undead.zombies_at_end,
        }
    }
}
