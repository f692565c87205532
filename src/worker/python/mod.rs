//! Workers that are interpreters: what they are started with, and how one is looked at before.
//!
//! The Python of it lies beside this file: `base.py`, `call.py`, `digest.py`, `failure.py`, `output.py`, `state.py` and
//! `initializer.py` are shared by `worker.py`, which speaks the protocol (with `lanes.py` where a worker has several lanes,
//! `interpreters.py` where each of those has an interpreter of its own, and `gil_probe.py` where a run asks for it), `fork_server.py`, which forks such workers, and `probe.py`. They are one program to the interpreter, which gets it in an
//! inherited descriptor and leaves no file behind; `boot.py` is what its command line says. Nothing in here knows an
//! engine: one worker is a process of its own, whoever asks for it.

mod probe;

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use crate::os::spawn::Program;
use crate::os::{fork, memory_file};
use crate::worker::entry::FORK_SERVER;
use crate::worker::protocol::PythonSetup;
use crate::workload::model::{Interpreter, PythonCall, PythonSettings};

pub use probe::{CallProblem, CallProblemKind, HandingOn, ProbeError, cannot_hand_on, probe};

/// What the interpreter's command line says.
const BOOT: &str = include_str!("boot.py");
/// The worker. Its first byte tells a source from what was compiled.
const WORKER: &str = concat!(
    "# The worker of Poolscope.\n",
    include_str!("base.py"),
    include_str!("call.py"),
    include_str!("digest.py"),
    include_str!("failure.py"),
    include_str!("output.py"),
    include_str!("state.py"),
    include_str!("left.py"),
    include_str!("initializer.py"),
    include_str!("worker.py"),
    include_str!("gil_probe.py"),
    include_str!("lanes.py"),
    include_str!("interpreters.py"),
    include_str!("fork_server.py"),
    include_str!("start.py"),
);
/// The probe, which begins like the worker.
const PROBE: &str = include_str!("probe.py");

/// Variables that would have an interpreter do something else than its program.
const MISLEADING: [&str; 3] = ["PYTHONSTARTUP", "PYTHONINSPECT", "PYTHONHOME"];
/// Seeds the hashes of text.
const HASH_SEED: &str = "PYTHONHASHSEED";

/// What the workers of an arm are started with, and what they are told.
#[derive(Clone, Debug)]
pub struct PythonWorkers {
    pub interpreter: Arc<Interpreter>,
    /// Those of the arm.
    pub settings: PythonSettings,
    /// The workload's.
    pub folder: Option<PathBuf>,
    /// What the tasks call, by class.
    pub callables: Vec<String>,
    /// What is called once before the first task.
    pub initializer: Option<PythonCall>,
    /// Whether results are pickled and returned.
    pub pickles: bool,
    /// Whether they tell what tasks change in their process for those after them.
    pub watches: bool,
    /// Whether a thread in each of them probes how long the interpreter's lock is held.
    pub gil_probe: bool,
    /// Whether each lane has an interpreter of its own.
    pub interpreters: bool,
    /// What is to be said about them before they start.
    pub advice: Option<String>,
}

impl PythonWorkers {
    /// Arguments before those of a worker.
    pub(crate) const ARGUMENTS: usize = 3;

    /// The interpreter with these arguments for the worker.
    pub(crate) fn program(&self, seed: u64, arguments: &[&str]) -> io::Result<Program> {
        own_program(self.interpreter.executable.as_os_str(), &self.settings, seed, arguments)
    }

    /// What is imported, each once.
    fn callables(&self) -> Vec<String> {
        let initializer = self.initializer.iter().map(|call| &call.callable);
        let mut names: Vec<String> = Vec::new();
        for name in self.callables.iter().chain(initializer) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }

    /// The arguments of a fork server: what its parent is, and what the system calls the calls that fork.
    pub(crate) fn fork_server_arguments(parent: &str) -> Vec<String> {
        let numbers = fork::NUMBERS.map(|number| number.to_string());
        [FORK_SERVER.to_owned(), parent.to_owned()].into_iter().chain(numbers).collect()
    }

    /// What it is to run.
    pub(crate) fn code(&self) -> io::Result<OwnedFd> {
        memory_file::of(&self.interpreter.code)
    }

    /// What it is told first, and the mark that it ends with what its tasks print: one that no task knows.
    pub(crate) fn setup(&self) -> io::Result<(PythonSetup, [u8; 16])> {
        let mut mark = [0; 16];
        std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut mark)?;
        let setup = PythonSetup {
            path: folders(&self.settings, self.folder.as_deref()),
            callables: self.callables(),
            initializer: self.initializer.clone(),
            pickles: self.pickles,
            watches: self.watches,
            gil_probe: self.gil_probe,
            interpreters: self.interpreters,
            mark: mark.iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        Ok((setup, mark))
    }
}

/// The folders that modules are looked for in first, as they are told: names are bytes, and each stands as the character of
/// its number, since text has no place for what is no UTF-8, and an interpreter reads it in an encoding of its own.
pub(crate) fn folders(settings: &PythonSettings, folder: Option<&std::path::Path>) -> Vec<String> {
    let told = |folder: &PathBuf| folder.as_os_str().as_bytes().iter().map(|byte| char::from(*byte)).collect();
    settings.folders(folder).iter().map(told).collect()
}

/// An interpreter that runs what is in its descriptor 5.
fn own_program(file: &OsStr, settings: &PythonSettings, seed: u64, arguments: &[&str]) -> io::Result<Program> {
    let all: Vec<&OsStr> = ["-c", BOOT].iter().chain(arguments).map(OsStr::new).collect();
    interpreter(file, settings, seed, &all)
}

/// An interpreter with these arguments, in the environment of the tasks.
pub(crate) fn interpreter(
    file: &OsStr,
    settings: &PythonSettings,
    seed: u64,
    arguments: &[&OsStr],
) -> io::Result<Program> {
    let mut argv: Vec<&OsStr> = vec![file];
    argv.extend(arguments);
    let mut program = Program::new(&argv)?;
    MISLEADING.iter().for_each(|name| program.unset(name));
    for (name, value) in &settings.env {
        program.set(name.as_ref(), value.as_ref())?;
    }
    if !program.has(HASH_SEED) {
        // A number of 32 bits, other than 0, which would mean that nothing is random.
        program.set(HASH_SEED.as_ref(), (seed % 0xFFFF_FFFF + 1).min(0xFFFF_FFFF).to_string().as_ref())?;
    }
    Ok(program)
}
