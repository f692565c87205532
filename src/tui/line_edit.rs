//! One line of text that is typed: where the next character goes, and which part of it is seen.

use crate::tui::keys::Action;
use crate::tui::text;

/// Most characters; more of a paste is left out.
const MOST: usize = 400;

/// A line of text and a place in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LineEdit {
    text: String,
    /// In bytes, at the start of a character or at the end.
    cursor: usize,
}

/// What is seen of a line: before the cursor, the character under it, and after that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Before the cursor.
    pub(crate) before: String,
    /// Under it; a space at the end of the line.
    pub(crate) under: String,
    /// After it.
    pub(crate) after: String,
}

impl LineEdit {
    /// What was typed.
    #[must_use]
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Puts a text in at the cursor: on one line and without what could command a terminal.
    pub(crate) fn insert(&mut self, typed: &str) {
        let room = MOST.saturating_sub(self.text.chars().count());
        let typed: String = text::clean(typed).chars().take(room).collect();
        self.text.insert_str(self.cursor, &typed);
        self.cursor += typed.len();
    }

    /// An action while the words of a filter are typed; false for one that has nothing to do with that.
    pub(crate) fn filter(&mut self, typing: &mut bool, action: Action) -> bool {
        match action {
            Action::Open => *typing = false,
            Action::Back => {
                *typing = false;
                self.clear();
            }
            _ => return self.edit(action),
        }
        true
    }

    /// An action on the line; false for one that has nothing to do with it.
    pub(crate) fn edit(&mut self, action: Action) -> bool {
        match action {
            Action::Type(c) => self.insert(c.encode_utf8(&mut [0; 4])),
            Action::Erase => self.erase(),
            Action::EraseNext => self.erase_next(),
            Action::EraseWord => self.erase_word(),
            Action::EraseAll => self.clear(),
            Action::Left => self.left(),
            Action::Right => self.right(),
            Action::First => self.home(),
            Action::Last => self.end(),
            _ => return false,
        }
        true
    }

    /// Takes everything away.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes away the character before the cursor.
    pub(crate) fn erase(&mut self) {
        let start = self.before();
        self.cut(start, self.cursor);
    }

    /// Takes away the character under the cursor.
    pub(crate) fn erase_next(&mut self) {
        let end = self.after();
        self.cut(self.cursor, end);
    }

    /// Takes away the word before the cursor, and spaces behind it.
    pub(crate) fn erase_word(&mut self) {
        let head = self.text.get(..self.cursor).unwrap_or_default().trim_end();
        let start = head.rfind(' ').map_or(0, |space| space + 1);
        self.cut(start, self.cursor);
    }

    /// One character to the left.
    pub(crate) fn left(&mut self) {
        self.cursor = self.before();
    }

    /// One character to the right.
    pub(crate) fn right(&mut self) {
        self.cursor = self.after();
    }

    /// To the start.
    pub(crate) fn home(&mut self) {
        self.cursor = 0;
    }

    /// To the end.
    pub(crate) fn end(&mut self) {
        self.cursor = self.text.len();
    }

    fn before(&self) -> usize {
        self.text.get(..self.cursor).and_then(|head| head.char_indices().next_back()).map_or(0, |(at, _)| at)
    }

    fn after(&self) -> usize {
        let step = self.text.get(self.cursor..).and_then(|tail| tail.chars().next()).map_or(0, char::len_utf8);
        self.cursor + step
    }

    fn cut(&mut self, start: usize, end: usize) {
        self.text.replace_range(start..end, "");
        self.cursor = start;
    }

    /// The part around the cursor that fits into so many columns.
    #[must_use]
    pub(crate) fn seen(&self, columns: usize) -> Seen {
        let (head, tail) = self.text.split_at(self.cursor);
        let under: String = tail.chars().next().map_or_else(|| " ".to_owned(), String::from);
        let room = columns.saturating_sub(text::width(&under));
        let starts = head.char_indices().map(|(at, _)| at).chain([head.len()]);
        let fits = |start: &usize| head.get(*start..).is_some_and(|part| text::width(part) <= room);
        let before = starts.into_iter().find(fits).and_then(|start| head.get(start..)).unwrap_or_default();
        let rest = tail.get(under.len()..).unwrap_or_default();
        let after = text::fit(rest, room.saturating_sub(text::width(before)));
        Seen { before: before.to_owned(), under, after }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn typed(text: &str) -> LineEdit {
        let mut line = LineEdit::default();
        line.insert(text);
        line
    }

    #[test]
    fn characters_go_in_and_out_where_the_cursor_is() {
        let mut line = typed("status:工作");
        line.left();
        line.erase();
        assert_eq!(line.text(), "status:作");
        line.insert("a b");
        assert_eq!(line.text(), "status:a b作");
        line.erase_word();
        assert_eq!(line.text(), "status:a 作");
        line.erase_next();
        line.home();
        line.erase();
        line.erase_next();
        assert_eq!(line.text(), "tatus:a ");
        line.end();
        line.right();
        line.erase_word();
        assert_eq!(line.text(), "");
    }

    #[test]
    fn a_paste_is_one_clean_line_of_bounded_length() {
        assert_eq!(typed("a\x1b[31mb\r\nc\u{202e}").text(), "ab  c");
        assert_eq!(typed(&"x".repeat(10_000)).text().len(), MOST);
    }

    #[test]
    fn a_long_line_scrolls_with_the_cursor() {
        let mut line = typed("0123456789");
        assert_eq!(line.seen(5), Seen { before: "6789".into(), under: " ".into(), after: String::new() });
        line.home();
        assert_eq!(line.seen(5), Seen { before: String::new(), under: "0".into(), after: "123…".into() });
    }

    proptest! {
        #[test]
        fn what_is_seen_fits(text in "[a-z 工é\u{301}]{0,30}", lefts in 0..30, columns in 2_usize..20) {
            let mut line = typed(&text);
            (0..lefts).for_each(|_| line.left());
            let Seen { before, under, after } = line.seen(columns);
            prop_assert!(text::width(&before) + text::width(&under) + text::width(&after) <= columns);
        }
    }
}
