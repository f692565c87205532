//! Files that match a pattern, by name, in the order of their bytes. Names are bytes: they need not be text.
//!
//! All names are in memory while they are sorted; what is kept afterwards is [`super::spool`]'s affair.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use super::pattern::{self, Component};

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
    let all = pattern::read(pattern).map_err(BadPattern::Wrong)?;
    let (begin, name): (&Path, &[u8]) = if pattern.starts_with('/') { (Path::new("/"), b"/") } else { (folder, b"") };
    let mut walk = Walk { found: BTreeSet::new() };
    for components in &all {
        let failed = |(folder, error)| BadPattern::Folder { folder, error };
        // Of several, any may be there.
        walk.folder(begin, name, components, all.len() == 1).map_err(failed)?;
    }
    let mut names = Vec::with_capacity(walk.found.iter().map(|name| name.len() + 1).sum());
    for name in walk.found {
        names.extend_from_slice(&name);
        names.push(0);
    }
    Ok(names)
}

/// In an error is the folder that could not be read.
type Walked<T = ()> = Result<T, (PathBuf, io::Error)>;

struct Walk {
    found: BTreeSet<Vec<u8>>,
}

fn is_folder(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|it| it.is_dir())
}

fn joined(name: &[u8], own: &[u8]) -> Vec<u8> {
    let slash: &[u8] = if name.is_empty() || name.ends_with(b"/") { b"" } else { b"/" };
    [name, slash, own].concat()
}

impl Walk {
    /// Looks into a folder, whose name in the pattern's words is `name`, for what matches the rest of the pattern. `named`
    /// says whether the pattern names the folder, which then has to be there.
    fn folder(&mut self, path: &Path, name: &[u8], rest: &[Component], named: bool) -> Walked {
        let Some((first, behind)) = rest.split_first() else { return Ok(()) };
        if let Component::Name(own) = first {
            let (path, name) = (path.join(own), joined(name, own.as_bytes()));
            if !behind.is_empty() {
                return self.folder(&path, &name, behind, named);
            }
            if fs::symlink_metadata(&path).is_ok() && !is_folder(&path) {
                self.found.insert(name);
            }
            return Ok(());
        }
        let any = first == &Component::Folders;
        if any && !behind.is_empty() {
            self.folder(path, name, behind, named)?;
        }
        // All of it before anything below, so that folders below each other are not open at once.
        for (own, kind) in entries(path, named)? {
            if !first.matches(&own) {
                continue;
            }
            let (path, name) = (path.join(OsStr::from_bytes(&own)), joined(name, &own));
            let is_folder = kind.is_dir() || kind.is_symlink() && is_folder(&path);
            if !is_folder {
                if behind.is_empty() {
                    self.found.insert(name);
                }
            } else if !any {
                self.folder(&path, &name, behind, false)?;
            } else if !kind.is_symlink() {
                self.folder(&path, &name, rest, false)?;
            }
        }
        Ok(())
    }
}

/// What is in a folder. One that is not named may be gone, or be none.
fn entries(path: &Path, named: bool) -> Walked<Vec<(Vec<u8>, fs::FileType)>> {
    let read = || {
        let entry = |entry: io::Result<fs::DirEntry>| {
            let entry = entry?;
            Ok((entry.file_name().into_vec(), entry.file_type()?))
        };
        fs::read_dir(path)?.map(entry).collect::<io::Result<Vec<_>>>()
    };
    read().or_else(|error: io::Error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory if !named => Ok(Vec::new()),
        _ => Err((path.to_owned(), error)),
    })
}

#[cfg(test)]
mod tests {
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
        assert_eq!(found(".//data/f*", folder.path()), ["data/f.png"]);
        assert_eq!(found("data/{f,.x}.*", folder.path()), ["data/.x.jpg", "data/f.png"]);
        assert_eq!(found("{data,nowhere}/f.*", folder.path()), ["data/f.png"]);
        assert_eq!(found("*/deep/**/*", folder.path()), ["data/deep/c.jpg", "data/deep/er/d\n.jpg"]);
        assert_eq!(found("**/**/c.jpg", folder.path()), ["data/deep/c.jpg"]);
        assert_eq!(found("*.jpg", folder.path()), ["b.jpg"]);
        assert_eq!(found("data/.*.jpg", folder.path()), ["data/.x.jpg"]);
        let whole = format!("{}/data/deep/*", folder.path().display());
        assert_eq!(found(&whole, folder.path()), [format!("{}/data/deep/c.jpg", folder.path().display())]);
        assert!(found("nothing*", folder.path()).is_empty());
        assert!(matches!(matches("nowhere/*", folder.path()), Err(BadPattern::Folder { .. })));
        assert!(matches!(matches("a[", folder.path()), Err(BadPattern::Wrong(_))));
    }

    #[test]
    fn no_folder_is_too_deep() {
        let folder = tempfile::tempdir().unwrap();
        let deep: PathBuf = std::iter::repeat_n("d", 300).collect();
        fs::create_dir_all(folder.path().join(&deep)).unwrap();
        fs::write(folder.path().join(&deep).join("x"), "").unwrap();
        assert_eq!(found("**/x", folder.path()), [format!("{}/x", deep.display())]);
    }
}
