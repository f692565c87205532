//! What the user asks for: what the program is told of it, and what it is not because it cannot do it.

use super::Conversation;
use crate::engine::control::Command;
use crate::engine::event::{Event, RunState, Severity};
use crate::engine::external::protocol::ToProgram;
use crate::os::clock::monotonic;

impl Conversation {
    /// What the user asks for; stopping a process and its clock is the caller's part.
    pub(in crate::engine::external) fn command(&mut self, command: Command) {
        let ending = self.state == RunState::Stopping || self.kill;
        match command {
            Command::Kill => {
                self.state = RunState::Stopping;
                self.ledger.stop(monotonic());
                self.kill = true;
            }
            Command::Stop if !ending => self.stop(),
            Command::Suspend if self.state != RunState::Suspended => {
                self.before = std::mem::replace(&mut self.state, RunState::Suspended);
                self.ledger.clock.suspend();
            }
            Command::Unsuspend if self.state == RunState::Suspended => {
                let stood = self.ledger.clock.resume();
                self.state = self.before;
                self.ledger.observer.event(self.ledger.clock.now(), &Event::Suspended(stood));
            }
            Command::Stop | Command::Suspend | Command::Unsuspend | Command::Submit => {}
            _ if ending => {}
            command => match self.can {
                None => self.early.push(command),
                Some(can) => match can.check(command) {
                    Ok(()) => self.ask(command),
                    Err(refusal) => self.note(Severity::Warning, refusal.to_string()),
                },
            },
        }
    }

    fn stop(&mut self) {
        let grace = self.classes.iter().map(|class| class.grace_period).max().unwrap_or_default();
        self.state = RunState::Stopping;
        self.ledger.stop(monotonic());
        self.kill = grace.is_zero();
        self.kill_at = Some(self.ledger.clock.now() + grace);
        self.say(&ToProgram::Stop);
    }

    /// Another state; one that stands still has it when it goes on.
    fn enter(&mut self, state: RunState) {
        let of = if self.is_suspended() { &mut self.before } else { &mut self.state };
        *of = state;
    }

    fn ask(&mut self, command: Command) {
        match command {
            Command::Resize(workers) => {
                self.workers = workers.get().min(self.most_workers);
                let workers = self.workers;
                self.ledger.observer.event(self.ledger.clock.now(), &Event::Resized { workers });
                self.say(&ToProgram::Resize { workers });
            }
            Command::Pause => {
                self.enter(RunState::Paused);
                self.say(&ToProgram::Pause);
            }
            Command::Resume => {
                self.enter(RunState::Running);
                self.say(&ToProgram::Resume);
            }
            Command::KillWorker(slot) => {
                self.to_kill.insert(slot);
                self.kill_wanted();
            }
            Command::InjectFault(_)
            | Command::Submit
            | Command::Suspend
            | Command::Unsuspend
            | Command::Stop
            | Command::Kill
            // No program can be asked for it.
            | Command::OnTimeout(_) => {}
        }
    }

    /// Has the workers killed that the user wants killed, as far as they are there. The others are looked for whenever the
    /// program has said something.
    pub(super) fn kill_wanted(&mut self) {
        if self.to_kill.is_empty() {
            return;
        }
        if self.state == RunState::Stopping || self.kill {
            self.to_kill.clear();
        }
        for slot in std::mem::take(&mut self.to_kill) {
            if let Some(worker) = self.ledger.kill(slot) {
                self.say(&ToProgram::KillWorker { worker });
            } else if slot.is_none_or(|slot| slot.0 < self.workers || self.ledger.knows_lane(slot)) {
                self.to_kill.insert(slot);
            } else if let Some(slot) = slot {
                self.note(Severity::Warning, format!("there is no worker {slot} to be killed"));
            }
        }
    }
}
