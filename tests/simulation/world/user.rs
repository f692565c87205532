//! The virtual user: resizes, pauses, suspends, kills and stops at random.

use std::num::NonZeroU32;

use poolscope::engine::control::Command;
use poolscope::engine::dispatcher::Input;
use poolscope::engine::event::{RunState, Slot};
use poolscope::workload::model::OnTimeout;

use super::{Scheduled, World};
use crate::draws::MS;

impl World {
    /// What is in work when a run is stopped has no outcome but that, unless its worker was being ended before.
    fn remember_what_is_in_work(&mut self) {
        // What ended while a wake was late may be in work still by its board.
        if self.lateness > 0 {
            return;
        }
        let at_work = self.workers.values().filter(|worker| !worker.stopped);
        let in_work = at_work
            .flat_map(|worker| worker.lanes.values())
            .filter(|lane| !lane.ghost)
            .filter_map(|lane| lane.current.map(|current| current.index).or(lane.beginning.map(|(index, _)| index)));
        self.cut_short.extend(in_work.filter(|index| !self.told.ended.contains(index)));
    }

    pub(super) fn user(&mut self) {
        self.users_left -= 1;
        let command = match self.dice.below(14) {
            0..=3 => {
                self.faults.resizes += 1;
                let workers = NonZeroU32::new(1 + self.dice.below(10) as u32);
                self.aimed_at = workers.map_or(1, |workers| workers.get().into());
                Command::Resize(workers.unwrap_or(NonZeroU32::MIN))
            }
            4 => Command::Pause,
            5 | 6 => Command::Resume,
            7 => Command::Suspend,
            8 => Command::Unsuspend,
            9 | 10 => {
                self.faults.kills += 1;
                let slot = self.dice.below(8) as u32;
                Command::KillWorker(self.dice.chance(50).then_some(Slot(slot)))
            }
            11 | 12 => {
                self.faults.switches += 1;
                let on_timeout = if self.dice.chance(50) { OnTimeout::Kill } else { OnTimeout::Abandon };
                self.rules.iter_mut().for_each(|rules| rules.on_timeout = on_timeout);
                Command::OnTimeout(on_timeout)
            }
            _ => {
                self.faults.stops += 1;
                self.remember_what_is_in_work();
                self.stopped_at.get_or_insert(self.now);
                if self.dice.chance(50) { Command::Stop } else { Command::Kill }
            }
        };
        self.feed(Input::Control(command));
        if self.dispatcher.state() == RunState::Suspended {
            // A suspended run is woken, or nothing would ever happen.
            self.stood += self.dice.below(10 * MS);
            self.feed(Input::Control(Command::Unsuspend));
        }
        if self.users_left > 0 && self.told.over.is_none() {
            let gap = 1 + self.dice.below(50 * MS);
            self.later(gap, Scheduled::User);
        }
    }
}
