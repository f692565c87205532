//! What a kind of engine is, in one table: a new kind is one more row, and an engine that runs it.
//!
//! Everybody else asks the row. Nothing in here runs or draws anything.

use std::num::NonZeroU32;

use serde::{Serialize, Serializer};

use crate::workload::model::Chunksize;

/// How tasks are executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EngineKind {
    /// Reused worker processes.
    Pool,
    /// One process per task.
    Process,
    /// One reused worker process, one task after the other: the baseline without parallelism.
    Serial,
    /// CPython's own `multiprocessing.Pool`.
    MpPool,
    /// CPython's own `multiprocessing.Process`, one for each task.
    MpProcess,
    /// CPython's own `concurrent.futures.ProcessPoolExecutor`.
    Ppe,
    /// One interpreter of Python with a thread for each task at once.
    Thread,
    /// One interpreter of Python with a subinterpreter for each task at once.
    Interpreter,
    /// Another program that is given the stream and says what becomes of it.
    External,
}

/// What is the same for all engines of a kind.
#[derive(Debug)]
pub struct KindRow {
    pub kind: EngineKind,
    /// The word used in YAML, JSON and on screen.
    pub word: &'static str,
    /// Whether a workload file can name it.
    pub in_files: bool,
    /// Which worker counts an engine of this kind can have.
    pub workers: WorkerCounts,
    /// Whether each task has a process of its own.
    pub process_per_task: bool,
    /// Whether it is CPython's own, beside which ours stand: nothing but functions in Python can be run there.
    pub is_reference: bool,
    /// Whether all tasks run in lanes of one and the same process, an interpreter of Python: nothing but functions in Python
    /// can be run there, and a task cannot be ended without the others.
    pub shares_process: bool,
    /// How many tasks a worker holds where the file does not say; `None` where a worker holds one by definition.
    pub chunksize: Option<Chunksize>,
    /// What is special about an engine with so many workers, in fewer and fewer words.
    pub nature: fn(u32) -> [String; 3],
    /// Its sign, and that of the second engine where two of a kind are side by side.
    pub signs: [&'static str; 2],
    /// What the bars of these two are made of.
    pub bars: [&'static str; 2],
    /// Its colour; what that looks like is the theme's.
    pub hue: Hue,
}

/// Which worker counts are possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerCounts {
    /// One alone.
    One,
    /// Any number.
    Any,
    /// Any number, or no limit at all.
    AnyOrUnbounded,
}

/// A colour that tells kinds of engines apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "colours")]
pub enum Hue {
    Blue,
    Orange,
    Pink,
    Violet,
}

const KINDS: [KindRow; 9] = [
    KindRow {
        kind: EngineKind::Pool,
        word: "pool",
        in_files: true,
        workers: WorkerCounts::Any,
        process_per_task: false,
        is_reference: false,
        shares_process: false,
        chunksize: Some(Chunksize::Auto),
        nature: |workers| {
            let plural = if workers == 1 { "" } else { "s" };
            [format!("{workers} reused worker{plural}"), format!("reused worker{plural}"), "reused".to_owned()]
        },
        signs: ["●", "○"],
        bars: ["█", "▓"],
        hue: Hue::Blue,
    },
    KindRow {
        kind: EngineKind::Process,
        word: "process",
        in_files: true,
        workers: WorkerCounts::AnyOrUnbounded,
        process_per_task: true,
        is_reference: false,
        shares_process: false,
        chunksize: None,
        nature: |workers| {
            let at_once = if workers == 1 { "one".to_owned() } else { workers.to_string() };
            let long = format!("one process per task, {at_once} at once");
            [long, "one process per task".to_owned(), "one per task".to_owned()]
        },
        signs: ["■", "□"],
        bars: ["▒", "▓"],
        hue: Hue::Orange,
    },
    KindRow {
        kind: EngineKind::Serial,
        word: "serial",
        in_files: true,
        workers: WorkerCounts::One,
        process_per_task: false,
        is_reference: false,
        shares_process: false,
        chunksize: Some(Chunksize::Auto),
        nature: |_| ["one task at a time".to_owned(), "one at a time".to_owned(), String::new()],
        signs: ["▲", "△"],
        bars: ["▓", "▒"],
        hue: Hue::Pink,
    },
    KindRow {
        kind: EngineKind::MpPool,
        word: "mp_pool",
        in_files: true,
        workers: WorkerCounts::Any,
        process_per_task: false,
        is_reference: true,
        shares_process: false,
        chunksize: Some(Chunksize::Cpython),
        nature: |workers| {
            let plural = if workers == 1 { "" } else { "s" };
            let long = format!("CPython's Pool of {workers} worker{plural}");
            [long, "CPython's Pool".to_owned(), "CPython's".to_owned()]
        },
        signs: ["◐", "◑"],
        bars: ["▓", "█"],
        hue: Hue::Violet,
    },
    KindRow {
        kind: EngineKind::MpProcess,
        word: "mp_process",
        in_files: true,
        workers: WorkerCounts::Any,
        process_per_task: true,
        is_reference: true,
        shares_process: false,
        chunksize: None,
        nature: |workers| {
            let at_once = if workers == 1 { "one".to_owned() } else { workers.to_string() };
            let long = format!("CPython's Process for each task, {at_once} at once");
            [long, "CPython's Process".to_owned(), "CPython's".to_owned()]
        },
        signs: ["◧", "◨"],
        bars: ["▓", "▒"],
        hue: Hue::Pink,
    },
    KindRow {
        kind: EngineKind::Ppe,
        word: "ppe",
        in_files: true,
        workers: WorkerCounts::Any,
        process_per_task: false,
        is_reference: true,
        shares_process: false,
        chunksize: Some(Chunksize::Cpython),
        nature: |workers| {
            let plural = if workers == 1 { "" } else { "s" };
            let long = format!("ProcessPoolExecutor with {workers} worker{plural}");
            [long, "ProcessPoolExecutor".to_owned(), "CPython's".to_owned()]
        },
        signs: ["◒", "◓"],
        bars: ["▒", "▓"],
        hue: Hue::Orange,
    },
    KindRow {
        kind: EngineKind::Thread,
        word: "thread",
        in_files: true,
        workers: WorkerCounts::Any,
        process_per_task: false,
        is_reference: false,
        shares_process: true,
        chunksize: Some(Chunksize::Auto),
        nature: |workers| {
            let plural = if workers == 1 { "" } else { "s" };
            let long = format!("{workers} thread{plural} of one interpreter");
            [long, format!("{workers} thread{plural}"), format!("thread{plural}")]
        },
        signs: ["◉", "◎"],
        bars: ["▚", "▞"],
        hue: Hue::Violet,
    },
    KindRow {
        kind: EngineKind::Interpreter,
        word: "interpreter",
        in_files: true,
        workers: WorkerCounts::Any,
        process_per_task: false,
        is_reference: false,
        shares_process: true,
        chunksize: Some(Chunksize::Auto),
        nature: |workers| {
            let plural = if workers == 1 { "" } else { "s" };
            let long = format!("{workers} subinterpreter{plural} of one process");
            [long, format!("{workers} subinterpreter{plural}"), format!("interpreter{plural}")]
        },
        signs: ["◈", "◊"],
        bars: ["▌", "▐"],
        hue: Hue::Pink,
    },
    KindRow {
        kind: EngineKind::External,
        word: "external",
        in_files: false,
        workers: WorkerCounts::Any,
        process_per_task: false,
        is_reference: false,
        shares_process: false,
        chunksize: None,
        nature: |workers| {
            let plural = if workers == 1 { "" } else { "s" };
            [format!("a program with {workers} worker{plural}"), "a program".to_owned(), String::new()]
        },
        signs: ["◆", "◇"],
        bars: ["█", "░"],
        hue: Hue::Violet,
    },
];

impl EngineKind {
    /// Those that a file cannot name too.
    pub fn all() -> impl Iterator<Item = Self> {
        KINDS.iter().map(|row| row.kind)
    }

    /// The kinds that a workload file can name, in the order in which they are told.
    pub fn in_files() -> impl Iterator<Item = Self> {
        KINDS.iter().filter(|row| row.in_files).map(|row| row.kind)
    }

    /// The kind that a workload file means by a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::in_files().find(|kind| kind.word() == word)
    }

    /// What is known of the kind.
    #[must_use]
    pub fn row(self) -> &'static KindRow {
        const { assert!(rows_are_in_order(), "a row for each kind, in the order of the kinds") };
        &KINDS[self as usize]
    }

    /// See [`KindRow::word`].
    #[must_use]
    pub fn word(self) -> &'static str {
        self.row().word
    }

    /// Whether it has a worker count that can be another one.
    #[must_use]
    pub fn has_worker_count(self) -> bool {
        self.row().workers != WorkerCounts::One
    }

    /// See [`KindRow::process_per_task`].
    #[must_use]
    pub fn process_per_task(self) -> bool {
        self.row().process_per_task
    }

    /// See [`KindRow::is_reference`].
    #[must_use]
    pub fn is_reference(self) -> bool {
        self.row().is_reference
    }

    /// See [`KindRow::shares_process`].
    #[must_use]
    pub fn shares_process(self) -> bool {
        self.row().shares_process
    }

    /// How many tasks a worker holds where the file does not say.
    #[must_use]
    pub fn default_chunksize(self) -> Chunksize {
        self.row().chunksize.unwrap_or(Chunksize::Fixed(NonZeroU32::MIN))
    }
}

const fn rows_are_in_order() -> bool {
    let mut number = 0;
    while number < KINDS.len() {
        if KINDS[number].kind as usize != number {
            return false;
        }
        number += 1;
    }
    // The last kind has the last row.
    EngineKind::External as usize + 1 == KINDS.len()
}

impl Serialize for EngineKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}
