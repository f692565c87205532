//! Workers that are well and replaced all the same, and what goes wrong because it was asked for.

use std::num::NonZeroU64;
use std::time::Duration;

use poolscope::engine::control::Command;
use poolscope::engine::dispatcher::InitializerRules;
use poolscope::engine::dispatcher::window::Chunk;
use poolscope::engine::event::{RunState, Slot};
use poolscope::engine::outcome::{Cause, Exit, Outcome};
use poolscope::engine::stream::ClassRules;
use poolscope::worker::protocol::Initialize;
use poolscope::workload::model::{BadResult, Fault, FaultKind, OnTimeout, Recycling, Trigger};

use crate::support::{NOOP, both, foreigners, perls, pool, rules, sleep};

#[test]
fn a_worker_is_replaced_after_its_number_of_tasks_and_nothing_is_lost() {
    for chunk in [Chunk::Fixed(1), Chunk::Fixed(7), Chunk::Adaptive] {
        for mut setting in [pool(2)].into_iter().chain(foreigners(2)) {
            setting.recycling = Recycling { max_tasks: NonZeroU64::new(10), max_rss_bytes: None };
            setting.chunk = chunk;
            let story = setting.tasks(100, NOOP, rules()).start().finish();
            assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 100), "{:?}", story.notes);
            assert_eq!(story.counts.lost + story.counts.retries, 0);
            // Ten each, and none has more: as many as it takes, and at most one for each place that found nothing left.
            assert!((10..=12).contains(&story.started.len()), "{chunk:?}: {:?}", story.started);
            assert!(story.exits.iter().all(|exit| exit.2 == Exit::Code(0)), "{:?}", story.exits);
        }
    }
}

#[test]
fn tasks_that_a_worker_skips_are_none_of_those_that_it_may_do() {
    let mut setting = pool(1);
    setting.recycling = Recycling { max_tasks: NonZeroU64::new(10), max_rss_bytes: None };
    setting.chunk = Chunk::Fixed(10);
    let hasty = ClassRules { queue_timeout: Some(Duration::from_millis(50)), ..rules() };
    let story = setting.tasks(1, sleep(400), rules()).tasks(9, NOOP, hasty).tasks(8, NOOP, rules()).start().finish();
    assert_eq!((story.counts.succeeded, story.counts.queue_timed_out), (9, 9), "{:?}", story.notes);
    assert_eq!(story.started.len(), 1, "it has done nine: {:?}", story.started);
}

#[test]
fn a_worker_that_grows_is_replaced_after_the_task_in_which_it_outgrew_its_limit() {
    let leak = |bytes| vec![Fault { kind: FaultKind::Leak(bytes), at: Trigger::Rate(1.0), class: None, draw: None }];
    let started = |bytes| {
        let mut setting = pool(1);
        setting.recycling = Recycling { max_tasks: None, max_rss_bytes: Some(64 << 20) };
        setting.orders.faults = leak(bytes);
        setting.chunk = Chunk::Fixed(1);
        let story = setting.tasks(30, sleep(2), rules()).start().finish();
        assert_eq!(story.counts.succeeded, 30, "{:?}", story.notes);
        story.started.len()
    };
    assert_eq!(started(1 << 10), 1, "thirty small ones do not matter");
    // A worker holds 8 MiB more after each task and some to begin with: seven or eight of them.
    assert!((4..=6).contains(&started(8 << 20)));
}

#[test]
fn a_worker_is_killed_when_it_was_laid_down() {
    for mut setting in both(2) {
        setting.kills = vec![(Duration::from_millis(150), None), (Duration::from_millis(300), Some(Slot(1)))];
        let story = setting.tasks(30, sleep(50), rules()).start().finish();
        assert_eq!(story.counts.lost, 2, "{:?}", story.attempts);
        assert_eq!(story.counts.succeeded, 28);
        for report in &story.attempts {
            assert_eq!(report.outcome, Outcome::Lost);
            assert!(matches!(report.cause, Cause::WorkerDied { exit: Exit::Signal(libc::SIGKILL), .. }), "{report:?}");
        }
    }
}

#[test]
fn what_cannot_be_a_result_loses_its_own_task_and_no_other() {
    for bad in [BadResult::Undecodable, BadResult::Oversized] {
        let ours = both(2).into_iter().map(|setting| (true, setting));
        for (tells, mut setting) in ours.chain(perls(2).map(|setting| (false, setting))) {
            let kind = FaultKind::BadResult(bad);
            setting.orders.faults = vec![Fault { kind, at: Trigger::Index(7), class: None, draw: None }];
            let story = setting.tasks(40, sleep(1), rules()).start().finish();
            let lost: Vec<u64> = story.attempts.iter().map(|report| report.index).collect();
            assert_eq!((story.counts.succeeded, lost), (39, vec![7]), "{bad:?}: {:?}", story.notes);
            let whose = |note: &&String| note.contains("a fault that was asked for (bad_result): ");
            // A worker that does not know the board cannot say so.
            let told = story.notes.iter().filter(whose).count();
            assert_eq!(told, usize::from(tells), "{bad:?}: {:?}", story.notes);
            // Its worker was ended for it, and its attempt says nothing else.
            assert_eq!(story.attempts[0].exit, Some(Exit::Signal(libc::SIGKILL)), "{bad:?}");
        }
    }
}

#[test]
fn a_crash_has_the_cause_that_was_asked_for() {
    for (kind, exit) in [
        (FaultKind::Exit(3), Exit::Code(3)),
        (FaultKind::Crash(libc::SIGSEGV), Exit::Signal(libc::SIGSEGV)),
        (FaultKind::Crash(libc::SIGTERM), Exit::Signal(libc::SIGTERM)),
    ] {
        for mut setting in both(1).into_iter().chain(perls(1)) {
            setting.orders.faults = vec![Fault { kind, at: Trigger::Index(2), class: None, draw: None }];
            let story = setting.tasks(5, sleep(1), rules()).start().finish();
            assert_eq!((story.counts.succeeded, story.counts.lost), (4, 1), "{kind:?} {:?}", story.notes);
            let cause = &story.attempts[0].cause;
            assert!(matches!(cause, Cause::WorkerDied { exit: found, .. } if *found == exit), "{kind:?}: {cause:?}");
        }
    }
}

#[test]
fn faults_that_follow_each_other_in_new_workers_are_not_taken_for_a_broken_program() {
    for mut setting in both(2) {
        let kind = FaultKind::BadResult(BadResult::Undecodable);
        setting.orders.faults = vec![Fault { kind, at: Trigger::Rate(1.0), class: None, draw: None }];
        setting.recycling = Recycling { max_tasks: NonZeroU64::new(1), max_rss_bytes: None };
        let story = setting.tasks(30, sleep(1), rules()).start().finish();
        assert_eq!((story.state, story.attempts.len()), (Some(RunState::Finished), 30), "{:?}", story.notes);
    }
}

#[test]
fn the_engine_gives_up_after_exactly_so_many_failures_of_an_initializer() {
    for failures in [1, 3] {
        let mut setting = pool(1);
        setting.initializer = Some(InitializerRules { timeout: None, max_failures: failures });
        setting.orders.initialize = Some(Initialize { fail_rate: 1.0, ..Initialize::default() });
        let story = setting.tasks(5, NOOP, rules()).start().finish();
        assert_eq!(
            (story.state, story.started.len()),
            (Some(RunState::Broken), failures as usize),
            "{:?}",
            story.notes
        );
    }
}

#[test]
fn it_is_told_that_nothing_but_ghosts_is_at_work() {
    let abandoned = ClassRules { timeout: Some(Duration::from_millis(50)), on_timeout: OnTimeout::Abandon, ..rules() };
    for setting in both(2) {
        let running = setting.tasks(4, sleep(3_600_000), abandoned).start();
        running.until("it is told", |story| story.notes.iter().any(|note| note.contains("caller has given up")));
        running.command(Command::Kill);
        assert_eq!(running.finish().counts.timed_out, 2);
    }
}
