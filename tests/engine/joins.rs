//! `measure.join.timeout`: how long a run waits, after its last task, for workers to leave; who is still there is named.

use std::time::Duration;

use poolscope::engine::dispatcher::window::Chunk;
use poolscope::engine::event::{RunState, WorkerState};
use rustix::process::Signal;

use crate::support::{Control, kill, patiently, pool, rules, sleep};

#[test]
fn who_does_not_leave_in_time_is_named_and_ended() {
    // Less and more than a worker without work has while a run goes on.
    for join in [Duration::from_millis(300), Duration::from_millis(2600)] {
        patiently(Duration::from_millis(20), |allowed| {
            let mut setting = pool(2).tasks(2, sleep(10), rules()).tasks(1, sleep(900), rules());
            (setting.chunk, setting.join_timeout) = (Chunk::Fixed(1.try_into().unwrap()), join);
            let running = setting.start();
            let story = running.until("one rests while the other has the last task", |story| {
                story.succeeded == 2
                    && story.slots.iter().any(|slot| slot.state == WorkerState::Idle)
                    && story.slots.iter().any(|slot| slot.state == WorkerState::Busy)
            });
            let idle = story.slots.iter().find(|slot| slot.state == WorkerState::Idle).unwrap();
            let pid = idle.pid.unwrap();
            // It cannot hear that it is to leave.
            kill(pid, Signal::STOP);
            running.until("the last task is done", |story| story.succeeded == 3);
            let control = Control::start();
            let story = running.finish();
            let late = control.allowance();
            assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 3));
            let named = format!("worker {} (pid {pid}) did not leave within {join:?}", idle.slot);
            let told = story.notes.iter().position(|note| note.contains(&named));
            let told = told.unwrap_or_else(|| panic!("{named}: {:?}", story.notes));
            assert!(story.notes[told].contains("has done its tasks and was asked to leave"), "{}", story.notes[told]);
            assert_eq!(story.notes.iter().filter(|note| note.contains("did not leave")).count(), 1);
            story.nobody_is_left();
            let waited = story.noted[told].since(story.last_end);
            assert!(waited >= join, "{waited:?} of {join:?}");
            waited <= join + late + allowed
        });
    }
}

#[test]
fn who_leaves_is_not_waited_for_and_not_named() {
    for mut setting in crate::support::every(2) {
        setting.join_timeout = Duration::from_secs(50);
        let story = setting.tasks(20, sleep(5), rules()).start().finish();
        assert_eq!(story.counts.succeeded, 20);
        assert!(story.notes.iter().all(|note| !note.contains("leave")), "{:?}", story.notes);
        assert!(story.at.since(story.last_end) < Duration::from_secs(20));
    }
}
