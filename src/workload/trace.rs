//! Recorded times: values that were read of a file, in its order. They belong to the stream, as the seed does.
//!
//! A trace stays with the parent. Workers are sent the one value that their task needs (see
//! [`crate::workload::service::told_times`]), never the whole.

use std::sync::Arc;
use std::time::Duration;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::workload::hash::short_hash;

pub(crate) mod parse;

/// Times in nanoseconds, at least one. Cloning is cheap.
#[derive(Clone, PartialEq, Eq)]
pub struct Trace {
    values: Arc<[u64]>,
    hash: Arc<str>,
    /// All of them together.
    sum: u128,
}

impl Trace {
    /// `None` without any value.
    #[must_use]
    pub(crate) fn new(values: Vec<u64>) -> Option<Self> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let sum = values.iter().map(|value| u128::from(*value)).sum();
        (!values.is_empty()).then(|| Self { hash: short_hash(&bytes).into(), values: values.into(), sum })
    }

    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.values.len() as u64
    }

    /// Never.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Tells one trace from another: 16 hexadecimal digits of a SHA-256 of the values.
    #[must_use]
    pub(crate) fn hash(&self) -> &str {
        &self.hash
    }

    /// All values, in order.
    #[must_use]
    pub(crate) fn values(&self) -> &[u64] {
        &self.values
    }

    /// The value at a place, from 0; behind the last one it begins again.
    #[must_use]
    pub(crate) fn wrapping(&self, place: u64) -> Duration {
        let place = usize::try_from(place % self.len()).ok();
        Duration::from_nanos(place.and_then(|place| self.values.get(place)).copied().unwrap_or(0))
    }

    /// The value at a share of the file, 0 being its begin and 1 its end.
    #[must_use]
    pub(crate) fn at(&self, share: f64) -> Duration {
        self.wrapping(((share * self.values.len() as f64) as u64).min(self.len() - 1))
    }

    #[must_use]
    pub(crate) fn mean(&self) -> Duration {
        Duration::from_nanos(u64::try_from(self.sum / u128::from(self.len())).unwrap_or(u64::MAX))
    }

    #[must_use]
    pub(crate) fn longest(&self) -> Duration {
        Duration::from_nanos(self.values.iter().copied().max().unwrap_or(0))
    }

    /// Whether all values are the same.
    #[must_use]
    pub(crate) fn is_constant(&self) -> bool {
        self.values.iter().all(|value| Some(value) == self.values.first())
    }

    /// The first so many, at least one.
    #[must_use]
    pub(crate) fn first(&self, count: u64) -> Self {
        match usize::try_from(count).ok().and_then(|count| self.values.get(..count.max(1))) {
            Some(part) if part.len() < self.values.len() => Self::new(part.to_vec()).unwrap_or_else(|| self.clone()),
            _ => self.clone(),
        }
    }
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trace").field("len", &self.len()).field("hash", &self.hash).finish_non_exhaustive()
    }
}

/// What identifies it, and not its values.
impl Serialize for Trace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Trace", 2)?;
        fields.serialize_field("len", &self.len())?;
        fields.serialize_field("hash", &*self.hash)?;
        fields.end()
    }
}
