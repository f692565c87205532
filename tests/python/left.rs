//! What is left when a task, a run or the program is over: shared memory, threads, folders.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::*;
use crate::support::program::{WorkloadFolder, marked, only_run};
use crate::support::{eventually, kill};

const FUNCTIONS: &str = r#"
import os, signal, threading, time

def shared(name, how=""):
    from multiprocessing import shared_memory
    memory = shared_memory.SharedMemory(create=True, size=1000, name="%s_%d" % (name, os.getpid()))
    memory.close()
    if how == "dies":
        meet()
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "hangs":
        time.sleep(60)

def meet():
    """Waits for the other task. An executor ends the other worker when one dies, and CPython tells its tracker of a segment
    only after it is made: one that is ended in between leaves it for ever, with nobody else in sight."""
    open("%s.%d" % (__file__, os.getpid()), "w").close()
    limit = time.monotonic() + 60
    while sum(name.startswith("left.py.") for name in os.listdir(os.path.dirname(__file__))) < 2:
        assert time.monotonic() < limit, "the other task does not come"
        time.sleep(0.002)

def thread(n):
    threading.Thread(target=time.sleep, args=(120,)).start()

def nap(n):
    time.sleep(0.3)
    return n

def long(n):
    time.sleep(60)
"#;

/// Arms of every sort, with what else is in their entry.
const ARMS: [&str; 12] = [
    "kind: pool",
    "kind: pool, start_method: forkserver",
    "kind: process, start_method: spawn",
    "kind: process, start_method: forkserver",
    "kind: serial",
    "kind: thread",
    "kind: mp_pool, start_method: fork",
    "kind: mp_pool, start_method: spawn",
    "kind: ppe, start_method: fork",
    "kind: ppe, start_method: spawn",
    "kind: mp_process, start_method: fork",
    "kind: mp_process, start_method: forkserver",
];

fn arm(task: &str, engine: &str) -> WorkloadFolder {
    let workers = if engine.contains("serial") { "" } else { ", workers: 2" };
    let text = format!(
        "version: 1\nseed: 7\npython: {{ interpreter: {} }}\ntasks: [{{ name: t, kind: python, {task} }}]\nengines: [{{ \
         name: arm, {engine}{workers} }}]\n",
        newest().program.display()
    );
    let folder = WorkloadFolder::new(&text);
    std::fs::write(folder.path("left.py"), FUNCTIONS).unwrap();
    folder
}

/// Segments whose names begin so.
fn segments(name: &str) -> Vec<PathBuf> {
    let all = std::fs::read_dir("/dev/shm").unwrap().flatten();
    all.filter(|entry| entry.file_name().to_string_lossy().starts_with(name)).map(|entry| entry.path()).collect()
}

#[test]
fn shared_memory_that_a_task_has_made_and_left_is_removed_as_cpython_does_it() {
    for (place, engine) in ARMS.iter().enumerate() {
        let name = format!("poolscope_left_{}_{place}", std::process::id());
        let folder = arm(&format!("callable: 'left:shared', args: [{name}], count: 4"), engine);
        let told = run(&folder, "arm");
        let made = if engine.contains("thread") || engine.contains("serial") { 1 } else { 4 };
        // The second one of a process finds its name taken.
        assert!(
            told.count("succeeded") >= 1 && told.count("succeeded") <= made.max(4),
            "{engine}: {}",
            told.run["tasks"]
        );
        assert_eq!(segments(&name), [] as [PathBuf; 0], "{engine}");
    }
}

#[test]
fn shared_memory_of_a_worker_that_was_killed_is_removed_too() {
    for (place, engine) in ARMS.iter().enumerate().filter(|(_, engine)| !engine.contains("thread")) {
        let name = format!("poolscope_killed_{}_{place}", std::process::id());
        let reference = engine.contains("mp_") || engine.contains("ppe");
        let (how, limit) = if reference { ("dies", "") } else { ("hangs", ", timeout: 3s") };
        // Where one worker dies, CPython's executor ends the others. One that has made its segment and not said so yet leaves it.
        let count = if engine.contains("ppe") { 1 } else { 2 };
        let folder = arm(&format!("callable: 'left:shared', args: [{name}, {how}], count: {count}{limit}"), engine);
        let told = run(&folder, "arm");
        assert_eq!(told.count("succeeded"), 0, "{engine}: {}", told.run["tasks"]);
        eventually(&format!("{engine}: no segment is left"), || segments(&name).is_empty());
    }
}

#[test]
fn a_thread_that_a_task_leaves_does_not_hold_up_the_end_of_a_reference_arm() {
    for kind in ["mp_pool", "ppe", "mp_process"] {
        let folder = arm("callable: 'left:thread', args: [1], count: 2", &format!("kind: {kind}"));
        let begin = Instant::now();
        let told = run(&folder, "arm");
        // The thread sleeps for 120 s; workers have 2 s to leave.
        assert!(begin.elapsed() < Duration::from_secs(60), "{kind}: {:?}", begin.elapsed());
        assert_eq!(told.count("succeeded"), 2, "{kind}");
        assert_eq!(told.run["deaths"], serde_json::json!([]), "{kind}");
        let notes = told.run["notes"].to_string();
        let call = match kind {
            "mp_pool" => "Pool.join()",
            "ppe" => "ProcessPoolExecutor.shutdown()",
            _ => "Process.join()",
        };
        assert!(notes.contains(&format!("{call} of CPython waits for as long as it takes")), "{kind}: {notes}");
        let workers = told.run["workers"].as_array().unwrap();
        assert!(workers.iter().all(|worker| worker["cpu_s"].as_f64().unwrap() > 0.0), "{kind}: {workers:?}");
    }
}

#[test]
fn the_folder_of_a_reference_arm_goes_with_a_program_that_is_killed() {
    for kind in ["mp_pool", "mp_process"] {
        let folder = arm("callable: 'left:long', args: [1], count: 2", &format!("kind: {kind}"));
        let tmp = folder.path("tmp");
        std::fs::create_dir(&tmp).unwrap();
        let mut child = folder.run("arm", &[]).env("TMPDIR", &tmp).spawn().unwrap();
        eventually("its workers are started", || marked(child.id()).len() >= 3);
        let entries = || std::fs::read_dir(&tmp).unwrap().count();
        assert!(entries() > 0, "{kind}: there is a folder");
        kill(child.id(), Signal::KILL);
        child.wait().unwrap();
        eventually(&format!("{kind}: the folder is gone"), || entries() == 0);
        eventually(&format!("{kind}: nobody is left"), || marked(child.id()).is_empty());
    }
}

#[test]
fn a_reference_run_in_which_the_program_was_stopped_is_suspect() {
    for kind in ["mp_pool", "ppe", "mp_process"] {
        let folder = arm("callable: 'left:nap', args: [1], count: 8", &format!("kind: {kind}"));
        let mut command = folder.run("arm", &["--format", "json"]);
        let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
        eventually("its workers are started", || marked(child.id()).len() >= 3);
        kill(child.id(), Signal::STOP);
        std::thread::sleep(Duration::from_millis(1500));
        kill(child.id(), Signal::CONT);
        let run = only_run(&child.wait_with_output().unwrap());
        assert_eq!(run["tasks"]["succeeded"], 8, "{kind}: {:?}", run["failures"]);
        let suspect = run["suspect"].to_string();
        assert!(suspect.contains("Poolscope was stopped (SIGSTOP) for about"), "{kind}: {suspect}");
    }
}

#[test]
fn every_outcome_is_told_although_the_program_has_the_last_result_and_leaves() {
    // Whoever sets a result stands still right after that: what is told only then is never heard.
    let late = "import threading, time\nset_event = threading.Event.set\ndef late(self):\n    set_event(self)\n    \
                time.sleep(0.1)\nthreading.Event.set = late\nfrom concurrent.futures import _base\ninvoke = \
                _base.Future._invoke_callbacks\ndef later(self):\n    time.sleep(0.1)\n    \
                invoke(self)\n_base.Future._invoke_callbacks = later\n";
    for kind in ["mp_pool", "ppe"] {
        for submit in ["apply_async", "apply"] {
            let folder =
                arm("callable: 'builtins:abs', args: [1], count: 3", &format!("kind: {kind}, submit: {submit}"));
            std::fs::create_dir(folder.path("site")).unwrap();
            std::fs::write(folder.path("site/sitecustomize.py"), late).unwrap();
            let output =
                folder.run("arm", &["--format", "json"]).env("PYTHONPATH", folder.path("site")).output().unwrap();
            assert_eq!(only_run(&output)["tasks"]["succeeded"], 3, "{kind} {submit}");
        }
    }
}
