//! Workers that say what they may not say, or not then: each is ended with the reason, one task pays for it, nothing that it
//! says afterwards counts, and no other task is lost.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use poolscope::engine::dispatcher::InitializerRules;
use poolscope::engine::event::RunState;
use poolscope::engine::outcome::{Cause, Outcome};
use poolscope::os::accounting::Usage;
use poolscope::worker::protocol::{
    self, Hello, Initialize, Initialized, MAX_BYTES, Setup, Started, TaskRun, Tells, WireRecord,
};
use poolscope::workload::model::{Attempt, Kernel, Work};
use tempfile::TempDir;

use crate::support::{Setting, lives, pool, rules};

const NOOP: Work = Work::Kernel(Kernel::Noop);
/// What the odd worker says is the result of a task.
const TOLD: u64 = 777;

fn hello(tells: Tells) -> Vec<u8> {
    let mut out = Vec::new();
    protocol::put_hello(&mut out, &Hello { protocol: protocol::VERSION, pid: 1, lanes: 1, tells, began: 0, ready: 0 });
    out
}

fn done(index: u64) -> Vec<u8> {
    let mut out = Vec::new();
    protocol::put_done(&mut out, 0, &Usage::default(), &[WireRecord { index, start: 1, service: 1, value: TOLD }]);
    out
}

fn initialized() -> Vec<u8> {
    let mut out = Vec::new();
    protocol::put_initialized(&mut out, &Initialized { wall_ns: 5, ..Initialized::default() });
    out
}

fn started(index: u64) -> Vec<u8> {
    let mut out = Vec::new();
    protocol::put_started(&mut out, 0, &Started { index, at: 1, program: None });
    out
}

/// The first piece of what a task returns.
fn piece(index: u64) -> Vec<u8> {
    let mut out = vec![11, 0, 0, 0, 6, 1, 0, 0];
    out.extend_from_slice(&index.to_le_bytes());
    out.extend_from_slice(b"abc");
    out
}

/// All that a task returns.
fn whole(index: u64) -> Vec<u8> {
    let mut out = Vec::new();
    protocol::put_result(&mut out, 0, index, b"abc");
    out
}

fn skipped() -> Vec<u8> {
    let mut out = Vec::new();
    protocol::put_skipped(&mut out, 0, &[(0, 1)]);
    out
}

/// Bytes that the parent sends up to the first task.
fn sent(initialize: Option<Initialize>) -> usize {
    let mut sent = Vec::new();
    protocol::put_setup(&mut sent, &Setup::of(1, 5e8));
    if let Some(initialize) = initialize {
        protocol::put_initialize(&mut sent, &initialize);
        return sent.len();
    }
    protocol::put_class(&mut sent, 0, &NOOP);
    protocol::put_tasks(
        &mut sent,
        0,
        &[TaskRun { first: 0, count: 1, class: 0, attempt: Attempt::FIRST, begin_by: 0 }],
    );
    sent.len()
}

/// A worker program that once says hello, waits for so many bytes, says what it may not, and stays; and is a worker from
/// then on.
fn odd_once(hello: &[u8], length: usize, says: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("hello"), hello).unwrap();
    std::fs::write(folder.path().join("says"), says).unwrap();
    let path = folder.path().join("worker");
    let text = format!(
        "#!/bin/sh\nhere=\"$(dirname \"$0\")\"\nif mkdir \"$here/once\" 2>/dev/null; then\n\
         cat \"$here/hello\" >&3; head -c {length} <&3 >/dev/null; cat \"$here/says\" >&3; exec sleep 600\nfi\n\
         exec {} \"$@\"\n",
        env!("CARGO_BIN_EXE_poolscope")
    );
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn with(setting: Setting, folder: &TempDir) -> Setting {
    Setting { worker_program: folder.path().join("worker").into(), start_timeout: Duration::from_secs(30), ..setting }
}

#[test]
fn what_may_not_be_said_costs_one_task_and_its_worker_and_nothing_after_it_counts() {
    let board = Tells::Board;
    for (tells, says, words) in [
        (board, [piece(0), done(0)].concat(), "a report while the bytes of task 0 are incomplete"),
        (board, [piece(0), skipped()].concat(), "a report while the bytes of task 0 are incomplete"),
        (board, [hello(board), done(0)].concat(), "a second hello"),
        (board, [initialized(), done(0)].concat(), "an initializer that was not asked for"),
        (board, [started(0), done(0)].concat(), "a started frame, which its hello did not promise"),
        (Tells::Started, [started(5), done(0)].concat(), "a started frame of task 5, which it does not hold"),
        // Nothing of what follows is a report of its own: the first one does not fit.
        (board, [done(3), done(0)].concat(), "result of task 3 where 0 was next"),
        // The first one is found out where it is fed, before the last one is read.
        (board, [done(3), whole(0), done(0)].concat(), "result of task 3 where 0 was next"),
        (board, [piece(0), piece(1), done(0)].concat(), "bytes of task 1 within those of task 0"),
    ] {
        let folder = odd_once(&hello(tells), sent(None), &says);
        let story = with(pool(1), &folder).tasks(20, NOOP, rules()).start().finish();
        assert_eq!(story.state, Some(RunState::Finished), "{words}: {:?}", story.notes);
        assert_eq!((story.counts.succeeded, story.counts.failed), (19, 1), "{words}: {:?}", story.attempts);
        let report = &story.attempts[0];
        assert_eq!((story.attempts.len(), report.index, report.outcome), (1, 0, Outcome::Failed), "{words}");
        let Cause::Error { message } = &report.cause else { panic!("{words}: {report:?}") };
        assert!(message.contains("broke the protocol") && message.contains(words), "{message}");
        assert!(story.records.iter().all(|record| record.value != TOLD), "{words}: what it said counts");
        assert_eq!((story.initialized.len(), story.returned.len()), (0, 0), "{words}");
        assert!(story.started.iter().all(|(_, pid, _)| !lives(*pid)));
    }
}

#[test]
fn a_task_that_fails_in_the_middle_of_its_result_has_failed_and_its_worker_goes_on() {
    let mut failed = Vec::new();
    let failure = protocol::Failure { index: 0, start: 1, message: Some("no".to_owned()), ..Default::default() };
    protocol::put_failed(&mut failed, 0, &failure);
    let folder = odd_once(&hello(Tells::Board), sent(None), &[piece(0), failed].concat());
    let setting = Setting { start_timeout: Duration::from_millis(500), ..with(pool(1), &folder) };
    let story = setting.tasks(20, NOOP, rules()).start().finish();
    assert_eq!((story.counts.succeeded, story.counts.failed), (19, 1), "{:?}", story.attempts);
    assert_eq!(story.attempts[0].cause, Cause::Error { message: "no".to_owned() });
    assert!(!story.notes.iter().any(|note| note.contains("incomplete")), "{:?}", story.notes);
}

#[test]
fn an_initializer_is_answered_once_and_before_anything_else() {
    let initialize = Initialize { cpu_ns: 1000, ..Initialize::default() };
    for (says, words, accepted) in [
        ([done(0), initialized()].concat(), "before its initializer has gone well", 0),
        ([initialized(), initialized()].concat(), "or a second one", 1),
    ] {
        let folder = odd_once(&hello(Tells::Board), sent(Some(initialize)), &says);
        let mut setting = with(pool(1), &folder);
        setting.initializer = Some(InitializerRules { timeout: None, max_failures: 3 });
        setting.orders.initialize = Some(initialize);
        let story = setting.tasks(20, NOOP, rules()).start().finish();
        assert_eq!(story.state, Some(RunState::Finished), "{:?}", story.notes);
        assert!(story.notes.iter().any(|note| note.contains(words)), "{words}: {:?}", story.notes);
        // One that was ready may have been sent a task before its second answer was read.
        assert_eq!(story.counts.succeeded + story.counts.failed, 20);
        assert!(story.counts.failed <= accepted, "{words}: {:?}", story.attempts);
        assert_eq!(story.initialized.len() as u64, accepted + 1, "only what was accepted is told");
        assert!(story.records.iter().all(|record| record.value != TOLD));
    }
}

#[test]
fn bytes_on_their_way_to_a_worker_have_a_limit_and_every_task_comes_through() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    const SIZE: u64 = 100_000;
    let asked = Arc::new(AtomicU64::new(0));
    let counts = Arc::clone(&asked);
    let mut setting = pool(1);
    setting.chunk = poolscope::engine::dispatcher::window::Chunk::Fixed(200);
    setting.orders.payload_budget = 10 * SIZE as usize;
    setting.orders.payload = Some(Box::new(move |_, index, _| {
        counts.fetch_max(index, Ordering::Relaxed);
        Some(Ok(vec![index as u8; SIZE as usize]))
    }));
    /// How far ahead of what succeeded the bytes were asked for.
    struct Ahead(Arc<AtomicU64>, Arc<AtomicU64>, u64);
    impl poolscope::engine::event::Observer for Ahead {
        fn event(&mut self, _: poolscope::engine::event::Moment, event: &poolscope::engine::event::Event<'_>) {
            if let poolscope::engine::event::Event::Succeeded(batch) = event {
                self.1.fetch_max(self.0.load(Ordering::Relaxed) + 1 - self.2, Ordering::Relaxed);
                self.2 += batch.records.len() as u64;
            }
        }

        fn state(&mut self, _: poolscope::engine::event::Moment, _: &poolscope::engine::event::EngineView<'_>) {}
    }
    let most = Arc::new(AtomicU64::new(0));
    let ahead: Box<dyn poolscope::engine::event::Observer> = Box::new(Ahead(asked, Arc::clone(&most), 0));
    let story = setting.tasks(200, Work::Echo, rules()).start_with(std::iter::once(ahead).collect()).finish();
    assert_eq!((story.state, story.counts.succeeded), (Some(RunState::Finished), 200), "{:?}", story.notes);
    assert!(story.returned.iter().all(|(index, bytes)| *bytes == vec![*index as u8; SIZE as usize]));
    // Ten are on their way, and of one more it was found that there is no room.
    let most = most.load(Ordering::Relaxed);
    assert!((2..=11).contains(&most), "{most} tasks ahead");
}

#[test]
fn a_task_with_more_bytes_than_may_travel_fails_and_the_others_do_not() {
    for mut setting in crate::support::both(2) {
        let large = |index| index == 7 || index == 0;
        setting.orders.payload =
            Some(Box::new(move |_, index, _| Some(Ok(vec![0; if large(index) { MAX_BYTES + 1 } else { 9 }]))));
        let story = setting.tasks(20, Work::Echo, rules()).start().finish();
        assert_eq!((story.counts.succeeded, story.counts.failed), (18, 2), "{:?} {:?}", story.notes, story.attempts);
        for report in &story.attempts {
            assert!(large(report.index), "{report:?}");
            let Cause::NotStarted { message } = &report.cause else { panic!("{report:?}") };
            assert!(message.contains("268435457 bytes") && message.contains("268435456"), "{message}");
        }
        let expected = story.started.iter().all(|(_, pid, _)| !lives(*pid));
        assert!(expected && story.exits.iter().all(|exit| exit.2.is_success()), "{:?}", story.exits);
    }
}
