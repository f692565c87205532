//! What tasks leave behind, as a run sees it: who watches over it, and what is told of it. The rule is that of
//! [`super::strays`].

use std::ffi::OsString;
use std::fs::File;
use std::io;

use super::core::Core;
use super::guardian::Guardian;
use super::strays::Strays;
use crate::engine::event::{Severity, Slot, WorkerId};
use crate::os::child::Child;

/// What a guest in a host's process cannot do.
const STRAYS_AT_THE_END: &str =
    "processes that tasks leave behind are ended with the run: this process does not take orphans in";

impl Core {
    /// Programs can leave their group and start others: they are watched over.
    pub(super) fn guard(&mut self, own_program: &OsString, run: &str, workers: u32) {
        let strays = Strays::watch(run, &self.board, workers);
        let groups = strays.groups().map(|groups| groups.folder().to_owned());
        if !strays.are_found() {
            self.note(Severity::Info, STRAYS_AT_THE_END.to_owned());
        }
        self.strays = Some(strays);
        match Guardian::start(own_program, run, groups.as_deref()) {
            Ok(guardian) => self.guardian = Some(guardian),
            Err(error) => self.note(
                Severity::Warning,
                format!("no guardian could be started ({error}): programs may outlive a killed Poolscope"),
            ),
        }
    }

    /// The control group that the processes of a slot are born in, where there are any.
    pub(super) fn slot_group(&self, slot: Slot) -> io::Result<Option<File>> {
        self.strays.as_ref().and_then(Strays::groups).map(|groups| groups.open(slot.0)).transpose()
    }

    /// A process with a task ends before the task does: what the task has started ends with it.
    pub(super) fn tell_cut_short(&mut self, worker: WorkerId) {
        if self.strays.is_none() {
            return;
        }
        let tasks = self.in_tasks(worker);
        let leader = self.link(worker).and_then(|link| link.child.as_ref()).map(Child::pid);
        if let (Some(strays), Some(leader)) = (&self.strays, leader) {
            tasks.iter().for_each(|(_, task)| strays.cut_short(leader, task.index));
        }
    }

    /// A task is over, which may have left strays.
    pub(super) fn look_for_strays(&self) {
        if self.strays.is_some() {
            self.strays_notice.notify_one();
        }
    }

    /// Ends the strays of tasks that are over. Says whether some are to be looked at again soon.
    pub(super) fn sweep_strays(&mut self) -> bool {
        let Some(swept) = self.strays.as_ref().map(Strays::sweep) else { return false };
        self.tell_strays(swept.strays);
        self.new_orphans += swept.arrived as u64;
        for (pid, started, error) in swept.refused {
            if self.unendable.insert((pid, started)) {
                self.note(Severity::Warning, format!("process {pid}, left behind by a task, cannot be ended: {error}"));
            }
        }
        swept.dying + swept.killed > 0
    }

    /// The run is over: none of its strays stays.
    pub(super) fn end_strays(&mut self) {
        if let Some(strays) = self.strays.take() {
            let swept = strays.end();
            self.new_orphans += swept.arrived as u64;
            self.tell_strays(swept.strays);
        }
    }

    fn tell_strays(&mut self, strays: usize) {
        // Once, and without a number: those in a program's own group end with it and are not counted in every engine.
        if strays > 0 && !std::mem::replace(&mut self.strays_told, true) {
            self.note(Severity::Info, "tasks left processes behind, which were ended".to_owned());
        }
    }
}
