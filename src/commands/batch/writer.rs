//! Writes down what has ended, on a thread of its own: a slow disk or reader holds up no limit of a task. What a task has
//! written goes out before its line does: a line says that nothing of the task is missing.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use super::identity::Identities;
use super::joblog::{Entry, Joblog};
use super::observer::{Ask, Backlog, Ended, Told};
use super::output::{Outlet, Stuck, Turns};
use crate::engine::outcome::Outcome;
use crate::report::ending::Ending;
use crate::worker::spooled_output::{ProgramOutput, SpooledOutput, both_paths};
use crate::workload::model::{Attempt, TaskIndex};
use crate::workload::program_start::spool_path;

/// Why nothing could be written down any more.
#[derive(Debug)]
pub(crate) enum Problem {
    /// The joblog of this name.
    Joblog(String, io::Error),
    /// What tasks have written.
    Output(Stuck),
}

impl From<Stuck> for Problem {
    fn from(stuck: Stuck) -> Self {
        Self::Output(stuck)
    }
}

/// See the module docs.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) log: Log,
    pub(super) backlog: Backlog,
    pub(super) outlet: Outlet,
    /// Where the order of the items is kept.
    pub(super) turns: Option<Turns>,
    /// Where workers leave what programs have written.
    pub(super) folder: Option<PathBuf>,
}

/// Where lines go.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) joblog: Option<Joblog>,
    pub(super) identities: Arc<Identities>,
}

impl Writer {
    /// Writes until it is told that nothing more comes, or nothing can be written any more.
    pub(super) fn write(mut self, told: &Receiver<Told>) -> Result<(), Problem> {
        let written = loop {
            let written = match told.recv() {
                Ok(Told::Ended(ended, output)) => {
                    let size = output.clone();
                    let written = self.ended(ended, output);
                    self.backlog.shrinks(size.as_deref());
                    written
                }
                Ok(Told::Retried(index, attempt)) => {
                    // What it has left is nobody's.
                    self.taken(index, attempt).map(drop)
                }
                Ok(Told::Bar(bar)) => {
                    self.outlet.bar = Some(bar);
                    Ok(())
                }
                Ok(Told::Over) | Err(_) => {
                    let Self { log, outlet, turns, .. } = &mut self;
                    break turns.as_mut().map_or(Ok(()), |turns| turns.rest(outlet, |ended| log.line(&ended)));
                }
            };
            if written.is_err() {
                break written;
            }
        };
        if written.is_err() {
            self.backlog.ask(Ask::End);
        }
        written
    }

    fn ended(&mut self, mut ended: Ended, output: Option<Arc<ProgramOutput>>) -> Result<(), Problem> {
        let output = match output {
            Some(output) => output,
            None => {
                // Taken in any case, so that it is gone; what was cut off is given out by no engine.
                let left = self.taken(ended.index, ended.attempt)?;
                let by_itself = matches!(ended.outcome, Outcome::Succeeded | Outcome::Failed);
                Arc::new(if by_itself { left } else { ProgramOutput::default() })
            }
        };
        ended.written = output.stdout.length();
        let Self { log, outlet, turns, .. } = self;
        match turns {
            Some(turns) => turns.ended(ended, output, outlet, |ended| log.line(&ended)),
            None => {
                outlet.give(&output)?;
                log.line(&ended)
            }
        }
    }

    /// What a worker has left of an attempt.
    fn taken(&self, index: TaskIndex, attempt: Attempt) -> Result<ProgramOutput, Problem> {
        let Some(folder) = &self.folder else { return Ok(ProgramOutput::default()) };
        let [stdout, stderr] = both_paths(&spool_path(folder, index, attempt));
        let taken = |path| SpooledOutput::taken(path).map_err(Stuck::Held);
        Ok(ProgramOutput { stdout: taken(&stdout)?, stderr: taken(&stderr)? })
    }
}

impl Log {
    /// What was never begun has no line.
    fn line(&mut self, ended: &Ended) -> Result<(), Problem> {
        let Some(joblog) = self.joblog.as_mut().filter(|_| ended.began) else { return Ok(()) };
        let Ended { index, class, outcome, exit, started, runtime, written, .. } = *ended;
        let command = self.identities.command(class, index);
        let key = self.identities.key(class, index).ok();
        let entry = Entry { number: index + 1, started, runtime, written, exit, command: &command, outcome, key };
        joblog.append(&entry.line()).map_err(|error| Problem::Joblog(joblog.name.clone(), error))
    }
}

impl Problem {
    /// How the session ended, then. A reader that has gone is what ends a filter: SIGPIPE, without a word.
    pub(crate) fn ending(self, otherwise: Ending) -> Ending {
        match (self, otherwise) {
            (_, signalled @ Ending::Stopped(Some(_))) => signalled,
            (Self::Output(Stuck::ReaderGone), _) => Ending::Stopped(Some(libc::SIGPIPE)),
            (Self::Output(Stuck::StandardOutput(error)), _) => {
                Ending::Broken(format!("standard output cannot be written to: {error}"))
            }
            (Self::Output(Stuck::Held(error)), _) => {
                Ending::Broken(format!("the output of a task cannot be held until it is given out: {error}"))
            }
            (Self::Joblog(name, error), _) => Ending::Broken(format!("the joblog cannot be written: {name}: {error}")),
        }
    }
}
