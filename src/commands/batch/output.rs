//! What tasks write, given out whole: standard output of a task to ours, its standard error to ours, never two tasks' mixed.
//!
//! In the order in which they end, or with `--keep-order` in that of their items. What has to wait for its turn is in memory as
//! long as that is little, and in one file without a name beyond that: what is kept in memory for each of them then is where it
//! is.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use indicatif::ProgressBar;
use rustix::event::{PollFd, PollFlags, poll};

use super::observer::Ended;
use crate::worker::spooled_output::{ProgramOutput, SpooledOutput};
use crate::workload::items::unlinked_file;
use crate::workload::model::TaskIndex;
use crate::workload::task_set::TaskSet;

/// Most bytes of memory for what waits for its turn.
const MOST_HELD: usize = 16 << 20;

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
        if output.stdout.length() == 0 && output.stderr.length() == 0 {
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

/// What waits for its turn.
#[derive(Debug)]
enum Held {
    Output(Arc<ProgramOutput>),
    /// In the common file from here on: so many bytes of standard output, and so many of standard error behind them.
    Spooled {
        from: u64,
        stdout: u64,
        stderr: u64,
    },
}

/// Gives out in the order of the items.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// The first task that has not ended.
    next: TaskIndex,
    /// Those that never come.
    skipped: Option<Arc<TaskSet>>,
    waiting: BTreeMap<TaskIndex, (Ended, Held)>,
    in_memory: usize,
    spool: Option<File>,
    spooled: u64,
}

impl Turns {
    pub(super) fn new(skipped: Option<Arc<TaskSet>>) -> Self {
        Self { skipped, ..Self::default() }
    }

    /// A task has ended: gives out what has its turn now. `written` is told of each.
    pub(super) fn ended<E: From<Stuck>>(
        &mut self,
        ended: Ended,
        output: Arc<ProgramOutput>,
        outlet: &Outlet,
        mut written: impl FnMut(Ended) -> Result<(), E>,
    ) -> Result<(), E> {
        self.skip();
        if ended.index != self.next {
            return self.hold(ended, output).map_err(|error| Stuck::Held(error).into());
        }
        outlet.give(&output)?;
        written(ended)?;
        self.next += 1;
        self.skip();
        while let Some((ended, held)) = self.waiting.remove(&self.next) {
            self.give_held(&held, outlet)?;
            written(ended)?;
            self.next += 1;
            self.skip();
        }
        Ok(())
    }

    /// Nothing more ends: gives out all that is left.
    pub(super) fn rest<E: From<Stuck>>(
        &mut self,
        outlet: &Outlet,
        mut written: impl FnMut(Ended) -> Result<(), E>,
    ) -> Result<(), E> {
        for (_, (ended, held)) in std::mem::take(&mut self.waiting) {
            self.give_held(&held, outlet)?;
            written(ended)?;
        }
        Ok(())
    }

    fn skip(&mut self) {
        while self.skipped.as_ref().is_some_and(|skipped| skipped.contains(self.next)) {
            self.next += 1;
        }
    }

    fn hold(&mut self, ended: Ended, output: Arc<ProgramOutput>) -> io::Result<()> {
        let memory = output.stdout.in_memory() + output.stderr.in_memory();
        let whole = (memory as u64) == output.stdout.length() + output.stderr.length();
        // A file of each task would be too many.
        let held = if whole && self.in_memory + memory <= MOST_HELD {
            self.in_memory += memory;
            Held::Output(output)
        } else {
            self.spool(&output)?
        };
        self.waiting.insert(ended.index, (ended, held));
        Ok(())
    }

    fn spool(&mut self, output: &ProgramOutput) -> io::Result<Held> {
        let mut file = match self.spool.take() {
            Some(file) => file,
            None => unlinked_file(&std::env::temp_dir())?,
        };
        let held = Held::Spooled { from: self.spooled, stdout: output.stdout.length(), stderr: output.stderr.length() };
        for stream in [&output.stdout, &output.stderr] {
            stream.each_piece(|piece| file.write_all(piece))?;
            self.spooled += stream.length();
        }
        self.spool = Some(file);
        Ok(held)
    }

    fn give_held(&mut self, held: &Held, outlet: &Outlet) -> Result<(), Stuck> {
        match held {
            Held::Output(output) => {
                self.in_memory -= output.stdout.in_memory() + output.stderr.in_memory();
                outlet.give(output)
            }
            Held::Spooled { from, stdout, stderr } => {
                let Some(file) = &self.spool else { return Ok(()) };
                let part = |from: u64, length: u64| -> io::Result<SpooledOutput> {
                    Ok(SpooledOutput::part_of(file.try_clone()?, from, length))
                };
                let output = ProgramOutput { stdout: part(*from, *stdout)?, stderr: part(from + stdout, *stderr)? };
                outlet.give(&output)?;
                self.give_back(*from, stdout + stderr);
                Ok(())
            }
        }
    }

    /// What was given out takes up no room any more, where the file system can do that.
    fn give_back(&self, from: u64, length: u64) {
        #[cfg(target_os = "linux")]
        if let Some(file) = &self.spool {
            use rustix::fs::{FallocateFlags, fallocate};
            let _ = fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, from, length.max(1));
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (from, length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::outcome::Outcome;

    fn ended(index: TaskIndex) -> Ended {
        Ended { index, ..Ended::never_began(index, 0, Outcome::Succeeded) }
    }

    #[test]
    fn what_waits_is_in_memory_or_in_the_file_and_comes_in_order() {
        let mut skipped = TaskSet::default();
        skipped.insert(0);
        skipped.insert(3);
        let mut turns = Turns::new(Some(Arc::new(skipped)));
        let mut order = Vec::new();
        let outlet = Outlet::default();
        for index in [4, 2, 5, 1, 7] {
            let output = ProgramOutput::default();
            turns
                .ended(ended(index), Arc::new(output), &outlet, |ended| {
                    order.push(ended.index);
                    Ok::<(), Stuck>(())
                })
                .unwrap();
        }
        assert_eq!(order, [1, 2, 4, 5]);
        turns
            .rest(&outlet, |ended| {
                order.push(ended.index);
                Ok::<(), Stuck>(())
            })
            .unwrap();
        assert_eq!(order, [1, 2, 4, 5, 7], "what never came holds up nothing at the end");
    }
}
