//! The processes that a process has started, those that these have started, and what they use, as `/proc` tells of live
//! ones (proc(5)). For readings of others: nobody is signalled, reaped or kept from ending.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use rustix::process::Pid;

use crate::os::process_table::{Stat, children_of_process, raw};
use crate::os::readings;

/// Most relatives of one process that are looked at: a program that starts more is not looked through for minutes.
const MOST: usize = 256;

/// The descendants of a process, parents before their children; without `others` and what these have started.
#[must_use]
pub(crate) fn descendants(pid: u32, others: &HashSet<u32>) -> Vec<u32> {
    let mut found: Vec<u32> = Vec::new();
    let mut next = Some(pid);
    let mut place = 0;
    while let Some(parent) = next {
        let children = pid_of(parent).map(children_of_process).unwrap_or_default();
        let new = children.into_iter().filter_map(|child| u32::try_from(raw(child)).ok());
        found.extend(new.filter(|child| !others.contains(child)));
        if found.len() >= MOST {
            found.truncate(MOST);
            return found;
        }
        next = found.get(place).copied();
        place += 1;
    }
    found
}

/// CPU time of the children that a process has waited for, with that of those that these had waited for; `None` where it
/// is gone. To a clock tick.
#[must_use]
pub(crate) fn waited_for(pid: u32) -> Option<Duration> {
    Stat::of(pid_of(pid)?).map(|stat| stat.waited_for())
}

/// CPU time of a process that was there at this reading of `CLOCK_MONOTONIC` in nanoseconds, with that of those that it has
/// waited for; `None` where it is gone, and the number may be another's by now.
#[must_use]
pub(crate) fn cpu_of(pid: u32, at: u64) -> Option<Duration> {
    let stat = Stat::of(pid_of(pid)?).filter(|stat| stat.started() <= at)?;
    Some(readings::cpu_time(pid).unwrap_or_default() + stat.waited_for())
}

/// CPU time of a live process with all that it has started, waited for or alive.
///
/// # Errors
/// As [`readings::cpu_time`].
pub(crate) fn family_cpu(pid: u32) -> io::Result<Duration> {
    let of = |pid| Ok::<_, io::Error>(readings::cpu_time(pid)? + waited_for(pid).unwrap_or_default());
    let own = of(pid)?;
    Ok(own + descendants(pid, &HashSet::new()).into_iter().filter_map(|pid| of(pid).ok()).sum::<Duration>())
}

fn pid_of(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn descendants_are_found_over_generations_without_those_of_others() {
        let script = "sh -c 'sleep 600 & sleep 600 & wait' & wait";
        let child = crate::os::spawn::Program::new(&["/bin/sh", "-c", script]).unwrap().spawn(&[]).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        let found = loop {
            let found = descendants(child.pid(), &HashSet::new());
            if found.len() == 3 {
                break found;
            }
            assert!(Instant::now() < deadline, "{found:?}");
            std::thread::yield_now();
        };
        assert_eq!(descendants(child.pid(), &HashSet::from([found[1]])).len(), 2, "the first sleep is another's");
        assert!(descendants(child.pid(), &HashSet::from([found[0]])).is_empty(), "with what it has started");
        for pid in found {
            let _ = rustix::process::kill_process(pid_of(pid).unwrap(), rustix::process::Signal::KILL);
        }
    }

    #[test]
    fn what_a_child_used_is_its_parents_when_it_was_waited_for() {
        let script = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done";
        let outer = format!("sh -c '{script}'; echo; sleep 600");
        let child = crate::os::spawn::Program::new(&["/bin/sh", "-c", &outer]).unwrap().spawn(&[]).unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while waited_for(child.pid()).unwrap() == Duration::ZERO {
            assert!(Instant::now() < deadline);
            std::thread::yield_now();
        }
        assert!(readings::cpu_time(child.pid()).unwrap() < waited_for(child.pid()).unwrap());
        for pid in descendants(child.pid(), &HashSet::new()) {
            let _ = rustix::process::kill_process(pid_of(pid).unwrap(), rustix::process::Signal::KILL);
        }
    }
}
