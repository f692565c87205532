use std::io::BufRead as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command as System, Stdio};

use tokio::sync::mpsc::UnboundedSender;
use tokio::time::timeout;

use super::*;
use crate::engine::control::Capabilities;
use crate::engine::dispatcher::window::Chunk;
use crate::engine::dispatcher::{Policy, Settings, Submitting};
use crate::engine::driver::{RunSpec, WorkerOrders};
use crate::engine::event::{EngineView, Event, Moment, Observer, Slot, Usage};
use crate::engine::outcome::Exit;
use crate::engine::stream::{Admission, StreamRun, TaskStream};
use crate::os::child::Child;
use crate::workload::model::{ClassId, Kernel, Recycling, StartMethod, Work};

const WALL: Duration = Duration::from_secs(30);

struct One;

impl TaskStream for One {
    fn total(&self) -> Option<u64> {
        Some(1)
    }

    fn class_total(&self, _: ClassId) -> u64 {
        1
    }

    fn run_at(&self, _: u64, _: u64) -> StreamRun {
        StreamRun { first: 0, count: 1, class: 0 }
    }
}

/// Hands on how workers end.
struct Exits(UnboundedSender<(u32, Exit, Usage)>);

impl Observer for Exits {
    fn event(&mut self, _: Moment, event: &Event<'_>) {
        if let Event::WorkerExited { pid, exit, usage, .. } = event {
            self.0.send((*pid, *exit, *usage)).unwrap();
        }
    }

    fn state(&mut self, _: Moment, _: &EngineView<'_>) {}
}

/// Counts the processes that could not be ended, and hands on the warnings.
struct LeftBehind(UnboundedSender<Option<String>>);

impl Observer for LeftBehind {
    fn event(&mut self, _: Moment, event: &Event<'_>) {
        match event {
            Event::WorkerUnkillable { .. } => self.0.send(None).unwrap(),
            Event::Note { text, severity: Severity::Warning } => self.0.send(Some(text.clone())).unwrap(),
            _ => {}
        }
    }

    fn state(&mut self, _: Moment, _: &EngineView<'_>) {}
}

/// A run whose workers say nothing.
fn spec(worker: &std::path::Path) -> RunSpec {
    RunSpec {
        settings: Settings {
            policy: Policy::Reuse,
            workers: 1,
            max_workers: 1,
            chunk: Chunk::One,
            start_timeout: WALL * 2,
            initializer: None,
            joins_all: false,
            start_method: StartMethod::Spawn,
            recycling: Recycling::default(),
            join_timeout: WALL,
            kills: Vec::new(),
            classes: Vec::new(),
            admission: Admission::Batch,
            submitting: Submitting::default(),
            dealt: None,
            halt: None,
            seed: 1,
        },
        stream: Box::new(One),
        works: vec![Work::Kernel(Kernel::Noop)],
        iterations_per_second: 1e9,
        worker_program: worker.into(),
        python: None,
        own_program: worker.into(),
        folder: None,
        surroundings: crate::os::surroundings::Surroundings::default(),
        capabilities: Capabilities::LEAST,
        orders: WorkerOrders::default(),
        leaves_zombies: false,
    }
}

#[test]
fn the_end_of_a_worker_with_another_parent_is_handled_when_that_one_tells_it_or_is_gone() {
    let script = silent_worker();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for tells in [true, false] {
        // The parent: it reaps its child, and lives on.
        let mut parent = System::new("/bin/sh")
            .args(["-c", "sleep 600 >/dev/null & echo $!; wait; echo reaped; cat >/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = std::io::BufReader::new(parent.stdout.take().unwrap()).lines();
        let pid: u32 = lines.next().unwrap().unwrap().parse().unwrap();
        let (exits, mut told) = mpsc::unbounded_channel();
        tokio::task::LocalSet::new().block_on(&runtime, async {
            let core = Rc::new(RefCell::new(Core::new(spec(&script), Box::new(Exits(exits))).unwrap()));
            core.borrow_mut().feed(Input::Begin);
            let (child, teller) = Child::of_another(pid, 0, false).unwrap();
            // It stands in for the process that was started, which keeps the worker's end of the socket open.
            let stood_for = {
                let mut core = core.borrow_mut();
                let link = core.links[0].as_mut().unwrap();
                link.child.replace(child).unwrap()
            };
            spawn_watchers(&core);
            core.borrow().links[0]
                .as_ref()
                .unwrap()
                .child
                .as_ref()
                .unwrap()
                .signal(rustix::process::Signal::KILL)
                .unwrap();
            assert_eq!(lines.next().unwrap().unwrap(), "reaped");
            // The end itself is seen in this time, and is not enough.
            assert!(timeout(Duration::from_millis(50), told.recv()).await.is_err(), "nobody has told how it ended");
            let usage = Usage { user: Duration::from_secs(7), ..Usage::NONE };
            let expected = if tells {
                let exit = Exit::Signal(libc::SIGKILL);
                teller.tell(Reaped { exit, usage, peak_rss_bytes: None });
                (stood_for.pid(), exit, usage)
            } else {
                drop(teller);
                (stood_for.pid(), Exit::Unknown, Usage::NONE)
            };
            let heard = timeout(WALL, told.recv()).await.expect("the driver wakes");
            assert_eq!(heard, Some(expected));
        });
        drop(parent.stdin.take());
        parent.wait().unwrap();
    }
}

/// Has this stand in for the process of the only worker; says which that is.
fn stand_in(core: &mut Core, child: Child) -> (WorkerId, Child) {
    let link = core.links[0].as_mut().unwrap();
    let epoch = link.epoch;
    (WorkerId { slot: Slot(0), epoch }, link.child.replace(child).unwrap())
}

fn silent_worker() -> tempfile::TempPath {
    let script = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    std::fs::write(&script, "#!/bin/sh\nexec sleep 600\n").unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    script
}

#[test]
fn a_process_with_the_id_of_one_that_was_left_behind_is_not_left_behind() {
    let (script, (told, mut heard)) = (silent_worker(), mpsc::unbounded_channel());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut sleeper = System::new("/bin/sleep").arg("600").spawn().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let mut core = Core::new(spec(&script), Box::new(LeftBehind(told))).unwrap();
        core.feed(Input::Begin);
        // The system has given the same id twice.
        let same = || Child::of_another(sleeper.id(), 0, false).unwrap();
        let (child, teller) = same();
        let (worker, first) = stand_in(&mut core, child);
        core.abandon(worker);
        core.carry_on();
        core.feed(Input::Wake);
        let (child, other_teller) = same();
        let (next, second) = stand_in(&mut core, child);
        assert_ne!(next, worker, "another one has its place");
        core.worker_ended(next, Reaped { exit: Exit::Code(0), ..Reaped::UNKNOWN }, monotonic());
        for mut child in [first, second] {
            // One that is gone needs no signal; whether it is, `wait` says.
            let _ = child.signal(rustix::process::Signal::KILL);
            child.wait().unwrap();
        }
        drop((teller, other_teller));
    });
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    let left_behind = std::iter::from_fn(|| heard.try_recv().ok()).filter(Option::is_none).count();
    assert_eq!(left_behind, 1);
}

#[test]
fn a_worker_that_was_killed_from_outside_is_not_said_to_have_lived_on() {
    let (script, (told, mut heard)) = (silent_worker(), mpsc::unbounded_channel());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        let mut core = Core::new(spec(&script), Box::new(LeftBehind(told))).unwrap();
        core.feed(Input::Begin);
        let link = core.links[0].as_ref().unwrap();
        let worker = WorkerId { slot: Slot(0), epoch: link.epoch };
        let child = link.child.as_ref().unwrap();
        child.signal(rustix::process::Signal::KILL).unwrap();
        while !child.has_ended() {
            std::thread::yield_now();
        }
        // Its socket is heard of first, and its end only after a while.
        core.feed(Input::Closed { worker });
        let later = core.clock.now() + Duration::from_secs(1);
        core.handle(later, Input::Wake);
        core.carry_on();
        assert!(!core.links[0].as_ref().unwrap().stopped, "nobody has ended it");
        let notes: Vec<_> = std::iter::from_fn(|| heard.try_recv().ok()).collect();
        assert_eq!(notes, []);
        let reaped = core.reap(worker, monotonic()).unwrap().unwrap().unwrap();
        core.worker_ended(worker, reaped, monotonic());
    });
}
