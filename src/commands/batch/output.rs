//! What tasks write, given out whole: standard output of a task to ours, its standard error to ours, never two tasks' mixed.
//!
//! In the order in which they end, or with `--keep-order` in that of their items: what has to wait for its turn is [`Held`].

use std::io::{self, IsTerminal as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use indicatif::ProgressBar;
use rustix::event::{PollFd, PollFlags, poll};

use super::held::Held;
use super::observer::Ended;
use crate::worker::spooled_output::ProgramOutput;
use crate::workload::model::TaskIndex;
use crate::workload::task_set::TaskSet;

/// Why what tasks have written cannot be given out.
#[derive(Debug)]
pub(crate) enum Stuck {
    /// The reader of standard output has gone.
    ReaderGone,
    /// Standard output cannot be written to.
    StandardOutput(io::Error),
    /// What was held cannot be held, or read again.
    Held(io::Error),
}

impl From<io::Error> for Stuck {
    fn from(error: io::Error) -> Self {
        Self::Held(error)
    }
}

/// Gives out what tasks write, on our own standard output and error.
#[derive(Debug, Default)]
pub(super) struct Outlet {
    /// What is drawn on the terminal meanwhile.
    pub(super) bar: Option<ProgressBar>,
}

impl Outlet {
    pub(super) fn give(&self, output: &ProgramOutput) -> Result<(), Stuck> {
        if output.is_empty() {
            return Ok(());
        }
        match &self.bar {
            Some(bar) if io::stdout().is_terminal() => bar.suspend(|| {
                give_output(output)?;
                give_errors(output)
            }),
            // Whoever draws the bar is not to wait for a reader.
            Some(bar) => {
                give_output(output)?;
                bar.suspend(|| give_errors(output))
            }
            None => {
                give_output(output)?;
                give_errors(output)
            }
        }
    }
}

fn give_output(output: &ProgramOutput) -> Result<(), Stuck> {
    output.stdout.each_piece(|piece| {
        write_all(io::stdout().as_fd(), piece).map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Stuck::ReaderGone,
            _ => Stuck::StandardOutput(error),
        })
    })
}

fn give_errors(output: &ProgramOutput) -> Result<(), Stuck> {
    // There need not be anybody who reads it.
    output.stderr.each_piece(|piece| {
        let _ = write_all(io::stderr().as_fd(), piece);
        Ok(())
    })
}

/// Writes everything, also to what does not block.
fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => {
                // An interrupted wait is tried again like any other.
                let _ = poll(&mut [PollFd::from_borrowed_fd(to, PollFlags::OUT)], None);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Gives out in the order of the items.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// The first task that has not ended.
    next: TaskIndex,
    /// Those that never come.
    skipped: Option<Arc<TaskSet>>,
    /// Those behind it that have ended and have written nothing, a bit for each.
    quiet: TaskSet,
    held: Held,
}

impl Turns {
    pub(super) fn new(skipped: Option<Arc<TaskSet>>) -> Self {
        Self { skipped, ..Self::default() }
    }

    /// A task has ended: gives out what has its turn now. `written` is told of each when nothing of it is missing: one that
    /// has written nothing has no turn to wait for.
    pub(super) fn ended<E: From<Stuck>>(
        &mut self,
        ended: Ended,
        output: Arc<ProgramOutput>,
        outlet: &Outlet,
        mut written: impl FnMut(Ended) -> Result<(), E>,
    ) -> Result<(), E> {
        self.pass();
        let index = ended.index;
        if output.is_empty() {
            written(ended)?;
            self.quiet.insert(index);
        } else if index == self.next {
            outlet.give(&output)?;
            written(ended)?;
            self.next += 1;
        } else {
            return self.held.put(ended, output).map_err(|error| Stuck::Held(error).into());
        }
        self.pass();
        while self.give(self.next, outlet, &mut written)? {
            self.next += 1;
            self.pass();
        }
        Ok(())
    }

    /// Nothing more ends: gives out all that is left.
    pub(super) fn rest<E: From<Stuck>>(
        &mut self,
        outlet: &Outlet,
        mut written: impl FnMut(Ended) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(first) = self.held.first() {
            self.give(first, outlet, &mut written)?;
        }
        Ok(())
    }

    /// Passes by what has nothing to give.
    fn pass(&mut self) {
        let skipped = |index| self.skipped.as_ref().is_some_and(|skipped| skipped.contains(index));
        while self.quiet.contains(self.next) || skipped(self.next) {
            self.next += 1;
        }
    }

    /// Gives out one that has waited; says whether it was there.
    fn give<E: From<Stuck>>(
        &mut self,
        index: TaskIndex,
        outlet: &Outlet,
        written: &mut impl FnMut(Ended) -> Result<(), E>,
    ) -> Result<bool, E> {
        let Some(turn) = self.held.take(index).map_err(Stuck::Held)? else { return Ok(false) };
        outlet.give(&turn.output)?;
        self.held.let_go(&turn);
        written(turn.ended)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::outcome::Outcome;
    use crate::os::pipe::Sink as _;

    fn ended(index: TaskIndex) -> Ended {
        Ended { index, ..Ended::never_began(index, 0, Outcome::Succeeded) }
    }

    fn wrote(bytes: &[u8]) -> Arc<ProgramOutput> {
        let mut output = ProgramOutput::default();
        // Standard error of a test is nobody's.
        output.stderr.push(bytes);
        Arc::new(output)
    }

    #[test]
    fn what_has_written_comes_in_order_and_the_line_of_what_has_not_waits_for_nothing() {
        let mut skipped = TaskSet::default();
        skipped.insert(0);
        skipped.insert(3);
        let mut turns = Turns::new(Some(Arc::new(skipped)));
        let mut order = Vec::new();
        let outlet = Outlet::default();
        for (index, output) in [(4, &b" "[..]), (2, b""), (6, b""), (5, b" "), (1, b" "), (9, b" "), (7, b""), (8, b"")]
        {
            turns
                .ended(ended(index), wrote(output), &outlet, |ended| {
                    order.push(ended.index);
                    Ok::<(), Stuck>(())
                })
                .unwrap();
        }
        assert_eq!(order, [2, 6, 1, 4, 5, 7, 8, 9]);
        for index in [13, 11] {
            turns
                .ended(ended(index), wrote(b" "), &outlet, |_| panic!("10 is missing"))
                .map_err(|_: Stuck| ())
                .unwrap();
        }
        turns
            .rest(&outlet, |ended| {
                order.push(ended.index);
                Ok::<(), Stuck>(())
            })
            .unwrap();
        assert_eq!(order[8..], [11, 13], "what never came holds up nothing at the end");
    }
}
