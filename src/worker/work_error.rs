//! What keeps native work from succeeding.

use std::io;
use std::path::PathBuf;

/// Why native work did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkError {
    /// A file could not be written or read back.
    #[error("io task, {step} in {}: {source}", folder.display())]
    Io {
        /// What was being done.
        step: &'static str,
        /// Where the temporary file is, or should have been.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What was read back is not what was written.
    #[error("io task: the file does not hold what was written to it")]
    Corrupt,
    /// There is not enough memory.
    #[error("not enough memory: {bytes} bytes could not be allocated")]
    OutOfMemory {
        /// How many were asked for.
        bytes: u64,
    },
    /// The work needs more than its seed and index: a program, or bytes that came with the task.
    #[error("this work cannot be done from a seed and an index alone")]
    NeedsMore,
}
