//! The engines that are held to the suite, and what of it they do not do.

use std::time::Duration;

use crate::support::{Setting, foreign, pool, process};

/// An engine with what it is excused from.
pub(crate) struct Engine {
    pub(crate) name: &'static str,
    /// An ordinary run of it with so many workers.
    pub(crate) setting: fn(workers: u32) -> Setting,
    /// A behaviour (`C14`) or one case of it by its name, and why this engine does not show it.
    pub(crate) exceptions: &'static [(&'static str, &'static str)],
}

impl Engine {
    pub(crate) fn of(&self, workers: u32) -> Setting {
        // A busy machine takes its time; what that means is no part of the suite.
        Setting { start_timeout: Duration::from_secs(60), ..(self.setting)(workers) }
    }

    /// Whether its workers take one task after the other.
    pub(crate) fn keeps_workers(&self) -> bool {
        self.of(1).workers_are_kept()
    }

    /// Why it is excused from this case.
    pub(crate) fn exception(&self, id: &str, case: &str) -> Option<&'static str> {
        self.exceptions.iter().find(|(of, _)| [id, case].contains(of)).map(|(_, why)| *why)
    }
}

fn forked(setting: Setting) -> Setting {
    Setting { fork_server: true, ..setting }
}

const NO_SERVER: (&str, &str) = ("C11", "its workers are started one by one, without a fork server");
const ONE_TASK: [(&str, &str); 4] = [
    ("C14", "each process does one task: there is nothing to recycle"),
    ("who_survives_a_resize_keeps_its_process", "each process ends with its task"),
    ("an_idle_worker_comes_before_a_new_one", "each task has a new process, and none is ever idle"),
    ("who_does_not_leave_in_time_is_named_and_ended", "each process ends with its task: nobody is asked to leave"),
];
const ONE_SERVER: (&str, &str) =
    ("C36", "its workers are forks of one server, which is there for all of them or for none");

/// Every engine.
pub(crate) const ENGINES: &[Engine] = &[
    Engine { name: "pool", setting: pool, exceptions: &[NO_SERVER] },
    Engine {
        name: "process",
        setting: process,
        exceptions: &[NO_SERVER, ONE_TASK[0], ONE_TASK[1], ONE_TASK[2], ONE_TASK[3]],
    },
    Engine { name: "pool-forkserver", setting: |workers| forked(pool(workers)), exceptions: &[ONE_SERVER] },
    Engine {
        name: "process-forkserver",
        setting: |workers| forked(process(workers)),
        exceptions: &[ONE_SERVER, ONE_TASK[0], ONE_TASK[1], ONE_TASK[2], ONE_TASK[3]],
    },
    Engine {
        name: "pool-python",
        setting: |workers| foreign::with(foreign::python("board"), pool(workers)),
        exceptions: &[
            NO_SERVER,
            (
                "cancels_that_race_with_results_count_each_task_once",
                "each costs a start of an interpreter: that takes minutes",
            ),
            ("C30", "this worker has no faults: it does nothing wrong on purpose"),
            ("twenty_results_in_a_row_that_nobody_can_read", "this worker has no faults"),
            ("a_worker_that_ignores_sigterm_is_killed_after_its_grace", "this worker has no faults"),
            ("a_hundred_megabytes_go_and_come_back", "it hashes a byte at a time, in Python: that takes a minute"),
        ],
    },
];
