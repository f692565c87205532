//! When the next frame is due: at once for a key, at a steady rate for data, never when nothing changed.

use std::time::{Duration, Instant};

/// Frames follow each other no faster than this, whatever happens.
const LEAST_GAP: Duration = Duration::from_millis(16);

/// This part of a gap is given away each time: where a few more views came than frames may be drawn, the frames would
/// otherwise follow the views by the same delay for ever.
const GIVEN: u32 = 32;

/// Decides when to draw. Knows times only from its arguments.
///
/// Figures come about as often as frames may be drawn. So that they are drawn when they come, and the program does not wake
/// up for them and again for the frame, a frame may come up to a gap early; those after it keep the rate (the generic cell
/// rate algorithm, ITU-T I.371).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pacer {
    data_gap: Duration,
    last: Option<Instant>,
    /// When the next frame for data would come in a steady rhythm.
    next: Option<Instant>,
    input: bool,
    data: bool,
}

impl Pacer {
    /// At most `fps` frames per second (1 to 30) for data, and one more after a rest.
    #[must_use]
    pub(crate) fn new(fps: u32) -> Self {
        let data_gap = Duration::from_secs(1) / fps.clamp(1, 30);
        let data_gap = data_gap - data_gap / GIVEN;
        Self { data_gap, last: None, next: None, input: false, data: false }
    }

    /// The user did something.
    pub(crate) fn input(&mut self) {
        self.input = true;
    }

    /// There are new figures.
    pub(crate) fn data(&mut self) {
        self.data = true;
    }

    /// A frame was drawn.
    pub(crate) fn drawn(&mut self, now: Instant) {
        // Frames for keys must not keep data waiting for longer than a gap.
        let next = self.next.map_or(now, |next| next.clamp(now, now + self.data_gap)) + self.data_gap;
        *self = Self { last: Some(now), next: Some(next), input: false, data: false, ..*self };
    }

    /// When the next frame is due; `None` when nothing changed.
    #[must_use]
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        if !self.input && !self.data {
            return None;
        }
        let (Some(last), Some(next)) = (self.last, self.next) else { return Some(now) };
        let soonest = last + LEAST_GAP;
        Some(if self.input { soonest } else { next.checked_sub(self.data_gap).map_or(soonest, |due| due.max(soonest)) })
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
        pacer.drawn(now);
        pacer.data();
        assert_eq!(pacer.due(now), Some(now + pacer.data_gap));
        pacer.input();
        assert_eq!(pacer.due(now), Some(now + Duration::from_millis(16)));
    }

    /// Frames within ten seconds of views that come at these intervals.
    fn frames(fps: u32, interval: Duration) -> Vec<Duration> {
        let start = Instant::now();
        let mut pacer = Pacer::new(fps);
        let mut frames = Vec::new();
        let mut now = start;
        while now < start + Duration::from_secs(10) {
            pacer.data();
            if pacer.due(now).is_some_and(|due| due <= now) {
                frames.push(now - start);
                pacer.drawn(now);
            }
            now += interval;
        }
        frames
    }

    #[test]
    fn a_flood_of_views_makes_ten_frames_a_second() {
        for (fps, wanted) in [(10, 100), (0, 10), (1, 10), (30, 300), (1000, 300)] {
            let drawn = frames(fps, Duration::from_micros(50)).len();
            assert!((wanted..=wanted + wanted / 30 + 2).contains(&drawn), "{fps}: {drawn}");
        }
    }

    #[test]
    fn views_as_frequent_as_frames_are_drawn_when_they_come() {
        for millis in [100, 101, 105, 110, 150] {
            let interval = Duration::from_millis(millis);
            let frames = frames(10, interval);
            assert!(frames.windows(2).all(|pair| pair[1] - pair[0] == interval), "{millis}: {frames:?}");
        }
    }

    #[test]
    fn a_rhythm_beside_that_of_the_views_is_given_up() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut pacer = Pacer::new(10);
        // More than may be drawn, and then views half way between the frames that this leads to.
        (0..5).for_each(|_| pacer.drawn(start));
        let waits: Vec<bool> = (1..40)
            .map(|view| {
                pacer.data();
                let due = pacer.due(start).unwrap();
                let view = at(view * 100 - 50);
                pacer.drawn(due.max(view));
                due > view
            })
            .collect();
        assert!(waits[..5].iter().all(|waits| *waits) && !waits[25..].iter().any(|waits| *waits), "{waits:?}");
    }
}
