//! Large digits, three lines high, for people in the back row.

/// Pixels of one character, five lines, the leftmost pixel in the highest bit of `width`.
struct Glyph {
    width: usize,
    lines: [u8; 5],
}

const fn glyph(width: usize, lines: [u8; 5]) -> Glyph {
    Glyph { width, lines }
}

fn find(c: char) -> Option<Glyph> {
    Some(match c {
        '0' => glyph(3, [0b111, 0b101, 0b101, 0b101, 0b111]),
        '1' => glyph(3, [0b010, 0b110, 0b010, 0b010, 0b111]),
        '2' => glyph(3, [0b111, 0b001, 0b111, 0b100, 0b111]),
        '3' => glyph(3, [0b111, 0b001, 0b111, 0b001, 0b111]),
        '4' => glyph(3, [0b101, 0b101, 0b111, 0b001, 0b001]),
        '5' => glyph(3, [0b111, 0b100, 0b111, 0b001, 0b111]),
        '6' => glyph(3, [0b111, 0b100, 0b111, 0b101, 0b111]),
        '7' => glyph(3, [0b111, 0b001, 0b010, 0b010, 0b010]),
        '8' => glyph(3, [0b111, 0b101, 0b111, 0b101, 0b111]),
        '9' => glyph(3, [0b111, 0b101, 0b111, 0b001, 0b111]),
        '.' => glyph(1, [0, 0, 0, 0, 1]),
        '×' => glyph(3, [0, 0, 0b101, 0b010, 0b101]),
        _ => return None,
    })
}

/// Three lines of half blocks; characters without a large form are left out.
#[must_use]
pub(crate) fn large(text: &str) -> [String; 3] {
    let mut out = [String::new(), String::new(), String::new()];
    for glyph in text.chars().filter_map(find) {
        for (row, line) in out.iter_mut().enumerate() {
            let pixels = |index: usize| glyph.lines.get(index).copied().unwrap_or(0);
            let (upper, lower) = (pixels(row * 2), pixels(row * 2 + 1));
            if !line.is_empty() {
                line.push(' ');
            }
            for column in (0..glyph.width).rev() {
                line.push(match (upper >> column & 1, lower >> column & 1) {
                    (1, 1) => '█',
                    (1, _) => '▀',
                    (_, 1) => '▄',
                    _ => ' ',
                });
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_three_lines_high() {
        assert_eq!(large("3.1×"), ["▀▀█   ▄█     ", "▀▀█    █  ▀▄▀", "▀▀▀ ▀ ▀▀▀ ▀ ▀"]);
    }

    #[test]
    fn digits_differ() {
        let all: Vec<_> = "0123456789".chars().map(|c| large(&c.to_string())).collect();
        for (i, a) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|b| a != b));
        }
    }
}
