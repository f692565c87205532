//! Writes down what has ended, on a thread of its own: a slow disk or reader holds up no limit of a task. What a task has
//! written goes out before its line does: a line says that nothing of the task is missing.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use super::identity::Identities;
use super::joblog::{Entry, Joblog};
use super::observer::{Ask, Backlog, Ended, Told};
use super::output::{Outlet, Stuck, Turns};
use crate::report::clean;
use crate::report::ending::Ending;
use crate::worker::spooled_output::{ProgramOutput, SpooledOutput, both_paths, is_short_of_files};
use crate::workload::model::{Attempt, TaskIndex};
use crate::workload::program_start::spool_path;

/// How long a descriptor is waited for, and how often it is looked for.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

/// How long what ends may wait for more to be written down with it, so that not each end wakes this thread beside the programs
/// that run: a kill leaves no more out than what had ended in this time.
const TOGETHER: Duration = Duration::from_millis(2);

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
            let next = told.try_recv().or_else(|_| {
                // Whoever tells of the end wakes it.
                std::thread::park_timeout(TOGETHER);
                told.recv()
            });
            let written = match next {
                Ok(Told::Ended(ended, output, size)) => {
                    let written = self.ended(ended, output);
                    self.backlog.shrinks(size);
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
                Arc::new(if ended.is_its_own() { left } else { ProgramOutput::default() })
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
        let taken = |path| patiently(|| SpooledOutput::taken(path)).map_err(Stuck::Held);
        Ok(ProgramOutput { stdout: taken(&stdout)?, stderr: taken(&stderr)? })
    }
}

/// Where no descriptor is left, tasks that end give some back.
fn patiently<T>(mut open: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let begin = Instant::now();
    loop {
        match open() {
            Err(error) if is_short_of_files(&error) && begin.elapsed() < PATIENCE => std::thread::sleep(PAUSE),
            done => return done,
        }
    }
}

impl Log {
    /// What was never begun has no line.
    fn line(&mut self, ended: &Ended) -> Result<(), Problem> {
        let Some(joblog) = self.joblog.as_mut().filter(|_| ended.began) else { return Ok(()) };
        let Ended { index, class, attempt, outcome, exit, started, runtime, written, .. } = *ended;
        let command = self.identities.command(class, index, attempt);
        let key = self.identities.key(class, index).ok();
        let entry = Entry { number: index + 1, started, runtime, written, exit, command: &command, outcome, key };
        joblog.append(&entry.line()).map_err(|error| Problem::Joblog(joblog.name.clone(), error))
    }
}

impl Problem {
    /// How the session ended, then: no other end hides it. Where a signal has, that stays how it ended, and `say` is told. A
    /// reader that has gone is what ends a filter: SIGPIPE, without a word.
    pub(crate) fn ending(self, otherwise: Ending, say: impl FnOnce(&str)) -> Ending {
        let words = match self {
            Self::Output(Stuck::ReaderGone) if matches!(otherwise, Ending::Broken(_) | Ending::Stopped(Some(_))) => {
                return otherwise;
            }
            Self::Output(Stuck::ReaderGone) => return Ending::Stopped(Some(libc::SIGPIPE)),
            Self::Output(Stuck::StandardOutput(error)) => format!("standard output cannot be written to: {error}"),
            Self::Output(Stuck::Held(error)) => {
                format!("the output of a task cannot be held until it is given out: {error}")
            }
            Self::Joblog(name, error) => format!("the joblog cannot be written: {name}: {error}"),
        };
        match otherwise {
            Ending::Stopped(Some(_)) => {
                say(&format!("error: {}", clean::line(&words)));
                otherwise
            }
            Ending::Broken(first) => Ending::Broken(format!("{first}; {words}")),
            _ => Ending::Broken(words),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_is_waited_for() {
        let mut tries = 0;
        let short = |tries: &mut u32| {
            *tries += 1;
            if *tries < 3 { Err(io::Error::from_raw_os_error(libc::EMFILE)) } else { Ok(*tries) }
        };
        assert_eq!(patiently(|| short(&mut tries)).unwrap(), 3);
        assert!(patiently(|| Err::<(), _>(io::Error::from_raw_os_error(libc::EACCES))).is_err());
    }

    #[test]
    fn what_could_not_be_written_is_told_however_it_ended() {
        let full = || io::Error::from_raw_os_error(libc::ENOSPC);
        let joblog = || Problem::Joblog("j".to_owned(), full());
        let words = format!("the joblog cannot be written: j: {}", full());
        let end = |problem: Problem, otherwise| {
            let mut said = String::new();
            (problem.ending(otherwise, |line| said.push_str(line)), said)
        };
        let stopped = Ending::Stopped(Some(libc::SIGINT));
        assert_eq!(end(joblog(), stopped.clone()), (stopped.clone(), format!("error: {words}")));
        assert_eq!(end(Problem::Output(Stuck::Held(full())), stopped.clone()).0, stopped);
        assert_eq!(end(Problem::Output(Stuck::ReaderGone), stopped.clone()), (stopped, String::new()));
        let broken = Ending::Broken("a".to_owned());
        assert_eq!(end(joblog(), broken.clone()), (Ending::Broken(format!("a; {words}")), String::new()));
        assert_eq!(end(Problem::Output(Stuck::ReaderGone), broken.clone()).0, broken);
        assert_eq!(end(joblog(), Ending::Stopped(None)).0, Ending::Broken(words));
        assert_eq!(end(Problem::Output(Stuck::ReaderGone), Ending::Finished).0, Ending::Stopped(Some(libc::SIGPIPE)));
    }
}
