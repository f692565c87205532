//! ASCII in the place of the signs that reports and screens use, for terminals and locales that have nothing else.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar as _;

/// ASCII characters, and the signs that each stands for.
const ASCII: [(char, &str); 36] = [
    ('o', "●"),
    ('@', "○"),
    ('=', "■▒"),
    ('%', "□▓▇"),
    ('^', "▲↑▴"),
    ('A', "△"),
    ('$', "◆"),
    ('&', "◇"),
    ('v', "▼▽↓▾"),
    ('P', "◐"),
    ('p', "◑"),
    ('R', "◧"),
    ('k', "◨"),
    ('E', "◒"),
    ('e', "◓"),
    ('#', "█"),
    ('.', "░▂"),
    ('>', "▶▸≥→"),
    ('<', "◂≤"),
    ('-', "·–−▃─━"),
    ('x', "×"),
    ('+', "±✓▅┌┐└┘├┠┨┏┓┗┛"),
    ('!', "✗≠"),
    ('d', "Δ"),
    ('l', "λ"),
    ('r', "ρ"),
    // The micro sign and the Greek letter.
    ('u', "µμ"),
    ('~', "…≈"),
    ('|', "│┃┤┊"),
    ('_', "▁"),
    ('*', "▆▀∞•"),
    (':', "▄"),
    ('T', "◉"),
    ('t', "◎"),
    ('I', "◈"),
    ('i', "◊"),
];

/// What stands for a sign where only ASCII can be drawn; `None` for one without a counterpart.
#[must_use]
pub(crate) fn sign(symbol: char) -> Option<char> {
    ASCII.iter().find(|(_, signs)| signs.contains(symbol)).map(|(ascii, _)| *ascii)
}

/// The text in ASCII, of the same width: signs by their counterparts, everything else by question marks.
#[must_use]
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match sign(character) {
            _ if character.is_ascii() => plain.push(character),
            Some(sign) => plain.push(sign),
            None => plain.extend(std::iter::repeat_n('?', character.width().unwrap_or(0))),
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stay_and_only_ascii_is_left() {
        assert!(matches!(text("plain"), Cow::Borrowed("plain")));
        assert_eq!(text("● pool  8.5 µs  3.1×  95 % CI 2.9–3.3 …"), "o pool  8.5 us  3.1x  95 % CI 2.9-3.3 ~");
        assert_eq!(text("ρ 0.69  λW 5.7  3.1 ± 0.2  • one"), "r 0.69  lW 5.7  3.1 + 0.2  * one");
        assert_eq!(text("工作 naïve e\u{301}"), "???? na?ve e");
    }
}
