//! What a reader of CSV would take without a word, refused while it reads: a quote that is never closed takes all rows behind
//! it for one, as does one that closes too early; and a record without an end takes all memory.

use std::io::{self, Read};

use super::ItemError;

/// Where in a record it is (RFC 4180, 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before the first byte of a field.
    Begin,
    /// In a field that did not begin with a quote.
    Plain,
    /// Between quotes.
    Quoted,
    /// Behind a quote that closes, unless it is one of two.
    Closed,
}

/// Reads on, and errs where what it reads is not as it should be.
#[derive(Debug)]
pub(super) struct Checked<R> {
    reader: R,
    place: Place,
    line: u64,
    /// Line of the last quote that opened.
    opened: u64,
    /// Bytes of the record so far, and most of one.
    length: u64,
    longest: u64,
}

impl<R> Checked<R> {
    pub(super) fn new(reader: R, longest: u64) -> Self {
        Self { reader, place: Place::Begin, line: 1, opened: 0, length: 0, longest }
    }

    fn take(&mut self, byte: u8) -> Result<(), ItemError> {
        self.length += 1;
        let ends_line = matches!(byte, b'\n' | b'\r');
        self.place = match (self.place, byte) {
            (Place::Begin, b'"') => {
                self.opened = self.line;
                Place::Quoted
            }
            (Place::Quoted, b'"') => Place::Closed,
            (Place::Quoted, _) | (Place::Closed, b'"') => Place::Quoted,
            (_, b',') => Place::Begin,
            _ if ends_line => {
                self.length = 0;
                Place::Begin
            }
            (Place::Closed, _) => {
                let line = self.line;
                let why =
                    format!("line {line} goes on behind a closing quote (a quote within quotes is written twice)");
                return Err(ItemError::Csv(why));
            }
            (Place::Begin | Place::Plain, _) => Place::Plain,
        };
        self.line += u64::from(byte == b'\n');
        if self.length > self.longest {
            let line = self.line;
            return Err(if self.place == Place::Quoted {
                ItemError::Csv(format!("a quote that opens in line {} is not closed within 1 MiB", self.opened))
            } else {
                ItemError::Csv(format!("the record of line {line} is longer than 1 MiB"))
            });
        }
        Ok(())
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(out)?;
        if read == 0 && !out.is_empty() && self.place == Place::Quoted {
            let why = format!("a quote that opens in line {} is never closed", self.opened);
            return Err(io::Error::other(ItemError::Csv(why)));
        }
        out.get(..read).unwrap_or_default().iter().try_for_each(|byte| self.take(*byte)).map_err(io::Error::other)?;
        Ok(read)
    }
}
