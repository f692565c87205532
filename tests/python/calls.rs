//! Calls that cannot be made are bad input: nothing is started, and what the interpreter says is told.

use std::process::Output;

use crate::harness::*;
use crate::support::program::WorkloadFolder;

/// Runs one task that should be refused; what was said.
fn refused(python: &Python, callable: &str, rest: &str, environment: &[(&str, &str)]) -> String {
    let folder = folder(python, &[("t", callable, rest)], "");
    said(&refuse(&folder, environment), 2, callable)
}

fn refuse(folder: &WorkloadFolder, environment: &[(&str, &str)]) -> Output {
    folder.run("pool", &[]).envs(environment.iter().copied()).output().unwrap()
}

/// What `check` says of a workload.
fn checked(folder: &WorkloadFolder, code: i32) -> String {
    let output = folder.shell("POOLSCOPE check w.yaml").env("POOLSCOPE_HELD", "hang").output().unwrap();
    said(&output, code, "check");
    String::from_utf8(output.stdout).unwrap()
}

fn said(output: &Output, code: i32, what: &str) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{what}: {text}");
    text
}

#[test]
fn modules_are_found_whatever_bytes_their_folder_is_named_by_and_in_whatever_locale() {
    use std::os::unix::ffi::OsStrExt as _;
    const ARMS: [&str; 7] = ["pool", "process", "serial", "thread", "mp_pool", "ppe", "mp_process"];
    let entry = |kind: &&str| format!("{{ kind: {kind}{} }}", if *kind == "serial" { "" } else { ", workers: 2" });
    let engines = ARMS.iter().map(entry).collect::<Vec<_>>().join(", ");
    for python in [&pythons()[0], newest()] {
        let task = "tasks: [{ name: t, kind: python, callable: 'own:work', args: [{ index }], count: 3 }]";
        let text = format!(
            "version: 1\nseed: 7\npython: {{ interpreter: {} }}\n{task}\nengines: [{engines}]\n",
            python.program.display()
        );
        let outer = WorkloadFolder::new(&text);
        for (name, locale, utf8) in [(&b"caf\xc3\xa9 '\" $x"[..], "C", "0"), (b"caf\xe9", "C.UTF-8", "1")] {
            let inner = outer.as_path().join(std::ffi::OsStr::from_bytes(name));
            std::fs::create_dir(&inner).unwrap();
            std::fs::write(inner.join("w.yaml"), &text).unwrap();
            std::fs::write(inner.join("own.py"), "def work(n): return n\n").unwrap();
            for arm in ARMS {
                let script = format!("exec POOLSCOPE run w.yaml --engine {arm} --quiet --format json");
                let mut command = outer.shell(&script);
                command.current_dir(&inner).env("LC_ALL", locale);
                command.env("PYTHONCOERCECLOCALE", utf8).env("PYTHONUTF8", utf8);
                let run = crate::support::program::only_run(&command.output().unwrap());
                assert_eq!(run["tasks"]["succeeded"], 3, "{python:?} {arm} {locale} {name:?}: {run}");
            }
        }
    }
}

#[test]
fn what_does_not_do_its_work_when_it_is_called_is_refused() {
    let cases = [
        ("py06_callables:coro", "", "async function"),
        ("py06_callables:gen", "", "generator function"),
        ("py06_callables:not_callable", "", "cannot be called"),
        ("py06_callables:nope", "", "module py06_callables has no attribute 'nope'"),
        ("py22_signature:missing", "", "missing(a, b)"),
        ("py22_signature:missing", "args: { a: 1, b: 2, q: 1 }", "unexpected keyword argument 'q'"),
        ("py22_signature:positional", "args: { a: 1 }", "positional(*a)"),
        ("no_such_module:work", "", "No module named 'no_such_module'"),
    ];
    for python in pythons() {
        for (callable, rest, words) in cases {
            let text = refused(python, callable, rest, &[]);
            assert!(text.contains(words) && text.contains("nothing was started"), "{python:?} {callable}: {text}");
            assert!(text.contains("tasks[0]."), "where in the file: {text}");
        }
    }
}

#[test]
fn whatever_can_be_called_is_called_by_its_name() {
    let names = [
        "lam",
        "part",
        "bound",
        "Static.s",
        "Static.c",
        "inst",
        "renamed",
        "wrapped",
        "unwrapped",
        "cached",
        "Made",
        "taken",
    ];
    let callables = names.map(|name| format!("py06_callables:{name}"));
    let mut tasks: Vec<Task<'_>> =
        names.iter().zip(&callables).map(|(name, call)| (*name, call.as_str(), "")).collect();
    tasks.push(("factorial", "math:factorial", "args: [5]"));
    tasks.push(("package", "py09_pkg.deep.work:run", ""));
    everywhere(&tasks, |python, engine, told| {
        assert_eq!(told.count("succeeded"), 14, "{python:?} {engine}: {:?}", told.run["failures"]);
    });
}

#[test]
fn an_import_that_fails_hangs_or_leaves_is_told_before_the_run() {
    let python = newest();
    let import = |how: &str| refused(python, "py23_import_fails:run", "", &[("POOLSCOPE_HELD", how)]);
    let text = import("error");
    for words in ["a_module_that_does_not_exist", "Traceback", "line 20", "import says: error"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let text = import("exit");
    assert!(text.contains("leaves the interpreter with code 3 while it is imported"), "{text}");
    let text = import("kill");
    assert!(text.contains("left the interpreter while it was imported: signal 9"), "{text}");
    let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/cases");
    let more = format!("python: {{ interpreter: PYTHON, path: ['{cases}'], probe_timeout: 5s }}");
    let hangs = folder(python, &[("t", "py23_import_fails:run", "")], &more);
    let text = said(&refuse(&hangs, &[("POOLSCOPE_HELD", "hang")]), 2, "hangs");
    assert!(text.contains("took longer than 5s") && text.contains("import says: hang"), "{text}");
}

#[test]
fn an_import_that_fails_in_the_workers_breaks_the_engine_and_no_more() {
    for engine in ENGINES {
        let folder = folder(newest(), &[("t", "py23_import_fails:run", "count: 20")], "");
        let mark = folder.path("imported");
        let held = [("POOLSCOPE_HELD", "second"), ("POOLSCOPE_HELD_FILE", mark.to_str().unwrap())];
        let output = folder.run(engine, &[]).envs(held).output().unwrap();
        let text = said(&output, 3, engine);
        let who = if engine == "process" { "fork servers" } else { "workers" };
        let says = format!("{who} in a row ended before they");
        assert!(text.contains(&says) && text.contains("second import"), "{engine}: {text}");
    }
}

#[test]
fn without_python_it_is_said_what_is_missing_and_native_work_is_as_before() {
    let more = "python: { interpreter: no-such-python }";
    let folder = folder(newest(), &[("t", "math:factorial", "args: [5]")], more);
    let text = said(&refuse(&folder, &[]), 2, "no interpreter");
    assert!(text.contains("no-such-python could not be started") && text.contains("poolscope doctor"), "{text}");
    let native = "version: 1\npython: { interpreter: no-such-python }\n\
                  tasks: [{ name: t, kind: kernel, kernel: noop, count: 5 }]\n";
    let output = WorkloadFolder::new(native).run("pool", &[]).output().unwrap();
    said(&output, 0, "native");
}

#[test]
fn checking_says_which_arms_are_left_out_and_imports_nothing() {
    let python = &pythons()[0];
    let more = "engines: [{ kind: pool }, { kind: ppe, max_tasks_per_child: 2, start_method: spawn }, { kind: interpreter }, \
                { name: newer, kind: thread, when: python >= 99.1 }]";
    let folder = folder(python, &[("t", "py23_import_fails:run", "")], more);
    let text = checked(&folder, 0);
    let version = format!("{}.{}", python.version.0, python.version.1);
    assert!(text.contains(&format!("python    CPython {version}")), "{text}");
    assert!(text.contains("SKIPPED   interpreter: subinterpreters"), "{text}");
    assert!(text.contains("SKIPPED   newer: it needs python >= 99.1"), "{text}");
    let old = python.version < (3, 11);
    assert_eq!(text.contains("SKIPPED   ppe: its ProcessPoolExecutor knows max_tasks_per_child from"), old, "{text}");
}

#[test]
fn checking_says_that_there_is_no_interpreter() {
    let more = "python: { interpreter: no-such-python }";
    let folder = folder(newest(), &[("t", "math:factorial", "args: [5]")], more);
    let text = checked(&folder, 2);
    assert!(text.contains("no-such-python could not be started") && text.contains("REFUSED"), "{text}");
    // One that comes with the file is not started.
    let folder = self::folder(newest(), &[("t", "math:factorial", "args: [5]")], "python: { interpreter: ./own }");
    std::fs::write(folder.path("own"), "#!/bin/sh\ntouch started\n").unwrap();
    std::fs::set_permissions(folder.path("own"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let text = checked(&folder, 0);
    assert!(text.contains("./own, which comes with the file and is looked at before a run"), "{text}");
    assert!(!folder.path("started").exists());
}

#[test]
fn an_arm_whose_condition_does_not_hold_is_skipped_with_its_reason() {
    let engines =
        "engines: [{ kind: pool, workers: 1 }, { name: future, kind: process, workers: 1, when: 'python >= 9.1' }]";
    let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/cases");
    let more = format!("python: {{ interpreter: PYTHON, path: ['{cases}'] }}\n{engines}");
    let folder = folder(newest(), &[("t", "py01_worker_dies:fine", "count: 3")], &more);
    let output = folder.shell("POOLSCOPE compare w.yaml --format json").output().unwrap();
    let text = said(&output, 0, "compare");
    assert!(text.contains("future is skipped: it needs python >= 9.1, and its interpreter is CPython 3."), "{text}");
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["arms"].as_array().unwrap().len(), 1);
}

#[test]
fn arms_have_interpreters_of_their_own() {
    let (oldest, newest) = (&pythons()[0], newest());
    let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/cases");
    let more = format!(
        "python: {{ interpreter: PYTHON, path: ['{cases}'], env: {{ A_NAME: 0.10 }} }}\n\
         engines: [{{ name: old, kind: pool, workers: 1, python: {{ interpreter: {} }} }}, {{ name: new, kind: pool, workers: 1 }}]",
        oldest.program.display()
    );
    let folder = folder(newest, &[("t", "versions:work", "")], &more.replace(cases, "."));
    let source = "import os, sys\ndef work():\n    assert os.environ['A_NAME'] == '0.10'\n    return list(sys.version_info[:2])\n";
    std::fs::write(folder.path("versions.py"), source).unwrap();
    let (old, new) = (run(&folder, "old"), run(&folder, "new"));
    assert_eq!((old.count("succeeded"), new.count("succeeded")), (1, 1), "{:?}", old.run["failures"]);
    assert_eq!(old.hash() == new.hash(), oldest.version == newest.version);
}

#[test]
fn a_virtual_environment_beside_the_file_is_one_that_works() {
    let folder = folder(newest(), &[("t", "venv_only:work", "")], "python: { interpreter: .venv/bin/python }");
    let made = std::process::Command::new(&newest().program)
        .args(["-m", "venv", "--without-pip"])
        .arg(folder.path(".venv"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let packages = folder.path(".venv").join(format!("lib/python{}/site-packages", newest().words()));
    std::fs::write(packages.join("venv_only.py"), "def work(): return 1\n").unwrap();
    for engine in ENGINES {
        let told = run(&folder, engine);
        assert_eq!(told.count("succeeded"), 1, "{engine}: {:?}", told.run["failures"]);
    }
}
