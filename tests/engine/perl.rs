//! A worker that a second author wrote from the document of the protocol: what that leaves open is filled in another way.

use std::time::Duration;

use poolscope::engine::control::Command;
use poolscope::engine::dispatcher::InitializerRules;
use poolscope::engine::dispatcher::window::Chunk;
use poolscope::engine::driver::WorkerOrders;
use poolscope::engine::event::RunState;
use poolscope::engine::outcome::{Cause, Exit, Outcome};
use poolscope::engine::stream::ClassRules;
use poolscope::worker::protocol::Initialize;
use poolscope::workload::model::{BadResult, Fault, FaultKind, Trigger};
use poolscope::workload::model::{Dist, Kernel, Retries, Work};

use crate::support::{Setting, foreign, pool, process, rules, shell};

const NOOP: Work = Work::Kernel(Kernel::Noop);

fn sleep(millis: u64) -> Work {
    Work::Sleep(Dist::Constant(Duration::from_millis(millis)))
}

/// The setting with each way in which the worker can tell what it is in.
fn each(setting: fn() -> Setting) -> impl Iterator<Item = Setting> {
    ["started", "nothing"].into_iter().map(move |tells| Setting { worker_program: foreign::perl(tells), ..setting() })
}

fn check_all_succeed(setting: Setting, count: u64) {
    let story = setting.tasks(count, NOOP, rules()).start().finish();
    assert_eq!(story.state, Some(RunState::Finished), "{:?}", story.notes);
    let mut indices: Vec<u64> = story.records.iter().map(|record| record.index).collect();
    indices.sort_unstable();
    assert!(indices.into_iter().eq(0..count));
    assert!(story.records.iter().all(|record| record.value == record.index));
    assert!(story.exits.iter().all(|exit| exit.2 == Exit::Code(0)), "{:?}", story.exits);
    assert_eq!(story.exits.len(), story.started.len());
}

#[test]
fn every_task_runs_once() {
    for setting in each(|| pool(2)) {
        check_all_succeed(setting, 5_000);
    }
    for chunk in [1, 7, 5000] {
        for setting in each(|| pool(3)) {
            check_all_succeed(Setting { chunk: Chunk::Fixed(chunk), ..setting }, 2_000);
        }
    }
    for setting in each(|| process(2)) {
        check_all_succeed(setting, 10);
    }
}

#[test]
fn bytes_travel_and_come_back_with_the_same_values_as_from_ours() {
    let bytes = |index: u64| vec![index as u8; if index == 3 { 2_500_000 } else { index as usize * 100 }];
    let mut values = Vec::new();
    for mut setting in std::iter::once(pool(2)).chain(each(|| pool(2))) {
        setting.orders.payload = Some(Box::new(move |index| (index % 2 == 1).then(|| bytes(index))));
        let mut story = setting.tasks(20, Work::Echo, rules()).start().finish();
        assert_eq!(story.counts.succeeded, 20, "{:?} {:?}", story.notes, story.attempts);
        let came: Vec<_> = story.returned.iter().filter(|(_, back)| !back.is_empty()).collect();
        assert_eq!(came.len(), 10);
        assert!(came.iter().all(|(index, back)| *back == bytes(*index)));
        story.records.sort_unstable_by_key(|record| record.index);
        values.push(story.records.iter().map(|record| record.value).collect::<Vec<_>>());
    }
    assert!(values.iter().all(|other| *other == values[0]), "{values:?}");
}

#[test]
fn workers_are_initialized_or_leave() {
    for mut setting in each(|| pool(2)) {
        setting.initializer = Some(InitializerRules { timeout: None, max_failures: 3 });
        let what = Initialize { cpu_ns: 30_000_000, memory_bytes: 1 << 20, ..Initialize::default() };
        setting.orders.initialize = Some(what);
        let story = setting.tasks(6, sleep(20), rules()).start().finish();
        assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 6), "{:?}", story.notes);
        assert_eq!(story.initialized.len(), story.started.len(), "each worker, once");
        assert!(story.initialized.iter().all(|(_, wall, cpu)| !wall.is_zero() && *cpu >= Duration::from_millis(30)));
    }
    for mut setting in each(|| pool(2)) {
        setting.initializer = Some(InitializerRules { timeout: None, max_failures: 3 });
        setting.orders.initialize = Some(Initialize { fail_rate: 1.0, ..Initialize::default() });
        let story = setting.tasks(10, NOOP, rules()).start().finish();
        assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Broken), 0), "{:?}", story.notes);
        assert!(story.notes.iter().any(|note| note.contains("initializer")), "{:?}", story.notes);
    }
}

#[test]
fn a_chunk_is_reported_whole_or_as_it_goes() {
    for whole_chunks in [true, false] {
        for setting in each(|| pool(1)) {
            let orders = WorkerOrders { whole_chunks, ..WorkerOrders::default() };
            let setting = Setting { chunk: Chunk::Fixed(10), orders, ..setting };
            let story = setting.tasks(30, sleep(5), rules()).start().finish();
            assert_eq!(story.counts.succeeded, 30, "{:?}", story.notes);
            assert_eq!(story.batches.iter().copied().max().unwrap() == 10, whole_chunks, "{:?}", story.batches);
        }
    }
}

#[test]
fn what_it_cannot_do_fails_and_what_comes_too_late_is_not_begun() {
    let impatient = ClassRules { queue_timeout: Some(Duration::from_millis(100)), ..rules() };
    for setting in each(|| pool(1)) {
        let setting = Setting { chunk: Chunk::Fixed(10), ..setting };
        let setting = setting.tasks(1, sleep(300), rules()).tasks(4, sleep(1), impatient).tasks(3, NOOP, rules());
        let story = setting.tasks(2, shell("exit 0"), rules()).start().finish();
        let counts = story.counts;
        assert_eq!((counts.succeeded, counts.queue_timed_out, counts.failed), (4, 4, 2), "{:?}", story.attempts);
        assert!(story.exits.iter().all(|exit| exit.2 == Exit::Code(0)), "nobody had to be ended: {:?}", story.exits);
    }
}

#[test]
fn a_worker_that_dies_hangs_or_errs_costs_one_attempt() {
    let again = Retries { max: 1, ..rules().retries };
    let limited = ClassRules { timeout: Some(Duration::from_millis(300)), retries: again, ..rules() };
    for mut setting in each(|| pool(2)) {
        let fault = |kind, at| Fault { kind, at, class: None };
        let faults =
            [(FaultKind::Crash(libc::SIGABRT), 5), (FaultKind::Hang, 11), (FaultKind::BadResult(BadResult::Wrong), 13)];
        setting.orders.faults = faults.map(|(kind, task)| fault(kind, Trigger::Index(task))).into();
        let setting = Setting { chunk: Chunk::Fixed(4), ..setting };
        let story = setting.tasks(20, sleep(1), limited).start().finish();
        assert_eq!((story.counts.succeeded, story.counts.lost, story.counts.timed_out), (18, 1, 1));
        let of = |task| story.attempts.iter().filter(move |report| report.index == task);
        assert_eq!([of(5).count(), of(11).count()], [2, 2], "each was tried again: {:?}", story.attempts);
        assert!(
            of(5).all(|report| matches!(report.cause, Cause::WorkerDied { exit: Exit::Signal(libc::SIGABRT), .. }))
        );
        assert!(of(11).all(|report| report.outcome == Outcome::TimedOut));
        let wrong: Vec<u64> = story.records.iter().filter(|r| r.value == !1_000_000).map(|r| r.index).collect();
        assert_eq!(wrong, [13]);
    }
}

#[test]
fn one_that_is_no_longer_wanted_leaves_after_its_task() {
    for setting in each(|| pool(3)) {
        let setting = Setting { chunk: Chunk::Fixed(10), ..setting };
        let running = setting.tasks(60, sleep(20), rules()).start();
        running.until("all work", |story| story.counts.running == 3);
        running.command(Command::Resize(std::num::NonZeroU32::new(1).unwrap()));
        let story = running.until("two have left", |story| story.exits.len() == 2);
        assert!(story.counts.succeeded < 60, "they have not done all they held");
        let story = running.finish();
        assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 60), "{:?}", story.notes);
        assert!(story.exits.iter().all(|exit| exit.2 == Exit::Code(0)), "{:?}", story.exits);
        assert!(story.attempts.is_empty(), "nothing was lost: {:?}", story.attempts);
    }
}
