//! C14, C32, C35, C36, C39: who works, who is replaced, and how many they are.

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::os::unix::fs::PermissionsExt as _;

use poolscope::engine::control::Command;
use poolscope::engine::dispatcher::InitializerRules;
use poolscope::engine::dispatcher::window::Chunk;
use poolscope::engine::error::EngineError;
use poolscope::engine::event::{Moment, RunState};
use poolscope::engine::outcome::Exit;
use poolscope::engine::stream::{Admission, ClosedLoop};
use poolscope::worker::protocol::Initialize;
use poolscope::workload::model::Recycling;

use crate::engines::Engine;
use crate::processes::at_work;
use crate::support::{Running, Setting, Story, lives, rules, sleep};

fn pids(story: &Story) -> BTreeSet<u32> {
    story.slots.iter().filter_map(|slot| slot.pid).collect()
}

/// Most processes that there were at once.
fn most_at_once(story: &Story) -> usize {
    let there =
        |at: Moment| story.lives.values().filter(|life| life.0 <= at && life.1.is_none_or(|end| end > at)).count();
    story.lives.values().map(|life| there(life.0)).max().unwrap_or(0)
}

/// All results are right, and there are as many workers as before.
pub(crate) fn workers_are_replaced_after_their_number_of_tasks(engine: &Engine) {
    for chunk in [Chunk::Fixed(1), Chunk::Fixed(7), Chunk::Adaptive] {
        let mut setting = engine.of(2);
        setting.recycling = Recycling { max_tasks: NonZeroU64::new(6), max_rss_bytes: None };
        setting.chunk = chunk;
        let running = setting.tasks(60, sleep(5), rules()).start();
        running.until("some were replaced, and as many are there", |story| {
            story.exits.len() >= 3 && (pids(story).len() == 2 || story.state.is_some_and(RunState::is_over))
        });
        // No more will be submitted; what waits is done all the same.
        let story = running.finish();
        assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 60), "{:?}", story.notes);
        assert!(story.records.iter().all(|record| record.index < 60));
        assert_eq!((story.counts.lost, story.counts.retries), (0, 0));
        assert!((10..=12).contains(&story.started.len()), "{chunk:?}: {:?}", story.started);
        assert!(story.exits.iter().all(|exit| exit.2 == Exit::Code(0)), "{:?}", story.exits);
        assert!(story.lives.len() >= 10, "each has a pid of its own");
    }
}

/// A number of tasks is 1 or more, whole, and a number.
pub(crate) fn a_number_of_tasks_that_is_none_is_refused(_: &Engine) {
    let load = |number: &str| {
        let text = format!(
            "version: 1\nname: w\ntasks: [{{ name: t, kind: kernel, kernel: noop, count: 1 }}]\n\
             engines: [{{ kind: pool, workers: 2, max_tasks_per_child: {number} }}]\n"
        );
        poolscope::load(&text, "w").map_err(|diagnostics| diagnostics.to_string())
    };
    assert_eq!(load("12").unwrap().workload.engines[0].recycling.max_tasks, NonZeroU64::new(12));
    for number in ["0", "-1", "0.5", "\"12\""] {
        let refused = load(number).map(|_| ()).unwrap_err();
        assert!(refused.contains("max_tasks_per_child") && refused.contains(":4:"), "{number}: {refused}");
    }
}

fn initialized(engine: &Engine, workers: u32, initialize: Initialize) -> Setting {
    let mut setting = engine.of(workers);
    setting.initializer = Some(InitializerRules { timeout: None, max_failures: 3 });
    setting.orders.initialize = Some(initialize);
    setting
}

/// It says so after as many failures as it may have, and has started hardly more workers than that.
pub(crate) fn an_initializer_that_fails_breaks_the_engine_and_starts_no_storm(engine: &Engine) {
    let setting = initialized(engine, 4, Initialize { fail_rate: 1.0, ..Initialize::default() });
    let story = setting.tasks(100, sleep(1), rules()).start().finish();
    let error = story.error.as_deref();
    assert!(matches!(error, Some(EngineError::Initializer { times: 3, .. })), "{error:?}, {:?}", story.notes);
    let started = story.started.len() + story.fork_server_exits.len();
    assert!((3..=6).contains(&started), "{started} were started");
    assert_eq!((story.state, story.counts.cancelled), (Some(RunState::Broken), 100));
}

/// Once for each worker, or once for all that are forked from who ran it; never again.
pub(crate) fn an_initializer_runs_once_for_each_worker(engine: &Engine) {
    let setting = initialized(engine, 2, Initialize { cpu_ns: 5_000_000, ..Initialize::default() });
    let forked = setting.fork_server;
    let story = setting.tasks(8, sleep(150), rules()).start().finish();
    assert_eq!(story.counts.succeeded, 8, "{:?}", story.notes);
    let ran: BTreeSet<_> = story.initialized.iter().map(|told| told.0).collect();
    assert_eq!(ran.len(), story.initialized.len(), "once each: {:?}", story.initialized);
    let in_servers = story.fork_servers.iter().filter(|server| server.1.is_some()).count();
    let wanted = if forked { (0, 1) } else { (story.started.len(), 0) };
    assert_eq!((ran.len(), in_servers), wanted);
}

fn resize(running: &Running, workers: u32) {
    running.command(Command::Resize(workers.try_into().unwrap()));
}

/// From 2 to 1 to 2: who goes has finished its task, who stays is the same process.
pub(crate) fn who_survives_a_resize_keeps_its_process(engine: &Engine) {
    let running = engine.of(2).tasks(100, sleep(30), rules()).start();
    let two: BTreeSet<u32> = at_work(&running, 2).into_iter().collect();
    resize(&running, 1);
    let one = pids(&running.until("one is left", |story| pids(story).len() == 1 && story.exits.len() == 1));
    assert!(one.is_subset(&two), "{one:?} of {two:?}");
    resize(&running, 2);
    let again = pids(&running.until("there are two again", |story| pids(story).len() == 2));
    assert!(one.is_subset(&again), "{one:?} stays among {again:?}");
    let story = running.finish();
    assert_eq!((story.counts.succeeded, story.started.len()), (100, 3), "{:?}", story.attempts);
}

/// While work goes on: 12, 2, 1, 12, 6, 1, 8, 5.
pub(crate) fn a_sequence_of_sizes_loses_nothing(engine: &Engine) {
    let running = engine.of(2).tasks(2_000, sleep(10), rules()).start();
    for workers in [12, 2, 1, 12, 6, 1, 8, 5] {
        resize(&running, workers);
        let asked = running.story().at;
        let story = running.until("concurrency follows", |story| {
            let over = story.state.is_some_and(RunState::is_over);
            // Of processes that end with their tasks, hardly ever are all there at once.
            let there = pids(story).len() == workers as usize || !engine.keeps_workers();
            over || story.at > asked && there && story.slots.len() == workers as usize
        });
        assert!(!story.state.is_some_and(RunState::is_over), "the run was over before it was resized to {workers}");
    }
    resize(&running, 12);
    let story = running.finish();
    assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 2_000), "{:?}", story.attempts);
}

/// Three can be started, the fourth and all after it cannot: the engine breaks, and the three are gone.
pub(crate) fn a_construction_that_fails_midway_leaves_nobody(engine: &Engine) {
    let mut setting = engine.of(5);
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("worker");
    let text = format!(
        "#!/bin/sh\nfor n in 1 2 3; do mkdir '{}'/$n 2>/dev/null && exec '{}' \"$@\"; done\nexit 9\n",
        folder.path().display(),
        setting.worker_program.to_str().unwrap()
    );
    std::fs::write(&program, text).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    setting.worker_program = program.into();
    let story = setting.tasks(100, sleep(600_000), rules()).start().finish();
    assert_eq!(story.state, Some(RunState::Broken), "{:?}", story.notes);
    assert!(story.notes.iter().any(|note| note.contains("in a row")), "{:?}", story.notes);
    assert!((4..30).contains(&story.started.len()), "{} were started", story.started.len());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4, "three were there");
    assert!(story.started.iter().all(|started| !lives(started.1)));
    assert_eq!(story.counts.finished(), 100);
}

/// Saturated, an engine has as many processes as it may have, and no task waits for another one.
pub(crate) fn there_are_never_more_workers_than_there_may_be(engine: &Engine) {
    let running = engine.of(3).tasks(60, sleep(30), rules()).start();
    at_work(&running, 3);
    let story = running.finish();
    assert_eq!(story.counts.succeeded, 60);
    assert_eq!(most_at_once(&story), 3);
    assert_eq!(story.started.len(), if engine.keeps_workers() { 3 } else { 60 });
}

/// One task after the other: those who were started at the beginning do all of them.
pub(crate) fn an_idle_worker_comes_before_a_new_one(engine: &Engine) {
    let admission = Admission::Submitted { submitter: Box::new(ClosedLoop::new(20)), capacity: Some(1) };
    let setting = Setting { admission, ..engine.of(4) };
    let story = setting.tasks(20, sleep(10), rules()).start().finish();
    assert_eq!((story.counts.succeeded, story.most_in_system), (20, 1));
    let nobody_is_new = story.started.len() <= 4 && story.started.iter().all(|(_, _, restart)| !restart);
    assert!(nobody_is_new, "{:?}", story.started);
}
