//! What will happen, and when: the event list of the simulation, in virtual time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use poolscope::engine::event::{LaneId, WorkerId};

/// Something that a worker, the caller or the user will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scheduled {
    Hello(WorkerId),
    Initialized(WorkerId),
    Begin(LaneId),
    Seen(LaneId),
    CloseSocket(WorkerId),
    Finish(LaneId),
    Born(WorkerId),
    ServerHello(u32),
    ServerInitialized(u32),
    ServerDies(u32),
    Submit,
    Die(WorkerId, i32),
    Leave(WorkerId),
    /// It ends well, says its exit code.
    Quit(WorkerId),
    User,
}

/// What is scheduled; of two at the same moment, the first that was scheduled comes first.
#[derive(Default)]
pub(super) struct Schedule {
    list: BinaryHeap<Reverse<(u64, u64, Scheduled)>>,
    /// How many were ever scheduled.
    count: u64,
}

impl Schedule {
    pub(super) fn at(&mut self, moment: u64, what: Scheduled) {
        self.count += 1;
        self.list.push(Reverse((moment, self.count, what)));
    }

    /// When the next one is.
    pub(super) fn next(&self) -> Option<u64> {
        self.list.peek().map(|Reverse((at, ..))| *at)
    }

    pub(super) fn pop(&mut self) -> Option<(u64, Scheduled)> {
        self.list.pop().map(|Reverse((at, _, what))| (at, what))
    }
}
