//! Workers that live and say nothing, or close their socket and live on: they are replaced and nothing is lost.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use poolscope::engine::dispatcher::Policy;
use poolscope::engine::event::RunState;
use poolscope::engine::outcome::Exit;
use poolscope::os::accounting::Usage;
use poolscope::worker::protocol::{self, Hello, Setup, TaskRun, Tells, WireRecord};
use poolscope::workload::model::Attempt;
use tempfile::TempDir;

use crate::support::{Control, NOOP, Setting, Story, both, patiently, pool, process, rules};

/// What the odd worker says is the result of task 0.
const TOLD: u64 = 777;

/// A folder with a worker program that behaves oddly the first time and is a worker from then on.
fn odd_once(behaviour: &str) -> TempDir {
    odd(&format!(
        "if mkdir \"$(dirname \"$0\")/once\" 2>/dev/null; then\n{behaviour}\nfi\nexec {} \"$@\"",
        env!("CARGO_BIN_EXE_poolscope")
    ))
}

fn odd(text: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("worker");
    std::fs::write(&path, format!("#!/bin/sh\nhere=\"$(dirname \"$0\")\"\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn with(setting: Setting, folder: &TempDir) -> Setting {
    let start_timeout = Duration::from_millis(400);
    Setting { worker_program: folder.path().join("worker").into(), start_timeout, ..setting }
}

/// The workers that had to be killed. The odd one is the first; more are there where those after it had no time to start.
fn killed(story: &Story) -> Vec<u32> {
    story.exits.iter().filter(|exit| exit.2 == Exit::Signal(libc::SIGKILL)).map(|exit| exit.1).collect()
}

#[test]
fn a_worker_that_says_nothing_is_replaced_at_its_start_timeout_and_its_task_is_not_lost() {
    let folder = odd_once("exec sleep 600");
    for engine in [pool, process] {
        patiently(Duration::from_millis(400), |limit| {
            let _ = std::fs::remove_dir(folder.path().join("once"));
            let control = Control::start();
            let setting = Setting { start_timeout: limit, ..with(engine(1), &folder) };
            let story = setting.tasks(20, NOOP, rules()).start().finish();
            let allowance = control.allowance();
            if killed(&story).len() > 1 {
                return false;
            }
            assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 20), "{:?}", story.notes);
            assert_eq!(story.attempts, [], "no attempt was made");
            let said = format!("said nothing for {limit:?}");
            let place = story.notes.iter().position(|note| note.contains(&said)).unwrap();
            // When it was killed; how long a killed process takes to be gone is the system's business.
            let (began, after) = (story.lives[&killed(&story)[0]].0, story.noted[place]);
            let life = after.since(began);
            assert!(life >= limit && life <= limit + allowance, "{life:?}, {allowance:?} allowed");
            story.nobody_is_left();
            true
        });
    }
}

#[test]
fn workers_that_never_say_anything_break_the_engine_with_that_reason() {
    let folder = odd("exec sleep 600");
    for setting in both(2) {
        let begin = Instant::now();
        let story = with(setting, &folder).tasks(100, NOOP, rules()).start().finish();
        assert_eq!(story.state, Some(RunState::Broken));
        assert!(story.notes.iter().any(|note| note.contains("in a row") && note.contains("said nothing")));
        assert!(story.started.len() < 12, "{} workers were started", story.started.len());
        assert!(begin.elapsed() < Duration::from_secs(20));
        assert_eq!(story.counts.cancelled, 100);
        story.nobody_is_left();
    }
}

#[test]
fn a_worker_that_begins_nothing_is_replaced_and_its_tasks_are_not_lost() {
    let folder = odd_once("cat \"$here/hello\" >&3; exec sleep 600");
    put_frames(folder.path());
    let story = with(pool(1), &folder).tasks(20, NOOP, rules()).start().finish();
    assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 20), "{:?}", story.notes);
    assert!(story.notes.iter().any(|note| note.contains("said nothing")), "{:?}", story.notes);
    story.nobody_is_left();
}

/// Frames for scripts to say: `hello`, and `done` with a result of task 0. Says how many bytes the parent sends up to that
/// task.
fn put_frames(folder: &Path) -> usize {
    let put = |name: &str, bytes: &[u8]| std::fs::File::create(folder.join(name)).unwrap().write_all(bytes).unwrap();
    let mut hello = Vec::new();
    protocol::put_hello(
        &mut hello,
        &Hello { protocol: protocol::VERSION, pid: 1, lanes: 1, tells: Tells::Board, began: 0, ready: 0 },
    );
    put("hello", &hello);
    let mut done = Vec::new();
    let record = WireRecord { index: 0, start: 1, service: 1, value: TOLD };
    protocol::put_done(&mut done, 0, &Usage::default(), &[record]);
    put("done", &done);
    let mut sent = Vec::new();
    protocol::put_setup(&mut sent, &Setup::of(1, 5e8));
    protocol::put_class(&mut sent, 0, &NOOP);
    protocol::put_tasks(
        &mut sent,
        0,
        &[TaskRun { first: 0, count: 1, class: 0, attempt: Attempt::FIRST, begin_by: 0 }],
    );
    sent.len()
}

#[test]
fn a_worker_that_closes_its_socket_and_lives_on_is_replaced_at_once_and_what_it_said_counts() {
    // Before its first word; after a result, with the next task on its way to it; in one direction only.
    let shut = |how: u32| {
        format!("exec perl -e 'open(my $s, \"+<&=\", 3) or die; shutdown($s, {how}) or die \"$!\"; sleep 600' 3<&3")
    };
    for (closes, tells) in [
        ("exec 3>&-; exec sleep 600".to_owned(), false),
        ("exec 3>&-; exec sleep 600".to_owned(), true),
        (shut(1), true),
        (shut(0), true),
    ] {
        let folder = odd_once("exec \"$here/odd\"");
        let length = put_frames(folder.path());
        let says = format!("cat \"$here/hello\" >&3; head -c {length} <&3 >/dev/null; cat \"$here/done\" >&3");
        let says = if tells { says } else { ":".to_owned() };
        let script = folder.path().join("odd");
        std::fs::write(&script, format!("#!/bin/sh\nhere=\"$(dirname \"$0\")\"\n{says}\n{closes}\n")).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        // The system tells nobody that a peer does not read any more until somebody writes. Here the next task is on its way
        // by then, so that one is found by its silence.
        let deaf = closes == shut(0);
        let check = |engine: fn(u32) -> Setting, start_timeout| {
            let _ = std::fs::remove_dir(folder.path().join("once"));
            let setting = Setting { start_timeout, ..with(engine(1), &folder) };
            let reuse = setting.policy == Policy::Reuse;
            let begin = Instant::now();
            let story = setting.tasks(20, NOOP, rules()).start().finish();
            if killed(&story).len() > 1 {
                return false;
            }
            assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 20), "{:?}", story.notes);
            let values: Vec<u64> = story.records.iter().filter(|r| r.index == 0).map(|r| r.value).collect();
            assert_eq!(values, [if tells { TOLD } else { 0 }], "{closes}");
            if reuse {
                let why = |note: &String| note.contains("closed its socket") || deaf && note.contains("said nothing");
                assert!(story.notes.iter().any(why), "{:?}", story.notes);
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "nobody waits for the start_timeout");
            assert_eq!(killed(&story).len(), 1, "{:?}", story.exits);
            story.nobody_is_left();
            true
        };
        for engine in [pool, process] {
            patiently(Duration::from_secs(if deaf { 1 } else { 30 }), |start_timeout| check(engine, start_timeout));
        }
    }
}
