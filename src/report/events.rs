//! The event log (`--events`), schema `poolscope.events/1`: JSON, one line for each thing that happened, as it happens.
//!
//! The first line is `log`: `schema`, `version`, workload and host as in `poolscope.result/1`. Each line after it has `event`;
//! all but `log` have `run` (its serial number in the session, warm-up runs and those of other arms included; `name` has the
//! number that people see, which CSV and the history call `round`). Times are seconds of the run clock, exact to a nanosecond:
//! `at` is when it happened. Lines come in the order in which the engine heard of things: `at` may be a little out of order.
//!
//! * `run_started`: `arm`, `engine`, `workers`, `name` (`run 2`, `warm-up 1`), `since_start` (of the session);
//! * `task`: one that succeeded: `index`, `class`, `attempt`, `slot`, `arrival` (intended), `dispatched`, `start`, `service`;
//!   `at` is its end;
//! * `tasks`: so many (`count`) of a lane that succeeded and are not told one by one, with the `first_start` and the sum of
//!   `service`; `at` is the end of the last. There is a `task` for each of the first 25,000 in a second; at a higher rate one
//!   line sums up what a lane did, of each class and attempt, until the next `state`. No task is in neither;
//! * `attempt`: one that did not succeed: `index`, `class`, `attempt`, `outcome`, `retried`, `cause`, `slot`, `pid`, `killed`; beyond
//!   25,000 in a second they are counted in `attempts_left_out` (`count`);
//! * `expired`: tasks of a class that waited too long: `count`, `cause`;
//! * `worker_started`, `worker_ready`, `worker_initialized`, `worker_ending` (`reason`), `worker_exited` (`exit`, `cause`, `expected`,
//!   `cpu`), `worker_unkillable`; `fork_server_started`, `fork_server_ready`, `fork_server_exited`, `not_forked`;
//! * `ghost_began`, `ghost_ended` (`after`, `cpu`); `resized` (`workers`); `suspended` (`for`); `note` (`severity`, `text`);
//! * `state`, ten times a second: `state`, `queued`, `running`, `succeeded`, `unsuccessful`;
//! * `run_ended` (`early`);
//! * `lost`: so many lines (`count`) are missing before it, because the place they go to did not take them quickly enough.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::engine::event::{Batch, EngineView, Event, Moment, Record, Slot};
use crate::engine::outcome::{AttemptReport, Cause};
use crate::os::host::Host;
use crate::report::json::{self, host_out, workload_out};
use crate::report::observed::{Begun, Lines, PerSecond, Told, dispatched, quoted, seconds, whole};
use crate::workload::model::{Attempt, ClassId, Workload};

/// Name of the schema.
pub(crate) const SCHEMA: &str = "poolscope.events/1";
/// Tasks that are told one by one in a second of the run, and attempts likewise.
const ONE_BY_ONE: u64 = 25_000;

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
    /// What was told of all runs.
    told: Arc<Told>,
    /// Of tasks and of attempts.
    limits: [PerSecond; 2],
    left_out: u64,
    /// What is summed up until the next state.
    sums: BTreeMap<(Slot, ClassId, Attempt), Sum>,
}

/// Tasks that are told together.
#[derive(Debug, Default)]
struct Sum {
    count: u64,
    first_start: Moment,
    end: Moment,
    service: u64,
}

impl Sum {
    fn add(&mut self, records: &[Record]) {
        let (Some(first), Some(last)) = (records.first(), records.last()) else { return };
        if self.count == 0 {
            self.first_start = first.start;
        }
        self.count += records.len() as u64;
        self.end = Moment(last.start.0.saturating_add(last.service));
        self.service = records.iter().fold(self.service, |sum, record| sum.saturating_add(record.service));
    }
}

impl EventLines {
    pub(crate) fn new(begun: Begun, told: Arc<Told>) -> Self {
        let classes = begun.classes.iter().map(|name| quoted(name)).collect();
        Self { begun, classes, told, limits: Default::default(), left_out: 0, sums: BTreeMap::new() }
    }

    fn class(&self, class: ClassId) -> &str {
        self.classes.get(usize::from(class)).map_or("null", String::as_str)
    }

    /// Begins a line.
    fn line(&self, out: &mut String, at: Moment, event: &str) {
        out.push_str("{\"run\":");
        whole(out, self.begun.run.serial.into());
        out.push_str(",\"at\":");
        seconds(out, at.0);
        out.extend([",\"event\":\"", event, "\""]);
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

    fn succeeded(&mut self, out: &mut String, now: Moment, batch: &Batch<'_>) {
        let (slot, count) = (batch.slot.0, batch.records.len());
        if !self.limits[0].take(now, count, ONE_BY_ONE) {
            self.told.summed_up.add(count as u64);
            self.sums.entry((batch.slot, batch.class, batch.attempt)).or_default().add(batch.records);
            return;
        }
        self.told.tasks.add(count as u64);
        let class = self.classes.get(usize::from(batch.class)).map_or("null", String::as_str);
        let mut lane = format!(",\"class\":{class},\"attempt\":{},\"slot\":{slot},\"arrival\":", batch.attempt);
        seconds(&mut lane, batch.arrival.0);
        for (dispatched, record) in dispatched(batch) {
            self.line(out, Moment(record.start.0.saturating_add(record.service)), "task");
            out.push_str(",\"index\":");
            whole(out, record.index);
            out.push_str(&lane);
            field(out, "dispatched", dispatched.0);
            field(out, "start", record.start.0);
            field(out, "service", record.service);
            out.push_str("}\n");
        }
    }

    /// Tells what was summed up.
    fn sums(&mut self, out: &mut String) {
        for ((slot, class, attempt), sum) in std::mem::take(&mut self.sums) {
            self.line(out, sum.end, "tasks");
            let (count, class) = (sum.count, self.class(class));
            let _ = write!(out, ",\"count\":{count},\"class\":{class},\"attempt\":{attempt},\"slot\":{}", slot.0);
            field(out, "first_start", sum.first_start.0);
            field(out, "service", sum.service);
            out.push_str("}\n");
        }
    }

    fn attempt(&mut self, out: &mut String, now: Moment, report: &AttemptReport) {
        if !self.limits[1].take(now, 1, ONE_BY_ONE) {
            self.left_out += 1;
            self.told.others_left_out.add(1);
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
    out.extend([",\"", name, "\":"]);
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
        if let Event::RunEnds { .. } = event {
            self.sums(out);
        }
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
        self.sums(out);
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
    fn at_a_high_rate_lanes_are_summed_up_and_no_task_is_missing() {
        let begun = Begun {
            arm: "pool".to_owned(),
            engine: "pool",
            workers: 1,
            run: RunId { serial: 1, round: 1, warmup: false },
            since: Duration::ZERO,
            classes: vec!["a\"b\u{1b}".to_owned()],
            numbers: Vec::new(),
        };
        let told = Arc::new(Told::default());
        let mut lines = EventLines::new(begun, Arc::clone(&told));
        let records: Vec<Record> =
            (0..10_000).map(|index| Record { index, start: Moment(index), service: 3, after: 0, value: 0 }).collect();
        let batch = |slot| Batch {
            slot: Slot(slot),
            class: 0,
            attempt: Attempt::FIRST,
            arrival: Moment::ZERO,
            sent: Moment::ZERO,
            free_since: Moment::ZERO,
            records: &records,
        };
        let mut out = String::new();
        let in_a_second = [(1, 0), (2, 0), (3, 0), (4, 0), (5, 1)];
        for (now, slot) in in_a_second.into_iter().chain([(1_000_000_000, 0)]) {
            lines.event(&mut out, Moment(now), &Event::Succeeded(batch(slot)));
        }
        lines.event(&mut out, Moment(1_000_000_001), &Event::RunEnds { early: false });
        assert!(!out.contains('\u{1b}'), "{out:?}");
        let read = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let all: Vec<Value> = out.lines().map(read).collect();
        let of = |event: &str| all.iter().filter(|line| line["event"] == event).collect::<Vec<_>>();
        let (tasks, sums) = (of("task"), of("tasks"));
        assert_eq!(
            (tasks.len(), sums.len()),
            (30_000, 2),
            "two batches, and one of the next second; a line for each lane"
        );
        assert_eq!((&sums[0]["count"], &sums[0]["slot"]), (&20_000.into(), &0.into()));
        assert_eq!((&sums[0]["service"], &sums[0]["first_start"]), (&0.000_06.into(), &0.0.into()), "{}", sums[0]);
        assert_eq!((&sums[1]["count"], &sums[1]["class"]), (&10_000.into(), &"a\"b\u{1b}".into()));
        assert_eq!((&tasks[0]["dispatched"], &tasks[7]["index"]), (&0.0.into(), &7.into()));
        assert_eq!(told.sampled().expect("not whole"), "tasks: 30000 one by one, 30000 summed up");
    }
}
