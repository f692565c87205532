//! What the user asks for: resize, pause, stop, kill.

use std::time::Duration;

use super::Dispatcher;
use super::input::{Effect, Sink, Stop};
use super::lane::Lane;
use super::timers::Timer;
use super::worker::{Life, Why, Worker};
use crate::engine::control::Command;
use crate::engine::event::{Event, Moment, RunState, Severity, Slot, WorkerId};
use crate::workload::model::OnTimeout;

/// How long it takes until a worker to be killed is looked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

impl Dispatcher {
    pub(super) fn control(&mut self, now: Moment, command: Command, out: &mut dyn Sink) {
        match command {
            _ if self.state.is_over() => {}
            // The submitter is asked in every turn.
            Command::Submit => {}
            Command::Resize(workers) => self.resize(now, workers.get(), out),
            Command::Pause => {
                if self.state == RunState::Running && self.ending.is_none() {
                    self.state = RunState::Paused;
                }
            }
            Command::Resume => {
                if self.state == RunState::Paused {
                    self.state = RunState::Running;
                    self.give_out_again(now, out);
                }
            }
            Command::Suspend => {
                if self.state != RunState::Suspended {
                    self.before_suspend = std::mem::replace(&mut self.state, RunState::Suspended);
                }
            }
            Command::Unsuspend => {
                if self.state == RunState::Suspended {
                    self.state = self.before_suspend;
                    self.admit(now, out);
                }
            }
            Command::Stop => self.end_run(now, RunState::Stopped, false, out),
            Command::Kill => self.end_run(now, RunState::Stopped, true, out),
            Command::OnTimeout(on_timeout) => self.set_on_timeout(now, on_timeout, out),
            Command::KillWorker(victim) => {
                self.to_kill.insert(victim);
            }
            Command::InjectFault(kind) => {
                if let Some(order) = kind.order().filter(|_| self.ending.is_none()) {
                    let text = format!("{} in the next task that begins, on request", kind.word());
                    self.note(now, Severity::Info, text, out);
                    out.effect(Effect::Order(order));
                }
            }
        }
    }

    /// What happens from now on to tasks that reach a limit; what has happened to others stays.
    fn set_on_timeout(&mut self, now: Moment, on_timeout: OnTimeout, out: &mut dyn Sink) {
        self.classes.iter_mut().for_each(|class| class.on_timeout = on_timeout);
        self.queue.set_on_timeout(on_timeout);
        self.note(now, Severity::Info, format!("on_timeout: {} from now on", on_timeout.word()), out);
    }

    fn resize(&mut self, now: Moment, workers: u32, out: &mut dyn Sink) {
        let workers = workers.min(self.max_workers);
        if workers == self.workers || self.ending.is_some() {
            return;
        }
        self.workers = workers;
        out.event(now, &Event::Resized { workers });
        self.fit_table(now, out);
    }

    /// Windows may have run half empty during a pause.
    fn give_out_again(&mut self, now: Moment, out: &mut dyn Sink) {
        self.pump(now, out);
        if self.policy.keeps_workers() {
            self.table.slots().for_each(|slot| self.refill(now, slot, out));
        }
    }

    /// Kills the workers that the user wants killed, as far as they are there. The others are looked for whenever something
    /// has happened; what a worker is in happens without a word, so that is asked for again soon.
    pub(super) fn kill_wanted(&mut self, now: Moment, out: &mut dyn Sink) {
        if self.to_kill.is_empty() {
            return;
        }
        if self.ending.is_some() {
            self.to_kill.clear();
        }
        for slot in std::mem::take(&mut self.to_kill) {
            let waits = match slot {
                // A slot that there is not will not come either.
                Some(slot) => self.table.at(slot).is_some() && !self.kill_worker(now, slot, out),
                None => true,
            };
            if waits {
                self.to_kill.insert(slot);
            }
        }
        if self.to_kill.contains(&None) && self.look_again <= now {
            // The board says which of them is in a task.
            let busy = self.table.rows().filter(|(_, worker, lane)| worker.is_alive() && lane.busy());
            let lanes = busy.filter_map(|(slot, ..)| self.table.lane_id(slot));
            let probes: Vec<Effect> = lanes.map(|lane| Effect::Probe { lane }).collect();
            if !probes.is_empty() {
                self.look_again = now + LOOK_AGAIN;
                self.timers.set(self.look_again, Timer::Kill);
                probes.into_iter().for_each(|probe| out.effect(probe));
            }
        }
    }

    /// A worker was found in a task: it may be the one that the user wants killed.
    pub(super) fn found_busy(&mut self, now: Moment, slot: Slot, out: &mut dyn Sink) {
        if self.to_kill.contains(&None) && self.kill_worker(now, slot, out) {
            self.to_kill.remove(&None);
        }
    }

    /// Says whether there was a worker to kill.
    fn kill_worker(&mut self, now: Moment, slot: Slot, out: &mut dyn Sink) -> bool {
        let keeps_workers = self.policy.keeps_workers();
        // A process that has done its task is as good as gone: the next one of its slot is meant.
        let there = |(worker, lane): &(&Worker, &Lane)| {
            worker.is_alive() && (keeps_workers || lane.busy() || lane.ghost.is_some())
        };
        let Some((worker, _)) = self.table.at(slot).filter(there) else { return false };
        // One that is being forked has no process that is known yet.
        let process = worker.pid.map_or_else(|| "not there yet".to_owned(), |pid| format!("pid {pid}"));
        let Some(id) = self.table.lane_id(slot).map(|lane| lane.worker) else { return false };
        self.note(now, Severity::Info, format!("worker {slot} ({process}) is killed on request"), out);
        self.end_worker(now, id, Why::User, Duration::ZERO, out);
        true
    }

    /// Ends the run before its last task: what waits is cancelled, what runs gets its grace period, or none.
    pub(super) fn end_run(&mut self, now: Moment, ending: RunState, kill: bool, out: &mut dyn Sink) {
        if self.state == RunState::Suspended {
            self.state = self.before_suspend;
        }
        // A run that broke stays broken; one that was finishing anyway is finished.
        if self.ending.is_none() || ending == RunState::Broken {
            self.ending = Some(ending);
        }
        self.state = RunState::Stopping;
        if self.stopped_at.is_none() {
            self.stopped_at = Some(now);
            out.event(now, &Event::RunEnds { early: true });
        }
        self.arrivals.end();
        self.counts.cancelled += self.queue.clear();
        let retries: u64 = self.timers.take_retries().iter().map(|ticket| ticket.count).sum();
        self.retrying -= retries;
        self.counts.cancelled += retries;
        for id in self.table.ids().collect::<Vec<_>>() {
            self.end_with_run(now, id, kill, out);
        }
    }

    /// One that survives its SIGTERM is to leave after its task all the same.
    fn end_with_run(&mut self, now: Moment, id: WorkerId, kill: bool, out: &mut dyn Sink) {
        let held = self.table.lanes_of(id).iter().filter_map(|lane| lane.open().next());
        let grace = held.map(|held| self.rules(held.ticket.class).grace_period).max().unwrap_or_default();
        let keeps_workers = self.policy.keeps_workers();
        let Some(worker) = self.table.worker_mut(id) else { return };
        match &worker.life {
            Life::Waiting => worker.life = Life::Free,
            Life::Starting(_) | Life::Initializing(_) | Life::Working | Life::Leaving => {
                let grace = if kill { Duration::ZERO } else { grace };
                if !grace.is_zero() && keeps_workers {
                    out.effect(Effect::Retire { worker: id });
                }
                self.end_worker(now, id, Why::RunEnds, grace, out);
            }
            Life::Ending(ending) => match ending.sent {
                // It was given longer than the user who stops a run waits.
                Stop::Kill => self.expect_gone(now, id),
                Stop::Terminate if kill => self.grace_over(now, id, out),
                Stop::Terminate => {}
            },
            Life::Free => {}
        }
    }

    /// Every task has its outcome: the workers may go, and ghosts must.
    pub(super) fn dismiss_all(&mut self, now: Moment, out: &mut dyn Sink) {
        self.idle.clear();
        for id in self.table.ids().collect::<Vec<_>>() {
            let haunted = self.table.lanes_of(id).iter().any(|lane| lane.ghost.is_some());
            let Some(worker) = self.table.worker_mut(id) else { return };
            match worker.life {
                // The caller has given up waiting for a ghost.
                Life::Starting(_) | Life::Initializing(_) | Life::Working | Life::Leaving if haunted => {
                    self.end_worker(now, id, Why::RunEnds, Duration::ZERO, out);
                }
                Life::Starting(_) | Life::Initializing(_) | Life::Working => {
                    self.retire(now, id, out);
                    self.timers.set(now + self.join_timeout, Timer::Join(id));
                }
                Life::Leaving => self.timers.set(now + self.join_timeout, Timer::Join(id)),
                Life::Waiting => worker.life = Life::Free,
                _ => {}
            }
        }
    }

    pub(super) fn misbehaved(&mut self, now: Moment, id: WorkerId, reason: String, out: &mut dyn Sink) {
        let Some(worker) = self.table.worker(id).filter(|worker| worker.is_alive()) else { return };
        let pid = worker.pid.unwrap_or(0);
        self.note(now, Severity::Warning, format!("worker {} (pid {pid}) is ended: {reason}", id.slot), out);
        self.end_worker(now, id, Why::Misbehaved(reason), Duration::ZERO, out);
    }
}
