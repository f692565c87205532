//! Standard input as items: read to its end once, into a file without a name, where it can be read again as often as it is
//! asked for.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};

use crate::workload::items;

/// What was read.
static SPOOL: Mutex<Option<File>> = Mutex::new(None);

/// A file without a name that has this text.
///
/// # Errors
/// When it cannot be made.
pub(super) fn file_of(text: &str) -> io::Result<File> {
    let mut file = items::unlinked_file(&std::env::temp_dir())?;
    file.write_all(text.as_bytes())?;
    Ok(file)
}

/// What standard input has.
///
/// # Errors
/// Why it cannot be read or kept, in a few words.
pub(super) fn spool() -> Result<File, String> {
    let mut spool = SPOOL.lock().unwrap_or_else(PoisonError::into_inner);
    if spool.is_none() && io::stdin().is_terminal() {
        return Err("standard input is a terminal: send the items into it, as in `find ... | poolscope ...`".to_owned());
    }
    let read = || {
        let mut file = items::unlinked_file(&std::env::temp_dir())?;
        io::copy(&mut io::stdin().lock(), &mut file)?;
        Ok(file)
    };
    let file = match spool.take() {
        Some(file) => Ok(file),
        None => read(),
    };
    let file = file.map_err(|error: io::Error| error.to_string())?;
    spool.insert(file).try_clone().map_err(|error| error.to_string())
}
