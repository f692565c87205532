//! What is meant by words that are no arguments.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// What is meant by a word that is no argument: a pattern without quotes is several words before `try` sees it, a command without
/// `--` too, and other programs call workers jobs.
pub(super) fn hinted(mut error: clap::Error, words: impl Iterator<Item = OsString>) -> clap::Error {
    if error.kind() != ErrorKind::UnknownArgument {
        return error;
    }
    let Some(ContextValue::String(unknown)) = error.get(ContextKind::InvalidArg) else { return error };
    let words: Vec<OsString> = words.collect();
    let has = |word: &str| words.iter().any(|given| given == word);
    let is_try = words.first().is_some_and(|verb| verb == "try");
    let tip = if ["-j", "-P", "--jobs", "--max-procs", "--processes"]
        .iter()
        .any(|jobs| unknown.split('=').next() == Some(*jobs))
    {
        "how many at a time is --workers N"
    } else if unknown.starts_with('-') || !is_try {
        return error;
    } else if has("--") || has("--python") {
        if !has("--items") {
            return error;
        }
        "a pattern needs quotes, so that the shell leaves it alone: --items '*.jpg'"
    } else {
        "the command goes after --: poolscope try --items '*.jpg' -- COMMAND {}"
    };
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    error
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn an_unknown_word_is_answered_with_what_is_meant() {
        for (words, tip) in [
            (&["try", "--items", "a.txt", "b.txt", "--", "true"][..], "a pattern needs quotes"),
            (&["try", "--items", "n.txt", "gzip", "-k"], "the command goes after --"),
            (&["try", "--count", "3", "true"], "the command goes after --"),
            (&["try", "--items", "n.txt", "-j", "4", "--", "true"], "--workers N"),
            (&["run", "f", "--jobs=4"], "--workers N"),
            (&["try", "--items", "n.txt", "--retry", "2", "--", "true"], "--retries"),
        ] {
            let error = Cli::try_parse_from(["poolscope"].iter().chain(words)).unwrap_err();
            let error = hinted(error, words.iter().map(OsString::from)).to_string();
            assert!(error.contains(tip), "{words:?}: {error}");
        }
    }
}
