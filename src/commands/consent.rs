//! How often the work will be done, and the user's word that it may.

use std::fs::File;
use std::io::{BufRead as _, BufReader, IsTerminal as _, Write as _};

use crate::commands::{ExitReason, write};
use crate::workload::model::Workload;
use crate::workload::stream::Stream;

/// How often everything is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    tasks: u64,
    arms: u64,
    counts: u64,
    /// At most so many where results decide on it.
    repeats: u64,
    /// Whether they do.
    open: bool,
    warmups: u64,
    /// Engines that make one more run, in which their interpreters are probed.
    probed: u64,
    /// Most attempts at a task.
    attempts: u64,
    /// Whether nobody knows yet how many tasks there will be.
    live: bool,
}

impl Extent {
    /// Of a workload whose arms are run with so many worker counts.
    pub(super) fn of(workload: &Workload, counts: usize) -> Self {
        let measure = &workload.measure;
        // Several worker counts are run as often as is said, and nothing is probed meanwhile.
        let adaptive = measure.adaptive.filter(|_| counts == 1);
        let probed = workload.engines.iter().filter(|spec| counts == 1 && workload.probes(spec)).count();
        let retries = workload.classes.iter().map(|class| class.retries.max).max().unwrap_or(0);
        Self {
            tasks: Stream::new(workload).total(),
            arms: workload.engines.len() as u64,
            counts: counts as u64,
            repeats: adaptive.map_or(measure.repeats, |adaptive| adaptive.max_repeats).get().into(),
            open: adaptive.is_some(),
            warmups: measure.warmup.into(),
            probed: probed as u64,
            attempts: u64::from(retries) + 1,
            live: workload.live().is_some(),
        }
    }

    /// Of a sweep: so many arms with so many worker counts each. `open`: results decide how many runs there are, at most so many.
    pub(super) fn of_sweep(tasks: u64, workload: &Workload, (arms, counts): (u64, u64), runs: u64, open: bool) -> Self {
        Self { tasks, arms, counts, repeats: runs, open, live: false, ..Self::of(workload, 2) }
    }

    /// Runs over all tasks, at most.
    pub(super) fn runs(self) -> u64 {
        let of_an_arm = self.counts.saturating_mul(self.repeats).saturating_add(self.warmups);
        self.arms.saturating_mul(of_an_arm).saturating_add(self.probed)
    }

    /// `200 executions: 100 tasks x 2 engines`
    pub(super) fn words(self) -> String {
        if self.live && self.runs() == 1 {
            return "one execution for each item that comes, each done once".to_owned();
        }
        let all = self.tasks.saturating_mul(self.runs());
        let plural = |count: u64, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        let most = if self.open { "up to " } else { "" };
        let mut factors = vec![plural(self.tasks, "task")];
        for (count, word, most) in
            [(self.arms, "engine", ""), (self.counts, "worker count", ""), (self.repeats, "repeat", most)]
        {
            if count > 1 {
                factors.push(format!("{most}{}", plural(count, word)));
            }
        }
        let mut more = match self.warmups {
            0 => String::new(),
            warmups => format!(", {} of each engine before them", plural(warmups, "warm-up")),
        };
        match self.probed {
            0 => {}
            1 => more.push_str(", and 1 run to probe an interpreter"),
            probed => more.push_str(&format!(", and {probed} runs to probe interpreters")),
        }
        let again = match self.attempts {
            1 => String::new(),
            attempts => format!("; up to {attempts} × as many where they fail, because of the retries"),
        };
        let all = plural(all, "execution");
        match factors.as_slice() {
            [_] if more.is_empty() => format!("{all} in all, each done once{again}"),
            factors => format!("{most}{all} in all: {}{more}{again}", factors.join(" × ")),
        }
    }
}

/// Says how often work of the user's own is done, and asks. Items say that each is to be done once: doing it more often is asked for.
///
/// # Errors
/// See [`ask`].
pub(super) fn settle(workload: &Workload, words: &str, yes: bool) -> Result<(), ExitReason> {
    if !workload.has_items() {
        return Ok(());
    }
    write::say(words);
    if yes { Ok(()) } else { ask() }
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
        let extent = |arms, counts, repeats, warmups| {
            let (open, probed, attempts, live) = (false, 0, 1, false);
            Extent { tasks: 100, arms, counts, repeats, open, warmups, probed, attempts, live }
        };
        for (extent, runs, words) in [
            (extent(1, 1, 1, 0), 1, "100 executions in all, each done once"),
            (extent(2, 1, 1, 0), 2, "200 executions in all: 100 tasks × 2 engines"),
            (extent(1, 8, 3, 0), 24, "2400 executions in all: 100 tasks × 8 worker counts × 3 repeats"),
            (
                extent(2, 1, 3, 1),
                8,
                "800 executions in all: 100 tasks × 2 engines × 3 repeats, 1 warm-up of each engine before them",
            ),
            (
                Extent { attempts: 3, ..extent(1, 1, 1, 0) },
                1,
                "100 executions in all, each done once; up to 3 × as many where they fail, because of the retries",
            ),
            (
                Extent { open: true, ..extent(1, 1, 50, 0) },
                50,
                "up to 5000 executions in all: 100 tasks × up to 50 repeats",
            ),
            (
                Extent { probed: 1, ..extent(1, 1, 1, 0) },
                2,
                "200 executions in all: 100 tasks, and 1 run to probe an interpreter",
            ),
        ] {
            assert_eq!((extent.runs(), extent.words().as_str()), (runs, words));
        }
    }
}
