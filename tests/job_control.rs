//! Stopped and continued from outside: by SIGTSTP and SIGCONT to its pid, in its grace period, in pieces of a job, where
//! nobody would continue it, and by SIGSTOP, which cannot be caught.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/mod.rs"]
mod support;

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use support::cli::{code, text};
use support::program::{WorkloadFolder, only_run, processes_naming};

/// How long it stands still: longer than any timeout in here.
const STOOD: Duration = Duration::from_millis(1500);

fn folder(task: &str, engine: &str, more: &str) -> WorkloadFolder {
    WorkloadFolder::new(&format!(
        "version: 1\nname: j\ntasks: [{{ name: t, {task} }}]\nengines: [{{ kind: {engine}, workers: 2 }}]\n{more}\n"
    ))
}

/// In a process group of its own and in the session of its parent, as a shell with job control starts a program.
fn start(command: &mut Command) -> Child {
    command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn state(pid: u32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().and_then(|rest| rest.trim().chars().next()).unwrap_or('?')
}

fn is_stopped(pid: u32) -> bool {
    state(pid) == 'T'
}

fn children(of: u32) -> Vec<u32> {
    let parent = |pid: u32| -> Option<u32> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())
    };
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| parent(*pid) == Some(of)).collect()
}

/// The workers and programs of a run: those of its children that are not its own helpers.
fn workers(of: u32) -> Vec<u32> {
    let line = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    children(of).into_iter().filter(|pid| !line(pid).contains("guardian")).collect()
}

fn at_work(child: &Child, count: usize) {
    support::eventually("its workers are there", || workers(child.id()).len() == count);
}

fn finish(child: Child) -> Output {
    child.wait_with_output().unwrap()
}

fn suspect(run: &Value) -> String {
    run["suspect"].to_string()
}

/// Stops it and everything that it has started, has that last, and continues it by its pid alone.
fn stop_and_continue(child: &Child) -> Duration {
    support::kill(child.id(), Signal::TSTP);
    support::eventually("it is stopped", || is_stopped(child.id()));
    let stopped = Instant::now();
    let others = workers(child.id());
    assert!(!others.is_empty());
    // A signal that was sent may be acted upon a moment later.
    // One that waits for a child of its vfork(2) to be a program stands still with that.
    let waits = |pid: u32| state(pid) == 'D' && children(pid).into_iter().any(is_stopped);
    let goes_on = |pid: u32| support::lives(pid) && !is_stopped(pid) && !waits(pid);
    support::eventually("all that it has started are stopped", || !others.iter().any(|pid| goes_on(*pid)));
    std::thread::sleep(STOOD);
    assert!(is_stopped(child.id()) && !others.iter().any(|pid| goes_on(*pid)), "all stand still for as long");
    let stood = stopped.elapsed();
    support::kill(child.id(), Signal::CONT);
    support::eventually("it goes on", || !is_stopped(child.id()));
    stood
}

#[test]
fn by_its_pid_it_is_stopped_with_its_workers_and_the_time_does_not_count() {
    let nap = "kind: sleep, count: 8, timeout: 1s, service_time: { dist: constant, value: 500ms }";
    let program =
        "kind: command, count: 8, timeout: 1s, shell: true, command: 'for i in 1 2 3 4 5; do sleep 0.1; done'";
    for engine in ["pool", "process"] {
        for task in [nap, program] {
            let folder = folder(task, engine, "limits: { max_time: 30s }");
            let begin = Instant::now();
            let child = start(&mut folder.run(engine, &["--format", "json"]));
            at_work(&child, 2);
            let stood = stop_and_continue(&child);
            let output = finish(child);
            let elapsed = begin.elapsed();
            code(&output, 0);
            let run = only_run(&output);
            // No task was in work for longer than its timeout.
            assert_eq!(run["tasks"]["succeeded"], 8, "{engine}, {task}: {run:#}");
            let wall = Duration::from_secs_f64(run["wall_s"].as_f64().unwrap());
            assert!(wall + stood <= elapsed, "{wall:?} measured, {stood:?} stopped, {elapsed:?} in all");
            assert!(suspect(&run).contains("the run was suspended for 1."), "{}", suspect(&run));
            assert!(!suspect(&run).contains("SIGSTOP"), "{}", suspect(&run));
        }
    }
}

#[test]
fn who_is_in_the_same_job_and_was_sent_nothing_goes_on() {
    let nap = "kind: sleep, count: 40, service_time: { dist: constant, value: 50ms }";
    let folder = folder(nap, "pool", "");
    // The shell waits for the program, in the same process group.
    let script = "POOLSCOPE run w.yaml --quiet --format json & echo $! > pid; wait $!; exit $?";
    let child = start(&mut folder.shell(script));
    support::eventually("it runs", || std::fs::read_to_string(folder.path("pid")).is_ok_and(|pid| pid.ends_with('\n')));
    let pid: u32 = std::fs::read_to_string(folder.path("pid")).unwrap().trim().parse().unwrap();
    support::eventually("its workers are there", || workers(pid).len() == 2);
    support::kill(pid, Signal::TSTP);
    support::eventually("it is stopped", || is_stopped(pid));
    assert!(!is_stopped(child.id()), "nobody has stopped its shell");
    support::kill(pid, Signal::CONT);
    let output = finish(child);
    code(&output, 0);
    assert_eq!(only_run(&output)["tasks"]["succeeded"], 40);
}

#[test]
fn a_continuation_right_behind_the_stop_is_not_lost() {
    let nap = "kind: sleep, count: 60, service_time: { dist: constant, value: 50ms }";
    for pause in [0, 1, 5, 20, 100] {
        let folder = folder(nap, "pool", "");
        let child = start(&mut folder.run("pool", &["--format", "json"]));
        at_work(&child, 2);
        for _ in 0..3 {
            support::kill(child.id(), Signal::TSTP);
            std::thread::sleep(Duration::from_millis(pause));
            support::kill(child.id(), Signal::CONT);
        }
        let pid = child.id();
        support::eventually("it comes to its end", || !support::lives(pid));
        let output = finish(child);
        code(&output, 0);
        assert_eq!(only_run(&output)["tasks"]["succeeded"], 60, "{pause} ms");
    }
}

/// Says when it is asked to end, and then takes its time.
const SLOW: &str = "kind: command, grace_period: 1s, count: 2, shell: true, \
                    command: 'trap \"echo >> asked\" TERM; echo >> ready; while :; do sleep 0.02; done'";

#[test]
fn in_a_grace_period_everything_stands_still_as_well() {
    for engine in ["pool", "process"] {
        let folder = folder(SLOW, engine, "");
        let child = start(&mut folder.run(engine, &["--format", "json"]));
        at_work(&child, 2);
        let lines = |file: &str| std::fs::read_to_string(folder.path(file)).unwrap_or_default().lines().count();
        support::eventually("both have their traps", || lines("ready") == 2);
        support::kill(child.id(), Signal::TERM);
        support::eventually("both were asked to end", || lines("asked") == 2);
        let asked = Instant::now();
        let stood = stop_and_continue(&child);
        let output = finish(child);
        let took = asked.elapsed();
        code(&output, 143);
        let run = only_run(&output);
        assert_eq!(run["tasks"]["cancelled"], 2, "{run:#}");
        // What was left of the grace period was still there, and so was the second after which it would have left.
        assert!(took >= stood + Duration::from_millis(500), "{engine}: {took:?} with {stood:?} of standing still");
        assert!(!run.to_string().contains("left behind"), "{run:#}");
    }
}

#[test]
fn where_nobody_would_continue_it_the_stop_is_discarded_and_said() {
    let nap = "kind: sleep, count: 40, service_time: { dist: constant, value: 50ms }";
    for engine in ["pool", "process"] {
        let folder = folder(nap, engine, "");
        let mut command =
            folder.shell(&format!("exec POOLSCOPE run w.yaml --engine {engine} --no-progress --format json"));
        // SAFETY: one system call, of a child that leads no group.
        unsafe { command.pre_exec(|| rustix::process::setsid().map(drop).map_err(Into::into)) };
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        at_work(&child, 2);
        support::kill(child.id(), Signal::TSTP);
        let pid = child.id();
        let watched = std::thread::spawn(move || {
            let mut seen = false;
            while support::lives(pid) {
                seen |= is_stopped(pid) || workers(pid).into_iter().any(is_stopped);
                std::thread::sleep(Duration::from_millis(2));
            }
            seen
        });
        let output = finish(child);
        code(&output, 0);
        assert!(!watched.join().unwrap(), "{engine}: something stood still");
        assert!(
            text(&output.stderr).contains("cannot be suspended: no shell would continue"),
            "{}",
            text(&output.stderr)
        );
        let run = only_run(&output);
        assert_eq!(run["tasks"]["succeeded"], 40);
        assert!(!suspect(&run).contains("suspended"), "{}", suspect(&run));
    }
}

#[test]
fn after_a_sigstop_what_had_ended_in_time_has_and_the_run_is_suspect() {
    let nap = "kind: sleep, count: 4, timeout: 1s, service_time: { dist: constant, value: 400ms }";
    let program = "kind: command, count: 4, timeout: 1s, command: [sleep, '0.4']";
    for engine in ["pool", "process"] {
        for task in [nap, program] {
            let folder = folder(task, engine, "");
            let child = start(&mut folder.run(engine, &["--format", "json"]));
            at_work(&child, 2);
            support::kill(child.id(), Signal::STOP);
            support::eventually("it is stopped", || is_stopped(child.id()));
            std::thread::sleep(STOOD);
            assert!(workers(child.id()).into_iter().all(|pid| !is_stopped(pid)), "nobody could stop its workers");
            support::kill(child.id(), Signal::CONT);
            let output = finish(child);
            code(&output, 0);
            let run = only_run(&output);
            assert_eq!(run["tasks"]["succeeded"], 4, "{engine}, {task}: {run:#}");
            assert!(suspect(&run).contains("Poolscope was stopped (SIGSTOP) for about"), "{}", suspect(&run));
        }
    }
}

#[test]
fn a_continuation_of_what_was_not_stopped_is_nothing() {
    let nap = "kind: sleep, count: 20, service_time: { dist: constant, value: 50ms }";
    let folder = folder(nap, "pool", "");
    let child = start(&mut folder.run("pool", &["--format", "json"]));
    at_work(&child, 2);
    (0..5).for_each(|_| support::kill(child.id(), Signal::CONT));
    let output = finish(child);
    code(&output, 0);
    let run = only_run(&output);
    assert_eq!(run["tasks"]["succeeded"], 20);
    assert!(!suspect(&run).contains("stopped") && !suspect(&run).contains("suspended"), "{}", suspect(&run));
}

#[test]
fn nothing_is_left_of_what_was_stopped_when_it_is_killed() {
    let mark = format!("613.{}", std::process::id());
    for engine in ["pool", "process"] {
        let folder = folder(&format!("kind: command, count: 2, command: [sleep, '{mark}']"), engine, "");
        let mut child = start(&mut folder.run(engine, &[]));
        support::eventually("its programs run", || processes_naming(&mark).len() >= 2);
        support::kill(child.id(), Signal::TSTP);
        support::eventually("it is stopped", || is_stopped(child.id()));
        support::kill(child.id(), Signal::KILL);
        child.wait().unwrap();
        support::eventually("nothing is left", || processes_naming(&mark).is_empty());
    }
}
