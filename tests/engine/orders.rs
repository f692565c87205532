//! What workers are told beyond tasks, and what they say beyond results.

use std::time::Duration;

use poolscope::engine::dispatcher::{InitializerRules, Policy};
use poolscope::engine::event::{RunState, Slot};
use poolscope::engine::outcome::{Cause, Exit, Outcome};
use poolscope::engine::stream::ClassRules;
use poolscope::worker::protocol::Initialize;
use poolscope::workload::model::{BadResult, Fault, FaultKind, Trigger, Work};

use crate::support::{NOOP, Setting, both, every, foreigners, pool, rules, sleep};

#[test]
fn bytes_travel_to_every_worker_and_back() {
    // Also more than a frame holds.
    let bytes = |index: u64| vec![index as u8; if index == 3 { 2_500_000 } else { index as usize * 100 }];
    let mut values = Vec::new();
    for mut setting in every(2) {
        setting.orders.payload = Some(Box::new(move |_, index, _| (index % 2 == 1).then(|| Ok(bytes(index)))));
        let mut story = setting.tasks(20, Work::Echo, rules()).start().finish();
        assert_eq!(story.counts.succeeded, 20, "{:?} {:?}", story.notes, story.attempts);
        // Whether a task that returns nothing says so is left to the worker.
        assert_eq!(story.returned.iter().filter(|(_, back)| !back.is_empty()).count(), 10);
        story.records.sort_unstable_by_key(|record| record.index);
        values.push(story.records.iter().map(|record| record.value).collect::<Vec<_>>());
        for (index, back) in &story.returned {
            assert!(*back == if index % 2 == 1 { bytes(*index) } else { Vec::new() }, "task {index}");
        }
    }
    assert!(values.iter().all(|other| *other == values[0]), "the same in every language: {values:?}");
}

#[test]
fn every_worker_is_initialized_before_its_first_task() {
    for mut setting in every(2) {
        setting.initializer = Some(InitializerRules { timeout: None, max_failures: 3 });
        setting.orders.initialize =
            Some(Initialize { cpu_ns: 30_000_000, memory_bytes: 1 << 20, ..Initialize::default() });
        let kept = setting.workers_are_kept();
        let story = setting.tasks(6, sleep(20), rules()).start().finish();
        assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 6), "{:?}", story.notes);
        // Each worker once; but one that was not needed any more when it had done it is not told.
        assert!((1..=story.started.len()).contains(&story.initialized.len()), "{:?}", story.initialized);
        let slots: std::collections::BTreeSet<Slot> = story.initialized.iter().map(|told| told.0.slot).collect();
        assert_eq!(story.initialized.len(), if kept { slots.len() } else { 6 });
        assert!(story.initialized.iter().all(|(_, wall, cpu)| !wall.is_zero() && !cpu.is_zero()));
        // Nothing begins before the quickest of them can have been through with it.
        assert!(story.records.iter().all(|record| record.start.since(story.first_start()) > Duration::from_millis(10)));
    }
}

#[test]
fn initializers_that_fail_are_told_and_the_engine_gives_up_after_some() {
    for mut setting in [pool(2)].into_iter().chain(foreigners(2)) {
        setting.initializer = Some(InitializerRules { timeout: None, max_failures: 3 });
        setting.orders.initialize = Some(Initialize { fail_rate: 1.0, ..Initialize::default() });
        let story = setting.tasks(10, NOOP, rules()).start().finish();
        assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Broken), 0), "{:?}", story.notes);
        assert!(story.notes.iter().any(|note| note.contains("initializer")), "{:?}", story.notes);
        assert!(story.started.len() < 12, "{} workers were started", story.started.len());
    }
}

#[test]
fn faults_happen_where_they_are_to_in_both_engines() {
    for mut setting in both(2) {
        let fault = |kind, task| Fault { kind, at: Trigger::Index(task), class: None, draw: None };
        setting.orders.faults = vec![
            fault(FaultKind::Crash(libc::SIGABRT), 5),
            fault(FaultKind::Hang, 11),
            fault(FaultKind::BadResult(BadResult::Wrong), 13),
        ];
        let limited = ClassRules { timeout: Some(Duration::from_millis(200)), ..rules() };
        let story = setting.tasks(20, sleep(1), limited).start().finish();
        let outcomes: Vec<_> = [5, 11]
            .map(|task| story.attempts.iter().find(|report| report.index == task).map(|report| report.outcome))
            .into();
        assert_eq!(outcomes, [Some(Outcome::Lost), Some(Outcome::TimedOut)], "{:?}", story.attempts);
        assert_eq!(story.counts.succeeded, 18);
        let wrong: Vec<u64> = story.records.iter().filter(|r| r.value != 1_000_000).map(|r| r.index).collect();
        assert_eq!(wrong, [13]);
        let crash = story.attempts.iter().find(|report| report.index == 5).unwrap();
        assert!(matches!(crash.cause, Cause::WorkerDied { exit: Exit::Signal(libc::SIGABRT), .. }), "{crash:?}");
        assert!(crash.stderr_tail.contains("crash in task 5"), "its last words: {:?}", crash.stderr_tail);
    }
}

#[test]
fn workers_that_talk_without_end_are_never_held_up_and_their_last_words_are_kept() {
    for mut setting in both(1) {
        // Far more than a pipe holds, to both streams, and not a word of the protocol; then a traceback.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("worker");
        let talk = "i=0; while [ $i -lt 6000 ]; do echo \"out $i, and more\"; echo \"err $i\" >&2; i=$((i+1)); done";
        std::fs::write(&path, format!("#!/bin/sh\n{talk}\necho Traceback: the end >&2\nexit 9\n")).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        setting.worker_program = path.into_os_string();
        let story = setting.tasks(1_000, NOOP, rules()).start().finish();
        assert_eq!(story.state, Some(RunState::Broken));
        assert!(story.exits.iter().all(|exit| exit.2 == Exit::Code(9)), "nobody had to be ended: {:?}", story.exits);
        assert!(story.notes.iter().any(|note| note.contains("Traceback: the end")), "{:?}", story.notes);
    }
}

#[test]
fn lanes_of_one_worker_run_every_task_and_share_its_process() {
    let setting = Setting { policy: Policy::OneWorker, ..pool(4) };
    let running = setting.tasks(8, sleep(150), rules()).tasks(20_000, NOOP, rules()).start();
    let story = running.until("all lanes are busy", |story| story.counts.running == 4);
    assert_eq!(story.started.len(), 1);
    running.command(poolscope::engine::control::Command::Resize(std::num::NonZeroU32::new(6).unwrap()));
    let story = running.finish();
    assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 20_008), "{:?}", story.notes);
    assert_eq!(story.started.len(), 1, "one process for all of them");
    let mut indices: Vec<u64> = story.records.iter().map(|record| record.index).collect();
    indices.sort_unstable();
    assert!(indices.into_iter().eq(0..20_008));
    assert_eq!(story.exits[0].2, Exit::Code(0));
    // A lane does one thing at a time, and several do several.
    let sleeps: Vec<_> = story.records.iter().filter(|record| record.index < 8).collect();
    let at_once = |moment| sleeps.iter().filter(|r| r.start <= moment && moment.0 < r.start.0 + r.service).count();
    let most = sleeps.iter().map(|record| at_once(record.start)).max().unwrap();
    assert!((4..=6).contains(&most), "{most} at once");
}
