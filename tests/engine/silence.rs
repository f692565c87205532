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
use poolscope::workload::model::{Attempt, Kernel, Work};
use tempfile::TempDir;

use crate::support::{Control, Setting, Story, both, lives, rules};

const NOOP: Work = Work::Kernel(Kernel::Noop);
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

fn with(mut setting: Setting, folder: &TempDir) -> Setting {
    setting.worker_program = folder.path().join("worker").into();
    setting.start_timeout = Duration::from_millis(400);
    setting
}

fn nobody_is_left(story: &Story) {
    assert!(story.started.iter().all(|(_, pid, _)| !lives(*pid)));
    assert_eq!(story.started.len(), story.exits.len(), "every worker that was started was reaped");
}

/// How long the only worker that had to be killed lived.
fn life_of_the_killed(story: &Story) -> Duration {
    let killed: Vec<u32> =
        story.exits.iter().filter(|exit| exit.2 == Exit::Signal(libc::SIGKILL)).map(|exit| exit.1).collect();
    assert_eq!(killed.len(), 1, "{:?}", story.exits);
    let (began, ended) = story.lives[&killed[0]];
    ended.unwrap().since(began)
}

#[test]
fn a_worker_that_says_nothing_is_replaced_at_its_start_timeout_and_its_task_is_not_lost() {
    let folder = odd_once("exec sleep 600");
    for setting in both(1) {
        let _ = std::fs::remove_dir(folder.path().join("once"));
        let limit = Duration::from_millis(400);
        let control = Control::start();
        let story = with(setting, &folder).tasks(20, NOOP, rules()).start().finish();
        let allowance = control.allowance();
        assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 20), "{:?}", story.notes);
        assert_eq!(story.attempts, [], "no attempt was made");
        assert!(story.notes.iter().any(|note| note.contains("said nothing for 400ms")), "{:?}", story.notes);
        let life = life_of_the_killed(&story);
        assert!(life >= limit && life <= limit + allowance, "{life:?}, {allowance:?} allowed");
        nobody_is_left(&story);
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
        nobody_is_left(&story);
    }
}

#[test]
fn a_worker_that_begins_nothing_is_replaced_and_its_tasks_are_not_lost() {
    let folder = odd_once("cat \"$here/hello\" >&3; exec sleep 600");
    put_frames(folder.path());
    let story = with(crate::support::pool(1), &folder).tasks(20, NOOP, rules()).start().finish();
    assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 20), "{:?}", story.notes);
    assert!(story.notes.iter().any(|note| note.contains("said nothing")), "{:?}", story.notes);
    nobody_is_left(&story);
}

/// Frames for scripts to say: `hello`, and `done` with a result of task 0. Says how many bytes the parent sends up to that
/// task.
fn put_frames(folder: &Path) -> usize {
    let put = |name: &str, bytes: &[u8]| std::fs::File::create(folder.join(name)).unwrap().write_all(bytes).unwrap();
    let mut hello = Vec::new();
    protocol::put_hello(&mut hello, &Hello { protocol: protocol::VERSION, pid: 1, lanes: 1, tells: Tells::Board });
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
        false,
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
        for setting in both(1) {
            let _ = std::fs::remove_dir(folder.path().join("once"));
            let reuse = setting.policy == Policy::Reuse;
            let mut setting = with(setting, &folder);
            // The system tells nobody that a peer does not read any more until somebody writes. Here the next task is on
            // its way by then, so that one is found by its silence.
            let deaf = closes == shut(0);
            setting.start_timeout = if deaf { Duration::from_secs(1) } else { Duration::from_secs(30) };
            let begin = Instant::now();
            let story = setting.tasks(20, NOOP, rules()).start().finish();
            assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 20), "{:?}", story.notes);
            let values: Vec<u64> = story.records.iter().filter(|r| r.index == 0).map(|r| r.value).collect();
            assert_eq!(values, [if tells { TOLD } else { 0 }], "{closes}");
            if reuse {
                let why = |note: &String| note.contains("closed its socket") || deaf && note.contains("said nothing");
                assert!(story.notes.iter().any(why), "{:?}", story.notes);
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "nobody waits for the start_timeout");
            life_of_the_killed(&story);
            nobody_is_left(&story);
        }
    }
}
