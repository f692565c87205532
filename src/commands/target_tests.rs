use std::os::unix::fs::symlink;

use super::*;

fn open(path: &Path) -> Result<Target, String> {
    Target::of(path, &[])
}

fn refused(path: &Path) -> String {
    match open(path) {
        Ok(target) => panic!("{target:?} for {}", path.display()),
        Err(reason) => reason,
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn a_file_is_there_whole_with_its_mode_kept_and_nothing_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("result");
    let target = open(&path).unwrap();
    assert!(names(folder.path()).is_empty(), "finding out leaves nothing behind");
    assert_eq!(target.deliver("one"), ExitReason::Done);
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let target = open(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "one", "finding out touches nothing");
    assert_eq!(target.deliver("two"), ExitReason::Done);
    assert_eq!((fs::read_to_string(&path).unwrap().as_str(), mode(&path)), ("two", 0o640));
    assert_eq!(names(folder.path()), ["result"]);
}

#[test]
fn a_new_file_has_the_mode_that_others_get() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, others) = (folder.path().join("ours"), folder.path().join("others"));
    fs::write(&others, "").unwrap();
    assert_eq!(open(&ours).unwrap().deliver("x"), ExitReason::Done);
    assert_eq!(mode(&ours), mode(&others));
}

#[test]
fn links_are_written_through() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("deep")).unwrap();
    fs::write(at("deep/real"), "old").unwrap();
    symlink("deep/real", at("relative")).unwrap();
    symlink(at("relative"), at("link")).unwrap();
    symlink("deep/new", at("dangling")).unwrap();
    assert_eq!(open(&at("link")).unwrap().deliver("new"), ExitReason::Done);
    assert_eq!(fs::read_to_string(at("deep/real")).unwrap(), "new");
    assert!(at("link").is_symlink() && at("relative").is_symlink());
    assert_eq!(open(&at("dangling")).unwrap().deliver("x"), ExitReason::Done);
    assert_eq!(fs::read_to_string(at("deep/new")).unwrap(), "x");
    assert_eq!(names(&at("deep")), ["new", "real"]);
}

#[test]
fn what_cannot_be_written_to_is_found_before() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    symlink("nowhere/file", at("into-nowhere")).unwrap();
    symlink("loop", at("loop")).unwrap();
    fs::write(at("file"), "").unwrap();
    for (path, words) in [
        (at("no/such/folder"), "there is no folder"),
        (at("into-nowhere"), "there is no folder"),
        (at("loop"), "too many"),
        (at("file/below"), "not a directory"),
        (folder.path().to_owned(), "it is a folder"),
        (folder.path().join("."), "it is a folder"),
        (at("new/"), "no such folder"),
        (PathBuf::from(""), "empty"),
        (PathBuf::from("/"), "it is a folder"),
        (PathBuf::from("/proc/self/result"), ""),
        (at(&"x".repeat(300)), ""),
    ] {
        let reason = refused(&path);
        assert!(reason.contains(words), "{}: {reason}", path.display());
    }
    assert_eq!(names(folder.path()), ["file", "into-nowhere", "loop"]);
}

#[test]
fn the_workload_is_not_written_over_by_whatever_name() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("w.yaml"), "text").unwrap();
    symlink("w.yaml", at("link")).unwrap();
    fs::hard_link(at("w.yaml"), at("hard")).unwrap();
    fs::create_dir(at("sub")).unwrap();
    let input = at("w.yaml");
    for name in ["w.yaml", "./w.yaml", "sub/../w.yaml", "link", "hard"] {
        let reason = Target::of(&at(name), &["other", input.to_str().unwrap()]).unwrap_err();
        assert_eq!(reason, "it is the workload itself", "{name}");
    }
    assert!(Target::of(&at("other"), &[input.to_str().unwrap()]).is_ok());
}

#[test]
fn pipes_and_devices_are_written_to_directly() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    let read = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read_to_string(pipe).unwrap()
    });
    let Target::Stream { mut file, .. } = open(&pipe).unwrap() else { panic!("a pipe") };
    file.write_all(b"through").unwrap();
    drop(file);
    assert_eq!(read.join().unwrap(), "through");
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    assert!(matches!(open(Path::new("/dev/null")), Ok(Target::Stream { .. })));
    assert!(matches!(open(Path::new("/dev/stdout")), Ok(Target::Standard)));
    assert!(matches!(open(Path::new("/proc/self/fd/1")), Ok(Target::Standard)));
    assert!(open(Path::new("/dev/fd/987")).is_err(), "it is not open");
}

#[test]
fn an_end_that_fails_leaves_no_temporary_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("result");
    let Target::File(replacement) = open(&path).unwrap() else { panic!("a file") };
    fs::create_dir(&path).unwrap();
    assert!(replacement.put("new").is_err());
    assert_eq!(names(folder.path()), ["result"]);
}

#[test]
fn errors_read_well() {
    assert_eq!(plain(io::Error::from_raw_os_error(libc::ENOSPC)), "no space left on device");
}
