//! A workload's stream in the words of an engine, shared by all runs of a session.

use crate::engine::event::Moment;
use crate::engine::stream::{Admission, ClosedLoop, StreamRun, TaskStream};
use crate::workload::model::{Arrivals, ClassId, Workload};
use crate::workload::stream::Stream;

/// See the module docs.
#[derive(Clone, Debug)]
pub struct SharedStream(Stream);

impl SharedStream {
    /// The stream of a workload.
    #[must_use]
    pub fn new(workload: &Workload) -> Self {
        Self(Stream::new(workload))
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
        Some(self.0.total())
    }

    fn class_total(&self, class: ClassId) -> u64 {
        self.0.class_total(class)
    }

    fn run_at(&self, position: u64, most: u64) -> StreamRun {
        let (first, count, class) = self.0.run_at(position, most);
        StreamRun { first, count, class }
    }
}
