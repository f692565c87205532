//! Processes that are heard before whoever has started them: a child of a fork server does not know when its start was begun, and
//! may be faster with what it tells than its parent with that. What it tells waits until then, but not for long.

use super::{Heard, Ledger};
use crate::engine::external::protocol::FromProgram;
use crate::worker::shim::Record;

/// For so many nanoseconds; a parent tells of a start as soon as it has made it.
const PATIENCE: u64 = 100_000_000;

/// What a process has told whose start was not told yet.
#[derive(Debug)]
pub(super) struct Unborn {
    pid: u32,
    /// `CLOCK_MONOTONIC`.
    since: u64,
    records: Vec<Record>,
}

impl Unborn {
    fn took(&self, number: (u64, u64)) -> bool {
        let is_it = |record: &Record| matches!(record, Record::Took { job, piece, .. } if (*job, *piece) == number);
        self.records.iter().any(is_it)
    }
}

impl Ledger {
    /// Takes in what the shim says; `now` is `CLOCK_MONOTONIC`.
    pub(in crate::engine::external) fn see(&mut self, record: Record, now: u64) -> Heard {
        match record {
            Record::Began { pid, .. } if !self.workers.contains_key(&pid) && !self.is_unborn(pid) => {
                self.seen().unborn.push(Unborn { pid, since: now, records: vec![record] });
                Ok(())
            }
            Record::Started { pid, .. } => {
                self.take_in(record, now)?;
                self.release(now, |unborn| unborn.pid == pid)
            }
            Record::Ended { pid, .. } => {
                self.release(now, |unborn| unborn.pid == pid)?;
                self.take_in(record, now)
            }
            Record::GaveUp { job, .. } => {
                self.release(now, |unborn| unborn.took((job, 0)))?;
                self.take_in(record, now)
            }
            Record::Began { pid, .. }
            | Record::Waits { pid, .. }
            | Record::Took { pid, .. }
            | Record::Ran { pid, .. }
            | Record::Initialized { pid, .. }
            | Record::Usage { pid, .. } => {
                let unborn = self.observed.as_mut().and_then(|seen| seen.unborn.iter_mut().find(|it| it.pid == pid));
                match unborn {
                    Some(unborn) => {
                        unborn.records.push(record);
                        Ok(())
                    }
                    None => self.take_in(record, now),
                }
            }
            Record::CameBack { .. } | Record::Pool { .. } | Record::Begins { .. } | Record::Closes => {
                self.take_in(record, now)
            }
        }
    }

    fn is_unborn(&self, pid: u32) -> bool {
        self.observed.as_ref().is_some_and(|seen| seen.unborn.iter().any(|unborn| unborn.pid == pid))
    }

    /// Takes in what has waited, of those.
    fn release(&mut self, now: u64, of: impl Fn(&Unborn) -> bool) -> Heard {
        let Some(seen) = &mut self.observed else { return Ok(()) };
        let released: Vec<Unborn> = seen.unborn.extract_if(.., |unborn| of(unborn)).collect();
        released.into_iter().flat_map(|unborn| unborn.records).try_for_each(|record| self.take_in(record, now))
    }

    /// What the program says of a piece comes after what was told of it.
    pub(super) fn release_for(&mut self, line: &FromProgram, now: u64) -> Heard {
        if self.observed.as_ref().is_none_or(|seen| seen.unborn.is_empty()) {
            return Ok(());
        }
        match line {
            FromProgram::Back { results } => {
                self.release(now, |unborn| results.iter().any(|(job, piece, ..)| unborn.took((*job, *piece))))
            }
            FromProgram::Unsuccessful { job, piece, .. } => self.release(now, |unborn| unborn.took((*job, *piece))),
            FromProgram::Ended { job, .. } => self.release(now, |unborn| unborn.took((*job, 0))),
            FromProgram::Stuck { .. } => self.release(now, |_| true),
            _ => Ok(()),
        }
    }

    /// A start that was not told by a reading of `CLOCK_MONOTONIC` is waited for no longer.
    pub(in crate::engine::external) fn release_late(&mut self, now: u64) -> Heard {
        self.release(now, |unborn| now.saturating_sub(unborn.since) >= PATIENCE)
    }

    /// Nothing more is told.
    pub(in crate::engine::external) fn release_all(&mut self, now: u64) -> Heard {
        self.release(now, |_| true)
    }
}
