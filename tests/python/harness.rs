//! Runs workloads of functions in Python through the program itself.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::support::hard_limit_of;
use crate::support::program::{WorkloadFolder, only_run};

/// Those in which a task has an interpreter to itself.
pub const PROCESSES: [&str; 3] = ["pool", "process", "serial"];
/// All of them.
pub const ENGINES: [&str; 4] = ["pool", "process", "serial", "thread"];

/// An interpreter of the machine.
#[derive(Clone, Debug)]
pub struct Python {
    pub program: PathBuf,
    pub version: (u32, u32),
    /// Built to run without the lock.
    pub free_threaded: bool,
}

/// Has these tests run in every interpreter that is found, where it is not empty or 0.
const EVERY: &str = "POOLSCOPE_EVERY_PYTHON";
/// The interpreters to run these tests in and no others, separated like those of `PATH`.
const ONLY: &str = "POOLSCOPE_ONLY_PYTHON";
/// Beside the oldest and the newest one, this one is tried, or the one in the middle where it is not here.
const BETWEEN: (u32, u32) = (3, 11);

/// The interpreters that each test is run in: the oldest, one in between, the newest, and the newest that is free-threaded; all
/// of them if that is asked for.
pub fn pythons() -> &'static [Python] {
    static CHOSEN: OnceLock<Vec<Python>> = OnceLock::new();
    CHOSEN.get_or_init(|| {
        let found = every_python();
        let all = std::env::var_os(EVERY).is_some_and(|value| !value.is_empty() && value != "0");
        let between = found.iter().position(|python| !python.free_threaded && python.version == BETWEEN);
        let free = found.iter().rposition(|python| python.free_threaded);
        let places = [Some(0), between.or(Some(found.len() / 2)), free, Some(found.len() - 1)];
        let (chosen, rest): (Vec<_>, Vec<_>) =
            found.iter().enumerate().partition(|(place, _)| all || places.contains(&Some(*place)));
        let versions = |some: &[(usize, &Python)]| {
            let versions = some.iter().map(|(_, python)| python.words());
            versions.collect::<Vec<_>>().join(", ")
        };
        let rest = match versions(&rest) {
            none if none.is_empty() => String::new(),
            rest => format!("; {rest} in the table of cases alone ({EVERY}=1: in each)"),
        };
        // Not what a test prints, which is shown only if it fails.
        let _ = writeln!(std::io::stderr(), "each test is run in Python {}{rest}", versions(&chosen));
        chosen.into_iter().map(|(_, python)| python.clone()).collect()
    })
}

/// Every interpreter that is new enough: those of `PATH`, and those of pyenv. One at least, or these tests fail. The older
/// ones come first; those that are free-threaded are in front of the newest one, so that this is one with a lock if any is.
pub fn every_python() -> &'static [Python] {
    static FOUND: OnceLock<Vec<Python>> = OnceLock::new();
    FOUND.get_or_init(|| {
        hard_limit_of(std::time::Duration::from_secs(900));
        let mut found: BTreeMap<((u32, u32), bool), Python> = BTreeMap::new();
        for python in candidates().iter().filter_map(|program| asked(program)) {
            found.entry((python.version, python.free_threaded)).or_insert(python);
        }
        found.retain(|(version, _), _| *version >= (3, 8));
        assert!(!found.is_empty(), "these tests need Python 3.8 or newer");
        let (free, mut found): (Vec<_>, Vec<_>) = found.into_values().partition(|python| python.free_threaded);
        let newest = found.pop();
        found.into_iter().chain(free).chain(newest).collect()
    })
}

/// What may be an interpreter: first what the name alone means.
fn candidates() -> Vec<PathBuf> {
    if let Some(only) = std::env::var_os(ONLY).filter(|only| !only.is_empty()) {
        return std::env::split_paths(&only).collect();
    }
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let root = root.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".pyenv")));
    let versions = root.as_ref().and_then(|root| std::fs::read_dir(root.join("versions")).ok());
    let installed = versions.into_iter().flatten().flatten().map(|entry| entry.path().join("bin/python3"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    // The shims of pyenv choose among what is looked at anyway, and each of them takes its time.
    let shims = root.as_ref().map(|root| root.join("shims"));
    let folders = std::env::split_paths(&path).filter(|folder| Some(folder) != shims.as_ref());
    let numbered = |folder: PathBuf| {
        let names = (8..=20).flat_map(|minor| [format!("python3.{minor}"), format!("python3.{minor}t")]);
        names.map(|name| folder.join(name)).filter(|file| file.is_file()).collect::<Vec<_>>()
    };
    std::iter::once(PathBuf::from("python3")).chain(installed).chain(folders.flat_map(numbered)).collect()
}

fn asked(program: &Path) -> Option<Python> {
    let script = "import sys, sysconfig; print(sys.executable, *sys.version_info[:2], \
                  sysconfig.get_config_var('Py_GIL_DISABLED') or 0, sep='\\n')";
    let output = Command::new(program).args(["-I", "-c", script]).output().ok().filter(|out| out.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut lines = text.lines();
    let program = PathBuf::from(lines.next()?);
    let version = (lines.next()?.parse().ok()?, lines.next()?.parse().ok()?);
    Some(Python { program, version, free_threaded: lines.next()? == "1" })
}

impl Python {
    /// `3.13`, or `3.13t` without a lock.
    pub fn words(&self) -> String {
        let (major, minor) = self.version;
        format!("{major}.{minor}{}", if self.free_threaded { "t" } else { "" })
    }
}

/// Those that have subinterpreters for programs. Where there is none, that is told: nothing is asserted of them then.
pub fn with_subinterpreters() -> impl Iterator<Item = &'static Python> {
    let found = || every_python().iter().filter(|python| python.version >= (3, 14));
    if found().next().is_none() {
        let _ =
            writeln!(std::io::stderr(), "no Python 3.14 or newer is here: what runs in subinterpreters is not tried");
    }
    found()
}

/// The newest one.
pub fn newest() -> &'static Python {
    pythons().last().unwrap()
}

/// A task: its name, what it calls, and more of its entry.
pub type Task<'a> = (&'a str, &'a str, &'a str);

/// A folder with the functions, and a workload in it.
pub fn folder(python: &Python, tasks: &[Task<'_>], more: &str) -> WorkloadFolder {
    let entry = |(name, callable, rest): &Task<'_>| {
        let count = if rest.contains("count:") { "" } else { ", count: 1" };
        let comma = if rest.is_empty() { "" } else { ", " };
        format!("  - {{ name: {name}, kind: python, callable: \"{callable}\"{count}{comma}{rest} }}\n")
    };
    let tasks: String = tasks.iter().map(entry).collect();
    let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/cases");
    let more = if more.contains("python:") {
        more.replace("PYTHON", python.program.to_str().unwrap())
    } else {
        format!("python: {{ interpreter: {}, path: ['{cases}'] }}\n{more}", python.program.display())
    };
    let engines = "engines: [{ kind: pool, workers: 2 }, { kind: process, workers: 2 }, { kind: serial }, \
                   { kind: thread, workers: 2 }]";
    let engines = if more.contains("engines:") { "" } else { engines };
    WorkloadFolder::new(&format!("version: 1\nseed: 7\ntasks:\n{tasks}{more}\n{engines}\n"))
}

/// What became of the tasks of a run.
pub struct Told {
    pub run: Value,
}

impl Told {
    pub fn count(&self, outcome: &str) -> u64 {
        self.run["tasks"][outcome].as_u64().unwrap()
    }

    /// Outcome, cause and standard error of the only task of a class; succeeded if nothing else is told of it.
    pub fn of(&self, class: &str) -> (&str, &str, &str) {
        let failures = self.run["failures"].as_array().unwrap();
        let found = failures.iter().find(|failure| failure["class"] == class);
        found.map_or(("succeeded", "", ""), |failure| {
            let text = |key: &str| failure[key].as_str().unwrap();
            (text("outcome"), text("cause"), text("stderr"))
        })
    }

    pub fn hash(&self) -> &str {
        self.run["results_hash"].as_str().unwrap()
    }
}

/// Runs it in one engine.
pub fn run(folder: &WorkloadFolder, engine: &str) -> Told {
    let output = folder.run(engine, &["--format", "json"]).env("PYTHONDONTWRITEBYTECODE", "1").output().unwrap();
    Told { run: only_run(&output) }
}

/// Runs tasks in the chosen interpreters and every engine; in the serial one, which is a pool of one, in the oldest and the
/// newest.
pub fn everywhere(tasks: &[Task<'_>], check: impl Fn(&Python, &str, &Told)) {
    in_engines(pythons(), &ENGINES, tasks, check);
}

/// The same without threads, for what they are told apart by.
pub fn in_processes(tasks: &[Task<'_>], check: impl Fn(&Python, &str, &Told)) {
    in_engines(pythons(), &PROCESSES, tasks, check);
}

/// The same in these interpreters and engines.
pub fn in_engines(pythons: &[Python], engines: &[&str], tasks: &[Task<'_>], check: impl Fn(&Python, &str, &Told)) {
    let (oldest, newest) = (&pythons[0], pythons.last().unwrap());
    for python in pythons {
        let folder = folder(python, tasks, "");
        let between = python.version != oldest.version && python.version != newest.version;
        for engine in engines.iter().filter(|engine| !between || **engine != "serial") {
            check(python, engine, &run(&folder, engine));
        }
    }
}
