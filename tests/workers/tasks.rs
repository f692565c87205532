//! What a lane does with its tasks: all of them, in order, in time, reported as it should be.

use std::time::Duration;

use poolscope::os::accounting::Exit;
use poolscope::os::clock::monotonic;
use poolscope::worker::protocol::{self, Setup, TaskRun};
use poolscope::workload::model::Work;
use rustix::process::Signal;

use crate::parent::{LINE, Parent, Said, every_worker, run};
use crate::support::{NOOP, eventually, shell, sleep};

#[test]
fn tasks_are_done_in_order_whatever_frame_they_are_in() {
    for (name, program) in every_worker() {
        let mut parent = Parent::with_classes(&program, &Setup::of(1, 5e8), &[NOOP]);
        parent.tasks(0, &[run(100, 700, 0), run(5, 1, 0)]);
        parent.tasks(0, &[run(0, 3, 0)]);
        let records = parent.records(0, 704);
        let wanted: Vec<u64> = (100..800).chain([5, 0, 1, 2]).collect();
        assert!(records.iter().map(|record| record.index).eq(wanted.iter().copied()), "{name}");
        assert!(records.iter().all(|record| record.value == record.index), "{name}");
        for pair in records.windows(2) {
            assert!(pair[1].start >= pair[0].start + pair[0].service, "{name}: one at a time: {pair:?}");
        }
        parent.close();
        assert_eq!(parent.next(), Said::End);
        assert_eq!(parent.end(), (Exit::Code(0), String::new()), "{name}");
    }
}

#[test]
fn a_worker_for_one_task_does_it_although_the_socket_has_ended() {
    for (name, program) in every_worker() {
        let mut parent = Parent::start(&program, &Setup::of(1, 5e8));
        parent.send(|out| {
            protocol::put_class(out, 0, &NOOP);
            protocol::put_tasks(out, 0, &[run(9, 1, 0)]);
        });
        parent.close();
        assert!(matches!(parent.next(), Said::Hello(_)), "{name}");
        assert_eq!(parent.records(0, 1)[0].index, 9, "{name}");
        assert_eq!(parent.end().0, Exit::Code(0), "{name}");
    }
}

#[test]
fn what_is_not_to_be_begun_any_more_is_skipped() {
    for (name, program) in every_worker() {
        let mut parent = Parent::with_classes(&program, &Setup::of(1, 5e8), &[sleep(100), NOOP]);
        let limited = |first, count, begin_by| TaskRun { begin_by, ..run(first, count, 1) };
        let soon = monotonic() + 50_000_000;
        parent.tasks(0, &[run(0, 1, 0), limited(1, 3, soon), limited(4, 2, monotonic() + 60_000_000_000)]);
        assert_eq!(parent.records(0, 1)[0].index, 0, "{name}");
        let mut skipped = Vec::new();
        while skipped.len() < 3 {
            let Said::Skipped(0, runs) = parent.next() else { panic!("{name}: nothing else is due") };
            skipped.extend(runs.into_iter().flat_map(|(first, count)| first..first + count));
        }
        assert_eq!(skipped, [1, 2, 3], "{name}");
        let records = parent.records(0, 2);
        assert_eq!((records[0].index, records[1].index), (4, 5), "{name}");
    }
}

#[test]
fn what_is_sent_together_is_reported_as_it_goes() {
    for (name, program) in every_worker() {
        let mut parent = Parent::with_classes(&program, &Setup::of(1, 5e8), &[sleep(60), NOOP]);
        parent.tasks(0, &[run(0, 1, 0), run(1, 600, 1), run(601, 1, 0)]);
        let Said::Done(0, _, records) = parent.next() else { panic!("{name}: the first report") };
        let told = monotonic();
        let mut records = records;
        let rest = parent.records(0, 602 - records.len());
        records.extend(rest);
        assert!(records.iter().map(|record| record.index).eq(0..602), "{name}");
        let last = records.last().unwrap();
        assert!(told < last.start + last.service, "{name}: told before the last one was done");
    }
}

#[test]
fn a_failure_among_others_is_told_as_it_goes_and_keeps_its_place() {
    for (name, program) in every_worker() {
        let classes = [NOOP, shell("echo out; echo err >&2; exit 7"), sleep(50)];
        let mut parent = Parent::with_classes(&program, &Setup::of(1, 5e8), &classes);
        parent.tasks(0, &[run(0, 2, 0), run(2, 1, 1), run(3, 1, 2)]);
        assert_eq!(parent.records(0, 2)[1].index, 1, "{name}");
        let told = monotonic();
        let Said::Failed(0, failure) = parent.next() else { panic!("{name}: a failure") };
        assert_eq!((failure.index, failure.exit), (2, Some(Exit::Code(7))), "{name}");
        assert_eq!((failure.stdout_tail.as_str(), failure.stderr_tail.as_str()), ("out\n", "err\n"), "{name}");
        let last = parent.records(0, 1)[0];
        assert!(told < last.start + last.service, "{name}");
    }
}

#[test]
fn a_lane_that_is_retired_finishes_its_task_and_begins_no_other() {
    for (name, program) in every_worker() {
        let mut parent = Parent::with_classes(&program, &Setup::of(1, 5e8), &[NOOP, sleep(100)]);
        parent.tasks(0, &[run(0, 1, 0), run(1, 20, 1)]);
        let Said::Done(0, _, records) = parent.next() else { panic!("{name}: a report") };
        parent.board.recall(LINE);
        parent.send(|out| protocol::put_retire(out, 0));
        let mut done = records.len();
        loop {
            match parent.next() {
                Said::Done(0, _, records) => done += records.len(),
                Said::End => break,
                other => panic!("{name}: {other:?}"),
            }
        }
        assert!(done <= 4, "{name}: {done} tasks were done although it was asked to leave");
        assert_eq!(parent.end(), (Exit::Code(0), String::new()), "{name}");
    }
}

#[test]
fn a_worker_tells_which_task_it_is_in_as_it_says() {
    for (name, program) in every_worker() {
        let mut parent = Parent::with_classes(&program, &Setup::of(1, 5e8), &[NOOP, sleep(600_000)]);
        parent.tasks(0, &[run(0, 3, 0), run(3, 1, 1)]);
        match name {
            "nothing" => assert_eq!(parent.records(0, 3).len(), 3),
            "started" => {
                let mut started = Vec::new();
                while started.len() < 4 {
                    if let Said::Started(0, task) = parent.hear() {
                        started.push(task.index);
                    }
                }
                assert_eq!(started, [0, 1, 2, 3]);
            }
            _ => eventually("it is in its task", || parent.board.task(LINE).is_some_and(|task| task.index == 3)),
        }
        if name == "nothing" || name == "started" {
            assert_eq!(parent.board.task(LINE), None, "it leaves the board alone");
        }
        parent.child.signal(Signal::TERM).unwrap();
        assert_eq!(parent.end().0, Exit::Signal(libc::SIGTERM), "{name}");
    }
}

#[test]
fn usage_counts_the_programs_of_a_worker_and_never_decreases() {
    for (name, program) in every_worker() {
        let busy = shell("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done");
        let mut parent = Parent::with_classes(&program, &Setup::of(1, 5e8), &[NOOP, busy]);
        let mut before = Duration::ZERO;
        for (task, class) in [(0, 0), (1, 1), (2, 0), (3, 1)] {
            parent.tasks(0, &[run(task, 1, class)]);
            let Said::Done(0, usage, _) = parent.next() else { panic!("{name}: done") };
            assert!(usage.cpu() >= before, "{name}");
            assert!(
                class == 0 || usage.cpu() > before + Duration::from_millis(1),
                "{name}: {usage:?} after {before:?}"
            );
            before = usage.cpu();
        }
    }
}

#[test]
fn a_class_that_it_cannot_run_fails_task_by_task() {
    let unknown = Work::Memory(poolscope::workload::model::MemoryWork { bytes: 1 << 60, passes: 1 });
    for (name, program) in every_worker() {
        let mut parent = Parent::with_classes(&program, &Setup::of(1, 5e8), &[NOOP, unknown.clone()]);
        parent.tasks(0, &[run(0, 2, 1), run(2, 1, 0)]);
        for task in [0, 1] {
            let Said::Failed(0, failure) = parent.next() else { panic!("{name}: a failure") };
            assert_eq!((failure.index, failure.exit), (task, None), "{name}");
            assert!(failure.message.is_some(), "{name}");
        }
        assert_eq!(parent.records(0, 1)[0].index, 2, "{name}");
    }
}

#[test]
fn a_worker_that_cannot_understand_its_parent_says_why_and_leaves() {
    let odd: [(&[u8], &str); 2] = [(&[0, 0, 0, 0, 99, 0, 0, 0], "kind"), (&[255, 255, 255, 255, 3, 0, 0, 0], "")];
    for (name, program) in every_worker() {
        for (bytes, why) in odd.iter().take(if name == "ours" { 2 } else { 1 }) {
            let mut parent = Parent::with_classes(&program, &Setup::of(1, 5e8), &[]);
            parent.send(|out| out.extend_from_slice(bytes));
            let (exit, output) = parent.end();
            assert!(!exit.is_success() && matches!(exit, Exit::Code(_)), "{name}: {exit:?}");
            assert!(!output.is_empty() && output.contains(why), "{name}: {output}");
        }
        let parent = Parent::start(&program, &Setup { protocol: 99, ..Setup::of(1, 5e8) });
        let (exit, output) = parent.end();
        assert!(!exit.is_success() && output.contains("protocol"), "{name}: {exit:?} {output}");
    }
}
