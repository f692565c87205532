//! Files that match a pattern, by name, in the order of their bytes. Names are bytes: they need not be text.
//!
//! All names are in memory while they are sorted; what is kept afterwards is [`super::spool`]'s affair.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// Deepest folder that is looked into.
const DEEPEST: usize = 100;

/// Why nothing was looked for, or what could not be looked into.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadPattern {
    /// It is no pattern.
    #[error("not a pattern: {0}")]
    Wrong(String),
    /// It has no place to begin.
    #[error("{}: {error}", folder.display())]
    Folder {
        /// What could not be read.
        folder: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// The files that match a pattern, one after the other with a zero byte behind each, sorted. They are named as the pattern
/// does: from `folder`, unless it begins with `/`.
///
/// `*` and `?` stand for characters of one name, `[a-z]` for one of several, `{a,b}` for either, `**` for any folders. A name
/// that begins with a dot matches only where the pattern has that dot. Folders do not match, and links to folders are not
/// gone into by `**`.
///
/// # Errors
/// See [`BadPattern`].
pub(crate) fn matches(pattern: &str, folder: &Path) -> Result<Vec<u8>, BadPattern> {
    fast_glob::validate(pattern).map_err(|error| BadPattern::Wrong(format!("{error:?}")))?;
    let pattern = pattern.strip_prefix("./").unwrap_or(pattern);
    // What comes before the first component with something special in it is a path as it stands.
    let special = pattern.find(['*', '?', '[', '{', '\\']).unwrap_or(pattern.len());
    let root = pattern.get(..special).and_then(|plain| plain.rfind('/')).map_or("", |slash| &pattern[..=slash]);
    let deep = pattern.contains("**");
    let levels = if deep { DEEPEST } else { pattern[root.len()..].matches('/').count() + 1 };
    // At its begin it would turn the pattern round.
    let escaped = if pattern.starts_with('!') { format!("\\{pattern}") } else { pattern.to_owned() };
    let hidden = pattern.starts_with('.') || pattern.contains("/.");
    let walk = Walk { pattern: escaped.as_bytes(), hidden, deep };
    let mut found = Vec::new();
    let begin = folder.join(root);
    let failed = |(folder, error)| BadPattern::Folder { folder, error };
    walk.folder(&begin, root.as_bytes(), levels, &mut found).map_err(failed)?;
    found.sort_unstable();
    let mut names = Vec::with_capacity(found.iter().map(|name: &Vec<u8>| name.len() + 1).sum());
    for name in found {
        names.extend_from_slice(&name);
        names.push(0);
    }
    Ok(names)
}

struct Walk<'p> {
    pattern: &'p [u8],
    /// Whether names with a dot may match at all.
    hidden: bool,
    /// Whether it goes into folders that the pattern does not name.
    deep: bool,
}

impl Walk<'_> {
    /// Looks into a folder, whose name in the pattern's words is `name`. In an error is the folder that could not be read.
    fn folder(
        &self,
        path: &Path,
        name: &[u8],
        levels: usize,
        found: &mut Vec<Vec<u8>>,
    ) -> Result<(), (PathBuf, io::Error)> {
        let failed = |error| (path.to_owned(), error);
        for entry in fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let own = entry.file_name().into_vec();
            if own.starts_with(b".") && !self.hidden {
                continue;
            }
            let kind = entry.file_type().map_err(failed)?;
            let leads_to_folder = || fs::metadata(entry.path()).is_ok_and(|it| it.is_dir());
            let is_folder = kind.is_dir() || kind.is_symlink() && leads_to_folder();
            let name = [name, &own].concat();
            if !is_folder {
                if fast_glob::glob_match(self.pattern, &name) && self.names_the_dots_of(&name) {
                    found.push(name);
                }
            } else if levels > 1 && !(kind.is_symlink() && self.deep) {
                match self.folder(&entry.path(), &[&name, &b"/"[..]].concat(), levels - 1, found) {
                    // It was there a moment ago.
                    Err((_, error)) if error.kind() == io::ErrorKind::NotFound => {}
                    other => other?,
                }
            }
        }
        Ok(())
    }

    /// Whether no more names in the path begin with a dot than in the pattern.
    fn names_the_dots_of(&self, name: &[u8]) -> bool {
        let hidden = |text: &[u8]| text.split(|byte| *byte == b'/').filter(|part| part.starts_with(b".")).count();
        hidden(name) <= hidden(self.pattern)
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    fn found(pattern: &str, folder: &Path) -> Vec<String> {
        let names = matches(pattern, folder).unwrap();
        names
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty())
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect()
    }

    #[test]
    fn files_are_found_by_their_bytes_and_sorted() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &[u8]| folder.path().join(OsStr::from_bytes(name));
        fs::create_dir_all(at(b"data/deep/er")).unwrap();
        fs::create_dir_all(at(b"data/.git")).unwrap();
        let names: [&[u8]; 8] = [
            b"b.jpg",
            b"data/b b.jpg",
            b"data/a\xff.jpg",
            b"data/deep/c.jpg",
            b"data/deep/er/d\n.jpg",
            b"data/.x.jpg",
            b"data/.git/e.jpg",
            b"data/f.png",
        ];
        for name in names {
            fs::write(at(name), "").unwrap();
        }
        std::os::unix::fs::symlink(at(b"data"), at(b"data/deep/round")).unwrap();
        let all = ["data/a\u{fffd}.jpg", "data/b b.jpg", "data/deep/c.jpg", "data/deep/er/d\n.jpg"];
        assert_eq!(found("data/**/*.jpg", folder.path()), all);
        assert_eq!(found("data/*.{png,jpg}", folder.path()), ["data/a\u{fffd}.jpg", "data/b b.jpg", "data/f.png"]);
        assert_eq!(found("./data/f.png", folder.path()), ["data/f.png"]);
        assert_eq!(found("*.jpg", folder.path()), ["b.jpg"]);
        assert_eq!(found("data/.*.jpg", folder.path()), ["data/.x.jpg"]);
        let whole = format!("{}/data/deep/*", folder.path().display());
        assert_eq!(found(&whole, folder.path()), [format!("{}/data/deep/c.jpg", folder.path().display())]);
        assert!(found("nothing*", folder.path()).is_empty());
        assert!(matches!(matches("nowhere/*", folder.path()), Err(BadPattern::Folder { .. })));
        assert!(matches!(matches("a[", folder.path()), Err(BadPattern::Wrong(_))));
    }
}
