//! What of a workload may be told to others and kept: everything but the values of an `env` (of a task, of an interpreter), where
//! secrets are.

use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};

use crate::workload::yaml::Tree;

/// What stands in the place of a value that is not told.
pub(crate) const REDACTED: &str = "(not kept)";

/// The text of a file, which was read as `tree`, without the values of each `env`. A file without any is told as it
/// is; another one is written anew from what was read, because a comment or an anchor may have such a value too.
#[must_use]
pub(crate) fn text(text: &str, tree: &Tree) -> String {
    let mut told = tree.clone();
    if !redact(&mut told) {
        return text.to_owned();
    }
    // What cannot be written as YAML (a tag of its own) is no workload either.
    serde_yaml::to_string(&told).unwrap_or_default()
}

/// Changes (`--set KEY=VALUE`) as they may be told.
#[must_use]
pub(crate) fn changes(set: &[String]) -> Vec<String> {
    let told = |change: &String| match change.split_once('=') {
        // Also of what is around it, in which it may be written in any way.
        Some((key, value)) if key.contains("env") || value.contains("env") => {
            format!("{key}={REDACTED}")
        }
        _ => change.clone(),
    };
    set.iter().map(told).collect()
}

/// Takes the values out; whether there were any.
fn redact(tree: &mut Tree) -> bool {
    let tasks = of_all(tree, "tasks", |task| entry(task, "env").is_some_and(redact_env));
    let engines = of_all(tree, "engines", python);
    tasks | engines | python(tree)
}

/// The environment of an interpreter.
fn python(place: &mut Tree) -> bool {
    entry(place, "python").and_then(|python| entry(python, "env")).is_some_and(redact_env)
}

/// Does it in every entry of a list.
fn of_all(tree: &mut Tree, list: &str, one: impl Fn(&mut Tree) -> bool) -> bool {
    let Some(Tree::Seq(entries)) = entry(tree, list) else { return false };
    entries.iter_mut().fold(false, |found, entry| one(entry) | found)
}

/// Of one map; whether there were any.
fn redact_env(env: &mut Tree) -> bool {
    match env {
        Tree::Map(entries) => {
            let values = entries.iter_mut().map(|(_, value)| value);
            let mut told = values.filter(|value| !matches!(value, Tree::Null | Tree::Bool(_))).peekable();
            let found = told.peek().is_some();
            told.for_each(|value| *value = Tree::Text(REDACTED.to_owned()));
            found
        }
        Tree::Null => false,
        // Nothing that will be run.
        other => {
            *other = Tree::Text(REDACTED.to_owned());
            true
        }
    }
}

fn entry<'a>(tree: &'a mut Tree, name: &str) -> Option<&'a mut Tree> {
    let Tree::Map(entries) = tree else { return None };
    entries.iter_mut().find(|(key, _)| matches!(key, Tree::Text(key) if key == name)).map(|(_, value)| value)
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => match i64::try_from(*value) {
                Ok(value) => serializer.serialize_i64(value),
                Err(_) => serializer.serialize_i128(*value),
            },
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(value) | Self::Tagged(value) => serializer.serialize_str(value),
            Self::Seq(items) => {
                let mut seq = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| seq.serialize_element(item))?;
                seq.end()
            }
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                entries.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
                map.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::load::load;

    const HEAD: &str = "version: 1\nname: x # sesame in a comment\n";

    fn told(tasks: &str) -> String {
        load(&format!("{HEAD}{tasks}"), "x").expect("a workload").workload.text.to_string()
    }

    #[test]
    fn a_file_without_env_is_told_as_it_is() {
        let tasks = "tasks:\n  - { name: a, kind: command, command: [\"true\"], count: 1 } # why\n";
        assert_eq!(told(tasks), format!("{HEAD}{tasks}"));
    }

    #[test]
    fn no_value_of_an_env_is_told_however_it_is_written() {
        for env in [
            "env: { TOKEN: sesame }",
            "env:\n      TOKEN: \"ses\\u0061me\"\n      OTHER: sesame",
            "env:\n      TOKEN: |\n        sesame\n        sesame",
            "env: &all { TOKEN: &one sesame, AGAIN: *one }",
            "env: { TOKEN: 'sesame', PATH: null, clean: true }",
            "env: { TOKEN: sesame }\npython:\n  env: { OTHER: sesame }",
        ] {
            let told = told(&format!(
                "tasks:\n  - name: a\n    kind: command\n    command: [\"true\"]\n    count: 1\n    {env}\n"
            ));
            assert!(!told.contains("sesame") && told.contains("TOKEN"), "{env}: {told}");
            let again = load(&told, "x").unwrap_or_else(|error| panic!("{env}: {told}\n{error}")).workload;
            assert_eq!(again.name, "x", "what is told is a workload too");
        }
    }

    #[test]
    fn changes_of_an_env_are_not_told() {
        let given = ["total=5", "tasks.0.env.TOKEN=sesame", "tasks[a]={env: {T: sesame}}", "tasks.0.count=2"];
        let told = changes(&given.map(str::to_owned));
        assert_eq!(told.join(" "), "total=5 tasks.0.env.TOKEN=(not kept) tasks[a]=(not kept) tasks.0.count=2");
    }
}
