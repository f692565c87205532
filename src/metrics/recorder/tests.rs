use proptest::prelude::*;

use super::*;
use crate::engine::event::{
    Batch, Beginning, CallerView, DeathCause, LaneId, Record, RunState, SlotView, Usage, WaitingLimit, WorkerId,
    WorkerState,
};
use crate::engine::outcome::{Cause, Counts, Exit};
use crate::metrics::distribution::Distributions;
use crate::metrics::snapshot::Latency;
use crate::workload::model::{Attempt, EngineKind};

mod worker_time;

const MS: Duration = Duration::from_millis(1);

fn at(millis: u64) -> Moment {
    Moment(millis * 1_000_000)
}

fn config(kind: EngineKind) -> RecorderConfig {
    let capabilities = Capabilities { process_per_task: kind.process_per_task(), ..Capabilities::LEAST };
    RecorderConfig { sample_interval: None, cores: 2, capabilities, unbounded: false, run: RunId::default() }
}

fn recorder() -> (Recorder, watch::Receiver<Arc<Snapshot>>) {
    Recorder::new(config(EngineKind::Pool))
}

fn record(index: u64, start: u64, service: u64) -> Record {
    Record { index, start: at(start), service: service * 1_000_000, after: 0, value: index * index }
}

fn worker(slot: u32, epoch: u32) -> WorkerId {
    WorkerId { slot: Slot(slot), epoch }
}

fn started(worker: WorkerId, pid: u32) -> Event<'static> {
    Event::WorkerStarted { worker, pid, restart: worker.epoch > 1 }
}

fn succeed(recorder: &mut Recorder, now: u64, slot: u32, sent: u64, records: &[Record]) {
    let batch = Batch {
        slot: Slot(slot),
        class: 0,
        attempt: Attempt::FIRST,
        arrival: at(0),
        sent: at(sent),
        free_since: at(0),
        records,
    };
    recorder.event(at(now), &Event::Succeeded(batch));
}

fn counts(submitted: u64, queued: u64, running: u64) -> Counts {
    Counts { submitted, queued, running, succeeded: submitted - queued - running, ..Counts::default() }
}

fn view(state: RunState, counts: Counts, slots: &[SlotView]) -> EngineView<'_> {
    EngineView {
        state,
        counts,
        total: Some(counts.submitted),
        presence: None,
        oldest: Duration::ZERO,
        workers: 2,
        slots,
        caller: CallerView::default(),
        chunks: None,
    }
}

fn slot(slot: u32, pid: Option<u32>, state: WorkerState) -> SlotView {
    SlotView { slot: Slot(slot), pid, state, task: None }
}

fn cpu(millis: u32) -> Usage {
    Usage { user: MS * millis, system: MS * (millis / 10), ..Usage::default() }
}

fn exited(worker: WorkerId, pid: u32, usage: Usage) -> Event<'static> {
    Event::WorkerExited {
        worker,
        pid,
        exit: Exit::Code(0),
        usage,
        expected: true,
        cause: DeathCause::Left,
        peak_rss_bytes: Some(4096),
    }
}

fn unexpected(mut exit: Event<'static>) -> Event<'static> {
    if let Event::WorkerExited { expected, .. } = &mut exit {
        *expected = false;
    }
    exit
}

/// Two workers, four tasks of 100 ms from a batch; worker 1 gets three of them and the second one has to wait.
fn small_run(recorder: &mut Recorder) {
    for (slot, pid) in [(0, 70), (1, 71)] {
        recorder.event(at(0), &started(worker(slot, 1), pid));
        recorder.event(at(5), &Event::WorkerReady { worker: worker(slot, 1), took: MS * 5 });
    }
    recorder.state(at(0), &view(RunState::Running, counts(4, 4, 0), &[]));
    succeed(recorder, 110, 0, 10, &[record(0, 10, 100)]);
    let busy = slot(1, Some(71), WorkerState::Busy);
    let in_task = SlotView { task: Some((2, 0, at(112))), ..busy };
    succeed(recorder, 111, 1, 10, &[record(1, 12, 98)]);
    recorder
        .state(at(150), &view(RunState::Running, counts(4, 1, 1), &[slot(0, Some(70), WorkerState::Idle), in_task]));
}

#[test]
fn live_snapshot_counts_tasks_that_are_under_way() {
    let (mut recorder, snapshots) = recorder();
    assert_eq!(snapshots.borrow().counts, Counts::default());
    small_run(&mut recorder);
    let live = Arc::clone(&snapshots.borrow());
    assert_eq!(live.at, at(150));
    assert_eq!(live.worker_time.work, MS * (100 + 98 + 38));
    // Each process took 5 ms to be there, and one task 2 ms to begin.
    assert_eq!((live.worker_time.startup, live.worker_time.dispatch), (MS * 10, MS * 2));
    assert_eq!(live.worker_time.idle, MS * (2 * 150 - 236 - 12));
    assert_eq!(live.workers.len(), 2);
    assert_eq!((live.workers[1].task, live.workers[1].task_for), (Some((2, 0)), MS * 38));
    assert_eq!(live.workers[1].busy, MS * 136);
    assert_eq!((live.workers[0].state, live.workers[0].done), (WorkerState::Idle, 1));
    assert!((live.throughput_whole - 2.0 / 0.15).abs() < 1e-9);
    assert!(live.end.is_none());
    assert_eq!((live.queue.depth, live.queue.max), (1, 4));
}

#[test]
fn figures_of_a_whole_run() {
    let (mut recorder, snapshots) = recorder();
    small_run(&mut recorder);
    succeed(&mut recorder, 312, 1, 110, &[record(2, 112, 100), record(3, 212, 100)]);
    recorder.event(at(330), &exited(worker(0, 1), 70, cpu(100)));
    recorder.event(at(350), &exited(worker(1, 1), 71, cpu(300)));
    recorder.state(at(400), &view(RunState::Finished, counts(4, 0, 0), &[slot(0, None, WorkerState::Free)]));
    let last = Arc::clone(&snapshots.borrow());
    let end = last.end.as_ref().expect("the run is over");
    assert_eq!((last.at, last.wall()), (at(400), MS * 312), "workers that leave are no part of the run");
    assert!((last.throughput_whole - 4.0 / 0.312).abs() < 1e-9);
    assert_eq!(last.worker_time.work, MS * 398);
    assert_eq!((last.worker_time.startup, last.worker_time.dispatch), (MS * 10, MS * 4));
    assert_eq!(last.worker_time.idle, MS * (624 - 412));
    // Waits: 10, 10, 110 and 212 ms: their sum over the run is the mean depth.
    assert_eq!(last.latency.wait.count, 4);
    assert!((last.queue.mean - 342.0 / 312.0).abs() < 1e-9, "{}", last.queue.mean);
    assert_eq!(end.tail_idle, MS * (312 - 110), "worker 0 had nothing left");
    assert_eq!(end.unreaped, 0);
    assert_eq!(end.distributions.sojourn.count(), 4);
    assert_eq!((last.cpu.user, last.cpu.system), (MS * 400, MS * 40));
    assert!((last.cpu.cores_used_whole - 440.0 / 312.0).abs() < 1e-9);
    assert_eq!(last.workers.iter().map(|row| row.done).collect::<Vec<_>>(), [1, 3], "also rows of gone slots");
    assert_eq!((last.worker_starts, last.worker_restarts), (2, 0));
    assert_eq!(last.memory.peak_rss_bytes, 4096);
    let mut hash = ResultsHash::default();
    (0..4u64).rev().for_each(|index| hash.add(index, index * index));
    assert_eq!(last.results_hash, hash.value());
    assert_eq!(last.suspect, Vec::<String>::new());
}

#[test]
fn cpu_time_is_never_counted_twice_and_late_words_are_not_heard() {
    let (mut recorder, snapshots) = recorder();
    let idle = view(RunState::Running, Counts::default(), &[]);
    let total = |recorder: &mut Recorder, now| {
        recorder.state(at(now), &idle);
        snapshots.borrow().cpu.user
    };
    recorder.event(at(1), &started(worker(0, 1), 5));
    recorder.event(at(2), &Event::WorkerUsage { lane: worker(0, 1).lane(0), usage: cpu(30) });
    assert_eq!(total(&mut recorder, 3), MS * 30);
    recorder.event(at(4), &Event::WorkerUsage { lane: worker(0, 1).lane(0), usage: cpu(40) });
    assert_eq!(total(&mut recorder, 5), MS * 40);
    recorder.event(at(6), &exited(worker(0, 1), 5, cpu(45)));
    recorder.event(at(6), &Event::WorkerUsage { lane: worker(0, 1).lane(0), usage: cpu(44) });
    assert_eq!(total(&mut recorder, 7), MS * 45);
    recorder.event(at(8), &started(worker(0, 2), 6));
    recorder.event(at(8), &Event::WorkerUsage { lane: worker(0, 1).lane(0), usage: cpu(1000) });
    recorder.event(at(9), &Event::WorkerUsage { lane: worker(0, 2).lane(0), usage: cpu(10) });
    assert_eq!(total(&mut recorder, 10), MS * 55);
    let last = snapshots.borrow();
    assert_eq!((last.workers[0].starts, last.workers[0].restarts, last.worker_restarts), (2, 1, 1));
}

/// A worker with three lanes, which have used 33, 22 and 11 ms.
fn three_lanes(recorder: &mut Recorder) -> WorkerId {
    let worker = worker(0, 1);
    recorder.event(at(0), &started(worker, 9));
    for (number, millis) in [(0, 30), (2, 7), (1, 20), (2, 10)] {
        recorder.event(at(10), &Event::WorkerUsage { lane: worker.lane(number), usage: cpu(millis) });
    }
    worker
}

fn row_cpu(snapshots: &watch::Receiver<Arc<Snapshot>>) -> Vec<Duration> {
    snapshots.borrow().workers.iter().map(|row| row.cpu).collect()
}

#[test]
fn the_cpu_of_a_worker_with_several_lanes_counts_once_and_each_lane_has_its_own() {
    let (mut recorder, snapshots) = recorder();
    let id = three_lanes(&mut recorder);
    recorder.event(at(11), &Event::WorkerUsage { lane: worker(0, 0).lane(1), usage: cpu(1000) });
    let lanes = [0, 1, 2].map(|number| slot(number, Some(9), WorkerState::Idle));
    recorder.state(at(20), &view(RunState::Running, Counts::default(), &lanes));
    assert_eq!(row_cpu(&snapshots), [MS * 33, MS * 22, MS * 11]);
    assert_eq!((snapshots.borrow().cpu.user, snapshots.borrow().cpu.system), (MS * 60, MS * 6));
    let account = |number| recorder.slots.account(Slot(number));
    let accounts = [0, 1, 2].map(account);
    assert_eq!(
        accounts.map(|account| account.exited + account.reported),
        [MS * 66, Duration::ZERO, Duration::ZERO],
        "in one sum"
    );
    assert_eq!(accounts.map(|account| account.pid), [Some(9), None, None], "a process is read once");
    assert_eq!(accounts.map(|account| account.lane), [33, 22, 11].map(|millis| Some(MS * millis)));
    // Its process has used more than its lanes; the next worker tells nothing yet.
    recorder.event(at(30), &exited(id, 9, cpu(100)));
    recorder.event(at(31), &Event::WorkerUsage { lane: id.lane(1), usage: cpu(1000) });
    recorder.event(at(32), &started(worker(0, 2), 10));
    recorder.state(at(40), &view(RunState::Running, Counts::default(), &lanes));
    assert_eq!(row_cpu(&snapshots), [MS * (110 - 33), MS * 22, MS * 11]);
    recorder.event(at(41), &exited(worker(0, 2), 10, cpu(10)));
    recorder.state(at(50), &view(RunState::Finished, Counts::default(), &lanes));
    let last = snapshots.borrow();
    assert_eq!((last.cpu.user, last.cpu.system), (MS * 110, MS * 11));
    assert_eq!(last.workers.iter().map(|row| row.cpu).sum::<Duration>(), MS * 121, "rows add up");
    assert_eq!((last.worker_starts, last.workers.iter().map(|row| row.starts).sum::<u64>()), (2, 2));
}

#[test]
fn lanes_that_claim_more_than_their_process_has_used_have_no_more() {
    let (mut recorder, snapshots) = recorder();
    let worker = three_lanes(&mut recorder);
    recorder.event(at(20), &Event::WorkerUsage { lane: worker.lane(1), usage: cpu(5000) });
    recorder.event(at(30), &exited(worker, 9, cpu(40)));
    succeed(&mut recorder, 31, 2, 0, &[record(0, 0, 10)]);
    recorder.state(at(50), &view(RunState::Finished, counts(1, 0, 0), &[]));
    let last = snapshots.borrow();
    assert_eq!(last.workers.iter().map(|row| row.slot.0).collect::<Vec<_>>(), [0, 2], "a lane of a gone slot");
    assert_eq!(recorder.slots.all().iter().map(|slot| slot.cpu(Duration::ZERO)).sum::<Duration>(), MS * 44);
    assert_eq!(last.cpu.user + last.cpu.system, MS * 44);
}

#[test]
fn every_lane_that_is_cut_off_was_at_work_until_then() {
    let (mut recorder, snapshots) = recorder();
    let worker = worker(0, 1);
    recorder.event(at(0), &started(worker, 9));
    let busy = |number: u32, start| SlotView {
        task: Some((u64::from(number) + 1, 0, at(start))),
        ..slot(number, Some(9), WorkerState::Busy)
    };
    succeed(&mut recorder, 500, 1, 0, &[record(0, 0, 500)]);
    let lanes = [busy(0, 100), busy(1, 500), slot(2, Some(9), WorkerState::Idle), busy(3, 900)];
    recorder.state(at(1000), &view(RunState::Running, counts(4, 0, 3), &lanes));
    recorder.event(at(2000), &exited(worker, 9, cpu(1)));
    let counts = Counts { submitted: 4, succeeded: 1, cancelled: 3, ..Counts::default() };
    recorder.state(at(2010), &view(RunState::Stopped, counts, &[]));
    let run = snapshots.borrow();
    assert_eq!(run.worker_time.work, MS * (500 + 1900 + 1500 + 1100));
    assert_eq!(run.workers.iter().map(|row| row.busy).sum::<Duration>(), run.worker_time.work, "rows add up");
    assert_eq!(run.wall(), MS * 2000);
}

#[test]
fn unsuccessful_attempts_are_kept_and_recorded_if_they_ran() {
    let (mut recorder, snapshots) = recorder();
    let mut retried = crate::metrics::fixtures::attempt(1);
    retried.retried = true;
    let mut last = crate::metrics::fixtures::attempt(1);
    last.attempt = Attempt::FIRST.next();
    let mut never_began = crate::metrics::fixtures::attempt(2);
    never_began.cause = Cause::NotStarted { message: "no such program".to_owned() };
    (never_began.wait, never_began.startup, never_began.service) = Default::default();
    let mut cancelled = crate::metrics::fixtures::attempt(3);
    cancelled.outcome = Outcome::Cancelled;
    for report in [&retried, &last, &never_began, &cancelled] {
        recorder.event(at(1500), &Event::Attempt(report));
    }
    let counts = Counts { submitted: 3, failed: 2, cancelled: 1, retries: 1, ..Counts::default() };
    recorder.state(at(2000), &view(RunState::Stopped, counts, &[]));
    let snapshot = snapshots.borrow();
    let kept: Vec<_> = snapshot.failures.iter().map(|report| (report.index, report.attempt.number())).collect();
    assert_eq!(kept, [(1, 1), (1, 2), (2, 1)]);
    assert_eq!((snapshot.latency.service.count, snapshot.latency.sojourn.count), (3, 2));
    assert_eq!(snapshot.worker_time.work, MS * 9);
    assert_eq!(snapshot.workers.iter().map(|row| row.busy).collect::<Vec<_>>(), [MS * 9], "rows add up");
    assert_eq!(snapshot.throughput, 0.0, "nothing succeeded");
}

#[test]
fn tasks_that_waited_too_long_are_in_the_list_and_in_no_histogram() {
    let (mut recorder, snapshots) = recorder();
    let limit = MS * 700;
    let mut named = crate::metrics::fixtures::attempt(5);
    (named.outcome, named.cause) = (Outcome::TimedOut, Cause::QueueTimeout { limit });
    (named.wait, named.startup, named.service, named.slot) = (Some(limit), None, None, None);
    recorder.event(
        at(700),
        &Event::Expired {
            class: 0,
            count: 1_000_000,
            limit: WaitingLimit::Queue(limit),
            reports: std::slice::from_ref(&named),
        },
    );
    let counts = Counts { submitted: 1_000_000, timed_out: 1_000_000, queue_timed_out: 1_000_000, ..Counts::default() };
    recorder.state(at(800), &view(RunState::Running, counts, &[]));
    let snapshot = snapshots.borrow();
    assert_eq!(snapshot.failures.iter().map(|report| report.index).collect::<Vec<_>>(), [5]);
    assert_eq!(snapshot.counts.queue_timed_out, 1_000_000);
    assert_eq!((snapshot.latency.wait.count, snapshot.latency.service.count), (0, 0));
}

#[test]
fn suspension_makes_a_run_suspect() {
    let (mut recorder, snapshots) = recorder();
    recorder.event(at(10), &Event::Suspended(MS * 2500));
    recorder.state(at(20), &view(RunState::Running, Counts::default(), &[]));
    assert_eq!(snapshots.borrow().suspect, ["the run was suspended for 2.5 s"]);
    assert_eq!(snapshots.borrow().notes.len(), 1);
}

#[test]
fn nobody_listening_and_an_absurd_slot_are_no_problem() {
    let (mut recorder, snapshots) = recorder();
    drop(snapshots);
    recorder.event(at(1), &started(worker(u32::MAX, 1), 1));
    recorder.event(at(1), &exited(worker(u32::MAX, 1), 1, cpu(7)));
    succeed(&mut recorder, 20, u32::MAX, 1, &[record(0, 1, 10)]);
    recorder.state(at(20), &view(RunState::Finished, counts(1, 0, 0), &[slot(u32::MAX, None, WorkerState::Free)]));
    assert_eq!(recorder.publish.borrow().cpu.user, MS * 7);
}

#[test]
fn sampler_lives_as_long_as_its_run() {
    let sampling = RecorderConfig { sample_interval: Some(MS * 20), ..config(EngineKind::Pool) };
    let (mut recorder, snapshots) = Recorder::new(sampling);
    recorder.state(at(0), &view(RunState::Running, Counts::default(), &[]));
    assert!(recorder.sampler.is_some());
    recorder.state(at(1), &view(RunState::Finished, Counts::default(), &[]));
    assert!(recorder.sampler.is_none());
    assert!(snapshots.borrow().end.is_some());
}

proptest! {
    /// Whatever happens in which slot: rows add up to the totals, and time is neither lost nor made.
    #[test]
    fn rows_add_up(tasks in prop::collection::vec((0..9u32, 0..50u64, 1..100u64), 0..60)) {
        let (mut recorder, snapshots) = recorder();
        let mut now = 0;
        for (index, (slot, pause, service)) in (0u64..).zip(&tasks) {
            let worker = worker(*slot, index as u32);
            recorder.event(at(now), &started(worker, 1));
            let start = now + pause;
            succeed(&mut recorder, start + service, *slot, now, &[record(index, start, *service)]);
            now = start + service;
            recorder.event(at(now), &exited(worker, 1, cpu(*service as u32)));
            // No gap in what the engine tells: the end would wait for the word of who may have stopped the program.
            recorder.stalls.alive(at(now));
        }
        let count = tasks.len() as u64;
        recorder.state(at(now), &view(RunState::Finished, counts(count, 0, 0), &[]));
        let last = snapshots.borrow();
        prop_assert_eq!(last.workers.iter().map(|row| row.done).sum::<u64>(), count);
        prop_assert_eq!(last.workers.iter().map(|row| row.starts).sum::<u64>(), last.worker_starts);
        prop_assert_eq!(last.workers.iter().map(|row| row.restarts).sum::<u64>(), last.worker_restarts);
        prop_assert_eq!(last.workers.iter().map(|row| row.busy).sum::<Duration>(), last.worker_time.work);
        prop_assert_eq!(last.workers.iter().map(|row| row.cpu).sum::<Duration>(), last.cpu.user + last.cpu.system);
        let time = last.worker_time;
        prop_assert_eq!(time.work + time.startup + time.dispatch + time.idle, 2 * last.wall());
    }
}

#[test]
fn live_throughput_counts_successes_only() {
    let (mut recorder, snapshots) = recorder();
    recorder.state(at(0), &view(RunState::Running, counts(9, 9, 0), &[]));
    succeed(&mut recorder, 400, 0, 0, &[record(0, 100, 100), record(1, 200, 100)]);
    let counts =
        Counts { submitted: 9, succeeded: 2, failed: 1, timed_out: 4, lost: 1, cancelled: 1, ..Counts::default() };
    recorder.state(at(500), &view(RunState::Running, counts, &[]));
    let live = Arc::clone(&snapshots.borrow());
    assert_eq!((live.throughput, live.throughput_whole), (4.0, 4.0), "two in half a second, whatever else ended");
    assert_eq!(live.done(), 8, "what was cancelled was not worked off");
}

#[test]
fn the_time_of_a_pause_counts_for_nothing() {
    let run = |pauses: &[(u64, u64)]| {
        let (mut recorder, snapshots) = recorder();
        small_run(&mut recorder);
        let later: u64 = pauses.iter().map(|(from, to)| to - from).sum();
        for (from, to) in pauses {
            for (time, state) in
                [(from, RunState::Paused), (&((from + to) / 2), RunState::Paused), (to, RunState::Running)]
            {
                recorder.state(at(*time), &view(state, counts(4, 2, 0), &[]));
            }
        }
        let paused = Arc::clone(&snapshots.borrow());
        succeed(
            &mut recorder,
            812 + later,
            1,
            610 + later,
            &[record(2, 612 + later, 100), record(3, 712 + later, 100)],
        );
        recorder.state(at(900 + later), &view(RunState::Finished, counts(4, 0, 0), &[]));
        (paused, Arc::clone(&snapshots.borrow()))
    };
    let (_, plain) = run(&[]);
    let (held, paused) = run(&[(200, 1200), (1400, 6400)]);
    assert_eq!((held.at, held.paused), (at(400), MS * 6000));
    assert_eq!((paused.at, paused.wall()), (plain.at, plain.wall()));
    assert_eq!(paused.throughput_whole, plain.throughput_whole);
    assert_eq!(paused.throughput, plain.throughput);
    assert_eq!(paused.worker_time, plain.worker_time);
    assert_eq!(paused.cpu, plain.cpu);
    assert_eq!(paused.paused, MS * 6000);
    // Suspended within a pause: the clock stands still, and the pause goes on.
    let (mut recorder, snapshots) = recorder();
    small_run(&mut recorder);
    for (time, state) in
        [(200, RunState::Paused), (300, RunState::Suspended), (500, RunState::Paused), (600, RunState::Running)]
    {
        recorder.state(at(time), &view(state, counts(4, 2, 0), &[]));
    }
    assert_eq!(snapshots.borrow().paused, MS * 400);
}

#[test]
fn what_never_started_has_no_times_whichever_engine_failed_to_start_it() {
    for (kind, pid) in [(EngineKind::Pool, Some(70)), (EngineKind::Process, None)] {
        let (mut recorder, snapshots) = Recorder::new(config(kind));
        recorder.event(at(0), &started(worker(0, 1), 70));
        for index in 0..20 {
            // A pool's worker was in the task when it found no program.
            let in_task = SlotView { task: Some((index, 0, at(10 * index))), ..slot(0, pid, WorkerState::Busy) };
            recorder.state(at(10 * index), &view(RunState::Running, counts(20, 19, 1), &[in_task]));
            let mut report = crate::metrics::fixtures::attempt(index);
            report.cause = Cause::NotStarted { message: "no such program".to_owned() };
            (report.wait, report.startup, report.service, report.pid) = (None, None, None, pid);
            recorder.event(at(10 * index + 1), &Event::Attempt(&report));
        }
        recorder.event(at(300), &exited(worker(0, 1), 70, cpu(1)));
        let counts = Counts { submitted: 20, failed: 20, ..Counts::default() };
        recorder.state(at(301), &view(RunState::Finished, counts, &[]));
        let run = snapshots.borrow();
        assert_eq!(run.latency, Latency::default(), "{kind:?}: not one value");
        let distributions = &run.end.as_ref().unwrap().distributions;
        assert_eq!(distributions, &Distributions::default(), "{kind:?}");
        assert_eq!((run.worker_time.work, run.worker_time.startup), Default::default(), "{kind:?}");
        assert_eq!(run.failures.len(), 20);
    }
}

#[test]
fn time_in_a_pause_counts_as_long_as_something_runs() {
    let (mut recorder, snapshots) = recorder();
    let in_task = |index, start| SlotView { task: Some((index, 0, start)), ..slot(0, Some(70), WorkerState::Busy) };
    let idle = slot(0, Some(70), WorkerState::Idle);
    recorder.event(at(0), &started(worker(0, 1), 70));
    recorder.state(at(0), &view(RunState::Running, counts(2, 1, 1), &[in_task(0, at(0))]));
    // Paused at 1 s; the task goes on until 4 s, and nothing runs until 9 s.
    for now in [1000, 2000, 3000] {
        recorder.state(at(now), &view(RunState::Paused, counts(2, 1, 1), &[in_task(0, at(0))]));
        assert_eq!(snapshots.borrow().at, at(now), "its work counts, and so does its time");
    }
    succeed(&mut recorder, 4000, 0, 0, &[record(0, 0, 4000)]);
    for now in [4050, 6000, 8900] {
        recorder.state(at(now), &view(RunState::Paused, counts(2, 1, 0), &[idle]));
        assert_eq!((snapshots.borrow().at, snapshots.borrow().paused), (at(4000), MS * (now as u32 - 4000)));
    }
    // The second task began before the state was seen again.
    recorder.state(at(9080), &view(RunState::Running, counts(2, 0, 1), &[in_task(1, at(9000))]));
    assert_eq!((snapshots.borrow().at, snapshots.borrow().paused), (at(4080), MS * 5000));
    succeed(&mut recorder, 13_000, 0, 9000, &[record(1, 9000, 4000)]);
    recorder.state(at(13_010), &view(RunState::Finished, counts(2, 0, 0), &[idle]));
    let run = snapshots.borrow();
    assert_eq!((run.wall(), run.worker_time.work), (MS * 8000, MS * 8000));
    assert!((run.throughput_whole - 0.25).abs() < 1e-9, "one worker, 4 s each: {}", run.throughput_whole);
    assert_eq!(run.latency.service.p50.as_secs(), 4);
}

#[test]
fn a_task_that_is_cut_off_was_work_until_then() {
    for kind in [EngineKind::Pool, EngineKind::Process] {
        let (mut recorder, snapshots) = Recorder::new(config(kind));
        let busy = |number: u32, start| SlotView {
            task: Some((u64::from(number) + 1, 0, start)),
            ..slot(number, Some(70 + number), WorkerState::Busy)
        };
        for number in [0, 1] {
            recorder.event(at(0), &started(worker(number, 1), 70 + number));
        }
        succeed(&mut recorder, 500, 0, 0, &[record(0, 0, 500)]);
        recorder.state(at(600), &view(RunState::Running, counts(4, 1, 2), &[busy(0, at(500)), busy(1, at(0))]));
        recorder.event(at(2000), &exited(worker(0, 1), 70, cpu(1)));
        recorder.event(at(2000), &exited(worker(1, 1), 71, cpu(1)));
        let counts = Counts { submitted: 4, succeeded: 1, cancelled: 3, ..Counts::default() };
        recorder.state(at(2010), &view(RunState::Stopped, counts, &[]));
        let run = snapshots.borrow();
        assert_eq!((run.worker_time.work, run.worker_time.idle), (MS * 4000, Duration::ZERO), "{kind:?}");
        assert_eq!(run.wall(), MS * 2000);
        assert_eq!(run.end.as_ref().unwrap().tail_idle, Duration::ZERO);
        assert_eq!(run.workers.iter().map(|row| row.busy).sum::<Duration>(), run.worker_time.work, "rows add up");
        assert_eq!(run.latency.service.count, 1, "how long it would have taken is not known");
        assert_eq!(crate::analysis::lints::lints(&run, Some(2)), []);
    }
}

#[test]
fn a_worker_that_leaves_after_its_last_task_is_not_cut_off() {
    let (mut recorder, snapshots) = recorder();
    recorder.event(at(0), &started(worker(0, 1), 70));
    let in_task = SlotView { task: Some((0, 0, at(0))), ..slot(0, Some(70), WorkerState::Busy) };
    recorder.state(at(50), &view(RunState::Running, counts(1, 0, 1), &[in_task]));
    succeed(&mut recorder, 100, 0, 0, &[record(0, 0, 100)]);
    recorder.event(at(900), &exited(worker(0, 1), 70, cpu(1)));
    recorder.state(at(910), &view(RunState::Finished, counts(1, 0, 0), &[]));
    assert_eq!((snapshots.borrow().worker_time.work, snapshots.borrow().wall()), (MS * 100, MS * 100));
}
