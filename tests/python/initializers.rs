//! `initializer: { callable, args }`: once for each worker, or once in what they are forked from.

use crate::harness::*;
use crate::support::program::{WorkloadFolder, only_run};

const ARMS: [(&str, &str); 6] = [
    ("pool", "start_method: spawn"),
    ("process", "start_method: spawn"),
    ("pool", "start_method: forkserver"),
    ("process", "start_method: forkserver"),
    ("process", "start_method: fork"),
    ("serial", ""),
];

/// A folder with one arm that has this initializer.
fn arm(python: &Python, (kind, method): (&str, &str), task: Task<'_>, initializer: &str) -> WorkloadFolder {
    let workers = if kind == "serial" { "" } else { ", workers: 2" };
    let comma = if method.is_empty() { "" } else { ", " };
    let initializer = format!("{{ callable: 'started:initialize', {initializer} }}");
    let engine = format!("{{ name: arm, kind: {kind}{workers}{comma}{method}, initializer: {initializer} }}");
    folder(python, &[task], &format!("engines: [{engine}]"))
}

fn output(folder: &WorkloadFolder, format: &[&str]) -> std::process::Output {
    let notes = folder.path("notes");
    let _ = std::fs::remove_file(&notes);
    folder.run("arm", format).env("POOLSCOPE_NOTES", notes).env("PYTHONDONTWRITEBYTECODE", "1").output().unwrap()
}

fn ran(folder: &WorkloadFolder) -> u64 {
    let notes = std::fs::read_to_string(folder.path("notes")).unwrap_or_default();
    notes.lines().filter(|note| *note == "initialized").count() as u64
}

#[test]
fn it_runs_once_for_each_worker_or_once_in_the_server() {
    for python in pythons() {
        for (kind, method) in ARMS {
            // No worker comes too late for the run.
            let call = if kind == "pool" { ("started:meets", ", args: { workers: 2 }") } else { ("started:ready", "") };
            let task = ("t", call.0, &*format!("count: 6{}", call.1));
            let folder = arm(python, (kind, method), task, "args: [512]");
            let told = Told { run: only_run(&output(&folder, &["--format", "json"])) };
            let about = format!("{python:?} {kind} {method}");
            assert_eq!(told.count("succeeded"), 6, "{about}: {:?}", told.run["failures"]);
            let starts = told.run["worker_starts"].as_u64().unwrap();
            let figures = &told.run["initializers"];
            let (times, told_of) = (ran(&folder), figures["count"].as_u64().unwrap());
            match (kind, method.contains("forkserver")) {
                (_, true) => assert_eq!((times, told_of), (1, 1), "{about}"),
                _ => assert_eq!((times, told_of), (starts, starts), "{about}"),
            }
            assert!(figures["wall_s"].as_f64().unwrap() > 0.0, "{about}: {figures}");
            assert!(figures["rss_bytes"].as_u64().unwrap() > 1 << 20, "{about}: {figures}");
        }
    }
}

#[test]
fn it_runs_again_in_a_worker_that_takes_the_place_of_another() {
    let task = ("t", "py01_worker_dies:vanish", "count: 3");
    for method in ["start_method: spawn", "start_method: fork"] {
        let folder = arm(newest(), ("pool", method), task, "args: [1]");
        let told = Told { run: only_run(&output(&folder, &["--format", "json"])) };
        assert_eq!(told.count("lost"), 3, "{method}");
        assert_eq!(ran(&folder), told.run["worker_starts"].as_u64().unwrap(), "{method}");
        assert!(ran(&folder) >= 3, "{method}: {}", ran(&folder));
    }
}

#[test]
fn one_that_fails_ends_the_arm_with_its_reason_and_no_storm() {
    let fails = [
        ("args: { fail: true }", "started.Unpicklable: no licence", "Unpicklable"),
        ("args: { leave: 4 }", "SystemExit: 4 (the initializer called for the end of the interpreter)", "sys.exit"),
        ("args: { exit: 3 }", "exit code 3", ""),
        ("args: { hang: true }, timeout: 300ms", "it took longer than its timeout of 300ms", ""),
    ];
    for python in pythons() {
        // What an initializer does to its interpreter depends on its version, and on whether that was forked; what becomes of
        // the arm then depends on the arm alone, which the newest shows.
        let forked_or_not = [("pool", "start_method: spawn"), ("process", "start_method: forkserver")];
        let arms = if python.version == newest().version { &ARMS[..] } else { &forked_or_not };
        for (how, says, traced) in fails {
            for (kind, method) in arms.iter().copied() {
                let folder = arm(
                    python,
                    (kind, method),
                    ("t", "started:ready", "count: 50"),
                    &format!("{how}, max_failures: 2"),
                );
                let about = format!("{python:?} {kind} {method} {how}");
                let output = output(&folder, &[]);
                let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
                assert_eq!(output.status.code(), Some(3), "{about}: {text}");
                assert!(
                    text.contains("the initializer failed 2 times in a row") || text.contains("failed 3 times"),
                    "{about}: {text}"
                );
                assert!(text.contains(says), "{about}: {text}");
                if !traced.is_empty() {
                    let place =
                        text.contains("Traceback (most recent call last):") && text.contains("started.py\", line ");
                    assert!(place && text.contains(traced), "{about}: {text}");
                }
                let most = if kind == "serial" { 2 } else { 4 };
                assert!((2..=most).contains(&ran(&folder)), "{about}: {} times", ran(&folder));
            }
        }
    }
}

#[test]
fn a_copy_that_it_forks_is_no_second_worker() {
    for (kind, method) in ARMS {
        let folder = arm(newest(), (kind, method), ("t", "started:ready", "count: 9"), "args: { fork: true }");
        let told = Told { run: only_run(&output(&folder, &["--format", "json"])) };
        assert_eq!((told.count("succeeded"), &told.run["worker_restarts"]), (9, &0.into()), "{kind} {method}");
    }
}

#[test]
fn what_it_prints_is_no_tasks_output() {
    for (kind, method) in ARMS {
        let folder = arm(newest(), (kind, method), ("fails", "started:fails", "count: 2"), "args: [1]");
        let told = Told { run: only_run(&output(&folder, &["--format", "json"])) };
        let (outcome, _, stderr) = told.of("fails");
        assert_eq!(outcome, "failed", "{kind} {method}");
        assert!(stderr.starts_with("said by the task\nTraceback"), "{kind} {method}: {stderr}");
    }
}

/// Pages that are shared are counted in parts: PSS says what RSS does not.
#[test]
fn what_the_server_has_loaded_is_shared_by_its_workers() {
    let task = ("t", "started:naps", "args: [700], count: 2");
    let memory = |method: &str| {
        let folder = arm(newest(), ("process", method), task, "args: [65536]");
        let told = Told { run: only_run(&output(&folder, &["--format", "json"])) };
        assert_eq!(told.count("succeeded"), 2, "{method}: {:?}", told.run["failures"]);
        let bytes = |name: &str| told.run["memory"][name].as_f64().unwrap();
        (bytes("peak_pss_bytes"), bytes("peak_rss_bytes"))
    };
    let loaded = f64::from(64 << 20);
    let (pss, rss) = memory("start_method: forkserver");
    assert!(pss > loaded && pss < 1.5 * loaded && rss > 2.0 * loaded, "forked: PSS {pss}, RSS {rss}");
    let (pss, _) = memory("start_method: spawn");
    assert!(pss > 1.9 * loaded, "spawned: PSS {pss}");
}

#[test]
fn one_that_cannot_be_called_is_told_before_the_run() {
    let refused = |initializer: &str| {
        let engine = format!("{{ kind: process, initializer: {{ {initializer} }} }}");
        let folder = folder(newest(), &[("t", "started:ready", "")], &format!("engines: [{engine}]"));
        let output = folder.run("process", &[]).env("POOLSCOPE_NOTES", folder.path("notes")).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(ran(&folder) == 0 && text.contains("nothing was started"), "{text}");
        text
    };
    let text = refused("callable: 'started:nothing'");
    assert!(text.contains("engines[0].initializer.callable: initializer of `process`: `started:nothing`"), "{text}");
    let text = refused("callable: 'started:whole', args: [1, 2]");
    assert!(text.contains("engines[0].initializer.args") && text.contains("it is whole()"), "{text}");
    let text = refused("callable: 'no_such_module:f'");
    assert!(text.contains("cannot be imported") && text.contains("no_such_module"), "{text}");
}

#[test]
fn cpythons_own_call_it_at_the_begin_of_each_process_and_its_time_is_told_apart() {
    for python in [&pythons()[0], newest()] {
        for (kind, method) in [
            ("mp_pool", "start_method: fork"),
            ("mp_pool", "start_method: spawn"),
            ("ppe", "start_method: fork"),
            ("ppe", "start_method: spawn"),
            ("mp_process", "start_method: fork"),
            ("mp_process", "start_method: spawn"),
        ] {
            // How arguments with names get there is ours, and the same in each version.
            let both = ["args: { kib: 512 }", "args: [512]"];
            for args in if python.version == newest().version { &both[..] } else { &both[..1] } {
                let folder = arm(python, (kind, method), ("t", "started:ready", "count: 4"), args);
                let told = Told { run: only_run(&output(&folder, &["--format", "json"])) };
                let about = format!("{python:?} {kind} {method} {args}");
                assert_eq!(told.count("succeeded"), 4, "{about}: {:?}", told.run["failures"]);
                let starts = told.run["worker_starts"].as_u64().unwrap();
                let figures = &told.run["initializers"];
                assert_eq!((ran(&folder), figures["count"].as_u64().unwrap()), (starts, starts), "{about}");
                assert!(figures["wall_s"].as_f64().unwrap() > 0.0, "{about}: {figures}");
                assert!(figures["rss_bytes"].as_u64().unwrap() > 1 << 20, "{about}: {figures}");
            }
        }
    }
}

#[test]
fn one_that_fails_breaks_a_pool_of_cpython_as_it_breaks_ours_and_starts_no_storm() {
    let task = ("t", "started:ready", "count: 6");
    let folder = arm(newest(), ("mp_pool", "start_method: fork"), task, "args: { fail: true }, max_failures: 4");
    let failed = output(&folder, &["--format", "json"]);
    let said = String::from_utf8_lossy(&failed.stderr);
    assert_eq!(failed.status.code(), Some(3), "{said}");
    assert!(said.contains("the initializer failed 4 times in a row: ") && said.contains("no licence"), "{said}");
    assert!(ran(&folder) < 40, "{} were started", ran(&folder));
    // An executor breaks by itself.
    let folder = arm(newest(), ("ppe", "start_method: fork"), task, "args: { fail: true }");
    let told = Told { run: only_run(&output(&folder, &["--format", "json"])) };
    assert!(told.of("t").1.contains("BrokenProcessPool"), "{:?}", told.run["failures"]);
    assert!(told.run["notes"].to_string().contains("failed"), "{}", told.run["notes"]);
}

#[test]
fn what_cpythons_own_cannot_do_with_an_initializer_is_bad_input() {
    for (more, words) in [
        ("timeout: 5s", "waits for an initializer for as long as it takes"),
        ("cpu: 5ms", "does nothing beside it"),
        ("fail_rate: 0.5", "which alone decides whether that fails"),
    ] {
        let folder = arm(newest(), ("mp_pool", ""), ("t", "started:ready", "count: 6"), more);
        let refused = folder.shell("POOLSCOPE check w.yaml").output().unwrap();
        let said = String::from_utf8_lossy(&refused.stdout);
        assert!(refused.status.code() == Some(2) && said.contains(words), "{more}: {said}");
    }
}
