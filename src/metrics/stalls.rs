//! Whether somebody else stopped this program (SIGSTOP cannot be caught) while its workers went on. Its threads stand still
//! then, its clocks do not: what is told at a steady pace leaves a gap, and somebody continues us.

use std::time::Duration;

use crate::engine::event::Moment;

/// A gap that a busy machine does not make in what is told ten times a second.
const GAP: Duration = Duration::from_millis(400);

/// Gaps in what an engine tells.
#[derive(Debug)]
pub(crate) struct Stalls {
    /// How often this program had been continued by others before.
    continued: u64,
    last: Moment,
    longest: Duration,
}

impl Stalls {
    pub(crate) fn new(continued: u64) -> Self {
        Self { continued, last: Moment::ZERO, longest: Duration::ZERO }
    }

    /// The engine has told its state. Time for which it was suspended is no time of its clock.
    pub(crate) fn alive(&mut self, now: Moment) {
        self.longest = self.longest.max(now.since(self.last));
        self.last = now;
    }

    /// For how long about the program stood still without a suspension, given how often it was continued up to now; zero if
    /// it did not.
    pub(crate) fn stopped(&self, continued: u64) -> Duration {
        if continued > self.continued && self.longest > GAP { self.longest } else { Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_and_a_continuation_are_a_stop_and_neither_is_by_itself() {
        let at = |millis: u64| Moment(millis * 1_000_000);
        let mut stalls = Stalls::new(3);
        [100, 200, 310].into_iter().for_each(|millis| stalls.alive(at(millis)));
        assert_eq!(stalls.stopped(4), Duration::ZERO, "SIGCONT for one that was not stopped");
        stalls.alive(at(1310));
        assert_eq!(stalls.stopped(3), Duration::ZERO, "a busy machine");
        stalls.alive(at(1410));
        assert_eq!(stalls.stopped(4), Duration::from_secs(1));
    }
}
