//! Tasks that call a function in Python, and the interpreters that they run in.

use std::cmp::Ordering;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Dist, EngineKind, EngineSpec, TaskIndex, Work, Workload};

/// A call of a function for each task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PythonCall {
    /// `module:function`, or an attribute of something in the module: `package.module:Class.method`.
    pub callable: String,
    pub args: Arguments,
    /// Bytes that travel with the task and with its result, beside what is called and what is returned.
    pub payload: PayloadSizes,
    /// What is drawn for each task, in the order of [`Value::Draw::place`]. Workers are told what was drawn.
    #[serde(skip)]
    pub draws: Vec<Draw>,
    /// Texts with placeholders of an item, in the order of [`Value::Told`]'s places. Workers are told what they are for a
    /// task.
    #[serde(skip)]
    pub told: Vec<String>,
}

/// Arguments of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Arguments {
    Positional(Vec<Value>),
    Keywords(Vec<(String, Value)>),
}

impl Arguments {
    /// The arguments without their names.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        let (positional, keywords) = match self {
            Self::Positional(values) => (Some(values), None),
            Self::Keywords(values) => (None, Some(values)),
        };
        positional.into_iter().flatten().chain(keywords.into_iter().flatten().map(|(_, value)| value))
    }
}

/// An argument, with the type that it has in Python.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    Null,
    Bool(bool),
    /// In decimal digits: it may be larger than any integer here.
    Int(String),
    /// In digits too, or `inf`, `-inf`, `NaN`: JSON has no such numbers.
    Float(String),
    Str(String),
    List(Vec<Value>),
    Map(Vec<(Value, Value)>),
    /// The task's index, as an integer.
    Index,
    /// The seed of the workload, as an integer.
    Seed,
    /// The number of the attempt, from 1.
    Attempt,
    /// The bytes that travel with the task.
    Payload,
    /// Text in which `{index}`, `{seed}` and `{attempt}` are replaced.
    Template(String),
    /// What only the parent can tell of a task, such as its item: which of those of its call, from 0.
    Told {
        place: usize,
    },
    /// A number that is drawn for each task.
    Draw {
        /// Which of those of its call, from 0.
        place: usize,
        /// Whether it is an integer.
        whole: bool,
    },
}

impl Value {
    /// Whether this value, or one in it, is so.
    pub fn any(&self, is_so: &dyn Fn(&Self) -> bool) -> bool {
        is_so(self)
            || match self {
                Self::List(items) => items.iter().any(|item| item.any(is_so)),
                Self::Map(entries) => entries.iter().any(|(key, value)| key.any(is_so) || value.any(is_so)),
                _ => false,
            }
    }
}

/// A number that is drawn for each task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Draw {
    /// A microsecond stands for 1.
    pub dist: Dist,
    /// Whether it is rounded.
    pub whole: bool,
}

/// How many bytes travel, beside what there is to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadSizes {
    /// With each task.
    #[serde(rename = "in")]
    pub with_task: u64,
    /// With each result.
    #[serde(rename = "out")]
    pub with_result: u64,
}

impl PayloadSizes {
    /// The bytes that travel with a task.
    #[must_use]
    pub(crate) fn with_task(&self, index: TaskIndex) -> Vec<u8> {
        bytes(self.with_task, index)
    }

    /// Those that travel with its result.
    #[must_use]
    pub(crate) fn with_result(&self, index: TaskIndex) -> Vec<u8> {
        bytes(self.with_result, index)
    }
}

/// So many bytes, other ones for each task. Nothing would be saved by leaving out what is the same everywhere: it is to be
/// carried.
fn bytes(count: u64, index: TaskIndex) -> Vec<u8> {
    // A pattern that is copied over and over: making them should be what making any bytes takes.
    let pattern: [u8; 256] = std::array::from_fn(|place| place as u8 ^ index as u8);
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let mut bytes = Vec::with_capacity(count);
    while bytes.len() < count {
        bytes.extend_from_slice(&pattern[..pattern.len().min(count - bytes.len())]);
    }
    bytes
}

/// Which interpreter calls the functions, and what it is given. What is not said here is as usual.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PythonSettings {
    /// A name that is looked up in `PATH`, or a path from the workload's folder.
    pub interpreter: Option<String>,
    /// Variables of its environment.
    pub env: Vec<(String, String)>,
    /// Where modules are looked for first, from the workload's folder.
    pub path: Option<Vec<String>>,
    /// How long the look at it may take before a run, imports included.
    pub probe_timeout: Option<Duration>,
}

/// The interpreter where none is named.
const USUAL: &str = "python3";
/// The look at it may take so long where nothing is said.
const PROBE_TIMEOUT: Duration = Duration::from_secs(30);

impl PythonSettings {
    /// These settings, where they say something, and those of the whole workload elsewhere.
    #[must_use]
    pub fn over(&self, all: &Self) -> Self {
        let others = all.env.iter().filter(|(name, _)| self.env.iter().all(|(own, _)| own != name));
        Self {
            interpreter: self.interpreter.clone().or_else(|| all.interpreter.clone()),
            env: others.chain(&self.env).cloned().collect(),
            path: self.path.clone().or_else(|| all.path.clone()),
            probe_timeout: self.probe_timeout.or(all.probe_timeout),
        }
    }

    /// The program that is meant: a name for `PATH`, or a path.
    #[must_use]
    pub fn program(&self, folder: Option<&Path>) -> PathBuf {
        let name = Path::new(self.interpreter.as_deref().unwrap_or(USUAL));
        match folder {
            Some(folder) if name.components().count() > 1 => folder.join(name),
            _ => name.to_owned(),
        }
    }

    /// The folders that modules are looked for in first: those that are named, or that of the workload.
    #[must_use]
    pub fn folders(&self, folder: Option<&Path>) -> Vec<PathBuf> {
        let here = folder.map(Path::to_owned).or_else(|| std::env::current_dir().ok()).unwrap_or_default();
        match &self.path {
            Some(folders) => folders.iter().map(|name| here.join(name)).collect(),
            None => vec![here],
        }
    }

    /// See [`Self::probe_timeout`].
    #[must_use]
    pub fn patience(&self) -> Duration {
        self.probe_timeout.unwrap_or(PROBE_TIMEOUT)
    }
}

/// A version of Python, as far as it is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub Vec<u32>);

impl Version {
    /// `3.14`, `3.8.18`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
        parts.filter(|parts| (1..=3).contains(&parts.len())).map(Self)
    }

    /// How a version compares with this one, to as many places as this one has: 3.8.18 is 3.8.
    fn compared_with(&self, other: &Self) -> Ordering {
        let places = other.0.len();
        let of =
            |version: &Self| (0..places).map(|place| version.0.get(place).copied().unwrap_or(0)).collect::<Vec<_>>();
        of(self).cmp(&of(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(u32::to_string).collect();
        f.write_str(&parts.join("."))
    }
}

/// The condition of an arm: `python >= 3.14`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When {
    pub comparison: Comparison,
    pub version: Version,
}

/// How the version of an interpreter is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `>=`
    AtLeast,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `<`
    Below,
    /// `==`
    Equal,
    /// `!=`
    Unequal,
}

impl Comparison {
    /// Those of two characters first.
    pub(crate) const ALL: [(&'static str, Self); 6] = [
        (">=", Self::AtLeast),
        ("<=", Self::AtMost),
        ("==", Self::Equal),
        ("!=", Self::Unequal),
        (">", Self::Above),
        ("<", Self::Below),
    ];

    /// How it is written.
    #[must_use]
    pub(crate) fn sign(self) -> &'static str {
        Self::ALL.iter().find(|(_, other)| *other == self).map_or("", |(sign, _)| sign)
    }

    /// Whether something that compares like this meets it.
    #[must_use]
    pub(crate) fn holds(self, order: Ordering) -> bool {
        match self {
            Self::AtLeast => order.is_ge(),
            Self::AtMost => order.is_le(),
            Self::Above => order.is_gt(),
            Self::Below => order.is_lt(),
            Self::Equal => order.is_eq(),
            Self::Unequal => order.is_ne(),
        }
    }
}

impl When {
    /// Whether an interpreter of this version meets it.
    #[must_use]
    pub fn holds(&self, version: &Version) -> bool {
        self.comparison.holds(version.compared_with(&self.version))
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = Comparison::ALL.iter().find(|(_, other)| *other == self.comparison).map_or("", |(sign, _)| sign);
        write!(f, "python {sign} {}", self.version)
    }
}

/// An arm that does not take part, because its condition does not hold here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SkippedArm {
    /// Its name.
    pub name: String,
    /// How it would have run.
    pub engine: EngineKind,
    /// Why it does not.
    pub reason: String,
}

/// A library that starts threads of its own in each process that uses it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadPool {
    /// Its file.
    pub library: String,
    /// The variable that says how many.
    pub variable: String,
    /// What that says; `None` where nothing does, which means one for each CPU.
    pub limit: Option<u32>,
}

/// An interpreter that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// Its own program: what was named may be a script that finds it.
    pub executable: PathBuf,
    /// As three numbers.
    pub version: Version,
    /// `CPython`, `PyPy`.
    pub implementation: String,
    /// Whether it has a global interpreter lock that is in use.
    pub gil: bool,
    /// Whether what the tasks call has switched it on at its import, in a build that can do without.
    pub gil_switched_on: bool,
    /// Whether its build can do without, be it in use or not: such a build runs one thread slower than an ordinary one.
    pub free_threaded: bool,
    /// What its `os.cpu_count` says.
    pub cpu_count: Option<u32>,
    /// What its `os.process_cpu_count` says, or would say.
    pub process_cpu_count: Option<u32>,
    /// The virtual environment that it is of.
    pub environment: Option<PathBuf>,
    /// How its `multiprocessing` starts processes where nobody asks for anything else.
    pub start_method: String,
    /// What its environment says that matters to people's functions: where it looks for modules, locale, seeds, threads.
    pub variables: Vec<(String, String)>,
    /// Libraries with threads of their own that came with what the tasks call.
    pub thread_pools: Vec<ThreadPool>,
    /// Our worker, compiled by it: what every worker would have to do again.
    pub code: Vec<u8>,
}

impl Interpreter {
    /// `CPython 3.13.0, GIL on`
    #[must_use]
    pub fn words(&self) -> String {
        let lock = match (self.gil, self.gil_switched_on, self.free_threaded) {
            (true, true, _) => "GIL switched on by an import",
            (true, false, true) => "free-threaded, GIL on",
            (true, false, false) => "GIL on",
            (false, ..) => "GIL off",
        };
        format!("{} {}, {lock}", self.implementation, self.version)
    }

    /// Whether it is the same program as far as speed goes, wherever it lies.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.words() == other.words()
    }

    /// What is to be said where so many processes would start more threads than there are cores; they are never limited
    /// unasked.
    #[must_use]
    pub fn too_many_threads(&self, processes: u32, cores: u32) -> Option<String> {
        let threads = |pool: &ThreadPool| pool.limit.or(self.process_cpu_count).unwrap_or(cores);
        let pool = self.thread_pools.iter().max_by_key(|pool| threads(pool))?;
        let each = threads(pool);
        (each > 1 && u64::from(processes) * u64::from(each) > u64::from(cores)).then(|| {
            format!(
                "{processes} workers with {each} threads of {} each on {cores} cores: they wait for each other. To see them \
                 with one thread each, add `python: {{ env: {{ {}: 1 }} }}`",
                pool.library, pool.variable
            )
        })
    }
}

impl PythonCall {
    /// The numbers that are drawn for a task.
    pub(crate) fn drawn(&self, seed: u64, index: TaskIndex) -> impl Iterator<Item = f64> {
        self.draws.iter().zip(0..).map(move |(draw, phase)| {
            let number = draw.dist.draw(seed, index, phase).as_nanos() as f64 / 1000.0;
            if draw.whole { number.round() } else { number }
        })
    }
}

impl Work {
    /// What a task in Python calls.
    #[must_use]
    pub fn callable(&self) -> Option<&str> {
        match self {
            Self::Python(call) => Some(&call.callable),
            _ => None,
        }
    }

    /// Whether something that only we know travels with each task in Python.
    #[must_use]
    pub(crate) fn draws(&self) -> bool {
        matches!(self, Self::Python(call) if !call.draws.is_empty() || !call.told.is_empty() || call.payload.with_task > 0)
    }
}

impl Workload {
    /// Whether an arm makes a run in which its interpreters are probed: they are ours, and run the tasks under one lock.
    #[must_use]
    pub(crate) fn probes(&self, spec: &EngineSpec) -> bool {
        let ours = [EngineKind::Serial, EngineKind::Thread, EngineKind::Pool, EngineKind::Process];
        let in_python = self.classes.iter().any(|class| class.work.callable().is_some());
        self.measure.gil_probe && in_python && ours.contains(&spec.kind)
    }

    /// Whether any arm does.
    #[must_use]
    pub(crate) fn has_probes(&self) -> bool {
        self.engines.iter().any(|spec| self.probes(spec))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_far_as_the_condition_goes() {
        let when = |sign: &str, version: &str| When {
            comparison: Comparison::ALL.iter().find(|(word, _)| *word == sign).unwrap().1,
            version: Version::parse(version).unwrap(),
        };
        let is = |text: &str| Version::parse(text).unwrap();
        assert!(when("==", "3.8").holds(&is("3.8.18")) && !when("==", "3.8.17").holds(&is("3.8.18")));
        assert!(when(">=", "3.14").holds(&is("3.14.0")) && !when(">=", "3.14").holds(&is("3.9.1")));
        assert!(!when(">", "3.13").holds(&is("3.13.5")) && when("<", "3.13").holds(&is("3.12.9")));
        assert!(when("!=", "2").holds(&is("3.13.5")) && when("<=", "3.13").holds(&is("3.13.5")));
        assert_eq!(when(">=", "3.14").to_string(), "python >= 3.14");
        assert!(["", "3.x", "3.1.2.3", "-1"].iter().all(|text| Version::parse(text).is_none()));
    }

    #[test]
    fn an_arm_has_its_own_settings_over_those_of_all() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let all = PythonSettings {
            interpreter: Some(".venv/bin/python".to_owned()),
            env: vec![pair("A", "1"), pair("B", "2")],
            path: Some(vec!["lib".to_owned()]),
            probe_timeout: None,
        };
        let own = PythonSettings { env: vec![pair("B", "3")], ..PythonSettings::default() };
        let both = own.over(&all);
        assert_eq!(both.env, [pair("A", "1"), pair("B", "3")]);
        let folder = Path::new("/work/here");
        assert_eq!(both.program(Some(folder)), folder.join(".venv/bin/python"));
        assert_eq!(both.folders(Some(folder)), [folder.join("lib")]);
        assert_eq!(own.program(Some(folder)), Path::new("python3"), "a name is looked up in PATH");
        assert_eq!(own.folders(Some(folder)), [folder]);
    }
}
