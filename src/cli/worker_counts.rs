//! Worker counts as they are typed: `4`, `1..8`, `1..64x2`, `1,2,4..8`. Knows nothing of what is possible on a machine.

use std::str::FromStr;

/// Most counts in one list.
pub const MOST: usize = 500;

/// Worker counts, ascending, each of them once and at least 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerCounts(Vec<u32>);

/// Why a text is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongCounts {
    /// There is nothing, or nothing between two commas.
    #[error("a number is missing; worker counts are {FORM}")]
    Missing,
    /// A part is no count.
    #[error("{0:?} is no worker count; worker counts are {FORM}")]
    NoCount(String),
    /// A part is zero.
    #[error("0 workers can do nothing; the least is 1")]
    Zero,
    /// A part is beyond any machine.
    #[error("{0} workers are too many for any machine")]
    TooLarge(String),
    /// A range that goes down.
    #[error("{0}..{1} goes down; the smaller count comes first: {1}..{0}")]
    Reversed(u32, u32),
    /// A count that is there twice.
    #[error("{0} is there twice")]
    Twice(u32),
    /// A range whose counts are not multiplied by anything.
    #[error("the factor of {0:?} must be at least 2, as in 1..64x2 for 1, 2, 4 ... 64")]
    Factor(String),
    /// More than a sweep can try.
    #[error("these are {0} counts; {MOST} is the most that can be tried. 1..64x2 tries 1, 2, 4 ... 64")]
    TooMany(u64),
}

/// How they are written.
const FORM: &str = "a number, a list or a range: 4, 1,2,4 or 1..8";

impl WorkerCounts {
    /// The counts, ascending; at least one.
    #[must_use]
    pub(crate) fn all(&self) -> &[u32] {
        &self.0
    }

    /// The count if it is a single one.
    #[must_use]
    pub(crate) fn single(&self) -> Option<u32> {
        match self.0.as_slice() {
            [count] => Some(*count),
            _ => None,
        }
    }
}

impl std::fmt::Display for WorkerCounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts: Vec<String> = self.0.iter().map(u32::to_string).collect();
        f.write_str(&counts.join(","))
    }
}

impl FromStr for WorkerCounts {
    type Err = WrongCounts;

    fn from_str(text: &str) -> Result<Self, WrongCounts> {
        let mut counts = Vec::new();
        for part in text.split(',') {
            let most = MOST.saturating_sub(counts.len());
            counts.extend(self::part(part.trim(), most)?);
        }
        counts.sort_unstable();
        if let Some([count, _]) = counts.array_windows().find(|[one, next]| one == next) {
            return Err(WrongCounts::Twice(*count));
        }
        Ok(Self(counts))
    }
}

/// One count, or those of a range; at most so many more.
fn part(part: &str, most: usize) -> Result<Vec<u32>, WrongCounts> {
    let Some((first, rest)) = part.split_once("..") else {
        let one = count(part, part)?;
        return if most > 0 { Ok(vec![one]) } else { Err(WrongCounts::TooMany(MOST as u64 + 1)) };
    };
    let (last, factor) = match rest.split_once('x') {
        Some((last, factor)) => {
            let wrong = || WrongCounts::Factor(part.to_owned());
            (last, Some(factor.parse::<u32>().ok().filter(|factor| *factor >= 2).ok_or_else(wrong)?))
        }
        None => (rest, None),
    };
    let (first, last) = (count(first, part)?, count(last, part)?);
    if first > last {
        return Err(WrongCounts::Reversed(first, last));
    }
    if let Some(factor) = factor {
        let steps = std::iter::successors(Some(first), |count| count.checked_mul(factor));
        let steps: Vec<u32> = steps.take_while(|count| *count <= last).collect();
        return if steps.len() > most {
            Err(WrongCounts::TooMany((MOST - most + steps.len()) as u64))
        } else {
            Ok(steps)
        };
    }
    let many = u64::from(last - first) + 1;
    let before = (MOST - most) as u64;
    if many > most as u64 { Err(WrongCounts::TooMany(before + many)) } else { Ok((first..=last).collect()) }
}

/// A count; `whole` is what it is a part of.
fn count(text: &str, whole: &str) -> Result<u32, WrongCounts> {
    if whole.is_empty() {
        return Err(WrongCounts::Missing);
    }
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(WrongCounts::NoCount(whole.to_owned()));
    }
    match text.parse() {
        Ok(0) => Err(WrongCounts::Zero),
        Ok(count) => Ok(count),
        Err(_) => Err(WrongCounts::TooLarge(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counts(text: &str) -> Result<Vec<u32>, String> {
        text.parse().map(|WorkerCounts(counts)| counts).map_err(|wrong: WrongCounts| wrong.to_string())
    }

    #[test]
    fn every_form() {
        for (text, wanted) in [
            ("4", vec![4]),
            ("1..4", vec![1, 2, 3, 4]),
            ("4..4", vec![4]),
            ("1,2,4", vec![1, 2, 4]),
            ("8,1,2..4", vec![1, 2, 3, 4, 8]),
            (" 1, 2 ", vec![1, 2]),
            ("1..64x2", vec![1, 2, 4, 8, 16, 32, 64]),
            ("3..100x3,64", vec![3, 9, 27, 64, 81]),
            ("1..4294967295x16", vec![1, 16, 256, 4096, 65536, 1_048_576, 16_777_216, 268_435_456]),
        ] {
            assert_eq!(counts(text), Ok(wanted), "{text}");
        }
        assert_eq!(counts("1..500").map(|counts| counts.len()), Ok(500));
        assert_eq!("4".parse::<WorkerCounts>().map(|counts| counts.single()), Ok(Some(4)));
        assert_eq!("4..5".parse::<WorkerCounts>().map(|counts| counts.single()), Ok(None));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, words) in [
            ("", "missing"),
            ("1,,2", "missing"),
            ("1,2,", "missing"),
            ("x", "\"x\" is no worker count; worker counts are a number, a list or a range: 4, 1,2,4 or 1..8"),
            ("-1", "no worker count"),
            ("+1", "no worker count"),
            ("1.5", "no worker count"),
            ("1-8", "\"1-8\" is no worker count"),
            ("..8", "\"..8\" is no worker count"),
            ("1..", "\"1..\" is no worker count"),
            ("1..=8", "no worker count"),
            ("1...8", "no worker count"),
            ("0", "0 workers"),
            ("0..8", "0 workers"),
            ("5000000000", "5000000000 workers are too many"),
            ("8..1", "8..1 goes down; the smaller count comes first: 1..8"),
            ("1,2,1", "1 is there twice"),
            ("1..4,3", "3 is there twice"),
            ("1..8x1", "factor"),
            ("1..8x", "factor"),
            ("1..8x2x2", "factor"),
            ("1..501", "these are 501 counts; 500"),
            ("1..4294967295", "these are 4294967295 counts"),
            ("1..500,501", "these are 501 counts"),
            ("1..400,401..600", "these are 600 counts"),
        ] {
            let wrong = counts(text).expect_err(text);
            assert!(wrong.contains(words), "{text}: {wrong}");
        }
    }

    #[test]
    fn ranges_in_steps_are_counted_too() {
        assert_eq!(counts("1..500").map(|counts| counts.len()), Ok(500));
        assert!(counts("1..500,600..601x2").is_err_and(|wrong| wrong.contains("501")));
    }

    proptest! {
        #[test]
        fn what_comes_out_is_ascending_and_means_itself(text in "[0-9.,x]{0,12}") {
            if let Ok(counts) = text.parse::<WorkerCounts>() {
                prop_assert!(counts.all().first().is_some_and(|first| *first >= 1) && counts.all().len() <= MOST);
                prop_assert!(counts.all().is_sorted_by(|one, next| one < next));
                prop_assert_eq!(counts.to_string().parse(), Ok(counts));
            }
        }
    }
}
