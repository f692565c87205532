//! Output of a child, captured without limit on what it may write and with a limit on what is kept: the beginning, the
//! end, how much there was, and a hash of all of it.

use std::collections::VecDeque;

/// Bytes kept from the beginning.
const HEAD: usize = 4 * 1024;
/// Bytes kept from the end.
const TAIL: usize = 12 * 1024;

/// What is kept of one stream.
#[derive(Clone, Debug)]
pub struct Capture {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    /// Most bytes of it.
    most: usize,
    written: u64,
    hash: u64,
}

/// A line whose beginning was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LineCut;

impl Default for Capture {
    fn default() -> Self {
        Self { head: Vec::new(), tail: VecDeque::new(), most: TAIL, written: 0, hash: 0xcbf2_9ce4_8422_2325 }
    }
}

impl Capture {
    /// One that keeps so many bytes from the end.
    #[must_use]
    pub(crate) fn with_tail(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.written += bytes.len() as u64;
        // FNV-1a, 64 bits (http://www.isthe.com/chongo/tech/comp/fnv/).
        self.hash = bytes.iter().fold(self.hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
        let (head, rest) = bytes.split_at(bytes.len().min(HEAD - self.head.len()));
        self.head.extend_from_slice(head);
        let rest = &rest[rest.len().saturating_sub(self.most)..];
        let excess = (self.tail.len() + rest.len()).saturating_sub(self.most);
        self.tail.drain(..excess);
        self.tail.extend(rest);
    }

    /// Whether nothing was written.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.written == 0
    }

    /// FNV-1a hash of everything that was written.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Bytes that were written.
    #[must_use]
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Bytes that are kept.
    #[must_use]
    pub(crate) fn kept(&self) -> usize {
        self.head.len() + self.tail.len()
    }

    /// Bytes that were written and not kept.
    #[must_use]
    pub(crate) fn omitted(&self) -> u64 {
        self.written - (self.head.len() + self.tail.len()) as u64
    }

    /// The last line with anything in it, without the blanks around it; `None` where there is none.
    ///
    /// # Errors
    /// When it is not known whole: where it begins was not kept.
    pub(crate) fn last_line(&self) -> Result<Option<String>, LineCut> {
        let tail: Vec<u8> = if self.omitted() == 0 {
            self.head.iter().chain(&self.tail).copied().collect()
        } else {
            self.tail.iter().copied().collect()
        };
        let is_blank = |line: &&[u8]| line.trim_ascii().is_empty();
        let mut lines = tail.rsplit(|byte| *byte == b'\n').skip_while(is_blank);
        let found = lines.next();
        // What comes first in the tail may have begun before it.
        if self.omitted() > 0 && lines.next().is_none() {
            return Err(LineCut);
        }
        Ok(found.map(|line| String::from_utf8_lossy(line.trim_ascii()).into_owned()))
    }

    /// What was kept, as text; a line says where something is left out.
    #[must_use]
    pub fn text(&self) -> String {
        let tail: Vec<u8> = self.tail.iter().copied().collect();
        match self.omitted() {
            0 => {
                let mut all = self.head.clone();
                all.extend(tail);
                String::from_utf8_lossy(&all).into_owned()
            }
            omitted => format!(
                "{}\n[{omitted} bytes left out]\n{}",
                String::from_utf8_lossy(&self.head),
                String::from_utf8_lossy(&tail)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_output_is_kept_whole() {
        let mut capture = Capture::default();
        capture.push(b"one\n");
        capture.push(b"two\n");
        assert_eq!((capture.text().as_str(), capture.omitted()), ("one\ntwo\n", 0));
    }

    #[test]
    fn the_last_line_is_known_whole_or_not_at_all() {
        let last = |text: &str| {
            let mut capture = Capture::default();
            capture.push(text.as_bytes());
            capture.last_line()
        };
        let long = "1".repeat(HEAD + TAIL);
        assert_eq!(last(""), Ok(None));
        assert_eq!(last("1\n 2 \r\n\n"), Ok(Some("2".to_owned())));
        assert_eq!(last(&long), Ok(Some(long.clone())));
        assert_eq!(last(&format!("7{long}")), Err(LineCut));
        assert_eq!(last(&format!("{long}9\n8")), Ok(Some("8".to_owned())));
        assert_eq!(last(&format!("5{}", "\n".repeat(HEAD + TAIL))), Err(LineCut));
    }

    #[test]
    fn long_output_keeps_its_ends_and_its_hash_does_not_depend_on_the_pieces() {
        let all: Vec<u8> = (0..100_000u32).flat_map(|n| format!("line {n}\n").into_bytes()).collect();
        let hashes: Vec<u64> = [1, 7, 4096, 50_000]
            .into_iter()
            .map(|size| {
                let mut capture = Capture::default();
                all.chunks(size).for_each(|piece| capture.push(piece));
                let text = capture.text();
                assert!(text.starts_with("line 0\n") && text.ends_with("line 99999\n"), "{size}");
                assert_eq!(capture.omitted(), (all.len() - HEAD - TAIL) as u64);
                capture.hash()
            })
            .collect();
        assert!(hashes.windows(2).all(|pair| pair[0] == pair[1]));
    }
}
