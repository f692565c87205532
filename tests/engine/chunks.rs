//! Chunks that a caller gets whole: what ends in them is heard of as it ends, and kept whatever becomes of the rest.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::time::Duration;

use poolscope::engine::control::Command;
use poolscope::engine::dispatcher::Policy;
use poolscope::engine::dispatcher::window::Chunk;
use poolscope::engine::event::{Moment, RunState, Slot};
use poolscope::engine::outcome::Outcome;
use poolscope::engine::stream::ClassRules;
use poolscope::workload::model::{
    EngineKind, EngineSpec, Fault, FaultKind, Recycling, SubmitMode, Trigger, Work, Workers,
};

use crate::support::{NOOP, Setting, Story, foreign, foreigners, pool, rules, sleep};

/// With chunks of ten.
fn in_tens(setting: Setting, submit: SubmitMode) -> Setting {
    let spec = EngineSpec { submit, ..EngineSpec::of_kind(EngineKind::Pool, Workers::Auto) };
    Setting { chunk: Chunk::Fixed(10), ..setting }.submitted_as(&spec)
}

/// Engines whose workers are kept, with workers in each language; lanes in one process too.
fn keeping(workers: u32) -> impl Iterator<Item = Setting> {
    let lanes = Setting { policy: Policy::OneWorker, ..pool(workers) };
    [pool(workers), lanes].into_iter().chain(foreigners(workers))
}

/// The same, as far as their workers tell which task they are in.
fn telling() -> impl Iterator<Item = Setting> {
    let others = [foreign::python("board"), foreign::python("started"), foreign::perl("started")];
    [pool(1)].into_iter().chain(others.map(|program| foreign::with(program, pool(1))))
}

/// How many results the caller got at each moment.
fn deliveries(story: &Story) -> BTreeMap<Moment, u64> {
    let mut counts = BTreeMap::new();
    story.delivered.iter().for_each(|(at, part)| *counts.entry(*at).or_default() += part.count);
    counts
}

/// When a task that succeeded ended.
fn end_of(story: &Story, index: u64) -> Moment {
    let record = story.records.iter().find(|record| record.index == index).unwrap();
    record.start + Duration::from_nanos(record.service)
}

#[test]
fn a_chunk_is_heard_of_as_it_goes_and_delivered_whole() {
    for setting in keeping(1) {
        let way = format!("{:?}, {:?}", setting.policy, setting.worker_program);
        let story = in_tens(setting, SubmitMode::ImapUnordered).tasks(30, sleep(5), rules()).start().finish();
        assert_eq!((story.state, story.succeeded), (Some(RunState::Finished), 30), "{way}: {:?}", story.notes);
        assert!(story.batches.iter().all(|count| *count < 10), "{way}: {:?}", story.batches);
        let delivered = deliveries(&story);
        assert_eq!(delivered.values().sum::<u64>(), 30, "{way}");
        assert!(delivered.len() > 1 && delivered.values().all(|count| count % 10 == 0), "{way}: {delivered:?}");
        // Not before its last task has ended, and not much later either.
        let first = *delivered.keys().next().unwrap();
        assert!(first >= end_of(&story, 9) && first < end_of(&story, 19), "{way}: {first:?}");
    }
}

/// Four tasks that end, and then one in the same chunk that `cut` does not let end.
fn cut_off(setting: Setting, fifth: (Work, ClassRules), submit: SubmitMode) -> Setting {
    let (work, limits) = fifth;
    in_tens(setting, submit).tasks(4, sleep(20), rules()).tasks(1, work, limits).tasks(5, NOOP, rules())
}

fn four_are_kept(story: &Story, way: &str) {
    let fifth = &story.attempts[0];
    assert_eq!((fifth.index, story.attempts.len()), (4, 1), "{way}: {:?}", story.attempts);
    assert_eq!((story.succeeded, story.counts.retries), (9, 0), "{way}");
    // Those before it have not been done once more when it had gone wrong.
    let began = fifth.ended - fifth.service.unwrap();
    assert!((0..4).all(|index| end_of(story, index) <= began), "{way}: {:?}", story.records);
    assert_eq!(deliveries(story).into_values().collect::<Vec<_>>(), [10], "{way}: whole, however it was cut");
    story.nobody_is_left();
}

#[test]
fn what_has_ended_in_a_chunk_is_kept_if_a_task_of_it_takes_too_long() {
    let limited = ClassRules { timeout: Some(Duration::from_millis(200)), ..rules() };
    let all = telling().map(|setting| (setting, SubmitMode::Map));
    for (setting, submit) in all.chain([(pool(1), SubmitMode::Imap)]) {
        let way = format!("{submit:?}, {:?}", setting.worker_program);
        let story = cut_off(setting, (sleep(600_000), limited), submit).start().finish();
        assert_eq!(story.attempts[0].outcome, Outcome::TimedOut, "{way}");
        four_are_kept(&story, &way);
    }
}

#[test]
fn what_has_ended_in_a_chunk_is_kept_if_its_worker_dies() {
    // The worker in Python knows no faults.
    for mut setting in [pool(1), foreign::with(foreign::perl("started"), pool(1))] {
        let way = format!("crash, {:?}", setting.worker_program);
        let crash = FaultKind::Crash(libc::SIGABRT);
        setting.orders.faults = vec![Fault { kind: crash, at: Trigger::Index(4), class: None, draw: None }];
        let story = cut_off(setting, (sleep(20), rules()), SubmitMode::Map).start().finish();
        assert_eq!(story.attempts[0].outcome, Outcome::Lost, "{way}");
        four_are_kept(&story, &way);
    }
    for setting in telling() {
        let way = format!("kill, {:?}", setting.worker_program);
        let running = cut_off(setting, (sleep(600_000), rules()), SubmitMode::ImapUnordered).start();
        // Heard of although the chunk goes on for ten minutes.
        let story = running.until("four are done, and the fifth is in work", |story| {
            story.counts.succeeded == 4 && story.slots.iter().any(|slot| slot.task.is_some_and(|task| task.0 == 4))
        });
        assert!(story.delivered.is_empty(), "{way}: {:?}", story.delivered);
        running.command(Command::KillWorker(Some(Slot(0))));
        let story = running.finish();
        assert_eq!(story.attempts[0].outcome, Outcome::Lost, "{way}");
        four_are_kept(&story, &way);
    }
}

#[test]
fn a_chunk_is_delivered_whole_whoever_does_which_part_of_it() {
    for submit in [SubmitMode::Imap, SubmitMode::ImapUnordered] {
        for mut setting in [pool(2), foreign::with(foreign::perl("started"), pool(2))] {
            let way = format!("{submit:?}, {:?}", setting.worker_program);
            setting.recycling = Recycling { max_tasks: NonZeroU64::new(7), max_rss_bytes: None };
            let running = in_tens(setting, submit).tasks(60, sleep(5), rules()).start();
            running.until("some are done", |story| story.counts.succeeded > 5);
            running.command(Command::Resize(NonZeroU32::new(1).unwrap()));
            running.until("more are done", |story| story.counts.succeeded > 25);
            running.command(Command::Resize(NonZeroU32::new(3).unwrap()));
            let story = running.finish();
            assert_eq!((story.state, story.succeeded), (Some(RunState::Finished), 60), "{way}: {:?}", story.notes);
            assert_eq!((story.records.len(), story.counts.retries), (60, 0), "{way}: each once");
            let delivered = deliveries(&story);
            assert_eq!(delivered.values().sum::<u64>(), 60, "{way}");
            assert!(delivered.len() > 3 && delivered.values().all(|count| count % 10 == 0), "{way}: {delivered:?}");
            story.nobody_is_left();
        }
    }
}
