//! What a live process has used so far, in a form that never goes back.

use std::time::Duration;

use rustix::process::Pid;

use crate::os::accounting::Usage;
use crate::os::clock::monotonic;
use crate::os::process_table::Stat;
use crate::os::readings;

/// How often `/proc` is read, at most, in nanoseconds: that takes longer than to read a clock.
const EVERY: u64 = 10_000_000;

/// The account of one process, looked at again and again.
#[derive(Debug, Default)]
pub(crate) struct LiveUsage {
    known: Usage,
    /// By its own clock.
    own: Duration,
    /// Share of system time, and what it had waited for, at the last look at `/proc`.
    system_share: f64,
    waited_for: Duration,
    looked: Option<u64>,
}

impl LiveUsage {
    /// CPU time of the process, with the children that it has waited for, and its page faults.
    pub(crate) fn look(&mut self, pid: u32) -> Usage {
        let now = monotonic();
        let due = self.looked.is_none_or(|at| now.saturating_sub(at) >= EVERY);
        let own = readings::cpu_time(pid).unwrap_or(self.own).max(self.own);
        let mut more = own - self.own;
        self.own = own;
        let stat = i32::try_from(pid).ok().and_then(Pid::from_raw).filter(|_| due).and_then(Stat::of);
        if let Some(stat) = stat {
            self.looked = Some(now);
            self.system_share = stat.system_share();
            let waited_for = stat.waited_for().max(self.waited_for);
            more += waited_for - self.waited_for;
            self.waited_for = waited_for;
            self.known.minor_faults = self.known.minor_faults.max(stat.faults().minor);
            self.known.major_faults = self.known.major_faults.max(stat.faults().major);
        }
        let system = more.mul_f64(self.system_share).min(more);
        self.known.system += system;
        self.known.user += more - system;
        self.known
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_the_process_has_used_and_never_less() {
        let script = "i=0; while :; do i=$((i+1)); done";
        let mut child = crate::os::spawn::Program::new(&["/bin/sh", "-c", script]).unwrap().spawn(&[]).unwrap();
        let mut usage = LiveUsage::default();
        let mut last = Usage::NONE;
        while last.cpu() < Duration::from_millis(50) {
            let now = usage.look(child.pid());
            assert!(now.user >= last.user && now.system >= last.system && now.minor_faults >= last.minor_faults);
            assert!(now.cpu() <= readings::cpu_time(child.pid()).unwrap());
            last = now;
        }
        assert!(last.user > last.system && last.minor_faults > 0, "{last:?}");
        child.signal(rustix::process::Signal::KILL).unwrap();
        let reaped = child.wait().unwrap();
        assert!(reaped.usage.cpu() + Duration::from_millis(20) >= last.cpu());
        assert_eq!(usage.look(u32::MAX), last, "one that is gone has used what it had");
    }
}
