//! A result never takes the place of a history, nor of the files that its database keeps beside itself: whatever was measured
//! before would be gone.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What the database keeps beside itself: its log, the index of that, and the journal of a database without one.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// First bytes of a database (<https://www.sqlite.org/fileformat.html>, 1.3).
const DATABASE: &[u8] = b"SQLite format 3\0";
/// First bytes of a log, in both byte orders (the same, 4.1).
const LOGS: [u32; 2] = [0x377f_0682, 0x377f_0683];

/// Why a result must not be written to a path whose last part is no link, if it must not. Whose database it is may be known by
/// its log alone, so it is any.
pub(super) fn forbids(path: &Path) -> Option<&'static str> {
    let is_beside = || {
        let name = path.file_name()?.as_encoded_bytes();
        let ending = BESIDE.iter().find(|ending| name.ends_with(ending.as_bytes()))?;
        let stem = name.get(..name.len() - ending.len())?;
        Some(is_database(&path.with_file_name(OsStr::from_bytes(stem))))
    };
    if is_database(path) {
        Some("it is a database, such as the history")
    } else if is_log(path) || is_beside().unwrap_or(false) {
        Some("it belongs to a database, such as the history")
    } else {
        None
    }
}

fn begin(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A pipe would be waited for.
    let file = fs::metadata(path).ok().filter(fs::Metadata::is_file).and_then(|_| File::open(path).ok());
    let read = file.map(|file| file.take(DATABASE.len() as u64).read_to_end(&mut bytes));
    // What cannot be read is none that was found.
    if matches!(read, Some(Ok(_))) { bytes } else { Vec::new() }
}

/// A new one is empty as long as all of it is in its log.
fn is_database(path: &Path) -> bool {
    begin(path) == DATABASE || fs::metadata(path).is_ok_and(|file| file.is_file()) && is_log(&beside(path, "-wal"))
}

fn is_log(path: &Path) -> bool {
    let number = begin(path).get(..4).and_then(|number| number.try_into().ok()).map(u32::from_be_bytes);
    number.is_some_and(|number| LOGS.contains(&number))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}

/// Whether a path leads to a database that is open, or to a file beside it, whatever is in them and by whatever name.
pub(super) fn is_of(path: &Path, database: &Path) -> bool {
    let beside = BESIDE.map(|ending| beside(database, ending));
    let same = |other: &Path| match (fs::metadata(path), fs::metadata(other)) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        // Neither is there yet.
        _ => placed(path).is_some_and(|path| Some(path) == placed(other)),
    };
    std::iter::once(database).chain(beside.iter().map(PathBuf::as_path)).any(same)
}

/// A path with its folder resolved.
fn placed(path: &Path) -> Option<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(fs::canonicalize(folder).ok()?.join(path.file_name()?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    use super::*;
    use crate::commands::target::Target;
    use crate::history::Store;
    use crate::history::store::Opening;

    #[test]
    fn no_result_is_written_over_a_history_by_whatever_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let (db, wal, shm) = (path("history.db"), path("history.db-wal"), path("history.db-shm"));
        let store = Store::open(&db, Opening::Adding, Duration::from_secs(1)).unwrap();
        assert!(wal.exists() && shm.exists(), "the test looks at what is there");
        symlink(&db, path("link")).unwrap();
        symlink("link", path("chain")).unwrap();
        fs::hard_link(&db, path("hard")).unwrap();
        fs::hard_link(&wal, path("hard-log")).unwrap();
        fs::hard_link(&shm, path("hard-index")).unwrap();
        symlink(path("history.db-journal"), path("to-nothing-yet")).unwrap();
        let refused = |name: &str| Target::open(Some(&path(name)), &[]).is_err();
        let beside = |name: &str| Target::beside_history(Some(&path(name)), &db).is_err();
        let names = ["history.db", "history.db-wal", "history.db-shm", "history.db-journal", "link", "chain", "hard"];
        for name in names.iter().copied().chain(["hard-log", "to-nothing-yet"]) {
            assert!(refused(name), "{name}");
            assert!(beside(name), "{name}");
        }
        assert!(beside("hard-index"), "nothing in it says what it is; who has it open knows");
        let size = fs::metadata(&db).unwrap().len();
        for name in ["other.db", "other.db-wal", "history.db.csv"] {
            assert!(!refused(name) && !beside(name), "{name}");
        }
        // An empty file is one that becomes a history.
        fs::write(path("new.db"), "").unwrap();
        assert!(Target::beside_history(Some(&path("new.db")), &path("new.db")).is_err());
        assert_eq!((size, store.extent().unwrap().sessions), (fs::metadata(&db).unwrap().len(), 0));
    }
}
