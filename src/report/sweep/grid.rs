//! The points of a sweep over settings as a table: of one field a row for each value and a column for each engine, of two fields
//! for each engine a row for each value of the first and a column for each of the second, of more a row for each point.

use super::{SweepResults, SweptArm};
use crate::analysis::tuning::Point;
use crate::report::text::{Paint, line, table};
use crate::report::{clean, units};
use crate::workload::model::Dimension;

/// Between two columns.
const GAP: usize = 2;

/// A point with the engine and the settings that it has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) arm: &'a SweptArm,
    pub(crate) point: &'a Point,
}

impl Place<'_> {
    /// Its value of a field; `None` where that does not apply to its engine.
    pub(crate) fn value(&self, path: &str) -> Option<String> {
        if path == "workers" {
            return Some(self.point.workers.to_string());
        }
        self.arm.settings.iter().find(|(own, _)| own == path).map(|(_, value)| value.clone())
    }

    /// Its settings in words.
    pub(crate) fn words(&self, dimensions: &[&str]) -> String {
        let known = dimensions.iter().filter_map(|path| Some(format!("{path}={}", self.value(path)?)));
        clean::line(&known.collect::<Vec<_>>().join(" ")).into_owned()
    }

    fn rate(&self) -> Option<f64> {
        self.point.mean()
    }
}

impl SweepResults {
    /// Every point of every arm.
    pub(crate) fn places(&self) -> impl Iterator<Item = Place<'_>> {
        self.arms.iter().flat_map(|arm| arm.tuning.points.iter().map(move |point| Place { arm, point }))
    }

    /// The fastest of points that run the same tasks in the same engine, for each group with several of them.
    pub(crate) fn best(&self) -> Vec<Place<'_>> {
        let mut best: Vec<(usize, Place<'_>)> = Vec::new();
        for place in self.places().filter(|place| place.rate().is_some()) {
            match best.iter_mut().find(|(_, other)| other.arm.group == place.arm.group) {
                None => best.push((1, place)),
                Some((count, other)) => {
                    *count += 1;
                    if place.rate() > other.rate() {
                        *other = place;
                    }
                }
            }
        }
        best.into_iter().filter(|(count, _)| *count > 1).map(|(_, place)| place).collect()
    }

    /// Names of the fields that were swept.
    pub(crate) fn fields(&self) -> Vec<&str> {
        self.dimensions.iter().map(|dimension| dimension.path.as_str()).collect()
    }
}

/// Rows of cells below a head, the first column of which is a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    /// Its lines with columns of equal width, the first to the left, the others to the right; the head is the first.
    #[must_use]
    pub(crate) fn lines(&self) -> Vec<String> {
        let all = || std::iter::once(&self.head).chain(&self.rows);
        let cells = |line: &Vec<String>| line.iter().map(|cell| clean::line(cell).into_owned()).collect::<Vec<_>>();
        let lines: Vec<Vec<String>> = all().map(cells).collect();
        let wide = |column: usize| {
            lines.iter().filter_map(|cells| cells.get(column)).map(|cell| table::width(cell)).max().unwrap_or(0)
        };
        let line = |cells: &Vec<String>| {
            let cells = cells.iter().enumerate().map(|(column, cell)| match column {
                0 => table::pad(cell, wide(column)),
                _ => table::pad_left(cell, wide(column) + GAP),
            });
            cells.collect::<String>()
        };
        lines.iter().map(line).collect()
    }
}

/// The points as tables.
#[must_use]
pub(crate) fn tables(results: &SweepResults) -> Vec<Table> {
    let fields = results.fields();
    let best = results.best();
    let is_best = |place: &Place<'_>| best.iter().any(|one| std::ptr::eq(one.point, place.point));
    let places: Vec<Place<'_>> = results.places().collect();
    let cell = |place: Option<&Place<'_>>| {
        let Some(place) = place else { return "–".to_owned() };
        let rate = place.point.rate.map_or_else(|| "–".to_owned(), |rate| units::rate(rate.mean));
        let precision = place.point.precision().zip(place.rate());
        let precision = precision.map_or(String::new(), |(share, mean)| format!(" ±{}", units::rate(share * mean)));
        let mark = match (place.point.dropped, is_best(place)) {
            (true, _) => "↓",
            (_, true) => "▸",
            _ => "",
        };
        format!("{mark}{rate}{precision}")
    };
    // Those that were not measured yet have no place, and have their columns all the same.
    let mut bases: Vec<&str> = Vec::new();
    for arm in &results.arms {
        if !bases.contains(&arm.base.as_str()) {
            bases.push(&arm.base);
        }
    }
    let of = |base: &str, wanted: &[(&str, &str)]| {
        places.iter().find(|place| {
            let has = |(path, value): &(&str, &str)| place.value(path).is_none_or(|own| own == **value);
            place.arm.base == base && wanted.iter().all(has)
        })
    };
    match results.dimensions.as_slice() {
        [one] => {
            let head = std::iter::once(one.path.clone()).chain(bases.iter().map(ToString::to_string)).collect();
            let row = |value: &String| {
                let cells = bases.iter().map(|base| cell(of(base, &[(&one.path, value)])));
                std::iter::once(value.clone()).chain(cells).collect::<Vec<_>>()
            };
            vec![Table { title: "tasks/s".to_owned(), head, rows: one.values.iter().map(row).collect() }]
        }
        [one, two] => {
            let of_base = |base: &&str| {
                // What does not apply to an engine makes no columns, and no lines.
                let applies = |field: &Dimension| {
                    let has = |arm: &SweptArm| arm.settings.iter().any(|(own, _)| *own == field.path);
                    field.is_workers() || results.arms.iter().any(|arm| arm.base == *base && has(arm))
                };
                let shown = |field: &Dimension, value: &String| {
                    if applies(field) { value.clone() } else { "any".to_owned() }
                };
                let lines = one.values.iter().take(if applies(one) { one.values.len() } else { 1 });
                let others = || two.values.iter().take(if applies(two) { two.values.len() } else { 1 });
                let head = std::iter::once(format!("{} \\ {}", one.path, two.path))
                    .chain(others().map(|value| shown(two, value)))
                    .collect();
                let row = |value: &String| {
                    let cells = others().map(|other| cell(of(base, &[(&one.path, value), (&two.path, other)])));
                    std::iter::once(shown(one, value)).chain(cells).collect::<Vec<_>>()
                };
                Table { title: format!("{base}, tasks/s"), head, rows: lines.map(row).collect() }
            };
            bases.iter().map(of_base).collect()
        }
        _ => {
            let row =
                |place: &Place<'_>| vec![format!("{} {}", place.arm.base, place.words(&fields)), cell(Some(place))];
            let head = vec!["point".to_owned(), "tasks/s".to_owned()];
            vec![Table { title: "tasks/s".to_owned(), head, rows: places.iter().map(row).collect() }]
        }
    }
}

/// The best point of each engine where its points run the same tasks, in words.
#[must_use]
pub(crate) fn fastest(results: &SweepResults) -> Vec<String> {
    let fields = results.fields();
    let words = |place: Place<'_>| {
        let rate = place.rate().map(units::rate).unwrap_or_default();
        format!("fastest of {}: {}, {rate} tasks/s", clean::line(&place.arm.base), place.words(&fields))
    };
    results.best().into_iter().map(words).collect()
}

/// Both.
pub(super) fn draw(out: &mut String, results: &SweepResults, paint: Paint) {
    for table in tables(results) {
        line(out, &paint.with(Paint::BOLD, &clean::line(&table.title)));
        for (number, words) in table.lines().into_iter().enumerate() {
            let text = format!("  {words}");
            line(out, &if number == 0 { paint.with(Paint::DIM, &text) } else { text });
        }
        out.push('\n');
    }
    for words in fastest(results) {
        line(out, &paint.with(Paint::GOOD, &words));
    }
    out.push('\n');
}
