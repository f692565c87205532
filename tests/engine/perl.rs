//! What only the workers in Perl do: they run no programs, and do wrong what they are told to.

use std::time::Duration;

use poolscope::engine::control::Command;
use poolscope::engine::dispatcher::window::Chunk;
use poolscope::engine::event::RunState;
use poolscope::engine::outcome::{Cause, Exit, Outcome};
use poolscope::engine::stream::ClassRules;
use poolscope::workload::model::{BadResult, Fault, FaultKind, Retries, Trigger};

use crate::support::{NOOP, Setting, perls, rules, shell, sleep};

#[test]
fn what_it_cannot_do_fails_and_what_comes_too_late_is_not_begun() {
    let impatient = ClassRules { queue_timeout: Some(Duration::from_millis(100)), ..rules() };
    for setting in perls(1) {
        let setting = Setting { chunk: Chunk::Fixed(10), ..setting };
        let setting = setting.tasks(1, sleep(300), rules()).tasks(4, sleep(1), impatient).tasks(3, NOOP, rules());
        let story = setting.tasks(2, shell("exit 0"), rules()).start().finish();
        let counts = story.counts;
        assert_eq!((counts.succeeded, counts.queue_timed_out, counts.failed), (4, 4, 2), "{:?}", story.attempts);
        assert!(story.exits.iter().all(|exit| exit.2 == Exit::Code(0)), "nobody had to be ended: {:?}", story.exits);
    }
}

#[test]
fn a_worker_that_dies_hangs_or_errs_costs_one_attempt() {
    let again = Retries { max: 1, ..rules().retries };
    let limited = ClassRules { timeout: Some(Duration::from_millis(300)), retries: again, ..rules() };
    for mut setting in perls(2) {
        let fault = |kind, at| Fault { kind, at, class: None, draw: None };
        let faults =
            [(FaultKind::Crash(libc::SIGABRT), 5), (FaultKind::Hang, 11), (FaultKind::BadResult(BadResult::Wrong), 13)];
        setting.orders.faults = faults.map(|(kind, task)| fault(kind, Trigger::Index(task))).into();
        let setting = Setting { chunk: Chunk::Fixed(4), ..setting };
        let story = setting.tasks(20, sleep(1), limited).start().finish();
        assert_eq!((story.counts.succeeded, story.counts.lost, story.counts.timed_out), (18, 1, 1));
        let of = |task| story.attempts.iter().filter(move |report| report.index == task);
        assert_eq!([of(5).count(), of(11).count()], [2, 2], "each was tried again: {:?}", story.attempts);
        assert!(
            of(5).all(|report| matches!(report.cause, Cause::WorkerDied { exit: Exit::Signal(libc::SIGABRT), .. }))
        );
        assert!(of(11).all(|report| report.outcome == Outcome::TimedOut));
        let wrong: Vec<u64> = story.records.iter().filter(|r| r.value == !1_000_000).map(|r| r.index).collect();
        assert_eq!(wrong, [13]);
    }
}

#[test]
fn one_that_is_no_longer_wanted_leaves_after_its_task() {
    for setting in perls(3) {
        let setting = Setting { chunk: Chunk::Fixed(10), ..setting };
        let running = setting.tasks(60, sleep(20), rules()).start();
        running.until("all work", |story| story.counts.running == 3);
        running.command(Command::Resize(std::num::NonZeroU32::new(1).unwrap()));
        let story = running.until("two have left", |story| story.exits.len() == 2);
        assert!(story.counts.succeeded < 60, "they have not done all they held");
        let story = running.finish();
        assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 60), "{:?}", story.notes);
        assert!(story.exits.iter().all(|exit| exit.2 == Exit::Code(0)), "{:?}", story.exits);
        assert!(story.attempts.is_empty(), "nothing was lost: {:?}", story.attempts);
    }
}
