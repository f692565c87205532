//! Greedy list scheduling of the drawn times, with what limits do: each place takes the next task as soon as it is free.
//!
//! The rules are the engine's, task by task: a task that waits too long leaves the queue, one that works too long ends with
//! its worker or, with `on_timeout: abandon`, stays there until its work is done and keeps the place, although nobody waits
//! for it any more. A run does not wait for that.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use crate::workload::model::{EngineSpec, OnTimeout, TaskClass, TaskIndex, Workload};
use crate::workload::plan::lives::Lives;
use crate::workload::service;
use crate::workload::stream::Stream;

/// What came out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scheduled {
    /// When the last task has its outcome.
    pub(super) end: Duration,
    /// CPU time until then, in seconds.
    pub(super) cpu_s: f64,
}

/// When a place is free, and how many tasks its worker still takes.
type Place = Reverse<(Duration, u64)>;
/// When a task is to be tried again, with its number among all retries, and the attempts that it had.
type Retry = Reverse<(Duration, u64, TaskIndex, u32)>;

struct Schedule<'a> {
    workload: &'a Workload,
    spec: &'a EngineSpec,
    lives: &'a Lives,
    places: BinaryHeap<Place>,
    retries: BinaryHeap<Retry>,
    retried: u64,
    end: Duration,
    cpu_s: f64,
    /// Begin and CPU time of what went on when nobody waited for it any more.
    ghosts: Vec<(Duration, Duration)>,
}

/// Schedules a batch; `None` where a time is not drawn.
pub(super) fn batch(
    workload: &Workload,
    spec: &EngineSpec,
    stream: &Stream,
    lives: &Lives,
    workers: u64,
) -> Option<Scheduled> {
    let places = std::iter::repeat_n(Reverse((Duration::ZERO, 0)), usize::try_from(workers).ok()?).collect();
    let (retries, ghosts) = (BinaryHeap::new(), Vec::new());
    let mut schedule =
        Schedule { workload, spec, lives, places, retries, retried: 0, end: Duration::ZERO, cpu_s: 0.0, ghosts };
    let mut position = 0;
    loop {
        let Reverse((free, left)) = schedule.places.pop()?;
        let due = schedule.retries.peek().map(|Reverse((due, ..))| *due);
        let (index, attempts, ready) = match due {
            // What is tried again goes ahead of the stream once it is due.
            Some(due) if due <= free || position >= stream.total() => {
                let Reverse((_, _, index, attempts)) = schedule.retries.pop()?;
                (index, attempts, free.max(due))
            }
            _ if position < stream.total() => {
                position += 1;
                (stream.index_at(position - 1), 0, free)
            }
            _ => break,
        };
        let class = workload.classes.get(usize::from(stream.class_of(index)))?;
        schedule.attempt(class, index, attempts, (ready, left))?;
    }
    let Schedule { end, cpu_s, ghosts, .. } = schedule;
    let ghosts = ghosts.iter().map(|(begin, cpu)| (*cpu).min(end.saturating_sub(*begin)).as_secs_f64());
    Some(Scheduled { end, cpu_s: cpu_s + ghosts.sum::<f64>() })
}

impl Schedule<'_> {
    /// A place is free for a task, and its worker still takes `left`.
    fn attempt(
        &mut self,
        class: &TaskClass,
        index: TaskIndex,
        attempts: u32,
        (free, left): (Duration, u64),
    ) -> Option<()> {
        let service = service::service_time(&class.work, self.workload.seed, index)?;
        let cpu = service::cpu_time(&class.work, self.workload.seed, index)?;
        let abandons = self.spec.on_timeout.unwrap_or(class.on_timeout) == OnTimeout::Abandon;
        let (start, left) = match left {
            0 => (free.saturating_add(self.lives.initializer), self.lives.tasks.unwrap_or(u64::MAX)),
            left => (free, left),
        };
        // A worker that is kept is given its task when it is ready, a process is started for it.
        let taken = if self.lives.tasks == Some(1) { free } else { start };
        let in_queue = class.queue_timeout.filter(|limit| attempts == 0 && *limit <= taken);
        let given_up = class.wait_timeout.filter(|limit| *limit <= taken);
        if let Some(limit) = in_queue.into_iter().chain(given_up).min() {
            self.end = self.end.max(limit);
            if in_queue != Some(limit) && abandons {
                // It stays in the queue, and is done for nobody.
                self.initialize(free, start);
                self.ghosts.push((start, cpu));
                self.places.push(Reverse((start.saturating_add(service), left - 1)));
            } else {
                self.places.push(Reverse((free, if start > free { 0 } else { left })));
            }
            return Some(());
        }
        self.initialize(free, start);
        let timeout = class.timeout.map(|limit| start.saturating_add(limit));
        let limit = timeout.into_iter().chain(class.wait_timeout).min();
        let done = start.saturating_add(service);
        let Some(cut) = limit.filter(|limit| *limit < done) else {
            self.end = self.end.max(done);
            self.cpu_s += cpu.as_secs_f64();
            self.places.push(Reverse((done, left - 1)));
            return Some(());
        };
        self.end = self.end.max(cut);
        if abandons {
            self.ghosts.push((start, cpu));
            self.places.push(Reverse((done, left - 1)));
        } else {
            self.cpu_s += cpu.min(cut.saturating_sub(start)).as_secs_f64();
            self.places.push(Reverse((cut, 0)));
        }
        let retries = &class.retries;
        if timeout == Some(cut) && retries.on_timeout && attempts < retries.max {
            let pause = retries.backoff.pause(self.workload.seed, index, attempts + 1);
            self.retried += 1;
            self.retries.push(Reverse((cut.saturating_add(pause), self.retried, index, attempts + 1)));
        }
        Some(())
    }

    fn initialize(&mut self, free: Duration, start: Duration) {
        self.cpu_s += start.saturating_sub(free).as_secs_f64();
    }
}
