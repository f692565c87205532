//! The history of one run in a bounded number of frames: what a replay shows and charts draw.

use std::sync::Arc;

use crate::engine::event::Moment;
use crate::metrics::snapshot::Snapshot;

/// Most frames of a track.
pub(crate) const MAX_FRAMES: usize = 600;
/// Most worker rows in all frames of a track together (about 300 bytes each).
const MAX_ROWS: usize = 24_000;
/// Frames that are kept however many workers there are.
const MIN_FRAMES: usize = 60;
/// Notes and failures that a frame keeps for itself when a newer one has others. The newest frame has them all.
const KEPT_LINES: usize = 8;

/// The history of one run in a bounded number of frames: what a replay shows and charts draw.
///
/// When it is full, its older half is thinned out to even gaps: the past becomes coarser while the recent part (300
/// frames, half a minute at ten a second) stays as dense as it was recorded. A run of any length fits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Track {
    /// Frames in order of time, no two at the same time.
    pub frames: Vec<Arc<Snapshot>>,
}

impl Track {
    /// Adds the newest frame. Frames that are not older than it are replaced: a clock that stands still adds nothing.
    pub fn push(&mut self, frame: Arc<Snapshot>) {
        while self.frames.last().is_some_and(|last| last.at >= frame.at) {
            self.frames.pop();
        }
        if let Some(last) = self.frames.last_mut() {
            shed_lines(last, &frame);
        }
        let limit = limit(frame.workers.len());
        self.frames.push(frame);
        if self.frames.len() > limit {
            self.thin(limit / 2, limit / 4);
        }
    }

    /// The frame at `time` or the last one before it; `None` before the first.
    #[must_use]
    pub fn at(&self, time: Moment) -> Option<&Arc<Snapshot>> {
        let after = self.frames.partition_point(|frame| frame.at <= time);
        self.frames.get(after.checked_sub(1)?)
    }

    /// The moment of the newest frame.
    #[must_use]
    pub fn end(&self) -> Moment {
        self.frames.last().map_or(Moment::ZERO, |frame| frame.at)
    }

    /// (seconds, succeeded tasks per second): `points` evenly spaced points from `from` to `to`; see [`Self::series`].
    pub fn throughput(&self, from: Moment, to: Moment, points: usize) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.series(from, to, points, |frame| frame.throughput)
    }

    /// (seconds, waiting tasks): `points` evenly spaced points from `from` to `to`; see [`Self::series`].
    pub fn queue_depth(&self, from: Moment, to: Moment, points: usize) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.series(from, to, points, |frame| frame.queue.depth as f64)
    }

    /// Any figure, resampled: each point has the mean of the frames since the point before it, or else the figure of the
    /// last frame before it. Points outside of the recorded time are left out.
    pub fn series<'a>(
        &'a self,
        from: Moment,
        to: Moment,
        points: usize,
        figure: impl Fn(&Snapshot) -> f64 + 'a,
    ) -> impl Iterator<Item = (f64, f64)> + 'a {
        let gap = to.since(from).as_secs_f64() / points.saturating_sub(1).max(1) as f64;
        let begin = from.elapsed().as_secs_f64();
        let last = self.end().elapsed().as_secs_f64();
        let mut next = 0usize;
        let mut held: Option<f64> = None;
        (0..points).filter_map(move |point| {
            let time = begin + gap * point as f64;
            let (mut sum, mut count) = (0.0, 0u32);
            while let Some(frame) = self.frames.get(next).filter(|frame| frame.at.elapsed().as_secs_f64() <= time) {
                let value = figure(frame);
                if point == 0 {
                    (sum, count) = (value, 1);
                } else {
                    (sum, count) = (sum + value, count + 1);
                }
                held = Some(value);
                next += 1;
            }
            let value = if count > 0 { Some(sum / f64::from(count)) } else { held };
            // Half a gap of grace: the newest frame rarely falls on a point.
            value.filter(|_| time <= last + gap / 2.0).map(|value| (time, value))
        })
    }

    /// Of all frames but the newest `recent`, keeps the first of each of at most `cells` equal stretches of time. Their
    /// length is a power of two of milliseconds, so that what an earlier thinning kept fits the later ones.
    fn thin(&mut self, recent: usize, cells: usize) {
        let older = self.frames.len().saturating_sub(recent);
        let Some(bound) = self.frames.get(older) else { return };
        let cell = (bound.at.elapsed().as_millis() / cells.max(1) as u128).max(1).next_power_of_two();
        let mut filled = None;
        let mut place = 0usize;
        self.frames.retain(|frame| {
            let number = frame.at.elapsed().as_millis() / cell;
            let keep = place >= older || filled != Some(number);
            (filled, place) = (Some(number), place + 1);
            keep
        });
    }
}

impl FromIterator<Arc<Snapshot>> for Track {
    fn from_iter<I: IntoIterator<Item = Arc<Snapshot>>>(frames: I) -> Self {
        let mut track = Self::default();
        frames.into_iter().for_each(|frame| track.push(frame));
        track
    }
}

fn limit(workers: usize) -> usize {
    (MAX_ROWS / workers.max(1)).clamp(MIN_FRAMES, MAX_FRAMES)
}

/// Lets an old frame keep no course of memory, and only its last notes and failures unless it shares them with the newer one. Otherwise a run in
/// which everything fails would hold on to hundreds of different lists.
fn shed_lines(old: &mut Arc<Snapshot>, newer: &Snapshot) {
    let failures = !Arc::ptr_eq(&old.failures, &newer.failures) && old.failures.len() > KEPT_LINES;
    let notes = !Arc::ptr_eq(&old.notes, &newer.notes) && old.notes.len() > KEPT_LINES;
    let course = !Arc::ptr_eq(&old.memory_course, &newer.memory_course);
    if !failures && !notes && !course {
        return;
    }
    let frame = Arc::make_mut(old);
    if course {
        // The newer one goes on from it.
        frame.memory_course = Arc::default();
    }
    if failures {
        frame.failures = Arc::new(tail(&frame.failures));
    }
    if notes {
        frame.notes = Arc::new(tail(&frame.notes));
    }
}

fn tail<T: Clone>(lines: &[T]) -> Vec<T> {
    lines.get(lines.len().saturating_sub(KEPT_LINES)..).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::metrics::fixtures::{attempt, snapshot};

    fn at(millis: u64) -> Moment {
        Moment::from(Duration::from_millis(millis))
    }

    fn frame(millis: u64) -> Arc<Snapshot> {
        let mut frame = snapshot();
        frame.at = at(millis);
        frame.throughput = millis as f64;
        frame.queue.depth = 10_000 - millis.min(10_000);
        Arc::new(frame)
    }

    fn seconds(track: &Track) -> Vec<u64> {
        track.frames.iter().map(|frame| frame.at.elapsed().as_secs()).collect()
    }

    #[test]
    fn stays_bounded_sorted_and_keeps_first_and_newest() {
        let mut track = Track::default();
        for tick in 0..50_000u64 {
            track.push(frame(tick * 100));
            assert!(track.frames.len() <= MAX_FRAMES);
            assert_eq!(track.end(), at(tick * 100));
        }
        assert!(track.frames.len() >= MAX_FRAMES / 2, "{}", track.frames.len());
        let recent = track.at(track.end() - Duration::from_secs(25)).expect("a frame");
        assert_eq!(recent.at, track.end() - Duration::from_secs(25), "the last half minute is dense");
        assert!(track.frames.windows(2).all(|pair| pair[0].at < pair[1].at));
        assert_eq!(track.frames[0].at, Moment::ZERO);
        // The past is evenly covered: of 5000 s, no more than two cells (of 32.768 s) are without a frame.
        let widest = track.frames.windows(2).map(|pair| pair[1].at.since(pair[0].at)).max().expect("frames");
        assert!(widest < Duration::from_secs(70), "{widest:?}");
    }

    #[test]
    fn many_workers_mean_fewer_frames() {
        let mut track = Track::default();
        let row = snapshot().workers[0].clone();
        for tick in 0..1000u64 {
            let mut wide = Arc::unwrap_or_clone(frame(tick * 100));
            wide.workers = vec![row.clone(); 240];
            track.push(Arc::new(wide));
        }
        assert!(track.frames.len() <= 100, "{}", track.frames.len());
    }

    #[test]
    fn frame_at_or_just_before() {
        let track: Track = [1000, 2000, 4000].map(frame).into_iter().collect();
        assert!(track.at(at(999)).is_none());
        let found = |millis| track.at(at(millis)).map(|frame| frame.at.elapsed().as_millis());
        assert_eq!(found(1000), Some(1000));
        assert_eq!(found(3999), Some(2000));
        assert_eq!(found(4000), Some(4000));
        assert_eq!(found(1_000_000), Some(4000));
        assert!(Track::default().at(Moment(u64::MAX)).is_none());
    }

    #[test]
    fn standing_clock_replaces_and_a_new_run_begins_anew() {
        let mut track: Track = [1000, 2000, 2000, 2000, 3000].map(frame).into_iter().collect();
        assert_eq!(seconds(&track), [1, 2, 3]);
        track.push(frame(0));
        assert_eq!(seconds(&track), [0]);
    }

    #[test]
    fn series_averages_dense_frames_holds_sparse_ones_and_ends_with_the_data() {
        let track: Track = [0, 500, 1000, 4000].map(frame).into_iter().collect();
        let points: Vec<_> = track.throughput(Moment::ZERO, at(6000), 7).collect();
        assert_eq!(points, [(0.0, 0.0), (1.0, 750.0), (2.0, 1000.0), (3.0, 1000.0), (4.0, 4000.0)]);
        let depth: Vec<_> = track.queue_depth(at(2000), at(4000), 3).collect();
        assert_eq!(depth, [(2.0, 9000.0), (3.0, 9000.0), (4.0, 6000.0)]);
    }

    #[test]
    fn series_of_odd_windows() {
        let track: Track = [1000, 2000].map(frame).into_iter().collect();
        let second = at(1000);
        assert_eq!(track.throughput(second, at(3000), 0).count(), 0);
        assert_eq!(track.throughput(second, second, 1).collect::<Vec<_>>(), [(1.0, 1000.0)]);
        assert_eq!(track.throughput(at(3000), second, 2).count(), 0, "window after the data, upside down");
        assert_eq!(Track::default().throughput(Moment::ZERO, second, 9).count(), 0);
        assert_eq!(track.throughput(Moment::ZERO, second, 2).collect::<Vec<_>>(), [(1.0, 1000.0)]);
    }

    #[test]
    fn old_frames_shed_their_failures_unless_they_share_them() {
        let mut track = Track::default();
        let mut first = snapshot();
        first.at = at(1000);
        first.failures = Arc::new((0..20).map(attempt).collect());
        let mut second = first.clone();
        second.at = at(2000);
        let mut third = second.clone();
        third.at = at(3000);
        third.failures = Arc::new((0..21).map(attempt).collect());
        for frame in [first, second, third] {
            track.push(Arc::new(frame));
        }
        let lengths: Vec<_> = track.frames.iter().map(|frame| frame.failures.len()).collect();
        assert_eq!(lengths, [20, KEPT_LINES, 21]);
        assert_eq!(track.frames[1].failures.last().map(|report| report.index), Some(19));
    }
}
