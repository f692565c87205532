//! Every limit is met in every engine, asserted from both sides: not before its moment, and at most 20 ms later than a
//! timer of this test is late on the same machine at the same time.

use std::time::Duration;

use poolscope::engine::dispatcher::window::Chunk;
use poolscope::engine::event::RunState;
use poolscope::engine::outcome::{Cause, Outcome};
use poolscope::engine::stream::ClassRules;
use poolscope::workload::model::{Dist, Kernel, Retries, Work};

use crate::support::{Control, Setting, both, every, foreigners, pool, process, rules, shell};

fn sleep(millis: u64) -> Work {
    Work::Sleep(Dist::Constant(Duration::from_millis(millis)))
}

fn within(limit: Option<Duration>) -> ClassRules {
    ClassRules { timeout: limit, ..rules() }
}

/// A pool that may send everything at once, one that sends what it thinks best, and a process for each task.
fn engines(workers: u32) -> [Setting; 3] {
    [Setting { chunk: Chunk::Fixed(10), ..pool(workers) }, pool(workers), process(workers)]
}

/// The same, and pools of workers in another language that may send everything at once.
fn every_engine(workers: u32) -> impl Iterator<Item = Setting> {
    let foreign = foreigners(workers).map(|setting| Setting { chunk: Chunk::Fixed(10), ..setting });
    engines(workers).into_iter().chain(foreign)
}

#[test]
fn a_short_limit_is_met_behind_a_long_one_or_none() {
    const LIMIT: Duration = Duration::from_millis(300);
    for first in [Some(Duration::from_secs(15)), None] {
        for setting in every_engine(1) {
            let (chunk, control) = (setting.chunk, Control::start());
            let setting = setting.tasks(5, sleep(1), within(first)).tasks(1, sleep(600_000), within(Some(LIMIT)));
            let story = setting.start().finish();
            let allowance = control.allowance();
            assert_eq!((story.counts.succeeded, story.counts.timed_out), (5, 1), "{:?}", story.attempts);
            let service = story.attempts[0].service.unwrap();
            assert!(service >= LIMIT && service <= LIMIT + allowance, "{chunk:?}: {service:?}, {allowance:?} allowed");
        }
    }
}

#[test]
fn limits_of_tasks_that_come_while_a_worker_is_watched_are_met() {
    // Tasks of all lengths around their limits, one after the other on one worker: each is ended at its own.
    let limits = [40, 900, 20, 150].map(Duration::from_millis);
    for setting in every_engine(1) {
        let (chunk, control) = (setting.chunk, Control::start());
        let tasks = limits.iter().fold(setting, |setting, limit| {
            let quick = setting.tasks(3, sleep(3), within(Some(*limit * 10)));
            quick.tasks(1, sleep(600_000), within(Some(*limit)))
        });
        let story = tasks.start().finish();
        let allowance = control.allowance();
        assert_eq!((story.counts.succeeded, story.counts.timed_out), (12, 4), "{:?}", story.attempts);
        for (report, limit) in story.attempts.iter().zip(limits) {
            assert_eq!(report.cause, Cause::Timeout { limit });
            let service = report.service.unwrap();
            assert!(service >= limit && service <= limit + allowance, "{chunk:?}: {service:?} for {limit:?}");
        }
    }
}

#[test]
fn a_grace_period_is_as_long_as_it_is() {
    let limits = ClassRules {
        timeout: Some(Duration::from_millis(200)),
        grace_period: Duration::from_millis(150),
        retries: Retries { max: 0, ..rules().retries },
        ..rules()
    };
    for setting in every(1) {
        let control = Control::start();
        let story = setting.tasks(1, shell("trap '' TERM; while :; do sleep 0.01; done"), limits).start().finish();
        let allowance = control.allowance();
        let report = &story.attempts[0];
        let service = report.service.unwrap();
        assert!(report.killed);
        assert!(
            service >= Duration::from_millis(350) && service <= Duration::from_millis(350) + allowance,
            "{service:?}"
        );
    }
}

#[test]
fn waiting_ends_at_its_limit_wherever_a_task_waits() {
    const LIMIT: Duration = Duration::from_millis(500);
    let limited = ClassRules { queue_timeout: Some(LIMIT), ..rules() };
    for setting in every_engine(1) {
        let (chunk, control) = (setting.chunk, Control::start());
        let story = setting.tasks(10, sleep(300), limited).start().finish();
        let allowance = control.allowance();
        let counts = story.counts;
        assert_eq!((counts.succeeded, counts.timed_out, counts.queue_timed_out), (2, 8, 8), "{chunk:?}");
        assert_eq!((story.state, story.expired), (Some(RunState::Finished), 8));
        let mut indices: Vec<u64> = story.attempts.iter().map(|report| report.index).collect();
        indices.sort_unstable();
        assert!(indices.into_iter().eq(2..10));
        for report in &story.attempts {
            assert_eq!((report.outcome, &report.cause), (Outcome::TimedOut, &Cause::QueueTimeout { limit: LIMIT }));
            assert_eq!((report.wait, report.times(), report.pid), (Some(LIMIT), None, None));
            assert!((LIMIT..=LIMIT + allowance).contains(&report.ended.elapsed()), "{chunk:?}: {:?}", report.ended);
        }
    }
}

#[test]
fn waiting_behind_a_task_that_is_ended_ends_at_its_own_limit() {
    // The first hangs until 400 ms; the others wait behind it, of two classes, and may wait 100 ms and 10 s.
    let hangs = ClassRules { timeout: Some(Duration::from_millis(400)), ..rules() };
    let impatient = ClassRules { queue_timeout: Some(Duration::from_millis(100)), ..rules() };
    let patient = ClassRules { queue_timeout: Some(Duration::from_secs(10)), ..rules() };
    for setting in every_engine(1) {
        let (chunk, control) = (setting.chunk, Control::start());
        let setting = setting.tasks(1, sleep(600_000), hangs).tasks(4, sleep(1), impatient).tasks(4, sleep(1), patient);
        let story = setting.start().finish();
        let allowance = control.allowance();
        let counts = story.counts;
        assert_eq!((counts.succeeded, counts.timed_out, counts.queue_timed_out), (4, 5, 4), "{chunk:?}");
        for report in story.attempts.iter().filter(|report| report.class == 1) {
            let limit = Duration::from_millis(100);
            assert!((limit..=limit + allowance).contains(&report.ended.elapsed()), "{chunk:?}: {:?}", report.ended);
        }
    }
}

#[test]
fn limits_are_met_while_others_work_as_fast_as_they_can() {
    const LIMIT: Duration = Duration::from_millis(150);
    for setting in engines(2) {
        let (chunk, control) = (setting.chunk, Control::start());
        let quick = match chunk {
            Chunk::One => 60,
            Chunk::Fixed(_) => 200_000,
            Chunk::Adaptive => 600_000,
        };
        // Each of five that hang has its share of quick ones beside it.
        let setting = (0..5).fold(setting, |setting, _| {
            let setting = setting.tasks(1, sleep(600_000), within(Some(LIMIT)));
            setting.tasks(quick, Work::Kernel(Kernel::Noop), within(Some(Duration::from_secs(5))))
        });
        let story = setting.start().finish();
        let allowance = control.allowance();
        assert_eq!((story.counts.succeeded, story.counts.timed_out), (5 * quick, 5), "{:?}", story.attempts);
        let mut services: Vec<Duration> = story.attempts.iter().map(|report| report.service.unwrap()).collect();
        services.sort_unstable();
        assert!(services[0] >= LIMIT, "{chunk:?}: {services:?}");
        // The control only sleeps; the engine works all the time, so a busy machine may take its processor away for
        // longer than that once. An engine whose work keeps it from its alarm is late every time: the middle one counts.
        assert!(services[2] <= LIMIT + allowance, "{chunk:?}: {services:?}, {allowance:?} allowed");
    }
}

#[test]
fn a_program_that_never_started_has_no_times() {
    for setting in both(1) {
        let story = setting.tasks(1, crate::support::program(&["/no/such/program"]), rules()).start().finish();
        let report = &story.attempts[0];
        assert!(matches!(report.cause, Cause::NotStarted { .. }), "{report:?}");
        assert_eq!((report.wait, report.startup, report.service), (None, None, None));
    }
}

#[test]
fn a_program_that_stays_open_for_writing_fails_in_every_engine_and_one_that_is_closed_in_time_runs() {
    use std::os::unix::fs::PermissionsExt as _;
    for closes in [false, true] {
        for setting in both(2) {
            let (policy, folder) = (setting.policy, tempfile::tempdir().unwrap());
            let path = folder.path().join("true");
            std::fs::copy("/bin/true", &path).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            let writer = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
            let begin = std::time::Instant::now();
            let running = setting.tasks(6, crate::support::program(&[path.to_str().unwrap()]), rules()).start();
            let writer = (!closes).then_some(writer);
            let story = running.finish();
            drop(writer);
            assert_eq!(story.state, Some(RunState::Finished), "{policy:?}: {:?}", story.notes);
            if closes {
                assert_eq!(story.counts.succeeded, 6, "{policy:?}: {:?}", story.attempts);
                continue;
            }
            assert_eq!(story.counts.failed, 6, "{policy:?}: {:?}", story.attempts);
            let busy = |cause: &Cause| matches!(cause, Cause::NotStarted { message } if message.contains("busy"));
            assert!(story.attempts.iter().all(|report| busy(&report.cause)), "{policy:?}: {:?}", story.attempts);
            assert!(begin.elapsed() >= Duration::from_secs(1), "{policy:?}: it is waited for a moment");
            assert!(begin.elapsed() < Duration::from_secs(50), "{policy:?}: {:?}", begin.elapsed());
        }
    }
}

#[test]
fn four_tasks_need_four_workers() {
    for setting in both(4096) {
        let running = setting.tasks(4, sleep(100), rules()).start();
        let story = running.finish();
        assert_eq!((story.counts.succeeded, story.started.len()), (4, 4));
    }
}
