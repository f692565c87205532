//! What a run tells of its tasks, put into words for whoever writes it down. On the engine's thread: nothing is read or
//! written in here, and files are only looked at where whoever writes cannot keep up.

use std::fs;
use std::path::Path;
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
use crate::worker::spooled_output::{ProgramOutput, SpooledOutput, both_paths};
use crate::workload::model::{Attempt, ClassId, TaskIndex};
use crate::workload::program_start::spool_path;

/// So much may wait to be written down before no more is begun: bytes of output, and so many for each task and each file that
/// is open for it.
const MOST_WAITING: u64 = 16 << 20;
const EACH: u64 = 4096;
const EACH_FILE: u64 = 256 << 10;
/// What others have left is not looked at before so much waits.
const FEW: u64 = 64 * EACH;

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
    /// Whether the outcome is what the attempt itself came to: of any other nothing is given out.
    pub(super) fn is_its_own(&self) -> bool {
        matches!(self.outcome, Outcome::Succeeded | Outcome::Failed)
    }

    pub(super) fn never_began(index: TaskIndex, class: ClassId, outcome: Outcome) -> Self {
        let (attempt, began, exit, started, runtime) = (Attempt::FIRST, false, None, Duration::ZERO, Duration::ZERO);
        Self { index, class, attempt, outcome, began, exit, started, runtime, written: 0 }
    }
}

/// What whoever writes it down is told.
#[derive(Debug)]
pub(super) enum Told {
    /// A task has its outcome, what its program has written, where that was told, and what it counts for in the backlog.
    Ended(Ended, Option<Arc<ProgramOutput>>, u64),
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

    fn grows(&self, size: u64) {
        let before = self.bytes.0.fetch_add(size, Ordering::SeqCst);
        if before < MOST_WAITING && before + size >= MOST_WAITING {
            self.ask(Ask::Backlog(self.bytes.clone()));
        }
    }

    pub(super) fn shrinks(&self, size: u64) {
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

fn size(output: &ProgramOutput) -> u64 {
    let of = |stream: &SpooledOutput| stream.length() + if stream.is_in_file() { EACH_FILE } else { 0 };
    of(&output.stdout) + of(&output.stderr)
}

/// Bytes that an attempt has left in this folder.
fn left_in(folder: &Path, index: TaskIndex, attempt: Attempt) -> u64 {
    let length = |path: &_| fs::metadata(path).map_or(0, |found| found.len());
    both_paths(&spool_path(folder, index, attempt)).iter().map(length).sum()
}

/// Tells one writer of all runs.
#[derive(Clone, Debug)]
pub(super) struct Teller {
    sender: Sender<Told>,
    backlog: Backlog,
    /// Whether there is something to write down of a task that has written nothing.
    tells_quiet: bool,
    /// Where workers leave what programs have written.
    folder: Option<Arc<Path>>,
    /// What a program has written whose outcome is told next. If none is, it has been told before, and this is nobody's.
    wrote: Option<(TaskIndex, Arc<ProgramOutput>)>,
}

impl ObserveRuns for Teller {
    fn of_run(&self, _: &RunBegins<'_>) -> Option<Box<dyn Observer>> {
        Some(Box::new(self.clone()))
    }
}

impl Teller {
    pub(super) fn new(sender: Sender<Told>, backlog: Backlog, tells_quiet: bool, folder: Option<Arc<Path>>) -> Self {
        Self { sender, backlog, tells_quiet, folder, wrote: None }
    }

    pub(super) fn tell(&self, told: Told) {
        // A writer that is gone has asked for the end.
        let _ = self.sender.send(told);
    }

    fn ended(&mut self, ended: Ended) {
        let output = self.wrote.take().filter(|(index, _)| *index == ended.index && ended.is_its_own());
        let output = output.map(|(_, output)| output);
        if !self.tells_quiet && output.as_ref().is_some_and(|output| output.is_empty()) {
            return;
        }
        let size = match (&output, &self.folder) {
            (Some(output), _) => size(output),
            (None, Some(folder)) if self.backlog.bytes.0.load(Ordering::SeqCst) >= FEW => {
                left_in(folder, ended.index, ended.attempt)
            }
            (None, _) => 0,
        };
        let size = size + EACH;
        self.backlog.grows(size);
        self.tell(Told::Ended(ended, output, size));
    }

    fn attempt(&mut self, now: Moment, report: &AttemptReport) {
        if report.retried {
            self.wrote = None;
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
                self.wrote = Some((*index, Arc::clone(output)));
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
            Event::CutShort { .. } => self.wrote = None,
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
    use crate::os::pipe::Sink as _;

    fn is_much(ask: Ask) -> bool {
        let Ask::Backlog(waiting) = ask else { panic!("{ask:?}") };
        waiting.is_much()
    }

    #[test]
    fn whoever_is_asked_to_wait_sees_how_much_there_is_when_the_asking_is_heard() {
        let (asks, mut heard) = unbounded_channel();
        let backlog = Backlog::new(asks);
        let tasks = MOST_WAITING / EACH;
        (0..tasks).for_each(|_| backlog.grows(EACH));
        assert!(is_much(heard.try_recv().unwrap()), "so much is held up");
        assert!(heard.try_recv().is_err(), "it is asked once");
        (0..=tasks / 2).for_each(|_| backlog.shrinks(EACH));
        assert!(!is_much(heard.try_recv().unwrap()), "it goes on");
        assert!(heard.try_recv().is_err(), "it is asked once");
        // Both ask before anybody hears: whichever is heard last, what counts is how it is then.
        (0..tasks / 2 + 1).for_each(|_| backlog.grows(EACH));
        (0..tasks).for_each(|_| backlog.shrinks(EACH));
        let mut both = vec![heard.try_recv().unwrap(), heard.try_recv().unwrap()];
        both.reverse();
        assert_eq!(both.into_iter().map(is_much).collect::<Vec<_>>(), [false, false]);
    }

    fn teller(folder: Option<Arc<Path>>) -> (Teller, std::sync::mpsc::Receiver<Told>, Backlog) {
        let (sender, told) = std::sync::mpsc::channel();
        let backlog = Backlog::new(unbounded_channel().0);
        (Teller::new(sender, backlog.clone(), true, folder), told, backlog)
    }

    fn wrote(teller: &mut Teller, index: TaskIndex, bytes: usize) {
        let mut output = ProgramOutput::default();
        output.stdout.push(&vec![b'x'; bytes]);
        teller.event(Moment(1), &Event::Wrote { index, output: &Arc::new(output) });
    }

    fn waiting(backlog: &Backlog) -> u64 {
        backlog.bytes.0.load(Ordering::SeqCst)
    }

    #[test]
    fn what_is_in_files_waits_like_what_is_in_memory() {
        let (mut teller, told, backlog) = teller(None);
        wrote(&mut teller, 0, 70_000);
        teller.ended(Ended::never_began(0, 0, Outcome::Succeeded));
        assert_eq!(waiting(&backlog), 70_000 + EACH_FILE + EACH);
        let Told::Ended(_, Some(output), size) = told.recv().unwrap() else { panic!() };
        assert_eq!((output.stdout.length(), size), (70_000, waiting(&backlog)));
        // Of others what they have left counts, as soon as anything waits at all.
        let folder = tempfile::tempdir().unwrap();
        let (mut teller, _told, backlog) = self::teller(Some(folder.path().into()));
        for index in 0..70 {
            fs::write(folder.path().join(format!("{index}.1.out")), vec![b'x'; 70_000]).unwrap();
            teller.ended(Ended::never_began(index, 0, Outcome::Succeeded));
        }
        assert_eq!(waiting(&backlog), 70 * EACH + 6 * 70_000);
    }

    #[test]
    fn what_is_written_behind_an_outcome_or_without_one_of_its_own_is_nobodys() {
        let (mut teller, told, _) = teller(None);
        let weak = |teller: &Teller| Arc::downgrade(&teller.wrote.as_ref().unwrap().1);
        wrote(&mut teller, 0, 70_000);
        let late = weak(&teller);
        wrote(&mut teller, 1, 3);
        assert!(late.upgrade().is_none(), "its outcome was told before");
        teller.ended(Ended::never_began(1, 0, Outcome::TimedOut));
        let Told::Ended(_, output, _) = told.recv().unwrap() else { panic!() };
        assert!(output.is_none(), "it has not ended by itself");
        wrote(&mut teller, 2, 3);
        teller.ended(Ended::never_began(3, 0, Outcome::Succeeded));
        let Told::Ended(_, output, _) = told.recv().unwrap() else { panic!() };
        assert!(output.is_none() && teller.wrote.is_none(), "that of another");
    }
}
