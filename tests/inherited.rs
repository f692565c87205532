//! Whatever the parent left behind: signals, descriptors, umask, limits. The program puts them right for itself, or
//! refuses; its tasks get default signals and the caller's umask and limits.

#[path = "support/mod.rs"]
mod support;

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::hard_limit;
use support::program::{WorkloadFolder, only_run};

const ENGINES: &str = "engines: [{ kind: pool, workers: 2 }, { kind: process, workers: 2 }]\n";

fn commands(count: u32, script: &str) -> WorkloadFolder {
    hard_limit();
    WorkloadFolder::new(&format!(
        "version: 1\nname: w\ntasks: [{{ name: t, kind: command, count: {count}, shell: true, command: '{script}' }}]\n{ENGINES}"
    ))
}

#[test]
fn ignored_signals_neither_hang_a_run_nor_reach_its_tasks() {
    let signals = "for s in CHLD TERM INT QUIT PIPE USR1 ALRM TSTP XFSZ; do trap \"\" $s; done";
    // A task with default signals is ended by one that it sends to itself.
    let folder = commands(6, "kill -TERM $$; exit 1");
    for engine in ["pool", "process"] {
        let run = only_run(&folder.run_after(signals, engine, &["--format", "json"]).output().unwrap());
        assert_eq!(run["tasks"]["failed"], 6, "{engine}: {run:#}");
        assert!(run["failures"].to_string().contains("TERM"), "{engine}: {run:#}");
    }
}

#[test]
fn an_ignored_or_blocked_sigterm_still_ends_a_run_in_time() {
    let folder = commands(2, "exec sleep 600");
    for engine in ["pool", "process"] {
        for blocked in [false, true] {
            let mut command = folder.run_after("trap \"\" TERM CHLD", engine, &[]);
            if blocked {
                // SAFETY: plain system calls on data of their own.
                unsafe {
                    command.pre_exec(|| {
                        let mut all: libc::sigset_t = std::mem::zeroed();
                        libc::sigfillset(&raw mut all);
                        libc::sigprocmask(libc::SIG_SETMASK, &raw const all, std::ptr::null_mut());
                        Ok(())
                    });
                }
            }
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            let pid = child.id();
            support::eventually("its tasks run", || {
                support::program::processes(&["sleep", "600"]).iter().any(|(task, _)| descends(*task, pid))
            });
            let begin = Instant::now();
            support::kill(pid, rustix::process::Signal::TERM);
            let status = child.wait().unwrap();
            assert_eq!(status.code(), Some(143), "{engine}, blocked: {blocked}");
            // The grace period and a second.
            assert!(begin.elapsed() < Duration::from_millis(1200), "{engine}: {:?}", begin.elapsed());
        }
    }
}

fn descends(mut pid: u32, from: u32) -> bool {
    while pid > 1 {
        if pid == from {
            return true;
        }
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        pid = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0);
    }
    false
}

#[test]
fn tasks_have_the_callers_umask_and_limits() {
    let folder = commands(3, "test \"$(umask) $(ulimit -Sn) $(ulimit -Hn)\" = \"0751 100 300\"");
    for engine in ["pool", "process"] {
        let script = "ulimit -Sn 100; ulimit -Hn 300; umask 751";
        let run = only_run(&folder.run_after(script, engine, &["--format", "json"]).output().unwrap());
        assert_eq!(run["tasks"]["succeeded"], 3, "{engine}: {run:#}");
    }
}

#[test]
fn an_odd_umask_does_not_make_results_unreadable() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = commands(1, "exit 0");
    let result = folder.path("result.json");
    for (umask, mode) in [("777", 0o600), ("027", 0o640), ("000", 0o666)] {
        let _ = std::fs::remove_file(&result);
        let output = result.to_str().unwrap();
        let status =
            folder.run_after(&format!("umask {umask}"), "pool", &["--format", "json", "--output", output]).status();
        assert!(status.unwrap().success());
        assert_eq!(std::fs::metadata(&result).unwrap().permissions().mode() & 0o777, mode, "umask {umask}");
    }
}

#[test]
fn a_closed_standard_input_or_error_is_lived_without() {
    let folder = commands(3, "exit 0");
    for script in ["exec <&-", "exec 2>&-", "exec <&- 2>&-"] {
        for engine in ["pool", "process"] {
            let run = only_run(&folder.run_after(script, engine, &["--format", "json"]).output().unwrap());
            assert_eq!(run["tasks"]["succeeded"], 3, "{script}, {engine}: {run:#}");
        }
    }
}

/// Every limit of open files from nothing on: either the run is refused with its numbers, or every task succeeds.
#[test]
fn few_descriptors_are_refused_with_numbers_or_enough() {
    let sleeps = WorkloadFolder::new(&format!(
        "version: 1\nname: w\ntasks: [{{ name: t, kind: sleep, count: 6, service_time: {{ dist: constant, value: 5ms }} }}]\n{ENGINES}"
    ));
    let programs = commands(6, "exit 0");
    let (mut refused, mut run) = (0, 0);
    for limit in (8..70).step_by(3) {
        for folder in [&sleeps, &programs] {
            for engine in ["pool", "process"] {
                for more in [&["--format", "json"][..], &["--format", "json", "--i-know"]] {
                    let mut command = folder.run_after(&format!("ulimit -n {limit}"), engine, more);
                    let begin = Instant::now();
                    let output = command.output().unwrap();
                    let text = String::from_utf8_lossy(&output.stderr).into_owned();
                    assert!(begin.elapsed() < Duration::from_secs(20), "{limit}, {engine}: {text}");
                    match output.status.code() {
                        Some(0) => {
                            assert_eq!(only_run(&output)["tasks"]["succeeded"], 6, "{limit}, {engine}");
                            run += 1;
                        }
                        Some(2) => {
                            assert!(text.contains(&format!("limit of {limit}")), "{limit}, {engine}: {text}");
                            refused += 1;
                        }
                        code => panic!("{limit}, {engine}: {code:?} {text}"),
                    }
                }
            }
        }
    }
    assert!(refused > 20 && run > 20, "{refused} {run}");
}

#[test]
fn a_small_process_limit_names_the_largest_count_that_works() {
    if !rustix::process::geteuid().is_root() {
        println!("not checked: only root can become a user whose number of processes is known");
        return;
    }
    let folder = WorkloadFolder::new(&format!(
        "version: 1\nname: w\ntasks: [{{ name: t, kind: sleep, count: 500, service_time: {{ dist: constant, value: 1ms }} }}]\n{ENGINES}"
    ));
    let at = folder.as_path();
    std::fs::set_permissions(at, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    // By another program: a descriptor open for writing here could be inherited by a child of another test.
    assert!(
        Command::new("/bin/cp")
            .arg(env!("CARGO_BIN_EXE_poolscope"))
            .arg(folder.path("poolscope"))
            .status()
            .unwrap()
            .success()
    );
    let run = |workers: u32| {
        let script = format!(
            "{{ ulimit -u 60 2>/dev/null || ulimit -p 60; }} && exec ./poolscope run w.yaml --workers {workers} --quiet"
        );
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &script]).uid(54_322).gid(54_322).current_dir(at);
        command.env("HOME", at).env("POOLSCOPE_CACHE_DIR", at).env("POOLSCOPE_DB", "off").output().unwrap()
    };
    let output = run(300);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    let largest = text.split(" is the largest number of workers").next().unwrap();
    let largest: u32 = largest.rsplit(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("{text}"));
    assert!((20..60).contains(&largest), "{text}");
    let output = run(largest);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}
