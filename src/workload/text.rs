//! Text that comes from a file, a task or a worker is data: it must not command the terminal that shows it.

use std::borrow::Cow;

/// Whether a character could move the cursor, change colours, hide text or reverse its direction.
///
/// These are the control characters (C0, DEL, C1), line and paragraph separators, the marks that override the direction
/// of text ("trojan source"), and invisible formatting characters.
#[must_use]
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The text with every unsafe character replaced by a visible one: `␛` for ESC, `�` where Unicode has no picture.
///
/// Each character is replaced by exactly one, so columns counted in characters stay right.
#[must_use]
pub(crate) fn neutral(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_unsafe) { Cow::Owned(text.chars().map(picture).collect()) } else { Cow::Borrowed(text) }
}

/// The visible stand-in of an unsafe character; any other character itself.
#[must_use]
pub(crate) fn picture(c: char) -> char {
    match c {
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        '\x7f' => '\u{2421}',
        c if is_unsafe(c) => '\u{fffd}',
        c => c,
    }
}

/// At most `limit` characters of a text, neutral, with `…` where something was cut off.
#[must_use]
pub(crate) fn shortened(text: &str, limit: usize) -> String {
    let mut short: String = text.chars().take(limit).map(picture).collect();
    if text.chars().nth(limit).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_direction_characters_become_visible_one_for_one() {
        let hostile = "a\x1b[31mb\u{9b}c\u{202e}d\te\nf\x7f";
        let clean = neutral(hostile);
        assert_eq!(clean, "a␛[31mb�c�d␉e␊f␡");
        assert_eq!(clean.chars().count(), hostile.chars().count());
        assert!(!clean.chars().any(is_unsafe));
    }

    #[test]
    fn ordinary_text_is_not_copied() {
        assert!(matches!(neutral("95 % kurz, 5 % lang: 任务 🦀"), Cow::Borrowed(_)));
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        assert_eq!(shortened("äöüß", 3), "äöü…");
        assert_eq!(shortened("äöü", 3), "äöü");
    }
}
