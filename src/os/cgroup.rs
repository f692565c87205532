//! What the control groups of this process allow: version 2 (`cpu.max`, `memory.max`, `pids.max`) and version 1.
//!
//! A group is bound by every group above it, so each answer is the tightest one up to the root of the mount. What is not
//! there, or cannot be understood, is no limit.

use std::path::{Component, Path, PathBuf};

/// CPU time per wall time; `None` without a limit.
#[must_use]
pub(crate) fn cpu_quota() -> Option<f64> {
    Groups::of_this_process()?.cpu_quota()
}

/// Bytes that can still be allocated: the limit less what is in use and could not be dropped at once; `None` without a
/// limit.
#[must_use]
pub(crate) fn memory_left() -> Option<u64> {
    Groups::of_this_process()?.memory_left()
}

/// Processes and threads that can still be started; `None` without a limit.
#[must_use]
pub(crate) fn processes_left() -> Option<u64> {
    Groups::of_this_process()?.processes_left()
}

/// Folder of the version 2 group of this process, if the hierarchy is mounted where it can be seen.
#[must_use]
pub(crate) fn own_folder() -> Option<PathBuf> {
    Groups::of_this_process()?.folders(Hierarchy::Two).into_iter().next()
}

/// Where this file of the memory controller would be, `two` in version 2 and `one` in version 1, in the group of this process and
/// those above it. Memory is charged to the nearest group that has the controller.
#[must_use]
pub(crate) fn memory_files([two, one]: [&str; 2]) -> Vec<PathBuf> {
    let Some(groups) = Groups::of_this_process() else { return Vec::new() };
    let below = |hierarchy, file: &str| {
        let folders = groups.folders(hierarchy).into_iter();
        folders.map(|folder| folder.join(file)).collect::<Vec<_>>()
    };
    [below(Hierarchy::Two, two), below(Hierarchy::One("memory"), one)].concat()
}

/// Where the groups of a process are, and how their files are read.
struct Groups<R> {
    /// `/proc/self/cgroup`.
    membership: String,
    /// `/proc/self/mountinfo`.
    mounts: String,
    read: R,
}

/// Version of the hierarchy; version 1 has one for each controller.
#[derive(Clone, Copy)]
enum Hierarchy {
    Two,
    One(&'static str),
}

impl Groups<fn(&Path) -> Option<String>> {
    fn of_this_process() -> Option<Self> {
        let read = |path: &Path| std::fs::read_to_string(path).ok();
        let (membership, mounts) = (read(Path::new("/proc/self/cgroup"))?, read(Path::new("/proc/self/mountinfo"))?);
        Some(Self { membership, mounts, read })
    }
}

impl<R: Fn(&Path) -> Option<String>> Groups<R> {
    fn cpu_quota(&self) -> Option<f64> {
        let two = self.folders(Hierarchy::Two).into_iter().filter_map(|folder| {
            let text = self.text(&folder, "cpu.max")?;
            let (quota, period) = text.trim().split_once(' ')?;
            ratio(quota, period)
        });
        let one = self.folders(Hierarchy::One("cpu")).into_iter().filter_map(|folder| {
            ratio(&self.text(&folder, "cpu.cfs_quota_us")?, &self.text(&folder, "cpu.cfs_period_us")?)
        });
        two.chain(one).min_by(f64::total_cmp)
    }

    fn memory_left(&self) -> Option<u64> {
        let two = self.left(Hierarchy::Two, "memory.max", "memory.current", Some("inactive_file"));
        let names = ("memory.limit_in_bytes", "memory.usage_in_bytes", Some("total_inactive_file"));
        let one = self.left(Hierarchy::One("memory"), names.0, names.1, names.2);
        two.into_iter().chain(one).min()
    }

    fn processes_left(&self) -> Option<u64> {
        let two = self.left(Hierarchy::Two, "pids.max", "pids.current", None);
        let one = self.left(Hierarchy::One("pids"), "pids.max", "pids.current", None);
        two.into_iter().chain(one).min()
    }

    /// Smallest distance between a limit and its use. What `memory.stat` calls `droppable` is in use only until some
    /// process needs the room.
    fn left(&self, hierarchy: Hierarchy, limit: &str, used: &str, droppable: Option<&str>) -> Option<u64> {
        let left = self.folders(hierarchy).into_iter().filter_map(|folder| {
            let limit: u64 = self.text(&folder, limit)?.trim().parse().ok()?;
            let used: u64 = self.text(&folder, used)?.trim().parse().ok()?;
            let droppable = droppable.and_then(|key| field(&self.text(&folder, "memory.stat")?, key)).unwrap_or(0);
            Some(limit.saturating_sub(used.saturating_sub(droppable)))
        });
        left.min()
    }

    fn text(&self, folder: &Path, file: &str) -> Option<String> {
        (self.read)(&folder.join(file))
    }

    /// Folders of this process's group, from its own up to the root of the mount; empty without such a hierarchy.
    fn folders(&self, hierarchy: Hierarchy) -> Vec<PathBuf> {
        let Some(path) = self.membership.lines().find_map(|line| member(line, hierarchy)) else { return Vec::new() };
        let mounts: Vec<(PathBuf, PathBuf)> = self.mounts.lines().filter_map(|line| mount(line, hierarchy)).collect();
        // In a container a mount may show only a part of the hierarchy, and the group may lie outside of it: then the
        // mount point itself is all that can be seen.
        let fitting = mounts.iter().find_map(|(root, point)| Some((point, Path::new(path).strip_prefix(root).ok()?)));
        let Some((point, below)) = fitting.or_else(|| Some((&mounts.first()?.1, Path::new("")))) else {
            return Vec::new();
        };
        let inside = below.components().all(|part| matches!(part, Component::Normal(_)));
        let below = if inside { below } else { Path::new("") };
        below.ancestors().map(|part| point.join(part)).collect()
    }
}

/// Quota and period in microseconds; `max` and -1 mean no quota.
fn ratio(quota: &str, period: &str) -> Option<f64> {
    let (quota, period): (i64, i64) = (quota.trim().parse().ok()?, period.trim().parse().ok()?);
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

/// The number in a line `key number`.
pub(super) fn field(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

/// The path in a line `id:controllers:path` of `/proc/self/cgroup` (cgroups(7)).
fn member(line: &str, hierarchy: Hierarchy) -> Option<&str> {
    let mut parts = line.splitn(3, ':');
    let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    let ours = match hierarchy {
        Hierarchy::Two => controllers.is_empty(),
        Hierarchy::One(name) => controllers.split(',').any(|other| other == name),
    };
    ours.then_some(path)
}

/// Root within the hierarchy and mount point, of a line of `/proc/self/mountinfo` (proc_pid_mountinfo(5)).
fn mount(line: &str, hierarchy: Hierarchy) -> Option<(PathBuf, PathBuf)> {
    let (left, right) = line.split_once(" - ")?;
    let mut right = right.split(' ');
    let (kind, _, options) = (right.next()?, right.next()?, right.next()?);
    let fits = match hierarchy {
        Hierarchy::Two => kind == "cgroup2",
        Hierarchy::One(name) => kind == "cgroup" && options.split(',').any(|option| option == name),
    };
    let mut left = left.split(' ').skip(3);
    let (root, point) = (left.next()?, left.next()?);
    fits.then(|| (PathBuf::from(unescaped(root)), PathBuf::from(unescaped(point))))
}

/// The kernel writes space, tab, newline and backslash of a path as three octal digits.
fn unescaped(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .into_iter()
        .fold(text.to_owned(), |text, (code, plain)| text.replace(code, plain))
}

#[cfg(test)]
mod tests;
