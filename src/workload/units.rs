//! Durations, sizes and rates as they are written in a workload file: always with a unit.
//!
//! `5ms`, `1.5s`, `2min`, `1h30m`; `64KiB`, `1.5MB`; `120/s`, `30/min`. What could be misread is refused: a bare number
//! (seconds or milliseconds?), `64M` (10^6 or 2^20?), `3/m` (minute or month?).

use std::time::Duration;

use bytesize::ByteSize;
use jiff::fmt::friendly::SpanParser;

use crate::workload::text::shortened;

/// Longest duration that is accepted: one year.
pub const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
/// Largest size that is accepted: 1 PiB.
pub const LARGEST: u64 = 1 << 50;

/// What a duration looks like; for messages.
pub(crate) const DURATION_FORM: &str = "a duration with a unit, such as 5ms, 1.5s, 2min or 1h30m";
/// What a size looks like; for messages.
pub(crate) const SIZE_FORM: &str = "a size with a unit, such as 64KiB, 1.5MB or 512B";
/// What a rate at an end of a ramp looks like; for messages.
pub(crate) const RAMP_RATE_FORM: &str = "a rate with a unit, such as 120/s, 30/min or 0/s";
/// What a rate looks like; for messages.
pub(crate) const RATE_FORM: &str = "a rate above 0 with a unit, such as 120/s, 30/min or 10/h";

/// What a share looks like; for messages.
pub(crate) const PERCENTAGE_FORM: &str = "a percentage above 0, such as 2% or 0.5%";

/// What is wrong with a quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct UnitError {
    /// What is wrong, in a few words.
    pub message: String,
    /// A hint, as a sentence.
    pub help: Option<String>,
    /// The one thing that the writer must have meant.
    pub suggestion: Option<String>,
}

impl UnitError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, suggestion: None }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    fn suggest(mut self, word: String) -> Self {
        self.help = Some(format!("did you mean `{word}`?"));
        self.suggestion = Some(word);
        self
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '.') && text.parse::<f64>().is_ok()
}

/// Reads a duration: jiff's friendly format, restricted to non-negative sums of numbers with units from ns to h.
///
/// # Errors
/// Says what is wrong: no unit, a sign, not a number, longer than [`LONGEST`].
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    // Both letters for micro: the sign of its own (U+00B5), and the Greek one that keyboards and editors give.
    let text = text.replace('\u{3bc}', "\u{b5}");
    let trimmed = text.trim();
    if is_number(trimmed) {
        let short = shortened(trimmed, 12);
        return Err(UnitError::new("a duration needs a unit").help(format!("did you mean `{short}s` or `{short}ms`?")));
    }
    if trimmed.starts_with('-') || trimmed.starts_with('+') || trimmed.ends_with("ago") {
        return Err(UnitError::new("a duration has no sign"));
    }
    // The friendly format also knows clock times and calendar units; neither says how long a task is.
    if trimmed.contains(':') || !trimmed.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(UnitError::new("not a duration"));
    }
    let parsed = SpanParser::new().parse_unsigned_duration(trimmed).map_err(|_| UnitError::new("not a duration"))?;
    if parsed > LONGEST {
        return Err(UnitError::new("longer than a year"));
    }
    Ok(parsed)
}

/// The shortest exact way to write a duration so that [`parse_duration`] reads it back.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    const UNITS: [(&str, u128); 6] = [
        ("h", 3_600_000_000_000),
        ("min", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1000),
        ("ns", 1),
    ];
    let nanos = duration.as_nanos();
    // 1.5s reads better than 1500ms, but 90min better than 1.5h: fractions only below a minute.
    let fits = |size: u128| if nanos < 60_000_000_000 { nanos >= size } else { nanos.is_multiple_of(size) };
    let Some((unit, size)) = UNITS.into_iter().find(|(_, size)| fits(*size)).filter(|_| nanos > 0) else {
        return "0s".to_owned();
    };
    if nanos.is_multiple_of(size) {
        return format!("{}{unit}", nanos / size);
    }
    let digits = format!("{:0width$}", nanos % size, width = size.ilog10() as usize);
    format!("{}.{}{unit}", nanos / size, digits.trim_end_matches('0'))
}

/// Units of a size, in capitals.
const SIZE_UNITS: [&str; 9] = ["B", "KB", "MB", "GB", "TB", "KIB", "MIB", "GIB", "TIB"];

/// Reads a size in bytes.
///
/// # Errors
/// Says what is wrong: no unit, an ambiguous one (`M`), a sign, larger than [`LARGEST`].
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    let trimmed = text.trim();
    let number = trimmed.trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim_end();
    let unit = trimmed.get(number.len()..).unwrap_or_default().trim();
    if trimmed.starts_with('-') {
        return Err(UnitError::new("a size cannot be negative"));
    }
    if !is_number(number) {
        return Err(UnitError::new("not a size"));
    }
    if unit.is_empty() {
        return Err(UnitError::new("a size needs a unit").help(format!("did you mean `{number}B` or `{number}KiB`?")));
    }
    let upper = unit.to_ascii_uppercase();
    if !SIZE_UNITS.contains(&upper.as_str()) {
        return Err(match upper.as_str() {
            "K" | "KI" | "M" | "MI" | "G" | "GI" | "T" | "TI" => {
                let prefix = &upper[..1];
                UnitError::new(format!("`{unit}` is ambiguous"))
                    .help(format!("did you mean `{number}{prefix}iB` or `{number}{prefix}B`?"))
            }
            _ => UnitError::new(format!("`{}` is not a unit of size", shortened(unit, 12))),
        });
    }
    let ByteSize(bytes) = format!("{number}{upper}").parse::<ByteSize>().map_err(|_| UnitError::new("not a size"))?;
    if bytes > LARGEST {
        return Err(UnitError::new("larger than 1024TiB"));
    }
    Ok(bytes)
}

/// The shortest exact way to write a size so that [`parse_size`] reads it back.
#[must_use]
pub fn format_size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 8] = [
        ("TiB", 1 << 40),
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
        ("TB", 1_000_000_000_000),
        ("GB", 1_000_000_000),
        ("MB", 1_000_000),
        ("KB", 1000),
    ];
    let exact = UNITS.iter().filter(|(_, size)| bytes > 0 && bytes.is_multiple_of(*size));
    // Of several exact ways the one with the smallest number: 1000KB is 1MB, 1024KiB is 1MiB.
    exact
        .min_by_key(|(_, size)| bytes / size)
        .map_or_else(|| format!("{bytes}B"), |(unit, size)| format!("{}{unit}", bytes / size))
}

/// Reads a rate in events per second.
///
/// # Errors
/// Says what is wrong: no unit, not above 0, not finite.
pub(crate) fn parse_rate(text: &str) -> Result<f64, UnitError> {
    let above = |rate| if rate > 0.0 { Ok(rate) } else { Err(UnitError::new("a rate must be above 0")) };
    if text.trim_start().starts_with('-') { above(-1.0) } else { rate(text).and_then(above) }
}

/// Reads a rate at an end of a ramp, which may be 0; see [`parse_rate`].
///
/// # Errors
/// Says what is wrong: no unit, a sign, not finite.
pub(crate) fn parse_ramp_rate(text: &str) -> Result<f64, UnitError> {
    rate(text)
}

fn rate(text: &str) -> Result<f64, UnitError> {
    let trimmed = text.trim();
    let Some((number, unit)) = trimmed.split_once('/') else {
        let error = UnitError::new("a rate needs a unit");
        return Err(if is_number(trimmed) { error.suggest(format!("{trimmed}/s")) } else { error });
    };
    let (number, unit) = (number.trim(), unit.trim());
    if number.starts_with('-') {
        return Err(UnitError::new("a rate cannot be negative"));
    }
    if !is_number(number) {
        return Err(UnitError::new("not a rate"));
    }
    let seconds = match unit {
        "s" | "sec" | "second" => 1.0,
        "min" | "minute" => 60.0,
        "h" | "hour" => 3600.0,
        "m" => return Err(UnitError::new("`/m` is ambiguous").suggest(format!("{number}/min"))),
        _ => return Err(UnitError::new("not a unit of time").help("rates are per s, min or h")),
    };
    let rate = number.parse::<f64>().map_err(|_| UnitError::new("not a rate"))? / seconds;
    if rate.is_finite() { Ok(rate) } else { Err(UnitError::new("not a rate")) }
}

/// Reads a share of a whole that is written as a percentage: `2%` is 0.02.
///
/// # Errors
/// Says what is wrong: no sign of percent, a sign, not above 0.
pub(crate) fn parse_percentage(text: &str) -> Result<f64, UnitError> {
    let trimmed = text.trim();
    let Some(number) = trimmed.strip_suffix('%').map(str::trim_end) else {
        let error = UnitError::new("a percentage ends in %");
        return Err(if is_number(trimmed) {
            error.help(format!("did you mean `{}%`?", shortened(trimmed, 12)))
        } else {
            error
        });
    };
    let value = number.parse::<f64>().ok().filter(|_| is_number(number));
    match value.ok_or_else(|| UnitError::new("not a percentage"))? {
        value if value > 0.0 && value.is_finite() => Ok(value / 100.0),
        _ => Err(UnitError::new("a percentage must be above 0")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_have_their_sign_and_are_above_zero() {
        for (text, share) in [("2%", 0.02), ("0.5 %", 0.005), (" 100% ", 1.0)] {
            assert_eq!(parse_percentage(text), Ok(share), "{text}");
        }
        for text in ["2", "0.02", "-2%", "+2%", "0%", "%", "2%%", "two%", "1e3%", "", "nan%", "inf%"] {
            assert!(parse_percentage(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_with_units() {
        for (text, nanos) in [
            ("5ms", 5_000_000_u64),
            ("1.5s", 1_500_000_000),
            ("2min", 120_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("200us", 200_000),
            ("200\u{b5}s", 200_000),
            ("200\u{3bc}s", 200_000),
            ("1s 5\u{3bc}s", 1_000_005_000),
            ("7ns", 7),
            ("0s", 0),
            ("1 s", 1_000_000_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn durations_that_could_be_misread_are_refused() {
        for text in [
            "30",
            "1.5",
            "-5s",
            "+5s",
            "5s ago",
            "nan",
            "inf",
            "NaNs",
            "infs",
            "",
            " ",
            "s",
            "5x",
            "1:30:00",
            "2mo",
            "1y",
            "2d",
            "9000h",
            "PT5S",
            "5s5",
            "1e3s",
            "9999999999999999999999s",
            "5ms;",
            "\u{ff15}s",
        ] {
            assert!(parse_duration(text).is_err(), "{text:?} was read as {:?}", parse_duration(text));
        }
        assert_eq!(parse_duration("30").unwrap_err().help.unwrap(), "did you mean `30s` or `30ms`?");
    }

    #[test]
    fn durations_are_written_as_people_would() {
        for (nanos, text) in [
            (0, "0s"),
            (5_000_000, "5ms"),
            (1_500_000_000, "1.5s"),
            (90_000_000_000, "90s"),
            (120_000_000_000, "2min"),
            (5_400_000_000_000, "90min"),
            (1_234_567, "1.234567ms"),
            (86_400_000_000_000, "24h"),
        ] {
            let written = format_duration(Duration::from_nanos(nanos));
            assert_eq!(parse_duration(&written).unwrap().as_nanos(), u128::from(nanos), "{written}");
            assert_eq!(written, text);
        }
    }

    #[test]
    fn sizes_with_units() {
        for (text, bytes) in
            [("64KiB", 65_536), ("1.5MB", 1_500_000), ("512B", 512), ("2 GiB", 2 << 30), ("1kB", 1000), ("0B", 0)]
        {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn sizes_that_could_be_misread_are_refused() {
        for text in
            ["64M", "64m", "64", "64K", "64Ki", "-1B", "NaNB", "B", "", "1e3B", "1XiB", "1.2.3MB", "9007199254740993B"]
        {
            assert!(parse_size(text).is_err(), "{text:?} was read as {:?}", parse_size(text));
        }
        assert_eq!(parse_size("64M").unwrap_err().help.unwrap(), "did you mean `64MiB` or `64MB`?");
    }

    #[test]
    fn rates_with_units() {
        assert_eq!(parse_rate("120/s"), Ok(120.0));
        assert_eq!(parse_rate("30/min"), Ok(0.5));
        assert_eq!(parse_rate("1.8 / h"), Ok(1.8 / 3600.0));
        for text in ["120", "0/s", "-1/s", "nan/s", "inf/s", "1/m", "1/day", "/s", "1/", "1//s"] {
            assert!(parse_rate(text).is_err(), "{text:?} was read as {:?}", parse_rate(text));
        }
        assert_eq!(parse_ramp_rate("0/s"), Ok(0.0));
        for text in ["0", "-1/s", "nan/s", "inf/s", "1/m"] {
            assert!(parse_ramp_rate(text).is_err(), "{text:?}");
        }
    }
}
