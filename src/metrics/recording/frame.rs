//! Frames as they are written: a snapshot in which what it shares with those before it is only named.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{MOST_BYTES, ReadError, WriteError};
use crate::engine::event::{Moment, PageFaults, RunState, WorkerState};
use crate::engine::outcome::{AttemptReport, Counts};
use crate::metrics::delivery::Delivery;
use crate::metrics::distribution::{Distribution, Distributions};
use crate::metrics::life::{ForkServerUse, Life};
use crate::metrics::nanos::ns;
use crate::metrics::snapshot::{
    CPU_HISTORY, Carriage, Chunks, ClassFigures, Cpu, Death, Ghosts, Initializers, Kill, Latency, Load, Memory,
    MemoryCourse, Note, Overhead, QueueFigures, RunEnd, RunId, Snapshot, SoFar, StageLoad, WorkerRow, WorkerTime,
};

/// A [`Snapshot`] as it is written.
#[derive(Serialize, Deserialize)]
struct SnapshotFrame {
    run: RunId,
    at: Moment,
    paused: Duration,
    state: RunState,
    counts: Counts,
    total: u64,
    throughput: f64,
    throughput_whole: f64,
    queue: QueueFigures,
    latency: Latency,
    worker_time: WorkerTime,
    ghosts: Ghosts,
    initializers: Initializers,
    unkillable: u64,
    workers_target: u32,
    /// With what is new in their CPU history.
    workers: Vec<(WorkerRow, Past)>,
    cpu: Cpu,
    memory: Memory,
    worker_starts: u64,
    worker_restarts: u64,
    overhead: Overhead,
    results_hash: u64,
    suspect: Vec<String>,
    notes: List,
    failures: List,
    kills: List,
    timeouts: List,
    delivery: Delivery,
    end: Option<End>,
    page_faults: Option<PageFaults>,
    memory_course: MemoryCourse,
    deaths: Vec<Death>,
    deaths_total: u64,
    /// `None` where it is that of the frame before.
    life: Option<Life>,
}

/// What follows a [`SnapshotFrame`]: fields that came to this version later. A recording that was made before ends there.
#[derive(Default, Serialize, Deserialize)]
struct LaterFields {
    load: Load,
}

/// What follows those, likewise.
#[derive(Default, Serialize, Deserialize)]
struct LatestFields {
    /// Part of the worker time.
    initializing: Duration,
    /// Places of the rows whose workers are in their initializers: a reader that knows no such state has them as starting.
    initializes: Vec<u32>,
    stages: Box<[StageLoad]>,
    chunks: Option<Chunks>,
    fork_server: Option<Box<ForkServerUse>>,
}

/// What follows those, likewise.
#[derive(Default, Serialize, Deserialize)]
struct NewestFields {
    /// With its part of the worker time.
    carriage: Option<(Box<Carriage>, Duration)>,
}

/// What follows those, likewise.
#[derive(Default, Serialize, Deserialize)]
struct StartFields {
    /// Of the fork server.
    not_forked: Option<Box<str>>,
}

/// What follows those, likewise.
#[derive(Default, Serialize, Deserialize)]
struct WrongFields {
    wrong_results: u64,
}

/// What follows those, likewise.
#[derive(Default, Serialize, Deserialize)]
struct ClassFields {
    classes: Vec<ClassFigures>,
    /// The latencies of each whole, at the end of a run, and of it and those before it.
    wholes: Vec<Distributions>,
    so_far: Box<[Distributions]>,
}

impl ClassFields {
    fn of(snapshot: &Snapshot) -> Self {
        let end = snapshot.end.as_deref();
        Self {
            classes: snapshot.classes.to_vec(),
            wholes: snapshot.classes.iter().filter_map(|class| class.whole.as_deref().cloned()).collect(),
            so_far: end.and_then(|end| Some(end.so_far.as_ref()?.classes.clone())).unwrap_or_default(),
        }
    }
}

/// What follows those, likewise.
#[derive(Default, Serialize, Deserialize)]
struct DispatchFields {
    /// Part of the worker time, in nanoseconds.
    dispatch: u64,
    /// Cores that other programs used.
    others: Option<f64>,
}

impl LatestFields {
    fn of(snapshot: &Snapshot) -> Self {
        let rows = (0..).zip(&snapshot.workers);
        let initializes = rows.filter(|(_, row)| row.state == WorkerState::Initializing).map(|(place, _)| place);
        Self {
            initializing: snapshot.worker_time.initializing,
            initializes: initializes.collect(),
            stages: snapshot.stages.clone(),
            chunks: snapshot.chunks.as_deref().copied(),
            fork_server: snapshot.fork_server.clone(),
        }
    }
}

/// A [`RunEnd`] as it is written.
#[derive(Serialize, Deserialize)]
struct End {
    wall: Duration,
    distributions: Distributions,
    delivered: Distribution,
    so_far: Option<Distributions>,
    tail_idle: Duration,
    unreaped: u64,
}

/// A shared list as it is written.
#[derive(Serialize, Deserialize)]
enum List {
    /// The one with this number, in the order in which lists of its kind appeared.
    Known(u32),
    /// The next one: the numbers of its entries, and those of its entries that are new. They have the next numbers.
    New { entries: Vec<u32>, new: Vec<Vec<u8>> },
}

/// How the CPU history of a row follows from that of the row at the same place in the frame before (of an empty one, where
/// there is none): the oldest are left out, others come.
#[derive(Serialize, Deserialize)]
struct Past {
    left_out: u8,
    new: Vec<u8>,
}

impl Past {
    fn between(before: &[u8], now: &[u8]) -> Self {
        let kept = |left_out: &usize| before.get(*left_out..).is_some_and(|rest| now.starts_with(rest));
        // None of them may be left; a history is shorter than what a byte can count.
        let left_out = (0..before.len()).find(kept).unwrap_or(before.len());
        let new = now.get(before.len() - left_out..).unwrap_or_default().to_vec();
        Self { left_out: u8::try_from(left_out).unwrap_or(u8::MAX), new }
    }

    fn after(self, before: &[u8]) -> Vec<u8> {
        let mut now = before.get(usize::from(self.left_out)..).unwrap_or_default().to_vec();
        now.extend(self.new);
        now
    }
}

/// What was written before.
#[derive(Default)]
pub(super) struct Encoder {
    histories: Vec<Vec<u8>>,
    life: Life,
    notes: Written<Note>,
    failures: Written<AttemptReport>,
    kills: Written<Kill>,
    budget: Budget,
}

impl Encoder {
    pub(crate) fn encode(&mut self, snapshot: &Snapshot) -> Result<Vec<u8>, WriteError> {
        let Snapshot { run, at, paused, state, counts, total, throughput, throughput_whole, .. } = *snapshot;
        let Snapshot { queue, worker_time, ghosts, initializers, unkillable, workers_target, cpu, memory, .. } =
            *snapshot;
        let Snapshot { worker_starts, worker_restarts, results_hash, .. } = *snapshot;
        let budget = &mut self.budget;
        if snapshot.workers.iter().any(|row| row.cpu_history.len() > CPU_HISTORY) {
            return Err(WriteError::TooLarge { what: HISTORY, most: CPU_HISTORY as u64 });
        }
        let frame = SnapshotFrame {
            run,
            at,
            paused,
            state,
            counts,
            total,
            throughput,
            throughput_whole,
            queue,
            latency: snapshot.latency.clone(),
            worker_time,
            ghosts,
            initializers,
            unkillable,
            workers_target,
            workers: rows(&mut self.histories, &snapshot.workers),
            cpu,
            memory,
            worker_starts,
            worker_restarts,
            overhead: *snapshot.overhead,
            results_hash,
            suspect: snapshot.suspect.clone(),
            notes: self.notes.name(&snapshot.notes, budget)?,
            failures: self.failures.name(&snapshot.failures, budget)?,
            kills: self.kills.name(&snapshot.kills, budget)?,
            timeouts: self.kills.name(&snapshot.timeouts, budget)?,
            delivery: snapshot.delivery.clone(),
            end: snapshot.end.as_deref().map(End::from),
            page_faults: snapshot.page_faults.as_deref().copied(),
            memory_course: snapshot.memory_course.as_ref().clone(),
            deaths: snapshot.deaths.as_ref().clone(),
            deaths_total: snapshot.deaths_total,
            life: (self.life != snapshot.life).then(|| snapshot.life.clone()),
        };
        self.life.clone_from(&snapshot.life);
        let mut bytes = postcard::to_stdvec(&frame)?;
        bytes.extend(postcard::to_stdvec(&LaterFields { load: *snapshot.load })?);
        bytes.extend(postcard::to_stdvec(&LatestFields::of(snapshot))?);
        let carriage = snapshot.carriage.clone();
        let newest = NewestFields { carriage: carriage.map(|carriage| (carriage, worker_time.carrying)) };
        bytes.extend(postcard::to_stdvec(&newest)?);
        bytes.extend(postcard::to_stdvec(&StartFields { not_forked: snapshot.not_forked().map(Into::into) })?);
        bytes.extend(postcard::to_stdvec(&WrongFields { wrong_results: snapshot.wrong_results })?);
        bytes.extend(postcard::to_stdvec(&ClassFields::of(snapshot))?);
        bytes.extend(postcard::to_stdvec(&DispatchFields {
            dispatch: ns(worker_time.dispatch),
            others: snapshot.overhead.others,
        })?);
        Ok(bytes)
    }
}

fn rows(histories: &mut Vec<Vec<u8>>, rows: &[WorkerRow]) -> Vec<(WorkerRow, Past)> {
    histories.resize(rows.len(), Vec::new());
    let both = histories.iter_mut().zip(rows);
    both.map(|(history, row)| {
        let past = Past::between(history, &row.cpu_history);
        history.clone_from(&row.cpu_history);
        let state = match row.state {
            WorkerState::Initializing => WorkerState::Starting,
            state => state,
        };
        (WorkerRow { cpu_history: Vec::new(), state, ..row.clone() }, past)
    })
    .collect()
}

/// What was read before.
#[derive(Default)]
pub(super) struct Decoder {
    histories: Vec<Vec<u8>>,
    life: Life,
    notes: Read<Note>,
    failures: Read<AttemptReport>,
    kills: Read<Kill>,
    budget: Budget,
}

impl Decoder {
    pub(crate) fn decode(&mut self, bytes: &[u8]) -> Result<Snapshot, ReadError> {
        let (frame, later) = decode_part::<SnapshotFrame>("a frame", bytes)?;
        let (later, latest): (LaterFields, _) = fields_or_none(later)?;
        let (latest, newest): (LatestFields, _) = fields_or_none(latest)?;
        let (newest, start): (NewestFields, _) = fields_or_none(newest)?;
        let (start, wrong): (StartFields, _) = fields_or_none(start)?;
        let (wrong, classes): (WrongFields, _) = fields_or_none(wrong)?;
        let (classes, dispatch): (ClassFields, _) = fields_or_none(classes)?;
        let (dispatch, _newer): (DispatchFields, _) = fields_or_none(dispatch)?;
        let ClassFields { mut classes, wholes, so_far } = classes;
        classes.iter_mut().zip(wholes).for_each(|(class, whole)| class.whole = Some(Box::new(whole)));
        let mut fork_server = latest.fork_server;
        if let Some(server) = &mut fork_server {
            server.not_forked = start.not_forked;
        }
        let Self { histories, life, notes, failures, kills, budget } = self;
        histories.resize(frame.workers.len(), Vec::new());
        if let Some(new) = frame.life {
            *life = new;
        }
        let mut workers = Vec::with_capacity(frame.workers.len());
        for (history, (row, past)) in histories.iter_mut().zip(frame.workers) {
            *history = past.after(history);
            if history.len() > CPU_HISTORY {
                return Err(ReadError::TooLarge { what: HISTORY, most: CPU_HISTORY as u64 });
            }
            workers.push(WorkerRow { cpu_history: history.clone(), ..row });
        }
        for place in latest.initializes {
            if let Some(row) = usize::try_from(place).ok().and_then(|place| workers.get_mut(place)) {
                row.state = WorkerState::Initializing;
            }
        }
        Ok(Snapshot {
            run: frame.run,
            at: frame.at,
            paused: frame.paused,
            state: frame.state,
            counts: frame.counts,
            total: frame.total,
            throughput: frame.throughput,
            throughput_whole: frame.throughput_whole,
            queue: frame.queue,
            latency: frame.latency,
            classes: Arc::new(classes),
            worker_time: WorkerTime {
                initializing: latest.initializing,
                dispatch: Duration::from_nanos(dispatch.dispatch),
                carrying: newest.carriage.as_ref().map_or(Duration::ZERO, |(_, carrying)| *carrying),
                ..frame.worker_time
            },
            carriage: newest.carriage.map(|(carriage, _)| carriage),
            ghosts: frame.ghosts,
            initializers: frame.initializers,
            unkillable: frame.unkillable,
            life: life.clone(),
            workers_target: frame.workers_target,
            workers,
            cpu: frame.cpu,
            memory: frame.memory,
            worker_starts: frame.worker_starts,
            worker_restarts: frame.worker_restarts,
            overhead: Box::new(Overhead { others: dispatch.others, ..frame.overhead }),
            results_hash: frame.results_hash,
            wrong_results: wrong.wrong_results,
            suspect: frame.suspect,
            notes: notes.find(frame.notes, budget)?,
            failures: failures.find(frame.failures, budget)?,
            kills: kills.find(frame.kills, budget)?,
            timeouts: kills.find(frame.timeouts, budget)?,
            delivery: frame.delivery,
            end: frame.end.map(|end| Arc::new(end.whole(so_far))),
            load: Box::new(later.load),
            stages: latest.stages,
            chunks: latest.chunks.map(Box::new),
            // A run with probes is no measurement to keep: what they have shown is in the result of its session.
            gil_probe: None,
            fork_server,
            page_faults: frame.page_faults.map(Box::new),
            memory_course: Arc::new(frame.memory_course),
            deaths: Arc::new(frame.deaths),
            deaths_total: frame.deaths_total,
        })
    }
}

/// Reads a value; fields that follow it are of a newer program.
pub(super) fn decode<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, ReadError> {
    decode_part(what, bytes).map(|(value, _newer)| value)
}

/// Reads a value, and says what follows it.
fn decode_part<'a, T: DeserializeOwned>(what: &'static str, bytes: &'a [u8]) -> Result<(T, &'a [u8]), ReadError> {
    postcard::take_from_bytes(bytes).map_err(|source| ReadError::Damaged { what, source: Some(source) })
}

/// Reads fields that came later, as a whole: of a recording that was made before, none are there.
fn fields_or_none<T: DeserializeOwned + Default>(bytes: &[u8]) -> Result<(T, &[u8]), ReadError> {
    if bytes.is_empty() { Ok((T::default(), bytes)) } else { decode_part("a frame", bytes) }
}

/// Bytes that may still be taken for the entries of lists: each of these may be in many of them.
struct Budget(u64);

impl Default for Budget {
    fn default() -> Self {
        Self(MOST_BYTES)
    }
}

impl Budget {
    /// Whether there is room for an entry of so many bytes.
    fn take(&mut self, bytes: u64) -> bool {
        // What a list takes for it itself.
        const ENTRY: u64 = 64;
        self.0.checked_sub(bytes.saturating_add(ENTRY)).is_some_and(|left| {
            self.0 = left;
            true
        })
    }
}

const ENTRIES: &str = "bytes in lists";
const HISTORY: &str = "entries in a CPU history";

/// The lists of a kind that were written.
struct Written<T> {
    /// Numbers of entries, by their bytes.
    entries: HashMap<Vec<u8>, u32>,
    /// Numbers of lists, by the numbers of their entries.
    lists: HashMap<Vec<u32>, u32>,
    /// The last one, which the next frame has most probably too.
    last: Option<(Arc<Vec<T>>, u32)>,
}

impl<T> Default for Written<T> {
    fn default() -> Self {
        Self { entries: HashMap::new(), lists: HashMap::new(), last: None }
    }
}

impl<T: Serialize> Written<T> {
    fn name(&mut self, list: &Arc<Vec<T>>, budget: &mut Budget) -> Result<List, WriteError> {
        if let Some((_, number)) = self.last.as_ref().filter(|(last, _)| Arc::ptr_eq(last, list)) {
            return Ok(List::Known(*number));
        }
        let (mut entries, mut new, mut size) = (Vec::with_capacity(list.len()), Vec::new(), Vec::new());
        for entry in list.iter() {
            let bytes = postcard::to_stdvec(entry)?;
            size.push(bytes.len() as u64);
            let next = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
            let number = *self.entries.entry(bytes.clone()).or_insert(next);
            if number == next {
                new.push(bytes);
            }
            entries.push(number);
        }
        let next = u32::try_from(self.lists.len()).unwrap_or(u32::MAX);
        let number = *self.lists.entry(entries.clone()).or_insert(next);
        self.last = Some((Arc::clone(list), number));
        if number != next {
            return Ok(List::Known(number));
        }
        if size.into_iter().all(|bytes| budget.take(bytes)) {
            Ok(List::New { entries, new })
        } else {
            Err(WriteError::TooLarge { what: ENTRIES, most: MOST_BYTES })
        }
    }
}

/// The lists of a kind that were read.
struct Read<T> {
    /// With the number of their bytes.
    entries: Vec<(T, u64)>,
    lists: Vec<Arc<Vec<T>>>,
}

impl<T> Default for Read<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), lists: Vec::new() }
    }
}

impl<T: DeserializeOwned + Clone> Read<T> {
    fn find(&mut self, list: List, budget: &mut Budget) -> Result<Arc<Vec<T>>, ReadError> {
        let missing = || ReadError::damaged("a frame names something that was not there before");
        let (numbers, new) = match list {
            List::Known(number) => return self.lists.get(number as usize).cloned().ok_or_else(missing),
            List::New { entries, new } => (entries, new),
        };
        for bytes in new {
            self.entries.push((decode("an entry of a list", &bytes)?, bytes.len() as u64));
        }
        let mut entries = Vec::new();
        for number in numbers {
            let (entry, bytes) = self.entries.get(number as usize).ok_or_else(missing)?;
            if !budget.take(*bytes) {
                return Err(ReadError::TooLarge { what: ENTRIES, most: MOST_BYTES });
            }
            entries.push(entry.clone());
        }
        let list = Arc::new(entries);
        self.lists.push(Arc::clone(&list));
        Ok(list)
    }
}

impl From<&RunEnd> for End {
    fn from(end: &RunEnd) -> Self {
        let RunEnd { wall, distributions, delivered, so_far, tail_idle, unreaped } = end.clone();
        let so_far = so_far.map(|sum| Arc::unwrap_or_clone(sum).all);
        Self { wall, distributions, delivered, so_far, tail_idle, unreaped }
    }
}

impl End {
    /// With what is written elsewhere: the latencies of each class in this run and those before.
    fn whole(self, classes: Box<[Distributions]>) -> RunEnd {
        let Self { wall, distributions, delivered, so_far, tail_idle, unreaped } = self;
        let so_far = so_far.map(|all| Arc::new(SoFar { all, classes }));
        RunEnd { wall, distributions, delivered, so_far, tail_idle, unreaped }
    }
}
