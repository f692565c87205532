//! Programs that are sent their tasks as lines and have not answered once: what may be wrong is known, and not seen from outside.

use std::time::Duration;

use crate::metrics::snapshot::Snapshot;
use crate::workload::model::{Work, Workload};

/// A first answer may take so long before a word is said.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is said.
pub(crate) const HINT: &str = "no answer yet: flush each line (mawk -W interactive); only a `timeout` ends this";

/// Whether a run waits for the first answer of programs that stay, and nothing but the user would end that.
#[must_use]
pub(crate) fn is_silent(workload: &Workload, run: &Snapshot) -> bool {
    let served = |work: &Work| matches!(work, Work::Served(_));
    let endless = workload.classes.iter().any(|class| served(&class.work) && class.timeout.is_none());
    let none_ended = run.counts.finished() == run.counts.cancelled;
    endless && none_ended && run.counts.submitted > 0 && run.wall() >= PATIENCE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::event::Moment;
    use crate::engine::outcome::Counts;
    use crate::metrics::fixtures;
    use crate::workload::load::load;

    #[test]
    fn a_word_is_said_only_where_nothing_was_answered_and_nothing_ends_it() {
        let text = |more: &str| {
            format!(
                "version: 1\nname: t\ntasks: [{{ name: t, kind: command, serve: lines, command: [awk], count: 9{more} }}]\n\
                 engines: [{{ kind: pool }}]\n"
            )
        };
        let loaded = |more| load(&text(more), "t.yaml").unwrap_or_else(|wrong| panic!("{wrong}")).workload;
        let (endless, limited) = (loaded(""), loaded(", timeout: 9s"));
        let run = |seconds: u64, succeeded| Snapshot {
            at: Moment(seconds * 1_000_000_000),
            counts: Counts { submitted: 9, running: 9 - succeeded, succeeded, ..Counts::default() },
            end: None,
            ..fixtures::snapshot()
        };
        assert!(is_silent(&endless, &run(6, 0)));
        assert!(
            !is_silent(&endless, &run(4, 0)) && !is_silent(&endless, &run(6, 1)) && !is_silent(&limited, &run(6, 0))
        );
    }
}
