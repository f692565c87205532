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

/// What has been read so far, byte by byte.
#[derive(Debug)]
pub(super) struct Check {
    place: Place,
    line: u64,
    /// Line in which the record begins, and its fields so far, behind the first one.
    begun: u64,
    more_fields: u64,
    /// Line of the last quote that opened.
    opened: u64,
    /// Bytes of the record so far, and most of one.
    length: u64,
    longest: u64,
}

/// A record that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordEnd {
    /// Line in which it begins, from 1.
    pub(super) line: u64,
    /// One for an empty line, which is no record.
    pub(super) fields: u64,
}

impl Check {
    pub(super) fn new(longest: u64) -> Self {
        Self { place: Place::Begin, line: 1, begun: 1, more_fields: 0, opened: 0, length: 0, longest }
    }

    /// Takes in the next byte: `Some` where it ends a record.
    ///
    /// # Errors
    /// When it is not as it should be.
    pub(super) fn take(&mut self, byte: u8) -> Result<Option<RecordEnd>, ItemError> {
        self.length += 1;
        let ends_line = matches!(byte, b'\n' | b'\r');
        let mut ended = None;
        self.place = match (self.place, byte) {
            (Place::Begin, b'"') => {
                self.opened = self.line;
                Place::Quoted
            }
            (Place::Quoted, b'"') => Place::Closed,
            (Place::Quoted, _) | (Place::Closed, b'"') => Place::Quoted,
            (_, b',') => {
                self.more_fields += 1;
                Place::Begin
            }
            _ if ends_line => {
                ended = Some(self.end());
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
        if ended.is_some() {
            (self.length, self.more_fields, self.begun) = (0, 0, self.line);
        }
        if self.length > self.longest {
            let line = self.line;
            return Err(if self.place == Place::Quoted {
                ItemError::Csv(format!("a quote that opens in line {} is not closed within 1 MiB", self.opened))
            } else {
                ItemError::Csv(format!("the record of line {line} is longer than 1 MiB"))
            });
        }
        Ok(ended)
    }

    /// What there is of a record ends here.
    fn end(&self) -> RecordEnd {
        RecordEnd { line: self.begun, fields: self.more_fields + 1 }
    }

    /// Nothing more comes.
    ///
    /// # Errors
    /// When a quote is not closed.
    pub(super) fn finish(&self) -> Result<RecordEnd, ItemError> {
        if self.place == Place::Quoted {
            return Err(ItemError::Csv(format!("a quote that opens in line {} is never closed", self.opened)));
        }
        Ok(self.end())
    }
}

/// Reads on, and errs where what it reads is not as it should be.
#[derive(Debug)]
pub(super) struct Checked<R> {
    reader: R,
    check: Check,
}

impl<R> Checked<R> {
    pub(super) fn new(reader: R, longest: u64) -> Self {
        Self { reader, check: Check::new(longest) }
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(out)?;
        if read == 0 && !out.is_empty() {
            self.check.finish().map_err(io::Error::other)?;
        }
        for byte in out.get(..read).unwrap_or_default() {
            self.check.take(*byte).map_err(io::Error::other)?;
        }
        Ok(read)
    }
}
