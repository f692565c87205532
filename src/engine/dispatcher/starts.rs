//! How many processes may be started before others have their turn.
//!
//! Starting one takes the driver a millisecond, on a busy machine several: in that time it can neither signal a worker nor
//! hear one, nor the user. Many inputs come between two looks at the system, and each may ask for a start. So what may be
//! started is given out anew by [`Input::Wake`](super::Input::Wake) alone, which comes when the driver has looked; whoever
//! finds nothing left asks for one.

use std::time::Duration;

/// Most processes that are started in one turn.
const AT_ONCE: u32 = 8;
/// How long the starts of one turn may take together, as far as that can be known before.
const TOGETHER: Duration = Duration::from_millis(8);
/// What a start is taken to last until one has been seen.
const FIRST_GUESS: Duration = Duration::from_millis(1);

/// See the module docs.
#[derive(Debug)]
pub(super) struct Starts {
    left: u32,
    /// What one takes, as the last ones have.
    lasts: Duration,
}

impl Starts {
    /// None before the first turn.
    pub(super) fn new() -> Self {
        Self { left: 0, lasts: FIRST_GUESS }
    }

    /// Others have had their turn.
    pub(super) fn turn_begins(&mut self) {
        let fitting = TOGETHER.as_nanos() / self.lasts.as_nanos().max(1);
        self.left = u32::try_from(fitting).unwrap_or(AT_ONCE).clamp(1, AT_ONCE);
    }

    /// Whether another one may be started.
    pub(super) fn any_left(&self) -> bool {
        self.left > 0
    }

    /// One is being started.
    pub(super) fn take(&mut self) {
        self.left = self.left.saturating_sub(1);
    }

    /// One has taken so long.
    pub(super) fn took(&mut self, time: Duration) {
        self.lasts = (self.lasts * 3 + time) / 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(starts: &mut Starts) -> u32 {
        starts.turn_begins();
        let mut count = 0;
        while starts.any_left() {
            starts.take();
            count += 1;
        }
        count
    }

    #[test]
    fn the_longer_starts_take_the_fewer_there_are_in_a_turn() {
        let mut starts = Starts::new();
        assert!(!starts.any_left());
        assert_eq!(left(&mut starts), AT_ONCE);
        (0..50).for_each(|_| starts.took(Duration::from_millis(4)));
        assert_eq!(left(&mut starts), 2);
        (0..50).for_each(|_| starts.took(Duration::from_secs(1)));
        assert_eq!(left(&mut starts), 1, "however long they take, the run goes on");
        (0..50).for_each(|_| starts.took(Duration::from_micros(10)));
        assert_eq!(left(&mut starts), AT_ONCE);
    }
}
