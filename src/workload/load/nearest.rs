//! Did you mean ...?

/// The candidate that a misspelt word most likely stands for, if one is near enough.
pub(crate) fn nearest<'w>(word: &str, candidates: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    // A longer word than any key cannot be a misspelling of one, and comparing it would cost time.
    if word.is_empty() || word.len() > 40 {
        return None;
    }
    let plain = |text: &str| text.to_lowercase().replace(['-', '_', ' '], "");
    let word = plain(word);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &plain(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= tolerance(candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters may be wrong: a third of them, so that short words do not match everything.
fn tolerance(candidate: &str) -> usize {
    (candidate.len() / 3).clamp(1, 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 5] = ["name", "kind", "workers", "chunksize", "queue_timeout"];

    #[test]
    fn misspelt_words_are_recognised() {
        for (word, meant) in [
            ("worker", "workers"),
            ("Workers", "workers"),
            ("chunk_size", "chunksize"),
            ("queue-timeuot", "queue_timeout"),
            ("nmae", "name"),
        ] {
            assert_eq!(nearest(word, KEYS), Some(meant), "{word}");
        }
    }

    #[test]
    fn other_words_are_not() {
        for word in ["", "parallelism", "x", "timeout", "n"] {
            assert_eq!(nearest(word, KEYS), None, "{word}");
        }
    }
}
