//! C13, C16 to C19: what a caller asks for and what it gets when.

use std::time::Duration;

use poolscope::engine::control::Command;
use poolscope::engine::dispatcher::window::Chunk;
use poolscope::engine::event::{Moment, RunState, WorkerState};
use poolscope::engine::outcome::{Cause, Exit, Outcome};
use poolscope::engine::stream::ClassRules;
use poolscope::workload::model::{EngineKind, EngineSpec, OnTimeout, SubmitMode, Work, Workers};

use crate::engines::Engine;
use crate::harness::on_time;
use crate::support::{Control, NOOP, Setting, Story, lives, patiently, pool, rules, shell, sleep};

const CALLS: [SubmitMode; 5] =
    [SubmitMode::Apply, SubmitMode::ApplyAsync, SubmitMode::Map, SubmitMode::Imap, SubmitMode::ImapUnordered];

fn called(engine: &Engine, submit: SubmitMode, chunk: Chunk) -> Setting {
    let mut setting = engine.of(2);
    if engine.keeps_workers() {
        setting.chunk = chunk;
    }
    setting.submitted_as(&EngineSpec { submit, ..EngineSpec::of_kind(EngineKind::Pool, Workers::Auto) })
}

/// What each task gave, by its index.
fn results(mut setting: Setting, count: u64) -> Vec<(u64, u64, Vec<u8>)> {
    setting.orders.payload = Some(Box::new(|_, index, _| Some(Ok(format!("argument {index}").into_bytes()))));
    let mut story = setting.tasks(count, Work::Echo, rules()).start().finish();
    assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), count), "{:?}", story.notes);
    story.records.sort_unstable_by_key(|record| record.index);
    story.returned.sort();
    assert_eq!(story.records.len(), story.returned.len());
    story
        .records
        .iter()
        .zip(story.returned)
        .map(|(record, (of, bytes))| {
            assert_eq!(record.index, of);
            (of, record.value, bytes)
        })
        .collect()
}

/// In order, in chunks of 1, of 20, and as the engine likes.
pub(crate) fn every_call_gives_the_results_of_a_serial_one(engine: &Engine) {
    let serial = results(Setting { chunk: Chunk::One, ..pool(1) }, 50);
    for submit in CALLS {
        for chunk in [Chunk::Fixed(1), Chunk::Fixed(20), Chunk::Adaptive] {
            assert_eq!(results(called(engine, submit, chunk), 50), serial, "{submit:?}, {chunk:?}");
            if !engine.keeps_workers() {
                break;
            }
        }
    }
}

/// Nothing to do is done at once, whatever the chunks.
pub(crate) fn nothing_to_do_is_done_at_once(engine: &Engine) {
    for submit in CALLS {
        for chunk in [Chunk::Fixed(20), Chunk::Adaptive] {
            assert_eq!(results(called(engine, submit, chunk), 0), [], "{submit:?}, {chunk:?}");
        }
    }
}

/// Not before, and no later than a timer of this test is late plus 20 ms.
pub(crate) fn a_result_is_there_when_its_task_has_ended(engine: &Engine) {
    on_time(|| {
        let (length, control) = (Duration::from_millis(300), Control::start());
        let story = engine.of(1).tasks(1, sleep(300), rules()).start().finish();
        let allowance = control.allowance();
        let (record, told) = (story.records[0], story.arrivals[0].1);
        let took = told.since(record.start);
        assert!(took >= length, "{took:?}");
        took <= length + allowance
    });
}

/// It is told at its moment, and the task goes on.
pub(crate) fn a_caller_who_gives_up_leaves_the_task_running(engine: &Engine) {
    let limit = Duration::from_millis(400);
    patiently(limit, |limit| {
        let rules = ClassRules { wait_timeout: Some(limit), on_timeout: OnTimeout::Abandon, ..rules() };
        let control = Control::start();
        let running = engine.of(1).tasks(1, sleep(600_000), rules).tasks(1, NOOP, crate::support::rules()).start();
        let story = running.until("its caller has given up", |story| !story.attempts.is_empty());
        let allowance = control.allowance();
        let report = &story.attempts[0];
        assert_eq!((report.outcome, &report.cause), (Outcome::TimedOut, &Cause::WaitTimeout { limit }));
        let ended = report.ended.elapsed();
        assert!(ended >= limit, "{ended:?}");
        let ghost =
            |story: &Story| story.slots.iter().find(|slot| slot.state == WorkerState::Ghost).and_then(|slot| slot.pid);
        // A worker that was not ready by then has begun nothing yet.
        let began = report.service.is_some();
        let haunted = running.until("its ghost is seen", |story| ghost(story).is_some());
        assert!(lives(ghost(&haunted).unwrap()));
        running.command(Command::Kill);
        running.finish();
        began && ended <= limit + allowance
    });
}

fn delivered(story: &Story) -> (u64, Vec<Moment>) {
    let mut moments: Vec<Moment> = story.delivered.iter().map(|(at, _)| *at).collect();
    moments.dedup();
    (story.delivered.iter().map(|(_, part)| part.count).sum(), moments)
}

/// imap: in order, each as soon as those before it are there; unordered: each as soon as it is there. Both end once.
pub(crate) fn imap_gives_results_as_they_come(engine: &Engine) {
    for submit in [SubmitMode::Imap, SubmitMode::ImapUnordered] {
        let setting = called(engine, submit, Chunk::Fixed(1));
        let story = setting.tasks(1, sleep(300), rules()).tasks(6, sleep(60), rules()).start().finish();
        assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 7));
        let (count, moments) = delivered(&story);
        assert_eq!(count, 7, "{submit:?}: {:?}", story.delivered);
        assert!(moments.len() >= 2, "{submit:?}: not all at the end: {moments:?}");
        let first = story.records.iter().find(|record| record.index == 0).unwrap();
        let behind = moments[0] >= Moment(first.start.0 + first.service);
        assert_eq!(behind, submit == SubmitMode::Imap, "{submit:?}: the first one is behind task 0");
    }
}

/// It waits for all items, gets the error of the first that failed, and no length of that holds it up.
pub(crate) fn map_waits_for_all_although_one_fails(engine: &Engine) {
    let setting = called(engine, SubmitMode::Map, Chunk::Fixed(2));
    let huge = shell("head -c 5000000 /dev/zero | tr '\\0' 'x' >&2; exit 5");
    let setting = setting.tasks(2, sleep(5), rules()).tasks(1, huge, rules()).tasks(1, shell("exit 6"), rules());
    let story = setting.tasks(5, sleep(100), rules()).start().finish();
    assert_eq!((story.state, story.counts.succeeded, story.counts.failed), (Some(RunState::Finished), 7, 2));
    let first = story.attempts.iter().min_by_key(|report| report.index).unwrap();
    assert_eq!((first.index, &first.cause), (2, &Cause::Exited { exit: Exit::Code(5) }));
    assert!(first.output_omitted_bytes > 4_000_000 && first.stderr_tail.ends_with("xxx"));
    let (count, moments) = delivered(&story);
    assert_eq!((count, moments.len()), (9, 1), "together: {:?}", story.delivered);
    let last = story.records.iter().map(|record| record.start.0 + record.service).max().unwrap();
    assert!(moments[0].0 >= last, "after the last one has ended");
}
