//! What a probe in an interpreter has shown, in figures and in words.

use std::time::Duration;

use serde::Serialize;

use crate::metrics::snapshot::GilProbe;

/// How late the probes of an arm went on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Lateness {
    /// Times that a probe went on.
    pub(crate) samples: u64,
    pub(crate) p50_s: f64,
    pub(crate) max_s: f64,
    pub(crate) switch_interval_s: f64,
}

impl Lateness {
    /// `None` where no probe ever went on beside a task.
    #[must_use]
    pub(crate) fn of(probe: &GilProbe) -> Option<Self> {
        let GilProbe { late, switch_interval } = probe;
        let [p50_s, max_s, switch_interval_s] = [late.p50, late.max, *switch_interval].map(|time| time.as_secs_f64());
        (late.count > 0).then_some(Self { samples: late.count, p50_s, max_s, switch_interval_s })
    }
}

/// `probe: 5.2 ms late (p50), 34 ms at most, switch interval 5 ms`
#[must_use]
pub(crate) fn words(probe: &GilProbe) -> String {
    if probe.late.count == 0 {
        return "probe: no worker was at its tasks for 20 ms, which is its period".to_owned();
    }
    let [late, most, interval] = [probe.late.p50, probe.late.max, probe.switch_interval].map(milliseconds);
    format!("probe: {late} late (p50), {most} at most, switch interval {interval}")
}

/// Two digits that mean something, and none more.
fn milliseconds(time: Duration) -> String {
    let value = time.as_secs_f64() * 1e3;
    let decimals = if value < 1.0 { 2 } else { usize::from(value < 9.95) };
    let text = format!("{value:.decimals$}");
    let text = if decimals > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} ms")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::snapshot::Quantiles;

    #[test]
    fn it_is_told_in_one_line() {
        let micros = Duration::from_micros;
        let late = Quantiles { count: 40, p50: micros(5_170), max: micros(34_400), ..Quantiles::default() };
        let probe = GilProbe { late, switch_interval: micros(5_000) };
        assert_eq!(words(&probe), "probe: 5.2 ms late (p50), 34 ms at most, switch interval 5 ms");
        let idle = Quantiles { p50: micros(98), max: micros(400), ..late };
        let idle = GilProbe { late: idle, ..probe };
        assert_eq!(words(&idle), "probe: 0.1 ms late (p50), 0.4 ms at most, switch interval 5 ms");
        assert_eq!(Lateness::of(&GilProbe::default()), None);
        assert!(words(&GilProbe::default()).contains("no worker was at its tasks"));
        assert_eq!(milliseconds(micros(200_400)), "200 ms");
    }
}
