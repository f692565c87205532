//! Workloads of one program that stays, and what became of its tasks.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use poolscope::workload::model::{CommandLine, ServedProgram, Work};
use serde_json::Value;

use crate::support::program::{WorkloadFolder, only_run};

pub const ENGINES: [&str; 3] = ["pool", "process", "serial"];

/// Reads a line for each task, does what `do` says with `i` (the index), `task` and `answer` at hand, and answers with the
/// square if that has not.
const PYTHON: &str = "import json, os, signal, sys, time\n\
                      def answer(**fields):\n    print(json.dumps(fields), flush=True)\n\
                      for line in sys.stdin:\n    task = json.loads(line)\n    i = task['index']\n    answered = False\n\
                      DO\n    if not answered:\n        answer(index=i, result=i * i)\n\
                      END\n";

/// A workload whose tasks are done by a program in Python. `end` is done when its input has ended.
pub fn python(act: &str, end: &str, entry: &str, more: &str) -> WorkloadFolder {
    let act: String = act.lines().map(|line| format!("    {line}\n")).collect();
    let script = PYTHON.replace("DO\n", &act).replace("END\n", end);
    let folder = workload("[python3, serve.py]", entry, more);
    std::fs::write(folder.path("serve.py"), script).unwrap();
    folder
}

/// A workload of one class with this command.
pub fn workload(command: &str, entry: &str, more: &str) -> WorkloadFolder {
    let engines = if more.contains("engines:") {
        String::new()
    } else {
        "engines: [{ kind: pool, workers: 2 }, { kind: process, workers: 2 }, { kind: serial }]".to_owned()
    };
    WorkloadFolder::new(&format!(
        "version: 1\nseed: 7\ntasks:\n  - {{ name: t, kind: command, serve: lines, command: {command}, {entry} }}\n{more}\n{engines}\n"
    ))
}

/// What became of the tasks of a run.
pub struct Told(pub Value);

impl Told {
    pub fn count(&self, outcome: &str) -> u64 {
        self.0["tasks"][outcome].as_u64().unwrap()
    }

    /// Outcome and cause of a task; succeeded if nothing else is told of it.
    pub fn of(&self, index: u64) -> (&str, &str) {
        self.failure(index).map_or(("succeeded", ""), |failure| {
            (failure["outcome"].as_str().unwrap(), failure["cause"].as_str().unwrap())
        })
    }

    pub fn failure(&self, index: u64) -> Option<&Value> {
        self.0["failures"].as_array().unwrap().iter().find(|failure| failure["task"] == index)
    }

    pub fn hash(&self) -> &str {
        self.0["results_hash"].as_str().unwrap()
    }

    pub fn cpu_s(&self) -> f64 {
        self.0["cpu"]["user_s"].as_f64().unwrap() + self.0["cpu"]["system_s"].as_f64().unwrap()
    }
}

pub fn run(folder: &WorkloadFolder, engine: &str) -> Told {
    Told(only_run(&folder.run(engine, &["--format", "json"]).output().unwrap()))
}

/// The lines of a file that programs have appended to.
pub fn lines_of(path: PathBuf) -> Vec<String> {
    std::fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

/// `poolscope check` of a folder's workload: its exit code and what it said.
pub fn check(folder: &WorkloadFolder) -> (i32, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_poolscope")).arg("check").arg(folder.path("w.yaml")).output().unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap(),
    )
}

/// Work of a program that stays.
pub fn served(argv: &[&str]) -> Work {
    let argv = argv.iter().map(|word| (*word).to_owned()).collect();
    Work::Served(Box::new(ServedProgram {
        command: CommandLine::new(argv),
        args: None,
        draws: Vec::new(),
        told: Vec::new(),
    }))
}

/// Live processes with this word in their command line.
pub fn alive(word: &str) -> Vec<u32> {
    let folders = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = folders.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let text = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        *pid != std::process::id() && String::from_utf8_lossy(&text).contains(word)
    })
    .collect()
}

/// Waits for a condition.
pub fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
