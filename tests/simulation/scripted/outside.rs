//! Tasks that have arrived and that there is no room for, however many.

use poolscope::engine::dispatcher::input::Sink;
use poolscope::engine::dispatcher::window::Chunk;
use poolscope::engine::dispatcher::{Dispatcher, Effect, Input, Policy, Settings};
use poolscope::engine::event::{Event, Moment, Record};
use poolscope::engine::stream::{Admission, ClassRules};
use poolscope::workload::model::OnFull;

use super::{Script, id, millis, rules};
use crate::draws::{MS, Stream};

/// Keeps nothing of what it is told but what was sent, and how many were said to have expired.
#[derive(Default)]
struct Counting {
    sent: Vec<u64>,
    expired: u64,
}

impl Sink for Counting {
    fn effect(&mut self, effect: Effect) {
        if let Effect::Send { tickets, .. } = effect {
            self.sent.extend(tickets.iter().map(|ticket| ticket.first));
        }
    }

    fn event(&mut self, _now: Moment, event: &Event<'_>) {
        if let Event::Expired { count, .. } = event {
            self.expired += count;
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_million_tasks_that_there_is_no_room_for_take_up_no_memory_and_meet_their_limits() {
    let _alone = super::alone();
    const TASKS: u64 = 1_000_000;
    const US: u64 = MS / 1000;
    let resident = || -> u64 {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
        pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
    };
    // One arrives every 10 us, of three classes in turn, into a room for one.
    let patient = rules(None, None);
    let gives_up = ClassRules { wait_timeout: Some(millis(50_000)), ..patient };
    let leaves = ClassRules { queue_timeout: Some(millis(70_000)), ..patient };
    let times = (0..TASKS).map(|number| Moment(number * 10 * US));
    let admission = Admission::Open { times: Box::new(times), max_in_flight: Some(1), on_full: OnFull::Block };
    let classes = vec![patient, gives_up, leaves];
    let plan = Settings { admission, ..Script::plan(Policy::Reuse, 1, Chunk::Fixed(1), classes, None) };
    let mut dispatcher = Dispatcher::new(plan, Box::new(Stream { known: true, total: TASKS, classes: 3, run: 1 }));
    let mut told = Counting::default();
    let mut feed = |at: u64, input: Input<'_>| {
        dispatcher.handle(Moment(at * MS), input, &mut told);
        // A turn sees to some of them, and asks for the next.
        while dispatcher.next_wake().is_some_and(|wake| wake <= Moment(at * MS)) {
            dispatcher.handle(Moment(at * MS), Input::Wake, &mut told);
        }
        let counts = dispatcher.counts();
        assert!(counts.conserved());
        assert_eq!(told.expired, counts.timed_out, "all of them are told");
        (counts, std::mem::take(&mut told.sent))
    };
    feed(0, Input::Begin);
    feed(0, Input::Started { worker: id(0), pid: 1000 });
    assert_eq!(feed(0, Input::Hello { worker: id(0) }).1, [0]);
    let before = resident();
    for second in 1..=49 {
        let (counts, sent) = feed(second * 1000, Input::Wake);
        assert_eq!((counts.submitted, counts.timed_out, sent), (1, 0, vec![]), "all that are there are outside");
    }
    for (at, gone) in [(55_000, TASKS / 2 / 3), (60_000, TASKS / 3), (75_000, TASKS / 3 + TASKS / 2 / 3)] {
        let (counts, _) = feed(at, Input::Wake);
        assert!(counts.timed_out.abs_diff(gone) <= 1, "{at}: {counts:?} and {gone}");
    }
    let grown = resident().saturating_sub(before);
    // Kept, they would be 40 MB; whatever other tests do meanwhile is far less.
    assert!(grown < 16 << 20, "{grown} bytes");
    // There is room: the next patient one comes in, past all that have given up.
    let records = [Record { index: 0, start: Moment(0), service: 75_000 * MS, after: 0, value: 0 }];
    assert_eq!(feed(75_000, Input::Done { lane: id(0).lane(0), records: &records }).1, [3]);
}
