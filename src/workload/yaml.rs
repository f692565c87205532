//! The one place that knows the YAML deserialiser.
//!
//! Values come from here and from nowhere else; positions come from [`crate::workload::scan`]. The tree keeps every
//! entry of a map in file order, equal keys included, so that both readings of a text can be walked side by side.

use std::fmt;

use serde::de::{Deserialize, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::workload::text::shortened;

/// A value of a YAML document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// Any other number, infinities and NaN included.
    Float(f64),
    Text(String),
    Seq(Vec<Tree>),
    /// A map: all entries in file order.
    Map(Vec<(Tree, Tree)>),
    /// A value with a tag of its own (`!name value`).
    Tagged(String),
}

impl Tree {
    /// How a message refers to the value where there is no text that it was written as: shortened and neutral.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Null => "nothing".to_owned(),
            Self::Bool(value) => format!("`{value}`"),
            Self::Int(value) => format!("`{value}`"),
            Self::Float(value) => format!("`{value:?}`"),
            Self::Text(text) => format!("`{}`", shortened(text, 40)),
            Self::Seq(_) => "a list".to_owned(),
            Self::Map(_) => "a map".to_owned(),
            Self::Tagged(tag) => format!("a value tagged `!{}`", shortened(tag, 40)),
        }
    }
}

/// Where and why the deserialiser refused a text; the position is 1-based, or absent.
#[derive(Debug)]
pub(crate) struct YamlError {
    /// Line and column.
    pub(crate) position: Option<(usize, usize)>,
    /// What it said, without the position.
    pub(crate) message: String,
}

/// Deserialises one document.
///
/// # Errors
/// Whatever serde_yaml refuses: syntax, more than one document, too deep nesting, too many aliases.
pub(crate) fn parse(text: &str) -> Result<Tree, YamlError> {
    serde_yaml::from_str::<Tree>(text).map_err(|error| {
        let position = error.location().map(|location| (location.line(), location.column()));
        let mut message = without_value(&error.to_string());
        if let Some(at) = message.find(" at line ") {
            message.truncate(at);
        }
        YamlError { position, message }
    })
}

/// A complaint about a value that is not what its tag says (`!!int x`), without the value: it may be one of an `env`.
fn without_value(message: &str) -> String {
    for what in ["invalid value", "invalid type"] {
        if let (Some(at), Some(expected)) = (message.find(&format!("{what}: ")), message.rfind(", expected "))
            && let (Some(before), Some(rest)) = (message.get(..at), message.get(expected..))
        {
            return format!("{before}{what}{rest}");
        }
    }
    message.to_owned()
}

/// A document as YAML, with the values of every `env` (of tasks, and of Python) left out: what a task is told in secret is not told on.
#[must_use]
pub(crate) fn effective(tree: &Tree) -> String {
    serde_yaml::to_string(&Shown { tree, place: Place::File }).unwrap_or_default()
}

/// Where a value is, as far as that decides what is shown of it.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    File,
    Tasks,
    Task,
    Engines,
    Engine,
    Python,
    Env,
    Sweep,
    Elsewhere,
}

struct Shown<'a> {
    tree: &'a Tree,
    place: Place,
}

/// Whether the path of a field leads into an `env`.
#[must_use]
pub(crate) fn names_env(path: &str) -> bool {
    path.split(['.', '[', ']']).any(|part| part == "env")
}

/// Stands for a value of `env`.
const REDACTED: &str = "(not shown)";

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { tree, place } = *self;
        match tree {
            Tree::Map(entries) => serializer.collect_map(entries.iter().map(|(key, value)| {
                let named = |name: &str| matches!(key, Tree::Text(key) if key == name);
                let inside = match place {
                    Place::File if named("tasks") => Place::Tasks,
                    Place::File if named("engines") => Place::Engines,
                    Place::File | Place::Engine if named("python") => Place::Python,
                    Place::Task | Place::Python if named("env") => Place::Env,
                    Place::File if named("sweep") => Place::Sweep,
                    Place::Sweep if matches!(key, Tree::Text(path) if names_env(path)) => Place::Env,
                    Place::Env => Place::Env,
                    _ => Place::Elsewhere,
                };
                (Shown { tree: key, place: Place::Elsewhere }, Shown { tree: value, place: inside })
            })),
            Tree::Seq(items) => {
                let inside = match place {
                    Place::Tasks => Place::Task,
                    Place::Engines => Place::Engine,
                    Place::Env => Place::Env,
                    _ => Place::Elsewhere,
                };
                serializer.collect_seq(items.iter().map(|tree| Shown { tree, place: inside }))
            }
            // Whatever it is: a list of words may be `NAME=VALUE`.
            _ if place == Place::Env => serializer.serialize_str(REDACTED),
            Tree::Null => serializer.serialize_unit(),
            Tree::Bool(value) => serializer.serialize_bool(*value),
            Tree::Int(value) => match (i64::try_from(*value), u64::try_from(*value)) {
                (Ok(value), _) => serializer.serialize_i64(value),
                (_, Ok(value)) => serializer.serialize_u64(value),
                _ => serializer.collect_str(value),
            },
            Tree::Float(value) => serializer.serialize_f64(*value),
            Tree::Text(text) => serializer.serialize_str(text),
            Tree::Tagged(tag) => serializer.collect_str(&format_args!("!{tag}")),
        }
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        Tree::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Int(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Int(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Tree, E> {
        Ok(Tree::Int(value))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Tree, E> {
        // Beyond everything that a field takes; messages quote what was written.
        Ok(i128::try_from(value).map_or(Tree::Int(i128::MAX), Tree::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Tree, E> {
        Ok(Tree::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Tree::Seq(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(Tree::Map(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<Tree, A::Error> {
        let (tag, content) = access.variant::<String>()?;
        // The content is read so that the deserialiser stays in step; a tagged value is never accepted.
        content.newtype_variant::<Tree>()?;
        Ok(Tree::Tagged(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_keys_are_all_kept_in_order() {
        let Tree::Map(entries) = parse("a: 1\nb: 2\na: 3\n").unwrap() else { panic!("not a map") };
        assert_eq!(
            entries.iter().map(|(_, value)| value.clone()).collect::<Vec<_>>(),
            [Tree::Int(1), Tree::Int(2), Tree::Int(3)]
        );
    }

    #[test]
    fn scalars_keep_their_type() {
        assert_eq!(parse("12").unwrap(), Tree::Int(12));
        assert_eq!(parse("'12'").unwrap(), Tree::Text("12".to_owned()));
        assert_eq!(parse("true").unwrap(), Tree::Bool(true));
        assert_eq!(parse("0.5").unwrap(), Tree::Float(0.5));
        assert_eq!(parse("~").unwrap(), Tree::Null);
        assert_eq!(parse("!odd 5").unwrap(), Tree::Tagged("odd".to_owned()));
        assert_eq!(parse("18446744073709551615").unwrap(), Tree::Int(u64::MAX.into()));
    }

    #[test]
    fn syntax_errors_have_a_position() {
        let error = parse("a: [1\nb: 2\n").unwrap_err();
        assert!(error.position.is_some(), "{error:?}");
        assert!(!error.message.contains("at line"), "{error:?}");
    }
}
