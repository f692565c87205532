//! Where a program's name is looked for, and where it was found last.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::c_string;

/// Where programs are looked for without `PATH` (`confstr(_CS_PATH)`, execvp(3)).
const DEFAULT_PATH: &str = "/bin:/usr/bin";
/// Names that are remembered: items may be names.
const MOST: usize = 64;
/// No file of these was found to be the program.
const NONE: usize = usize::MAX;

/// Files that a program's name may mean, in the order in which they are tried.
#[derive(Debug)]
pub(super) struct Files {
    all: Vec<CString>,
    /// Position of the one that ran last.
    found: AtomicUsize,
}

impl Files {
    pub(super) fn new(all: Vec<CString>) -> Arc<Self> {
        Arc::new(Self { all, found: AtomicUsize::new(NONE) })
    }

    /// What a name may mean (execvp(3)): itself with a slash in it, else a file in each folder of this `PATH`.
    pub(super) fn of(name: &OsStr, path: Option<OsString>) -> io::Result<Arc<Self>> {
        if name.is_empty() || name.as_bytes().contains(&b'/') {
            return Ok(Self::new(vec![c_string(name)?]));
        }
        let path = path.unwrap_or_else(|| DEFAULT_PATH.into());
        let all: io::Result<_> =
            std::env::split_paths(&path).map(|folder| c_string(folder.join(name).as_os_str())).collect();
        Ok(Self::new(all?))
    }

    pub(super) fn all(&self) -> &[CString] {
        &self.all
    }

    /// In the order in which they are tried: first, as a shell does it, the one that was found before. If it is gone, all are.
    pub(super) fn in_turn(&self) -> impl Iterator<Item = &CString> {
        self.all.get(self.found.load(Ordering::Relaxed)).into_iter().chain(&self.all)
    }

    /// The one at this place of [`Files::in_turn`] has run.
    pub(super) fn has_run(&self, turn: usize) {
        let before = self.found.load(Ordering::Relaxed);
        let at = if before == NONE { turn } else { turn.checked_sub(1).unwrap_or(before) };
        self.found.store(at, Ordering::Relaxed);
    }
}

/// What names were found to mean. Shared by all that is started in the same surroundings.
#[derive(Debug, Default)]
pub(super) struct Lookups(Mutex<BTreeMap<Question, Arc<Files>>>);

/// A name, and the `PATH` that it is looked for in.
type Question = (OsString, Option<OsString>);

impl Lookups {
    /// As [`Files::of`], remembered where that is the same in every folder.
    pub(super) fn of(&self, name: &OsStr, path: Option<OsString>) -> io::Result<Arc<Files>> {
        // Where a folder of it is depends on where the program starts.
        if path.as_ref().is_some_and(|path| std::env::split_paths(path).any(|folder| folder.is_relative())) {
            return Files::of(name, path);
        }
        // A thread that panicked with the lock did not leave the table half changed.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (name.to_owned(), path);
        if let Some(files) = known.get(&key) {
            return Ok(Arc::clone(files));
        }
        let files = Files::of(name, key.1.clone())?;
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(key, Arc::clone(&files));
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(files: &Files) -> Vec<&str> {
        files.in_turn().map(|file| file.to_str().unwrap()).collect()
    }

    #[test]
    fn what_was_found_is_tried_first_and_everything_behind_it() {
        let lookups = Lookups::default();
        let of = |name: &str, path: &str| lookups.of(name.as_ref(), Some(path.into())).unwrap();
        let files = of("x", "/a:/b:/c");
        assert_eq!(turns(&files), ["/a/x", "/b/x", "/c/x"]);
        files.has_run(1);
        assert_eq!(turns(&of("x", "/a:/b:/c")), ["/b/x", "/a/x", "/b/x", "/c/x"]);
        files.has_run(0);
        assert_eq!(turns(&files)[0], "/b/x");
        files.has_run(3);
        assert_eq!(turns(&files)[0], "/c/x");
        assert_eq!(turns(&of("x", "/c")), ["/c/x"], "another PATH is another question");
        assert_eq!(turns(&of("./x", "/c")), ["./x"]);
        of("x", ".:/d").has_run(1);
        assert_eq!(turns(&of("x", ".:/d"))[0], "./x", "in another folder it may be another one");
    }

    #[test]
    fn names_without_end_are_not_all_remembered() {
        let lookups = Lookups::default();
        (0..1000).for_each(|number| _ = lookups.of(number.to_string().as_ref(), None).unwrap());
        assert!(lookups.0.lock().unwrap().len() <= MOST);
    }
}
