//! What the machine does besides: load of others, throttling, swapping, sleep. Read twice, the difference tells whether a
//! measurement was disturbed. Only readings; what they mean is decided elsewhere.
//!
//! Everything here is optional: what a system does not have is `None`, never zero.

use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// One reading.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Pressure {
    /// Monotonic clock, which stands still while the machine sleeps.
    pub(crate) monotonic: Duration,
    /// Clock since boot, which does not (Linux).
    pub(crate) boot: Option<Duration>,
    /// Time of day, since 1970.
    pub(crate) wall: Duration,
    /// CPU time of this process, all threads.
    pub(crate) own_cpu: Duration,
    /// The processors that this process may use (`/proc/stat`).
    pub(crate) processors: Option<Processors>,
    /// How often the CPU quota of this process's cgroups held it up (`nr_throttled` of `cpu.stat`, all levels).
    pub(crate) throttled: Option<u64>,
    /// Pages swapped in since boot (`pswpin` of `/proc/vmstat`).
    pub(crate) swapped_in: Option<u64>,
    /// Time in which something waited for memory (`some` of `/proc/pressure/memory`).
    pub(crate) memory_stall: Option<Duration>,
    /// How often the processors were slowed down because they were too hot (`core_throttle_count`, where the machine
    /// tells).
    pub(crate) too_hot: Option<u64>,
    /// Mean clock rate of the processors now, in MHz (`scaling_cur_freq`, where the machine tells).
    pub(crate) mhz: Option<u32>,
}

/// Time of some processors since boot, summed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Processors {
    pub(crate) count: u32,
    /// In programs and the kernel on behalf of programs (user, nice, system; without interrupts).
    pub(crate) busy: Duration,
    /// Taken by the hypervisor for other machines (steal).
    pub(crate) stolen: Duration,
}

impl Pressure {
    /// Reads everything now: half a dozen small files, well under a millisecond.
    #[must_use]
    pub(crate) fn read() -> Self {
        Self {
            monotonic: clock(ClockId::Monotonic),
            boot: boot_clock(),
            wall: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            own_cpu: own_cpu(),
            processors: file("/proc/stat").and_then(|text| processors(&text, tick(), &affinity())),
            throttled: throttled(),
            swapped_in: file("/proc/vmstat").and_then(|text| value(&text, "pswpin")),
            memory_stall: file("/proc/pressure/memory").and_then(|text| stalled(&text)),
            too_hot: sum(&of_processors("thermal_throttle/core_throttle_count")),
            mhz: mean_mhz(&of_processors("cpufreq/scaling_cur_freq")),
        }
    }
}

/// CPU time of this process so far, all threads, user and system.
#[must_use]
pub(crate) fn own_cpu() -> Duration {
    clock(ClockId::ProcessCPUTime)
}

fn clock(id: ClockId) -> Duration {
    let time = clock_gettime(id);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(target_os = "linux")]
#[expect(clippy::unnecessary_wraps, reason = "absent on other systems")]
fn boot_clock() -> Option<Duration> {
    Some(clock(ClockId::Boottime))
}

#[cfg(not(target_os = "linux"))]
fn boot_clock() -> Option<Duration> {
    None
}

/// Tells whether this process may run on a processor; yes where that cannot be told.
#[cfg(target_os = "linux")]
fn affinity() -> impl Fn(usize) -> bool {
    use rustix::thread::{CpuSet, sched_getaffinity};
    let set = sched_getaffinity(None).ok();
    move |processor| set.is_none_or(|set| processor < CpuSet::MAX_CPU && set.is_set(processor))
}

#[cfg(not(target_os = "linux"))]
fn affinity() -> impl Fn(usize) -> bool {
    |_| true
}

/// Processors that are asked about themselves: each takes some microseconds.
const ASKED: usize = 16;

/// A number that the first processors of those that this process may use tell of themselves.
fn of_processors(name: &str) -> Vec<u64> {
    let allowed = affinity();
    let asked = (0..1024).filter(|number| allowed(*number)).take(ASKED);
    let told = asked.map_while(|number| file(&format!("/sys/devices/system/cpu/cpu{number}/{name}")));
    told.filter_map(|text| text.trim().parse().ok()).collect()
}

fn sum(numbers: &[u64]) -> Option<u64> {
    (!numbers.is_empty()).then(|| numbers.iter().fold(0, |sum: u64, number| sum.saturating_add(*number)))
}

/// Of rates in kHz.
fn mean_mhz(rates: &[u64]) -> Option<u32> {
    u32::try_from(sum(rates)? / rates.len() as u64 / 1000).ok()
}

/// Length of the unit of `/proc/stat`.
fn tick() -> Duration {
    Duration::from_secs(1) / u32::try_from(rustix::param::clock_ticks_per_second()).unwrap_or(100).max(1)
}

fn file(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// `cpuN user nice system idle iowait irq softirq steal ...` lines of `/proc/stat`, in ticks (proc_stat(5)).
fn processors(text: &str, tick: Duration, allowed: &dyn Fn(usize) -> bool) -> Option<Processors> {
    let mut sum = Processors::default();
    for line in text.lines().take_while(|line| line.starts_with("cpu")) {
        let mut words = line.split_ascii_whitespace();
        let Some(number) = words.next().and_then(|word| word.strip_prefix("cpu")?.parse().ok()) else { continue };
        if !allowed(number) {
            continue;
        }
        let ticks: Vec<u64> = words.map_while(|word| word.parse().ok()).collect();
        let [user, nice, system, _idle, _iowait, _irq, _softirq, rest @ ..] = ticks.as_slice() else { continue };
        sum.count += 1;
        sum.busy += times(tick, user.saturating_add(*nice).saturating_add(*system));
        sum.stolen += times(tick, rest.first().copied().unwrap_or(0));
    }
    (sum.count > 0).then_some(sum)
}

fn times(tick: Duration, count: u64) -> Duration {
    Duration::from_nanos(u64::try_from(tick.as_nanos() * u128::from(count)).unwrap_or(u64::MAX))
}

/// The number after `key` in lines of `key number`.
fn value(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok())
}

/// `some avg10=0.00 avg60=0.00 avg300=0.00 total=MICROSECONDS` (psi(7)).
fn stalled(text: &str) -> Option<Duration> {
    let some = text.lines().find(|line| line.starts_with("some "))?;
    let total = some.split_ascii_whitespace().find_map(|word| word.strip_prefix("total=")?.parse().ok())?;
    Some(Duration::from_micros(total))
}

/// Sum of `nr_throttled` over this process's cgroup and the ones above it: the quota of any of them holds it up.
fn throttled() -> Option<u64> {
    let membership = file("/proc/self/cgroup")?;
    let mut sum = None;
    for directory in cpu_directories(&membership) {
        if let Some(count) = file(&format!("{directory}/cpu.stat")).and_then(|text| value(&text, "nr_throttled")) {
            sum = Some(sum.unwrap_or(0u64).saturating_add(count));
        }
    }
    sum
}

/// The directories that may hold `cpu.stat` for lines of `hierarchy:controllers:path` (cgroups(7)), at the places where
/// cgroup file systems are usually mounted: version 2 alone, beside version 1, and version 1's cpu controller.
fn cpu_directories(membership: &str) -> Vec<String> {
    let mut directories = Vec::new();
    for line in membership.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let mounts: &[&str] = if controllers.is_empty() {
            &["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        } else if controllers.split(',').any(|controller| controller == "cpu") {
            &["/sys/fs/cgroup/cpu"]
        } else {
            continue;
        };
        let mut path = path.trim_end_matches('/');
        loop {
            directories.extend(mounts.iter().map(|mount| format!("{mount}{path}")));
            let Some((parent, _)) = path.rsplit_once('/') else { break };
            path = parent;
        }
    }
    directories
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "cpu  600 30 90 10000 10 5 6 70 0 0\ncpu0 100 10 20 5000 5 1 2 30 0 0\n\
                        cpu1 200 20 30 5000 5 4 4 40 0 0\ncpu7 300 0 40 0 0 0 0\nintr 12345 0\n";

    #[test]
    fn processors_are_summed_where_allowed() {
        let tick = Duration::from_millis(10);
        let all = processors(STAT, tick, &|_| true).expect("readable");
        assert_eq!(all, Processors { count: 3, busy: tick * 720, stolen: tick * 70 });
        let one = processors(STAT, tick, &|number| number == 1).expect("readable");
        assert_eq!(one, Processors { count: 1, busy: tick * 250, stolen: tick * 40 });
        assert_eq!(processors(STAT, tick, &|_| false), None);
    }

    #[test]
    fn malformed_text_is_none_not_zero() {
        for text in ["", "cpu\n", "cpuX 1 2 3", "cpu0 1 2", "cpu0 a b c d e f g", "intr 5"] {
            assert_eq!(processors(text, Duration::from_millis(10), &|_| true), None, "{text:?}");
        }
        assert_eq!(value("pswpinx 3\npswpin x\n", "pswpin"), None);
        assert_eq!(stalled("full avg10=0.00 total=5\n"), None);
        assert_eq!(stalled("some avg10=0.00 total=\n"), None);
        assert!(cpu_directories("nonsense\n1:x\n").is_empty());
    }

    #[test]
    fn values_and_stalls() {
        assert_eq!(value("nr_free_pages 7\npswpin 42\npswpout 9\n", "pswpin"), Some(42));
        assert_eq!(value("nr_periods 9\nnr_throttled 3\nthrottled_usec 88\n", "nr_throttled"), Some(3));
        let psi = "some avg10=1.53 avg60=0.87 avg300=0.30 total=1234567\nfull avg10=0 avg60=0 avg300=0 total=1\n";
        assert_eq!(stalled(psi), Some(Duration::from_micros(1_234_567)));
    }

    #[test]
    fn what_no_processor_tells_is_none_not_zero() {
        assert_eq!((sum(&[]), mean_mhz(&[])), (None, None));
        assert_eq!((sum(&[0, 0]), mean_mhz(&[3_400_000, 3_600_000])), (Some(0), Some(3500)));
        assert_eq!(of_processors("no/such/file"), Vec::<u64>::new());
    }

    #[test]
    fn own_cgroup_and_all_above_it() {
        assert_eq!(
            cpu_directories("0::/a/b\n"),
            [
                "/sys/fs/cgroup/a/b",
                "/sys/fs/cgroup/unified/a/b",
                "/sys/fs/cgroup/a",
                "/sys/fs/cgroup/unified/a",
                "/sys/fs/cgroup",
                "/sys/fs/cgroup/unified"
            ]
        );
        assert_eq!(cpu_directories("4:memory:/x\n1:cpu,cpuacct:/\n"), ["/sys/fs/cgroup/cpu"]);
        assert_eq!(cpu_directories("2:cpuacct:/y\n3:cpuset:/z\n"), Vec::<String>::new());
    }

    #[test]
    fn clocks_of_a_real_reading_move_forward() {
        let before = Pressure::read();
        let mut sum = 0u64;
        while Pressure::read().own_cpu == before.own_cpu {
            sum = sum.wrapping_add(1);
        }
        let after = Pressure::read();
        assert!(after.monotonic > before.monotonic);
        assert!(after.wall > Duration::from_secs(1_600_000_000));
        if cfg!(target_os = "linux") {
            assert!(after.processors.is_some_and(|processors| processors.count >= 1));
            assert!(after.boot >= before.boot && after.boot.is_some());
        }
    }
}
