//! A worker from its first frame to its last: one lane without a thread or a lock, or several with a thread each.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::Scope;

use crate::os::board::Board;
use crate::os::{clock, early, inherited};
use crate::worker::inbox::Inbox;
use crate::worker::initializer;
use crate::worker::lane::{LaneRunner, Next, ReportSocket};
use crate::worker::protocol::{self, Concerns, Frame, Hello, LaneNumber, Setup, Tells, ToWorker};
use crate::workload::model::{ClassId, Work};

/// Most lanes that a worker can have, where it may have more than one.
const MOST_LANES: LaneNumber = 1024;
/// Exit code of a worker that cannot go on.
pub(super) const CANNOT_GO_ON: i32 = 70;

/// Serves a parent until it is not needed any more. `first_line` is the board's line of lane 0, `began` when this process
/// began (`CLOCK_MONOTONIC` in nanoseconds).
pub(super) fn serve(socket: &UnixStream, board: Board, first_line: u32, began: u64) -> io::Result<()> {
    let mut inbox = Inbox::default();
    let setup = loop {
        if !inbox.receive(socket)? {
            return Ok(());
        }
        match inbox.next()?.map(protocol::decode_to_worker).transpose().map_err(io::Error::other)? {
            Some(ToWorker::Setup(setup)) => break setup,
            Some(_) => return Err(io::Error::other("the first frame is no setup frame")),
            None => {}
        }
    };
    inherited::set_caller(setup.caller);
    serve_set_up(socket, Arc::new(board), (first_line, began), (&setup, Vec::new()), inbox)
}

/// The same for one that has its setup and knows these classes; what else was received is in the inbox.
pub(super) fn serve_set_up(
    socket: &UnixStream,
    board: Arc<Board>,
    (first_line, began): (u32, u64),
    (setup, known): (&Setup, Vec<(ClassId, Work)>),
    inbox: Inbox,
) -> io::Result<()> {
    let alone = setup.lanes == 1 && !setup.grows;
    let mut hello = Vec::new();
    let lanes = if alone { 1 } else { MOST_LANES };
    let pid = std::process::id();
    let said = Hello { protocol: protocol::VERSION, pid, lanes, tells: Tells::Board, began, ready: clock::monotonic() };
    protocol::put_hello(&mut hello, &said);
    if alone {
        let mut lane = LaneRunner::new(0, board.own_line(first_line), ReportSocket { socket, turns: None }, setup);
        *lane.outbox() = hello;
        known.into_iter().for_each(|(class, work)| lane.learn(class, work));
        // Never dropped: the process ends with it, and the kernel is quicker.
        let mut lane = std::mem::ManuallyDrop::new(lane);
        serve_alone(&mut lane, inbox, socket)?;
        lane.dismiss_programs();
        lane.report()?;
        early::leave(0);
    }
    (&*socket).write_all(&hello)?;
    let crew = Crew { socket, turns: Mutex::new(()), board, first_line, setup, known, present: AtomicUsize::new(0) };
    std::thread::scope(|scope| crew.serve(scope, inbox).unwrap_or_else(|error| give_up(&error)));
    Ok(())
}

fn serve_alone(lane: &mut LaneRunner<'_>, mut inbox: Inbox, socket: &UnixStream) -> io::Result<()> {
    loop {
        while let Some(frame) = inbox.next()? {
            if frame.lane != 0 {
                return Err(no_such_lane(frame.lane));
            }
            lane.take(frame)?;
        }
        if lane.work()? == Next::Leave {
            return lane.report();
        }
        // What the parent has sent in the meantime is read before the report, so that a worker that is started for
        // one task says hello and reports in one message.
        lane.report()?;
        if lane.recalled() || !inbox.receive(socket)? {
            return lane.report();
        }
    }
}

fn no_such_lane(number: LaneNumber) -> io::Error {
    io::Error::other(format!("a frame for lane {number}, which there is not"))
}

/// Lanes that share a process.
struct Crew<'a> {
    socket: &'a UnixStream,
    turns: Mutex<()>,
    board: Arc<Board>,
    first_line: u32,
    setup: &'a Setup,
    /// What every lane knows from the start.
    known: Vec<(ClassId, Work)>,
    /// Lanes that have not left.
    present: AtomicUsize,
}

/// A frame on its way from the socket to a lane, which decodes it on its own thread.
#[derive(Clone)]
struct Letter {
    kind: u8,
    flags: u8,
    lane: LaneNumber,
    payload: Arc<[u8]>,
}

impl<'a> Crew<'a> {
    fn serve<'scope, 'env>(&'env self, scope: &'scope Scope<'scope, 'env>, mut inbox: Inbox) -> io::Result<()> {
        let mut lanes: BTreeMap<LaneNumber, Sender<Letter>> = BTreeMap::new();
        let mut classes: Vec<Letter> = Vec::new();
        for number in 0..self.setup.lanes {
            lanes.insert(number, self.open(scope, number)?);
        }
        loop {
            while let Some(frame) = inbox.next()? {
                match protocol::concerns(frame) {
                    Concerns::Worker => self.initialize(frame)?,
                    Concerns::EveryLane => {
                        let class = Letter::with(frame);
                        lanes.values().for_each(|lane| post(lane, class.clone()));
                        classes.push(class);
                    }
                    Concerns::OneLane => {
                        let lane = match lanes.entry(frame.lane) {
                            Entry::Occupied(lane) => lane.into_mut(),
                            Entry::Vacant(_) if !self.setup.grows || frame.lane >= MOST_LANES => {
                                return Err(no_such_lane(frame.lane));
                            }
                            Entry::Vacant(new) => {
                                let lane = self.open(scope, frame.lane)?;
                                classes.iter().for_each(|class| post(&lane, class.clone()));
                                new.insert(lane)
                            }
                        };
                        post(lane, Letter::with(frame));
                    }
                }
            }
            if !inbox.receive(self.socket)? {
                return Ok(());
            }
        }
    }

    fn initialize(&self, frame: Frame<'_>) -> io::Result<()> {
        let ToWorker::Initialize(initialize) = protocol::decode_to_worker(frame).map_err(io::Error::other)? else {
            return Err(io::Error::other("a frame out of place"));
        };
        let initialized = initializer::run(&initialize, self.setup);
        let mut bytes = Vec::new();
        protocol::put_initialized(&mut bytes, &initialized);
        self.outlet().send(&bytes)?;
        initialized.error.map_or(Ok(()), |error| Err(io::Error::other(error)))
    }

    fn outlet(&self) -> ReportSocket<'_> {
        ReportSocket { socket: self.socket, turns: Some(&self.turns) }
    }

    fn open<'scope, 'env>(
        &'env self,
        scope: &'scope Scope<'scope, 'env>,
        number: LaneNumber,
    ) -> io::Result<Sender<Letter>> {
        let (sender, letters) = mpsc::channel();
        self.present.fetch_add(1, Ordering::Relaxed);
        let run = move || match self.run(number, &letters) {
            Ok(()) => {
                // The last one closes the door; the thread that reads would wait for the parent to.
                if self.present.fetch_sub(1, Ordering::AcqRel) == 1 {
                    early::leave(0);
                }
            }
            Err(error) => give_up(&error),
        };
        std::thread::Builder::new().name(format!("lane {number}")).spawn_scoped(scope, run)?;
        Ok(sender)
    }

    /// A lane's own thread.
    fn run(&self, number: LaneNumber, letters: &Receiver<Letter>) -> io::Result<()> {
        let line = self.board.own_line(self.first_line + u32::from(number));
        let mut lane = LaneRunner::new(number, line, self.outlet(), self.setup);
        self.known.iter().for_each(|(class, work)| lane.learn(*class, work.clone()));
        let mut retired = false;
        loop {
            if lane.work()? == Next::Leave || lane.recalled() {
                break;
            }
            lane.report()?;
            let Ok(letter) = letters.recv() else { break };
            for letter in std::iter::once(letter).chain(letters.try_iter()) {
                retired |= letter.open(&mut lane)? == Next::Leave;
            }
        }
        lane.dismiss_programs();
        // The recall may be seen before what was sent ahead of it has come.
        loop {
            lane.give_back();
            lane.report()?;
            if retired {
                return Ok(());
            }
            let Ok(letter) = letters.recv() else { return Ok(()) };
            retired = letter.open(&mut lane)? == Next::Leave;
        }
    }
}

impl Letter {
    fn with(frame: Frame<'_>) -> Self {
        Self { kind: frame.kind, flags: frame.flags, lane: frame.lane, payload: frame.payload.into() }
    }

    fn open(&self, lane: &mut LaneRunner<'_>) -> io::Result<Next> {
        lane.take(Frame { kind: self.kind, flags: self.flags, lane: self.lane, payload: &self.payload })
    }
}

/// A lane that has left reads no letters.
fn post(lane: &Sender<Letter>, letter: Letter) {
    let _ = lane.send(letter);
}

/// Ends the process with its reason: it cannot be understood, or cannot understand.
pub(super) fn give_up(error: &io::Error) -> ! {
    let _ = writeln!(io::stderr(), "worker: {error}");
    early::leave(CANNOT_GO_ON);
}
