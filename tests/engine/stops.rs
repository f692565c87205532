//! A stop has one meaning in every engine: what was being worked on is cancelled, however it ends then.

use std::time::Duration;

use poolscope::engine::control::Command;
use poolscope::engine::event::RunState;
use poolscope::engine::stream::ClassRules;
use poolscope::workload::model::Work;

use crate::support::{Setting, Story, every_with_programs, lives, program, rules, shell};

/// Runs 60 tasks, of which each makes a file of its own when it is ready to be stopped, and stops them.
fn stopped(setting: Setting, work: Work, marks: &std::path::Path, ready: bool) -> Story {
    let patient = ClassRules { grace_period: Duration::from_secs(20), ..rules() };
    let running = setting.tasks(60, work, patient).start();
    running.until("two run", |story| {
        story.counts.running == 2 && story.slots.iter().filter(|slot| slot.task.is_some()).count() == 2
    });
    if ready {
        crate::support::eventually("both are ready", || std::fs::read_dir(marks).unwrap().count() == 2);
    }
    running.command(Command::Stop);
    running.finish()
}

#[test]
fn what_is_in_work_when_the_run_is_stopped_is_cancelled_in_every_engine() {
    for (ending, ready) in
        [(None, false), (Some("exit 0"), true), (Some("exit 7"), true), (Some("kill -SEGV $$"), true)]
    {
        for setting in every_with_programs(2) {
            let (policy, marks) = (setting.policy, tempfile::tempdir().unwrap());
            let work = match ending {
                None => program(&["sleep", "600"]),
                Some(ending) => shell(&format!(
                    "trap 'kill $!; {ending}' TERM; sleep 600 & touch {}/{{index}}; wait",
                    marks.path().display()
                )),
            };
            let story = stopped(setting, work, marks.path(), ready);
            let counts = story.counts;
            assert_eq!(story.state, Some(RunState::Stopped));
            assert_eq!((counts.cancelled, counts.finished()), (60, 60), "{policy:?}, {ending:?}: {counts:?}");
            assert_eq!(story.attempts, [], "{policy:?}, {ending:?}: nothing is blamed on a task");
            assert!(story.started.iter().all(|(_, pid, _)| !lives(*pid)));
        }
    }
}
