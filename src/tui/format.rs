//! Numbers as people read them: few digits, always a unit, never wider than its column.

use std::time::Duration;

use crate::engine::event::Moment;
use crate::os::host::Host;
use crate::session::view::SessionView;
use crate::workload::model::{Share, Total, Workload};

/// A measured time with about three digits: `850 ns`, `168 µs`, `81 ms`, `2.00 s`, `12 min`.
#[must_use]
pub(crate) fn duration(value: Duration) -> String {
    let seconds = value.as_secs_f64();
    match value.as_nanos() {
        0 => "0 ms".to_owned(),
        1..1_000 => format!("{} ns", value.as_nanos()),
        1_000..1_000_000 => format!("{} µs", value.as_micros()),
        1_000_000..9_950_000 => format!("{:.1} ms", seconds * 1e3),
        9_950_000..999_500_000 => format!("{:.0} ms", seconds * 1e3),
        999_500_000..9_995_000_000 => format!("{seconds:.2} s"),
        9_995_000_000..99_950_000_000 => format!("{seconds:.1} s"),
        99_950_000_000..600_000_000_000 => format!("{seconds:.0} s"),
        600_000_000_000..36_000_000_000_000 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

/// Time to go: `4s`, `3m12s`, `2h05m`, `9d`.
#[must_use]
pub(crate) fn eta(value: Duration) -> String {
    let seconds = value.as_secs_f64().ceil() as u64;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d", (seconds / 86_400).min(999)),
    }
}

/// A run clock: `00:15.8`, `1:02:03`.
#[must_use]
pub(crate) fn clock(at: Moment) -> String {
    let value = at.elapsed();
    let seconds = value.as_secs();
    if seconds < 3600 {
        format!("{:02}:{:02}.{}", seconds / 60, seconds % 60, value.subsec_millis() / 100)
    } else {
        format!("{}:{:02}:{:02}", seconds / 3600, seconds % 3600 / 60, seconds % 60)
    }
}

/// A rate without its unit: `49.4`, `12.3k`, `8.1M`.
#[must_use]
pub(crate) fn rate(value: f64) -> String {
    match value {
        v if !v.is_finite() || v <= 0.0 => "0".to_owned(),
        v if v < 9.995 => format!("{v:.2}"),
        v if v < 999.5 => format!("{v:.1}"),
        v if v < 9_999.5 => format!("{v:.0}"),
        v if v < 999_950.0 => format!("{:.1}k", v / 1e3),
        v if v < 999_950_000.0 => format!("{:.1}M", v / 1e6),
        v => format!("{:.1}G", v / 1e9),
    }
}

/// An exact number up to 99,999, then rounded: `99999`, `123k`, `1.2M`.
#[must_use]
pub(crate) fn count(value: u64) -> String {
    match value {
        0..100_000 => value.to_string(),
        100_000..1_000_000 => format!("{}k", value / 1_000),
        1_000_000..1_000_000_000 => format!("{:.1}M", value as f64 / 1e6),
        _ => format!("{:.1}G", value as f64 / 1e9),
    }
}

/// Bytes with a binary unit, as long as it is short: `8.1 MiB`.
#[must_use]
pub(crate) fn bytes(value: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if value < 1024 {
        return format!("{value} B");
    }
    let mut size = value as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1023.5 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    let unit = UNITS.get(unit).unwrap_or(&"");
    if size < 9.95 { format!("{size:.1} {unit}") } else { format!("{size:.0} {unit}") }
}

/// Bytes in five columns at most: `8.1M`, `512K`.
#[must_use]
pub(crate) fn bytes_short(value: u64) -> String {
    let mut text = bytes(value);
    text.retain(|c| c != ' ' && c != 'i' && c != 'B');
    text
}

/// A share in percent, rounded down so that 100 % means all.
#[must_use]
pub(crate) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    format!("{}%", u128::from(part) * 100 / u128::from(whole))
}

/// A ratio with two or three digits: `3.1`, `0.87`, `12`, `412`.
#[must_use]
pub(crate) fn ratio(value: f64) -> String {
    match value {
        v if !v.is_finite() => "?".to_owned(),
        v if v < 0.995 => format!("{v:.2}"),
        v if v < 1.995 => format!("{v:.2}"),
        v if v < 99.5 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

/// How much `value` differs from `base`: `+212%`, `−65%`, `×41` from tenfold on; empty without a base.
#[must_use]
pub(crate) fn change(value: f64, base: f64) -> String {
    if base <= 0.0 || value <= 0.0 || !value.is_finite() || !base.is_finite() {
        return String::new();
    }
    let ratio = value / base;
    let percent = (ratio - 1.0) * 100.0;
    if ratio >= 10.0 {
        format!("×{ratio:.0}")
    } else if percent.abs() < 0.5 {
        "0%".to_owned()
    } else if percent < 0.0 {
        format!("−{:.0}%", -percent)
    } else {
        format!("+{percent:.0}%")
    }
}

/// Tasks of one run of what is open; 0 where that is not known.
#[must_use]
pub(crate) fn tasks_of_a_run(view: &SessionView) -> u64 {
    let run = view.arms.iter().find_map(|arm| arm.latest()).map(|run| run.total);
    run.or_else(|| task_count(&view.workload)).unwrap_or(0)
}

/// How many tasks a workload has, before the first run has said so; `None` where only the arrivals decide.
#[must_use]
pub(crate) fn task_count(workload: &Workload) -> Option<u64> {
    match workload.total {
        Total::Weighted(total) => Some(total.get()),
        Total::PerClass => Some(
            workload
                .classes
                .iter()
                .map(|class| match class.share {
                    Share::Count(count) => count.get(),
                    Share::Weight(_) => 0,
                })
                .sum(),
        ),
        Total::ByDuration => None,
    }
}

/// The cores of a machine: `8 cores`, or all three numbers where they differ.
#[must_use]
pub(crate) fn cores(host: &Host, long: bool) -> String {
    let limited = host.cores_affinity != host.cores_online || host.cores_quota.is_some();
    if !limited || !long {
        let usable = host.usable_cores();
        return format!("{usable} core{}", if usable == 1 { "" } else { "s" });
    }
    let quota = host.cores_quota.map_or_else(|| "no quota".to_owned(), |quota| format!("{quota:.1} quota"));
    format!("cores {} host/{} affinity/{quota}", host.cores_online, host.cores_affinity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits_and_a_unit() {
        let cases = [
            (0, "0 ms"),
            (850, "850 ns"),
            (168_000, "168 µs"),
            (1_400_000, "1.4 ms"),
            (81_000_000, "81 ms"),
            (999_600_000, "1.00 s"),
            (2_000_000_000, "2.00 s"),
            (47_300_000_000, "47.3 s"),
            (599_000_000_000, "599 s"),
            (900_000_000_000, "15 min"),
            (40_000_000_000_000, "11.1 h"),
        ];
        for (nanos, text) in cases {
            assert_eq!(duration(Duration::from_nanos(nanos)), text);
        }
        assert!(duration(Duration::MAX).ends_with(" h"));
    }

    #[test]
    fn numbers_stay_short() {
        assert_eq!(rate(49.44), "49.4");
        assert_eq!(rate(12_345.0), "12.3k");
        assert_eq!(rate(f64::NAN), "0");
        assert_eq!(count(99_999), "99999");
        assert_eq!(count(1_234_567), "1.2M");
        assert_eq!(bytes(8 * 1024 * 1024 + 100 * 1024), "8.1 MiB");
        assert_eq!(bytes_short(42 * 1024 * 1024), "42M");
        assert_eq!(bytes(u64::MAX), "16384 PiB");
        assert_eq!(eta(Duration::from_secs(192)), "3m12s");
        assert_eq!(eta(Duration::MAX), "999d");
        assert_eq!(clock(Moment(15_830_000_000)), "00:15.8");
        assert_eq!(percent(1999, 2000), "99%");
        assert_eq!(percent(u64::MAX, u64::MAX), "100%");
        assert_eq!(change(98.8, 31.7), "+212%");
        assert_eq!(change(97.0, 281.0), "−65%");
        assert_eq!(change(410.0, 10.0), "×41");
        assert_eq!(change(1.0, 0.0), "");
    }
}
