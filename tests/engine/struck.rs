//! What goes wrong at a time or on request: once, in the next task that begins, the same in every engine.

use std::time::Duration;

use poolscope::engine::control::Command;
use poolscope::engine::dispatcher::window::Chunk;
use poolscope::engine::event::RunState;
use poolscope::engine::outcome::{Cause, Exit, Outcome};
use poolscope::engine::stream::ClassRules;
use poolscope::workload::model::{BadResult, Fault, FaultKind, Trigger};

use crate::memory::watch;
use crate::support::{Story, both, rules, shell, sleep};

fn at(millis: u64, kind: FaultKind, class: Option<u16>) -> Fault {
    Fault { kind, at: Trigger::Time(Duration::from_millis(millis)), class, draw: None }
}

/// Wrong in just this many attempts, and how the first ended.
fn wrong(story: &Story) -> (usize, Option<(Outcome, Option<Exit>)>) {
    (story.attempts.len(), story.attempts.first().map(|report| (report.outcome, report.exit)))
}

#[test]
fn a_fault_at_a_time_happens_once_in_the_next_task_that_begins() {
    let killed = Some(Exit::Signal(libc::SIGKILL));
    for (kind, outcome, exit) in [
        (FaultKind::Crash(libc::SIGSEGV), Outcome::Lost, Some(Exit::Signal(libc::SIGSEGV))),
        (FaultKind::Exit(7), Outcome::Lost, Some(Exit::Code(7))),
        (FaultKind::Hang, Outcome::TimedOut, killed),
        (FaultKind::BadResult(BadResult::Undecodable), Outcome::Failed, killed),
        (FaultKind::BadResult(BadResult::Oversized), Outcome::Failed, killed),
    ] {
        for mut setting in both(2) {
            let way = format!("{kind:?}, {:?}", setting.policy);
            setting.orders.faults = vec![at(150, kind, None)];
            setting.chunk = Chunk::Fixed(1);
            let limited =
                ClassRules { timeout: Some(Duration::from_millis(700)), grace_period: Duration::ZERO, ..rules() };
            let story = setting.tasks(40, sleep(20), limited).start().finish();
            assert_eq!(wrong(&story), (1, Some((outcome, exit))), "{way}: {:?}", story.notes);
            assert_eq!(story.counts.succeeded, 39, "{way}");
            let report = &story.attempts[0];
            let began = report.ended - report.service.unwrap_or_default();
            assert!(began.elapsed() >= Duration::from_millis(150), "{way}: it began at {began:?}");
        }
    }
}

#[test]
fn it_waits_for_a_task_of_its_class_and_leaves_programs_alone() {
    for mut setting in both(1) {
        let way = format!("{:?}", setting.policy);
        setting.orders.faults = vec![at(0, FaultKind::Crash(libc::SIGKILL), Some(1))];
        let story = setting.tasks(4, shell("true"), rules()).tasks(2, sleep(5), rules()).tasks(4, sleep(5), rules());
        let story = story.start().finish();
        let lost: Vec<u64> = story.attempts.iter().map(|report| report.index).collect();
        assert_eq!(lost, [4], "{way}: {:?}", story.notes);
    }
}

#[test]
fn what_finds_no_task_is_told() {
    for mut setting in both(1) {
        let way = format!("{:?}", setting.policy);
        setting.orders.faults = vec![at(3_600_000, FaultKind::Hang, None), at(0, FaultKind::Crash(6), None)];
        let story = setting.tasks(2, shell("true"), rules()).start().finish();
        assert_eq!(story.counts.succeeded, 2, "{way}");
        let told = |what: &str| story.notes.iter().any(|note| note.contains(what));
        assert!(
            told("no hang at 3600s: the run was over") && told("no crash at 0ns: no task"),
            "{way}: {:?}",
            story.notes
        );
    }
}

#[test]
fn a_fault_on_request_happens_once_and_no_work_waits_for_it() {
    for setting in both(2) {
        let way = format!("{:?}", setting.policy);
        let running = setting.tasks(400, sleep(5), rules()).start();
        running.until("it is at work", |story| story.succeeded > 5);
        running.command(Command::InjectFault(FaultKind::ON_REQUEST[0]));
        let story = running.finish();
        assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 399), "{way}: {:?}", story.notes);
        let cause = &story.attempts[0].cause;
        assert!(matches!(cause, Cause::WorkerDied { exit: Exit::Signal(libc::SIGSEGV), .. }), "{way}: {cause:?}");
        assert!(story.notes.iter().any(|note| note.contains("on request")), "{way}: {:?}", story.notes);
    }
}

#[test]
fn an_engine_that_cannot_refuses_in_words() {
    let mut setting = both(1).into_iter().next().unwrap();
    setting.capabilities.inject_fault = false;
    let running = setting.tasks(20, sleep(20), rules()).start();
    running.command(Command::InjectFault(FaultKind::Hang));
    let story = running.finish();
    assert_eq!(story.counts.succeeded, 20);
    assert!(story.notes.iter().any(|note| note.contains("cannot be injected")), "{:?}", story.notes);
}

#[test]
fn results_that_were_made_wrong_are_counted() {
    let wrong = FaultKind::BadResult(BadResult::Wrong);
    let drawn = |at| Fault { kind: wrong, at, class: None, draw: None };
    let faults = [drawn(Trigger::Rate(0.1)), drawn(Trigger::Index(13)), at(100, wrong, None)];
    let with = |place: usize, faults: &[Fault]| {
        let mut setting = both(2).into_iter().nth(place).unwrap();
        setting.orders.faults = faults.to_vec();
        setting.tasks(40, sleep(10), rules())
    };
    let values = |story: Story| -> std::collections::BTreeMap<u64, u64> {
        story.records.iter().map(|record| (record.index, record.value)).collect()
    };
    for place in 0..2 {
        let right = values(with(place, &[]).start().finish());
        let drawn = values(with(place, &faults[..2]).start().finish());
        let differ = right.iter().filter(|(index, value)| drawn[*index] != **value).count() as u64;
        assert!(differ > 1, "{place}: {differ}");
        let counted = |faults: &[Fault]| watch(with(place, faults), |_| {}).wrong_results;
        assert_eq!([counted(&[]), counted(&faults[..2]), counted(&faults[2..])], [0, differ, 1], "{place}");
    }
}
