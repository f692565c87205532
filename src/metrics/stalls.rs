//! Whether somebody else stopped this program (SIGSTOP cannot be caught) while its workers went on. Its threads stand still
//! then, its clocks do not: what is told at a steady pace leaves a gap, and somebody continues us.

use std::time::{Duration, Instant};

use crate::engine::event::Moment;

/// A gap that a busy machine does not make in what is told ten times a second.
const GAP: Duration = Duration::from_millis(400);

/// How long after the threads of a program that goes on its signal may be heard.
const WORD: Duration = Duration::from_millis(100);

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

    /// Waits for a moment for the word of a continuation that a gap may come from: a run can be over before whoever watches
    /// signals has had its turn.
    pub(crate) fn wait_for_word(&self, continued: impl Fn() -> u64) {
        let deadline = Instant::now() + WORD;
        while self.longest > GAP && continued() <= self.continued && Instant::now() < deadline {
            std::thread::sleep(WORD / 100);
        }
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
    fn the_word_of_a_continuation_may_come_a_moment_after_the_end() {
        let mut stalls = Stalls::new(0);
        stalls.alive(Moment(1_000_000_000));
        let asked = std::cell::Cell::new(0);
        stalls.wait_for_word(|| {
            asked.set(asked.get() + 1);
            u64::from(asked.get() > 3)
        });
        assert_eq!(asked.get(), 4, "it is waited for");
        stalls.wait_for_word(|| 0);
        let calm = Stalls::new(0);
        calm.wait_for_word(|| panic!("nobody is waited for without a gap"));
    }

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
