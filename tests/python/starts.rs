//! How interpreters that work on tasks come to be: spawned, forked from a server, forked from a parent.

use serde_json::Value;

use crate::harness::*;
use crate::support::program::{WorkloadFolder, only_run};

/// Arms that fork, by the names that they have in [`arms`].
const FORKING: [&str; 4] = ["pool-server", "pool-fork", "process-server", "process-fork"];

/// A folder with an arm for each way in which a worker can come to be, each with `more` in its entry.
fn arms(python: &Python, tasks: &[Task<'_>], more: &str) -> WorkloadFolder {
    let arm = |kind: &str, name: &str, method: &str| {
        format!("  - {{ name: {kind}-{name}, kind: {kind}, workers: 2, start_method: {method}{more} }}\n")
    };
    let methods = [("spawn", "spawn"), ("server", "forkserver"), ("fork", "fork")];
    let kinds = ["pool", "process"].into_iter();
    let all: String =
        kinds.flat_map(|kind| methods.map(|(name, method)| arm(kind, name, method))).collect::<Vec<_>>().concat();
    folder(python, tasks, &format!("engines:\n{all}"))
}

/// A run with this done at import, and what the functions have noted.
fn run_doing(folder: &WorkloadFolder, arm: &str, does: &str) -> (Told, Vec<String>) {
    let output = output_doing(folder, arm, does);
    (Told { run: only_run(&output) }, notes(folder))
}

fn output_doing(folder: &WorkloadFolder, arm: &str, does: &str) -> std::process::Output {
    let notes = folder.path("notes");
    let _ = std::fs::remove_file(&notes);
    let mut command = folder.run(arm, &["--format", "json"]);
    command.env("POOLSCOPE_DOES", does).env("POOLSCOPE_NOTES", notes).env("PYTHONDONTWRITEBYTECODE", "1");
    command.output().unwrap()
}

fn notes(folder: &WorkloadFolder) -> Vec<String> {
    let text = std::fs::read_to_string(folder.path("notes")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// The notes beside those of the run's end, which is told in other ways.
fn texts(told: &Told) -> String {
    let notes = told.run["notes"].as_array().unwrap();
    notes.iter().map(|note| note["text"].as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

fn all_succeeded(told: &Told, count: u64, about: &str) {
    assert_eq!(told.count("succeeded"), count, "{about}: {:?}\n{}", told.run["failures"], texts(told));
}

#[test]
fn a_forked_worker_is_a_whole_process_with_an_exact_account() {
    let tasks = [
        ("whole", "started:whole", "count: 2"),
        ("forked", "started:forked", "count: 2"),
        ("burns", "started:burns", "args: { ms: 20 }, count: 4"),
    ];
    for python in pythons() {
        let folder = arms(python, &tasks, "");
        let mut hashes = std::collections::BTreeSet::new();
        for arm in FORKING {
            let (told, _) = run_doing(&folder, arm, "");
            let about = format!("{python:?} {arm}");
            all_succeeded(&told, 8, &about);
            hashes.insert(told.hash().to_owned());
            assert_eq!(told.run["fork_server"]["starts"], 1, "{about}");
            // The kernel's account: what the tasks have used is in it, beside what the server has.
            let cpu = ["user_s", "system_s"].map(|part| told.run["cpu"][part].as_f64().unwrap()).iter().sum::<f64>();
            let server = told.run["fork_server"]["cpu_s"].as_f64().unwrap();
            assert!(cpu - server >= 0.08 && server > 0.0, "{about}: {cpu} {server} {:?}", told.run["cpu"]);
            let starts = told.run["worker_starts"].as_u64().unwrap();
            assert_eq!(starts, if arm.starts_with("pool") { 2 } else { 8 }, "{about}");
            assert_eq!(told.run["startup"]["processes"], starts, "{about}: each tells how it began");
        }
        let (spawned, _) = run_doing(&folder, "process-spawn", "");
        all_succeeded(&spawned, 8, "process-spawn");
        assert_eq!(hashes.len(), 1, "{python:?}: {hashes:?}");
        assert!(!hashes.contains(spawned.hash()), "{python:?}: a spawned worker has imported the module itself");
    }
}

#[test]
fn pools_are_spawned_and_processes_forked_where_nobody_says_it() {
    let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/cases");
    let more = format!("python: {{ interpreter: PYTHON, path: ['{cases}'] }}\nmeasure: {{ repeats: 2, warmup: 0 }}\n");
    let folder = folder(newest(), &[("t", "started:forked", "count: 20")], &more);
    let output = folder.shell("POOLSCOPE compare w.yaml --format json").output().unwrap();
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    let methods: Vec<&str> =
        result["arms"].as_array().unwrap().iter().map(|arm| arm["start_method"].as_str().unwrap()).collect();
    assert_eq!(methods, ["spawn", "forkserver", "spawn", "spawn"]);
    let output = folder.shell("POOLSCOPE compare w.yaml --engines pool,process").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("processes start differently: process forkserver, pool spawn"), "{text}");
    assert!(text.contains("GIL on, start method forkserver") || text.contains("GIL off, start method"), "{text}");
}

/// How often the initializer was run.
fn initialized(notes: &[String]) -> u64 {
    notes.iter().filter(|note| *note == "initialized").count() as u64
}

#[test]
fn what_has_threads_is_not_forked_and_says_why() {
    // No worker comes too late for the run.
    let meets = ("meets", "started:meets", "args: { workers: 2 }, count: 2");
    let tasks = [meets, ("t", "started:forked", "count: 6"), ("ready", "started:ready", "")];
    let more = ", initializer: { callable: 'started:initialize', args: { kib: 1 } }";
    for python in pythons() {
        let folder = arms(python, &tasks, more);
        for arm in FORKING {
            let (told, notes) = run_doing(&folder, arm, "thread");
            all_succeeded(&told, 9, &format!("{python:?} {arm}"));
            let why = told.run["not_forked"].as_str().unwrap_or_else(|| panic!("{python:?} {arm}: {:#}", told.run));
            assert_eq!(why, "the import of started has left a thread running: left-behind", "{python:?} {arm}");
            assert!(texts(&told).contains("workers are spawned, not forked: the import"), "{}", texts(&told));
            // Each worker runs the initializer that the server did not.
            assert_eq!(told.run["worker_starts"], initialized(&notes), "{python:?} {arm}");
            // Threads that have ended are none.
            let (told, _) = run_doing(&folder, arm, "thread_over");
            assert!(told.run["not_forked"].is_null(), "{python:?} {arm}: {:?}", told.run["not_forked"]);
        }
        let (told, _) = run_doing(&folder, "pool-spawn", "thread");
        assert!(told.run["not_forked"].is_null(), "nobody asked for a fork");
    }
    let folder = arms(newest(), &tasks, &more.replace("kib: 1", "kib: 1, thread: true"));
    for arm in ["pool-server", "process-server"] {
        let (told, notes) = run_doing(&folder, arm, "");
        all_succeeded(&told, 9, arm);
        let why = told.run["not_forked"].as_str().unwrap();
        assert_eq!(why, "the initializer has left a thread running: of-the-initializer", "{arm}");
        assert_eq!(told.run["worker_starts"], initialized(&notes) - 1, "{arm}: beside that of the server");
    }
}

#[test]
fn what_an_import_does_to_signals_is_not_inherited() {
    let tasks =
        [("signals", "started:signals", "count: 2"), ("stuck", "started:stuck", "timeout: 300ms, grace_period: 20s")];
    for python in pythons() {
        let folder = arms(python, &tasks, "");
        let (usual, _) = run_doing(&folder, "process-spawn", "");
        for arm in FORKING {
            let (told, notes) = run_doing(&folder, arm, "handler");
            let about = format!("{python:?} {arm}");
            assert_eq!((told.count("succeeded"), told.of("stuck").0), (2, "timed_out"), "{about}");
            assert!(notes.is_empty(), "{about}: {notes:?}");
            assert_eq!(told.hash(), usual.hash(), "{about}");
            assert!(told.run["wall_s"].as_f64().unwrap() < 15.0, "{about}: SIGTERM has ended it");
        }
    }
}

#[test]
fn a_copy_that_an_import_forks_is_no_second_worker() {
    let tasks = [("t", "started:burns", "args: { ms: 1 }, count: 6")];
    for python in pythons() {
        let folder = arms(python, &tasks, "");
        for arm in FORKING.into_iter().chain(["pool-spawn", "process-spawn"]) {
            for does in ["fork", "fork_and_exit"] {
                let (told, _) = run_doing(&folder, arm, does);
                all_succeeded(&told, 6, &format!("{python:?} {arm} {does}"));
                assert_eq!(told.run["worker_restarts"], 0, "{python:?} {arm} {does}: {}", texts(&told));
                let servers = if FORKING.contains(&arm) { Value::from(1) } else { Value::Null };
                assert_eq!(told.run["fork_server"]["starts"], servers, "{python:?} {arm} {does}: {}", texts(&told));
            }
        }
    }
}

#[test]
fn handlers_of_forks_run_once_and_those_of_the_end_not_at_all() {
    let tasks = [("handlers", "started:handlers", "count: 5")];
    for python in pythons() {
        let folder = arms(python, &tasks, "");
        let once = "def handlers():\n    return ['before', 'child']\n";
        std::fs::write(folder.path("expected.py"), once).unwrap();
        let expected = arms(python, &[("handlers", "expected:handlers", "count: 5")], "");
        let yaml = std::fs::read_to_string(expected.path("w.yaml")).unwrap().replace("path: [", "path: ['.', ");
        std::fs::write(expected.path("w.yaml"), yaml).unwrap();
        std::fs::write(expected.path("expected.py"), once).unwrap();
        let (expected, _) = run_doing(&expected, "process-spawn", "");
        all_succeeded(&expected, 5, "what is expected");
        for arm in ["process-server", "process-fork"] {
            let (told, _) = run_doing(&folder, arm, "at_fork");
            all_succeeded(&told, 5, &format!("{python:?} {arm}"));
            assert_eq!(told.hash(), expected.hash(), "{python:?} {arm}");
        }
        for arm in FORKING {
            let (told, notes) = run_doing(&folder, arm, "at_exit");
            all_succeeded(&told, 5, &format!("{python:?} {arm}"));
            assert!(notes.is_empty(), "{python:?} {arm}: {notes:?}");
        }
    }
    // Python's own generator is seeded anew in each process.
    let folder = arms(newest(), &[("chance", "started:chance", "count: 20")], "");
    for arm in FORKING {
        let (_, notes) = run_doing(&folder, arm, "");
        let different: std::collections::BTreeSet<&String> = notes.iter().collect();
        assert_eq!((notes.len(), different.len()), (20, 20), "{arm}");
    }
}

#[test]
fn what_an_import_prints_is_no_tasks_output_and_blocks_nothing() {
    for python in pythons() {
        let folder = arms(python, &[("fails", "started:fails", "count: 3")], "");
        for arm in FORKING {
            let (told, _) = run_doing(&folder, arm, "prints");
            assert_eq!(told.count("failed"), 3, "{python:?} {arm}: {}", texts(&told));
            for failure in told.run["failures"].as_array().unwrap() {
                let text = failure["stderr"].as_str().unwrap();
                assert!(text.starts_with("said by the task\nTraceback"), "{python:?} {arm}: {text}");
            }
        }
    }
}

#[test]
fn a_task_that_ruins_its_process_ruins_no_other() {
    let tasks = [("ruins", "started:ruins", "args: { index: { index } }, count: 30")];
    for python in pythons() {
        let folder = arms(python, &tasks, "");
        for arm in FORKING {
            let (told, _) = run_doing(&folder, arm, "");
            let counts = (told.count("succeeded"), told.count("lost"));
            assert_eq!(counts, (10, 20), "{python:?} {arm}: {:?}", told.run["failures"]);
        }
    }
}

#[test]
fn a_server_that_is_killed_or_stands_still_is_replaced_and_nothing_is_lost() {
    for python in [&pythons()[0], newest()] {
        for (signal, says) in [(libc::SIGKILL, "starts another one"), (libc::SIGSTOP, "does not answer")] {
            let call = format!("args: {{ index: {{ index }}, signal_number: {signal} }}, count: 40");
            let folder = arms(python, &[("t", "started:kills_server", &call)], ", start_timeout: 3s");
            let yaml = std::fs::read_to_string(folder.path("w.yaml")).unwrap();
            std::fs::write(folder.path("w.yaml"), yaml.replace("python: { ", "python: { probe_timeout: 4s, ")).unwrap();
            for arm in ["process-server", "process-fork"] {
                let (told, _) = run_doing(&folder, arm, "");
                all_succeeded(&told, 40, &format!("{python:?} {arm} {signal}"));
                // It is killed once, and one is started in its place.
                assert_eq!(told.run["fork_server"]["starts"], 2, "{python:?} {arm} {signal}: {}", texts(&told));
                assert!(texts(&told).contains(says), "{python:?} {arm} {signal}: {}", texts(&told));
                assert_eq!(told.run["worker_starts"], 40, "{python:?} {arm} {signal}");
            }
        }
    }
}

#[test]
fn a_server_without_its_descriptors_says_so() {
    let folder = arms(newest(), &[("t", "started:forked", "count: 4")], "");
    let output = output_doing(&folder, "process-server", "closes");
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("fork servers in a row") && text.contains("closed the descriptors"), "{text}");
}

#[test]
fn what_an_import_or_the_initializer_closes_of_its_own_is_no_loss_to_those_that_are_forked() {
    let tasks = [("t", "started:forked", "count: 6"), ("fails", "started:fails", "")];
    for python in [&pythons()[0], newest()] {
        let at_import = arms(python, &tasks, "");
        let initializer = ", initializer: { callable: 'started:initialize', args: { closes_std: true } }";
        let at_initialization = arms(python, &tasks, initializer);
        for arm in FORKING {
            for (folder, does) in [(&at_import, "closes_std"), (&at_initialization, "")] {
                let (told, _) = run_doing(folder, arm, does);
                assert_eq!(told.count("succeeded"), 6, "{python:?} {arm} {does}: {}", texts(&told));
                let (outcome, cause, stderr) = told.of("fails");
                assert_eq!((outcome, cause), ("failed", "ValueError: it fails"), "{python:?} {arm} {does}");
                // A server closes its own; a forked worker that runs the initializer itself has closed what it prints to.
                let has_none = does.is_empty() && arm.ends_with("fork");
                let begin = if has_none { "Traceback" } else { "said by the task\nTraceback" };
                assert!(stderr.starts_with(begin), "{python:?} {arm} {does}: {stderr}");
                assert_eq!(told.run["fork_server"]["starts"], 1, "{python:?} {arm} {does}: {}", texts(&told));
            }
        }
    }
}

#[test]
fn a_server_whose_words_cannot_be_understood_ends_the_arm_and_is_named() {
    let tasks = [("t", "started:forked", "count: 4")];
    let initializer = ", initializer: { callable: 'started:initialize', args: { garbles: true } }";
    let (plain, garbled) = (arms(newest(), &tasks, ""), arms(newest(), &tasks, initializer));
    for (folder, does, says) in [
        (
            &plain,
            "garbles",
            "fork servers in a row ended before they had forked anything, the last one for having broken",
        ),
        (&plain, "garbles_at_fork", "broken the protocol: an answer that is none"),
        (&garbled, "", "its answer cannot be understood"),
    ] {
        for arm in ["pool-server", "process-server"] {
            let output = output_doing(folder, arm, does);
            let text = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(3), "{arm} {does}: {text}");
            assert!(text.contains(says), "{arm} {does}: {text}");
        }
    }
}

#[test]
fn what_an_import_replaces_is_not_what_the_server_and_its_workers_call() {
    let tasks = [("t", "started:forked", "count: 6")];
    for python in [&pythons()[0], newest()] {
        let initializer = ", initializer: { callable: 'started:initialize', args: { kib: 1 } }";
        let folder = arms(python, &tasks, initializer);
        for arm in FORKING.into_iter().chain(["pool-spawn", "process-spawn"]) {
            let (told, _) = run_doing(&folder, arm, "replaces");
            all_succeeded(&told, 6, &format!("{python:?} {arm}"));
            assert!(told.run["not_forked"].is_null(), "{python:?} {arm}: {}", texts(&told));
        }
    }
}

#[test]
fn nothing_of_ours_is_open_in_a_worker_but_what_the_protocol_says() {
    let tasks = [("t", "started:open_files", "count: 4")];
    for python in pythons() {
        let folder = arms(python, &tasks, "");
        for arm in FORKING.into_iter().chain(["pool-spawn", "process-spawn"]) {
            let (told, _) = run_doing(&folder, arm, "");
            all_succeeded(&told, 4, &format!("{python:?} {arm}"));
        }
    }
}
