//! The trace (`--trace`): the Trace Event Format of Chrome, which Perfetto opens (<https://ui.perfetto.dev>). One process for
//! each run, one thread for each lane; runs lie one after the other as they were made.
//!
//! Spans are tasks, the start of processes and ghosts; the wait of a task is an asynchronous span from its arrival to its
//! dispatch; tasks that did not succeed, workers that died or were killed and notes are instants; waiting and running tasks are
//! counters. Spans of a lane lie beside or within each other ([`lane`]).
//!
//! A small run is told whole. No viewer shows millions of spans, and writing them would slow down what they are about: in each
//! second of a run the first 25,000 tasks are told one by one, others are summed up (category `tasks`, with their `count`) in at most
//! 5,000 spans, and of everything else there are 5,000. Each time that 200,000 more are told, of all
//! runs together, these limits go down to a quarter, so that a trace grows with the logarithm of the time. How much was
//! told in which way stands behind the events (`told`), and at the end of each run that was not told whole (`not told whole`).

mod lane;

use std::sync::Arc;

use serde_json::{Value, json};

use crate::engine::event::{Batch, EngineView, Event, Moment, Slot, WorkerId};
use crate::engine::outcome::AttemptReport;
use crate::os::host::Host;
use crate::report::json;
use crate::report::observed::{Begun, Lines, PerSecond, Told, dispatched, micros, quoted, whole};
use crate::report::trace::lane::{Lane, Span};
use crate::workload::model::Workload;

/// What is told before the limits of a second go down.
const WHOLE: u64 = 200_000;
/// Tasks that are told one by one in a second of a run, spans of others, and whatever else there is.
const TASKS: u64 = 25_000;
const SUMS: u64 = 5_000;
const OTHERS: u64 = 5_000;

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
pub(crate) fn tail(told: &Told) -> String {
    let about = json!({
        "tasks": told.tasks.get(), "tasks_summed_up": told.summed_up.get(), "tasks_left_out": told.tasks_left_out.get(),
        "others_left_out": told.others_left_out.get(), "lines_lost": told.lost.get(),
        "text": told.sampled().unwrap_or_else(|| "everything".to_owned()),
    });
    // A list does not end with a comma.
    format!("{}\n],\"told\":{about}}}\n", json!({ "name": "trace_ends", "ph": "M", "pid": 1, "tid": 0, "args": {} }))
}

/// The events of one run.
#[derive(Debug)]
pub(crate) struct TraceLines {
    begun: Begun,
    /// Of the session when the run began, in nanoseconds.
    since: u64,
    /// As JSON has them.
    classes: Vec<String>,
    /// What was told of all runs, and of this one.
    told: Arc<Told>,
    own: Told,
    /// Of tasks, sums and other things.
    limits: [PerSecond; 3],
    lanes: Vec<Lane>,
    /// When it heard of something last.
    heard: Moment,
}

impl TraceLines {
    pub(crate) fn new(begun: Begun, told: Arc<Told>) -> Self {
        let classes = begun.classes.iter().map(|name| quoted(name)).collect();
        let since = u64::try_from(begun.since.as_nanos()).unwrap_or(u64::MAX);
        Self {
            begun,
            since,
            classes,
            told,
            own: Told::default(),
            limits: Default::default(),
            lanes: Vec::new(),
            heard: Moment::ZERO,
        }
    }

    /// Nanoseconds of the session.
    fn time(&self, at: Moment) -> u64 {
        self.since.saturating_add(at.0)
    }

    /// Whether so many more may be told now, of tasks (0), sums of them (1) or other things (2).
    fn may_tell(&mut self, now: Moment, kind: usize, count: usize) -> bool {
        let told = self.told.tasks.get() + self.told.others.get();
        let most = [TASKS, SUMS, OTHERS][kind] >> (told / WHOLE * 2).min(32);
        self.limits[kind].take(now, count, most.max(1))
    }

    /// The same for one that is neither a task nor a batch; what may not be told is counted.
    fn may_tell_other(&mut self, now: Moment) -> bool {
        let may = self.may_tell(now, 2, 1);
        for told in [&self.own, &self.told] {
            if may { &told.others } else { &told.others_left_out }.add(1);
        }
        may
    }

    fn event_line(&self, out: &mut String, event: &Value) {
        out.push_str(&json::escaped(event.to_string()));
        out.push_str(",\n");
    }

    /// A span that is known exactly, after what the engine saw in its lane before.
    fn span(&mut self, out: &mut String, slot: Slot, mut span: Span) {
        self.tell_before(out, slot, span.from);
        if let Some(lane) = self.lanes.get_mut(slot.index()) {
            lane.fit(&mut span);
        }
        self.write_span(out, slot, &span);
    }

    /// A span that the engine saw: it waits for what comes after it.
    fn saw(&mut self, out: &mut String, slot: Slot, span: Span) {
        self.lane(slot);
        let lane = self.lanes.get_mut(slot.index());
        if let Some(before) = lane.and_then(|lane| lane.saw(span, &self.classes)) {
            self.write_span(out, slot, &before);
        }
    }

    /// What is still to be told of a lane before something that begins then.
    fn tell_before(&mut self, out: &mut String, slot: Slot, before: Moment) {
        self.lane(slot);
        let lane = self.lanes.get_mut(slot.index());
        if let Some(span) = lane.and_then(|lane| lane.told(before, &self.classes)) {
            self.write_span(out, slot, &span);
        }
    }

    /// What is still to be told of one to which nothing more comes.
    fn flush(&mut self, out: &mut String, slot: Slot) {
        self.tell_before(out, slot, Moment(u64::MAX));
    }

    /// The same of a worker with this first lane: its other ones follow, up to the first one of another worker.
    fn flush_worker(&mut self, out: &mut String, first: Slot) {
        let others = self.lanes.iter().skip(first.index() + 1).take_while(|lane| !lane.is_first).count();
        (first.0..).map(Slot).take(1 + others).for_each(|slot| self.flush(out, slot));
    }

    fn write_span(&mut self, out: &mut String, slot: Slot, span: &Span) {
        self.name(out, slot);
        let Span { category, name, args, from, to } = span;
        out.extend(["{\"ph\":\"X\",\"cat\":\"", category, "\",\"name\":", name, ",\"pid\":"]);
        whole(out, self.pid().into());
        out.push_str(",\"tid\":");
        whole(out, tid(slot).into());
        out.push_str(",\"ts\":");
        micros(out, self.time(*from));
        out.push_str(",\"dur\":");
        micros(out, to.0.saturating_sub(from.0));
        out.extend([",\"args\":{", args, "}},\n"]);
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
        if self.lane(slot).is_some_and(|lane| !std::mem::replace(&mut lane.named, true)) {
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

    /// What is kept of a slot. There are no more of them than processes may be started.
    fn lane(&mut self, slot: Slot) -> Option<&mut Lane> {
        if self.lanes.len() <= slot.index() {
            self.lanes.resize(slot.index() + 1, Lane::default());
        }
        self.lanes.get_mut(slot.index())
    }

    fn succeeded(&mut self, out: &mut String, now: Moment, batch: &Batch<'_>) {
        let count = batch.records.len();
        if !self.may_tell(now, 0, count) {
            return self.sum_up(out, now, batch);
        }
        for told in [&self.own, &self.told] {
            told.tasks.add(count as u64);
        }
        let class = self.classes.get(usize::from(batch.class)).cloned().unwrap_or_else(|| "\"task\"".to_owned());
        let attempt = batch.attempt;
        for (dispatched, record) in dispatched(batch) {
            let args = format!("\"index\":{},\"attempt\":{attempt}", record.index);
            let to = Moment(record.start.0.saturating_add(record.service));
            self.span(out, batch.slot, Span { category: "task", name: class.clone(), args, from: record.start, to });
            if dispatched > batch.arrival {
                let pid = self.pid().into();
                for (phase, moment) in [("b", batch.arrival), ("e", dispatched)] {
                    out.extend(["{\"ph\":\"", phase, "\",\"cat\":\"wait\",\"name\":\"wait\",\"id\":\""]);
                    whole(out, pid);
                    out.push('.');
                    whole(out, record.index);
                    out.push_str("\",\"pid\":");
                    whole(out, pid);
                    out.push_str(",\"tid\":0,\"ts\":");
                    micros(out, self.time(moment));
                    out.push_str("},\n");
                }
            }
        }
    }

    /// Tasks that are not told one by one.
    fn sum_up(&mut self, out: &mut String, now: Moment, batch: &Batch<'_>) {
        let Batch { slot, class, attempt, records, .. } = *batch;
        let (Some(first), Some(lane)) = (records.first(), self.lane(slot)) else { return };
        let mut is_told = lane.sum_up(class, attempt, records);
        if !is_told && self.may_tell(now, 1, 1) {
            is_told = true;
            self.told.others.add(1);
            self.tell_before(out, slot, first.start);
            if let Some(lane) = self.lane(slot) {
                lane.begin_sum(class, attempt, records);
            }
        }
        for told in [&self.own, &self.told] {
            if is_told { &told.summed_up } else { &told.tasks_left_out }.add(records.len() as u64);
        }
    }

    fn attempt(&mut self, out: &mut String, now: Moment, report: &AttemptReport) {
        if !self.may_tell_other(now) {
            return;
        }
        let word = report.outcome.word();
        if let (Some(slot), Some(service)) = (report.slot, report.service) {
            let (name, args) = (format!("\"{word}\""), format!("\"index\":{}", report.index));
            let from = report.ended - service;
            self.span(out, slot, Span { category: "attempt", name, args, from, to: report.ended });
        }
        let args = json!({ "index": report.index, "cause": report.cause.to_string(), "retried": report.retried });
        self.instant(out, report.ended, report.slot, word, &args);
    }

    /// A process was started then and is not starting any more.
    fn start_up(&mut self, out: &mut String, worker: WorkerId, now: Moment, name: &str) {
        let started = self.lane(worker.slot).and_then(|lane| lane.started.take());
        if let Some(from) = started.filter(|_| self.may_tell_other(now)) {
            let (category, name, args) = ("start-up", format!("\"{name}\""), String::new());
            self.saw(out, worker.slot, Span { category, name, args, from, to: now });
        }
    }

    /// At the end of a run that was not told whole.
    fn sampled(&mut self, out: &mut String, now: Moment) {
        if let Some(text) = self.own.sampled() {
            self.instant(out, now, None, "not told whole", &json!({ "told": text }));
        }
    }
}

/// Threads are counted from 1: 0 is that of the run itself.
fn tid(slot: Slot) -> u32 {
    slot.0.saturating_add(1)
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
        self.heard = now;
        // Beginnings are kept and not told; a few lines about the run itself have no limit.
        match event {
            Event::Succeeded(batch) => self.succeeded(out, now, batch),
            Event::Attempt(report) => self.attempt(out, now, report),
            Event::WorkerStarted { worker, .. } => {
                if let Some(lane) = self.lane(worker.slot) {
                    lane.started = Some(now);
                    lane.is_first = true;
                }
            }
            Event::WorkerReady { worker, .. } | Event::WorkerBegan { worker, .. } => {
                self.start_up(out, *worker, now, "start-up");
            }
            Event::WorkerEnding { slot, reason, .. } if self.may_tell_other(now) => {
                self.instant(out, now, Some(*slot), "worker ended", &json!({ "reason": reason }));
            }
            Event::WorkerExited { worker, exit, expected, cause, .. } => {
                self.start_up(out, *worker, now, "start-up, in vain");
                self.flush_worker(out, worker.slot);
                if !expected && self.may_tell_other(now) {
                    let args = json!({ "exit": exit.to_string(), "cause": cause.to_string() });
                    self.instant(out, now, Some(worker.slot), "worker died", &args);
                }
            }
            Event::WorkerUnkillable { worker, pid } => {
                self.instant(out, now, Some(worker.slot), "worker does not end", &json!({ "pid": pid }));
            }
            Event::GhostBegan { lane } => {
                if let Some(lane) = self.lane(lane.slot()) {
                    lane.ghost = Some(now);
                }
            }
            Event::GhostEnded { lane, .. } => {
                let slot = lane.slot();
                let began = self.lane(slot).and_then(|lane| lane.ghost.take());
                if let Some(from) = began.filter(|_| self.may_tell_other(now)) {
                    let (category, name, args) = ("ghost", "\"ghost\"".to_owned(), String::new());
                    self.saw(out, slot, Span { category, name, args, from, to: now });
                }
            }
            Event::Expired { count, .. } if self.may_tell_other(now) => {
                self.instant(out, now, None, "expired", &json!({ "count": count }));
            }
            Event::Resized { workers } => self.instant(out, now, None, "resized", &json!({ "workers": workers })),
            Event::Suspended(time) => {
                self.instant(out, now, None, "suspended", &json!({ "seconds": time.as_secs_f64() }));
            }
            Event::Note { severity, text } if self.may_tell_other(now) => {
                self.instant(out, now, None, "note", &json!({ "severity": severity, "text": text }));
            }
            Event::RunEnds { .. } => {
                let slots = (0..).take(self.lanes.len()).map(Slot);
                slots.for_each(|slot| self.flush(out, slot));
                self.sampled(out, now);
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

    fn count_lost(&mut self, count: u64) {
        self.own.lost.add(count);
    }

    fn lost(&mut self, out: &mut String, count: u64) {
        // Their names may have been among them.
        self.lanes.iter_mut().for_each(|lane| lane.named = false);
        self.instant(out, self.heard, None, "lines lost", &json!({ "count": count }));
    }
}

#[cfg(test)]
mod tests;
