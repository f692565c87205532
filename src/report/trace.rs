//! The trace (`--trace`): the Trace Event Format of Chrome, which Perfetto opens (<https://ui.perfetto.dev>). One process for
//! each run, one thread for each lane; runs lie one after the other as they were made.
//!
//! Spans are tasks, the start of processes and ghosts; the wait of a task is an asynchronous span from its arrival to its
//! dispatch; tasks that did not succeed, workers that died or were killed and notes are instants; waiting and running tasks are
//! counters. Beyond [`MOST_SPANS`] tasks, which no viewer shows, there are no more of these, and the last metadata says how
//! many.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::engine::event::{Batch, EngineView, Event, Moment, Slot, WorkerId};
use crate::os::host::Host;
use crate::report::json;
use crate::report::observed::{Begun, Lines, dispatched, quoted};
use crate::workload::model::Workload;

/// Tasks that have spans, of all runs together.
pub(crate) const MOST_SPANS: u64 = 200_000;

/// Tasks of all runs of a trace.
#[derive(Debug, Default)]
pub(crate) struct Spans {
    told: AtomicU64,
    left_out: AtomicU64,
}

/// What comes before the events.
#[must_use]
pub(crate) fn head(workload: &Workload, host: &Host, stream_hash: &str) -> String {
    let about = json!({
        "program": concat!("poolscope ", env!("CARGO_PKG_VERSION")), "workload": workload.name, "workload_hash": workload.hash,
        "stream_hash": stream_hash, "seed": workload.seed.to_string(), "host": host.name, "cpu_model": host.cpu_model,
    });
    format!("{{\"displayTimeUnit\":\"ms\",\"otherData\":{},\"traceEvents\":[\n", json::escaped(about.to_string()))
}

/// What comes after them.
#[must_use]
pub(crate) fn tail(spans: &Spans) -> String {
    let left_out = spans.left_out.load(Ordering::Relaxed);
    let text =
        if left_out == 0 { "every task has a span".to_owned() } else { format!("{left_out} tasks have no span") };
    let about =
        json!({ "name": "spans", "ph": "M", "pid": 0, "tid": 0, "args": { "left_out": left_out, "text": text } });
    format!("{about}\n]}}\n")
}

/// The events of one run.
#[derive(Debug)]
pub(crate) struct TraceLines {
    begun: Begun,
    classes: Vec<String>,
    spans: Arc<Spans>,
    /// When the process in each slot was started, and when a ghost began in it.
    started: Vec<Option<Moment>>,
    ghosts: Vec<Option<Moment>>,
    named: Vec<bool>,
}

impl TraceLines {
    pub(crate) fn new(begun: Begun, spans: Arc<Spans>) -> Self {
        let classes = begun.classes.iter().map(|name| quoted(name)).collect();
        Self { begun, classes, spans, started: Vec::new(), ghosts: Vec::new(), named: Vec::new() }
    }

    /// Microseconds of the session, with three digits.
    fn time(&self, at: Moment) -> u128 {
        self.begun.since.as_nanos() + u128::from(at.0)
    }

    fn event_line(&self, out: &mut String, event: &Value) {
        out.push_str(&json::escaped(event.to_string()));
        out.push_str(",\n");
    }

    /// A complete span.
    fn span(
        &mut self,
        out: &mut String,
        (category, name, args): (&str, &str, &str),
        slot: Slot,
        from: Moment,
        nanos: u64,
    ) {
        self.name(out, slot);
        let _ = write!(
            out,
            "{{\"ph\":\"X\",\"cat\":\"{category}\",\"name\":{name},\"pid\":{},\"tid\":{}",
            self.pid(),
            tid(slot)
        );
        micros(out, "ts", self.time(from));
        micros(out, "dur", nanos.into());
        let _ = writeln!(out, ",\"args\":{{{args}}}}},");
    }

    fn instant(&mut self, out: &mut String, at: Moment, slot: Option<Slot>, name: &str, args: &Value) {
        if let Some(slot) = slot {
            self.name(out, slot);
        }
        let (scope, thread) = slot.map_or(("p", 0), |slot| ("t", tid(slot)));
        let ts = self.time(at) as f64 / 1e3;
        let event = json!({
            "ph": "i", "cat": "fault", "name": name, "s": scope, "pid": self.pid(), "tid": thread, "ts": ts, "args": args,
        });
        self.event_line(out, &event);
    }

    /// A lane is named when it is first seen.
    fn name(&mut self, out: &mut String, slot: Slot) {
        if at(&mut self.named, slot).is_some_and(|named| !std::mem::replace(named, true)) {
            let args = json!({ "name": format!("worker {slot}") });
            let event = json!({ "ph": "M", "name": "thread_name", "pid": self.pid(), "tid": tid(slot), "args": args });
            self.event_line(out, &event);
            let args = json!({ "sort_index": slot.0 });
            let event =
                json!({ "ph": "M", "name": "thread_sort_index", "pid": self.pid(), "tid": tid(slot), "args": args });
            self.event_line(out, &event);
        }
    }

    fn pid(&self) -> u32 {
        self.begun.run.serial
    }

    fn succeeded(&mut self, out: &mut String, batch: &Batch<'_>) {
        let count = batch.records.len() as u64;
        if self.spans.told.fetch_add(count, Ordering::Relaxed).saturating_add(count) > MOST_SPANS {
            self.spans.told.fetch_sub(count, Ordering::Relaxed);
            self.spans.left_out.fetch_add(count, Ordering::Relaxed);
            return;
        }
        let class = self.classes.get(usize::from(batch.class)).cloned().unwrap_or_else(|| "\"task\"".to_owned());
        for (dispatched, record) in dispatched(batch) {
            let id = record.index;
            let args = format!("\"index\":{id},\"attempt\":{}", batch.attempt);
            self.span(out, ("task", &class, &args), batch.slot, record.start, record.service);
            if dispatched > batch.arrival {
                let pid = self.pid();
                for (phase, moment) in [('b', batch.arrival), ('e', dispatched)] {
                    let _ = write!(
                        out,
                        "{{\"ph\":\"{phase}\",\"cat\":\"wait\",\"name\":\"wait\",\"id\":\"{pid}.{id}\",\"pid\":{pid},\"tid\":0"
                    );
                    micros(out, "ts", self.time(moment));
                    out.push_str("},\n");
                }
            }
        }
    }

    fn start_up(&mut self, out: &mut String, worker: WorkerId, now: Moment) {
        let started = at(&mut self.started, worker.slot).and_then(Option::take);
        if let Some(started) = started {
            self.span(out, ("start-up", "\"start-up\"", ""), worker.slot, started, now.0.saturating_sub(started.0));
        }
    }
}

/// Threads are counted from 1: 0 is that of the run itself.
fn tid(slot: Slot) -> u32 {
    slot.0.saturating_add(1)
}

/// What is kept of a slot. There are no more of them than processes may be started.
fn at<T: Default + Clone>(list: &mut Vec<T>, slot: Slot) -> Option<&mut T> {
    if list.len() <= slot.index() {
        list.resize(slot.index() + 1, T::default());
    }
    list.get_mut(slot.index())
}

fn micros(out: &mut String, name: &str, nanos: u128) {
    let _ = write!(out, ",\"{name}\":{}.{:03}", nanos / 1000, nanos % 1000);
}

impl Lines for TraceLines {
    fn begin(&mut self, out: &mut String) {
        let Begun { arm, workers, run, .. } = &self.begun;
        let args = json!({ "name": format!("{arm} ×{workers}, {run}") });
        let event = json!({ "ph": "M", "name": "process_name", "pid": self.pid(), "tid": 0, "args": args });
        self.event_line(out, &event);
        let args = json!({ "sort_index": self.pid() });
        let event = json!({ "ph": "M", "name": "process_sort_index", "pid": self.pid(), "tid": 0, "args": args });
        self.event_line(out, &event);
    }

    fn event(&mut self, out: &mut String, now: Moment, event: &Event<'_>) {
        match event {
            Event::Succeeded(batch) => self.succeeded(out, batch),
            Event::Attempt(report) => {
                let begin = report.service.map(|service| report.ended - service);
                let args =
                    json!({ "index": report.index, "cause": report.cause.to_string(), "retried": report.retried });
                if let (Some(slot), Some(begin), Some(service)) = (report.slot, begin, report.service) {
                    let name = format!("\"{}\"", report.outcome.word());
                    let inside = format!("\"index\":{}", report.index);
                    let nanos = u64::try_from(service.as_nanos()).unwrap_or(u64::MAX);
                    self.span(out, ("attempt", &name, &inside), slot, begin, nanos);
                }
                self.instant(out, report.ended, report.slot, report.outcome.word(), &args);
            }
            Event::Expired { count, .. } => self.instant(out, now, None, "expired", &json!({ "count": count })),
            Event::WorkerStarted { worker, .. } => {
                if let Some(started) = at(&mut self.started, worker.slot) {
                    *started = Some(now);
                }
            }
            Event::WorkerReady { worker, .. } | Event::WorkerBegan { worker, .. } => self.start_up(out, *worker, now),
            Event::WorkerEnding { slot, reason, .. } => {
                self.instant(out, now, Some(*slot), "worker ended", &json!({ "reason": reason }));
            }
            Event::WorkerExited { worker, exit, expected: false, cause, .. } => {
                let args = json!({ "exit": exit.to_string(), "cause": cause.to_string() });
                self.instant(out, now, Some(worker.slot), "worker died", &args);
            }
            Event::GhostBegan { lane } => {
                if let Some(ghost) = at(&mut self.ghosts, lane.slot()) {
                    *ghost = Some(now);
                }
            }
            Event::GhostEnded { lane, .. } => {
                if let Some(began) = at(&mut self.ghosts, lane.slot()).and_then(Option::take) {
                    self.span(out, ("ghost", "\"ghost\"", ""), lane.slot(), began, now.0.saturating_sub(began.0));
                }
            }
            Event::Resized { workers } => self.instant(out, now, None, "resized", &json!({ "workers": workers })),
            Event::Suspended(time) => {
                self.instant(out, now, None, "suspended", &json!({ "seconds": time.as_secs_f64() }));
            }
            Event::Note { severity, text } => {
                self.instant(out, now, None, "note", &json!({ "severity": severity, "text": text }));
            }
            _ => {}
        }
    }

    fn state(&mut self, out: &mut String, now: Moment, view: &EngineView<'_>) {
        let args = json!({ "queued": view.counts.queued, "running": view.counts.running });
        let ts = self.time(now) as f64 / 1e3;
        let event = json!({ "ph": "C", "name": "tasks", "pid": self.pid(), "tid": 0, "ts": ts, "args": args });
        self.event_line(out, &event);
    }

    fn lost(&mut self, out: &mut String, count: u64) {
        let event = json!({
            "ph": "i", "cat": "lost", "name": "events lost", "s": "p", "pid": self.pid(), "tid": 0,
            "ts": self.begun.since.as_nanos() as f64 / 1e3, "args": { "count": count },
        });
        self.event_line(out, &event);
    }
}
