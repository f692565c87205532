//! The driver's side of a child process.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::unix::AsyncFd;
use tokio::task::AbortHandle;

use super::breach::Breach;
use super::marks::{Marked, Marks};
use super::payloads::Payloads;
use super::results::PartialResults;
use crate::engine::dispatcher::Stop;
use crate::engine::event::WorkerId;
use crate::os::accounting::Usage;
use crate::os::capture::Capture;
use crate::os::child::Child;
use crate::os::ends::End;
use crate::os::pipe::{Drained, Sink, drain};
use crate::worker::kept_output::KeptOutput;
use crate::worker::lines::{Answer, Wrong};
use crate::worker::protocol::{LaneNumber, TaskRun, Tells};
use crate::worker::spooled_output::SpooledOutput;
use crate::workload::model::{ProgramRules, TaskIndex};

/// A child in a slot.
#[derive(Debug)]
pub(super) struct Link {
    pub(crate) epoch: u32,
    pub(crate) lanes: u16,
    /// `None` until the fork server has told that it is there.
    pub(crate) child: Option<Child>,
    /// Its end, where that is awaited by the moment.
    pub(crate) end: Option<End>,
    /// When its start was decided on: monotonic clock.
    pub(crate) called: u64,
    /// Whether it was told to end.
    pub(crate) stopped: bool,
    /// How it is to be ended as soon as it is there.
    pub(crate) stop_when_there: Option<Stop>,
    pub(crate) peer: Peer,
    /// Local tasks that read what it says: they end with it, even if another process holds its pipes.
    pub(crate) readers: Vec<AbortHandle>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.readers.iter().for_each(AbortHandle::abort);
    }
}

/// What kind of child it is.
#[derive(Debug)]
pub(super) enum Peer {
    /// Speaks the worker protocol.
    Worker(Box<WorkerPeer>),
    /// Is the task itself.
    Program(Box<ProgramPeer>),
}

/// A process that speaks the worker protocol.
#[derive(Debug)]
pub(super) struct WorkerPeer {
    /// Watched for what comes alone: a worker that reads what it was sent is no reason to wake up.
    pub(crate) socket: Rc<AsyncFd<OwnedFd>>,
    /// Beginning of a frame whose rest has not come yet.
    pub(crate) inbox: Vec<u8>,
    /// What the socket did not take yet.
    pub(crate) outbox: Vec<u8>,
    /// Bytes from its beginning that were sent.
    pub(crate) sent: usize,
    /// Whether a local task is waiting to send the outbox.
    pub(crate) sending: bool,
    /// Whether no more is to be sent after the outbox.
    pub(crate) closing: bool,
    /// Classes it was told of.
    pub(crate) knows: Vec<bool>,
    /// What it writes to its standard output and error.
    pub(crate) output: OutputPipe,
    /// Whether it said hello.
    pub(crate) greeted: bool,
    /// How it tells which task it is in.
    pub(crate) tells: Tells,
    /// What it was sent and has not reported, by lane, where it does not tell on the board.
    pub(crate) held: BTreeMap<LaneNumber, VecDeque<TaskRun>>,
    /// When its size was looked at last: monotonic clock.
    pub(crate) measured: u64,
    /// What it has told last of what it and its programs have used; nothing where it has several lanes.
    pub(crate) told: Usage,
    /// CPU time of the programs that it was in the middle of when it was told to end.
    pub(crate) cut_off: Duration,
    /// Bytes that tasks return and that are not complete yet.
    pub(crate) results: PartialResults,
    /// Bytes that it was sent with tasks.
    pub(crate) payloads: Payloads,
    pub(crate) initialization: Initialization,
    /// Whether it broke the protocol: nothing that it says is heard any more.
    pub(crate) broken: bool,
}

/// What became of a worker's initializer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Initialization {
    /// It has none.
    None,
    /// It was told to run it.
    Awaited,
    Done,
    Failed,
}

impl WorkerPeer {
    /// Whether it may have begun a task by now.
    pub(super) fn may_work(&self) -> Result<(), Breach> {
        match self.initialization {
            Initialization::None | Initialization::Done => Ok(()),
            Initialization::Awaited | Initialization::Failed => Err(Breach::NotInitialized),
        }
    }

    /// Whether a lane was sent this task and has not reported it; of one that tells on the board that is not known.
    pub(super) fn holds(&self, lane: LaneNumber, index: TaskIndex) -> bool {
        let runs = self.held.get(&lane).into_iter().flatten();
        runs.into_iter().any(|run| index.wrapping_sub(run.first) < u64::from(run.count))
    }
}

/// A program that is a task.
#[derive(Debug)]
pub(super) struct ProgramPeer {
    pub(crate) index: u64,
    /// Which attempt at which task ([`board::attempt`](crate::os::board::attempt)).
    pub(crate) attempt: u32,
    /// Monotonic clock when it was started; where it has told that it took its line, when that was.
    pub(crate) started: u64,
    /// Where its line is in, until it has taken it.
    pub(crate) input: Option<Rc<AsyncFd<OwnedFd>>>,
    pub(crate) stdout: OutputPipe,
    pub(crate) stderr: OutputPipe,
    /// What is made of its end.
    pub(crate) rules: ProgramRules,
    /// What its answer comes to, once there is one.
    pub(crate) verdict: Option<Result<u64, Wrong>>,
    /// Why it was ended before its own end: nothing could come of it any more.
    pub(crate) given_up: Option<String>,
}

/// One captured stream.
#[derive(Debug)]
pub(super) struct OutputPipe {
    pub(crate) pipe: Rc<OwnedFd>,
    pub(crate) capture: Capture,
    /// Where whoever writes marks what belongs together.
    pub(crate) marks: Option<Marks>,
    /// Where it is a program's answer.
    pub(crate) answer: Option<Answer>,
    /// Where it is kept in a file.
    pub(crate) kept: Option<KeptOutput>,
    /// Where all of it is handed on.
    pub(crate) spooled: Option<SpooledOutput>,
    /// The end that is written to, where it is kept open so that the end of the stream wakes nobody: the end of the process does.
    pub(crate) held_open: Option<OwnedFd>,
    pub(crate) open: bool,
}

/// How much the programs of a run write, as far as they have been read: whether what one writes must be read before its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Writes {
    /// None has ended yet.
    #[default]
    Unknown,
    /// Each that has ended has left what it wrote in its pipes.
    Little,
    /// One has written more than every pipe is sure to hold: it could not have ended unread.
    Much,
}

/// A pipe holds a page at least (pipe(7)): 4 KiB or more.
const SURELY_HELD: u64 = 4096;

impl Writes {
    /// A program's stream was read, or read to its end.
    pub(super) fn heard(&mut self, written: u64, ended: bool) {
        match self {
            Self::Unknown | Self::Little if written > SURELY_HELD => *self = Self::Much,
            Self::Unknown if ended => *self = Self::Little,
            _ => {}
        }
    }
}

/// What is captured and goes elsewhere too.
struct Elsewhere<'a> {
    kept: &'a mut Option<KeptOutput>,
    spooled: &'a mut Option<SpooledOutput>,
    capture: &'a mut Capture,
}

impl Sink for Elsewhere<'_> {
    fn push(&mut self, bytes: &[u8]) {
        self.kept.iter_mut().for_each(|kept| kept.push(bytes));
        self.spooled.iter_mut().for_each(|spooled| spooled.push(bytes));
        self.capture.push(bytes);
    }
}

impl OutputPipe {
    pub(super) fn new(pipe: OwnedFd) -> Self {
        Self {
            pipe: Rc::new(pipe),
            capture: Capture::default(),
            marks: None,
            answer: None,
            kept: None,
            spooled: None,
            held_open: None,
            open: true,
        }
    }

    /// What was written is neither kept nor given out.
    pub(super) fn forget(&mut self) {
        (self.kept, self.spooled) = (None, None);
    }

    /// Takes in what is there; says whether there may be more later.
    pub(super) fn read(&mut self) -> bool {
        if self.open {
            let (pipe, capture) = (&*self.pipe, &mut self.capture);
            let drained = match (&mut self.marks, &mut self.answer, &mut self.kept) {
                (Some(marks), ..) => drain(pipe, &mut Marked { marks, capture }),
                (None, Some(answer), _) => drain(pipe, &mut (answer, &mut *capture)),
                (None, None, kept) => match (kept, &mut self.spooled) {
                    (None, None) => drain(pipe, capture),
                    (kept, spooled) => drain(pipe, &mut Elsewhere { kept, spooled, capture }),
                },
            };
            self.open = drained == Drained::Open;
            if let (Some(marks), false) = (&mut self.marks, self.open) {
                marks.finish(capture);
            }
        }
        self.open
    }
}

/// Processes that have ended and are not reaped on purpose, and when `/proc` is looked at again.
#[derive(Debug, Default)]
pub(super) struct Undead {
    /// With the moment at which the end was noticed: monotonic clock.
    pub(crate) zombies: Vec<(WorkerId, Child, u64)>,
    pub(crate) next_look: Option<Instant>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_written_more_than_a_pipe_surely_holds_has_all_read_at_once() {
        let mut writes = Writes::default();
        writes.heard(SURELY_HELD, false);
        assert_eq!(writes, Writes::Unknown, "the first are read at once until one has ended");
        writes.heard(0, true);
        writes.heard(SURELY_HELD, false);
        assert_eq!(writes, Writes::Little);
        writes.heard(SURELY_HELD + 1, false);
        writes.heard(0, true);
        assert_eq!(writes, Writes::Much, "it stays so");
    }
}
