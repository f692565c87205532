//! Nothing outlives Poolscope, not even when it is killed outright.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/mod.rs"]
mod support;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::program::{marked, processes_naming};
use support::{eventually, hard_limit, lives};

fn start(folder: &tempfile::TempDir, workload: &str, engine: &str) -> Child {
    hard_limit();
    let file = folder.path().join("workload.yaml");
    std::fs::write(&file, workload).unwrap();
    Command::new(env!("CARGO_BIN_EXE_poolscope"))
        .args(["run", "--quiet", "--engine", engine])
        .arg(&file)
        .env("POOLSCOPE_CACHE_DIR", folder.path())
        .env("POOLSCOPE_DB", "off")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

const SLEEPERS: &str = "
version: 1
name: sleepers
tasks: [{ name: nap, kind: sleep, count: 100, service_time: { dist: constant, value: 10min } }]
engines: [{ kind: pool, workers: 3 }, { kind: process, workers: 3 }]
";

/// Workers that are forked, one after the other, so that there is one in the middle of its start at any time.
const FORKED: &str = "
version: 1
name: forked
tasks: [{ name: nap, kind: sleep, count: 100000, service_time: { dist: constant, value: 2ms } },
        { name: long, kind: sleep, count: 3, service_time: { dist: constant, value: 10min } }]
order: shuffle
seed: 3
engines: [{ kind: pool, workers: 3, start_method: forkserver }, { kind: process, workers: 3, start_method: forkserver }]
";

/// Programs that stay in their group, leave it, and ignore SIGTERM.
const PROGRAMS: &str = "
version: 1
name: programs
tasks:
  - name: clinging
    kind: command
    count: 100
    shell: true
    command: \"trap '' TERM; sleep 600 & setsid sleep 600 & sleep 600\"
engines: [{ kind: pool, workers: 3 }, { kind: process, workers: 3 }]
";

#[test]
fn sigkill_leaves_nothing_running_a_second_later() {
    for (workload, at_least) in [(SLEEPERS, 3), (FORKED, 3), (PROGRAMS, 9)] {
        for engine in ["pool", "process"] {
            let folder = tempfile::tempdir().unwrap();
            let mut program = start(&folder, workload, engine);
            let pid = program.id();
            eventually("its tasks run", || marked(pid).len() >= at_least);
            let before = marked(pid);
            program.kill().unwrap();
            program.wait().unwrap();
            let begin = Instant::now();
            eventually("everything is gone", || before.iter().all(|pid| !lives(*pid)) && marked(pid).is_empty());
            assert!(begin.elapsed() < Duration::from_secs(1), "{engine}: {:?}", begin.elapsed());
        }
    }
}

#[test]
fn signals_end_it_gracefully_and_leave_nothing() {
    use std::os::unix::process::ExitStatusExt as _;
    for (signal, code) in [(rustix::process::Signal::INT, 130), (rustix::process::Signal::TERM, 143)] {
        for engine in ["pool", "process"] {
            let folder = tempfile::tempdir().unwrap();
            let mut program = start(&folder, PROGRAMS, engine);
            let pid = program.id();
            eventually("its tasks run", || marked(pid).len() >= 9);
            support::kill(pid, signal);
            let status = program.wait().unwrap();
            assert_eq!((status.code(), status.signal()), (Some(code), None), "{engine}");
            assert!(marked(pid).is_empty(), "{engine}: {:?}", marked(pid));
        }
    }
}

/// A program that was killed in the middle of starting others, without a mark that would tell whose they are.
#[test]
fn sigkill_leaves_nothing_of_one_that_starts_others_all_the_time() {
    let nap = format!("{}.7", 3600 + std::process::id());
    let storm = format!("i=0; while [ $i -lt 4000 ]; do sleep {nap} & i=$((i+1)); done; wait");
    let workload = format!(
        "version: 1\nname: storm\ntasks:\n  - {{ name: storm, kind: command, count: 1, shell: true, \
         command: \"env -i setsid sh -c '{storm}'\" }}\nengines: [{{ kind: pool, workers: 1 }}, {{ kind: process, workers: 1 }}]\n"
    );
    for engine in ["pool", "process"] {
        let folder = tempfile::tempdir().unwrap();
        let mut program = start(&folder, &workload, engine);
        eventually("the storm is under way", || processes_naming(&nap).len() >= 300);
        program.kill().unwrap();
        program.wait().unwrap();
        let left = processes_naming(&nap).len();
        eventually(&format!("{engine}: all {left} are gone"), || processes_naming(&nap).is_empty());
    }
}
