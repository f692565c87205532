//! The outside of a recording: its first line, its sections, its end. Knows nothing of what they hold.

use std::io::{self, Read, Write};

use sha2::{Digest as _, Sha256};

use super::{FORMAT, MOST_BYTES, ReadError, VERSION, WriteError};

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum SectionKind {
    Header = 1,
    Frame = 2,
    End = 3,
}

/// Bytes before a payload: kind and length.
const PREFIX: usize = 5;
/// Longest version number that is looked at, in digits.
const DIGITS: usize = 9;
/// Bytes of an end's payload.
const DIGEST: usize = 32;

pub(super) struct Writer<W> {
    out: W,
    digest: Sha256,
    written: u64,
}

impl<W: Write> Writer<W> {
    pub(crate) fn begin(out: W) -> Result<Self, WriteError> {
        let mut writer = Self { out, digest: Sha256::new(), written: 0 };
        writer.put(format!("{FORMAT}/{VERSION}\n").as_bytes())?;
        Ok(writer)
    }

    pub(crate) fn section(&mut self, kind: SectionKind, payload: &[u8]) -> Result<(), WriteError> {
        let too_large = WriteError::TooLarge { what: "bytes", most: MOST_BYTES };
        let Ok(length) = u32::try_from(payload.len()) else { return Err(too_large) };
        // There must be room for the end too.
        let whole = self.written + 2 * PREFIX as u64 + u64::from(length) + DIGEST as u64;
        if whole > MOST_BYTES {
            return Err(too_large);
        }
        self.put(&[kind as u8])?;
        self.put(&length.to_le_bytes())?;
        self.put(payload)?;
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<(), WriteError> {
        let digest = self.digest.clone().finalize();
        self.section(SectionKind::End, &digest)?;
        Ok(self.out.flush()?)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.written += bytes.len() as u64;
        self.out.write_all(bytes)
    }
}

pub(super) struct Reader<R> {
    source: R,
    digest: Sha256,
    /// Bytes that may still come.
    left: u64,
    over: bool,
}

impl<R: Read> Reader<R> {
    pub(crate) fn open(source: R) -> Result<Self, ReadError> {
        let mut reader = Self { source, digest: Sha256::new(), left: MOST_BYTES, over: false };
        let mut line = Vec::new();
        let longest = FORMAT.len() + 1 + DIGITS;
        loop {
            let mut byte = [0];
            reader.exactly(&mut byte)?;
            if byte == *b"\n" {
                break;
            }
            line.extend(byte);
            let expected = FORMAT.as_bytes();
            let fits = line.iter().zip(expected).all(|(found, expected)| found == expected);
            if !fits || line.len() > longest {
                return Err(wrong(&line));
            }
        }
        let text = str::from_utf8(&line).ok().and_then(|line| line.strip_prefix(FORMAT)?.strip_prefix('/'));
        // "+1" and "01" would be numbers too.
        let number = text.and_then(|text| text.parse().ok().filter(|number: &u32| number.to_string() == text));
        match number {
            Some(VERSION) => Ok(reader),
            Some(version) if version > VERSION => Err(ReadError::NewerVersion { version }),
            _ => Err(wrong(&line)),
        }
    }

    /// The next section; `None` once, after an end that agrees with all that was read.
    pub(crate) fn next(&mut self) -> Result<Option<(u8, Vec<u8>)>, ReadError> {
        if self.over {
            return Ok(None);
        }
        let digest = self.digest.clone();
        let (mut kind, mut length) = ([0], [0; 4]);
        self.exactly(&mut kind)?;
        self.exactly(&mut length)?;
        let ([kind], length) = (kind, u64::from(u32::from_le_bytes(length)));
        if length > self.left {
            return Err(too_large());
        }
        let payload = self.payload(length)?;
        if kind != SectionKind::End as u8 {
            return Ok(Some((kind, payload)));
        }
        if *digest.finalize() != *payload {
            return Err(ReadError::damaged("its checksum is another one"));
        }
        self.over = true;
        Ok(None)
    }

    /// Memory is taken as bytes come, whatever length was announced.
    fn payload(&mut self, length: u64) -> Result<Vec<u8>, ReadError> {
        let mut payload = Vec::new();
        let count = (&mut self.source).take(length).read_to_end(&mut payload)?;
        self.left -= count as u64;
        if (count as u64) < length {
            return Err(ReadError::Truncated);
        }
        self.digest.update(&payload);
        Ok(payload)
    }

    fn exactly(&mut self, bytes: &mut [u8]) -> Result<(), ReadError> {
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or_else(too_large)?;
        self.source.read_exact(bytes)?;
        self.digest.update(bytes);
        Ok(())
    }
}

fn too_large() -> ReadError {
    ReadError::TooLarge { what: "bytes", most: MOST_BYTES }
}

fn wrong(begins: &[u8]) -> ReadError {
    ReadError::WrongFormat { begins: String::from_utf8_lossy(begins).into_owned() }
}
