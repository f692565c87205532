//! Writes down what has ended, on a thread of its own: a slow disk or reader holds up no limit of a task.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use super::identity::Identities;
use super::joblog::{Entry, Joblog};
use super::observer::{Ask, Backlog, Ended, Told};
use crate::report::ending::Ending;

/// Why nothing could be written down any more.
#[derive(Debug)]
pub(crate) enum Problem {
    /// The joblog of this name.
    Joblog(String, io::Error),
}

/// See the module docs.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) joblog: Option<Joblog>,
    pub(super) identities: Arc<Identities>,
    pub(super) backlog: Backlog,
}

impl Writer {
    /// Writes until it is told that nothing more comes, or nothing can be written any more.
    pub(super) fn write(mut self, told: &Receiver<Told>) -> Result<(), Problem> {
        while let Ok(Told::Ended(ended)) = told.recv() {
            let written = self.ended(&ended);
            self.backlog.shrinks();
            if let Err(problem) = written {
                self.backlog.ask(Ask::End);
                return Err(problem);
            }
        }
        Ok(())
    }

    fn ended(&mut self, ended: &Ended) -> Result<(), Problem> {
        let Some(joblog) = &mut self.joblog else { return Ok(()) };
        let Ended { index, class, outcome, exit, started, runtime } = *ended;
        let command = self.identities.command(class, index);
        let key = self.identities.key(class, index).ok();
        let entry = Entry { number: index + 1, started, runtime, exit, command: &command, outcome, key };
        joblog.append(&entry.line()).map_err(|error| Problem::Joblog(joblog.name.clone(), error))
    }
}

impl Problem {
    /// How the session ended, then.
    pub(crate) fn ending(self, otherwise: Ending) -> Ending {
        match (self, otherwise) {
            (_, signalled @ Ending::Stopped(Some(_))) => signalled,
            (Self::Joblog(name, error), _) => Ending::Broken(format!("the joblog cannot be written: {name}: {error}")),
        }
    }
}
