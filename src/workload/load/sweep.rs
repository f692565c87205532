//! `sweep`: fields and the values that they are given. Whether there are such fields is for who sweeps them to find out.

use crate::workload::load::field::Field;
use crate::workload::load::keys;
use crate::workload::sweep::{self, Dimension};
use crate::workload::yaml::Tree;

pub(crate) fn read(field: &Field<'_>) -> Option<Vec<Dimension>> {
    let Tree::Map(entries) = field.tree else { return field.unfit("must be a map from fields to lists or ranges") };
    if entries.is_empty() {
        return field.wrong("there is nothing to be swept", "must have at least one field");
    }
    let dimensions: Vec<Option<Dimension>> = entries
        .iter()
        .map(|(key, value)| {
            let Tree::Text(path) = key else { return field.unfit("must have fields as keys") };
            let at = field.entry(path).unwrap_or_else(|| field.clone());
            let values = match value {
                Tree::Seq(items) => items.iter().map(sweep::flow).collect(),
                Tree::Text(text) => sweep::values(text),
                other => sweep::flow(other).map(|value| vec![value]),
            };
            let dimension = values.and_then(|values| Dimension::new(path, values));
            dimension.map_or_else(|wrong| at.wrong(wrong, "a list, or a range such as 1..8 or 1ms..64msx2"), Some)
        })
        .collect();
    dimensions.into_iter().collect()
}

/// The full path of a swept field, with `*` for every entry: a key that only engines, only tasks or only arrivals have may stand alone.
#[must_use]
pub(crate) fn full_path(path: &str) -> String {
    let first = path.split(['.', '[']).next().unwrap_or_default();
    match first {
        _ if keys::FILE.accepted.contains(&first) => path.to_owned(),
        _ if keys::ENGINE.accepted.contains(&first) => format!("engines.*.{path}"),
        _ if keys::TASK.accepted.contains(&first) => format!("tasks.*.{path}"),
        _ if keys::ARRIVALS.accepted.contains(&first) => format!("arrivals.{path}"),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_in_one_place_may_stand_alone() {
        for (path, wanted) in [
            ("chunksize", "engines.*.chunksize"),
            ("args.n", "tasks.*.args.n"),
            ("rate", "arrivals.rate"),
            ("total", "total"),
            ("engines.pool.nice", "engines.pool.nice"),
            ("tasks[0].count", "tasks[0].count"),
        ] {
            assert_eq!(full_path(path), wanted);
        }
    }
}
