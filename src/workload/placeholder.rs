//! What stands for something that differs from task to task in a text of a workload: `{index}`, `{attempt}`, `{seed}`, and
//! for a task with items `{item}` and `{item.PART}`. Only these exact forms are replaced; in double braces (`{{item}}`)
//! they stand for themselves. All other braces stay as they are: they are awk's, JSON's or the shell's, whose is every one
//! behind a `$`.

use crate::workload::items::{Item, ItemError, ItemValue, Part};
use crate::workload::model::{Attempt, TaskIndex};

/// A stretch of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// As it stands.
    Text(&'a str),
    Index,
    Attempt,
    Seed,
    Item(Part<'a>),
}

/// The name between braces, where it is one.
fn named<'a>(name: &'a str, has_items: bool) -> Option<Piece<'a>> {
    match name {
        "index" => Some(Piece::Index),
        "attempt" => Some(Piece::Attempt),
        "seed" => Some(Piece::Seed),
        _ if !has_items => None,
        "item" => Some(Piece::Item(Part::Whole)),
        _ => name.strip_prefix("item.").filter(|key| !key.is_empty()).map(|key| Piece::Item(Part::Named(key))),
    }
}

/// The placeholder that a text begins with, and how long it is; in double braces it is a text.
fn at_begin(text: &str, has_items: bool) -> Option<(Piece<'_>, usize)> {
    let inner = text.strip_prefix('{')?;
    let (doubled, inner) = inner.strip_prefix('{').map_or((false, inner), |inner| (true, inner));
    let end = inner.find(['{', '}', '\n'])?;
    let piece = named(inner.get(..end)?, has_items)?;
    if !inner.get(end..)?.starts_with(if doubled { "}}" } else { "}" }) {
        return None;
    }
    if doubled {
        // One of each pair of braces.
        return Some((Piece::Text(text.get(1..end + 3)?), end + 4));
    }
    Some((piece, end + 2))
}

/// The stretches of a text, in order. `has_items` says whether `{item}` is a placeholder in it.
pub(crate) fn pieces(text: &str, has_items: bool) -> impl Iterator<Item = Piece<'_>> {
    let (mut rest, mut found) = (text, None);
    std::iter::from_fn(move || {
        if let Some(piece) = found.take() {
            return Some(piece);
        }
        let mut from = 0;
        while let Some(brace) = rest.get(from..)?.find('{').map(|place| from + place) {
            let behind_dollar = rest[..brace].ends_with('$');
            let found_here = at_begin(&rest[brace..], has_items);
            if let Some((piece, length)) =
                found_here.filter(|(piece, _)| !behind_dollar || matches!(piece, Piece::Text(_)))
            {
                let before = &rest[..brace];
                rest = &rest[brace + length..];
                if before.is_empty() {
                    return Some(piece);
                }
                found = Some(piece);
                return Some(Piece::Text(before));
            }
            from = brace + 1;
        }
        let last = std::mem::take(&mut rest);
        (!last.is_empty()).then_some(Piece::Text(last))
    })
}

/// What one attempt at a task puts in place of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Values<'a> {
    pub(crate) index: TaskIndex,
    pub(crate) attempt: Attempt,
    pub(crate) seed: u64,
    /// Its item, where its class has items.
    pub(crate) item: Option<&'a Item>,
}

impl Values<'_> {
    /// The text with everything filled in. `quoted` says how bytes of an item are written.
    ///
    /// # Errors
    /// When the item has no such part.
    pub(crate) fn fill(&self, text: &str, quoted: impl Fn(&[u8], &mut Vec<u8>)) -> Result<Vec<u8>, ItemError> {
        let mut filled = Vec::with_capacity(text.len() + 32);
        for piece in pieces(text, self.item.is_some()) {
            match (piece, self.item) {
                (Piece::Text(text), _) => filled.extend_from_slice(text.as_bytes()),
                (Piece::Index, _) => filled.extend_from_slice(self.index.to_string().as_bytes()),
                (Piece::Attempt, _) => filled.extend_from_slice(self.attempt.to_string().as_bytes()),
                (Piece::Seed, _) => filled.extend_from_slice(self.seed.to_string().as_bytes()),
                (Piece::Item(part), Some(item)) => quoted(&item.text(part)?, &mut filled),
                (Piece::Item(_), None) => {}
            }
        }
        Ok(filled)
    }
}

impl Values<'_> {
    /// Appends the text with everything filled in, as JSON. A text that is one placeholder of an item is that with its type,
    /// any other is text.
    ///
    /// # Errors
    /// When the item has no such part.
    pub(crate) fn put_json(&self, text: &str, out: &mut String) -> Result<(), ItemError> {
        let mut all = pieces(text, self.item.is_some());
        if let (Some(Piece::Item(part)), None, Some(item)) = (all.next(), all.next(), self.item) {
            return item.put_json(part, out);
        }
        ItemValue::Text(self.fill(text, plain)?).put_json(out);
        Ok(())
    }
}

/// Whether something in a text differs from task to task because of its item.
pub(crate) fn has_item(text: &str) -> bool {
    pieces(text, true).any(|piece| matches!(piece, Piece::Item(_)))
}

/// A placeholder in it that differs from task to task, as it is written.
pub(crate) fn of_a_task(text: &str) -> Option<&'static str> {
    pieces(text, true).find_map(|piece| match piece {
        Piece::Index => Some("{index}"),
        Piece::Attempt => Some("{attempt}"),
        Piece::Item(_) => Some("{item}"),
        Piece::Seed | Piece::Text(_) => None,
    })
}

/// The text without placeholders; `None` where it has one that is to be filled in.
pub(crate) fn fixed(text: &str, has_items: bool) -> Option<String> {
    pieces(text, has_items).map(|piece| if let Piece::Text(text) = piece { Some(text) } else { None }).collect()
}

/// Whether a placeholder in it stands for itself.
pub(crate) fn stands_for_itself(text: &str) -> bool {
    let own = ["{{index}}", "{{attempt}}", "{{seed}}", "${index}", "${attempt}", "${seed}"];
    own.into_iter().any(|own| text.contains(own))
}

/// Bytes as they are.
pub(crate) fn plain(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(bytes);
}

/// Bytes as one word of a POSIX shell, wherever a word may begin or go on (POSIX.1-2024, 2.2.2 Single-Quotes).
pub(crate) fn shell_quoted(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'\'');
    for byte in bytes {
        match byte {
            b'\'' => out.extend_from_slice(br"'\''"),
            byte => out.push(*byte),
        }
    }
    out.push(b'\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<Piece<'_>> {
        pieces(text, true).collect()
    }

    #[test]
    fn only_the_exact_forms_are_placeholders() {
        use Piece::{Attempt, Index, Item, Seed, Text};
        assert_eq!(all("{index}{attempt}-{seed}"), [Index, Attempt, Text("-"), Seed]);
        assert_eq!(
            all("a{item}b{item.name}{item.first name}"),
            [Text("a"), Item(Part::Whole), Text("b"), Item(Part::Named("name")), Item(Part::Named("first name"))]
        );
        for other in [
            "{ item }",
            "{Item}",
            "{items}",
            "{item.}",
            "{}",
            "{",
            "}",
            "{item",
            "item}",
            "${VAR}",
            "${index}",
            "x${item}",
            "${item.name}",
            "{print $1}",
            "{\"a\": {}}",
            "{item\n}",
            "{{}}",
            "{{items}}",
        ] {
            assert_eq!(all(other), [Text(other)], "{other}");
        }
        assert_eq!(all("{\"a\":\"{item}\"}"), [Text("{\"a\":\""), Item(Part::Whole), Text("\"}")]);
        assert_eq!(all("{{print}{item}}"), [Text("{{print}"), Item(Part::Whole), Text("}")]);
        assert_eq!(all(""), []);
    }

    #[test]
    fn double_braces_write_it_as_it_stands() {
        use Piece::{Index, Text};
        assert_eq!(all("{{item}}"), [Text("{item}")]);
        assert_eq!(all("{{item.name}}x{index}"), [Text("{item.name}"), Text("x"), Index]);
        assert_eq!(all("{{index}}"), [Text("{index}")]);
        assert_eq!(all("{{item}"), [Text("{"), Piece::Item(Part::Whole)]);
        assert_eq!(all("${{item}}{seed}${seed}"), [Text("$"), Text("{item}"), Piece::Seed, Text("${seed}")]);
    }

    #[test]
    fn without_items_their_forms_stand_as_they_are() {
        assert_eq!(
            pieces("{item}{{item}}{index}", false).collect::<Vec<_>>(),
            [Piece::Text("{item}{{item}}"), Piece::Index]
        );
    }
}
