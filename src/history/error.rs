//! Why the history cannot be used, in words for its user.

use std::io;
use std::path::PathBuf;

use rusqlite::ErrorCode;
use thiserror::Error;

/// Why the history cannot be used.
#[derive(Debug, Error)]
pub(crate) enum HistoryError {
    /// Nobody says where it would be.
    #[error("there is no home folder ($HOME) to keep the history in; --db PATH says where")]
    NoPlace,
    /// Its folder or its file cannot be made.
    #[error("the history cannot be made at {}: {error}", path.display())]
    NotCreated { path: PathBuf, error: io::Error },
    /// There is none.
    #[error("there is no history at {} yet: run, compare, sweep, try, tune and the dashboard begin one", path.display())]
    NotThere { path: PathBuf },
    /// It is something else.
    #[error("{} is no history of Poolscope; it is left as it is", path.display())]
    Foreign { path: PathBuf },
    /// A newer program made it.
    #[error(
        "the history at {} is one of a newer Poolscope (schema {found}; this one knows {known}); it is left as it is",
        path.display()
    )]
    Newer { path: PathBuf, found: i64, known: i64 },
    /// It cannot be understood any more.
    #[error("the history at {} is damaged: move it away to begin a new one ({error})", path.display())]
    Damaged { path: PathBuf, error: rusqlite::Error },
    /// There is no more room.
    #[error("no room is left on the disk of the history at {}", path.display())]
    Full { path: PathBuf },
    /// Other programs had it for too long.
    #[error("the history at {} is in use by another program", path.display())]
    Busy { path: PathBuf },
    /// It may not be written to.
    #[error("the history at {} cannot be written to: it is read-only", path.display())]
    ReadOnly { path: PathBuf },
    /// Anything else.
    #[error("the history at {} cannot be used: {error}", path.display())]
    Sql { path: PathBuf, error: rusqlite::Error },
}

impl HistoryError {
    /// What the database has said of the file at a path.
    pub(super) fn of(path: &std::path::Path, error: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::ReadOnly) => Self::ReadOnly { path },
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { path, error },
            Some(ErrorCode::NotADatabase) => Self::Foreign { path },
            _ if is_full(&error) => Self::Full { path },
            _ => Self::Sql { path, error },
        }
    }
}

/// A disk that is full while the log is written or its shared memory is made.
fn is_full(error: &rusqlite::Error) -> bool {
    use rusqlite::ffi;
    let code = error.sqlite_error().map(|error| error.extended_code);
    code.is_some_and(|code| {
        [ffi::SQLITE_IOERR_SHMSIZE, ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_IOERR_TRUNCATE].contains(&code)
    })
}
