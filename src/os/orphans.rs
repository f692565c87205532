//! Orphans: descendants whose parent ended before them, such as a program that put itself in the background.
//!
//! The program makes itself a subreaper (`PR_SET_CHILD_SUBREAPER`, prctl(2)) and so inherits them: none can get away by
//! leaving its group or its session. A guest in a host's process ([`crate::os::process_owner`]) leaves that as it is.
//! What they are is told by their start time, by the control group they were born in and by their environment; who may
//! stay is decided by the caller of [`sweep`]. Only children of this process are ever signalled or reaped here, by
//! their own pid, and never one that has an owner ([`crate::os::child`]).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions};
use rustix::time::{ClockId, clock_gettime};

use crate::os::process_owner::ProcessOwner;
use crate::os::{child, clock};

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

fn spare_children() {
    let own = rustix::process::getpid();
    let mut spared = lock(&SPARED);
    for child in children_of_process(own) {
        if let Some(stat) = Stat::of(child) {
            spared.insert(raw(child), stat.ticks);
        }
    }
}

/// Process ids that are spared, with their start times, for a process that looks at our descendants
/// ([`Family::sparing`]).
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

fn raw(pid: Pid) -> i32 {
    pid.as_raw_nonzero().get()
}

fn stat_of(pid: i32) -> Option<Stat> {
    Stat::of(Pid::from_raw(pid)?)
}

/// What came of a [`sweep`].
#[derive(Debug, Default)]
pub(crate) struct Swept {
    /// Orphans that were killed.
    pub(crate) killed: usize,
    /// Orphans that were condemned before and are not gone yet.
    pub(crate) dying: usize,
    /// Orphans that stay for now.
    pub(crate) kept: usize,
    /// Orphans that could not be killed, with the reason.
    pub(crate) refused: Vec<(u32, io::Error)>,
}

/// Looks at every orphan: those that have ended are reaped, those that `keep` does not want are killed (and reaped by the
/// sweep after their end; killing one may orphan its own children, which are found then).
///
/// In a host's process a child that ended may be the host's own and is let be.
pub(crate) fn sweep(mut keep: impl FnMut(&Orphan) -> bool) -> Swept {
    let mut swept = Swept::default();
    // No child is started or reaped by its owner in the meantime, and no other sweep is under way.
    let owned = child::owned();
    let (mut killed, mut spared) = (lock(&CONDEMNED), lock(&SPARED));
    killed.retain(|pid, condemned| stat_of(*pid).is_some_and(|stat| stat.ticks == condemned.ticks));
    let until = clock::monotonic() + LOOK.as_nanos() as u64;
    look_after_spared(&mut spared);
    for pid in children() {
        if owned.contains(&raw(pid)) {
            continue;
        }
        let Some(stat) = Stat::of(pid) else { continue };
        let (was_killed, is_spared) = (killed.contains_key(&raw(pid)), spared.contains_key(&raw(pid)));
        if stat.ended {
            if was_killed || ProcessOwner::current().is_some() {
                let _ = rustix::process::waitpid(Some(pid), WaitOptions::NOHANG);
            }
            continue;
        }
        let orphan = Orphan { pid, started: stat.started(), environment: OnceLock::new() };
        if is_spared || !was_killed && keep(&orphan) {
            swept.kept += usize::from(!is_spared);
            continue;
        }
        match end_tree(pid, stat.ticks, until, &mut killed) {
            Ok(0) => swept.dying += 1,
            Ok(more) => swept.killed += more,
            Err(error) => swept.refused.push((orphan.pid(), error)),
        }
    }
    swept
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
    let children = children_of_process(pid);
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

/// Whether a process that was told to stop has done so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stands {
    /// With all of its threads, or it is gone.
    Still,
    /// Some of its threads wait where only SIGKILL is heard, the others stand still.
    Deaf,
    /// It has not had its turn yet.
    Not,
}

/// Waits for a process to stand still, until a moment of `CLOCK_MONOTONIC` in nanoseconds.
fn stands_still(pid: Pid, until: u64) -> Stands {
    loop {
        let threads = threads_of(pid).filter_map(|thread| Stat::read(&thread.join("stat")));
        let stands = threads.map(|stat| stat.stands).max().unwrap_or(Stands::Still);
        if stands == Stands::Still || clock::monotonic() >= until {
            return stands;
        }
        std::thread::sleep(Duration::from_micros(50));
    }
}

/// The folders of the threads of a process; none where it is gone.
fn threads_of(pid: Pid) -> impl Iterator<Item = PathBuf> {
    let threads = std::fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero()));
    threads.into_iter().flat_map(|threads| threads.flatten()).map(|thread| thread.path())
}

/// Children of all threads of a process.
fn children_of_process(pid: Pid) -> Vec<Pid> {
    threads_of(pid).flat_map(|thread| children_of(&thread.join("children").to_string_lossy())).collect()
}

/// Children of the main thread as the kernel lists them: it inherits the orphans; empty where there is no such list.
fn children() -> Vec<Pid> {
    let own = std::process::id();
    children_of(&format!("/proc/self/task/{own}/children"))
}

fn children_of(list: &str) -> Vec<Pid> {
    let Ok(list) = std::fs::read_to_string(list) else { return Vec::new() };
    list.split_ascii_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

/// What `/proc/PID/stat` (proc_pid_stat(5)) tells.
#[derive(Clone, Copy, Debug)]
struct Stat {
    parent: i32,
    /// Clock ticks since the machine was started; with the process id it names a process for good.
    ticks: u64,
    ended: bool,
    stands: Stands,
}

impl Stat {
    fn of(pid: Pid) -> Option<Self> {
        Self::read(Path::new(&format!("/proc/{}/stat", pid.as_raw_nonzero())))
    }

    fn read(file: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(file).ok()?;
        // The name in parentheses may hold anything.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let ticks: u64 = fields.get(19)?.parse().ok()?;
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            ticks,
            ended: matches!(fields.first(), Some(&("Z" | "X" | "x"))),
            stands: match fields.first() {
                Some(&("T" | "t" | "Z" | "X" | "x")) => Stands::Still,
                Some(&"D") => Stands::Deaf,
                _ => Stands::Not,
            },
        })
    }
}

impl Stat {
    /// When it was started: `CLOCK_MONOTONIC` in nanoseconds, rounded down to a tick.
    fn started(&self) -> u64 {
        self.ticks.saturating_mul(tick()).saturating_sub(slept())
    }
}

/// Nanoseconds of a clock tick.
fn tick() -> u64 {
    1_000_000_000 / rustix::param::clock_ticks_per_second().max(1)
}

/// How far the clock of start times, which counts the time that the machine slept, is ahead of `CLOCK_MONOTONIC`.
fn slept() -> u64 {
    let nanos = |id| {
        let time = clock_gettime(id);
        u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
    };
    nanos(ClockId::Boottime).saturating_sub(nanos(ClockId::Monotonic))
}

fn environment(pid: Pid) -> io::Result<Vec<u8>> {
    std::fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero()))
}

fn value(environment: &[u8], name: &str) -> Option<String> {
    let mut entries = environment.split(|byte| *byte == 0);
    let value = entries.find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
    Some(String::from_utf8_lossy(value).into_owned())
}

/// The descendants of another process, as they were seen. For one that outlives it: once a process has ended, nothing tells
/// any more who descended from it.
#[derive(Debug, Default)]
pub(crate) struct Family {
    members: BTreeMap<i32, u64>,
    spared: BTreeMap<i32, u64>,
}

impl Family {
    /// A family without these processes and their descendants, as [`spared`] lists them.
    #[must_use]
    pub(crate) fn sparing(list: &str) -> Self {
        let entry = |entry: &str| {
            let (pid, ticks) = entry.split_once(':')?;
            Some((pid.parse().ok()?, ticks.parse().ok()?))
        };
        Self { members: BTreeMap::new(), spared: list.split(',').filter_map(entry).collect() }
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
    /// ancestor is gone, every member of the family too. Returns how many there were; not reaped: they are not ours.
    pub(crate) fn end(&self, variable: &str, ancestor_is_gone: bool) -> usize {
        let own = rustix::process::getpid();
        let Ok(processes) = std::fs::read_dir("/proc") else { return 0 };
        let all: Vec<(Pid, Stat)> = processes
            .flatten()
            .filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?))
            .filter_map(|pid| Some((pid, Stat::of(pid).filter(|stat| !stat.ended && pid != own)?)))
            .collect();
        let carries =
            |pid| environment(pid).is_ok_and(|all| all.split(|byte| *byte == 0).any(|e| e == variable.as_bytes()));
        let known = |pid: Pid, stat: &Stat| ancestor_is_gone && self.members.get(&raw(pid)) == Some(&stat.ticks);
        let mut doomed: BTreeSet<i32> = BTreeSet::new();
        let mut next: Vec<i32> =
            all.iter().filter(|(pid, stat)| known(*pid, stat) || carries(*pid)).map(|(pid, _)| raw(*pid)).collect();
        while !next.is_empty() {
            doomed.extend(&next);
            next = all
                .iter()
                .filter(|(pid, stat)| next.contains(&stat.parent) && !doomed.contains(&raw(*pid)))
                .map(|(pid, _)| raw(*pid))
                .collect();
        }
        let killed = |pid: &&i32| {
            Pid::from_raw(**pid).is_some_and(|pid| rustix::process::kill_process(pid, Signal::KILL).is_ok())
        };
        doomed.iter().filter(killed).count()
    }
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
        let orphan = Orphan { pid, started: stat.started(), environment: OnceLock::new() };
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
