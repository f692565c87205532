//! Reading a map: every key must be asked for, or it is reported.

use std::collections::HashMap;

use crate::workload::diagnostic::Diagnostic;
use crate::workload::load::field::{Field, list};
use crate::workload::load::keys::{self, MapKeys};
use crate::workload::load::nearest::nearest;
use crate::workload::scan::Mark;
use crate::workload::text::shortened;
use crate::workload::yaml::Tree;

struct MapEntry<'a> {
    name: &'a str,
    mark: Mark,
    value: Field<'a>,
    used: bool,
}

/// A map that is being read. [`Self::finish`] must be called when all keys were asked for.
pub(crate) struct MapReader<'a> {
    /// The map itself.
    pub(crate) field: Field<'a>,
    entries: Vec<MapEntry<'a>>,
    /// Place of each key in `entries`.
    index: HashMap<&'a str, usize>,
    asked: Vec<&'static str>,
}

impl<'a> Field<'a> {
    /// Its keys, to be asked for.
    pub(crate) fn map(&self) -> Option<MapReader<'a>> {
        match self.tree {
            Tree::Map(entries) => Some(MapReader::new(self.clone(), entries)),
            _ => self.unfit("must be a map"),
        }
    }
}

impl<'a> MapReader<'a> {
    /// Reports keys that are not text and keys that come twice; of those the first is kept.
    fn new(field: Field<'a>, tree: &'a [(Tree, Tree)]) -> Self {
        let mut entries: Vec<MapEntry<'a>> = Vec::with_capacity(tree.len());
        let mut index: HashMap<&str, usize> = HashMap::with_capacity(tree.len());
        for (place, (key, value)) in tree.iter().enumerate() {
            let context = field.context;
            let nodes = field.node.and_then(|node| context.scan.entry(node, place));
            let mark = nodes.map_or_else(|| field.mark(), |(key, _)| context.scan.mark(key));
            let Tree::Text(name) = key else {
                let key = Field { tree: key, node: nodes.map(|(key, _)| key), key: None, ..field.clone() };
                let error = context.error(mark, &field.path, &format!("{} is not a key", key.describe()));
                context.report(error.allowed("keys must be text"));
                continue;
            };
            let shown = shortened(name, 40);
            let path = if field.path.is_empty() { shown } else { format!("{}.{shown}", field.path) };
            let value = Field { context, tree: value, node: nodes.map(|(_, value)| value), key: Some(mark), path };
            if let Some(first) = index.get(name.as_str()).and_then(|first| entries.get(*first)) {
                let message = format!("duplicate key; it is already on line {}", first.mark.line);
                let error = context.error(mark, &value.path, &message).allowed("each key once");
                context.report(error.related(context.lines, first.mark, "first given here"));
                continue;
            }
            index.insert(name, entries.len());
            entries.push(MapEntry { name, mark, value, used: false });
        }
        Self { field, entries, index, asked: Vec::new() }
    }

    /// Whether a key is there, asked for or not.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.index.contains_key(name)
    }

    /// The value of a key, if it is there.
    pub(crate) fn get(&mut self, name: &'static str) -> Option<Field<'a>> {
        self.asked.push(name);
        let entry = self.entries.get_mut(*self.index.get(name)?)?;
        entry.used = true;
        Some(entry.value.clone())
    }

    /// The value of a key, without asking for it.
    pub(crate) fn peek(&self, name: &str) -> Option<Field<'a>> {
        Some(self.entries.get(*self.index.get(name)?)?.value.clone())
    }

    /// The value of a key that must be there.
    pub(crate) fn required(&mut self, name: &'static str) -> Option<Field<'a>> {
        let found = self.get(name);
        if found.is_none() && !self.misspelt(name) {
            self.field.context.report(self.missing(name));
        }
        found
    }

    /// The error of a key that is not there, not reported yet.
    pub(crate) fn missing(&self, name: &str) -> Diagnostic {
        let path = if self.field.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.field.path) };
        self.field.context.error(self.field.mark(), &path, &format!("`{name}` is missing"))
    }

    /// Whether another key looks like `name`; it is reported with that suggestion, which says it all.
    pub(crate) fn misspelt(&self, name: &str) -> bool {
        self.entries
            .iter()
            .any(|entry| !entry.used && !keys::is_known(entry.name) && nearest(entry.name, [name]).is_some())
    }

    /// Reads a key that may be absent: `Some(None)` without it, `None` if its value was refused.
    pub(crate) fn optional<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&Field<'a>) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.get(name) {
            Some(field) => read(&field).map(Some),
            None => Some(None),
        }
    }

    /// Reads a key that has a default; `None` if its value was refused.
    pub(crate) fn or<T>(
        &mut self,
        name: &'static str,
        default: T,
        read: impl FnOnce(&Field<'a>) -> Option<T>,
    ) -> Option<T> {
        match self.get(name) {
            Some(field) => read(&field),
            None => Some(default),
        }
    }

    /// The value under the first of several names for the same thing. Two of them at once are reported.
    pub(crate) fn one_of(&mut self, names: &[&'static str]) -> Option<Field<'a>> {
        let mut found: Vec<(Mark, Field<'a>, &str)> = Vec::new();
        for name in names {
            if let Some(value) = self.get(name) {
                found.push((value.key.unwrap_or(Mark::START), value, name));
            }
        }
        found.sort_by_key(|(mark, _, _)| (mark.line, mark.col));
        let mut found = found.into_iter();
        let (first_mark, first, first_name) = found.next()?;
        for (mark, value, name) in found {
            let context = self.field.context;
            let message =
                format!("conflict: `{name}` is another name of `{first_name}`, which is on line {}", first_mark.line);
            let error = context.error(mark, &value.path, &message).allowed("one of the two");
            context.report(error.related(context.lines, first_mark, "first given here"));
        }
        Some(first)
    }

    /// Reports the keys that no reader asked for: not supported yet, not for this kind of thing (`what`), or unknown.
    pub(crate) fn finish(self, level: &MapKeys, what: &str) {
        let context = self.field.context;
        for entry in self.entries.iter().filter(|entry| !entry.used) {
            if context.full() {
                context.omit();
                continue;
            }
            let error = |message: &str| context.error(entry.mark, &entry.value.path, message);
            let diagnostic = if level.later.contains(&entry.name) {
                error("not supported yet")
            } else if level.accepted.contains(&entry.name) {
                error(&format!("does not apply to {what}")).allowed(format!("{what} has {}", list(&self.asked)))
            } else {
                let error = error("unknown key").allowed(format!("{what} has {}", list(&self.asked)));
                hint(error, entry.name, &self.asked, level)
            };
            context.report(diagnostic);
        }
    }

    /// As [`Self::finish`] where it is not known which of the level's keys apply: only unknown ones are reported.
    pub(crate) fn finish_any(mut self, level: &MapKeys, what: &str) {
        self.asked = level.accepted.to_vec();
        for entry in &mut self.entries {
            entry.used |= level.accepted.contains(&entry.name);
        }
        self.finish(level, what);
    }
}

fn hint(error: Diagnostic, name: &str, asked: &[&'static str], level: &MapKeys) -> Diagnostic {
    if let Some(place) = keys::place_of(name) {
        let error = error.help(format!("`{name}` belongs to {place}"));
        // It may be meant for here all the same.
        let one_letter_less = |word: &&&str| word.strip_suffix('s') == Some(name);
        return match asked.iter().find(one_letter_less) {
            Some(word) => error.suggest(word),
            None => error,
        };
    }
    if let Some(word) = nearest(name, asked.iter().copied().chain(level.accepted.iter().copied())) {
        return error.suggest(word);
    }
    if let Some(word) = nearest(name, level.later.iter().copied()) {
        return error.help(format!("`{word}` is not supported yet"));
    }
    error
}
