//! How callers submit and what they get when: the same in both engines.

use std::num::NonZeroU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use poolscope::engine::control::Command;
use poolscope::engine::dispatcher::window::Chunk;
use poolscope::engine::event::{
    CallerView, Delivered, EngineView, Event, Moment, Observer, Observers, RunState, WorkerState,
};
use poolscope::engine::outcome::{Cause, Outcome};
use poolscope::engine::stream::ClassRules;
use poolscope::workload::model::{EngineKind, EngineSpec, OnTimeout, SubmitMode, Workers};

use crate::support::{Control, Running, Setting, both, pool, process, rules, sleep};

/// What the caller saw.
#[derive(Clone, Default)]
struct CallersStory {
    delivered: Vec<(Moment, Delivered)>,
    last: CallerView,
    most_queued: u64,
    most_in_system: u64,
    /// Tasks done in each slot.
    slots: Vec<u64>,
}

#[derive(Clone, Default)]
struct Watch(Arc<Mutex<CallersStory>>);

impl Observer for Watch {
    fn event(&mut self, now: Moment, event: &Event<'_>) {
        let mut story = self.0.lock().unwrap();
        match event {
            Event::Delivered(parts) => story.delivered.extend(parts.iter().map(|part| (now, *part))),
            Event::Succeeded(batch) => {
                let slot = batch.slot.0 as usize;
                if story.slots.len() <= slot {
                    story.slots.resize(slot + 1, 0);
                }
                story.slots[slot] += batch.records.len() as u64;
            }
            _ => {}
        }
    }

    fn state(&mut self, _: Moment, view: &EngineView<'_>) {
        let mut story = self.0.lock().unwrap();
        story.last = view.caller;
        story.most_queued = story.most_queued.max(view.counts.queued);
        story.most_in_system = story.most_in_system.max(view.counts.queued + view.counts.running);
    }
}

fn watched(setting: Setting) -> (Running, Watch) {
    let watch = Watch::default();
    let others: Observers = [Box::new(watch.clone()) as Box<dyn Observer>].into_iter().collect();
    (setting.start_with(others), watch)
}

/// With a setting as a file would give it.
fn submitted(setting: Setting, submit: SubmitMode, queue_capacity: Option<u64>) -> Setting {
    let spec = EngineSpec {
        submit,
        queue_capacity: queue_capacity.and_then(NonZeroU64::new),
        ..EngineSpec::of_kind(EngineKind::Pool, Workers::Auto)
    };
    setting.submitted_as(&spec)
}

#[test]
fn every_mode_delivers_every_task_once_and_keeps_its_order() {
    for submit in [SubmitMode::Apply, SubmitMode::Map, SubmitMode::Imap, SubmitMode::ImapUnordered] {
        for chunk in [1, 3] {
            for mut setting in both(2) {
                if setting.workers_are_kept() {
                    setting.chunk = Chunk::Fixed(chunk);
                }
                let way = format!("{submit:?} in chunks of {chunk}, {:?}", setting.policy);
                let setting = submitted(setting, submit, None);
                // The first one takes longest: whatever keeps its order waits for it.
                let control = crate::support::Control::start();
                let (running, watch) = watched(setting.tasks(1, sleep(300), rules()).tasks(9, sleep(5), rules()));
                let story = running.finish();
                let allowance = control.allowance();
                assert_eq!((story.state, story.succeeded), (Some(RunState::Finished), 10), "{way}");
                let seen = watch.0.lock().unwrap().clone();
                let count: u64 = seen.delivered.iter().map(|(_, part)| part.count).sum();
                assert_eq!(count, 10, "{way}: {:?}", seen.delivered);
                let first = seen.delivered.first().unwrap().0.elapsed();
                let moments: std::collections::BTreeSet<Moment> = seen.delivered.iter().map(|(at, _)| *at).collect();
                match submit {
                    SubmitMode::Map => assert_eq!(moments.len(), 1, "{way}: all at once"),
                    SubmitMode::Imap => assert!(first >= Duration::from_millis(300), "{way}: {first:?}"),
                    // What is quick is there before what is slow.
                    SubmitMode::ImapUnordered if chunk == 1 => assert!(moments.len() > 2, "{way}"),
                    _ => {}
                }
                if submit == SubmitMode::Apply {
                    assert_eq!(seen.most_in_system, 1, "{way}: one at a time");
                }
                // It waits from the beginning, which is no later than that of a worker, to the last result.
                let (blocked, end) = (seen.last.blocked_for, story.last_end.since(story.first_start()));
                assert!(blocked <= story.at.elapsed() && blocked + allowance >= end, "{way}: {blocked:?} of {end:?}");
                assert!(!seen.last.blocked, "{way}: it has everything");
                story.nobody_is_left();
            }
        }
    }
}

#[test]
fn a_bounded_queue_is_never_deeper_and_blocks_who_submits() {
    for capacity in [1, 4] {
        for setting in both(2) {
            let way = format!("{capacity}, {:?}", setting.policy);
            let setting = submitted(setting, SubmitMode::ApplyAsync, Some(capacity));
            let (running, watch) = watched(setting.tasks(40, sleep(30), rules()));
            let story = running.finish();
            assert_eq!((story.state, story.succeeded), (Some(RunState::Finished), 40), "{way}");
            let seen = watch.0.lock().unwrap().clone();
            assert!(seen.most_queued <= capacity, "{way}: {} waited", seen.most_queued);
            let blocked = seen.last.blocked_for;
            assert!(blocked > Duration::from_millis(200) && blocked < story.at.elapsed(), "{way}: {blocked:?}");
        }
    }
}

#[test]
fn dealt_tasks_stay_where_they_were_dealt_to() {
    for mut setting in both(2) {
        let way = format!("{:?}", setting.policy);
        setting.dealt = Some(1);
        // Every second one is slow, and so all of them are dealt to the same lane.
        for _ in 0..6 {
            setting = setting.tasks(1, sleep(100), rules()).tasks(1, sleep(1), rules());
        }
        let (running, watch) = watched(setting);
        let story = running.finish();
        assert_eq!(story.succeeded, 12, "{way}");
        assert_eq!(watch.0.lock().unwrap().slots, [6, 6], "{way}");
        assert!(story.last_end.elapsed() >= Duration::from_millis(600), "{way}: one after the other");
    }
}

#[test]
fn a_lane_that_loses_its_worker_keeps_what_it_was_dealt() {
    for mut setting in both(3) {
        let way = format!("{:?}", setting.policy);
        setting.dealt = Some(2);
        // Long enough that the one that is killed is in the middle of its task.
        let running = setting.tasks(60, sleep(60), rules()).start();
        running.until("it works", |story| story.succeeded > 3);
        running.command(Command::KillWorker(None));
        running.command(Command::Resize(2.try_into().unwrap()));
        running.until("it goes on", |story| story.succeeded > 20);
        running.command(Command::Resize(4.try_into().unwrap()));
        let story = running.finish();
        assert_eq!((story.counts.succeeded, story.counts.lost), (59, 1), "{way}: {:?}", story.notes);
    }
}

fn patient_for(millis: u64, on_timeout: OnTimeout) -> ClassRules {
    ClassRules { wait_timeout: Some(Duration::from_millis(millis)), on_timeout, ..rules() }
}

#[test]
fn a_caller_gives_up_at_its_moment_wherever_its_task_is() {
    let limit = Duration::from_millis(400);
    for on_timeout in [OnTimeout::Kill, OnTimeout::Abandon] {
        for setting in both(1) {
            let way = format!("{on_timeout:?}, {:?}", setting.policy);
            let control = Control::start();
            // One is in work when its caller gives up, two wait; others have all the time they need.
            let setting = setting.tasks(3, sleep(1_500), patient_for(400, on_timeout)).tasks(1, sleep(10), rules());
            let story = setting.start().finish();
            let allowance = control.allowance();
            assert_eq!((story.counts.timed_out, story.counts.wait_timed_out), (3, 3), "{way}: {:?}", story.counts);
            assert_eq!(story.counts.succeeded, 1, "{way}: {:?}", story.notes);
            for report in &story.attempts {
                assert_eq!(
                    (report.outcome, &report.cause),
                    (Outcome::TimedOut, &Cause::WaitTimeout { limit }),
                    "{way}"
                );
                let late = report.ended.elapsed().saturating_sub(limit);
                // One that is ended is gone a moment after its caller has given up: that is when its end is told.
                let to_go = if report.exit.is_some() { Duration::from_millis(300) } else { Duration::ZERO };
                let allowed = allowance + to_go;
                assert!(report.ended.elapsed() >= limit && late <= allowed, "{way}: {:?}", report.ended);
            }
            let abandons = on_timeout == OnTimeout::Abandon;
            // What nobody waits for is done all the same, in its turn: the one that somebody waits for comes behind it.
            assert_eq!(story.ghosts.len(), if abandons { 3 } else { 0 }, "{way}: {:?}", story.ghosts);
            let end = story.last_end.elapsed();
            assert_eq!(end >= Duration::from_millis(4_500), abandons, "{way}: the last one ended at {end:?}");
            story.nobody_is_left();
        }
    }
}

#[test]
fn what_happens_at_a_timeout_can_be_changed_while_it_runs() {
    for setting in both(2) {
        let way = format!("{:?}", setting.policy);
        let limited = ClassRules { timeout: Some(Duration::from_millis(150)), ..rules() };
        let running =
            setting.tasks(1, sleep(60_000), limited).tasks(20, sleep(100), rules()).tasks(1, sleep(60_000), limited);
        let running = running.start();
        running.until("one was ended", |story| story.counts.timed_out == 1);
        running.command(Command::OnTimeout(OnTimeout::Abandon));
        let story = running.finish();
        assert_eq!((story.counts.timed_out, story.counts.succeeded), (2, 20), "{way}");
        let ended: Vec<bool> = story.attempts.iter().map(|report| report.exit.is_some()).collect();
        assert_eq!(ended, [true, false], "{way}: the first was ended, the second left alone");
        assert_eq!(story.ghosts.len(), 1, "{way}");
    }
}

#[test]
fn a_queue_of_ghosts_is_not_waited_for() {
    for setting in [pool(1), process(1)] {
        let way = format!("{:?}", setting.policy);
        let running = setting.tasks(50, sleep(10_000), patient_for(300, OnTimeout::Abandon)).start();
        let haunted = |story: &crate::support::Story| story.slots.iter().any(|slot| slot.state == WorkerState::Ghost);
        running.until("a ghost is seen, or it is over", |story| haunted(story) || story.counts.timed_out == 50);
        let story = running.finish();
        assert_eq!((story.state, story.counts.timed_out), (Some(RunState::Finished), 50), "{way}");
        assert!(story.at.elapsed() < Duration::from_secs(8), "{way}: {:?}", story.at);
        story.nobody_is_left();
    }
}
