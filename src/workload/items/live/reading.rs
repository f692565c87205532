//! Reading what comes: where each item ends, and whether it is as it should be.

use std::io::{self, Read};

use super::super::csv_check::{Check, RecordEnd};
use super::super::records::{LONGEST, MARK, content, names_of};
use super::super::spool::keep;
use super::super::{ItemError, json};
use super::{Come, Live, LiveFormat};

/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;

/// Tells items apart.
#[derive(Debug)]
struct Splitter {
    format: LiveFormat,
    check: Check,
    /// Where the item that is not whole yet begins, and what of it was in pieces before this one.
    begin: u64,
    begun: Vec<u8>,
    /// Items so far.
    count: u64,
    /// Of CSV, the names of its header.
    names: Option<Vec<String>>,
}

impl Live {
    /// Reads to the end.
    pub(super) fn read(&self, mut from: impl Read) -> Result<(), ItemError> {
        // Between zeros there are bytes, which need not be text.
        let head = if self.format == LiveFormat::Nul { Vec::new() } else { mark(&mut from)? };
        let keep = |bytes: &[u8]| keep(&self.file, bytes).map_err(ItemError::kept);
        let is_mark = head == MARK;
        let begin = if is_mark { MARK.len() as u64 } else { 0 };
        if is_mark {
            keep(MARK)?;
        }
        let mut from = io::Cursor::new(if is_mark { Vec::new() } else { head }).chain(from);
        let mut splitter = Splitter::new(self.format, begin);
        let (mut piece, mut come) = (vec![0; PIECE], Vec::new());
        loop {
            let read = match from.read(&mut piece) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            let bytes = piece.get(..read).unwrap_or_default();
            keep(bytes)?;
            let split = if read == 0 { splitter.finish(&mut come) } else { splitter.take(bytes, &mut come) };
            // What is before a bad one is good.
            self.add(&splitter, come.drain(..))?;
            split?;
            if read == 0 {
                return Ok(());
            }
            self.tell();
        }
    }

    fn add(&self, splitter: &Splitter, come: impl Iterator<Item = Come>) -> Result<(), ItemError> {
        if let Some(names) = &splitter.names {
            self.fields.get_or_init(|| names.clone());
        }
        let mut state = self.state();
        for come in come {
            if state.count == 0
                && let Some(fields) = come.item.as_ref().and_then(|item| item.fields.as_ref())
            {
                self.fields.get_or_init(|| fields.iter().map(|(name, _)| name.clone()).collect());
            }
            state.add(&come)?;
        }
        // Somebody may have found meanwhile that one of them is not good.
        state.error.clone().map_or(Ok(()), Err)
    }
}

impl Splitter {
    fn new(format: LiveFormat, begin: u64) -> Self {
        Self { format, check: Check::new(LONGEST), begin, begun: Vec::new(), count: 0, names: None }
    }

    /// Takes in what comes next.
    fn take(&mut self, piece: &[u8], come: &mut Vec<Come>) -> Result<(), ItemError> {
        let mut from = 0;
        for (place, &byte) in piece.iter().enumerate() {
            let end = match self.format {
                LiveFormat::Csv => self.check.take(byte)?,
                LiveFormat::Nul if byte == 0 => Some(NOT_COUNTED),
                LiveFormat::Lines | LiveFormat::JsonLines if byte == b'\n' => Some(NOT_COUNTED),
                _ => None,
            };
            if let Some(end) = end {
                let rest = piece.get(from..=place).unwrap_or_default();
                from = place + 1;
                if self.begun.is_empty() {
                    self.item(rest, end, come)?;
                } else {
                    self.begun.extend_from_slice(rest);
                    let whole = std::mem::take(&mut self.begun);
                    self.item(&whole, end, come)?;
                }
            }
        }
        self.begun.extend_from_slice(piece.get(from..).unwrap_or_default());
        if self.begun.len() as u64 > LONGEST { Err(ItemError::TooLong(self.count + 1)) } else { Ok(()) }
    }

    /// What is not ended by anything else is ended by the end.
    fn finish(&mut self, come: &mut Vec<Come>) -> Result<(), ItemError> {
        let end = if self.format == LiveFormat::Csv { self.check.finish()? } else { NOT_COUNTED };
        let whole = std::mem::take(&mut self.begun);
        self.item(&whole, end, come)
    }

    /// These bytes are one, with what ends it, unless there is nothing in them.
    fn item(&mut self, bytes: &[u8], end: RecordEnd, come: &mut Vec<Come>) -> Result<(), ItemError> {
        let begin = self.begin;
        self.begin += bytes.len() as u64;
        let is_empty = match self.format {
            LiveFormat::Nul => content(bytes, 0) == 0,
            LiveFormat::Lines => content(bytes, b'\n') == 0,
            LiveFormat::Csv => bytes.iter().all(|byte| matches!(byte, b'\n' | b'\r')),
            LiveFormat::JsonLines => bytes.trim_ascii().is_empty(),
        };
        if is_empty {
            return Ok(());
        }
        if bytes.len() as u64 > LONGEST {
            return Err(ItemError::TooLong(self.count + 1));
        }
        let mut item = None;
        match (self.format, &self.names) {
            (LiveFormat::Csv, None) => {
                self.names = Some(names_of(bytes)?);
                return Ok(());
            }
            (LiveFormat::Csv, Some(names)) if names.len() as u64 != end.fields => {
                let (line, fields, expected) = (end.line, end.fields, names.len());
                let why = format!("line {line} has {fields} fields, and the header has {expected}");
                return Err(ItemError::Csv(why));
            }
            (LiveFormat::JsonLines, _) => item = Some(json::parsed(self.count + 1, bytes.trim_ascii())?),
            _ => {}
        }
        self.count += 1;
        come.push(Come { begin, end: self.begin, item });
        Ok(())
    }
}

/// Of what has no records.
const NOT_COUNTED: RecordEnd = RecordEnd { line: 0, fields: 0 };

/// What a text begins with, as far as it may be a byte order mark, which is no part of it. Waits for nothing else.
fn mark(from: &mut impl Read) -> Result<Vec<u8>, ItemError> {
    let mut head = Vec::new();
    while head.len() < MARK.len() && MARK.starts_with(&head) {
        let mut byte = [0];
        match from.read(&mut byte) {
            Ok(0) => break,
            Ok(_) => head.extend(byte),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(head)
}
