//! Every key of the file format, by level: what is read now, and what a later version will read.
//!
//! A key of a later version is refused at its place: it is neither ignored, which would measure something else than
//! the file says, nor called unknown, which would send its writer looking for a spelling mistake.

/// Keys of one kind of map.
pub(crate) struct MapKeys {
    /// Read now (in at least one variant of the map).
    pub(crate) accepted: &'static [&'static str],
    /// Part of the format, not read yet.
    pub(crate) later: &'static [&'static str],
    /// What the map is, for hints.
    pub(crate) place: &'static str,
}

/// The file itself.
pub(crate) const FILE: MapKeys = MapKeys {
    accepted: &[
        "version",
        "name",
        "title",
        "description",
        "teaches",
        "seed",
        "tasks",
        "total",
        "order",
        "arrivals",
        "engines",
        "measure",
        "on_timeout",
        "grace_period",
        "faults",
        "expect",
        "limits",
        "python",
        "sweep",
    ],
    later: &["controls", "lesson"],
    place: "the top level",
};

/// `tasks[]`.
pub(crate) const TASK: MapKeys = MapKeys {
    accepted: &[
        "name",
        "kind",
        "count",
        "weight",
        "items",
        "repeat",
        "sample",
        "service_time",
        "bytes",
        "sync",
        "passes",
        "phases",
        "kernel",
        "args",
        "command",
        "shell",
        "serve",
        "cwd",
        "env",
        "stdin",
        "success_codes",
        "keep_output",
        "result",
        "callable",
        "payload",
        "timeout",
        "queue_timeout",
        "wait_timeout",
        "on_timeout",
        "grace_period",
        "retries",
    ],
    later: &["ipc", "messages", "lock"],
    place: "an entry of `tasks`",
};

/// `tasks[].phases[]`.
pub(crate) const PHASE: MapKeys =
    MapKeys { accepted: &["kind", "service_time", "bytes", "sync", "passes"], later: &[], place: "a phase" };

/// `service_time`.
pub(crate) const DIST: MapKeys = MapKeys {
    accepted: &[
        "dist", "value", "min", "max", "mean", "median", "sigma", "alpha", "fast", "slow", "p_slow", "file", "column",
        "unit", "sample",
    ],
    later: &[],
    place: "`service_time`",
};

/// `args` of a kernel.
pub(crate) const ARGS: MapKeys = MapKeys {
    accepted: &["n", "width", "height", "iterations", "bytes", "samples"],
    later: &[],
    place: "`args` of a kernel",
};

/// `retries`.
pub(crate) const RETRIES: MapKeys =
    MapKeys { accepted: &["max", "on", "backoff", "redraw"], later: &[], place: "`retries`" };

/// `retries.backoff`.
pub(crate) const BACKOFF: MapKeys =
    MapKeys { accepted: &["kind", "delay", "max_delay", "jitter"], later: &[], place: "`backoff`" };

/// `arrivals`.
pub(crate) const ARRIVALS: MapKeys = MapKeys {
    accepted: &[
        "mode",
        "process",
        "rate",
        "duration",
        "stages",
        "burst",
        "every",
        "file",
        "column",
        "unit",
        "from",
        "max_in_flight",
        "on_full",
    ],
    later: &[],
    place: "`arrivals`",
};

/// `arrivals.stages[]`.
pub(crate) const STAGE: MapKeys =
    MapKeys { accepted: &["duration", "rate"], later: &[], place: "a stage of `arrivals`" };

/// `arrivals.rate` of a ramp.
pub(crate) const RAMP: MapKeys = MapKeys { accepted: &["from", "to"], later: &[], place: "the `rate` of a ramp" };

/// `engines[]`.
pub(crate) const ENGINE: MapKeys = MapKeys {
    accepted: &[
        "name",
        "kind",
        "workers",
        "processes",
        "max_workers",
        "n_jobs",
        "max_procs",
        "chunksize",
        "start_timeout",
        "baseline",
        "on_timeout",
        "max_tasks_per_child",
        "maxtasksperchild",
        "worker_lifespan",
        "max_rss_per_child",
        "initializer",
        "submit",
        "dispatch",
        "queue_capacity",
        "affinity",
        "nice",
        "start_method",
        "join",
        "reap",
        "python",
        "when",
    ],
    later: &[],
    place: "an entry of `engines`",
};

/// `engines[].initializer`.
pub(crate) const INITIALIZER: MapKeys = MapKeys {
    accepted: &["callable", "args", "cpu", "memory", "fail_rate", "timeout", "max_failures"],
    later: &[],
    place: "an `initializer`",
};

/// `faults[]`.
pub(crate) const FAULT: MapKeys = MapKeys {
    accepted: &["kind", "task", "engine", "worker", "rate", "at", "bytes", "signal", "exit", "result"],
    later: &[],
    place: "an entry of `faults`",
};

/// `python`.
pub(crate) const PYTHON: MapKeys =
    MapKeys { accepted: &["interpreter", "env", "path", "probe_timeout"], later: &[], place: "`python`" };

/// `tasks[].items`.
pub(crate) const ITEMS: MapKeys =
    MapKeys { accepted: &["range", "lines", "separator", "csv", "jsonl", "glob"], later: &[], place: "`items`" };

/// `tasks[].stdin`.
pub(crate) const INPUT: MapKeys = MapKeys { accepted: &["file"], later: &[], place: "`stdin`" };

/// `tasks[].payload`.
pub(crate) const PAYLOAD: MapKeys = MapKeys { accepted: &["in", "out"], later: &[], place: "`payload`" };

/// `measure`.
pub(crate) const MEASURE: MapKeys = MapKeys {
    accepted: &[
        "warmup",
        "repeats",
        "precision",
        "max_repeats",
        "max_time",
        "order",
        "sample_interval",
        "percentiles",
        "latency_from",
        "join",
        "gil_probe",
    ],
    later: &[],
    place: "`measure`",
};

/// `measure.join`.
pub(crate) const JOIN: MapKeys = MapKeys { accepted: &["timeout"], later: &[], place: "`join`" };

/// `limits`.
pub(crate) const LIMITS: MapKeys =
    MapKeys { accepted: &["max_processes", "max_memory", "max_time", "max_open_files"], later: &[], place: "`limits`" };

/// `expect[]`.
pub(crate) const EXPECT: MapKeys = MapKeys {
    accepted: &["metric", "engine", "engines", "op", "value", "than", "factor", "stage", "when"],
    later: &[],
    place: "an entry of `expect`",
};

/// `expect[].value`.
pub(crate) const EXPECT_VALUE: MapKeys = MapKeys { accepted: &["config"], later: &[], place: "a `value` of `expect`" };

const LEVELS: [&MapKeys; 22] = [
    &FILE,
    &TASK,
    &ENGINE,
    &ARRIVALS,
    &STAGE,
    &RAMP,
    // Before `measure`, which has a `max_time` of another meaning: who writes it elsewhere means this one.
    &LIMITS,
    &MEASURE,
    &RETRIES,
    &BACKOFF,
    &DIST,
    &ARGS,
    &PHASE,
    &INITIALIZER,
    &FAULT,
    &JOIN,
    &PYTHON,
    &PAYLOAD,
    &ITEMS,
    &INPUT,
    &EXPECT,
    &EXPECT_VALUE,
];

/// Whether a key exists anywhere in the format.
pub(crate) fn is_known(name: &str) -> bool {
    place_of(name).is_some()
}

/// Whether a key is behind an `env`: in the same column one of the same map, further to the left one of the maps around it.
pub(crate) fn is_beyond_env(name: &str, same_column: bool) -> bool {
    let levels: &[&MapKeys] = if same_column { &[&TASK, &PYTHON] } else { &[&FILE, &TASK, &ENGINE] };
    levels.iter().any(|level| level.accepted.contains(&name) || level.later.contains(&name))
}

/// Where a key belongs.
pub(crate) fn place_of(name: &str) -> Option<&'static str> {
    LEVELS.iter().find(|level| level.accepted.contains(&name) || level.later.contains(&name)).map(|level| level.place)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words in backticks of a text.
    fn quoted(text: &str) -> Vec<&str> {
        text.split('`').skip(1).step_by(2).collect()
    }

    #[test]
    fn the_readme_names_each_key_that_is_read_and_no_other() {
        let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
        for level in LEVELS {
            let head = format!("| {} | ", level.place);
            let row = readme.lines().find_map(|line| line.strip_prefix(&head));
            let mut named = quoted(row.unwrap_or_else(|| panic!("README.md has no row `{head}`")));
            let mut read = level.accepted.to_vec();
            named.sort_unstable();
            read.sort_unstable();
            named.dedup();
            assert_eq!(named, read, "{} in README.md", level.place);
        }
    }
}
