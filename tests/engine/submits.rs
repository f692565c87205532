//! A caller who submits tasks while the engine runs, in both engines.

use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

use poolscope::engine::control::Command;
use poolscope::engine::event::{Event, Moment, RunState};
use poolscope::engine::stream::{Admission, ClosedLoop, Submission, Submitter};
use poolscope::workload::model::{Kernel, Work};

use crate::support::{Setting, both, rules, shell, sleep};

/// Hands on what a caller on another thread submits, and tells it what became of it.
struct Channel {
    submitted: Receiver<u64>,
    /// What the queue had no room for.
    left: u64,
    ended: Sender<u64>,
}

impl Submitter for Channel {
    fn submit(&mut self, _: Moment, room: u64) -> Submission {
        if self.left == 0 {
            self.left = match self.submitted.try_recv() {
                Ok(count) => count,
                Err(TryRecvError::Empty) => return Submission::Nothing,
                Err(TryRecvError::Disconnected) => return Submission::Closed,
            };
        }
        let count = self.left.min(room);
        self.left -= count;
        Submission::Tasks(count)
    }

    fn told(&mut self, _: Moment, event: &Event<'_>) {
        let ended: Vec<u64> = match event {
            Event::Succeeded(batch) => batch.records.iter().map(|record| record.index).collect(),
            Event::Attempt(report) if !report.retried => vec![report.index],
            _ => Vec::new(),
        };
        ended.into_iter().for_each(|index| self.ended.send(index).unwrap());
    }
}

fn caller(capacity: Option<u64>) -> (Admission, Sender<u64>, Receiver<u64>) {
    let (submit, submitted) = channel();
    let (ended, outcomes) = channel();
    (Admission::Submitted { submitter: Box::new(Channel { submitted, left: 0, ended }), capacity }, submit, outcomes)
}

#[test]
fn a_caller_who_waits_for_each_outcome_has_one_task_in_the_system() {
    for setting in both(2) {
        let (admission, submit, outcomes) = caller(None);
        let setting = Setting { admission, ..setting };
        let running = setting.tasks(1_000_000_000, Work::Kernel(Kernel::Noop), rules()).start();
        for index in 0..50 {
            submit.send(1).unwrap();
            running.command(Command::Submit);
            let ended = outcomes.recv_timeout(crate::support::WALL).unwrap();
            assert_eq!(ended, index, "one after the other");
        }
        drop(submit);
        running.command(Command::Submit);
        let story = running.finish();
        assert_eq!(story.state, Some(RunState::Finished), "{:?}", story.notes);
        assert_eq!((story.counts.submitted, story.counts.succeeded), (50, 50));
    }
}

#[test]
fn more_than_there_is_room_for_waits_with_the_caller() {
    for setting in both(2) {
        let (admission, submit, outcomes) = caller(Some(3));
        let setting = Setting { admission, ..setting };
        let running = setting.tasks(1_000_000_000, shell("sleep 0.05; exit {index}"), rules()).start();
        submit.send(20).unwrap();
        drop(submit);
        running.command(Command::Submit);
        let story = running.finish();
        assert_eq!((story.counts.submitted, story.counts.succeeded, story.counts.failed), (20, 1, 19));
        let mut told: Vec<u64> = outcomes.iter().collect();
        told.sort_unstable();
        assert!(told.into_iter().eq(0..20), "every outcome is told once, failures too");
        assert!(story.most_in_system <= 3, "{} tasks at once", story.most_in_system);
    }
}

#[test]
fn a_hundred_million_tasks_are_submitted_in_no_time_and_stopped() {
    for setting in both(2) {
        let (admission, submit, _outcomes) = caller(None);
        let setting = Setting { admission, ..setting };
        let running = setting.tasks(100_000_000, shell("sleep 100"), rules()).start();
        submit.send(100_000_000).unwrap();
        running.command(Command::Submit);
        running.until("two tasks run", |story| story.started.len() >= 2 && story.counts.submitted == 100_000_000);
        running.command(Command::Stop);
        let story = running.finish();
        assert_eq!(story.counts.cancelled, 100_000_000);
        assert_eq!(story.state, Some(RunState::Stopped));
    }
}

#[test]
fn in_a_closed_loop_a_task_is_submitted_when_one_ends() {
    let sleep_time = std::time::Duration::from_millis(20);
    for setting in both(2) {
        let closed_loop = || Admission::Submitted { submitter: Box::new(ClosedLoop::new(12)), capacity: Some(3) };
        let setting = Setting { admission: closed_loop(), ..setting };
        let running = setting.tasks(12, sleep(20), rules()).start();
        let early = running.until("some are done", |story| story.counts.succeeded > 0);
        assert_eq!(early.total, Some(12), "how many there will be is known from the start");
        let story = running.finish();
        assert_eq!((story.counts.submitted, story.counts.succeeded), (12, 12), "{:?}", story.notes);
        assert_eq!(story.most_in_system, 3);
        for (record, (arrival, _)) in story.records.iter().zip(&story.arrivals) {
            // As many had ended by then as it takes for it to be one of three.
            let ended = story.arrivals.iter().filter(|(_, told)| told <= arrival).count() as u64;
            let index = record.index;
            assert!(ended + 3 > index, "task {index} was submitted when {ended} had ended");
            // And not much later: the next one waits for no timer.
            let third = index.checked_sub(3).and_then(|nth| Some(story.arrivals.get(usize::try_from(nth).ok()?)?.1));
            assert!(third.is_none_or(|told| arrival.since(told) < sleep_time), "task {index} was submitted late");
        }
    }
}
