//! Bytes that tasks return, until they are complete.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::breach::Breach;
use crate::worker::protocol::{LaneNumber, MAX_BYTES, MAX_BYTES_TOGETHER, Piece, ProtocolError};
use crate::workload::model::TaskIndex;

/// All that a task returns.
type Whole<'a> = (TaskIndex, Cow<'a, [u8]>);

/// The incomplete results of one worker.
#[derive(Debug)]
pub(super) struct PartialResults {
    lanes: BTreeMap<LaneNumber, (TaskIndex, Vec<u8>)>,
    /// Bytes of all of them.
    total: usize,
    /// Most bytes of one, and of all of them.
    limits: (usize, usize),
}

impl Default for PartialResults {
    fn default() -> Self {
        Self { lanes: BTreeMap::new(), total: 0, limits: (MAX_BYTES, MAX_BYTES_TOGETHER) }
    }
}

impl PartialResults {
    /// Adds a piece from a lane; the whole, if it was the last one.
    pub(super) fn add<'a>(&mut self, lane: LaneNumber, piece: Piece<'a>) -> Result<Option<Whole<'a>>, Breach> {
        let (most, most_together) = self.limits;
        let Some((index, bytes)) = self.lanes.get_mut(&lane) else {
            if !piece.more {
                return Ok(Some((piece.index, Cow::Borrowed(piece.bytes))));
            }
            self.lanes.insert(lane, (piece.index, Vec::new()));
            return self.add(lane, piece);
        };
        if *index != piece.index {
            return Err(Breach::Mixed { found: piece.index, of: *index });
        }
        if bytes.len() + piece.bytes.len() > most {
            return Err(ProtocolError::TooMuch.into());
        }
        if self.total + piece.bytes.len() > most_together {
            return Err(Breach::TooMuchTogether);
        }
        self.total += piece.bytes.len();
        bytes.extend_from_slice(piece.bytes);
        Ok(if piece.more { None } else { self.take(lane).map(|(index, bytes)| (index, Cow::Owned(bytes))) })
    }

    /// A lane reports. The task that returns something has not ended before all of it is there, unless it `failed` in the
    /// middle: then what there is of it is thrown away.
    pub(super) fn reports(&mut self, lane: LaneNumber, failed: Option<TaskIndex>) -> Result<(), Breach> {
        match self.lanes.get(&lane) {
            None => Ok(()),
            Some((index, _)) if failed == Some(*index) => {
                self.take(lane);
                Ok(())
            }
            Some((index, _)) => Err(Breach::Incomplete(*index)),
        }
    }

    fn take(&mut self, lane: LaneNumber) -> Option<(TaskIndex, Vec<u8>)> {
        let taken = self.lanes.remove(&lane)?;
        self.total -= taken.1.len();
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(index: TaskIndex, more: bool, bytes: &[u8]) -> Piece<'_> {
        Piece { index, more, bytes }
    }

    #[test]
    fn pieces_are_put_together_lane_by_lane() {
        let mut results = PartialResults::default();
        assert_eq!(results.add(0, piece(7, true, b"ab")), Ok(None));
        assert_eq!(results.add(1, piece(8, false, b"whole")), Ok(Some((8, Cow::Borrowed(&b"whole"[..])))));
        assert_eq!(results.add(0, piece(9, true, b"cd")), Err(Breach::Mixed { found: 9, of: 7 }));
        assert_eq!(results.add(0, piece(7, false, b"cd")), Ok(Some((7, Cow::Borrowed(&b"abcd"[..])))));
        assert_eq!((results.total, results.lanes.len()), (0, 0));
    }

    #[test]
    fn a_result_has_a_limit_and_those_of_all_lanes_together_have_another() {
        let mut results = PartialResults { limits: (4, 6), ..PartialResults::default() };
        assert_eq!(results.add(0, piece(0, true, b"abcd")), Ok(None));
        assert_eq!(results.add(0, piece(0, true, b"e")), Err(Breach::Frame(ProtocolError::TooMuch)));
        assert_eq!(results.add(1, piece(1, true, b"ab")), Ok(None));
        assert_eq!(results.add(2, piece(2, true, b"a")), Err(Breach::TooMuchTogether));
        assert!(matches!(results.add(0, piece(0, false, b"")), Ok(Some((0, _)))), "what is complete takes no room");
        assert_eq!(results.add(2, piece(2, true, b"a")), Ok(None));
    }

    #[test]
    fn nothing_is_reported_while_bytes_are_incomplete_but_the_failure_of_their_task() {
        let mut results = PartialResults::default();
        assert_eq!(results.add(0, piece(7, true, b"ab")), Ok(None));
        assert_eq!(results.reports(1, None), Ok(()), "another lane");
        assert_eq!(results.reports(0, None), Err(Breach::Incomplete(7)));
        assert_eq!(results.reports(0, Some(6)), Err(Breach::Incomplete(7)));
        assert_eq!(results.reports(0, Some(7)), Ok(()));
        assert_eq!(results.reports(0, None), Ok(()), "it is gone");
        assert_eq!(results.total, 0);
    }
}
