//! What of a workload may be told to others and kept: everything but the values of an `env` (of a task, of an interpreter), where
//! secrets are.

use std::ops::Range;

use serde::ser::{Serialize, SerializeMap as _, SerializeSeq as _, Serializer};

use crate::workload::scan::{self, NodeId, Scan};
use crate::workload::yaml::{self, Tree, names_env};

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
        Some((key, value)) if is_of_env(key, value) => format!("{key}={REDACTED}"),
        _ => change.clone(),
    };
    set.iter().map(told).collect()
}

/// Whether a change is one of an environment, or of something that has one.
fn is_of_env(key: &str, value: &str) -> bool {
    key.contains("env") || value.contains("env") || holds_env(value)
}

/// Whether a value, as YAML, has an `env` in it, however that is written.
#[must_use]
pub(crate) fn holds_env(value: &str) -> bool {
    fn holds(tree: &Tree) -> bool {
        match tree {
            Tree::Map(entries) => entries.iter().any(|(key, value)| is_env(key) || holds(value)),
            Tree::Seq(items) => items.iter().any(holds),
            _ => false,
        }
    }
    // The scan first: it refuses what would blow up.
    scan::scan(value).is_ok() && yaml::parse(value).is_ok_and(|tree| holds(&tree))
}

/// Where a change is not shown, as columns from 1: its value, or without a `=` whatever follows the `env`.
#[must_use]
pub(crate) fn hidden_from(change: &str) -> Option<usize> {
    match change.split_once('=') {
        Some((key, value)) => is_of_env(key, value).then(|| key.chars().count() + 2),
        None => change.split_once("env").map(|(before, _)| before.chars().count() + 4),
    }
}

/// Where a file has values of an `env`, at any place of it: an excerpt of it does not show them, however they are written.
#[must_use]
pub(crate) fn places(scan: &Scan, tree: &Tree) -> Vec<Range<(usize, usize)>> {
    let mut found = Vec::new();
    if let Some(root) = scan.root() {
        find_places(scan, root, tree, false, &mut found);
    }
    found
}

fn find_places(scan: &Scan, id: NodeId, tree: &Tree, in_env: bool, found: &mut Vec<Range<(usize, usize)>>) {
    match tree {
        Tree::Map(entries) => {
            for ((key, value), index) in entries.iter().zip(0..) {
                let Some((_, id)) = scan.entry(id, index) else { continue };
                find_places(scan, id, value, in_env || is_env(key), found);
            }
        }
        Tree::Seq(items) => {
            for (item, index) in items.iter().zip(0..) {
                let Some(id) = scan.item(id, index) else { continue };
                find_places(scan, id, item, in_env, found);
            }
        }
        Tree::Null | Tree::Bool(_) => {}
        Tree::Int(_) | Tree::Float(_) | Tree::Text(_) | Tree::Tagged(_) => {
            let whole = scan.whole(id).filter(|_| in_env);
            found.extend(whole.map(|(mark, end)| (mark.line, mark.col)..end));
        }
    }
}

/// Whether a key is that of an environment, or names a value of one, as a sweep does.
fn is_env(key: &Tree) -> bool {
    matches!(key, Tree::Text(key) if names_env(key))
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
        Tree::Text(text) | Tree::Tagged(text) => found.push(text.clone()),
        Tree::Int(number) => found.push(number.to_string()),
        Tree::Float(number) => found.push(number.to_string()),
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
    fn no_spelling_of_a_value_is_shown_in_an_excerpt() {
        for (env, shown) in [
            ("{ USERX: admin, TOKEN: admin-s3cr3t-xyz }", "s3cr3t"),
            ("{ TOKEN: 'it''s-pass' }", "s-pass"),
            (r#"{ TOKEN: "top\x41secret" }"#, "secret"),
            ("{ TOKEN: 0xC0FFEE }", "C0FFEE"),
            ("{ TOKEN: 3.14159e0 }", "3.14"),
            ("{ TOKEN: abc }", "abc"),
            ("{ TOKEN: [{ x: hunter }] }", "hunter"),
            ("sesame", "sesame"),
        ] {
            let file = format!(
                "{HEAD}tasks: [{{ name: t, kind: command, command: [\"true\"], count: 1, env: {env}, tmeout: 5ms }}]\n"
            );
            let told = load(&file, "x").expect_err("it is wrong").render(false);
            let told = told.replace("sesame in a comment", "");
            assert!(!told.contains(shown) && told.contains('•') && told.contains("tmeout: 5ms"), "{env}: {told}");
        }
    }

    #[test]
    fn all_lines_of_a_value_are_hidden_and_none_around_it() {
        let text = "tasks:\n- env:\n    A: >\n      top\n      secret\n    B: plain\n      more\n  name: a\nnext: x\n";
        let (scan, tree) = (scan::scan(text).expect("YAML"), yaml::parse(text).expect("YAML"));
        let mut lines = crate::workload::diagnostic::Lines::new("f", text);
        lines.hide_places(places(&scan, &tree));
        let shown: Vec<String> = lines.numbered().map(|(number, line)| lines.with_dots(number, line).into()).collect();
        let all = shown.join("\n");
        assert!(!["top", "secret", "plain", "more"].iter().any(|word| all.contains(word)), "{all}");
        assert!(all.contains("    B: •••••") && all.ends_with("  name: a\nnext: x"), "{all}");
    }

    #[test]
    fn an_excerpt_of_a_change_does_not_show_what_an_env_holds() {
        let file = format!(
            "{HEAD}tasks: [{{ name: a, kind: command, command: [\"true\"], count: 1, env: {{ T: hunter }} }}]\n"
        );
        for set in [
            r#"tasks[0].env.TOKEN="ses\0ame""#,
            "tasks[0].env=sesame",
            "tasks.0.env.TOKEN.x=sesame",
            "tasks.0.env.T.x=sesame",
            "tasks.0.env.TOKEN:sesame",
            r#"tasks[0]={"\u0065nv": {T: sesame}}"#,
        ] {
            let set = [set.to_owned()];
            let wrong = crate::workload::load::load_with(&file, "x", &set, &crate::workload::load::NoFiles);
            let wrong = wrong.expect_err("it is wrong");
            let told = format!("{}{}", wrong.render(false), serde_json::to_string(&wrong).expect("JSON"));
            let told = told.replace("sesame in a comment", "");
            assert!(!["ses", "hunter"].iter().any(|word| told.contains(word)), "{set:?}: {told}");
        }
    }

    #[test]
    fn changes_of_an_env_are_not_told() {
        let given = ["total=5", "tasks.0.env.TOKEN=sesame", "tasks[a]={env: {T: sesame}}", "tasks.0.count=2"];
        let told = changes(&given.map(str::to_owned));
        assert_eq!(told.join(" "), "total=5 tasks.0.env.TOKEN=(not kept) tasks[a]=(not kept) tasks.0.count=2");
    }
}
