//! Where in a text for the shell an item may stand: as a word, or a part of one, of a command. There it is quoted; anywhere
//! else its quotes would not be quotes, and what is in it would be run.
//!
//! The text is read as far as that takes, and only what every POSIX shell reads alike: behind anything else no item may stand,
//! since nothing is certain there.

mod builtins;

use crate::workload::placeholder::{Piece, pieces};
use builtins::Wary;

/// A word of a text for the shell, without its quotes, and whether an item is in it.
pub(super) type Word = (String, bool);

/// The words of such a text, or why an item may not stand where it does.
pub(super) fn words(text: &str) -> Result<Vec<Word>, &'static str> {
    let mut scan = Scan::default();
    for piece in pieces(text, true) {
        match piece {
            Piece::Text(text) => text.chars().for_each(|c| scan.take(c)),
            Piece::Item(_) => {
                scan.place().map_or(Ok(()), Err)?;
                scan.take('x');
                scan.holds_item = true;
            }
            Piece::Index | Piece::Attempt | Piece::Seed => scan.take('0'),
        }
    }
    scan.word_ends();
    Ok(scan.words)
}

const EXPANSION: &str = "in an expansion, where quotes are not always quotes";
const BEHIND: &str = "behind quotes in an expansion, which not every shell reads alike";

/// What a stretch of a text is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Context {
    /// `'`
    Single,
    /// `"`
    Double,
    /// A backtick.
    Backtick,
    /// `$(` or `(`: commands, as on the outside.
    Commands,
    /// `${`
    Parameter,
    /// `$((` or `((`, with as many parentheses still to be closed.
    Arithmetic(u32),
}

/// How far a text was read (POSIX.1-2024, 2.2 Quoting, 2.3 Token Recognition, 2.6 Word Expansions, 2.7.4 Here-Document).
#[derive(Default)]
struct Scan {
    /// From the outside in.
    contexts: Vec<Context>,
    escaped: bool,
    comment: bool,
    /// Something was seen behind which nothing is certain.
    uncertain: Option<&'static str>,
    /// `name[` was seen: bash evaluates what is in it.
    subscript: u32,
    /// The character before, and the one that comes before a backslash while that is read.
    previous: char,
    /// The word so far, without its quotes, and whether an item is in it.
    word: String,
    holds_item: bool,
    /// Those before it.
    words: Vec<Word>,
    /// The command that is being read, where it is one that evaluates what it is given.
    wary: Option<Wary>,
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n')
}

fn is_operator(c: char) -> bool {
    matches!(c, ';' | '&' | '|' | '(' | ')' | '<' | '>')
}

impl Scan {
    fn doubt(&mut self, why: &'static str) {
        self.uncertain.get_or_insert(why);
    }

    fn take(&mut self, c: char) {
        let inner = self.contexts.last().copied();
        if std::mem::take(&mut self.escaped) {
            // A line that goes on is as if there were no line end; no other character means anything to what follows.
            if c != '\n' {
                self.previous = 'x';
                self.word.push(c);
            }
            return;
        }
        if self.comment {
            self.comment = c != '\n';
            self.previous = c;
            return;
        }
        if inner == Some(Context::Single) {
            if c == '\'' {
                self.contexts.pop();
                self.previous = 'x';
            } else {
                self.word.push(c);
            }
            return;
        }
        if c == '\\' {
            self.escaped = true;
            if !matches!(inner, None | Some(Context::Commands | Context::Double)) {
                self.doubt(BEHIND);
            }
            return;
        }
        let previous = self.previous;
        // `$$` is a number: what comes behind it begins no expansion.
        self.previous = if c == '$' && previous == '$' { 'x' } else { c };
        match inner {
            None | Some(Context::Commands) => self.take_command(c, previous),
            Some(Context::Double) if c == '"' => {
                self.contexts.pop();
                self.previous = 'x';
            }
            Some(Context::Double) => {
                if !self.expansion(c, previous) {
                    self.word.push(c);
                }
            }
            Some(Context::Backtick) => match c {
                '`' => {
                    self.contexts.pop();
                    self.previous = 'x';
                }
                '\'' | '"' | '(' | ')' | '{' | '#' | '<' => {
                    self.doubt("behind quotes in backticks, which are read twice");
                }
                _ => {}
            },
            Some(Context::Parameter) => match c {
                '}' => {
                    self.contexts.pop();
                    self.previous = 'x';
                }
                '\'' | '"' | '`' => self.doubt(BEHIND),
                // Newer shells run commands there.
                ' ' | '\t' | '\n' | '|' if previous == '{' => self.doubt(BEHIND),
                '{' if previous != '$' => self.doubt(BEHIND),
                _ => {
                    self.expansion(c, previous);
                }
            },
            Some(Context::Arithmetic(depth)) => self.take_arithmetic(c, previous, depth),
            Some(Context::Single) => {}
        }
    }

    /// Whether an expansion begins.
    fn expansion(&mut self, c: char, previous: char) -> bool {
        let context = match (c, previous) {
            ('(', '$') => Context::Commands,
            ('{', '$') => Context::Parameter,
            ('`', _) => Context::Backtick,
            _ => return false,
        };
        self.contexts.push(context);
        if context == Context::Commands {
            // What is told apart by its next character.
            self.word.clear();
        }
        true
    }

    fn take_command(&mut self, c: char, previous: char) {
        if is_blank(c) || is_operator(c) {
            self.word_ends();
        }
        // Behind `<` and `>` they are parts of a redirection, and a single `&` may be.
        let ends = matches!(c, ';' | '\n') || c == '|' && previous != '>' || c == '&' && previous == '&';
        if ends && self.wary.is_some_and(|wary| wary.depth >= self.contexts.len()) {
            self.wary = None;
        }
        if c == '#' && self.word.is_empty() {
            match previous {
                // A word goes on behind `$(...)`, and none behind `(...)`.
                ')' => self.doubt("behind `)#`, which not every shell reads alike"),
                '\0' => self.comment = true,
                previous if is_blank(previous) || is_operator(previous) => self.comment = true,
                _ => {}
            }
            if self.comment && !self.contexts.is_empty() {
                self.doubt("behind a comment in parentheses, which not every shell reads alike");
            }
        }
        match c {
            // `(` behind `(` or `$(`.
            '(' if previous == '(' && self.contexts.last() == Some(&Context::Commands) => {
                self.contexts.pop();
                self.contexts.push(Context::Arithmetic(2));
            }
            '(' if self.word.ends_with('=') => {
                self.doubt("in or behind an array, whose subscripts are evaluated");
                self.contexts.push(Context::Commands);
            }
            _ if self.expansion(c, previous) => {}
            '(' => self.contexts.push(Context::Commands),
            ')' => {
                // That of a `case` on the outside closes nothing.
                self.contexts.pop();
                self.wary = self.wary.filter(|wary| wary.depth <= self.contexts.len());
            }
            '\'' if previous == '$' => self.doubt("behind $'...', which not every shell reads alike"),
            '"' if previous == '$' => self.doubt("behind $\"...\", which not every shell reads alike"),
            '\'' => self.contexts.push(Context::Single),
            '"' => self.contexts.push(Context::Double),
            '<' if previous == '<' => self.doubt("in or behind a here-document, in which quotes are not quotes"),
            '[' if previous == '$' => self.doubt(EXPANSION),
            '[' if !self.word.is_empty() || self.subscript > 0 => self.subscript += 1,
            ']' => self.subscript = self.subscript.saturating_sub(1),
            _ => {}
        }
        if !is_blank(c) && !is_operator(c) && !matches!(c, '\'' | '"' | '`') {
            self.word.push(c);
        }
    }

    fn take_arithmetic(&mut self, c: char, previous: char, depth: u32) {
        match c {
            // It may be commands after all.
            '\'' | '"' | '`' | '#' | ';' | '\n' => self.doubt(BEHIND),
            '<' if previous == '<' => self.doubt(BEHIND),
            _ if self.expansion(c, previous) => {}
            '(' | ')' => {
                self.contexts.pop();
                let depth = if c == '(' { depth.saturating_add(1) } else { depth - 1 };
                match depth {
                    0 if previous != ')' => self.doubt(BEHIND),
                    0 => self.previous = 'x',
                    depth => self.contexts.push(Context::Arithmetic(depth)),
                }
            }
            _ => {}
        }
    }

    fn word_ends(&mut self) {
        let word = std::mem::take(&mut self.word);
        let holds_item = std::mem::take(&mut self.holds_item);
        if word.is_empty() {
            return;
        }
        match word.as_str() {
            // Its `)` close nothing.
            "case" if !self.contexts.is_empty() => self.doubt("behind a `case` in parentheses"),
            "eval" => self.doubt("behind `eval`, which reads it once more"),
            "let" => self.doubt("behind `let`, which evaluates it"),
            "[[" => self.doubt("behind `[[`, which may evaluate it"),
            _ => {}
        }
        match &mut self.wary {
            Some(wary) => wary.word(&word).into_iter().for_each(|why| _ = self.uncertain.get_or_insert(why)),
            None => self.wary = Wary::of(&word, self.contexts.len()),
        }
        self.words.push((word, holds_item));
    }

    /// Why an item may not stand here.
    fn place(&self) -> Option<&'static str> {
        if let Some(why) = self.uncertain {
            return Some(why);
        }
        if self.escaped {
            return Some("behind a backslash, which would take its first quote");
        }
        if let Some(why) = self.wary.and_then(|wary| wary.place(&self.word, self.contexts.len())) {
            return Some(why);
        }
        if self.comment {
            return Some("in a comment, which a line feed in it would end");
        }
        for context in self.contexts.iter().rev() {
            match context {
                Context::Commands => {}
                Context::Backtick => return Some("in backticks, where quotes are read twice"),
                Context::Single | Context::Double => return Some("inside quotes, which its own quotes would end"),
                Context::Parameter | Context::Arithmetic(_) => return Some(EXPANSION),
            }
        }
        if self.previous == '$' {
            return Some("behind `$`, which would take its quotes");
        }
        (self.subscript > 0).then_some("in a subscript, which is evaluated")
    }
}

#[cfg(test)]
mod tests;
