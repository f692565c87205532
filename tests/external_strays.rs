//! What the program of an external arm leaves behind lives as long as its run and no longer, whatever it does to its session
//! and its environment: in a process that takes orphans in, as Poolscope's own does.

#[path = "support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use poolscope::os::orphans::become_subreaper;
use poolscope::{
    Arm as _, Command, Completion, Event, External, Host, Moment, Observer, ProcessOwner, RunContext, RunRequest,
    SharedStream,
};
use support::program::processes;
use support::{eventually, hard_limit};

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/external/thread_pool.py");

/// Counts what succeeded and how often the state was told.
#[derive(Clone, Default)]
struct Seen(Arc<[AtomicU64; 2]>);

impl Observer for Seen {
    fn event(&mut self, _: Moment, event: &Event<'_>) {
        if let Event::Succeeded(batch) = event {
            self.0[0].fetch_add(batch.records.len() as u64, Ordering::Relaxed);
        }
    }

    fn state(&mut self, _: Moment, _: &poolscope::EngineView<'_>) {
        self.0[1].fetch_add(1, Ordering::Relaxed);
    }
}

impl Seen {
    fn get(&self, which: usize) -> u64 {
        self.0[which].load(Ordering::Relaxed)
    }
}

#[test]
fn a_daemon_without_an_environment_lives_as_long_as_the_run() {
    hard_limit();
    let process = ProcessOwner::claim();
    become_subreaper(process).unwrap();
    let nap = format!("{}.5", 3600 + std::process::id());
    let text = "version: 1\nname: naps\ntasks: [{ name: nap, kind: sleep, count: 100000, grace_period: 1s, \
                service_time: { dist: constant, value: 1ms } }]\nengines: [{ kind: pool, workers: 2 }]\n";
    let workload = poolscope::load(text, "naps").unwrap().workload;
    let stream = SharedStream::new(&workload);
    let context = RunContext {
        usable_cores: Host::detect().usable_cores(),
        max_processes: 100,
        iterations_per_second: 1e9,
        worker_program: env!("CARGO_BIN_EXE_poolscope").into(),
    };
    let request = RunRequest {
        workload: &workload,
        spec: &workload.engines[0],
        workers: 2,
        admission: stream.admission(&workload),
        stream: Box::new(stream),
        context: &context,
        gil_probe: false,
    };
    let seen = Seen::default();
    let arm = External::new(["python3", PROGRAM, &format!("daemon={nap}")]);
    let run = arm.start(request, Box::new(seen.clone())).unwrap();
    eventually("tasks are done", || seen.get(0) > 10);
    assert_eq!(processes(&["sleep", &nap]).len(), 1, "it was left behind before the first task");
    let told = seen.get(1);
    eventually("orphans were looked at", || seen.get(1) > told + 3);
    assert_eq!(processes(&["sleep", &nap]).len(), 1, "it may live as long as the program");
    run.command(Command::Stop);
    assert_eq!(run.join().unwrap(), Completion::Stopped);
    assert_eq!(processes(&["sleep", &nap]), [], "and no longer");
}
