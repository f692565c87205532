//! `/dev/null`, for the streams of children that have nothing to read or say.

use std::fs::{File, OpenOptions};
use std::io;

/// Opens it for reading and writing.
///
/// # Errors
/// When there is none or no descriptor is left.
pub(crate) fn open() -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open("/dev/null")
}
