//! Programs that are tasks themselves: the process engine runs them directly.

use std::io;
use std::os::fd::AsFd as _;

use super::core::Core;
use super::links::{Link, OutputPipe, Peer, ProgramPeer};
use crate::engine::dispatcher::input::{Ended, TaskFailure};
use crate::engine::dispatcher::queue::Ticket;
use crate::engine::dispatcher::{Input, StartFailure};
use crate::engine::error::NotStarted;
use crate::engine::event::{InTask, Record, WorkerId};
use crate::os::accounting::Exit;
use crate::os::board;
use crate::os::child::Reaped;
use crate::os::clock::monotonic;
use crate::os::pipe::{Drained, drain, pipe};
use crate::os::spawn::is_transient;
use crate::worker::{command, environment};
use crate::workload::model::{CommandLine, TaskIndex};

/// Which of a program's streams. A worker has one for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Stdout,
    Stderr,
}

impl ProgramPeer {
    pub(super) fn stream(&mut self, which: Which) -> &mut OutputPipe {
        match which {
            Which::Stdout => &mut self.stdout,
            Which::Stderr => &mut self.stderr,
        }
    }
}

impl Core {
    pub(super) fn start_program(&mut self, worker: WorkerId, ticket: Ticket, command: &CommandLine) {
        match self.try_start_program(worker, ticket, command) {
            Ok((link, pid)) => {
                self.place(worker, link);
                self.unwatched.push(worker);
                let now = self.clock.now();
                self.tell_beginning(worker, None);
                self.handle(now, Input::Started { worker, pid });
                self.handle(now, Input::Hello { worker });
                if self.orders.initialize.is_some() && !self.forks {
                    // A program is its own beginning: there is nothing of ours in it to be initialized.
                    self.handle(now, Input::Initialized { worker, result: Ok(None) });
                }
            }
            Err(error) => {
                let program = command.argv.first().map_or("", String::as_str);
                let failure = if is_transient(&error) && !self.written_too_long(ticket.first, &error) {
                    StartFailure::Transient(NotStarted { what: program.to_owned(), source: error })
                } else {
                    StartFailure::Task(format!("{program}: {error}"))
                };
                self.handle(self.clock.now(), Input::StartFailed { worker, failure });
            }
        }
    }

    /// Whether a task's program has been open for writing for longer than that is waited for.
    fn written_too_long(&mut self, index: TaskIndex, error: &io::Error) -> bool {
        if error.kind() != io::ErrorKind::ExecutableFileBusy {
            return false;
        }
        let now = monotonic();
        let since = *self.written_since.entry(index).or_insert(now);
        let too_long = now.saturating_sub(since) >= command::WRITTEN_PATIENCE.as_nanos() as u64;
        if too_long {
            self.written_since.remove(&index);
        }
        too_long
    }

    fn try_start_program(
        &mut self,
        worker: WorkerId,
        ticket: Ticket,
        command: &CommandLine,
    ) -> io::Result<(Link, u32)> {
        let called = monotonic();
        let argv = command.arguments(ticket.first, ticket.attempt, self.seed);
        let mut program = self.program.with_arguments(&argv)?;
        let mark = environment::task_mark(ticket.first, ticket.attempt);
        program.set(environment::TASK.as_ref(), mark.as_ref())?;
        let (stdout, stdout_end) = pipe()?;
        let (stderr, stderr_end) = pipe()?;
        let (stdout, stderr) = (OutputPipe::new(stdout)?, OutputPipe::new(stderr)?);
        let group = self.slot_group(worker.slot)?;
        self.board.reset(worker.slot.0);
        // What it leaves behind is told from what others do by when it can have begun.
        self.board.begin(worker.slot.0, board::BoardEntry { index: ticket.first, started: monotonic() });
        let child = program.spawn_in(
            &[(self.null.as_fd(), 0), (stdout_end.as_fd(), 1), (stderr_end.as_fd(), 2)],
            group.as_ref().map(|group| group.as_fd()),
        );
        if child.is_err() {
            self.board.reset(worker.slot.0);
        }
        let (index, child) = (ticket.first, child?);
        let (started, pid) = (child.started_at(), child.pid());
        self.written_since.remove(&index);
        self.board.program_started(worker.slot.0, started, pid);
        let peer = ProgramPeer { index, started, stdout, stderr };
        let link = Link {
            epoch: worker.epoch,
            lanes: 1,
            child: Some(child),
            called,
            stopped: false,
            stop_when_there: None,
            peer: Peer::Program(Box::new(peer)),
            readers: Vec::new(),
        };
        Ok((link, pid))
    }

    /// Takes in what a stream holds; says whether it may give more later.
    pub(super) fn read_stream(&mut self, worker: WorkerId, which: Which) -> bool {
        let stream = match self.link(worker).map(|link| &mut link.peer) {
            Some(Peer::Program(program)) => program.stream(which),
            Some(Peer::Worker(peer)) => &mut peer.output,
            None => return false,
        };
        if stream.open {
            stream.open = drain(stream.pipe.get_ref(), &mut stream.capture) == Drained::Open;
        }
        stream.open
    }

    /// A program has ended at this reading of the monotonic clock. What it wrote is in its pipes; another process that
    /// holds them is not waited for, and what it left behind is seen to elsewhere.
    pub(super) fn program_ended(&mut self, worker: WorkerId, reaped: Reaped, at: u64) {
        for which in [Which::Stdout, Which::Stderr] {
            self.read_stream(worker, which);
        }
        if self.link(worker).is_none() {
            return;
        }
        let Some(link) = self.links.get_mut(worker.slot.index()).and_then(Option::take) else { return };
        self.board.reset(worker.slot.0);
        self.look_for_strays();
        let Peer::Program(program) = &link.peer else { return };
        let start = self.clock.moment(program.started);
        let service = self.clock.moment(at).0 - start.0;
        let output = Self::output_of(
            program.stdout.capture.text(),
            program.stderr.capture.text(),
            program.stdout.capture.omitted() + program.stderr.capture.omitted(),
        );
        // One that was told to end has no result of its own, and neither has one of whose end the driver was not told.
        let lost = link.stopped || reaped.exit == Exit::Unknown;
        if !lost {
            let index = program.index;
            if reaped.exit.is_success() {
                let value = command::value(&program.stdout.capture);
                let records = [Record { index, start, service, value }];
                self.feed(Input::Done { lane: worker.lane(0), records: &records });
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
                self.feed(Input::Failed { lane: worker.lane(0), failure: Box::new(failure) });
            }
        }
        let out_of_memory = reaped.exit == Exit::Signal(libc::SIGKILL) && !link.stopped && self.out_of_memory();
        let left_behind = link.child.as_ref().is_some_and(|child| self.unendable.contains(&child.pid()));
        let ended = Ended {
            exit: reaped.exit,
            tasks: lost.then_some((0, InTask { index: program.index, started: start })).into_iter().collect(),
            usage: reaped.usage,
            peak_rss_bytes: reaped.peak_rss_bytes,
            out_of_memory,
            fault: false,
            left_behind,
            output,
        };
        self.feed(Input::Exited { worker, ended: Box::new(ended) });
    }
}
