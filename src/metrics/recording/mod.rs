//! Recordings: the history of one run as bytes, for a history of runs and for replays. Says how they are written
//! and read; where they are kept is decided elsewhere.
//!
//! # Format
//! A recording begins with its name and version, `poolscope.track/1` and a line feed. Sections follow: a byte that says
//! what it holds, the length of its payload (four bytes, the least first), the payload. Payloads are postcard
//! (<https://postcard.jamesmunns.com/wire-format>) of the types in `frame`, in the order of their fields.
//! * **1** header: [`Header`]. Once, before anything else.
//! * **2** frame: one [`Snapshot`](crate::metrics::snapshot::Snapshot), oldest first.
//! * **3** end: SHA-256 of all bytes before this section. It finds accidents; it is no protection against intent.
//!
//! Frames of a track share their notes, failures and kills. Each of these is written once, in the first frame that has
//! it; a list of them is written once too, and reading restores the sharing. A CPU history is written as what is new in
//! it since the frame before.
//!
//! # Size
//! A frame takes about 400 bytes with 2 workers and 3.4 KB with 64, where all of its figures differ from those of the frame
//! before: a quarter of a megabyte for the longest track of 2 workers, five times as much for one of 64. The last frame
//! has the distributions of the run too, some 7 bytes for each different time. The test `bytes_per_frame` measures it.
//!
//! # What stays compatible
//! Within a version, sections of other kinds may come, and fields at the end of a header, a frame, a note, a failure or a
//! kill: older readers skip both. Everything else is a new version: another order, a field inside a worker's row or of any
//! other part, a new value of an enumeration. A reader refuses a newer version by its number ([`ReadError::NewerVersion`])
//! and must go on reading the older ones; a test holds the bytes of this version fast.

mod error;
mod frame;
mod sections;
#[cfg(test)]
mod tests;

use std::io::{Read, Write};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::error::{ReadError, WriteError};
use self::frame::{Decoder, Encoder};
use self::sections::{Reader, SectionKind, Writer};
use crate::metrics::snapshot::RunId;
use crate::metrics::track::Track;

/// The name of the format, without its version.
pub(crate) const FORMAT: &str = "poolscope.track";
/// The version that is written, and the highest that can be read.
pub(crate) const VERSION: u32 = 1;
/// Most bytes of a recording. The longest track of the largest engine, in which all fails with long outputs, has less.
pub(crate) const MOST_BYTES: u64 = 64 << 20;
/// Most frames of a recording.
pub(crate) const MOST_FRAMES: usize = 10_000;

/// Whose track it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// What wrote it, with its version.
    pub program: String,
    /// Name of the workload.
    pub workload: String,
    /// Name of the arm.
    pub arm: String,
    /// Which run of its session.
    pub run: RunId,
}

impl Header {
    /// The header of what this program writes.
    #[must_use]
    pub fn new(workload: &str, arm: &str, run: RunId) -> Self {
        let program = concat!("poolscope ", env!("CARGO_PKG_VERSION")).to_owned();
        Self { program, workload: workload.to_owned(), arm: arm.to_owned(), run }
    }
}

/// The history of one run, with what it is the history of.
#[derive(Clone, Debug, PartialEq)]
pub struct Recording {
    /// Which run of what was recorded.
    pub header: Header,
    /// The snapshots that were kept.
    pub track: Track,
}

impl Recording {
    /// Writes it. Many small writes: a file wants a buffer.
    ///
    /// # Errors
    /// When the writer fails, or for a track that is beyond what [`Recording::read`] would take.
    pub fn write(&self, out: impl Write) -> Result<(), WriteError> {
        let frames = &self.track.frames;
        if frames.len() > MOST_FRAMES {
            return Err(WriteError::TooLarge { what: "frames", most: MOST_FRAMES as u64 });
        }
        if frames.windows(2).any(|pair| matches!(pair, [before, after] if before.at >= after.at)) {
            return Err(WriteError::Disordered);
        }
        let mut writer = Writer::begin(out)?;
        writer.section(SectionKind::Header, &postcard::to_stdvec(&self.header)?)?;
        let mut encoder = Encoder::default();
        for frame in frames {
            writer.section(SectionKind::Frame, &encoder.encode(frame)?)?;
        }
        writer.finish()
    }

    /// Reads one, and nothing beyond its end. Many small reads: a file wants a buffer.
    ///
    /// Whatever the source holds, this takes no more memory than some twenty times what was read from it, which is
    /// [`MOST_BYTES`] at most.
    ///
    /// # Errors
    /// When the source fails, or does not hold a whole recording of a known version.
    pub fn read(source: impl Read) -> Result<Self, ReadError> {
        let mut reader = Reader::open(source)?;
        let header = match reader.next()? {
            Some((kind, payload)) if kind == SectionKind::Header as u8 => frame::decode("its header", &payload)?,
            _ => return Err(ReadError::damaged("there is no header")),
        };
        let (mut decoder, mut track) = (Decoder::default(), Track::default());
        while let Some((kind, payload)) = reader.next()? {
            if kind != SectionKind::Frame as u8 {
                continue;
            }
            let frame = decoder.decode(&payload)?;
            if track.frames.last().is_some_and(|last| last.at >= frame.at) {
                return Err(ReadError::damaged("a frame is not newer than the one before it"));
            }
            if track.frames.len() >= MOST_FRAMES {
                return Err(ReadError::TooLarge { what: "frames", most: MOST_FRAMES as u64 });
            }
            track.frames.push(Arc::new(frame));
        }
        Ok(Self { header, track })
    }
}
