//! What tasks are about: one item for each, from a list in the workload or from a file, found by the index of the task.
//!
//! Items are read when they are needed and never kept: however many there are, what is kept of them is where to look
//! ([`records`]), and only a list that stands in the workload itself is there as a whole. Nothing in here knows who asks, and
//! no file is opened that was not handed in.

mod csv_check;
mod error;
mod glob;
mod item;
mod json;
mod live;
mod pattern;
mod records;
mod spool;

use std::num::NonZeroU64;
use std::sync::Arc;

pub use error::ItemError;
pub(crate) use glob::{BadPattern, matches};
pub(crate) use item::{Item, ItemValue, PATH_PARTS, Part, put_json_text};
pub(crate) use json::Keys;
pub use live::{Live, LiveFormat};
pub(crate) use records::{Format, Records, Store, csv_names};
pub(crate) use spool::{copied, spooled, temporary_file, unlinked_file};

use crate::workload::hash::short_hash;
use crate::workload::permutation::Permutation;

/// Where items come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// They stand in the workload.
    List(Vec<Item>),
    /// Numbers: so many, from the first one on, each so much more than the one before.
    Range { first: i64, step: i64, count: u64 },
    /// Stretches of bytes; of lines of JSON, which fields they all have.
    Records(Records, Keys),
    /// Items on standard input that are still coming.
    Live(Arc<Live>),
}

/// Stands for how many items there will be, as long as that is not known.
pub(crate) const NOT_KNOWN: u64 = 1 << 32;

/// What can be asked of the items of a source by a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Parts<'s> {
    /// Parts of a path.
    Path,
    /// These fields.
    Fields(Vec<&'s str>),
}

impl Source {
    /// Reads what a file or bytes are made of. The first record of CSV has the names of the fields.
    ///
    /// # Errors
    /// When there is no item, or one of them is not as it should be.
    pub(crate) fn of_records(store: Store, format: Format) -> Result<Self, ItemError> {
        let mut keys = Keys::default();
        let records = Records::new(store, format, |number, line| json::look(&mut keys, number, line))?;
        Ok(Self::Records(records, keys))
    }

    fn len(&self) -> u64 {
        match self {
            Self::List(items) => items.len() as u64,
            Self::Range { count, .. } => *count,
            Self::Records(records, _) => records.len(),
            Self::Live(_) => NOT_KNOWN,
        }
    }

    fn get(&self, number: u64) -> Result<Item, ItemError> {
        match self {
            Self::List(items) => {
                let item = usize::try_from(number).ok().and_then(|number| items.get(number));
                item.cloned().ok_or(ItemError::Empty)
            }
            Self::Range { first, step, .. } => {
                let value = i128::from(*first) + i128::from(*step) * i128::from(number);
                Ok(Item::of(ItemValue::Json(value.to_string())))
            }
            Self::Records(records, _) => records.get(number),
            Self::Live(live) => live.get(number),
        }
    }

    fn hash(&self) -> String {
        match self {
            Self::List(items) => {
                let mut text = String::new();
                for item in items {
                    // It has the part that it is itself.
                    let _ = item.put_json(Part::Whole, &mut text);
                    text.push('\n');
                }
                short_hash(text.as_bytes())
            }
            Self::Range { first, step, count } => format!("range {first} {step} {count}"),
            Self::Records(records, _) => format!("{:?} {}", records.format(), records.hash()),
            // It is told when all are there.
            Self::Live(_) => "live".to_owned(),
        }
    }

    /// What its items have that can be asked for by name.
    pub(crate) fn parts(&self) -> Parts<'_> {
        let of_item = |item: &Item| item.fields.is_some();
        match self {
            Self::List(items) if items.iter().any(of_item) => {
                let names = |item: &'_ Item| -> Vec<String> {
                    item.fields.iter().flatten().map(|(name, _)| name.clone()).collect()
                };
                let all: Vec<Vec<String>> = items.iter().map(names).collect();
                let first = items.first().and_then(|item| item.fields.as_ref());
                let common = first.into_iter().flatten().map(|(name, _)| name.as_str());
                Parts::Fields(common.filter(|name| all.iter().all(|names| names.iter().any(|n| n == name))).collect())
            }
            Self::Records(records, keys) => match records.format() {
                Format::Csv(names) => Parts::Fields(names.iter().map(String::as_str).collect()),
                Format::JsonLines if keys.are_there() => Parts::Fields(keys.common().collect()),
                _ => Parts::Path,
            },
            Self::Live(live) => match live.fields() {
                Some(fields) => Parts::Fields(fields.iter().map(String::as_str).collect()),
                None => Parts::Path,
            },
            _ => Parts::Path,
        }
    }

    /// Somebody asks every item for this part of it.
    pub(crate) fn require(&self, key: &str) {
        if let Self::Live(live) = self {
            live.require(key);
        }
    }

    /// The number of an item, from 1, that does not have this field.
    pub(crate) fn missing(&self, key: &str) -> Option<u64> {
        match self {
            Self::List(items) => {
                let has = |item: &Item| item.fields.iter().flatten().any(|(name, _)| name == key);
                (1..).zip(items).find(|(_, item)| !has(item)).map(|(number, _)| number)
            }
            Self::Records(_, keys) if keys.are_there() => keys.missing(key),
            _ => None,
        }
    }
}

/// The items of a class of tasks: one for each of them. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct TaskItems {
    source: Arc<Source>,
    /// The items that are taken, in another order than theirs.
    sample: Option<Permutation>,
    /// How many are taken.
    taken: NonZeroU64,
    /// How often each of them is.
    repeat: NonZeroU64,
    /// The first task of the class.
    first: u64,
}

impl PartialEq for TaskItems {
    fn eq(&self, other: &Self) -> bool {
        self.first == other.first && self.hash() == other.hash()
    }
}

impl TaskItems {
    /// All items of a source, each once; `None` where there are none.
    pub(crate) fn new(source: Source) -> Option<Self> {
        let taken = NonZeroU64::new(source.len())?;
        Some(Self { source: Arc::new(source), sample: None, taken, repeat: NonZeroU64::MIN, first: 0 })
    }

    /// So many of them, drawn without putting back: which and in which order depends on the seed.
    #[must_use]
    pub(crate) fn sampled(mut self, count: NonZeroU64, seed: u64) -> Self {
        self.sample = Some(Permutation::new(self.source.len(), seed));
        self.taken = count.min(self.taken);
        self
    }

    /// The same for another seed.
    pub(crate) fn reseeded(&mut self, seed: u64) {
        if let Some(sample) = &mut self.sample {
            *sample = Permutation::new(self.source.len(), seed);
        }
    }

    /// All of them so many times: first each once, then each once more.
    #[must_use]
    pub(crate) fn repeated(mut self, times: NonZeroU64) -> Self {
        self.repeat = times;
        self
    }

    /// Where the first task of the class is this one.
    #[must_use]
    pub(crate) fn beginning_at(mut self, first: u64) -> Self {
        self.first = first;
        self
    }

    /// How many items there are, whether they are taken or not.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.source.len()
    }

    /// Never: without items there are no tasks.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Whether which items they are is drawn.
    pub(crate) fn is_sampled(&self) -> bool {
        self.sample.is_some()
    }

    /// How many tasks that makes.
    #[must_use]
    pub fn tasks(&self) -> NonZeroU64 {
        self.taken.saturating_mul(self.repeat)
    }

    /// Whether a task of this index has one of these items.
    pub(crate) fn covers(&self, index: u64) -> bool {
        index.checked_sub(self.first).is_some_and(|place| place < self.tasks().get())
    }

    /// The item of a task.
    pub(crate) fn of(&self, index: u64) -> Result<Item, ItemError> {
        let place = index.saturating_sub(self.first) % self.taken;
        self.source.get(self.sample.as_ref().map_or(place, |sample| sample.at(place)))
    }

    /// Those that are still coming.
    pub(crate) fn live(&self) -> Option<&Arc<Live>> {
        if let Source::Live(live) = &*self.source { Some(live) } else { None }
    }

    /// The same when all have come, as if they had been in a file.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) fn settled(&self) -> Result<Option<Self>, ItemError> {
        let Some(live) = self.live() else { return Ok(Some(self.clone())) };
        let source = Source::of_records(live.store()?, live.format())?;
        Ok(Self::new(source).map(|items| items.beginning_at(self.first)))
    }

    /// Where they come from.
    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// Tells these items from others.
    #[must_use]
    pub(crate) fn hash(&self) -> String {
        let sampled = self.sample.is_some();
        short_hash(format!("{} sampled {sampled} {} {}", self.source.hash(), self.taken, self.repeat).as_bytes())
    }
}

#[cfg(test)]
mod tests;
