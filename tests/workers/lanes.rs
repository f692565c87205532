//! Several lanes in one worker.

use std::collections::BTreeSet;
use std::time::Duration;

use poolscope::os::accounting::Exit;
use poolscope::os::clock::monotonic;
use poolscope::worker::protocol::{self, Setup};
use poolscope::workload::model::{Dist, Work};

use crate::parent::{LINE, Parent, Said, ours, run};
use crate::support::{NOOP, eventually, shell, sleep};

fn lanes(lanes: u16) -> Setup {
    Setup { lanes, ..Setup::of(1, 5e8) }
}

#[test]
fn lanes_work_at_the_same_time_each_on_its_own_line() {
    let mut parent = Parent::with_classes(&ours(), &lanes(4), &[sleep(600_000), NOOP]);
    for lane in 0..3 {
        parent.tasks(lane, &[run(u64::from(lane), 1, 0)]);
    }
    for lane in 0..3u32 {
        eventually("a lane is in its task", || {
            parent.board.task(LINE + lane).is_some_and(|task| task.index == u64::from(lane))
        });
    }
    parent.tasks(3, &[run(100, 5000, 1)]);
    let records = parent.records(3, 5000);
    assert!(records.iter().map(|record| record.index).eq(100..5100));
    assert_eq!(parent.board.task(LINE + 3), None);
    let threads = std::fs::read_dir(format!("/proc/{}/task", parent.child.pid())).unwrap().count();
    assert_eq!(threads, 5, "one for each lane and one that reads");
}

#[test]
fn one_lane_needs_no_thread() {
    let mut parent = Parent::with_classes(&ours(), &lanes(1), &[NOOP]);
    parent.tasks(0, &[run(0, 1, 0)]);
    parent.records(0, 1);
    assert_eq!(std::fs::read_dir(format!("/proc/{}/task", parent.child.pid())).unwrap().count(), 1);
}

#[test]
fn frames_of_lanes_that_all_talk_at_once_are_never_cut() {
    let mut parent = Parent::with_classes(&ours(), &lanes(8), &[Work::Echo, NOOP]);
    let bytes = vec![7; 100_000];
    for lane in 0..8 {
        let first = u64::from(lane) * 1000;
        parent.send(|out| {
            for index in first..first + 5 {
                protocol::put_payload(out, lane, index, &bytes);
            }
            protocol::put_tasks(out, lane, &[run(first, 5, 0), run(first + 5, 900, 1)]);
        });
    }
    let (mut results, mut done) = (0, [0u64; 8]);
    while done.iter().sum::<u64>() < 8 * 905 {
        match parent.next() {
            Said::Result(_, _, false, back) => {
                assert!(back == bytes);
                results += 1;
            }
            Said::Done(lane, _, records) => {
                let so_far = &mut done[usize::from(lane)];
                let first = u64::from(lane) * 1000 + *so_far;
                assert!(records.iter().map(|record| record.index).eq(first..first + records.len() as u64));
                *so_far += records.len() as u64;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(results, 40);
}

#[test]
fn each_lane_has_its_own_usage() {
    let cpu = Work::Cpu(Dist::Constant(Duration::from_millis(200)));
    let busy = shell("i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done");
    let mut parent = Parent::with_classes(&ours(), &lanes(3), &[cpu, NOOP, busy]);
    let mut used = [Duration::ZERO; 3];
    for (lane, class) in [(0, 0), (1, 1), (2, 2)] {
        parent.tasks(lane, &[run(u64::from(lane), 1, class)]);
        let Said::Done(_, usage, _) = parent.next() else { panic!("done") };
        used[usize::from(lane)] = usage.cpu();
    }
    assert!(used[0] > used[1] * 5, "the work of one lane is not another's: {used:?}");
    assert!(used[2] > used[1] * 5, "the program of one lane is not another's: {used:?}");
}

#[test]
fn a_lane_opens_when_it_is_first_sent_something_and_only_where_it_may() {
    let mut parent = Parent::with_classes(&ours(), &Setup { grows: true, ..lanes(1) }, &[sleep(600_000), NOOP]);
    parent.board.reset(LINE + 7);
    parent.tasks(0, &[run(0, 1, 0)]);
    parent.tasks(7, &[run(1, 1, 1)]);
    assert_eq!(parent.records(7, 1)[0].index, 1);

    for setup in [lanes(1), lanes(2)] {
        let mut parent = Parent::with_classes(&ours(), &setup, &[NOOP]);
        parent.tasks(2, &[run(0, 1, 0)]);
        let (exit, output) = parent.end();
        assert_eq!(exit, Exit::Code(70));
        assert!(output.contains("lane 2"), "{output}");
    }
}

#[test]
fn a_lane_that_leaves_gives_back_what_it_has_not_begun_and_the_last_one_ends_the_worker() {
    let mut parent = Parent::with_classes(&ours(), &lanes(2), &[sleep(100), NOOP]);
    parent.tasks(0, &[run(0, 10, 0)]);
    eventually("it has begun", || parent.board.task(LINE).is_some());
    parent.board.recall(LINE);
    // Sent before the parent asked it to leave, and read after: not lost either.
    parent.tasks(0, &[run(10, 3, 1)]);
    parent.send(|out| protocol::put_retire(out, 0));
    let (mut done, mut back) = (BTreeSet::new(), BTreeSet::new());
    while done.len() + back.len() < 13 {
        match parent.next() {
            Said::Done(0, _, records) => done.extend(records.iter().map(|record| record.index)),
            Said::Skipped(0, runs) => back.extend(runs.into_iter().flat_map(|(first, count)| first..first + count)),
            other => panic!("{other:?}"),
        }
    }
    assert!(!done.is_empty() && done.len() <= 2, "it finishes what it is in: {done:?}");
    assert_eq!(&done | &back, (0..13).collect());
    parent.tasks(1, &[run(20, 2, 1)]);
    assert_eq!(parent.records(1, 2).len(), 2, "the other one stays");
    parent.board.recall(LINE + 1);
    parent.send(|out| protocol::put_retire(out, 1));
    assert_eq!(parent.next(), Said::End);
    assert_eq!(parent.end(), (Exit::Code(0), String::new()));
}

#[test]
fn programs_of_several_lanes_keep_the_worker_from_a_sigterm_until_they_have_ended() {
    let patient = shell("trap '' TERM; echo $$; sleep 0.3");
    let mut parent = Parent::with_classes(&ours(), &lanes(2), &[shell("sleep 0.05"), patient]);
    parent.tasks(1, &[run(1, 1, 1)]);
    eventually("a program runs", || parent.board.entered(LINE + 1).is_some_and(|task| task.program.is_some()));
    // The other lane's program comes and goes in the meantime: SIGTERM must not be deadly again with it.
    parent.tasks(0, &[run(0, 1, 0)]);
    assert_eq!(parent.records(0, 1).len(), 1);
    parent.child.signal(rustix::process::Signal::TERM).unwrap();
    let said = parent.next();
    assert!(matches!(&said, Said::Done(1, _, records) if records[0].index == 1), "{said:?}: {:?}", parent.end());
    assert_eq!(parent.end().0, Exit::Code(0));
}

#[test]
fn the_end_of_the_socket_lets_lanes_finish() {
    let mut parent = Parent::with_classes(&ours(), &lanes(3), &[sleep(50)]);
    for lane in 0..3 {
        parent.tasks(lane, &[run(u64::from(lane) * 10, 2, 0)]);
    }
    parent.close();
    let begin = monotonic();
    let mut done = 0;
    loop {
        match parent.next() {
            Said::Done(_, _, records) => done += records.len(),
            Said::End => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(done, 6);
    assert!(monotonic() >= begin, "the clock goes on");
    assert_eq!(parent.end().0, Exit::Code(0));
}
