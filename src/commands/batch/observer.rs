//! What a run tells of its tasks, put into words for whoever writes it down. On the engine's thread: nothing is read or
//! written in here.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedSender;

use crate::engine::event::{EngineView, Event, Moment, Observer};
use crate::engine::outcome::{AttemptReport, Exit, Outcome};
use crate::session::observing::{ObserveRuns, RunBegins};
use crate::worker::spooled_output::ProgramOutput;
use crate::workload::model::{Attempt, ClassId, TaskIndex};

/// So much may wait to be written down before no more is begun: bytes of output in memory, and so many for each task.
const MOST_WAITING: u64 = 16 << 20;
const EACH: u64 = 4096;

/// What is asked of the session.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// Look how much waits to be written down, and begin nothing more while that is much.
    Backlog(Waiting),
    /// Look for more tasks: items have come.
    MoreTasks,
    /// End: nothing can be written down any more.
    End,
}

/// Bytes that wait to be written down.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiting(Arc<AtomicU64>);

impl Waiting {
    /// Whether it is much now. Two that ask may overtake each other: what counts is how it is when it is heard.
    pub(crate) fn is_much(&self) -> bool {
        self.0.load(Ordering::SeqCst) >= MOST_WAITING / 2
    }
}

/// A task that has ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Ended {
    pub(super) index: TaskIndex,
    pub(super) class: ClassId,
    pub(super) attempt: Attempt,
    pub(super) outcome: Outcome,
    /// Whether it was given to a worker at all.
    pub(super) began: bool,
    pub(super) exit: Option<Exit>,
    /// Its first instruction, since the epoch; 0 of one that never began.
    pub(super) started: Duration,
    pub(super) runtime: Duration,
    /// Bytes of its standard output, where that is known.
    pub(super) written: u64,
}

impl Ended {
    pub(super) fn never_began(index: TaskIndex, class: ClassId, outcome: Outcome) -> Self {
        let (attempt, began, exit, started, runtime) = (Attempt::FIRST, false, None, Duration::ZERO, Duration::ZERO);
        Self { index, class, attempt, outcome, began, exit, started, runtime, written: 0 }
    }
}

/// What whoever writes it down is told.
#[derive(Debug)]
pub(super) enum Told {
    /// A task has its outcome, and what its program has written, where that was told.
    Ended(Ended, Option<Arc<ProgramOutput>>),
    /// An attempt has none: another one follows.
    Retried(TaskIndex, Attempt),
    /// What is drawn on the terminal.
    Bar(ProgressBar),
    /// Nothing more comes.
    Over,
}

/// How much waits to be written down, and who is asked to wait for that.
#[derive(Clone, Debug)]
pub(super) struct Backlog {
    bytes: Waiting,
    asks: UnboundedSender<Ask>,
}

impl Backlog {
    pub(super) fn new(asks: UnboundedSender<Ask>) -> Self {
        Self { bytes: Waiting::default(), asks }
    }

    fn grows(&self, output: Option<&ProgramOutput>) {
        let size = size(output);
        let before = self.bytes.0.fetch_add(size, Ordering::SeqCst);
        if before < MOST_WAITING && before + size >= MOST_WAITING {
            self.ask(Ask::Backlog(self.bytes.clone()));
        }
    }

    pub(super) fn shrinks(&self, output: Option<&ProgramOutput>) {
        let size = size(output);
        let before = self.bytes.0.fetch_sub(size, Ordering::SeqCst);
        if before >= MOST_WAITING / 2 && before - size < MOST_WAITING / 2 {
            self.ask(Ask::Backlog(self.bytes.clone()));
        }
    }

    pub(super) fn ask(&self, ask: Ask) {
        // A session that is gone needs no asking.
        let _ = self.asks.send(ask);
    }
}

fn size(output: Option<&ProgramOutput>) -> u64 {
    output.map_or(0, |output| output.stdout.in_memory() as u64 + output.stderr.in_memory() as u64) + EACH
}

/// Tells one writer of all runs.
#[derive(Clone, Debug)]
pub(super) struct Teller {
    sender: Sender<Told>,
    backlog: Backlog,
    /// Whether there is something to write down of a task that has written nothing.
    tells_quiet: bool,
    /// What programs have written whose outcome is not told yet.
    wrote: HashMap<TaskIndex, Arc<ProgramOutput>>,
}

impl ObserveRuns for Teller {
    fn of_run(&self, _: &RunBegins<'_>) -> Option<Box<dyn Observer>> {
        Some(Box::new(self.clone()))
    }
}

impl Teller {
    pub(super) fn new(sender: Sender<Told>, backlog: Backlog, tells_quiet: bool) -> Self {
        Self { sender, backlog, tells_quiet, wrote: HashMap::new() }
    }

    pub(super) fn tell(&self, told: Told) {
        // A writer that is gone has asked for the end.
        let _ = self.sender.send(told);
    }

    fn ended(&mut self, ended: Ended) {
        let output = if self.wrote.is_empty() { None } else { self.wrote.remove(&ended.index) };
        if !self.tells_quiet && output.as_ref().is_some_and(|output| output.is_empty()) {
            return;
        }
        self.backlog.grows(output.as_deref());
        self.tell(Told::Ended(ended, output));
    }

    fn attempt(&mut self, now: Moment, report: &AttemptReport) {
        if report.retried {
            self.wrote.remove(&report.index);
            return self.tell(Told::Retried(report.index, report.attempt));
        }
        let ended = Ended::never_began(report.index, report.class, report.outcome);
        let (began, exit, attempt) = (report.slot.is_some(), report.exit, report.attempt);
        let runtime = report.times().map(|times| times.service).unwrap_or_default();
        let nanos = u64::try_from(runtime.as_nanos()).unwrap_or(u64::MAX);
        let started = since_epoch(now, Moment(report.ended.0.saturating_sub(nanos)));
        self.ended(Ended { began, exit, attempt, runtime, started, ..ended });
    }
}

impl Observer for Teller {
    fn event(&mut self, now: Moment, event: &Event<'_>) {
        match event {
            Event::Wrote { index, output } => {
                self.wrote.insert(*index, Arc::clone(output));
            }
            Event::Succeeded(batch) => {
                for record in batch.records {
                    self.ended(Ended {
                        began: true,
                        attempt: batch.attempt,
                        started: since_epoch(now, record.start),
                        runtime: Duration::from_nanos(record.service),
                        ..Ended::never_began(record.index, batch.class, Outcome::Succeeded)
                    });
                }
            }
            Event::Attempt(report) => self.attempt(now, report),
            Event::Expired { reports, .. } => reports.iter().for_each(|report| self.attempt(now, report)),
            // It has no outcome of its own, and is done again.
            Event::CutShort { index, .. } => _ = self.wrote.remove(index),
            _ => {}
        }
    }

    fn state(&mut self, _: Moment, _: &EngineView<'_>) {}
}

/// A moment of a run whose clock reads `now`, as time since the epoch.
fn since_epoch(now: Moment, moment: Moment) -> Duration {
    let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    epoch.saturating_sub(now.since(moment))
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    fn is_much(ask: Ask) -> bool {
        let Ask::Backlog(waiting) = ask else { panic!("{ask:?}") };
        waiting.is_much()
    }

    #[test]
    fn whoever_is_asked_to_wait_sees_how_much_there_is_when_the_asking_is_heard() {
        let (asks, mut heard) = unbounded_channel();
        let backlog = Backlog::new(asks);
        let tasks = MOST_WAITING / EACH;
        (0..tasks).for_each(|_| backlog.grows(None));
        assert!(is_much(heard.try_recv().unwrap()), "so much is held up");
        assert!(heard.try_recv().is_err(), "it is asked once");
        (0..=tasks / 2).for_each(|_| backlog.shrinks(None));
        assert!(!is_much(heard.try_recv().unwrap()), "it goes on");
        assert!(heard.try_recv().is_err(), "it is asked once");
        // Both ask before anybody hears: whichever is heard last, what counts is how it is then.
        (0..tasks / 2 + 1).for_each(|_| backlog.grows(None));
        (0..tasks).for_each(|_| backlog.shrinks(None));
        let mut both = vec![heard.try_recv().unwrap(), heard.try_recv().unwrap()];
        both.reverse();
        assert_eq!(both.into_iter().map(is_much).collect::<Vec<_>>(), [false, false]);
    }
}
