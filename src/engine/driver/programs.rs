//! Programs that are tasks themselves: the process engine runs them directly.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::rc::Rc;

use super::core::Core;
use super::links::{Link, Peer, ProgramPeer, Stream};
use crate::engine::dispatcher::input::{Ended, TaskFailure};
use crate::engine::dispatcher::{Input, StartFailure};
use crate::engine::event::{InTask, Record, Severity};
use crate::engine::queue::Ticket;
use crate::os::accounting::Exit;
use crate::os::capture::Capture;
use crate::os::child::Reaped;
use crate::os::clock::monotonic;
use crate::os::pipe::{Drained, drain, pipe};
use crate::os::spawn::is_transient;
use crate::os::{readiness, stragglers};
use crate::worker::{command, environment};
use crate::workload::model::CommandLine;

/// Which of a program's streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Stdout,
    Stderr,
}

impl ProgramPeer {
    pub(super) fn stream(&mut self, which: Which) -> &mut Stream {
        match which {
            Which::Stdout => &mut self.stdout,
            Which::Stderr => &mut self.stderr,
        }
    }

    /// Takes in what both streams hold now; says whether both are closed.
    fn drain(&mut self) -> bool {
        for stream in [&mut self.stdout, &mut self.stderr] {
            if stream.open {
                stream.open = drain(stream.pipe.get_ref(), &mut stream.capture) == Drained::Open;
            }
        }
        !self.stdout.open && !self.stderr.open
    }
}

fn stream(pipe: OwnedFd) -> io::Result<Stream> {
    Ok(Stream { pipe: Rc::new(readiness::readable(pipe)?), capture: Capture::default(), open: true })
}

impl Core {
    pub(super) fn start_program(&mut self, slot: u32, epoch: u32, ticket: Ticket, command: &CommandLine) {
        match self.try_start_program(epoch, ticket, command) {
            Ok(link) => {
                let pid = link.child.pid();
                self.place(slot, link);
                self.newcomers.push((slot, epoch));
                let now = self.clock.now();
                self.handle(now, Input::Started { slot, epoch, pid });
                self.handle(now, Input::Ready { slot, epoch });
            }
            Err(error) => {
                let program = command.argv.first().map_or("", String::as_str);
                let failure = if is_transient(&error) {
                    StartFailure::Transient(format!("{program} could not be started: {error}"))
                } else {
                    StartFailure::Task(format!("{program}: {error}"))
                };
                self.handle(self.clock.now(), Input::StartFailed { slot, epoch, failure });
            }
        }
    }

    fn try_start_program(&mut self, epoch: u32, ticket: Ticket, command: &CommandLine) -> io::Result<Link> {
        let argv = command::arguments(command, ticket.first, ticket.attempt, self.seed);
        let mut program = self.program.with_arguments(&argv)?;
        let mark = environment::task_mark(ticket.first, ticket.attempt);
        program.set(environment::TASK.as_ref(), mark.as_ref())?;
        let (stdout, stdout_end) = pipe()?;
        let (stderr, stderr_end) = pipe()?;
        let (stdout, stderr) = (stream(stdout)?, stream(stderr)?);
        let child = program.spawn(&[(self.null.as_fd(), 0), (stdout_end.as_fd(), 1), (stderr_end.as_fd(), 2)])?;
        let peer = ProgramPeer {
            index: ticket.first,
            attempt: ticket.attempt,
            started: monotonic(),
            stdout,
            stderr,
            ended: None,
        };
        Ok(Link { epoch, child, stopped: false, peer: Peer::Program(Box::new(peer)) })
    }

    /// Takes in what a stream holds; says whether it may give more later.
    pub(super) fn read_stream(&mut self, slot: u32, epoch: u32, which: Which) -> bool {
        let Some(Link { peer: Peer::Program(program), .. }) = self.link(slot, epoch) else { return false };
        let stream = program.stream(which);
        if stream.open {
            stream.open = drain(stream.pipe.get_ref(), &mut stream.capture) == Drained::Open;
        }
        stream.open
    }

    /// A program has ended. Says whether its end is complete: a pipe may still be held open by somebody it left behind.
    pub(super) fn program_ended(&mut self, slot: u32, epoch: u32, reaped: Reaped) -> bool {
        let at = monotonic();
        let Some(Link { peer: Peer::Program(program), .. }) = self.link(slot, epoch) else { return true };
        program.ended = Some((reaped, at));
        let mark = environment::task_mark(program.index, program.attempt);
        let index = program.index;
        // Its group is gone already; those who left the group have become our children.
        let strays = stragglers::end_children(&format!("{}={mark}", environment::TASK)) as u64;
        if strays > 0 {
            let before = self.strays;
            self.strays += strays;
            if before == 0 || before.ilog2() != self.strays.ilog2() {
                let text = format!("task {index} left {strays} process(es) behind; ended ({} so far)", self.strays);
                self.note(Severity::Info, text);
            }
        }
        match self.link(slot, epoch) {
            Some(Link { peer: Peer::Program(program), .. }) => program.drain(),
            _ => true,
        }
    }

    /// Hands in the end of a program, with what it wrote.
    pub(super) fn finish_program(&mut self, slot: u32, epoch: u32) {
        let Some(Link { peer: Peer::Program(program), .. }) = self.link(slot, epoch) else { return };
        if !program.drain() {
            let index = program.index;
            self.note(
                Severity::Info,
                format!("task {index}: somebody else still holds its output open; not waited for"),
            );
        }
        let Some(link) = self.links.get_mut(slot as usize).and_then(Option::take) else { return };
        let Peer::Program(program) = link.peer else { return };
        let Some((reaped, at)) = program.ended else { return };
        let start = self.clock.moment(program.started);
        let service = self.clock.moment(at).0 - start.0;
        let output = Self::output_of(
            program.stdout.capture.text(),
            program.stderr.capture.text(),
            program.stdout.capture.omitted() + program.stderr.capture.omitted(),
        );
        // One that was told to end has no result of its own.
        if !link.stopped {
            let index = program.index;
            if reaped.exit.is_success() {
                let value = command::value(&program.stdout.capture);
                let records = [Record { index, start, service, value }];
                self.feed(Input::Done { slot, epoch, records: &records });
            } else {
                let failure = TaskFailure {
                    index,
                    start,
                    service,
                    message: None,
                    exit: Some(reaped.exit),
                    not_started: false,
                    output: output.clone(),
                };
                self.feed(Input::Failed { slot, epoch, failure: Box::new(failure) });
            }
        }
        let out_of_memory = reaped.exit == Exit::Signal(libc::SIGKILL) && !link.stopped && self.out_of_memory();
        let ended = Ended {
            exit: reaped.exit,
            task: link.stopped.then_some(InTask { index: program.index, started: start }),
            usage: reaped.usage,
            peak_rss_bytes: reaped.peak_rss_bytes,
            out_of_memory,
            output,
        };
        self.feed(Input::Exited { slot, epoch, ended: Box::new(ended) });
    }
}
