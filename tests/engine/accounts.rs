//! Where the time of workers went: the same in both engines, and never more than there was.

use std::sync::Arc;
use std::time::Duration;

use poolscope::engine::control::Command;
use poolscope::engine::event::RunState;
use poolscope::engine::stream::ClassRules;
use poolscope::workload::model::{Dist, Fault, FaultKind, OnTimeout, Recycling, Trigger, Work};
use poolscope::{Observer, Observers, Recorder, RecorderConfig, RunId, Snapshot};

use crate::memory::watch;
use crate::support::{Setting, both, eventually, pool, rules, sleep};

/// All that workers did, in parts of the time that they had.
fn part_of_capacity(run: &Snapshot, workers: u32) -> f64 {
    let time = run.worker_time;
    let all = time.work + time.startup + time.carrying + time.ghost + time.initializing;
    all.as_secs_f64() / (run.wall().as_secs_f64() * f64::from(workers))
}

fn fault(kind: FaultKind, at: Trigger) -> Vec<Fault> {
    vec![Fault { kind, at, class: None, draw: None }]
}

#[test]
fn workers_never_did_more_than_there_was_time_for_ghosts_or_not() {
    let recycled = |workers| Setting {
        recycling: Recycling { max_tasks: std::num::NonZeroU64::MIN.into(), max_rss_bytes: None },
        ..pool(workers)
    };
    let hasty = ClassRules { timeout: Some(Duration::from_millis(60)), on_timeout: OnTimeout::Abandon, ..rules() };
    for setting in both(2).into_iter().chain([recycled(2)]) {
        // One task hangs for good, and its worker with it.
        let way = format!("{:?}", setting.policy);
        let mut setting = setting.tasks(30, sleep(20), hasty);
        setting.orders.faults = fault(FaultKind::Hang, Trigger::Index(0));
        let run = watch(setting, |_| {});
        let part = part_of_capacity(&run, 2);
        assert!(run.worker_time.ghost > run.wall() / 2, "{way}: {:?} of {:?}", run.worker_time, run.wall());
        assert!(part <= 1.0 + 1e-6, "{way}: {part} of the time, {:?} of {:?}", run.worker_time, run.wall());
    }
    for setting in both(2) {
        // Ghosts come and go.
        let way = format!("{:?}", setting.policy);
        let work = Work::Sleep(Dist::Uniform { min: Duration::from_millis(5), max: Duration::from_millis(200) });
        let run = watch(setting.tasks(24, work, hasty), |_| {});
        let part = part_of_capacity(&run, 2);
        assert!(run.ghosts.ended > 2, "{way}: {:?}", run.ghosts);
        assert!(part <= 1.0 + 1e-6, "{way}: {part} of the time, {:?} of {:?}", run.worker_time, run.wall());
    }
}

/// Three workers in tasks of a second, which ignore SIGTERM and have all the time they want, are stopped.
fn stopped(mut setting: Setting) -> Arc<Snapshot> {
    let patient = ClassRules { grace_period: Duration::from_secs(30), ..rules() };
    setting.orders.faults = fault(FaultKind::IgnoreSigterm, Trigger::Rate(1.0));
    let (recorder, snapshots) = Recorder::new(RecorderConfig {
        sample_interval: None,
        cores: 64,
        capabilities: setting.capabilities,
        unbounded: false,
        run: RunId::default(),
    });
    let observers = [Box::new(recorder) as Box<dyn Observer>].into_iter().collect::<Observers>();
    let running = setting.tasks(30, sleep(1_000), patient).start_with(observers);
    eventually("all are in their tasks", || {
        snapshots.borrow().workers.iter().filter(|row| row.task_for > Duration::from_millis(100)).count() == 3
    });
    running.command(Command::Stop);
    running.finish();
    snapshots.borrow().clone()
}

#[test]
fn what_a_stop_cuts_short_was_work_in_every_engine_and_is_not_waited_for_longer_than_it_lasts() {
    for setting in both(3) {
        let way = format!("{:?}", setting.policy);
        let run = stopped(setting);
        let (work, wall) = (run.worker_time.work, run.wall());
        assert_eq!((run.state, run.counts.cancelled), (RunState::Stopped, 30), "{way}");
        assert!(work > Duration::from_millis(300) && work < wall * 3, "{way}: {work:?} of three times {wall:?}");
        assert!(run.at.elapsed() > Duration::from_millis(900), "{way}: they were left to end their tasks");
        assert!(run.at.elapsed() < Duration::from_secs(15), "{way}: and left then, after {:?}", run.at);
    }
}
