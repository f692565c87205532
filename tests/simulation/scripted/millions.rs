//! Millions of tasks whose waiting is over at the same moment: no turn sees to all of them, and nobody else has to wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use poolscope::engine::dispatcher::input::Sink;
use poolscope::engine::dispatcher::window::Chunk;
use poolscope::engine::dispatcher::{Dispatcher, Effect, Input, Policy, Settings, Submitting};
use poolscope::engine::event::{Event, InTask, Moment, Record, RunState};
use poolscope::engine::outcome::Exit;
use poolscope::engine::stream::{StreamRun, TaskStream};
use poolscope::workload::model::{ClassId, SubmitMode};

use super::{Script, id, rules};
use crate::draws::{MS, Stream};

const TASKS: u64 = 2_000_000;
/// Most tasks that are looked at, ended or delivered in a turn: some milliseconds' worth. Those that are named come on top.
const IN_A_TURN: u64 = 40_000;

/// A stream that counts how often it is looked at. Two classes take turns; the last task is of a third one.
struct Looked(Stream, Arc<AtomicU64>);

impl Looked {
    fn new() -> (Self, Arc<AtomicU64>) {
        let looks = Arc::new(AtomicU64::new(0));
        (Self(Stream { known: true, total: TASKS, classes: 2, run: 1 }, Arc::clone(&looks)), looks)
    }
}

impl TaskStream for Looked {
    fn total(&self) -> Option<u64> {
        self.0.total()
    }

    fn class_total(&self, class: ClassId) -> u64 {
        [TASKS / 2, TASKS / 2 - 1, 1][usize::from(class)]
    }

    fn run_at(&self, position: u64, most: u64) -> StreamRun {
        self.1.fetch_add(1, Ordering::Relaxed);
        let run = self.0.run_at(position, most);
        if run.first == TASKS - 1 { StreamRun { class: 2, ..run } } else { run }
    }
}

/// What is told, without the tasks themselves.
#[derive(Default)]
struct Counting {
    sent: u64,
    started: u64,
    stopped: Option<Moment>,
    expired: u64,
    delivered: u64,
    over: Option<RunState>,
    probes: Vec<Effect>,
}

impl Sink for Counting {
    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::Send { tickets, .. } => self.sent += tickets.iter().map(|ticket| ticket.count).sum::<u64>(),
            Effect::Start { .. } => self.started += 1,
            Effect::Over(state) => self.over = Some(state),
            Effect::Stop { .. } => self.stopped = Some(Moment::ZERO),
            probe @ Effect::Probe { .. } => self.probes.push(probe),
            _ => {}
        }
    }

    fn event(&mut self, _: Moment, event: &Event<'_>) {
        match event {
            Event::Expired { count, .. } => self.expired += count,
            Event::Delivered(parts) => self.delivered += parts.iter().map(|part| part.count).sum::<u64>(),
            _ => {}
        }
    }
}

#[test]
fn tasks_that_expire_together_hold_up_no_limit() {
    let _alone = super::alone();
    for (mode, dealt) in [(SubmitMode::Imap, Some(1)), (SubmitMode::ImapUnordered, None), (SubmitMode::Map, None)] {
        let way = format!("{mode:?} {dealt:?}");
        // The first task works for ever, and may do so for a moment longer than any may wait.
        let waits = rules(Some(1_003), Some(1_000));
        let limits = vec![waits; 3];
        let submitting = Submitting { mode, chunk: 1, queue_capacity: None };
        let plan = Script::plan(Policy::Reuse, 1, Chunk::Fixed(1), limits, None);
        let plan = Settings { submitting, dealt, ..plan };
        let (stream, looks) = Looked::new();
        let mut dispatcher = Dispatcher::new(plan, Box::new(stream));
        let mut told = Counting::default();
        let mut turn = |at: u64, input: Input<'_>| {
            let before = looks.load(Ordering::Relaxed);
            dispatcher.handle(Moment(at), input, &mut told);
            let looked = looks.load(Ordering::Relaxed) - before;
            assert!(looked < IN_A_TURN, "{way}: {looked} tasks were looked at in one turn");
            for probe in std::mem::take(&mut told.probes) {
                let Effect::Probe { lane } = probe else { continue };
                let task = Some(InTask { index: 0, started: Moment::ZERO, ended: None });
                dispatcher.handle(Moment(at), Input::Progress { lane, task }, &mut told);
            }
            assert!(dispatcher.counts().conserved(), "{way}");
            (dispatcher.next_wake(), told.stopped.take().is_some())
        };
        turn(0, Input::Begin);
        turn(0, Input::Started { worker: id(0), pid: 1000 });
        turn(0, Input::Hello { worker: id(0) });
        // Each turn takes its time.
        let (mut now, mut stopped, mut turns) = (1_000 * MS, None, 0);
        loop {
            let (next, ended) = turn(now, Input::Wake);
            stopped = stopped.or(ended.then_some(now));
            turns += 1;
            match next {
                Some(at) if at.0 <= now => now += MS / 10,
                Some(at) if stopped.is_none() => now = at.0,
                _ => break,
            }
        }
        assert!(turns > 50, "{way}: {turns} turns for all of them");
        let stopped = stopped.expect("the first task is ended");
        assert!((1_003 * MS..=1_004 * MS).contains(&stopped), "{way}: ended at {stopped}");
        assert_eq!(told.expired, TASKS - 1, "{way}");
        assert_eq!(told.sent, 1, "{way}: nothing is given out whose time is over");
        if mode == SubmitMode::ImapUnordered {
            assert_eq!(told.delivered, TASKS - 1, "{way}");
        } else {
            assert_eq!(told.delivered, 0, "{way}: the first one is still to come");
        }
        assert_eq!(told.over, None, "{way}");
    }
}

#[test]
fn what_stands_behind_millions_that_are_gone_is_found_turn_by_turn() {
    let _alone = super::alone();
    let waits = rules(None, Some(1_000));
    let plan = Script::plan(Policy::Reuse, 1, Chunk::Fixed(1), vec![waits, waits, rules(None, None)], None);
    let (stream, looks) = Looked::new();
    let mut dispatcher = Dispatcher::new(plan, Box::new(stream));
    let mut told = Counting::default();
    let mut turn = |at: u64, input: Input<'_>| {
        let before = looks.load(Ordering::Relaxed);
        dispatcher.handle(Moment(at), input, &mut told);
        let looked = looks.load(Ordering::Relaxed) - before;
        assert!(looked < IN_A_TURN, "{looked} tasks were looked at in one turn");
        (dispatcher.next_wake(), told.sent)
    };
    turn(0, Input::Begin);
    turn(0, Input::Started { worker: id(0), pid: 1000 });
    assert_eq!(turn(0, Input::Hello { worker: id(0) }).1, 1);
    turn(1_000 * MS, Input::Wake);
    let records = [Record { index: 0, start: Moment::ZERO, service: 1_001 * MS, after: 0, value: 0 }];
    let mut now = 1_001 * MS;
    let (mut next, mut sent) = turn(now, Input::Done { lane: id(0).lane(0), records: &records });
    let mut turns = 0;
    while sent == 1 {
        assert!(next.is_some_and(|at| at.0 <= now), "the search goes on");
        now += MS / 10;
        turns += 1;
        (next, sent) = turn(now, Input::Wake);
    }
    assert!(turns > 50, "{turns} turns of searching");
    assert_eq!((told.expired, sent), (TASKS - 2, 2), "the last one of all is given out");
}

#[test]
fn a_place_for_a_process_is_not_lost_to_a_search_that_a_turn_cuts_short() {
    let _alone = super::alone();
    let waits = rules(None, Some(1_000));
    let plan = Script::plan(Policy::OneTask, 1, Chunk::One, vec![waits, waits, rules(None, None)], None);
    let (stream, _) = Looked::new();
    let mut dispatcher = Dispatcher::new(plan, Box::new(stream));
    let mut told = Counting::default();
    let mut turn = |at: u64, input: Input<'_>| {
        dispatcher.handle(Moment(at), input, &mut told);
        (dispatcher.next_wake(), told.started)
    };
    assert_eq!(turn(0, Input::Begin).1, 1);
    turn(0, Input::Started { worker: id(0), pid: 1000 });
    turn(0, Input::Hello { worker: id(0) });
    turn(1_000 * MS, Input::Wake);
    // Its place is free again, and of two million that are gone only the last one of all is to be begun.
    let records = [Record { index: 0, start: Moment::ZERO, service: 1_001 * MS, after: 0, value: 0 }];
    let mut now = 1_001 * MS;
    turn(now, Input::Done { lane: id(0).lane(0), records: &records });
    let over = Box::new(super::ended(Exit::Code(0), now));
    let (mut next, mut started) = turn(now, Input::Exited { worker: id(0), ended: over });
    let mut turns = 0;
    while started == 1 {
        assert!(next.is_some_and(|at| at.0 <= now), "after {turns} turns nobody looks for what is left");
        now += MS / 10;
        turns += 1;
        (next, started) = turn(now, Input::Wake);
    }
    assert!(turns > 50, "{turns} turns of searching");
    assert_eq!((told.expired, started), (TASKS - 2, 2), "the last one of all is begun");
}
