//! From the text of a file to times: CSV with a header or without, or one value a line. Pure: the text is given.
//!
//! A value is a duration with its unit (`12ms`, `1.5s`), or a plain number whose unit the workload states once. Columns are
//! separated by commas, semicolons or tabs: by whichever of tab and semicolon the first line has, or else by commas.
//! Quotes are those of RFC 4180. Empty lines mean nothing.

use std::time::Duration;

use csv::{ReaderBuilder, StringRecord};

use crate::workload::text::shortened;
use crate::workload::units::{LONGEST, parse_duration};

/// Columns that are listed when none of them is meant.
const MOST_LISTED: usize = 12;

/// Which column is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    /// By its word in the header.
    Name(String),
    /// From 1.
    Number(usize),
}

/// What is asked of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ask {
    /// `None` where there is only one.
    pub(crate) column: Option<Column>,
    /// What a plain number counts.
    pub(crate) unit: Option<Duration>,
}

/// A value and the line it is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) line: u64,
    pub(crate) nanos: u64,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadTrace {
    /// Where; `None` where it is the file as a whole.
    pub(crate) line: Option<u64>,
    pub(crate) message: String,
    pub(crate) allowed: Option<String>,
    /// Names of which one may be meant.
    pub(crate) names: Vec<String>,
    /// Further lines with something wrong.
    pub(crate) more: u64,
}

impl BadTrace {
    pub(crate) fn new(line: Option<u64>, message: impl Into<String>) -> Self {
        Self { line, message: message.into(), allowed: None, names: Vec::new(), more: 0 }
    }

    pub(crate) fn allowed(mut self, allowed: impl Into<String>) -> Self {
        self.allowed = Some(allowed.into());
        self
    }
}

/// What was read of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) values: Vec<Value>,
    /// What was assumed of it and not said: a line, and a sentence about it.
    pub(crate) assumed: Vec<(u64, String)>,
}

/// The row that all others are held against.
#[derive(Clone, Copy, Debug)]
struct FirstRow {
    /// Place of the column that is meant.
    place: usize,
    header: bool,
    /// How many columns it has.
    columns: usize,
}

/// Reads the values of a column.
///
/// # Errors
/// The first thing that is wrong, and how many more lines there are with something wrong.
pub(crate) fn parse(text: &str, ask: &Ask) -> Result<Read, BadTrace> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter(text))
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let (mut record, mut read) = (StringRecord::new(), Read::default());
    let mut bad: Option<BadTrace> = None;
    let mut known: Option<FirstRow> = None;
    let mut halves: Option<(u64, String)> = None;
    // The text is in memory and UTF-8, and rows may differ in length: nothing else can go wrong.
    while reader.read_record(&mut record).unwrap_or(false) {
        let line = record.position().map_or(0, |start| line_of(text, start));
        if record.iter().all(str::is_empty) {
            continue;
        }
        let first = match known {
            Some(first) => first,
            None => {
                let first = first_row(&record, line, ask)?;
                known = Some(first);
                if first.header {
                    let named = matches!(ask.column, Some(Column::Name(_)));
                    let cell = record.get(first.place).filter(|_| !named);
                    read.assumed.extend(cell.map(|cell| (line, taken_for_heading(cell))));
                    continue;
                }
                halves = halves_of_numbers(&record, text).then(|| (line, taken_apart(&record)));
                first
            }
        };
        halves = halves.filter(|_| halves_of_numbers(&record, text));
        match (value(&record, first, ask.unit, line), &mut bad) {
            (Ok(nanos), _) => read.values.push(Value { line, nanos }),
            (Err(first), None) => bad = Some(first),
            (Err(_), Some(first)) => first.more += 1,
        }
    }
    match bad {
        Some(bad) => Err(bad),
        None if read.values.is_empty() => {
            Err(BadTrace::new(None, "there is no value in it").allowed("at least one line"))
        }
        None => {
            read.assumed.extend(halves);
            Ok(read)
        }
    }
}

fn taken_for_heading(cell: &str) -> String {
    let cell = shortened(cell, 40);
    format!("`{cell}` is no time and is taken for a heading; `column: {cell}` says that it is one")
}

fn taken_apart(row: &StringRecord) -> String {
    let row = shortened(&row.iter().collect::<Vec<_>>().join(","), 40);
    format!("`{row}` is taken for two columns: a number has a point (1.5), no comma; with a heading there is no doubt")
}

/// Whether a row of two columns may be meant as one number with a comma.
fn halves_of_numbers(row: &StringRecord, text: &str) -> bool {
    let digits = |cell: &str| !cell.is_empty() && cell.bytes().all(|byte| byte.is_ascii_digit());
    let (Some(whole), Some(fraction), 2) = (row.get(0), row.get(1), row.len()) else { return false };
    delimiter(text) == b',' && digits(whole) && digits(fraction.trim_end_matches(|c: char| c.is_ascii_alphabetic()))
}

/// The value of a row in nanoseconds.
fn value(record: &StringRecord, first: FirstRow, unit: Option<Duration>, line: u64) -> Result<u64, BadTrace> {
    // A comma may be that of a number, which then is in two columns: the wrong half of it would be a value.
    let more = record.iter().skip(first.columns).any(|cell| !cell.is_empty());
    let fewer = !first.header && record.len() < first.columns;
    if more || fewer {
        let columns = |count: usize| if count == 1 { "1 column".to_owned() } else { format!("{count} columns") };
        let message = format!("{}, and the first line has {}", columns(record.len()), columns(first.columns));
        return Err(BadTrace::new(Some(line), message).allowed(POINT));
    }
    match record.get(first.place).filter(|cell| !cell.is_empty()) {
        Some(cell) => nanos(cell, unit, line),
        None => Err(BadTrace::new(Some(line), format!("nothing in column {}", first.place + 1))),
    }
}

/// What is allowed where a comma stands.
const POINT: &str = "as many columns in each line, and numbers with a point: 1.5, not 1,5";

/// A record begins behind the empty lines before it, which the reader counts to it.
fn line_of(text: &str, start: &csv::Position) -> u64 {
    let rest = usize::try_from(start.byte()).ok().and_then(|byte| text.as_bytes().get(byte..)).unwrap_or_default();
    let empty = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).filter(|byte| **byte == b'\n').count();
    start.line() + empty as u64
}

fn delimiter(text: &str) -> u8 {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    [b'\t', b';'].into_iter().find(|sign| first.trim().as_bytes().contains(sign)).unwrap_or(b',')
}

/// The place of the column, and whether this row is a header.
fn first_row(row: &StringRecord, line: u64, ask: &Ask) -> Result<FirstRow, BadTrace> {
    let looks_like_value = |place: usize| row.get(place).is_some_and(is_meant_as_value);
    let found = |place: usize, header: bool| Ok(FirstRow { place, header, columns: row.len() });
    match &ask.column {
        Some(Column::Name(name)) => {
            if let Some(place) = row.iter().position(|cell| cell == name) {
                return found(place, true);
            }
            let message = format!("the first line has no column `{}`", shortened(name, 40));
            let mut bad = BadTrace::new(Some(line), message).allowed(format!("must be {}", listed(row)));
            bad.names = row.iter().map(str::to_owned).collect();
            Err(bad)
        }
        Some(Column::Number(number)) if *number > row.len() => {
            let columns = if row.len() == 1 { "one column".to_owned() } else { format!("{} columns", row.len()) };
            Err(BadTrace::new(Some(line), format!("there is no column {number}: the first line has {columns}")))
        }
        Some(Column::Number(number)) => found(number - 1, !looks_like_value(number - 1)),
        None if row.len() > 1 => {
            let numbers = row.iter().all(|cell| cell.starts_with(|c: char| c.is_ascii_digit()));
            let point = if numbers { ", and numbers have a point (1.5), no comma" } else { "" };
            let which = if numbers { "its number, from 1".to_owned() } else { listed(row) };
            Err(BadTrace::new(Some(line), format!("{} columns", row.len()))
                .allowed(format!("`column` must say which one: {which}{point}")))
        }
        None => found(0, !looks_like_value(0)),
    }
}

/// Whether a cell of the first line is no heading: it begins as a number does, or is one of the words that programs write
/// where a number was none or was missing.
fn is_meant_as_value(cell: &str) -> bool {
    const NO_NUMBERS: [&str; 8] = ["nan", "inf", "infinity", "na", "n/a", "null", "nil", "none"];
    let begins_as_number = |c: char| c.is_numeric() || matches!(c, '.' | '-' | '+' | '\u{2212}' | '\u{221e}');
    // With a unit behind it, it is no better.
    let word = cell.split_whitespace().next().unwrap_or_default();
    cell.starts_with(begins_as_number) || NO_NUMBERS.iter().any(|none| word.eq_ignore_ascii_case(none))
}

fn listed(row: &StringRecord) -> String {
    let mut names: Vec<String> =
        row.iter().take(MOST_LISTED).map(|cell| format!("`{}`", shortened(cell, 40))).collect();
    if row.len() > MOST_LISTED {
        names.push(format!("{} more", row.len() - MOST_LISTED));
    }
    match names.as_slice() {
        [] | [_] => names.concat(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// A value in nanoseconds.
fn nanos(cell: &str, unit: Option<Duration>, line: u64) -> Result<u64, BadTrace> {
    let refused = |message: &str| BadTrace::new(Some(line), format!("`{}`: {message}", shortened(cell, 40)));
    let is_number = cell.starts_with(|c: char| c.is_ascii_digit() || c == '.') && cell.parse::<f64>().is_ok();
    if cell.contains(',') {
        return Err(refused("a comma in a number").allowed("numbers with a point: 1.5, not 1,5"));
    }
    match unit {
        Some(unit) if is_number => plain(cell, unit).ok_or_else(|| refused("too large")),
        None if is_number => {
            let allowed = "each value with a unit, such as 12ms, or `unit: s` (ms, us, ...) for plain numbers";
            Err(refused("a plain number, and no unit is stated").allowed(allowed))
        }
        _ => match parse_duration(cell) {
            Ok(time) => u64::try_from(time.as_nanos()).map_err(|_| refused("too large")),
            Err(error) => Err(refused(&error.message)),
        },
    }
}

/// A plain number of units, exact to the nanosecond where it has no exponent.
fn plain(cell: &str, unit: Duration) -> Option<u64> {
    let unit = unit.as_nanos();
    if cell.contains(['e', 'E']) {
        let nanos = cell.parse::<f64>().ok()? * unit as f64;
        return (nanos < u64::MAX as f64).then(|| nanos.round() as u64);
    }
    let (whole, fraction) = cell.split_once('.').unwrap_or((cell, ""));
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // What is behind the eighteenth digit is less than a nanosecond of an hour.
    let fraction = fraction.get(..18).unwrap_or(fraction);
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let fraction: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let nanos = whole.checked_mul(unit)?.checked_add((fraction * unit + scale / 2) / scale)?;
    u64::try_from(nanos).ok()
}

/// Service times: none is longer than a year.
///
/// # Errors
/// The first that is, with how many more there are.
pub(crate) fn lengths(values: &[Value]) -> Result<Vec<u64>, BadTrace> {
    let mut too_long = values.iter().filter(|value| Duration::from_nanos(value.nanos) > LONGEST);
    match too_long.next() {
        Some(value) => {
            Err(BadTrace { more: too_long.count() as u64, ..BadTrace::new(Some(value.line), "longer than a year") })
        }
        None => Ok(values.iter().map(|value| value.nanos).collect()),
    }
}

/// Moments since the start of the run, in order and within a year. With `from_first` they are counted from the first one.
///
/// # Errors
/// The first that is not.
pub(crate) fn moments(values: &[Value], from_first: bool) -> Result<Vec<u64>, BadTrace> {
    let pairs = values.iter().zip(values.iter().skip(1));
    let mut back = pairs.filter(|(before, value)| value.nanos < before.nanos);
    if let Some((_, value)) = back.next() {
        let bad =
            BadTrace::new(Some(value.line), "earlier than the moment before it").allowed("moments must be in order");
        return Err(BadTrace { more: back.count() as u64, ..bad });
    }
    let origin = values.first().filter(|_| from_first).map_or(0, |value| value.nanos);
    let late = values.iter().find(|value| Duration::from_nanos(value.nanos - origin) > LONGEST);
    match late {
        Some(value) => {
            let allowed = "moments are since the start of the run; `from: first` counts from the first of them";
            let bad = BadTrace::new(Some(value.line), "more than a year after the start");
            Err(if from_first { bad } else { bad.allowed(allowed) })
        }
        None => Ok(values.iter().map(|value| value.nanos - origin).collect()),
    }
}

#[cfg(test)]
mod tests;
