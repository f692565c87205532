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
use crate::engine::event::{EngineView, Event, Moment, Observer, Usage};
use crate::engine::outcome::Exit;
use crate::engine::stream::{Admission, StreamRun, TaskStream};
use crate::os::child::Child;
use crate::workload::model::{ClassId, Kernel, Recycling, Work};

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
            fork_server: false,
            recycling: Recycling::default(),
            join_timeout: WALL,
            kills: Vec::new(),
            classes: Vec::new(),
            admission: Admission::Batch,
            submitting: Submitting::default(),
            dealt: None,
            seed: 1,
        },
        stream: Box::new(One),
        works: vec![Work::Kernel(Kernel::Noop)],
        iterations_per_second: 1e9,
        worker_program: worker.into(),
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
    let script = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    std::fs::write(&script, "#!/bin/sh\nexec sleep 600\n").unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
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
