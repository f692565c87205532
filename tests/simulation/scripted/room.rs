//! Tasks that there is no room for: in a worker, and in front of the queue.

use super::*;

#[test]
fn tasks_that_there_is_no_room_for_go_back_and_are_given_out_again_when_there_is() {
    // Two lanes of one worker: what the first one holds takes up all the room.
    let stream = Stream { known: true, total: 4, classes: 1, run: 4 };
    let mut script = Script::new(Policy::OneWorker, 2, Chunk::Fixed(2), vec![rules(None, None)], stream);
    script.effects();
    script.feed(Input::Started { worker: id(0), pid: 1 });
    script.feed(Input::Hello { worker: id(0) });
    let tickets: Vec<(LaneId, Vec<Ticket>)> = script
        .effects()
        .into_iter()
        .filter_map(|effect| if let Effect::Send { lane, tickets } = effect { Some((lane, tickets)) } else { None })
        .collect();
    assert_eq!(tickets.len(), 2);
    let (second, unsent) = tickets[1].clone();
    script.feed(Input::Unsent { lane: second, tickets: unsent, refused: None });
    assert_eq!(script.sent(), [], "it waits for room");
    let counts = script.dispatcher.counts();
    assert_eq!((counts.queued, counts.running), (3, 1), "the first lane is in one of its two");
    // One of the first lane is reported: the second one is sent something again.
    script.now = MS;
    script.done(0, 0, MS);
    let again: Vec<u64> = script.sent().iter().flat_map(|ticket| ticket.first..ticket.first + ticket.count).collect();
    assert_eq!(again, [2, 3]);
    // The rest of a ticket whose beginning was sent.
    let ticket = Ticket {
        first: 3,
        count: 1,
        class: 0,
        attempt: Attempt::FIRST,
        arrival: Moment::ZERO,
        expires: None,
        shift: 0,
        given_up: false,
    };
    script.feed(Input::Unsent { lane: second, tickets: vec![ticket], refused: Some("too much".to_owned()) });
    let counts = script.dispatcher.counts();
    assert_eq!((counts.failed, counts.succeeded), (1, 1), "it never will be");
    let records = [Record { index: 2, start: Moment(MS), service: 1, after: 0, value: 0 }];
    script.feed(Input::Done { lane: second, records: &records });
    script.done(1, MS, 1);
    let counts = script.dispatcher.counts();
    assert_eq!((counts.failed, counts.succeeded, counts.queued), (1, 3, 0));
}

#[test]
fn a_task_that_is_held_for_want_of_room_meets_its_own_limit() {
    // Tasks of two classes in turn: those of the second have callers that wait for 50 ms.
    let patient = rules(None, None);
    let impatient = ClassRules { wait_timeout: Some(millis(50)), ..patient };
    for on_timeout in [OnTimeout::Kill, OnTimeout::Abandon] {
        let classes = vec![patient, ClassRules { on_timeout, ..impatient }];
        let times = [0, 10, 20, 30].map(|at| Moment(at * MS)).into_iter();
        let admission = Admission::Open { times: Box::new(times), max_in_flight: Some(1), on_full: OnFull::Block };
        let plan = Settings { admission, ..Script::plan(Policy::Reuse, 1, Chunk::Fixed(1), classes, None) };
        let mut script = Script::with(plan, Stream { known: true, total: 4, classes: 2, run: 1 });
        assert_eq!(script.ready(0).len(), 1);
        while script.told.expiries.len() < 2 {
            script.wake();
            assert!(script.now <= 80 * MS, "{:?}", script.told.expiries);
        }
        // The third task, which has no limit, is held between them.
        let expiries: Vec<_> = script.told.expiries.iter().map(|(index, at, _)| (*index, at / MS)).collect();
        assert_eq!(expiries, [(1, 60), (3, 80)]);
        let counts = script.dispatcher.counts();
        assert_eq!((counts.submitted, counts.running, counts.queued, counts.wait_timed_out), (3, 1, 0, 2));
        // There is room: the one that is still held is let in, and nobody else is left.
        script.now = 200 * MS;
        script.done(0, 0, 200 * MS);
        assert_eq!(script.sent().iter().map(|ticket| ticket.first).collect::<Vec<_>>(), [2]);
        script.done(2, 200 * MS, MS);
        let counts = script.dispatcher.counts();
        assert_eq!((counts.submitted, counts.finished()), (4, 4), "{on_timeout:?}");
        assert!(script.effects().iter().any(|effect| matches!(effect, Effect::Retire { .. })), "the run is over");
    }
}
