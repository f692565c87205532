//! A worker process, as far as the dispatcher knows it, and the table of workers and their lanes.

use std::ops::Range;
use std::time::Duration;

use super::Policy;
use super::input::Stop;
use super::lane::Lane;
use crate::engine::event::{LaneId, Moment, Slot, WorkerId, WorkerState};

/// A worker process, or the place for one.
#[derive(Debug, Default)]
pub(super) struct Worker {
    /// Counts the workers that had this place.
    pub(crate) epoch: u32,
    pub(crate) life: Life,
    pub(crate) pid: Option<u32>,
    /// Whether the fork server was asked for it and has not answered.
    pub(crate) asked_for: bool,
    /// Whether the next worker here replaces one that died or was killed.
    pub(crate) replaces: bool,
    /// Whether its socket is closed.
    pub(crate) closed: bool,
    /// Whether it was, before it was asked to leave: it will not have heard of that.
    pub(crate) deaf: bool,
    /// Whether it did anything yet.
    pub(crate) proven: bool,
    /// Tasks that it was given.
    pub(crate) given: u64,
}

/// What a worker is up to.
#[derive(Debug, Default)]
pub(super) enum Life {
    /// There is none.
    #[default]
    Free,
    /// There will be one as soon as the system lets us.
    Waiting,
    /// Its process is starting since then.
    Starting(Moment),
    /// It said hello and runs its initializer; its process has been starting since then.
    Initializing(Moment),
    /// It is there for work.
    Working,
    /// It was asked to leave after its task, or has done its only task.
    Leaving,
    /// It is being ended.
    Ending(Box<Termination>),
}

/// A worker that is being ended.
#[derive(Debug)]
pub(super) struct Termination {
    pub(crate) why: Why,
    /// Whether it had to be killed after its grace period.
    pub(crate) killed: bool,
    /// The last signal it was sent.
    pub(crate) sent: Stop,
    /// Whether it was told that it does not go although it was killed.
    pub(crate) unkillable: bool,
}

/// Why a worker is being ended.
#[derive(Debug)]
pub(super) enum Why {
    /// A task of one of its lanes worked too long.
    Timeout { limit: Duration },
    /// Its initializer failed, or took too long.
    NotInitialized(String),
    /// The user asked for it.
    User,
    /// The run is being ended.
    RunEnds,
    /// It cannot be understood.
    Misbehaved(String),
    /// It said nothing for too long.
    Silent,
    /// It closed its socket and lived on.
    Closed,
    /// It began a task that had its outcome already.
    Outlived,
    /// So many of its lanes are taken up by tasks whose callers have given up.
    Haunted { ghosts: u32, limit: Duration },
}

impl Worker {
    /// Whether there is a worker that is not being ended.
    pub(super) fn is_alive(&self) -> bool {
        matches!(self.life, Life::Starting(_) | Life::Initializing(_) | Life::Working | Life::Leaving)
    }

    pub(super) fn is_free(&self) -> bool {
        matches!(self.life, Life::Free)
    }

    /// Whether it is being ended because nothing that it says can be believed.
    pub(super) fn has_broken_the_protocol(&self) -> bool {
        matches!(&self.life, Life::Ending(ending) if matches!(ending.why, Why::Misbehaved(_)))
    }

    /// Whether it is not ready for tasks yet.
    pub(super) fn is_new(&self) -> bool {
        matches!(self.life, Life::Starting(_) | Life::Initializing(_))
    }

    /// Whether something is due from one of its lanes: its first word, or a word about what it holds. How long an
    /// initializer may take has a limit of its own.
    pub(super) fn owes(&self, lane: &Lane) -> bool {
        match self.life {
            Life::Starting(_) => true,
            Life::Working | Life::Leaving => lane.owes(),
            Life::Free | Life::Waiting | Life::Initializing(_) | Life::Ending(_) => false,
        }
    }

    /// What one of its lanes does, for people.
    pub(super) fn state(&self, lane: &Lane, policy: Policy) -> WorkerState {
        match &self.life {
            Life::Free | Life::Waiting => WorkerState::Free,
            Life::Starting(_) => WorkerState::Starting,
            Life::Initializing(_) => WorkerState::Initializing,
            Life::Working | Life::Leaving if lane.ghost.is_some() => WorkerState::Ghost,
            Life::Working if lane.busy() => WorkerState::Busy,
            Life::Working => WorkerState::Idle,
            // The end of a process that has done its only task is part of its life, not a departure.
            Life::Leaving if !policy.keeps_workers() => WorkerState::Ending,
            Life::Leaving => WorkerState::Retiring,
            Life::Ending(ending) if ending.unkillable => WorkerState::Unkillable,
            Life::Ending(_) => WorkerState::Ending,
        }
    }
}

/// Every worker and every lane. A worker with one lane has the number of its slot; where all lanes are those of one worker,
/// it is the first.
#[derive(Debug)]
pub(super) struct Table {
    workers: Vec<Worker>,
    lanes: Vec<Lane>,
    shared: bool,
}

impl Table {
    pub(crate) fn new(policy: Policy) -> Self {
        Self { workers: Vec::new(), lanes: Vec::new(), shared: policy.shares_worker() }
    }

    /// Makes it long enough for so many lanes.
    pub(crate) fn grow(&mut self, lanes: u32) {
        let workers = if self.shared { 1 } else { lanes as usize };
        if self.lanes.len() < lanes as usize {
            self.lanes.resize_with(lanes as usize, Lane::default);
        }
        if self.workers.len() < workers {
            self.workers.resize_with(workers, Worker::default);
        }
    }

    /// Every slot.
    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> + use<> {
        (0..u32::try_from(self.lanes.len()).unwrap_or(u32::MAX)).map(Slot)
    }

    pub(crate) fn workers(&self) -> &[Worker] {
        &self.workers
    }

    pub(crate) fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    fn owner(&self, slot: Slot) -> usize {
        if self.shared { 0 } else { slot.index() }
    }

    /// The names of all workers, whether there is a process or not.
    pub(crate) fn ids(&self) -> impl Iterator<Item = WorkerId> + '_ {
        (0..).zip(&self.workers).map(|(slot, worker)| WorkerId { slot: Slot(slot), epoch: worker.epoch })
    }

    /// The name of the lane in a slot.
    pub(crate) fn lane_id(&self, slot: Slot) -> Option<LaneId> {
        let first = if self.shared { Slot(0) } else { slot };
        let epoch = self.workers.get(self.owner(slot))?.epoch;
        let number = u16::try_from(slot.0 - first.0).ok()?;
        Some(LaneId { worker: WorkerId { slot: first, epoch }, number })
    }

    /// The slots of a worker's lanes.
    pub(crate) fn slots_of(&self, worker: WorkerId) -> Range<u32> {
        let first = worker.slot.0;
        let end =
            if self.shared { u32::try_from(self.lanes.len()).unwrap_or(u32::MAX) } else { first.saturating_add(1) };
        first..end
    }

    pub(crate) fn lanes_of(&self, worker: WorkerId) -> &[Lane] {
        let slots = self.slots_of(worker);
        self.lanes.get(slots.start as usize..slots.end as usize).unwrap_or_default()
    }

    pub(crate) fn lanes_of_mut(&mut self, worker: WorkerId) -> &mut [Lane] {
        let slots = self.slots_of(worker);
        self.lanes.get_mut(slots.start as usize..slots.end as usize).unwrap_or_default()
    }

    /// A worker, unless another one has its place by now.
    pub(crate) fn worker(&self, worker: WorkerId) -> Option<&Worker> {
        self.workers.get(worker.slot.index()).filter(|entry| entry.epoch == worker.epoch)
    }

    pub(crate) fn worker_mut(&mut self, worker: WorkerId) -> Option<&mut Worker> {
        self.workers.get_mut(worker.slot.index()).filter(|entry| entry.epoch == worker.epoch)
    }

    /// A lane and its worker, unless another worker has its place by now.
    pub(crate) fn lane_mut(&mut self, lane: LaneId) -> Option<(&mut Worker, &mut Lane)> {
        let worker = self.workers.get_mut(lane.worker.slot.index()).filter(|entry| entry.epoch == lane.worker.epoch)?;
        Some((worker, self.lanes.get_mut(lane.slot().index())?))
    }

    /// A lane, unless another worker has its place by now.
    pub(crate) fn lane(&self, lane: LaneId) -> Option<&Lane> {
        self.worker(lane.worker).and_then(|_| self.lanes.get(lane.slot().index()))
    }

    /// What is in a slot now.
    pub(crate) fn at(&self, slot: Slot) -> Option<(&Worker, &Lane)> {
        Some((self.workers.get(self.owner(slot))?, self.lanes.get(slot.index())?))
    }

    pub(crate) fn at_mut(&mut self, slot: Slot) -> Option<(&mut Worker, &mut Lane)> {
        let owner = self.owner(slot);
        Some((self.workers.get_mut(owner)?, self.lanes.get_mut(slot.index())?))
    }

    /// Every slot with what is in it.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (Slot, &Worker, &Lane)> {
        self.slots().filter_map(|slot| self.at(slot).map(|(worker, lane)| (slot, worker, lane)))
    }
}
