//! How programs that stay begin and end: with their workers, and never longer.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use poolscope::engine::control::Command;
use poolscope::engine::dispatcher::window::Chunk;

use crate::harness::*;
use crate::support::{Setting, both, pool, rules};

/// Writes down that it begins and ends; its results are its process ids.
const LIFE: &str = "answered = True\nanswer(index=i, result=os.getpid())\nopen('pids', 'a').write('%d\\n' % os.getpid())\n\
                    time.sleep(0.005)";
const END: &str = "open('ends', 'a').write('%d\\n' % os.getpid())\n";

#[test]
fn each_worker_has_one_that_stays_until_the_worker_leaves() {
    let more = "engines:\n  - { kind: pool, workers: 2 }\n  - { name: recycled, kind: pool, workers: 2, max_tasks_per_child: 5 }\n  \
                - { kind: process, workers: 2 }\n  - { kind: serial }";
    let folder = python(LIFE, END, "count: 20", more);
    for (engine, programs) in [("pool", 1..=2), ("recycled", 4..=6), ("process", 20..=20), ("serial", 1..=1)] {
        let told = run(&folder, engine);
        assert_eq!(told.count("succeeded"), 20, "{engine}: {}", told.0["failures"]);
        let (mut pids, mut ends) = (lines_of(folder.path("pids")), lines_of(folder.path("ends")));
        std::fs::remove_file(folder.path("pids")).unwrap();
        std::fs::remove_file(folder.path("ends")).unwrap();
        pids.sort();
        pids.dedup();
        ends.sort();
        assert_eq!(pids, ends, "{engine}: each found the end of its input");
        assert!(programs.contains(&pids.len()), "{engine}: {} programs", pids.len());
    }
}

#[test]
fn one_that_ends_after_each_answer_is_started_again_for_the_next() {
    for end in ["sys.exit(0)", "os._exit(3)"] {
        let folder = python(&format!("{LIFE}\n{end}"), "", "count: 12", "");
        for engine in ENGINES {
            let told = run(&folder, engine);
            assert_eq!(told.count("succeeded"), 12, "{engine} {end}: {}", told.0["failures"]);
            let mut pids = lines_of(folder.path("pids"));
            std::fs::remove_file(folder.path("pids")).unwrap();
            pids.sort();
            pids.dedup();
            assert_eq!((pids.len(), &told.0["worker_restarts"]), (12, &0.into()), "{engine} {end}");
            let notes = told.0["notes"].to_string();
            assert_eq!(
                notes.matches("ended with exit code 3 after its answer").count(),
                usize::from(end != "sys.exit(0)")
            );
        }
    }
}

#[test]
fn an_end_with_an_error_after_the_last_answer_is_told_with_its_task() {
    // With the end of its input, and all by itself when it has answered.
    for (act, end) in [(LIFE.to_owned(), "os._exit(9)"), (format!("{LIFE}\nif i == 3: os._exit(9)"), "")] {
        let folder = python(&act, end, "count: 4", "");
        for engine in ["pool", "serial", "process"] {
            let told = run(&folder, engine);
            assert_eq!(told.count("succeeded"), 4, "{engine}: {}", told.0["failures"]);
            let notes = told.0["notes"].to_string();
            let told_of =
                |index: u64| notes.contains(&format!("the program of task {index} ended with exit code 9 after"));
            let known = if end.is_empty() { told_of(3) } else { (0..4).any(told_of) };
            assert!(known, "{engine}: {notes}");
        }
    }
}

#[test]
fn one_that_does_not_end_with_its_input_is_ended() {
    let folder = python(LIFE, "signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(600)\n", "count: 4", "");
    for engine in ["pool", "serial"] {
        let begin = Instant::now();
        let told = run(&folder, engine);
        assert_eq!(told.count("succeeded"), 4, "{engine}");
        assert!(begin.elapsed() < Duration::from_secs(60));
        for pid in lines_of(folder.path("pids")) {
            assert!(!crate::support::lives(pid.parse().unwrap()), "{engine}: {pid} lives on");
        }
        std::fs::remove_file(folder.path("pids")).unwrap();
    }
}

fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.trim_start().chars().next()
}

#[test]
fn a_smaller_pool_has_fewer_and_a_suspended_one_stands_still() {
    let script = "while read -r line; do sleep 0.02; echo '{\"ok\":true}'; done; : serve-resize-mark";
    let running =
        Setting { chunk: Chunk::Fixed(1), ..pool(3) }.tasks(200, served(&["sh", "-c", script]), rules()).start();
    running.until("all work", |story| story.counts.succeeded > 10);
    let programs = || alive("serve-resize-mark");
    until("there are three", || programs().len() == 3);
    running.command(Command::Resize(NonZeroU32::new(1).unwrap()));
    until("there is one", || programs().len() == 1);
    running.command(Command::Suspend);
    until("it stands still", || programs().iter().all(|pid| state(*pid) == Some('T')));
    running.command(Command::Unsuspend);
    let story = running.finish();
    assert_eq!(story.counts.succeeded, 200, "{:?}", story.attempts);
    story.nobody_is_left();
    assert!(programs().is_empty(), "and none is left");
}

#[test]
fn whoever_ends_the_run_ends_them() {
    for command in [Command::Stop, Command::Kill] {
        for setting in both(2) {
            let script = "while read -r line; do sleep 0.3 & wait; echo '{\"ok\":true}'; done; : serve-stop-mark";
            let running = setting.tasks(200, served(&["sh", "-c", script]), rules()).start();
            running.until("all work", |story| story.counts.running == 2);
            running.command(command);
            let story = running.finish();
            assert_eq!(story.counts.finished(), 200);
            story.nobody_is_left();
            until("none is left", || alive("serve-stop-mark").is_empty());
        }
    }
}

#[test]
fn what_a_task_leaves_behind_is_ended_while_the_program_stays() {
    // The first task starts a daemon; the program lives on through many others.
    let act = "if i == 0:\n    if os.fork() == 0:\n        os.setsid()\n        if os.fork() == 0:\n            \
               os.closerange(0, 64)\n            os.execvp('sleep', ['sleep', '613'])\n        os._exit(0)\n    \
               os.wait()\nopen('done', 'a').write('%d\\n' % i)\ntime.sleep(0.02)";
    let folder = python(act, "", "count: 2000", "engines: [{ kind: pool, workers: 1, chunksize: 1 }]");
    let mut run = folder.run("pool", &[]).stdout(std::process::Stdio::null()).spawn().unwrap();
    let daemons = || crate::support::program::processes(&["sleep", "613"]);
    until("some tasks are done", || lines_of(folder.path("done")).len() > 3);
    until("the daemon is gone", || daemons().is_empty());
    assert!(run.try_wait().unwrap().is_none(), "and the run goes on");
    rustix::process::kill_process(rustix::process::Pid::from_child(&run), rustix::process::Signal::INT).unwrap();
    run.wait().unwrap();
}

#[test]
fn none_outlives_a_killed_poolscope() {
    let act = "open('pids', 'a').write('%d\\n' % os.getpid())\ntime.sleep(0.05)";
    let folder = python(act, "time.sleep(600)", "count: 2000", "engines: [{ kind: pool, workers: 2 }]");
    let mut run = folder.run("pool", &[]).stdout(std::process::Stdio::null()).spawn().unwrap();
    until("both are there", || {
        let mut pids = lines_of(folder.path("pids"));
        pids.sort();
        pids.dedup();
        pids.len() == 2
    });
    run.kill().unwrap();
    run.wait().unwrap();
    let lives = || lines_of(folder.path("pids")).iter().any(|pid| crate::support::lives(pid.parse().unwrap()));
    until("both are gone", || !lives());
}
