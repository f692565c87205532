//! Orphans: descendants whose parent ended before them, such as a program that put itself in the background.
//!
//! The program makes itself a subreaper (`PR_SET_CHILD_SUBREAPER`, prctl(2)) and so inherits them: none can get away by
//! leaving its group or its session. A guest in a host's process ([`crate::os::process_owner`]) leaves that as it is.
//! What they are is told by their start time, by the control group they were born in and by their environment; who may
//! stay is decided by the caller of [`sweep`]. Only children of this process are ever signalled or reaped here, by
//! their own pid, and never one that has an owner ([`crate::os::child`]).

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions};

use crate::os::owned::owned;
use crate::os::process_owner::ProcessOwner;
use crate::os::process_table::{
    Stands, Stat, children, children_of_process, children_of_this_thread, raw, stands_still, stat_of, tick,
};
use crate::os::{child, clock, resource_tracker};

/// How long one look waits for processes to stop, all together; what takes longer, the next look finds stopped.
const LOOK: Duration = Duration::from_micros(500);
/// A process that waits for so long where no signal but SIGKILL is heard (the parent of a vfork(2), a file system that does
/// not answer) is killed although it has not stopped. One that only has not had its turn yet may be in the middle of a fork.
const DEAF_FOR: Duration = Duration::from_millis(100);

/// A process that is to be ended, named for good by its start time.
#[derive(Clone, Copy, Debug)]
struct Condemned {
    ticks: u64,
    /// Since when every look found it where only SIGKILL is heard: `CLOCK_MONOTONIC` in nanoseconds.
    deaf_since: Option<u64>,
}

/// Takes orphaned descendants in: they become children of this process. Those that it has now are spared: a shell that
/// becomes the program by `exec` may have started others before.
///
/// # Errors
/// `Unsupported` where the system has no subreapers.
pub fn become_subreaper(_: ProcessOwner) -> io::Result<()> {
    spare_children();
    #[cfg(target_os = "linux")]
    {
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        Ok(())
    }
    #[cfg(not(target_os = "linux"))]
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether orphaned descendants become children of this process, by its own arrangement or a host's.
#[must_use]
pub(crate) fn arrive_here() -> bool {
    #[cfg(target_os = "linux")]
    let subreaper = rustix::process::child_subreaper().is_ok_and(|flag| flag.is_some());
    #[cfg(not(target_os = "linux"))]
    let subreaper = false;
    subreaper || std::process::id() == 1
}

/// A child of this process that Poolscope has not started.
#[derive(Debug)]
pub(crate) struct Orphan {
    pid: Pid,
    group: i32,
    started: u64,
    environment: OnceLock<Vec<u8>>,
}

impl Orphan {
    /// Its process id.
    #[must_use]
    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Whether it can have been started by this program, or by one of its descendants: `at` is a reading of
    /// `CLOCK_MONOTONIC` in nanoseconds from before the program was started. The kernel tells start times in ticks; within
    /// one, the process ids tell, which are given out in order.
    #[must_use]
    pub(crate) fn can_descend_from(&self, program: Option<u32>, at: u64) -> bool {
        let certain = at <= self.started;
        let possible = at <= self.started.saturating_add(tick());
        certain || possible && program.is_none_or(|program| comes_after(self.pid(), program))
    }

    /// Whether it is a tracker of resources, which ends by itself when nobody needs it any more.
    #[must_use]
    pub(crate) fn is_resource_tracker(&self) -> bool {
        resource_tracker::is_one(self.pid)
    }

    /// Whether it was in the process group of this process when it was last seen there.
    #[must_use]
    pub(crate) fn is_in_group_of(&self, leader: u32) -> bool {
        u32::try_from(self.group) == Ok(leader)
    }

    /// Whether it was there at this reading of `CLOCK_MONOTONIC` in nanoseconds, as far as can be told.
    #[must_use]
    pub(crate) fn was_there_at(&self, at: u64) -> bool {
        self.started <= at
    }

    /// Value of a variable in the environment that it was started with. `None` also in the middle of an exec.
    #[must_use]
    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        let environment = self.environment.get_or_init(|| environment(self.pid).unwrap_or_default());
        value(environment, name)
    }

    /// Its control group (version 2), as a path from the root of the hierarchy.
    #[must_use]
    pub(crate) fn control_group(&self) -> Option<String> {
        let text = std::fs::read_to_string(format!("/proc/{}/cgroup", self.pid.as_raw_nonzero())).ok()?;
        text.lines().find_map(|line| line.strip_prefix("0::")).map(str::to_owned)
    }
}

/// Whether of two process ids, given out within a moment of each other, the first one is the later one. They begin anew
/// when the largest was given out, which is at least 32768 (`/proc/sys/kernel/pid_max`).
fn comes_after(pid: u32, other: u32) -> bool {
    const HALF: u32 = 1 << 14;
    if pid > other { pid - other < HALF } else { other - pid >= HALF }
}

/// Orphans that were killed here and are still to be reaped, with their start times.
static CONDEMNED: Mutex<BTreeMap<i32, Condemned>> = Mutex::new(BTreeMap::new());

/// Processes that were there before us, with their start times: children that this process had before it ran this
/// program, and their descendants. They are no strays.
static SPARED: Mutex<BTreeMap<i32, u64>> = Mutex::new(BTreeMap::new());

/// Orphans that a sweep has seen and that are still there, with their start times.
static SEEN: Mutex<BTreeMap<i32, u64>> = Mutex::new(BTreeMap::new());

fn spare_children() {
    let own = rustix::process::getpid();
    let mut spared = lock(&SPARED);
    for child in children_of_process(own) {
        if let Some(stat) = Stat::of(child) {
            spared.insert(raw(child), stat.ticks);
        }
    }
}

/// Spares a child of ours that is there to outlive this process by a moment.
pub(crate) fn spare(child: &child::Child) {
    let pid = i32::try_from(child.pid()).ok().and_then(Pid::from_raw);
    if let Some((pid, stat)) = pid.and_then(|pid| Some((pid, Stat::of(pid)?))) {
        lock(&SPARED).insert(raw(pid), stat.ticks);
    }
}

/// Process ids that are spared, with their start times, for a process that looks at our descendants
/// ([`crate::os::family::Family::sparing`]).
#[must_use]
pub(crate) fn spared() -> String {
    let list: Vec<String> = lock(&SPARED).iter().map(|(pid, ticks)| format!("{pid}:{ticks}")).collect();
    list.join(",")
}

/// Adds the descendants of those that are spared; forgets those that are gone.
fn look_after_spared(spared: &mut BTreeMap<i32, u64>) {
    if spared.is_empty() {
        return;
    }
    let mut next: Vec<i32> = spared.keys().copied().collect();
    spared.retain(|pid, ticks| stat_of(*pid).is_some_and(|stat| stat.ticks == *ticks));
    next.retain(|pid| spared.contains_key(pid));
    while let Some(pid) = next.pop().and_then(Pid::from_raw) {
        for child in children_of_process(pid) {
            if let (Some(stat), false) = (Stat::of(child), spared.contains_key(&raw(child))) {
                spared.insert(raw(child), stat.ticks);
                next.push(raw(child));
            }
        }
    }
}

fn lock<T>(mutex: &'static Mutex<T>) -> MutexGuard<'static, T> {
    // A thread that panicked with the lock did not leave the list half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What came of a [`sweep`].
#[derive(Debug, Default)]
pub(crate) struct Swept {
    /// Orphans that were killed.
    pub(crate) killed: usize,
    /// Of these, those that were left behind, and not orphaned by us.
    pub(crate) strays: usize,
    /// Orphans that were condemned before and are not gone yet.
    pub(crate) dying: usize,
    /// Orphans that no sweep has seen before, and that we have not made orphans.
    pub(crate) arrived: usize,
    /// Orphans that stay for now.
    pub(crate) kept: usize,
    /// Orphans that could not be killed, with their start times and the reason.
    pub(crate) refused: Vec<(u32, u64, io::Error)>,
}

/// Looks at every orphan: those that have ended are reaped, those that `keep` does not want are killed (and reaped by the
/// sweep after their end; killing one may orphan its own children, which are found then).
///
/// In a host's process a child that ended may be the host's own and is let be.
///
/// `ended` says of which orphans we have ended the parent ourselves, or somebody above it: nobody has left them behind.
pub(crate) fn sweep(mut keep: impl FnMut(&Orphan) -> bool, mut ended: impl FnMut(&Orphan) -> bool) -> Swept {
    let mut swept = Swept::default();
    // No child is started or reaped by its owner in the meantime, and no other sweep is under way.
    let owned = owned();
    let (mut killed, mut spared) = (lock(&CONDEMNED), lock(&SPARED));
    killed.retain(|pid, condemned| stat_of(*pid).is_some_and(|stat| stat.ticks == condemned.ticks));
    let mut seen = lock(&SEEN);
    seen.retain(|pid, ticks| stat_of(*pid).is_some_and(|stat| stat.ticks == *ticks));
    let until = clock::monotonic() + LOOK.as_nanos() as u64;
    look_after_spared(&mut spared);
    for pid in children() {
        if owned.contains(&raw(pid)) {
            continue;
        }
        let Some(stat) = Stat::of(pid) else { continue };
        let (was_killed, is_spared) = (killed.contains_key(&raw(pid)), spared.contains_key(&raw(pid)));
        let orphan = Orphan { pid, group: stat.group, started: stat.started(), environment: OnceLock::new() };
        let is_new = !is_spared && seen.insert(raw(pid), stat.ticks) != Some(stat.ticks);
        if is_new && !was_killed && !ended(&orphan) {
            swept.arrived += 1;
        }
        if stat.ended {
            if was_killed || ProcessOwner::current().is_some() {
                let _ = rustix::process::waitpid(Some(pid), WaitOptions::NOHANG);
            }
            continue;
        }
        if is_spared || !was_killed && keep(&orphan) {
            swept.kept += usize::from(!is_spared);
            continue;
        }
        match end_tree(pid, stat.ticks, until, &mut killed) {
            Ok(0) => swept.dying += 1,
            Ok(more) => {
                swept.killed += more;
                swept.strays += if ended(&orphan) { 0 } else { more };
            }
            Err(error) => swept.refused.push((orphan.pid(), stat.ticks, error)),
        }
    }
    swept
}

/// How many children of the calling thread have ended and were not reaped.
#[must_use]
pub(crate) fn zombies_of_this_thread() -> u64 {
    let ended = |pid: &Pid| Stat::of(*pid).is_some_and(|stat| stat.ended);
    children_of_this_thread().iter().filter(|pid| ended(pid)).count() as u64
}

/// How often a killed child is looked for, 200 µs apart, before it is left to itself.
const REAPING_TRIES: u32 = 25;

/// Kills and reaps the children of the calling thread that have no owner: those that a fork server had made and not told of
/// when it ended. To be called on a thread whose children are all ours.
pub(crate) fn end_untold() {
    let owned = owned();
    for pid in children_of_this_thread().into_iter().filter(|pid| !owned.contains(&raw(*pid))) {
        end_child(pid);
    }
}

/// Kills and reaps a child of the calling thread that has no owner.
pub(crate) fn end_child(pid: Pid) {
    if rustix::process::kill_process(pid, Signal::KILL).is_err() {
        return;
    }
    // One that does not go is not waited for: it is a zombie when it does, until this thread ends.
    for _ in 0..REAPING_TRIES {
        match rustix::io::retry_on_intr(|| rustix::process::waitpid(Some(pid), WaitOptions::NOHANG)) {
            Ok(None) => std::thread::sleep(std::time::Duration::from_micros(200)),
            Ok(Some(_)) | Err(_) => return,
        }
    }
}

/// Kills an orphan and everyone below it: a child that is born to it by now tells nothing of where it comes from once
/// its parent is gone. Returns how many there were that had not been condemned before.
fn end_tree(pid: Pid, ticks: u64, until: u64, killed: &mut BTreeMap<i32, Condemned>) -> io::Result<usize> {
    // A process that has stopped gets no other child, so what is listed then is complete: a signal does not undo a
    // fork(2) that is half done, and its child is not listed yet.
    rustix::process::kill_process(pid, Signal::STOP)?;
    let now = clock::monotonic();
    let mut count = usize::from(!killed.contains_key(&raw(pid)));
    let stands = stands_still(pid, until);
    let condemned = killed.entry(raw(pid)).or_insert(Condemned { ticks, deaf_since: None });
    if stands != Stands::Still {
        let deaf_since = condemned.deaf_since.take().unwrap_or(now);
        condemned.deaf_since = (stands == Stands::Deaf).then_some(deaf_since);
        if stands == Stands::Not || now.saturating_sub(deaf_since) < DEAF_FOR.as_nanos() as u64 {
            return Ok(count);
        }
    }
    let mut children = children_of_process(pid);
    children.retain(|child| !resource_tracker::is_one(*child));
    for child in &children {
        // All at once: the first is waited for, and meanwhile the others stop.
        let _ = rustix::process::kill_process(*child, Signal::STOP);
    }
    for child in children {
        if let Some(stat) = Stat::of(child) {
            // One of another user cannot be stopped; it is found here when it has lost its parent.
            count += end_tree(child, stat.ticks, until, killed).unwrap_or(0);
        }
    }
    rustix::process::kill_process(pid, Signal::KILL)?;
    Ok(count)
}

pub(super) fn environment(pid: Pid) -> io::Result<Vec<u8>> {
    std::fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero()))
}

fn value(environment: &[u8], name: &str) -> Option<String> {
    let mut entries = environment.split(|byte| *byte == 0);
    let value = entries.find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
    Some(String::from_utf8_lossy(value).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_started_when_it_was_started() {
        let before = crate::os::clock::monotonic();
        let child = crate::os::spawn::Program::new(&["/bin/sleep", "600"]).unwrap().spawn(&[]).unwrap();
        let after = crate::os::clock::monotonic();
        let pid = Pid::from_raw(i32::try_from(child.pid()).unwrap()).unwrap();
        let stat = Stat::of(pid).unwrap();
        assert_eq!(stat.parent.unsigned_abs(), std::process::id());
        assert!(!stat.ended);
        let orphan = Orphan { pid, group: stat.group, started: stat.started(), environment: OnceLock::new() };
        assert!(stat.started() <= after, "{stat:?} {after}");
        assert!(orphan.can_descend_from(None, before) && !orphan.can_descend_from(None, after + 2 * tick()));
        assert!(
            !orphan.can_descend_from(Some(child.pid()), after.max(stat.started() + 1)),
            "it is that program itself"
        );
    }

    #[test]
    fn process_ids_are_given_out_in_order_and_begin_anew() {
        assert!(comes_after(101, 100) && !comes_after(100, 101) && !comes_after(100, 100));
        assert!(comes_after(300, 32_700) && !comes_after(32_700, 300));
    }

    #[test]
    fn variables_are_found_by_their_whole_name() {
        let environment = b"A=1\0AB=2\0C=\0";
        assert_eq!(value(environment, "A").as_deref(), Some("1"));
        assert_eq!(value(environment, "C").as_deref(), Some(""));
        assert_eq!(value(environment, "B"), None);
    }
}
