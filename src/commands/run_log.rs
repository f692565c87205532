//! Logs of runs that are written while these go on (`--events`, `--trace`): observers that make lines of what they are told,
//! and a thread that writes them. An engine never waits for it: what it does not take is lost, counted, and told in its place.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::cli::Output;
use crate::commands::target::{Streamed, Target, plain, release_ending};
use crate::commands::{ExitReason, write};
use crate::engine::event::{EngineView, Event, Moment, Observer};
use crate::os::host::Host;
use crate::os::threads;
use crate::report::events::{self, EventLines};
use crate::report::observed::{Begun, Lines, Told};
use crate::report::trace::{self, TraceLines};
use crate::session::observing::{ObserveRuns, RunBegins};
use crate::session::stream::SharedStream;
use crate::workload::model::{TaskClass, Work, Workload};

/// A piece of a log, handed on as one.
const PIECE: usize = 64 << 10;
/// Pieces that wait to be written: 16 MiB, bursts of which a disk is spared.
const PIECES: usize = 256;

/// Places for the logs that were asked for: nothing is written yet.
pub(super) struct Places {
    events: Option<Target>,
    trace: Option<Target>,
}

impl Places {
    /// Finds out whether they can be written.
    pub(super) fn open(output: &Output, inputs: &[&str]) -> Result<Self, ExitReason> {
        let place = |path: Option<&Path>, option: &str| {
            let Some(path) = path else { return Ok(None) };
            let target = Target::open(Some(path), inputs)?;
            if target.is_standard() {
                write::say(&format!("error: {option} needs a file of its own: {}", path.display()));
                return Err(ExitReason::BadInput);
            }
            Ok(Some(target))
        };
        let events = place(output.events.as_deref(), "--events")?;
        Ok(Self { events, trace: place(output.trace.as_deref(), "--trace")? })
    }

    /// Begins to write.
    pub(super) fn begin(self, workload: &Workload, host: &Host) -> Result<Logs, ExitReason> {
        let stream = SharedStream::new(workload);
        let mut logs = Logs { logs: Vec::new() };
        if let Some(target) = self.events {
            let head = events::head(workload, host, stream.hash(), stream.total());
            logs.logs.push(RunLog::begin(target, "-events", Format::Events, head)?);
        }
        if let Some(target) = self.trace {
            let head = trace::head(workload, host, stream.hash());
            logs.logs.push(RunLog::begin(target, "-trace", Format::Trace, head)?);
        }
        Ok(logs)
    }
}

/// The logs that are being written.
pub(super) struct Logs {
    logs: Vec<Running>,
}

impl Logs {
    /// What watches runs for them.
    pub(super) fn observers(&self) -> impl Iterator<Item = Arc<dyn ObserveRuns>> + '_ {
        self.logs.iter().map(|(log, _)| Arc::clone(log) as Arc<dyn ObserveRuns>)
    }

    /// Ends them: each is whole and takes its place, or what went wrong is told.
    pub(super) fn finish(self) -> ExitReason {
        let one = |(log, thread): Running| {
            if log.is_stream {
                // The other side may never read.
                release_ending();
            }
            if log.format == Format::Trace {
                let _ = log.pieces.send(Piece::Text(trace::tail(&log.told)));
            }
            let _ = log.pieces.send(Piece::End);
            let written = thread.join().unwrap_or_else(|_| Err(io::Error::other("its thread has panicked")));
            let Err(error) = written else {
                if let Some(sampled) = log.told.sampled() {
                    write::say(&format!("note: {} does not tell everything: {sampled}", log.name));
                }
                return ExitReason::Done;
            };
            write::say(&format!("error: writing {}: {}; what was there is as it was", log.name, plain(error)));
            ExitReason::Aborted
        };
        self.logs.into_iter().map(one).fold(ExitReason::Done, ExitReason::or_graver)
    }
}

enum Piece {
    Text(String),
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Events,
    Trace,
}

/// One log.
struct RunLog {
    name: String,
    is_stream: bool,
    format: Format,
    told: Arc<Told>,
    began: Instant,
    pieces: SyncSender<Piece>,
}

impl std::fmt::Debug for RunLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunLog").field("name", &self.name).finish_non_exhaustive()
    }
}

type Running = (Arc<RunLog>, JoinHandle<io::Result<()>>);

impl RunLog {
    fn begin(target: Target, sort: &str, format: Format, head: String) -> Result<Running, ExitReason> {
        let is_stream = matches!(target, Target::Stream { .. });
        let begun = target.begin(sort).and_then(|file| {
            let (pieces, written) = sync_channel(PIECES);
            let name = file.name.clone();
            let _ = pieces.send(Piece::Text(head));
            let thread = threads::start("run log", move || write_all(file, &written))?;
            Ok((
                Arc::new(Self { name, is_stream, format, told: Arc::default(), began: Instant::now(), pieces }),
                thread,
            ))
        });
        begun.map_err(|error| {
            write::say(&format!("error: the log cannot be written: {}", plain(error)));
            ExitReason::BadInput
        })
    }
}

/// Writes until the end. What comes after an error is taken, and goes nowhere: nobody is to wait for it.
fn write_all(mut file: Streamed, pieces: &Receiver<Piece>) -> io::Result<()> {
    let mut written = Ok(());
    loop {
        match pieces.recv() {
            Ok(Piece::Text(text)) if written.is_ok() => written = file.write(&text),
            Ok(Piece::Text(_)) => {}
            Ok(Piece::End) => return written.and_then(|()| file.finish()),
            // Given up before it began: it takes nobody's place.
            Err(_) => return written,
        }
    }
}

/// A run as logs and rows tell of it; `since` their own beginning.
pub(super) fn begun(begins: &RunBegins<'_>, since: Duration) -> Begun {
    let RunBegins { workload, spec, run, workers } = *begins;
    let classes = workload.classes.iter().map(|class| class.name.clone()).collect();
    let number =
        |class: &TaskClass| matches!(&class.work, Work::Command(command) if command.options.rules.result_is_output);
    let numbers = (0..).zip(&workload.classes).filter(|(_, class)| number(class)).map(|(id, _)| id).collect();
    Begun { arm: spec.name.clone(), engine: spec.kind.word(), workers, run, since, classes, numbers }
}

impl ObserveRuns for RunLog {
    fn of_run(&self, begins: &RunBegins<'_>) -> Option<Box<dyn Observer>> {
        let begun = begun(begins, self.began.elapsed());
        let told = || Arc::clone(&self.told);
        let mut lines: Box<dyn Lines> = match self.format {
            Format::Events => Box::new(EventLines::new(begun, told())),
            Format::Trace => Box::new(TraceLines::new(begun, told())),
        };
        let mut buffer = String::new();
        lines.begin(&mut buffer);
        Some(Box::new(LogObserver { lines, buffer, lost: 0, told: told(), pieces: self.pieces.clone() }))
    }
}

/// Makes lines of one run.
struct LogObserver {
    lines: Box<dyn Lines>,
    buffer: String,
    /// Lines that were not taken.
    lost: u64,
    told: Arc<Told>,
    pieces: SyncSender<Piece>,
}

impl LogObserver {
    fn hand_on(&mut self) {
        let mut text = std::mem::replace(&mut self.buffer, String::with_capacity(PIECE + PIECE / 4));
        if self.lost > 0 {
            let mut told = String::new();
            self.lines.lost(&mut told, self.lost);
            text.insert_str(0, &told);
        }
        match self.pieces.try_send(Piece::Text(text)) {
            Ok(()) => self.lost = 0,
            Err(TrySendError::Full(Piece::Text(text))) => {
                // The line that tells of those before is one of them, and none.
                let told = u64::from(self.lost > 0);
                let lost = text.bytes().filter(|byte| *byte == b'\n').count() as u64 - told;
                self.lost += lost;
                self.told.lost.add(lost);
                self.lines.count_lost(lost);
            }
            Err(_) => {}
        }
    }
}

impl Observer for LogObserver {
    fn event(&mut self, now: Moment, event: &Event<'_>) {
        self.lines.event(&mut self.buffer, now, event);
        if self.buffer.len() >= PIECE {
            self.hand_on();
        }
    }

    fn state(&mut self, now: Moment, view: &EngineView<'_>) {
        self.lines.state(&mut self.buffer, now, view);
        self.hand_on();
    }
}

impl Drop for LogObserver {
    fn drop(&mut self) {
        if !self.buffer.is_empty() || self.lost > 0 {
            self.hand_on();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Plain;

    impl Lines for Plain {
        fn begin(&mut self, _: &mut String) {}

        fn event(&mut self, out: &mut String, _: Moment, _: &Event<'_>) {
            out.push_str("line\n");
        }

        fn state(&mut self, _: &mut String, _: Moment, _: &EngineView<'_>) {}

        fn lost(&mut self, out: &mut String, count: u64) {
            out.push_str(&format!("lost {count}\n"));
        }
    }

    #[test]
    fn a_trace_counts_each_line_that_was_lost_once_however_often_it_is_told_of() {
        let ((pieces, taken), told) = (sync_channel(1), Arc::new(Told::default()));
        let run = crate::metrics::snapshot::RunId { serial: 1, round: 1, warmup: false };
        let begun = Begun {
            arm: "a".to_owned(),
            engine: "pool",
            workers: 1,
            run,
            since: Duration::ZERO,
            classes: Vec::new(),
            numbers: Vec::new(),
        };
        let lines = Box::new(TraceLines::new(begun, Arc::clone(&told)));
        let mut observer = LogObserver { lines, buffer: String::new(), lost: 0, told: Arc::clone(&told), pieces };
        let resized = Event::Resized { workers: 2 };
        let mut tell = |event: &Event<'_>| {
            observer.event(Moment::ZERO, event);
            observer.hand_on();
        };
        // The first is taken, and nothing of the next three; then it ends.
        (0..4).for_each(|_| tell(&resized));
        assert!(matches!(taken.try_recv(), Ok(Piece::Text(_))));
        let lost = told.lost.get();
        assert!(lost >= 3, "{lost}");
        tell(&Event::RunEnds { early: false });
        let Ok(Piece::Text(text)) = taken.try_recv() else { panic!("nothing was handed on") };
        assert!(text.contains(&format!("{lost} lines lost")), "{lost}: {text}");
        assert!(text.contains(&format!("\"count\":{lost}")), "{lost}: {text}");
    }

    #[test]
    fn what_is_not_taken_is_counted_and_told_in_its_place() {
        let ((pieces, taken), told) = (sync_channel(1), Arc::new(Told::default()));
        let mut observer =
            LogObserver { lines: Box::new(Plain), buffer: String::new(), lost: 0, told: Arc::clone(&told), pieces };
        let mut tell = |lines: usize| {
            (0..lines).for_each(|_| observer.event(Moment::ZERO, &Event::RunEnds { early: false }));
            observer.hand_on();
        };
        let next = || match taken.try_recv() {
            Ok(Piece::Text(text)) => text,
            _ => panic!("nothing was handed on"),
        };
        // Nobody takes what comes after the first one.
        [1, 2, 3].into_iter().for_each(&mut tell);
        assert_eq!(next(), "line\n");
        tell(1);
        assert_eq!(next(), "lost 5\nline\n");
        tell(1);
        assert_eq!(next(), "line\n", "it is told once");
        assert_eq!(told.lost.get(), 5);
    }
}
