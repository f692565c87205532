//! Programs that are tasks themselves: the process engine runs them directly.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;

use tokio::io::unix::AsyncFd;

use super::core::Core;
use super::links::{Link, OutputPipe, Peer, ProgramPeer};
use crate::engine::dispatcher::input::{Ended, TaskFailure, TaskOutput};
use crate::engine::dispatcher::queue::Ticket;
use crate::engine::dispatcher::{Input, StartFailure};
use crate::engine::error::NotStarted;
use crate::engine::event::{Event, InTask, Record, Severity, WorkerId};
use crate::os::accounting::Exit;
use crate::os::board::{self, Worked};
use crate::os::child::{Child, Reaped};
use crate::os::clock::monotonic;
use crate::os::memory_file;
use crate::os::pipe::{self, Tells, pipe};
use crate::os::readiness;
use crate::os::spawn::is_transient;
use crate::worker::lines::{Answer, Wrong};
use crate::worker::protocol::Late;
use crate::worker::spooled_output::{ProgramOutput, SpooledOutput};
use crate::worker::{command, environment};
use crate::workload::model::{KeepOutput, ProgramRules, TaskIndex, Work};
use crate::workload::program_start::{BadStart, ProgramStart, StartInput};

/// Which of a program's streams. A worker has one for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Stdout,
    Stderr,
}

/// What ends a line.
const LINE_END: &[u8] = b"\n";

/// What a program finds on its standard input: a line, and the end behind it. The other end of it, where that tells when the
/// line is taken: its own end (a line feed) is kept back until then.
fn input_of(line: &[u8]) -> io::Result<(OwnedFd, Option<Rc<AsyncFd<OwnedFd>>>)> {
    let (read, write, tells) = pipe::telling_pipe(line.len())?;
    let (begin, _) = line.split_at(line.len() - LINE_END.len());
    if tells == Tells::WhenTaken && rustix::io::write(&write, begin)? == begin.len() {
        return Ok((read, Some(Rc::new(readiness::writable(write)?))));
    }
    let line = memory_file::of(line)?;
    rustix::fs::seek(&line, rustix::fs::SeekFrom::Start(0))?;
    Ok((line, None))
}

/// What a program that has ended comes to: its value, or the error where its exit status does not say it.
fn outcome(program: &mut ProgramPeer, exit: Exit) -> Result<u64, Option<String>> {
    match &program.stdout.answer {
        Some(answer) => match &program.verdict {
            Some(verdict) => verdict.clone().map_err(|wrong| Some(wrong.into_words())),
            None => Err(answer.missing(exit)),
        },
        None => {
            let kept = [&mut program.stdout, &mut program.stderr].map(|stream| command::finish(stream.kept.take()));
            let kept: Result<(), String> = kept.into_iter().collect();
            kept.map_err(Some).and_then(|()| command::outcome(&program.rules, exit, &program.stdout.capture))
        }
    }
}

/// Everything that a program has written, where that is handed on.
fn spooled(program: &mut ProgramPeer) -> Option<Result<ProgramOutput, String>> {
    let [stdout, stderr] = [&mut program.stdout, &mut program.stderr].map(|stream| stream.spooled.take());
    let mut output = ProgramOutput { stdout: stdout?, stderr: stderr? };
    let whole = command::spooled(Some(&mut output.stdout)).and(command::spooled(Some(&mut output.stderr)));
    Some(whole.map(|()| output))
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
    pub(super) fn start_program(&mut self, worker: WorkerId, ticket: Ticket, work: &Work, came: Option<&[u8]>) {
        let start = match self.program_start(&ticket, work, came) {
            Ok(start) => start,
            Err(wrong) => {
                let failure = StartFailure::Task(wrong.to_string());
                return self.handle(self.clock.now(), Input::StartFailed { worker, failure });
            }
        };
        let rules = if let Work::Program(rules) = work { rules.clone() } else { ProgramRules::default() };
        match self.try_start_program(worker, ticket, &start, rules, matches!(work, Work::Served(_))) {
            Ok((link, pid)) => {
                self.place(worker, link);
                self.unwatched.push(worker);
                let now = self.clock.now();
                self.tell_beginning(worker, None);
                self.handle(now, Input::Started { worker, pid });
                self.handle(now, Input::Hello { worker });
                if self.orders.initialize.is_some() && !self.start_method.initializes_once() {
                    // A program is its own beginning: there is nothing of ours in it to be initialized.
                    self.handle(now, Input::Initialized { worker, result: Ok(None) });
                }
            }
            Err(error) => {
                let program = start.name();
                let failure = if is_transient(&error) && !self.written_too_long(ticket.first, &error) {
                    StartFailure::Transient(NotStarted { what: program, source: error })
                } else {
                    StartFailure::Task(format!("{program}: {error}"))
                };
                self.handle(self.clock.now(), Input::StartFailed { worker, failure });
            }
        }
    }

    /// The answer stands; what its program did wrong after it is told once.
    pub(super) fn tell_late(&mut self, Late { index, exit }: Late) {
        if !std::mem::replace(&mut self.late_told, true) {
            let what = exit.map_or_else(|| "wrote more".to_owned(), |exit| format!("ended with {exit}"));
            self.note(Severity::Warning, format!("the program of task {index} {what} after its answer"));
        }
    }

    /// What a program has written so far may be enough to know that no result will come of it: then it is ended, as one that
    /// stays with a worker would be.
    fn look_at_answer(&mut self, worker: WorkerId) {
        let Some(Link { peer: Peer::Program(program), stopped: false, .. }) = self.link(worker) else { return };
        let Some(answer) = program.stdout.answer.as_mut().filter(|answer| answer.is_over()) else { return };
        // What has its line's end has no `input` left.
        if program.input.is_some() {
            answer.look_if_early();
        }
        if program.given_up.is_some() || program.verdict.is_some() && !answer.has_more() {
            return;
        }
        let verdict = answer.verdict(program.index);
        let out_of_step = match &verdict {
            Err(Wrong::OutOfStep(words)) => Some(words.clone()),
            _ => None,
        };
        program.verdict = Some(verdict);
        if let Some(words) = out_of_step {
            self.give_up_program(worker, words);
        }
    }

    /// Whether it can never answer any more, and lives on.
    pub(super) fn is_silent(&mut self, worker: WorkerId) -> bool {
        let Some(Link { peer: Peer::Program(program), stopped: false, .. }) = self.link(worker) else { return false };
        !program.stdout.open && program.stdout.answer.as_ref().is_some_and(|answer| !answer.is_over())
    }

    /// Ends a program whose outcome is known: why it has failed.
    pub(super) fn give_up_program(&mut self, worker: WorkerId, why: String) {
        let Some(Link { peer: Peer::Program(program), child: Some(child), .. }) = self.link(worker) else { return };
        program.given_up = Some(why);
        let refused = child.signal(rustix::process::Signal::KILL).err();
        // What may not even be killed (it has become another user's) is not waited for.
        if refused.is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
            self.abandon(worker);
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

    /// What is started for a task of this work, with what came with it.
    fn program_start(&self, ticket: &Ticket, work: &Work, came: Option<&[u8]>) -> Result<ProgramStart, BadStart> {
        let Ticket { first, attempt, .. } = *ticket;
        Ok(match (work, came) {
            // One that is sent its task finds it on its standard input, and the end of that behind it.
            (Work::Served(program), line) => {
                let line = line.map_or_else(|| program.line(first, attempt, self.seed), <[u8]>::to_vec);
                let input = StartInput::Bytes(line);
                ProgramStart { input, ..ProgramStart::of_words(&program.argv(self.seed)) }
            }
            (Work::Command(command), _) => ProgramStart::of_words(&command.arguments(first, attempt, self.seed)),
            (_, came) => ProgramStart::decoded(came.unwrap_or_default())?,
        })
    }

    fn try_start_program(
        &mut self,
        worker: WorkerId,
        ticket: Ticket,
        start: &ProgramStart,
        rules: ProgramRules,
        answers: bool,
    ) -> io::Result<(Link, u32)> {
        let called = monotonic();
        let (input, told) = match &start.input {
            StartInput::Bytes(line) if answers => {
                let (input, told) = input_of(line)?;
                (Some(input), told)
            }
            _ => (command::input(&self.program, start)?, None),
        };
        let mark = environment::task_mark(ticket.first, ticket.attempt);
        let program = command::prepared(&self.program, start, &mark)?;
        let (kept_out, kept_err) = command::output(&self.program, start)?.unzip();
        let (stdout, stdout_end) = pipe()?;
        let (stderr, stderr_end) = pipe()?;
        let spooled = || start.spool.as_ref().map(|_| SpooledOutput::default());
        let answer = answers.then(Answer::default);
        let (mut stdout, mut stderr) = (
            OutputPipe { answer, kept: kept_out, spooled: spooled(), ..OutputPipe::new(stdout) },
            OutputPipe { kept: kept_err, spooled: spooled(), ..OutputPipe::new(stderr) },
        );
        let group = self.slot_group(worker.slot)?;
        self.board.reset(worker.slot.0);
        // What it leaves behind is told from what others do by when it can have begun.
        self.board.begin(worker.slot.0, board::BoardEntry { index: ticket.first, started: monotonic() });
        let child = program.spawn_in(
            &[
                (input.as_ref().map_or_else(|| self.null.as_fd(), AsFd::as_fd), 0),
                (stdout_end.as_fd(), 1),
                (stderr_end.as_fd(), 2),
            ],
            group.as_ref().map(|group| group.as_fd()),
        );
        if child.is_err() {
            self.board.reset(worker.slot.0);
        }
        let (index, mut child) = (ticket.first, child.map_err(|error| command::explained(&program, error))?);
        child.spare_trackers_always();
        let (started, pid) = (child.started_at(), child.pid());
        self.written_since.remove(&index);
        self.board.program_started(worker.slot.0, started, pid);
        // Of one that answers, the end of what it writes says that no answer comes.
        if !answers && worker.slot.0 < self.held_open {
            stdout.held_open = Some(stdout_end);
            stderr.held_open = Some(stderr_end);
        }
        let attempt = board::attempt(index, ticket.attempt.number());
        let peer =
            ProgramPeer { index, attempt, started, input: told, stdout, stderr, rules, verdict: None, given_up: None };
        let link = Link {
            epoch: worker.epoch,
            lanes: 1,
            end: self.await_end(child.pidfd()),
            child: Some(child),
            called,
            stopped: false,
            stop_when_there: None,
            peer: Peer::Program(Box::new(peer)),
            readers: Vec::new(),
        };
        Ok((link, pid))
    }

    /// A program has taken its line, or will not: in the first case it is ready, and its work begins. It finds the end of its input.
    pub(super) fn line_taken(&mut self, worker: WorkerId) {
        // What it has written by now answers nothing.
        self.read_stream(worker, Which::Stdout);
        let Some(Link { peer: Peer::Program(program), child: Some(child), .. }) = self.link(worker) else { return };
        let Some(input) = program.input.as_ref().filter(|input| pipe::is_taken(input.get_ref())) else { return };
        if let Some(answer) = &mut program.stdout.answer {
            answer.look_if_early();
        }
        let at = monotonic();
        program.started = at;
        // Where nobody reads it any more it is not needed either.
        let _ = rustix::io::write(input.get_ref(), LINE_END);
        program.input = None;
        let pid = child.pid();
        self.board.program_started(worker.slot.0, at, pid);
        self.look_at_answer(worker);
    }

    /// Takes in what a stream holds; says whether it may give more later.
    pub(super) fn read_stream(&mut self, worker: WorkerId, which: Which) -> bool {
        let stream = match self.link(worker).map(|link| &mut link.peer) {
            Some(Peer::Program(program)) => program.stream(which),
            Some(Peer::Worker(peer)) => &mut peer.output,
            None => return false,
        };
        let open = stream.read();
        let written = stream.capture.written();
        // A worker's is read at once in any case.
        self.writes.heard(written, false);
        if which == Which::Stdout {
            self.look_at_answer(worker);
        }
        open
    }

    /// A program has ended, which was noticed at this reading of the monotonic clock. What it wrote is in its pipes; another process that
    /// holds them is not waited for, and what it left behind is seen to elsewhere.
    pub(super) fn program_ended(&mut self, worker: WorkerId, reaped: Reaped, noticed: u64) {
        let at = self.ended_at(worker, noticed);
        let unseen = self.has_ended_unseen(worker, noticed);
        if unseen {
            self.feed(Input::EndedUnseen { lane: worker.lane(0) });
        }
        for which in [Which::Stdout, Which::Stderr] {
            self.read_stream(worker, which);
        }
        self.writes.heard(0, true);
        if self.link(worker).is_none() {
            return;
        }
        let Some(mut link) = self.links.get_mut(worker.slot.index()).and_then(Option::take) else { return };
        let Peer::Program(program) = &mut link.peer else { return };
        let start = self.clock.moment(program.started);
        let service = at.0.saturating_sub(start.0);
        let counts = self.board.lets_count(
            worker.slot.0,
            Worked {
                attempt: program.attempt,
                from: program.started,
                until: self.clock.monotonic(at),
                // Where it was not seen when it ended, it may have been in time.
                timeout: program.rules.timeout.filter(|_| !unseen),
            },
        );
        self.board.reset(worker.slot.0);
        self.look_for_strays();
        let Peer::Program(program) = &mut link.peer else { return };
        let output = match program.rules.keep_output {
            KeepOutput::None => TaskOutput::default(),
            KeepOutput::Tail | KeepOutput::File => Self::output_of(
                program.stdout.capture.text(),
                program.stderr.capture.text(),
                program.stdout.capture.omitted() + program.stderr.capture.omitted(),
            ),
        };
        // One that was told to end has no result of its own, and neither has one of whose end the driver was not told.
        let given_up = program.given_up.clone();
        let lost = link.stopped || reaped.exit == Exit::Unknown && given_up.is_none();
        if !lost {
            let index = program.index;
            if program.verdict.is_some() && given_up.is_none() && !reaped.exit.is_success() {
                self.tell_late(Late { index, exit: Some(reaped.exit) });
            }
            let exit = given_up.is_none().then_some(reaped.exit);
            if !counts {
                // Nothing of it is kept or given out.
                [&mut program.stdout, &mut program.stderr].into_iter().for_each(OutputPipe::forget);
            }
            let spooled = spooled(program).transpose();
            let ended = match (given_up, &spooled) {
                (Some(why), _) => Err(Some(why)),
                (None, Err(error)) => Err(Some(error.clone())),
                (None, Ok(_)) => outcome(program, reaped.exit),
            };
            if let Ok(Some(output)) = spooled {
                let output = Arc::new(output);
                self.observer.event(self.clock.now(), &Event::Wrote { index, output: &output });
            }
            match ended {
                Ok(value) => {
                    let records = [Record { index, start, service, after: 0, value }];
                    self.feed(Input::Done { lane: worker.lane(0), records: &records });
                }
                Err(message) => {
                    let failure = TaskFailure {
                        index,
                        start,
                        service,
                        message,
                        exit,
                        not_started: false,
                        output: output.clone(),
                    };
                    self.feed(Input::Failed { lane: worker.lane(0), failure: Box::new(failure) });
                }
            }
        }
        let ended_by_us = link.stopped || program.given_up.is_some();
        let pid = link.child.as_ref().filter(|_| !ended_by_us).map(Child::pid);
        let index = program.index;
        let out_of_memory =
            pid.is_some_and(|pid| self.out_of_memory(&format!("the program of task {index} (pid {pid})"), reaped.exit));
        let left_behind = link.child.as_ref().is_some_and(|child| child.is_abandoned());
        let ended = Ended {
            culprit: None,
            exit: reaped.exit,
            at,
            tasks: lost
                .then_some((0, InTask { index: program.index, started: start, ended: None }))
                .into_iter()
                .collect(),
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
