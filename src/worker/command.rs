//! A task that is an external program, run by a pool worker.
//!
//! Only the program itself is timed: from its first instruction until its end. What it left behind is none of the
//! worker's business ([`crate::os::orphans`]): neither its children nor other processes that hold its output open are
//! waited for.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use crate::os::accounting::{Exit, Usage};
use crate::os::board::{self, OwnLine, Worked};
use crate::os::capture::{Capture, LineCut};
use crate::os::child::{Child, Reaped};
use crate::os::clock::monotonic;
use crate::os::pipe::{Drained, Sink, drain, pipe};
use crate::os::spawn::{Program, is_transient};
use crate::os::worded::worded;
use crate::os::{dev_null, memory_file, signals};
use crate::worker::environment;
use crate::worker::kept_output::{self, KeptOutput};
use crate::worker::protocol::{Failure, Setup, TaskRun};
use crate::worker::spooled_output::{SpooledOutput, both_paths};
use crate::workload::model::{KeepOutput, ProgramRules};
use crate::workload::program_start::{BadStart, ProgramStart, StartInput};
use crate::workload::text::shortened;

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

/// The program that is started for a task, in these surroundings.
///
/// # Errors
/// When a text contains a zero byte, or there is no program.
pub(crate) fn prepared(surroundings: &Program, start: &ProgramStart, mark: &str) -> io::Result<Program> {
    let mut program = surroundings.clone();
    if start.clean {
        // What is left behind is found by those of ours.
        program.unset_all_but(environment::OURS);
    }
    for (name, value) in &start.variables {
        match value {
            Some(value) => program.set(OsStr::from_bytes(name), OsStr::from_bytes(value))?,
            None => program.unset(name),
        }
    }
    program.set(environment::TASK.as_ref(), mark.as_ref())?;
    if let Some(folder) = &start.folder {
        let folder = within(program.folder(), folder);
        program = program.in_folder(Some(&folder))?;
    }
    let argv: Vec<&OsStr> = start.argv.iter().map(|argument| OsStr::from_bytes(argument)).collect();
    program.with_arguments(&argv)
}

/// Why it was not started, in more words than the system has.
pub(crate) fn explained(program: &Program, error: io::Error) -> io::Error {
    let words = match error.raw_os_error() {
        Some(libc::ENOENT) if program.is_looked_up() => Some("No such file or directory in PATH".to_owned()),
        Some(libc::EACCES) => program.not_executable().map(|why| format!("{error}: {why}")),
        _ => None,
    };
    match words {
        Some(words) => worded(&error, words),
        None => error,
    }
}

/// What it reads; `None` for nothing.
///
/// # Errors
/// When the file cannot be opened, or there is no memory for the text.
pub(crate) fn input(surroundings: &Program, start: &ProgramStart) -> io::Result<Option<OwnedFd>> {
    match &start.input {
        StartInput::Null => Ok(None),
        StartInput::Bytes(bytes) => {
            let text = memory_file::of(bytes)?;
            rustix::fs::seek(&text, rustix::fs::SeekFrom::Start(0))?;
            Ok(Some(text))
        }
        StartInput::File(name) => {
            let path = within(surroundings.folder(), name);
            let failed = |error: io::Error| worded(&error, format!("its standard input, {}: {error}", path.display()));
            // One without a writer is not waited for here.
            let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
            let file = OpenOptions::new().read(true).custom_flags(flags).open(&path).map_err(failed)?;
            // Without a writer it would be empty, and one that writes once is gone with the first task.
            if file.metadata().map_err(failed)?.file_type().is_fifo() {
                return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "a named pipe, not a file")));
            }
            rustix::io::ioctl_fionbio(&file, false)?;
            Ok(Some(file.into()))
        }
    }
}

/// The files in which what it writes is kept; `None` where it is not.
///
/// # Errors
/// When they cannot be made.
pub(crate) fn output(surroundings: &Program, start: &ProgramStart) -> io::Result<Option<(KeptOutput, KeptOutput)>> {
    let path = start.output.as_ref().map(|path| within(surroundings.folder(), path));
    let failed = |error: io::Error| worded(&error, format!("its output cannot be kept: {error}"));
    path.map(|path| kept_output::both(&path)).transpose().map_err(failed)
}

/// What the end of a program comes to: its value, or the error where its exit status does not say it.
pub(crate) fn outcome(rules: &ProgramRules, exit: Exit, stdout: &Capture) -> Result<u64, Option<String>> {
    if !rules.success_codes.iter().any(|code| exit == Exit::Code(i32::from(*code))) {
        return Err(exit.is_success().then(|| "exit code 0, which is none of its success_codes".to_owned()));
    }
    if rules.result_is_output { number(stdout).map_err(Some) } else { Ok(value(stdout)) }
}

/// The number that the last line with anything in it is, as the bits of the float of 64 bits that is nearest to it.
fn number(stdout: &Capture) -> Result<u64, String> {
    let line = match stdout.last_line() {
        Ok(Some(line)) => line,
        Ok(None) => return Err("it wrote nothing, and its result is to be a number".to_owned()),
        Err(LineCut) => {
            return Err("its result is no number: the last line is longer than what is kept of it".to_owned());
        }
    };
    let number = line.parse::<f64>().ok().filter(|number| number.is_finite());
    number.map(f64::to_bits).ok_or_else(|| format!("its result is no number: {}", shortened(&line, 60)))
}

fn within(folder: Option<&Path>, name: &[u8]) -> PathBuf {
    let name = Path::new(OsStr::from_bytes(name));
    folder.map_or_else(|| name.to_owned(), |folder| folder.join(name))
}

/// Runs the program to its end; `line` is told when it has begun, and its process id. A SIGTERM in the meantime is remembered
/// ([`signals::terminated`]).
pub(crate) fn run(start: &ProgramStart, rules: &ProgramRules, task: &TaskRun, setup: &Setup, line: &OwnLine) -> Ran {
    let mark = environment::task_mark(task.first, task.attempt);
    // The program shares the worker's group, so that a signal to the worker's group reaches it too. A SIGTERM for the
    // group is the program's to handle; the worker leaves when the program has.
    signals::catch_termination();
    let ran = match patiently(&start.name(), || try_start(start, &mark, setup.folder.as_deref())) {
        Ok(running) => {
            let at = running.child.started_at();
            line.program_started(at, running.child.pid());
            let worked = Worked {
                attempt: board::attempt(task.first, task.attempt.number()),
                from: at,
                until: at,
                timeout: rules.timeout,
            };
            running.finish(at, rules, |until| line.lets_count(Worked { until, ..worked }))
        }
        Err(failure) => {
            let at = monotonic();
            Ran { started: at, ended: at, usage: Usage::NONE, result: Err(failure) }
        }
    };
    signals::release_termination();
    ran
}

/// What one of its streams gives.
struct Output {
    capture: Capture,
    kept: Option<KeptOutput>,
    spooled: Option<SpooledOutput>,
}

impl Sink for Output {
    fn push(&mut self, bytes: &[u8]) {
        self.capture.push(bytes);
        self.spooled.iter_mut().for_each(|spooled| spooled.push(bytes));
        self.kept.iter_mut().for_each(|kept| kept.push(bytes));
    }
}

impl Output {
    /// Has the file its name.
    fn finish(&mut self) -> Result<(), String> {
        finish(self.kept.take())?;
        spooled(self.spooled.as_mut())
    }
}

/// Everything was written to a file that is kept.
pub(crate) fn finish(kept: Option<KeptOutput>) -> Result<(), String> {
    kept.map_or(Ok(()), KeptOutput::finish).map_err(|error| format!("its output cannot be kept: {error}"))
}

/// Everything was handed on.
pub(crate) fn spooled(spooled: Option<&mut SpooledOutput>) -> Result<(), String> {
    let failed = |error: io::Error| format!("its output cannot be held until it is handed on: {error}");
    spooled.map_or(Ok(()), SpooledOutput::finish).map_err(failed)
}

struct Running {
    child: Child,
    stdout: OwnedFd,
    stderr: OwnedFd,
    kept: Option<(KeptOutput, KeptOutput)>,
    spooled: Option<[SpooledOutput; 2]>,
}

/// One that what came with it does not say what to start for.
pub(crate) fn unclear(error: &BadStart) -> Ran {
    let at = monotonic();
    let failure = Failure { message: Some(error.to_string()), not_started: true, ..Failure::default() };
    Ran { started: at, ended: at, usage: Usage::NONE, result: Err(Box::new(failure)) }
}

fn not_started(program: &str, error: &std::io::Error) -> Box<Failure> {
    Box::new(Failure { message: Some(format!("{program}: {error}")), not_started: true, ..Failure::default() })
}

/// Starts a program, again and again where the system is short of something.
pub(super) fn patiently<T>(
    program: &str,
    mut try_start: impl FnMut() -> std::io::Result<T>,
) -> Result<T, Box<Failure>> {
    let begin = Instant::now();
    loop {
        let error = match try_start() {
            Ok(running) => return Ok(running),
            Err(error) => error,
        };
        // The system is short of something: back off, as the engine does for its own starts.
        if begin.elapsed() >= patience(&error) || signals::terminated() {
            return Err(not_started(program, &error));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn try_start(start: &ProgramStart, mark: &str, folder: Option<&[u8]>) -> std::io::Result<Running> {
    let folder = folder.map(|folder| Path::new(OsStr::from_bytes(folder)));
    let surroundings = Program::new(&["-"])?.in_folder(folder)?.in_parents_group().dies_with_parent();
    let program = prepared(&surroundings, start, mark)?;
    let input = input(&surroundings, start)?.map_or_else(|| dev_null::open().map(OwnedFd::from), Ok)?;
    let kept = output(&surroundings, start)?;
    let path = start.spool.as_ref().map(|path| Path::new(OsStr::from_bytes(path)));
    let spooled = path.map(|path| both_paths(path).map(SpooledOutput::at));
    let (stdout, stdout_end) = pipe()?;
    let (stderr, stderr_end) = pipe()?;
    let child = program
        .spawn(&[(input.as_fd(), 0), (stdout_end.as_fd(), 1), (stderr_end.as_fd(), 2)])
        .map_err(|error| explained(&program, error))?;
    Ok(Running { child, stdout, stderr, kept, spooled })
}

impl Running {
    /// `counts` says whether what it comes to at that moment is the outcome of its task.
    fn finish(mut self, started: u64, rules: &ProgramRules, counts: impl FnOnce(u64) -> bool) -> Ran {
        let (kept_out, kept_err) = self.kept.take().unzip();
        let [spooled_out, spooled_err] = self.spooled.take().map_or([None, None], |both| both.map(Some));
        let mut stdout = Output { capture: Capture::default(), kept: kept_out, spooled: spooled_out };
        let mut stderr = Output { capture: Capture::default(), kept: kept_err, spooled: spooled_err };
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
        let kept = if counts(ended) { stdout.finish().and(stderr.finish()) } else { Ok(()) };
        let (stdout, stderr) = (stdout.capture, stderr.capture);
        let result = kept.map_err(Some).and_then(|()| outcome(rules, reaped.exit, &stdout)).map_err(|message| {
            let failure = Failure { message, exit: Some(reaped.exit), ..Failure::default() };
            Box::new(match rules.keep_output {
                KeepOutput::None => failure,
                KeepOutput::Tail | KeepOutput::File => Failure {
                    stdout_tail: stdout.text(),
                    stderr_tail: stderr.text(),
                    output_omitted_bytes: stdout.omitted() + stderr.omitted(),
                    ..failure
                },
            })
        });
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
