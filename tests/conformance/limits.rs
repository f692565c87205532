//! C27, C28, C33, C34: limits, each met when it is and by nobody else; asserted from both sides.

use std::time::Duration;

use poolscope::engine::control::Command;
use poolscope::engine::dispatcher::InitializerRules;
use poolscope::engine::error::EngineError;
use poolscope::engine::event::{RunState, Slot};
use poolscope::engine::outcome::{Cause, Exit, Outcome};
use poolscope::engine::stream::ClassRules;
use poolscope::worker::protocol::Initialize;
use poolscope::workload::model::{Fault, FaultKind, Trigger};

use crate::engines::Engine;
use crate::harness::on_time;
use crate::processes::at_work;
use crate::support::{Control, NOOP, Setting, Story, rules, shell, sleep};

const FOREVER: u64 = 600_000;

fn within(millis: u64) -> ClassRules {
    ClassRules { timeout: Some(Duration::from_millis(millis)), ..rules() }
}

/// The pid of who is in the second task, on the only place there is.
fn next(running: &crate::support::Running) -> u32 {
    let pid = |story: &Story| story.slots.iter().find(|slot| slot.task.is_some_and(|task| task.0 == 1))?.pid;
    pid(&running.until("the next one has begun", |story| pid(story).is_some())).unwrap()
}

/// It errs at its moment, and the process that it was in does nothing else.
pub(crate) fn after_a_timeout_the_next_task_has_a_new_process(engine: &Engine) {
    on_time(|| {
        let (limit, control) = (Duration::from_millis(300), Control::start());
        let running = engine.of(1).tasks(1, sleep(FOREVER), within(300)).tasks(1, sleep(500), rules()).start();
        let second = next(&running);
        let story = running.finish();
        let allowance = control.allowance();
        assert_eq!((story.counts.timed_out, story.counts.succeeded), (1, 1), "{:?}", story.attempts);
        let report = &story.attempts[0];
        assert_eq!((&report.cause, report.exit), (&Cause::Timeout { limit }, Some(Exit::Signal(libc::SIGTERM))));
        assert_ne!(report.pid, Some(second));
        let service = report.service.unwrap();
        assert!(service >= limit, "{service:?}");
        service <= limit + allowance
    });
}

/// The same on request.
pub(crate) fn a_cancelled_task_is_lost_and_the_next_has_a_new_process(engine: &Engine) {
    let running = engine.of(1).tasks(1, sleep(FOREVER), rules()).tasks(1, sleep(500), rules()).start();
    let first = at_work(&running, 1)[0];
    running.command(Command::KillWorker(Some(Slot(0))));
    let second = next(&running);
    let story = running.finish();
    assert_eq!((story.counts.lost, story.counts.succeeded), (1, 1), "{:?}", story.attempts);
    let report = &story.attempts[0];
    assert!(matches!(report.cause, Cause::WorkerDied { by_user: true, .. }), "{report:?}");
    assert_eq!((report.outcome, report.pid), (Outcome::Lost, Some(first)));
    assert_ne!(first, second);
}

/// Tasks that end at the moment of their limit: whoever wins, each has one outcome and nobody pays for another.
pub(crate) fn limits_that_race_with_results_count_each_task_once(engine: &Engine) {
    let mut setting = engine.of(3);
    for _ in 0..15 {
        // The limit of a task is now before, now after its end; that of the one behind it is far away.
        setting = [19, 20, 21].into_iter().fold(setting, |setting, limit| {
            setting.tasks(1, sleep(20), within(limit)).tasks(1, sleep(1), within(60_000))
        });
    }
    let story = setting.start().finish();
    let counts = story.counts;
    assert_eq!(
        (story.state, counts.finished(), counts.succeeded + counts.timed_out),
        (Some(RunState::Finished), 90, 90)
    );
    let mut indices: Vec<u64> = story.records.iter().map(|record| record.index).collect();
    indices.extend(story.attempts.iter().map(|report| report.index));
    indices.sort_unstable();
    assert!(indices.into_iter().eq(0..90), "each once");
    assert!(story.attempts.iter().all(|report| report.index % 2 == 0), "{:?}", story.attempts);
    assert!(counts.timed_out >= 10, "some are sure to reach it: {counts:?}");
}

/// Workers are killed again and again while results come in: each task has one outcome, and whoever comes next is served.
pub(crate) fn cancels_that_race_with_results_count_each_task_once(engine: &Engine) {
    const WORKERS: u32 = 8;
    const TASKS: u64 = 1_000_000;
    // Each costs the start of a process, which takes several times as long by exec.
    let all = if engine.of(1).fork_server { 10_000 } else { 2_000 };
    let running = engine.of(WORKERS).tasks(TASKS, sleep(1), rules()).start();
    let outcomes = |story: &Story| story.records.len() + story.attempts.len();
    for cancels in (1..=all / WORKERS as usize).map(|wave| wave * WORKERS as usize) {
        let before = outcomes(&running.wait("it is under way", |_| true));
        (0..WORKERS).for_each(|slot| running.command(Command::KillWorker(Some(Slot(slot)))));
        drop(running.wait("all of them are killed and others have come", |story| {
            story.notes.len() >= cancels && outcomes(story) >= before + WORKERS as usize
        }));
    }
    running.command(Command::Stop);
    let story = running.finish();
    let counts = story.counts;
    assert_eq!((story.state, counts.finished(), counts.failed), (Some(RunState::Stopped), TASKS, 0));
    let killed = story.notes.iter().filter(|note| note.ends_with("is killed on request")).count();
    assert_eq!((killed, story.notes.len()), (all, all), "{:?}", story.notes.last());
    let lost: Vec<_> = story.attempts.iter().filter(|report| report.outcome == Outcome::Lost).collect();
    assert_eq!((lost.len() as u64, story.records.len() as u64), (counts.lost, counts.succeeded));
    assert!(lost.iter().all(|report| matches!(report.cause, Cause::WorkerDied { by_user: true, .. })));
    assert!(lost.len() >= all / 10, "cancels found tasks at work: {counts:?}");
    let mut indices: Vec<u64> = story.records.iter().map(|record| record.index).collect();
    indices.extend(lost.iter().map(|report| report.index));
    indices.sort_unstable();
    assert!(indices.is_sorted_by(|one, next| one < next), "each once");
}

/// After timeout and grace period, not before and no later.
fn is_killed_after_its_grace(setting: impl Fn() -> Setting, at_least: Duration) {
    on_time(|| {
        let control = Control::start();
        let story = setting().tasks(3, NOOP, rules()).start().finish();
        let allowance = control.allowance();
        assert_eq!((story.counts.timed_out, story.counts.succeeded), (1, 3), "{:?}", story.attempts);
        let report = &story.attempts[0];
        assert!(report.killed, "{report:?}");
        assert_eq!(report.exit, Some(Exit::Signal(libc::SIGKILL)));
        let service = report.service.unwrap();
        assert!(service >= at_least, "{service:?}");
        service <= at_least + allowance
    });
}

fn with_grace(timeout: Duration, grace_period: Duration) -> ClassRules {
    ClassRules { timeout: Some(timeout), grace_period, ..rules() }
}

pub(crate) fn a_program_that_ignores_sigterm_is_killed_after_its_grace(engine: &Engine) {
    let (timeout, grace) = (Duration::from_millis(300), Duration::from_millis(200));
    let stubborn = shell("trap '' TERM; while :; do sleep 0.02; done");
    is_killed_after_its_grace(|| engine.of(1).tasks(1, stubborn.clone(), with_grace(timeout, grace)), timeout + grace);
}

pub(crate) fn a_worker_that_ignores_sigterm_is_killed_after_its_grace(engine: &Engine) {
    let (timeout, grace) = (Duration::from_millis(300), Duration::from_millis(200));
    is_killed_after_its_grace(
        || {
            let mut setting = engine.of(1).tasks(1, sleep(FOREVER), with_grace(timeout, grace));
            setting.orders.faults =
                vec![Fault { kind: FaultKind::IgnoreSigterm, at: Trigger::Index(0), class: None, draw: None }];
            setting
        },
        timeout + grace,
    );
}

/// What an initializer takes is no time of a task, and one that takes too long says that of itself.
pub(crate) fn the_limits_of_initializers_and_of_tasks_are_two(engine: &Engine) {
    let run = |cpu: u64, limit: Option<u64>, task: u64| {
        let mut setting = engine.of(1);
        setting.initializer = Some(InitializerRules { timeout: limit.map(Duration::from_millis), max_failures: 2 });
        setting.orders.initialize = Some(Initialize { cpu_ns: cpu * 1_000_000, ..Initialize::default() });
        setting.tasks(1, sleep(task), within(250)).tasks(2, sleep(1), rules()).start().finish()
    };
    // Longer than a task may take, and no task takes too long.
    let story = run(400, None, 1);
    assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 3), "{:?}", story.attempts);
    // Within its own limit, whatever a task does afterwards.
    let story = run(1, Some(60_000), FOREVER);
    assert_eq!((story.counts.succeeded, story.counts.timed_out), (2, 1), "{:?}", story.notes);
    // Beyond its own limit, and no task was begun.
    let story = run(60_000, Some(100), 1);
    assert!(matches!(story.error.as_deref(), Some(EngineError::Initializer { times: 2, .. })), "{:?}", story.notes);
    assert_eq!((story.counts.cancelled, story.attempts.len()), (3, 0));
}

/// Each slow one at its own limit, and no quick one with it.
pub(crate) fn only_the_slow_ones_of_many_time_out(engine: &Engine) {
    let limit = Duration::from_millis(300);
    on_time(|| {
        let control = Control::start();
        let setting = (0..4).fold(engine.of(3), |setting, _| {
            setting.tasks(1, sleep(FOREVER), within(300)).tasks(10, sleep(3), within(300))
        });
        let story = setting.start().finish();
        let allowance = control.allowance();
        assert_eq!((story.counts.timed_out, story.counts.succeeded), (4, 40), "{:?}", story.attempts);
        assert!(story.attempts.iter().all(|report| report.index % 11 == 0), "{:?}", story.attempts);
        let services = || story.attempts.iter().map(|report| report.service.unwrap());
        assert!(services().all(|service| service >= limit));
        services().all(|service| service <= limit + allowance)
    });
}
