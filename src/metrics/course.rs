//! How the memory of the workers of one run went: of all of them together, and of each from its start to its end.
//!
//! Bounded: a course that is full becomes coarser, and of many workers the oldest that are gone are forgotten. What it
//! means is decided elsewhere.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::engine::event::{Moment, Slot};

/// Most points of one series; when it is full, every second one goes.
const POINTS: usize = 128;
/// Most workers that are followed.
const LIVES: usize = 64;

/// See the module docs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MemoryCourse {
    /// All workers together.
    pub all: Vec<MemoryPoint>,
    /// Workers that have done a task, in the order in which they began; not those that live for one task.
    pub lives: Vec<LifeCourse>,
}

/// The memory of one worker, from its first task on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LifeCourse {
    pub slot: Slot,
    pub pid: u32,
    /// Whether it is gone.
    pub over: bool,
    /// Oldest first, evenly spaced but for the readings that did not come.
    pub points: Vec<MemoryPoint>,
}

/// Memory at one moment, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryPoint {
    /// Run clock, as in [`crate::metrics::snapshot::Snapshot::at`].
    pub at: Moment,
    /// Resident.
    pub rss_bytes: u64,
    /// Proportional share; `None` where it cannot be read.
    pub pss_bytes: Option<u64>,
    /// Tasks that had succeeded by then: of the worker, or of the run.
    pub tasks: u64,
}

/// Writes the course of one run.
#[derive(Debug, Default)]
pub(crate) struct CourseWriter {
    course: Arc<MemoryCourse>,
    /// Every so many readings make a point of the sum, and so many have come.
    all: Stride,
    /// By slot: what is read of it now.
    slots: Vec<Followed>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Followed {
    /// Process and place among the lives.
    life: Option<u32>,
    stride: Stride,
    /// When it was last read, by the sampler's clock.
    read: std::time::Duration,
}

/// How many readings make a point: a power of two.
#[derive(Clone, Copy, Debug, Default)]
struct Stride {
    doublings: u32,
    come: u64,
}

impl Stride {
    /// Whether the reading that comes now is a point.
    fn step(&mut self) -> bool {
        self.come += 1;
        (self.come - 1).is_multiple_of(1 << self.doublings)
    }

    fn push(&mut self, points: &mut Vec<MemoryPoint>, point: MemoryPoint) {
        if self.step() {
            if points.len() >= POINTS {
                let mut place = 0usize;
                points.retain(|_| {
                    place += 1;
                    place % 2 == 1
                });
                self.doublings += 1;
            }
            points.push(point);
        }
    }
}

/// A reading of the worker in a slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WorkerReading {
    pub(crate) slot: Slot,
    pub(crate) pid: u32,
    /// When it was read, by the sampler's clock.
    pub(crate) read: std::time::Duration,
    pub(crate) rss_bytes: u64,
    pub(crate) pss_bytes: Option<u64>,
    /// Tasks that it has done.
    pub(crate) tasks: u64,
}

impl CourseWriter {
    /// All workers together, as the newest readings have it.
    pub(crate) fn all(&mut self, at: Moment, rss_bytes: u64, pss_bytes: Option<u64>, tasks: u64) {
        // Nothing read is not nothing used.
        if rss_bytes > 0 {
            let point = MemoryPoint { at, rss_bytes, pss_bytes, tasks };
            let newest = self.course.all.last().is_none_or(|last| last.at < at);
            if newest {
                self.all.push(&mut Arc::make_mut(&mut self.course).all, point);
            }
        }
    }

    /// A worker that has done a task, if it was read anew.
    pub(crate) fn worker(&mut self, at: Moment, reading: WorkerReading) {
        let WorkerReading { slot, pid, read, rss_bytes, pss_bytes, tasks } = reading;
        if self.slots.len() <= slot.index() {
            self.slots.resize(slot.index() + 1, Followed::default());
        }
        let Some(followed) = self.slots.get_mut(slot.index()) else { return };
        if followed.read == read {
            return;
        }
        followed.read = read;
        if followed.life != Some(pid) {
            self.begin(slot, pid);
        }
        let Some(followed) = self.slots.get_mut(slot.index()) else { return };
        let course = Arc::make_mut(&mut self.course);
        let life = course.lives.iter_mut().rev().find(|life| life.slot == slot && life.pid == pid);
        if let Some(life) = life.filter(|life| !life.over) {
            followed.stride.push(&mut life.points, MemoryPoint { at, rss_bytes, pss_bytes, tasks });
        }
    }

    fn begin(&mut self, slot: Slot, pid: u32) {
        let course = Arc::make_mut(&mut self.course);
        course.lives.iter_mut().filter(|life| life.slot == slot).for_each(|life| life.over = true);
        if course.lives.len() >= LIVES {
            let Some(oldest) = course.lives.iter().position(|life| life.over) else { return };
            course.lives.remove(oldest);
        }
        course.lives.push(LifeCourse { slot, pid, over: false, points: Vec::new() });
        if let Some(followed) = self.slots.get_mut(slot.index()) {
            (followed.life, followed.stride) = (Some(pid), Stride::default());
        }
    }

    /// The run is over, and with it every life.
    pub(crate) fn over(&mut self) {
        if self.course.lives.iter().any(|life| !life.over) {
            Arc::make_mut(&mut self.course).lives.iter_mut().for_each(|life| life.over = true);
        }
    }

    pub(crate) fn shared(&self) -> Arc<MemoryCourse> {
        Arc::clone(&self.course)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn reading(slot: u32, pid: u32, read: u64) -> WorkerReading {
        WorkerReading {
            slot: Slot(slot),
            pid,
            read: Duration::from_millis(read),
            rss_bytes: read,
            pss_bytes: None,
            tasks: 1,
        }
    }

    #[test]
    fn a_reading_is_a_point_once_and_a_life_ends_with_its_process() {
        let mut writer = CourseWriter::default();
        for (pid, read) in [(70, 1), (70, 1), (70, 2), (71, 3)] {
            writer.worker(Moment(read * 1_000_000), reading(4, pid, read));
        }
        let course = writer.shared();
        let lives: Vec<_> = course.lives.iter().map(|life| (life.pid, life.over, life.points.len())).collect();
        assert_eq!(lives, [(70, true, 2), (71, false, 1)]);
        writer.over();
        assert!(writer.shared().lives.iter().all(|life| life.over));
        assert!(!course.lives[1].over, "what was shared stays as it was");
    }

    #[test]
    fn it_is_bounded_and_its_points_stay_evenly_spaced() {
        let mut writer = CourseWriter::default();
        for read in 1..=20_000 {
            writer.worker(Moment(read), reading(0, 70, read));
            writer.worker(Moment(read), reading(1, read as u32, read));
            writer.all(Moment(read), read, None, read);
        }
        let course = writer.shared();
        assert_eq!(course.lives.len(), LIVES);
        assert_eq!(course.lives[0].pid, 70, "the one that lives is kept");
        for points in [&course.lives[0].points, &course.all] {
            assert!((POINTS / 2..=POINTS).contains(&points.len()), "{}", points.len());
            let gaps: Vec<u64> = points.windows(2).map(|pair| pair[1].at.0 - pair[0].at.0).collect();
            assert!(gaps.iter().all(|gap| *gap == gaps[0]), "{gaps:?}");
        }
    }
}
