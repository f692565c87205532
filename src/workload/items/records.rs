//! Items that are stretches of a file, or of bytes in memory: found by their number, read when they are asked for.
//!
//! What is kept is where every stretch of about 32 KiB begins (32 bytes each, a thousandth of the file), and one such stretch,
//! the one that was read last. Each stretch is compared with what was there when the items were counted: an item that is no
//! longer what it was is an error, never another item. What was appended since is no item.

use std::fs::File;
use std::hash::{DefaultHasher, Hasher as _};
use std::io::{self, BufRead as _, BufReader, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use super::csv_check::Checked;
use super::{Item, ItemError, ItemValue};

/// Length of a stretch; the last item in it may go beyond.
pub(super) const STRETCH: u64 = 32 * 1024;
/// Longest item.
pub(crate) const LONGEST: u64 = 1 << 20;
/// What some programs put before a text in UTF-8. It is no part of it, and anywhere else it is one.
pub(super) const MARK: &[u8] = b"\xef\xbb\xbf";
/// A reader of CSV leaves such a mark out where it begins, so that it begins with a line end, which is no record.
const LINE_END: &[u8] = b"\r";

/// Where the bytes are.
#[derive(Debug)]
pub(crate) enum Store {
    /// Read where it is needed, without a place of its own.
    File(File),
    Memory(Vec<u8>),
}

impl Store {
    fn read_at(&self, out: &mut [u8], at: u64) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read_at(out, at),
            Self::Memory(bytes) => {
                let from = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                let mut rest = bytes.get(from..).unwrap_or_default();
                rest.read(out)
            }
        }
    }

    /// Where its text begins: behind a byte order mark.
    fn text_begins(&self) -> Result<u64, ItemError> {
        match self.range(0, MARK.len() as u64) {
            Ok(bytes) if bytes == MARK => Ok(MARK.len() as u64),
            // What is shorter has none.
            Ok(_) | Err(ItemError::Changed) => Ok(0),
            Err(error) => Err(error),
        }
    }

    fn range(&self, from: u64, to: u64) -> Result<Vec<u8>, ItemError> {
        let mut bytes = vec![0; usize::try_from(to.saturating_sub(from)).unwrap_or(0)];
        let mut read = 0;
        while read < bytes.len() {
            match self.read_at(&mut bytes[read..], from + read as u64) {
                // It was cut.
                Ok(0) => return Err(ItemError::Changed),
                Ok(count) => read += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(bytes)
    }
}

/// Reads a store from its begin.
struct FromBegin<'s> {
    store: &'s Store,
    at: u64,
}

impl Read for FromBegin<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.store.read_at(out, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// How items are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Each line that is not empty. A carriage return at its end belongs to the line end.
    Lines,
    /// Each stretch up to a zero byte that is not empty.
    Nul,
    /// Records with these names, in the first record of the file.
    Csv(Vec<String>),
    /// Each line that is not blank is a value.
    JsonLines,
}

impl Format {
    /// Where the items are in whole stretches.
    pub(super) fn split(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        match self {
            Self::Lines => split(bytes, b'\n', |line| content(line, b'\n')),
            Self::Nul => split(bytes, 0, |line| content(line, 0)),
            Self::JsonLines => split(bytes, b'\n', |line| line.trim_ascii_end().len()),
            Self::Csv(_) => csv_records(bytes),
        }
    }

    /// The item that these bytes are; `number` counts from 0.
    pub(super) fn item(&self, bytes: &[u8], number: u64) -> Result<Item, ItemError> {
        match self {
            Self::Lines | Self::Nul => Ok(Item::of(ItemValue::Text(bytes.to_vec()))),
            Self::JsonLines => {
                super::json::item(bytes.trim_ascii()).map_err(|error| ItemError::Json(number + 1, error.to_string()))
            }
            Self::Csv(names) => {
                let mut reader = reader_of_records(bytes);
                let mut record = csv::ByteRecord::new();
                reader.read_byte_record(&mut record).map_err(|error| ItemError::Csv(error.to_string()))?;
                let values = record.iter().map(|field| ItemValue::Text(field.to_vec()));
                let fields = names.iter().cloned().zip(values).collect();
                Ok(Item { whole: ItemValue::Text(bytes.to_vec()), fields: Some(fields) })
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Stretch {
    /// Number of its first item.
    first: u64,
    offset: u64,
    hash: u64,
}

/// See the module docs.
#[derive(Debug)]
pub(crate) struct Records {
    store: Store,
    format: Format,
    stretches: Vec<Stretch>,
    count: u64,
    /// Where the last item ends.
    end: u64,
    hash: String,
    last: Mutex<Option<Loaded>>,
}

/// A stretch that was read, and where the items are in it.
#[derive(Debug)]
struct Loaded {
    place: usize,
    bytes: Vec<u8>,
    items: Vec<Range<usize>>,
}

/// What was seen while the items were counted.
#[derive(Debug, Default)]
struct Count {
    stretches: Vec<Stretch>,
    count: u64,
    end: u64,
}

impl Count {
    /// An item begins at `offset` and ends before `end`.
    fn item(&mut self, offset: u64, end: u64) {
        if self.stretches.last().is_none_or(|stretch| offset - stretch.offset >= STRETCH) {
            self.stretches.push(Stretch { first: self.count, offset, hash: 0 });
        }
        self.count += 1;
        self.end = end;
    }
}

impl Records {
    /// Counts the items. `look` is shown each line of JSON with its number, from 1.
    ///
    /// # Errors
    /// When there are none, or one of them is not as it should be.
    pub(crate) fn new(
        store: Store,
        format: Format,
        mut look: impl FnMut(u64, &[u8]) -> Result<(), ItemError>,
    ) -> Result<Self, ItemError> {
        let mut count = Count::default();
        match &format {
            Format::Lines => each_line(&store, b'\n', |at, line, end| {
                if !without_line_end(line).is_empty() {
                    count.item(at, end);
                }
                Ok(())
            })?,
            Format::Nul => each_line(&store, 0, |at, line, end| {
                if line != [0] {
                    count.item(at, end);
                }
                Ok(())
            })?,
            Format::JsonLines => each_line(&store, b'\n', |at, line, end| {
                if !line.trim_ascii().is_empty() {
                    count.item(at, end);
                    look(count.count, line.trim_ascii())?;
                }
                Ok(())
            })?,
            Format::Csv(_) => {
                let begin = store.text_begins()?;
                count_csv(csv_reader(FromBegin { store: &store, at: begin }), begin, &mut count)?;
            }
        }
        if count.count == 0 {
            return Err(ItemError::Empty);
        }
        let Count { mut stretches, count, end } = count;
        let mut all = Sha256::new();
        let ends: Vec<u64> = stretches.iter().skip(1).map(|stretch| stretch.offset).chain([end]).collect();
        for (stretch, end) in stretches.iter_mut().zip(ends) {
            let bytes = store.range(stretch.offset, end)?;
            all.update(&bytes);
            stretch.hash = fingerprint(&bytes);
        }
        let hash = all.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { store, format, stretches, count, end, hash, last: Mutex::default() })
    }

    pub(crate) fn len(&self) -> u64 {
        self.count
    }

    /// Tells these items from others: 16 hexadecimal digits of a SHA-256 of their bytes.
    pub(crate) fn hash(&self) -> &str {
        &self.hash
    }

    pub(crate) fn format(&self) -> &Format {
        &self.format
    }

    /// Bytes of memory that are kept for them.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> usize {
        self.stretches.capacity() * size_of::<Stretch>()
    }

    /// The item with this number, from 0.
    pub(crate) fn get(&self, number: u64) -> Result<Item, ItemError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let place = self.stretches.partition_point(|stretch| stretch.first <= number).saturating_sub(1);
        if last.as_ref().is_none_or(|read| read.place != place) {
            *last = None;
            *last = Some(self.read(place)?);
        }
        let first = self.stretches.get(place).map_or(0, |stretch| stretch.first);
        let range = |read: &Loaded| read.items.get(usize::try_from(number - first).ok()?).cloned();
        let found = last.as_ref().and_then(|read| read.bytes.get(range(read)?));
        self.format.item(found.ok_or(ItemError::Changed)?, number)
    }

    fn read(&self, place: usize) -> Result<Loaded, ItemError> {
        let stretch = self.stretches.get(place).ok_or(ItemError::Changed)?;
        let end = self.stretches.get(place + 1).map_or(self.end, |next| next.offset);
        let bytes = self.store.range(stretch.offset, end)?;
        if fingerprint(&bytes) != stretch.hash {
            return Err(ItemError::Changed);
        }
        let items = self.format.split(&bytes);
        Ok(Loaded { place, bytes, items })
    }
}

fn fingerprint(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

/// Bytes of a stretch without what ends it.
pub(super) fn content(line: &[u8], separator: u8) -> usize {
    if separator == 0 { line.strip_suffix(&[0]).unwrap_or(line).len() } else { without_line_end(line).len() }
}

fn without_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Shows each stretch up to and including `end` with where it begins and ends.
fn each_line(
    store: &Store,
    end: u8,
    mut show: impl FnMut(u64, &[u8], u64) -> Result<(), ItemError>,
) -> Result<(), ItemError> {
    // Between zeros there are bytes, which need not be text.
    let mut at = if end == 0 { 0 } else { store.text_begins()? };
    let mut reader = BufReader::with_capacity(1 << 16, FromBegin { store, at });
    let (mut line, mut number) = (Vec::new(), 0);
    loop {
        line.clear();
        // One more than may be there, so that too long a line is seen.
        let read = (&mut reader).take(LONGEST + 1).read_until(end, &mut line)? as u64;
        if read == 0 {
            return Ok(());
        }
        number += 1;
        if read > LONGEST {
            return Err(ItemError::TooLong(number));
        }
        show(at, &line, at + read)?;
        at += read;
    }
}

/// Where the stretches up to `end` are that have any content; `content` says how long that is.
pub(super) fn split(bytes: &[u8], end: u8, content: impl Fn(&[u8]) -> usize) -> Vec<Range<usize>> {
    let mut at = 0;
    let lines = bytes.split_inclusive(|byte| *byte == end).map(|line| {
        let begin = at;
        at += line.len();
        begin..begin + content(line)
    });
    lines.filter(|range| !range.is_empty()).collect()
}

fn wrong_csv(error: csv::Error) -> ItemError {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.downcast().unwrap_or_else(ItemError::from),
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let line = pos.map_or(0, |pos| pos.line());
            ItemError::Csv(format!("line {line} has {len} fields, and the header has {expected_len}"))
        }
        kind => ItemError::Csv(format!("{kind:?}")),
    }
}

/// The names that the first record of a CSV file gives.
///
/// # Errors
/// When there is none, or they are not UTF-8.
pub(crate) fn csv_names(store: &Store) -> Result<Vec<String>, ItemError> {
    names_of(FromBegin { store, at: store.text_begins()? })
}

/// The same of a text behind its byte order mark.
pub(super) fn names_of(text: impl Read) -> Result<Vec<String>, ItemError> {
    let mut reader = csv_reader(text.take(LONGEST + 1));
    let names = reader.byte_headers().map_err(wrong_csv)?;
    let name = |name: &[u8]| {
        let text = String::from_utf8(name.to_vec());
        text.map_err(|_| ItemError::Csv("the names of its header are not UTF-8".to_owned()))
    };
    let names: Vec<String> = names.iter().map(name).collect::<Result<_, _>>()?;
    if names.is_empty() { Err(ItemError::Empty) } else { Ok(names) }
}

/// Reads records, of which the first one has the names.
fn csv_reader(from: impl Read) -> csv::Reader<impl Read> {
    csv::ReaderBuilder::new().from_reader(LINE_END.chain(Checked::new(from, LONGEST)))
}

/// Counts the records behind the first one, which all have as many fields as that; the text begins at `text`.
fn count_csv(mut reader: csv::Reader<impl Read>, text: u64, count: &mut Count) -> Result<(), ItemError> {
    let place = |byte: u64| text + byte.saturating_sub(LINE_END.len() as u64);
    reader.byte_headers().map_err(wrong_csv)?;
    let mut record = csv::ByteRecord::new();
    let mut begun = None;
    loop {
        let more = reader.read_byte_record(&mut record).map_err(wrong_csv)?;
        let begin =
            place(if more { record.position().map_or(0, csv::Position::byte) } else { reader.position().byte() });
        if let Some(before) = begun.take() {
            if begin - before > LONGEST {
                return Err(ItemError::TooLong(count.count + 1));
            }
            count.item(before, begin);
        }
        if !more {
            return Ok(());
        }
        begun = Some(begin);
    }
}

fn reader_of_records(bytes: &[u8]) -> csv::Reader<impl Read> {
    csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(LINE_END.chain(bytes))
}

/// Where the records are, without their line ends.
fn csv_records(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut reader = reader_of_records(bytes);
    let mut record = csv::ByteRecord::new();
    let mut begins = Vec::new();
    while reader.read_byte_record(&mut record).is_ok_and(|more| more) {
        let begin = record.position().map_or(0, |position| position.byte() as usize);
        begins.push(begin.saturating_sub(LINE_END.len()));
    }
    let ends: Vec<usize> = begins.iter().skip(1).copied().chain([bytes.len()]).collect();
    begins
        .into_iter()
        .zip(ends)
        .map(|(begin, end)| {
            let line_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
            let record = bytes.get(begin..end).unwrap_or_default();
            let before = record.iter().take_while(|byte| line_end(byte)).count();
            let behind = record.iter().rev().take_while(|byte| line_end(byte)).count();
            begin + before..end.saturating_sub(behind).max(begin + before)
        })
        .collect()
}
