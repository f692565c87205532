//! Tasks of the batch whose waiting is over, and whose callers have not been told: there may be millions of them, and where
//! each stands in the stream is known only by looking. So that is done piece by piece.

use std::collections::{BTreeSet, VecDeque};

use super::expired::Place;
use crate::engine::event::Moment;
use crate::engine::stream::TaskStream;
use crate::workload::model::ClassId;

/// Most tasks of a run that are taken together.
const MOST_AT_ONCE: u64 = 1 << 10;

/// See the module docs.
#[derive(Debug, Default)]
pub(super) struct Untold(VecDeque<Piece>);

/// A piece of the stream, and which of its tasks these are.
#[derive(Debug)]
struct Piece {
    position: u64,
    end: u64,
    classes: BTreeSet<ClassId>,
    /// When their waiting was over.
    at: Moment,
}

impl Untold {
    /// The waiting of these tasks is over.
    pub(super) fn add(&mut self, (position, end): (u64, u64), class: ClassId, at: Moment) {
        match self.0.back_mut().filter(|last| (last.position, last.end, last.at) == (position, end, at)) {
            Some(last) => _ = last.classes.insert(class),
            None => self.0.push_back(Piece { position, end, classes: BTreeSet::from([class]), at }),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The next of them, and when their waiting was over; at most so many runs of the stream are looked at.
    pub(super) fn next(&mut self, stream: &dyn TaskStream, left: &mut u64) -> Option<(Moment, Vec<Place>)> {
        let piece = self.0.front_mut().filter(|_| *left > 0)?;
        let mut places: Vec<Place> = Vec::new();
        while piece.position < piece.end && *left > 0 {
            let run = stream.run_at(piece.position, (piece.end - piece.position).min(MOST_AT_ONCE));
            if piece.classes.contains(&run.class) {
                let place = Place { position: piece.position, count: run.count, arrival: Moment::ZERO };
                match places.last_mut().filter(|last| last.position + last.count == place.position) {
                    Some(last) => last.count += place.count,
                    None => places.push(place),
                }
            }
            piece.position += run.count;
            // To tell of many takes time, too.
            *left = left.saturating_sub(1 + run.count / 8);
        }
        let at = piece.at;
        if piece.position >= piece.end {
            self.0.pop_front();
        }
        Some((at, places))
    }
}
