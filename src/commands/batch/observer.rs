//! What a run tells of its tasks, put into words for whoever writes it down. On the engine's thread: nothing is read or
//! written in here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc::UnboundedSender;

use crate::engine::event::{EngineView, Event, Moment, Observer};
use crate::engine::outcome::{AttemptReport, Exit, Outcome};
use crate::metrics::snapshot::RunId;
use crate::session::observers::ObserverSource;
use crate::workload::model::{ClassId, TaskIndex};

/// So many tasks may wait to be written down before no more are begun.
const MOST_WAITING: u64 = 4096;

/// What is asked of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Begin nothing more for the moment: what was told is not written down yet.
    Hold,
    /// Go on.
    GoOn,
    /// End: nothing can be written down any more.
    End,
}

/// A task that has ended.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) index: TaskIndex,
    pub(super) class: ClassId,
    pub(super) outcome: Outcome,
    pub(super) exit: Option<Exit>,
    /// Its first instruction, since the epoch; 0 of one that never began.
    pub(super) started: Duration,
    pub(super) runtime: Duration,
}

/// What whoever writes it down is told.
#[derive(Debug)]
pub(super) enum Told {
    Ended(Ended),
    /// Nothing more comes.
    Over,
}

/// How much waits to be written down, and who is asked to wait for that.
#[derive(Clone, Debug)]
pub(super) struct Backlog {
    tasks: Arc<AtomicU64>,
    asks: UnboundedSender<Ask>,
}

impl Backlog {
    pub(super) fn new(asks: UnboundedSender<Ask>) -> Self {
        Self { tasks: Arc::default(), asks }
    }

    fn grows(&self) {
        if self.tasks.fetch_add(1, Ordering::Relaxed) == MOST_WAITING {
            self.ask(Ask::Hold);
        }
    }

    pub(super) fn shrinks(&self) {
        if self.tasks.fetch_sub(1, Ordering::Relaxed) == MOST_WAITING / 2 {
            self.ask(Ask::GoOn);
        }
    }

    pub(super) fn ask(&self, ask: Ask) {
        // A session that is gone needs no asking.
        let _ = self.asks.send(ask);
    }
}

/// Tells one writer of all runs.
#[derive(Clone, Debug)]
pub(super) struct Teller {
    pub(super) sender: Sender<Told>,
    pub(super) backlog: Backlog,
}

impl ObserverSource for Teller {
    fn observer(&self, _: RunId) -> Box<dyn Observer> {
        Box::new(self.clone())
    }
}

impl Teller {
    fn ended(&self, ended: Ended) {
        self.backlog.grows();
        // A writer that is gone has asked for the end.
        let _ = self.sender.send(Told::Ended(ended));
    }

    fn attempt(&self, now: Moment, report: &AttemptReport) {
        let Some(times) = report.times().filter(|_| report.slot.is_some()) else {
            // What was never begun is done again.
            if report.slot.is_some() {
                let (started, runtime) = (since_epoch(now, report.ended), Duration::ZERO);
                self.ended(Ended { started, runtime, ..of_report(report) });
            }
            return;
        };
        let start = Moment(report.ended.0.saturating_sub(u64::try_from(times.service.as_nanos()).unwrap_or(u64::MAX)));
        self.ended(Ended { started: since_epoch(now, start), runtime: times.service, ..of_report(report) });
    }
}

fn of_report(report: &AttemptReport) -> Ended {
    Ended {
        index: report.index,
        class: report.class,
        outcome: report.outcome,
        exit: report.exit,
        started: Duration::ZERO,
        runtime: Duration::ZERO,
    }
}

impl Observer for Teller {
    fn event(&mut self, now: Moment, event: &Event<'_>) {
        match event {
            Event::Succeeded(batch) => {
                for record in batch.records {
                    self.ended(Ended {
                        index: record.index,
                        class: batch.class,
                        outcome: Outcome::Succeeded,
                        exit: None,
                        started: since_epoch(now, record.start),
                        runtime: Duration::from_nanos(record.service),
                    });
                }
            }
            Event::Attempt(report) if !report.retried => self.attempt(now, report),
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
