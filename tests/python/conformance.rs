//! The behaviours of the conformance suite (`tests/conformance`) that need interpreters, held against every sort of arm that
//! runs functions in Python, by what a user sees. What an arm does not do is said in [`ARMS`], with the reason; CPython's own do
//! what CPython does, which is what they are there to show.
//!
//! Each case is light and runs in the newest interpreter; each run ends with nothing of it left.

use std::process::Stdio;

use serde_json::Value;

use crate::harness::*;
use crate::support::program::{WorkloadFolder, marked};
use crate::support::{eventually, kill};

/// An arm with what it is excused from.
struct Arm {
    name: &'static str,
    entry: &'static str,
    /// A case by its name, and why this arm does not show it.
    exceptions: &'static [(&'static str, &'static str)],
}

const ONE_TASK: &str = "each process does one task: there is nothing to recycle";
const NO_END: &str = "it cannot end one task: `timeout` is refused";

const ARMS: [Arm; 8] = [
    Arm { name: "pool-python", entry: "kind: pool", exceptions: &[] },
    Arm {
        name: "process-python",
        entry: "kind: process, start_method: spawn",
        exceptions: &[("workers_are_replaced_after_their_number_of_tasks", ONE_TASK)],
    },
    Arm {
        name: "process-python-forkserver",
        entry: "kind: process, start_method: forkserver",
        exceptions: &[("workers_are_replaced_after_their_number_of_tasks", ONE_TASK)],
    },
    Arm {
        name: "thread",
        entry: "kind: thread",
        exceptions: &[
            ("workers_are_replaced_after_their_number_of_tasks", "replacing its interpreter would end all its tasks"),
            ("after_a_timeout_the_next_task_has_a_new_process", "a thread cannot be ended: its caller gives up"),
            ("one_killed_of_many_fails_alone", "its tasks share a process, and are lost with it"),
            ("no_way_to_leave_is_a_success", "leaving the process takes the tasks of all its threads with it"),
            ("results_that_cannot_travel_fail_alone", "results stay in the process"),
        ],
    },
    Arm {
        name: "interpreter",
        entry: "kind: interpreter",
        exceptions: &[
            ("workers_are_replaced_after_their_number_of_tasks", "replacing its process would end all its tasks"),
            ("after_a_timeout_the_next_task_has_a_new_process", "a thread cannot be ended: its caller gives up"),
            ("one_killed_of_many_fails_alone", "its tasks share a process, and are lost with it"),
            ("no_way_to_leave_is_a_success", "leaving the process takes the tasks of all its threads with it"),
        ],
    },
    Arm {
        name: "mp_pool",
        entry: "kind: mp_pool",
        exceptions: &[
            ("after_a_timeout_the_next_task_has_a_new_process", NO_END),
            ("one_killed_of_many_fails_alone", "CPython's Pool waits for ever for the result"),
            ("no_way_to_leave_is_a_success", "CPython's Pool waits for ever for the result"),
        ],
    },
    Arm {
        name: "mp_process",
        entry: "kind: mp_process",
        exceptions: &[
            ("workers_are_replaced_after_their_number_of_tasks", ONE_TASK),
            ("after_a_timeout_the_next_task_has_a_new_process", NO_END),
            ("map_waits_for_all_although_one_fails", "a process does one task: there is no map"),
        ],
    },
    Arm {
        name: "ppe",
        entry: "kind: ppe, start_method: spawn",
        exceptions: &[
            ("after_a_timeout_the_next_task_has_a_new_process", NO_END),
            ("one_killed_of_many_fails_alone", "CPython's executor breaks for all of them"),
            ("no_way_to_leave_is_a_success", "CPython's executor breaks for all of them"),
            ("map_waits_for_all_although_one_fails", "the map of CPython's executor cancels the others"),
            (
                "workers_are_replaced_after_their_number_of_tasks",
                "CPython's executor gets stuck with max_tasks_per_child now and then (3.11 to 3.13)",
            ),
        ],
    },
];

const FUNCTIONS: &str = r#"
import os, signal, sys, time

def work(n):
    return {"n": n, "text": str(n)}

def raises(n):
    if n == 3:
        raise ValueError("three")
    return n

def leaves(n):
    (lambda: sys.exit(0), lambda: os._exit(0), lambda: os._exit(3))[n]()

def killed(n):
    if n == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return n

def odd(n):
    return lambda: n

def slow(n):
    time.sleep(60 if n == 1 else 0.01)
    return n

def large(n):
    return bytes(20 << 20)

def fails():
    raise ValueError("no licence")

def long(n):
    time.sleep(60)
"#;

/// A workload of calls of one function with the index of each, in this arm.
fn workload(arm: &Arm, function: &str, task: &str, more: &str) -> WorkloadFolder {
    let comma = if more.is_empty() { "" } else { ", " };
    let text = format!(
        "version: 1\nseed: 7\npython: {{ interpreter: {} }}\ntasks: [{{ name: t, kind: python, callable: \
         'behaves:{function}', args: {{ n: {{ index }} }}, {task} }}]\nengines: [{{ name: arm, {}, workers: 2{comma}{more} \
         }}, {{ kind: serial }}]\n",
        newest().program.display(),
        arm.entry
    );
    let folder = WorkloadFolder::new(&text);
    std::fs::write(folder.path("behaves.py"), FUNCTIONS).unwrap();
    folder
}

/// What came of it, with the exit code; nothing is left of it.
fn made(folder: &WorkloadFolder, engine: &str) -> (Told, i32) {
    let mut command = folder.run(engine, &["--format", "json"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let output = child.wait_with_output().unwrap();
    eventually("nothing is left", || marked(pid).is_empty());
    let errors = String::from_utf8_lossy(&output.stderr);
    let result: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}"));
    (Told { run: result["arms"][0]["runs"][0].clone() }, output.status.code().unwrap())
}

fn every_arm(id: &str, case: &str, body: fn(&Arm)) {
    for arm in &ARMS {
        match arm.exceptions.iter().find(|(of, _)| *of == case) {
            Some((_, why)) => println!("{id} {}: excepted: {why}", arm.name),
            None if arm.name == "interpreter" && with_subinterpreters().next().is_none() => {
                println!("{id} {}: not tried: no interpreter here has them", arm.name);
            }
            None => {
                let begin = std::time::Instant::now();
                body(arm);
                println!("{id} {}: {:.1?}", arm.name, begin.elapsed());
            }
        }
    }
}

macro_rules! cases {
    ($($id:ident $name:ident($arm:ident) $body:block)*) => {
        $(#[test]
        fn $name() {
            fn held($arm: &Arm) $body
            every_arm(stringify!($id), stringify!($name), held);
        })*

        const CASES: &[&str] = &[$(stringify!($name)),*];
    };
}

cases! {
    C10 no_way_to_leave_is_a_success(arm) {
        let (told, code) = made(&workload(arm, "leaves", "count: 3", ""), "arm");
        assert_eq!((told.count("succeeded"), code), (0, 3), "{}: {}", arm.name, told.run["tasks"]);
        assert_eq!(told.count("lost") + told.count("failed"), 3, "{}: {}", arm.name, told.run["tasks"]);
    }
    C13 every_call_gives_the_results_of_a_serial_one(arm) {
        // The serial one is the same beside each of them.
        static SERIAL: std::sync::OnceLock<String> = std::sync::OnceLock::new();
        let folder = || workload(arm, "work", "count: 30", "");
        let serial = SERIAL.get_or_init(|| made(&folder(), "serial").0.hash().to_owned());
        let chunks = if arm.entry.contains("process") { &[""][..] } else { &["", "chunksize: 1", "chunksize: 20"] };
        for chunk in chunks {
            let (told, code) = made(&workload(arm, "work", "count: 30", chunk), "arm");
            assert_eq!((told.count("succeeded"), code), (30, 0), "{} {chunk}: {:?}", arm.name, told.run["failures"]);
            assert_eq!(told.hash(), serial, "{} {chunk}", arm.name);
        }
    }
    C14 workers_are_replaced_after_their_number_of_tasks(arm) {
        let (told, _) = made(&workload(arm, "work", "count: 12", "max_tasks_per_child: 3"), "arm");
        assert_eq!(told.count("succeeded"), 12, "{}: {:?}", arm.name, told.run["failures"]);
        assert!(told.run["worker_starts"].as_u64().unwrap() >= 4, "{}: {}", arm.name, told.run["worker_starts"]);
        assert_eq!(told.run["worker_restarts"], 0, "{}: nobody has died", arm.name);
    }
    C16 a_caller_who_gives_up_leaves_the_task_running(arm) {
        let task = "count: 8, wait_timeout: 3s, on_timeout: abandon";
        let (told, _) = made(&workload(arm, "slow", task, ""), "arm");
        let counts = (told.count("succeeded"), told.count("timed_out"));
        assert_eq!(counts, (7, 1), "{}: {:?}", arm.name, told.run["failures"]);
        assert_eq!(told.run["ghosts"], 1, "{}: {}", arm.name, told.run["ghosts"]);
    }
    C19 map_waits_for_all_although_one_fails(arm) {
        let more = if arm.entry.contains("process") { "submit: map" } else { "submit: map, chunksize: 1" };
        let (told, _) = made(&workload(arm, "raises", "count: 12", more), "arm");
        let counts = (told.count("succeeded"), told.count("failed"));
        assert_eq!(counts, (11, 1), "{}: {:?}", arm.name, told.run["failures"]);
    }
    C25 an_error_comes_with_the_traceback_of_its_worker(arm) {
        let (told, _) = made(&workload(arm, "raises", "count: 6", ""), "arm");
        let (outcome, why, trace) = told.of("t");
        assert_eq!((outcome, why, told.count("succeeded")), ("failed", "ValueError: three", 5), "{}", arm.name);
        assert!(trace.contains("behaves.py\", line"), "{}: {trace}", arm.name);
    }
    C26 results_that_cannot_travel_fail_alone(arm) {
        let (told, _) = made(&workload(arm, "odd", "count: 20", ""), "arm");
        assert_eq!(told.count("failed"), 20, "{}: {:?}", arm.name, told.run["failures"]);
        assert_eq!(told.run["deaths"], serde_json::json!([]), "{}: no worker is lost", arm.name);
    }
    C27 after_a_timeout_the_next_task_has_a_new_process(arm) {
        let (told, _) = made(&workload(arm, "slow", "count: 6, timeout: 2s", ""), "arm");
        let counts = (told.count("succeeded"), told.count("timed_out"));
        assert_eq!(counts, (5, 1), "{}: {:?}", arm.name, told.run["failures"]);
    }
    C29 one_killed_of_many_fails_alone(arm) {
        let (told, _) = made(&workload(arm, "killed", "count: 20", ""), "arm");
        let counts = (told.count("succeeded"), told.count("lost"));
        assert_eq!(counts, (19, 1), "{}: {:?}", arm.name, told.run["failures"]);
        assert!(told.of("t").1.contains("its worker died"), "{}: {}", arm.name, told.of("t").1);
    }
    C32 an_initializer_that_fails_starts_no_storm(arm) {
        let initializer = "initializer: { callable: 'behaves:fails' }";
        let (told, code) = made(&workload(arm, "work", "count: 6", initializer), "arm");
        assert_eq!((told.count("succeeded"), code), (0, 3), "{}: {}", arm.name, told.run["tasks"]);
        assert!(told.run["worker_starts"].as_u64().unwrap() < 20, "{}: {}", arm.name, told.run["worker_starts"]);
    }
    C37 twenty_megabytes_come_back(arm) {
        let (told, code) = made(&workload(arm, "large", "count: 2", ""), "arm");
        assert_eq!((told.count("succeeded"), code), (2, 0), "{}: {:?}", arm.name, told.run["failures"]);
    }
    C38 a_run_that_is_stopped_ends_and_leaves_nobody(arm) {
        let folder = workload(arm, "long", "count: 4, grace_period: 300ms", "");
        let mut child = folder.run("arm", &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        eventually("it is in a task", || !marked(child.id()).is_empty());
        kill(child.id(), rustix::process::Signal::INT);
        assert_eq!(child.wait().unwrap().code(), Some(130), "{}", arm.name);
        eventually("nothing is left", || marked(child.id()).is_empty());
    }
    C40 the_table_of_workers_adds_up(arm) {
        let (told, _) = made(&workload(arm, "work", "count: 20", ""), "arm");
        let workers = told.run["workers"].as_array().unwrap();
        let done: u64 = workers.iter().map(|worker| worker["tasks"].as_u64().unwrap()).sum();
        assert_eq!(done, 20, "{}: {workers:?}", arm.name);
        assert!(workers.len() <= 2, "{}: never more than there may be: {workers:?}", arm.name);
    }
}

#[test]
fn an_exception_is_of_a_case_that_there_is_and_has_a_reason() {
    for arm in &ARMS {
        for (case, why) in arm.exceptions {
            assert!(CASES.contains(case) && !why.is_empty(), "{}: {case}", arm.name);
        }
    }
}
