//! Patterns of file names, by characters: what in a name is no UTF-8 is matched byte by byte.

use std::ops::RangeInclusive;

/// Most patterns that one with braces stands for.
const MOST: usize = 10_000;
/// Most braces in one, inside each other or not.
const MOST_BRACES: usize = 100;
/// From here on a number is a byte that is no character.
const BYTES: u32 = 0x11_0000;

/// What one character, or several, of a name may be.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Char(u32),
    /// `?`
    Any,
    /// `*`
    Many,
    /// `[...]`, and `[!...]`.
    Set {
        not: bool,
        of: Vec<RangeInclusive<u32>>,
    },
}

/// Pattern of one name in a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Component {
    /// `**`: any folders.
    Folders,
    /// A name as it stands.
    Name(String),
    Pattern(Vec<Part>),
}

/// A piece of such a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part(Token);

/// A name in characters.
fn characters(name: &[u8]) -> Vec<u32> {
    let mut all = Vec::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        all.extend(chunk.valid().chars().map(u32::from));
        all.extend(chunk.invalid().iter().map(|byte| BYTES + u32::from(*byte)));
    }
    all
}

impl Component {
    fn read(text: &str) -> Result<Self, String> {
        if text == "**" {
            return Ok(Self::Folders);
        }
        let (mut parts, mut rest) = (Vec::new(), text.chars());
        while let Some(c) = rest.next() {
            parts.push(Part(match c {
                '?' => Token::Any,
                '*' => Token::Many,
                '[' => set(&mut rest)?,
                '\\' => Token::Char(rest.next().ok_or("it ends in a backslash")?.into()),
                c => Token::Char(c.into()),
            }));
        }
        let plain = |part: &Part| if let Part(Token::Char(c)) = part { char::from_u32(*c) } else { None };
        let name: Option<String> = parts.iter().map(plain).collect();
        Ok(name.map_or(Self::Pattern(parts), Self::Name))
    }

    /// Whether it is the pattern of such a name. One that begins with a dot has to be named with it.
    pub(super) fn matches(&self, name: &[u8]) -> bool {
        match self {
            Self::Folders => !name.starts_with(b"."),
            Self::Name(own) => own.as_bytes() == name,
            Self::Pattern(parts) => {
                let dot = matches!(parts.first(), Some(Part(Token::Char(c))) if *c == u32::from('.'));
                (dot || !name.starts_with(b".")) && all_match(parts, &characters(name))
            }
        }
    }
}

fn set(rest: &mut std::str::Chars<'_>) -> Result<Token, String> {
    let mut next = || rest.next().ok_or("a `[` without its `]`");
    let mut first = next()?;
    let not = matches!(first, '!' | '^');
    if not {
        first = next()?;
    }
    let (mut of, mut c) = (Vec::new(), first);
    // A bracket that comes first is one of them.
    loop {
        let literal = if c == '\\' { next()? } else { c };
        let from = u32::from(literal);
        c = next()?;
        if c == '-' {
            c = next()?;
            if c == ']' {
                of.extend([from..=from, u32::from('-')..=u32::from('-')]);
                return Ok(Token::Set { not, of });
            }
            let to = u32::from(if c == '\\' { next()? } else { c });
            if to < from {
                return Err("a range in `[]` that goes down".to_owned());
            }
            of.push(from..=to);
            c = next()?;
        } else {
            of.push(from..=from);
        }
        if c == ']' {
            return Ok(Token::Set { not, of });
        }
    }
}

fn all_match(parts: &[Part], name: &[u32]) -> bool {
    let (mut part, mut at) = (0, 0);
    // Where the last `*` is, and how much of the name it does not take.
    let mut star = None;
    loop {
        let fits = match (parts.get(part), name.get(at)) {
            (None, None) => return true,
            (Some(Part(Token::Many)), _) => {
                star = Some((part, at));
                part += 1;
                continue;
            }
            (Some(Part(Token::Any)), Some(_)) => true,
            (Some(Part(Token::Char(own))), Some(c)) => own == c,
            (Some(Part(Token::Set { not, of })), Some(c)) => of.iter().any(|range| range.contains(c)) != *not,
            _ => false,
        };
        if fits {
            (part, at) = (part + 1, at + 1);
            continue;
        }
        match star {
            Some((place, taken)) if taken < name.len() => {
                star = Some((place, taken + 1));
                (part, at) = (place + 1, taken + 1);
            }
            _ => return false,
        }
    }
}

/// The patterns that one stands for, component by component.
///
/// # Errors
/// Why it is none, in words.
pub(super) fn read(pattern: &str) -> Result<Vec<Vec<Component>>, String> {
    if pattern.ends_with('/') {
        return Err("it ends in `/`, and folders are no items".to_owned());
    }
    let components = |one: &String| {
        let names = one.split('/').filter(|name| !name.is_empty() && *name != ".");
        names.map(Component::read).collect::<Result<Vec<_>, _>>()
    };
    expanded(pattern, &mut 0)?.iter().map(components).collect()
}

/// What braces stand for, written out; `seen` counts them.
fn expanded(pattern: &str, seen: &mut usize) -> Result<Vec<String>, String> {
    let Some((open, choices, close)) = braces(pattern)? else { return Ok(vec![pattern.to_owned()]) };
    *seen += 1;
    if *seen > MOST_BRACES {
        return Err(format!("it has more than {MOST_BRACES} pairs of braces"));
    }
    let (before, behind) = (&pattern[..open], expanded(&pattern[close + 1..], seen)?);
    let mut all = Vec::new();
    for choice in choices {
        for choice in expanded(choice, seen)? {
            all.extend(behind.iter().map(|behind| format!("{before}{choice}{behind}")));
            if all.len() > MOST {
                return Err(format!("its braces stand for more than {MOST} patterns"));
            }
        }
    }
    Ok(all)
}

/// Where braces open, what is between their commas, and where they close.
type Braces<'p> = (usize, Vec<&'p str>, usize);

/// The first braces.
fn braces(pattern: &str) -> Result<Option<Braces<'_>>, String> {
    let (mut open, mut from, mut depth, mut choices) = (None, 0, 0_u32, Vec::new());
    let (mut escaped, mut in_set) = (false, None);
    for (at, c) in pattern.char_indices() {
        match c {
            _ if std::mem::take(&mut escaped) => {}
            '\\' => escaped = true,
            ']' if in_set.is_some_and(|begin| at > begin) => in_set = None,
            _ if in_set.is_some() => {}
            // What comes first in it is no end of it.
            '[' => in_set = Some(at + 1 + usize::from(pattern[at + 1..].starts_with(['!', '^']))),
            '{' => {
                depth += 1;
                if open.is_none() {
                    (open, from) = (Some(at), at + 1);
                }
            }
            ',' if depth == 1 => {
                choices.push(&pattern[from..at]);
                from = at + 1;
            }
            '}' if depth > 0 => {
                depth -= 1;
                if let (0, Some(open)) = (depth, open) {
                    choices.push(&pattern[from..at]);
                    return Ok(Some((open, choices, at)));
                }
            }
            _ => {}
        }
    }
    if open.is_some() { Err("a `{` without its `}`".to_owned()) } else { Ok(None) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(pattern: &str, name: &[u8]) -> bool {
        read(pattern).unwrap().iter().any(|all| matches!(all.as_slice(), [one] if one.matches(name)))
    }

    #[test]
    fn names_match_by_characters() {
        for (pattern, name) in [
            ("?", "é"),
            ("a?c", "a🦀c"),
            ("[à-é]x", "éx"),
            ("[!a]", "ü"),
            ("*.{jp{e,}g,png}", "b.jpeg"),
            ("*.{jp{e,}g,png}", "b.jpg"),
            ("a**b", "axyb"),
            ("\\*", "*"),
            ("[]x]", "]"),
            ("[a-]", "-"),
            ("[{,}]", ","),
            ("!a", "!a"),
            ("*a*a*b", "aaxab"),
            (".x", ".x"),
            ("{a,.x}.t", ".x.t"),
        ] {
            assert!(is(pattern, name.as_bytes()), "{pattern} {name}");
        }
        for (pattern, name) in [("?", "ab"), ("*", ".x"), ("[!x]*", ".a"), ("?x", ".x"), ("[a-c]", "d"), ("a", "b")] {
            assert!(!is(pattern, name.as_bytes()), "{pattern} {name}");
        }
        assert!(is("a?", b"a\xff") && !is("a?", b"a\xff\xfe"));
    }

    #[test]
    fn any_number_of_braces_is_told_in_words() {
        let nested = format!("{}x{}", "{".repeat(60_000), "}".repeat(60_000));
        for pattern in [nested, "{a}".repeat(60_000), format!("{{{}}}", "{a},".repeat(60_000))] {
            assert_eq!(read(&pattern).unwrap_err(), "it has more than 100 pairs of braces");
        }
        assert!(read(&"{a}".repeat(100)).is_ok());
    }

    #[test]
    fn what_is_no_pattern_is_told_in_words() {
        for (pattern, why) in [
            ("a[", "a `[` without its `]`"),
            ("a[b", "a `[` without its `]`"),
            ("[z-a]", "goes down"),
            ("{a,b", "a `{` without its `}`"),
            ("a\\", "ends in a backslash"),
            ("a/", "folders are no items"),
            ("{1,2,3,4,5,6,7,8,9,0}{1,2,3,4,5,6,7,8,9,0}{1,2,3,4,5,6,7,8,9,0}{1,2,3,4,5,6,7,8,9,0}{1,2}", "more than"),
        ] {
            let told = read(pattern).unwrap_err();
            assert!(told.contains(why), "{pattern}: {told}");
        }
    }
}
