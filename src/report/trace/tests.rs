use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::engine::event::{DeathCause, Record, Usage};
use crate::engine::outcome::Exit;
use crate::metrics::fixtures::attempt;
use crate::metrics::snapshot::RunId;
use crate::report::observed::Counter;
use crate::workload::model::Attempt;

fn lines(told: &Arc<Told>) -> TraceLines {
    let run = RunId { serial: 1, round: 1, warmup: false };
    let classes = vec!["a\"b\u{1b}".to_owned()];
    let begun = Begun {
        arm: "pool".to_owned(),
        engine: "pool",
        workers: 1,
        run,
        since: Duration::ZERO,
        classes,
        numbers: Vec::new(),
    };
    TraceLines::new(begun, Arc::clone(told))
}

fn batch(records: &[Record]) -> Event<'_> {
    let [arrival, sent, free_since] = [Moment::ZERO; 3];
    Event::Succeeded(Batch { slot: Slot(0), class: 0, attempt: Attempt::FIRST, arrival, sent, free_since, records })
}

fn records(count: u64) -> Vec<Record> {
    (0..count).map(|index| Record { index, start: Moment(10 * index + 1), service: 3, after: 0, value: 0 }).collect()
}

/// Events of a text that a trace consists of, by category; every line is read.
fn by_category(out: &str) -> BTreeMap<String, Vec<Value>> {
    assert!(!out.contains('\u{1b}'), "{out:?}");
    let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in out.lines() {
        let event: Value =
            serde_json::from_str(line.trim_end_matches(',')).unwrap_or_else(|error| panic!("{error}: {line}"));
        found.entry(event["cat"].as_str().unwrap_or("").to_owned()).or_default().push(event);
    }
    found
}

#[test]
fn at_a_high_rate_tasks_are_summed_up_and_it_is_said_how_much_was_told_how() {
    let (told, records) = (Arc::new(Told::default()), records(20_000));
    let (mut lines, mut out) = (lines(&told), String::new());
    for part in [&records[..], &records[..], &records[..1]] {
        lines.event(&mut out, Moment(1), &batch(part));
    }
    lines.event(&mut out, Moment(5), &Event::RunEnds { early: false });
    let found = by_category(&out);
    assert_eq!((found["task"].len(), found["tasks"].len()), (20_001, 1), "the second batch is one too many");
    assert_eq!((&found["tasks"][0]["args"]["count"], &found["tasks"][0]["dur"]), (&20_000.into(), &199.993.into()));
    assert_eq!([&told.tasks, &told.summed_up, &told.tasks_left_out].map(Counter::get), [20_001, 20_000, 0]);
    let sampled = told.sampled().expect("not whole");
    assert!(out.contains(&format!("\"told\":\"{sampled}\"")), "{sampled}");
    let document = format!("{{\"traceEvents\":[{out}{}", tail(&told));
    let all: Value = serde_json::from_str(&document).expect("one document");
    assert_eq!((&all["told"]["text"], &all["told"]["tasks_summed_up"]), (&sampled.as_str().into(), &20_000.into()));
}

#[test]
fn there_are_only_so_many_sums() {
    let told = Arc::new(Told::default());
    let (mut lines, mut out) = (lines(&told), String::new());
    let records = records(TASKS);
    lines.event(&mut out, Moment(1), &batch(&records));
    // Each begins long after the one before.
    for place in 1..=SUMS + 7 {
        let records = [Record { index: place, start: Moment(place * 10_000_000), service: 3, after: 0, value: 0 }; 2];
        lines.event(&mut out, Moment(1), &batch(&records));
    }
    assert_eq!([&told.summed_up, &told.tasks_left_out].map(Counter::get), [2 * SUMS, 14]);
}

#[test]
fn the_longer_it_gets_the_less_is_told_and_a_small_run_is_told_whole() {
    let (told, records) = (Arc::new(Told::default()), records(6_251));
    let tell = |tasks: usize| {
        let (mut lines, mut out) = (lines(&told), String::new());
        lines.event(&mut out, Moment(1), &batch(&records[..tasks]));
        lines.event(&mut out, Moment(2), &Event::RunEnds { early: false });
        (by_category(&out).get("task").map_or(0, Vec::len), out.contains("not told whole"))
    };
    assert_eq!(tell(6_251), (6_251, false));
    told.others.add(WHOLE);
    assert_eq!(tell(6_251), (0, true));
    assert_eq!(tell(6_250), (6_250, false), "a quarter of 25,000");
    told.others.add(100 * WHOLE);
    assert_eq!(tell(1), (1, false), "never nothing");
}

#[test]
fn failures_and_processes_have_a_limit_of_their_own() {
    let (told, report) = (Arc::new(Told::default()), attempt(7));
    let (mut lines, mut out) = (lines(&told), String::new());
    (0..20_000).for_each(|_| lines.event(&mut out, report.ended, &Event::Attempt(&report)));
    let found = by_category(&out);
    assert_eq!((found["fault"].len(), found["attempt"].len()), (5_000, 5_000));
    assert_eq!((told.others.get(), told.others_left_out.get()), (5_000, 15_000));
}

#[test]
fn a_start_up_ends_where_its_first_task_begins_whenever_the_engine_heard_of_it() {
    let (told, records) = (Arc::new(Told::default()), records(2));
    let (mut lines, mut out) = (lines(&told), String::new());
    let worker = WorkerId { slot: Slot(0), epoch: 0 };
    lines.event(&mut out, Moment::ZERO, &Event::WorkerStarted { worker, pid: 1, restart: false });
    lines.event(&mut out, Moment(9), &Event::WorkerReady { worker, took: Duration::ZERO });
    lines.event(&mut out, Moment(20), &batch(&records));
    let found = by_category(&out);
    assert_eq!((&found["start-up"][0]["dur"], &found["task"][0]["ts"]), (&0.001.into(), &0.001.into()), "{found:?}");
    // Lines that were lost may have named it.
    lines.lost(&mut out, 3);
    out.clear();
    lines.event(&mut out, Moment(20), &batch(&records));
    assert!(out.contains("\"thread_name\""), "{out}");
}

#[test]
fn what_the_other_lanes_of_a_worker_did_last_is_told_when_it_ends() {
    let (told, records) = (Arc::new(Told::default()), records(TASKS));
    let (mut lines, mut out) = (lines(&told), String::new());
    for slot in [0, 3] {
        let worker = WorkerId { slot: Slot(slot), epoch: 1 };
        lines.event(&mut out, Moment::ZERO, &Event::WorkerStarted { worker, pid: slot + 1, restart: false });
    }
    lines.event(&mut out, Moment(1), &batch(&records));
    for slot in [1, 2, 3] {
        let Event::Succeeded(batch) = batch(&records[..1]) else { unreachable!() };
        lines.event(&mut out, Moment(1), &Event::Succeeded(Batch { slot: Slot(slot), ..batch }));
    }
    let ended = Event::WorkerExited {
        worker: WorkerId { slot: Slot(0), epoch: 1 },
        pid: 1,
        exit: Exit::Code(0),
        usage: Usage::NONE,
        expected: true,
        cause: DeathCause::Left,
        peak_rss_bytes: None,
    };
    lines.event(&mut out, Moment(2), &ended);
    let lanes: Vec<Value> = by_category(&out)["tasks"].iter().map(|sum| sum["tid"].clone()).collect();
    assert_eq!(lanes, [2, 3], "the last lane is another worker's");
}
