//! How often the work will be done, and the user's word that it may.

use std::fs::File;
use std::io::{BufRead as _, BufReader, IsTerminal as _, Write as _};

use crate::commands::{ExitReason, write};
use crate::workload::model::Workload;
use crate::workload::stream::Stream;

/// How often everything is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    tasks: u64,
    arms: u64,
    counts: u64,
    repeats: u64,
    warmups: u64,
    /// Whether nobody knows yet how many tasks there will be.
    open: bool,
}

impl Extent {
    /// Of a workload whose arms are run with so many worker counts.
    pub(super) fn of(workload: &Workload, counts: usize) -> Self {
        Self {
            tasks: Stream::new(workload).total(),
            arms: workload.engines.len() as u64,
            counts: counts as u64,
            repeats: workload.measure.repeats.get().into(),
            warmups: workload.measure.warmup.into(),
            open: workload.live().is_some(),
        }
    }

    /// Runs over all tasks.
    pub(super) fn runs(self) -> u64 {
        self.arms.saturating_mul(self.counts.saturating_mul(self.repeats).saturating_add(self.warmups))
    }

    /// `200 executions: 100 tasks x 2 engines`
    pub(super) fn words(self) -> String {
        if self.open {
            return "one execution for each item that comes, each done once".to_owned();
        }
        let all = self.tasks.saturating_mul(self.runs());
        let plural = |count: u64, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        let mut factors = vec![plural(self.tasks, "task")];
        for (count, word) in [(self.arms, "engine"), (self.counts, "worker count"), (self.repeats, "repeat")] {
            if count > 1 {
                factors.push(plural(count, word));
            }
        }
        let warmups = match self.warmups {
            0 => String::new(),
            warmups => format!(", {} of each engine before them", plural(warmups, "warm-up")),
        };
        match factors.as_slice() {
            [_] if warmups.is_empty() => format!("{} in all, each done once", plural(all, "execution")),
            factors => format!("{} in all: {}{warmups}", plural(all, "execution"), factors.join(" × ")),
        }
    }
}

/// Asks on the terminal whether everything may be done so often.
///
/// # Errors
/// Where it may not, or nobody can be asked.
pub(super) fn ask() -> Result<(), ExitReason> {
    // Standard input may be the items.
    let terminal = File::options().read(true).write(true).open("/dev/tty").ok();
    let Some(mut terminal) = terminal.filter(|_| std::io::stderr().is_terminal()) else {
        write::say("error: that is more than once, and there is no terminal to ask on; --yes does it all the same");
        return Err(ExitReason::BadInput);
    };
    let mut answer = String::new();
    let asked = write!(terminal, "Go on? [y/N] ").and_then(|()| BufReader::new(&terminal).read_line(&mut answer));
    match asked {
        Ok(_) if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") => Ok(()),
        Ok(_) => {
            write::say("nothing was started");
            Err(ExitReason::BadInput)
        }
        Err(error) => {
            write::say(&format!("error: the terminal cannot be asked: {error}; --yes does it all the same"));
            Err(ExitReason::BadInput)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_factor_that_is_more_than_one_is_told() {
        let extent =
            |arms, counts, repeats, warmups| Extent { tasks: 100, arms, counts, repeats, warmups, open: false };
        for (extent, runs, words) in [
            (extent(1, 1, 1, 0), 1, "100 executions in all, each done once"),
            (extent(2, 1, 1, 0), 2, "200 executions in all: 100 tasks × 2 engines"),
            (extent(1, 8, 3, 0), 24, "2400 executions in all: 100 tasks × 8 worker counts × 3 repeats"),
            (
                extent(2, 1, 3, 1),
                8,
                "800 executions in all: 100 tasks × 2 engines × 3 repeats, 1 warm-up of each engine before them",
            ),
        ] {
            assert_eq!((extent.runs(), extent.words().as_str()), (runs, words));
        }
    }
}
