//! Items that are JSON: a line of a file, or what a workload says itself.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Item, ItemError, ItemValue};

/// The fields of an object, in its order.
struct Fields(Vec<(String, ItemValue)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some((key, value)) = access.next_entry::<String, &RawValue>()? {
                    let value = value_of(value.get()).map_err(serde::de::Error::custom)?;
                    fields.push((key, value));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

fn value_of(json: &str) -> Result<ItemValue, serde_json::Error> {
    if json.starts_with('"') {
        return Ok(ItemValue::Text(serde_json::from_str::<String>(json)?.into_bytes()));
    }
    Ok(ItemValue::Json(json.to_owned()))
}

/// The item that a line of JSON is: one with fields where it is an object.
pub(super) fn item(line: &[u8]) -> Result<Item, serde_json::Error> {
    if line.starts_with(b"{") {
        let Fields(fields) = serde_json::from_slice(line)?;
        return Ok(Item { whole: ItemValue::Json(String::from_utf8_lossy(line).into_owned()), fields: Some(fields) });
    }
    let value: &RawValue = serde_json::from_slice(line)?;
    Ok(Item::of(value_of(value.get())?))
}

/// Which fields every one of many items has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Keys {
    /// Each field of the first one, and the number of the first item, from 1, that does not have it.
    of_first: BTreeMap<String, Option<u64>>,
    /// Whether any item is an object.
    any: bool,
    first_is_record: bool,
    /// The number of the first item that is an object where the first one is none, or the other way round.
    odd: Option<u64>,
}

impl Keys {
    /// Takes in an item; `number` counts from 1.
    pub(super) fn look(&mut self, number: u64, item: &Item) {
        let is_record = item.fields.is_some();
        if number > 1 && is_record != self.first_is_record {
            self.odd.get_or_insert(number);
        }
        self.any |= is_record;
        let fields = item.fields.as_deref().unwrap_or_default();
        if number == 1 {
            self.first_is_record = is_record;
            self.of_first = fields.iter().map(|(key, _)| (key.clone(), None)).collect();
            return;
        }
        for (key, missing) in &mut self.of_first {
            if missing.is_none() && fields.iter().all(|(name, _)| name != key) {
                *missing = Some(number);
            }
        }
    }

    /// The number of an item, from 1, without this field; `None` where all have it.
    pub(crate) fn missing(&self, key: &str) -> Option<u64> {
        self.of_first.get(key).copied().unwrap_or(Some(1))
    }

    /// The number of the first item, from 1, that is not like the first one, or has not this field of it.
    pub(super) fn lacking(&self, key: &str) -> Option<u64> {
        let without = self.of_first.get(key).copied().flatten();
        [without, self.odd].into_iter().flatten().min()
    }

    /// Those that all have.
    pub(crate) fn common(&self) -> impl Iterator<Item = &str> {
        self.of_first.iter().filter(|(_, missing)| missing.is_none()).map(|(key, _)| key.as_str())
    }

    /// Whether there are objects among the items: those have fields, and none has parts of a path.
    pub(crate) fn are_there(&self) -> bool {
        self.any
    }
}

/// The item that a line is; `number` counts from 1.
pub(super) fn parsed(number: u64, line: &[u8]) -> Result<Item, ItemError> {
    item(line).map_err(|error| ItemError::Json(number, error.to_string()))
}

/// Reads a line and takes it in.
pub(super) fn look(keys: &mut Keys, number: u64, line: &[u8]) -> Result<(), ItemError> {
    keys.look(number, &parsed(number, line)?);
    Ok(())
}
