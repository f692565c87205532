//! What the user asks for, and what follows from it at once.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Conductor;
use crate::engine::control::Command;
use crate::engine::event::Slot;
use crate::session::arm::ArmState;
use crate::session::error::SessionError;
use crate::session::view::{Change, Mode, SessionCommand, SessionPhase};
use crate::workload::model::{FaultKind, OnTimeout};

/// Once the keys have rested for so long after a change of a worker count, it is measured.
const REST: Duration = Duration::from_millis(500);

impl Conductor {
    /// An arm could not go on, and has no more runs in this comparison. The others have; where they run at the same time,
    /// that is of no use any more.
    pub(super) fn broken(&mut self, index: usize, why: SessionError) {
        self.lifecycle.broken.get_or_insert(Arc::new(why));
        self.kills.forget_requests();
        if let Some(arm) = self.arms.get_mut(index) {
            arm.broken = true;
        }
        if self.mode == Mode::Together {
            self.lifecycle.in_vain = true;
            self.tell_all(Command::Kill);
        }
    }

    pub(super) fn tell_all(&self, command: Command) {
        self.live().for_each(|live| live.run.command(command));
    }

    pub(super) fn handle(&mut self, command: SessionCommand) {
        let idle = !self.is_under_way();
        match command {
            SessionCommand::Run(mode) if idle => self.begin(mode),
            SessionCommand::Measure(None) if idle => self.measure_changed(),
            SessionCommand::Measure(Some((arm, workers))) if idle => self.measure_again(arm, workers),
            SessionCommand::Sweep(sweep) if idle => self.begin_sweep(sweep),
            SessionCommand::Sweep(sweep) => {
                self.kills.forget_requests();
                if self.next_sweep.replace(sweep).is_none() {
                    self.stop();
                }
            }
            // One thing at a time.
            SessionCommand::Run(_) | SessionCommand::Measure(_) => {}
            SessionCommand::TogglePause => match self.phase() {
                SessionPhase::Running if self.live().all(|live| live.run.capabilities().pause) => {
                    self.lifecycle.paused = true;
                    self.arms.iter_mut().for_each(ArmState::touch);
                    self.tell_all(Command::Pause);
                }
                // Those that cannot pause refuse with a word, and so nobody pauses.
                SessionPhase::Running => {
                    let unable = self.live().filter(|live| !live.run.capabilities().pause);
                    unable.for_each(|live| live.run.command(Command::Pause));
                }
                SessionPhase::Paused => {
                    self.lifecycle.paused = false;
                    self.tell_all(Command::Resume);
                }
                _ => {}
            },
            SessionCommand::MoreTasks => self.tell_all(Command::Submit),
            SessionCommand::Hold(hold) => {
                // Whom the user has paused goes on when the user says so.
                if !self.lifecycle.paused {
                    self.tell_all(if hold { Command::Pause } else { Command::Resume });
                }
            }
            SessionCommand::Stop => {
                self.kills.forget_requests();
                // What is being stopped for a sweep has been asked once already, by us.
                let asked = self.next_sweep.take().is_some();
                if !idle && !asked {
                    self.stop();
                }
            }
            SessionCommand::ChangeWorkers { arm, change } => self.change_workers(arm, change),
            SessionCommand::SameWorkers(model) => {
                let Some(workers) = self.arms.get(model).map(ArmState::workers_now) else { return };
                let others = (0..self.arms.len()).filter(|arm| *arm != model);
                others.for_each(|arm| self.change_workers(arm, Change::To(workers)));
            }
            SessionCommand::Baseline(arm) => {
                if arm < self.arms.len() {
                    self.spec.baseline = arm;
                }
            }
            SessionCommand::KillWorker { arm, slot } => self.request_kill(arm, slot),
            SessionCommand::OnTimeout { arm, then } => self.change_on_timeout(arm, then),
            SessionCommand::InjectFault { arm, kind } => self.inject_fault(arm, kind),
            SessionCommand::Suspend => {
                self.suspended = true;
                self.deadline.suspend(Instant::now());
                self.budget.suspend(Instant::now());
                self.tell_all(Command::Suspend);
            }
            SessionCommand::Unsuspend => {
                self.suspended = false;
                self.deadline.resume(Instant::now());
                self.budget.resume(Instant::now());
                self.tell_all(Command::Unsuspend);
            }
        }
    }

    /// Nothing waits for another run: what is asked for is meant for what is seen.
    fn inject_fault(&mut self, index: usize, kind: FaultKind) {
        let Some(arm) = self.arms.get_mut(index) else { return };
        let Some(live) = &arm.live else { return };
        // An arm that cannot refuses with a word, and its run stays as it was.
        live.run.command(Command::InjectFault(kind));
        if live.run.capabilities().inject_fault {
            arm.touch();
        }
    }

    pub(super) fn request_kill(&mut self, index: usize, slot: Option<Slot>) {
        let Some(arm) = self.arms.get(index) else { return };
        if !arm.capabilities().kill_worker {
            // It refuses with a word.
            return arm.live.iter().for_each(|live| live.run.command(Command::KillWorker(slot)));
        }
        // What nothing follows on is not waited for, unless it is already.
        if !self.is_under_way() && !self.kills.waits(index) {
            return;
        }
        self.kills.request(index, slot);
        self.carry_out_kill(index, true);
    }

    /// In the live run of an arm.
    fn change_on_timeout(&mut self, index: usize, then: OnTimeout) {
        let Some(arm) = self.arms.get_mut(index) else { return };
        let Some(live) = &mut arm.live else { return };
        // One that cannot refuses with a word.
        live.run.command(Command::OnTimeout(then));
        if live.run.capabilities().on_timeout {
            live.on_timeout = Some(then);
            arm.touch();
        }
    }

    /// Kills a worker if the user wants one killed and there is one at work.
    pub(super) fn carry_out_kill(&mut self, index: usize, idle_too: bool) {
        let Some(arm) = self.arms.get_mut(index) else { return };
        let Some(live) = &arm.live else { return };
        if let Some(newest) = arm.track.frames.last()
            && let Some(victim) = self.kills.victim(index, newest, idle_too)
        {
            live.run.command(Command::KillWorker(victim));
            arm.touch();
        }
    }

    /// The file's `limits.max_time` has passed: what runs is ended as on request.
    pub(super) fn out_of_time(&mut self) {
        let limit = self.deadline.pass();
        if self.is_under_way() && self.lifecycle.may_go_on() {
            self.lifecycle.out_of_time = limit;
            self.kills.forget_requests();
            self.stop();
        }
    }

    /// Ends what runs; the second time it is killed.
    pub(super) fn stop(&mut self) {
        self.tell_all(if self.lifecycle.stops == 0 { Command::Stop } else { Command::Kill });
        self.lifecycle.stops += 1;
    }

    pub(super) fn change_workers(&mut self, index: usize, change: Change) {
        let Some(arm) = self.arms.get_mut(index).filter(|arm| arm.has_worker_count()) else { return };
        let now = arm.workers_now();
        let wanted = match change {
            Change::By(by) => now.saturating_add_signed(by),
            Change::Double => now.saturating_mul(2),
            Change::Halve => now / 2,
            Change::To(workers) => workers,
        };
        let workers = wanted.clamp(1, arm.most_workers);
        self.rested = Instant::now() + REST;
        if workers == now && workers == arm.workers {
            return;
        }
        arm.workers = workers;
        arm.changed = true;
        if workers == now {
            return;
        }
        // An arm that cannot be resized while it runs has the new number from its next run on.
        let resizable = arm.capabilities().resize;
        if let (Some(live), Some(count)) = (arm.live.as_ref().filter(|_| resizable), NonZeroU32::new(workers)) {
            live.run.command(Command::Resize(count));
            arm.resized(workers);
            self.compare();
        }
    }
}
