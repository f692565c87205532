//! Some of the tasks of a stream, and those that are left without them: a bit for each.

/// Positions in one block, whose bits are counted together.
const BLOCK: u64 = 512;
const WORDS: usize = (BLOCK / 64) as usize;

/// Some of the numbers below a limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskSet {
    words: Vec<u64>,
    count: u64,
}

impl TaskSet {
    /// Takes a number in.
    pub fn insert(&mut self, number: u64) {
        let Ok(word) = usize::try_from(number / 64) else { return };
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        let bit = 1 << (number % 64);
        self.count += u64::from(self.words[word] & bit == 0);
        self.words[word] |= bit;
    }

    /// Whether it is one of them.
    #[must_use]
    pub fn contains(&self, number: u64) -> bool {
        let word = usize::try_from(number / 64).ok().and_then(|word| self.words.get(word));
        word.is_some_and(|word| word & (1 << (number % 64)) != 0)
    }

    /// How many they are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// The positions of a stream that are left, and where the n-th of them is: two bits a position or so.
#[derive(Debug)]
pub(crate) struct Remaining {
    /// A bit for each position that is left.
    words: Vec<u64>,
    /// How many are left before each block.
    before: Vec<u64>,
    count: u64,
}

impl Remaining {
    /// Of so many positions those that are not done.
    pub(crate) fn new(positions: u64, is_done: impl Fn(u64) -> bool) -> Self {
        let mut words = vec![0_u64; usize::try_from(positions.div_ceil(64)).unwrap_or(0)];
        for position in (0..positions).filter(|position| !is_done(*position)) {
            if let Some(word) = usize::try_from(position / 64).ok().and_then(|word| words.get_mut(word)) {
                *word |= 1 << (position % 64);
            }
        }
        let (mut before, mut count) = (Vec::with_capacity(words.len() / WORDS + 1), 0);
        for block in words.chunks(WORDS) {
            before.push(count);
            count += block.iter().map(|word| u64::from(word.count_ones())).sum::<u64>();
        }
        Self { words, before, count }
    }

    pub(crate) fn len(&self) -> u64 {
        self.count
    }

    /// The position of the n-th that is left, from 0, and how many positions directly behind it are left too, it included:
    /// at most `most`.
    pub(crate) fn at(&self, number: u64, most: u64) -> (u64, u64) {
        let block = self.before.partition_point(|before| *before <= number).saturating_sub(1);
        let mut left = number - self.before.get(block).copied().unwrap_or(0);
        let mut word = block * WORDS;
        while let Some(bits) = self.words.get(word) {
            let here = u64::from(bits.count_ones());
            if left < here {
                break;
            }
            left -= here;
            word += 1;
        }
        let mut bits = self.words.get(word).copied().unwrap_or(0);
        for _ in 0..left {
            bits &= bits - 1;
        }
        let position = word as u64 * 64 + u64::from(bits.trailing_zeros());
        let is_left = |position: &u64| {
            let word = usize::try_from(position / 64).ok().and_then(|word| self.words.get(word));
            word.is_some_and(|word| word & (1 << (position % 64)) != 0)
        };
        let follow = (position..position.saturating_add(most)).take_while(is_left).count() as u64;
        (position, follow.max(1))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_left_is_found_by_its_number(
            total in 1_u64..3000,
            done in proptest::collection::vec(0_u64..3000, 0..200),
            whole in proptest::option::of((0_u64..3000, 0_u64..1200)),
        ) {
            let mut set = TaskSet::default();
            done.iter().for_each(|number| set.insert(*number));
            let (from, length) = whole.unwrap_or_default();
            (from..from + length).for_each(|number| set.insert(number));
            let left: Vec<u64> = (0..total).filter(|number| !set.contains(*number)).collect();
            let remaining = Remaining::new(total, |position| set.contains(position));
            prop_assert_eq!(remaining.len(), left.len() as u64);
            for (number, position) in (0..).zip(&left) {
                let follow = (0..7).take_while(|step| left.get(number + step) == Some(&(position + *step as u64))).count();
                prop_assert_eq!(remaining.at(number as u64, 7), (*position, follow as u64));
            }
        }
    }
}
