//! Where the time of workers goes: idle, start-up and initializers.

use super::*;

#[test]
fn idle_time_follows_resizes() {
    let (mut recorder, snapshots) = recorder();
    let mut running = view(RunState::Running, Counts::default(), &[]);
    recorder.state(at(0), &running);
    recorder.event(at(1000), &Event::Resized { workers: 5 });
    running.workers = 5;
    recorder.state(at(2000), &running);
    let snapshot = snapshots.borrow();
    assert_eq!(snapshot.worker_time.idle, MS * 7000);
    assert_eq!(snapshot.notes.last().map(|note| note.text.as_str()), Some("5 workers from now on"));
}

#[test]
fn without_a_limit_on_workers_there_is_no_idle_time() {
    let (mut recorder, snapshots) = Recorder::new(RecorderConfig { unbounded: true, ..config(EngineKind::Process) });
    let mut running = view(RunState::Running, Counts::default(), &[]);
    running.workers = u32::MAX;
    recorder.state(at(1000), &running);
    assert_eq!(snapshots.borrow().worker_time.idle, Duration::ZERO);
    running.state = RunState::Finished;
    recorder.state(at(2000), &running);
    assert_eq!(snapshots.borrow().end.as_ref().map(|end| end.tail_idle), Some(Duration::ZERO));
}

/// In a pool too: a worker that is not there yet is not one that nobody has work for. What a task waits for it is another
/// matter, and part of its wait.
#[test]
fn start_of_a_process_is_start_up_and_not_idle_time_while_it_lasts_and_afterwards() {
    for kind in [EngineKind::Process, EngineKind::Pool] {
        let (mut recorder, snapshots) = Recorder::new(config(kind));
        recorder.event(at(100), &started(worker(0, 1), 9));
        let slots = [slot(0, Some(9), WorkerState::Starting), slot(1, None, WorkerState::Free)];
        recorder.state(at(140), &view(RunState::Running, counts(1, 0, 1), &slots));
        assert_eq!(snapshots.borrow().worker_time.startup, MS * 40, "{kind:?}");
        assert_eq!(snapshots.borrow().worker_time.idle, MS * (2 * 140 - 40), "{kind:?}");
    }
    let (mut recorder, snapshots) = Recorder::new(config(EngineKind::Pool));
    let startup = |recorder: &mut Recorder, now, slots: &[SlotView]| {
        recorder.state(at(now), &view(RunState::Running, counts(1, 0, 1), slots));
        let run = snapshots.borrow();
        let time = run.worker_time;
        assert_eq!(time.work + time.startup + time.idle, MS * 2 * now as u32, "it all adds up");
        assert_eq!(run.latency.startup.count, 0, "it is no task's");
        assert_eq!(run.load.utilisation, Some(0.0), "and no part of the demand");
        time.startup
    };
    let there = [slot(0, Some(9), WorkerState::Idle), slot(1, None, WorkerState::Free)];
    recorder.event(at(100), &started(worker(0, 1), 9));
    recorder.event(at(160), &Event::WorkerReady { worker: worker(0, 1), took: MS * 60 });
    assert_eq!(startup(&mut recorder, 200, &there), MS * 60);
    recorder.event(at(210), &started(worker(1, 1), 10));
    recorder.event(at(240), &unexpected(exited(worker(1, 1), 10, Usage::default())));
    assert_eq!(startup(&mut recorder, 300, &there), MS * 90, "one that died on its way took its time too");
    recorder.event(at(320), &exited(worker(0, 1), 9, Usage::default()));
    assert_eq!(startup(&mut recorder, 400, &there), MS * 90, "one that was there does not");
    recorder.event(at(400), &started(worker(0, 2), 11));
    recorder.event(at(450), &exited(worker(0, 2), 11, Usage::default()));
    assert_eq!(startup(&mut recorder, 500, &there), MS * 90, "one that came after all was done was not needed");
}

#[test]
fn an_initializer_is_not_idle_time_while_it_lasts_nor_afterwards_and_one_that_failed_counts_too() {
    for (kind, expected) in
        [(EngineKind::Pool, [MS * 60, MS * 70, MS * 95]), (EngineKind::Process, [Duration::ZERO; 3])]
    {
        let (mut recorder, snapshots) = Recorder::new(config(kind));
        let began = |recorder: &mut Recorder, id: WorkerId, ready: u64| {
            let beginning = Beginning { called: at(0), executed: at(1), own: Some((at(2), at(ready))) };
            recorder.event(at(ready), &Event::WorkerBegan { worker: id, beginning });
        };
        let time = |recorder: &mut Recorder, now: u64, slots: &[SlotView]| {
            recorder.state(at(now), &view(RunState::Running, counts(9, 9, 0), slots));
            snapshots.borrow().worker_time
        };
        let initializes = |slot_number| slot(slot_number, Some(9), WorkerState::Initializing);
        recorder.event(at(1), &started(worker(0, 1), 9));
        began(&mut recorder, worker(0, 1), 40);
        let in_it = time(&mut recorder, 100, &[initializes(0), slot(1, None, WorkerState::Free)]);
        let (wall, cpu) = (MS * 70, MS * 70);
        recorder.event(at(110), &Event::WorkerInitialized { worker: worker(0, 1), wall, cpu, rss_bytes: None });
        let after = time(&mut recorder, 200, &[slot(0, Some(9), WorkerState::Idle), slot(1, None, WorkerState::Free)]);
        recorder.event(at(201), &started(worker(1, 1), 9));
        began(&mut recorder, worker(1, 1), 205);
        recorder.event(at(230), &unexpected(exited(worker(1, 1), 9, Usage::default())));
        let failed = time(&mut recorder, 300, &[slot(0, Some(9), WorkerState::Idle), slot(1, None, WorkerState::Free)]);
        assert_eq!([in_it, after, failed].map(|time| time.initializing), expected, "{kind:?}");
        if kind == EngineKind::Pool {
            assert_eq!([in_it, after, failed].map(|time| time.idle), [MS * 101, MS * 291, MS * 462]);
        }
    }
}

#[test]
fn a_ghost_is_no_work_however_its_worker_ends_and_no_outcome() {
    for state in [WorkerState::Ghost, WorkerState::Ending] {
        let (mut recorder, snapshots) = recorder();
        let lane = worker(0, 1).lane(0);
        recorder.event(at(0), &started(worker(0, 1), 9));
        recorder.event(at(0), &Event::WorkerReady { worker: worker(0, 1), took: Duration::ZERO });
        let in_task = |state| SlotView { task: Some((0, 0, at(0))), ..slot(0, Some(9), state) };
        recorder.state(at(50), &view(RunState::Running, counts(2, 1, 1), &[in_task(WorkerState::Busy)]));
        // It is given up after 100 ms.
        let given_up = Counts { submitted: 2, queued: 1, timed_out: 1, ..Counts::default() };
        recorder.event(at(100), &Event::GhostBegan { lane });
        recorder.state(at(300), &view(RunState::Running, given_up, &[in_task(state)]));
        assert_eq!(snapshots.borrow().worker_time.ghost, MS * 300, "{state:?}: no report of it has come");
        recorder.event(at(500), &Event::RunEnds { early: true });
        recorder.event(at(700), &Event::GhostEnded { lane, after: MS * 600, cpu: None });
        recorder.event(at(700), &exited(worker(0, 1), 9, cpu(1)));
        recorder.state(at(710), &view(RunState::Stopped, Counts::default(), &[]));
        let run = snapshots.borrow();
        assert_eq!((run.worker_time.work, run.worker_time.ghost), (Duration::ZERO, MS * 400), "{state:?}");
        assert_eq!(run.wall(), MS * 500);
    }
}

#[test]
fn what_is_cut_short_was_work_until_the_run_was_ended_and_no_longer() {
    for (kind, state) in [
        (EngineKind::Pool, RunState::Stopped),
        (EngineKind::Process, RunState::Stopped),
        (EngineKind::Pool, RunState::Broken),
    ] {
        let (mut recorder, snapshots) = Recorder::new(config(kind));
        for number in [0, 1] {
            recorder.event(at(0), &started(worker(number, 1), 70 + number));
        }
        succeed(&mut recorder, 100, 0, 0, &[record(0, 0, 100)]);
        recorder.event(at(1000), &Event::RunEnds { early: true });
        // One comes to its end in its grace period, the other one is killed after that.
        let cut = |number, start, ended| Event::CutShort {
            slot: Slot(number),
            index: u64::from(number) + 1,
            dispatched: at(start),
            start: at(start),
            ended: at(ended),
        };
        recorder.event(at(1200), &cut(0, 100, 1200));
        recorder.event(at(3000), &cut(1, 400, 3000));
        for number in [0, 1] {
            recorder.event(at(3000), &exited(worker(number, 1), 70 + number, cpu(1)));
        }
        let counts = Counts { submitted: 3, succeeded: 1, cancelled: 2, ..Counts::default() };
        recorder.state(at(3010), &view(state, counts, &[]));
        let run = snapshots.borrow();
        assert_eq!((run.wall(), run.worker_time.work), (MS * 1000, MS * (100 + 900 + 600)), "{kind:?} {state:?}");
        assert!((run.throughput_whole - 1.0).abs() < 1e-9, "{kind:?} {state:?}");
        assert!(run.cpu.cores_used_whole <= 2.0 / 1000.0, "it is of all the time that they lived");
    }
}

/// One that is not there yet, does its initializer, or is in the task of a caller who has given up is not idle, at the end
/// neither.
#[test]
fn idle_time_at_the_end_is_a_part_of_the_idle_time() {
    let end = |recorder: &mut Recorder, snapshots: &watch::Receiver<Arc<Snapshot>>, now| {
        recorder.state(at(now), &view(RunState::Finished, counts(1, 0, 0), &[]));
        let run = snapshots.borrow();
        (run.end.as_ref().expect("an end").tail_idle, run.worker_time.idle)
    };
    let begun = |kind| {
        let (mut recorder, snapshots) = Recorder::new(config(kind));
        for number in [0, 1] {
            recorder.event(at(0), &started(worker(number, 1), 70 + number));
        }
        (recorder, snapshots)
    };
    let (mut recorder, snapshots) = begun(EngineKind::Pool);
    recorder.event(at(10), &Event::WorkerReady { worker: worker(0, 1), took: MS * 10 });
    succeed(&mut recorder, 100, 0, 10, &[record(0, 10, 90)]);
    recorder.event(at(110), &exited(worker(1, 1), 71, Usage::default()));
    assert_eq!(end(&mut recorder, &snapshots, 120), (Duration::ZERO, Duration::ZERO), "it was never there");

    let (mut recorder, snapshots) = begun(EngineKind::Pool);
    for number in [0, 1] {
        recorder.event(at(10), &Event::WorkerReady { worker: worker(number, 1), took: MS * 10 });
    }
    let lane = LaneId { worker: worker(1, 1), number: 0 };
    recorder.event(at(20), &Event::GhostBegan { lane });
    recorder.event(at(90), &Event::GhostEnded { lane, after: MS * 70, cpu: None });
    succeed(&mut recorder, 100, 0, 10, &[record(0, 10, 90)]);
    let (tail, idle) = end(&mut recorder, &snapshots, 120);
    assert_eq!((tail, idle), (MS * 10, MS * 20), "10 ms before the ghost, which are not at the end");
}

/// A worker that is kept is there: what passes until it begins is no start of a process.
#[test]
fn handing_over_is_start_up_only_where_it_starts_a_process() {
    for (kind, startup, dispatch) in
        [(EngineKind::Pool, MS * 10, MS * 7), (EngineKind::Process, MS * 7, Duration::ZERO)]
    {
        let (mut recorder, snapshots) = Recorder::new(config(kind));
        recorder.event(at(0), &started(worker(0, 1), 70));
        if kind == EngineKind::Pool {
            recorder.event(at(10), &Event::WorkerReady { worker: worker(0, 1), took: MS * 10 });
        }
        succeed(&mut recorder, 100, 0, 10, &[record(0, 17, 83)]);
        recorder.state(at(110), &view(RunState::Finished, counts(1, 0, 0), &[]));
        let time = snapshots.borrow().worker_time;
        assert_eq!((time.startup, time.dispatch, time.work), (startup, dispatch, MS * 83), "{kind:?}");
        assert_eq!(time.startup + time.dispatch + time.work + time.idle, MS * 200, "it all adds up");
        assert_eq!(snapshots.borrow().latency.startup.mean, MS * 7, "the task waited as long");
    }
}

/// Nobody can do a task before there is something to fork workers from.
#[test]
fn the_start_of_a_fork_server_is_start_up_of_all_lanes_that_wait_for_it() {
    for kind in [EngineKind::Pool, EngineKind::Process] {
        let (mut recorder, snapshots) = Recorder::new(config(kind));
        let state = |recorder: &mut Recorder, now, running| {
            recorder.state(at(now), &view(RunState::Running, counts(1, 0, running), &[]));
            let time = snapshots.borrow().worker_time;
            (time.startup, time.idle)
        };
        state(&mut recorder, 0, 1);
        recorder.event(at(10), &Event::ForkServerStarted { pid: 5 });
        assert_eq!(state(&mut recorder, 30, 1), (MS * 40, MS * 20), "while it lasts");
        recorder.event(at(90), &Event::ForkServerReady { pid: 5, took: MS * 85, initializer: None });
        assert_eq!(state(&mut recorder, 100, 1), (MS * 160, MS * 40), "{kind:?}");
        assert_eq!(snapshots.borrow().life.fork_servers.startup, MS * 85);
        // Another one in its place keeps nobody waiting who has a process.
        recorder.event(at(100), &started(worker(0, 1), 70));
        succeed(&mut recorder, 100, 0, 100, &[record(0, 100, 0)]);
        recorder.event(at(110), &Event::ForkServerStarted { pid: 6 });
        recorder.event(at(130), &Event::ForkServerReady { pid: 6, took: MS * 20, initializer: None });
        assert_eq!(state(&mut recorder, 130, 0).0, MS * 180, "{kind:?}");
    }
}

/// A worker that is ready when the run is over has spent no more of its time on that than there was.
#[test]
fn start_up_ends_with_what_is_measured() {
    let (mut recorder, snapshots) = Recorder::new(config(EngineKind::Pool));
    for number in [0, 1] {
        recorder.event(at(0), &started(worker(number, 1), 70 + number));
    }
    recorder.event(at(10), &Event::WorkerReady { worker: worker(0, 1), took: MS * 10 });
    succeed(&mut recorder, 90, 0, 10, &[record(0, 10, 80)]);
    recorder.event(at(90), &Event::RunEnds { early: false });
    recorder.event(at(150), &Event::WorkerReady { worker: worker(1, 1), took: MS * 150 });
    recorder.event(at(160), &exited(worker(1, 1), 71, Usage::default()));
    recorder.state(at(170), &view(RunState::Finished, counts(1, 0, 0), &[]));
    let run = snapshots.borrow();
    let time = run.worker_time;
    assert_eq!((time.startup, time.work), (MS * 100, MS * 80), "10 of the first, and 90 of the second");
    assert_eq!(time.startup + time.work + time.idle, run.wall() * 2, "it all adds up");
}
