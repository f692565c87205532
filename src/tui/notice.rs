//! How long an answer to a key stays on the screen. The state that holds it knows no clock.

use std::time::{Duration, Instant};

/// How long.
const STAYS: Duration = Duration::from_secs(4);

/// When the answer that is shown goes. Knows times only from its arguments.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notice {
    shown: Option<String>,
    until: Option<Instant>,
}

impl Notice {
    /// Whatever happened, this is the answer now; `pressed` says that a key was answered, so that the same words are a new
    /// answer, and `lasting` that they hold until something else happens.
    pub(crate) fn is(&mut self, answer: Option<&str>, pressed: bool, lasting: bool, now: Instant) {
        if answer.is_none() || lasting {
            self.until = None;
        } else if pressed || self.shown.as_deref() != answer || self.until.is_none() {
            self.until = Some(now + STAYS);
        }
        if self.shown.as_deref() != answer {
            self.shown = answer.map(str::to_owned);
        }
    }

    /// When it goes; `None` where nothing is to go.
    #[must_use]
    pub(crate) fn until(&self) -> Option<Instant> {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_goes_after_its_time_and_a_new_one_gets_its_own() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut notice = Notice::default();
        notice.is(None, true, false, at(0));
        assert_eq!(notice.until(), None);
        notice.is(Some("one"), true, false, at(1));
        assert_eq!(notice.until(), Some(at(5)));
        notice.is(Some("one"), false, false, at(3));
        assert_eq!(notice.until(), Some(at(5)), "views come and go");
        notice.is(Some("one"), true, false, at(3));
        assert_eq!(notice.until(), Some(at(7)), "the key was pressed again");
        notice.is(Some("two"), false, false, at(4));
        assert_eq!(notice.until(), Some(at(8)));
        notice.is(Some("stopping"), true, true, at(5));
        assert_eq!(notice.until(), None, "it holds until it is over");
        notice.is(None, false, false, at(9));
        assert_eq!(notice.until(), None);
    }
}
