//! C40: the numbers of the table of workers are those of the processes.

use std::sync::Arc;
use std::time::Duration;

use poolscope::engine::event::{Moment, Observer, Observers, Slot};
use poolscope::metrics::recorder::{Recorder, RecorderConfig};
use poolscope::metrics::snapshot::{RunId, Snapshot};

use crate::engines::Engine;
use crate::support::{Setting, Story, rules, sleep};

fn recorded(setting: Setting) -> (Story, Arc<Snapshot>) {
    let (recorder, snapshots) = Recorder::new(RecorderConfig {
        sample_interval: None,
        cores: 2,
        capabilities: setting.capabilities,
        unbounded: false,
        run: RunId::default(),
    });
    let others: Observers = [Box::new(recorder) as Box<dyn Observer>].into_iter().collect();
    let story = setting.start_with(others).finish();
    let last = snapshots.borrow().clone();
    (story, last)
}

/// Tasks of all workers are all tasks; start, work and what is between them fill the lives of the processes, and worker
/// time is in its parts.
pub(crate) fn the_table_of_workers_adds_up(engine: &Engine) {
    let (story, last) = recorded(engine.of(2).tasks(24, sleep(40), rules()));
    assert_eq!(story.counts.succeeded, 24, "{:?}", story.notes);
    assert_eq!(last.workers.iter().map(|row| row.done).sum::<u64>(), 24);
    assert_eq!(last.workers.iter().map(|row| row.starts).sum::<u64>(), story.started.len() as u64);
    let service = story.records.iter().map(|record| Duration::from_nanos(record.service)).sum::<Duration>();
    assert_eq!(last.workers.iter().map(|row| row.busy).sum::<Duration>(), service);
    assert_eq!(last.worker_time.work, service);
    let cpu = story.exits.iter().map(|exit| exit.3.cpu()).sum::<Duration>();
    assert_eq!(last.workers.iter().map(|row| row.cpu).sum::<Duration>(), cpu);
    for row in &last.workers {
        let lives = lives(&story, row.slot);
        let lifetime = lives.iter().map(|life| life.1.since(life.0)).sum::<Duration>();
        let starting = starting(&story, row.slot);
        let parts = starting + row.busy;
        assert!(parts <= lifetime, "{parts:?} in {lifetime:?}: {row:?}");
        // Always some task waits: between tasks a worker has hardly anything to do but leave.
        assert!(parts >= lifetime / 2, "{parts:?} in {lifetime:?}: {row:?}");
        assert!(lives.windows(2).all(|pair| pair[0].1 <= pair[1].0), "one after the other in a slot: {lives:?}");
        assert!(lifetime <= story.at.elapsed());
    }
    let time = &last.worker_time;
    let all = time.work + time.startup + time.dispatch + time.idle;
    let wall = last.wall() * 2;
    assert!(all.abs_diff(wall) <= Duration::from_millis(1), "{all:?} of {wall:?}");
}

/// From the decision to start it to its end: the processes in a slot.
fn lives(story: &Story, slot: Slot) -> Vec<(Moment, Moment)> {
    let here = story.began.iter().filter(|began| began.0.slot == slot);
    let pid = |worker| story.started.iter().find(|started| started.0 == worker).unwrap().1;
    here.map(|(worker, beginning)| (beginning.called, story.lives[&pid(*worker)].1.unwrap())).collect()
}

/// From their starts until they were ready; of those that do not tell, until they were there.
fn starting(story: &Story, slot: Slot) -> Duration {
    let here = story.began.iter().filter(|began| began.0.slot == slot);
    here.map(|(_, beginning)| beginning.own.map_or(beginning.executed, |own| own.1).since(beginning.called)).sum()
}
