//! The format of workload files as a JSON Schema, for editors. Made of the same tables as the reader: the keys of each
//! level ([`keys`]) and the words of each choice, so that neither can have one that the other does not know.
//!
//! It says what a file is made of, and what of one map goes together. What is meant across maps or by numbers (a `max` below its
//! `min`, two tasks of one name, a fault in a task that there is not) is known to the reader alone: `poolscope check`.

mod kinds;
mod together;
mod values;

use serde_json::{Map, Value, json};

use self::values::value;
use crate::workload::load::keys::{self, MapKeys};

/// Levels by the name of their definition. The first is the file.
const DEFINITIONS: [(&str, &MapKeys); 22] = [
    ("file", &keys::FILE),
    ("task", &keys::TASK),
    ("engine", &keys::ENGINE),
    ("arrivals", &keys::ARRIVALS),
    ("stage", &keys::STAGE),
    ("ramp", &keys::RAMP),
    ("limits", &keys::LIMITS),
    ("measure", &keys::MEASURE),
    ("retries", &keys::RETRIES),
    ("backoff", &keys::BACKOFF),
    ("dist", &keys::DIST),
    ("args", &keys::ARGS),
    ("phase", &keys::PHASE),
    ("initializer", &keys::INITIALIZER),
    ("fault", &keys::FAULT),
    ("join", &keys::JOIN),
    ("python", &keys::PYTHON),
    ("payload", &keys::PAYLOAD),
    ("items", &keys::ITEMS),
    ("input", &keys::INPUT),
    ("expectation", &keys::EXPECT),
    ("expected_setting", &keys::EXPECT_VALUE),
];

/// The schema (JSON Schema, draft 2020-12).
#[must_use]
pub(crate) fn schema() -> Value {
    let mut definitions: Map<String, Value> =
        DEFINITIONS.iter().map(|(name, level)| ((*name).to_owned(), definition(name, level))).collect();
    definitions.extend(values::definitions());
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://poolscope.invalid/workload/1",
        "title": "Poolscope workload, version 1",
        "$ref": "#/$defs/file",
        "$defs": definitions,
    })
}

fn definition(name: &str, level: &MapKeys) -> Value {
    let properties: Map<String, Value> =
        level.accepted.iter().filter_map(|key| Some(((*key).to_owned(), value(name, key)?))).collect();
    let mut definition = json!({
        "description": format!("Keys of {}", level.place.replace('`', "")),
        "type": "object",
        "properties": properties,
        "required": kinds::required(name),
        "additionalProperties": false,
    });
    let mut rules = kinds::rules(name, level);
    rules.extend(together::rules(name));
    if !rules.is_empty() {
        definition["allOf"] = rules.into();
    }
    definition
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_that_is_read_has_a_value_and_no_other() {
        let schema = schema();
        for (name, level) in DEFINITIONS {
            let properties = schema["$defs"][name]["properties"].as_object().unwrap();
            let mut known: Vec<&str> = properties.keys().map(String::as_str).collect();
            let mut read = level.accepted.to_vec();
            known.sort_unstable();
            read.sort_unstable();
            assert_eq!(known, read, "{name}");
            for later in level.later {
                assert_eq!(value(name, later), None, "{name}.{later}");
            }
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let schema = schema();
        let text = schema.to_string();
        let named: Vec<&str> = text.split("#/$defs/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(named.len() > 50);
        for name in named {
            assert!(schema["$defs"][name].is_object(), "{name}");
        }
    }
}
