//! One run of an external program, from its start until it was reaped and everything it was given has an outcome.
//!
//! The loop waits for whatever comes first (a line, room in the socket, the end of the process, a command, a limit) and
//! hands it to the [`Conversation`]. It decides nothing about tasks.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::engine::arm::{Completion, StartError};
use crate::engine::control::Command;
use crate::engine::driver::guardian::Guardian;
use crate::engine::driver::strays::Strays;
use crate::engine::error::EngineError;
use crate::engine::event::{Observer, Severity};
use crate::engine::external::conversation::Conversation;
use crate::engine::external::protocol::SOCKET_FD;
pub(super) use crate::engine::external::spec::Spec;
use crate::os::board::{Board, BoardEntry};
use crate::os::capture::Capture;
use crate::os::child::{Child, Reaped};
use crate::os::clock::monotonic;
use crate::os::pipe::{Drained, drain, pipe};
use crate::os::slot_groups::SlotGroups;
use crate::os::{dev_null, readiness};
use crate::worker::environment;
use crate::worker::shim::ShimFolder;

/// How often the observer is told the state.
const STATE_INTERVAL: Duration = Duration::from_millis(100);
/// How often the pipe of a shim is looked into. Nobody waits for its lines: being woken by each would cost the workers, whose
/// cores they are.
const SHIM_INTERVAL: Duration = Duration::from_millis(20);
/// The same while much comes, so that the pipe never gets full and no worker has to wait for it; and how many bytes that is.
const SHIM_INTERVAL_OF_MUCH: Duration = Duration::from_millis(5);
const MUCH: usize = 16 * 1024;
/// How long a process that was killed may take to be gone.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a program may live that has closed its socket.
const SOCKET_CLOSED: Duration = Duration::from_millis(500);

/// The slot whose strays are the program's.
const OWN_SLOT: u32 = 0;

/// Bytes read at once.
const READ: usize = 64 * 1024;
/// Bytes that are read at most after the end of the process.
const MOST_LEFT: usize = 1 << 28;

/// Tells the runs of one process apart.
static RUNS: AtomicU32 = AtomicU32::new(0);

/// The process and what connects it with us.
struct Process {
    child: Child,
    end: AsyncFd<OwnedFd>,
    socket: UnixStream,
    output: AsyncFd<OwnedFd>,
    captured: Capture,
    /// Ends what the program has started if this process is killed.
    guardian: io::Result<Guardian>,
    shim: Option<SeenByShim>,
    /// What the program leaves behind, as a task would whose work is the whole run: the one on the board.
    strays: Strays,
    board: Arc<Board>,
}

/// The pipe of a shim, in its folder.
struct SeenByShim {
    _folder: ShimFolder,
    end: OwnedFd,
}

/// Makes a runtime and the run; `ready` hears whether the program was started.
pub(super) fn on_this_thread(
    spec: Spec,
    observer: Box<dyn Observer>,
    requests: mpsc::UnboundedReceiver<Command>,
    ready: &std::sync::mpsc::Sender<Result<(), StartError>>,
) -> Result<Completion, EngineError> {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(source) => {
            let _ = ready.send(Err(StartError::Runtime { source }));
            // Nobody has this run, and so nobody hears its end.
            return Err(EngineError::Gone);
        }
    };
    runtime.block_on(async {
        let mut spec = spec;
        match Process::start(&mut spec) {
            Ok(process) => {
                let _ = ready.send(Ok(()));
                drive(process, Conversation::new(spec, observer), requests).await
            }
            Err(error) => {
                let _ = ready.send(Err(error));
                Err(EngineError::Gone)
            }
        }
    })
}

impl Process {
    fn start(spec: &mut Spec) -> Result<Self, StartError> {
        let setup = |source| StartError::Setup { source };
        // The clock tells it from one of another process with the same id, in another namespace or before.
        let number = RUNS.fetch_add(1, Ordering::Relaxed);
        let run = format!("{}.external{number}.{:x}", std::process::id(), monotonic());
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(setup)?;
        ours.set_nonblocking(true).map_err(setup)?;
        let (output, output_end) = pipe().map_err(setup)?;
        let null = dev_null::open().map_err(setup)?;
        let board = Arc::new(Board::create().map_err(setup)?);
        board.reset(OWN_SLOT);
        let strays = Strays::watch(&run, &board, 1);
        let groups = strays.groups();
        let guardian = Guardian::start(&spec.worker_program, &run, groups.map(SlotGroups::folder));
        // What it leaves behind is told from what others do by when it can have begun.
        board.begin(OWN_SLOT, BoardEntry { index: 0, started: monotonic() });
        let spawn = || {
            let mut program = spec.program.clone().dies_with_parent();
            environment::mark(&mut program, &run)?;
            spec.shim.as_ref().map(|shim| shim.observe(&mut program)).transpose()?;
            let descriptors =
                [(null.as_fd(), 0), (output_end.as_fd(), 1), (output_end.as_fd(), 2), (theirs.as_fd(), SOCKET_FD)];
            let group = groups.map(|groups| groups.open(OWN_SLOT)).transpose()?;
            program.spawn_in(&descriptors, group.as_ref().map(|group| group.as_fd()))
        };
        let mut child = spawn().map_err(|source| StartError::Program { program: spec.name.clone(), source })?;
        child.spare_trackers_always();
        board.program_started(OWN_SLOT, child.started_at(), child.pid());
        let pidfd = child.take_pidfd().ok_or_else(|| setup(io::Error::other("the process has no descriptor")))?;
        let shim = spec.shim.take().map(|shim| {
            let (folder, end) = shim.into_parts();
            SeenByShim { _folder: folder, end }
        });
        Ok(Self {
            shim,
            end: readiness::readable(pidfd).map_err(setup)?,
            socket: UnixStream::from_std(ours).map_err(setup)?,
            output: readiness::readable(output).map_err(setup)?,
            captured: Capture::default(),
            child,
            guardian,
            strays,
            board,
        })
    }

    /// Reads what is there; whether the other end is closed.
    fn read(&self, talk: &mut Conversation) -> bool {
        let mut buffer = [0; READ];
        // Others have their turn, however much it says.
        for _ in 0..4 {
            match self.socket.try_read(&mut buffer) {
                Ok(0) => return true,
                Ok(count) => {
                    self.read_shim(talk);
                    talk.hear(&buffer[..count]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(_) => return true,
            }
        }
        false
    }

    /// Takes in what the shim has written so far: whatever led to what the program said is in there. How many bytes it was.
    fn read_shim(&self, talk: &mut Conversation) -> usize {
        let mut seen = Vec::new();
        if let Some(shim) = &self.shim {
            drain(&shim.end, &mut seen);
            if !seen.is_empty() {
                talk.hear_shim(&seen);
            }
        }
        seen.len()
    }

    fn write(&self, talk: &mut Conversation) {
        while !talk.outbox().is_empty() {
            match self.socket.try_write(talk.outbox()) {
                Ok(count) => talk.sent(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // The program has closed its end; the end of its process says why.
                Err(_) => talk.sent(usize::MAX),
            }
        }
    }

    /// Reads what is there without the runtime, which has not looked yet.
    fn read_rest(&self, talk: &mut Conversation) {
        let mut buffer = vec![0; READ];
        for _ in 0..MOST_LEFT / READ {
            match rustix::io::read(self.socket.as_fd(), &mut buffer) {
                Ok(0) => return,
                Ok(count) => {
                    self.read_shim(talk);
                    talk.hear(&buffer[..count]);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }

    fn command(&self, talk: &mut Conversation, command: Command) {
        match command {
            Command::Suspend => {
                self.signal(&[Signal::STOP]);
                talk.command(command);
                // A session that is about to stop this whole process waits until it sees this.
                talk.tell_state();
            }
            Command::Unsuspend => {
                talk.command(command);
                self.signal(&[Signal::CONT]);
            }
            Command::Stop | Command::Kill if talk.is_suspended() => {
                self.command(talk, Command::Unsuspend);
                self.command(talk, command);
            }
            command => talk.command(command),
        }
    }

    fn signal(&self, signals: &[Signal]) {
        for signal in signals {
            // One that is gone needs none, and one that may not be signalled is left behind in the end.
            let _ = self.child.signal(*signal);
        }
    }
}

/// Runs a run from its beginning to its end.
async fn drive(
    mut process: Process,
    mut talk: Conversation,
    mut requests: mpsc::UnboundedReceiver<Command>,
) -> Result<Completion, EngineError> {
    if let Err(error) = &process.guardian {
        talk.note(
            Severity::Warning,
            format!("no guardian could be started ({error}): the program may outlive a killed Poolscope"),
        );
    }
    let mut states = interval(STATE_INTERVAL);
    states.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut looks = interval(SHIM_INTERVAL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut asked, mut open, mut output_open, mut killed) = (true, true, true, None);
    let reaped = loop {
        talk.give();
        process.write(&mut talk);
        if talk.is_to_be_killed() && killed.is_none() {
            process.signal(&[Signal::KILL]);
            killed = Some(monotonic() + PATIENCE.as_nanos() as u64);
        }
        if killed.is_some_and(|by| monotonic() > by) {
            process.child.abandon();
            talk.note(
                Severity::Warning,
                format!("process {} could not be ended and is left behind", process.child.pid()),
            );
            break Reaped::UNKNOWN;
        }
        let interest =
            if talk.outbox().is_empty() { Interest::READABLE } else { Interest::READABLE | Interest::WRITABLE };
        let left = talk.until_limit().min(killed.map_or(Duration::MAX, |_| STATE_INTERVAL));
        tokio::select! {
            request = requests.recv(), if asked => match request {
                Some(command) => process.command(&mut talk, command),
                None => asked = false,
            },
            ready = process.socket.ready(interest), if open => {
                if ready.is_err() || process.read(&mut talk) {
                    open = false;
                    talk.socket_closed(SOCKET_CLOSED);
                }
            }
            ready = process.output.readable(), if output_open => {
                if let Ok(mut ready) = ready {
                    output_open = drain(process.output.get_ref(), &mut process.captured) == Drained::Open;
                    ready.clear_ready();
                }
            }
            _ = looks.tick(), if process.shim.is_some() => if process.read_shim(&mut talk) > MUCH {
                looks.reset_after(SHIM_INTERVAL_OF_MUCH);
            },
            ready = process.end.readable() => match process.child.try_reap() {
                Ok(Some(reaped)) => break reaped,
                Ok(None) => if let Ok(mut ready) = ready { ready.clear_ready() },
                Err(error) => {
                    talk.note(Severity::Warning, format!("the end of a process cannot be told: {error}"));
                    break Reaped::UNKNOWN;
                }
            },
            _ = states.tick() => {
                talk.tell_state();
                // Those that have ended are reaped.
                process.strays.sweep();
            }
            () = sleep(left) => talk.check_limits(),
        }
    };
    // What it said before its end counts; a descendant may hold the other end, so that is not waited for.
    process.read_rest(&mut talk);
    process.read_shim(&mut talk);
    drain(process.output.get_ref(), &mut process.captured);
    process.board.reset(OWN_SLOT);
    // Of workers whose program was killed it is not said that they were left behind.
    if process.strays.end().strays > 0 && (process.shim.is_none() || killed.is_none()) {
        talk.note(Severity::Info, "the program left processes behind, which were ended".to_owned());
    }
    talk.conclude(process.child.pid(), reaped, &process.captured.text())
}
