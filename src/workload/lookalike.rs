//! Characters that look like others, or like nothing, and that YAML takes for letters: a writer cannot find them by
//! looking.

/// Such a character in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lookalike {
    /// Characters before it.
    pub(crate) at: usize,
    /// What it is called, with its number: `a no-break space (U+00A0)`.
    pub(crate) name: String,
    /// What should stand there: a character, or nothing.
    pub(crate) instead: &'static str,
    /// Whether it is a letter. One that is not can take the meaning out of a whole line.
    pub(crate) letter: bool,
}

impl Lookalike {
    /// What to do about it.
    pub(crate) fn advice(&self) -> String {
        match self.instead {
            "" => "delete it".to_owned(),
            " " => "write an ordinary space".to_owned(),
            other => format!("write `{other}`"),
        }
    }
}

/// The first of them in a text.
pub(crate) fn first(text: &str) -> Option<Lookalike> {
    let (at, c, (name, instead)) = text.chars().enumerate().find_map(|(at, c)| Some((at, c, known(c)?)))?;
    let letter = instead.chars().all(|c| c.is_ascii_alphabetic()) && !instead.is_empty() && !is_wide(c);
    Some(Lookalike { at, name: format!("{name} (U+{:04X})", u32::from(c)), instead, letter })
}

fn is_wide(c: char) -> bool {
    ('\u{ff01}'..='\u{ff5e}').contains(&c)
}

/// Name, and what should stand there.
fn known(c: char) -> Option<(&'static str, &'static str)> {
    Some(match c {
        '\u{a0}' => ("a no-break space", " "),
        '\u{202f}' => ("a narrow no-break space", " "),
        '\u{3000}' => ("an ideographic space", " "),
        '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{205f}' => ("a space of unusual width", " "),
        '\u{2028}' | '\u{2029}' => ("a Unicode line separator", " "),
        '\u{ad}' => ("a soft hyphen", ""),
        '\u{200b}' => ("a zero-width space", ""),
        '\u{200c}' | '\u{200d}' => ("a zero-width joiner", ""),
        '\u{2060}' => ("a word joiner", ""),
        '\u{feff}' => ("a byte order mark", ""),
        '\u{180e}' | '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2061}'..='\u{2069}' => {
            ("an invisible character", "")
        }
        c if is_wide(c) => ("a full-width character", ascii(u32::from(c) - 0xff01)?),
        '\u{2236}' | '\u{a789}' | '\u{fe55}' | '\u{fe13}' => ("a character like a colon", ":"),
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe63}' => ("a dash", "-"),
        '\u{2018}'..='\u{201b}' => ("a typographic quotation mark", "'"),
        '\u{201c}'..='\u{201f}' => ("a typographic quotation mark", "\""),
        c => return letter(c).map(|ascii| ("a letter of another alphabet", ascii)),
    })
}

/// The printable ASCII character of this number, from `!`, as a text.
fn ascii(number: u32) -> Option<&'static str> {
    const ALL: &str =
        "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~";
    let at = usize::try_from(number).ok()?;
    ALL.get(at..=at)
}

/// Cyrillic and Greek letters that look like Latin ones.
fn letter(c: char) -> Option<&'static str> {
    const LIKE: [(char, &str); 18] = [
        ('а', "a"),
        ('е', "e"),
        ('о', "o"),
        ('р', "p"),
        ('с', "c"),
        ('у', "y"),
        ('х', "x"),
        ('і', "i"),
        ('ј', "j"),
        ('ѕ', "s"),
        ('к', "k"),
        ('м', "m"),
        ('т', "t"),
        ('ο', "o"),
        ('α', "a"),
        ('ν', "v"),
        ('ι', "i"),
        ('κ', "k"),
    ];
    LIKE.iter().find(|(like, _)| *like == c).map(|(_, ascii)| *ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_named_with_its_number_and_what_to_write() {
        for (text, at, name, advice) in [
            ("a\u{a0}b", 1, "a no-break space (U+00A0)", "write an ordinary space"),
            ("wörk\u{200b}", 4, "a zero-width space (U+200B)", "delete it"),
            ("\u{feff}", 0, "a byte order mark (U+FEFF)", "delete it"),
            ("k\u{ff1a}", 1, "a full-width character (U+FF1A)", "write `:`"),
            ("\u{ff15}ms", 0, "a full-width character (U+FF15)", "write `5`"),
            ("w\u{43e}rkers", 1, "a letter of another alphabet (U+043E)", "write `o`"),
            ("\u{201c}x", 0, "a typographic quotation mark (U+201C)", "write `\"`"),
            ("\u{ff5e}", 0, "a full-width character (U+FF5E)", "write `~`"),
        ] {
            let found = first(text).unwrap();
            assert_eq!((found.at, found.name.as_str(), found.advice().as_str()), (at, name, advice));
        }
        assert!(first("w\u{43e}").unwrap().letter && !first("\u{ff57}").unwrap().letter);
    }

    #[test]
    fn other_writing_is_left_alone() {
        assert_eq!(first("95 % kurz: 任务 🦀 äöü 200µs 200μs"), None);
    }
}
