//! How a process ended and what it used: the kernel's words.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It returned this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// It is gone, and how is not known: a host reaped it, or it could not be ended and was left behind.
    Unknown,
}

impl Exit {
    /// Whether it ended well.
    #[must_use]
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }
}

impl Exit {
    /// The same in one number, as `multiprocessing.Process.exitcode` says it: the code, or the negative number of the signal.
    #[must_use]
    pub fn exitcode(self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(code),
            Self::Signal(signal) => Some(-signal),
            Self::Unknown => None,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal} ({})", super::signals::name(signal)),
            Self::Unknown => f.write_str("an exit status that is not known"),
        }
    }
}

/// CPU time and faults of a process from its start until now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// User CPU time.
    pub user: Duration,
    /// System CPU time.
    pub system: Duration,
    /// Page faults that needed no I/O.
    pub minor_faults: u64,
    /// Page faults that needed I/O.
    pub major_faults: u64,
    /// Times it gave up the processor.
    pub voluntary_switches: u64,
    /// Times the processor was taken from it.
    pub involuntary_switches: u64,
}

impl Usage {
    /// Nothing used.
    pub(crate) const NONE: Self = Self {
        user: Duration::ZERO,
        system: Duration::ZERO,
        minor_faults: 0,
        major_faults: 0,
        voluntary_switches: 0,
        involuntary_switches: 0,
    };

    /// User and system CPU time together.
    #[must_use]
    pub fn cpu(&self) -> Duration {
        self.user + self.system
    }

    /// The larger of each of them.
    #[must_use]
    pub(crate) fn at_least(self, other: Self) -> Self {
        Self {
            user: self.user.max(other.user),
            system: self.system.max(other.system),
            minor_faults: self.minor_faults.max(other.minor_faults),
            major_faults: self.major_faults.max(other.major_faults),
            voluntary_switches: self.voluntary_switches.max(other.voluntary_switches),
            involuntary_switches: self.involuntary_switches.max(other.involuntary_switches),
        }
    }

    /// Its page faults.
    #[must_use]
    pub fn page_faults(&self) -> PageFaults {
        PageFaults { minor: self.minor_faults, major: self.major_faults }
    }
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        // A worker says what it likes.
        let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
        self.user = self.user.saturating_add(other.user);
        self.system = self.system.saturating_add(other.system);
        add(&mut self.minor_faults, other.minor_faults);
        add(&mut self.major_faults, other.major_faults);
        add(&mut self.voluntary_switches, other.voluntary_switches);
        add(&mut self.involuntary_switches, other.involuntary_switches);
    }
}

/// Page faults as the kernel counts them (getrusage(2)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageFaults {
    /// Those that needed no I/O.
    pub minor: u64,
    /// Those that needed I/O.
    pub major: u64,
}

impl PageFaults {
    /// What is more than in the other, in each of the two; none where that has more.
    #[must_use]
    pub(crate) fn beyond(self, other: Self) -> Self {
        Self { minor: self.minor.saturating_sub(other.minor), major: self.major.saturating_sub(other.major) }
    }

    /// The smaller of each of the two.
    #[must_use]
    pub(crate) fn at_most(self, other: Self) -> Self {
        Self { minor: self.minor.min(other.minor), major: self.major.min(other.major) }
    }
}

impl std::ops::Add for PageFaults {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { minor: self.minor.saturating_add(other.minor), major: self.major.saturating_add(other.major) }
    }
}

/// What the kernel says about a child that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reaped {
    pub exit: Exit,
    /// CPU time, faults and switches of its whole life, with the children it waited for (`wait4(2)`).
    pub usage: Usage,
    /// Largest resident set, where it can be told from the parent's: the counter starts at the parent's own peak.
    pub peak_rss_bytes: Option<u64>,
}

impl Reaped {
    /// The end of a child of which nothing can be told: a host reaped it, or it cannot be waited for.
    pub(crate) const UNKNOWN: Self = Self { exit: Exit::Unknown, usage: Usage::NONE, peak_rss_bytes: None };
}
