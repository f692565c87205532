//! What is looked for: settings that are good for a target, or a place where something changes. The same words on the command
//! line and on screen.

use super::target::Target;

/// What `tune` looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// A worker count that is good for this.
    Count(Target),
    /// The size of a task at which a pool and a process for each task meet.
    BreakEven,
    /// The rate of arrivals beyond which a queue grows without bound.
    Knee,
}

impl std::str::FromStr for Goal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "break-even" => Ok(Self::BreakEven),
            "knee" => Ok(Self::Knee),
            _ => text.parse().map(Self::Count).map_err(|wrong: String| format!("{wrong}; or break-even, or knee")),
        }
    }
}

impl std::fmt::Display for Goal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Count(target) => target.fmt(f),
            Self::BreakEven => f.write_str("break-even"),
            Self::Knee => f.write_str("knee"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_read_as_it_is_written() {
        for text in ["throughput", "p99<250ms", "memory<2GiB", "break-even", "knee"] {
            assert_eq!(text.parse::<Goal>().map(|goal| goal.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "p98<1s", "p99<5", "memory<", "breakeven"] {
            assert!(text.parse::<Goal>().unwrap_err().contains("knee"), "{text}");
        }
    }
}
