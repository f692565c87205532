//! Tasks in Python: functions as people put them into a pool, and what becomes of them.
//!
//! Each test is run in the oldest interpreter that is found, in 3.11 and in the newest, the table of cases (`table`) in every
//! one; with `POOLSCOPE_EVERY_PYTHON=1` each test in every one.
//! `cases` has the functions; the first line of each says what is expected of it in every sort of arm.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod beside;
mod calls;
mod conformance;
mod faults;
mod harness;
mod hostile;
mod initializers;
mod interpreters;
mod left;
mod looked_at;
mod outcomes;
mod output;
mod probes;
mod reference;
mod remains;
mod rude;
mod same;
mod starts;
mod table;
mod threads;
