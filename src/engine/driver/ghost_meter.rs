//! What ghosts burn: the CPU time of a worker from the moment at which its caller gave up until the ghost is gone.
//!
//! Read from the process's own CPU clock at both moments, never sampled; where the worker has ended in it, from the
//! kernel's account of its life. Of a worker with several lanes nobody can tell which of them used how much.

use std::collections::HashMap;
use std::time::Duration;

use crate::engine::event::{Event, LaneId, WorkerId};
use crate::os::readings;

/// Sees all events pass by and fills in what ghosts burnt.
#[derive(Debug, Default)]
pub(super) struct GhostMeter {
    pids: HashMap<WorkerId, u32>,
    /// What the worker had used when the caller gave up.
    began: HashMap<LaneId, Duration>,
    /// Ghosts that ended with their worker, whose account is to come.
    ended: Vec<(LaneId, Duration)>,
}

impl GhostMeter {
    /// Tells the event, and before or instead of it what is known now of a ghost that is gone.
    pub(super) fn pass(&mut self, event: &Event<'_>, mut tell: impl FnMut(&Event<'_>)) {
        match event {
            Event::WorkerStarted { worker, pid, .. } => _ = self.pids.insert(*worker, *pid),
            Event::GhostBegan { lane } => {
                if let Some(used) = self.used(lane.worker) {
                    self.began.insert(*lane, used);
                }
            }
            Event::GhostEnded { lane, after, .. } => {
                let (lane, after) = (*lane, *after);
                match self.used(lane.worker) {
                    Some(used) => tell(&self.gone(lane, after, used)),
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
                    tell(&self.gone(lane, after, usage.cpu()));
                }
            }
            _ => {}
        }
        tell(event);
    }

    fn gone(&mut self, lane: LaneId, after: Duration, used: Duration) -> Event<'static> {
        let alone = lane.number == 0 && !self.began.keys().any(|other| other.worker == lane.worker && *other != lane);
        let cpu = self.began.remove(&lane).filter(|_| alone).map(|before| used.saturating_sub(before));
        Event::GhostEnded { lane, after, cpu }
    }

    /// What a live worker has used.
    fn used(&self, worker: WorkerId) -> Option<Duration> {
        readings::cpu_time(*self.pids.get(&worker)?).ok()
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
        let mut told = Vec::new();
        let mut pass = |event: &Event<'_>| {
            meter.pass(event, |event| {
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
}
