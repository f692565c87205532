//! Processes as `/proc` lists them (proc(5)): whose children they are, when they were started, whether they stand still.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::process::Pid;
use rustix::time::{ClockId, clock_gettime};

use crate::os::accounting::PageFaults;
use crate::os::clock;

/// Whether a process that was told to stop has done so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stands {
    /// With all of its threads, or it is gone.
    Still,
    /// Some of its threads wait where only SIGKILL is heard, the others stand still.
    Deaf,
    /// It has not had its turn yet.
    Not,
}

/// Waits for a process to stand still, until a moment of `CLOCK_MONOTONIC` in nanoseconds.
pub(super) fn stands_still(pid: Pid, until: u64) -> Stands {
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
pub(super) fn children_of_process(pid: Pid) -> Vec<Pid> {
    threads_of(pid).flat_map(|thread| children_of(&thread.join("children").to_string_lossy())).collect()
}

/// The list of [`children`], kept open, of the process with this id: one that was forked has another.
static OWN_CHILDREN: Mutex<Option<(u32, File)>> = Mutex::new(None);

/// Children of the main thread as the kernel lists them: it inherits the orphans; empty where there is no such list.
pub(super) fn children() -> Vec<Pid> {
    let own = std::process::id();
    // A thread that panicked with the lock did not leave the file half changed.
    let mut kept = OWN_CHILDREN.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.as_ref().is_none_or(|(pid, _)| *pid != own) {
        *kept = File::open(format!("/proc/self/task/{own}/children")).ok().map(|list| (own, list));
    }
    let Some((_, list)) = kept.as_ref() else { return Vec::new() };
    let (mut text, mut part) = (Vec::new(), [0; 1024]);
    while let Ok(count @ 1..) = list.read_at(&mut part, text.len() as u64) {
        text.extend_from_slice(&part[..count]);
    }
    pids(&String::from_utf8_lossy(&text))
}

/// Children of the calling thread, as the kernel lists them.
pub(super) fn children_of_this_thread() -> Vec<Pid> {
    children_of("/proc/thread-self/children")
}

fn children_of(list: &str) -> Vec<Pid> {
    pids(&std::fs::read_to_string(list).unwrap_or_default())
}

fn pids(list: &str) -> Vec<Pid> {
    list.split_ascii_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

/// What `/proc/PID/stat` (proc_pid_stat(5)) tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stat {
    pub(super) parent: i32,
    /// Its process group; that of one that has ended too.
    pub(super) group: i32,
    /// Clock ticks since the machine was started; with the process id it names a process for good.
    pub(super) ticks: u64,
    pub(super) ended: bool,
    /// CPU time of the children that it waited for, in clock ticks.
    waited_for: u64,
    /// Its own CPU time, user and system, in clock ticks.
    own: [u64; 2],
    faults: PageFaults,
    stands: Stands,
}

impl Stat {
    pub(super) fn of(pid: Pid) -> Option<Self> {
        Self::read(Path::new(&format!("/proc/{}/stat", pid.as_raw_nonzero())))
    }

    fn read(file: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(file).ok()?;
        // The name in parentheses may hold anything.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let ticks: u64 = fields.get(19)?.parse().ok()?;
        let number = |field: usize| fields.get(field).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            ticks,
            waited_for: number(13).saturating_add(number(14)),
            own: [number(11), number(12)],
            faults: PageFaults { minor: number(7), major: number(9) },
            ended: matches!(fields.first(), Some(&("Z" | "X" | "x"))),
            stands: match fields.first() {
                Some(&("T" | "t" | "Z" | "X" | "x")) => Stands::Still,
                Some(&"D") => Stands::Deaf,
                _ => Stands::Not,
            },
        })
    }

    /// CPU time of the children that it waited for.
    pub(super) fn waited_for(&self) -> Duration {
        Duration::from_nanos(self.waited_for.saturating_mul(tick()))
    }

    /// How much of its own CPU time was system time, from 0 to 1.
    pub(super) fn system_share(&self) -> f64 {
        let [user, system] = self.own;
        if system == 0 { 0.0 } else { system as f64 / (user.saturating_add(system)) as f64 }
    }

    /// Its own page faults.
    pub(super) fn faults(&self) -> PageFaults {
        self.faults
    }

    /// When it was started: `CLOCK_MONOTONIC` in nanoseconds, rounded down to a tick.
    pub(super) fn started(&self) -> u64 {
        self.ticks.saturating_mul(tick()).saturating_sub(slept())
    }
}

/// Nanoseconds of a clock tick.
pub(super) fn tick() -> u64 {
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

/// The process with this number, while it is the one that was started at that tick.
pub(super) fn stat_of(pid: i32) -> Option<Stat> {
    Stat::of(Pid::from_raw(pid)?)
}

pub(super) fn raw(pid: Pid) -> i32 {
    pid.as_raw_nonzero().get()
}
