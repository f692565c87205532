//! What keeps a recording from being written or read.

use std::io;

use thiserror::Error;

use super::VERSION;

/// Why a recording could not be written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// Readers would refuse it.
    #[error("the recording has more {what} than can be read ({most})")]
    TooLarge {
        /// Plural of what there is too much of.
        what: &'static str,
        /// How many there may be.
        most: u64,
    },
    /// A frame is not newer than the one before it.
    #[error("the frames of the track are not in order of time")]
    Disordered,
    /// A value has no written form.
    #[error("the recording cannot be put into bytes")]
    Encode(#[from] postcard::Error),
    /// The writer failed.
    #[error("the recording could not be written")]
    Io(#[from] io::Error),
}

/// Why a recording could not be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// It is something else.
    #[error("this is no recording of a run: it begins with {begins:?}")]
    WrongFormat {
        /// Its first bytes, as text.
        begins: String,
    },
    /// A newer program wrote it.
    #[error("the recording has format {version}, and this program reads up to {VERSION}")]
    NewerVersion {
        /// The one in the file.
        version: u32,
    },
    /// It ends before its end.
    #[error("the recording is not whole: it ends too early")]
    Truncated,
    /// It is not what was written.
    #[error("the recording is damaged: {what}")]
    Damaged {
        /// What does not fit.
        what: &'static str,
        /// What decoding said, where that is what failed.
        source: Option<postcard::Error>,
    },
    /// It is larger than any that is written.
    #[error("the recording has more {what} than any that is written ({most})")]
    TooLarge {
        /// Plural of what there is too much of.
        what: &'static str,
        /// How many there may be.
        most: u64,
    },
    /// The source failed.
    #[error("the recording could not be read")]
    Io(#[source] io::Error),
}

impl ReadError {
    pub(super) fn damaged(what: &'static str) -> Self {
        Self::Damaged { what, source: None }
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::UnexpectedEof { Self::Truncated } else { Self::Io(error) }
    }
}
