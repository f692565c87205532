//! Where the history is.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::HistoryError;

/// The variable of the environment that names the database.
pub(crate) const VARIABLE: &str = "POOLSCOPE_DB";
/// Its value for no history.
pub(crate) const OFF: &str = "off";

/// Where runs are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nowhere, which was asked for.
    Off,
    /// In this file.
    At(PathBuf),
}

impl Place {
    /// `--db`, or else `$POOLSCOPE_DB`, or else `history.db` in the user's data folder (XDG: `$XDG_DATA_HOME/poolscope`, or
    /// `~/.local/share/poolscope`).
    ///
    /// # Errors
    /// Without any of them and without `$HOME`: the database of users is behind shared libraries, which a static program
    /// must not load.
    pub(crate) fn find(option: Option<&Path>) -> Result<Self, HistoryError> {
        Self::among(option, std::env::var_os(VARIABLE).as_deref(), data_folder)
    }

    fn among(
        option: Option<&Path>,
        variable: Option<&OsStr>,
        data_folder: impl FnOnce() -> Option<PathBuf>,
    ) -> Result<Self, HistoryError> {
        if let Some(path) = option {
            return Ok(Self::At(path.to_owned()));
        }
        match variable.filter(|value| !value.is_empty()) {
            Some(value) if value == OFF => Ok(Self::Off),
            Some(value) => Ok(Self::At(value.into())),
            None => Ok(Self::At(data_folder().ok_or(HistoryError::NoPlace)?.join("poolscope").join("history.db"))),
        }
    }
}

fn data_folder() -> Option<PathBuf> {
    use etcetera::BaseStrategy as _;
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    match std::env::var_os("XDG_DATA_HOME").map(PathBuf::from) {
        // A relative one is to be ignored (XDG Base Directory Specification).
        Some(folder) if folder.is_absolute() => Some(folder),
        _ if !is_set("HOME") => None,
        _ => Some(etcetera::choose_base_strategy().ok()?.data_dir()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_comes_before_the_variable_and_that_before_the_data_folder() {
        let find = |option: Option<&str>, variable: Option<&str>, data: Option<&str>| {
            Place::among(option.map(Path::new), variable.map(OsStr::new), || data.map(PathBuf::from)).ok()
        };
        let at = |path: &str| Some(Place::At(path.into()));
        assert_eq!(find(Some("a.db"), Some("b.db"), Some("/d")), at("a.db"));
        assert_eq!(find(Some("off"), None, None), at("off"), "a file of that name");
        assert_eq!(find(None, Some("b.db"), Some("/d")), at("b.db"));
        assert_eq!(find(None, Some("off"), Some("/d")), Some(Place::Off));
        assert_eq!(find(None, Some(""), Some("/d")), at("/d/poolscope/history.db"));
        assert_eq!(find(None, None, None), None);
    }
}
