//! What of a workload may be told to others and kept: everything but the values of an `env` (of a task, of an interpreter), where
//! secrets are.

use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};

use crate::workload::yaml::{Tree, names_env};

/// What stands in the place of a value that is not told.
pub(crate) const REDACTED: &str = "(not kept)";

/// The text of a file, which was read as `tree`, without the values of each `env`. A file without any is told as it
/// is; another one is written anew from what was read, because a comment or an anchor may have such a value too.
#[must_use]
pub(crate) fn text(text: &str, tree: &Tree) -> String {
    let mut told = tree.clone();
    if !redact(&mut told, &mut Vec::new()) {
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

/// Shortest text that is taken for a secret where what was written is shown.
const SHORTEST_SECRET: usize = 4;

/// Texts that no excerpt of a file may show: values of each `env`, line by line.
#[must_use]
pub(crate) fn secrets(tree: &Tree) -> Vec<String> {
    let mut taken = Vec::new();
    redact(&mut tree.clone(), &mut taken);
    let lines = taken.iter().flat_map(|text| text.lines()).map(str::trim);
    lines.filter(|line| line.chars().count() >= SHORTEST_SECRET).map(str::to_owned).collect()
}

/// Takes the values out, into `taken` those that are text; whether there were any.
fn redact(tree: &mut Tree, taken: &mut Vec<String>) -> bool {
    let tasks = of_all(tree, "tasks", |task| entry(task, "env").is_some_and(|env| redact_env(env, taken)));
    let engines = of_all(tree, "engines", |engine| python(engine, taken));
    tasks | engines | python(tree, taken) | swept(tree, taken)
}

/// Values of an environment that a sweep tries.
fn swept(tree: &mut Tree, taken: &mut Vec<String>) -> bool {
    let Some(Tree::Map(fields)) = entry(tree, "sweep") else { return false };
    let of_env = fields.iter_mut().filter(|(field, _)| matches!(field, Tree::Text(path) if names_env(path)));
    let of_one = |(_, values): &mut (Tree, Tree)| {
        texts(values, taken);
        *values = Tree::Seq(vec![Tree::Text(REDACTED.to_owned())]);
    };
    of_env.map(of_one).count() > 0
}

/// The environment of an interpreter.
fn python(place: &mut Tree, taken: &mut Vec<String>) -> bool {
    entry(place, "python").and_then(|python| entry(python, "env")).is_some_and(|env| redact_env(env, taken))
}

/// Does it in every entry of a list.
fn of_all(tree: &mut Tree, list: &str, mut one: impl FnMut(&mut Tree) -> bool) -> bool {
    let Some(Tree::Seq(entries)) = entry(tree, list) else { return false };
    entries.iter_mut().fold(false, |found, entry| one(entry) | found)
}

/// Of one map; whether there were any.
fn redact_env(env: &mut Tree, taken: &mut Vec<String>) -> bool {
    match env {
        Tree::Map(entries) => {
            let values = entries.iter_mut().map(|(_, value)| value);
            let mut told = values.filter(|value| !matches!(value, Tree::Null | Tree::Bool(_))).peekable();
            let found = told.peek().is_some();
            told.for_each(|value| {
                texts(value, taken);
                *value = Tree::Text(REDACTED.to_owned());
            });
            found
        }
        Tree::Null => false,
        // Nothing that will be run.
        other => {
            texts(other, taken);
            *other = Tree::Text(REDACTED.to_owned());
            true
        }
    }
}

/// All texts of a tree.
fn texts(tree: &Tree, found: &mut Vec<String>) {
    match tree {
        Tree::Text(text) => found.push(text.clone()),
        Tree::Int(number) => found.push(number.to_string()),
        Tree::Seq(items) => items.iter().for_each(|item| texts(item, found)),
        Tree::Map(entries) => entries.iter().for_each(|(_, value)| texts(value, found)),
        _ => {}
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
            "env: { TOKEN: sesame }\nsweep: { \"tasks[0].env.TOKEN\": [sesame, sesame2] }",
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
    fn what_is_wrong_is_shown_without_what_an_env_holds() {
        for line in ["env: { A: sesame, B: [x] }", "env: { A: sesame }, tmeout: 5ms", "env: { A: [sesame] }"] {
            let file = format!("{HEAD}tasks: [{{ name: a, kind: command, command: [\"true\"], count: 1, {line} }}]\n");
            let told = load(&file, "x").expect_err("it is wrong").render(false);
            assert!(!told.contains("sesame") && told.contains("••••••"), "{told}");
        }
    }

    #[test]
    fn changes_of_an_env_are_not_told() {
        let given = ["total=5", "tasks.0.env.TOKEN=sesame", "tasks[a]={env: {T: sesame}}", "tasks.0.count=2"];
        let told = changes(&given.map(str::to_owned));
        assert_eq!(told.join(" "), "total=5 tasks.0.env.TOKEN=(not kept) tasks[a]=(not kept) tasks.0.count=2");
    }
}
