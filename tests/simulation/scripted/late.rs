//! A driver that is busy: what it does before others have their turn, and what it has not heard yet.

use poolscope::engine::control::Command;
use poolscope::engine::dispatcher::input::TaskFailure;
use poolscope::engine::dispatcher::window::Chunk;
use poolscope::engine::dispatcher::{Due, Effect, Input, Policy, Settings, Stop};
use poolscope::engine::event::{InTask, Moment, Record, WorkerId};
use poolscope::engine::outcome::Exit;
use poolscope::engine::stream::Admission;
use poolscope::workload::model::OnFull;

use super::{Script, ended, id, rules};
use crate::draws::{MS, Stream};

#[test]
fn what_comes_between_two_looks_at_the_system_starts_no_more_processes() {
    let stream = Stream { known: true, total: 1_000, classes: 1, run: 1 };
    let mut script = Script::new(Policy::OneTask, 100, Chunk::One, vec![rules(None, None)], stream);
    let starts = |effects: Vec<Effect>| -> Vec<WorkerId> {
        let started = |effect| if let Effect::Start { worker, .. } = effect { Some(worker) } else { None };
        effects.into_iter().filter_map(started).collect()
    };
    let mut alive: Vec<WorkerId> = Vec::new();
    while alive.len() < 100 {
        let new = starts(if alive.is_empty() { script.effects() } else { script.wake() });
        assert!(!new.is_empty() && new.len() <= 8, "{new:?}");
        for worker in new {
            script.feed(Input::Started { worker, pid: 1000 });
            alive.push(worker);
        }
    }
    // The runtime hands on what it has found at one look in many turns: here, that all of them have ended.
    let mut more = 0;
    for worker in alive {
        let ended = ended(Exit::Code(1), script.now);
        script.feed(Input::Exited { worker, ended: Box::new(ended) });
        more += starts(script.effects()).len();
    }
    assert!(more <= 8, "{more} starts, and nobody else had a turn");
    assert_eq!(script.dispatcher.next_wake(), Some(Moment::ZERO), "it goes on at once");
    assert!((1..=8).contains(&starts(script.wake()).len()));
}

#[test]
fn whose_end_has_not_been_heard_yet_is_accused_of_nothing() {
    // The driver says nothing of a worker that has ended: its end is about to be heard.
    let stream = Stream { known: true, total: 1, classes: 1, run: 1 };
    let unheard = |script: &mut Script, due: Due, until: u64| {
        let mut asked = false;
        while let Some(at) = script.dispatcher.next_wake().filter(|at| at.0 <= until) {
            script.now = script.now.max(at.0);
            script.feed(Input::Wake);
            for effect in script.effects() {
                match effect {
                    Effect::LookFor { worker, due: late } => asked |= (worker, late) == (id(0), due),
                    Effect::Probe { .. } => {}
                    other => panic!("{due:?}: {other:?}"),
                }
            }
        }
        assert!(asked, "{due:?}");
        assert_eq!(script.told.notes, [] as [String; 0], "{due:?}");
    };
    let script = || {
        let mut script = Script::new(Policy::Reuse, 1, Chunk::One, vec![rules(Some(100), None)], stream);
        script.ready(0);
        script
    };
    let task = Some(InTask { index: 0, started: Moment(0), ended: None });
    let mut closed = script();
    closed.feed(Input::Closed { worker: id(0) });
    unheard(&mut closed, Due::Closed, 80 * MS);
    let mut overdue = script();
    assert_eq!(overdue.until_stop(1_000 * MS, |_| task), Some((100 * MS, Stop::Terminate)));
    unheard(&mut overdue, Due::Grace, 1_000 * MS);
    let mut killed = script();
    assert_eq!(killed.until_stop(1_000 * MS, |_| task), Some((100 * MS, Stop::Terminate)));
    assert_eq!(killed.wake(), [Effect::Stop { worker: id(0), how: Stop::Kill }]);
    unheard(&mut killed, Due::Killed, 3_000 * MS);
}

#[test]
fn a_task_that_has_worked_longer_than_it_may_is_timed_out_even_if_it_ended_before_it_was_looked_at() {
    let stream = Stream { known: true, total: 5, classes: 1, run: 5 };
    let mut script = Script::new(Policy::Reuse, 1, Chunk::Fixed(5), vec![rules(Some(100), None)], stream);
    script.ready(0);
    script.now = 400 * MS;
    let record = |index, service: u64| Record { index, start: Moment(0), service: service * MS, after: 0, value: 0 };
    let records = [record(0, 1), record(1, 99), record(2, 100), record(3, 5)];
    script.feed(Input::Done { lane: id(0).lane(0), records: &records });
    assert_eq!((script.told.succeeded, script.told.timed_out), (3, 1));
    let output = Default::default();
    let failure = TaskFailure {
        index: 4,
        start: Moment(0),
        service: 101 * MS,
        message: None,
        exit: None,
        not_started: false,
        output,
    };
    script.feed(Input::Failed { lane: id(0).lane(0), failure: Box::new(failure) });
    assert_eq!((script.told.succeeded, script.told.timed_out, script.told.failed), (3, 2, 0));
}

#[test]
fn what_comes_faster_than_it_is_admitted_leaves_others_their_turns() {
    let _alone = super::alone();
    let times = (0..1_000_000).map(Moment);
    let admission = Admission::Open { times: Box::new(times), max_in_flight: None, on_full: OnFull::Block };
    let plan = Script::plan(Policy::Reuse, 1, Chunk::One, vec![rules(None, Some(60_000))], None);
    let stream = Stream { known: true, total: 1_000_000, classes: 1, run: 1 };
    let mut script = Script::with(Settings { admission, ..plan }, stream);
    script.now = MS;
    script.feed(Input::Wake);
    let first = script.dispatcher.counts().submitted;
    assert!((1..=100_000).contains(&first), "{first} in one turn");
    // What is not done at a look at the system is not done by others in its place.
    for _ in 0..100 {
        script.feed(Input::Hello { worker: id(7) });
    }
    assert_eq!(script.dispatcher.counts().submitted, first);
    let mut turns = 1;
    while script.dispatcher.counts().submitted < 1_000_000 {
        assert!(script.dispatcher.next_wake().is_some_and(|at| at.0 <= script.now), "it goes on at once");
        script.feed(Input::Wake);
        turns += 1;
        assert!(turns < 1_000);
    }
    script.feed(Input::Control(Command::Kill));
}
