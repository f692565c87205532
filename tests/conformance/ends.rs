//! C2, C4, C15, C38: how a run ends, by itself or because it is told to, and what can be asked of it afterwards.

use std::time::{Duration, Instant};

use poolscope::engine::control::Command;
use poolscope::engine::dispatcher::window::Chunk;
use poolscope::engine::event::{RunState, WorkerState};
use rustix::process::Signal;

use crate::engines::Engine;
use crate::processes::at_work;
use crate::support::{Control, Story, kill, patiently, rules, sleep};

/// A join that waits for nobody ends nobody who works, and keeps nobody waiting.
pub(crate) fn a_join_that_waits_for_nobody_ends_no_work(engine: &Engine) {
    patiently(Duration::from_millis(200), |limit| {
        let mut setting = engine.of(2).tasks(2, sleep(10), rules()).tasks(1, sleep(400), rules());
        setting.join_timeout = Duration::ZERO;
        let story = setting.start().finish();
        assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 3), "{:?}", story.attempts);
        story.at.since(story.last_end) <= limit
    });
}

/// Who stops twice, or asks for anything after the end, changes nothing; nobody is started any more.
pub(crate) fn what_is_over_is_not_changed_any_more(engine: &Engine) {
    let everything = [
        Command::Stop,
        Command::Kill,
        Command::Resize(9.try_into().unwrap()),
        Command::Pause,
        Command::Suspend,
        Command::Submit,
        Command::KillWorker(None),
    ];
    for by_itself in [true, false] {
        let running = engine.of(2).tasks(20, sleep(if by_itself { 2 } else { 600_000 }), rules()).start();
        if !by_itself {
            at_work(&running, 2);
            everything[..3].iter().for_each(|command| running.command(*command));
        }
        let before = running.until("it is over", |story| story.state.is_some_and(RunState::is_over));
        everything.iter().for_each(|command| running.command(*command));
        let story = running.finish();
        assert_eq!(story.state, Some(if by_itself { RunState::Finished } else { RunState::Stopped }));
        assert_eq!((story.counts, story.started.len()), (before.counts, before.started.len()));
        assert_eq!(story.counts.finished(), 20);
    }
}

/// A stop does not go through them one by one.
pub(crate) fn ten_thousand_queued_tasks_do_not_hold_up_a_stop(engine: &Engine) {
    for command in [Command::Stop, Command::Kill] {
        patiently(Duration::from_millis(400), |limit| {
            let running = engine.of(2).tasks(10_000, sleep(600_000), rules()).start();
            at_work(&running, 2);
            let begin = Instant::now();
            running.command(command);
            let story = running.finish();
            assert_eq!((story.state, story.counts.cancelled), (Some(RunState::Stopped), 10_000));
            begin.elapsed() <= limit
        });
    }
}

/// Closed, it does all that is queued; stopped, it does not.
pub(crate) fn all_that_is_queued_is_done_or_the_run_is_stopped(engine: &Engine) {
    for stop in [false, true] {
        let running = engine.of(2).tasks(60, sleep(20), rules()).start();
        running.until("some are done", |story| story.succeeded >= 3);
        if stop {
            running.command(Command::Stop);
        }
        let story = running.finish();
        assert_eq!(story.state, Some(if stop { RunState::Stopped } else { RunState::Finished }));
        assert_eq!((story.counts.finished(), story.counts.succeeded == 60), (60, !stop), "{:?}", story.counts);
    }
}

/// A join with a limit is over at that, neither earlier nor later, and names who is still there.
pub(crate) fn who_does_not_leave_in_time_is_named_and_ended(engine: &Engine) {
    let limit = Duration::from_millis(300);
    patiently(Duration::from_millis(20), |allowed| {
        let mut setting = engine.of(2).tasks(2, sleep(10), rules()).tasks(1, sleep(600), rules());
        (setting.chunk, setting.join_timeout) = (Chunk::Fixed(1), limit);
        let running = setting.start();
        let resting =
            |story: &Story| story.slots.iter().find(|slot| slot.state == WorkerState::Idle).and_then(|slot| slot.pid);
        let story = running.until("one rests", |story| story.counts.succeeded == 2 && resting(story).is_some());
        let pid = resting(&story).unwrap();
        // It cannot hear that it is to leave.
        kill(pid, Signal::STOP);
        let control = Control::start();
        let story = running.finish();
        let late = control.allowance();
        assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 3));
        let named = format!("(pid {pid}) did not leave within {limit:?}");
        let told = story.notes.iter().position(|note| note.contains(&named));
        let told = told.unwrap_or_else(|| panic!("{named}: {:?}", story.notes));
        let waited = story.noted[told].since(story.last_end);
        assert!(waited >= limit, "{waited:?} of {limit:?}");
        waited <= limit + late + allowed
    });
}
