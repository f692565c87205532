//! Which files a run reads and writes: no two of them may be one, by whatever names, links or hard links. What is written
//! replaces what was there, so the other one would be lost.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use crate::cli::{BatchArgs, Output};
use crate::commands::prepare::Prepared;
use crate::commands::target::{Destination, resolve};
use crate::commands::{ExitReason, write};
use crate::history::place::Place;
use crate::report::clean;
use crate::workload::model::Workload;
use crate::workload::yaml::{self, Tree};

/// What SQLite keeps beside a database.
const BESIDE: [&str; 4] = ["", "-wal", "-shm", "-journal"];
/// Keys whose text is the name of a file that is read, wherever in a workload they stand.
const READ: [&str; 4] = ["file", "lines", "csv", "jsonl"];

/// The files of one command.
#[derive(Debug, Default)]
pub(super) struct Claims(Vec<Claim>);

#[derive(Debug)]
struct Claim {
    /// How messages call it.
    what: String,
    at: Identity,
}

/// What two names of one file have in common.
#[derive(Debug, PartialEq, Eq)]
enum Identity {
    /// A file that is there: device and number.
    There(u64, u64),
    /// One that is not: device and number of its folder, and its name.
    New(u64, u64, OsString),
    /// Any file of a folder whose name ends in one of these.
    Among(u64, u64, &'static [&'static str]),
}

impl Identity {
    /// Whether both may be the same file.
    fn meets(&self, other: &Self, folder_of: &dyn Fn() -> Option<(u64, u64, OsString)>) -> bool {
        match (self, other) {
            (Self::Among(device, number, endings), _) => folder_of().is_some_and(|(of_device, of_number, name)| {
                (of_device, of_number) == (*device, *number)
                    && endings.iter().any(|ending| name.to_string_lossy().ends_with(ending))
            }),
            _ => self == other,
        }
    }
}

/// A name in a folder, which is told by its device and number.
type InFolder = (u64, u64, OsString);

/// The file behind a name, and the folder that it is in, as far as there is one.
fn identity(path: &Path) -> Option<(Identity, Option<InFolder>)> {
    let place = match resolve(path).ok()? {
        Destination::StandardOutput => return standard_output().map(|at| (at, None)),
        Destination::Descriptor(path) => {
            let at = regular(&path).filter(|at| standard_output().as_ref() != Some(at))?;
            return Some((at, None));
        }
        Destination::Path(place) => place,
    };
    let folder = fs::metadata(place.parent()?).ok()?;
    let name = place.file_name()?.to_owned();
    let in_folder = (folder.dev(), folder.ino(), name.clone());
    match fs::metadata(&place) {
        Ok(there) => Some((of_metadata(&there)?, Some(in_folder))),
        Err(_) => Some((Identity::New(folder.dev(), folder.ino(), name), Some(in_folder))),
    }
}

/// The file that standard output is redirected to.
fn standard_output() -> Option<Identity> {
    regular(Path::new("/dev/stdout"))
}

/// What is behind a descriptor, if it is a file: of a pipe several may have an end.
fn regular(path: &Path) -> Option<Identity> {
    fs::metadata(path).ok().filter(Metadata::is_file).and_then(|there| of_metadata(&there))
}

/// `None` of a device such as /dev/null, of which everybody may have as much as they want.
fn of_metadata(metadata: &Metadata) -> Option<Identity> {
    (!metadata.file_type().is_char_device()).then(|| Identity::There(metadata.dev(), metadata.ino()))
}

impl Claims {
    /// Something that is read, if it is there.
    pub(super) fn read(&mut self, what: &str, path: &Path) {
        if let Some((at @ Identity::There(..), _)) = identity(path) {
            self.0.push(Claim { what: what.to_owned(), at });
        }
    }

    /// A folder in which files whose names end like this are written.
    fn write_in(&mut self, what: &str, folder: &Path, endings: &'static [&'static str]) {
        // It may still have to be made.
        let own = identity(folder).map(|(at, _)| at);
        let among = fs::metadata(folder).ok().map(|there| Identity::Among(there.dev(), there.ino(), endings));
        self.0.extend(own.into_iter().chain(among).map(|at| Claim { what: what.to_owned(), at }));
    }

    /// Something that is written.
    ///
    /// # Errors
    /// In words: when it is one of the others.
    pub(super) fn write(&mut self, what: &str, path: &Path) -> Result<(), String> {
        let Some((at, in_folder)) = identity(path) else { return Ok(()) };
        if let Some(other) = self.0.iter().find(|other| other.at.meets(&at, &|| in_folder.clone())) {
            let path = path.display().to_string();
            let (path, other) = (clean::line(&path), &other.what);
            return Err(format!("{what} needs a file of its own: {path} is that of {other}, too"));
        }
        self.0.push(Claim { what: what.to_owned(), at });
        Ok(())
    }

    /// A database, and what SQLite keeps beside it.
    fn database(&mut self, what: &str, path: &Path) -> Result<(), String> {
        BESIDE.iter().try_for_each(|ending| {
            let mut name = path.as_os_str().to_owned();
            name.push(ending);
            self.write(what, &PathBuf::from(name))
        })
    }

    /// What a workload says of files.
    fn of_workload(&mut self, workload: &Workload) {
        let Ok(tree) = yaml::parse(&workload.effective) else { return };
        let folder = workload.folder.clone().unwrap_or_default();
        self.of_tree(&tree, &folder);
    }

    fn of_tree(&mut self, tree: &Tree, folder: &Path) {
        match tree {
            Tree::Map(entries) => {
                for (key, value) in entries {
                    if let (Tree::Text(key), Tree::Text(name)) = (key, value) {
                        let path = folder.join(name);
                        if READ.contains(&key.as_str()) {
                            self.read(&format!("`{key}: {}`", clean::line(name)), &path);
                        } else if key == "keep_output" && name != "none" && name != "tail" {
                            self.write_in("keep_output", &path, &[".out", ".err"]);
                        }
                    }
                    self.of_tree(value, folder);
                }
            }
            Tree::Seq(all) => all.iter().for_each(|one| self.of_tree(one, folder)),
            _ => {}
        }
    }
}

/// Finds out whether all files of a command that runs a workload are different ones; says which are not.
pub(super) fn check(
    file: &str,
    workload: &Workload,
    output: &Output,
    batch: Option<&BatchArgs>,
    state: Option<&Path>,
) -> Prepared<()> {
    let mut claims = Claims::default();
    claims.read("the workload", Path::new(file));
    claims.of_workload(workload);
    if let Some(folder) = state {
        claims.write_in("--resume", folder, &["sweep.json", ".track"]);
    }
    distinct(&mut claims, output, batch).map_err(|reason| refused(&reason))
}

fn distinct(claims: &mut Claims, output: &Output, batch: Option<&BatchArgs>) -> Result<(), String> {
    // What is redirected there would go to a file that has no name any more.
    if let Some(at) = standard_output() {
        claims.0.push(Claim { what: "standard output".to_owned(), at });
    }
    let kept = (!output.keep.no_history).then(|| Place::find(output.keep.db.as_deref()).ok()).flatten();
    if let Some(Place::At(database)) = kept {
        claims.database(if output.keep.db.is_some() { "--db" } else { "the history" }, &database)?;
    }
    if let Some(BatchArgs { joblog, resume, .. }) = batch {
        // One that another is named beside is only read.
        let (name, written) = joblog.as_ref().map_or(("--resume", resume), |_| ("--joblog", joblog));
        if let Some(path) = written {
            claims.write(name, path)?;
        }
        resume.iter().filter(|_| joblog.is_some()).for_each(|path| claims.read("--resume", path));
    }
    let is_standard =
        |path: &&PathBuf| **path == Path::new("-") || matches!(resolve(path), Ok(Destination::StandardOutput));
    let result = output.output.as_ref().filter(|path| !is_standard(path));
    let all = [("--output", result), ("--events", output.events.as_ref()), ("--trace", output.trace.as_ref())];
    all.into_iter().try_for_each(|(what, path)| path.map_or(Ok(()), |path| claims.write(what, path)))
}

fn refused(reason: &str) -> ExitReason {
    write::say(&format!("error: {reason}"));
    ExitReason::BadInput
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn one_file_by_two_names_is_found_whether_it_is_there_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("sub")).unwrap();
        fs::write(at("there"), "").unwrap();
        fs::hard_link(at("there"), at("hard")).unwrap();
        symlink("there", at("link")).unwrap();
        symlink("sub/../new", at("dangling")).unwrap();
        symlink("sub", at("subs")).unwrap();
        for (one, other) in [
            ("there", "there"),
            ("there", "./sub/../there"),
            ("there", "hard"),
            ("hard", "link"),
            ("new", "new"),
            ("new", "sub/../new"),
            ("new", "dangling"),
            ("sub/new", "subs/new"),
        ] {
            let mut claims = Claims::default();
            claims.write("--output", &at(one)).unwrap();
            let reason = claims.write("--events", &at(other)).unwrap_err();
            assert!(
                reason.starts_with("--events needs a file of its own: ") && reason.ends_with("that of --output, too"),
                "{reason}"
            );
            let mut claims = Claims::default();
            claims.read("the items", &at(one));
            assert_eq!(claims.write("--output", &at(other)).is_err(), at(one).exists(), "{one} {other}");
        }
        let mut claims = Claims::default();
        for name in ["there", "new", "sub/new", "/dev/null", "no/such/folder"] {
            claims.write("--output", &at(name)).unwrap();
        }
        claims.write("--events", Path::new("/dev/null")).unwrap();
        claims.write("--trace", Path::new("/dev/null")).unwrap();
    }

    #[test]
    fn a_folder_has_the_files_that_are_written_into_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("kept")).unwrap();
        symlink("kept", at("link")).unwrap();
        let mut claims = Claims::default();
        claims.write_in("keep_output", &at("kept"), &[".out", ".err"]);
        claims.write_in("keep_output", &at("not-yet"), &[".out", ".err"]);
        assert!(claims.write("--output", &at("link/3.out")).is_err());
        assert!(claims.write("--output", &at("not-yet")).is_err());
        claims.write("--output", &at("kept/report.json")).unwrap();
        claims.write("--events", &at("3.out")).unwrap();
    }
}
