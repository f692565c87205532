//! A comparison from its first run to its verdict, and what does not count in it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "session/kills.rs"]
mod kills;
#[path = "session/limits.rs"]
mod limits;
#[path = "session/load.rs"]
mod load;
#[path = "session/precision.rs"]
mod precision;
#[path = "support/mod.rs"]
mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use poolscope::analysis::tuning::Advice;
use poolscope::engine::context::RunContext;
use poolscope::os::host::Host;
use poolscope::session::conductor::{ArmSpec, Session, SessionSpec};
use poolscope::session::view::{
    Change, Mode, RunPosition, SessionCommand, SessionPhase, SessionView, Sweep, SweepCounts,
};

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
    open_within(text, worker_program, &[])
}

/// The arms may have at most so many workers each.
fn open_within(text: &str, worker_program: &str, most: &[u32]) -> Session {
    support::hard_limit();
    let workload = Arc::new(poolscope::load(text, "naps.yaml").unwrap().workload);
    let context = RunContext {
        usable_cores: 2,
        max_processes: 64,
        iterations_per_second: 5e8,
        worker_program: worker_program.into(),
    };
    let mut arms: Vec<ArmSpec> = workload.engines.iter().cloned().map(ArmSpec::dispatched).collect();
    arms.iter_mut().zip(most).for_each(|(arm, most)| arm.most_workers = Some(*most));
    Session::start(SessionSpec {
        workload,
        arms,
        baseline: 0,
        host: Arc::new(Host::detect()),
        context,
        observers: Vec::new(),
    })
    .unwrap()
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

/// Waits until nothing runs and nothing more is to be measured.
fn settle(session: &mut Session) -> Arc<SessionView> {
    settle_after(session, |_| true)
}

fn settle_after(session: &mut Session, condition: impl Fn(&SessionView) -> bool) -> Arc<SessionView> {
    until(session, "nothing is to be measured any more", |view| {
        view.phase == SessionPhase::Finished && view.arms.iter().all(|arm| arm.owed == 0) && condition(view)
    })
}

/// Counted runs of each arm.
fn counted(view: &SessionView) -> Vec<usize> {
    view.arms.iter().map(|arm| arm.finished.len()).collect()
}

fn is_live(view: &SessionView, arm: usize, round: u32) -> bool {
    matches!(view.position, RunPosition::Round { round: now, .. } if now == round)
        && view.arms[arm].live
        && view.arms[arm].counts().succeeded > 0
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
    assert_eq!((view.verdicts.len(), view.verdicts[0].pairs), (2, 3), "each against the other");
    assert!(view.verdicts[0].ci95.is_some());
    assert!(view.arms.iter().all(|arm| arm.finished.iter().all(|run| run.counts.succeeded == 40)));
}

#[test]
fn open_arrivals_of_every_spacing_bring_all_their_tasks_in_both_engines() {
    // How many there are, and when the last of them comes.
    for (arrivals, count, tasks, last_ms) in [
        ("process: constant, stages: [{ rate: 100/s }]", "count: 20, ", 20, 190),
        ("process: burst, burst: 10, every: 100ms, duration: 300ms", "", 30, 200),
        ("process: burst, burst: 10, every: 100ms", "count: 25, ", 25, 200),
        ("process: ramp, rate: { from: 0/s, to: 200/s }, duration: 300ms", "", 30, 294),
    ] {
        let text = format!(
            "version: 1
tasks: [{{ name: nap, kind: sleep, {count}service_time: {{ dist: constant, value: 1ms }} }}]
arrivals: {{ mode: open, {arrivals} }}
engines: [{{ kind: pool, workers: 2 }}, {{ kind: process, workers: 2 }}]
measure: {{ warmup: 0, repeats: 1 }}
"
        );
        let mut session = open_with(&text, env!("CARGO_BIN_EXE_poolscope"));
        send(&session, SessionCommand::Run(Mode::Interleaved));
        let view = finish(&mut session);
        for arm in &view.arms {
            let end = arm.latest().unwrap();
            assert_eq!((end.total, end.counts.submitted, end.counts.succeeded), (tasks, tasks, tasks), "{arrivals}");
            assert!(
                end.at.elapsed() >= Duration::from_millis(last_ms),
                "{arrivals}: over after {:?}",
                end.at.elapsed()
            );
        }
    }
}

#[test]
fn a_changed_number_of_workers_keeps_what_was_measured_and_is_measured_as_often() {
    let mut session = open();
    send(&session, SessionCommand::Run(Mode::Interleaved));
    until(&mut session, "the second round's second arm runs", |view| is_live(view, 1, 2));
    send(&session, SessionCommand::ChangeWorkers { arm: 1, change: Change::Double });
    let view = settle(&mut session);
    assert_eq!(counted(&view), [3, 3], "the arm that was not changed keeps its runs");
    assert_eq!((view.arms[1].workers, view.arms[1].measured), (4, 4));
    assert!(view.arms[1].finished.iter().all(|run| run.workers_target == 4));
    let points: Vec<_> = view.arms[1].tuning.points.iter().map(|p| (p.workers, p.runs(), p.touched)).collect();
    assert_eq!(points, [(2, 1, 1), (4, 3, 0)], "what was changed midway is marked and not averaged");
}

#[test]
fn after_the_end_changed_arms_are_measured_once_the_keys_rest() {
    let mut session = open();
    send(&session, SessionCommand::Run(Mode::Interleaved));
    finish(&mut session);
    for _ in 0..3 {
        send(&session, SessionCommand::ChangeWorkers { arm: 0, change: Change::By(1) });
    }
    let pressed = Instant::now();
    let view = until(&mut session, "the change is seen", |view| view.arms[0].workers == 5);
    assert_eq!((view.arms[0].measured, view.arms[0].owed, &view.phase), (2, 3, &SessionPhase::Finished));
    until(&mut session, "it is measured", |view| view.arms[0].live);
    assert!(pressed.elapsed() >= Duration::from_millis(490), "{:?}", pressed.elapsed());
    let view = settle(&mut session);
    let points: Vec<_> = view.arms[0].tuning.points.iter().map(|p| (p.workers, p.runs())).collect();
    assert_eq!(points, [(2, 3), (5, 3)], "3 and 4 were passed by");
    assert_eq!(counted(&view), [3, 3]);
    let verdict = view.verdicts.iter().find(|verdict| verdict.arm == 0).unwrap();
    assert!(verdict.apart && verdict.pairs == 3, "{verdict:?}");
    send(&session, SessionCommand::SameWorkers(0));
    let view = settle_after(&mut session, |view| view.arms[1].measured == 5);
    assert_eq!(view.arms[1].tuning.points.len(), 2);
}

#[test]
fn a_sweep_finds_the_count_and_ends_with_it() {
    let mut session = open();
    send(
        &session,
        SessionCommand::Sweep(Sweep {
            arms: vec![0],
            counts: SweepCounts::Found,
            groups: Vec::new(),
            runs: 3,
            show_best: true,
        }),
    );
    let view = settle_after(&mut session, |view| view.arms[0].tuning.points.len() > 2);
    let tuning = &view.arms[0].tuning;
    let counts: Vec<u32> = tuning.points.iter().map(|point| point.workers).collect();
    assert!(counts.starts_with(&[1, 2]) && counts.contains(&4), "{counts:?}");
    assert!(tuning.complete, "{tuning:?}");
    // On a busy machine the runs may differ too much to tell, or seem to rise without an end.
    let found = match tuning.advice {
        Advice::Use { workers, .. } => workers,
        Advice::Rising { best } => best,
        Advice::Unclear { best } if tuning.point(best).is_some_and(|point| point.runs() >= 6) => best,
        advice => panic!("{advice:?}: {tuning:?}"),
    };
    assert_eq!((view.arms[0].workers, view.arms[0].measured), (found, found), "{tuning:?}");
    assert!(view.arms[1].tuning.points.is_empty());
}

#[test]
fn what_was_found_for_a_target_stays_when_another_one_is_looked_for() {
    let mut session = open();
    let sweep = |target: &str| {
        let counts = SweepCounts::For(target.parse().unwrap());
        SessionCommand::Sweep(Sweep { arms: vec![0], counts, groups: Vec::new(), runs: 1, show_best: false })
    };
    send(&session, sweep("max<1us"));
    until(&mut session, "it runs", |view| view.arms[0].live);
    // It is ended before it was through.
    send(&session, SessionCommand::Stop);
    until(&mut session, "it is over", |view| view.phase.is_over());
    let through = |view: &SessionView| view.answers.iter().filter(|answer| !answer.ended).count();
    for (target, answers) in [("memory<1KiB", 1), ("max<1h", 2)] {
        send(&session, sweep(target));
        settle_after(&mut session, |view| through(view) == answers);
    }
    let view = session.handle.view.borrow().clone();
    let told: Vec<_> = view
        .answers
        .iter()
        .filter(|answer| !answer.ended)
        .map(|answer| (answer.target.to_string(), answer.found[0].1.workers, answer.found[0].1.met))
        .collect();
    let wanted = [("memory<1KiB", Some(1), Some(false)), ("max<1h", Some(1), Some(true))];
    assert_eq!(told, wanted.map(|(target, workers, met)| (target.to_owned(), workers, met)));
    assert!(view.answers.iter().all(|answer| answer.found.len() == 1), "one arm was asked for");
}

#[test]
fn given_counts_are_tried_in_turn() {
    let mut session = open();
    send(
        &session,
        SessionCommand::Sweep(Sweep {
            arms: vec![0, 1],
            counts: SweepCounts::Given(vec![1, 3]),
            groups: Vec::new(),
            runs: 2,
            show_best: true,
        }),
    );
    let view = finish(&mut session);
    for arm in &view.arms {
        let points: Vec<_> = arm.tuning.points.iter().map(|point| (point.workers, point.runs())).collect();
        assert_eq!(points, [(1, 2), (3, 2)]);
    }
    assert_eq!(view.verdicts[0].pairs, 2);
    assert!(!view.verdicts[0].apart);
}

#[test]
fn what_is_measured_apart_is_no_pair_of_a_round() {
    let mut session = open();
    send(&session, SessionCommand::Run(Mode::Interleaved));
    finish(&mut session);
    for arm in [0, 1] {
        send(&session, SessionCommand::Measure(Some((arm, 2))));
        let view = settle_after(&mut session, |view| counted(view)[arm] == 6);
        let verdict = &view.verdicts[0];
        assert_eq!((verdict.pairs, verdict.apart), (3, false), "the runs of the comparison alone are pairs");
    }
    send(&session, SessionCommand::Run(Mode::Interleaved));
    let view = settle_after(&mut session, |view| counted(view) == [9, 9]);
    assert_eq!((view.verdicts[0].pairs, view.verdicts[0].apart), (6, false));
}

#[test]
fn a_change_during_a_sweep_starts_from_what_runs() {
    let mut session = open();
    send(
        &session,
        SessionCommand::Sweep(Sweep {
            arms: vec![0],
            counts: SweepCounts::Given(vec![8]),
            groups: Vec::new(),
            runs: 1,
            show_best: true,
        }),
    );
    until(&mut session, "eight workers run", |view| view.arms[0].live && view.arms[0].measured == 8);
    send(&session, SessionCommand::ChangeWorkers { arm: 0, change: Change::By(1) });
    let view = until(&mut session, "the change is seen", |view| view.arms[0].workers != 2);
    assert_eq!((view.arms[0].workers, view.arms[0].measured), (9, 9));
    let view = settle(&mut session);
    let points: Vec<_> = view.arms[0].tuning.points.iter().map(|p| (p.workers, p.runs(), p.touched)).collect();
    assert_eq!(points, [(8, 0, 1), (9, 3, 0)]);
}

#[test]
fn the_same_for_all_is_that_of_what_runs() {
    let mut session = open();
    send(
        &session,
        SessionCommand::Sweep(Sweep {
            arms: vec![0],
            counts: SweepCounts::Given(vec![8]),
            groups: Vec::new(),
            runs: 1,
            show_best: true,
        }),
    );
    until(&mut session, "eight workers run", |view| view.arms[0].live && view.arms[0].measured == 8);
    send(&session, SessionCommand::SameWorkers(0));
    let view = settle_after(&mut session, |view| view.arms[1].measured == 8);
    let point = view.arms[0].tuning.point(8).unwrap();
    assert_eq!((point.runs(), point.touched), (1, 0), "the run that the others follow goes on");
}

#[test]
fn a_sweep_stops_what_runs_and_is_itself_stopped() {
    let mut session = open();
    send(&session, SessionCommand::Run(Mode::Interleaved));
    until(&mut session, "it runs", |view| is_live(view, 0, 1));
    send(
        &session,
        SessionCommand::Sweep(Sweep {
            arms: vec![1],
            counts: SweepCounts::Given(vec![3]),
            groups: Vec::new(),
            runs: 1,
            show_best: true,
        }),
    );
    let view = until(&mut session, "three workers run", |view| view.arms[1].live && view.arms[1].measured == 3);
    assert!(!view.arms[0].live);
    finish(&mut session);
    send(&session, SessionCommand::Run(Mode::Interleaved));
    until(&mut session, "it runs again", |view| view.arms[0].live);
    send(
        &session,
        SessionCommand::Sweep(Sweep {
            arms: vec![1],
            counts: SweepCounts::Given(vec![5]),
            groups: Vec::new(),
            runs: 1,
            show_best: true,
        }),
    );
    send(&session, SessionCommand::Stop);
    let view = until(&mut session, "it is stopped", |view| view.phase == SessionPhase::Stopped);
    assert!(view.arms[1].tuning.point(5).is_none(), "a stop ends what would come too");
}

#[test]
fn a_change_that_is_taken_back_is_none() {
    let mut session = open();
    send(&session, SessionCommand::Run(Mode::Interleaved));
    finish(&mut session);
    for by in [1, -1] {
        send(&session, SessionCommand::ChangeWorkers { arm: 0, change: Change::By(by) });
    }
    send(&session, SessionCommand::ChangeWorkers { arm: 1, change: Change::To(3) });
    let view = settle_after(&mut session, |view| view.arms[1].measured == 3);
    assert_eq!(counted(&view), [3, 3], "the first arm was not measured again");
}

#[test]
fn the_report_of_a_count_without_a_whole_run_is_that_of_the_count_before() {
    let mut session = open();
    send(&session, SessionCommand::Run(Mode::Interleaved));
    finish(&mut session);
    send(&session, SessionCommand::Measure(Some((0, 1))));
    let view = until(&mut session, "one worker runs", |view| view.arms[0].live && view.arms[0].measured == 1);
    let (workers, runs) = &view.arms[0].told;
    assert_eq!((*workers, runs.len(), view.arms[0].finished.len()), (2, 3, 0));
    assert_eq!(view.arms[0].others.len(), 1);
}

#[test]
fn commands_are_not_run_again_without_being_asked() {
    let text = "version: 1\nname: t\ntasks: [{ name: t, kind: command, count: 4, command: [/bin/true] }]\n\
                engines: [{ kind: pool, workers: 1 }]\nmeasure: { warmup: 0, repeats: 1 }\n";
    let mut session = open_with(text, env!("CARGO_BIN_EXE_poolscope"));
    send(&session, SessionCommand::Run(Mode::Interleaved));
    finish(&mut session);
    send(&session, SessionCommand::ChangeWorkers { arm: 0, change: Change::To(3) });
    let view = until(&mut session, "the change is seen", |view| view.arms[0].owed == 1);
    assert!(!view.measures_by_itself);
    let waited = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let moved =
        runtime.block_on(async { tokio::time::timeout(Duration::from_secs(1), session.handle.view.changed()).await });
    assert!(moved.is_err(), "something began after {:?}", waited.elapsed());
    send(&session, SessionCommand::Measure(None));
    let view = settle_after(&mut session, |view| view.arms[0].measured == 3);
    assert_eq!(counted(&view), [1]);
}

#[test]
fn a_run_in_which_the_user_had_a_hand_does_not_count() {
    let mut session = open();
    send(&session, SessionCommand::Run(Mode::Interleaved));
    until(&mut session, "the second round's second arm runs", |view| is_live(view, 1, 2));
    send(&session, SessionCommand::TogglePause);
    until(&mut session, "it is paused", |view| view.phase == SessionPhase::Paused);
    send(&session, SessionCommand::TogglePause);
    let view = finish(&mut session);
    assert_eq!(counted(&view), [3, 2]);
    assert_eq!(view.verdicts[0].pairs, 2, "pairs are of the same round");
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
    assert!(matches!(&view.phase, SessionPhase::Broken(reason) if reason.chain().contains(": ")), "{:?}", view.phase);
}

#[test]
fn a_session_that_does_not_end_is_left_within_the_grace_period_and_a_second() {
    use poolscope::os::process_owner::ProcessOwner;
    use poolscope::os::signal_watch::SignalWatch;
    use poolscope::session::ending::{SessionEnd, end};
    use poolscope::session::escalation::{Escalation, StopLevel};
    use poolscope::session::handle::SessionHandle;
    let mut real = open();
    let view = until(&mut real, "it is there", |_| true);
    let (_silent, view) = tokio::sync::watch::channel(view);
    let (commands, mut asked) = tokio::sync::mpsc::unbounded_channel();
    let mut hung = SessionHandle { view, commands };
    let mut levels = Vec::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ended = runtime.block_on(async {
        let mut signals = SignalWatch::new(ProcessOwner::claim()).unwrap();
        end(&mut hung, &mut signals, &mut Escalation::default(), |level| levels.push(level)).await
    });
    assert_eq!((ended, levels), (SessionEnd::LeftBehind, vec![StopLevel::Stop, StopLevel::Kill]));
    assert_eq!((asked.try_recv(), asked.try_recv()), (Ok(SessionCommand::Stop), Ok(SessionCommand::Stop)));
}

/// Runs a workload once and tells what each arm measured of its load.
fn loads(text: &str) -> Vec<Arc<poolscope::Snapshot>> {
    let mut session = open_with(text, env!("CARGO_BIN_EXE_poolscope"));
    send(&session, SessionCommand::Run(Mode::Interleaved));
    let view = finish(&mut session);
    view.arms.iter().map(|arm| arm.finished.iter().next().map(Arc::clone).unwrap()).collect()
}

#[test]
fn littles_law_holds_between_what_the_dispatcher_saw_and_what_workers_reported() {
    // With everything that can become of a task; and in a loop, where the number of tasks is known.
    let rough = "
version: 1
name: rough
seed: 3
arrivals: { mode: open, process: poisson, rate: 80/s, duration: 2s, max_in_flight: 6 }
tasks:
  - name: t
    kind: sleep
    service_time: { dist: exponential, mean: 30ms }
    timeout: 60ms
    queue_timeout: 100ms
    retries: { max: 1, on: [timeout], backoff: 20ms }
engines: [{ kind: pool, workers: 2 }, { kind: process, workers: 2 }]
measure: { warmup: 0, repeats: 1 }
";
    for run in loads(rough) {
        let little = run.load.little.unwrap();
        assert!(run.counts.dropped > 0 && run.counts.retries > 0, "{:?}", run.counts);
        assert_eq!(little.left + run.counts.dropped, run.counts.submitted);
        assert_eq!(little.without_sojourn, 0);
        // Workers report a moment after a task has ended: more cannot be missing.
        assert!(little.error() < 0.2, "{little:?}");
        assert!(little.in_system > 1.0 && little.in_system <= 6.0, "{little:?}");
        let utilisation = run.load.utilisation.unwrap();
        assert!(utilisation > 0.4 && utilisation <= 1.0, "{utilisation}");
    }
    let text = WORKLOAD.replace("repeats: 3", "repeats: 1") + "arrivals: { mode: closed, max_in_flight: 4 }\n";
    for run in loads(&text) {
        let little = run.load.little.unwrap();
        assert_eq!((little.left, little.without_sojourn), (40, 0));
        // Four all the time, but for the beginning and the end.
        assert!(little.in_system > 3.0 && little.in_system <= 4.0, "{little:?}");
        assert!(little.error() < 0.2, "{little:?}");
    }
}

#[test]
fn a_run_that_is_stopped_says_which_tasks_the_law_is_not_about() {
    let text = WORKLOAD.replace("value: 10ms", "value: 50ms").replace("repeats: 3", "repeats: 1");
    let mut session = open_with(&text, env!("CARGO_BIN_EXE_poolscope"));
    send(&session, SessionCommand::Run(Mode::Interleaved));
    until(&mut session, "some are done", |view| view.arms[0].live && view.arms[0].counts().succeeded >= 4);
    send(&session, SessionCommand::Stop);
    let view = until(&mut session, "it is stopped", |view| view.phase == SessionPhase::Stopped);
    let run = view.arms[0].latest().unwrap();
    let little = run.load.little.unwrap();
    assert!(little.without_sojourn >= 30 && little.left >= 4, "{little:?}");
    assert_eq!(little.left + little.without_sojourn, run.counts.submitted);
    assert!(little.in_system > 30.0 && little.in_system <= 40.0, "they were there: {little:?}");
}
