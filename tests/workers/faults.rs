//! What a worker does wrong because it is told to.

use poolscope::os::accounting::Exit;
use poolscope::os::readings;
use poolscope::worker::protocol::Setup;
use poolscope::workload::model::{BadResult, Fault, FaultKind, Trigger};
use rustix::process::Signal;

use crate::parent::{LINE, Parent, Said, ours, run};
use crate::support::{NOOP, eventually, shell};

fn with(kind: FaultKind, at: Trigger) -> Parent {
    let setup = Setup { faults: vec![Fault { kind, at, class: Some(0), draw: None }], ..Setup::of(3, 5e8) };
    Parent::with_classes(&ours(), &setup, &[NOOP, NOOP, shell("sleep 0.2")])
}

#[test]
fn a_crash_ends_the_worker_in_that_task_and_leaves_last_words() {
    let mut parent = with(FaultKind::Crash(libc::SIGABRT), Trigger::Index(7));
    // A task of the same index in another class is none of its business.
    parent.tasks(0, &[run(7, 1, 1)]);
    parent.records(0, 1);
    parent.tasks(0, &[run(5, 5, 0)]);
    while parent.next() != Said::End {}
    assert_eq!(parent.board.task(LINE).map(|task| task.index), Some(7));
    let (exit, output) = parent.end();
    assert_eq!(exit, Exit::Signal(libc::SIGABRT));
    assert!(output.contains("crash in task 7"), "{output}");
}

#[test]
fn a_hanging_task_stays_and_sigterm_ends_it() {
    let mut parent = with(FaultKind::Hang, Trigger::Index(1));
    parent.tasks(0, &[run(0, 3, 0)]);
    eventually("it is in its task", || parent.board.task(LINE).is_some_and(|task| task.index == 1));
    assert!(parent.is_quiet_for(std::time::Duration::from_millis(100)) || parent.board.task(LINE).is_some());
    parent.child.signal(Signal::TERM).unwrap();
    assert_eq!(parent.end().0, Exit::Signal(libc::SIGTERM));
}

#[test]
fn a_worker_that_ignores_sigterm_goes_on_also_after_a_program() {
    let mut parent = with(FaultKind::IgnoreSigterm, Trigger::Index(0));
    parent.tasks(0, &[run(0, 1, 0), run(1, 1, 2)]);
    parent.records(0, 2);
    parent.child.signal(Signal::TERM).unwrap();
    parent.tasks(0, &[run(2, 1, 0)]);
    assert_eq!(parent.records(0, 1)[0].index, 2);
    parent.child.signal(Signal::KILL).unwrap();
    assert_eq!(parent.end().0, Exit::Signal(libc::SIGKILL));
}

#[test]
fn what_leaks_stays() {
    let mut parent = with(FaultKind::Leak(4 << 20), Trigger::Rate(1.0));
    let mut rss = |count: u32, first: u64| {
        parent.tasks(0, &[run(first, count, 0)]);
        parent.records(0, count as usize);
        readings::memory(parent.child.pid()).unwrap().rss_bytes
    };
    let before = rss(1, 0);
    let after = rss(10, 1);
    assert!(after >= before + (40 << 20), "{before} {after}");
}

#[test]
fn a_bad_result_is_the_right_one_with_its_bits_flipped_as_often_as_drawn() {
    let mut parent = with(FaultKind::BadResult(BadResult::Wrong), Trigger::Rate(0.2));
    parent.tasks(0, &[run(0, 1000, 0), run(1000, 10, 1)]);
    let (mut records, mut announced) = (Vec::new(), Vec::new());
    while records.len() < 1010 {
        match parent.hear() {
            Said::Done(0, _, done) => records.extend(done),
            Said::Wrong(0, index) => {
                assert!(records.iter().all(|r| r.index != index), "{index} is reported already");
                announced.push(index);
            }
            other => panic!("{other:?} after {} records", records.len()),
        }
    }
    let wrong: Vec<u64> = records.iter().filter(|r| r.value != r.index).map(|r| r.index).collect();
    assert!(records.iter().all(|r| r.value == r.index || r.value == !r.index));
    assert_eq!(announced, wrong);
    assert!((150..250).contains(&wrong.len()) && wrong.iter().all(|index| *index < 1000), "{}", wrong.len());
}
