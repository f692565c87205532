//! Workers, spoken to byte by byte: ours and one in another language, held against the document.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod bytes;
mod faults;
mod initializer;
mod lanes;
mod parent;
mod tasks;
