//! Whose output it is: a worker that can, writes marks into what its tasks print, and tells with a failure up to which
//! mark goes what the task has printed. What is before the mark before that is of other tasks, or of nobody.

use std::collections::VecDeque;

use crate::os::capture::Capture;
use crate::os::pipe::Sink;

/// Most bytes that are kept for a worker until their tasks are told to have failed, and most pieces that they are in. What
/// is told of one failure is kept whole: the newest piece always is.
const MOST_BYTES: usize = 64 * 1024;
const MOST_KEPT: usize = 256;
/// Bytes of the number after a mark.
const NUMBER: usize = 8;

/// Finds marks in what a worker prints.
#[derive(Debug)]
pub(super) struct Marks {
    mark: [u8; 16],
    /// What may be the beginning of a mark.
    pending: Vec<u8>,
    /// What was printed before a mark of this number and after the one before, as far as that is something.
    pieces: VecDeque<(u64, Capture)>,
    /// Bytes of these.
    kept: usize,
}

/// Takes what a worker prints: what comes after the last mark is in the capture.
pub(super) struct Marked<'a> {
    pub(crate) marks: &'a mut Marks,
    pub(crate) capture: &'a mut Capture,
}

impl Marks {
    pub(super) fn new(mark: [u8; 16]) -> Self {
        Self { mark, pending: Vec::new(), pieces: VecDeque::new(), kept: 0 }
    }

    /// What was printed up to the mark of this number, and after the one before. What is older is forgotten.
    pub(super) fn take(&mut self, number: u64) -> Option<Capture> {
        while self.pieces.front().is_some_and(|(of, _)| *of < number) {
            self.forget_first();
        }
        let taken = self.pieces.pop_front_if(|(of, _)| *of == number).map(|(_, capture)| capture);
        self.kept -= taken.as_ref().map_or(0, Capture::kept);
        taken
    }

    /// Nothing more comes: what might have become a mark is output.
    pub(super) fn finish(&mut self, capture: &mut Capture) {
        capture.push(&std::mem::take(&mut self.pending));
    }

    fn end(&mut self, number: u64, capture: &mut Capture) {
        let ended = std::mem::take(capture);
        if !ended.is_empty() {
            self.kept += ended.kept();
            self.pieces.push_back((number, ended));
        }
        while self.pieces.len() > MOST_KEPT || self.kept > MOST_BYTES && self.pieces.len() > 1 {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        self.kept -= self.pieces.pop_front().map_or(0, |(_, capture)| capture.kept());
    }
}

impl Sink for Marked<'_> {
    fn push(&mut self, bytes: &[u8]) {
        let Self { marks, capture } = self;
        marks.pending.extend_from_slice(bytes);
        let whole = std::mem::take(&mut marks.pending);
        let mut rest = whole.as_slice();
        loop {
            let candidate = (0..rest.len()).find(|at| {
                let seen = &rest[*at..(*at + marks.mark.len()).min(rest.len())];
                marks.mark.starts_with(seen)
            });
            let Some(at) = candidate else { break };
            capture.push(&rest[..at]);
            rest = &rest[at..];
            let Some((mark, later)) = rest.split_at_checked(marks.mark.len() + NUMBER) else {
                // The rest of it is still to come.
                marks.pending = rest.to_vec();
                return;
            };
            let number = mark[marks.mark.len()..].iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
            marks.end(number, capture);
            rest = later;
        }
        capture.push(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: [u8; 16] = *b"0123456789abcdef";

    fn marked(number: u64) -> Vec<u8> {
        [&MARK[..], &number.to_le_bytes()].concat()
    }

    #[test]
    fn what_is_between_two_marks_is_one_piece_however_it_comes() {
        let all = [
            b"import".to_vec(),
            marked(1),
            b"one 0123".to_vec(),
            marked(2),
            marked(3),
            b"two".to_vec(),
            marked(4),
            b"end".to_vec(),
        ]
        .concat();
        for size in [1, 5, 17, 1000] {
            let (mut marks, mut capture) = (Marks::new(MARK), Capture::default());
            for piece in all.chunks(size) {
                Marked { marks: &mut marks, capture: &mut capture }.push(piece);
            }
            let text = |piece: Option<Capture>| piece.map(|piece| piece.text());
            assert_eq!(text(marks.take(2)).as_deref(), Some("one 0123"), "{size}");
            assert_eq!(text(marks.take(3)), None, "nothing was printed");
            assert_eq!(text(marks.take(4)).as_deref(), Some("two"));
            assert_eq!(capture.text(), "end");
        }
    }

    #[test]
    fn what_looks_like_a_mark_at_the_end_is_output() {
        let (mut marks, mut capture) = (Marks::new(MARK), Capture::default());
        Marked { marks: &mut marks, capture: &mut capture }.push(b"seen at 0");
        assert_eq!(capture.text(), "seen at ");
        marks.finish(&mut capture);
        assert_eq!(capture.text(), "seen at 0");
    }

    #[test]
    fn no_more_than_so_much_is_kept() {
        let (mut marks, mut capture) = (Marks::new(MARK), Capture::default());
        for number in 0..1000 {
            Marked { marks: &mut marks, capture: &mut capture }.push(b"x");
            Marked { marks: &mut marks, capture: &mut capture }.push(&marked(number));
        }
        assert_eq!(marks.pieces.len(), MOST_KEPT);
        assert!(marks.take(999).is_some() && marks.pieces.is_empty() && marks.kept == 0);
        for number in 0..100 {
            Marked { marks: &mut marks, capture: &mut capture }.push(&[b'x'; 100_000]);
            Marked { marks: &mut marks, capture: &mut capture }.push(&marked(number));
            assert!(marks.pieces.iter().map(|(_, piece)| piece.text().len()).sum::<usize>() < MOST_BYTES + 1000);
        }
        assert!(marks.take(99).is_some_and(|piece| piece.omitted() == 100_000 - 16 * 1024), "the newest is there");
    }
}
