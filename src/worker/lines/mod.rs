#![doc = include_str!("LINES.md")]
//!
//! # In here
//! `answer` takes a line apart and says what it comes to, the same for every engine; `program` is a program that stays with a
//! worker. What is sent is [`crate::workload::served`]'s part. The process engine starts its programs itself, and asks
//! `answer`.

mod answer;
mod canonical;
mod program;

pub(crate) use answer::{Answer, CLOSED, Wrong};
pub(crate) use program::{PARTING, Served};
