//! Text from files, tasks and workers is data: what a terminal would take as a command is made harmless.

use std::borrow::Cow;

/// The text as one line for a terminal. Escape sequences that only set colours, titles and the like are taken out, line
/// breaks and tabs become spaces, and every other control character becomes a visible one. So do the characters that
/// turn the direction of writing, which can make a line read as another.
#[must_use]
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    if !text.contains(is_control) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if let Some(length) = sequence(rest) {
            rest = rest.get(length..).unwrap_or_default();
            continue;
        }
        rest = rest.get(character.len_utf8()..).unwrap_or_default();
        clean.push(visible(character));
    }
    Cow::Owned(clean)
}

/// The last lines of a text, cleaned, without empty ones; at most `most`.
#[must_use]
pub(crate) fn last_lines(text: &str, most: usize) -> Vec<Cow<'_, str>> {
    let mut lines: Vec<_> =
        text.lines().rev().map(|text| line(text.trim_end())).filter(|line| !line.is_empty()).take(most).collect();
    lines.reverse();
    lines
}

/// Whether a terminal might not just draw it.
#[must_use]
pub(crate) fn is_control(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{FEFF}')
        || matches!(character, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FFF9}'..='\u{FFFB}')
}

fn visible(character: char) -> char {
    match character {
        '\n' | '\r' | '\t' => ' ',
        // Control pictures: U+2400 is the picture of U+0000, and so on.
        '\u{0}'..='\u{1F}' => char::from_u32(0x2400 + character as u32).unwrap_or('\u{FFFD}'),
        '\u{7F}' => '\u{2421}',
        _ if is_control(character) => '\u{FFFD}',
        _ => character,
    }
}

/// Length of a whole CSI or OSC sequence at the start of the text (ECMA-48, 5.4 and 8.3.89). One that does not end is
/// none: it must not swallow what follows.
fn sequence(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (begin, body) = match bytes {
        [0x1B, b'[', body @ ..] => (2, body),
        [0x1B, b']', body @ ..] => {
            let end = body.iter().take_while(|byte| !matches!(byte, 0x00..=0x1F)).count();
            return match body.get(end..)? {
                [0x07, ..] => Some(2 + end + 1),
                [0x1B, b'\\', ..] => Some(2 + end + 2),
                _ => None,
            };
        }
        _ => return None,
    };
    let parameters = body.iter().take_while(|byte| matches!(byte, 0x20..=0x3F)).count();
    matches!(body.get(parameters)?, 0x40..=0x7E).then_some(begin + parameters + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn harmless_text_is_not_copied() {
        for text in ["", "plain", "naïve – 日本語 ✓ 👩‍🔬"] {
            assert!(matches!(line(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn sequences_go_and_controls_become_visible() {
        for (text, wanted) in [
            ("\x1b[1;31merror\x1b[0m: no", "error: no"),
            ("\x1b]0;title\x07done", "done"),
            ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
            ("\x1b]0;never ends", "␛]0;never ends"),
            ("\x1b[31", "␛[31"),
            ("\x1bc reset", "␛c reset"),
            ("a\nb\tc\rd", "a b c d"),
            ("bell\x07 nul\0 del\x7f", "bell␇ nul␀ del␡"),
            ("c1 \u{9b}31m", "c1 \u{FFFD}31m"),
            ("\u{202E}evil", "\u{FFFD}evil"),
            ("\x1b[é", "␛[é"),
        ] {
            assert_eq!(line(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn last_lines_in_order() {
        assert_eq!(last_lines("one\n\n\x1b[2Jtwo\r\n  \nthree\n", 2), ["two", "three"]);
        assert!(last_lines("\n \n", 5).is_empty());
    }

    proptest! {
        #[test]
        fn nothing_that_comes_out_controls_a_terminal(text in "(\\PC|[\\x00-\\x1f\\x7f-\\x9f]|\x1b[\\[\\]]){0,60}") {
            let cleaned = line(&text).into_owned();
            prop_assert!(!cleaned.contains(is_control), "{:?}", cleaned);
            prop_assert_eq!(line(&cleaned), cleaned.as_str(), "cleaning twice changes nothing");
        }
    }
}
