//! Items: one task for each, from every source, in commands and in Python, in every engine; what a program gets is exactly
//! the bytes that its item is.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod refused;
mod sources;
mod surroundings;
mod texts;
mod unread;
