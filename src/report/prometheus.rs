//! Results as a Prometheus text file (exposition format 0.0.4), for the textfile collector of the node exporter.
//!
//! Gauges, each of the last counted run of an arm and named as in `poolscope.result/1`; what was not measured is not there.

use std::fmt::Write as _;

use crate::analysis::expectations::{Checked, Judgement};
use crate::analysis::tuning::Advice;
use crate::metrics::snapshot::{Quantiles, Snapshot};
use crate::report::sweep::SweepResults;
use crate::report::{ArmResult, Results, clean};

/// A metric: its name, what it is, and its value of a run.
type Gauge = (&'static str, &'static str, fn(&Snapshot) -> Option<f64>);

const GAUGES: [Gauge; 15] = [
    ("throughput", "Succeeded tasks per second.", |run| Some(run.throughput_whole)),
    ("wall_seconds", "From the start of the run to its last outcome.", |run| Some(run.wall().as_secs_f64())),
    ("cores_used", "CPU time of the workers over wall time.", |run| Some(run.cpu.cores_used_whole)),
    ("cpu_user_seconds", "User CPU time of the workers.", |run| Some(run.cpu.user.as_secs_f64())),
    ("cpu_system_seconds", "System CPU time of the workers.", |run| Some(run.cpu.system.as_secs_f64())),
    ("peak_pss_bytes", "Largest sum of the workers' memory (PSS).", |run| run.memory.peak_pss_bytes.map(|b| b as f64)),
    ("peak_rss_bytes", "Largest sum of the workers' memory (RSS).", |run| {
        Some(run.memory.peak_rss_bytes as f64).filter(|bytes| *bytes > 0.0)
    }),
    ("queue_max", "Most tasks that waited.", |run| Some(run.queue.max as f64)),
    ("queue_mean", "Time-weighted mean of waiting tasks.", |run| Some(run.queue.mean)),
    ("utilisation", "Part of worker time that was busy.", |run| run.load.utilisation),
    ("imbalance", "How much more the busiest worker worked than the mean.", Snapshot::imbalance),
    ("worker_starts", "Worker processes started.", |run| Some(run.worker_starts as f64)),
    ("worker_restarts", "Of these, in place of one that died or was killed.", |run| Some(run.worker_restarts as f64)),
    ("ghost_cpu_seconds", "CPU time in tasks whose callers had given up.", |run| {
        (run.ghosts.unmeasured == 0).then_some(run.ghosts.cpu.as_secs_f64())
    }),
    ("suspect", "Whether the figures should not be trusted.", |run| Some(f64::from(u8::from(!run.suspect.is_empty())))),
];

/// The file.
#[must_use]
pub(crate) fn text(results: &Results, expectations: &[Checked]) -> String {
    let mut out = String::new();
    let workload = label(&results.workload.name);
    let hash = label(&results.workload.hash);
    head(&mut out, "info", "What was run.");
    let _ = writeln!(
        out,
        "poolscope_info{{workload=\"{workload}\",workload_hash=\"{hash}\",stream_hash=\"{}\",host=\"{}\",version=\"{}\"}} 1",
        label(&results.stream_hash),
        label(&results.host.name),
        env!("CARGO_PKG_VERSION")
    );
    let arms: Vec<(String, &Snapshot)> = results
        .arms
        .iter()
        .filter_map(|arm: &ArmResult| {
            let of = format!(
                "workload=\"{workload}\",arm=\"{}\",engine=\"{}\"",
                label(&arm.spec.name),
                arm.spec.kind.word()
            );
            Some((of, arm.runs.last()?.as_ref()))
        })
        .collect();
    for (name, help, value) in GAUGES {
        family(&mut out, name, help, arms.iter().filter_map(|(of, run)| Some((of.clone(), value(run)?))));
    }
    let outcomes = arms.iter().flat_map(|(of, run)| {
        let counts = run.counts;
        [
            ("succeeded", counts.succeeded),
            ("failed", counts.failed),
            ("timed_out", counts.timed_out),
            ("lost", counts.lost),
            ("cancelled", counts.cancelled),
            ("dropped", counts.dropped),
        ]
        .map(|(outcome, count)| (format!("{of},outcome=\"{outcome}\""), count as f64))
    });
    family(&mut out, "tasks", "Tasks by their outcome.", outcomes);
    let latencies = arms.iter().flat_map(|(of, run)| latencies(of, run));
    family(&mut out, "latency_seconds", "Latencies of the tasks.", latencies);
    family(&mut out, "expectation_holds", HOLDS, expected(&workload, expectations));
    out
}

/// A sweep: what each count has shown.
#[must_use]
pub(crate) fn sweep(results: &SweepResults) -> String {
    let mut out = String::new();
    let workload = label(&results.workload.name);
    let points = || {
        results.arms.iter().flat_map(|arm| {
            let of = format!(
                "workload=\"{workload}\",arm=\"{}\",engine=\"{}\"",
                label(&arm.spec.name),
                arm.spec.kind.word()
            );
            arm.tuning.points.iter().map(move |point| (format!("{of},workers=\"{}\"", point.workers), point))
        })
    };
    let rates = points().filter_map(|(of, point)| Some((of, point.mean()?)));
    family(&mut out, "throughput", "Succeeded tasks per second, mean over the runs.", rates);
    let cores = points().map(|(of, point)| (of, point.cores_used));
    family(&mut out, "cores_used", "CPU time of the workers over wall time.", cores);
    let unsuccessful = points().map(|(of, point)| (of, point.unsuccessful as f64));
    family(&mut out, "unsuccessful_tasks", "Tasks that did not succeed, over all runs.", unsuccessful);
    let best = results.arms.iter().filter_map(|arm| {
        let of = format!("workload=\"{workload}\",arm=\"{}\"", label(&arm.spec.name));
        let Advice::Use { workers, .. } = arm.tuning.advice else { return None };
        Some((of, f64::from(workers)))
    });
    family(
        &mut out,
        "recommended_workers",
        "The worker count that is recommended; none while that cannot be said.",
        best,
    );
    family(&mut out, "expectation_holds", HOLDS, expected(&workload, &results.expectations));
    out
}

const HOLDS: &str = "Whether an expectation holds; none where that cannot be said.";

fn expected<'a>(workload: &'a str, all: &'a [Checked]) -> impl Iterator<Item = (String, f64)> + 'a {
    all.iter().filter_map(move |one| {
        let value = match one.judgement {
            Judgement::Holds => 1.0,
            Judgement::Fails(_) => 0.0,
            _ => return None,
        };
        let labels =
            format!("workload=\"{workload}\",arm=\"{}\",expectation=\"{}\"", label(&one.engines), label(&one.text));
        Some((labels, value))
    })
}

fn latencies(of: &str, run: &Snapshot) -> Vec<(String, f64)> {
    let all = [
        ("wait", &run.latency.wait),
        ("startup", &run.latency.startup),
        ("service", &run.latency.service),
        ("sojourn", &run.latency.sojourn),
        ("delivered", run.delivered()),
    ];
    let measured = all.into_iter().filter(|(_, quantiles)| quantiles.count > 0);
    let each = measured.flat_map(|(latency, Quantiles { mean, p50, p90, p95, p99, max, .. })| {
        [("mean", mean), ("p50", p50), ("p90", p90), ("p95", p95), ("p99", p99), ("max", max)].map(
            |(statistic, time)| (format!("{of},latency=\"{latency}\",statistic=\"{statistic}\""), time.as_secs_f64()),
        )
    });
    each.collect()
}

fn head(out: &mut String, name: &str, help: &str) {
    let _ = writeln!(out, "# HELP poolscope_{name} {help}\n# TYPE poolscope_{name} gauge");
}

/// All values of one metric, which have to stand together.
fn family(out: &mut String, name: &str, help: &str, values: impl Iterator<Item = (String, f64)>) {
    let mut values = values.filter(|(_, value)| value.is_finite()).peekable();
    if values.peek().is_none() {
        return;
    }
    head(out, name, help);
    for (labels, value) in values {
        let _ = writeln!(out, "poolscope_{name}{{{labels}}} {value}");
    }
}

/// The value of a label.
fn label(text: &str) -> String {
    clean::line(text).replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixtures::comparison;

    #[test]
    fn families_stand_together_and_labels_are_escaped() {
        let mut results = comparison();
        results.arms[0].spec.name = "p\"o\\o\nl\u{1b}[2J".to_owned();
        let text = text(&results, &[]);
        let mut seen: Vec<String> = Vec::new();
        for line in text.lines() {
            let name = line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ");
            let name = name.split(['{', ' ']).next().expect("a name").to_owned();
            if seen.last() != Some(&name) {
                assert!(!seen.contains(&name), "{name} is not together");
                seen.push(name);
            }
            if !line.starts_with('#') {
                let (labels, value) = line.rsplit_once("} ").expect("a value");
                assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
                let quotes = labels.replace("\\\\", "").replace("\\\"", "").matches('"').count();
                assert_eq!(quotes % 2, 0, "{line}");
                assert!(!line.chars().any(char::is_control), "{line:?}");
            }
        }
        assert!(
            text.contains(
                "poolscope_tasks{workload=\"cpu-mix\",arm=\"process\",engine=\"process\",outcome=\"lost\"} 1\n"
            ),
            "{text}"
        );
        assert!(text.contains("arm=\"p\\\"o\\\\o"), "{text}");
    }
}
