//! Changes to a workload file that do not come from the file: `--set KEY=VALUE`.
//!
//! A key is a path with dots between its parts: names, and in lists the place of an entry, from 0, or its name
//! (`tasks.0.count`, `tasks.short.count`); as messages write it, `tasks[0].count`, it is the same. A value is YAML. Changes are made to what was read, not to the text, so the file's own problems stay at their places while
//! what a change brings is reported at the change. Whether the result is a workload is for the loader to say.

use std::collections::VecDeque;

use crate::workload::diagnostic::{Diagnostic, DiagnosticSeverity, Diagnostics, Lines};
use crate::workload::engines::{WORKERS, default_tree};
use crate::workload::redact;
use crate::workload::scan::{self, Mark};
use crate::workload::text::shortened;
use crate::workload::yaml::{self, Tree};

/// What messages call the place of a change; its line is the number of the `--set`.
const PLACE: &str = "--set";

/// Changes as they were given, and which key paths they made.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// One line for each.
    text: String,
    made: Vec<Made>,
}

#[derive(Debug)]
struct Made {
    /// Everything at or below this key path, as readers write it (`engines[0].workers`), comes from the change.
    path: String,
    /// Its value; `None` for the maps around it, which the change only needed.
    value: Option<String>,
    mark: Mark,
}

/// Why a change cannot be made.
struct Refused {
    message: String,
    allowed: String,
}

fn refused(message: impl Into<String>, allowed: impl Into<String>) -> Refused {
    Refused { message: message.into(), allowed: allowed.into() }
}

impl Changes {
    /// Makes the changes, in their order.
    ///
    /// # Errors
    /// Those that lead nowhere or have no value.
    pub(crate) fn apply(tree: &mut Tree, given: &[String]) -> Result<Self, Diagnostics> {
        let lines: Vec<String> = given.iter().map(|change| change.replace(['\n', '\r'], " ")).collect();
        let mut changes = Self { text: lines.join("\n"), made: Vec::new() };
        let mut problems = Vec::new();
        for (change, number) in given.iter().zip(1..) {
            if let Err((mark, Refused { message, allowed })) = changes.apply_one(tree, change, number) {
                let mark = Mark { line: number, ..mark };
                let error = Diagnostic::new(DiagnosticSeverity::Error, &changes.lines(), mark, "", &message);
                problems.push(error.allowed(allowed));
            }
        }
        if problems.is_empty() { Ok(changes) } else { Err(Diagnostics::new(problems)) }
    }

    fn apply_one(&mut self, tree: &mut Tree, change: &str, line: usize) -> Result<(), (Mark, Refused)> {
        let all = Mark { line, col: 1, len: usize::MAX };
        let Some((key, value)) = change.split_once('=') else {
            return Err((all, refused("a change has no `=`", "must be KEY=VALUE, such as measure.repeats=3")));
        };
        let key_mark = Mark { line, col: 1, len: key.chars().count().max(1) };
        let mark = Mark { line, col: key.chars().count() + 2, len: usize::MAX };
        let new = parse(value).map_err(|refusal| (mark, refusal))?;
        defaults(tree, key.trim());
        let mut walk = Walk::default();
        walk.set(tree, key.trim(), new).map_err(|refusal| (key_mark, refusal))?;
        if let Some(path) = walk.made {
            self.made.push(Made { path, value: None, mark: key_mark });
        }
        self.made.push(Made { path: walk.path, value: Some(value.trim().to_owned()), mark });
        Ok(())
    }

    /// The changes as lines, for excerpts.
    pub(crate) fn lines(&self) -> Lines<'_> {
        let mut lines = Lines::new(PLACE, &self.text);
        let hidden = lines
            .numbered()
            .filter_map(|(number, line)| redact::hidden_from(line).map(|col| (number, col)..(number, usize::MAX)));
        lines.hide_places(hidden.collect());
        lines
    }

    /// The change that a key path comes from: the nearest one above it, of several the last.
    fn origin(&self, key: &str) -> Option<&Made> {
        let above = |made: &&Made| {
            let rest = key.strip_prefix(made.path.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.made.iter().filter(above).max_by_key(|made| made.path.len())
    }

    /// Where the change is that a key path comes from; `None` for what the file says.
    pub(crate) fn mark(&self, key: &str) -> Option<Mark> {
        self.origin(key).map(|made| made.mark)
    }

    /// The value that was given for exactly this key path, as it was written.
    pub(crate) fn value(&self, key: &str) -> Option<&str> {
        self.origin(key).filter(|made| made.path == key)?.value.as_deref()
    }
}

fn parse(value: &str) -> Result<Tree, Refused> {
    let no_yaml = |message: &str| refused(format!("the value is not YAML: {message}"), "quote it, also for the shell");
    // The scan first: it refuses what would blow up.
    scan::scan(value).map_err(|problem| no_yaml(&problem.message))?;
    yaml::parse(value).map_err(|error| no_yaml(&error.message))
}

/// Makes the engines of a file that names none visible, so that they can be changed one by one.
fn defaults(tree: &mut Tree, key: &str) {
    let Tree::Map(entries) = tree else { return };
    if !key.strip_prefix("engines").is_some_and(|rest| rest.starts_with(['.', '['])) {
        return;
    }
    let is_engines = |(key, _): &&mut (Tree, Tree)| *key == Tree::Text("engines".to_owned());
    match entries.iter_mut().find(is_engines) {
        Some((_, value @ Tree::Null)) => *value = default_tree(),
        Some(_) => {}
        None => entries.push((Tree::Text("engines".to_owned()), default_tree())),
    }
}

/// A way through the document.
#[derive(Default)]
struct Walk {
    /// Key path so far.
    path: String,
    /// The uppermost part of it that was not there before.
    made: Option<String>,
}

impl Walk {
    /// Sets the value at a path; maps on the way are made where they are missing.
    fn set(&mut self, tree: &mut Tree, key: &str, value: Tree) -> Result<(), Refused> {
        let mut place = tree;
        let mut parts: VecDeque<&str> = key.split('.').collect();
        while let Some(mut part) = parts.pop_front() {
            if let Some((first, rest)) = bracketed(part).filter(|_| !is_there(place, part)) {
                part = first;
                if !rest.is_empty() {
                    parts.push_front(rest);
                }
            }
            if part.is_empty() {
                return Err(refused("the key has an empty part", "names and numbers with one dot between them"));
            }
            if *place == Tree::Null && !self.path.is_empty() {
                if part.parse::<usize>().is_ok() {
                    let message = format!("there is no list `{}` to take entry {part} of", self.path);
                    return Err(refused(message, format!("give the whole list, such as {}='[...]'", self.path)));
                }
                self.made.get_or_insert_with(|| self.path.clone());
                *place = Tree::Map(Vec::new());
            }
            place = match place {
                Tree::Map(entries) => self.field(entries, part),
                Tree::Seq(items) => self.item(items, part)?,
                other => {
                    let what = if yaml::names_env(&self.path) { "a value".to_owned() } else { other.describe() };
                    let message = format!("`{}` is {what}: nothing is inside of it", self.path);
                    return Err(refused(message, format!("set `{}` itself", self.path)));
                }
            };
        }
        *place = value;
        Ok(())
    }

    fn field<'t>(&mut self, entries: &'t mut Vec<(Tree, Tree)>, name: &str) -> &'t mut Tree {
        if !self.path.is_empty() {
            self.path.push('.');
        }
        // As the loader writes key paths.
        self.path.push_str(&shortened(name, 40));
        if self.path.starts_with("engines[") && WORKERS.contains(&name) {
            // Under another of its names the setting would contradict the change.
            entries
                .retain(|(key, _)| !matches!(key, Tree::Text(key) if key != name && WORKERS.contains(&key.as_str())));
        }
        let found = entries.iter().position(|(key, _)| matches!(key, Tree::Text(key) if key == name));
        let place = found.unwrap_or_else(|| {
            self.made.get_or_insert_with(|| self.path.clone());
            entries.push((Tree::Text(name.to_owned()), Tree::Null));
            entries.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "the place was found, or is the one that was just pushed")]
        &mut entries[place].1
    }

    fn item<'t>(&mut self, items: &'t mut [Tree], part: &str) -> Result<&'t mut Tree, Refused> {
        let count = items.len();
        let names: Vec<String> = items.iter().map(|item| name_of(item).unwrap_or("?").to_owned()).collect();
        let place = part.parse().ok().or_else(|| names.iter().position(|name| name == part));
        match place.and_then(|place: usize| Some((place, items.get_mut(place)?))) {
            Some((place, item)) => {
                self.path.push_str(&format!("[{place}]"));
                Ok(item)
            }
            None => {
                let shown: Vec<String> =
                    names.iter().take(8).zip(0..).map(|(name, at)| format!("{at} ({name})")).collect();
                let more =
                    if count > shown.len() { format!(" and {} more", count - shown.len()) } else { String::new() };
                let entries =
                    if count == 0 { "is empty".to_owned() } else { format!("has {}{more}", shown.join(", ")) };
                Err(refused(
                    format!("no entry `{}` in `{}`", shortened(part, 40), self.path),
                    format!("`{}` {entries}", self.path),
                ))
            }
        }
    }
}

/// The first part of a key as messages write it, and what is behind: `tasks` and `[0]` of `tasks[0]`, `0` and nothing of
/// `[0]`.
fn bracketed(part: &str) -> Option<(&str, &str)> {
    match part.strip_suffix(']')?.strip_prefix('[') {
        Some(_) => part.get(1..)?.split_once(']'),
        None => part.find('[').map(|at| part.split_at(at)),
    }
}

/// Whether a part of a key, brackets and all, is what something here is called.
fn is_there(place: &Tree, part: &str) -> bool {
    match place {
        Tree::Map(entries) => entries.iter().any(|(key, _)| matches!(key, Tree::Text(key) if key == part)),
        Tree::Seq(items) => items.iter().any(|item| name_of(item) == Some(part)),
        _ => false,
    }
}

/// What an entry of a list is called: its name, or else its kind.
fn name_of(item: &Tree) -> Option<&str> {
    let Tree::Map(entries) = item else { return None };
    let text = |wanted: &str| {
        entries.iter().find_map(|entry| match entry {
            (Tree::Text(key), Tree::Text(value)) if key == wanted => Some(value.as_str()),
            _ => None,
        })
    };
    text("name").or_else(|| text("kind"))
}

#[cfg(test)]
mod tests;
