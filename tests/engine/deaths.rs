//! Why workers end, told apart in both engines.

use std::time::Duration;

use poolscope::engine::control::Command;
use poolscope::engine::event::{DeathCause, Slot};
use poolscope::engine::stream::ClassRules;
use poolscope::workload::model::{Dist, Fault, FaultKind, Trigger, Work};
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};

use crate::support::{Setting, Story, both, kill, lives, rules, sleep};

fn first_death(story: &Story) -> DeathCause {
    story.deaths[0].1
}

/// A task that goes on for a minute and others that do not.
fn with_a_long_one(setting: Setting, work: Work) -> Setting {
    setting.tasks(1, work, rules()).tasks(3, sleep(1), rules())
}

fn worker_at_work(story: &Story) -> Option<u32> {
    story.slots.iter().find(|slot| slot.task.is_some_and(|(index, ..)| index == 0)).and_then(|slot| slot.pid)
}

#[test]
fn each_end_has_its_cause() {
    let fault = |kind| vec![Fault { kind, at: Trigger::Index(0), class: None, draw: None }];
    for setting in both(1) {
        let way = format!("{:?}", setting.policy);
        let again = || both(1).into_iter().find(|other| format!("{:?}", other.policy) == way).unwrap();

        let story = setting.tasks(3, sleep(1), rules()).start().finish();
        assert!(story.deaths.iter().all(|(_, cause)| *cause == DeathCause::Left), "{way}: {:?}", story.deaths);

        for kind in [FaultKind::Exit(3), FaultKind::Crash(libc::SIGSEGV)] {
            let mut setting = again();
            setting.orders.faults = fault(kind);
            let story = setting.tasks(3, sleep(1), rules()).start().finish();
            assert_eq!(first_death(&story), DeathCause::Fault, "{way}: {kind:?}");
        }

        let limit = Duration::from_millis(100);
        let limited = ClassRules { timeout: Some(limit), ..rules() };
        let story = again().tasks(1, sleep(60_000), limited).tasks(3, sleep(1), rules()).start().finish();
        assert_eq!(first_death(&story), DeathCause::Timeout { limit }, "{way}");

        let running = with_a_long_one(again(), sleep(60_000)).start();
        running.until("it is in its task", |story| worker_at_work(story).is_some());
        running.command(Command::KillWorker(Some(Slot(0))));
        let story = running.finish();
        assert_eq!(first_death(&story), DeathCause::Request, "{way}");

        let running = with_a_long_one(again(), sleep(60_000)).start();
        let story = running.until("it is in its task", |story| worker_at_work(story).is_some());
        kill(worker_at_work(&story).unwrap(), Signal::KILL);
        let story = running.finish();
        assert_eq!(first_death(&story), DeathCause::Crashed, "{way}: somebody else did that");

        let running = with_a_long_one(again(), sleep(60_000)).start();
        running.until("it is in its task", |story| worker_at_work(story).is_some());
        running.command(Command::Kill);
        let story = running.finish();
        assert_eq!(first_death(&story), DeathCause::RunOver, "{way}");
    }
}

#[test]
fn a_resource_limit_is_named() {
    for setting in both(1) {
        let way = format!("{:?}", setting.policy);
        let running = with_a_long_one(setting, Work::Cpu(Dist::Constant(Duration::from_secs(600)))).start();
        let story = running.until("it is in its task", |story| worker_at_work(story).is_some());
        let pid = worker_at_work(&story).unwrap();
        assert!(lives(pid));
        let second = Rlimit { current: Some(1), maximum: Some(60) };
        prlimit(Pid::from_raw(i32::try_from(pid).unwrap()), Resource::Cpu, second).unwrap();
        let story = running.finish();
        assert_eq!(first_death(&story), DeathCause::CpuLimit, "{way}: {:?}", story.exits);
        assert_eq!((story.counts.lost, story.counts.succeeded), (1, 3), "{way}");
    }
}
