//! A task that is an external program, run by a pool worker.
//!
//! Only the program itself is timed: from its first instruction until its end. What it left behind is none of the
//! worker's business ([`crate::os::orphans`]): neither its children nor other processes that hold its output open are
//! waited for.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use crate::os::accounting::Usage;
use crate::os::capture::Capture;
use crate::os::child::{Child, Reaped};
use crate::os::clock::monotonic;
use crate::os::pipe::{Drained, drain, pipe};
use crate::os::spawn::{Program, is_transient};
use crate::os::{dev_null, signals};
use crate::worker::environment;
use crate::worker::protocol::{Failure, Setup, TaskRun};
use crate::workload::model::CommandLine;

/// How long a program that the system is short of something for is tried to be started again.
const START_PATIENCE: Duration = Duration::from_secs(60);
/// The same for one whose file is open for writing: for a moment that comes of others being started while it is written
/// (a descriptor that they have not closed yet), for longer it is the file's own fault.
pub(crate) const WRITTEN_PATIENCE: Duration = Duration::from_secs(1);

/// How long a program that could not be started for this reason is tried to be started again.
fn patience(error: &std::io::Error) -> Duration {
    match error.kind() {
        std::io::ErrorKind::ExecutableFileBusy => WRITTEN_PATIENCE,
        _ if is_transient(error) => START_PATIENCE,
        _ => Duration::ZERO,
    }
}

/// Value of a program that succeeded: a hash of everything it wrote to its standard output.
#[must_use]
pub(crate) fn value(stdout: &Capture) -> u64 {
    stdout.hash()
}

/// A program that was run to its end, or could not be.
#[derive(Debug)]
pub(crate) struct Ran {
    /// `CLOCK_MONOTONIC` in nanoseconds when it was started, or given up.
    pub(crate) started: u64,
    /// The same when it ended.
    pub(crate) ended: u64,
    /// What it used.
    pub(crate) usage: Usage,
    /// Its value, or why it did not succeed, without index and times.
    pub(crate) result: Result<u64, Box<Failure>>,
}

/// Runs the program to its end; `started` is told when it has begun, and its process id. A SIGTERM in the meantime is remembered
/// ([`signals::terminated`]).
pub(crate) fn run(command: &CommandLine, task: &TaskRun, setup: &Setup, started: impl FnOnce(u64, u32)) -> Ran {
    let argv = command.arguments(task.first, task.attempt, setup.seed);
    let mark = environment::task_mark(task.first, task.attempt);
    // The program shares the worker's group, so that a signal to the worker's group reaches it too. A SIGTERM for the
    // group is the program's to handle; the worker leaves when the program has.
    signals::catch_termination();
    let ran = match start(&argv, &mark, setup.folder.as_deref()) {
        Ok(running) => {
            let at = running.child.started_at();
            started(at, running.child.pid());
            running.finish(at)
        }
        Err(failure) => {
            let at = monotonic();
            Ran { started: at, ended: at, usage: Usage::NONE, result: Err(failure) }
        }
    };
    signals::release_termination();
    ran
}

struct Running {
    child: Child,
    stdout: OwnedFd,
    stderr: OwnedFd,
}

fn not_started(argv: &[String], error: &std::io::Error) -> Box<Failure> {
    let program = argv.first().map_or("", String::as_str);
    Box::new(Failure { message: Some(format!("{program}: {error}")), not_started: true, ..Failure::default() })
}

fn start(argv: &[String], mark: &str, folder: Option<&[u8]>) -> Result<Running, Box<Failure>> {
    let begin = Instant::now();
    loop {
        let error = match try_start(argv, mark, folder) {
            Ok(running) => return Ok(running),
            Err(error) => error,
        };
        // The system is short of something: back off, as the engine does for its own starts.
        if begin.elapsed() >= patience(&error) || signals::terminated() {
            return Err(not_started(argv, &error));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn try_start(argv: &[String], mark: &str, folder: Option<&[u8]>) -> std::io::Result<Running> {
    let folder = folder.map(|folder| Path::new(OsStr::from_bytes(folder)));
    let mut program = Program::new(argv)?.in_folder(folder)?.in_parents_group().dies_with_parent();
    program.set(environment::TASK.as_ref(), mark.as_ref())?;
    let null = dev_null::open()?;
    let (stdout, stdout_end) = pipe()?;
    let (stderr, stderr_end) = pipe()?;
    let child = program.spawn(&[(null.as_fd(), 0), (stdout_end.as_fd(), 1), (stderr_end.as_fd(), 2)])?;
    Ok(Running { child, stdout, stderr })
}

impl Running {
    fn finish(mut self, started: u64) -> Ran {
        let (mut stdout, mut stderr) = (Capture::default(), Capture::default());
        let mut open = [true, true];
        let (ended, reaped) = loop {
            self.wait(open);
            let at = monotonic();
            let reaped = self.child.try_reap();
            // What it wrote is in the pipes when it has ended; another process that holds them is not waited for.
            if open[0] {
                open[0] = drain(&self.stdout, &mut stdout) == Drained::Open;
            }
            if open[1] {
                open[1] = drain(&self.stderr, &mut stderr) == Drained::Open;
            }
            match reaped {
                Ok(Some(reaped)) => break (at, reaped),
                Ok(None) => {}
                Err(_) => break (at, Reaped::UNKNOWN),
            }
        };
        let result = if reaped.exit.is_success() {
            Ok(value(&stdout))
        } else {
            Err(Box::new(Failure {
                exit: Some(reaped.exit),
                stdout_tail: stdout.text(),
                stderr_tail: stderr.text(),
                output_omitted_bytes: stdout.omitted() + stderr.omitted(),
                ..Failure::default()
            }))
        };
        Ran { started, ended, usage: reaped.usage, result }
    }

    /// Waits until it writes something or ends.
    fn wait(&self, open: [bool; 2]) {
        let mut fds = Vec::with_capacity(3);
        for (fd, open) in [(&self.stdout, open[0]), (&self.stderr, open[1])] {
            if open {
                fds.push(PollFd::new(fd, PollFlags::IN));
            }
        }
        if let Some(pidfd) = self.child.pidfd() {
            fds.push(PollFd::from_borrowed_fd(pidfd, PollFlags::IN));
        }
        // An interrupted wait is looked into like any other.
        let _ = poll(&mut fds, None);
    }
}
