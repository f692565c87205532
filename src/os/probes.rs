//! What this machine's clocks and interfaces can do, tried rather than assumed. Only facts; what follows is for readers.

use std::time::{Duration, Instant};

use crate::os::slot_groups::SlotGroups;
use crate::os::{early, readings, signals};

/// Sleeps that are measured.
pub(crate) const SLEEPS: u32 = 20;
/// How long each of them should take.
const NAP: Duration = Duration::from_millis(1);

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Probes {
    /// Resolution that the system states for its monotonic clock; without high-resolution timers the length of a tick.
    pub(crate) clock_resolution: Duration,
    /// Smallest step of the monotonic clock that was seen; `None` if it was never seen to move.
    pub(crate) clock_step: Option<Duration>,
    /// Median lateness of a sleep of 1 ms.
    pub(crate) sleep_late: Duration,
    /// Largest lateness of a sleep of 1 ms.
    pub(crate) sleep_latest: Duration,
    /// Whether this program, which is every worker's program too, starts without a loader.
    pub(crate) linked_statically: bool,
    /// Whether the exit of a process can be waited for without a race (`pidfd_open`).
    pub(crate) pidfd: bool,
    /// Whether the CPU time of a live process can be read.
    pub(crate) cpu_clock: bool,
    /// Whether the proportional set size of a process can be read (`smaps_rollup`).
    pub(crate) pss: bool,
    /// Whether the system tells how long programs wait for CPU and memory (`/proc/pressure`, psi(7)).
    pub(crate) psi: bool,
    /// Whether each worker can have a control group of its own, which whatever a program starts is born in.
    pub(crate) slot_groups: bool,
}

impl Probes {
    /// Tries everything; takes about 30 ms.
    #[must_use]
    pub(crate) fn run() -> Self {
        let own = std::process::id();
        let late = lateness();
        Self {
            clock_resolution: resolution(),
            clock_step: step(),
            sleep_late: late.get(late.len() / 2).copied().unwrap_or_default(),
            sleep_latest: late.last().copied().unwrap_or_default(),
            linked_statically: early::linked_statically(),
            pidfd: signals::pidfd_works(),
            cpu_clock: readings::cpu_time(own).is_ok(),
            pss: readings::memory(own).is_ok_and(|memory| memory.pss_bytes.is_some()),
            // A kernel may have the file and refuse to read it (psi=0).
            psi: std::fs::read("/proc/pressure/cpu").is_ok(),
            slot_groups: SlotGroups::make(&format!("poolscope-{own}.probe"), 1).is_ok(),
        }
    }
}

fn resolution() -> Duration {
    let step = rustix::time::clock_getres(rustix::time::ClockId::Monotonic);
    Duration::new(u64::try_from(step.tv_sec).unwrap_or(0), u32::try_from(step.tv_nsec).unwrap_or(0))
}

fn step() -> Option<Duration> {
    (0..1000)
        .filter_map(|_| {
            let begin = Instant::now();
            (0..10_000).map(|_| begin.elapsed()).find(|step| !step.is_zero())
        })
        .min()
}

/// Sorted.
fn lateness() -> Vec<Duration> {
    let mut late: Vec<Duration> = (0..SLEEPS)
        .map(|_| {
            let begin = Instant::now();
            std::thread::sleep(NAP);
            begin.elapsed().saturating_sub(NAP)
        })
        .collect();
    late.sort_unstable();
    late
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_clocks() {
        let probes = Probes::run();
        assert!(probes.clock_step.is_some_and(|step| !step.is_zero() && step < Duration::from_secs(1)), "{probes:?}");
        assert!(probes.sleep_late <= probes.sleep_latest);
        assert!(!probes.clock_resolution.is_zero());
        if cfg!(target_os = "linux") {
            assert!(probes.cpu_clock);
        }
    }
}
