//! What workers use, with all that they have started: the same in both engines, from real processes.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, Instant};

use poolscope::engine::dispatcher::window::Chunk;
use poolscope::workload::model::{Dist, Fault, FaultKind, Recycling, Trigger, Work};
use poolscope::{Observer, Observers, Recorder, RecorderConfig, RunId, Snapshot};

use crate::support::{Setting, WALL, both, rules, shell, sleep};

/// Runs it to its end; every snapshot on the way is shown.
pub(crate) fn watch(setting: Setting, mut see: impl FnMut(&Snapshot)) -> Arc<Snapshot> {
    let (recorder, mut snapshots) = Recorder::new(RecorderConfig {
        sample_interval: Some(Duration::from_millis(50)),
        cores: 64,
        capabilities: setting.capabilities,
        unbounded: false,
        run: RunId::default(),
    });
    let running = setting.start_with([Box::new(recorder) as Box<dyn Observer>].into_iter().collect::<Observers>());
    let deadline = Instant::now() + WALL;
    loop {
        if snapshots.has_changed().unwrap_or(false) {
            see(&snapshots.borrow_and_update());
        }
        if snapshots.borrow().state.is_over() {
            running.finish();
            return snapshots.borrow().clone();
        }
        assert!(Instant::now() < deadline, "{:?}", snapshots.borrow());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn memory_of_what_a_worker_has_started_is_its_own_and_counted_once() {
    const HELD: u64 = 64 << 20;
    for setting in both(2) {
        let way = format!("{:?}", setting.policy);
        // The writer holds its block for as long as nobody reads it: a grandchild, or a child of the program itself.
        let script = format!("dd if=/dev/zero bs={HELD} count=1 2>/dev/null | sleep 3; true");
        let (mut one, mut both_of_them) = (0, 0);
        let last = watch(setting.tasks(2, shell(&script), rules()), |frame| {
            for row in &frame.workers {
                one = one.max(row.rss_bytes.unwrap_or(0));
                assert!(row.pss_bytes.unwrap_or(0) <= row.rss_bytes.unwrap_or(0), "{way}: {row:?}");
            }
            both_of_them = both_of_them.max(frame.memory.rss_bytes);
        });
        assert!((HELD..HELD * 3 / 2).contains(&one), "{way}: {one}");
        assert!((2 * HELD..HELD * 3).contains(&both_of_them), "{way}: {both_of_them}");
        assert!(last.workers.iter().all(|row| row.peak_rss_bytes.is_some_and(|peak| peak >= HELD)), "{way}");
        assert!(last.memory_course.all.iter().any(|point| point.rss_bytes >= 2 * HELD), "{way}");
    }
}

#[test]
fn a_bar_is_that_of_what_a_worker_has_started_too() {
    for setting in both(1) {
        let way = format!("{:?}", setting.policy);
        let script = "sh -c 'i=0; while [ $i -lt 3000000 ]; do i=$((i+1)); done'; true";
        let (mut busy, mut most) = (0, 0.0f32);
        let last = watch(setting.tasks(1, shell(script), rules()), |frame| {
            let percent = frame.workers.first().and_then(|row| row.cpu_percent).unwrap_or(0.0);
            busy += u32::from(percent > 20.0);
            most = most.max(percent);
        });
        assert!(busy >= 3, "{way}: it was seen at work {busy} times, at {most} %");
        assert!(most < 190.0, "{way}: one process at a time, and {most} %");
        assert!(last.cpu.user > Duration::from_millis(200), "{way}: {:?}", last.cpu);
    }
}

#[test]
fn page_faults_are_the_kernels() {
    for mut setting in both(1) {
        let way = format!("{:?}", setting.policy);
        setting.recycling = Recycling { max_tasks: NonZeroU64::new(2), max_rss_bytes: None };
        let few = watch(setting.tasks(4, Work::Cpu(Dist::Constant(Duration::from_millis(1))), rules()), |_| {});
        let few = few.page_faults.as_deref().copied().expect("the kernel counts them");
        // 32 MiB in pages of at most 64 KiB, written to in each of four tasks.
        let script = "head -c 33554432 /dev/zero | tail -c 33554432 | wc -c >/dev/null";
        let setting = both(1).into_iter().find(|setting| format!("{:?}", setting.policy) == way).unwrap();
        let last = watch(setting.tasks(4, shell(script), rules()), |_| {});
        let many = last.page_faults.as_deref().copied().expect("the kernel counts them");
        assert!(many.minor > few.minor + 4 * 512, "{way}: {many:?} and {few:?}");
        let rows: u64 = last.workers.iter().filter_map(|row| row.page_faults).map(|faults| faults.minor).sum();
        assert_eq!(rows, many.minor, "{way}: rows add up to the run");
    }
}

#[test]
fn a_leak_has_a_course_and_recycling_a_sawtooth() {
    const BYTES: u64 = 256 << 10;
    for most in [None, NonZeroU64::new(60)] {
        let mut setting = both(1).into_iter().next().unwrap();
        setting.recycling = Recycling { max_tasks: most, max_rss_bytes: None };
        setting.chunk = Chunk::Fixed(1);
        setting.orders.faults =
            vec![Fault { kind: FaultKind::Leak(BYTES), at: Trigger::Rate(1.0), class: None, draw: None }];
        let last = watch(setting.tasks(200, sleep(10), rules()), |_| {});
        let lives = &last.memory_course.lives;
        assert_eq!(lives.len() > 2, most.is_some(), "{most:?}: {lives:?}");
        let mut courses = 0;
        for life in lives {
            let (Some(first), Some(end)) = (life.points.first(), life.points.last()) else { continue };
            let tasks = end.tasks - first.tasks;
            // A reading is of a moment after the tasks that were told by then: with few of them that counts.
            if tasks >= 20 {
                courses += 1;
                let each = (end.rss_bytes - first.rss_bytes) / tasks;
                assert!((BYTES / 2..BYTES * 2).contains(&each), "{most:?}: {each} bytes for each of {tasks} tasks");
            }
        }
        assert!(courses > 0, "{most:?}: {lives:?}");
        // What a worker has without any task is the machine's affair.
        let grown = lives.iter().filter_map(|life| {
            let highest = life.points.iter().map(|point| point.rss_bytes).max()?;
            Some(highest - life.points.iter().map(|point| point.rss_bytes).min()?)
        });
        let most_grown = grown.max().unwrap();
        assert_eq!(most_grown < 100 * BYTES, most.is_some(), "{most:?}: {most_grown}");
    }
}
