//! An interpreter is looked at before a run: what that starts does not outlive it, and workers are started by the very
//! program that was looked at.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use crate::harness::*;
use crate::support::program::processes_naming;
use crate::support::{eventually, kill, lives};

#[test]
fn what_an_import_has_started_is_ended_whatever_it_did_to_its_session() {
    for python in pythons() {
        let folder = folder(python, &[("t", "starts:work", "")], "python: { interpreter: PYTHON }");
        let name = folder.as_path().to_str().unwrap();
        // The name of the folder is in its command line, by which it is found.
        let sleeper = format!("subprocess.Popen(['sh', '-c', 'sleep 600; : {name}'], start_new_session=True)");
        std::fs::write(folder.path("starts.py"), format!("import subprocess\n{sleeper}\ndef work(): pass\n")).unwrap();
        assert_eq!(run(&folder, "pool").count("succeeded"), 1, "{python:?}");
        assert_eq!(processes_naming(name), [0u32; 0], "{python:?}");
    }
}

#[test]
fn an_interpreter_that_is_looked_at_does_not_outlive_poolscope() {
    use rustix::process::Signal;
    let python = newest();
    for signal in [Signal::KILL, Signal::TERM, Signal::INT] {
        let folder = folder(python, &[("t", "hangs:work", "")], "python: { interpreter: PYTHON }");
        let source = "import os, time\nwith open('new', 'w') as file: file.write(str(os.getpid()))\n\
                      os.rename('new', 'pid')\ntime.sleep(600)\n";
        std::fs::write(folder.path("hangs.py"), source).unwrap();
        let mut program = folder.run("pool", &[]);
        let mut poolscope = program.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let told = || std::fs::read_to_string(folder.path("pid")).ok().and_then(|text| text.parse::<u32>().ok());
        eventually("it is imported", || told().is_some());
        kill(poolscope.id(), signal);
        poolscope.wait().unwrap();
        let pid = told().unwrap();
        eventually(&format!("process {pid} is gone after {signal:?}"), || !lives(pid));
    }
}

#[test]
fn a_script_that_starts_an_interpreter_starts_the_workers_too() {
    for python in pythons() {
        let folder = folder(python, &[("t", "needs:work", "count: 4")], "python: { interpreter: ./wrapper }");
        let script = format!("#!/bin/sh\nNEEDED=there exec {} \"$@\"\n", python.program.display());
        std::fs::write(folder.path("wrapper"), script).unwrap();
        std::fs::set_permissions(folder.path("wrapper"), std::fs::Permissions::from_mode(0o755)).unwrap();
        let source = "import os\nNEEDED = os.environ['NEEDED']\ndef work(): return NEEDED\n";
        std::fs::write(folder.path("needs.py"), source).unwrap();
        for engine in ENGINES {
            assert_eq!(run(&folder, engine).count("succeeded"), 4, "{python:?} {engine}");
        }
    }
}

/// What a free-threaded interpreter says of its lock is put into any: its answer is all that is asked of it.
#[test]
fn a_lock_that_an_import_switches_on_is_told_as_such() {
    let answer =
        |on: bool| format!("import sys\nsys._is_gil_enabled = lambda: {}\n", if on { "True" } else { "False" });
    for python in pythons() {
        for (before, import, words, gil, switched) in [
            (false, true, "GIL switched on by an import", true, true),
            (false, false, "GIL off", false, false),
            (true, true, "GIL on", true, false),
        ] {
            let folder = folder(python, &[("t", "extension:work", "")], "python: { interpreter: PYTHON }");
            std::fs::create_dir(folder.path("site")).unwrap();
            std::fs::write(folder.path("site/sitecustomize.py"), answer(before)).unwrap();
            std::fs::write(folder.path("extension.py"), answer(import) + "def work(): return 1\n").unwrap();
            let run = |format: &str| {
                let mut command = folder.run("thread", &["--format", format]);
                command.env("PYTHONPATH", folder.path("site")).output().unwrap()
            };
            let result: serde_json::Value = serde_json::from_slice(&run("json").stdout).unwrap();
            let found = &result["arms"][0]["python"];
            assert_eq!(
                (&found["gil"], &found["gil_switched_on"]),
                (&gil.into(), &switched.into()),
                "{python:?} {words}"
            );
            let report = String::from_utf8(run("text").stdout).unwrap();
            assert!(report.contains(&format!(", {words}, ")), "{python:?} {words}: {report}");
        }
    }
}

#[test]
fn an_interpreter_that_is_not_there_does_not_meet_a_condition() {
    let arms = "engines: [{ kind: pool }, { kind: pool, name: newer, python: { interpreter: ./nowhere }, \
                when: python >= 3.99 }]\npython: { interpreter: PYTHON }";
    let folder = folder(newest(), &[("t", "fine:work", "count: 2")], arms);
    std::fs::write(folder.path("fine.py"), "def work(): pass\n").unwrap();
    let output = folder.shell("POOLSCOPE compare w.yaml --repeats 1 --warmup 0 --format json").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{text}"));
    let skipped = &document["workload"]["skipped"][0];
    assert_eq!(skipped["name"], "newer", "{document}");
    assert!(skipped["reason"].as_str().unwrap().contains("could not be started"), "{skipped}");
    assert_eq!(document["arms"].as_array().unwrap().len(), 1);
}
