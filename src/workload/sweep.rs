//! What is swept: fields of a workload file and the values that each of them is given, as `sweep:` and `--sweep` say it.
//!
//! A field is named as `--set` names it. The name of a key that only engines, only tasks or only arrivals have may stand
//! alone (`chunksize`, `service_time`, `rate`): it means that of every engine, of every task, or of the arrivals. `*` in the
//! place of an entry is every one of them. Values are a list (`1,2,4`), a range of whole numbers (`1..8`), or one in which
//! each value is so many times the one before (`1ms..64msx2`); a unit is kept.

use crate::workload::redact;
use crate::workload::units;
use crate::workload::yaml::{self, Tree};

/// Most values of one field, and most points of a sweep.
pub(crate) const MOST: usize = 500;
/// Parts of a file that say how it is run, and not what: they are the same for all points.
const NOT_SWEPT: [&str; 7] = ["measure", "limits", "sweep", "version", "name", "title", "description"];

/// A field that is swept, and its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dimension {
    /// The field, as it was named.
    pub path: String,
    /// Its values, as YAML; at least one.
    pub values: Vec<String>,
}

impl Dimension {
    /// As it may be told: what an environment holds may be a secret, so its values have numbers.
    pub(crate) fn as_told(&self) -> Self {
        let mut told = self.clone();
        if yaml::names_env(&told.path) || told.values.iter().any(|value| redact::holds_env(value)) {
            (1..).zip(&mut told.values).for_each(|(number, value)| *value = format!("#{number}"));
        }
        told
    }
}

impl std::str::FromStr for Dimension {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((path, values)) = text.split_once('=') else {
            return Err("must be PATH=VALUES, such as chunksize=1,4,16 or workers=1..8".to_owned());
        };
        Self::new(path.trim(), self::values(values)?)
    }
}

impl std::fmt::Display for Dimension {
    /// As it is typed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let needs_list = |value: &String| value.contains([',', ' ', '[', '{']);
        let all = self.values.join(if self.values.iter().any(needs_list) { ", " } else { "," });
        match self.values.iter().any(needs_list) {
            true => write!(f, "{}=[{all}]", self.path),
            false => write!(f, "{}={all}", self.path),
        }
    }
}

impl Dimension {
    /// A field and its values.
    ///
    /// # Errors
    /// Why that cannot be swept, for people.
    pub(crate) fn new(path: &str, values: Vec<String>) -> Result<Self, String> {
        let first = path.split(['.', '[']).next().unwrap_or_default();
        if first.is_empty() {
            return Err("a field is missing".to_owned());
        }
        if NOT_SWEPT.contains(&first) {
            return Err(format!("`{first}` is the same for all points of a sweep"));
        }
        if let Some(twice) =
            values.iter().enumerate().find(|(place, value)| values.iter().take(*place).any(|one| one == *value))
        {
            return Err(format!("{} is there twice", twice.1));
        }
        match values.len() {
            0 => Err("a value is missing".to_owned()),
            many if many > MOST => Err(format!("these are {many} values; {MOST} is the most that can be tried")),
            _ => Ok(Self { path: path.to_owned(), values }),
        }
    }

    /// Whether it is the worker count of every engine.
    #[must_use]
    pub(crate) fn is_workers(&self) -> bool {
        self.path == "workers"
    }

    /// What `--set` is given for one of its values. The size of a task is a service time of that length.
    #[must_use]
    pub(crate) fn change(path: &str, value: &str) -> String {
        if path.rsplit('.').next() == Some("service_time") && units::parse_duration(value).is_ok() {
            return format!("{path}={{ dist: constant, value: {value} }}");
        }
        format!("{path}={value}")
    }
}

/// Several fields with their values in one line, a space between them: `chunksize=1,4 workers=1..4`.
///
/// # Errors
/// What is wrong, for people.
pub(crate) fn line(text: &str) -> Result<Vec<Dimension>, String> {
    let mut fields: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let path = word.split_once('=').map_or("", |(path, _)| path);
        let begins = !path.is_empty() && path.chars().all(|c| c.is_alphanumeric() || "_-.*[]".contains(c));
        match fields.last_mut().filter(|_| !begins) {
            // A value may have spaces.
            Some(field) => field.extend([" ", word]),
            None => fields.push(word.to_owned()),
        }
    }
    let all: Vec<Dimension> = fields.iter().map(|field| field.parse()).collect::<Result<_, _>>()?;
    let twice = all.iter().enumerate().find(|(place, one)| all.iter().take(*place).any(|other| other.path == one.path));
    match (twice, all.is_empty()) {
        (Some((_, twice)), _) => Err(format!("{} is there twice", twice.path)),
        (None, true) => Err("must be FIELD=VALUES, such as chunksize=1,4,16 or workers=1..8".to_owned()),
        (None, false) => Ok(all),
    }
}

/// Values as they are typed.
///
/// # Errors
/// What is wrong, for people.
pub(crate) fn values(text: &str) -> Result<Vec<String>, String> {
    let text = text.trim();
    if text.starts_with('[') {
        return match yaml::parse(text) {
            Ok(Tree::Seq(items)) => items.iter().map(flow).collect(),
            _ => Err(format!("{text} is no list")),
        };
    }
    let mut all = Vec::new();
    for part in parts(text) {
        match part.split_once("..") {
            _ if part.is_empty() => return Err("a value is missing".to_owned()),
            Some((first, last)) if part.starts_with(|c: char| c.is_ascii_digit()) => {
                all.extend(range(part, first, last)?);
            }
            _ => all.push(part.to_owned()),
        }
    }
    Ok(all)
}

/// The parts between commas that stand in no brackets.
fn parts(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0_i32, 0, Vec::new());
    for (place, character) in text.char_indices() {
        match character {
            '[' | '{' | '(' => depth += 1,
            ']' | '}' | ')' => depth -= 1,
            ',' if depth <= 0 => {
                parts.push(text.get(start..place).unwrap_or_default().trim());
                start = place + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(start..).unwrap_or_default().trim());
    parts
}

/// `1..8`, `1ms..64msx2`, `10/s..80/sx2`; the unit may stand at the end alone.
fn range(whole: &str, first: &str, rest: &str) -> Result<Vec<String>, String> {
    let no_range = || format!("{whole} is no range: 1..8, or 1ms..64msx2 for 1ms, 2ms, 4ms ... 64ms");
    let (last, factor) = match rest.rsplit_once('x').map(|(last, factor)| (last, factor.parse::<f64>())) {
        Some((last, Ok(factor))) => (last, Some(factor)),
        _ => (rest, None),
    };
    let (first, unit) = number(first).ok_or_else(no_range)?;
    let (last, last_unit) = number(last).ok_or_else(no_range)?;
    if !unit.is_empty() && unit != last_unit {
        return Err(format!("{whole} has two units"));
    }
    if first > last {
        return Err(format!("{whole} goes down; the smaller value comes first"));
    }
    let next = |value: f64| match factor {
        Some(factor) => value * factor,
        None => value + 1.0,
    };
    if factor.is_some_and(|factor| factor.is_nan() || factor <= 1.0) || (factor.is_some() && first <= 0.0) {
        return Err(format!("{whole} does not grow: a range in steps begins above 0, and its factor is above 1"));
    }
    let all = std::iter::successors(Some(first), |value| Some(next(*value)));
    // What is meant to be reached is reached, however its steps are rounded.
    let values: Vec<String> = all
        .take_while(|value| *value <= last * (1.0 + 1e-9))
        .take(MOST + 1)
        .map(|value| format!("{}{last_unit}", short(value)))
        .collect();
    if values.len() == 1 && first < last {
        return Err(format!("{whole} is one value: steps are 1 without a factor, as in {whole}x2"));
    }
    Ok(values)
}

/// A number and what is behind it.
fn number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, unit) = text.trim().split_at_checked(end)?;
    Some((digits.parse().ok()?, unit))
}

/// To six digits, without zeros at the end.
fn short(value: f64) -> String {
    let digits = usize::try_from(5 - (value.abs().max(1e-9).log10().floor() as i32)).unwrap_or(0);
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A value on one line, as YAML.
pub(crate) fn flow(tree: &Tree) -> Result<String, String> {
    let all = |items: &[Tree]| items.iter().map(flow).collect::<Result<Vec<String>, String>>();
    Ok(match tree {
        Tree::Null => return Err("a value is missing".to_owned()),
        Tree::Bool(value) => value.to_string(),
        Tree::Int(value) => value.to_string(),
        Tree::Float(value) => value.to_string(),
        // JSON is YAML.
        Tree::Text(text) if text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./%".contains(c)) => text.clone(),
        Tree::Text(text) => serde_json::to_string(text).map_err(|error| error.to_string())?,
        Tree::Seq(items) => format!("[{}]", all(items)?.join(", ")),
        Tree::Map(entries) => {
            let entry = |(key, value): &(Tree, Tree)| Ok(format!("{}: {}", flow(key)?, flow(value)?));
            format!("{{ {} }}", entries.iter().map(entry).collect::<Result<Vec<_>, String>>()?.join(", "))
        }
        Tree::Tagged(_) => return Err("a value with a tag cannot be swept".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(String, Vec<String>), String> {
        text.parse().map(|Dimension { path, values }| (path, values))
    }

    #[test]
    fn every_form() {
        for (text, path, wanted) in [
            ("workers=1..4", "workers", &["1", "2", "3", "4"][..]),
            ("chunksize=auto, 1,16", "chunksize", &["auto", "1", "16"]),
            ("service_time=1ms..8msx2", "service_time", &["1ms", "2ms", "4ms", "8ms"]),
            ("service_time=0.1..0.9msx3", "service_time", &["0.1ms", "0.3ms", "0.9ms"]),
            ("rate=10/s..80/sx2", "rate", &["10/s", "20/s", "40/s", "80/s"]),
            ("tasks.a.args.n=[300, 3000]", "tasks.a.args.n", &["300", "3000"]),
            ("args={ n: 1 },{ n: 2, m: 3 }", "args", &["{ n: 1 }", "{ n: 2, m: 3 }"]),
            ("python.interpreter=../a..b", "python.interpreter", &["../a..b"]),
        ] {
            assert_eq!(read(text), Ok((path.to_owned(), wanted.iter().map(ToString::to_string).collect())), "{text}");
        }
    }

    #[test]
    fn several_fields_stand_in_a_line() {
        let text = "chunksize=auto,1 workers=1..3 tasks.a.args=[{ n: 1 }, { n: 2 }]";
        let fields = line(text).unwrap();
        let counts: Vec<usize> = fields.iter().map(|field| field.values.len()).collect();
        assert_eq!(counts, [2, 3, 2]);
        let shown: Vec<String> = fields.iter().map(ToString::to_string).collect();
        assert_eq!(line(&shown.join(" ")), Ok(fields), "what is shown can be typed: {shown:?}");
        for (text, words) in [("", "FIELD=VALUES"), ("chunksize", "PATH=VALUES"), ("a=1 a=2", "a is there twice")] {
            let wrong = line(text).expect_err(text);
            assert!(wrong.contains(words), "{text}: {wrong}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, words) in [
            ("chunksize", "PATH=VALUES"),
            ("=1", "a field is missing"),
            ("chunksize=", "a value is missing"),
            ("chunksize=1,,2", "a value is missing"),
            ("chunksize=1,2,1", "1 is there twice"),
            ("chunksize=8..1", "goes down"),
            ("chunksize=1..8x1", "does not grow"),
            ("chunksize=0..8x2", "does not grow"),
            ("service_time=1us..8msx2", "two units"),
            ("chunksize=1..501", "501 values; 500"),
            ("chunksize=1..", "no range"),
            ("service_time=0.1ms..1ms", "is one value"),
            ("service_time=1ms..1.5msx2", "is one value"),
            ("measure.repeats=1,2", "the same for all points"),
        ] {
            let wrong = read(text).expect_err(text);
            assert!(wrong.contains(words), "{text}: {wrong}");
        }
    }

    #[test]
    fn the_size_of_a_task_is_a_constant_service_time() {
        let change = Dimension::change("tasks.0.service_time", "5ms");
        assert_eq!(change, "tasks.0.service_time={ dist: constant, value: 5ms }");
        assert_eq!(Dimension::change("total", "5"), "total=5");
    }
}
