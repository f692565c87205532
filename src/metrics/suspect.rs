//! Why the figures of a run should not be trusted: a pure function over readings before and after it.

use std::time::Duration;

use crate::os::pressure::Pressure;

/// Share of the usable cores that other programs may use.
const OTHER_LOAD: f64 = 0.2;
/// Share of the usable cores that the hypervisor may take away.
const STOLEN: f64 = 0.05;
/// Disturbances shorter than this are nothing: `/proc/stat` counts in hundredths of a second.
const NEGLIGIBLE: Duration = Duration::from_millis(200);
/// Share of the run in which something may have waited for memory.
const MEMORY_STALL: f64 = 0.05;
/// Pages that may be swapped in (one MiB of 4 KiB pages).
const SWAPPED_IN: u64 = 256;
/// Major page faults a second that workers may have, and how many they need for any rate to count: a first start reads
/// its program from the disk.
const MAJOR_FAULTS_PER_SECOND: f64 = 50.0;
const MAJOR_FAULTS: u64 = 200;
/// Lateness of a sample beyond which the sampler, and so perhaps the engine, was starved.
const STARVED: Duration = Duration::from_secs(2);
/// Share of their clock rate that busy processors may lose, and which part of the run they have to be busy for that to
/// count: those that rest are slowed down on purpose.
const SLOWER: f64 = 0.15;
const BUSY: f64 = 0.7;
/// How far the clocks may drift apart.
const CLOCK_STEP: f64 = 0.5;

/// What a run was like for the machine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Evidence<'a> {
    /// Readings when it began and now; `None` where none were made.
    pub(crate) readings: Option<(&'a Pressure, &'a Pressure)>,
    /// CPU time of its workers.
    pub(crate) workers_cpu: Duration,
    /// Page faults of its workers that needed I/O.
    pub(crate) major_faults: u64,
    /// How long it stood still on request.
    pub(crate) suspended: Duration,
    /// How long somebody else had stopped this program while the workers went on.
    pub(crate) stopped: Duration,
    /// Longest delay of a sample.
    pub(crate) sampler_lag: Duration,
    /// Clock rate of the processors early in it and now, in MHz.
    pub(crate) mhz: Option<(u32, u32)>,
}

impl Evidence<'_> {
    /// The longest delay of a sample that is explained neither by a suspension nor by a stop.
    #[must_use]
    pub(crate) fn lag(&self) -> Duration {
        self.sampler_lag.saturating_sub(self.suspended).saturating_sub(self.stopped)
    }
}

/// One sentence for each reason; empty is good.
#[must_use]
pub(crate) fn reasons(evidence: &Evidence<'_>) -> Vec<String> {
    let mut reasons = Vec::new();
    if !evidence.suspended.is_zero() {
        reasons.push(format!("the run was suspended for {:.1} s", evidence.suspended.as_secs_f64()));
    }
    if !evidence.stopped.is_zero() {
        let seconds = evidence.stopped.as_secs_f64();
        reasons.push(format!("Poolscope was stopped (SIGSTOP) for about {seconds:.1} s while its workers went on"));
    }
    if evidence.lag() > STARVED {
        reasons.push(format!("the sampler was starved: a sample came {:.1} s late", evidence.lag().as_secs_f64()));
    }
    if let Some((before, after)) = evidence.readings {
        compare(evidence, before, after, &mut reasons);
    }
    reasons
}

fn compare(evidence: &Evidence<'_>, before: &Pressure, after: &Pressure, reasons: &mut Vec<String>) {
    let elapsed = after.monotonic.saturating_sub(before.monotonic);
    let seconds = elapsed.as_secs_f64();
    if let Some(times) = rise(before.throttled, after.throttled) {
        reasons.push(format!("the CPU quota of its cgroup held the run up ({times} times)"));
    }
    if let Some(pages) = rise(before.swapped_in, after.swapped_in).filter(|pages| *pages > SWAPPED_IN) {
        reasons.push(format!("the machine was swapping ({pages} pages swapped in)"));
    } else if evidence.major_faults > MAJOR_FAULTS && evidence.major_faults as f64 > MAJOR_FAULTS_PER_SECOND * seconds {
        reasons
            .push(format!("the workers waited for memory from the disk ({} major page faults)", evidence.major_faults));
    }
    if let Some(times) = rise(before.too_hot, after.too_hot) {
        reasons.push(format!("the processors were too hot and slowed down ({times} times)"));
    }
    if let (Some(before), Some(after)) = (before.memory_stall, after.memory_stall) {
        let stalled = after.saturating_sub(before);
        if stalled > NEGLIGIBLE && stalled.as_secs_f64() > MEMORY_STALL * seconds {
            reasons
                .push(format!("memory was short: {} of the time something waited for it", percent(stalled, elapsed)));
        }
    }
    if let (Some(first), Some(last)) = (before.processors, after.processors) {
        let available = elapsed * last.count;
        let ours = evidence.workers_cpu + after.own_cpu.saturating_sub(before.own_cpu);
        let busy = last.busy.saturating_sub(first.busy).as_secs_f64() > BUSY * available.as_secs_f64();
        let slower = evidence.mhz.filter(|(early, late)| f64::from(*late) < (1.0 - SLOWER) * f64::from(*early));
        if let Some((early, late)) = slower.filter(|_| busy) {
            reasons.push(format!("the processors became slower: from {early} to {late} MHz"));
        }
        let others = last.busy.saturating_sub(first.busy).saturating_sub(ours);
        if others > NEGLIGIBLE && others.as_secs_f64() > OTHER_LOAD * available.as_secs_f64() {
            let cores = others.as_secs_f64() / seconds.max(1e-9);
            reasons.push(format!("other programs used {cores:.1} of {} cores", last.count));
        }
        let stolen = last.stolen.saturating_sub(first.stolen);
        if stolen > NEGLIGIBLE && stolen.as_secs_f64() > STOLEN * available.as_secs_f64() {
            reasons.push(format!("the hypervisor took {} of the processor time", percent(stolen, available)));
        }
    }
    if let (Some(first), Some(last)) = (before.boot, after.boot) {
        let asleep = last.saturating_sub(first).as_secs_f64() - seconds;
        if asleep > CLOCK_STEP {
            reasons.push(format!("the machine slept for {asleep:.1} s"));
        }
    }
    // The time of day goes on while the machine sleeps: compared with the clock that does so too.
    let reference = match (before.boot, after.boot) {
        (Some(first), Some(last)) => last.saturating_sub(first).as_secs_f64(),
        _ => seconds,
    };
    let step = after.wall.as_secs_f64() - before.wall.as_secs_f64() - reference;
    if step.abs() > CLOCK_STEP {
        reasons.push(format!("the system clock was set by {step:+.1} s"));
    }
}

/// Cores that programs have used which are neither workers nor this one, on average.
#[must_use]
pub(crate) fn others(evidence: &Evidence<'_>) -> Option<f64> {
    let (before, after) = evidence.readings?;
    let (first, last) = (before.processors?, after.processors?);
    let elapsed = after.monotonic.saturating_sub(before.monotonic);
    (!elapsed.is_zero()).then(|| {
        let ours = evidence.workers_cpu + after.own_cpu.saturating_sub(before.own_cpu);
        let others = last.busy.saturating_sub(first.busy).saturating_sub(ours);
        others.as_secs_f64() / elapsed.as_secs_f64()
    })
}

fn rise(before: Option<u64>, after: Option<u64>) -> Option<u64> {
    after?.checked_sub(before?).filter(|rise| *rise > 0)
}

fn percent(part: Duration, whole: Duration) -> String {
    format!("{:.0} %", 100.0 * part.as_secs_f64() / whole.as_secs_f64().max(1e-9))
}

#[cfg(test)]
mod simulation;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::pressure::Processors;

    const SECOND: Duration = Duration::from_secs(1);

    /// Readings ten seconds apart on two cores, of which workers and Poolscope used 15 s.
    fn calm() -> (Pressure, Pressure) {
        let before = Pressure {
            monotonic: SECOND * 100,
            boot: Some(SECOND * 150),
            wall: SECOND * 1_700_000_000,
            own_cpu: SECOND,
            processors: Some(Processors { count: 2, busy: SECOND * 500, stolen: SECOND }),
            throttled: Some(5),
            swapped_in: Some(1000),
            memory_stall: Some(SECOND * 3),
            too_hot: Some(9),
            mhz: Some(3400),
        };
        let mut after = before.clone();
        after.monotonic += SECOND * 10;
        after.boot = Some(SECOND * 160);
        after.wall += SECOND * 10;
        after.own_cpu += SECOND;
        after.processors = Some(Processors { count: 2, busy: SECOND * 515, stolen: SECOND });
        (before, after)
    }

    fn found(change: impl FnOnce(&mut Pressure)) -> Vec<String> {
        let (before, mut after) = calm();
        change(&mut after);
        let workers_cpu = SECOND * 14;
        reasons(&Evidence { readings: Some((&before, &after)), workers_cpu, ..Evidence::default() })
    }

    #[test]
    fn calm_run_is_not_suspect() {
        assert_eq!(found(|_| {}), Vec::<String>::new());
        assert_eq!(reasons(&Evidence::default()), Vec::<String>::new());
    }

    #[test]
    fn each_disturbance_has_its_sentence() {
        let busy = |after: &mut Pressure, seconds: f64| {
            if let Some(processors) = after.processors.as_mut() {
                processors.busy += Duration::from_secs_f64(seconds);
            }
        };
        assert_eq!(found(|after| busy(after, 3.9)), Vec::<String>::new(), "just under a fifth of the cores");
        assert_eq!(found(|after| busy(after, 5.0)), ["other programs used 0.5 of 2 cores"]);
        assert_eq!(
            found(|after| after.throttled = Some(12)),
            ["the CPU quota of its cgroup held the run up (7 times)"]
        );
        assert_eq!(found(|after| after.throttled = None), Vec::<String>::new());
        assert_eq!(found(|after| after.swapped_in = Some(1256)), Vec::<String>::new());
        assert_eq!(found(|after| after.swapped_in = Some(1300)), ["the machine was swapping (300 pages swapped in)"]);
        let stalled = found(|after| after.memory_stall = Some(SECOND * 5));
        assert_eq!(stalled, ["memory was short: 20 % of the time something waited for it"]);
        let stolen = found(|after| {
            if let Some(processors) = after.processors.as_mut() {
                processors.stolen += SECOND * 2;
            }
        });
        assert_eq!(stolen, ["the hypervisor took 10 % of the processor time"]);
        assert_eq!(found(|after| after.too_hot = Some(11)), ["the processors were too hot and slowed down (2 times)"]);
        assert_eq!(found(|after| after.too_hot = None), Vec::<String>::new());
    }

    #[test]
    fn a_lower_clock_rate_counts_where_the_processors_are_busy() {
        let (before, after) = calm();
        let found = |mhz, workers: u64| {
            let mut after = after.clone();
            if let Some(processors) = after.processors.as_mut() {
                processors.busy -= SECOND * u32::try_from(14 - workers).unwrap();
            }
            let workers_cpu = SECOND * u32::try_from(workers).unwrap();
            reasons(&Evidence { readings: Some((&before, &after)), workers_cpu, mhz, ..Evidence::default() })
        };
        assert_eq!(found(Some((3400, 2100)), 14), ["the processors became slower: from 3400 to 2100 MHz"]);
        assert_eq!(found(Some((3400, 3000)), 14), Vec::<String>::new());
        assert_eq!(found(Some((2100, 3400)), 14), Vec::<String>::new());
        assert_eq!(found(Some((3400, 2100)), 4), Vec::<String>::new(), "they rest, and are slowed down for that");
        assert_eq!(found(None, 14), Vec::<String>::new());
    }

    #[test]
    fn sleep_and_clock_steps_are_told_apart() {
        let slept = found(|after| {
            after.boot = Some(SECOND * 190);
            after.wall += SECOND * 30;
        });
        assert_eq!(slept, ["the machine slept for 30.0 s"]);
        assert_eq!(found(|after| after.wall -= SECOND * 70), ["the system clock was set by -70.0 s"]);
        assert_eq!(found(|after| after.wall += SECOND * 3600), ["the system clock was set by +3600.0 s"]);
    }

    #[test]
    fn suspension_explains_a_late_sample() {
        let mut evidence = Evidence { sampler_lag: SECOND * 3, ..Evidence::default() };
        assert_eq!(reasons(&evidence), ["the sampler was starved: a sample came 3.0 s late"]);
        evidence.suspended = SECOND * 2;
        assert_eq!(reasons(&evidence), ["the run was suspended for 2.0 s"]);
        (evidence.suspended, evidence.stopped) = (Duration::ZERO, SECOND * 2);
        assert_eq!(reasons(&evidence), ["Poolscope was stopped (SIGSTOP) for about 2.0 s while its workers went on"]);
    }

    #[test]
    fn major_faults_count_by_rate() {
        let (before, after) = calm();
        let with = |major_faults| {
            let workers_cpu = SECOND * 14;
            reasons(&Evidence { readings: Some((&before, &after)), workers_cpu, major_faults, ..Evidence::default() })
        };
        assert_eq!(with(500), Vec::<String>::new());
        assert_eq!(with(501), ["the workers waited for memory from the disk (501 major page faults)"]);
    }
}
