//! Signals to a headless run: how hard they end it, what is printed then, and the exit codes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/mod.rs"]
mod support;

use std::fs;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use support::cli::{code, document, text};
use support::program::WorkloadFolder;

fn folder(tasks: &str, more: &str) -> WorkloadFolder {
    WorkloadFolder::new(&format!(
        "version: 1\nname: s\ntasks: [{tasks}]\nengines: [{{ kind: pool, workers: 1 }}, {{ kind: process, workers: 1 }}]\n{more}\n"
    ))
}

fn start(folder: &WorkloadFolder, script: &str) -> Child {
    folder.shell(script).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn run(folder: &WorkloadFolder, script: &str) -> Output {
    folder.shell(script).output().unwrap()
}

fn appears(path: &Path) {
    support::eventually(&format!("{} is there", path.display()), || path.exists());
}

/// Says when it runs, and takes its time to say goodbye when it is asked to end.
const POLITE: &str = "{ name: polite, kind: command, grace_period: 20s, count: 4, \
                      shell: true, command: 'trap \"sleep 0.3; echo bye > bye; exit\" TERM; echo > ready; while :; do sleep 0.05; done' }";

/// Does not end when it is asked to.
const STUBBORN: &str = "{ name: stubborn, kind: command, grace_period: 300s, count: 4, \
                        shell: true, command: 'trap \"\" TERM; echo > ready; while :; do sleep 0.05; done' }";

#[test]
fn a_signal_that_comes_twice_within_milliseconds_is_one_and_the_traps_of_tasks_run() {
    for engine in ["pool", "process"] {
        for (signals, exit) in
            [([Signal::TERM, Signal::TERM], 143), ([Signal::INT, Signal::INT], 130), ([Signal::TERM, Signal::INT], 143)]
        {
            let folder = folder(POLITE, "");
            let child = start(&folder, &format!("exec POOLSCOPE run w.yaml --engine {engine} --format json --quiet"));
            appears(&folder.path("ready"));
            for signal in signals {
                support::kill(child.id(), signal);
                std::thread::sleep(Duration::from_millis(20));
            }
            let output = child.wait_with_output().unwrap();
            code(&output, exit);
            assert!(folder.path("bye").exists(), "{engine} {signals:?}: the trap did not run");
            assert_eq!(document(&output)["aborted"], true);
        }
    }
}

#[test]
fn a_second_signal_after_a_pause_kills() {
    for engine in ["pool", "process"] {
        let folder = folder(STUBBORN, "");
        let mut child = start(&folder, &format!("exec POOLSCOPE run w.yaml --engine {engine} --no-progress"));
        appears(&folder.path("ready"));
        support::kill(child.id(), Signal::TERM);
        std::thread::sleep(Duration::from_millis(400));
        assert!(child.try_wait().unwrap().is_none(), "its grace period is not over");
        support::kill(child.id(), Signal::INT);
        let output = child.wait_with_output().unwrap();
        code(&output, 143);
        let told = text(&output.stderr);
        assert!(told.contains("stopping") && told.contains("killing"), "{told}");
    }
}

#[test]
fn a_hang_up_that_the_parent_ignores_stays_ignored() {
    let naps = "{ name: nap, kind: sleep, count: 150, service_time: { dist: constant, value: 20ms } }";
    let folder = folder(naps, "");
    let command = "exec POOLSCOPE run w.yaml --format json";
    for (trap, exit, succeeded) in [("trap '' HUP; ", 0, Some(150)), ("", 129, None)] {
        let mut child = start(&folder, &format!("{trap}{command}"));
        let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        std::io::BufRead::read_line(&mut stderr, &mut line).unwrap();
        assert!(line.contains("run 1/1"), "{line}");
        support::kill(child.id(), Signal::HUP);
        let output = child.wait_with_output().unwrap();
        code(&output, exit);
        if let Some(count) = succeeded {
            assert_eq!(document(&output)["arms"][0]["runs"][0]["tasks"]["succeeded"], count);
        }
    }
}

#[test]
fn other_signals_that_end_a_process_print_what_is_there() {
    let signals =
        [Signal::QUIT, Signal::XCPU, Signal::USR1, Signal::USR2, Signal::ALARM, Signal::VTALARM, Signal::PROF];
    for (signal, name) in signals.into_iter().zip(["QUIT", "XCPU", "USR1", "USR2", "ALRM", "VTALRM", "PROF"]) {
        let folder = folder(POLITE, "");
        let child = start(&folder, "exec POOLSCOPE run w.yaml --format json --quiet");
        appears(&folder.path("ready"));
        support::kill(child.id(), signal);
        let output = child.wait_with_output().unwrap();
        code(&output, 128 + signal.as_raw());
        assert_eq!(document(&output)["aborted_because"], format!("ended by SIG{name}"));
        assert!(folder.path("bye").exists(), "SIG{name}: the trap did not run");
    }
}

#[test]
fn an_aborted_comparison_is_printed_and_marked() {
    // The tenth task never ends.
    let tasks = "{ name: t, kind: command, count: 20, shell: true, command: 'echo >> ran; [ $(wc -l < ran) -lt 25 ] || exec sleep 60' }";
    for format in ["json", "text"] {
        let folder = folder(tasks, "measure: { warmup: 0, repeats: 3 }");
        let child = start(&folder, &format!("exec POOLSCOPE compare w.yaml --format {format} --quiet"));
        support::eventually("25 tasks began", || {
            fs::read_to_string(folder.path("ran")).is_ok_and(|ran| ran.lines().count() == 25)
        });
        support::kill(child.id(), Signal::INT);
        let output = child.wait_with_output().unwrap();
        code(&output, 130);
        if format == "text" {
            let page = text(&output.stdout);
            for words in [
                "ABORTED: ended by SIGINT",
                "stopped after 4 of 20 tasks (20 %)",
                "process has no whole run (stopped after 4",
            ] {
                assert!(page.contains(words), "{words} is not in\n{page}");
            }
            continue;
        }
        let result = document(&output);
        assert_eq!((&result["aborted"], &result["aborted_because"]), (&true.into(), &"ended by SIGINT".into()));
        let [pool, process] = [0, 1].map(|arm| &result["arms"][arm]);
        assert_eq!((&pool["runs"][0]["partial"], &pool["summary"]["runs"]), (&false.into(), &1.into()));
        let run = &process["runs"][0];
        assert_eq!((&run["partial"], &run["state"]), (&true.into(), &"stopped".into()));
        assert_eq!((&run["tasks"]["succeeded"], &process["summary"]["runs"]), (&4.into(), &0.into()));
    }
}

#[test]
fn a_run_whose_tasks_all_failed_is_no_success() {
    let folder = folder("{ name: a, kind: command, command: [no-such-program], count: 20 }", "");
    for engine in ["pool", "process"] {
        let output = run(&folder, &format!("exec POOLSCOPE run w.yaml --quiet --color always --engine {engine}"));
        code(&output, 3);
        let page = text(&output.stdout);
        assert!(
            page.contains("\x1b[1m\x1b[31mALL 20 TASKS FAILED: no-such-program: not found in PATH\x1b"),
            "{page:?}"
        );
        let output = run(&folder, &format!("exec POOLSCOPE run w.yaml --quiet --format json --engine {engine}"));
        code(&output, 3);
        let told = text(&output.stderr);
        assert!(told.contains("ALL 20 TASKS FAILED: no-such-program: not found in PATH"), "{told}");
        let failed = &document(&output)["arms"][0]["all_failed"];
        assert_eq!((&failed["tasks"], &failed["cause"]), (&20.into(), &"no-such-program: not found in PATH".into()));
    }
    let output = run(&folder, "exec POOLSCOPE compare w.yaml --quiet --strict");
    code(&output, 3);
    let page = text(&output.stdout);
    assert!(page.contains("process cannot be compared with pool: not one task of pool succeeded"), "{page}");
}

#[test]
fn a_ratio_of_unequal_work_says_so() {
    // Two of ten tasks of the second arm fail: those after the first ten successes.
    let tasks = "{ name: t, kind: command, count: 10, shell: true, command: 'echo >> ran; n=$(wc -l < ran); [ $n -le 10 -o $n -ge 13 ]' }";
    let folder = folder(tasks, "measure: { warmup: 0, repeats: 1 }");
    let output = run(&folder, "exec POOLSCOPE compare w.yaml --quiet");
    code(&output, 0);
    assert!(text(&output.stdout).contains("20 % of the tasks of process did not succeed"), "{}", text(&output.stdout));
    fs::remove_file(folder.path("ran")).unwrap();
    let result = document(&run(&folder, "exec POOLSCOPE compare w.yaml --quiet --format json"));
    let found = &result["comparison"][0]["unsuccessful"][0];
    assert_eq!((&found["arm"], &found["share"]), (&"process".into(), &0.2.into()));
}
