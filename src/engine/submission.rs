//! From how a file says that tasks are submitted to what a dispatcher is told of it.

use crate::engine::dispatcher::Submitting;
use crate::engine::dispatcher::window::Chunk;
use crate::engine::stream::{Admission, ClosedLoop};
use crate::workload::model::{Dispatch, EngineSpec, SubmitMode};

/// How the caller of an arm gets its results.
#[must_use]
pub fn submitting(spec: &EngineSpec, chunk: Chunk) -> Submitting {
    let chunk = match chunk {
        Chunk::Fixed(chunk) => chunk,
        // How much travels together is nobody's affair: each task is returned for itself.
        Chunk::Adaptive | Chunk::One => 1,
    };
    Submitting { mode: spec.submit, chunk, queue_capacity: spec.queue_capacity.map(std::num::NonZeroU64::get) }
}

/// How many tasks a lane is dealt at a time, where they are.
#[must_use]
pub fn dealt(spec: &EngineSpec, chunk: Chunk) -> Option<u64> {
    match (spec.dispatch, chunk) {
        (Dispatch::Shared, _) => None,
        (Dispatch::RoundRobin, Chunk::Fixed(chunk)) => Some(chunk),
        (Dispatch::RoundRobin, Chunk::Adaptive | Chunk::One) => Some(1),
    }
}

/// When tasks are admitted, if they come `otherwise` where their caller neither waits for each nor for room.
#[must_use]
pub fn admission(otherwise: Admission, spec: &EngineSpec, total: Option<u64>) -> Admission {
    let one = (spec.submit == SubmitMode::Apply).then_some(1);
    match otherwise {
        Admission::Batch if one.is_some() || spec.queue_capacity.is_some() => {
            Admission::Submitted { submitter: Box::new(ClosedLoop::new(total.unwrap_or(u64::MAX))), capacity: one }
        }
        Admission::Submitted { submitter, capacity } => Admission::Submitted { submitter, capacity: one.or(capacity) },
        otherwise => otherwise,
    }
}
