//! CPython's resource tracker: a process beside an interpreter that has given names to things which outlive processes (shared
//! memory, semaphores). It hears of nothing but the end of the pipe that all users of these names hold; then it removes what
//! is left, says so, and ends by itself. A signal that ends it leaves the names for ever, so that it is spared where its
//! interpreter's group is killed. Who is one is told by the command line that `multiprocessing` gives it.

use rustix::process::{Pid, Signal};

use crate::os::owned;
use crate::os::process_table::{Stat, children_of_process, raw};

/// What the interpreter of a tracker is told to run.
const COMMAND: &[u8] = b"from multiprocessing.resource_tracker import main";
/// Somebody of a group may have started another one while it was killed.
const TIMES: u32 = 3;

/// Whether a process is one.
pub(super) fn is_one(pid: Pid) -> bool {
    let line = std::fs::read(format!("/proc/{}/cmdline", raw(pid))).unwrap_or_default();
    line.windows(COMMAND.len()).any(|part| part == COMMAND)
}

/// Whether the leader of a group may have children of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leader {
    MayLive,
    /// What were its children are others' by now (exit(2)).
    HasEnded,
}

/// Kills a group without the trackers that are in it. `false` where there are none: nothing was done then.
pub(super) fn kill_others_of_group(leader: Pid, state: Leader) -> bool {
    let alive = |pid: &Pid| Stat::of(*pid).is_some_and(|stat| stat.group == raw(leader) && !stat.ended);
    let own = if state == Leader::MayLive { children_of_process(leader) } else { Vec::new() };
    // Its own while it lives, ours when it is gone.
    let mut nearby = own.into_iter().chain(owned::arrived());
    if !nearby.any(|pid| alive(&pid) && is_one(pid)) {
        return false;
    }
    for _ in 0..TIMES {
        let all = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let all = all.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
        let others: Vec<Pid> = all.filter(alive).filter(|pid| !is_one(*pid)).collect();
        for pid in &others {
            // One that is gone needs none, and one of another user is left to whoever looks for what is left.
            let _ = rustix::process::kill_process(*pid, Signal::KILL);
        }
        if others.is_empty() {
            break;
        }
    }
    true
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::os::spawn::Program;

    fn until(what: &str, mut condition: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !condition() {
            assert!(Instant::now() < deadline, "waited in vain until {what}");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_group_is_killed_but_for_the_tracker_in_it() {
        // It looks like one.
        let tracker = "sh -c 'while :; do sleep 600; done' 'from multiprocessing.resource_tracker import main;main(5)'";
        let script = format!("{tracker} & sleep 600 & sleep 600");
        let mut child = Program::new(&["/bin/sh", "-c", &script]).unwrap().spawn(&[]).unwrap();
        child.spare_trackers_always();
        let leader = Pid::from_raw(i32::try_from(child.pid()).unwrap()).unwrap();
        let begun = || children_of_process(leader);
        until("all are there", || begun().len() == 3 && begun().into_iter().filter(|pid| is_one(*pid)).count() == 1);
        let (trackers, others): (Vec<Pid>, Vec<Pid>) = begun().into_iter().partition(|pid| is_one(*pid));
        child.signal(Signal::KILL).unwrap();
        until("the others are gone", || others.iter().all(|pid| Stat::of(*pid).is_none_or(|stat| stat.ended)));
        let [tracker] = trackers[..] else { panic!("{trackers:?}") };
        assert!(Stat::of(tracker).is_some_and(|stat| !stat.ended), "it is not killed with them");
        rustix::process::kill_process(tracker, Signal::KILL).unwrap();
        child.wait().unwrap();
    }
}
