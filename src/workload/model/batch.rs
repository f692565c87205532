//! What is asked of a run beside the file: when it is ended early, and which tasks are left out because they are done.

use std::num::NonZeroU64;
use std::str::FromStr;
use std::sync::Arc;

use crate::workload::task_set::TaskSet;

/// See the module docs. As it comes, all tasks are run to their ends.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BatchRules {
    /// When the run is ended before its last task.
    pub halt: Option<Halt>,
    /// Tasks that are left out, by index.
    pub done: Option<Arc<TaskSet>>,
}

/// When a run is ended before its last task, in GNU parallel's words: `now,fail=1`, `soon,success=10%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Halt {
    /// What becomes of what is in work then.
    pub when: HaltWhen,
    /// Which tasks count.
    pub why: HaltWhy,
    /// How many of them it takes.
    pub limit: HaltLimit,
}

/// What becomes of the tasks that are in work when a run is halted. Nothing more is begun, and nothing tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HaltWhen {
    /// They are ended as those of a run that is stopped: SIGTERM, their grace period, SIGKILL.
    Now,
    /// They come to their own ends.
    Soon,
}

/// Which tasks count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HaltWhy {
    /// Those that failed, timed out or were lost.
    Fail,
    /// Those that succeeded.
    Success,
    /// Both.
    Done,
}

/// How many tasks it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HaltLimit {
    /// So many.
    Count(NonZeroU64),
    /// So many hundredths of all tasks of the run, from 1 to 100.
    Percent(u8),
}

impl Halt {
    /// Whether so many tasks are enough, of `total` in all.
    #[must_use]
    pub fn is_reached(self, succeeded: u64, unsuccessful: u64, total: Option<u64>) -> bool {
        let count = match self.why {
            HaltWhy::Fail => unsuccessful,
            HaltWhy::Success => succeeded,
            HaltWhy::Done => succeeded.saturating_add(unsuccessful),
        };
        match self.limit {
            HaltLimit::Count(limit) => count >= limit.get(),
            HaltLimit::Percent(percent) => total
                .is_some_and(|total| count > 0 && u128::from(count) * 100 >= u128::from(total) * u128::from(percent)),
        }
    }
}

impl std::fmt::Display for Halt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let when = if self.when == HaltWhen::Now { "now" } else { "soon" };
        let why = match self.why {
            HaltWhy::Fail => "fail",
            HaltWhy::Success => "success",
            HaltWhy::Done => "done",
        };
        match self.limit {
            HaltLimit::Count(count) => write!(f, "{when},{why}={count}"),
            HaltLimit::Percent(percent) => write!(f, "{when},{why}={percent}%"),
        }
    }
}

impl FromStr for Halt {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "must be now or soon, a comma, and fail, success or done with a number or a percentage from 1 \
                            to 100: now,fail=1 or soon,fail=10%";
        let (when, condition) = text.split_once(',').ok_or(FORM)?;
        let (why, limit) = condition.split_once('=').ok_or(FORM)?;
        let when = match when {
            "now" => HaltWhen::Now,
            "soon" => HaltWhen::Soon,
            _ => return Err(FORM),
        };
        let why = match why {
            "fail" => HaltWhy::Fail,
            "success" => HaltWhy::Success,
            "done" => HaltWhy::Done,
            _ => return Err(FORM),
        };
        let limit = match limit.strip_suffix('%') {
            Some(percent) => {
                let percent = percent.parse().ok().filter(|percent| (1..=100).contains(percent));
                HaltLimit::Percent(percent.ok_or(FORM)?)
            }
            None => HaltLimit::Count(limit.parse().map_err(|_| FORM)?),
        };
        Ok(Self { when, why, limit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_what_is_written() {
        for text in ["now,fail=1", "soon,fail=10%", "now,success=3", "soon,done=100%"] {
            assert_eq!(text.parse::<Halt>().map(|halt| halt.to_string()).as_deref(), Ok(text));
        }
        for text in ["", "now", "now,fail", "now,fail=0", "later,fail=1", "now,fail=0%", "now,fail=101%", "now,fail=-1"]
        {
            assert!(text.parse::<Halt>().is_err(), "{text}");
        }
    }

    #[test]
    fn percentages_are_of_all_tasks() {
        let halt: Halt = "soon,fail=10%".parse().unwrap_or_else(|error| panic!("{error}"));
        assert!(!halt.is_reached(90, 9, Some(100)) && halt.is_reached(0, 10, Some(100)));
        assert!(!halt.is_reached(5, 0, Some(5)) && halt.is_reached(0, 1, Some(5)));
        assert!(!halt.is_reached(0, 1000, None), "of what is not known there is no percentage");
    }
}
