//! `file`, `column` and `unit`: times that were recorded elsewhere.

use std::time::Duration;

use crate::workload::load::field::{Field, list};
use crate::workload::load::map::MapReader;
use crate::workload::load::nearest::nearest;
use crate::workload::trace::Trace;
use crate::workload::trace::parse::{self, Ask, BadTrace, Column, Value};
use crate::workload::yaml::Tree;

/// Units of plain numbers.
const UNITS: [(&str, Duration); 6] = [
    ("ns", Duration::from_nanos(1)),
    ("us", Duration::from_micros(1)),
    ("ms", Duration::from_millis(1)),
    ("s", Duration::from_secs(1)),
    ("min", Duration::from_secs(60)),
    ("h", Duration::from_secs(3600)),
];

/// Its words, for the schema of the format.
pub(super) fn units() -> impl Iterator<Item = &'static str> {
    UNITS.iter().map(|(word, _)| *word)
}
/// More columns than a file has.
const MOST_COLUMNS: u64 = 10_000;

/// Times of tasks; `map` is that of the distribution.
pub(super) fn lengths(map: &mut MapReader<'_>) -> Option<Trace> {
    read(map, parse::lengths)
}

/// Moments of arrival; `map` is `arrivals`.
pub(super) fn moments(map: &mut MapReader<'_>) -> Option<Trace> {
    let from_first = map.or("from", false, |field| field.choice("origin", &[("start", false), ("first", true)], &[]));
    // Where it was refused, nothing is said about what depends on it.
    let moments = read(map, |values| parse::moments(values, from_first.unwrap_or(true)));
    from_first?;
    moments
}

fn read(map: &mut MapReader<'_>, of: impl Fn(&[Value]) -> Result<Vec<u64>, BadTrace>) -> Option<Trace> {
    let file = map.required("file");
    let column = map.optional("column", column);
    let unit = map.optional("unit", unit);
    let file = file?;
    let name = file.line()?;
    if name.is_empty() {
        return file.wrong("the name is empty", "must be the path of a file, from the folder of this one");
    }
    let text = match file.context.read(&name) {
        Ok(text) => text,
        Err(why) => return file.refuse(file.error(format!("{name}: {why}"))),
    };
    let ask = Ask { column: column?, unit: unit? };
    match parse::parse(&text, &ask).and_then(|read| Ok((of(&read.values)?, read.assumed))) {
        Ok((values, assumed)) => {
            for (line, what) in assumed {
                file.warn(format!("{name}:{line}: {what}"));
            }
            Trace::new(values)
        }
        Err(bad) => refuse(&file, &name, &ask, bad),
    }
}

fn refuse<T>(file: &Field<'_>, name: &str, ask: &Ask, bad: BadTrace) -> Option<T> {
    let BadTrace { line, message, allowed, names, more } = bad;
    let place = line.map_or_else(|| name.to_owned(), |line| format!("{name}:{line}"));
    let others = match more {
        0 => String::new(),
        1 => " (and another line is wrong)".to_owned(),
        more => format!(" (and {more} other lines are wrong)"),
    };
    let mut error = file.error(format!("{place}: {message}{others}"));
    if let Some(allowed) = allowed {
        error = error.allowed(allowed);
    }
    if let Some(Column::Name(column)) = &ask.column
        && let Some(word) = nearest(column, names.iter().map(String::as_str))
    {
        error = error.suggest(word);
    }
    file.refuse(error)
}

fn column(field: &Field<'_>) -> Option<Column> {
    match field.tree {
        Tree::Int(_) => {
            let number = field.integer(1, MOST_COLUMNS)?;
            Some(Column::Number(usize::try_from(number).ok()?))
        }
        Tree::Text(_) => field.name().map(Column::Name),
        _ => field.unfit("must be a name of the header, or a number from 1"),
    }
}

fn unit(field: &Field<'_>) -> Option<Duration> {
    let allowed = || format!("must be {}", list(&UNITS.map(|(word, _)| word)));
    let Tree::Text(word) = field.tree else { return field.unfit(allowed()) };
    match UNITS.iter().find(|(unit, _)| unit == word) {
        Some((_, unit)) => Some(*unit),
        None => field.wrong(format!("unknown unit {}", field.describe()), allowed()),
    }
}
