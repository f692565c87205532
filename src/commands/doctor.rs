//! `poolscope doctor`: what this machine offers, as facts.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::{DoctorArgs, Format};
use crate::commands::calibration::Origin;
use crate::commands::interpreters::{self, FoundInterpreter};
use crate::commands::target::Target;
use crate::commands::{ExitReason, write};
use crate::os::host::Host;
use crate::os::limits::{DESCRIPTORS_PER_WORKER, Headroom, Limits};
use crate::os::probes::{Probes, SLEEPS};
use crate::report::json::python::interpreter;
use crate::report::{clean, units};
use crate::worker::calibration::Calibration;
use crate::workload::model::{EngineKind, StartMethod};

struct Facts {
    host: Host,
    limits: Limits,
    calibration: Calibration,
    origin: Origin,
    /// What this core does right now, where the calibration is an older one.
    now: Option<Calibration>,
    /// When this was found out.
    at: Timestamp,
    probes: Probes,
    pythons: Vec<FoundInterpreter>,
}

/// Prints what was found.
///
/// # Errors
/// See [`super::execute`].
pub(crate) fn execute(arguments: &DoctorArgs) -> anyhow::Result<ExitReason> {
    let target = match Target::open(arguments.output.as_deref(), &[]) {
        Ok(target) => target,
        Err(exit) => return Ok(exit),
    };
    let facts = Facts::gather(arguments.calibrate);
    let text = match arguments.format {
        Format::Text => write::shown_on(&facts.text(), target.is_standard()).into_owned(),
        Format::Json => format!("{:#}\n", facts.json()),
    };
    Ok(target.deliver(&text))
}

impl Facts {
    fn gather(calibrate: bool) -> Self {
        let host = Host::detect();
        let (calibration, origin) = if calibrate {
            Calibration::measure_again(&host.cpu_model)
        } else {
            Calibration::load_or_measure(&host.cpu_model)
        };
        let stored = matches!(origin, Origin::Stored { .. });
        Self {
            limits: Limits::read(),
            calibration,
            now: stored.then(Calibration::measure),
            origin,
            at: Timestamp::now(),
            probes: Probes::run(),
            pythons: interpreters::find(),
            host,
        }
    }

    fn text(&self) -> String {
        let host = &self.host;
        let there = |there: bool| if there { "yes" } else { "not available here" }.to_owned();
        let quota = host.cores_quota.map_or("none".to_owned(), |quota| format!("{quota:.2}"));
        let rows = [
            ("host", format!("{}, {}", host.name, host.kernel)),
            ("processor", host.cpu_model.clone()),
            (
                "cores",
                format!("{} online, {} by affinity, cgroup quota {quota}", host.cores_online, host.cores_affinity),
            ),
            ("workers: auto", format!("{} (the smaller of affinity and quota)", host.usable_cores())),
            ("memory", self.memory()),
            ("limits", self.limits()),
            ("timers", self.timers()),
            ("calibration", self.calibrated()),
            ("program", self.program()),
            ("pidfd", there(self.probes.pidfd)),
            ("CPU clock", there(self.probes.cpu_clock)),
            ("PSS", there(self.probes.pss)),
            ("PSI", there(self.probes.psi)),
            ("left behind", self.left_behind()),
        ];
        let pythons: Vec<(&str, String)> = match self.pythons.as_slice() {
            [] => vec![("python", "not found: tasks in Python cannot be run here".to_owned())],
            found => found.iter().map(|found| ("python", found.words())).collect(),
        };
        let engines = [("engines", Self::engines())];
        rows.iter()
            .chain(&engines)
            .chain(&pythons)
            .map(|(name, value)| format!("{name:14} {}\n", clean::line(value)))
            .collect()
    }

    /// Every kind of engine, and what it runs.
    fn engines() -> String {
        let of = |only: bool| {
            let kinds = EngineKind::in_files().filter(|kind| (kind.is_reference() || kind.shares_process()) == only);
            kinds.map(EngineKind::word).collect::<Vec<_>>().join(", ")
        };
        format!("{} for every kind of task; {} for functions in Python", of(false), of(true))
    }

    fn memory(&self) -> String {
        let available = match self.limits.memory_available {
            Some(bytes) => format!("{} can be had now", units::bytes(bytes)),
            None => "what can be had now is not told".to_owned(),
        };
        format!("{}, {available}", units::bytes(self.host.memory_bytes))
    }

    fn limits(&self) -> String {
        let Limits { processes, descriptors, group_processes, .. } = self.limits;
        let limit = |room: Option<Headroom>, what: &str| match room {
            Some(Headroom { limit, used, .. }) => format!("{limit} {what} ({used} in use)"),
            None => format!("no limit of {what}"),
        };
        let group = group_processes.map_or(String::new(), |left| format!(", {left} more processes in the cgroup"));
        let (processes, descriptors) = (limit(processes, "processes"), limit(descriptors, "open files"));
        let workers = match self.safe_workers() {
            0 => "not even one worker works here".to_owned(),
            1 => "at most 1 worker without --i-know".to_owned(),
            most => format!("at most {most} workers without --i-know"),
        };
        format!("{processes}, {descriptors}{group}; {workers}")
    }

    /// Most workers that there is room for, which may be none.
    fn safe_workers(&self) -> u64 {
        let by_descriptors = self.limits.descriptors.map(|room| room.left() / DESCRIPTORS_PER_WORKER);
        by_descriptors.into_iter().chain([self.limits.process_room().left()]).min().unwrap_or(0)
    }

    fn left_behind(&self) -> String {
        let by =
            if self.probes.slot_groups { "a control group for each worker" } else { "descent, start time and marks" };
        format!("what programs leave behind is found by {by}")
    }

    fn timers(&self) -> String {
        let step = self.probes.clock_step.map_or("not seen".to_owned(), units::duration);
        format!(
            "clock resolution {}, step {step}; a sleep of 1 ms is {} late (median of {SLEEPS}), {} at worst",
            units::duration(self.probes.clock_resolution),
            units::duration(self.probes.sleep_late),
            units::duration(self.probes.sleep_latest)
        )
    }

    fn calibrated(&self) -> String {
        let origin = match &self.origin {
            Origin::Stored { path, measured } => {
                let age = measured.map_or("at a time unknown".to_owned(), |time| age(time, self.at));
                format!("measured {age}, stored in {}", path.display())
            }
            Origin::Measured { path, because: None } => format!("measured now, stored in {}", path.display()),
            Origin::Measured { path, because: Some(reason) } => {
                format!("measured now, stored in {} (what was there is not used: {reason})", path.display())
            }
            Origin::NotStored(reason) => format!("measured now, not stored: {reason}"),
        };
        let speed = self.calibration.iterations_per_second;
        let now = self.now.map_or(String::new(), |now| {
            format!("; right now a core does {} of it", units::percent(now.iterations_per_second / speed))
        });
        format!("{:.0} M iterations/s, {origin}{now}", speed / 1e6)
    }

    fn program(&self) -> String {
        match self.not_static() {
            None => "linked statically: a worker starts without a loader".to_owned(),
            Some(reason) => format!("linked dynamically, workers start more slowly: {reason}"),
        }
    }

    /// Why this program was not linked statically.
    fn not_static(&self) -> Option<&'static str> {
        (!self.probes.linked_statically).then_some(match env!("POOLSCOPE_LINKING") {
            "static" => "it was not built as the program poolscope",
            reason => reason,
        })
    }

    fn json(&self) -> Value {
        let Self { host, limits, probes, .. } = self;
        let (origin, path, measured_at, reason) = match &self.origin {
            Origin::Stored { path, measured } => ("stored", Some(path), *measured, None),
            Origin::Measured { path, because } => ("measured", Some(path), Some(self.at), because.as_ref()),
            Origin::NotStored(reason) => ("not_stored", None, Some(self.at), Some(reason)),
        };
        json!({
            "schema": "poolscope.doctor/1",
            "host": {
                "name": host.name, "kernel": host.kernel, "cpu_model": host.cpu_model, "memory_bytes": host.memory_bytes,
                "cores_online": host.cores_online, "cores_affinity": host.cores_affinity,
                "cores_quota": host.cores_quota, "workers_auto": host.usable_cores(),
            },
            "limits": {
                "processes": limits.processes.map(|room| room.limit),
                "processes_in_use": limits.processes.map(|room| room.used),
                "descriptors": limits.descriptors.map(|room| room.limit),
                "descriptors_in_use": limits.descriptors.map(|room| room.used),
                "group_processes": limits.group_processes, "memory_available_bytes": limits.memory_available,
                "safe_workers": self.safe_workers(),
            },
            "timers": {
                "clock_resolution_s": probes.clock_resolution.as_secs_f64(),
                "clock_step_s": probes.clock_step.map(|step| step.as_secs_f64()),
                "sleep_1ms_late_s": probes.sleep_late.as_secs_f64(),
                "sleep_1ms_latest_s": probes.sleep_latest.as_secs_f64(),
            },
            "calibration": {
                "iterations_per_second": self.calibration.iterations_per_second, "origin": origin,
                "path": path.map(|path| path.display().to_string()), "measured_at": measured_at, "reason": reason,
                "now_iterations_per_second": self.now.map(|now| now.iterations_per_second),
            },
            "python": self.pythons.iter().map(python).collect::<Vec<Value>>(),
            "program": { "linked_statically": probes.linked_statically, "reason": self.not_static() },
            "available": {
                "pidfd": probes.pidfd, "cpu_clock": probes.cpu_clock, "pss": probes.pss, "psi": probes.psi,
                "slot_groups": probes.slot_groups,
            },
        })
    }
}

fn python(found: &FoundInterpreter) -> Value {
    let error = found.is.as_ref().err().map(ToString::to_string);
    let is = found.is.as_ref().ok();
    let engines = is.map(|is| interpreters::can(is).map(EngineKind::word).collect::<Vec<_>>());
    let cannot = is.map(|is| {
        let but = interpreters::abilities(is).into_iter().filter_map(|(kind, but)| Some((kind.word(), but?)));
        but.collect::<BTreeMap<_, _>>()
    });
    json!({
        "program": found.program, "is": is.map(|found| interpreter(found, None)), "error": error,
        "engines": engines, "cannot": cannot, "start_methods": is.map(|_| interpreters::START_METHODS.map(StartMethod::word)),
    })
}

/// How long ago something was, in words; a clock that was set back does not make it the future.
fn age(then: Timestamp, now: Timestamp) -> String {
    const DAY: u64 = 24 * 3600;
    let ago = Duration::try_from(now.duration_since(then)).unwrap_or_default();
    match ago.as_secs() {
        0..5 => "just now".to_owned(),
        5..DAY => format!("{} ago", units::duration(Duration::from_secs(ago.as_secs()))),
        DAY.. => format!("{:.1} days ago", ago.as_secs_f64() / DAY as f64),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn facts(origin: Origin) -> Facts {
        let host = Host {
            name: "box\x1b[31m".to_owned(),
            cores_online: 64,
            cores_affinity: 8,
            cores_quota: Some(1.5),
            cpu_model: "Processor".to_owned(),
            kernel: "Linux 6.1".to_owned(),
            memory_bytes: 16 << 30,
        };
        let limits = Limits {
            processes: None,
            descriptors: Some(Headroom { limit: 1024, used: 4, reserve: 40, source: "RLIMIT_NOFILE" }),
            group_processes: Some(100),
            memory_available: Some(512 << 20),
            memory_source: "free memory",
        };
        let probes = Probes {
            clock_resolution: Duration::from_nanos(1),
            clock_step: None,
            sleep_late: Duration::from_micros(60),
            sleep_latest: Duration::from_millis(2),
            linked_statically: true,
            pidfd: true,
            cpu_clock: true,
            pss: false,
            psi: false,
            slot_groups: false,
        };
        let calibration = Calibration { iterations_per_second: 1e9 };
        let now = Some(Calibration { iterations_per_second: 8e8 });
        Facts {
            host,
            limits,
            calibration,
            origin,
            now,
            at: Timestamp::from_second(100_000).unwrap(),
            probes,
            pythons: Vec::new(),
        }
    }

    #[test]
    fn people_get_every_fact_on_a_line() {
        let measured = Some(Timestamp::from_second(100_000 - 7200).unwrap());
        let text = facts(Origin::Stored { path: PathBuf::from("/cache/c.json"), measured }).text();
        for line in [
            "host           box, Linux 6.1\n",
            "cores          64 online, 8 by affinity, cgroup quota 1.50\n",
            "workers: auto  2 (the smaller of affinity and quota)\n",
            "memory         16 GiB, 512 MiB can be had now\n",
            "limits         no limit of processes, 1024 open files (4 in use), 100 more processes in the cgroup; at most 82 workers \
             without --i-know\n",
            "timers         clock resolution 1 ns, step not seen; a sleep of 1 ms is 60 µs late (median of 20), 2.0 ms \
             at worst\n",
            "calibration    1000 M iterations/s, measured 2 h 0 min ago, stored in /cache/c.json; right now a core does \
             80 % of it\n",
            "program        linked statically: a worker starts without a loader\n",
            "PSS            not available here\n",
            "python         not found: tasks in Python cannot be run here\n",
            "engines        pool, process, serial for every kind of task; mp_pool, mp_process, ppe, thread, interpreter \
             for functions in Python\n",
        ] {
            assert!(text.contains(line), "{line}\nis not in\n{text}");
        }
    }

    #[test]
    fn a_program_with_a_loader_says_why() {
        let mut facts = facts(Origin::NotStored(String::new()));
        facts.probes.linked_statically = false;
        let reason = facts.json()["program"]["reason"].as_str().unwrap().to_owned();
        let line = format!("program        linked dynamically, workers start more slowly: {reason}\n");
        assert!(!reason.is_empty() && facts.text().contains(&line), "{line}");
    }

    #[test]
    fn programs_get_the_same_as_data() {
        let json = facts(Origin::NotStored("disk full".to_owned())).json();
        assert_eq!(json["calibration"]["origin"], "not_stored");
        assert_eq!(json["calibration"]["reason"], "disk full");
        assert_eq!(json["calibration"]["path"], Value::Null);
        assert_eq!(json["calibration"]["measured_at"], "1970-01-02T03:46:40Z");
        assert_eq!(json["host"]["workers_auto"], 2);
        assert_eq!(json["limits"]["memory_available_bytes"], 512 << 20);
        assert_eq!(json["timers"]["clock_step_s"], Value::Null, "what was not seen is not zero");
    }

    #[test]
    fn ages_read_well() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let ago = |seconds: i64| age(Timestamp::from_second(1_000_000 - seconds).unwrap(), now);
        assert_eq!([ago(-500), ago(4), ago(90)], ["just now", "just now", "1 min 30 s ago"]);
        assert_eq!(ago(3 * 24 * 3600), "3.0 days ago");
    }
}
