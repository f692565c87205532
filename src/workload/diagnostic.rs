//! What is wrong with a workload file, where, and what would be right.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt;
use std::ops::Range;

use serde::Serialize;

use crate::workload::lookalike;
use crate::workload::scan::Mark;
use crate::workload::text::neutral;

/// How grave a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DiagnosticSeverity {
    /// The file is refused.
    Error,
    /// The file is accepted, but it may not do what its writer expects.
    Warning,
}

/// One problem of a workload file.
///
/// All text in it is neutral (see [`crate::workload::text`]) except `file`, which is the path as it was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: DiagnosticSeverity,
    /// The file, or the name of a bundled workload.
    pub file: String,
    /// Line, from 1; 0 for a problem of a file as a whole, which has no place in its text.
    #[serde(skip_serializing_if = "is_nowhere")]
    pub line: usize,
    /// Column, from 1, in characters; 0 for a problem of a file as a whole.
    #[serde(skip_serializing_if = "is_nowhere")]
    pub col: usize,
    /// Key path such as `tasks[0].service_time.min`; empty where the problem concerns the whole file.
    pub key: String,
    /// What is wrong, in words.
    pub message: String,
    /// What is allowed instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<String>,
    /// What the writer may have meant, as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The word that `help` proposes, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// Other places that belong to the problem.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Related>,
    /// The line it is about, for the caret.
    #[serde(skip)]
    pub excerpt: Option<Excerpt>,
}

fn is_nowhere(place: &usize) -> bool {
    *place == 0
}

/// Another place that belongs to a problem, for example where a key was given first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Related {
    /// From 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub col: usize,
    pub message: String,
    #[serde(skip)]
    pub excerpt: Option<Excerpt>,
}

/// The part of a source line that is shown, and the characters of it that are marked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// Neutral text (tabs are kept).
    pub text: String,
    /// First marked character.
    pub start: usize,
    /// How many characters are marked; at least 1 unless the line is empty.
    pub len: usize,
}

impl Diagnostic {
    /// A problem at a place of the file that `lines` shows.
    pub fn new(severity: DiagnosticSeverity, lines: &Lines<'_>, mark: Mark, key: &str, message: &str) -> Self {
        let mark = lines.within(mark);
        let lookalike = lookalike::first(lines.part(mark)).filter(|_| severity == DiagnosticSeverity::Error);
        Self {
            severity,
            file: lines.file.to_owned(),
            line: mark.line,
            col: mark.col,
            key: neutral(key).into_owned(),
            message: neutral(message).into_owned(),
            allowed: None,
            help: lookalike.map(|it| format!("there is {} in column {}: {}", it.name, mark.col + it.at, it.advice())),
            suggestion: None,
            related: Vec::new(),
            excerpt: lines.excerpt(mark),
        }
    }

    /// A problem of a file as a whole, without a place in its text (too large, not readable).
    #[must_use]
    pub fn of_file(file: &str, message: &str) -> Self {
        Self {
            line: 0,
            col: 0,
            ..Self::new(DiagnosticSeverity::Error, &Lines::new(file, ""), Mark::START, "", message)
        }
    }

    /// Says what is allowed.
    #[must_use]
    pub fn allowed(mut self, allowed: impl AsRef<str>) -> Self {
        self.allowed = Some(neutral(allowed.as_ref()).into_owned());
        self
    }

    /// Adds a hint to those that are there.
    #[must_use]
    pub fn help(mut self, help: impl AsRef<str>) -> Self {
        let help = neutral(help.as_ref());
        self.help = Some(self.help.map_or_else(|| help.clone().into_owned(), |before| format!("{before}; {help}")));
        self
    }

    /// Proposes a word.
    #[must_use]
    pub fn suggest(mut self, word: &str) -> Self {
        self.suggestion = Some(word.to_owned());
        self.help(format!("did you mean `{word}`?"))
    }

    /// Adds another place.
    #[must_use]
    pub fn related(mut self, lines: &Lines<'_>, mark: Mark, message: &str) -> Self {
        self.related.push(Related {
            line: mark.line,
            col: mark.col,
            message: neutral(message).into_owned(),
            excerpt: lines.excerpt(mark),
        });
        self
    }

    /// The problem in one line: `file:line:col: key.path: what is wrong; what is allowed; did you mean ...`, without a place
    /// where it has none.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut text = neutral(&self.file).into_owned();
        if self.line > 0 {
            text.push_str(&format!(":{}:{}", self.line, self.col));
        }
        text.push_str(": ");
        if self.severity == DiagnosticSeverity::Warning {
            text.push_str("warning: ");
        }
        if !self.key.is_empty() {
            text.push_str(&self.key);
            text.push_str(": ");
        }
        text.push_str(&self.message);
        for part in self.allowed.iter().chain(&self.help) {
            text.push_str("; ");
            text.push_str(part);
        }
        text
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary())
    }
}

impl std::error::Error for Diagnostic {}

/// All problems of a file, in the order of their places.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    #[serde(skip)]
    omitted: usize,
}

impl Diagnostics {
    /// All problems with their source lines and carets.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let mut text = self.list.iter().map(|diagnostic| diagnostic.render(color)).collect::<Vec<_>>().join("\n");
        if self.omitted > 0 {
            text.push_str(&format!("\n... and {} more problems\n", self.omitted));
        }
        text
    }

    /// Sorts a list of problems by place.
    #[must_use]
    pub fn new(mut list: Vec<Diagnostic>) -> Self {
        list.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.col));
        Self { list, omitted: 0 }
    }

    /// Tells how many further problems were found and not kept.
    pub fn with_omitted(mut self, omitted: usize) -> Self {
        self.omitted = omitted;
        self
    }

    /// In the order of the file.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// Number of problems.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many of them are errors.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.list.iter().filter(|diagnostic| diagnostic.severity == DiagnosticSeverity::Error).count()
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::new(vec![diagnostic])
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

/// The lines of a file, for excerpts.
#[derive(Debug)]
pub struct Lines<'a> {
    /// Path or name of the file.
    pub file: &'a str,
    lines: Vec<&'a str>,
    /// Texts that are not shown, the longest first.
    hidden: Vec<String>,
    /// Places that are not shown, from a line and column to right before another.
    hidden_places: Vec<Range<(usize, usize)>>,
}

/// Characters of a source line that are shown at most, and how many of them before the marked place.
const SHOWN: usize = 160;
const SHOWN_BEFORE: usize = 100;

impl<'a> Lines<'a> {
    pub(crate) fn new(file: &'a str, text: &'a str) -> Self {
        Self { file, lines: split_lines(text), hidden: Vec::new(), hidden_places: Vec::new() }
    }

    /// From now on these texts are hidden in excerpts.
    pub(crate) fn hide(&mut self, mut texts: Vec<String>) {
        // A text that begins another one must not leave the rest of it.
        texts.sort_by_key(|text| Reverse(text.len()));
        self.hidden = texts;
    }

    /// From now on these places are hidden in excerpts, whatever is written there: from a line and column to right before
    /// another.
    pub(crate) fn hide_places(&mut self, places: Vec<Range<(usize, usize)>>) {
        self.hidden_places = places;
    }

    /// A line with what is hidden in it, by its place, as dots.
    pub(crate) fn with_dots(&self, number: usize, line: &'a str) -> Cow<'a, str> {
        let here: Vec<_> =
            self.hidden_places.iter().filter(|place| (place.start.0..=place.end.0).contains(&number)).collect();
        if here.is_empty() {
            return Cow::Borrowed(line);
        }
        let is_hidden = |col: usize| here.iter().any(|place| place.contains(&(number, col)));
        let dot = |(c, col): (char, usize)| if !c.is_whitespace() && is_hidden(col) { '•' } else { c };
        Cow::Owned(line.chars().zip(1..).map(dot).collect())
    }

    /// The text of a line, from 1.
    pub(crate) fn get(&self, line: usize) -> Option<&'a str> {
        self.lines.get(line.checked_sub(1)?).copied()
    }

    /// The marked characters of a line.
    pub(crate) fn part(&self, mark: Mark) -> &'a str {
        let Some(line) = self.get(mark.line) else { return "" };
        let byte = |chars: usize| line.char_indices().nth(chars).map_or(line.len(), |(byte, _)| byte);
        let start = byte(mark.col.saturating_sub(1));
        let end = byte(mark.col.saturating_sub(1).saturating_add(mark.len));
        line.get(start..end).unwrap_or_default()
    }

    /// All lines with their number, from 1.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (usize, &'a str)> + '_ {
        self.lines.iter().enumerate().map(|(index, line)| (index + 1, *line))
    }

    /// Parsers report the end of a text as a line that is not there; its last line has to do.
    fn within(&self, mark: Mark) -> Mark {
        match self.lines.last() {
            Some(last) if mark.line > self.lines.len() => {
                Mark { line: self.lines.len(), col: last.chars().count() + 1, len: 1 }
            }
            Some(_) => mark,
            None => Mark::START,
        }
    }

    fn excerpt(&self, mark: Mark) -> Option<Excerpt> {
        let mut line = self.with_dots(mark.line, self.get(mark.line)?);
        for hidden in self.hidden.iter().filter(|hidden| line.contains(hidden.as_str())).collect::<Vec<_>>() {
            // As many characters, so that what is marked stays where it is.
            line = Cow::Owned(line.replace(hidden.as_str(), &"•".repeat(hidden.chars().count())));
        }
        let col = mark.col.saturating_sub(1);
        // A long line is shown from a little before the place on, so that a caret is never far from its line's start.
        let skip = col.saturating_sub(SHOWN_BEFORE);
        let text: String = line
            .chars()
            .skip(skip)
            .take(SHOWN)
            .map(|c| if c == '\t' { c } else { crate::workload::text::picture(c) })
            .collect();
        let shown = text.trim_end().chars().count();
        let start = (col - skip).min(shown);
        Some(Excerpt { len: mark.len.min(shown - start).max(1), text, start })
    }
}

/// Lines as YAML counts them: ended by a line feed, a carriage return, or both.
fn split_lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(end) = rest.find(['\n', '\r']) {
        let (line, tail) = rest.split_at(end);
        lines.push(line);
        rest = tail.strip_prefix("\r\n").or_else(|| tail.strip_prefix(['\n', '\r'])).unwrap_or_default();
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_as_in_yaml() {
        assert_eq!(split_lines("a\nb\r\nc\rd"), ["a", "b", "c", "d"]);
        assert_eq!(split_lines("a\n"), ["a"]);
        assert_eq!(split_lines("\n\n"), ["", ""]);
        assert!(split_lines("").is_empty());
    }

    #[test]
    fn the_place_is_shown_even_far_to_the_right() {
        let line = format!("{}worker: 4 # {}", "x".repeat(5000), "y".repeat(5000));
        let mark = Mark { line: 1, col: 5001, len: 6 };
        let rendered =
            Diagnostic::new(DiagnosticSeverity::Error, &Lines::new("f", &line), mark, "k", "unknown key").render(false);
        assert!(rendered.contains("worker: 4"), "{rendered}");
        assert!(rendered.contains("^^^^^^"), "{rendered}");
        assert!(rendered.len() < 1000, "{rendered}");
    }

    #[test]
    fn problems_are_in_the_order_of_the_file() {
        let lines = Lines::new("f", "a\nb\n");
        let at = |line, col| Diagnostic::new(DiagnosticSeverity::Error, &lines, Mark { line, col, len: 1 }, "", "m");
        let sorted = Diagnostics::new(vec![at(2, 1), at(1, 3), at(1, 2)]);
        assert_eq!(
            sorted.iter().map(|problem| (problem.line, problem.col)).collect::<Vec<_>>(),
            [(1, 2), (1, 3), (2, 1)]
        );
    }
}
