//! A worker with several lanes is one process: what is told of it, and what a recorder makes of that.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use poolscope::engine::dispatcher::Policy;
use poolscope::engine::event::{EngineView, Event, Moment, Observer, Observers, RunState, WorkerState};
use poolscope::engine::outcome::Outcome;
use poolscope::engine::stream::ClassRules;
use poolscope::metrics::recorder::{Recorder, RecorderConfig};
use poolscope::metrics::snapshot::{Cost, Replaced, RunId, Snapshot};
use poolscope::workload::model::{Dist, EngineKind, OnTimeout, Work};
use poolscope::{Arm as _, Dispatched};

use crate::support::{Setting, pool, rules};

/// Keeps every snapshot of the recorder that was told before it.
struct Frames(tokio::sync::watch::Receiver<Arc<Snapshot>>, Arc<Mutex<Vec<Arc<Snapshot>>>>);

impl Observer for Frames {
    fn event(&mut self, _: Moment, _: &Event<'_>) {}

    fn state(&mut self, _: Moment, _: &EngineView<'_>) {
        self.1.lock().unwrap().push(self.0.borrow().clone());
    }
}

/// A recorder, and where its snapshots will be.
fn recorded() -> (Observers, Arc<Mutex<Vec<Arc<Snapshot>>>>) {
    let (recorder, snapshots) = Recorder::new(RecorderConfig {
        sample_interval: Some(Duration::from_millis(20)),
        cores: 2,
        capabilities: Dispatched(EngineKind::Pool).capabilities(),
        unbounded: false,
        run: RunId::default(),
    });
    let frames = Arc::default();
    let observers: [Box<dyn Observer>; 2] = [Box::new(recorder), Box::new(Frames(snapshots, Arc::clone(&frames)))];
    (observers.into_iter().collect(), frames)
}

fn lanes(number: u32) -> Setting {
    Setting { policy: Policy::OneWorker, ..pool(number) }
}

#[test]
fn cpu_time_is_that_of_the_process_and_each_lane_has_its_part() {
    let (observers, frames) = recorded();
    let work = Work::Cpu(Dist::Constant(Duration::from_millis(15)));
    let story = lanes(4).tasks(80, work, rules()).start_with(observers).finish();
    assert_eq!((story.counts.succeeded, story.exits.len()), (80, 1), "{:?}", story.notes);
    let used = story.exits[0].3.cpu();
    let frames = frames.lock().unwrap();
    let last = frames.last().unwrap();
    assert_eq!(last.cpu.user + last.cpu.system, used, "the kernel's account, once");
    assert_eq!(last.workers.iter().map(|row| row.cpu).sum::<Duration>(), used, "rows add up: {:?}", last.workers);
    assert_eq!(last.workers.iter().map(|row| row.done).sum::<u64>(), 80);
    for row in &last.workers {
        assert!(row.done == 0 || row.cpu > Duration::ZERO, "its thread has worked: {row:?}");
        assert_eq!(row.starts, u64::from(row.slot.0 == 0), "one process was started");
    }
    // Before its end no lane, and not all of them together, can have used more than the process has then.
    for frame in frames.iter() {
        let rows = frame.workers.iter().map(|row| row.cpu).sum::<Duration>();
        assert!(rows <= used && frame.cpu.user + frame.cpu.system <= used, "{rows:?} {:?} of {used:?}", frame.cpu);
        assert!(frame.cpu.cores_used_whole * frame.wall().as_secs_f64() <= used.as_secs_f64() + 1e-6, "{frame:?}");
    }
    let parts = frames
        .iter()
        .any(|frame| !frame.state.is_over() && frame.workers.iter().filter(|row| row.cpu > Duration::ZERO).count() > 1);
    assert!(parts, "lanes have their parts while they work");
}

#[test]
fn a_timeout_in_one_lane_ends_one_worker_and_no_other() {
    let (observers, frames) = recorded();
    let sleep = |millis| Work::Sleep(Dist::Constant(Duration::from_millis(millis)));
    let limited = ClassRules { timeout: Some(Duration::from_millis(200)), grace_period: Duration::ZERO, ..rules() };
    let setting =
        lanes(3).tasks(1, sleep(5000), rules()).tasks(1, sleep(600_000), limited).tasks(200, sleep(5), rules());
    let story = setting.start_with(observers).finish();
    assert_eq!((story.state, story.started.len()), (Some(RunState::Finished), 2), "{:?}", story.notes);
    assert_eq!(story.counts.timed_out, 1, "{:?}", story.attempts);
    assert!((1..=2).contains(&story.counts.lost), "what the other lanes were in: {:?}", story.attempts);
    let overdue = story.attempts.iter().find(|report| report.outcome == Outcome::TimedOut).unwrap();
    let frames = frames.lock().unwrap();
    let kills = &frames.last().unwrap().timeouts;
    assert_eq!(kills.len(), 1);
    assert_eq!((Some(kills[0].slot), kills[0].pid), (overdue.slot, overdue.pid), "the lane that was overdue");
    assert_eq!((kills[0].others, kills[0].others_ended), (0, 0), "there is no other worker: {kills:?}");
    assert!(matches!(kills[0].cost, Cost::Attempt { index: 1, outcome: Outcome::TimedOut, .. }), "{kills:?}");
    assert!(matches!(kills[0].replaced, Replaced::After(_)), "{kills:?}");
}

#[test]
fn a_lane_is_added_for_each_task_that_works_too_long_until_the_worker_is_replaced() {
    let sleep = |millis| Work::Sleep(Dist::Constant(Duration::from_millis(millis)));
    let given_up = ClassRules { timeout: Some(Duration::from_millis(200)), on_timeout: OnTimeout::Abandon, ..rules() };
    for (stuck, starts) in [(1, 1), (2, 2)] {
        let (observers, frames) = recorded();
        let setting = lanes(2).tasks(stuck, sleep(600_000), given_up).tasks(100, sleep(10), rules());
        let story = setting.start_with(observers).finish();
        assert_eq!((story.counts.timed_out, story.started.len()), (stuck, starts), "{:?}", story.notes);
        assert_eq!(story.counts.succeeded + story.counts.lost, 100, "{:?}", story.attempts);
        assert!(story.counts.lost < starts as u64, "what a replaced worker was in: {:?}", story.attempts);
        let frames = frames.lock().unwrap();
        let at_work = |frame: &Arc<Snapshot>| {
            let of = |state| frame.workers.iter().filter(|row| row.state == state).count();
            (of(WorkerState::Busy), of(WorkerState::Ghost))
        };
        // Two that begin together are given up together.
        assert!(stuck == 2 || frames.iter().any(|frame| at_work(frame) == (2, 1)), "two at work beside a ghost");
        assert!(frames.iter().all(|frame| at_work(frame).0 <= 2), "never more than two");
    }
}
