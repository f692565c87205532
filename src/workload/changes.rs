//! Changes to a workload file that do not come from the file: `--set key=value`.

use crate::workload::yaml::{self, YamlError};

/// Why a change cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// There is no `=`.
    #[error("--set {0:?}: it must be KEY=VALUE, such as measure.repeats=3")]
    NoValue(String),
    /// The key leads nowhere.
    #[error("--set {change:?}: {reason}")]
    NoPlace {
        /// What was given.
        change: String,
        /// Why not.
        reason: String,
    },
    /// The file cannot be read as YAML at all.
    #[error("--set needs a file that is YAML: {0}")]
    NoYaml(String),
}

/// The text of a workload file with every `KEY=VALUE` applied. A key is a path: names and, in lists, numbers from 0, with
/// dots between them. A value is YAML.
///
/// # Errors
/// See [`ChangeError`]. Whether the result is a valid workload is for the loader to say.
pub fn apply(text: &str, changes: &[String]) -> Result<String, ChangeError> {
    let mut document = yaml::Document::parse(text).map_err(|error: YamlError| ChangeError::NoYaml(error.message))?;
    for change in changes {
        let (key, value) = change.split_once('=').ok_or_else(|| ChangeError::NoValue(change.clone()))?;
        let path: Vec<&str> = key.trim().split('.').collect();
        document.set(&path, value).map_err(|reason| ChangeError::NoPlace { change: change.clone(), reason })?;
    }
    document.text().map_err(|error| ChangeError::NoYaml(error.message))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "version: 1\nseed: 7\ntasks:\n  - { name: a, count: 3 }\n";

    fn changed(changes: &[&str]) -> Result<String, ChangeError> {
        apply(FILE, &changes.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn values_are_replaced_and_added() {
        let text = changed(&["seed=8", "tasks.0.count=100", "measure.repeats=2", "order=lpt"]).unwrap();
        for line in ["seed: 8", "count: 100", "repeats: 2", "order: lpt"] {
            assert!(text.contains(line), "{line} in\\n{text}");
        }
    }

    #[test]
    fn a_key_that_leads_nowhere_is_an_error() {
        for change in ["seed", "tasks.5.count=1", "tasks.x=1", "seed.deeper=1", "=1", "order=[unclosed"] {
            assert!(changed(&[change]).is_err(), "{change}");
        }
    }
}
