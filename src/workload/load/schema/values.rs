//! What the value of each key is made of.

use serde_json::{Map, Value, json};

use crate::workload::load::{arrivals, dist, fault, file, kernel, retries, trace, work};
use crate::workload::model::{Comparison, Dispatch, EngineKind, Figure, LatencyOf, StartMethod, SubmitMode};
use crate::workload::units;

/// Characters that no text may have, line feeds and tabs aside ([`crate::workload::text::is_unsafe`]).
const UNSAFE: &str =
    r"\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b\u200e\u200f\u061c\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb";
/// Names of units of time as durations have them.
const UNITS_OF_TIME: &str = "hours?|hrs?|h|min(ute)?s?|m|sec(ond)?s?|s|milliseconds?|millis?|msecs?|ms|microseconds?|micros?|usecs?|us|[µμ]s|[µμ]secs?|nanoseconds?|nanos?|nsecs?|ns";

/// Values that many keys have.
pub(super) fn definitions() -> Map<String, Value> {
    let pattern = |form: &str, pattern: &str| json!({ "description": form, "type": "string", "pattern": pattern });
    // A comma may be that of a decimal fraction, or one between two units.
    let duration = format!(r"[0-9][0-9.,]*\s*({UNITS_OF_TIME})(,?\s*[0-9][0-9.,]*\s*({UNITS_OF_TIME}))*\s*$");
    let rate = r"[0-9.]+\s*/\s*(s|sec|second|min|minute|h|hour)\s*$";
    let Value::Object(definitions) = json!({
        "duration": pattern(units::DURATION_FORM, &format!(r"^\s*{duration}")),
        "positive_duration": pattern(units::DURATION_FORM, &format!(r"^\s*(?=.*[1-9]){duration}")),
        "size": pattern(units::SIZE_FORM, r"^\s*(?=.*[1-9])[0-9.]+\s*([kKmMgGtT][iI]?)?[bB]\s*$"),
        "rate": pattern(units::RATE_FORM, &format!(r"^\s*(?=.*[1-9]){rate}")),
        "ramp_rate": pattern(units::RAMP_RATE_FORM, &format!(r"^\s*{rate}")),
        "percentage": pattern(units::PERCENTAGE_FORM, r"^\s*(?=.*[1-9])[0-9.]+\s*%\s*$"),
        "name": { "type": "string", "minLength": 1, "maxLength": 100, "pattern": format!("^(?=.*\\S)[^{UNSAFE}\\n\\t]*$") },
        "line": { "type": "string", "pattern": format!("^[^{UNSAFE}\\n\\t]*$") },
        "text": { "type": "string", "pattern": format!("^[^{UNSAFE}]*$") },
        "callable": { "type": "string", "pattern": r"^[^\s:/]+:[^\s:/]+$" },
        // A path that a program is given, or its folder: anything but what ends it.
        "path": { "type": "string", "minLength": 1, "pattern": "^[^\\u0000]*$" },
        "file_name": { "type": "string", "minLength": 1, "pattern": format!("^[^{UNSAFE}]*$") },
        // An argument of a program: anything but what ends it.
        "argument": { "type": "string", "pattern": "^[^\\u0000]*$" },
        "count32": { "type": "integer", "minimum": 1, "maximum": u32::MAX },
        "boolean": { "type": "boolean" },
        "count": { "type": "integer", "minimum": 1 },
        "index": { "type": "integer", "minimum": 0 },
        "share": { "type": "number", "minimum": 0, "maximum": 1 },
        "variables": {
            "description": "names and values",
            "type": "object",
            "propertyNames": { "pattern": "^[^=\\u0000]+$" },
            "additionalProperties": { "type": ["string", "number", "boolean", "null"] },
        },
        // Python's arguments, or a kernel's.
        "arguments": { "type": ["object", "array"] },
    }) else {
        return Map::new();
    };
    definitions
}

/// The value of a key of a level; `None` if it has no such key.
#[expect(clippy::match_same_arms, clippy::unnested_or_patterns, reason = "a table, level by level")]
pub(super) fn value(level: &str, key: &str) -> Option<Value> {
    let cpu = json!({ "type": "integer", "minimum": 0, "maximum": 8191 });
    Some(match (level, key) {
        ("file", "version") => json!({ "const": 1 }),
        ("file", "seed") => of("index"),
        ("file", "teaches") => list(&of("text"), 0),
        ("file", "tasks") => list(&of("task"), 1),
        ("file", "engines") => list(&of("engine"), 1),
        ("file", "faults") => list(&of("fault"), 0),
        ("file", "expect") => list(&of("expectation"), 1),
        // A list, or a range or steps as text, for each field.
        ("file", "sweep") => json!({ "type": "object", "minProperties": 1 }),
        ("file", "order") => words(file::orders()),
        ("measure", "order") => words(["interleaved", "randomized"]),
        ("file" | "engine", "python") => of("python"),
        ("file", "arrivals" | "measure" | "limits") | ("measure", "join") => of(key),
        (_, "name") | ("fault", "engine" | "task") => of("name"),
        (_, "title") | ("engine", "when") => of("line"),
        ("python", "interpreter") => json!({ "allOf": [of("line"), { "minLength": 1 }] }),
        ("file", "description") => of("text"),
        ("task" | "initializer", "callable") => of("callable"),
        ("task", "cwd" | "keep_output") | ("input", "file") => of("path"),
        ("items", "lines" | "csv" | "jsonl") | ("dist" | "arrivals", "file") => of("file_name"),
        ("items", "glob") => of("text"),
        (_, "on_timeout") => words(["kill", "abandon"]),
        (_, "grace_period") | ("initializer", "cpu") => of("duration"),
        ("file", "total") | ("task", "count" | "repeat" | "sample") | ("arrivals", "burst" | "max_in_flight") => {
            of("count")
        }

        ("task", "kind") => words(work::words()),
        ("phase", "kind") => words(["cpu", "sleep", "io", "memory"]),
        ("task", "weight") => json!({ "type": "number", "minimum": 0 }),
        ("task", "items") => json!({ "anyOf": [{ "type": "array", "minItems": 1 }, of("items")] }),
        ("task" | "phase", "service_time") => of("dist"),
        ("task" | "phase" | "fault", "bytes") | ("payload", "in" | "out") => of("size"),
        ("task" | "phase", "sync") | ("task", "shell") | ("dist", "sample") | ("engine", "baseline") => of("boolean"),
        ("retries", "redraw") | ("backoff", "jitter") | ("measure", "gil_probe") => of("boolean"),
        ("task" | "phase", "passes") => of("count"),
        ("task", "phases") => list(&of("phase"), 1),
        ("task", "kernel") => words(kernel::words()),
        ("task" | "initializer", "args") => of("arguments"),
        ("task", "command") => json!({ "anyOf": [
            { "type": "array", "prefixItems": [{ "allOf": [of("argument"), { "pattern": r"\S" }] }], "items": of("argument"), "minItems": 1 },
            { "allOf": [of("argument"), { "pattern": r"\S" }] },
        ] }),
        ("task", "serve") => words(["lines"]),
        ("task", "env") | ("python", "env") => of("variables"),
        ("task", "stdin") => json!({ "anyOf": [{ "type": ["string", "null"] }, of("input")] }),
        ("task", "success_codes") => list(&code(0), 1),
        ("task", "result") => words(["output_hash", "stdout"]),
        ("task", "payload") => of("payload"),
        ("task", "timeout" | "queue_timeout" | "wait_timeout") => of("positive_duration"),
        ("task", "retries") => json!({ "anyOf": [retries(), of("retries")] }),

        ("dist", "dist") => words(dist::words()),
        ("dist", "mean" | "median" | "max") => of("positive_duration"),
        ("dist", "value" | "min" | "fast" | "slow") => of("duration"),
        ("dist", "sigma") => json!({ "type": "number", "minimum": 0, "maximum": 10 }),
        ("dist", "alpha") => json!({ "type": "number", "exclusiveMinimum": 0 }),
        ("dist", "p_slow") | ("initializer", "fail_rate") | ("fault", "rate") => of("share"),
        ("dist" | "arrivals", "column") => json!({ "anyOf": [of("count"), of("line")] }),
        ("dist" | "arrivals", "unit") => words(trace::units()),
        ("args", "bytes") => of("size"),
        ("args", _) => of("count"),

        ("retries", "max") => retries(),
        ("retries", "on") => {
            let causes = words(["crash", "timeout", "error"]);
            json!({ "anyOf": [list(&causes, 1), causes] })
        }
        ("retries", "backoff") => json!({ "anyOf": [of("duration"), of("backoff")] }),
        ("backoff", "kind") => words(["constant", "exponential"]),
        ("backoff", "delay" | "max_delay") => of("positive_duration"),

        ("arrivals", "mode") => words(["closed", "open"]),
        ("arrivals", "process") => words(arrivals::words()),
        ("arrivals" | "stage", "rate") => json!({ "anyOf": [of("ramp_rate"), of("ramp")] }),
        ("arrivals" | "stage", "duration") | ("arrivals", "every") => of("positive_duration"),
        ("arrivals", "stages") => list(&of("stage"), 1),
        ("arrivals", "from") => words(["start", "first"]),
        ("arrivals", "on_full") => words(["drop", "block"]),
        ("ramp", "from" | "to") => of("ramp_rate"),

        ("engine", "kind") => words(EngineKind::in_files().map(EngineKind::word)),
        ("engine", "workers" | "processes" | "max_workers" | "n_jobs" | "max_procs") => {
            json!({ "anyOf": [of("count32"), words(["auto", "unbounded"])] })
        }
        ("engine", "chunksize") => json!({ "anyOf": [of("count32"), words(["auto", "cpython"])] }),
        ("engine", "queue_capacity") => json!({ "anyOf": [of("count"), words(["unbounded"])] }),
        ("engine", "start_timeout") => of("positive_duration"),
        ("engine", "max_tasks_per_child" | "maxtasksperchild" | "worker_lifespan") => of("count"),
        ("engine", "max_rss_per_child") | ("initializer", "memory") => of("size"),
        ("engine", "initializer") => of("initializer"),
        ("engine", "submit") => words(SubmitMode::ALL.map(SubmitMode::word)),
        ("engine", "dispatch") => words([Dispatch::Shared, Dispatch::RoundRobin].map(Dispatch::word)),
        ("engine", "affinity") => json!({ "anyOf": [
            { "type": "string", "pattern": r"^\s*[0-9]+\s*(-\s*[0-9]+\s*)?(,\s*[0-9]+\s*(-\s*[0-9]+\s*)?)*$" },
            cpu.clone(),
            { "type": "array", "items": cpu, "minItems": 1, "uniqueItems": true },
        ] }),
        ("engine", "nice") => json!({ "type": "integer", "minimum": -20, "maximum": 19 }),
        ("engine", "start_method") => words(StartMethod::WORDS.map(|(word, _)| word)),
        ("engine", "join") => words(["as_completed", "start_all_join_all"]),
        ("engine", "reap") => words(["always", "never"]),
        ("initializer" | "join", "timeout") => of("positive_duration"),
        ("initializer", "max_failures") => of("count"),

        ("fault", "kind") => words(fault::words()),
        ("fault", "worker") => of("index"),
        ("fault", "at") => json!({ "anyOf": [of("index"), of("duration")] }),
        ("fault", "signal") => words(fault::signals().flat_map(|name| [name.to_owned(), format!("SIG{name}")])),
        ("fault", "exit") => code(1),
        ("fault", "result") => words(fault::bad_results()),

        ("expectation", "metric") => json!({ "anyOf": [
            words(Figure::ALL.map(|(word, ..)| word)),
            { "type": "string", "pattern": latency_pattern() },
        ] }),
        ("expectation", "engine" | "than") => of("name"),
        ("expectation", "engines") => list(&of("name"), 1),
        ("expectation", "op") => words(Comparison::ALL.map(|(word, _)| word)),
        ("expectation", "value") => json!({ "anyOf": [{ "type": ["string", "number"] }, of("expected_setting")] }),
        ("expectation", "factor") => json!({ "type": "number", "exclusiveMinimum": 0 }),
        ("expectation", "stage") => of("count"),
        ("expectation", "when") => of("line"),
        ("expected_setting", "config") => words(["workers", "tasks"]),

        ("python", "path") => json!({ "anyOf": [list(&of("line"), 1), of("line")] }),
        ("python", "probe_timeout") => of("positive_duration"),
        ("items", "range") => json!({ "type": "array", "items": { "type": "integer" }, "minItems": 2, "maxItems": 3 }),
        ("items", "separator") => words(["newline", "nul"]),

        ("measure", "warmup") => of("index"),
        ("measure", "repeats" | "max_repeats") => of("count"),
        ("limits", "max_processes") => of("count32"),
        ("measure", "precision") => of("percentage"),
        ("measure" | "limits", "max_time") | ("measure", "sample_interval") => of("positive_duration"),
        ("measure", "percentiles") => list(&json!({ "type": "number", "exclusiveMinimum": 0, "maximum": 100 }), 1),
        ("measure", "latency_from") => words(["intended_arrival", "start"]),
        ("limits", "max_memory") => of("size"),
        ("limits", "max_open_files") => json!({ "type": "integer", "minimum": 32, "maximum": 0x7fff_ffc0 }),
        _ => return None,
    })
}

/// A latency and what of it: `sojourn_p99`.
fn latency_pattern() -> String {
    format!("^({})_(mean|max|p[0-9][0-9.]*)$", LatencyOf::ALL.map(|(word, _)| word).join("|"))
}

fn of(definition: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{definition}") })
}

fn list(items: &Value, least: u32) -> Value {
    json!({ "type": "array", "items": items, "minItems": least })
}

fn words<T: Into<Value>>(words: impl IntoIterator<Item = T>) -> Value {
    json!({ "enum": words.into_iter().map(Into::into).collect::<Vec<Value>>() })
}

/// How often a task is tried again at most.
fn retries() -> Value {
    json!({ "type": "integer", "minimum": 0, "maximum": retries::MOST })
}

/// An exit code.
fn code(least: u8) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": 255 })
}
