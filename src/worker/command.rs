//! A task that is an external program, run by a pool worker.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use crate::os::accounting::Exit;
use crate::os::capture::Capture;
use crate::os::pipe::{Drained, drain, pipe};
use crate::os::spawn::{Program, is_transient};
use crate::os::{dev_null, signals, stragglers};
use crate::worker::environment;
use crate::worker::protocol::{Failure, TaskRun};
use crate::workload::model::{CommandLine, TaskIndex};

/// How long a pipe may stay open after the program has ended and its stragglers were killed.
pub const LEAK_PATIENCE: Duration = Duration::from_millis(250);

/// Arguments of one attempt: `{index}`, `{attempt}` and `{seed}` are filled in.
#[must_use]
pub fn arguments(command: &CommandLine, index: TaskIndex, attempt: u32, seed: u64) -> Vec<String> {
    let values = [("{index}", index.to_string()), ("{attempt}", attempt.to_string()), ("{seed}", seed.to_string())];
    let fill = |text: &String| values.iter().fold(text.clone(), |text, (name, value)| text.replace(name, value));
    command.argv.iter().map(fill).collect()
}

/// Value of a program that succeeded: a hash of everything it wrote to its standard output.
#[must_use]
pub fn value(stdout: &Capture) -> u64 {
    stdout.hash()
}

/// Runs the program to its end. A SIGTERM in the meantime is remembered ([`signals::terminated`]).
///
/// # Errors
/// Why it did not succeed, without index and times.
pub fn run(command: &CommandLine, task: &TaskRun, seed: u64) -> Result<u64, Box<Failure>> {
    let attempt = u32::from(task.attempt);
    let argv = arguments(command, task.first, attempt, seed);
    let mark = environment::task_mark(task.first, attempt);
    // The program shares the worker's group, so that whoever ends the worker's group ends it too. A SIGTERM for the
    // group is the program's to handle; the worker leaves when the program has.
    signals::catch_termination();
    let _ = stragglers::become_subreaper();
    let result = start(&argv, &mark).and_then(|running| running.finish(&mark));
    signals::release_termination();
    result
}

struct Running {
    child: crate::os::child::Child,
    stdout: OwnedFd,
    stderr: OwnedFd,
}

fn not_started(argv: &[String], error: &std::io::Error) -> Box<Failure> {
    let program = argv.first().map_or("", String::as_str);
    Box::new(Failure { message: Some(format!("{program}: {error}")), not_started: true, ..Failure::default() })
}

fn start(argv: &[String], mark: &str) -> Result<Running, Box<Failure>> {
    let begin = Instant::now();
    loop {
        let error = match try_start(argv, mark) {
            Ok(running) => return Ok(running),
            Err(error) => error,
        };
        // The system is short of something: back off, as the engine does for its own starts.
        if !is_transient(&error) || begin.elapsed() > Duration::from_secs(60) || signals::terminated() {
            return Err(not_started(argv, &error));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn try_start(argv: &[String], mark: &str) -> std::io::Result<Running> {
    let mut program = Program::new(argv)?.in_parents_group();
    program.set(environment::TASK.as_ref(), mark.as_ref())?;
    let null = dev_null::open()?;
    let (stdout, stdout_end) = pipe()?;
    let (stderr, stderr_end) = pipe()?;
    let child = program.spawn(&[(null.as_fd(), 0), (stdout_end.as_fd(), 1), (stderr_end.as_fd(), 2)])?;
    Ok(Running { child, stdout, stderr })
}

impl Running {
    fn finish(mut self, mark: &str) -> Result<u64, Box<Failure>> {
        let (mut stdout, mut stderr) = (Capture::default(), Capture::default());
        let mut open = [true, true];
        let mut exit = None;
        let mut deadline: Option<Instant> = None;
        while exit.is_none() || open.contains(&true) {
            self.wait(open, exit.is_none(), deadline);
            if open[0] {
                open[0] = drain(&self.stdout, &mut stdout) == Drained::Open;
            }
            if open[1] {
                open[1] = drain(&self.stderr, &mut stderr) == Drained::Open;
            }
            if exit.is_none()
                && let Ok(Some(reaped)) = self.child.try_reap()
            {
                exit = Some(reaped.exit);
                stragglers::end_children(&format!("{}={mark}", environment::TASK));
                deadline = Some(Instant::now() + LEAK_PATIENCE);
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                break;
            }
        }
        let exit = exit.unwrap_or(Exit::Code(-1));
        if exit.is_success() {
            return Ok(value(&stdout));
        }
        Err(Box::new(Failure {
            exit: Some(exit),
            stdout_tail: stdout.text(),
            stderr_tail: stderr.text(),
            output_omitted_bytes: stdout.omitted() + stderr.omitted(),
            ..Failure::default()
        }))
    }

    fn wait(&self, open: [bool; 2], running: bool, deadline: Option<Instant>) {
        let mut fds = Vec::with_capacity(3);
        for (fd, open) in [(&self.stdout, open[0]), (&self.stderr, open[1])] {
            if open {
                fds.push(PollFd::new(fd, PollFlags::IN));
            }
        }
        if running && let Some(pidfd) = self.child.pidfd() {
            fds.push(PollFd::from_borrowed_fd(pidfd, PollFlags::IN));
        }
        let timeout = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = timeout.and_then(|left| rustix::event::Timespec::try_from(left).ok());
        // An interrupted wait is looked into like any other.
        let _ = poll(&mut fds, timeout.as_ref());
    }
}
