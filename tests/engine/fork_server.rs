//! Workers that are forked from a server: they are children of ours like all others, and the server can go at any time.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use poolscope::engine::control::Command;
use poolscope::engine::dispatcher::InitializerRules;
use poolscope::engine::error::EngineError;
use poolscope::engine::event::{DeathCause, Moment, Record, RunState};
use poolscope::engine::outcome::Exit;
use poolscope::worker::protocol::Initialize;
use poolscope::workload::model::{Dist, Work};
use rustix::process::{Resource, Rlimit, Signal};

use crate::support::{
    Control, NOOP, Running, Setting, Story, WALL, both, eventually, kill, lives, process, rules, shell,
};

fn forked(workers: u32) -> impl Iterator<Item = Setting> {
    both(workers).into_iter().map(|setting| Setting { fork_server: true, ..setting })
}

fn nap(millis: u64) -> Work {
    Work::Sleep(Dist::Constant(Duration::from_millis(millis)))
}

/// The fields of `/proc/PID/stat` (proc_pid_stat(5)) after the name, from the state on.
fn stat(pid: u32) -> Vec<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    text.rsplit_once(')').map_or(Vec::new(), |(_, rest)| rest.split_whitespace().map(str::to_owned).collect())
}

/// Process ids of workers that are there.
fn alive(story: &Story) -> Vec<u32> {
    let gone: BTreeSet<u32> = story.exits.iter().map(|exit| exit.1).collect();
    story.started.iter().map(|start| start.1).filter(|pid| !gone.contains(pid) && lives(*pid)).collect()
}

/// Nothing is left of a run, its fork servers included.
fn nothing_is_left(story: &Story) {
    story.nobody_is_left();
    for (pid, _) in &story.fork_servers {
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "fork server {pid} is left behind");
    }
}

#[test]
fn every_task_is_done_once_and_accounted_for() {
    for setting in forked(2) {
        let per_task = !setting.workers_are_kept();
        let work = Work::Cpu(Dist::Constant(Duration::from_millis(2)));
        let story = setting.tasks(60, work, rules()).start().finish();
        assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 60), "{:?}", story.notes);
        let mut indices: Vec<u64> = story.records.iter().map(|record| record.index).collect();
        indices.sort_unstable();
        assert!(indices.into_iter().eq(0..60));
        assert!(story.exits.iter().all(|exit| exit.2 == Exit::Code(0)), "{:?}", story.exits);
        assert_eq!(story.started.len(), if per_task { 60 } else { 2 });
        // The kernel's account of each: nobody else has waited for it.
        let cpu: Duration = story.exits.iter().map(|exit| exit.3.cpu()).sum();
        // What they were to use: how long that took is the machine's affair.
        let work = Duration::from_millis(60 * 2);
        assert!(cpu > work / 4, "{cpu:?} for {work:?} of work");
        assert!(story.exits.iter().all(|exit| exit.3.minor_faults > 0), "{:?}", story.exits);
        assert_eq!(story.fork_servers.len(), 1);
        assert_eq!(story.fork_server_exits.len(), 1, "the server itself is accounted for");
        assert_eq!(story.fork_server_exits[0].0, Exit::Code(0));
        nothing_is_left(&story);
    }
}

#[test]
fn a_forked_worker_is_our_child_in_its_own_group_with_its_own_descriptors_alone() {
    for setting in forked(3) {
        let run = setting.tasks(3, nap(60_000), rules()).start();
        let story =
            run.until("all are at work", |story| story.slots.iter().filter(|slot| slot.task.is_some()).count() == 3);
        for pid in alive(&story) {
            let fields = stat(pid);
            assert_eq!(fields[1], std::process::id().to_string(), "its parent");
            assert_eq!(fields[2], pid.to_string(), "its group");
            let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
            let open: Vec<String> = open.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
            assert_eq!(open.len(), 4, "null, output, output, socket: {open:?}");
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
            assert_eq!(u64::from_str_radix(&line("SigBlk:"), 16).unwrap(), 0);
            let caught = u64::from_str_radix(&line("SigCgt:"), 16).unwrap();
            assert_eq!(caught & (1 << (libc::SIGTERM - 1)), 0, "SIGTERM has its default");
        }
        run.command(Command::Kill);
        let story = run.finish();
        assert_eq!(story.state, Some(RunState::Stopped));
        nothing_is_left(&story);
    }
}

/// C11 of multiprocessing's own tests: the server is killed, and the next start starts another one.
#[test]
fn a_killed_server_is_restarted_by_the_next_start_and_nothing_is_lost() {
    for signal in [Signal::INT, Signal::KILL] {
        let setting = Setting { fork_server: true, ..process(2) };
        let run = setting.tasks(300, nap(2), rules()).start();
        let kill_server = |count: usize| {
            let story =
                run.until("a server is there", |story| story.fork_servers.len() >= count && !story.records.is_empty());
            kill(story.fork_servers[count - 1].0, signal);
        };
        kill_server(1);
        kill_server(2);
        let story = run.finish();
        assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 300), "{:?}", story.notes);
        let mut indices: Vec<u64> = story.records.iter().map(|record| record.index).collect();
        indices.sort_unstable();
        assert!(indices.into_iter().eq(0..300), "each is counted once");
        assert!(story.attempts.is_empty(), "{:?}", story.attempts);
        assert!(story.fork_servers.len() >= 3, "{:?}", story.fork_servers);
        assert!(story.notes.iter().any(|note| note.contains("fork server") && note.contains("starts another one")));
        assert!(story.fork_server_exits.iter().any(|exit| exit.0 == Exit::Signal(signal.as_raw())));
        nothing_is_left(&story);
    }
}

#[test]
fn workers_of_a_pool_outlive_their_server() {
    let setting = Setting { fork_server: true, ..crate::support::pool(2) };
    let run = setting.tasks(200, nap(3), rules()).start();
    let story = run.until("it works", |story| !story.records.is_empty());
    kill(story.fork_servers[0].0, Signal::KILL);
    let story = run.finish();
    assert_eq!((story.counts.succeeded, story.started.len()), (200, 2), "{:?}", story.notes);
    assert_eq!(story.fork_servers.len(), 1, "nobody had to be started");
    nothing_is_left(&story);
}

/// It is told as what it is: not as a worker that was never there, and within its own limit.
#[test]
fn a_server_that_stands_still_is_told_and_replaced_and_nothing_is_lost() {
    for workers in [1, 4] {
        let limit = Duration::from_millis(300);
        let setting = Setting { fork_server: true, start_timeout: limit, ..process(workers) };
        let control = Control::start();
        let run = setting.tasks(60, nap(5), rules()).start();
        let story = run.until("it works", |story| !story.records.is_empty());
        let pid = story.fork_servers[0].0;
        kill(pid, Signal::STOP);
        let story = run.finish();
        assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 60), "{:?}", story.notes);
        assert_eq!((story.fork_servers.len(), story.started.len()), (2, 60), "{:?}", story.notes);
        let told = format!("the fork server (pid {pid}) does not answer: it said nothing for 300ms and is ended");
        let place = story.notes.iter().position(|note| note.starts_with(&told));
        let at = story.noted[place.unwrap_or_else(|| panic!("{:?}", story.notes))];
        let of_nobody = |note: &String| note.starts_with("worker ") || note.contains("process 0");
        assert!(!story.notes.iter().any(of_nobody), "{:?}", story.notes);
        assert!(story.deaths.iter().all(|death| death.1 == DeathCause::Left), "{:?}", story.deaths);
        let last = story.records.iter().map(end).filter(|end| *end < at).max().unwrap();
        let silent = at.since(last);
        assert!(silent <= limit * 2 + control.allowance(), "{silent:?}");
        nothing_is_left(&story);
    }
}

/// A pool asks for a worker only where one is missing.
#[test]
fn a_pool_is_back_at_full_strength_after_its_server_stood_still() {
    let setting = Setting { fork_server: true, start_timeout: Duration::from_millis(300), ..crate::support::pool(2) };
    let run = setting.tasks(400, nap(5), rules()).start();
    let story = run.until("it works", |story| !story.records.is_empty());
    kill(story.fork_servers[0].0, Signal::STOP);
    kill(story.started[0].1, Signal::KILL);
    let story = run.finish();
    assert_eq!(story.counts.succeeded + story.counts.lost, 400, "{:?}", story.notes);
    assert_eq!((story.started.len(), story.fork_servers.len()), (3, 2), "{:?}", story.notes);
    assert!(story.notes.iter().any(|note| note.contains("does not answer")), "{:?}", story.notes);
    nothing_is_left(&story);
}

#[test]
fn a_stop_does_not_wait_for_a_server_that_stands_still() {
    for command in [Command::Stop, Command::Kill] {
        let setting = Setting { fork_server: true, start_timeout: WALL, ..process(2) };
        let run = setting.tasks(10_000, nap(5), rules()).start();
        let story = run.until("it works", |story| !story.records.is_empty());
        kill(story.fork_servers[0].0, Signal::STOP);
        run.until("nobody is there", |story| {
            story.exits.len() == story.started.len() && story.slots.iter().all(|slot| slot.pid.is_none())
        });
        run.command(command);
        let story = run.finish();
        assert_eq!((story.state, story.counts.finished()), (Some(RunState::Stopped), 10_000));
        assert!(story.at.since(story.last_end) < WALL / 2, "{:?} {:?}", story.last_end, story.at);
        nothing_is_left(&story);
    }
}

/// The first one never speaks: it is told with its process, and another one is tried.
#[test]
fn a_server_that_says_nothing_at_its_start_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (script, been) = (folder.path().join("worker"), folder.path().join("been"));
    let program = env!("CARGO_BIN_EXE_poolscope");
    let text = format!("#!/bin/sh\n[ -e {been:?} ] && exec {program} \"$@\"\ntouch {been:?}\nexec sleep 600\n");
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let start_timeout = Duration::from_millis(300);
    for setting in forked(2) {
        let _ = std::fs::remove_file(&been);
        let setting = Setting { worker_program: script.clone().into(), start_timeout, ..setting };
        let story = setting.tasks(20, NOOP, rules()).start().finish();
        assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 20), "{:?}", story.notes);
        let told = format!("the fork server (pid {}) said nothing for 300ms", story.fork_server_starts[0]);
        assert!(story.notes.iter().any(|note| note.starts_with(&told)), "{:?}", story.notes);
        assert_eq!((story.fork_server_starts.len(), story.fork_servers.len()), (2, 1));
        nothing_is_left(&story);
    }
}

fn end(record: &Record) -> Moment {
    record.start + Duration::from_nanos(record.service)
}

fn figures_of(run: Running) -> (Story, usize) {
    let story = run.finish();
    let initialized = story.fork_servers.iter().filter(|server| server.1.is_some()).count();
    (story, initialized)
}

#[test]
fn the_initializer_runs_once_in_the_server_and_its_memory_is_there_in_each_worker() {
    for mut setting in forked(2) {
        setting.initializer = Some(InitializerRules { timeout: None, max_failures: 3 });
        setting.orders.initialize =
            Some(Initialize { cpu_ns: 5_000_000, memory_bytes: 32 << 20, ..Initialize::default() });
        let run = setting.tasks(2, nap(400), rules()).start();
        let story =
            run.until("both are at work", |story| story.slots.iter().filter(|slot| slot.task.is_some()).count() == 2);
        for pid in alive(&story) {
            let rss = poolscope::os::readings::memory(pid).unwrap().rss_bytes;
            assert!(rss >= 32 << 20, "what was preloaded is there: {rss}");
        }
        let (story, initialized) = figures_of(run);
        assert_eq!((story.counts.succeeded, initialized), (2, 1));
        assert!(story.initialized.is_empty(), "no worker runs it");
        let figures = story.fork_servers[0].1.unwrap();
        assert!(
            figures.cpu > Duration::ZERO && figures.rss_bytes.is_some_and(|bytes| bytes >= 32 << 20),
            "{figures:?}"
        );
    }
}

#[test]
fn an_initializer_that_fails_or_takes_too_long_ends_the_run_and_starts_no_storm() {
    let fails = Initialize { fail_rate: 1.0, ..Initialize::default() };
    let hangs = Initialize { cpu_ns: 60_000_000_000, ..Initialize::default() };
    for (initialize, timeout) in [(fails, None), (hangs, Some(Duration::from_millis(50)))] {
        for mut setting in forked(4) {
            setting.initializer = Some(InitializerRules { timeout, max_failures: 3 });
            setting.orders.initialize = Some(initialize);
            let story = setting.tasks(100, NOOP, rules()).start().finish();
            assert!(
                matches!(story.error.as_deref(), Some(EngineError::Initializer { times: 3, .. })),
                "{:?}, {:?}",
                story.error,
                story.notes
            );
            assert_eq!((story.started.len(), story.fork_server_exits.len()), (0, 3));
            assert_eq!(story.counts.cancelled, 100);
        }
    }
}

/// The system is short of something in the server: its limit of descriptors is too low for those that come with an order.
#[test]
fn a_fork_that_the_system_refuses_is_tried_again() {
    let setting = Setting { fork_server: true, ..process(1) };
    let run = setting.tasks(40, nap(5), rules()).start();
    let story = run.until("it works", |story| !story.records.is_empty());
    let pid = rustix::process::Pid::from_raw(story.fork_servers[0].0.cast_signed());
    let limit = |most| {
        let maximum = rustix::process::getrlimit(Resource::Nofile).maximum;
        rustix::process::prlimit(pid, Resource::Nofile, Rlimit { current: Some(most), maximum }).unwrap()
    };
    limit(4);
    run.until("it is told", |story| story.notes.iter().any(|note| note.contains("trying again")));
    limit(100);
    let story = run.finish();
    assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 40), "{:?}", story.notes);
    assert!(story.attempts.is_empty() && story.fork_servers.len() == 1, "{:?}", story.notes);
}

#[test]
fn a_stop_at_any_moment_leaves_nothing() {
    for delay in [0, 1, 3, 10, 40] {
        for mut setting in forked(4) {
            setting.initializer = Some(InitializerRules { timeout: None, max_failures: 3 });
            setting.orders.initialize = Some(Initialize { cpu_ns: 3_000_000, ..Initialize::default() });
            let run = setting.tasks(10_000, nap(20), rules()).start();
            let until = Instant::now() + Duration::from_millis(delay);
            eventually("the moment has come", || Instant::now() >= until);
            run.command(if delay % 2 == 0 { Command::Kill } else { Command::Stop });
            let story = run.finish();
            assert_eq!(story.state, Some(RunState::Stopped));
            assert_eq!(story.counts.finished(), 10_000);
            nothing_is_left(&story);
        }
    }
}

#[test]
fn programs_are_spawned_beside_forked_workers() {
    for setting in forked(2) {
        let story = setting.tasks(10, NOOP, rules()).tasks(10, shell("exit 0"), rules()).start().finish();
        assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 20), "{:?}", story.notes);
        nothing_is_left(&story);
    }
}

#[test]
fn a_worker_that_dies_is_told_as_any_other() {
    let mut setting = Setting { fork_server: true, ..process(2) };
    setting.orders.faults = vec![poolscope::workload::model::Fault {
        kind: poolscope::workload::model::FaultKind::Crash(libc::SIGSEGV),
        at: poolscope::workload::model::Trigger::Index(7),
        class: None,
        draw: None,
    }];
    let story = setting.tasks(20, NOOP, rules()).start().finish();
    assert_eq!((story.counts.succeeded, story.counts.lost), (19, 1), "{:?}", story.attempts);
    assert!(story.attempts[0].cause.to_string().contains("SEGV"), "{:?}", story.attempts);
    nothing_is_left(&story);
}
