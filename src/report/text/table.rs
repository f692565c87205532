//! Columns of a table on a terminal, where a Chinese character is two columns wide and a colour none.

use unicode_width::UnicodeWidthStr;

/// Columns that a text takes.
pub(crate) fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// The text with spaces behind it, `columns` wide.
pub(crate) fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", spaces(text, columns))
}

/// The text with spaces before it, `columns` wide.
pub(crate) fn pad_left(text: &str, columns: usize) -> String {
    format!("{}{text}", spaces(text, columns))
}

/// The text cut to `columns`, its last one an ellipsis where something is missing.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    for character in text.chars() {
        kept.push(character);
        if width(&kept) + 1 > columns {
            kept.pop();
            break;
        }
    }
    if columns > 0 {
        kept.push('…');
    }
    kept
}

fn spaces(text: &str, columns: usize) -> String {
    " ".repeat(columns.saturating_sub(width(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(pad("日本", 6), "日本  ");
        assert_eq!(pad_left("µs", 4), "  µs");
        assert_eq!(pad("long", 2), "long");
    }

    #[test]
    fn cut_texts_fit() {
        assert_eq!(
            [fit("pool", 4), fit("process", 5), fit("日本語", 5), fit("日本語", 4), fit("x", 0)],
            ["pool", "proc…", "日本…", "日…", ""]
        );
    }
}
