use super::*;
use crate::engine::event::{Beginning, EngineView};
use crate::os::clock::monotonic;
use crate::worker::shim::Record;
use crate::workload::model::SubmitMode;

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
    let mut ledger = Ledger::new(vec![None], vec![None], Box::new(Listener(heard.clone())));
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
fn what_ended_by_the_stop_keeps_its_outcome_and_what_ended_later_is_cancelled() {
    let (mut ledger, heard, sent) = ledger();
    let now = sent + 1_000_000;
    assert_eq!(ledger.hear(FromProgram::Started { lane: Slot(0), task: 0, at: sent }, now), Ok(()));
    assert_eq!(ledger.hear(FromProgram::Started { lane: Slot(1), task: 1, at: sent }, now), Ok(()));
    ledger.stop(sent + 100);
    // Told after the stop: at its very moment, a nanosecond later, and what never began.
    assert_eq!(ledger.hear(done(0, &[(0, sent, 100), (2, sent + 100, 1)]), now), Ok(()));
    let failed = |task, lane, start, service| FromProgram::Failed {
        task,
        lane,
        start,
        service,
        message: "no".to_owned(),
        code: None,
        signal: None,
    };
    assert_eq!(ledger.hear(failed(1, Some(Slot(1)), Some(sent), Some(99)), now), Ok(()));
    assert_eq!(ledger.hear(failed(3, Some(Slot(1)), Some(sent + 99), Some(2)), now), Ok(()));
    assert_eq!(ledger.hear(failed(4, None, None, None), now), Ok(()));
    // What it was in when its worker ended ended then.
    assert_eq!(ledger.hear(FromProgram::Started { lane: Slot(0), task: 5, at: sent + 101 }, now), Ok(()));
    let gone = FromProgram::WorkerExited {
        worker: 0,
        code: None,
        signal: Some(9),
        user: None,
        system: None,
        peak_rss_bytes: None,
        expected: false,
    };
    assert_eq!(ledger.hear(gone, now), Ok(()));
    let Counts { succeeded, failed, lost, cancelled, .. } = ledger.counts;
    assert_eq!((succeeded, failed, lost, cancelled), (1, 1, 0, 4));
    assert_eq!(*heard.lock().unwrap(), (1, vec![Outcome::Failed]), "what is cancelled is told by its number alone");
    // The program has counted what it has done.
    let told = Told { succeeded: 2, failed: 3, timed_out: 0, lost: 1 };
    assert_eq!(ledger.hear(FromProgram::Counts(told), now), Ok(()));
    ledger.close(70, (Exit::Code(0), Usage::NONE, None), true, true);
    assert!(ledger.view(&mut Vec::new()).conserved() && ledger.counts.cancelled == 8);
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

#[test]
fn workers_that_a_caller_ends_when_it_has_everything_have_not_crashed_however_late_it_says_so() {
    struct Ends(std::sync::Arc<std::sync::Mutex<Vec<bool>>>);
    impl Observer for Ends {
        fn event(&mut self, _: Moment, event: &Event<'_>) {
            if let Event::WorkerExited { expected, .. } = event {
                self.0.lock().unwrap().push(*expected);
            }
        }

        fn state(&mut self, _: Moment, _: &EngineView<'_>) {}
    }
    let ends = std::sync::Arc::default();
    let mut ledger = Ledger::new(vec![None], vec![None], Box::new(Ends(std::sync::Arc::clone(&ends))));
    for record in ["S 7 1", "S 8 1", "X 7 -15", "C", "X 8 -15"] {
        ledger.see(Record::parse(record.as_bytes()).unwrap(), monotonic()).unwrap();
    }
    assert_eq!(*ends.lock().unwrap(), [false, true], "`over` comes over the socket, and has not been read yet");
}

/// A worker that has taken its first task of ten.
fn observed() -> (Ledger, Heard) {
    let (mut ledger, heard, _) = ledger();
    ledger.workers.clear();
    ledger.lanes.clear();
    ledger.seen().order = (0..10).collect();
    see(&mut ledger, &format!("M 0 1\nW 8 1\nT 8 0 0 1 {}", monotonic())).unwrap();
    (ledger, heard)
}

fn see(ledger: &mut Ledger, lines: &str) -> super::Heard {
    lines.lines().try_for_each(|line| ledger.see(Record::parse(line.as_bytes()).unwrap(), monotonic()))
}

#[test]
fn a_result_of_which_nothing_was_told_breaks_the_run_and_leaves_its_counts_whole() {
    let (mut ledger, _) = observed();
    let back = FromProgram::Back { results: vec![(0, 0, monotonic(), 0)] };
    assert!(ledger.hear(back, monotonic()).is_err());
    assert!(ledger.view(&mut Vec::new()).conserved());
    ledger.close(70, (Exit::Signal(9), Usage::NONE, None), false, false);
    let counts = ledger.view(&mut Vec::new());
    assert!(counts.conserved() && (counts.lost, counts.cancelled) == (1, 9), "{counts:?}");
}

#[test]
fn what_is_told_of_a_piece_twice_or_beyond_its_end_is_none_of_it() {
    let (mut ledger, heard) = observed();
    let start = monotonic();
    see(&mut ledger, &format!("E 8 0 0 {start} 1 1 1 1\nE 8 0 0 {start} 2")).unwrap();
    see(&mut ledger, &format!("T 8 1 0 1 {}", monotonic())).unwrap();
    see(&mut ledger, &format!("E 8 0 0 {} 1 !", monotonic())).unwrap();
    assert_eq!((ledger.counts.running, ledger.outstanding()), (1, 10), "it is in its second task");
    let back = FromProgram::Back { results: vec![(0, 0, monotonic(), 0)] };
    ledger.hear(back, monotonic()).unwrap();
    assert_eq!((ledger.counts.succeeded, heard.lock().unwrap().0), (1, 1));
    assert!(ledger.view(&mut Vec::new()).conserved());
}

/// When workers were started and ready, and when their lanes were free for the tasks that succeeded.
#[derive(Clone, Default)]
struct Times(std::sync::Arc<std::sync::Mutex<Vec<(&'static str, Moment)>>>);

impl Observer for Times {
    fn event(&mut self, at: Moment, event: &Event<'_>) {
        let mut heard = self.0.lock().unwrap();
        match event {
            Event::WorkerStarted { .. } => heard.push(("started", at)),
            Event::WorkerReady { worker: _, took } => heard.extend([("ready", at), ("took", Moment::ZERO + *took)]),
            Event::WorkerInitialized { .. } => heard.push(("initialized", at)),
            Event::WorkerBegan { beginning: Beginning { called, executed, own }, .. } => {
                heard.extend([("called", *called), ("executed", *executed)]);
                heard.extend(own.iter().flat_map(|(began, ready)| [("began", *began), ("begun", *ready)]));
            }
            Event::Succeeded(batch) => heard.push(("free", batch.free_since)),
            Event::Delivered(_) => heard.push(("delivered", at)),
            _ => {}
        }
    }

    fn state(&mut self, _: Moment, _: &EngineView<'_>) {}
}

#[test]
fn what_a_shim_tells_late_was_when_it_says_so() {
    for process_per_task in [false, true] {
        let heard = Times::default();
        let mut ledger = Ledger::new(vec![None], vec![None], Box::new(heard.clone()));
        let mut seen = Observed::new(SubmitMode::Apply, true);
        seen.process_per_task = process_per_task;
        ledger.observed = Some(seen);
        ledger.counts.submitted = 1;
        let sent = monotonic();
        ledger.give(StreamRun { first: 0, count: 1, class: 0 }, Moment::ZERO, sent);
        let pid = 70;
        let now = loop {
            let now = monotonic();
            if now > sent + 1_000 {
                break now;
            }
        };
        // All of it is read at once, as where nobody was in a hurry to read it.
        for record in [
            Record::Started { pid, at: sent + 100 },
            Record::Began { pid, executed: sent + 120, began: sent + 150 },
            Record::Initialized { pid, wall: 50, cpu: 0, rss_bytes: 0, well: true, at: sent + 250 },
            Record::Waits { pid, at: sent + 300 },
            Record::Took { pid, job: 0, piece: 0, count: 1, at: sent + 400 },
            Record::Ran { pid, job: 0, piece: 0, start: sent + 410, lengths: vec![90], raised: false, more: false },
        ] {
            assert_eq!(ledger.see(record, now), Ok(()));
        }
        assert_eq!(ledger.hear(FromProgram::Back { results: vec![(0, 0, sent + 600, sent + 50)] }, now), Ok(()));
        let at = |after| ledger.clock.moment(sent + after);
        // One that is kept begins with a task when it is there; one that was started for it was started for it.
        let free = if process_per_task { ledger.clock.moment(0) } else { at(300) };
        let expected = [
            ("started", at(100)),
            ("called", at(100)),
            ("executed", at(120)),
            ("began", at(150)),
            ("begun", at(200)),
            ("initialized", at(250)),
            ("ready", at(300)),
            ("took", Moment::ZERO + Duration::from_nanos(200)),
            ("delivered", at(600)),
            ("free", free),
        ];
        assert_eq!(*heard.0.lock().unwrap(), expected);
    }
}

#[test]
fn a_child_that_is_heard_before_its_parent_was_started_when_that_says_so() {
    let pid = 70;
    // What is told of its start, in nanoseconds since its parent has begun it.
    let told = |letters: &str, late: bool| {
        let heard = Times::default();
        let mut ledger = Ledger::new(vec![None], vec![None], Box::new(heard.clone()));
        ledger.observed = Some(Observed::new(SubmitMode::Apply, true));
        let at = monotonic();
        let now = loop {
            let now = monotonic();
            if now > at + 1_000 {
                break now;
            }
        };
        for letter in letters.chars() {
            let record = match letter {
                'S' => Record::Started { pid, at },
                'N' => Record::Began { pid, executed: at + 120, began: at + 150 },
                'W' => Record::Waits { pid, at: at + 300 },
                _ => Record::Ended { pid, code: 0 },
            };
            assert_eq!(ledger.see(record, now), Ok(()));
        }
        if late {
            ledger.release_late(now + 99_999_999).unwrap();
            assert!(heard.0.lock().unwrap().is_empty(), "its parent may still tell");
            ledger.release_late(now + 100_000_000).unwrap();
        }
        let since = ledger.clock.moment(at).0;
        let times = heard.0.lock().unwrap().clone();
        let times = times.into_iter().filter(|(what, _)| ["started", "called", "executed"].contains(what));
        times.map(|(what, at)| (what, at.0 - since)).collect::<Vec<_>>()
    };
    let known = [("started", 0), ("called", 0), ("executed", 120)];
    let unknown = [("started", 120), ("called", 120), ("executed", 120)];
    assert_eq!(told("SNW", false), known);
    assert_eq!(told("NWS", false), known);
    assert_eq!(told("NSW", false), known);
    assert_eq!(told("NW", false), [], "its parent may still tell");
    assert_eq!(told("NW", true), unknown, "nobody does");
    assert_eq!(told("NWX", false), unknown, "it is gone");
}
