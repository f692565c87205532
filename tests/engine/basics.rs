//! Every task gets its result, in every engine.

use poolscope::engine::dispatcher::window::Chunk;
use poolscope::engine::event::RunState;
use poolscope::engine::outcome::Exit;

use crate::support::{NOOP, Setting, every, every_with_programs, foreign, foreigners, pool, process, rules, shell};

fn check_all_succeed(setting: Setting, count: u64) {
    let story = setting.tasks(count, NOOP, rules()).start().finish();
    assert_eq!(story.state, Some(RunState::Finished), "{:?}", story.notes);
    assert_eq!((story.counts.submitted, story.counts.succeeded), (count, count));
    let mut indices: Vec<u64> = story.records.iter().map(|record| record.index).collect();
    indices.sort_unstable();
    assert!(indices.into_iter().eq(0..count));
    assert!(story.records.iter().all(|record| record.value == record.index));
    assert!(story.exits.iter().all(|exit| exit.2 == Exit::Code(0)), "{:?}", story.exits);
    assert_eq!(story.exits.len(), story.started.len());
}

#[test]
fn a_pool_runs_every_task_once() {
    check_all_succeed(pool(2), 50_000);
    foreigners(2).for_each(|setting| check_all_succeed(setting, 5_000));
}

#[test]
fn a_pool_with_chunks_runs_every_task_once() {
    for chunk in [1, 7, 5000] {
        for setting in [pool(3)].into_iter().chain(foreigners(3)) {
            check_all_succeed(Setting { chunk: Chunk::Fixed(chunk), ..setting }, 2_000);
        }
    }
}

#[test]
fn a_process_for_each_task() {
    let count = 100;
    let story = process(2).tasks(count, NOOP, rules()).start().finish();
    assert_eq!(story.counts.succeeded, count);
    assert_eq!(story.started.len() as u64, count);
    let pids: std::collections::HashSet<u32> = story.started.iter().map(|start| start.1).collect();
    assert!(pids.len() as u64 > count / 2, "each task has a process of its own");
}

#[test]
fn a_foreign_worker_for_each_task() {
    for setting in foreigners(2) {
        check_all_succeed(foreign::with(setting.worker_program, process(2)), 10);
    }
}

#[test]
fn an_empty_workload_ends_at_once() {
    for setting in every(2) {
        check_all_succeed(setting, 0);
    }
}

#[test]
fn programs_run_in_both_engines_with_the_same_result() {
    let values: Vec<Vec<u64>> = every_with_programs(2)
        .map(|setting| {
            let story = setting.tasks(12, shell("echo {index} {seed}; exit 0"), rules()).start().finish();
            assert_eq!(story.counts.succeeded, 12, "{:?}", story.attempts);
            let mut records = story.records;
            records.sort_by_key(|record| record.index);
            records.iter().map(|record| record.value).collect()
        })
        .collect();
    assert!(values.iter().all(|other| *other == values[0]), "{values:?}");
    assert_ne!(values[0][0], values[0][1], "the index is filled in");
}
