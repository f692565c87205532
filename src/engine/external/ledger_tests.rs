use super::*;
use crate::engine::event::EngineView;
use crate::os::clock::monotonic;

/// Hears everything and counts it by itself.
#[derive(Default)]
struct Listener(std::sync::Arc<std::sync::Mutex<(u64, Vec<Outcome>)>>);

impl Observer for Listener {
    fn event(&mut self, _: Moment, event: &Event<'_>) {
        let mut heard = self.0.lock().unwrap();
        match event {
            Event::Succeeded(batch) => heard.0 += batch.records.len() as u64,
            Event::Attempt(report) => heard.1.push(report.outcome),
            _ => {}
        }
    }

    fn state(&mut self, _: Moment, _: &EngineView<'_>) {}
}

type Heard = std::sync::Arc<std::sync::Mutex<(u64, Vec<Outcome>)>>;

/// A worker with two lanes, and ten tasks that it was given.
fn ledger() -> (Ledger, Heard, u64) {
    let heard = Heard::default();
    let mut ledger = Ledger::new(vec![None], Box::new(Listener(heard.clone())));
    ledger.counts.submitted = 10;
    ledger.worker_started(0, 70, vec![Slot(0), Slot(1)], false).unwrap();
    let sent = monotonic();
    ledger.give(StreamRun { first: 0, count: 10, class: 0 }, Moment::ZERO, sent);
    (ledger, heard, sent)
}

fn done(lane: u32, tasks: &[(TaskIndex, u64, u64)]) -> FromProgram {
    FromProgram::Succeeded {
        lane: Slot(lane),
        tasks: tasks.iter().map(|(task, start, service)| (*task, *start, *service, 0)).collect(),
    }
}

#[test]
fn what_cannot_be_is_found_out() {
    let (mut ledger, _, sent) = ledger();
    let now = sent + 1000;
    assert_eq!(ledger.hear(done(0, &[(0, sent + 10, 10)]), now), Ok(()));
    let times = |task, how| Err(Contradiction::Times { task, how });
    assert_eq!(ledger.hear(done(0, &[(0, sent + 30, 10)]), now), Err(Contradiction::NotGiven { task: 0 }));
    assert_eq!(ledger.hear(done(0, &[(10, sent + 30, 10)]), now), Err(Contradiction::NotGiven { task: 10 }));
    assert_eq!(
        ledger.hear(done(0, &[(1, sent + 19, 10)]), now),
        times(1, "begun before the end of the one before it in its lane")
    );
    assert_eq!(ledger.hear(done(1, &[(1, sent - 1, 10)]), now), times(1, "begun before it was given"));
    assert_eq!(ledger.hear(done(1, &[(1, sent + 995, 10)]), now), times(1, "with an end in the future"));
    assert_eq!(ledger.hear(done(1, &[(1, u64::MAX, 10)]), now), times(1, "with an end in the future"));
    assert_eq!(ledger.hear(done(7, &[(1, sent + 30, 10)]), now), Err(Contradiction::NoLane { task: 1, lane: Slot(7) }));
    assert_eq!(ledger.hear(FromProgram::Started { lane: Slot(1), task: 1, at: sent + 30 }, now), Ok(()));
    let other = Contradiction::Busy { task: 2, lane: Slot(1), other: 1 };
    assert_eq!(ledger.hear(done(1, &[(2, sent + 40, 10)]), now), Err(other));
    let elsewhere = times(1, "in another lane than the one it began in");
    assert_eq!(ledger.hear(done(0, &[(1, sent + 40, 10)]), now), elsewhere);
    let timed_out = FromProgram::TimedOut { task: 1, lane: Slot(1), start: sent + 30, service: 10 };
    assert_eq!(ledger.hear(timed_out, now), Err(Contradiction::NoTimeout { task: 1 }));
    assert!(ledger.worker_started(1, 70, vec![Slot(2)], false).is_err(), "the process of another worker");
    assert!(ledger.worker_started(1, 71, vec![Slot(1)], false).is_err(), "the lane of another worker");
}

#[test]
fn whatever_ends_it_every_task_has_one_outcome() {
    for (stopped, lost) in [(false, 1), (true, 0)] {
        let (mut ledger, heard, sent) = ledger();
        let now = monotonic();
        assert_eq!(ledger.hear(done(0, &[(0, sent, 0), (1, sent, 0)]), now), Ok(()));
        let failed = FromProgram::Failed {
            task: 2,
            lane: None,
            start: None,
            service: None,
            message: "no".to_owned(),
            code: None,
            signal: None,
        };
        assert_eq!(ledger.hear(failed, now), Ok(()));
        assert_eq!(ledger.hear(FromProgram::Started { lane: Slot(1), task: 3, at: sent }, now), Ok(()));
        let mut slots = Vec::new();
        let counts = ledger.view(&mut slots);
        assert_eq!((counts.queued, counts.running, slots[1].task.map(|task| task.0)), (6, 1, Some(3)));
        ledger.close(70, (Exit::Signal(9), Usage::NONE, None), stopped, false);
        let counts = ledger.view(&mut slots);
        assert!(counts.conserved() && counts.finished() == 10, "{counts:?}");
        assert_eq!((counts.succeeded, counts.failed, counts.lost, counts.cancelled), (2, 1, lost, 7 - lost));
        let (succeeded, attempts) = heard.lock().unwrap().clone();
        assert_eq!((succeeded, attempts.len() as u64), (2, 1 + lost));
        assert!(slots.iter().all(|slot| slot.pid.is_none() && slot.task.is_none()));
    }
}

#[test]
fn the_oldest_is_the_first_that_has_not_begun() {
    let (mut ledger, _, sent) = ledger();
    ledger.give(StreamRun { first: 10, count: 1, class: 0 }, Moment(5), sent);
    assert_eq!(ledger.oldest(), Some(Moment::ZERO));
    for task in 0..10 {
        assert_eq!(ledger.hear(done(0, &[(task, sent, 0)]), monotonic()), Ok(()));
    }
    assert_eq!(ledger.oldest(), Some(Moment(5)));
    assert_eq!(ledger.hear(FromProgram::Started { lane: Slot(0), task: 10, at: sent }, monotonic()), Ok(()));
    assert_eq!(ledger.oldest(), None);
}
