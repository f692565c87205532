//! What can be wrong with items, when they are counted and when one is read.

use std::io;
use std::sync::Arc;

/// Why items could not be counted, or one could not be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ItemError {
    /// There are none.
    #[error("there is no item in it")]
    Empty,
    /// An item is longer than any that is read; its number among all, from 1.
    #[error("item {0} is longer than 1 MiB")]
    TooLong(u64),
    /// The system would not let it be read.
    #[error("cannot be read: {0}")]
    Io(Arc<io::Error>),
    /// What is read cannot be kept until it is needed.
    #[error("cannot be kept: {0}")]
    Kept(Arc<io::Error>),
    /// A CSV file is not one, in the words of its reader.
    #[error("{0}")]
    Csv(String),
    /// A line is not JSON; its number among the items, from 1.
    #[error("item {0} is not JSON: {1}")]
    Json(u64, String),
    /// An item is without a field that is asked of all; its number among all, from 1.
    #[error("item {0} has no `{1}`")]
    NoField(u64, String),
    /// It is not what it was when the items were counted.
    #[error("the items have changed since they were counted")]
    Changed,
    /// An item has no such part.
    #[error("the item has no `{0}`")]
    NoPart(String),
    /// A value that no argument of a program can have.
    #[error(
        "the item contains a zero byte, which no argument can carry; zero bytes end items with `separator: nul` (try: --null)"
    )]
    Nul,
}

impl ItemError {
    /// There was no room for what was read.
    pub(super) fn kept(error: io::Error) -> Self {
        Self::Kept(Arc::new(error))
    }
}

impl From<io::Error> for ItemError {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

impl PartialEq for ItemError {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}
