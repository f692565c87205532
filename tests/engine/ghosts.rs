//! Workers whose caller has given up, and workers with an initializer: the same in both engines.

use std::num::NonZeroU32;
use std::time::Duration;

use poolscope::engine::control::Command;
use poolscope::engine::dispatcher::InitializerRules;
use poolscope::engine::event::{RunState, WorkerState};
use poolscope::engine::outcome::Outcome;
use poolscope::engine::stream::ClassRules;
use poolscope::worker::protocol::Initialize;
use poolscope::workload::model::{Dist, OnTimeout, Work};

use crate::memory::watch;
use crate::support::{Setting, both, pool, process, rules, shell, sleep};

fn abandoned_after(millis: u64) -> ClassRules {
    ClassRules { timeout: Some(Duration::from_millis(millis)), on_timeout: OnTimeout::Abandon, ..rules() }
}

fn initialized(setting: Setting, cpu_ns: u64, timeout: Option<u64>) -> Setting {
    let mut setting = setting;
    let timeout = timeout.map(Duration::from_millis);
    setting.initializer = Some(InitializerRules { timeout, max_failures: 3 });
    setting.orders.initialize = Some(Initialize { cpu_ns, ..Initialize::default() });
    setting
}

#[test]
fn a_ghost_lives_on_while_others_work_and_is_not_waited_for() {
    for mut setting in both(2) {
        // Shorter than the ghost is one.
        setting.start_timeout = Duration::from_millis(600);
        let way = format!("{:?}", setting.policy);
        let running = setting.tasks(1, sleep(60_000), abandoned_after(200)).tasks(8, sleep(200), rules()).start();
        running.until(&format!("{way}: the table shows the ghost"), |story| {
            story.slots.iter().any(|slot| slot.state == WorkerState::Ghost && slot.task.is_some())
        });
        let story = running.finish();
        assert_eq!((story.counts.succeeded, story.counts.timed_out), (8, 1), "{way}: {:?}", story.notes);
        assert!(!story.notes.iter().any(|note| note.contains("said nothing")), "{way}: {:?}", story.notes);
        assert_eq!(story.attempts[0].outcome, Outcome::TimedOut);
        // Eight of 200 ms, one after the other, take less than the ghost by far.
        assert!(story.at.elapsed() < Duration::from_secs(30), "{way} waited for its ghost until {:?}", story.at);
    }
}

#[test]
fn what_a_ghost_burns_is_metered_whether_it_comes_to_its_end_or_is_ended() {
    // Work for about 600 ms of CPU, given up after 200: it comes to its end while others work, or the run's end comes first.
    let busy = Work::Cpu(Dist::Constant(Duration::from_millis(600)));
    for others in [40, 1] {
        for setting in both(2) {
            let way = format!("{:?}, {others} others", setting.policy);
            let story = setting.tasks(1, busy.clone(), abandoned_after(200)).tasks(others, sleep(100), rules());
            let story = story.start().finish();
            assert_eq!((story.counts.timed_out, story.counts.succeeded), (1, others), "{way}: {:?}", story.notes);
            let [(after, cpu)] = story.ghosts[..] else { panic!("{way}: {:?}", story.ghosts) };
            let cpu = cpu.unwrap();
            // It does nothing else, and cannot use more than there was.
            assert!(cpu <= after + Duration::from_millis(20), "{way}: {cpu:?} in {after:?}");
            if others == 40 {
                assert!(cpu >= Duration::from_millis(20), "{way}: {cpu:?} in {after:?}");
            }
        }
    }
}

#[test]
fn what_a_ghost_burns_is_told_while_it_does_and_when_the_run_has_ended_it() {
    // It is given up after 100 ms and burns until the end of the run, itself or as a program.
    let works = [Work::Cpu(Dist::Constant(Duration::from_secs(600))), shell("while :; do :; done")];
    for (busy, setting) in works.into_iter().flat_map(|work| both(2).map(|setting| (work.clone(), setting))) {
        let way = format!("{:?} {busy:?}", setting.policy);
        let mut live = Vec::new();
        let last = watch(setting.tasks(1, busy, abandoned_after(100)).tasks(60, sleep(20), rules()), |run| {
            if run.ghosts.ended == 0 {
                live.push(run.ghosts.cpu);
            }
        });
        assert_eq!((last.ghosts.began, last.ghosts.ended, last.ghosts.unmeasured), (1, 1, 0), "{way}");
        assert!(live.is_sorted() && live.last().is_some_and(|cpu| !cpu.is_zero()), "{way}: {live:?}");
        assert!(live.last().is_some_and(|cpu| *cpu <= last.ghosts.cpu), "{way}: {live:?} and {:?}", last.ghosts);
        assert!(last.ghosts.cpu <= last.ghosts.time + Duration::from_millis(20), "{way}: {:?}", last.ghosts);
    }
}

#[test]
fn the_limit_of_an_initializer_is_not_that_of_the_task() {
    for setting in both(1) {
        let way = format!("{:?}", setting.policy);
        let story = initialized(setting, 1_000_000, Some(300)).tasks(2, sleep(600), rules()).start().finish();
        assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 2), "{way}: {:?}", story.notes);
    }
    let story = initialized(process(1), 0, Some(300)).tasks(1, shell("sleep 0.6"), rules()).start().finish();
    assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 1), "{:?}", story.notes);
}

#[test]
fn one_that_is_dismissed_while_it_initializes_just_ends() {
    let running = initialized(pool(1), 600_000_000, None).tasks(6, sleep(400), rules()).start();
    running.until("it works", |story| story.initialized.len() == 1);
    running.command(Command::Resize(NonZeroU32::new(2).unwrap()));
    running.until("the second is in its initializer", |story| {
        story.started.len() == 2 && story.slots.get(1).is_some_and(|slot| slot.state == WorkerState::Initializing)
    });
    running.command(Command::Resize(NonZeroU32::MIN));
    let story = running.finish();
    assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 6), "{:?}", story.notes);
    assert!(!story.notes.iter().any(|note| note.contains("is ended")), "{:?}", story.notes);
}
