//! `poolscope doctor`: what this machine offers, as facts.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cli::{DoctorArgs, Format};
use crate::commands::{Exit, write};
use crate::os::host::Host;
use crate::os::limits::Limits;
use crate::os::{readings, signals};
use crate::report::units;
use crate::worker::calibration::{Calibration, Origin};

/// Sleeps that are measured.
const SLEEPS: u32 = 20;

struct Facts {
    host: Host,
    limits: Limits,
    calibration: Calibration,
    origin: Origin,
    /// Smallest step of the monotonic clock that was seen.
    clock_step: Duration,
    /// Median lateness of a sleep of 1 ms.
    sleep_lateness: Duration,
    pss: bool,
    cpu_clock: bool,
    pidfd: bool,
    pressure: bool,
}

/// Prints what was found.
///
/// # Errors
/// See [`super::execute`].
pub fn execute(arguments: &DoctorArgs) -> anyhow::Result<Exit> {
    let facts = Facts::gather(arguments.calibrate);
    match arguments.format {
        Format::Text => write::stdout(&facts.text())?,
        Format::Json => write::stdout(&format!("{:#}\n", facts.json()))?,
    }
    Ok(Exit::Done)
}

impl Facts {
    fn gather(calibrate: bool) -> Self {
        let host = Host::detect();
        let (calibration, origin) = if calibrate {
            Calibration::measure_again(&host.cpu_model)
        } else {
            Calibration::load_or_measure(&host.cpu_model)
        };
        let own = std::process::id();
        Self {
            limits: Limits::read(),
            calibration,
            origin,
            clock_step: clock_step(),
            sleep_lateness: sleep_lateness(),
            pss: readings::memory(own).is_ok_and(|memory| memory.pss_bytes.is_some()),
            cpu_clock: readings::cpu_time(own).is_ok(),
            pidfd: signals::pidfd_works(),
            pressure: std::fs::metadata("/proc/pressure/cpu").is_ok(),
            host,
        }
    }

    fn origin(&self) -> String {
        match &self.origin {
            Origin::Stored(path) => format!("stored in {}", path.display()),
            Origin::Measured(path) => format!("measured now, stored in {}", path.display()),
            Origin::NotStored(reason) => format!("measured now, not stored: {reason}"),
        }
    }

    fn text(&self) -> String {
        let host = &self.host;
        let quota = host.cores_quota.map_or("none".to_owned(), |quota| format!("{quota:.2}"));
        let limit = |limit: Option<u64>| limit.map_or("none".to_owned(), |limit| limit.to_string());
        let there = |there: bool| if there { "yes" } else { "not available here" };
        let rows = [
            ("host", format!("{}, {}", host.name, host.kernel)),
            ("processor", host.cpu_model.clone()),
            (
                "cores",
                format!("{} online, {} by affinity, cgroup quota {quota}", host.cores_online, host.cores_affinity),
            ),
            ("workers: auto", format!("{} (the smaller of affinity and quota)", host.usable_cores())),
            ("memory", units::bytes(host.memory_bytes)),
            (
                "limits",
                format!(
                    "{} processes, {} open files; at most {} workers without --i-know",
                    limit(self.limits.processes),
                    limit(self.limits.descriptors),
                    self.limits.safe_processes()
                ),
            ),
            (
                "timers",
                format!(
                    "clock step {}, a sleep of 1 ms is {} late (median of {SLEEPS})",
                    units::duration(self.clock_step),
                    units::duration(self.sleep_lateness)
                ),
            ),
            (
                "calibration",
                format!("{:.0} M iterations/s, {}", self.calibration.iterations_per_second / 1e6, self.origin()),
            ),
            ("pidfd", there(self.pidfd).to_owned()),
            ("CPU clock", there(self.cpu_clock).to_owned()),
            ("PSS", there(self.pss).to_owned()),
            ("PSI", there(self.pressure).to_owned()),
        ];
        rows.iter().map(|(name, value)| format!("{name:14} {value}\n")).collect()
    }

    fn json(&self) -> Value {
        let host = &self.host;
        json!({
            "schema": "poolscope.doctor/1",
            "host": {
                "name": host.name, "kernel": host.kernel, "cpu_model": host.cpu_model, "memory_bytes": host.memory_bytes,
                "cores_online": host.cores_online, "cores_affinity": host.cores_affinity,
                "cores_quota": host.cores_quota, "workers_auto": host.usable_cores(),
            },
            "limits": {
                "processes": self.limits.processes, "descriptors": self.limits.descriptors,
                "safe_workers": self.limits.safe_processes(),
            },
            "timers": {
                "clock_step_s": self.clock_step.as_secs_f64(), "sleep_1ms_late_s": self.sleep_lateness.as_secs_f64(),
            },
            "calibration": {
                "iterations_per_second": self.calibration.iterations_per_second, "origin": self.origin(),
            },
            "available": {
                "pidfd": self.pidfd, "cpu_clock": self.cpu_clock, "pss": self.pss, "psi": self.pressure,
            },
        })
    }
}

fn clock_step() -> Duration {
    (0..1000)
        .filter_map(|_| {
            let begin = Instant::now();
            (0..10_000).map(|_| begin.elapsed()).find(|step| !step.is_zero())
        })
        .min()
        .unwrap_or_default()
}

fn sleep_lateness() -> Duration {
    let mut late: Vec<Duration> = (0..SLEEPS)
        .map(|_| {
            let begin = Instant::now();
            std::thread::sleep(Duration::from_millis(1));
            begin.elapsed().saturating_sub(Duration::from_millis(1))
        })
        .collect();
    late.sort_unstable();
    late.get(late.len() / 2).copied().unwrap_or_default()
}
