//! What a file allows itself holds while it runs: for keys, for all arms alike, and for the whole time.

use std::time::{Duration, Instant};

use poolscope::engine::event::RunState;
use poolscope::session::view::{Change, Mode, SessionCommand, SessionPhase};

use super::{open_with, open_within, send, settle_after, support, until};

const WORKER: &str = env!("CARGO_BIN_EXE_poolscope");

#[test]
fn no_key_gives_an_arm_more_workers_than_it_may_have() {
    let mut session = open_within(super::WORKLOAD, WORKER, &[3, 5]);
    send(&session, SessionCommand::ChangeWorkers { arm: 0, change: Change::To(50) });
    send(&session, SessionCommand::ChangeWorkers { arm: 1, change: Change::Double });
    send(&session, SessionCommand::ChangeWorkers { arm: 1, change: Change::Double });
    let view = until(&mut session, "the counts are changed", |view| view.arms[1].workers > 4);
    assert_eq!((view.arms[0].workers, view.arms[1].workers), (3, 5));
    // Those of the second for all: the first has as many as it may have.
    send(&session, SessionCommand::SameWorkers(1));
    send(&session, SessionCommand::Run(Mode::Interleaved));
    until(&mut session, "the first arm runs", |view| view.arms[0].live && view.arms[0].counts().succeeded > 0);
    send(&session, SessionCommand::ChangeWorkers { arm: 0, change: Change::By(1) });
    let view = settle_after(&mut session, |view| view.arms.iter().all(|arm| arm.finished.len() == 3));
    let targets: Vec<Vec<u32>> =
        view.arms.iter().map(|arm| arm.finished.iter().map(|run| run.workers_target).collect()).collect();
    assert_eq!(targets, [[3; 3], [5; 3]]);
}

#[test]
fn a_count_of_the_file_is_cut_to_what_the_arm_may_have() {
    let mut session = open_within(super::WORKLOAD, WORKER, &[1]);
    let view = until(&mut session, "it is there", |_| true);
    assert_eq!((view.arms[0].workers, view.arms[1].workers), (1, 2));
}

const ENDLESS: &str = "
version: 1
name: endless
tasks: [{ name: nap, kind: sleep, count: 1000, grace_period: 0s, service_time: { dist: constant, value: 20ms } }]
engines: [{ kind: pool, workers: 2 }, { kind: process, workers: 2 }]
measure: { warmup: 0, repeats: 1000 }
limits: { max_time: 1s }
";

#[test]
fn the_time_does_not_go_on_while_everything_stands_still() {
    const LIMIT: Duration = Duration::from_secs(1);
    const STOOD: Duration = Duration::from_millis(1500);
    support::patiently(Duration::from_millis(20), |allowed| {
        let mut session = open_with(ENDLESS, WORKER);
        let begin = Instant::now();
        send(&session, SessionCommand::Run(Mode::Interleaved));
        until(&mut session, "it runs", |view| view.arms[0].live && view.arms[0].counts().succeeded > 0);
        send(&session, SessionCommand::Suspend);
        let stands = |view: &poolscope::SessionView| view.arms[0].latest().map(|run| run.state);
        let view = until(&mut session, "it stands still", |view| stands(view) == Some(RunState::Suspended));
        assert_eq!(view.out_of_time, None);
        let suspended = Instant::now();
        // What was on its way when everything was stopped has come by then.
        std::thread::sleep(STOOD / 10);
        let view = until(&mut session, "that has come", |_| true);
        let before = view.arms[0].counts().succeeded;
        // Half as long again as the limit, in which nothing may happen.
        std::thread::sleep(STOOD - STOOD / 10);
        let view = until(&mut session, "it still stands", |_| true);
        assert_eq!((stands(&view), view.arms[0].counts().succeeded), (Some(RunState::Suspended), before));
        send(&session, SessionCommand::Unsuspend);
        let stood = suspended.elapsed();
        let control = support::Control::start();
        let view = until(&mut session, "the time has passed", |view| view.out_of_time.is_some());
        let passed = begin.elapsed();
        let late = control.allowance();
        assert_eq!(view.out_of_time, Some(LIMIT));
        assert!(passed >= LIMIT + STOOD, "{passed:?} with {stood:?} of suspension");
        let view = until(&mut session, "it has stopped", |view| view.phase == SessionPhase::Stopped);
        let run = view.arms[0].latest().unwrap();
        assert_eq!((run.state, run.counts.finished()), (RunState::Stopped, run.counts.submitted));
        assert!(run.suspect.iter().any(|reason| reason.contains("suspended for 1.5 s")), "{:?}", run.suspect);
        // When it began to stand still was seen a moment later than it was.
        passed <= LIMIT + stood + late + allowed
    });
}

#[test]
fn what_is_begun_again_has_all_the_time_again() {
    let mut session = open_with(ENDLESS, WORKER);
    for _ in 0..2 {
        let begin = Instant::now();
        send(&session, SessionCommand::Run(Mode::Interleaved));
        until(&mut session, "it runs", |view| view.phase == SessionPhase::Running && view.out_of_time.is_none());
        until(&mut session, "it has stopped", |view| view.phase == SessionPhase::Stopped);
        assert!(begin.elapsed() >= Duration::from_secs(1), "{:?}", begin.elapsed());
    }
}
