//! Whether what two sessions measured may be compared, and what is to be known where it may.

use std::collections::BTreeSet;

use super::record::{Arm, Run, Session};

/// What stands between two sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Differences {
    /// A comparison would be one of two different things.
    pub(crate) refused: Vec<String>,
    /// It is to be read with care.
    pub(crate) warned: Vec<String>,
}

/// What stands between two sessions, as far as it is none of their arms.
#[must_use]
pub(crate) fn between(a: &Session, b: &Session) -> Differences {
    let mut found = Differences::default();
    for (name, session) in [("A", a), ("B", b)] {
        match session.end() {
            None => found.refused.push(format!("{name} did not come to its end: nothing of it was kept")),
            Some(end) if end.sharing_cores => {
                found.refused.push(format!("the arms of {name} shared the cores: it is no measurement"));
            }
            Some(end) => {
                let aborted = end.aborted.as_ref().map(|why| format!("{name} was aborted: {why}"));
                found.warned.extend(aborted);
            }
        }
    }
    let shared = shared(a, b);
    if shared > 0 {
        let runs = if shared == 1 { "1 run is".to_owned() } else { format!("{shared} runs are") };
        found.refused.push(format!("{runs} in both: one of them was resumed from the other"));
    }
    let (one, other) = (&a.start, &b.start);
    if let (Some(a), Some(b)) = (a.end(), b.end()) {
        if a.stream_hash != b.stream_hash {
            let names = differ(&one.workload.name, &other.workload.name);
            found.refused.push(format!(
                "they did not run the same tasks: stream A: {}, B: {}{names}",
                a.stream_hash, b.stream_hash
            ));
        } else if one.workload.hash != other.workload.hash {
            found.warned.push("the tasks are the same, but the workload file differs in something else".to_owned());
        }
        if a.latency != b.latency {
            found.refused.push(format!("they lead with different latencies: A: {}, B: {}", a.latency, b.latency));
        }
    }
    let (here, there) = (one.host.fingerprint(), other.host.fingerprint());
    if here != there {
        found.refused.push(format!("they ran on different machines: A: {here}, B: {there}"));
    }
    for (what, here, there) in [
        ("the program", &one.host.program, &other.host.program),
        ("the kernel", &one.host.kernel, &other.host.kernel),
        ("the name of the machine", &one.host.name, &other.host.name),
    ] {
        if here != there {
            found.warned.push(format!("{what} is another one: {here} and {there}"));
        }
    }
    found
}

/// Runs that are in both of two different sessions. Times are exact to a nanosecond: two runs do not have the same by chance.
fn shared(a: &Session, b: &Session) -> usize {
    let runs = |session: &Session| {
        let arms = session.end().map_or(&[][..], |end| &end.arms).iter();
        let runs = arms.flat_map(|arm| arm.complete().map(|run| (&arm.name, arm.workers, run)));
        let times = runs.map(|(name, workers, run)| {
            let Run { round, succeeded, .. } = *run;
            (name.clone(), workers, round, succeeded, [run.wall_s, run.throughput, run.cores_used].map(f64::to_bits))
        });
        times.collect::<BTreeSet<_>>()
    };
    if a.id == b.id { 0 } else { runs(a).intersection(&runs(b)).count() }
}

fn differ(a: &str, b: &str) -> String {
    if a == b { String::new() } else { format!(" (workloads {a} and {b})") }
}

/// Whether more than a tenth of the tasks of an arm did not succeed: its figures are not of the work that was asked for.
#[must_use]
pub(crate) fn fails(arm: &Arm) -> bool {
    let (bad, all) = unsuccessful(arm);
    bad * 10 > all
}

fn unsuccessful(arm: &Arm) -> (u64, u64) {
    arm.complete().fold((0, 0), |(bad, all), run| (bad + run.unsuccessful, all + run.unsuccessful + run.succeeded))
}

/// What is to be known of two arms before their figures are believed, with what their sessions are called.
#[must_use]
pub(crate) fn arms(a: &Arm, b: &Arm, [of_a, of_b]: [&str; 2]) -> Vec<String> {
    let mut warned = Vec::new();
    if a.engine != b.engine {
        warned.push(format!("{} is of kind {}, {} of kind {}", a.name, a.engine, b.name, b.engine));
    }
    if a.workers != b.workers {
        warned.push(format!("{} has {} workers, {} has {}", a.name, a.workers, b.name, b.workers));
    }
    let only = |one: &Arm, other: &Arm| {
        one.settings.iter().filter(|words| !other.settings.contains(words)).cloned().collect::<Vec<_>>()
    };
    for (name, words) in [(of_a, only(a, b)), (of_b, only(b, a))] {
        if !words.is_empty() {
            warned.push(format!("{} has these settings in {name} alone: {}", a.name, words.join(", ")));
        }
    }
    for (name, arm) in [(of_a, a), (of_b, b)] {
        if fails(arm) {
            let (bad, all) = unsuccessful(arm);
            warned.push(format!("{bad} of {all} tasks of {} in {name} did not succeed", arm.name));
        }
        let suspect = arm.complete().filter(|run| !run.suspect.is_empty()).count();
        if let Some(first) = arm.complete().find_map(|run| run.suspect.first()) {
            let all = arm.complete().count();
            warned.push(format!("{suspect} of {all} runs of {} in {name} are suspect: {first}", arm.name));
        }
    }
    warned
}
