//! Whether the kernel killed something for want of memory.

/// Processes killed for want of memory since the system started, or in this cgroup; `None` where that is not told
/// (`/proc/vmstat`, since Linux 4.13).
#[must_use]
pub(crate) fn kills() -> Option<u64> {
    std::fs::read_to_string("/proc/vmstat").ok().and_then(|text| parse(&text))
}

fn parse(vmstat: &str) -> Option<u64> {
    vmstat.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_counter_is_found_by_its_whole_name() {
        assert_eq!(super::parse("oom_killer 3\noom_kill 7\npgfault 9\n"), Some(7));
        assert_eq!(super::parse("pgfault 9\n"), None);
    }
}
