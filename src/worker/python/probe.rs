//! Looks at an interpreter before a run, in a process that is thrown away: which one it is, and whether what the tasks call
//! is there and can be called so. The only place that runs Python outside of a run.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{PROBE, WORKER, folders, own_program};
use crate::os::accounting::Exit;
use crate::os::capture::Capture;
use crate::os::child::{Child, Reaped};
use crate::os::pipe::{Drained, drain, pipe};
use crate::os::{clock, dev_null, memory_file, orphans};
use crate::worker::protocol::{CODE_FD, SOCKET_FD};
use crate::workload::model::{Interpreter, PythonCall, PythonSettings, ThreadPool, Version};

/// Descriptor of the source of the worker.
const WORKER_FD: i32 = 6;
/// Descriptor of what is asked.
const REQUEST_FD: i32 = 7;
/// What a shim of pyenv calls.
const PYENV: &[u8] = b"libexec/pyenv\" exec";
/// Variable by which whatever an import has started is known.
const MARK: &str = "POOLSCOPE_LOOK";
/// How long its end is waited for.
const LEAVE: Duration = Duration::from_millis(500);
/// The oldest version that the worker runs in.
const OLDEST: [u32; 2] = [3, 8];

/// Why tasks in Python cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// There is no such program.
    #[error("the interpreter {} could not be started: {source}", program.display())]
    NotStarted {
        /// What was to be started.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no Python, or one that cannot run anything.
    #[error("{} does not work as an interpreter of Python: it ended with {exit}", program.display())]
    NoPython {
        /// What was started.
        program: PathBuf,
        /// How it ended.
        exit: Exit,
        /// What it printed.
        printed: String,
    },
    /// It is too old.
    #[error("{} is Python {version}; 3.8 or newer is needed", program.display())]
    TooOld {
        /// What was started.
        program: PathBuf,
        /// Which one it is.
        version: Version,
    },
    /// The system is short of something.
    #[error("the interpreter cannot be looked at: {source}")]
    System {
        /// What the system said.
        source: io::Error,
    },
    /// It took too long.
    #[error("{doing} took longer than {limit:?} (`python.probe_timeout`)")]
    TookTooLong {
        /// What it was at.
        doing: String,
        /// The limit.
        limit: Duration,
        /// What it printed.
        printed: String,
    },
    /// The import ended the interpreter.
    #[error("the module of `{callable}` left the interpreter while it was imported: {exit}")]
    Left {
        /// What was to be called.
        callable: String,
        /// How the interpreter ended.
        exit: Exit,
        /// What it printed.
        printed: String,
    },
    /// Calls that cannot be made.
    #[error("{} of the calls cannot be made", problems.len())]
    Calls {
        /// Why not.
        problems: Vec<CallProblem>,
        /// What was printed by what was imported.
        printed: String,
    },
}

impl ProbeError {
    /// What it printed until then.
    #[must_use]
    pub fn printed(&self) -> &str {
        match self {
            Self::NoPython { printed, .. }
            | Self::TookTooLong { printed, .. }
            | Self::Left { printed, .. }
            | Self::Calls { printed, .. } => printed,
            Self::NotStarted { .. } | Self::TooOld { .. } | Self::System { .. } => "",
        }
    }
}

impl From<io::Error> for ProbeError {
    fn from(source: io::Error) -> Self {
        Self::System { source }
    }
}

/// Why a call cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CallProblem {
    /// Which of those that were asked about.
    pub place: usize,
    pub kind: CallProblemKind,
    /// What the interpreter said.
    pub message: String,
    /// Where an import failed.
    #[serde(default)]
    pub trace: String,
    /// How the function may be called.
    #[serde(default)]
    pub signature: String,
}

/// What is wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallProblemKind {
    /// The module cannot be imported.
    Import,
    /// The module has no such thing.
    Missing,
    /// It is nothing that does its work when it is called.
    Call,
    /// It does not take these arguments.
    Arguments,
}

/// A line of the probe's answer.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Facts(Facts),
    Code(String),
    Trying(usize),
    Problem(CallProblem),
    /// Whether the lock is in use now that everything was imported.
    Gil(bool),
    ThreadPools(Vec<ThreadPool>),
    Unfit(String),
    Done(#[expect(dead_code, reason = "it says nothing more")] bool),
}

#[derive(Deserialize)]
struct Facts {
    executable: PathBuf,
    version: String,
    implementation: String,
    gil: bool,
    #[serde(default)]
    free_threaded: bool,
    cpu_count: Option<u32>,
    process_cpu_count: Option<u32>,
    prefix: Option<PathBuf>,
    start_method: String,
    #[serde(default)]
    variables: Vec<(String, String)>,
}

/// What a probe has come to.
#[derive(Default)]
struct Heard {
    facts: Option<Facts>,
    code: Vec<u8>,
    trying: Option<usize>,
    problems: Vec<CallProblem>,
    gil: Option<bool>,
    thread_pools: Vec<ThreadPool>,
    unfit: Option<String>,
    done: bool,
}

impl Heard {
    /// Takes in an answer as far as it has come.
    fn of(answers: &[u8]) -> Self {
        let lines = answers.split(|byte| *byte == b'\n');
        // A line that was cut off by the end of the interpreter says nothing.
        lines.filter_map(|line| serde_json::from_slice(line).ok()).fold(Self::default(), |mut heard, answer| {
            match answer {
                Answer::Facts(facts) => heard.facts = Some(facts),
                Answer::Code(digits) => heard.code = bytes_of(&digits),
                Answer::Trying(place) => heard.trying = Some(place),
                Answer::Problem(problem) => heard.problems.push(problem),
                Answer::Gil(in_use) => heard.gil = Some(in_use),
                Answer::ThreadPools(pools) => heard.thread_pools = pools,
                Answer::Unfit(reason) => heard.unfit = heard.unfit.or(Some(reason)),
                Answer::Done(_) => heard.done = true,
            }
            heard
        })
    }
}

/// The bytes that hexadecimal digits stand for.
fn bytes_of(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks_exact(2);
    pairs.filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Looks at the interpreter of these settings, and whether it can make these calls. Nothing is imported where there are none.
///
/// # Errors
/// Why tasks cannot be run in it.
pub fn probe(
    settings: &PythonSettings,
    folder: Option<&Path>,
    seed: u64,
    calls: &[&PythonCall],
) -> Result<Interpreter, ProbeError> {
    look(settings, folder, seed, calls, None).map(|(found, _)| found)
}

/// How a call is handed on that is made elsewhere than where it was looked at: by a program of CPython's own, or in another
/// interpreter of the same process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HandingOn {
    /// The function travels as a pickle.
    pub pickled: bool,
    /// The arguments have no names, with this method.
    pub by_position: Option<&'static str>,
    /// There is one argument alone.
    pub one: bool,
    /// Its module is imported in a subinterpreter.
    pub inside: bool,
}

/// Why a call cannot be handed on so, in words of the interpreter; `None` if all of them can.
///
/// # Errors
/// As [`probe`].
pub fn cannot_hand_on(
    settings: &PythonSettings,
    folder: Option<&Path>,
    seed: u64,
    calls: &[&PythonCall],
    how: HandingOn,
) -> Result<Option<String>, ProbeError> {
    look(settings, folder, seed, calls, Some(how)).map(|(_, unfit)| unfit)
}

fn look(
    settings: &PythonSettings,
    folder: Option<&Path>,
    seed: u64,
    calls: &[&PythonCall],
    handing_on: Option<HandingOn>,
) -> Result<(Interpreter, Option<String>), ProbeError> {
    let program = settings.program(folder);
    let asked: Vec<_> = calls.iter().map(|call| json!({ "callable": call.callable, "args": call.args })).collect();
    let request = json!({ "path": folders(settings, folder), "calls": asked, "handing_on": handing_on }).to_string();
    let code = memory_file::of(format!("{WORKER}{PROBE}").as_bytes())?;
    let (worker, request) = (memory_file::of(WORKER.as_bytes())?, memory_file::of(request.as_bytes())?);
    let (answers, answers_end) = pipe()?;
    let (output, output_end) = pipe()?;
    let null = dev_null::open()?;
    let mut command =
        own_program(program.as_os_str(), settings, seed, &["__probe"])?.in_folder(folder)?.dies_with_parent();
    let mark = format!("{}-{}", std::process::id(), clock::monotonic());
    command.set(MARK.as_ref(), mark.as_ref())?;
    let descriptors = [
        (null.as_fd(), 0),
        (output_end.as_fd(), 1),
        (output_end.as_fd(), 2),
        (answers_end.as_fd(), SOCKET_FD),
        (code.as_fd(), CODE_FD),
        (worker.as_fd(), WORKER_FD),
        (request.as_fd(), REQUEST_FD),
    ];
    let begin = Instant::now();
    let mut child =
        command.spawn(&descriptors).map_err(|source| ProbeError::NotStarted { program: program.clone(), source })?;
    drop((answers_end, output_end));
    let (mut said, mut printed) = (Vec::new(), Capture::default());
    let limit = settings.patience();
    let ended = wait(&mut child, [&answers, &output], &mut said, &mut printed, begin + limit);
    drop(child);
    end_what_it_left(&mark);
    let (heard, printed) = (Heard::of(&said), printed.text());
    let callable = |place: usize| calls.get(place).map(|call| call.callable.clone()).unwrap_or_default();
    let Some(reaped) = ended else {
        let doing = match heard.trying {
            Some(place) => format!("the import of the module of `{}`", callable(place)),
            None => format!("starting {}", program.display()),
        };
        return Err(ProbeError::TookTooLong { doing, limit, printed });
    };
    let exit = reaped.exit;
    let Some(facts) = heard.facts else { return Err(ProbeError::NoPython { program, exit, printed }) };
    let version = Version::parse(&facts.version).unwrap_or(Version(Vec::new()));
    if version.0.get(..2).is_none_or(|version| version < &OLDEST[..]) {
        return Err(ProbeError::TooOld { program, version });
    }
    match (heard.done, heard.trying) {
        (false, Some(place)) => return Err(ProbeError::Left { callable: callable(place), exit, printed }),
        (false, None) => return Err(ProbeError::NoPython { program, exit, printed }),
        (true, _) if !heard.problems.is_empty() => {
            return Err(ProbeError::Calls { problems: heard.problems, printed });
        }
        (true, _) => {}
    }
    let interpreter = Interpreter {
        executable: if is_wrapper(&program) { program } else { facts.executable },
        version,
        implementation: facts.implementation,
        gil: heard.gil.unwrap_or(facts.gil),
        gil_switched_on: !facts.gil && heard.gil == Some(true),
        free_threaded: facts.free_threaded,
        cpu_count: facts.cpu_count,
        process_cpu_count: facts.process_cpu_count,
        environment: facts.prefix,
        start_method: facts.start_method,
        variables: facts.variables,
        thread_pools: heard.thread_pools,
        code: heard.code,
    };
    Ok((interpreter, heard.unfit))
}

/// Whether a program is a script that starts an interpreter and may do more: workers are started by it too. A shim of
/// pyenv only chooses one, which is the same each time and need not be chosen again by each worker.
fn is_wrapper(program: &Path) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let named = (program.components().count() > 1).then(|| program.to_owned());
    let places = named.into_iter().chain(std::env::split_paths(&path).map(|folder| folder.join(program)));
    let Some(file) = places.filter_map(|place| File::open(place).ok()).next() else { return false };
    let mut head = Vec::new();
    // What cannot be read is no script.
    let _ = file.take(4096).read_to_end(&mut head);
    head.starts_with(b"#!") && !head.windows(PYENV.len()).any(|part| part == PYENV)
}

/// Ends what an import has started and left behind, whatever it did to its session.
fn end_what_it_left(mark: &str) {
    let deadline = Instant::now() + LEAVE;
    loop {
        let swept = orphans::sweep(|orphan| orphan.variable(MARK).as_deref() != Some(mark), |_| false);
        if swept.killed + swept.dying == 0 || Instant::now() >= deadline {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Most bytes that are taken in: the code of the worker is some tens of thousands, and whoever says more is not read any
/// more, so that its limit ends it.
const MOST_ANSWERS: usize = 4 << 20;

/// Takes in what it says and prints until it has ended; `None` if it has not by this time. Whoever holds its pipes then is
/// not waited for.
fn wait(
    child: &mut Child,
    [answers, output]: [&OwnedFd; 2],
    said: &mut Vec<u8>,
    printed: &mut Capture,
    deadline: Instant,
) -> Option<Reaped> {
    let mut open = [true, true];
    loop {
        let ended = child.try_reap().unwrap_or(Some(Reaped::UNKNOWN));
        if open[0] {
            open[0] = drain(answers, said) == Drained::Open && said.len() <= MOST_ANSWERS;
        }
        if open[1] {
            open[1] = drain(output, printed) == Drained::Open;
        }
        if ended.is_some() {
            return ended;
        }
        let left = Timespec::try_from(deadline.checked_duration_since(Instant::now())?).ok()?;
        let mut watched = Vec::with_capacity(3);
        watched.extend(open[0].then(|| PollFd::new(answers, PollFlags::IN)));
        watched.extend(open[1].then(|| PollFd::new(output, PollFlags::IN)));
        match child.pidfd() {
            Some(pidfd) => watched.push(PollFd::from_borrowed_fd(pidfd, PollFlags::IN)),
            None => std::thread::sleep(Duration::from_millis(1)),
        }
        // An interrupted wait is looked into like any other.
        let _ = poll(&mut watched, Some(&left));
    }
}
