//! Where in a text for the shell an item may stand: as a word, or a part of one, of a command. There it is quoted; anywhere
//! else its quotes would not be quotes, and what is in it would be run.

use crate::workload::placeholder::{Piece, pieces};

/// Why an item may not stand where it does.
pub(super) fn misplaced(text: &str) -> Option<&'static str> {
    let mut scan = Scan::default();
    for piece in pieces(text, true) {
        match piece {
            Piece::Text(text) => text.chars().for_each(|c| scan.take(c)),
            Piece::Item(_) => match scan.place() {
                None => scan.take('x'),
                refused => return refused,
            },
            Piece::Index | Piece::Attempt | Piece::Seed => scan.take('0'),
        }
    }
    None
}

/// How far a text was read (POSIX.1-2024, 2.2 Quoting, 2.3 Token Recognition, 2.7.4 Here-Document).
#[derive(Default)]
struct Scan {
    quote: Option<char>,
    escaped: bool,
    comment: bool,
    /// A here-document was begun: from then on nothing is certain.
    here: bool,
    /// `$'` was seen, which shells read differently.
    dollar_quote: bool,
    /// How deep in `${`, and in `$((`.
    braces: u32,
    arithmetic: bool,
    last: [char; 2],
}

impl Scan {
    fn take(&mut self, c: char) {
        let [before, previous] = self.last;
        self.last = [previous, c];
        if std::mem::take(&mut self.escaped) {
            // An escaped character is none of those that mean something to what follows.
            self.last = [previous, 'x'];
            return;
        }
        if self.comment {
            self.comment = c != '\n';
            return;
        }
        match self.quote {
            Some('\'') if c != '\'' => {}
            _ if c == '\\' => self.escaped = true,
            Some(quote) if c == quote => self.quote = None,
            Some(quote) => self.dollar_quote |= quote == '"' && c == '`',
            None => self.take_unquoted(c, before, previous),
        }
    }

    fn take_unquoted(&mut self, c: char, before: char, previous: char) {
        match c {
            '\'' | '"' | '`' => {
                self.dollar_quote |= previous == '$';
                self.quote = Some(c);
            }
            '#' => self.comment = previous == '\0' || previous.is_whitespace() || ";&|()".contains(previous),
            '{' if previous == '$' => self.braces += 1,
            '}' => self.braces = self.braces.saturating_sub(1),
            '(' if previous == '(' && before == '$' => self.arithmetic = true,
            ')' if previous == ')' => self.arithmetic = false,
            '<' => self.here |= previous == '<',
            _ => {}
        }
    }

    /// Why an item may not stand here.
    fn place(&self) -> Option<&'static str> {
        match self.quote {
            Some('`') => return Some("in backticks, where quotes are read twice"),
            Some(_) => return Some("inside quotes, which its own quotes would end"),
            None => {}
        }
        if self.escaped {
            return Some("behind a backslash, which would take its first quote");
        }
        if self.comment {
            return Some("in a comment, which a line feed in it would end");
        }
        if self.here {
            return Some("in or behind a here-document, in which quotes are not quotes");
        }
        if self.dollar_quote {
            return Some("behind $'...', $\"...\" or backticks in quotes, which not every shell reads alike");
        }
        if self.braces > 0 || self.arithmetic {
            return Some("in an expansion, where quotes are not always quotes");
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_stands_where_a_word_does() {
        for fine in [
            "convert {item} out/{item.stem}.png",
            "f={item}; cat \"$f\" | wc -l",
            "echo 'a' {item} \"b\"",
            "echo \\'{item}",
            "echo it#{item}",
            "# all of it\ncat {item}",
            "x=$(basename {item})",
            "echo {{item}} ${HOME} {item}",
            "echo $((1 + 2)) {item}",
            "awk '{print $1}' {item}",
            "cat <{item} >out-{index}",
            "echo \"{index}\" '{seed}' {item}",
        ] {
            assert_eq!(misplaced(fine), None, "{fine}");
        }
    }

    #[test]
    fn anywhere_else_it_is_refused() {
        for wrong in [
            "echo '{item}'",
            "echo \"{item}\"",
            "echo \"a$(cat {item})\"",
            "echo `cat {item}`",
            "echo \\{item}",
            "true # {item}",
            "cat <<E\n{item}\nE",
            "echo ${X:-{item}}",
            "echo $(( {item} ))",
            "echo $'a\\' {item}",
            "echo \"x\\\" {item}\"",
            "echo \"`echo 'a` {item}\"",
        ] {
            assert!(misplaced(wrong).is_some(), "{wrong}");
        }
    }
}
