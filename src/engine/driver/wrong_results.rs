//! Results that were made wrong on purpose, as workers announce them: how many of them count as results in the end.

use std::collections::{BTreeMap, HashSet};

use crate::engine::event::{Event, LaneId, Slot, WorkerId};
use crate::worker::protocol::MAX_RECORDS;
use crate::workload::model::TaskIndex;

/// Most that a lane may announce before it reports.
pub(super) const MOST: usize = 2 * MAX_RECORDS;

/// Sees all events pass by and tells how many of the results in them are wrong ones.
#[derive(Debug, Default)]
pub(super) struct WrongResults {
    announced: BTreeMap<Slot, Announced>,
}

/// What a lane has announced and not reported yet.
#[derive(Debug)]
struct Announced {
    worker: WorkerId,
    tasks: HashSet<TaskIndex>,
}

impl WrongResults {
    /// A lane will report this task with a wrong result. Whether it may: it reports now and then.
    #[must_use]
    pub(super) fn told(&mut self, lane: LaneId, index: TaskIndex) -> bool {
        let worker = lane.worker;
        let nothing = || Announced { worker, tasks: HashSet::new() };
        let announced = self.announced.entry(lane.slot()).or_insert_with(nothing);
        if announced.worker != worker {
            *announced = nothing();
        }
        announced.tasks.insert(index);
        announced.tasks.len() <= MOST
    }

    /// A lane has reported these tasks, and what counts of that was told: another attempt may be right.
    pub(super) fn reported(&mut self, lane: LaneId, tasks: impl IntoIterator<Item = TaskIndex>) {
        let Some(announced) = self.announced.get_mut(&lane.slot()) else { return };
        for index in tasks {
            announced.tasks.remove(&index);
        }
        if announced.tasks.is_empty() {
            self.announced.remove(&lane.slot());
        }
    }

    /// Tells the event, and then how many of the results in it are wrong.
    pub(super) fn pass(&mut self, event: &Event<'_>, mut tell: impl FnMut(&Event<'_>)) {
        tell(event);
        if self.announced.is_empty() {
            return;
        }
        match event {
            Event::Succeeded(batch) => {
                let Some(Announced { tasks, .. }) = self.announced.get(&batch.slot) else { return };
                let count = batch.records.iter().filter(|record| tasks.contains(&record.index)).count() as u64;
                if count > 0 {
                    tell(&Event::MadeWrong { count });
                }
            }
            // What it announced and did not report is no result.
            Event::WorkerExited { worker, .. } => self.announced.retain(|_, announced| announced.worker != *worker),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::{Batch, Moment, Record};
    use crate::workload::model::Attempt;

    fn counted(wrong: &mut WrongResults, lane: LaneId, indices: &[TaskIndex]) -> u64 {
        let record = |index: &TaskIndex| Record { index: *index, start: Moment::ZERO, service: 1, after: 0, value: 0 };
        let records: Vec<Record> = indices.iter().map(record).collect();
        let batch = Batch {
            slot: lane.slot(),
            class: 0,
            attempt: Attempt::FIRST,
            arrival: Moment::ZERO,
            sent: Moment::ZERO,
            free_since: Moment::ZERO,
            records: &records,
        };
        let mut count = 0;
        wrong.pass(&Event::Succeeded(batch), |event| {
            if let Event::MadeWrong { count: more } = event {
                count += more;
            }
        });
        count
    }

    fn lane(epoch: u32) -> LaneId {
        WorkerId { slot: Slot(0), epoch }.lane(0)
    }

    #[test]
    fn a_word_counts_for_the_report_that_follows_it_and_for_no_other() {
        let mut wrong = WrongResults::default();
        assert!(wrong.told(lane(1), 3) && wrong.told(lane(1), 4) && wrong.told(lane(1), 9));
        assert_eq!(counted(&mut wrong, lane(1), &[2, 3, 4]), 2);
        wrong.reported(lane(1), [2, 3, 4]);
        // Nobody waited for 9, or it failed in the end: the next attempt at it is right.
        wrong.reported(lane(1), [9]);
        assert_eq!(counted(&mut wrong, lane(1), &[3, 9]), 0);
        assert!(wrong.announced.is_empty());
        // A worker that died before it reported.
        assert!(wrong.told(lane(1), 5) && wrong.told(lane(2), 6));
        assert_eq!(counted(&mut wrong, lane(2), &[5, 6]), 1);
    }

    #[test]
    fn more_than_a_lane_may_announce_is_too_much_however_often_it_reports_others() {
        let mut wrong = WrongResults::default();
        assert!((0..MOST as u64).all(|index| wrong.told(lane(1), index)));
        wrong.reported(lane(1), [0]);
        assert!(wrong.told(lane(1), MOST as u64) && !wrong.told(lane(1), MOST as u64 + 1));
    }
}
