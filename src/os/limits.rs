//! How many processes and descriptors, and how much memory, may be had.

use rustix::process::{Resource, getrlimit};
use sysinfo::{MemoryRefreshKind, RefreshKind, System};

use crate::os::cgroup;

/// Most processes a plan may have at once, whatever the system allows.
const MOST_PROCESSES: u64 = 4096;
/// Processes and threads that Poolscope itself has beside its workers: session, engines, dashboard, guardian.
const OWN_PROCESSES: u64 = 8;
/// Of what is left of a limit of processes, one part in so many stays with others.
const OTHERS_SHARE: u64 = 10;
/// Descriptors that Poolscope itself has open at most during a run, beside what its workers need: runtimes, terminal,
/// output, files that are read for a moment, and those of a worker that is being started.
const OWN_DESCRIPTORS: u64 = 40;
/// Descriptors that each worker takes: its socket or the pipe of its output, its standard error, its end.
pub(crate) const DESCRIPTORS_PER_WORKER: u64 = 3;

/// Descriptors that a worker that is a program may take beside that, as long as there is room: the ends of its output that it
/// writes to.
const HELD_OPEN: u64 = 2;
/// Most programs of which they are held open.
const MOST_HELD_OPEN: u64 = 64;

const FREE_MEMORY: &str = "the memory that can be had now";
const LEFT_BY_GROUP: &str = "what pids.max of the control group leaves";
const OWN_MOST: &str = "Poolscope's own limit";

/// What is left of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headroom {
    pub limit: u64,
    /// What is in use now.
    pub used: u64,
    /// What is kept for Poolscope itself and for others.
    pub reserve: u64,
    /// Where the limit comes from, in words.
    pub source: &'static str,
}

impl Headroom {
    /// What workers may take.
    #[must_use]
    pub(crate) fn left(&self) -> u64 {
        self.limit.saturating_sub(self.used).saturating_sub(self.reserve)
    }

    fn of_processes(limit: u64, used: u64, source: &'static str) -> Self {
        Self { limit, used, reserve: OWN_PROCESSES + limit.saturating_sub(used) / OTHERS_SHARE, source }
    }

    fn of_descriptors(limit: u64, used: u64) -> Self {
        Self { limit, used, reserve: OWN_DESCRIPTORS, source: "RLIMIT_NOFILE" }
    }
}

/// What may be had now; `None` means without limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Processes and threads of this user (`RLIMIT_NPROC`); it does not hold for a privileged user.
    pub processes: Option<Headroom>,
    /// Open descriptors of this process (`RLIMIT_NOFILE`).
    pub descriptors: Option<Headroom>,
    /// Processes and threads that the control group lets start from now on (`pids.max` less `pids.current`).
    pub group_processes: Option<u64>,
    /// Bytes that can be allocated without swapping: the smaller of what the system and the control group have left;
    /// `None` where neither tells.
    pub memory_available: Option<u64>,
    /// Which of the two that is, in words.
    pub memory_source: &'static str,
}

impl Limits {
    /// Reads them.
    #[must_use]
    pub fn read() -> Self {
        let (memory_available, memory_source) = memory_available();
        let processes = getrlimit(Resource::Nproc).current.filter(|_| !is_privileged());
        Self {
            processes: processes.map(|limit| Headroom::of_processes(limit, processes_of_user(), "RLIMIT_NPROC")),
            descriptors: getrlimit(Resource::Nofile)
                .current
                .map(|limit| Headroom::of_descriptors(limit, open_descriptors())),
            group_processes: cgroup::processes_left(),
            memory_available,
            memory_source,
        }
    }

    /// The tightest limit on processes.
    #[must_use]
    pub(crate) fn process_room(&self) -> Headroom {
        let group = self.group_processes.map(|left| Headroom::of_processes(left, 0, LEFT_BY_GROUP));
        let most = Headroom { limit: MOST_PROCESSES, used: 0, reserve: 0, source: OWN_MOST };
        self.processes.into_iter().chain(group).chain([most]).min_by_key(Headroom::left).unwrap_or(most)
    }

    /// Most workers a run may have at once: as many as there is room for processes and descriptors, and at least 1.
    #[must_use]
    pub(crate) fn safe_workers(&self) -> u32 {
        let by_descriptors = self.descriptors.map_or(u64::MAX, |room| room.left() / DESCRIPTORS_PER_WORKER);
        u32::try_from(self.process_room().left().min(by_descriptors)).unwrap_or(u32::MAX).max(1)
    }
}

/// Of how many of so many programs at once both ends of their output may be held open.
#[must_use]
pub(crate) fn held_open(workers: u32) -> u32 {
    let room = getrlimit(Resource::Nofile).current.map(|limit| Headroom::of_descriptors(limit, open_descriptors()));
    held_open_in(room, workers)
}

fn held_open_in(room: Option<Headroom>, workers: u32) -> u32 {
    let most = room.map_or(MOST_HELD_OPEN, |room| {
        room.left().saturating_sub(u64::from(workers) * DESCRIPTORS_PER_WORKER) / HELD_OPEN
    });
    u32::try_from(most.min(MOST_HELD_OPEN)).unwrap_or(0)
}

/// Whether limits on processes do not hold for this one: it may exceed them (`CAP_SYS_RESOURCE` or `CAP_SYS_ADMIN`,
/// capabilities(7)) in the first user namespace.
fn is_privileged() -> bool {
    const EXCEEDS: u64 = 1 << 24 | 1 << 21;
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let effective = field(&read("/proc/self/status"), "CapEff:").and_then(|text| u64::from_str_radix(&text, 16).ok());
    let everyone = read("/proc/self/uid_map").split_whitespace().eq(["0", "0", "4294967295"]);
    everyone && effective.is_some_and(|effective| effective & EXCEEDS != 0)
}

/// Processes and threads of this process's real user, as far as they can be seen.
fn processes_of_user() -> u64 {
    let own = rustix::process::getuid().as_raw().to_string();
    let Ok(entries) = std::fs::read_dir("/proc") else { return 0 };
    entries
        .flatten()
        .filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit))
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("status")).ok())
        .filter(|status| field(status, "Uid:").is_some_and(|uid| uid == own))
        .filter_map(|status| field(&status, "Threads:")?.parse::<u64>().ok())
        .sum()
}

/// First word of a line `NAME word ...`.
fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next().map(str::to_owned)
}

fn open_descriptors() -> u64 {
    // The folder that is listed is open itself at that time.
    std::fs::read_dir("/proc/self/fd").map_or(3, |entries| (entries.count() as u64).saturating_sub(1))
}

/// Bytes, and where that limit comes from.
fn memory_available() -> (Option<u64>, &'static str) {
    let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let system =
        System::new_with_specifics(memory).ok().map(|system| system.available_memory()).filter(|bytes| *bytes > 0);
    let left = |bytes: Option<u64>, source| bytes.map(|bytes| (bytes, source));
    let group = left(cgroup::memory_left(), "what memory.max of the control group leaves");
    let least = left(system, FREE_MEMORY).into_iter().chain(group).min_by_key(|(bytes, _)| *bytes);
    least.map_or((None, FREE_MEMORY), |(bytes, source)| (Some(bytes), source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_follows_from_what_is_used_and_left() {
        let safe = |processes: Option<(u64, u64)>, group_processes, descriptors: Option<(u64, u64)>| {
            let processes = processes.map(|(limit, used)| Headroom::of_processes(limit, used, "RLIMIT_NPROC"));
            let descriptors = descriptors.map(|(limit, used)| Headroom::of_descriptors(limit, used));
            let memory_source = FREE_MEMORY;
            Limits { processes, descriptors, group_processes, memory_available: None, memory_source }.safe_workers()
        };
        assert_eq!(safe(None, None, None), 4096);
        assert_eq!(safe(Some((1000, 100)), None, None), 802);
        assert_eq!(safe(Some((100, 12)), None, None), 72);
        assert_eq!(safe(Some((20, 3)), None, None), 8);
        assert_eq!(safe(Some((10, 12)), None, None), 1);
        assert_eq!(safe(Some((1000, 0)), Some(64), None), 50);
        assert_eq!(safe(None, Some(3), None), 1);
        assert_eq!(safe(None, None, Some((1024, 4))), 326);
        assert_eq!(safe(None, None, Some((30, 4))), 1);
    }

    #[test]
    fn ends_are_held_open_where_workers_leave_room() {
        let of = |limit, workers| held_open_in(Some(Headroom::of_descriptors(limit, 10)), workers);
        assert_eq!((of(240, 64), of(240, 50), of(240, 4), of(1024, 64), of(64, 4)), (0, 20, 64, 64, 1));
        assert_eq!(held_open_in(None, 4096), 64);
        // All of them together stay below the limit.
        for workers in 1..=63 {
            assert!(u64::from(workers) * 3 + u64::from(of(240, workers).min(workers)) * 2 + 50 <= 240, "{workers}");
        }
    }

    #[test]
    fn what_is_in_use_is_counted() {
        let files: Vec<_> = (0..5).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
        assert!(open_descriptors() >= 3 + files.len() as u64);
        assert!(processes_of_user() >= 1);
    }

    #[test]
    fn this_machine_has_memory_left() {
        let available = Limits::read().memory_available;
        assert!(available.is_some_and(|bytes| bytes > 1 << 20), "{available:?}");
    }
}
