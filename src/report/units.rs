//! Quantities in units that people read at a glance. Reports and screens say the same quantity in the same words.

use std::time::Duration;

/// A duration in its natural unit: `85 ns`, `8.5 µs`, `81 ms`, `1.5 s`, `15.8 s`, `2 min 3 s`, `1 h 2 min`.
#[must_use]
pub(crate) fn duration(duration: Duration) -> String {
    let nanos = duration.as_nanos() as f64;
    let seconds = duration.as_secs_f64();
    if duration.is_zero() {
        "0 s".to_owned()
    } else if nanos < 999.5 {
        format!("{nanos:.0} ns")
    } else if nanos < 999.5e3 {
        format!("{} µs", short(nanos / 1e3))
    } else if nanos < 999.5e6 {
        format!("{} ms", short(nanos / 1e6))
    } else if seconds < 59.95 {
        format!("{seconds:.1} s")
    } else if seconds < 3599.5 {
        let whole = seconds.round() as u64;
        format!("{} min {} s", whole / 60, whole % 60)
    } else {
        let minutes = (seconds / 60.0).round() as u64;
        format!("{} h {} min", minutes / 60, minutes % 60)
    }
}

/// A number of things per second: `0.42`, `3.17`, `98.8`, `181`, `1234`, `12 k`, `4.1 M`; `–` where there is none.
#[must_use]
pub(crate) fn rate(rate: f64) -> String {
    let size = rate.abs();
    match size {
        _ if !size.is_finite() => "–".to_owned(),
        _ if size == 0.0 => "0".to_owned(),
        _ if size < 9.995 => format!("{rate:.2}"),
        _ if size < 99.95 => format!("{rate:.1}"),
        _ if size < 9999.5 => format!("{rate:.0}"),
        _ if size < 999.5e3 => format!("{} k", short(rate / 1e3)),
        _ if size < 999.5e6 => format!("{} M", short(rate / 1e6)),
        _ => format!("{} G", short(rate / 1e9)),
    }
}

/// An amount of memory: `512 B`, `4.0 KiB`, `84 MiB`, `1.5 GiB`.
#[must_use]
pub(crate) fn bytes(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64;
    for unit in ["KiB", "MiB", "GiB", "TiB", "PiB"] {
        size /= 1024.0;
        // 1023.6 KiB would be rounded to 1024 KiB.
        if size < 1023.5 {
            return format!("{} {unit}", short(size));
        }
    }
    format!("{} EiB", short(size / 1024.0))
}

/// A share from 0 to 1: `67 %`, `0.4 %`, `0 %`.
#[must_use]
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 0.95 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

/// A ratio of two quantities: `3.1×`, `0.32×`, `120×`.
#[must_use]
pub(crate) fn ratio(ratio: f64) -> String {
    format!("{}×", factor(ratio))
}

/// The number of [`ratio`]: close to 1 the second digit after the point matters.
#[must_use]
pub(crate) fn factor(ratio: f64) -> String {
    match ratio {
        _ if ratio < 1.995 => format!("{ratio:.2}"),
        _ if ratio < 99.95 => format!("{ratio:.1}"),
        _ => format!("{ratio:.0}"),
    }
}

/// One decimal below ten, none above.
fn short(value: f64) -> String {
    if value.abs() < 9.95 { format!("{value:.1}") } else { format!("{value:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let cases = [
            (0, "0 s"),
            (1, "1 ns"),
            (999, "999 ns"),
            (1_000, "1.0 µs"),
            (8_549, "8.5 µs"),
            (85_000, "85 µs"),
            (999_499, "999 µs"),
            (999_500, "1.0 ms"),
            (81_000_000, "81 ms"),
            (999_600_000, "1.0 s"),
            (1_500_000_000, "1.5 s"),
            (15_840_000_000, "15.8 s"),
            (59_960_000_000, "1 min 0 s"),
            (123_000_000_000, "2 min 3 s"),
            (3_599_600_000_000, "1 h 0 min"),
            (3_725_000_000_000, "1 h 2 min"),
        ];
        for (nanos, text) in cases {
            assert_eq!(duration(Duration::from_nanos(nanos)), text, "{nanos} ns");
        }
        assert!(duration(Duration::MAX).ends_with("min"));
    }

    #[test]
    fn rates() {
        let cases = [
            (0.0, "0"),
            (0.4218, "0.42"),
            (9.996, "10.0"),
            (98.84, "98.8"),
            (99.96, "100"),
            (1234.4, "1234"),
            (12_345.0, "12 k"),
            (9_999.6, "10 k"),
            (123_456.0, "123 k"),
            (999_600.0, "1.0 M"),
            (4_140_000.0, "4.1 M"),
            (2e9, "2.0 G"),
            (f64::NAN, "–"),
            (f64::INFINITY, "–"),
        ];
        for (value, text) in cases {
            assert_eq!(rate(value), text, "{value}");
        }
    }

    #[test]
    fn sizes() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (84 << 20, "84 MiB"),
            ((1 << 20) - 1, "1.0 MiB"),
            (3 << 29, "1.5 GiB"),
            (u64::MAX, "16 EiB"),
        ];
        for (size, text) in cases {
            assert_eq!(bytes(size), text, "{size}");
        }
    }

    #[test]
    fn shares_and_ratios() {
        assert_eq!(
            [percent(0.0), percent(0.004), percent(0.0096), percent(0.67), percent(1.0)].join(", "),
            "0 %, 0.4 %, 1 %, 67 %, 100 %"
        );
        assert_eq!([ratio(0.32), ratio(1.05), ratio(3.099), ratio(120.4)].join(", "), "0.32×, 1.05×, 3.1×, 120×");
    }
}
