//! An arm that is a program of somebody else (a pool of threads in Python) beside one of ours: the same session, the same
//! figures, the same rules for its end, and what becomes of a run whose program lies, hangs or dies.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/mod.rs"]
mod support;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use poolscope::engine::context::RunContext;
use poolscope::engine::event::RunState;
use poolscope::engine::external::External;
use poolscope::metrics::snapshot::Snapshot;
use poolscope::os::host::Host;
use poolscope::session::conductor::{ArmSpec, Session, SessionSpec};
use poolscope::session::view::{Change, Mode, SessionCommand, SessionPhase, SessionView};
use poolscope::workload::load::load;
use poolscope::workload::model::{EngineKind, EngineSpec, Workers};

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/external/thread_pool.py");
const NAPS: &str =
    "{ name: nap, kind: sleep, count: 40, grace_period: 400ms, service_time: { dist: constant, value: 10ms } }";
/// As many that a run does not end by itself.
const MANY: &str =
    "{ name: nap, kind: sleep, count: 20000, grace_period: 400ms, service_time: { dist: constant, value: 10ms } }";

const BATCH: &str = "engines: [{ kind: pool, workers: 2 }]";

/// A session over tasks (and how they arrive): a pool, if wanted, and this program.
fn open_as(tasks: &str, engines: &str, pool: bool, argv: &[&str]) -> Session {
    support::hard_limit();
    let text =
        format!("version: 1\nname: naps\nseed: 1\ntasks: [{tasks}]\n{engines}\nmeasure: {{ warmup: 0, repeats: 2 }}\n");
    let mut workload = load(&text, "naps.yaml").unwrap().workload;
    let two = Workers::Fixed(NonZeroU32::new(2).unwrap());
    let entry = EngineSpec {
        name: "threads".to_owned(),
        start_timeout: Duration::from_secs(2),
        ..EngineSpec::of_kind(EngineKind::External, two)
    };
    let external =
        ArmSpec { entry, arm: Arc::new(External::new(argv.iter().copied())), most_workers: None, workload: None };
    let ours = workload.engines.iter().filter(|_| pool).cloned().map(ArmSpec::dispatched);
    let arms: Vec<ArmSpec> = ours.chain([external]).collect();
    workload.engines = arms.iter().map(|arm| arm.entry.clone()).collect();
    let context = RunContext {
        usable_cores: 2,
        max_processes: 64,
        iterations_per_second: 5e8,
        worker_program: env!("CARGO_BIN_EXE_poolscope").into(),
    };
    let host = Arc::new(Host::detect());
    Session::start(SessionSpec {
        workload: Arc::new(workload),
        arms,
        baseline: 0,
        host,
        context,
        observers: Vec::new(),
    })
    .unwrap()
}

fn open(tasks: &str, pool: bool, argv: &[&str]) -> Session {
    open_as(tasks, BATCH, pool, argv)
}

fn with(faults: &[&str]) -> Vec<&'static str> {
    let mut argv = vec!["python3", PROGRAM];
    argv.extend(faults.iter().map(|fault| &*fault.to_string().leak()));
    argv
}

fn until(session: &mut Session, what: &str, condition: impl FnMut(&Arc<SessionView>) -> bool) -> Arc<SessionView> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let waited = runtime.block_on(async {
        let view = session.handle.view.wait_for(condition);
        tokio::time::timeout(support::WALL, view).await.map(|view| Arc::clone(&view.unwrap()))
    });
    waited.unwrap_or_else(|_| panic!("waited in vain until {what}: {:#?}", session.handle.view.borrow().arms))
}

fn send(session: &Session, command: SessionCommand) {
    session.handle.commands.send(command).unwrap();
}

/// Runs the program alone to the end of the session.
fn run(tasks: &str, faults: &[&str]) -> Arc<SessionView> {
    let mut session = open(tasks, false, &with(faults));
    send(&session, SessionCommand::Run(Mode::Interleaved));
    until(&mut session, "it is over", |view| view.phase.is_over())
}

/// Why it broke, and the last frame, in which every task has its outcome.
fn broken(tasks: &str, faults: &[&str]) -> (String, Arc<Snapshot>) {
    let view = run(tasks, faults);
    let SessionPhase::Broken(reason) = &view.phase else { panic!("{faults:?}: {:?}", view.phase) };
    let last = Arc::clone(view.arms[0].latest().unwrap());
    assert_eq!(last.state, RunState::Broken);
    assert_eq!((last.counts.queued, last.counts.running), (0, 0), "{faults:?}");
    assert_eq!(last.counts.finished(), last.counts.submitted, "{faults:?}: {:?}", last.counts);
    assert!(last.workers.iter().all(|row| row.pid.is_none()), "{:?}", last.workers);
    (reason.chain(), last)
}

#[test]
fn a_program_is_compared_with_a_pool_in_the_same_figures() {
    let mut session = open(NAPS, true, &with(&["count"]));
    send(&session, SessionCommand::Run(Mode::Interleaved));
    let during = until(&mut session, "a task of the program runs", |view| {
        let frame = view.arms[1].latest();
        view.arms[1].live && frame.is_some_and(|frame| frame.workers.iter().any(|row| row.task.is_some()))
    });
    let frame = during.arms[1].latest().unwrap();
    let pid = frame.workers[0].pid.unwrap();
    assert!(support::lives(pid) && frame.workers.iter().all(|row| row.pid == Some(pid)), "two lanes of one worker");
    assert!(during.arms[1].capabilities.pause && during.arms[1].capabilities.lanes);
    let view = until(&mut session, "it is over", |view| view.phase.is_over());
    assert_eq!(view.phase, SessionPhase::Finished);
    assert_eq!((view.verdicts.len(), view.verdicts[0].pairs), (2, 2));
    for arm in &view.arms {
        assert_eq!(arm.finished.len(), 2, "{}", arm.spec.name);
        for run in arm.finished.iter() {
            assert_eq!((run.counts.succeeded, run.counts.submitted, run.total), (40, 40, 40));
            assert!(run.throughput_whole > 10.0 && run.queue.max > 0 && run.queue.mean > 0.0, "{:?}", run.queue);
            let service = run.latency.service.p50;
            assert!(service >= Duration::from_millis(10), "{service:?}");
            assert!(run.latency.wait.max > run.latency.wait.p50, "{:?}", run.latency);
            assert!(run.cpu.user + run.cpu.system > Duration::ZERO);
            assert_eq!(run.workers.iter().map(|row| row.done).sum::<u64>(), 40);
            assert!(run.workers.iter().all(|row| row.busy > Duration::ZERO), "{:?}", run.workers);
            assert_eq!(run.end.as_ref().unwrap().unreaped, 0);
            assert!(run.failures.is_empty());
        }
    }
    let [pool, program] = [0, 1].map(|arm| view.arms[arm].finished[0].cpu.user);
    assert!(program > pool, "an interpreter takes longer to start: {program:?} {pool:?}");
}

#[test]
fn tasks_are_given_as_they_are_wanted() {
    let tasks = "{ name: n, kind: kernel, kernel: noop, count: 20000 }";
    let view = run(tasks, &[]);
    assert_eq!((&view.phase, view.arms[0].counts().succeeded), (&SessionPhase::Finished, 20_000));
}

#[test]
fn arrivals_reach_a_program_at_their_time() {
    let tasks = "{ name: nap, kind: sleep, service_time: { dist: constant, value: 1ms } }";
    let arrivals = "arrivals: { mode: open, process: constant, stages: [{ duration: 500ms, rate: 60/s }] }";
    let mut session = open_as(tasks, &format!("{arrivals}\n{BATCH}"), false, &with(&[]));
    send(&session, SessionCommand::Run(Mode::Interleaved));
    let view = until(&mut session, "it is over", |view| view.phase.is_over());
    let run = &view.arms[0].finished[0];
    assert_eq!(run.counts.succeeded, run.total);
    assert!(run.total > 20);
    assert!(
        run.end.as_ref().unwrap().wall >= Duration::from_millis(450),
        "the last one arrives after about half a second"
    );
}

#[test]
fn a_stop_is_met_and_one_that_does_not_heed_it_is_killed_at_the_end_of_the_grace_period() {
    for (faults, least) in [(&[][..], Duration::ZERO), (&["deaf"], Duration::from_millis(400))] {
        let mut session = open(MANY, false, &with(faults));
        send(&session, SessionCommand::Run(Mode::Interleaved));
        let view = until(&mut session, "tasks run", |view| view.arms[0].counts().succeeded > 10);
        let pid = view.arms[0].latest().unwrap().workers[0].pid.unwrap();
        let control = support::Control::start();
        let asked = Instant::now();
        send(&session, SessionCommand::Stop);
        let view = until(&mut session, "it is over", |view| view.phase.is_over());
        let took = asked.elapsed();
        let allowed = Duration::from_millis(400) + control.allowance() + Duration::from_millis(200);
        assert!(took >= least && took < allowed, "{faults:?}: {took:?}, allowed {allowed:?}");
        assert_eq!(view.phase, SessionPhase::Stopped);
        let counts = view.arms[0].counts();
        assert!(counts.conserved() && counts.cancelled > 0 && counts.lost == 0, "{counts:?}");
        assert!(!support::lives(pid));
    }
}

#[test]
fn a_program_that_dies_breaks_the_run_and_nothing_is_lost_sight_of() {
    let (reason, last) = broken(NAPS, &["die=5"]);
    assert!(reason.starts_with("threads: ") && reason.contains("exit code 7"), "{reason}");
    assert!(reason.contains("out of cheese"), "what it wrote last is told: {reason}");
    assert!((1..=2).contains(&last.counts.lost), "what was in a lane: {:?}", last.counts);
    assert_eq!(last.counts.succeeded + last.counts.lost + last.counts.cancelled, 40);
    assert_eq!(last.failures.len() as u64, last.counts.lost);
    let (reason, last) = broken(NAPS, &["leave=5"]);
    let left = 40 - last.counts.succeeded;
    assert!(reason.contains(&format!("exit code 0 while {left} tasks had no outcome")), "{reason}");
}

#[test]
fn an_arm_that_breaks_has_no_more_runs_and_the_others_have_all_of_theirs() {
    let mut session = open(NAPS, true, &with(&["die=5"]));
    send(&session, SessionCommand::Run(Mode::Interleaved));
    let view = until(&mut session, "it is over", |view| view.phase.is_over());
    let SessionPhase::Broken(reason) = &view.phase else { panic!("{:?}", view.phase) };
    assert!(reason.chain().starts_with("threads: "), "{}", reason.chain());
    let [pool, program] = &view.arms[..] else { panic!() };
    assert_eq!((pool.finished.len(), program.finished.len()), (2, 0));
    assert_eq!(program.latest().unwrap().state, RunState::Broken);
    // Asked for again it has another chance.
    send(&session, SessionCommand::Run(Mode::Interleaved));
    let begun = until(&mut session, "it runs again", |view| !view.phase.is_over());
    assert_ne!(begun.phase, view.phase);
    let view = until(&mut session, "it is over again", |view| view.phase.is_over());
    assert_eq!(view.arms[0].finished.len(), 4);
    assert!(matches!(view.phase, SessionPhase::Broken(_)), "{:?}", view.phase);
}

#[test]
fn nonsense_lies_and_wrong_counts_are_found_out() {
    for (fault, words) in [
        ("nonsense=3", "no line of the protocol"),
        ("lie=3", "was not given or has reported before"),
        ("miscount", "it has counted 41 succeeded"),
        ("can=pause,timeout", "several lanes"),
    ] {
        let (reason, _) = broken(NAPS, &[fault]);
        assert!(reason.contains(words), "{fault}: {reason}");
    }
}

#[test]
fn what_was_in_work_at_a_stop_is_cancelled_also_where_it_succeeds_in_its_grace_period() {
    let long =
        "{ name: nap, kind: sleep, count: 100, grace_period: 1500ms, service_time: { dist: constant, value: 600ms } }";
    let mut session = open(long, false, &with(&["linger"]));
    send(&session, SessionCommand::Run(Mode::Interleaved));
    let busy = |view: &Arc<SessionView>| {
        view.arms[0].latest().is_some_and(|frame| frame.workers.iter().filter(|row| row.task.is_some()).count() == 2)
    };
    let before = until(&mut session, "two tasks run", busy).arms[0].counts();
    send(&session, SessionCommand::Stop);
    let view = until(&mut session, "it is over", |view| view.phase.is_over());
    let counts = view.arms[0].counts();
    assert_eq!(view.phase, SessionPhase::Stopped);
    // Both end well before the end of the grace period, and are told; they ended after the stop.
    assert_eq!((counts.succeeded, counts.lost, counts.cancelled), (before.succeeded, 0, 100 - before.succeeded));
}

#[test]
fn what_a_run_cannot_do_is_refused_with_a_word() {
    let mut session = open(MANY, false, &with(&["can=lanes,timeout"]));
    send(&session, SessionCommand::Run(Mode::Interleaved));
    let view = until(&mut session, "tasks run", |view| view.arms[0].counts().succeeded > 10);
    assert!(!view.arms[0].capabilities.pause && !view.arms[0].capabilities.kill_worker);
    let says = |view: &Arc<SessionView>, words: &str| {
        view.arms[0].latest().is_some_and(|frame| frame.notes.iter().any(|note| note.text.contains(words)))
    };
    send(&session, SessionCommand::TogglePause);
    let view = until(&mut session, "the pause is refused", |view| says(view, "cannot pause"));
    assert_eq!(view.phase, SessionPhase::Running, "it did not pause");
    send(&session, SessionCommand::KillWorker { arm: 0, slot: None });
    until(&mut session, "the kill is refused", |view| says(view, "cannot kill one of its workers"));
}

#[test]
fn silence_has_a_limit() {
    let (reason, last) = broken(NAPS, &["silent=5"]);
    assert!(reason.contains("said nothing for 2s"), "{reason}");
    assert!(last.counts.succeeded >= 4, "{:?}", last.counts);
}

#[test]
fn what_a_program_cannot_do_is_refused() {
    let limited = "{ name: nap, kind: sleep, count: 4, timeout: 1s, service_time: { dist: constant, value: 1ms } }";
    let (reason, _) = broken(limited, &["can=lanes"]);
    assert!(reason.contains("a timeout, which the program cannot do"), "{reason}");
    let again =
        "{ name: nap, kind: sleep, count: 4, retries: { max: 2 }, service_time: { dist: constant, value: 1ms } }";
    let view = run(again, &[]);
    let SessionPhase::Broken(reason) = &view.phase else { panic!("{:?}", view.phase) };
    assert!(reason.chain().contains("has retries, which an external arm cannot do"), "{}", reason.chain());
    let mut session = open(NAPS, false, &["/no/such/program"]);
    send(&session, SessionCommand::Run(Mode::Interleaved));
    let view = until(&mut session, "it is over", |view| view.phase.is_over());
    let SessionPhase::Broken(reason) = &view.phase else { panic!("{:?}", view.phase) };
    assert!(reason.chain().contains("/no/such/program could not be started: No such file"), "{}", reason.chain());
}

#[test]
fn another_number_of_workers_is_that_of_the_next_run_where_a_run_cannot_be_resized() {
    let mut session = open(NAPS, false, &with(&[]));
    send(&session, SessionCommand::Run(Mode::Interleaved));
    until(&mut session, "tasks run", |view| view.arms[0].counts().succeeded > 2);
    send(&session, SessionCommand::ChangeWorkers { arm: 0, change: Change::To(3) });
    let view = until(&mut session, "the change is seen", |view| view.arms[0].workers == 3);
    assert!(!view.arms[0].capabilities.resize);
    if view.arms[0].live {
        assert_eq!(view.arms[0].measured, 2, "what runs goes on as it is");
    }
    let view = until(&mut session, "it was measured with three", |view| {
        view.phase == SessionPhase::Finished && view.arms[0].owed == 0 && view.arms[0].measured == 3
    });
    let points: Vec<_> = view.arms[0].tuning.points.iter().map(|p| (p.workers, p.runs(), p.touched)).collect();
    assert_eq!(points.last(), Some(&(3, 2, 0)), "{points:?}");
    assert!(points.iter().all(|(.., touched)| *touched == 0), "nothing was changed in a run: {points:?}");
}

#[test]
fn a_pause_gives_out_nothing_and_a_suspension_stops_the_clock() {
    let mut session = open(MANY, false, &with(&[]));
    send(&session, SessionCommand::Run(Mode::Interleaved));
    until(&mut session, "tasks run", |view| view.arms[0].counts().succeeded > 10);
    send(&session, SessionCommand::TogglePause);
    let state = |view: &SessionView| view.arms[0].latest().map(|frame| frame.state);
    let resting = |view: &Arc<SessionView>| {
        state(view) == Some(RunState::Paused)
            && view.arms[0].latest().unwrap().workers.iter().all(|row| row.task.is_none())
    };
    let paused = |view: &SessionView| view.arms[0].latest().unwrap().paused;
    let rested = until(&mut session, "it pauses and nothing runs", resting);
    let before = rested.arms[0].counts().succeeded;
    let more = paused(&rested) + Duration::from_millis(300);
    let later = until(&mut session, "it was paused for a while", |view| paused(view) > more);
    assert_eq!(later.arms[0].counts().succeeded, before);
    send(&session, SessionCommand::TogglePause);
    until(&mut session, "it goes on", |view| view.arms[0].counts().succeeded > before);
    send(&session, SessionCommand::Suspend);
    let view = until(&mut session, "it stands still", |view| state(view) == Some(RunState::Suspended));
    let (at, count) = (view.arms[0].latest().unwrap().at, view.arms[0].counts().succeeded);
    // Longer than the program may be silent.
    std::thread::sleep(Duration::from_millis(2300));
    send(&session, SessionCommand::Unsuspend);
    let view = until(&mut session, "it goes on", |view| view.arms[0].counts().succeeded > count);
    let stood = view.arms[0].latest().unwrap().at.since(at);
    assert!(stood < Duration::from_secs(2), "the clock stood still: {stood:?}");
    drop(session);
}

#[test]
fn nothing_of_a_program_is_left_when_its_session_is_dropped() {
    let mut session = open(MANY, false, &with(&["deaf"]));
    send(&session, SessionCommand::Run(Mode::Interleaved));
    let view = until(&mut session, "tasks run", |view| view.arms[0].counts().succeeded > 2);
    let pid = view.arms[0].latest().unwrap().workers[0].pid.unwrap();
    drop(session);
    assert!(!support::lives(pid));
}

#[test]
fn a_program_with_a_process_for_each_worker_is_run_and_can_do_nothing_but_run() {
    let argv = ["perl", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/external/forks.pl")];
    let tasks = format!("{NAPS}, {{ name: none, kind: kernel, kernel: noop, count: 4 }}");
    let mut session = open(&tasks, true, &argv);
    send(&session, SessionCommand::Run(Mode::Interleaved));
    let view = until(&mut session, "it is over", |view| view.phase.is_over());
    assert_eq!(view.phase, SessionPhase::Finished);
    for run in view.arms[1].finished.iter() {
        assert_eq!((run.counts.succeeded, run.counts.failed, run.total), (40, 4, 44), "{:?}", run.failures);
        assert_eq!(run.workers.len(), 2);
        assert!(run.workers.iter().all(|row| row.done > 0 && row.busy > Duration::ZERO), "{:?}", run.workers);
        assert_eq!(run.end.as_ref().unwrap().unreaped, 0);
    }

    let mut session = open(MANY, false, &argv);
    send(&session, SessionCommand::Run(Mode::Interleaved));
    let view = until(&mut session, "tasks run", |view| view.arms[0].counts().succeeded > 10);
    let pids: Vec<u32> = view.arms[0].latest().unwrap().workers.iter().filter_map(|row| row.pid).collect();
    assert_eq!(pids.len(), 2, "a process for each worker");
    send(&session, SessionCommand::Stop);
    let view = until(&mut session, "it is over", |view| view.phase.is_over());
    assert_eq!(view.phase, SessionPhase::Stopped);
    assert!(view.arms[0].counts().conserved() && view.arms[0].counts().cancelled > 0);
    assert!(pids.iter().all(|pid| !support::lives(*pid)));
}
