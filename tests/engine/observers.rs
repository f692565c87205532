//! Several observers of one run are told the same, and what a recorder published can be kept as bytes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use poolscope::engine::event::{EngineView, Event, Moment, Observer, Observers, RunState};
use poolscope::engine::outcome::Counts;
use poolscope::metrics::recorder::{Recorder, RecorderConfig};
use poolscope::metrics::recording::{Header, Recording};
use poolscope::metrics::snapshot::{RunId, Snapshot};
use poolscope::metrics::track::Track;

use crate::support::{both, rules, shell};

/// Counts what it is told, and keeps the snapshots of the recorder that was told before it.
struct Count {
    seen: Arc<Mutex<Seen>>,
    recorder: tokio::sync::watch::Receiver<Arc<Snapshot>>,
}

#[derive(Default)]
struct Seen {
    succeeded: u64,
    attempts: u64,
    started: u64,
    states: u64,
    last: Option<(RunState, Counts)>,
    track: Track,
}

impl Observer for Count {
    fn event(&mut self, _: Moment, event: &Event<'_>) {
        let mut seen = self.seen.lock().unwrap();
        match event {
            Event::Succeeded(batch) => seen.succeeded += batch.records.len() as u64,
            Event::Attempt(_) => seen.attempts += 1,
            Event::WorkerStarted { .. } => seen.started += 1,
            _ => {}
        }
    }

    fn state(&mut self, _: Moment, view: &EngineView<'_>) {
        let mut seen = self.seen.lock().unwrap();
        seen.states += 1;
        seen.last = Some((view.state, view.counts));
        let snapshot = self.recorder.borrow().clone();
        assert_eq!((snapshot.state, snapshot.counts), (view.state, view.counts), "the recorder was told first");
        seen.track.push(snapshot);
    }
}

#[test]
fn a_recorder_and_another_observer_see_the_same_and_the_track_is_kept() {
    for setting in both(2) {
        let capabilities = setting.capabilities;
        let run = RunId { serial: 3, round: 1, warmup: false };
        let interval = Some(Duration::from_millis(20));
        let (recorder, snapshots) =
            Recorder::new(RecorderConfig { sample_interval: interval, cores: 2, capabilities, unbounded: false, run });
        let seen = Arc::new(Mutex::new(Seen::default()));
        let count = Count { seen: Arc::clone(&seen), recorder: snapshots.clone() };
        let observers: Observers = [Box::new(recorder) as Box<dyn Observer>, Box::new(count)].into_iter().collect();
        let script = "sleep 0.03; echo {index} >&2; exit $(({index} % 2))";
        let story = setting.tasks(20, shell(script), rules()).start_with(observers).finish();
        assert_eq!(story.state, Some(RunState::Finished));

        let seen = seen.lock().unwrap();
        let last = snapshots.borrow().clone();
        assert_eq!((seen.succeeded, seen.attempts), (10, 10));
        assert_eq!((last.counts.succeeded, last.counts.failed), (10, 10));
        assert_eq!(seen.started, last.worker_starts);
        assert_eq!(seen.last, Some((last.state, last.counts)));
        assert!(seen.states > 1 && seen.track.frames.len() > 1, "{} frames", seen.track.frames.len());
        assert_eq!(story.counts, last.counts, "the third observer");

        let recording = Recording { header: Header::new("words", "arm", run), track: seen.track.clone() };
        let mut bytes = Vec::new();
        recording.write(&mut bytes).unwrap();
        let read = Recording::read(&*bytes).unwrap();
        assert_eq!(read, recording);
        assert_eq!(read.track.frames.last().map(|frame| frame.failures.len()), Some(10));
    }
}
