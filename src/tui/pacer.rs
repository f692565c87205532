//! When the next frame is due: at once for a key, at a steady rate for data, never when nothing changed.

use std::time::{Duration, Instant};

/// Frames follow each other no faster than this, whatever happens.
const LEAST_GAP: Duration = Duration::from_millis(16);

/// Decides when to draw. Knows times only from its arguments.
#[derive(Clone, Copy, Debug)]
pub struct Pacer {
    data_gap: Duration,
    last: Option<Instant>,
    input: bool,
    data: bool,
}

impl Pacer {
    /// At most `fps` frames per second (1 to 30) for data.
    #[must_use]
    pub fn new(fps: u32) -> Self {
        Self { data_gap: Duration::from_secs(1) / fps.clamp(1, 30), last: None, input: false, data: false }
    }

    /// The user did something.
    pub fn input(&mut self) {
        self.input = true;
    }

    /// There are new figures.
    pub fn data(&mut self) {
        self.data = true;
    }

    /// A frame was drawn.
    pub fn drawn(&mut self, now: Instant) {
        *self = Self { last: Some(now), input: false, data: false, ..*self };
    }

    /// When the next frame is due; `None` when nothing changed.
    #[must_use]
    pub fn due(&self, now: Instant) -> Option<Instant> {
        let gap = match (self.input, self.data) {
            (true, _) => LEAST_GAP,
            (false, true) => self.data_gap,
            (false, false) => return None,
        };
        Some(self.last.map_or(now, |last| last + gap))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_means_no_frames() {
        let now = Instant::now();
        let mut pacer = Pacer::new(10);
        assert_eq!(pacer.due(now), None);
        pacer.data();
        assert_eq!(pacer.due(now), Some(now));
        pacer.drawn(now);
        assert_eq!(pacer.due(now), None);
    }

    #[test]
    fn keys_are_faster_than_data_and_neither_floods() {
        let now = Instant::now();
        let mut pacer = Pacer::new(10);
        pacer.drawn(now);
        pacer.data();
        assert_eq!(pacer.due(now), Some(now + Duration::from_millis(100)));
        pacer.input();
        assert_eq!(pacer.due(now), Some(now + Duration::from_millis(16)));
    }

    #[test]
    fn a_flood_of_views_makes_ten_frames_a_second() {
        let start = Instant::now();
        let mut pacer = Pacer::new(10);
        let mut frames = 0;
        for micros in (0..1_000_000).step_by(5) {
            let now = start + Duration::from_micros(micros);
            pacer.data();
            if pacer.due(now).is_some_and(|due| due <= now) {
                frames += 1;
                pacer.drawn(now);
            }
        }
        assert_eq!(frames, 10);
    }

    #[test]
    fn odd_rates_are_brought_into_range() {
        let now = Instant::now();
        for (fps, millis) in [(0, 1000), (1, 1000), (1000, 33)] {
            let mut pacer = Pacer::new(fps);
            pacer.drawn(now);
            pacer.data();
            assert_eq!(pacer.due(now).unwrap().duration_since(now).as_millis(), millis);
        }
    }
}
