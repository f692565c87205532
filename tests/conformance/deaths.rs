//! C26, C29 to C31, C37: what dies, what cannot be sent and what is large costs its own task and no other.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use poolscope::engine::control::Command;
use poolscope::engine::event::RunState;
use poolscope::engine::outcome::{Cause, Exit, Outcome};
use poolscope::engine::stream::ClassRules;
use poolscope::worker::protocol::MAX_BYTES;
use poolscope::workload::model::{BadResult, Dist, Fault, FaultKind, MemoryWork, Retries, Trigger, Work};
use rustix::process::{Pid, Signal, kill_process};

use crate::engines::Engine;
use crate::support::{NOOP, Setting, Story, kill, patiently, rules, sleep};

const LARGE: usize = 100 << 20;

fn fault(kind: FaultKind, index: u64) -> Fault {
    Fault { kind, at: Trigger::Index(index), class: None, draw: None }
}

/// Tasks that did not succeed.
fn failed(story: &Story) -> BTreeSet<u64> {
    story.attempts.iter().map(|report| report.index).collect()
}

/// An argument that is too large, and twenty in a row that cannot be done: an error each, and no worker is lost.
pub(crate) fn what_cannot_be_sent_fails_alone(engine: &Engine) {
    let mut setting = engine.of(2);
    setting.orders.payload = Some(Box::new(|_, index, _| (index == 3).then(|| Ok(vec![0; MAX_BYTES + 1]))));
    let unheard_of = Work::Memory(MemoryWork { bytes: 1 << 60, passes: 1 });
    let setting = setting.tasks(10, Work::Echo, rules()).tasks(20, unheard_of, rules()).tasks(10, NOOP, rules());
    let story = setting.start().finish();
    assert_eq!((story.state, story.counts.succeeded, story.counts.failed), (Some(RunState::Finished), 19, 21));
    assert_eq!(failed(&story), std::iter::once(3).chain(10..30).collect());
    assert!(story.attempts.iter().all(|report| matches!(report.cause, Cause::NotStarted { .. } | Cause::Error { .. })));
    assert!(story.exits.iter().all(|exit| exit.2.is_success()), "{:?}", story.exits);
    assert!(!engine.keeps_workers() || story.started.len() <= 2, "nobody was replaced");
}

/// An error each, and whoever comes after them is served.
pub(crate) fn twenty_results_in_a_row_that_nobody_can_read(engine: &Engine) {
    let mut setting = engine.of(2);
    let bad = FaultKind::BadResult(BadResult::Undecodable);
    setting.orders.faults = (5..25).map(|index| fault(bad, index)).collect();
    let story = setting.tasks(40, sleep(1), rules()).start().finish();
    assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 20), "{:?}", story.notes);
    assert_eq!((failed(&story), story.attempts.len()), ((5..25).collect(), 20));
}

/// It says which process it was and how that ended.
pub(crate) fn one_killed_of_a_hundred_fails_alone(engine: &Engine) {
    let setting = engine.of(3).tasks(40, sleep(2), rules()).tasks(1, sleep(600_000), rules());
    let running = setting.tasks(59, sleep(2), rules()).start();
    let victim = |story: &Story| story.slots.iter().find(|slot| slot.task.is_some_and(|task| task.0 == 40))?.pid;
    let pid = victim(&running.until("it is in its task", |story| victim(story).is_some())).unwrap();
    kill(pid, Signal::KILL);
    let story = running.finish();
    assert_eq!((story.state, story.counts.succeeded, story.counts.lost), (Some(RunState::Finished), 99, 1));
    let report = &story.attempts[0];
    assert_eq!((report.index, report.outcome, report.pid), (40, Outcome::Lost, Some(pid)));
    let exit = Exit::Signal(libc::SIGKILL);
    assert_eq!(report.cause, Cause::WorkerDied { exit, by_user: false, out_of_memory: false });
}

/// In a task, by exit, abort and fault of memory; in what it says; each is told, and the engine goes on.
pub(crate) fn a_crash_at_any_stage_costs_one_task(engine: &Engine) {
    for kind in [
        FaultKind::Exit(0),
        FaultKind::Exit(3),
        FaultKind::Crash(libc::SIGABRT),
        FaultKind::Crash(libc::SIGSEGV),
        FaultKind::BadResult(BadResult::Undecodable),
        FaultKind::BadResult(BadResult::Oversized),
    ] {
        let mut setting = engine.of(2);
        setting.orders.faults = vec![fault(kind, 7)];
        let story = setting.tasks(20, sleep(1), rules()).start().finish();
        assert_eq!(
            (story.state, story.counts.succeeded),
            (Some(RunState::Finished), 19),
            "{kind:?}: {:?}",
            story.notes
        );
        assert_eq!((failed(&story), story.attempts.len()), (BTreeSet::from([7]), 1), "{kind:?}: {:?}", story.attempts);
        let wanted = match kind {
            FaultKind::Exit(code) => Exit::Code(code.into()),
            FaultKind::Crash(signal) => Exit::Signal(signal),
            _ => Exit::Unknown,
        };
        match &story.attempts[0].cause {
            Cause::WorkerDied { exit, .. } => assert_eq!(*exit, wanted, "{kind:?}"),
            Cause::Error { message } => assert!(message.contains("broke the protocol") && wanted == Exit::Unknown),
            other => panic!("{kind:?}: {other:?}"),
        }
    }
}

/// All that are at work at once, three times, of 1, 4 and 13; their tasks are done in the end.
pub(crate) fn several_die_at_once_and_again(engine: &Engine) {
    for workers in [1, 4, 13] {
        // Where it takes long to start them all, the first must not have done its task when the last begins.
        patiently(Duration::from_millis(250), |length| all_died_thrice(engine, workers, length));
    }
}

/// Says whether all were at work each time: none has ended by itself before.
fn all_died_thrice(engine: &Engine, workers: u32, length: Duration) -> bool {
    let stubborn = ClassRules { retries: Retries { max: 50, ..rules().retries }, ..rules() };
    let (tasks, all) = (u64::from(workers) * 2, workers as usize);
    let work = Work::Sleep(Dist::Constant(length));
    let running = engine.of(workers).tasks(tasks, work, stubborn).start();
    let busy = |story: &Story| -> Vec<u32> {
        story.slots.iter().filter(|slot| slot.task.is_some()).filter_map(|slot| slot.pid).collect()
    };
    // What is told of them may still be there when their deaths are told.
    let mut dead = BTreeSet::new();
    for deaths in (1..=3).map(|round| round * all) {
        let story = running.until("all are at work", |story| {
            story.succeeded > 0 || busy(story).iter().filter(|pid| !dead.contains(*pid)).count() == all
        });
        if story.succeeded > 0 {
            break;
        }
        for pid in busy(&story) {
            dead.insert(pid);
            // One that has just left by itself is no victim.
            let _ = kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), Signal::KILL);
        }
        drop(running.wait("deaths are told", |story| story.attempts.len() >= deaths || story.succeeded > 0));
    }
    let story = running.finish();
    assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), tasks), "{:?}", story.notes);
    assert!(story.attempts.iter().all(|report| report.retried && report.outcome == Outcome::Lost));
    story.attempts.len() == 3 * all
}

fn large(engine: &Engine) -> Setting {
    let mut setting = engine.of(1);
    setting.orders.payload = Some(Box::new(|_, index, _| Some(Ok(vec![index as u8 + 1; LARGE]))));
    setting
}

/// Every byte of them.
pub(crate) fn a_hundred_megabytes_go_and_come_back(engine: &Engine) {
    let story = large(engine).tasks(2, Work::Echo, rules()).start().finish();
    assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 2), "{:?}", story.notes);
    for (index, bytes) in &story.returned {
        assert!(bytes.len() == LARGE && bytes.iter().all(|byte| *byte == *index as u8 + 1), "task {index}");
    }
    assert_eq!(story.returned.len(), 2);
}

/// It returns before the transfer could.
pub(crate) fn a_stop_in_the_middle_of_a_large_transfer(engine: &Engine) {
    for command in [Command::Stop, Command::Kill] {
        patiently(Duration::from_millis(500), |limit| {
            let running = large(engine).tasks(50, Work::Echo, rules()).start();
            running.until("it is under way", |story| !story.started.is_empty());
            let begin = Instant::now();
            running.command(command);
            let story = running.finish();
            assert_eq!((story.state, story.counts.finished()), (Some(RunState::Stopped), 50));
            assert!(story.counts.cancelled >= 48, "{:?}", story.counts);
            begin.elapsed() <= limit
        });
    }
}
