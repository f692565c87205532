//! The words that screens and reports use, one line each: for the help screen, and in the same words for the README. Says
//! nothing that a figure of the code does not mean.

/// A heading, and words with their meanings.
pub(crate) type Group = (&'static str, &'static [(&'static str, &'static str)]);

/// In the order in which they are met.
pub(crate) const GROUPS: [Group; 4] = [
    (
        "Words: a task",
        &[
            ("wait", "from its intended arrival until a worker has room for it"),
            ("start-up", "from then until its first instruction"),
            ("work", "the task itself, also called service"),
            ("sojourn, W", "from arrival to end: wait, start-up and work"),
            ("delivered", "when the caller has the result, which is never before its end"),
            ("held back", "from its end until it is delivered, mostly by others"),
            ("head-of-line", "blocking: results wait for an earlier task that is slower"),
            ("caller blocked", "the caller waits for results, or for room to submit"),
            ("p95", "95 % of the tasks took no longer"),
            ("TIMEOUTS", "a limit passed: of work, in the queue or of the caller's wait"),
            ("GAVE UP", "a timeout of the caller's wait (wait_timeout)"),
            ("FAILED", "it ended with an error, or with a result nobody can read"),
            ("LOST", "its worker died in it, and it was not tried again"),
            ("DROPPED", "an arrival that was turned away: everything was full"),
        ],
    ),
    (
        "Words: workers",
        &[
            ("worker", "a process that does tasks: POOL keeps it, PROCESS does not"),
            ("slot, #", "the place of a worker; who replaces it has the same"),
            ("restarts", "workers started in the place of one that died or was killed"),
            ("dispatch", "handing a task to a worker that is there, until it begins"),
            ("init", "initializer: what a worker does once before its first task"),
            ("ghost", "a worker in a task whose caller has given up (abandon)"),
            ("zombie", "ended, but nobody has asked how: it keeps its pid"),
            ("UNKILLABLE", "SIGKILL has not ended it: it is stuck in the kernel"),
            ("PSS", "memory, shared parts divided among who shares: adds up"),
            ("RSS", "memory, shared parts counted in each: sums are too high"),
            ("pgfault", "page faults: memory made ready when it was first used"),
            ("cores used", "CPU time per wall time: 1.0 is one core all the time"),
            ("imbalance", "how much longer the busiest worker worked than the mean"),
        ],
    ),
    (
        "Words: load",
        &[
            ("ρ, utilisation", "part of the workers' time in use; from 1 on queues grow"),
            ("mean ρ, peak ρ", "over a whole run or stage, and at its highest rate"),
            ("λ", "tasks that leave in a second, each after its sojourn W"),
            ("L", "tasks in the system, waiting or at work, on average"),
            ("λW", "what L has to be (Little's law): the difference is the error"),
            ("knee", "the rate of arrivals beyond which a queue grows without bound"),
        ],
    ),
    (
        "Words: a comparison",
        &[
            ("replay", "an arm's last run, at the same second as the live one"),
            ("warm-up", "runs that are made first and not counted"),
            ("95% CI", "the true ratio lies in here with 95 % confidence"),
            ("±3% of 2%", "how wide the widest interval is to each side, and shall be"),
            ("OUTLIER", "a run whose rate stands apart from the others; it counts"),
            ("DRIFT", "the rate of an arm rises or falls over its runs"),
            ("unclear", "not told apart from the arm before it, nor said to be equal"),
            ("TOO EARLY", "not enough runs to tell a difference from chance"),
            ("SUSPECT", "something disturbed the run: the reason stands beside it"),
            ("GIL", "a lock: only one thread of an interpreter runs Python"),
            ("native control", "how many cores threads without Python could use before"),
            ("probe", "a thread that wants the GIL now and then: how late it gets it"),
            ("trail", "what was tried, in order, and why each was"),
            ("break-even", "the size of a task at which a process each costs no more"),
            ("dropped", "clearly slower than its rivals after a round: no more runs"),
            ("does not count", "a key changed something: the run is shown, not averaged"),
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::text;

    #[test]
    fn each_word_has_one_line_of_a_small_screen_and_the_readme_says_the_same() {
        let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
        let mut seen = Vec::new();
        for (term, meaning) in GROUPS.iter().flat_map(|(_, words)| *words) {
            assert!(text::width(term) <= 14 && text::width(meaning) <= 61, "{term}: {meaning}");
            assert!(!seen.contains(term), "{term} twice");
            seen.push(term);
            assert!(
                readme.contains(&format!("\n| {term} | {meaning} |\n")),
                "not in README.md: | {term} | {meaning} |"
            );
        }
    }
}
