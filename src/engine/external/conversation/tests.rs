use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};

use super::*;
use crate::engine::stream::{Admission, StreamRun, TaskStream};
use crate::os::spawn::Program;
use crate::workload::model::ClassId;

struct Ten;

impl TaskStream for Ten {
    fn total(&self) -> Option<u64> {
        Some(10)
    }

    fn class_total(&self, _: ClassId) -> u64 {
        10
    }

    fn run_at(&self, position: u64, most: u64) -> StreamRun {
        StreamRun { first: position, count: most.min(10 - position), class: 0 }
    }
}

/// Notes, and the workers that are said to be ended.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Observer for Heard {
    fn event(&mut self, _: Moment, event: &Event<'_>) {
        match event {
            Event::Note { text, .. } => self.0.lock().unwrap().push(text.clone()),
            Event::WorkerEnding { slot, .. } => self.0.lock().unwrap().push(format!("{slot} is ended")),
            Event::RunEnds { early } => self.0.lock().unwrap().push(format!("run ends, early: {early}")),
            _ => {}
        }
    }

    fn state(&mut self, _: Moment, _: &EngineView<'_>) {}
}

/// A program that has said hello, can do this, and has two workers and its ten tasks.
fn conversation(can: &str) -> (Conversation, Heard) {
    let heard = Heard::default();
    let spec = Spec {
        program: Program::new(&["program"]).unwrap(),
        name: "program".to_owned(),
        worker_program: "worker".into(),
        classes: Vec::new(),
        seed: 1,
        iterations_per_second: 1e9,
        workers: 2,
        most_workers: 4,
        silence: Duration::from_secs(60),
        leaving: Duration::from_secs(2),
        feed: Feed::new(Box::new(Ten), Admission::Batch).unwrap(),
        said: SaidCapabilities::default(),
        shim: None,
        calls: None,
    };
    let mut talk = Conversation::new(spec, Box::new(heard.clone()));
    talk.hear(format!("{{\"type\":\"hello\",\"version\":1,\"can\":[{can}]}}\n").as_bytes());
    for worker in 0..2 {
        let line = format!(
            "{{\"type\":\"worker_started\",\"worker\":{worker},\"pid\":{},\"lanes\":[{worker}]}}\n",
            70 + worker
        );
        talk.hear(line.as_bytes());
    }
    talk.hear(b"{\"type\":\"want\",\"tasks\":10}\n");
    talk.give();
    said(&mut talk);
    (talk, heard)
}

/// What the program was told since the last time.
fn said(talk: &mut Conversation) -> String {
    let text = String::from_utf8(talk.outbox().to_vec()).unwrap();
    talk.sent(usize::MAX);
    text
}

fn begins(talk: &mut Conversation, lane: u32, task: u64) {
    let line = format!("{{\"type\":\"started\",\"lane\":{lane},\"task\":{task},\"at\":{}}}\n", monotonic());
    talk.hear(line.as_bytes());
    assert!(talk.broke.is_none(), "{:?}", talk.broke);
}

#[test]
fn a_kill_waits_for_a_worker_that_is_in_a_task() {
    let (mut talk, heard) = conversation("\"kill_worker\"");
    talk.command(Command::KillWorker(None));
    assert_eq!(said(&mut talk), "", "nobody is in a task");
    begins(&mut talk, 1, 0);
    assert_eq!(said(&mut talk), "{\"type\":\"kill_worker\",\"worker\":1}\n");
    assert_eq!(*heard.0.lock().unwrap(), ["1 is ended"]);
    // That one is as good as gone: the next one is waited for.
    talk.command(Command::KillWorker(None));
    assert_eq!(said(&mut talk), "");
    begins(&mut talk, 0, 1);
    assert_eq!(said(&mut talk), "{\"type\":\"kill_worker\",\"worker\":0}\n");
}

#[test]
fn a_kill_of_a_slot_waits_for_its_worker_but_not_for_one_that_will_not_come() {
    let (mut talk, heard) = conversation("\"kill_worker\"");
    talk.command(Command::KillWorker(Some(Slot(1))));
    assert_eq!(said(&mut talk), "{\"type\":\"kill_worker\",\"worker\":1}\n", "an idle one too");
    talk.command(Command::KillWorker(Some(Slot(1))));
    talk.command(Command::KillWorker(Some(Slot(9))));
    assert_eq!(said(&mut talk), "");
    assert_eq!(*heard.0.lock().unwrap(), ["1 is ended", "there is no worker 9 to be killed"]);
    talk.hear(b"{\"type\":\"worker_exited\",\"worker\":1,\"signal\":9}\n");
    talk.hear(b"{\"type\":\"worker_started\",\"worker\":2,\"pid\":80,\"lanes\":[1],\"restart\":true}\n");
    assert_eq!(said(&mut talk), "{\"type\":\"kill_worker\",\"worker\":2}\n", "the next one in that slot");
}

#[test]
fn every_command_that_the_program_cannot_do_is_refused_with_a_word() {
    let (mut talk, heard) = conversation("");
    let three = NonZeroU32::new(3).unwrap();
    for command in [Command::Pause, Command::Resume, Command::Resize(three), Command::KillWorker(None)] {
        talk.command(command);
        let words = Capabilities::LEAST.check(command).unwrap_err().to_string();
        assert_eq!(heard.0.lock().unwrap().pop(), Some(words));
        assert_eq!((said(&mut talk).as_str(), talk.state), ("", RunState::Running));
    }
}

#[test]
fn the_error_of_a_python_process_is_found_behind_what_others_have_begun_to_say() {
    let output = "Process A-1:\nTraceback (most recent call last):\n  File \"x\", line 1\nValueError: no licence\nProcess A-2:\n\
                  Traceback (most recent call last):\n  File";
    assert_eq!(last_error(output).as_deref(), Some("ValueError: no licence"));
    assert_eq!(last_error("Process A-1:\n"), None);
}

#[test]
fn what_a_process_ended_with_is_found_among_what_others_print() {
    let output = "Process ForkPoolWorker-1:\nTraceback (most recent call last):\n  File \"a.py\", line 1, in ready\n    raise \
                  ValueError('no licence')\nValueError: no licence\nsaid by another one\nTraceback (most recent call last):\n";
    assert_eq!(last_error(output).as_deref(), Some("ValueError: no licence"));
    let own = "Traceback (most recent call last):\n  x\na.Unpicklable: no licence\nsaid by another one\n";
    assert_eq!(last_error(own).as_deref(), Some("a.Unpicklable: no licence"));
    assert_eq!(last_error("it is over\n  \n").as_deref(), Some("it is over"));
}

#[test]
fn the_run_ends_with_its_last_outcome_and_only_once() {
    let (mut talk, heard) = conversation("");
    let tasks = |tasks: std::ops::Range<u64>| {
        let at = monotonic();
        let tasks: Vec<String> = tasks.map(|task| format!("[{task},{at},0,0]")).collect();
        format!("{{\"type\":\"succeeded\",\"lane\":0,\"tasks\":[{}]}}\n", tasks.join(","))
    };
    talk.hear(tasks(0..9).as_bytes());
    assert!(talk.broke.is_none() && heard.0.lock().unwrap().is_empty(), "{:?}", talk.broke);
    talk.hear(tasks(9..10).as_bytes());
    assert_eq!(*heard.0.lock().unwrap(), ["run ends, early: false"]);
    // Stopped while it leaves.
    talk.command(Command::Stop);
    assert_eq!(*heard.0.lock().unwrap(), ["run ends, early: false"]);
}
