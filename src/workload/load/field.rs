//! A value of the file together with its key path and its place: what every reader starts from.
//!
//! Reading methods return `None` after they have reported why; nothing is ever guessed or clipped.

use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use crate::workload::diagnostic::{Diagnostic, DiagnosticSeverity};
use crate::workload::load::context::Context;
use crate::workload::load::nearest::nearest;
use crate::workload::scan::{Mark, NodeId};
use crate::workload::text::{is_unsafe, shortened};
use crate::workload::units::{self, UnitError};
use crate::workload::yaml::{Tree, names_env};

/// Longest text that is accepted for a name.
const LONGEST_NAME: usize = 100;

/// A value of the file, its key path and its place.
#[derive(Clone)]
pub(crate) struct Field<'a> {
    pub(crate) context: &'a Context<'a>,
    pub(crate) tree: &'a Tree,
    pub(crate) node: Option<NodeId>,
    /// Where its key is, if it has one.
    pub(crate) key: Option<Mark>,
    /// Key path, such as `tasks[0].kind`; empty for the whole file.
    pub(crate) path: String,
}

impl<'a> Field<'a> {
    /// Where the value is. Nothing has no place of its own, so a missing value is where its key is.
    pub(crate) fn mark(&self) -> Mark {
        let scan = self.context.scan;
        let own = self.node.map(|node| scan.mark(node));
        let nothing = self.node.is_some_and(|node| scan.is_nothing(node));
        if nothing { self.key.or(own) } else { own.or(self.key) }.unwrap_or(Mark::START)
    }

    /// A value of this map, which was read before; `None` if it has no such key.
    pub(crate) fn entry(&self, name: &str) -> Option<Field<'a>> {
        let Tree::Map(entries) = self.tree else { return None };
        let (place, (_, tree)) =
            entries.iter().enumerate().find(|(_, (key, _))| matches!(key, Tree::Text(key) if key == name))?;
        let nodes = self.node.and_then(|node| self.context.scan.entry(node, place));
        let key = nodes.map(|(key, _)| self.context.scan.mark(key));
        let path = format!("{}.{name}", self.path);
        Some(Field { context: self.context, tree, node: nodes.map(|(_, value)| value), key, path })
    }

    /// An error about this value, not reported yet.
    pub(crate) fn error(&self, message: impl AsRef<str>) -> Diagnostic {
        self.context.error(self.mark(), &self.path, message.as_ref())
    }

    /// Reports an error about this value.
    pub(crate) fn refuse<T>(&self, diagnostic: Diagnostic) -> Option<T> {
        self.context.report(diagnostic);
        None
    }

    /// Reports that this value is wrong and what it must be.
    pub(crate) fn wrong<T>(&self, message: impl AsRef<str>, allowed: impl AsRef<str>) -> Option<T> {
        self.refuse(self.error(message).allowed(allowed))
    }

    /// Reports that this value is of the wrong type or out of range.
    pub(crate) fn unfit<T>(&self, allowed: impl AsRef<str>) -> Option<T> {
        let message = match (self.tree, self.written()) {
            (Tree::Null, None) => "the value is missing".to_owned(),
            (Tree::Null, Some(word)) => format!("`{}` is no value", shortened(word, 40)),
            _ => format!("found {}", self.describe()),
        };
        self.wrong(message, allowed)
    }

    /// The single value as it was written; `None` for lists, maps and what is not on one line.
    pub(crate) fn written(&self) -> Option<&'a str> {
        self.context.written(self.node, &self.path)
    }

    /// How a message refers to the value: as it was written, shortened and neutral.
    pub(crate) fn describe(&self) -> String {
        match (self.tree, self.written()) {
            // What an environment holds may be a secret.
            (Tree::Int(_) | Tree::Float(_) | Tree::Text(_) | Tree::Tagged(_), _) if names_env(&self.path) => {
                "a value that is not shown".to_owned()
            }
            (Tree::Seq(_) | Tree::Map(_) | Tree::Tagged(_), _) | (_, None) => self.tree.describe(),
            (_, Some(written)) => format!("`{}`", shortened(written, 40)),
        }
    }

    /// Reports something worth knowing.
    pub(crate) fn warn(&self, message: impl AsRef<str>) {
        self.context.report(self.context.diagnostic(
            DiagnosticSeverity::Warning,
            self.mark(),
            &self.path,
            message.as_ref(),
        ));
    }

    pub(crate) fn items(&self) -> Option<Vec<Field<'a>>> {
        let Tree::Seq(items) = self.tree else { return self.unfit("must be a list") };
        let fields = items.iter().enumerate().map(|(index, tree)| Field {
            context: self.context,
            tree,
            node: self.node.and_then(|node| self.context.scan.item(node, index)),
            // Entries of a list have no key: one that is empty is where its dash is.
            key: None,
            path: format!("{}[{index}]", self.path),
        });
        Some(fields.collect())
    }

    /// A list of at least one and at most `most` items.
    pub(crate) fn some_items(&self, most: usize) -> Option<Vec<Field<'a>>> {
        let items = self.items()?;
        match items.len() {
            0 => self.wrong("the list is empty", "must have at least one entry"),
            count if count > most => {
                self.wrong(format!("{count} entries"), format!("must have at most {most} entries"))
            }
            _ => Some(items),
        }
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&self) -> Option<bool> {
        match self.tree {
            Tree::Bool(value) => Some(*value),
            _ => self.unfit("must be true or false"),
        }
    }

    /// A whole number from `least` to `most`.
    pub(crate) fn integer(&self, least: u64, most: u64) -> Option<u64> {
        self.integer_or(least, most, "")
    }

    /// A whole number from `least` to `most`; `others` names what else is allowed, as in ` or auto`.
    pub(crate) fn integer_or(&self, least: u64, most: u64, others: &str) -> Option<u64> {
        match self.tree {
            Tree::Int(value) if *value > i128::from(most) => {
                self.unfit(format!("must be an integer from {least} to {most}{others}"))
            }
            Tree::Int(value) => match u64::try_from(*value) {
                Ok(value) if value >= least => Some(value),
                _ => self.unfit(format!("must be an integer >= {least}{others}")),
            },
            _ => self.unfit(format!("must be an integer >= {least}{others}")),
        }
    }

    /// A whole number from 1 to `most`.
    pub(crate) fn count(&self, most: u64) -> Option<NonZeroU64> {
        NonZeroU64::new(self.integer(1, most)?)
    }

    /// A whole number from 1 to `most`.
    pub(crate) fn count32(&self, most: u32) -> Option<NonZeroU32> {
        NonZeroU32::new(u32::try_from(self.integer(1, most.into())?).ok()?)
    }

    /// A finite number for which `holds` is true; `allowed` says which those are.
    pub(crate) fn number(&self, allowed: &str, holds: impl Fn(f64) -> bool) -> Option<f64> {
        let value = match self.tree {
            Tree::Int(value) => *value as f64,
            Tree::Float(value) => *value,
            _ => return self.unfit(allowed),
        };
        if value.is_finite() && holds(value) { Some(value) } else { self.unfit(allowed) }
    }

    /// Any text without characters that could command a terminal; line feeds are allowed.
    pub(crate) fn text(&self) -> Option<String> {
        let Tree::Text(text) = self.tree else { return self.unfit("must be text; quote it if it looks like a number") };
        if let Some(c) = text.chars().find(|c| is_unsafe(*c) && !matches!(c, '\n' | '\t')) {
            let message = format!("contains the control character U+{:04X}", u32::from(c));
            return self.wrong(message, "must be text without control characters");
        }
        Some(text.clone())
    }

    /// Text of one line, as for a title.
    pub(crate) fn line(&self) -> Option<String> {
        let text = self.text()?;
        if text.contains(['\n', '\t']) {
            return self.wrong("contains a line feed or a tab", "must be text of one line");
        }
        Some(text)
    }

    /// Text of one line that can name something.
    pub(crate) fn name(&self) -> Option<String> {
        let text = self.line()?;
        if text.trim().is_empty() {
            return self.wrong("the name is empty", "must be text");
        }
        if text.chars().count() > LONGEST_NAME {
            return self.wrong("the name is too long", format!("must have at most {LONGEST_NAME} characters"));
        }
        Some(text)
    }

    /// One of several words. `later` are words of the file format that this version does not know what to do with.
    pub(crate) fn choice<T: Copy>(&self, what: &str, choices: &[(&str, T)], later: &[&str]) -> Option<T> {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let allowed = format!("must be {}", list(&words));
        let Tree::Text(found) = self.tree else { return self.unfit(allowed) };
        if let Some((_, value)) = choices.iter().find(|(word, _)| word == found) {
            return Some(*value);
        }
        if later.contains(&found.as_str()) {
            let message = format!("{what} {} is not supported yet", self.describe());
            return self.refuse(self.error(message).allowed(allowed));
        }
        let mut error = self.error(format!("unknown {what} {}", self.describe())).allowed(allowed);
        if let Some(word) = nearest(found, words.iter().copied()) {
            error = error.suggest(word);
        }
        self.refuse(error)
    }

    /// A duration, zero included.
    pub(crate) fn duration(&self) -> Option<Duration> {
        self.quantity(units::parse_duration, units::DURATION_FORM)
    }

    /// A duration above zero.
    pub(crate) fn positive_duration(&self) -> Option<Duration> {
        let duration = self.duration()?;
        if duration.is_zero() { self.unfit("must be above 0") } else { Some(duration) }
    }

    /// A size of at least one byte.
    pub(crate) fn size(&self) -> Option<u64> {
        let bytes = self.quantity(units::parse_size, units::SIZE_FORM)?;
        if bytes == 0 { self.unfit("must be at least 1B") } else { Some(bytes) }
    }

    /// A rate in events per second.
    pub(crate) fn rate(&self) -> Option<f64> {
        self.quantity(units::parse_rate, units::RATE_FORM)
    }

    /// A rate at an end of a ramp, zero included.
    pub(crate) fn ramp_rate(&self) -> Option<f64> {
        self.quantity(units::parse_ramp_rate, units::RAMP_RATE_FORM)
    }

    /// A share, as a percentage above zero.
    pub(crate) fn percentage(&self) -> Option<f64> {
        self.quantity(units::parse_percentage, units::PERCENTAGE_FORM)
    }

    fn quantity<T>(&self, parse: fn(&str) -> Result<T, UnitError>, form: &str) -> Option<T> {
        // A bare number is YAML's number, not text; it is handed on so that the message is about the unit.
        let text = match self.tree {
            Tree::Text(text) => text.clone(),
            Tree::Int(value) => value.to_string(),
            Tree::Float(value) if value.is_finite() => value.to_string(),
            _ => return self.unfit(format!("must be {form}")),
        };
        match parse(&text) {
            Ok(value) => Some(value),
            Err(UnitError { message, help, suggestion }) => {
                let mut error =
                    self.error(format!("{}: {message}", self.describe())).allowed(format!("must be {form}"));
                if let Some(help) = help {
                    error = error.help(help);
                }
                error.suggestion = suggestion;
                self.refuse(error)
            }
        }
    }
}

/// `a, b or c`.
pub(crate) fn list(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [word] => (*word).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}
