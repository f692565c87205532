//! `--output`: found out before anything runs, written whole, and never lost.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_poolscope");

/// Leaves a trace of every task that ran.
const WORKLOAD: &str = "
version: 1
name: traces
tasks: [{ name: t, kind: command, command: [/bin/sh, -c, 'echo ran >> ran'], count: 4 }]
engines: [{ kind: pool, workers: 1 }]
";

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        support::hard_limit();
        let place = Self(tempfile::tempdir().unwrap());
        fs::write(place.0.path().join("w.yaml"), WORKLOAD).unwrap();
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn shell(&self, script: &str) -> Output {
        let script = script.replace("POOLSCOPE", PROGRAM);
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &script]).current_dir(self.path()).env("POOLSCOPE_CACHE_DIR", self.path().join("cache"));
        command.env("LC_ALL", "C.UTF-8").stdin(Stdio::null()).output().unwrap()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> =
            entries.map(|name| name.into_string().unwrap()).filter(|name| name != "cache").collect();
        names.sort();
        names
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn code(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}\n{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn a_place_that_cannot_be_written_to_is_found_before_anything_runs() {
    let place = Place::new();
    fs::create_dir(place.path().join("folder")).unwrap();
    symlink("w.yaml", place.path().join("link")).unwrap();
    symlink("no/where", place.path().join("dangling")).unwrap();
    let before = place.names();
    for target in ["no/such", "folder", "w.yaml", "./folder/../w.yaml", "link", "dangling", "new/", "/dev/fd/99"] {
        for verb in ["run w.yaml", "compare w.yaml", "check w.yaml", "list", "doctor"] {
            let reads_it = !matches!(verb, "list" | "doctor");
            if !reads_it && (target.contains("w.yaml") || target == "link") {
                continue;
            }
            let output = place.shell(&format!("exec POOLSCOPE {verb} --output {target}"));
            code(&output, 2);
            assert!(text(&output.stderr).contains("cannot be written to"), "{verb} {target}: {}", text(&output.stderr));
            assert_eq!(place.names(), before, "{verb} {target}: nothing ran and nothing is left");
        }
    }
    assert_eq!(fs::read_to_string(place.path().join("w.yaml")).unwrap(), WORKLOAD);
    // Read from standard input it is the same file.
    code(&place.shell("exec POOLSCOPE run /dev/stdin --output w.yaml < w.yaml"), 2);
    assert_eq!(fs::read_to_string(place.path().join("w.yaml")).unwrap(), WORKLOAD);
}

#[test]
fn a_full_place_is_found_before_anything_runs() {
    let place = Place::new();
    fs::write(place.path().join("result"), "old").unwrap();
    for target in ["result", "new"] {
        // Files may have no byte: as good as a full disk, and a signal on top.
        let output = place.shell(&format!("ulimit -f 0; exec POOLSCOPE run w.yaml --output {target}"));
        code(&output, 2);
        assert!(text(&output.stderr).contains("file too large in "), "{}", text(&output.stderr));
    }
    assert_eq!(place.names(), ["result", "w.yaml"]);
    assert_eq!(fs::read_to_string(place.path().join("result")).unwrap(), "old");
}

#[test]
fn read_only_places_are_found_before_anything_runs() {
    if !rustix::process::geteuid().is_root() {
        println!("not checked: only root can become somebody who may not write");
        return;
    }
    let place = Place::new();
    let at = |name: &str| place.path().join(name);
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = at("poolscope");
    assert!(Command::new("/bin/cp").arg(PROGRAM).arg(&program).status().unwrap().success());
    for (folder, mode) in [("closed", 0o555), ("open", 0o777)] {
        fs::create_dir(at(folder)).unwrap();
        fs::write(at(folder).join("read-only"), "old").unwrap();
        fs::set_permissions(at(folder).join("read-only"), fs::Permissions::from_mode(0o444)).unwrap();
        fs::set_permissions(at(folder), fs::Permissions::from_mode(mode)).unwrap();
    }
    for target in ["closed/new", "closed/read-only", "open/read-only"] {
        let mut command = Command::new(&program);
        command.args(["list", "--output", target]).current_dir(place.path()).uid(54_321).gid(54_321);
        let output = command.output().unwrap();
        code(&output, 2);
        assert!(text(&output.stderr).contains("permission denied"), "{target}: {}", text(&output.stderr));
    }
    assert_eq!(fs::read_to_string(at("open/read-only")).unwrap(), "old");
    // Where everybody may write to the file but nobody may replace it.
    fs::create_dir(at("sticky")).unwrap();
    fs::write(at("sticky/shared"), "old").unwrap();
    fs::set_permissions(at("sticky/shared"), fs::Permissions::from_mode(0o666)).unwrap();
    fs::set_permissions(at("sticky"), fs::Permissions::from_mode(0o1777)).unwrap();
    let mut command = Command::new(&program);
    command.args(["list", "--output", "sticky/shared"]).current_dir(place.path()).uid(54_321).gid(54_321);
    code(&command.output().unwrap(), 0);
    assert!(fs::read_to_string(at("sticky/shared")).unwrap().contains("heavy-tail"));
    assert_eq!(fs::read_dir(at("sticky")).unwrap().count(), 1);
}

#[test]
fn descriptors_and_pipes_are_written_to_as_they_are() {
    let place = Place::new();
    code(&place.shell("echo before > log; POOLSCOPE list --output /dev/stdout >> log"), 0);
    code(&place.shell("POOLSCOPE list --output /dev/fd/3 3>> log"), 0);
    let log = fs::read_to_string(place.path().join("log")).unwrap();
    assert!(log.starts_with("before\n") && log.matches("heavy-tail ").count() == 2, "{log}");
    let output = place.shell("mkfifo pipe; cat pipe > copy & POOLSCOPE run w.yaml --format json --output pipe && wait");
    code(&output, 0);
    let copy = fs::read_to_string(place.path().join("copy")).unwrap();
    assert!(copy.contains("poolscope.result/1"), "{copy}");
    assert!(output.stdout.is_empty());
}

#[test]
fn a_result_that_cannot_be_written_goes_to_standard_output() {
    let place = Place::new();
    let output = place.shell("exec POOLSCOPE run w.yaml --quiet --format json --output /dev/full");
    code(&output, 3);
    assert!(text(&output.stderr).contains("writing /dev/full: no space left"), "{}", text(&output.stderr));
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["schema"], "poolscope.result/1");
    // The folder goes while it runs.
    let script = "mkdir gone; POOLSCOPE run w.yaml --quiet --format json --output gone/result --set \
                  'tasks.0.command=[/bin/rm, -rf, gone]' --i-know";
    let output = place.shell(script);
    code(&output, 3);
    assert!(text(&output.stderr).contains("goes to standard output"), "{}", text(&output.stderr));
    assert!(serde_json::from_slice::<serde_json::Value>(&output.stdout).is_ok(), "{}", text(&output.stdout));
}

#[test]
fn a_standard_output_that_fails_is_told() {
    let place = Place::new();
    for (redirection, words) in [("> /dev/full", "No space"), (">&-", "closed")] {
        for verb in ["run w.yaml -q", "list", "doctor", "check w.yaml"] {
            let output = place.shell(&format!("exec POOLSCOPE {verb} {redirection}"));
            code(&output, 3);
            assert!(text(&output.stderr).contains(words), "{verb} {redirection}: {}", text(&output.stderr));
        }
    }
    code(&place.shell("exec POOLSCOPE list > /dev/null"), 0);
    code(&place.shell("exec POOLSCOPE list <&- --output result >&-"), 0);
}

#[test]
fn no_temporary_file_is_left_by_a_signal() {
    let place = Place::new();
    fs::write(place.path().join("result"), "old").unwrap();
    // The task tells its grandparent, which is this program or a worker's: the shell has its number.
    let script = "POOLSCOPE run w.yaml --format json --output result --set tasks.0.count=1000 & pid=$!; \
                  while [ ! -e ran ]; do sleep 0.01; done; kill -TERM $pid; wait $pid";
    let output = place.shell(script);
    code(&output, 143);
    assert_eq!(place.names(), ["ran", "result", "w.yaml"]);
    let result = fs::read_to_string(place.path().join("result")).unwrap();
    let result: serde_json::Value = serde_json::from_str(&result).unwrap();
    assert_eq!(result["aborted"], true);
    fs::write(place.path().join("result"), "old").unwrap();
    fs::remove_file(place.path().join("ran")).unwrap();
    let output = place.shell(&script.replace("-TERM", "-KILL"));
    code(&output, 137);
    assert_eq!(place.names(), ["ran", "result", "w.yaml"]);
    assert_eq!(fs::read_to_string(place.path().join("result")).unwrap(), "old");
}
