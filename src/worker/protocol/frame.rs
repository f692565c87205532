//! Frames: how a stream of bytes is cut into them.

use super::{MAX_BYTES, VERSION};

/// Bytes of a frame before its payload.
pub const HEADER: usize = 8;
/// Longest payload of a frame that either side accepts.
pub const MAX_PAYLOAD: usize = 1 << 20;

/// What is wrong with a frame. A peer that sends one cannot be understood any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The length exceeds [`MAX_PAYLOAD`].
    #[error("frame of {0} bytes is longer than the {MAX_PAYLOAD} allowed")]
    TooLong(usize),
    /// No such kind in this direction.
    #[error("unknown frame kind {0}")]
    UnknownKind(u8),
    /// The payload is not what its kind says.
    #[error("malformed {0} frame")]
    Malformed(&'static str),
    /// The pieces of one payload are more than [`MAX_BYTES`].
    #[error("more than the {MAX_BYTES} bytes that may travel with a task or its result")]
    TooMuch,
    /// The peer speaks another version.
    #[error("peer speaks protocol {0}, this program speaks {VERSION}")]
    Version(u32),
}

/// A whole frame, not decoded yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its kind.
    pub kind: u8,
    /// Depends on the kind; 0 where it has no flags.
    pub flags: u8,
    /// The lane that it is for or from; 0 where it concerns the worker.
    pub lane: u16,
    /// What follows the header.
    pub payload: &'a [u8],
}

impl Frame<'_> {
    /// Bytes it takes up, with its header.
    #[must_use]
    pub fn length(&self) -> usize {
        HEADER + self.payload.len()
    }
}

/// Splits the first whole frame off `bytes`; `None` while it is incomplete.
///
/// # Errors
/// [`ProtocolError::TooLong`] as soon as the header says so.
pub fn split(bytes: &[u8]) -> Result<Option<Frame<'_>>, ProtocolError> {
    let Some((&[l0, l1, l2, l3, kind, flags, lane0, lane1], rest)) = bytes.split_first_chunk::<HEADER>() else {
        return Ok(None);
    };
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if length > MAX_PAYLOAD {
        return Err(ProtocolError::TooLong(length));
    }
    let lane = u16::from_le_bytes([lane0, lane1]);
    Ok(rest.get(..length).map(|payload| Frame { kind, flags, lane, payload }))
}

/// The little-endian number at this place; 0 beyond the end.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).and_then(|b| b.try_into().ok()).map_or(0, u16::from_le_bytes)
}
