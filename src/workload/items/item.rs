//! One item and what can be asked of it: itself, a part of it as a path, a field of it as a record.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::ItemError;
use crate::workload::text::shortened;

/// What of an item is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    /// All of it.
    Whole,
    /// A field of a record; of any other item one of [`PATH_PARTS`].
    Named(&'a str),
}

/// Parts of an item that is no record, as a path.
pub(crate) const PATH_PARTS: [&str; 4] = ["name", "stem", "dir", "ext"];

/// A value: bytes that are text to whoever reads them, or something that JSON has a form for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ItemValue {
    /// Any bytes.
    Text(Vec<u8>),
    /// A number, a truth value, a list, an object, or null: its JSON.
    Json(String),
}

/// One item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// All of it; a record as it was written.
    pub(crate) whole: ItemValue,
    /// Its fields, where it is a record.
    pub(crate) fields: Option<Vec<(String, ItemValue)>>,
}

impl ItemValue {
    /// As text.
    pub(crate) fn text(&self) -> &[u8] {
        match self {
            Self::Text(bytes) => bytes,
            Self::Json(json) => json.as_bytes(),
        }
    }

    /// As JSON. Bytes that are no UTF-8 are written as Python's `os.fsdecode` has them: 0x80 is `\udc80`.
    pub(crate) fn put_json(&self, out: &mut String) {
        match self {
            Self::Text(bytes) => put_json_text(out, bytes),
            Self::Json(json) => out.push_str(json),
        }
    }
}

/// Appends a text as JSON. Bytes that are no UTF-8 are written as Python's `os.fsdecode` has them: 0x80 is `\udc80`.
pub(crate) fn put_json_text(out: &mut String, bytes: &[u8]) {
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        let quoted = serde_json::Value::from(chunk.valid()).to_string();
        out.push_str(quoted.get(1..quoted.len() - 1).unwrap_or_default());
        for byte in chunk.invalid() {
            // Writing to a string cannot fail.
            let _ = write!(out, "\\udc{byte:02x}");
        }
    }
    out.push('"');
}

impl Item {
    /// An item that is no record.
    pub(crate) fn of(whole: ItemValue) -> Self {
        Self { whole, fields: None }
    }

    /// What a part of it is as text.
    ///
    /// # Errors
    /// When it has no such part.
    pub(crate) fn text(&self, part: Part<'_>) -> Result<Cow<'_, [u8]>, ItemError> {
        Ok(match (part, &self.fields) {
            (Part::Whole, _) => Cow::Borrowed(self.whole.text()),
            (Part::Named(key), Some(fields)) => Cow::Borrowed(field(fields, key)?.text()),
            (Part::Named(key), None) => {
                Cow::Owned(path_part(self.whole.text(), key).ok_or_else(|| no_part(key))?.into_owned())
            }
        })
    }

    /// Appends what a part of it is as JSON, with its type.
    ///
    /// # Errors
    /// When it has no such part.
    pub(crate) fn put_json(&self, part: Part<'_>, out: &mut String) -> Result<(), ItemError> {
        match (part, &self.fields) {
            (Part::Whole, None) => self.whole.put_json(out),
            (Part::Whole, Some(fields)) => {
                out.push('{');
                for (place, (key, value)) in fields.iter().enumerate() {
                    out.push_str(if place == 0 { "" } else { "," });
                    put_json_text(out, key.as_bytes());
                    out.push(':');
                    value.put_json(out);
                }
                out.push('}');
            }
            (Part::Named(key), Some(fields)) => field(fields, key)?.put_json(out),
            (Part::Named(_), None) => put_json_text(out, &self.text(part)?),
        }
        Ok(())
    }

    /// It in words, on one line and neutral: what is shown of it.
    pub(crate) fn shown(&self, limit: usize) -> String {
        shortened(&String::from_utf8_lossy(self.whole.text()), limit)
    }
}

fn field<'f>(fields: &'f [(String, ItemValue)], key: &str) -> Result<&'f ItemValue, ItemError> {
    // Of equal names the last one counts, as in JSON.
    fields.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value).ok_or_else(|| no_part(key))
}

fn no_part(key: &str) -> ItemError {
    ItemError::NoPart(shortened(key, 40))
}

/// Part of a path: its last component, that without its last extension, the folder that it is in (`.` where none is
/// named), its last extension without the dot.
fn path_part<'p>(path: &'p [u8], part: &str) -> Option<Cow<'p, [u8]>> {
    let whole = Path::new(OsStr::from_bytes(path));
    let bytes = |part: Option<&'p OsStr>| part.map(|part| Cow::Borrowed(part.as_bytes()));
    // `..` and `/` have no last component but themselves.
    Some(match part {
        "name" => bytes(whole.file_name()).unwrap_or(Cow::Borrowed(path)),
        "stem" => bytes(whole.file_stem()).unwrap_or(Cow::Borrowed(path)),
        "ext" => bytes(whole.extension()).unwrap_or_default(),
        "dir" => match whole.parent().map(|parent| parent.as_os_str().as_bytes()) {
            Some(b"") => Cow::Borrowed(b"."),
            Some(parent) => Cow::Borrowed(parent),
            None if path.is_empty() => Cow::Borrowed(b"."),
            None => Cow::Borrowed(path),
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(path: &[u8], part: &str) -> Vec<u8> {
        Item::of(ItemValue::Text(path.to_vec())).text(Part::Named(part)).unwrap().into_owned()
    }

    #[test]
    fn parts_of_a_path() {
        for (path, name, stem, dir, ext) in [
            ("a/b/c.tar.gz", "c.tar.gz", "c.tar", "a/b", "gz"),
            ("c.jpg", "c.jpg", "c", ".", "jpg"),
            ("/c", "c", "c", "/", ""),
            ("a/.bashrc", ".bashrc", ".bashrc", "a", ""),
            ("a/b/", "b", "b", "a", ""),
            ("", "", "", ".", ""),
            ("/", "/", "/", "/", ""),
        ] {
            let found = PATH_PARTS.map(|word| String::from_utf8(part(path.as_bytes(), word)).unwrap());
            assert_eq!(found, [name, stem, dir, ext], "{path}");
        }
        assert_eq!(part(b"d/\xff\n.p\xfe", "stem"), b"\xff\n");
        assert_eq!(part(b"d/\xff\n.p\xfe", "ext"), b"p\xfe");
    }

    #[test]
    fn a_record_has_its_fields_and_no_path_parts() {
        let text = |text: &str| ItemValue::Text(text.into());
        let fields = vec![("name".to_owned(), text("x/y")), ("n".to_owned(), ItemValue::Json("5".to_owned()))];
        let item = Item { whole: text("x/y,5"), fields: Some(fields) };
        assert_eq!(&*item.text(Part::Named("name")).unwrap(), b"x/y");
        assert_eq!(item.text(Part::Named("dir")), Err(ItemError::NoPart("dir".to_owned())));
        let mut json = String::new();
        item.put_json(Part::Whole, &mut json).unwrap();
        assert_eq!(json, r#"{"name":"x/y","n":5}"#);
    }

    #[test]
    fn bytes_that_are_no_text_are_json_as_python_has_them() {
        let mut json = String::new();
        ItemValue::Text(b"a\x80\"\n\xff".to_vec()).put_json(&mut json);
        assert_eq!(json, r#""a\udc80\"\n\udcff""#);
    }
}
