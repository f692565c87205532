//! Ends that are heard late: an observer holds the engine up while they come. What they are is told as it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use poolscope::engine::event::{EngineView, Event, Moment, Observer, Observers};
use poolscope::engine::outcome::{Cause, Exit, Outcome};
use poolscope::engine::stream::ClassRules;
use rustix::process::Signal;

use crate::support::{Setting, Story, eventually, kill, patiently, pool, process, rules, shell, sleep};

/// For how long the engine hears nothing.
const DEAF: Duration = Duration::from_millis(1500);

/// Holds the engine up, once, as soon as it is seen to be in a task, and tells when that began.
struct HoldsUp(Arc<AtomicU64>);

impl Observer for HoldsUp {
    fn event(&mut self, _: Moment, _: &Event<'_>) {}

    fn state(&mut self, now: Moment, view: &EngineView<'_>) {
        let in_task = view.slots.iter().any(|slot| slot.task.is_some());
        if in_task && self.0.compare_exchange(0, now.0, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            std::thread::sleep(DEAF);
        }
    }
}

/// Runs this while nobody hears anything; says when that began and what was told in the end.
fn held_up(setting: Setting, meanwhile: impl FnOnce(u32)) -> (Moment, Story) {
    let since = Arc::new(AtomicU64::new(0));
    let observer: Box<dyn Observer> = Box::new(HoldsUp(Arc::clone(&since)));
    let running = setting.start_with(Observers::from_iter([observer]));
    let over = || running.story().state.is_some_and(poolscope::engine::event::RunState::is_over);
    eventually("the engine is held up", || since.load(Ordering::Acquire) > 0 || over());
    if !over() {
        meanwhile(running.story().started[0].1);
    }
    let story = running.finish();
    (Moment(since.load(Ordering::Acquire)), story)
}

#[test]
fn a_task_whose_worker_is_killed_while_nobody_listens_has_worked_until_then() {
    let exit = Exit::Signal(libc::SIGKILL);
    let died = Cause::WorkerDied { exit, by_user: false, out_of_memory: false };
    for (setting, outcome, cause) in [
        (pool(1).tasks(1, sleep(600_000), rules()), Outcome::Lost, died),
        (process(1).tasks(1, shell("exec sleep 600"), rules()), Outcome::Failed, Cause::Exited { exit }),
    ] {
        let policy = setting.policy;
        let (since, story) = held_up(setting, |pid| kill(pid, Signal::KILL));
        let [report] = &story.attempts[..] else { panic!("{policy:?}: {:?}", story.attempts) };
        assert_eq!((report.outcome, &report.cause), (outcome, &cause), "{policy:?}: {report:?}");
        let worked = report.service.unwrap();
        assert!(worked < since.elapsed() + DEAF / 2, "{policy:?}: {worked:?}, and nobody heard from {since:?} on");
        assert!(report.ended >= since + DEAF, "{policy:?}: it is heard when somebody listens: {:?}", report.ended);
    }
}

#[test]
fn a_program_that_ends_while_nobody_listens_has_worked_until_then() {
    patiently(Duration::from_millis(300), |takes| {
        let script = format!("sleep {}", takes.as_secs_f64());
        let setting = process(1).tasks(1, shell(&script), rules());
        let (since, story) = held_up(setting, |_| ());
        assert_eq!(story.counts.succeeded, 1, "{:?}", story.attempts);
        if since == Moment::ZERO {
            return false;
        }
        let worked = Duration::from_nanos(story.records[0].service);
        assert!(worked >= takes && worked < takes.max(since.elapsed()) + DEAF / 2, "{worked:?} of {takes:?}");
        true
    });
}

#[test]
fn a_task_that_ends_after_its_limit_while_nobody_listens_is_timed_out() {
    for nth in 0..2 {
        patiently(Duration::from_millis(300), |limit| {
            let rules = ClassRules { timeout: Some(limit), ..rules() };
            let takes = limit * 2;
            let setting = if nth == 0 {
                pool(1).tasks(1, sleep(takes.as_millis() as u64), rules)
            } else {
                process(1).tasks(1, shell(&format!("sleep {}", takes.as_secs_f64())), rules)
            };
            let (since, story) = held_up(setting, |_| ());
            let [report] = &story.attempts[..] else { panic!("{nth}: {:?}", story.counts) };
            assert_eq!((report.outcome, &report.cause), (Outcome::TimedOut, &Cause::Timeout { limit }));
            // Where it was held up in time, and not for too short.
            let worked = report.service.unwrap();
            if since == Moment::ZERO || worked < takes {
                return false;
            }
            assert!(worked < takes + DEAF / 2, "{nth}: {worked:?} of {takes:?}");
            true
        });
    }
}
