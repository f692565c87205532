//! Results as CSV: a row for each task that succeeded and each attempt that did not, of every run, in the order in which the
//! engine heard of them. Times are seconds of the run clock; what did not happen has no time. `result` is the number that a task
//! with `result: stdout` has written, as a float of 64 bits. RFC 4180, with a line feed.
//!
//! Cells with text of files and tasks that a spreadsheet would take for a formula begin with an apostrophe.

use std::time::Duration;

use crate::engine::event::{Event, Moment};
use crate::engine::outcome::{Cause, Outcome};
use crate::metrics::snapshot::RunId;
use crate::report::clean;
use crate::report::observed::{Begun, dispatched, seconds};
use crate::workload::model::ClassId;

/// Most rows that are kept: 170 MB of memory.
pub(crate) const MOST_ROWS: usize = 2_000_000;

const COLUMNS: [&str; 21] = [
    "arm",
    "engine",
    "workers",
    "run",
    "round",
    "warmup",
    "index",
    "class",
    "attempt",
    "outcome",
    "retried",
    "slot",
    "arrival_s",
    "dispatched_s",
    "start_s",
    "end_s",
    "wait_s",
    "startup_s",
    "service_s",
    "cause",
    "result",
];

/// What is known of a task or an attempt.
#[derive(Clone, Debug)]
struct Row {
    /// Place of its run in [`Table::runs`].
    run: u32,
    slot: Option<u32>,
    class: ClassId,
    attempt: u32,
    outcome: Outcome,
    retried: bool,
    /// `None` where only their number is known.
    index: Option<u64>,
    /// Arrival, dispatch, first instruction and end, in nanoseconds.
    times: [Option<u64>; 4],
    cause: Option<Box<str>>,
    /// What it has come to, if it succeeded.
    value: u64,
}

/// The rows of all runs.
#[derive(Debug, Default)]
pub(crate) struct Table {
    runs: Vec<Begun>,
    rows: Vec<Row>,
    /// Rows beyond [`MOST_ROWS`].
    pub(crate) left_out: u64,
}

impl Table {
    /// A run begins: what its rows call it.
    pub(crate) fn begin(&mut self, begun: Begun) -> u32 {
        self.runs.push(begun);
        u32::try_from(self.runs.len() - 1).unwrap_or(u32::MAX)
    }

    /// Something happened in it.
    pub(crate) fn event(&mut self, run: u32, now: Moment, event: &Event<'_>) {
        match event {
            Event::Succeeded(batch) => {
                for (dispatched, record) in dispatched(batch) {
                    let end = record.start.0.saturating_add(record.service);
                    self.push(Row {
                        run,
                        slot: Some(batch.slot.0),
                        class: batch.class,
                        attempt: batch.attempt.number(),
                        outcome: Outcome::Succeeded,
                        retried: false,
                        index: Some(record.index),
                        times: [batch.arrival.0, dispatched.0, record.start.0, end].map(Some),
                        cause: None,
                        value: record.value,
                    });
                }
            }
            Event::Attempt(report) => self.attempt(run, report),
            Event::Expired { reports, count, class, limit } => {
                reports.iter().for_each(|report| self.attempt(run, report));
                // The others are one row each too, of which nothing but that is known.
                for _ in reports.len() as u64..*count {
                    self.push(Row {
                        run,
                        slot: None,
                        class: *class,
                        attempt: 1,
                        outcome: Outcome::TimedOut,
                        retried: false,
                        index: None,
                        times: [None, None, None, Some(now.0)],
                        cause: Some(Cause::from(*limit).to_string().into()),
                        value: 0,
                    });
                }
            }
            _ => {}
        }
    }

    fn attempt(&mut self, run: u32, report: &crate::engine::outcome::AttemptReport) {
        let back = |from: Moment, by: Option<Duration>| by.map(|by| from - by);
        let start = back(report.ended, report.service);
        let dispatched = start.and_then(|start| back(start, report.startup));
        let arrival = dispatched.and_then(|dispatched| back(dispatched, report.wait));
        self.push(Row {
            run,
            slot: report.slot.map(|slot| slot.0),
            class: report.class,
            attempt: report.attempt.number(),
            outcome: report.outcome,
            retried: report.retried,
            index: Some(report.index),
            times: [arrival, dispatched, start, Some(report.ended)].map(|time| time.map(|time| time.0)),
            cause: Some(report.cause.to_string().into()),
            value: 0,
        });
    }

    fn push(&mut self, row: Row) {
        if self.rows.len() < MOST_ROWS {
            self.rows.push(row);
        } else {
            self.left_out += 1;
        }
    }

    /// The whole table.
    #[must_use]
    pub(crate) fn text(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        // Writing to memory does not fail, and every row has as many cells.
        let _ = writer.write_record(COLUMNS);
        for row in &self.rows {
            if let Some(begun) = self.runs.get(row.run as usize) {
                let _ = writer.write_record(cells(begun, row));
            }
        }
        String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
    }
}

fn cells(begun: &Begun, row: &Row) -> [String; 21] {
    let Begun { arm, engine, workers, run: RunId { serial, round, warmup }, classes, numbers, .. } = begun;
    let is_number = row.outcome == Outcome::Succeeded && numbers.contains(&row.class);
    let [arrival, dispatched, start, end] = row.times;
    let between = |from: Option<u64>, to: Option<u64>| Some(to?.saturating_sub(from?));
    let time = |nanos: Option<u64>| {
        let mut text = String::new();
        nanos.inspect(|nanos| seconds(&mut text, *nanos));
        text
    };
    [
        plain(arm),
        (*engine).to_owned(),
        workers.to_string(),
        serial.to_string(),
        round.to_string(),
        warmup.to_string(),
        row.index.map(|index| index.to_string()).unwrap_or_default(),
        classes.get(usize::from(row.class)).map(|name| plain(name)).unwrap_or_default(),
        row.attempt.to_string(),
        row.outcome.word().to_owned(),
        row.retried.to_string(),
        row.slot.map(|slot| slot.to_string()).unwrap_or_default(),
        time(arrival),
        time(dispatched),
        time(start),
        time(end),
        time(between(arrival, dispatched)),
        time(between(dispatched, start)),
        time(between(start, end)),
        row.cause.as_deref().map(plain).unwrap_or_default(),
        if is_number { f64::from_bits(row.value).to_string() } else { String::new() },
    ]
}

/// Text of one line that is no formula (OWASP, CSV Injection).
pub(crate) fn plain(text: &str) -> String {
    let text = clean::line(text);
    // Some programs take the wide ones of Chinese and Japanese for the same.
    if text.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::{Batch, Record, Slot};
    use crate::metrics::fixtures::attempt;
    use crate::workload::model::Attempt;

    #[test]
    fn a_formula_is_text_and_other_text_is_as_it_is() {
        for (text, wanted) in
            [("=1", "'=1"), ("＠x", "'＠x"), ("a=1", "a=1"), ("'=1", "'=1"), ("\t=1", " =1"), ("", "")]
        {
            assert_eq!(plain(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn a_row_for_each_task_and_attempt_and_nothing_that_a_spreadsheet_would_run() {
        let mut table = Table::default();
        let run = RunId { serial: 3, round: 2, warmup: false };
        let classes = vec!["=cmd|' /C calc'!A0".to_owned()];
        let begun = Begun {
            arm: "po,ol\"\n".to_owned(),
            engine: "pool",
            workers: 2,
            run,
            since: Duration::ZERO,
            classes,
            numbers: vec![0],
        };
        let place = table.begin(begun);
        let record =
            |index, start, service| Record { index, start: Moment(start), service, after: 5, value: 1.5_f64.to_bits() };
        let records = [record(7, 1_500_000_010, 100), record(8, 1_500_000_120, 50)];
        let sent = Moment(1_500_000_000);
        table.event(
            place,
            Moment(2_000_000_000),
            &Event::Succeeded(Batch {
                slot: Slot(1),
                class: 0,
                attempt: Attempt::FIRST,
                arrival: Moment(1),
                sent,
                free_since: Moment::ZERO,
                records: &records,
            }),
        );
        let mut report = attempt(9);
        report.cause = Cause::Error { message: "@SUM(1)\u{1b}[2J, \"x\"".to_owned() };
        table.event(place, Moment(2_000_000_000), &Event::Attempt(&report));
        let text = table.text();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        assert_eq!(reader.headers().expect("a head").len(), COLUMNS.len());
        let rows: Vec<Vec<String>> =
            reader.records().map(|row| row.expect("a row").iter().map(str::to_owned).collect()).collect();
        assert_eq!(rows.len(), 3);
        let of = |row: usize, column: &str| {
            rows[row][COLUMNS.iter().position(|name| *name == column).expect(column)].as_str()
        };
        assert_eq!((of(0, "class"), of(0, "index"), of(0, "arrival_s")), ("'=cmd|' /C calc'!A0", "7", "0.000000001"));
        assert_eq!((of(0, "dispatched_s"), of(0, "service_s")), ("1.500000000", "0.000000100"));
        assert_eq!((of(1, "dispatched_s"), of(1, "startup_s")), ("1.500000115", "0.000000005"), "after the one before");
        assert_eq!((of(2, "outcome"), of(2, "end_s"), of(2, "service_s")), ("failed", "1.500000000", "0.003000000"));
        assert_eq!((of(0, "result"), of(2, "result")), ("1.5", ""), "what failed has none");
        assert!(of(2, "cause").starts_with("'@SUM(1)") && !text.contains('\u{1b}'), "{text:?}");
        let mut full = Table { rows: vec![table.rows[0].clone(); MOST_ROWS], ..Table::default() };
        full.attempt(0, &report);
        assert_eq!((full.rows.len(), full.left_out), (MOST_ROWS, 1));
    }
}
