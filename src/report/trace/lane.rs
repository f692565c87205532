//! A lane of a trace: its spans lie beside or within each other, as viewers ask for. What the engine saw of a worker ends a little
//! later than what the worker measured of itself begins, so such a span waits for the next one and makes room for it. Tasks
//! that are not told one by one become one span for every 10 ms in which the lane did not pause.

use crate::engine::event::{Moment, Record};
use crate::workload::model::{Attempt, ClassId};

/// Longest span of tasks that are summed up, and longest pause in one.
const LONGEST: u64 = 10_000_000;
const PAUSE: u64 = 1_000_000;

/// A span: category, name and arguments as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) category: &'static str,
    pub(super) name: String,
    pub(super) args: String,
    pub(super) from: Moment,
    pub(super) to: Moment,
}

/// What is kept of a slot.
#[derive(Clone, Debug, Default)]
pub(super) struct Lane {
    /// Whether it has been named.
    pub(super) named: bool,
    /// Whether it was the first lane of a worker.
    pub(super) is_first: bool,
    /// When the process in it was started, and when a ghost began in it.
    pub(super) started: Option<Moment>,
    pub(super) ghost: Option<Moment>,
    /// What has not been told yet: at most one of both.
    seen: Option<Span>,
    sum: Option<Sum>,
    /// The span that was told last.
    last: (Moment, Moment),
}

/// Tasks of one class that are told together.
#[derive(Clone, Debug)]
struct Sum {
    class: ClassId,
    attempt: Attempt,
    first: u64,
    count: u64,
    from: Moment,
    to: Moment,
}

impl Lane {
    /// Adds tasks to those that are told together. Whether there is such a span, and they belong to it.
    pub(super) fn sum_up(&mut self, class: ClassId, attempt: Attempt, records: &[Record]) -> bool {
        let (Some(sum), Some(first), Some(last)) = (&mut self.sum, records.first(), records.last()) else {
            return false;
        };
        let goes_on = first.start.0.saturating_sub(sum.to.0) <= PAUSE && sum.to.0.saturating_sub(sum.from.0) < LONGEST;
        let belongs = goes_on && first.start >= sum.from && (class, attempt) == (sum.class, sum.attempt);
        if belongs {
            sum.count += records.len() as u64;
            sum.to = sum.to.max(Moment(last.start.0.saturating_add(last.service)));
        }
        belongs
    }

    /// Begins a span of tasks that are told together; everything before it has been told.
    pub(super) fn begin_sum(&mut self, class: ClassId, attempt: Attempt, records: &[Record]) {
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return };
        let (from, to) = (first.start, Moment(last.start.0.saturating_add(last.service)));
        self.sum = Some(Sum { class, attempt, first: first.index, count: records.len() as u64, from, to });
    }

    /// A span that the engine saw. Returns the one before it, if that is still to be told.
    pub(super) fn saw(&mut self, span: Span, classes: &[String]) -> Option<Span> {
        let before = self.told(span.from, classes);
        self.seen = Some(span);
        before
    }

    /// What is still to be told before something that begins then; `classes` are names as JSON.
    pub(super) fn told(&mut self, before: Moment, classes: &[String]) -> Option<Span> {
        if let Some(Sum { class, attempt, first, count, from, to }) = self.sum.take() {
            let name = classes.get(usize::from(class)).map_or(r#""task""#, String::as_str).to_owned();
            let args = format!("\"count\":{count},\"first\":{first},\"attempt\":{attempt}");
            let mut span = Span { category: "tasks", name, args, from, to };
            self.fit(&mut span);
            return Some(span);
        }
        let mut seen = self.seen.take()?;
        if seen.from <= before {
            seen.to = seen.to.min(before);
        }
        self.fit(&mut seen);
        Some(seen)
    }

    /// Takes from a span what it would share with the last one without lying in it.
    pub(super) fn fit(&mut self, span: &mut Span) {
        span.to = span.to.max(span.from);
        let (from, to) = self.last;
        if span.from < from && span.to > from && span.to < to {
            span.to = from;
        } else if span.from > from && span.from < to && span.to > to {
            span.from = to;
        }
        if span.to >= to {
            self.last = (span.from, span.to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: u64, to: u64) -> Span {
        Span { category: "", name: String::new(), args: String::new(), from: Moment(from), to: Moment(to) }
    }

    #[test]
    fn spans_share_nothing_unless_one_lies_in_the_other() {
        let mut lane = Lane::default();
        let mut fit = |from, to| {
            let mut span = span(from, to);
            lane.fit(&mut span);
            (span.from.0, span.to.0)
        };
        assert_eq!(fit(10, 20), (10, 20));
        assert_eq!(fit(20, 30), (20, 30), "side by side");
        assert_eq!(fit(25, 40), (30, 40), "the rest of it");
        assert_eq!(fit(32, 35), (32, 35), "within");
        assert_eq!(fit(29, 39), (29, 30), "what was before it");
        assert_eq!(fit(1, 5), (1, 5), "long before it");
        assert_eq!(fit(50, 45), (50, 50), "never negative");
    }

    #[test]
    fn what_was_seen_makes_room_for_what_was_measured() {
        let mut lane = Lane::default();
        assert_eq!(lane.saw(span(0, 10), &[]), None);
        assert_eq!(lane.told(Moment(7), &[]), Some(span(0, 7)));
        assert_eq!(lane.told(Moment(7), &[]), None, "it is told once");
        assert_eq!(lane.saw(span(20, 30), &[]), None);
        assert_eq!(lane.saw(span(40, 50), &[]), Some(span(20, 30)));
    }

    #[test]
    fn tasks_are_summed_up_until_the_lane_pauses_or_it_takes_too_long() {
        let mut lane = Lane::default();
        let record = |start| [Record { index: 7, start: Moment(start), service: 10, after: 0, value: 0 }];
        let one = |lane: &mut Lane, class, start| lane.sum_up(class, Attempt::FIRST, &record(start));
        assert!(!one(&mut lane, 0, 0), "there is none yet");
        lane.begin_sum(0, Attempt::FIRST, &record(0));
        assert!(one(&mut lane, 0, 10) && one(&mut lane, 0, PAUSE));
        assert!(!one(&mut lane, 1, PAUSE + 10), "another class");
        assert!(!one(&mut lane, 0, 2 * PAUSE + 11), "a pause");
        let span = lane.told(Moment(u64::MAX), &["\"a\"".to_owned()]).expect("a span");
        assert_eq!((span.name.as_str(), span.to.0), ("\"a\"", PAUSE + 10));
        assert!(span.args.starts_with("\"count\":3,\"first\":7"), "{}", span.args);
        lane.begin_sum(0, Attempt::FIRST, &record(0));
        let joined = (1..100).take_while(|place| one(&mut lane, 0, place * PAUSE / 2)).count();
        assert_eq!(joined as u64, LONGEST / (PAUSE / 2), "10 ms");
    }
}
