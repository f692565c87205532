//! A comparison from its first run to its verdict, and what does not count in it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::Duration;

use poolscope::engine::plan::Surroundings;
use poolscope::os::host::Host;
use poolscope::session::conductor::{Session, SessionSpec};
use poolscope::session::view::{Mode, SessionCommand, SessionPhase, SessionView};
use poolscope::workload::load::load;

const WORKLOAD: &str = "
version: 1
name: naps
seed: 1
tasks: [{ name: nap, kind: sleep, count: 40, service_time: { dist: constant, value: 10ms } }]
engines: [{ kind: pool, workers: 2 }, { kind: process, workers: 2 }]
measure: { warmup: 0, repeats: 3 }
";

fn open() -> Session {
    open_with(WORKLOAD, env!("CARGO_BIN_EXE_poolscope"))
}

fn open_with(text: &str, worker_program: &str) -> Session {
    support::hard_limit();
    let workload = Arc::new(load(text, "naps.yaml").unwrap().workload);
    let surroundings = Surroundings {
        usable_cores: 2,
        max_processes: 64,
        iterations_per_second: 5e8,
        worker_program: worker_program.into(),
    };
    let arms = workload.engines.clone();
    Session::start(SessionSpec { workload, arms, baseline: 0, host: Arc::new(Host::detect()), surroundings }).unwrap()
}

fn until(session: &mut Session, what: &str, condition: impl FnMut(&Arc<SessionView>) -> bool) -> Arc<SessionView> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let waited = runtime.block_on(async {
        let view = session.handle.view.wait_for(condition);
        tokio::time::timeout(Duration::from_secs(60), view).await.map(|view| Arc::clone(&view.unwrap()))
    });
    waited.unwrap_or_else(|_| panic!("waited in vain until {what}"))
}

fn send(session: &Session, command: SessionCommand) {
    session.handle.commands.send(command).unwrap();
}

fn finish(session: &mut Session) -> Arc<SessionView> {
    until(session, "it is finished", |view| view.phase == SessionPhase::Finished)
}

/// Counted runs of each arm.
fn counted(view: &SessionView) -> Vec<usize> {
    view.arms.iter().map(|arm| arm.finished.len()).collect()
}

fn is_live(view: &SessionView, arm: usize, round: u32) -> bool {
    view.round == round && view.arms[arm].live && view.arms[arm].counts().succeeded > 0
}

#[test]
fn a_comparison_makes_every_run_in_its_turn_and_ends_with_a_verdict() {
    let mut session = open();
    send(&session, SessionCommand::Run(Mode::Interleaved));
    let view = until(&mut session, "both have run", |view| {
        assert!(view.arms.iter().filter(|arm| arm.live).count() <= 1, "two arms at once");
        view.phase == SessionPhase::Finished
    });
    assert_eq!(counted(&view), [3, 3]);
    assert_eq!((view.verdicts.len(), view.verdicts[0].pairs), (1, 3));
    assert!(view.verdicts[0].ci95.is_some());
    assert!(view.arms.iter().all(|arm| arm.finished.iter().all(|run| run.counts.succeeded == 40)));
}

#[test]
fn a_changed_number_of_workers_starts_the_comparison_anew() {
    let mut session = open();
    send(&session, SessionCommand::Run(Mode::Interleaved));
    until(&mut session, "the second round's second arm runs", |view| is_live(view, 1, 2));
    send(&session, SessionCommand::ChangeWorkers { arm: 1, by: 2 });
    let view = finish(&mut session);
    assert_eq!(counted(&view), [1, 1], "only the third round is of one setting");
    assert_eq!(view.arms[1].workers, 4);
    assert_eq!(view.arms[1].finished[0].workers_target, 4);
}

#[test]
fn a_round_in_which_the_user_had_a_hand_does_not_count() {
    let mut session = open();
    send(&session, SessionCommand::Run(Mode::Interleaved));
    until(&mut session, "the second round's second arm runs", |view| is_live(view, 1, 2));
    send(&session, SessionCommand::TogglePause);
    until(&mut session, "it is paused", |view| view.phase == SessionPhase::Paused);
    send(&session, SessionCommand::TogglePause);
    let view = finish(&mut session);
    assert_eq!(counted(&view), [2, 2]);
    assert_eq!(view.verdicts[0].pairs, 2);
}

#[test]
fn stop_ends_it_and_run_begins_again() {
    let mut session = open();
    send(&session, SessionCommand::Run(Mode::Interleaved));
    until(&mut session, "it runs", |view| is_live(view, 0, 1));
    send(&session, SessionCommand::Stop);
    until(&mut session, "it is stopped", |view| view.phase == SessionPhase::Stopped);
    send(&session, SessionCommand::Run(Mode::Together));
    let both = until(&mut session, "both run", |view| view.arms.iter().all(|arm| arm.live));
    assert_eq!(both.mode, Mode::Together);
    let view = finish(&mut session);
    assert!(view.verdicts.is_empty(), "sharing cores is no measurement");
    assert!(view.arms.iter().all(|arm| arm.counts().succeeded == 40));
}

/// The phase never says that it is over while an arm is live.
fn over(view: &Arc<SessionView>) -> bool {
    let over = view.phase.is_over();
    assert!(!over || view.arms.iter().all(|arm| !arm.live), "{:?} while an arm is live", view.phase);
    over
}

#[test]
fn together_is_not_over_before_its_last_arm() {
    // One task, in one of the arms, takes its time to end.
    let folder = tempfile::tempdir().unwrap();
    let lock = folder.path().join("lock");
    let shell = format!("mkdir {} && trap \"sleep 0.5; exit\" TERM; while :; do sleep 0.02; done", lock.display());
    let text = format!(
        "version: 1\nname: t\ntasks: [{{ name: t, kind: command, count: 4, grace_period: 20s, shell: true, command: '{shell}' }}]\n\
         engines: [{{ kind: pool, workers: 1 }}, {{ kind: process, workers: 1 }}]\n"
    );
    let mut session = open_with(&text, env!("CARGO_BIN_EXE_poolscope"));
    send(&session, SessionCommand::Run(Mode::Together));
    until(&mut session, "a task of each arm runs", |view| {
        view.arms.iter().all(|arm| arm.counts().running == 1) && lock.exists()
    });
    send(&session, SessionCommand::Stop);
    let mut one_ended = false;
    let view = until(&mut session, "it is over", |view| {
        one_ended |= view.phase == SessionPhase::Stopping && view.arms.iter().any(|arm| !arm.live);
        over(view)
    });
    assert!(one_ended, "both ended at once: nothing was tested");
    assert_eq!(view.phase, SessionPhase::Stopped);
}

#[test]
fn together_a_broken_engine_stays_the_reason() {
    let mut session = open_with(WORKLOAD, "/no/such/program");
    send(&session, SessionCommand::Run(Mode::Together));
    let view = until(&mut session, "it is over", over);
    assert!(matches!(&view.phase, SessionPhase::Broken(reason) if reason.contains(": ")), "{:?}", view.phase);
}

#[test]
fn a_session_that_does_not_end_is_left_within_the_grace_period_and_a_second() {
    use poolscope::os::signal_watch::SignalWatch;
    use poolscope::session::ending::{Ended, end};
    use poolscope::session::escalation::{Escalation, Level};
    use poolscope::session::handle::SessionHandle;
    let mut real = open();
    let view = until(&mut real, "it is there", |_| true);
    let (_silent, view) = tokio::sync::watch::channel(view);
    let (commands, mut asked) = tokio::sync::mpsc::unbounded_channel();
    let mut hung = SessionHandle { view, commands };
    let mut levels = Vec::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ended = runtime.block_on(async {
        let mut signals = SignalWatch::new().unwrap();
        end(&mut hung, &mut signals, &mut Escalation::default(), |level| levels.push(level)).await
    });
    assert_eq!((ended, levels), (Ended::LeftBehind, vec![Level::Stop, Level::Kill]));
    assert_eq!((asked.try_recv(), asked.try_recv()), (Ok(SessionCommand::Stop), Ok(SessionCommand::Stop)));
}
