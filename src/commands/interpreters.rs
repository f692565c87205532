//! The interpreters of Python that are here: in the folders of `PATH` and under pyenv.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use crate::commands::python::has_subinterpreters;
use crate::worker::python::{ProbeError, probe};
use crate::workload::model::{EngineKind, Interpreter, PythonSettings, StartMethod, Version};

/// One that takes longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is called like an interpreter, and what it is.
#[derive(Debug)]
pub(super) struct FoundInterpreter {
    pub(crate) program: PathBuf,
    pub(crate) is: Result<Interpreter, ProbeError>,
}

/// Looks at each once, whatever it is called; scripts that find no interpreter are left out.
pub(super) fn find() -> Vec<FoundInterpreter> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for program in candidates() {
        // Links to the same file are the same interpreter, unless a virtual environment is behind them.
        let real = std::fs::canonicalize(&program).unwrap_or_else(|_| program.clone());
        let is_script = std::fs::File::open(&real).is_ok_and(|file| {
            let mut begin = [0; 2];
            std::io::Read::read_exact(&mut std::io::Read::take(file, 2), &mut begin).is_ok() && begin == *b"#!"
        });
        if !is_script && !seen.insert(real) {
            continue;
        }
        let settings = PythonSettings {
            interpreter: Some(program.to_string_lossy().into_owned()),
            probe_timeout: Some(PATIENCE),
            ..PythonSettings::default()
        };
        let is = probe(&settings, None, 0, &[]);
        match &is {
            Ok(interpreter) => {
                let own = std::fs::canonicalize(&interpreter.executable).unwrap_or_default();
                if is_script && !seen.insert(own) {
                    continue;
                }
            }
            Err(_) if is_script => continue,
            Err(_) => {}
        }
        found.push(FoundInterpreter { program, is });
    }
    found.sort_by_key(|found| found.is.as_ref().ok().map(|interpreter| interpreter.version.clone()));
    found
}

/// Files that are called like interpreters: first what the name alone means.
fn candidates() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let pyenv = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let pyenv = pyenv.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".pyenv")));
    let versions = pyenv.and_then(|root| std::fs::read_dir(root.join("versions")).ok());
    let mut installed: Vec<PathBuf> =
        versions.into_iter().flatten().flatten().map(|entry| entry.path().join("bin")).collect();
    installed.sort();
    let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute()).chain(installed);
    folders.flat_map(|folder| names().map(move |name| folder.join(name))).filter(|file| file.is_file()).collect()
}

fn names() -> impl Iterator<Item = String> {
    let numbered = (8..=20).flat_map(|minor| [format!("python3.{minor}"), format!("python3.{minor}t")]);
    ["python3".to_owned(), "pypy3".to_owned()].into_iter().chain(numbered)
}

/// How workers in Python can be started.
pub(super) const START_METHODS: [StartMethod; 3] = [StartMethod::Spawn, StartMethod::Forkserver, StartMethod::Fork];

/// The kinds of engine whose tasks an interpreter can run.
pub(super) fn can(found: &Interpreter) -> impl Iterator<Item = EngineKind> + use<'_> {
    let able = |kind: &EngineKind| *kind != EngineKind::Interpreter || has_subinterpreters(found);
    abilities(found).into_iter().map(|(kind, _)| kind).filter(able)
}

/// Every kind of engine, with what an interpreter cannot do as one, in words.
pub(super) fn abilities(found: &Interpreter) -> Vec<(EngineKind, Option<String>)> {
    let since = |least: &[u32]| found.version >= Version(least.to_vec());
    let but = |kind| match kind {
        EngineKind::Interpreter if !has_subinterpreters(found) => Some("needs CPython 3.14".to_owned()),
        EngineKind::Ppe if !since(&[3, 11]) => Some("without max_tasks_per_child".to_owned()),
        _ => None,
    };
    EngineKind::in_files().map(|kind| (kind, but(kind))).collect()
}

impl FoundInterpreter {
    /// What it is and what it can do, in one line.
    pub(super) fn words(&self) -> String {
        let place = self.program.display();
        match &self.is {
            Ok(found) => {
                let cannot: Vec<String> = abilities(found)
                    .iter()
                    .filter_map(|(kind, but)| Some(format!("; {}: {}", kind.word(), but.as_ref()?)))
                    .collect();
                let all: Vec<&str> = can(found).map(EngineKind::word).collect();
                format!(
                    "{}: {}{}; started by {}, its multiprocessing by {}; {place}",
                    found.words(),
                    all.join(", "),
                    cannot.concat(),
                    START_METHODS.map(StartMethod::word).join(", "),
                    found.start_method
                )
            }
            Err(ProbeError::TooOld { version, .. }) => format!("{version}: too old, 3.8 is needed; {place}"),
            Err(error) => error.to_string(),
        }
    }
}
