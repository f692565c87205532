//! What ghosts burn: the CPU time of a lane from the moment at which its caller gave up until the ghost is gone.
//!
//! Read from the clock of its thread, or that of its process where it is alone in that, at both moments, never sampled; where
//! the worker has ended in it, from the kernel's account of its life, or the last look before it was ended. Of a worker with
//! several lanes that does not tell their threads nobody can tell which of them used how much. What those that are still there
//! have burnt so far is what it was at the last looks at them.

use std::collections::HashMap;
use std::time::Duration;

use crate::engine::event::{Event, LaneId, WorkerId};
use crate::os::board::Board;
use crate::os::{readings, relatives};

/// Most ghosts that are looked at for one state: a look at a process with all that it has started takes a while.
const MOST_LOOKS: usize = 64;

/// Sees all events pass by and fills in what ghosts burnt.
#[derive(Debug, Default)]
pub(super) struct GhostMeter {
    pids: HashMap<WorkerId, u32>,
    began: HashMap<LaneId, Ghost>,
    /// The last looks at lanes whose workers were ended.
    looked: HashMap<LaneId, Reading>,
    /// Ghosts that ended with their worker, whose account is to come.
    ended: Vec<(LaneId, Duration)>,
    /// Whether it was told last that some burn.
    told_burning: bool,
    /// How often they were looked at: not all have their turn each time.
    turn: usize,
}

/// One that is not gone, or whose account is to come.
#[derive(Clone, Copy, Debug)]
struct Ghost {
    /// When its caller gave up.
    before: Reading,
    /// Since then, at the last look.
    burnt: Duration,
}

/// What was used at a moment.
#[derive(Clone, Copy, Debug)]
struct Reading {
    used: Duration,
    /// Whether that is the lane's own thread, and not the whole process.
    own: bool,
}

impl GhostMeter {
    /// Tells the event, and before or instead of it what is known now of a ghost that is gone.
    pub(super) fn pass(&mut self, event: &Event<'_>, board: &Board, mut tell: impl FnMut(&Event<'_>)) {
        match event {
            Event::WorkerStarted { worker, pid, .. } => _ = self.pids.insert(*worker, *pid),
            Event::GhostBegan { lane } => {
                if let Some(reading) = self.read(*lane, board) {
                    self.began.insert(*lane, Ghost { before: reading, burnt: Duration::ZERO });
                }
            }
            // It has not even begun.
            Event::GhostEnded { lane, cpu: Some(_), .. } => _ = self.began.remove(lane),
            Event::GhostEnded { lane, after, .. } => {
                let (lane, after) = (*lane, *after);
                match self.read(lane, board) {
                    Some(reading) => tell(&self.gone(lane, after, Some(reading))),
                    None => self.ended.push((lane, after)),
                }
                return;
            }
            Event::WorkerExited { worker, usage, .. } => {
                self.pids.remove(worker);
                let (theirs, others) =
                    std::mem::take(&mut self.ended).into_iter().partition(|(lane, _)| lane.worker == *worker);
                self.ended = others;
                let theirs: Vec<(LaneId, Duration)> = theirs;
                for (lane, after) in theirs {
                    let whole = Reading { used: usage.cpu(), own: false };
                    let own = self.began.get(&lane).is_some_and(|ghost| ghost.before.own);
                    let reading = if own { self.looked.get(&lane).copied() } else { Some(whole) };
                    tell(&self.gone(lane, after, reading));
                }
                self.looked.retain(|lane, _| lane.worker != *worker);
            }
            _ => {}
        }
        tell(event);
    }

    /// A worker is about to be ended: what the threads of its ghosts have used cannot be read afterwards, and what the programs
    /// have used that it has started may be nobody's account.
    pub(super) fn last_look(&mut self, worker: WorkerId, board: &Board) {
        let ghosts: Vec<LaneId> = self.began.keys().filter(|lane| lane.worker == worker).copied().collect();
        for lane in ghosts {
            if let Some(reading) = self.look(lane, board) {
                self.looked.insert(lane, reading);
            }
        }
    }

    /// What those that are there have burnt so far; `None` where there is nothing to tell, again.
    pub(super) fn burning(&mut self, board: &Board) -> Option<Duration> {
        let rounds = self.began.len().div_ceil(MOST_LOOKS).max(1);
        self.turn = self.turn.wrapping_add(1);
        let has_its_turn = |lane: &&LaneId| lane.slot().0 as usize % rounds == self.turn % rounds;
        let ghosts: Vec<LaneId> = self.began.keys().filter(has_its_turn).copied().collect();
        for lane in ghosts {
            self.look(lane, board);
        }
        let burns = !self.began.is_empty();
        let told = std::mem::replace(&mut self.told_burning, burns);
        (burns || told).then(|| self.began.values().map(|ghost| ghost.burnt).sum())
    }

    fn look(&mut self, lane: LaneId, board: &Board) -> Option<Reading> {
        let reading = self.read(lane, board)?;
        let burnt = self.burnt(lane, reading);
        if let Some((ghost, burnt)) = self.began.get_mut(&lane).zip(burnt) {
            ghost.burnt = burnt;
        }
        Some(reading)
    }

    /// What a ghost has burnt by this reading, if that says it; no less than was told before.
    fn burnt(&self, lane: LaneId, now: Reading) -> Option<Duration> {
        let Ghost { before, burnt } = *self.began.get(&lane)?;
        let alone =
            || lane.number == 0 && !self.began.keys().any(|other| other.worker == lane.worker && *other != lane);
        let alike = before.own == now.own && (now.own || alone());
        alike.then(|| now.used.saturating_sub(before.used).max(burnt))
    }

    fn gone(&mut self, lane: LaneId, after: Duration, now: Option<Reading>) -> Event<'static> {
        let cpu = now.and_then(|now| self.burnt(lane, now));
        self.began.remove(&lane);
        Event::GhostEnded { lane, after, cpu }
    }

    /// What a live lane has used, with the programs that its worker has started where that has no other.
    fn read(&self, lane: LaneId, board: &Board) -> Option<Reading> {
        let pid = *self.pids.get(&lane.worker)?;
        match board.thread(lane.slot().0).filter(|thread| thread.id != pid) {
            Some(thread) => {
                let times = readings::thread_times(pid, thread.id).ok()?;
                Some(Reading { used: times.cpu, own: true })
            }
            None => Some(Reading { used: relatives::family_cpu(pid).ok()?, own: false }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::{DeathCause, Slot, Usage};
    use crate::engine::outcome::Exit;

    #[test]
    fn a_ghost_has_the_account_of_its_own_worker_whoever_ends_first() {
        let mut meter = GhostMeter::default();
        let workers = [0, 1].map(|slot| WorkerId { slot: Slot(slot), epoch: 1 });
        let (board, mut told) = (Board::create().unwrap(), Vec::new());
        let mut pass = |event: &Event<'_>| {
            meter.pass(event, &board, |event| {
                if let Event::GhostEnded { lane, cpu, .. } = event {
                    told.push((lane.worker, *cpu));
                }
            });
        };
        // Processes that there are not: what they have used by now cannot be read.
        for worker in workers {
            pass(&Event::WorkerStarted { worker, pid: u32::MAX, restart: false });
            pass(&Event::GhostEnded { lane: worker.lane(0), after: Duration::ZERO, cpu: None });
        }
        for worker in [workers[1], workers[0]] {
            pass(&Event::WorkerExited {
                worker,
                pid: u32::MAX,
                exit: Exit::Code(0),
                usage: Usage::NONE,
                expected: true,
                cause: DeathCause::Left,
                peak_rss_bytes: None,
            });
        }
        assert_eq!(told, [(workers[1], None), (workers[0], None)]);
    }

    #[test]
    fn one_that_was_not_even_begun_has_burnt_nothing_and_burns_no_more() {
        let (mut meter, board) = (GhostMeter::default(), Board::create().unwrap());
        let worker = WorkerId { slot: Slot(0), epoch: 1 };
        let lane = worker.lane(0);
        let mut told = Vec::new();
        let skipped = Event::GhostEnded { lane, after: Duration::ZERO, cpu: Some(Duration::ZERO) };
        assert_eq!(meter.burning(&board), None);
        for event in [
            Event::WorkerStarted { worker, pid: std::process::id(), restart: false },
            Event::GhostBegan { lane },
            skipped,
        ] {
            meter.pass(&event, &board, |event| {
                if let Event::GhostEnded { cpu, .. } = event {
                    told.push(*cpu);
                }
            });
            if matches!(event, Event::GhostBegan { .. }) {
                assert!(meter.burning(&board).is_some());
            }
        }
        assert_eq!(told, [Some(Duration::ZERO)]);
        assert_eq!([meter.burning(&board), meter.burning(&board)], [Some(Duration::ZERO), None]);
    }
}
