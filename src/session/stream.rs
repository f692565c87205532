//! A workload's stream in the words of an engine, shared by all runs of a session.

use std::sync::Arc;

use crate::engine::event::{Event, Moment};
use crate::engine::stream::{Admission, ClosedLoop, StreamRun, Submission, Submitter, TaskStream};
use crate::workload::items::Live;
use crate::workload::model::{Arrivals, ClassId, Workload};
use crate::workload::stream::Stream;

/// See the module docs.
#[derive(Clone, Debug)]
pub struct SharedStream(Stream, Option<Arc<Live>>);

impl SharedStream {
    /// The stream of a workload.
    #[must_use]
    pub fn new(workload: &Workload) -> Self {
        Self(Stream::new(workload), workload.live().cloned())
    }

    /// Tells one stream from another.
    #[must_use]
    pub fn hash(&self) -> &str {
        self.0.hash()
    }

    /// How many tasks there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.total()
    }

    /// When its tasks are admitted.
    #[must_use]
    pub fn admission(&self, workload: &Workload) -> Admission {
        if let Some(live) = &self.1 {
            let submitter = Box::new(AsTheyCome { live: Arc::clone(live), submitted: 0 });
            return Admission::Submitted { submitter, capacity: workload.arrivals.max_in_flight() };
        }
        match (self.0.arrivals(), &workload.arrivals) {
            (_, Arrivals::ClosedLoop { max_in_flight }) => Admission::Submitted {
                submitter: Box::new(ClosedLoop::new(self.0.total())),
                capacity: Some(max_in_flight.get()),
            },
            (None, _) | (_, Arrivals::Batch) => Admission::Batch,
            (Some(times), Arrivals::Open(open)) => Admission::Open {
                times: Box::new(times.map(Moment::from)),
                max_in_flight: open.max_in_flight.map(std::num::NonZeroU64::get),
                on_full: open.on_full,
            },
        }
    }
}

impl TaskStream for SharedStream {
    fn total(&self) -> Option<u64> {
        self.1.is_none().then(|| self.0.total())
    }

    fn class_total(&self, class: ClassId) -> u64 {
        self.0.class_total(class)
    }

    fn run_at(&self, position: u64, most: u64) -> StreamRun {
        let (first, count, class) = self.0.run_at(position, most);
        StreamRun { first, count, class }
    }
}

/// Submits tasks as their items come.
#[derive(Debug)]
struct AsTheyCome {
    live: Arc<Live>,
    submitted: u64,
}

impl Submitter for AsTheyCome {
    fn submit(&mut self, _: Moment, room: u64) -> Submission {
        let known = self.live.known(self.submitted);
        match known.count - self.submitted {
            0 if known.closed => Submission::Closed,
            0 => Submission::Nothing,
            left => {
                let count = left.min(room);
                self.submitted += count;
                Submission::Tasks(count)
            }
        }
    }

    fn told(&mut self, _: Moment, _: &Event<'_>) {}
}
