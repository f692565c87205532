//! How often what was seen: in little room, since there may be millions.

/// Sorted once all of it is there.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) keys: Vec<u128>,
    /// How often each is left, once they are sorted.
    pub(super) counts: Vec<u32>,
    /// How many are left of all, once they are sorted: whoever takes them asks that each time.
    left: u64,
}

impl Tally {
    pub(super) fn add(&mut self, key: u128) {
        self.keys.push(key);
    }

    /// Nothing more comes: it can be asked.
    pub(super) fn sort(&mut self) {
        self.keys.sort_unstable();
        self.counts =
            self.keys.chunk_by(|a, b| a == b).map(|same| u32::try_from(same.len()).unwrap_or(u32::MAX)).collect();
        self.left = self.keys.len() as u64;
        self.keys.dedup();
        self.keys.shrink_to_fit();
        self.counts.shrink_to_fit();
    }

    /// Whether none is left, once they are sorted.
    pub(super) fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// How many are left, once they are sorted.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// Takes one out, if it is there.
    pub(super) fn take(&mut self, key: u128) -> bool {
        let Ok(place) = self.keys.binary_search(&key) else { return false };
        let Some(count) = self.counts.get_mut(place).filter(|count| **count > 0) else { return false };
        *count -= 1;
        self.left -= 1;
        true
    }
}
