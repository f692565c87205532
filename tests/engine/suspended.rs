//! While a run is suspended nothing goes on, whatever happens meanwhile.

use poolscope::engine::control::Command;
use poolscope::engine::event::RunState;
use rustix::process::Signal;

use crate::support::{eventually, every, kill, rules, sleep};

fn is_stopped(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default().contains(") T")
}

#[test]
fn a_worker_that_replaces_one_that_died_meanwhile_stands_still_too() {
    for setting in every(2) {
        let running = setting.tasks(60, sleep(20), rules()).start();
        let story = running.until("tasks are done", |story| story.succeeded > 4);
        running.command(Command::Suspend);
        running.until("it is suspended", |story| story.state == Some(RunState::Suspended));
        let there: Vec<u32> = story.slots.iter().filter_map(|slot| slot.pid).filter(|pid| is_stopped(*pid)).collect();
        let ended = running.story().exits.len() + there.len();
        there.iter().for_each(|pid| kill(*pid, Signal::KILL));
        running.until("their ends are told", |story| story.exits.len() >= ended);
        eventually("all that live stand still", || {
            let story = running.story();
            let ends: Vec<u32> = story.exits.iter().map(|(_, pid, ..)| *pid).collect();
            let lives = story.started.iter().filter(|(_, pid, _)| !ends.contains(pid));
            lives.clone().all(|(_, pid, _)| is_stopped(*pid))
        });
        // A task that had ended before may be heard of a little later.
        let heard = std::cell::Cell::new(running.story().succeeded);
        eventually("nothing more is heard", || {
            std::thread::sleep(std::time::Duration::from_millis(50));
            let now = running.story().succeeded;
            heard.replace(now) == now
        });
        let story = running.story();
        let (succeeded, at) = (story.succeeded, story.at);
        // Long enough for a worker that goes on to be ready and do several tasks.
        std::thread::sleep(std::time::Duration::from_millis(300));
        let story = running.story();
        assert_eq!((story.succeeded, story.state), (succeeded, Some(RunState::Suspended)));
        assert!(story.at <= at + std::time::Duration::from_millis(1), "the clock stands still");
        running.command(Command::Unsuspend);
        let story = running.finish();
        assert_eq!(story.counts.finished(), 60);
        story.nobody_is_left();
    }
}
