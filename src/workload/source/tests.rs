//! Real files, pipes and permissions in a folder of their own.

use std::os::unix::fs::PermissionsExt;

use super::*;

const COMMAND: &str = "version: 1\ntasks: [{ name: t, kind: command, command: [\"true\"], count: 1 }]\n";

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn write(folder: &tempfile::TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).expect("written");
    path
}

#[test]
fn a_file_wins_over_a_bundled_name() {
    let folder = folder();
    let path = write(&folder, "mixed", b"version: 1\n");
    let source = open(path.to_str().unwrap()).unwrap();
    assert_eq!((source.text.as_str(), source.path), ("version: 1\n", Some(path)));
}

#[test]
fn bundled_names_are_found_in_any_spelling() {
    for name in ["cpu-uniform", "cpu_uniform", "cpu-uniform.yaml", "cpu_uniform.yml"] {
        let source = open(name).unwrap();
        assert_eq!((source.name.as_str(), source.path), ("cpu-uniform.yaml", None), "{name}");
    }
}

#[test]
fn what_is_not_there_is_named_with_what_is() {
    let error = open("cpu-unifrom").unwrap_err();
    assert_eq!(error.diagnostic().suggestion.as_deref(), Some("cpu-uniform"));
    let nothing_like_it = open("/nonexistent/xyz.yaml").unwrap_err().diagnostic();
    assert!(nothing_like_it.allowed.unwrap().contains("article"));
}

#[test]
fn an_ending_that_was_left_out_is_proposed_and_no_place_is_told_in_what_is_not_there() {
    let folder = folder();
    let path = write(&folder, "mixd.yaml", b"version: 1\n");
    let stem = path.with_extension("");
    for asked in [stem.clone(), stem.with_extension("yml"), stem.with_extension("yam")] {
        let problem = open(asked.to_str().unwrap()).unwrap_err().diagnostic();
        // Also before a bundled workload with nearly that name.
        assert_eq!(problem.suggestion.as_deref(), path.to_str(), "{asked:?}");
        assert!(problem.summary().starts_with(&format!("{}: no such file", asked.display())), "{problem}");
        assert!(!problem.render(false).contains(":1"), "{}", problem.render(false));
    }
    assert!(open(folder.path().to_str().unwrap()).unwrap_err().diagnostic().summary().contains(": a folder"));
    let nothing = serde_json::to_value(open("/nonexistent/xyz").unwrap_err().diagnostic()).unwrap();
    assert!(nothing.get("line").is_none() && nothing.get("col").is_none(), "{nothing}");
}

#[test]
fn devices_and_folders_are_refused_and_a_look_at_a_pipe_does_not_wait() {
    let folder = folder();
    let fifo = named_pipe(&folder);
    assert!(matches!(read(&fifo).unwrap_err(), SourceError::NotRegular { .. }));
    for (path, kind) in [(Path::new("/dev/zero"), "device"), (folder.path(), "folder")] {
        let error = open(path.to_str().unwrap()).unwrap_err();
        assert!(error.to_string().contains(kind), "{path:?}: {error}");
        assert!(matches!(read(path).unwrap_err(), SourceError::NotRegular { .. }));
    }
}

fn named_pipe(folder: &tempfile::TempDir) -> PathBuf {
    let fifo = folder.path().join("fifo");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).expect("a named pipe");
    fifo
}

#[test]
fn a_pipe_that_is_named_is_read_to_its_end_and_no_further_than_a_mebibyte() {
    let folder = folder();
    let fifo = named_pipe(&folder);
    let write = |bytes: Vec<u8>| {
        let fifo = fifo.clone();
        // A reader that has had enough closes the pipe.
        std::thread::spawn(move || drop(fs::write(fifo, bytes)))
    };
    let writer = write(COMMAND.as_bytes().to_vec());
    let source = open(fifo.to_str().unwrap()).unwrap();
    writer.join().unwrap();
    assert_eq!((source.text.as_str(), source.path, source.folder), (COMMAND, None, None));
    let writer = write(vec![b'#'; 4 * LARGEST_FILE as usize]);
    assert!(matches!(open(fifo.to_str().unwrap()).unwrap_err(), SourceError::TooLarge { .. }));
    writer.join().unwrap();
}

#[test]
fn a_workload_knows_the_real_folder_of_its_file() {
    let (real, links) = (folder(), folder());
    let path = write(&real, "w.yaml", COMMAND.as_bytes());
    let link = links.path().join("link.yaml");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let wanted = Some(fs::canonicalize(real.path()).unwrap());
    for name in [&path, &link] {
        let (source, loaded) = super::load(name.to_str().unwrap(), false, &[], Input::Whole).unwrap();
        assert_eq!((&source.folder, &loaded.workload.folder), (&wanted, &wanted), "{name:?}");
    }
    assert_eq!(super::load("commands", false, &[], Input::Whole).unwrap().1.workload.folder, None, "bundled");
}

#[test]
fn size_and_encoding_are_checked_while_reading() {
    let folder = folder();
    let fits = write(&folder, "fits", &vec![b'#'; LARGEST_FILE as usize]);
    assert!(read(&fits).is_ok());
    let large = write(&folder, "large", &vec![b'#'; LARGEST_FILE as usize + 1]);
    assert!(matches!(read(&large).unwrap_err(), SourceError::TooLarge { .. }));
    let binary = write(&folder, "binary", b"version: 1\nname: \xff\xfe\n");
    let diagnostic = read(&binary).unwrap_err().diagnostic();
    assert_eq!((diagnostic.line, diagnostic.col), (2, 7));
}

#[test]
fn commands_of_a_file_that_everybody_may_change_need_a_word() {
    let folder = folder();
    let path = write(&folder, "w.yaml", COMMAND.as_bytes());
    let name = path.to_str().unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(load(name, false, &[], Input::Whole).is_ok());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let refusal = load(name, false, &[], Input::Whole).unwrap_err();
    assert!(refusal.render(false).contains("--allow-exec"), "{refusal}");
    assert!(load(name, true, &[], Input::Whole).is_ok());
    fs::write(&path, COMMAND.replace("command, command: [\"true\"]", "kernel, kernel: noop")).unwrap();
    assert!(load(name, false, &[], Input::Whole).is_ok());
}

#[test]
fn files_that_a_workload_names_are_found_in_its_folder_and_read_as_carefully_as_itself() {
    let folder = folder();
    fs::create_dir(folder.path().join("data")).unwrap();
    named_pipe(&folder);
    write(&folder, "data/times.txt", b"5ms\n");
    write(&folder, "latin", b"5ms\n\xe4\n");
    write(&folder, "bad", b"5ms\nfive\n");
    fs::File::create(folder.path().join("huge")).unwrap().set_len((16 << 20) + 1).unwrap();
    let absolute = folder.path().join("data/times.txt");
    let load = |file: &str| {
        let task = format!("{{ name: t, kind: sleep, count: 1, service_time: {{ dist: trace, file: {file} }} }}");
        let path = write(&folder, "w.yaml", format!("version: 1\ntasks:\n  - {task}\n").as_bytes());
        super::load(path.to_str().unwrap(), false, &[], Input::Whole).map(|(_, loaded)| loaded.workload)
    };
    for file in ["data/times.txt", "./data/../data/times.txt", absolute.to_str().unwrap()] {
        assert!(load(file).is_ok(), "{file}: {}", load(file).unwrap_err());
    }
    for (file, says) in [
        ("fifo", "fifo: a named pipe, not a regular file"),
        ("data", "data: a folder, not a regular file"),
        ("/dev/zero", "/dev/zero: a device, not a regular file"),
        ("nothing", "nothing: no such file"),
        ("w.yaml/x", "w.yaml/x: "),
        ("huge", "huge: the file is larger than 16 MiB"),
        ("latin", "latin: not UTF-8 text (line 2, byte 1 of it)"),
        ("bad", "bad:2: `five`: not a duration"),
    ] {
        let problems = load(file).unwrap_err().to_string();
        assert!(problems.contains("w.yaml:3:") && problems.contains(says), "{problems}");
    }
}
