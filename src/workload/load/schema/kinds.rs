//! Which keys must be there, and which go with which kind of thing.

use serde_json::{Value, json};

use crate::workload::load::keys::MapKeys;

/// Keys that every map of a level has.
pub(super) fn required(level: &str) -> &'static [&'static str] {
    match level {
        "file" => &["version", "tasks"],
        "task" => &["name", "kind"],
        "phase" | "engine" | "fault" => &["kind"],
        "backoff" => &["kind", "delay"],
        "retries" => &["max"],
        "dist" => &["dist"],
        "arrivals" => &["mode"],
        "stage" => &["rate"],
        "ramp" => &["from", "to"],
        "input" => &["file"],
        "expectation" => &["metric"],
        "expected_setting" => &["config"],
        _ => &[],
    }
}

/// A kind: the key that says it, the word, what must be there and what may be. Keys of no kind of the level go with any.
type Kind = (&'static str, &'static str, &'static [&'static str], &'static [&'static str]);

const DISTS: &[Kind] = &[
    ("dist", "constant", &["value"], &[]),
    ("dist", "uniform", &["min", "max"], &[]),
    ("dist", "exponential", &["mean"], &["max"]),
    ("dist", "lognormal", &["median", "sigma"], &["max"]),
    ("dist", "pareto", &["min", "alpha", "max"], &[]),
    ("dist", "bimodal", &["fast", "slow", "p_slow"], &[]),
    ("dist", "trace", &["file"], &["column", "unit", "sample"]),
];

const TASKS: &[Kind] = &[
    ("kind", "cpu", &["service_time"], &[]),
    ("kind", "sleep", &["service_time"], &[]),
    ("kind", "io", &["bytes"], &["sync"]),
    ("kind", "memory", &["bytes"], &["passes"]),
    ("kind", "mixed", &["phases"], &[]),
    ("kind", "kernel", &["kernel"], &["args"]),
    (
        "kind",
        "command",
        &["command"],
        &[
            "shell",
            "serve",
            "args",
            "cwd",
            "env",
            "stdin",
            "success_codes",
            "keep_output",
            "result",
            "items",
            "repeat",
            "sample",
        ],
    ),
    ("kind", "python", &["callable"], &["args", "items", "repeat", "sample"]),
];

const PHASES: &[Kind] = &[
    ("kind", "cpu", &["service_time"], &[]),
    ("kind", "sleep", &["service_time"], &[]),
    ("kind", "io", &["bytes"], &["sync"]),
    ("kind", "memory", &["bytes"], &["passes"]),
];

const ARRIVALS: &[Kind] = &[
    ("mode", "closed", &[], &["max_in_flight", "process"]),
    (
        "mode",
        "open",
        &["process"],
        &["rate", "duration", "stages", "burst", "every", "file", "column", "unit", "from", "on_full", "max_in_flight"],
    ),
];

const FAULTS: &[Kind] = &[
    ("kind", "crash", &[], &["signal", "exit"]),
    ("kind", "hang", &[], &[]),
    ("kind", "leak", &["bytes"], &[]),
    ("kind", "ignore_sigterm", &[], &[]),
    ("kind", "kill_worker", &[], &["worker"]),
    ("kind", "bad_result", &[], &["result"]),
];

fn of(level: &str) -> &'static [Kind] {
    match level {
        "dist" => DISTS,
        "task" => TASKS,
        "phase" => PHASES,
        "arrivals" => ARRIVALS,
        "fault" => FAULTS,
        _ => &[],
    }
}

/// What follows from the kind of a thing.
pub(super) fn rules(level: &str, keys: &MapKeys) -> Vec<Value> {
    let kinds = of(level);
    let is_of_a_kind =
        |key: &str| kinds.iter().any(|(_, _, needed, allowed)| needed.contains(&key) || allowed.contains(&key));
    let rule = |(key, word, needed, allowed): &Kind| {
        let goes = |name: &str| needed.contains(&name) || allowed.contains(&name) || !is_of_a_kind(name);
        let others = keys.accepted.iter().filter(|name| !goes(name));
        let others: serde_json::Map<String, Value> =
            others.map(|name| ((*name).to_owned(), Value::Bool(false))).collect();
        json!({
            "if": { "properties": { *key: { "const": word } }, "required": [key] },
            "then": { "required": needed, "properties": others },
        })
    };
    kinds.iter().map(rule).collect()
}
