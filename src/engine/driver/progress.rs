//! The board's lines of workers that do not write to them: the parent does it, from what they say or from what it knows.
//! So the answer to which task a lane is in is found in one place.

use std::collections::VecDeque;

use super::core::Core;
use super::links::{Link, Peer};
use crate::engine::event::LaneId;
use crate::os::board::BoardEntry;
use crate::os::clock::monotonic;
use crate::worker::protocol::{Started, TaskRun, Tells};
use crate::workload::model::TaskIndex;

/// Takes so many tasks off; the next one.
fn advance(held: &mut VecDeque<TaskRun>, mut count: u64) -> Option<TaskIndex> {
    while let Some(run) = held.front_mut() {
        let taken = count.min(u64::from(run.count));
        run.first += taken;
        run.count -= u32::try_from(taken).unwrap_or(run.count);
        count -= taken;
        if run.count > 0 {
            return Some(run.first);
        }
        held.pop_front();
    }
    None
}

impl Core {
    /// A worker said that a task, or its program, has started.
    pub(super) fn write_started(&mut self, lane: LaneId, started: Started) {
        let slot = lane.slot().0;
        match started.program {
            Some(program) if self.board.task(slot).is_some_and(|task| task.index == started.index) => {
                self.board.program_started(slot, started.at, program);
            }
            _ => self.board.begin(slot, BoardEntry { index: started.index, started: started.at.min(monotonic()) }),
        }
    }

    /// Tasks were sent to a lane that does not use the board. One that tells nothing is in the first that it has not
    /// reported.
    pub(super) fn sent(&mut self, lane: LaneId, runs: &[TaskRun]) {
        let Some(Link { peer: Peer::Worker(peer), .. }) = self.link(lane.worker) else { return };
        let held = peer.held.entry(lane.number).or_default();
        let idle = held.is_empty();
        held.extend(runs);
        let supposed = idle && peer.tells == Tells::Nothing;
        if let Some(first) = runs.first().filter(|_| supposed) {
            self.board.begin(lane.slot().0, BoardEntry { index: first.first, started: monotonic() });
        }
    }

    /// So many tasks were reported, up to this one, which ended at this moment.
    pub(super) fn reported(&mut self, lane: LaneId, count: u64, last: TaskIndex, ended: u64) {
        let Some(Link { peer: Peer::Worker(peer), .. }) = self.link(lane.worker) else { return };
        let slot = lane.slot().0;
        match peer.tells {
            Tells::Board => {}
            // The next one may have started before this one was reported.
            Tells::Started => {
                peer.held.get_mut(&lane.number).and_then(|held| advance(held, count));
                if self.board.task(slot).is_some_and(|task| task.index == last) {
                    self.board.end(slot);
                }
            }
            Tells::Nothing => {
                let next = peer.held.get_mut(&lane.number).and_then(|held| advance(held, count));
                // It is not believed that it has ended before it can have begun, or not yet.
                let begun = self.board.task(slot).map_or(0, |task| task.started);
                let started = ended.max(begun).min(monotonic());
                match next {
                    Some(index) => self.board.begin(slot, BoardEntry { index, started }),
                    None => self.board.end(slot),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::model::Attempt;

    #[test]
    fn the_next_task_follows_the_ones_that_are_taken_off() {
        let run = |first, count| TaskRun { first, count, class: 0, attempt: Attempt::FIRST, begin_by: 0 };
        let mut held = VecDeque::from([run(10, 3), run(50, 1), run(7, 2)]);
        assert_eq!(advance(&mut held, 1), Some(11));
        assert_eq!(advance(&mut held, 2), Some(50));
        assert_eq!(advance(&mut held, 2), Some(8));
        assert_eq!(advance(&mut held, 9), None);
        assert_eq!(advance(&mut held, 1), None);
    }
}
