//! What is written about runs while they go on: the seam between an observer and the formats of a log.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::engine::event::{Batch, EngineView, Event, Moment, Record};
use crate::metrics::snapshot::RunId;
use crate::workload::model::ClassId;

/// A run that is watched.
#[derive(Clone, Debug)]
pub(crate) struct Begun {
    pub(crate) arm: String,
    /// Kind of its engine.
    pub(crate) engine: &'static str,
    pub(crate) workers: u32,
    pub(crate) run: RunId,
    /// Since the session began.
    pub(crate) since: Duration,
    /// Names of the classes of tasks.
    pub(crate) classes: Vec<String>,
    /// Those of which each task has a number as its result (`result: stdout`).
    pub(crate) numbers: Vec<ClassId>,
}

/// Lines about one run. Quick: it is called on the engine's thread.
pub(crate) trait Lines: Send {
    /// It has begun.
    fn begin(&mut self, out: &mut String);
    /// Something happened.
    fn event(&mut self, out: &mut String, now: Moment, event: &Event<'_>);
    /// The state, about ten times a second and once at the end.
    fn state(&mut self, out: &mut String, now: Moment, view: &EngineView<'_>);
    /// So many lines were just not taken by what writes them. Told once of each line, as soon as it is lost.
    fn count_lost(&mut self, _count: u64) {}
    /// So many lines could not be taken by what writes them, and are missing before this place. What this tells may not be
    /// taken either; then it is told again, with those that were lost with it.
    fn lost(&mut self, out: &mut String, count: u64);
}

/// What a log has told of all runs, and what it has not.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Tasks that succeeded, one by one, summed up with others, and not at all.
    pub(crate) tasks: Counter,
    pub(crate) summed_up: Counter,
    pub(crate) tasks_left_out: Counter,
    /// Whatever else happened: attempts that did not succeed, processes that came and went.
    pub(crate) others: Counter,
    pub(crate) others_left_out: Counter,
    /// Lines that were not written because the place they go to did not take them quickly enough.
    pub(crate) lost: Counter,
}

/// Counted by the runs that are watched, read at the end.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Told {
    /// How much was told in which way, in words; `None` where everything was told one by one.
    pub(crate) fn sampled(&self) -> Option<String> {
        let Self { tasks, summed_up, tasks_left_out, others: _, others_left_out, lost } = self;
        let parts = [
            (summed_up, "summed up"),
            (tasks_left_out, "left out"),
            (others_left_out, "attempts and processes left out"),
            (lost, "lines lost, because it could not be written quickly enough"),
        ];
        let part = |(count, words): (&Counter, &str)| (count.get() > 0).then(|| format!("{} {words}", count.get()));
        let parts: Vec<String> = parts.into_iter().filter_map(part).collect();
        (!parts.is_empty()).then(|| format!("tasks: {} one by one, {}", tasks.get(), parts.join(", ")))
    }
}

/// At most so many in each second of a run.
#[derive(Debug, Default)]
pub(crate) struct PerSecond {
    second: u64,
    told: u64,
}

impl PerSecond {
    /// Whether so many more may be told now: all of them or none.
    pub(crate) fn take(&mut self, now: Moment, count: usize, most: u64) -> bool {
        let second = now.0 / 1_000_000_000;
        if second != self.second {
            (self.second, self.told) = (second, 0);
        }
        let after = self.told.saturating_add(count as u64);
        let may = after <= most;
        if may {
            self.told = after;
        }
        may
    }
}

/// When the tasks of a batch were dispatched: when they were sent, or when their worker was free for them.
pub(crate) fn dispatched<'a>(batch: &'a Batch<'a>) -> impl Iterator<Item = (Moment, &'a Record)> + 'a {
    let mut free = batch.free_since;
    batch.records.iter().map(move |record| {
        let dispatched = batch.sent.max(free).min(record.start);
        free = record.start + Duration::from_nanos(record.service) + Duration::from_nanos(record.after);
        (dispatched, record)
    })
}

/// Seconds with nine digits: exact, and much quicker than by way of floating point.
pub(crate) fn seconds(out: &mut String, nanos: u64) {
    whole(out, nanos / 1_000_000_000);
    fraction::<9>(out, nanos % 1_000_000_000);
}

/// The same in microseconds, with three digits.
pub(crate) fn micros(out: &mut String, nanos: u64) {
    whole(out, nanos / 1000);
    fraction::<3>(out, nanos % 1000);
}

/// A number, without the machinery of formatting, which would cost more than all else about a line.
pub(crate) fn whole(out: &mut String, mut number: u64) {
    let mut digits = [b'0'; 20];
    let mut begin = digits.len();
    while begin == digits.len() || number > 0 {
        begin -= 1;
        digits[begin] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    out.push_str(str::from_utf8(&digits[begin..]).unwrap_or_default());
}

/// So many digits after a point.
fn fraction<const DIGITS: usize>(out: &mut String, mut number: u64) {
    let mut digits = [b'0'; DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    out.push('.');
    out.push_str(str::from_utf8(&digits).unwrap_or_default());
}

/// Text as JSON has it, without a character that would control a terminal.
pub(crate) fn quoted(text: &str) -> String {
    super::json::escaped(serde_json::to_string(text).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_formatting_writes_them() {
        for number in [0, 7, 10, 999, 1000, 1_234_567_890, 9_999_999_999, u64::MAX] {
            let mut out = String::new();
            [whole, seconds, micros].into_iter().for_each(|write| {
                write(&mut out, number);
                out.push(' ');
            });
            let second = 1_000_000_000;
            let wanted =
                format!("{number} {}.{:09} {}.{:03} ", number / second, number % second, number / 1000, number % 1000);
            assert_eq!(out, wanted);
        }
    }
}
