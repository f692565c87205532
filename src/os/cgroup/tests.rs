use super::*;

const V2: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
const V1: &str = "33 32 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:11 - cgroup cgroup rw,cpu,cpuacct\n\
                  34 32 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                  35 32 0:30 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n";

type Files = &'static [(&'static str, &'static str)];

fn groups(membership: &str, mounts: &str, files: Files) -> Groups<impl Fn(&Path) -> Option<String>> {
    let read =
        move |path: &Path| files.iter().find(|(name, _)| Path::new(name) == path).map(|(_, text)| (*text).to_owned());
    Groups { membership: membership.to_owned(), mounts: mounts.to_owned(), read }
}

#[test]
fn version_2_takes_the_tightest_limit_up_to_the_root() {
    let files = &[
        ("/sys/fs/cgroup/user/app/cpu.max", "max 100000\n"),
        ("/sys/fs/cgroup/user/cpu.max", "250000 100000\n"),
        ("/sys/fs/cgroup/cpu.max", "400000 100000\n"),
        ("/sys/fs/cgroup/user/app/memory.max", "max\n"),
        ("/sys/fs/cgroup/user/app/memory.current", "50\n"),
        ("/sys/fs/cgroup/user/memory.max", "1000\n"),
        ("/sys/fs/cgroup/user/memory.current", "700\n"),
        ("/sys/fs/cgroup/user/memory.stat", "anon 400\ninactive_file 200\nactive_file 100\n"),
        ("/sys/fs/cgroup/user/app/pids.max", "100\n"),
        ("/sys/fs/cgroup/user/app/pids.current", "40\n"),
        ("/sys/fs/cgroup/user/pids.max", "50\n"),
        ("/sys/fs/cgroup/user/pids.current", "45\n"),
    ];
    let groups = groups("0::/user/app\n", V2, files);
    assert_eq!(groups.cpu_quota(), Some(2.5));
    assert_eq!(groups.memory_left(), Some(500));
    assert_eq!(groups.processes_left(), Some(5));
}

#[test]
fn version_1_is_understood() {
    let files = &[
        ("/sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_quota_us", "50000\n"),
        ("/sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_period_us", "100000\n"),
        ("/sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_quota_us", "-1\n"),
        ("/sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_period_us", "100000\n"),
        ("/sys/fs/cgroup/memory/m/memory.limit_in_bytes", "4096\n"),
        ("/sys/fs/cgroup/memory/m/memory.usage_in_bytes", "5000\n"),
        ("/sys/fs/cgroup/pids/p/pids.max", "7\n"),
        ("/sys/fs/cgroup/pids/p/pids.current", "3\n"),
    ];
    let groups = groups("4:cpu,cpuacct:/docker/x\n3:memory:/m\n2:pids:/p\n0::/\n", V1, files);
    assert_eq!(groups.cpu_quota(), Some(0.5));
    assert_eq!(groups.memory_left(), Some(0), "over its limit");
    assert_eq!(groups.processes_left(), Some(4));
}

#[test]
fn a_container_sees_its_part_of_the_hierarchy() {
    let part = "30 23 0:26 /docker/x /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n";
    let files = &[("/sys/fs/cgroup/cpu.max", "150000 100000\n"), ("/sys/fs/cgroup/in/cpu.max", "100000 100000\n")];
    assert_eq!(groups("0::/docker/x/in\n", part, files).cpu_quota(), Some(1.0));
    assert_eq!(groups("0::/elsewhere\n", part, files).cpu_quota(), Some(1.5));
    assert_eq!(groups("0::/../../other\n", V2, files).cpu_quota(), Some(1.5), "outside of the namespace's root");
}

#[test]
fn of_several_mounts_the_one_that_shows_the_group_counts() {
    let mounts = "30 23 0:26 /docker/x /mnt/of\\040x rw - cgroup2 cgroup2 rw\n\
                  31 23 0:26 /docker/y /mnt/of\\040y rw - cgroup2 cgroup2 rw\n";
    let files = &[("/mnt/of x/cpu.max", "100000 100000\n"), ("/mnt/of y/cpu.max", "200000 100000\n")];
    assert_eq!(groups("0::/docker/y\n", mounts, files).cpu_quota(), Some(2.0));
}

#[test]
fn what_makes_no_sense_is_no_limit() {
    fn quota(text: &'static str) -> Option<f64> {
        let read = move |path: &Path| (path == Path::new("/sys/fs/cgroup/cpu.max")).then(|| text.to_owned());
        Groups { membership: "0::/\n".to_owned(), mounts: V2.to_owned(), read }.cpu_quota()
    }
    assert_eq!(quota("100000 100000\n"), Some(1.0));
    for text in ["", "max", "max 100000", "-1 100000", "x y", "100 0", "100000", "nan 1", "99999999999999999999 1"] {
        assert_eq!(quota(text), None, "{text:?}");
    }
    let files = &[("/sys/fs/cgroup/pids.max", "-3\n"), ("/sys/fs/cgroup/pids.current", "1\n")];
    assert_eq!(groups("0::/\n", V2, files).processes_left(), None);
    assert_eq!(groups("", "", &[]).cpu_quota(), None);
    assert_eq!(groups("nonsense\n1:2\n", "a b - c\n - cgroup2 x y\n", &[]).cpu_quota(), None);
}
