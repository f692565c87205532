//! Standard input as items: read to its end once, into a file without a name, where it can be read again as often as it is
//! asked for.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use crate::workload::items::{self, Live, LiveFormat, Store};

/// What was read.
static SPOOL: Mutex<Option<File>> = Mutex::new(None);

/// A file without a name that has this text.
///
/// # Errors
/// When it cannot be made.
pub(super) fn file_of(text: &str) -> io::Result<File> {
    let mut file = items::temporary_file()?;
    file.write_all(text.as_bytes())?;
    Ok(file)
}

/// What is still read.
static LIVE: Mutex<Option<Arc<Live>>> = Mutex::new(None);

/// Standard input while it is still coming; `None` where it was read otherwise before, which is to be read again.
///
/// # Errors
/// Why it cannot be read or kept, in a few words.
pub(super) fn live(format: LiveFormat) -> Result<Option<Arc<Live>>, String> {
    let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
    if live.is_some() || SPOOL.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
        return Ok(None);
    }
    refuse_terminal()?;
    let started = Live::start(io::stdin(), format).map_err(|error| error.to_string())?;
    Ok(Some(Arc::clone(live.insert(started))))
}

fn refuse_terminal() -> Result<(), String> {
    if io::stdin().is_terminal() {
        return Err("standard input is a terminal: send the items into it, as in `find ... | poolscope ...`".to_owned());
    }
    Ok(())
}

/// Whether standard input was read to its end.
pub(super) fn was_read() -> bool {
    SPOOL.lock().unwrap_or_else(PoisonError::into_inner).is_some()
}

/// What standard input has.
///
/// # Errors
/// Why it cannot be read or kept, in a few words.
pub(super) fn spool() -> Result<File, String> {
    let mut spool = SPOOL.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(live) = LIVE.lock().unwrap_or_else(PoisonError::into_inner).clone() {
        live.wait_for_all().map_err(|error| error.to_string())?;
        let Store::File(file) = live.store().map_err(|error| error.to_string())? else { return Err(String::new()) };
        return Ok(file);
    }
    if spool.is_none() {
        refuse_terminal()?;
    }
    let file = match spool.take() {
        Some(file) => Ok(file),
        None => items::copied(io::stdin().lock()),
    };
    let file = file.map_err(|error| error.to_string())?;
    spool.insert(file).try_clone().map_err(|error| error.to_string())
}
