//! Single cases by hand: exactly which effect comes at which moment.

mod halted;
mod late;
mod leaving;
mod millions;
mod outside;
mod room;
mod shared;

use std::io::ErrorKind;
use std::time::Duration;

use poolscope::engine::control::Command;
use poolscope::engine::dispatcher::input::{Ended, InitializerFigures, TaskFailure, TaskOutput};
use poolscope::engine::dispatcher::queue::Ticket;
use poolscope::engine::dispatcher::window::Chunk;
use poolscope::engine::dispatcher::{
    Dispatcher, Effect, InitializerRules, Input, Policy, Settings, StartFailure, Stop, Submitting,
};
use poolscope::engine::event::{InTask, LaneId, Moment, Record, RunState, Slot, Usage, WorkerId};
use poolscope::engine::outcome::Exit;
use poolscope::engine::stream::{Admission, ClassRules};
use poolscope::workload::model::{Attempt, Backoff, OnFull, OnTimeout, Recycling, Retries, StartMethod};

use crate::draws::{MS, Stream, not_started};
use crate::submits::SharedCaller;
use crate::told::Told;

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn id(slot: u32) -> WorkerId {
    WorkerId { slot: Slot(slot), epoch: 1 }
}

fn rules(timeout: Option<u64>, queue_timeout: Option<u64>) -> ClassRules {
    let backoff = Backoff { delay: Duration::ZERO, factor: 1.0, max_delay: Duration::ZERO, jitter: false };
    ClassRules {
        timeout: timeout.map(millis),
        on_timeout: OnTimeout::Kill,
        queue_timeout: queue_timeout.map(millis),
        wait_timeout: None,
        grace_period: millis(50),
        answers: false,
        retries: Retries { max: 1, on_crash: true, on_timeout: false, on_error: true, backoff, redraw: false },
    }
}

/// For tests with a million tasks: one of them measures the memory of this process.
static MILLIONS: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// Holds up the others.
fn alone() -> std::sync::MutexGuard<'static, ()> {
    MILLIONS.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The end of a worker in no task.
fn ended(exit: Exit, now: u64) -> Ended {
    Ended {
        culprit: None,
        exit,
        at: Moment(now),
        tasks: Vec::new(),
        usage: Usage::default(),
        peak_rss_bytes: None,
        out_of_memory: false,
        fault: false,
        left_behind: false,
        output: TaskOutput::default(),
    }
}

/// A dispatcher whose inputs are given by hand.
struct Script {
    dispatcher: Dispatcher,
    told: Told,
    now: u64,
}

impl Script {
    fn new(policy: Policy, workers: u32, chunk: Chunk, classes: Vec<ClassRules>, stream: Stream) -> Self {
        Self::of(policy, workers, chunk, classes, None, stream)
    }

    /// A pool of one worker that runs this first.
    fn with_initializer(initializer: Option<InitializerRules>, stream: Stream) -> Self {
        Self::of(Policy::Reuse, 1, Chunk::Fixed(2), vec![rules(None, None)], initializer, stream)
    }

    fn of(
        policy: Policy,
        workers: u32,
        chunk: Chunk,
        classes: Vec<ClassRules>,
        initializer: Option<InitializerRules>,
        stream: Stream,
    ) -> Self {
        Self::with(Self::plan(policy, workers, chunk, classes, initializer), stream)
    }

    fn plan(
        policy: Policy,
        workers: u32,
        chunk: Chunk,
        classes: Vec<ClassRules>,
        initializer: Option<InitializerRules>,
    ) -> Settings {
        Settings {
            policy,
            workers,
            max_workers: 4096,
            chunk,
            start_timeout: millis(10_000),
            initializer,
            joins_all: false,
            start_method: StartMethod::Spawn,
            recycling: Recycling::default(),
            join_timeout: Duration::from_secs(2),
            kills: Vec::new(),
            classes,
            admission: Admission::Batch,
            submitting: Submitting::default(),
            dealt: None,
            halt: None,
            seed: 1,
        }
    }

    fn with(plan: Settings, stream: Stream) -> Self {
        let dispatcher = Dispatcher::new(plan, Box::new(stream));
        let mut script = Self { dispatcher, told: Told::default(), now: 0 };
        script.feed(Input::Begin);
        script
    }

    fn feed(&mut self, input: Input<'_>) {
        self.dispatcher.handle(Moment(self.now), input, &mut self.told);
        assert!(self.dispatcher.counts().conserved());
    }

    fn effects(&mut self) -> Vec<Effect> {
        self.told.effects.drain(..).collect()
    }

    /// Goes to the next moment that the dispatcher asked for and says what it wants then.
    fn wake(&mut self) -> Vec<Effect> {
        let at = self.dispatcher.next_wake().unwrap_or_else(|| panic!("nothing is waited for"));
        self.now = self.now.max(at.0);
        self.feed(Input::Wake);
        let effects = self.effects();
        effects.into_iter().flat_map(|effect| self.still_there(effect)).collect()
    }

    /// Where it is asked whether a worker is still there: what is wanted of one that is.
    fn still_there(&mut self, effect: Effect) -> Vec<Effect> {
        let Effect::LookFor { worker, due } = effect else { return vec![effect] };
        self.feed(Input::StillThere { worker, due });
        self.effects()
    }

    fn ready(&mut self, slot: u32) -> Vec<Ticket> {
        self.feed(Input::Started { worker: id(slot), pid: 1000 + slot });
        self.feed(Input::Hello { worker: id(slot) });
        self.sent()
    }

    fn sent(&mut self) -> Vec<Ticket> {
        let sent = self.effects().into_iter().filter_map(|effect| match effect {
            Effect::Send { tickets, .. } => Some(tickets),
            _ => None,
        });
        sent.flatten().collect()
    }

    /// Answers every look until something else is wanted, or until `end`.
    fn until_stop(&mut self, end: u64, task: impl Fn(u64) -> Option<InTask>) -> Option<(u64, Stop)> {
        while self.now < end {
            let mut effects = self.wake();
            while let Some(effect) = effects.pop() {
                match effect {
                    Effect::Probe { lane } => {
                        let task = task(self.now);
                        self.feed(Input::Progress { lane, task });
                        effects.extend(self.effects());
                    }
                    Effect::Stop { how, .. } => return Some((self.now, how)),
                    _ => {}
                }
            }
        }
        None
    }

    fn done(&mut self, index: u64, start: u64, service: u64) {
        let records = [Record { index, start: Moment(start), service, after: 0, value: 0 }];
        self.feed(Input::Done { lane: id(0).lane(0), records: &records });
    }
}

#[test]
fn a_shorter_limit_behind_a_longer_one_is_met() {
    // One message: five quick tasks that may take 15 s, then five that may take one and hang.
    let classes = vec![rules(Some(15_000), None), rules(Some(1_000), None)];
    let mut script =
        Script::new(Policy::Reuse, 1, Chunk::Fixed(10), classes, Stream { known: true, total: 10, classes: 2, run: 5 });
    assert_eq!(script.ready(0).len(), 2);
    let in_task = |index: u64, started| Some(InTask { index, started: Moment(started), ended: None });
    // The long one is in work for 700 ms, the short one from then on.
    let stop = script.until_stop(20_000 * MS, |now| if now < 700 * MS { in_task(4, 0) } else { in_task(5, 700 * MS) });
    assert_eq!(stop, Some((1_700 * MS, Stop::Terminate)));
}

#[test]
fn a_shorter_limit_that_comes_later_is_met_and_a_class_without_one_hides_nothing() {
    for first in [Some(15_000), None] {
        let classes = vec![rules(first, None), rules(Some(100), None)];
        let mut script = Script::new(
            Policy::Reuse,
            1,
            Chunk::Fixed(1),
            classes,
            Stream { known: true, total: 2, classes: 2, run: 1 },
        );
        assert_eq!(script.ready(0).len(), 1);
        script.now = 40 * MS;
        script.done(0, 0, 40 * MS);
        assert_eq!(script.sent().len(), 1, "the second one follows");
        let stop = script.until_stop(20_000 * MS, |_| Some(InTask { index: 1, started: Moment(41 * MS), ended: None }));
        assert_eq!(stop, Some((141 * MS, Stop::Terminate)));
    }
}

#[test]
fn behind_a_quick_chunk_there_is_a_second_one_from_its_first_result_on() {
    let classes = vec![rules(None, None)];
    let stream = Stream { known: true, total: 10, classes: 1, run: 10 };
    let mut script = Script::new(Policy::Reuse, 1, Chunk::Fixed(1), classes, stream);
    let counts = |tickets: Vec<Ticket>| tickets.iter().map(|ticket| (ticket.first, ticket.count)).collect::<Vec<_>>();
    assert_eq!(counts(script.ready(0)), [(0, 1)], "nothing is known of them yet");
    script.now = MS;
    script.done(0, 0, 1000);
    assert_eq!(counts(script.sent()), [(1, 1), (2, 1)], "one to work on and one to wait");
    script.done(1, MS, 1000);
    assert_eq!(counts(script.sent()), [(3, 1)]);
    // One that took long: nothing waits behind the next one.
    script.now = 3000 * MS;
    script.done(2, MS, 2999 * MS);
    assert_eq!(counts(script.sent()), []);
    script.done(3, 3000 * MS, 2999 * MS);
    assert_eq!(counts(script.sent()), [(4, 1)]);
}

#[test]
fn what_waits_in_a_window_expires_at_its_moment() {
    let classes = vec![rules(None, Some(1_000))];
    let mut script = Script::new(
        Policy::Reuse,
        1,
        Chunk::Fixed(10),
        classes,
        Stream { known: true, total: 10, classes: 1, run: 10 },
    );
    let sent = script.ready(0);
    assert_eq!((sent.len(), sent[0].count, sent[0].expires), (1, 10, Some(Moment(1_000 * MS))));
    let stop = script.until_stop(1_000 * MS, |now| {
        Some(InTask { index: now / (500 * MS) - u64::from(now == 1_000 * MS), started: Moment(0), ended: None })
    });
    assert_eq!(stop, None);
    let expiries: Vec<_> = script.told.expiries.iter().map(|(index, at, _)| (*index, *at)).collect();
    assert_eq!(expiries, (2..10).map(|index| (index, 1_000 * MS)).collect::<Vec<_>>());
    // The results of what had begun count, what the worker skips is counted once and not given out again.
    script.now = 1_001 * MS;
    script.done(0, 0, 500 * MS);
    script.done(1, 500 * MS, 500 * MS);
    script.feed(Input::Skipped { lane: id(0).lane(0), first: 2, count: 8 });
    let counts = script.dispatcher.counts();
    assert_eq!((counts.succeeded, counts.timed_out, counts.queue_timed_out, counts.queued), (2, 8, 8, 0));
    assert_eq!(script.sent(), []);
}

#[test]
fn a_ghost_that_is_skipped_is_none_of_the_tasks_that_its_worker_may_do() {
    let hasty = ClassRules { on_timeout: OnTimeout::Abandon, wait_timeout: Some(millis(100)), ..rules(None, None) };
    let mut plan = Script::plan(Policy::Reuse, 1, Chunk::Fixed(1), vec![hasty, rules(None, None)], None);
    plan.recycling = Recycling { max_tasks: std::num::NonZeroU64::new(1), max_rss_bytes: None };
    let mut script = Script::with(plan, Stream { known: true, total: 2, classes: 2, run: 1 });
    assert_eq!(script.ready(0).iter().map(|ticket| ticket.first).collect::<Vec<_>>(), [0]);
    while script.dispatcher.counts().wait_timed_out == 0 {
        assert_eq!(script.until_stop(script.now + 1, |_| None), None);
    }
    script.effects();
    script.feed(Input::Skipped { lane: id(0).lane(0), first: 0, count: 1 });
    assert_eq!(script.sent().iter().map(|ticket| ticket.first).collect::<Vec<_>>(), [1], "it has done none yet");
}

/// Every second task is one that its caller gives up after 100 ms.
fn hasty_second(policy: Policy, lanes: u32, total: u64) -> Script {
    let hasty = ClassRules { on_timeout: OnTimeout::Abandon, wait_timeout: Some(millis(100)), ..rules(None, None) };
    let classes = vec![rules(None, None), hasty];
    Script::new(policy, lanes, Chunk::Fixed(1), classes, Stream { known: true, total, classes: 2, run: 1 })
}

fn firsts(tickets: &[Ticket]) -> Vec<u64> {
    tickets.iter().map(|ticket| ticket.first).collect()
}

#[test]
fn a_ghost_that_can_never_be_sent_is_left_out() {
    let mut script = hasty_second(Policy::Reuse, 1, 3);
    assert_eq!(firsts(&script.ready(0)), [0]);
    script.until_stop(110 * MS, |_| Some(InTask { index: 0, started: Moment(0), ended: None }));
    script.effects();
    script.now = 120 * MS;
    script.done(0, 0, 119 * MS);
    let ghost = script.sent();
    assert_eq!((firsts(&ghost), ghost[0].given_up), (vec![1], true));
    let refused = Some("too much".to_owned());
    script.feed(Input::Unsent { lane: id(0).lane(0), tickets: ghost, refused });
    assert_eq!(firsts(&script.sent()), [2], "its worker is there for others");
    script.done(2, 120 * MS, 10 * MS);
    let counts = script.dispatcher.counts();
    assert_eq!((counts.succeeded, counts.timed_out, counts.failed), (2, 1, 0));
}

#[test]
fn a_ghost_that_there_is_no_room_for_waits_for_it() {
    let mut script = hasty_second(Policy::OneWorker, 2, 4);
    assert_eq!(firsts(&script.ready(0)), [0, 1]);
    let lane = id(0).lane(1);
    script.until_stop(110 * MS, |_| Some(InTask { index: 0, started: Moment(0), ended: None }));
    script.effects();
    script.now = 120 * MS;
    script.done(0, 0, 119 * MS);
    assert_eq!(firsts(&script.sent()), [2]);
    script.feed(Input::Done {
        lane,
        records: &[Record { index: 1, start: Moment(0), service: 119 * MS, after: 0, value: 0 }],
    });
    let ghost = script.sent();
    assert_eq!(firsts(&ghost), [3]);
    script.feed(Input::Unsent { lane, tickets: ghost, refused: None });
    assert_eq!(script.sent(), [], "there is no room");
    script.done(2, 120 * MS, 10 * MS);
    assert_eq!(firsts(&script.sent()), [3]);
}

#[test]
fn what_a_worker_skips_too_early_is_given_out_again() {
    let classes = vec![rules(None, Some(1_000))];
    let mut script =
        Script::new(Policy::Reuse, 1, Chunk::Fixed(3), classes, Stream { known: true, total: 3, classes: 1, run: 3 });
    script.ready(0);
    script.now = 900 * MS;
    script.done(0, 0, 10 * MS);
    script.feed(Input::Skipped { lane: id(0).lane(0), first: 1, count: 2 });
    let again = script.sent();
    assert_eq!((again.len(), again[0].first, again[0].count), (1, 1, 2));
    assert_eq!(script.dispatcher.counts().timed_out, 0);
}

#[test]
fn retries_go_out_in_the_order_in_which_they_came_due() {
    let classes = vec![rules(None, None)];
    let mut script =
        Script::new(Policy::Reuse, 1, Chunk::Fixed(5), classes, Stream { known: true, total: 5, classes: 1, run: 5 });
    script.ready(0);
    for index in 0..5 {
        let start = Moment(0);
        let message = Some("no".to_owned());
        let output = Default::default();
        let failure = TaskFailure { index, start, service: 1, message, exit: None, not_started: false, output };
        // One after the other, and all at once.
        script.now = [0, MS, MS, MS, 2 * MS][index as usize];
        script.dispatcher.handle(Moment(script.now), Input::Control(Command::Pause), &mut script.told);
        script.feed(Input::Failed { lane: id(0).lane(0), failure: Box::new(failure) });
    }
    script.feed(Input::Control(Command::Resume));
    let order: Vec<u64> = script.sent().iter().map(|ticket| ticket.first).collect();
    assert_eq!(order, [0, 1, 2, 3, 4][..order.len()]);
    assert!(!order.is_empty());
}

#[test]
fn no_more_workers_are_started_than_tasks_remain_and_a_few_at_a_time() {
    for (tasks, expected) in [(4, 4), (100, 100)] {
        let stream = Stream { known: true, total: tasks, classes: 1, run: 1 };
        let mut script = Script::new(Policy::Reuse, 4096, Chunk::Adaptive, vec![rules(None, None)], stream);
        let mut started = 0;
        let mut effects = script.effects();
        while !effects.is_empty() {
            assert!(effects.len() <= 8, "others have their turn between starts");
            assert!(effects.iter().all(|effect| matches!(effect, Effect::Start { .. })));
            started += effects.len() as u64;
            for effect in effects {
                let Effect::Start { worker, .. } = effect else { continue };
                script.feed(Input::Started { worker, pid: 1000 });
                assert_eq!(script.effects(), [], "the answer to a start is no turn for others");
            }
            effects = if script.dispatcher.next_wake() == Some(Moment::ZERO) { script.wake() } else { Vec::new() };
        }
        assert_eq!(started, expected);
    }
}

#[test]
fn a_silent_worker_is_ended_at_its_moment_and_its_task_given_to_another() {
    let stream = Stream { known: true, total: 1, classes: 1, run: 1 };
    for policy in [Policy::Reuse, Policy::OneTask] {
        let mut script = Script::new(policy, 1, Chunk::One, vec![rules(None, None)], stream);
        script.effects();
        script.now = MS;
        script.feed(Input::Started { worker: id(0), pid: 1 });
        assert_eq!(script.until_stop(60_000 * MS, |_| None), Some((10_001 * MS, Stop::Kill)), "{policy:?}");
    }
    // One that said hello and does not begin what it is sent.
    let mut script = Script::new(Policy::Reuse, 1, Chunk::One, vec![rules(None, None)], stream);
    script.now = 7 * MS;
    assert_eq!(script.ready(0).len(), 1);
    assert_eq!(script.until_stop(60_000 * MS, |_| None), Some((10_007 * MS, Stop::Kill)));
}

#[test]
fn one_look_is_not_enough_to_call_a_worker_silent() {
    // Whoever looks for the first time after 30 s (this process did not run in between) may look at a worker that is about
    // to report a task of 29 s.
    let stream = Stream { known: true, total: 1, classes: 1, run: 1 };
    let mut script = Script::new(Policy::Reuse, 1, Chunk::One, vec![rules(None, None)], stream);
    script.ready(0);
    script.now = 30_000 * MS;
    assert_eq!(script.until_stop(60_000 * MS, |_| None), Some((35_000 * MS, Stop::Kill)));
}

#[test]
fn what_ended_before_a_stop_keeps_its_outcome_and_what_was_in_work_is_cancelled() {
    let failure = |index, start: u64, service| {
        let (message, output) = (Some("no".to_owned()), Default::default());
        Box::new(TaskFailure { index, start: Moment(start), service, message, exit: None, not_started: false, output })
    };
    for policy in [Policy::Reuse, Policy::OneTask] {
        // Stopped at 100 ms; what comes in afterwards ended before, at that moment, or later.
        for (end, succeeds, counted) in
            [(99, true, true), (100, true, true), (101, true, false), (99, false, true), (101, false, false)]
        {
            let classes = vec![ClassRules { grace_period: millis(500), ..rules(None, None) }];
            let mut script =
                Script::new(policy, 1, Chunk::Fixed(3), classes, Stream { known: true, total: 3, classes: 1, run: 3 });
            script.ready(0);
            script.now = 100 * MS;
            script.feed(Input::Control(Command::Stop));
            script.now = 200 * MS;
            if succeeds {
                script.done(0, 50 * MS, (end - 50) * MS);
            } else {
                script.feed(Input::Failed { lane: id(0).lane(0), failure: failure(0, 50 * MS, (end - 50) * MS) });
            }
            let counts = script.dispatcher.counts();
            let expected = (u64::from(succeeds && counted), u64::from(!succeeds && counted));
            assert_eq!((counts.succeeded, counts.failed), expected, "{policy:?}, {end} ms");
            assert_eq!(script.told.attempts.len(), expected.1 as usize, "nothing is blamed on a cancelled task");
        }
    }
}

#[test]
fn a_worker_that_does_not_go_is_given_up_and_at_once_where_the_run_is_stopped() {
    let stream = Stream { known: true, total: 1, classes: 1, run: 1 };
    for policy in [Policy::Reuse, Policy::OneTask] {
        for stopped in [None, Some(1_000)] {
            let mut script = Script::new(policy, 1, Chunk::One, vec![rules(Some(100), None)], stream);
            script.ready(0);
            let task = Some(InTask { index: 0, started: Moment(0), ended: None });
            assert_eq!(script.until_stop(10_000 * MS, |_| task), Some((100 * MS, Stop::Terminate)), "{policy:?}");
            assert_eq!(script.wake(), [Effect::Stop { worker: id(0), how: Stop::Kill }]);
            assert_eq!(script.now, 150 * MS);
            if let Some(at) = stopped {
                script.now = at * MS;
                script.feed(Input::Control(Command::Stop));
            }
            let mut effects = Vec::new();
            while effects.is_empty() {
                effects = script.wake();
            }
            assert_eq!(effects, [Effect::Abandon { worker: id(0) }]);
            assert_eq!(script.now, stopped.map_or(5_150 * MS, |at| (at + 800) * MS));
            let tasks = task.map(|task| (0, task)).into_iter().collect();
            let ended = Ended { tasks, left_behind: true, ..ended(Exit::Unknown, script.now) };
            script.feed(Input::Exited { worker: id(0), ended: Box::new(ended) });
            assert_eq!(script.dispatcher.counts().timed_out, 1, "its limit had come before the stop");
            assert!(script.dispatcher.state().is_over());
        }
    }
}

#[test]
fn an_initializer_is_told_only_where_its_answer_is_accepted() {
    for (late, told) in [(false, 1), (true, 0)] {
        let stream = Stream { known: true, total: 2, classes: 1, run: 2 };
        let initializer = Some(InitializerRules { timeout: Some(millis(30)), max_failures: 3 });
        let mut script = Script::with_initializer(initializer, stream);
        script.effects();
        script.feed(Input::Started { worker: id(0), pid: 1 });
        script.feed(Input::Hello { worker: id(0) });
        if late {
            let stop = script.until_stop(1_000 * MS, |_| None);
            assert_eq!(stop, Some((30 * MS, Stop::Kill)));
        }
        let figures = InitializerFigures { wall: millis(29), cpu: millis(1), rss_bytes: None };
        script.feed(Input::Initialized { worker: id(0), result: Ok(Some(figures)) });
        assert_eq!(script.told.initialized, told);
        assert_eq!(script.sent().len() as u64, told, "only one that is accepted is given work");
    }
}

#[test]
fn a_start_that_fails_when_the_run_is_ending_costs_no_task_its_outcome() {
    let stream = Stream { known: true, total: 2, classes: 1, run: 2 };
    let mut script = Script::new(Policy::OneTask, 2, Chunk::One, vec![rules(None, None)], stream);
    assert_eq!(script.effects().len(), 2, "both are being started");
    script.feed(Input::StartFailed { worker: id(0), failure: StartFailure::Engine(not_started(ErrorKind::NotFound)) });
    script.feed(Input::StartFailed {
        worker: id(1),
        failure: StartFailure::Transient(not_started(ErrorKind::WouldBlock)),
    });
    let counts = script.dispatcher.counts();
    assert_eq!((counts.cancelled, counts.queued, script.dispatcher.state()), (2, 0, RunState::Broken));
}
