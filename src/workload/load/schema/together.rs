//! What of the same map goes together and what does not, beyond what follows from its kind alone ([`super::kinds`]).

use serde_json::{Value, json};

use crate::workload::engines::WORKERS;
use crate::workload::load::{kernel, worker_life};
use crate::workload::model::{EngineKind, Figure, SubmitMode, Unit, WorkerCounts};

/// The rules of a level.
pub(super) fn rules(level: &str) -> Vec<Value> {
    match level {
        "file" => file(),
        "task" => task(),
        "engine" => engine_rules(),
        "arrivals" => arrivals(),
        // A leak and a deaf task are in all tasks where nothing says in which.
        "fault" => vec![
            where_is("kind", ["crash", "hang", "kill_worker", "bad_result"], &one_of(&["at", "rate"])),
            not_both("at", "rate"),
            not_both("signal", "exit"),
        ],
        "expectation" => expectation(),
        "measure" => {
            let budget = |key: &str| json!({ "if": { "required": [key] }, "then": { "required": ["precision"] } });
            vec![budget("max_repeats"), budget("max_time")]
        }
        "initializer" => vec![needs("args", "callable")],
        _ => Vec::new(),
    }
}

fn not_both(one: &str, other: &str) -> Value {
    json!({ "not": { "required": [one, other] } })
}

fn needs(key: &str, other: &str) -> Value {
    json!({ "if": { "required": [key] }, "then": { "required": [other] } })
}

/// At least one of these.
fn one_of(keys: &[&str]) -> Value {
    json!({ "anyOf": keys.iter().map(|key| json!({ "required": [key] })).collect::<Vec<_>>() })
}

/// Where a key has one of these words.
fn where_is<T: Into<Value>>(key: &str, words: impl IntoIterator<Item = T>, then: &Value) -> Value {
    let words: Vec<Value> = words.into_iter().map(Into::into).collect();
    json!({ "if": { "properties": { key: { "enum": words } }, "required": [key] }, "then": then })
}

fn without<'k>(keys: impl IntoIterator<Item = &'k str>) -> Value {
    let keys: serde_json::Map<String, Value> =
        keys.into_iter().map(|key| (key.to_owned(), Value::Bool(false))).collect();
    json!({ "properties": keys })
}

/// Tasks have counts (as items are), or weights; a total goes with weights.
fn file() -> Vec<Value> {
    let tasks = |what: Value| json!({ "properties": { "tasks": what }, "required": ["tasks"] });
    let some = |key: &str| tasks(json!({ "contains": { "required": [key] } }));
    let none = |key: &str| tasks(json!({ "items": { "properties": { key: false } } }));
    let all = |keys: &[&str]| tasks(json!({ "items": one_of(keys) }));
    vec![
        json!({ "if": some("count"), "then": all(&["count", "items"]) }),
        json!({ "if": some("weight"), "then": all(&["weight"]) }),
        json!({ "anyOf": [{ "required": ["arrivals"] }, { "required": ["total"] }, all(&["count", "weight", "items"])] }),
        json!({ "if": some("count"), "then": { "allOf": [none("weight"), { "properties": { "total": false } }] } }),
        json!({ "if": { "allOf": [some("weight"), { "not": { "required": ["arrivals"] } }] },
                "then": { "required": ["total"] } }),
    ]
}

fn task() -> Vec<Value> {
    let shell = json!({ "properties": { "shell": { "const": true } }, "required": ["shell"] });
    let mut rules = vec![
        not_both("count", "weight"),
        json!({ "if": { "properties": { "command": { "type": "string" } }, "required": ["command"] }, "then": shell }),
        json!({ "if": shell, "then": { "properties": { "command": { "type": "string" } } } }),
    ];
    for (word, arguments) in kernel::arguments_of_all() {
        let none = arguments.is_empty();
        let keys: Vec<&str> = arguments.iter().map(|(key, _)| *key).collect();
        let limits = arguments.iter().filter_map(|(key, most)| {
            Some(((*key).to_owned(), json!({ "type": "integer", "minimum": 1, "maximum": (*most)? })))
        });
        let size = arguments.iter().filter(|(_, most)| most.is_none());
        let sizes = size.map(|(key, _)| ((*key).to_owned(), json!({ "$ref": "#/$defs/size" })));
        let known: serde_json::Map<String, Value> = limits.chain(sizes).collect();
        let args = json!({ "type": "object", "properties": known, "required": keys, "additionalProperties": false });
        let needed: &[&str] = if none { &[] } else { &["args"] };
        rules.push(json!({
            "if": { "properties": { "kind": { "const": "kernel" }, "kernel": { "const": word } }, "required": ["kind", "kernel"] },
            "then": { "properties": { "args": args }, "required": needed },
        }));
    }
    rules
}

/// By the same table that says what each kind of engine can do.
fn engine_rules() -> Vec<Value> {
    let pairs = |names: &[&'static str]| {
        let names = names.to_vec();
        let all = names.clone().into_iter().enumerate();
        all.flat_map(|(place, one)| names[place + 1..].iter().map(|other| not_both(one, other)).collect::<Vec<_>>())
            .collect::<Vec<_>>()
    };
    let mut rules = pairs(&WORKERS);
    rules.extend(pairs(&worker_life::MAX_TASKS));
    for kind in EngineKind::in_files() {
        let row = kind.row();
        let is_kept = !kind.process_per_task() && !kind.shares_process();
        let refused: [(bool, &[&str]); 6] = [
            (row.chunksize.is_none(), &["chunksize"]),
            (!kind.has_worker_count(), &["dispatch"]),
            (!kind.process_per_task() || kind.is_reference(), &["join", "reap"]),
            (kind.shares_process() || row.workers == WorkerCounts::One, &["start_method"]),
            (!is_kept, &worker_life::MAX_TASKS),
            (!is_kept || kind.is_reference(), &["max_rss_per_child"]),
        ];
        let refused = refused.into_iter().filter(|(is_refused, _)| *is_refused).flat_map(|(_, keys)| keys);
        rules.push(where_is("kind", [kind.word()], &without(refused.copied())));
        let mut values = serde_json::Map::new();
        let count = json!({ "$ref": "#/$defs/count" });
        let workers = match row.workers {
            WorkerCounts::One => Some(json!({ "const": 1 })),
            WorkerCounts::AnyOrUnbounded => None,
            _ => Some(json!({ "anyOf": [count, { "const": "auto" }] })),
        };
        for name in WORKERS {
            values.extend(workers.clone().map(|workers| (name.to_owned(), workers)));
        }
        if kind.is_reference() {
            values.insert("queue_capacity".to_owned(), json!({ "const": "unbounded" }));
            values.insert("dispatch".to_owned(), json!({ "const": "shared" }));
            // It calls a function in each of its workers, and that is all that it knows of it.
            let call = without(["cpu", "memory", "fail_rate", "timeout"]);
            values.insert("initializer".to_owned(), json!({ "allOf": [call], "required": ["callable"] }));
        }
        if kind.is_reference() || kind.shares_process() {
            values.insert("on_timeout".to_owned(), json!({ "const": "abandon" }));
        }
        let modes = SubmitMode::ALL.into_iter().filter(|mode| match kind {
            EngineKind::MpProcess => !mode.returns_chunks(),
            EngineKind::Ppe => !matches!(mode, SubmitMode::Imap | SubmitMode::ImapUnordered),
            _ => true,
        });
        values.insert("submit".to_owned(), json!({ "enum": modes.map(SubmitMode::word).collect::<Vec<_>>() }));
        rules.push(where_is("kind", [kind.word()], &json!({ "properties": values })));
    }
    rules
}

fn arrivals() -> Vec<Value> {
    let spaced = json!({ "allOf": [one_of(&["rate", "stages"]), without(["burst", "every", "file", "column", "unit", "from"])] });
    let burst = json!({
        "required": ["burst", "every"],
        "allOf": [without(["rate", "stages", "file", "column", "unit", "from"])],
    });
    let trace = json!({ "required": ["file"], "allOf": [without(["rate", "stages", "burst", "every", "duration"])] });
    let open = json!({ "properties": { "process": { "enum": ["constant", "poisson", "burst", "ramp", "trace"] } } });
    // Only a ramp may begin at 0, or change.
    let level = json!({ "properties": {
        "rate": { "$ref": "#/$defs/rate" },
        "stages": { "items": { "properties": { "rate": { "$ref": "#/$defs/rate" } } } },
    } });
    // From one rate to another takes a time, and one rate alone is no ramp.
    let change = json!({
        "if": { "required": ["rate"] },
        "then": { "properties": { "rate": { "type": "object" } }, "required": ["duration"] },
    });
    vec![
        where_is("process", ["constant", "poisson", "ramp"], &spaced),
        where_is("process", ["constant", "poisson"], &level),
        where_is("process", ["ramp"], &change),
        where_is("process", ["burst"], &burst),
        where_is("process", ["trace"], &trace),
        where_is("mode", ["open"], &open),
        where_is("mode", ["closed"], &json!({ "properties": { "process": { "const": "batch" } } })),
        not_both("rate", "stages"),
        not_both("duration", "stages"),
        needs("on_full", "max_in_flight"),
    ]
}

fn expectation() -> Vec<Value> {
    let truths = Figure::ALL.iter().filter(|(.., unit)| *unit == Unit::Truth);
    let truths: Vec<&str> = truths.map(|(word, ..)| *word).collect();
    let compared = json!({ "required": ["op"], "allOf": [one_of(&["value", "than"])] });
    vec![
        json!({
            "if": { "properties": { "metric": { "enum": truths } }, "required": ["metric"] },
            "then": without(["op", "value", "than", "factor"]),
            "else": compared,
        }),
        not_both("engine", "engines"),
        not_both("value", "than"),
        needs("factor", "than"),
        json!({ "if": { "required": ["stage"] }, "then": { "properties": { "metric": { "const": "utilisation" } } } }),
    ]
}
