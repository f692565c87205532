//! The names of workers, of their lanes, and of the rows that lanes have. A name does not say whether there is such a one.

use serde::{Deserialize, Serialize};

/// The stable place of a lane, a row of the table: lanes have it one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Slot(pub u32);

impl Slot {
    /// As an index into the rows.
    #[must_use]
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

impl std::fmt::Display for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A worker process, named by the slot of its first lane and the number of workers that had it before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkerId {
    /// The slot of its first lane.
    pub slot: Slot,
    /// Counts the workers that had that slot.
    pub epoch: u32,
}

/// A lane of a worker: it runs one task at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId {
    pub worker: WorkerId,
    /// 0 for its first one.
    pub number: u16,
}

impl WorkerId {
    /// One of its lanes.
    #[must_use]
    pub fn lane(self, number: u16) -> LaneId {
        LaneId { worker: self, number }
    }
}

impl LaneId {
    /// Lanes of a worker have consecutive slots.
    #[must_use]
    pub(crate) fn slot(self) -> Slot {
        Slot(self.worker.slot.0.saturating_add(u32::from(self.number)))
    }
}
