//! What the control group allows: version 2 (`cpu.max`) and version 1 (`cpu.cfs_quota_us`).

use std::path::{Path, PathBuf};

/// CPU time per wall time that this process's control group and those above it allow; `None` without a limit, and where
/// the files say something that cannot be understood.
#[must_use]
pub fn cpu_quota() -> Option<f64> {
    let membership = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let read = |path: PathBuf| std::fs::read_to_string(path).ok();
    quota(&membership, &mounts, read)
}

fn quota(membership: &str, mounts: &str, read: impl Fn(PathBuf) -> Option<String>) -> Option<f64> {
    let v2 = folders(membership, mounts, None)
        .filter_map(|folder| parse_max(&read(folder.join("cpu.max"))?))
        .min_by(f64::total_cmp);
    let v1 = folders(membership, mounts, Some("cpu"))
        .filter_map(|folder| {
            let quota = read(folder.join("cpu.cfs_quota_us"))?;
            let period = read(folder.join("cpu.cfs_period_us"))?;
            ratio(quota.trim(), period.trim())
        })
        .min_by(f64::total_cmp);
    v2.into_iter().chain(v1).min_by(f64::total_cmp)
}

/// `MAX PERIOD` or `max PERIOD`, in microseconds.
fn parse_max(text: &str) -> Option<f64> {
    let (max, period) = text.trim().split_once(' ')?;
    ratio(max, period)
}

fn ratio(quota: &str, period: &str) -> Option<f64> {
    let (quota, period): (i64, i64) = (quota.parse().ok()?, period.trim().parse().ok()?);
    (quota > 0 && period > 0).then(|| quota as f64 / period as f64)
}

/// Folders of this process's control group, from its own up to the root of the mount: of version 2, or of a controller of
/// version 1.
fn folders(membership: &str, mounts: &str, controller: Option<&str>) -> impl Iterator<Item = PathBuf> {
    let found = mount(mounts, controller).and_then(|(root, point)| {
        let path = membership.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            let ours = match controller {
                None => controllers.is_empty(),
                Some(name) => controllers.split(',').any(|other| other == name),
            };
            ours.then_some(path)
        })?;
        // In a container the mount may show only a part of the hierarchy.
        let below = Path::new(path).strip_prefix(&root).unwrap_or(Path::new("")).to_owned();
        Some((point, below))
    });
    found.into_iter().flat_map(|(point, below)| {
        let parts: Vec<PathBuf> = below.ancestors().map(|part| point.join(part)).collect();
        parts
    })
}

/// Root within the hierarchy and mount point.
fn mount(mounts: &str, controller: Option<&str>) -> Option<(PathBuf, PathBuf)> {
    mounts.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let mut right = right.split(' ');
        let (kind, _, options) = (right.next()?, right.next()?, right.next()?);
        let fits = match controller {
            None => kind == "cgroup2",
            Some(name) => kind == "cgroup" && options.split(',').any(|option| option == name),
        };
        let mut left = left.split(' ').skip(3);
        let (root, point) = (left.next()?, left.next()?);
        fits.then(|| (PathBuf::from(root), PathBuf::from(point)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const V2: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
    const V1: &str = "33 32 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:11 - cgroup cgroup rw,cpu,cpuacct\n";

    fn files(list: &'static [(&'static str, &'static str)]) -> impl Fn(PathBuf) -> Option<String> {
        move |path| list.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| (*text).to_owned())
    }

    #[test]
    fn version_2_takes_the_tightest_limit_up_to_the_root() {
        let read = files(&[
            ("/sys/fs/cgroup/user/app/cpu.max", "max 100000\n"),
            ("/sys/fs/cgroup/user/cpu.max", "250000 100000\n"),
        ]);
        assert_eq!(quota("0::/user/app\n", V2, read), Some(2.5));
    }

    #[test]
    fn version_1_is_understood() {
        let read = files(&[
            ("/sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_quota_us", "50000\n"),
            ("/sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_period_us", "100000\n"),
        ]);
        assert_eq!(quota("4:cpu,cpuacct:/docker/x\n0::/\n", V1, read), Some(0.5));
    }

    #[test]
    fn what_makes_no_sense_is_no_limit() {
        for text in ["", "max", "max 100000", "-1 100000", "x y", "100 0", "100000"] {
            assert_eq!(parse_max(text), None, "{text:?}");
        }
        assert_eq!(quota("", "", |_| None), None);
        assert_eq!(quota("nonsense\n1:2\n", "a b - c\n", |_| None), None);
    }
}
