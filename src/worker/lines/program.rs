//! A program that stays with a worker and is sent one task after the other.
//!
//! Only the exchange is timed: from the moment at which the line can be read until the answer is there. The program has no limit of its
//! own in here: the parent ends the worker, and the program with it.

use std::ffi::OsStr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::answer::{Answer, CLOSED, Wrong};
use crate::os::accounting::{Exit, Reaped, Usage};
use crate::os::capture::Capture;
use crate::os::child::Child;
use crate::os::clock::monotonic;
use crate::os::live_usage::LiveUsage;
use crate::os::pipe::{self, Drained, Sink, Tells, drain};
use crate::os::signals;
use crate::os::spawn::Program;
use crate::worker::command::{self, Ran};
use crate::worker::environment;
use crate::worker::protocol::{Failure, Late, Setup, TaskRun};
use crate::workload::model::{ServedProgram, TaskIndex};

/// How long a program may take to end when its input has ended, or its output.
pub(crate) const PARTING: Duration = Duration::from_secs(1);

/// The program of one class, while it is running.
#[derive(Debug, Default)]
pub(crate) struct Served {
    running: Option<Running>,
    /// What those used that have ended and are not told of yet.
    used: Usage,
    /// What one of them did after its answer that it should not, and that is not told yet.
    late: Option<Late>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    /// `None` at its parting.
    input: Option<OwnedFd>,
    /// Whether it reads no more.
    deaf: bool,
    /// Whether its input tells when the first line is taken, which is when it is ready and its work begins.
    tells: Tells,
    /// Bytes of the line that it was sent.
    sent: u64,
    output: Tap,
    errors: Tap,
    /// The last task that it has answered.
    answered: Option<TaskIndex>,
    usage: LiveUsage,
}

/// One stream of it.
#[derive(Debug)]
struct Tap {
    pipe: OwnedFd,
    open: bool,
}

impl Tap {
    fn read(&mut self, sink: &mut impl Sink) {
        if self.open {
            self.open = drain(&self.pipe, sink) == Drained::Open;
        }
    }
}

/// What an exchange came to.
enum Exchanged {
    /// There is an answer, or more than one can be.
    Answered,
    /// The program has ended.
    Ended(Reaped),
    /// It says nothing more, and lives on.
    Silent,
}

/// What both streams gave during one task.
#[derive(Default)]
struct Given {
    /// When the line was taken, where that is told.
    taken: Option<u64>,
    answer: Answer,
    output: Capture,
    errors: Capture,
}

impl Served {
    /// Has it do one task; `started` is told when its work begins, and its process id.
    pub(crate) fn run(
        &mut self,
        program: &ServedProgram,
        line: &[u8],
        task: &TaskRun,
        setup: &Setup,
        started: impl Fn(u64, u32),
    ) -> Ran {
        loop {
            self.see_to_last();
            if self.running.is_none() {
                match start(&program.argv(setup.seed), setup.folder.as_deref(), line.len()) {
                    Ok(running) => self.running = Some(running),
                    Err(failure) => {
                        let at = monotonic();
                        let usage = std::mem::take(&mut self.used);
                        return Ran { started: at, ended: at, usage, result: Err(failure) };
                    }
                }
            }
            let Some(running) = &mut self.running else { continue };
            let begin = monotonic();
            started(begin, running.child.pid());
            let mut given = Given::default();
            let exchanged = running.exchange(line, &mut given, &started);
            let ended = monotonic();
            let begin = given.taken.unwrap_or(begin);
            let untouched = running.answered.is_some() && !given.answer.is_over() && running.left_all_unread();
            let answered = running.answered;
            if let Exchanged::Ended(reaped) = &exchanged {
                self.take_over(reaped);
                if untouched {
                    self.ended_late(answered, reaped.exit);
                }
            }
            // What ends before a task comes to it is none of the task's fault.
            if untouched && !signals::terminated() {
                self.end();
                continue;
            }
            let result = self.judge(&exchanged, &given, task.first);
            return Ran { started: begin, ended, usage: std::mem::take(&mut self.used), result };
        }
    }

    /// What the exchange means for the task; a program that cannot go on is ended.
    fn judge(&mut self, exchanged: &Exchanged, given: &Given, index: u64) -> Result<u64, Box<Failure>> {
        let (message, exit) = if given.answer.is_over() {
            match given.answer.verdict(index) {
                Ok(value) => {
                    self.running.iter_mut().for_each(|running| running.answered = Some(index));
                    return Ok(value);
                }
                Err(Wrong::Error(words)) => {
                    self.running.iter_mut().for_each(|running| running.answered = Some(index));
                    (Some(words), None)
                }
                Err(Wrong::OutOfStep(words)) => {
                    self.end();
                    (Some(words), None)
                }
            }
        } else {
            self.end();
            match exchanged {
                Exchanged::Ended(reaped) => (given.answer.missing(reaped.exit), Some(reaped.exit)),
                Exchanged::Answered | Exchanged::Silent => (Some(CLOSED.to_owned()), None),
            }
        };
        Err(Box::new(Failure {
            message,
            exit,
            stdout_tail: given.output.text(),
            stderr_tail: given.errors.text(),
            output_omitted_bytes: given.output.omitted() + given.errors.omitted(),
            ..Failure::default()
        }))
    }

    /// What it did since its last answer: if it has ended, or is out of step, another one takes its place.
    fn see_to_last(&mut self) {
        let Some(running) = &mut self.running else { return };
        let (mut output, mut errors) = (Capture::default(), Capture::default());
        running.output.read(&mut output);
        running.errors.read(&mut errors);
        let answered = running.answered;
        match running.child.try_reap() {
            Ok(Some(reaped)) => {
                self.ended_late(answered, reaped.exit);
                self.take_over(&reaped);
            }
            Ok(None) if output.is_empty() && running.output.open => {}
            Ok(None) | Err(_) => {
                if let Some(index) = answered.filter(|_| !output.is_empty()) {
                    self.late = Some(Late { index, exit: None });
                }
                self.end();
            }
        }
    }

    /// One that had answered has ended by itself.
    fn ended_late(&mut self, answered: Option<TaskIndex>, exit: Exit) {
        if let Some(index) = answered.filter(|_| !exit.is_success() && exit != Exit::Unknown) {
            self.late = Some(Late { index, exit: Some(exit) });
        }
    }

    /// What is to be told of what one of them did after its answer.
    pub(crate) fn take_late(&mut self) -> Option<Late> {
        self.late.take()
    }

    fn take_over(&mut self, reaped: &Reaped) {
        self.running = None;
        self.used += reaped.usage;
    }

    /// Ends it at once.
    fn end(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        // One that is gone already needs no signal.
        let _ = running.child.signal(rustix::process::Signal::KILL);
        if let Some(reaped) = running.child.wait_at_most(PARTING) {
            self.used += reaped.usage;
        }
    }

    /// Has all of them find the end of their input, and waits for their ends for a moment.
    pub(crate) fn dismiss<'s>(all: impl Iterator<Item = &'s mut Self>) {
        let mut all: Vec<&mut Self> = all.collect();
        all.iter_mut().filter_map(|one| one.running.as_mut()).for_each(|running| running.input = None);
        let deadline = Instant::now() + PARTING;
        for one in all {
            let answered = one.running.as_ref().and_then(|running| running.answered);
            if let Some(reaped) = one.running.as_mut().and_then(|running| running.part(deadline)) {
                one.ended_late(answered, reaped.exit);
                one.take_over(&reaped);
            }
            one.end();
        }
    }

    /// What the one that lives has used until now, as far as the system tells it.
    pub(crate) fn live(&mut self) -> Usage {
        self.running.as_mut().map_or(Usage::NONE, |running| running.usage.look(running.child.pid()))
    }
}

fn start(argv: &[String], folder: Option<&[u8]>, line: usize) -> Result<Running, Box<Failure>> {
    command::patiently(argv.first().map_or("", String::as_str), || {
        let folder = folder.map(|folder| Path::new(OsStr::from_bytes(folder)));
        let mut program = Program::new(argv)?.in_folder(folder)?.in_parents_group().dies_with_parent();
        program.unset(environment::TASK);
        let (input_end, input, tells) = pipe::telling_pipe(line)?;
        let (output, output_end) = pipe::pipe()?;
        let (errors, errors_end) = pipe::pipe()?;
        let child = program.spawn(&[(input_end.as_fd(), 0), (output_end.as_fd(), 1), (errors_end.as_fd(), 2)])?;
        let tap = |pipe| Tap { pipe, open: true };
        Ok(Running {
            child,
            input: Some(input),
            tells,
            deaf: false,
            sent: 0,
            output: tap(output),
            errors: tap(errors),
            answered: None,
            usage: LiveUsage::default(),
        })
    })
}

impl Running {
    /// Sends a line and waits for the answer; `started` is told when the line is taken, where that is known.
    fn exchange(&mut self, line: &[u8], given: &mut Given, started: &impl Fn(u64, u32)) -> Exchanged {
        // Where it tells that it takes its first line, the end of that is kept back until then: what it has written by then
        // cannot be the answer.
        let (mut rest, mut end) = line.split_at(line.len() - usize::from(self.tells == Tells::WhenTaken));
        self.sent = 0;
        let mut silent: Option<Instant> = None;
        loop {
            rest = self.send(rest);
            if rest.is_empty() && self.is_taken() {
                self.output.read(&mut (&mut given.answer, &mut given.output));
                given.answer.look_if_early();
                let at = monotonic();
                given.taken = Some(at);
                started(at, self.child.pid());
                rest = self.send(std::mem::take(&mut end));
            }
            self.output.read(&mut (&mut given.answer, &mut given.output));
            if given.answer.is_over() {
                if !(rest.is_empty() && end.is_empty() && self.has_read_all()) {
                    given.answer.look_if_early();
                }
                self.errors.read(&mut given.errors);
                return Exchanged::Answered;
            }
            // What it has written is looked at once more after its end.
            let reaped = self.child.try_reap();
            self.output.read(&mut (&mut given.answer, &mut given.output));
            self.errors.read(&mut given.errors);
            if given.answer.is_over() && !(rest.is_empty() && end.is_empty() && self.has_read_all()) {
                given.answer.look_if_early();
            }
            match reaped {
                Ok(Some(reaped)) => return Exchanged::Ended(reaped),
                Err(_) => return Exchanged::Ended(Reaped::UNKNOWN),
                Ok(None) if given.answer.is_over() => return Exchanged::Answered,
                Ok(None) => {}
            }
            if !self.output.open {
                // It is most likely about to end, and how it does is told.
                let since = *silent.get_or_insert_with(Instant::now);
                if since.elapsed() >= PARTING {
                    return Exchanged::Silent;
                }
            }
            self.wait(!rest.is_empty() || self.tells == Tells::WhenTaken, silent.map(|_| Duration::from_millis(10)));
        }
    }

    /// Writes as much as it takes.
    fn send<'l>(&mut self, mut rest: &'l [u8]) -> &'l [u8] {
        while let Some(input) = self.input.as_ref().filter(|_| !rest.is_empty() && !self.deaf) {
            match rustix::io::write(input, rest) {
                Ok(written) => {
                    rest = rest.get(written..).unwrap_or_default();
                    self.sent += written as u64;
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => break,
                // It may answer all the same.
                Err(_) => self.deaf = true,
            }
        }
        if self.deaf { &[] } else { rest }
    }

    /// Whether it has just taken its first line. From then on its input is like any other.
    fn is_taken(&mut self) -> bool {
        let Some(input) = self.input.as_ref().filter(|_| self.tells == Tells::WhenTaken) else { return false };
        if self.deaf {
            self.tells = Tells::Nothing;
        }
        let taken = self.sent > 0 && pipe::is_taken(input);
        if taken {
            self.tells = Tells::Nothing;
            pipe::widen(input);
        }
        taken
    }

    /// Whether nothing of what it was sent is left.
    fn has_read_all(&self) -> bool {
        !self.deaf && self.input.as_ref().is_none_or(pipe::is_taken)
    }

    /// Whether it has read nothing of the line: what a pipe holds outlives its reader.
    fn left_all_unread(&self) -> bool {
        self.input.as_ref().is_some_and(|input| rustix::io::ioctl_fionread(input).is_ok_and(|held| held >= self.sent))
    }

    /// Waits until it writes something, reads something if that is of interest, or ends.
    fn wait(&mut self, sends: bool, at_most: Option<Duration>) {
        let mut fds = Vec::with_capacity(4);
        for tap in [&self.output, &self.errors] {
            if tap.open {
                fds.push(PollFd::new(&tap.pipe, PollFlags::IN));
            }
        }
        if let Some(pidfd) = self.child.pidfd() {
            fds.push(PollFd::from_borrowed_fd(pidfd, PollFlags::IN));
        }
        let sends = self.input.as_ref().filter(|_| sends && !self.deaf);
        fds.extend(sends.map(|input| PollFd::new(input, PollFlags::OUT)));
        let at_most = at_most.and_then(|time| Timespec::try_from(time).ok());
        // An interrupted wait is looked into like any other.
        let _ = poll(&mut fds, at_most.as_ref());
        // Nobody can read it any more, and it would be ready for ever.
        let closed = sends.is_some() && fds.last().is_some_and(|last| last.revents().contains(PollFlags::ERR));
        self.deaf |= closed;
    }

    /// Waits for its end until then; what it still writes is of no use.
    fn part(&mut self, deadline: Instant) -> Option<Reaped> {
        let mut nowhere = Capture::default();
        loop {
            self.output.read(&mut nowhere);
            self.errors.read(&mut nowhere);
            if let Ok(Some(reaped)) = self.child.try_reap() {
                return Some(reaped);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.wait(false, Some(left));
        }
    }
}
