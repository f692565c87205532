//! Utilisation in each stage of open arrivals: the worker time of the run, shared out by when it was spent.
//!
//! Between two looks at a run its workers are taken to be as busy all along; looks come ten times a second.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::event::Moment;

/// One stage, as far as it has been.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageLoad {
    /// Since the start of the run, pauses included: arrivals do not wait for them.
    pub begin: Duration,
    pub end: Duration,
    /// ρ in it, as in [`crate::metrics::load::Load::utilisation`]; `None` without a number of workers, or before there is
    /// any time.
    pub utilisation: Option<f64>,
}

/// The fold.
#[derive(Debug, Default)]
pub(crate) struct Stages {
    spans: Vec<Span>,
    /// Time, and what had been of busy and of all worker time then, in seconds.
    last: (Moment, f64, f64),
}

#[derive(Clone, Copy, Debug)]
struct Span {
    begin: Moment,
    end: Moment,
    busy: f64,
    all: f64,
}

impl Stages {
    /// Stages that begin and end at these times.
    pub(crate) fn new(spans: &[(Duration, Duration)]) -> Self {
        let span = |(begin, end): &(Duration, Duration)| Span {
            begin: Moment::from(*begin),
            end: Moment::from(*end),
            busy: 0.0,
            all: 0.0,
        };
        Self { spans: spans.iter().map(span).collect(), ..Self::default() }
    }

    /// So much worker time there has been until now.
    pub(crate) fn see(&mut self, now: Moment, busy: Duration, idle: Duration) {
        let (since, busy_before, all_before) = self.last;
        let seconds = now.since(since).as_secs_f64();
        if seconds <= 0.0 {
            return;
        }
        let (busy, all) = (busy.as_secs_f64(), (busy + idle).as_secs_f64());
        for span in &mut self.spans {
            let overlap = now.min(span.end).since(since.max(span.begin)).as_secs_f64();
            span.busy += (busy - busy_before) * overlap / seconds;
            span.all += (all - all_before) * overlap / seconds;
        }
        self.last = (now, busy, all);
    }

    /// The stages that have begun. `unbounded`: there is no number of workers.
    pub(crate) fn loads(&self, unbounded: bool) -> Box<[StageLoad]> {
        let begun = self.spans.iter().filter(|span| span.begin < self.last.0);
        let load = |span: &Span| StageLoad {
            begin: span.begin.elapsed(),
            end: span.end.elapsed(),
            utilisation: (span.all > 0.0 && !unbounded).then(|| (span.busy / span.all).clamp(0.0, 1.0)),
        };
        begun.map(load).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worker_time_belongs_to_the_stage_that_it_was_spent_in() {
        let at = Duration::from_millis;
        let mut stages = Stages::new(&[(at(0), at(1000)), (at(1000), at(2000)), (at(2000), at(9000))]);
        let mut see = |now: u64, busy: u64| {
            // Two workers.
            stages.see(Moment::from(at(now)), at(busy), at(2 * now - busy));
            stages.loads(false).iter().map(|load| (load.utilisation.unwrap() * 100.0).round()).collect::<Vec<_>>()
        };
        assert_eq!(see(500, 250), [25.0]);
        // A look in the middle of the second stage: half of what came since then is of the first.
        assert_eq!(see(1500, 1750), [50.0, 75.0]);
        assert_eq!(see(1500, 1800), [50.0, 75.0], "no time has passed");
        assert_eq!(see(2000, 2750), [50.0, 88.0]);
        assert_eq!(see(3000, 2750), [50.0, 88.0, 0.0], "the rest is of the last one");
        assert_eq!(stages.loads(true)[0].utilisation, None);
        assert!(Stages::default().loads(false).is_empty());
    }
}
