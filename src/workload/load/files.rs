//! Files that a workload names: read through whoever loads it, so that nothing here touches the file system.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use crate::workload::items::{Live, LiveFormat};

/// Largest file that a workload names: 16 MiB.
pub(crate) const LARGEST_NAMED: u64 = 16 << 20;
/// Most bytes of such files that are read for one workload, a file as often as it is named: 32 MiB.
pub(crate) const MOST_NAMED: u64 = 32 << 20;

const NO_ITEMS: &str = "files of items cannot be opened here";

/// Where the files are that a workload names.
pub trait NamedFiles {
    /// The text of a file, if it has at most `most` bytes. Must not wait for anybody.
    ///
    /// # Errors
    /// Why it cannot be read, in a few words that go with its name.
    fn read(&self, name: &str, most: u64) -> Result<String, String>;

    /// A file of items, of any length, or standard input (`-`) in a file. It is read where and when something of it is needed.
    ///
    /// # Errors
    /// Why it cannot be opened, in a few words that go with its name.
    fn open(&self, _name: &str) -> Result<File, String> {
        Err(NO_ITEMS.to_owned())
    }

    /// Standard input (`-`) while it is still coming, in items of this format; `None` where it is to be read to its end
    /// first, and for every other name.
    ///
    /// # Errors
    /// Why it cannot be read, in a few words that go with its name.
    fn live(&self, _name: &str, _format: LiveFormat) -> Result<Option<Arc<Live>>, String> {
        Ok(None)
    }

    /// The folder from which patterns of items are looked for.
    ///
    /// # Errors
    /// Why there is none, in a sentence.
    fn folder(&self) -> Result<PathBuf, String> {
        Err(NO_ITEMS.to_owned())
    }
}

/// There are none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoFiles;

impl NamedFiles for NoFiles {
    fn read(&self, _: &str, _: u64) -> Result<String, String> {
        Err("files cannot be read here: there is only the text of the workload".to_owned())
    }
}
