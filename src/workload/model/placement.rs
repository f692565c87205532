//! Where the processes of an engine run, and before whom: CPUs and niceness.

use std::fmt;

/// Highest number of a CPU that can be given: the most that Linux can be built for.
const HIGHEST: u32 = 8191;

/// What processes of an engine have instead of what Poolscope itself has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// CPUs that they may run on.
    pub affinity: Option<CpuList>,
    /// Their niceness, from -20 to 19.
    pub nice: Option<i32>,
}

impl Placement {
    /// How many of so many usable cores they have: CPUs of their own are no more than a quota gives.
    #[must_use]
    pub(crate) fn cores(&self, usable: u32) -> u32 {
        self.affinity.as_ref().map_or(usable, |cpus| cpus.count().min(usable))
    }
}

/// Numbers of CPUs: ascending, each once, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuList(Vec<u32>);

impl CpuList {
    /// Puts them in order.
    ///
    /// # Errors
    /// Why they are no set of CPUs, in words.
    pub(crate) fn new(mut cpus: Vec<u32>) -> Result<Self, String> {
        cpus.sort_unstable();
        let twice = cpus.windows(2).find(|pair| pair.first() == pair.last()).and_then(|pair| pair.first());
        match (twice, cpus.last()) {
            (Some(cpu), _) => Err(format!("CPU {cpu} comes twice")),
            (None, None) => Err("there is no CPU in it".to_owned()),
            (None, Some(last)) if *last > HIGHEST => Err(format!("CPU {last} is beyond {HIGHEST}")),
            (None, Some(_)) => Ok(Self(cpus)),
        }
    }

    /// Reads a list as the kernel writes it: `0-3,6`.
    ///
    /// # Errors
    /// Why it is none, in words.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut cpus = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |text: &str| {
                let digits = text.trim();
                let number = digits.parse::<u32>().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()));
                number.ok_or_else(|| format!("`{digits}` is no number of a CPU"))
            };
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return Err(format!("{first}-{last} runs backwards"));
            }
            if last > HIGHEST {
                return Err(format!("CPU {last} is beyond {HIGHEST}"));
            }
            cpus.extend(first..=last);
        }
        Self::new(cpus)
    }

    /// The numbers, ascending.
    #[must_use]
    pub fn numbers(&self) -> &[u32] {
        &self.0
    }

    fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }
}

impl fmt::Display for CpuList {
    /// As the kernel writes it: `0-3,6`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for run in self.0.chunk_by(|one, next| one + 1 == *next) {
            match run {
                [first, .., last] => write!(out, "{separator}{first}-{last}")?,
                one => one.iter().try_for_each(|cpu| write!(out, "{separator}{cpu}"))?,
            }
            separator = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_written_as_the_kernel_does() {
        let again = |text: &str| CpuList::parse(text).map(|list| list.to_string());
        for (text, written) in [("0-3,6", "0-3,6"), ("6, 0-1,2", "0-2,6"), ("7", "7"), ("0,2,4", "0,2,4")] {
            assert_eq!(again(text).as_deref(), Ok(written), "{text}");
        }
        for text in ["", ",", "0-", "-1", "3-1", "0,0", "0-2,1", "+1", "0x1", "a", "9999999999", "0-8192"] {
            assert!(again(text).is_err(), "{text}: {:?}", again(text));
        }
    }
}
