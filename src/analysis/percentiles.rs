//! Of how many tasks a percentile is judged: the one rule of comparisons, expectations, the history and searches for a limit.
//!
//! At least two tasks of a run have to lie beyond it. With fewer, the percentile of a run is its longest task, or next to it:
//! a figure of one task, which says nothing about the share of tasks that it is named after. p50 takes 4 tasks a run, p90 20,
//! p95 40, p99 200 and p99.9 2,000. What is not judged is shown all the same, with that reason, and it is none of the
//! questions that others are corrected for. The maximum is the longest task by its name: it is judged of any number.

/// Tasks of a run that are to lie beyond a percentile that is judged.
const BEYOND: f64 = 2.0;

/// Whether so many tasks of a run are too few for a percentile, above 0 and at most 100, to be judged.
#[must_use]
pub(crate) fn too_few(tasks: u64, percentile: f64) -> bool {
    tasks as f64 * (1.0 - percentile / 100.0) < BEYOND - 1e-9
}

/// The fewest tasks of a run of which a percentile is judged; `None` for the 100th, which none are enough for.
#[must_use]
pub(crate) fn fewest(percentile: f64) -> Option<u64> {
    let beyond = 1.0 - percentile / 100.0;
    (beyond > 0.0).then(|| ((BEYOND - 1e-9) / beyond).ceil() as u64)
}

/// Why it is not judged: `p99 is not judged: 40 tasks a run are too few, it takes 200`.
#[must_use]
pub(crate) fn why_not(tasks: u64, percentile: f64) -> String {
    let least = fewest(percentile).map_or_else(String::new, |least| format!(", it takes {least}"));
    let (are, plural) = if tasks == 1 { ("is", "") } else { ("are", "s") };
    format!("p{percentile} is not judged: {tasks} task{plural} a run {are} too few{least}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_tasks_lie_beyond_a_percentile_that_is_judged() {
        for (percentile, least) in [(50.0, 4), (90.0, 20), (95.0, 40), (99.0, 200), (99.9, 2000)] {
            assert_eq!(fewest(percentile), Some(least), "p{percentile}");
            assert!(too_few(least - 1, percentile) && !too_few(least, percentile), "p{percentile} of {least}");
        }
        assert!(too_few(u64::MAX, 100.0) && fewest(100.0).is_none());
        assert_eq!(why_not(40, 99.0), "p99 is not judged: 40 tasks a run are too few, it takes 200");
    }
}
