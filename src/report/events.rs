//! The event log (`--events`), schema `poolscope.events/1`: JSON, one line for each thing that happened, as it happens.
//!
//! The first line is `log`: `schema`, `version`, workload and host as in `poolscope.result/1`. Each line after it has `event`;
//! all but `log` have `run` (its serial number in the session). Times are seconds of the run clock, exact to a nanosecond:
//! `at` is when it happened. Lines come in the order in which the engine heard of things: `at` may be a little out of order.
//!
//! * `run_started`: `arm`, `engine`, `workers`, `name` (`run 2`, `warm-up 1`), `since_start` (of the session);
//! * `task`: one that succeeded: `index`, `class`, `attempt`, `slot`, `arrival` (intended), `dispatched`, `start`, `service`;
//!   `at` is its end;
//! * `tasks`: so many (`count`) that succeeded and are not told one by one, with the `first_start` and the sum of `service`.
//!   There is a `task` for each of the first 25,000 in a second; at a higher rate one line tells of a batch, as its worker
//!   reported it. No task is in neither;
//! * `attempt`: one that did not succeed: `index`, `class`, `attempt`, `outcome`, `retried`, `cause`, `slot`, `pid`, `killed`; beyond
//!   25,000 in a second they are counted in `attempts_left_out`;
//! * `expired`: tasks of a class that waited too long: `count`, `cause`;
//! * `worker_started`, `worker_ready`, `worker_initialized`, `worker_ending` (`reason`), `worker_exited` (`exit`, `cause`, `expected`,
//!   `cpu`), `worker_unkillable`; `fork_server_started`, `fork_server_ready`, `fork_server_exited`, `not_forked`;
//! * `ghost_began`, `ghost_ended` (`after`, `cpu`); `resized` (`workers`); `suspended` (`for`); `note` (`severity`, `text`);
//! * `state`, ten times a second: `state`, `queued`, `running`, `succeeded`, `unsuccessful`;
//! * `run_ended` (`early`);
//! * `lost`: so many lines (`count`) are missing before it, because the place they go to did not take them quickly enough.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::engine::event::{Batch, EngineView, Event, Moment};
use crate::engine::outcome::{AttemptReport, Cause};
use crate::os::host::Host;
use crate::report::json::{self, host_out, workload_out};
use crate::report::observed::{Begun, Lines, dispatched, quoted, seconds};
use crate::workload::model::{ClassId, Workload};

/// Name of the schema.
pub(crate) const SCHEMA: &str = "poolscope.events/1";
/// Tasks that are told one by one in a second of the run, and attempts likewise.
const ONE_BY_ONE: u32 = 25_000;
const SECOND: u64 = 1_000_000_000;

/// The first line.
#[must_use]
pub(crate) fn head(workload: &Workload, host: &Host, stream_hash: &str, tasks: u64) -> String {
    let document = json!({
        "event": "log", "schema": SCHEMA, "version": env!("CARGO_PKG_VERSION"),
        "workload": workload_out(workload, stream_hash, tasks), "host": host_out(host),
    });
    format!("{}\n", json::escaped(document.to_string()))
}

/// The lines of one run.
#[derive(Debug)]
pub(crate) struct EventLines {
    begun: Begun,
    /// Names of the classes as JSON has them.
    classes: Vec<String>,
    /// The second of the run that is counted, and how many tasks and attempts were told one by one in it.
    second: u64,
    told: [u32; 2],
    left_out: u64,
}

impl EventLines {
    pub(crate) fn new(begun: Begun) -> Self {
        let classes = begun.classes.iter().map(|name| quoted(name)).collect();
        Self { begun, classes, second: 0, told: [0; 2], left_out: 0 }
    }

    fn class(&self, class: ClassId) -> &str {
        self.classes.get(usize::from(class)).map_or("null", String::as_str)
    }

    /// Begins a line.
    fn line(&self, out: &mut String, at: Moment, event: &str) {
        let _ = write!(out, "{{\"run\":{},\"at\":", self.begun.run.serial);
        seconds(out, at.0);
        let _ = write!(out, ",\"event\":\"{event}\"");
    }

    /// A line of what is rare.
    fn rare(&self, out: &mut String, at: Moment, event: &str, fields: &Value) {
        self.line(out, at, event);
        if let Some(inside) = json::escaped(fields.to_string()).strip_prefix('{').filter(|rest| *rest != "}") {
            let _ = write!(out, ",{inside}");
        } else {
            out.push('}');
        }
        out.push('\n');
    }

    /// Whether so many more may be told one by one now: tasks (0) or attempts (1).
    fn may_tell(&mut self, now: Moment, kind: usize, count: usize) -> bool {
        if now.0 / SECOND != self.second {
            (self.second, self.told) = (now.0 / SECOND, [0; 2]);
        }
        let told = &mut self.told[kind];
        let after = told.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
        let may = after <= ONE_BY_ONE;
        if may {
            *told = after;
        }
        may
    }

    fn succeeded(&mut self, out: &mut String, now: Moment, batch: &Batch<'_>) {
        let (Some(first), Some(last)) = (batch.records.first(), batch.records.last()) else { return };
        let slot = batch.slot.0;
        if !self.may_tell(now, 0, batch.records.len()) {
            self.line(out, Moment(last.start.0.saturating_add(last.service)), "tasks");
            let service: u64 = batch.records.iter().fold(0, |sum, record| sum.saturating_add(record.service));
            let (count, class) = (batch.records.len(), self.class(batch.class));
            let _ = write!(out, ",\"count\":{count},\"class\":{class},\"attempt\":{},\"slot\":{slot}", batch.attempt);
            field(out, "first_start", first.start.0);
            field(out, "service", service);
            out.push_str("}\n");
            return;
        }
        for (dispatched, record) in dispatched(batch) {
            self.line(out, Moment(record.start.0.saturating_add(record.service)), "task");
            let (index, class) = (record.index, self.class(batch.class));
            let _ = write!(out, ",\"index\":{index},\"class\":{class},\"attempt\":{},\"slot\":{slot}", batch.attempt);
            field(out, "arrival", batch.arrival.0);
            field(out, "dispatched", dispatched.0);
            field(out, "start", record.start.0);
            field(out, "service", record.service);
            out.push_str("}\n");
        }
    }

    fn attempt(&mut self, out: &mut String, now: Moment, report: &AttemptReport) {
        if !self.may_tell(now, 1, 1) {
            self.left_out += 1;
            return;
        }
        let class = self.begun.classes.get(usize::from(report.class));
        let fields = json!({
            "index": report.index, "class": class, "attempt": report.attempt, "outcome": report.outcome,
            "retried": report.retried, "cause": report.cause.to_string(), "slot": report.slot, "pid": report.pid,
            "killed": report.killed, "service": report.service.map(|time| time.as_secs_f64()),
        });
        self.rare(out, report.ended, "attempt", &fields);
    }
}

fn field(out: &mut String, name: &str, nanos: u64) {
    let _ = write!(out, ",\"{name}\":");
    seconds(out, nanos);
}

impl Lines for EventLines {
    fn begin(&mut self, out: &mut String) {
        let Begun { arm, engine, workers, run, since, .. } = &self.begun;
        let fields = json!({
            "arm": arm, "engine": engine, "workers": workers, "name": run.to_string(), "since_start": since.as_secs_f64(),
        });
        self.rare(out, Moment::ZERO, "run_started", &fields);
    }

    fn event(&mut self, out: &mut String, now: Moment, event: &Event<'_>) {
        let (name, fields) = match event {
            Event::Succeeded(batch) => return self.succeeded(out, now, batch),
            Event::Attempt(report) => return self.attempt(out, now, report),
            Event::Expired { class, count, limit, .. } => {
                let class = self.begun.classes.get(usize::from(*class));
                ("expired", json!({ "class": class, "count": count, "cause": Cause::from(*limit).to_string() }))
            }
            Event::WorkerStarted { worker, pid, restart } => {
                ("worker_started", json!({ "slot": worker.slot, "pid": pid, "restart": restart }))
            }
            Event::WorkerReady { worker, took } => {
                ("worker_ready", json!({ "slot": worker.slot, "took": took.as_secs_f64() }))
            }
            Event::WorkerInitialized { worker, wall, cpu, .. } => (
                "worker_initialized",
                json!({ "slot": worker.slot, "wall": wall.as_secs_f64(), "cpu": cpu.as_secs_f64() }),
            ),
            Event::WorkerEnding { slot, pid, reason, .. } => {
                ("worker_ending", json!({ "slot": slot, "pid": pid, "reason": reason }))
            }
            Event::WorkerExited { worker, pid, exit, usage, expected, cause, .. } => (
                "worker_exited",
                json!({
                    "slot": worker.slot, "pid": pid, "exit": exit.to_string(), "cause": cause.to_string(),
                    "expected": expected, "cpu": (usage.user + usage.system).as_secs_f64(),
                }),
            ),
            Event::WorkerUnkillable { worker, pid } => {
                ("worker_unkillable", json!({ "slot": worker.slot, "pid": pid }))
            }
            Event::ForkServerStarted { pid } => ("fork_server_started", json!({ "pid": pid })),
            Event::ForkServerReady { pid, took, .. } => {
                ("fork_server_ready", json!({ "pid": pid, "took": took.as_secs_f64() }))
            }
            Event::ForkServerExited { exit, .. } => ("fork_server_exited", json!({ "exit": exit.to_string() })),
            Event::NotForked { reason } => ("not_forked", json!({ "reason": reason })),
            Event::GhostBegan { lane } => ("ghost_began", json!({ "slot": lane.slot() })),
            Event::GhostEnded { lane, after, cpu } => (
                "ghost_ended",
                json!({ "slot": lane.slot(), "after": after.as_secs_f64(), "cpu": cpu.map(|cpu| cpu.as_secs_f64()) }),
            ),
            Event::Resized { workers } => ("resized", json!({ "workers": workers })),
            Event::Suspended(time) => ("suspended", json!({ "for": time.as_secs_f64() })),
            Event::Note { severity, text } => ("note", json!({ "severity": severity, "text": text })),
            Event::RunEnds { early } => ("run_ended", json!({ "early": early })),
            // What is folded into figures, and no event of its own.
            _ => return,
        };
        self.rare(out, now, name, &fields);
    }

    fn state(&mut self, out: &mut String, now: Moment, view: &EngineView<'_>) {
        let counts = view.counts;
        let fields = json!({
            "state": view.state, "queued": counts.queued, "running": counts.running, "succeeded": counts.succeeded,
            "unsuccessful": counts.finished() - counts.succeeded,
        });
        self.rare(out, now, "state", &fields);
        if self.left_out > 0 {
            self.rare(out, now, "attempts_left_out", &json!({ "count": self.left_out }));
            self.left_out = 0;
        }
    }

    fn lost(&mut self, out: &mut String, count: u64) {
        let _ = writeln!(out, "{{\"run\":{},\"event\":\"lost\",\"count\":{count}}}", self.begun.run.serial);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::event::{Record, Slot};
    use crate::metrics::snapshot::RunId;
    use crate::workload::model::Attempt;

    #[test]
    fn at_a_high_rate_batches_are_summed_up_and_no_task_is_missing() {
        let begun = Begun {
            arm: "pool".to_owned(),
            engine: "pool",
            workers: 1,
            run: RunId { serial: 1, round: 1, warmup: false },
            since: Duration::ZERO,
            classes: vec!["a\"b\u{1b}".to_owned()],
        };
        let mut lines = EventLines::new(begun);
        let records: Vec<Record> =
            (0..10_000).map(|index| Record { index, start: Moment(index), service: 3, after: 0, value: 0 }).collect();
        let batch = Batch {
            slot: Slot(0),
            class: 0,
            attempt: Attempt::FIRST,
            arrival: Moment::ZERO,
            sent: Moment::ZERO,
            free_since: Moment::ZERO,
            records: &records,
        };
        let mut tell = |now: u64| {
            let mut out = String::new();
            lines.event(&mut out, Moment(now), &Event::Succeeded(batch));
            assert!(!out.contains('\u{1b}'), "{out:?}");
            let read =
                |line: &str| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            let all: Vec<Value> = out.lines().map(read).collect();
            let counted: u64 = all.iter().map(|line| line["count"].as_u64().unwrap_or(1)).sum();
            assert_eq!(counted, 10_000);
            (all.len(), all[0].clone())
        };
        assert_eq!(tell(1).0, 10_000);
        assert_eq!(tell(2).0, 10_000);
        let (count, sum) = tell(3);
        assert_eq!((count, &sum["event"], &sum["service"]), (1, &"tasks".into(), &0.000_03.into()), "{sum}");
        assert_eq!((&sum["class"], &sum["first_start"]), (&"a\"b\u{1b}".into(), &0.0.into()));
        let (count, task) = tell(SECOND);
        assert_eq!(
            (count, &task["event"], &task["dispatched"]),
            (10_000, &"task".into(), &0.0.into()),
            "the next second"
        );
    }
}
