//! A virtual caller who submits tasks bit by bit and is told what became of them.

use std::sync::{Arc, Mutex, PoisonError};

use poolscope::engine::event::{Event, Moment};
use poolscope::engine::stream::{Submission, Submitter};

/// What the caller has done and was told.
#[derive(Debug, Default)]
pub struct Caller {
    /// Tasks that it has still to submit when it is asked.
    pub ready: u64,
    /// Tasks that it will have ready later.
    pub later: u64,
    /// When each task was submitted.
    pub submitted: Vec<u64>,
    /// Final outcomes that it was told of.
    pub ended: u64,
    pub capacity: Option<u64>,
    /// Tasks that it will have submitted in all, where it says so.
    pub total: Option<u64>,
}

/// The caller as the world and the dispatcher share it.
#[derive(Clone, Debug, Default)]
pub struct SharedCaller(Arc<Mutex<Caller>>);

impl SharedCaller {
    pub fn with<T>(&self, act: impl FnOnce(&mut Caller) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Submitter for SharedCaller {
    fn submit(&mut self, now: Moment, room: u64) -> Submission {
        self.with(|caller| {
            let in_system = caller.submitted.len() as u64 - caller.ended;
            assert!(caller.capacity.is_none_or(|capacity| in_system + room <= capacity), "{caller:?}: room for {room}");
            match caller.ready.min(room) {
                0 if caller.ready + caller.later == 0 => Submission::Closed,
                0 => Submission::Nothing,
                count => {
                    caller.ready -= count;
                    caller.submitted.extend((0..count).map(|_| now.0));
                    Submission::Tasks(count)
                }
            }
        })
    }

    fn total(&self) -> Option<u64> {
        self.with(|caller| caller.total)
    }

    fn told(&mut self, _: Moment, event: &Event<'_>) {
        self.with(|caller| {
            caller.ended += match event {
                Event::Succeeded(batch) => batch.records.len() as u64,
                Event::Attempt(report) => u64::from(!report.retried),
                Event::Expired { count, .. } => *count,
                other => panic!("a caller is not told of {other:?}"),
            };
        });
    }
}
