//! A family: the descendants of another process, for one that outlives it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rustix::process::{Pid, Signal};

use crate::os::clock;
use crate::os::orphans::environment;
use crate::os::process_table::{Stands, Stat, children_of_process, raw, stands_still, stat_of};
use crate::os::resource_tracker;

/// How long one [`Family::end`] waits for processes to stop, all together.
const LOOK: Duration = Duration::from_millis(20);

/// The descendants of another process, as they were seen. For one that outlives it: once a process has ended, nothing tells
/// any more who descended from it.
#[derive(Debug, Default)]
pub(crate) struct Family {
    members: BTreeMap<i32, u64>,
    /// Those that are to be ended: their parents may be gone before them.
    doomed: BTreeMap<i32, u64>,
    spared: BTreeMap<i32, u64>,
}

impl Family {
    /// A family without these processes and their descendants, as [`crate::os::orphans::spared`] lists them.
    #[must_use]
    pub(crate) fn sparing(list: &str) -> Self {
        let entry = |entry: &str| {
            let (pid, ticks) = entry.split_once(':')?;
            Some((pid.parse().ok()?, ticks.parse().ok()?))
        };
        Self { spared: list.split(',').filter_map(entry).collect(), ..Self::default() }
    }

    /// Looks at the descendants that this process has now; says how many are known.
    pub(crate) fn look(&mut self, ancestor: u32) -> usize {
        let own = rustix::process::getpid();
        self.members.retain(|pid, ticks| stat_of(*pid).is_some_and(|stat| stat.ticks == *ticks));
        let mut seen = BTreeSet::new();
        let mut parents: Vec<Pid> = i32::try_from(ancestor).ok().and_then(Pid::from_raw).into_iter().collect();
        while let Some(parent) = parents.pop() {
            for child in children_of_process(parent) {
                let Some(stat) = Stat::of(child) else { continue };
                let spared = self.spared.get(&raw(child)) == Some(&stat.ticks);
                if child != own && !spared && seen.insert(raw(child)) {
                    self.members.insert(raw(child), stat.ticks);
                    parents.push(child);
                }
            }
        }
        self.members.len()
    }

    /// Kills every process that carries this variable (`NAME=value`), and all that descend from these; where the
    /// ancestor is gone, every member of the family too. Not reaped: they are not ours.
    ///
    /// They are stopped first, until nobody new is found: one that is killed in the middle of a fork leaves a child that
    /// nothing tells of. Those that have not stopped yet are killed in the `last` call. Returns how many there were.
    pub(crate) fn end(&mut self, variable: &str, ancestor_is_gone: bool, last: bool) -> usize {
        let until = clock::monotonic() + LOOK.as_nanos() as u64;
        self.doomed.retain(|pid, ticks| stat_of(*pid).is_some_and(|stat| stat.ticks == *ticks && !stat.ended));
        loop {
            let before = self.doomed.len();
            for (pid, ticks) in self.find(variable, ancestor_is_gone, last) {
                // One of another user cannot be ended, nor told from one that never stops.
                if self.doomed.get(&pid) != Some(&ticks) && signal(pid, Signal::STOP) {
                    self.doomed.insert(pid, ticks);
                }
            }
            let moving = self.doomed.keys().filter(|pid| !still(**pid, until)).count();
            if self.doomed.len() == before && moving == 0 || clock::monotonic() >= until {
                break;
            }
        }
        for pid in self.doomed.keys().filter(|pid| last || still(**pid, 0)) {
            signal(*pid, Signal::KILL);
        }
        self.doomed.len()
    }

    /// Those that are to be ended, with their start times.
    /// Trackers of resources, which end by themselves, only in the `last` call.
    fn find(&self, variable: &str, ancestor_is_gone: bool, last: bool) -> BTreeMap<i32, u64> {
        let own = rustix::process::getpid();
        let Ok(processes) = std::fs::read_dir("/proc") else { return BTreeMap::new() };
        let all: BTreeMap<i32, Stat> = processes
            .flatten()
            .filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
            .filter_map(|pid| Some((raw(pid), Stat::of(pid).filter(|stat| !stat.ended && pid != own)?)))
            .collect();
        let carries = |pid: i32| {
            let environment = Pid::from_raw(pid).and_then(|pid| environment(pid).ok()).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|entry| entry == variable.as_bytes())
        };
        let known = |pid: i32, stat: &Stat| {
            self.doomed.get(&pid) == Some(&stat.ticks)
                || ancestor_is_gone && self.members.get(&pid) == Some(&stat.ticks)
        };
        let mut found = BTreeMap::new();
        let mut next: BTreeMap<i32, u64> = all
            .iter()
            .filter(|(pid, stat)| known(**pid, stat) || carries(**pid))
            .map(|(pid, stat)| (*pid, stat.ticks))
            .collect();
        while !next.is_empty() {
            found.extend(&next);
            next = all
                .iter()
                .filter(|(pid, stat)| next.contains_key(&stat.parent) && !found.contains_key(*pid))
                .map(|(pid, stat)| (*pid, stat.ticks))
                .collect();
        }
        found.retain(|pid, _| last || Pid::from_raw(*pid).is_none_or(|pid| !resource_tracker::is_one(pid)));
        found
    }
}

fn still(pid: i32, until: u64) -> bool {
    Pid::from_raw(pid).is_none_or(|pid| stands_still(pid, until) == Stands::Still)
}

/// Whether it could be signalled.
fn signal(pid: i32, signal: Signal) -> bool {
    Pid::from_raw(pid).is_some_and(|pid| rustix::process::kill_process(pid, signal).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_everyone_below() {
        let script = "sleep 600 & exec sleep 600";
        let child = crate::os::spawn::Program::new(&["/bin/sh", "-c", script]).unwrap().spawn(&[]).unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        let mut family = Family::default();
        while family.look(child.pid()) < 1 {
            assert!(std::time::Instant::now() < deadline);
            std::thread::yield_now();
        }
        assert_eq!(family.members.len(), 1);
    }
}
