//! `--output`: found out before anything runs, written whole, and never lost.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output, Stdio};

use support::cli::{code, text};
use support::program::WorkloadFolder;

const PROGRAM: &str = env!("CARGO_BIN_EXE_poolscope");

/// Leaves a trace of every task that ran.
const WORKLOAD: &str = "
version: 1
name: traces
tasks: [{ name: t, kind: command, command: [/bin/sh, -c, 'echo ran >> ran'], count: 4 }]
engines: [{ kind: pool, workers: 1 }]
";

fn folder() -> WorkloadFolder {
    WorkloadFolder::new(WORKLOAD)
}

fn shell(folder: &WorkloadFolder, script: &str) -> Output {
    folder.shell(script).output().unwrap()
}

fn names(folder: &WorkloadFolder) -> Vec<String> {
    let entries = fs::read_dir(folder.as_path()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).filter(|name| name != "cache").collect();
    names.sort();
    names
}

#[test]
fn a_place_that_cannot_be_written_to_is_found_before_anything_runs() {
    let folder = folder();
    fs::create_dir(folder.path("folder")).unwrap();
    symlink("w.yaml", folder.path("link")).unwrap();
    symlink("no/where", folder.path("dangling")).unwrap();
    let before = names(&folder);
    for target in ["no/such", "folder", "w.yaml", "./folder/../w.yaml", "link", "dangling", "new/", "/dev/fd/99"] {
        for verb in ["run w.yaml", "compare w.yaml", "check w.yaml", "list", "doctor"] {
            let reads_it = !matches!(verb, "list" | "doctor");
            if !reads_it && (target.contains("w.yaml") || target == "link") {
                continue;
            }
            let output = shell(&folder, &format!("exec POOLSCOPE {verb} --output {target}"));
            code(&output, 2);
            assert!(text(&output.stderr).contains("cannot be written to"), "{verb} {target}: {}", text(&output.stderr));
            assert_eq!(names(&folder), before, "{verb} {target}: nothing ran and nothing is left");
        }
    }
    assert_eq!(fs::read_to_string(folder.path("w.yaml")).unwrap(), WORKLOAD);
    // Read from standard input it is the same file.
    code(&shell(&folder, "exec POOLSCOPE run /dev/stdin --output w.yaml < w.yaml"), 2);
    assert_eq!(fs::read_to_string(folder.path("w.yaml")).unwrap(), WORKLOAD);
}

#[test]
fn a_full_place_is_found_before_anything_runs() {
    let folder = folder();
    fs::write(folder.path("result"), "old").unwrap();
    for target in ["result", "new"] {
        // Files may have no byte: as good as a full disk, and a signal on top.
        let output = shell(&folder, &format!("ulimit -f 0; exec POOLSCOPE run w.yaml --output {target}"));
        code(&output, 2);
        assert!(text(&output.stderr).contains("file too large in "), "{}", text(&output.stderr));
    }
    assert_eq!(names(&folder), ["result", "w.yaml"]);
    assert_eq!(fs::read_to_string(folder.path("result")).unwrap(), "old");
}

#[test]
fn read_only_places_are_found_before_anything_runs() {
    if !rustix::process::geteuid().is_root() {
        println!("not checked: only root can become somebody who may not write");
        return;
    }
    let folder = folder();
    let at = |name: &str| folder.path(name);
    fs::set_permissions(folder.as_path(), fs::Permissions::from_mode(0o755)).unwrap();
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
        command.args(["list", "--output", target]).current_dir(folder.as_path()).uid(54_321).gid(54_321);
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
    command.args(["list", "--output", "sticky/shared"]).current_dir(folder.as_path()).uid(54_321).gid(54_321);
    code(&command.output().unwrap(), 0);
    assert!(fs::read_to_string(at("sticky/shared")).unwrap().contains("heavy-tail"));
    assert_eq!(fs::read_dir(at("sticky")).unwrap().count(), 1);
}

#[test]
fn descriptors_and_pipes_are_written_to_as_they_are() {
    let folder = folder();
    code(&shell(&folder, "echo before > log; POOLSCOPE list --output /dev/stdout >> log"), 0);
    code(&shell(&folder, "POOLSCOPE list --output /dev/fd/3 3>> log"), 0);
    let log = fs::read_to_string(folder.path("log")).unwrap();
    assert!(log.starts_with("before\n") && log.matches("heavy-tail ").count() == 2, "{log}");
    let output =
        shell(&folder, "mkfifo pipe; cat pipe > copy & POOLSCOPE run w.yaml --format json --output pipe && wait");
    code(&output, 0);
    let copy = fs::read_to_string(folder.path("copy")).unwrap();
    assert!(copy.contains("poolscope.result/1"), "{copy}");
    assert!(output.stdout.is_empty());
}

#[test]
fn a_result_that_cannot_be_written_goes_to_standard_output() {
    let folder = folder();
    let output = shell(&folder, "exec POOLSCOPE run w.yaml --quiet --format json --output /dev/full");
    code(&output, 3);
    assert!(text(&output.stderr).contains("writing /dev/full: no space left"), "{}", text(&output.stderr));
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["schema"], "poolscope.result/1");
    // The folder goes while it runs.
    let script = "mkdir gone; POOLSCOPE run w.yaml --quiet --format json --output gone/result --set \
                  'tasks.0.command=[/bin/rm, -rf, gone]' --i-know";
    let output = shell(&folder, script);
    code(&output, 3);
    assert!(text(&output.stderr).contains("goes to standard output"), "{}", text(&output.stderr));
    assert!(serde_json::from_slice::<serde_json::Value>(&output.stdout).is_ok(), "{}", text(&output.stdout));
}

#[test]
fn a_standard_output_that_fails_is_told() {
    let folder = folder();
    for verb in ["run w.yaml -q", "list", "doctor", "check w.yaml"] {
        let output = shell(&folder, &format!("exec POOLSCOPE {verb} > /dev/full"));
        code(&output, 3);
        assert!(text(&output.stderr).contains("No space"), "{verb}: {}", text(&output.stderr));
    }
    code(&shell(&folder, "exec POOLSCOPE list > /dev/null"), 0);
    code(&shell(&folder, "exec POOLSCOPE list <&- --output result >&-"), 0);
}

#[test]
fn a_closed_standard_output_is_found_before_anything_runs() {
    let folder = folder();
    for verb in ["w.yaml", "run w.yaml", "compare w.yaml", "check w.yaml", "list", "doctor"] {
        for target in ["", "--output -", "--output /dev/stdout", "--output /proc/thread-self/fd/1"] {
            let output = shell(&folder, &format!("exec POOLSCOPE {verb} {target} >&-"));
            code(&output, 2);
            let told = text(&output.stderr);
            assert!(told.contains("standard output is closed; --output PATH"), "{verb} {target}: {told}");
            assert_eq!(names(&folder), ["w.yaml"], "{verb} {target}: nothing ran");
        }
    }
    code(&shell(&folder, "exec POOLSCOPE run w.yaml --output result >&-"), 0);
    assert_eq!(names(&folder), ["ran", "result", "w.yaml"]);
}

#[test]
fn a_dash_is_standard_output() {
    let folder = folder();
    let output = shell(&folder, "exec POOLSCOPE list --output -");
    code(&output, 0);
    assert!(text(&output.stdout).contains("heavy-tail "));
    assert_eq!(names(&folder), ["w.yaml"]);
}

#[test]
fn a_descriptor_of_another_process_is_not_ours() {
    let folder = folder();
    let at = |name: &str| fs::read_to_string(folder.path(name)).unwrap();
    fs::write(folder.path("theirs"), "before\n").unwrap();
    fs::write(folder.path("ours"), "mine\n").unwrap();
    let mut other = Command::new("/bin/sh");
    other.args(["-c", "exec sleep 60 5>> theirs"]).current_dir(folder.as_path()).stdout(Stdio::null());
    let mut other = other.spawn().unwrap();
    let pid = other.id();
    support::eventually("it has its descriptor", || fs::exists(format!("/proc/{pid}/fd/5")).unwrap_or(false));
    // We have the same numbers, and more.
    let list = |number: u32| {
        shell(&folder, &format!("exec POOLSCOPE list --output /proc/{pid}/fd/{number} 5>> ours 7>> ours"))
    };
    let (five, seven, one) = (list(5), list(7), list(1));
    other.kill().unwrap();
    other.wait().unwrap();
    code(&five, 0);
    assert!(at("theirs").starts_with("before\n") && at("theirs").contains("heavy-tail "), "{}", at("theirs"));
    code(&seven, 2);
    assert!(text(&seven.stderr).contains("no such file"), "{}", text(&seven.stderr));
    code(&one, 0);
    assert_eq!((at("ours").as_str(), text(&one.stdout).as_str()), ("mine\n", ""), "their standard output is not ours");
}

/// A command of somebody to whom permissions apply, also where the tests are root's.
fn somebody(folder: &WorkloadFolder, script: &str) -> Output {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).current_dir(folder.as_path()).env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    if rustix::process::geteuid().is_root() {
        command.uid(54_321).gid(54_321);
    }
    command.output().unwrap()
}

#[test]
fn a_file_in_a_closed_folder_is_written_in_place_and_survives_a_failure() {
    let folder = folder();
    let at = |name: &str| folder.path(name);
    let open = |name: &str, mode| fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
    open("", 0o755);
    assert!(Command::new("/bin/cp").arg(PROGRAM).arg(at("poolscope")).status().unwrap().success());
    fs::create_dir(at("closed")).unwrap();
    fs::write(at("closed/file"), "old").unwrap();
    open("closed/file", 0o666);
    open("closed", 0o555);
    code(&somebody(&folder, "./poolscope list --output closed/file"), 0);
    let list = fs::read_to_string(at("closed/file")).unwrap();
    assert!(list.contains("heavy-tail "), "{list}");
    // Shorter than what was there.
    fs::write(at("closed/file"), "x".repeat(100_000)).unwrap();
    code(&somebody(&folder, "./poolscope list --output closed/file"), 0);
    assert_eq!(fs::read_to_string(at("closed/file")).unwrap(), list);
    // Files may have 20 KiB, as good as a full disk: enough for the check before, not for the result.
    let plans =
        format!("ulimit -f 40; ./poolscope check{} --format json --output closed/file", " heavy-tail".repeat(40));
    for old in ["old".to_owned(), "y".repeat(30_000)] {
        fs::write(at("closed/file"), &old).unwrap();
        let output = somebody(&folder, &plans);
        code(&output, 3);
        assert!(output.stdout.len() > 20 * 1024, "{}", output.stdout.len());
        assert_eq!(fs::read_to_string(at("closed/file")).unwrap(), old, "what was there has survived");
    }
    let output = somebody(&folder, "ulimit -f 0; ./poolscope list --output closed/file");
    code(&output, 2);
    assert!(text(&output.stderr).contains("file too large"), "{}", text(&output.stderr));
    open("closed", 0o755);
}

#[test]
fn a_mount_point_on_a_full_disk_keeps_its_content() {
    let folder = folder();
    let script = "mkdir disk && mount -t tmpfs -o size=32k none disk && echo old > disk/real && touch file && \
                  mount --bind disk/real file || exit 77\n\
                  POOLSCOPE list --output file && grep -q heavy-tail file || exit 1\n\
                  echo old > file; dd if=/dev/zero of=disk/rest bs=4096 2> /dev/null\n\
                  POOLSCOPE list --output file; [ $? = 2 ] || exit 2\n\
                  rm disk/rest; dd if=/dev/zero of=disk/rest bs=4096 count=3 2> /dev/null\n\
                  POOLSCOPE check PLANS --format json --output file > printed; [ $? = 3 ] || exit 3\n\
                  [ \"$(cat file)\" = old ] && grep -q poolscope.check/1 printed || exit 4";
    let script = script.replace("PLANS", &"heavy-tail ".repeat(40)).replace("POOLSCOPE", PROGRAM);
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "/bin/sh", "-c", &script]).current_dir(folder.as_path());
    let output = command.stdin(Stdio::null()).output();
    match output {
        Ok(output) if output.status.code() != Some(77) && !text(&output.stderr).starts_with("unshare:") => {
            code(&output, 0);
        }
        _ => println!("not checked: nothing can be mounted here"),
    }
}

#[test]
fn no_temporary_file_is_left_by_a_signal() {
    let folder = folder();
    fs::write(folder.path("result"), "old").unwrap();
    // The task tells its grandparent, which is this program or a worker's: the shell has its number.
    let script = "POOLSCOPE run w.yaml --format json --output result --set tasks.0.count=1000 & pid=$!; \
                  while [ ! -e ran ]; do sleep 0.01; done; kill -TERM $pid; wait $pid";
    let output = shell(&folder, script);
    code(&output, 143);
    assert_eq!(names(&folder), ["ran", "result", "w.yaml"]);
    let result = fs::read_to_string(folder.path("result")).unwrap();
    let result: serde_json::Value = serde_json::from_str(&result).unwrap();
    assert_eq!(result["aborted"], true);
    fs::write(folder.path("result"), "old").unwrap();
    fs::remove_file(folder.path("ran")).unwrap();
    let output = shell(&folder, &script.replace("-TERM", "-KILL"));
    code(&output, 137);
    assert_eq!(names(&folder), ["ran", "result", "w.yaml"]);
    assert_eq!(fs::read_to_string(folder.path("result")).unwrap(), "old");
}
