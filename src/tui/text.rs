//! Foreign text made safe and measurable: what files, tasks and workers say is data, never an instruction to the terminal.
//!
//! Everything that is drawn and was not written in this program goes through [`clean`] or [`clean_lines`] first.

use std::iter::Peekable;
use std::str::Chars;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The text on one line, without escape sequences, control characters and characters that reorder or hide others.
#[must_use]
pub(crate) fn clean(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\u{9b}' => skip_control_sequence(&mut chars),
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => skip_string(&mut chars),
            '\t' => out.push_str("    "),
            '\n' | '\r' | '\u{2028}' | '\u{2029}' => out.push(' '),
            c if c.is_control() || is_deceptive(c) => {}
            c => out.push(c),
        }
    }
    out
}

/// The lines of a text, each [`clean`]; at most `limit`, counted from the end, because the end of an output says most.
#[must_use]
pub(crate) fn clean_lines(text: &str, limit: usize) -> Vec<String> {
    let lines: Vec<&str> = text.split(['\n', '\r']).collect();
    let mut lines: Vec<String> =
        lines.iter().rev().map(|line| clean(line)).skip_while(|line| line.trim().is_empty()).take(limit).collect();
    lines.reverse();
    lines
}

/// Characters that are invisible but change how the text around them looks: bidirectional overrides ("Trojan source",
/// CVE-2021-42574), zero-width characters, byte order mark, tags.
fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// After ESC (ECMA-48): a control sequence, a control string, or a sequence of intermediates and one final character.
fn skip_escape(chars: &mut Peekable<Chars<'_>>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            skip_control_sequence(chars);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            chars.next();
            skip_string(chars);
        }
        _ => {
            while chars.next_if(|c| matches!(c, '\u{20}'..='\u{2f}')).is_some() {}
            let _final = chars.next_if(|c| matches!(c, '\u{30}'..='\u{7e}'));
        }
    }
}

/// Parameters and intermediates, then one final character.
fn skip_control_sequence(chars: &mut Peekable<Chars<'_>>) {
    while chars.next_if(|c| matches!(c, '\u{20}'..='\u{3f}')).is_some() {}
    let _final = chars.next_if(|c| matches!(c, '\u{40}'..='\u{7e}'));
}

/// Up to BEL or ST. A string that never ends must not hide the evidence behind it, so then only its start is dropped.
fn skip_string(chars: &mut Peekable<Chars<'_>>) {
    let mut ahead = chars.clone();
    while let Some(c) = ahead.next() {
        match c {
            '\u{7}' | '\u{9c}' => {
                *chars = ahead;
                return;
            }
            '\u{1b}' => {
                if ahead.peek() == Some(&'\\') {
                    ahead.next();
                    *chars = ahead;
                }
                return;
            }
            '\n' => return,
            _ => {}
        }
    }
}

/// Whether a text has nothing but characters that each take one column, whatever stands beside them: almost all that is
/// drawn. What Unicode says of widths and clusters need not be looked up for it.
#[must_use]
pub(crate) fn is_plain(text: &str) -> bool {
    text.chars().all(|c| {
        matches!(c,
            ' '..='~' | '\u{a1}'..='\u{ac}' | '\u{ae}'..='\u{17f}' | '\u{2010}'..='\u{2027}' | '\u{2190}'..='\u{22ff}'
            | '\u{2500}'..='\u{25fc}' | '✓' | '✗' | '\u{2800}'..='\u{28ff}' | 'Δ')
    })
}

/// Columns that a text takes.
#[must_use]
pub(crate) fn width(text: &str) -> usize {
    if is_plain(text) { text.chars().count() } else { text.width() }
}

/// The text in at most `columns`; what does not fit is replaced by an ellipsis.
#[must_use]
pub(crate) fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    if columns == 0 {
        return String::new();
    }
    let mut out = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > columns {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

/// The same, with the end of the text instead of its start: paths of one folder differ at their end.
#[must_use]
pub(crate) fn fit_end(text: &str, columns: usize) -> String {
    if text.width() <= columns || columns == 0 {
        return fit(text, columns);
    }
    let mut starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
    let end = starts.find_map(|at| text.get(at..).filter(|end| end.width() < columns));
    format!("…{}", end.unwrap_or_default())
}

/// The text in exactly `columns`, filled with spaces on the right.
#[must_use]
pub(crate) fn pad(text: &str, columns: usize) -> String {
    let mut out = fit(text, columns);
    let missing = columns.saturating_sub(width(&out));
    out.extend(std::iter::repeat_n(' ', missing));
    out
}

/// The text in exactly `columns`, filled with spaces on the left.
#[must_use]
pub(crate) fn pad_left(text: &str, columns: usize) -> String {
    let text = fit(text, columns);
    let missing = columns.saturating_sub(width(&text));
    let mut out = " ".repeat(missing);
    out.push_str(&text);
    out
}

/// Words of a text on lines of at most `columns`; a longer word is cut.
#[must_use]
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.width() + 1 + word.width() > columns {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&fit(word, columns));
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// The whole text on lines of at most `columns`: broken after a space where there is one, otherwise wherever it must be.
/// Nothing is left out, for what is copied from the screen or has to be read to its end.
#[must_use]
pub(crate) fn fold(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = text;
    while rest.width() > columns.max(1) {
        let mut used = 0;
        let fits = |&(_, c): &(usize, char)| {
            used += c.width().unwrap_or(0);
            used <= columns
        };
        let end = rest.char_indices().take_while(fits).last().map_or(0, |(at, c)| at + c.len_utf8());
        let end = rest.get(..end).and_then(|head| head.rfind(' ')).map_or(end, |space| space + 1);
        // One character goes on a line even where it does not fit.
        let end = if end == 0 { rest.chars().next().map_or(rest.len(), char::len_utf8) } else { end };
        let (line, after) = rest.split_at(end);
        lines.push(line.to_owned());
        rest = after;
    }
    if !rest.is_empty() || lines.is_empty() {
        lines.push(rest.to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escape_sequences_vanish_whole() {
        assert_eq!(clean("\x1b[31mred\x1b[0m"), "red");
        assert_eq!(clean("\x1b]0;title\x07after"), "after");
        assert_eq!(clean("\x1b]8;;http://x\x1b\\link"), "link");
        assert_eq!(clean("\u{9b}2Jgone"), "gone");
        assert_eq!(clean("\x1b(Btext\x1bcmore"), "textmore");
        assert_eq!(clean("a\tb\nc\x08\x7f"), "a    b c");
    }

    #[test]
    fn an_endless_string_hides_nothing() {
        assert_eq!(clean("\x1b]0;the evidence"), "0;the evidence");
        assert_eq!(clean("\x1bP first \x1b[1mbold"), " first bold");
    }

    #[test]
    fn text_cannot_be_reordered() {
        assert_eq!(clean("abc\u{202e}def\u{2066}g\u{200b}h"), "abcdefgh");
    }

    #[test]
    fn the_end_of_an_output_is_kept() {
        assert_eq!(clean_lines("one\ntwo\r\nthree\n\n", 2), ["", "three"]);
        assert_eq!(clean_lines("one\ntwo\nthree\n", 2), ["two", "three"]);
        assert!(clean_lines("", 5).is_empty());
    }

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(width("工作"), 4);
        assert_eq!(fit("工作負載", 5), "工作…");
        assert_eq!([fit_end("工作負載", 5), fit_end("工作", 4), fit_end("工", 1)], ["…負載", "工作", "…"]);
        assert_eq!(pad("工", 4), "工  ");
        assert_eq!(pad_left("工", 4), "  工");
        assert_eq!(wrap("aa bb 工作 cc", 5), ["aa bb", "工作", "cc"]);
    }

    #[test]
    fn a_long_word_goes_on_below() {
        assert_eq!(fold("ab cdefghij k", 5), ["ab ", "cdefg", "hij k"]);
        assert_eq!(fold("工作負載", 3), ["工", "作", "負", "載"]);
        assert_eq!(fold("工作", 1), ["工", "作"]);
        assert_eq!(fold("", 5), [""]);
    }

    #[test]
    fn plain_characters_take_one_column_each() {
        let plain: Vec<char> = ('\0'..=char::MAX).filter(|c| is_plain(&c.to_string())).collect();
        assert!(plain.len() > 1000);
        for c in plain {
            assert_eq!((c.width(), clean(&c.to_string())), (Some(1), c.to_string()), "{c:?}");
        }
        assert!(!["工", "\u{300}", "\u{ad}", "\t", "\u{202e}", "\u{fe0f}", "⚡"].into_iter().any(is_plain));
    }

    proptest! {
        #[test]
        fn folding_loses_nothing(text in "[a-c 工é]{0,60}", columns in 2_usize..20) {
            let lines = fold(&text, columns);
            prop_assert_eq!(lines.concat(), text);
            prop_assert!(lines.iter().all(|line| line.width() <= columns));
        }

        #[test]
        fn cleaned_text_has_no_control_characters(text in "[\\PC\u{0}-\u{1f}\u{7f}-\u{9f}\u{202e}]{0,60}") {
            prop_assert!(!clean(&text).chars().any(|c| c.is_control() || is_deceptive(c)));
        }

        #[test]
        fn fitted_text_fits(text in "\\PC{0,40}", columns in 0_usize..30) {
            prop_assert!(fit(&text, columns).width() <= columns);
        }
    }
}
