//! Functions that do to their process what should be left alone.

use crate::harness::*;
use crate::support::program::processes;

#[test]
fn what_a_task_does_to_its_process_is_its_own_affair() {
    let names = [
        "chdir",
        "environ",
        "closes_std",
        "own_session",
        "thread_left",
        "child_left",
        "alarm",
        "many_files",
        "settrace",
    ];
    let callables = names.map(|name| format!("py12_rude:{name}"));
    let mut tasks: Vec<Task<'_>> =
        names.iter().zip(&callables).map(|(name, call)| (*name, call.as_str(), "")).collect();
    tasks.push(("after", "py12_rude:fine", "count: 5"));
    in_processes(&tasks, |python, engine, told| {
        assert_eq!(told.count("succeeded"), 14, "{python:?} {engine}: {:?}", told.run["failures"]);
        // A thread that is no daemon sleeps for 30 s.
        assert!(told.run["wall_s"].as_f64().unwrap() < 25.0, "nobody was waited for");
    });
}

#[test]
fn what_tasks_have_started_and_left_is_gone_with_the_run() {
    for (place, engine) in ENGINES.iter().enumerate() {
        // Nobody else sleeps for so long.
        let long = format!("{}.{}", 40_000 + place, std::process::id());
        let source = format!(
            "import os, subprocess\ndef work(index):\n    subprocess.Popen(['sleep', '{long}'], start_new_session=index % 2 == 1)\n"
        );
        let folder =
            folder(newest(), &[("t", "own:work", "args: [{ index }], count: 4")], "python: { interpreter: PYTHON }");
        std::fs::write(folder.path("own.py"), source).unwrap();
        let told = run(&folder, engine);
        assert_eq!(told.count("succeeded"), 4, "{engine}: {:?}", told.run["failures"]);
        // Whoever ends them does so before the program ends; the kernel takes a moment to forget them.
        crate::support::eventually("nothing is left", || processes(&["sleep", &long]).is_empty());
    }
}

#[test]
fn a_task_that_closes_everything_is_lost_and_no_other() {
    let tasks = [("closes", "py12_rude:closes_all", ""), ("after", "py12_rude:fine", "count: 5")];
    in_processes(&tasks, |python, engine, told| {
        let (outcome, why, stderr) = told.of("closes");
        assert_eq!(outcome, "lost", "{python:?} {engine}: {why}");
        assert!(stderr.contains("a task has closed the descriptors of its worker"), "{python:?} {engine}: {stderr}");
        assert_eq!(told.count("succeeded"), 5, "{python:?} {engine}: {:?}", told.run["failures"]);
    });
}

#[test]
fn tasks_run_in_the_main_thread() {
    let names = ["main", "alarm", "loop", "shell"];
    let callables = names.map(|name| format!("py13_main_thread:{name}"));
    let tasks: Vec<Task<'_>> = names.iter().zip(&callables).map(|(name, call)| (*name, call.as_str(), "")).collect();
    in_processes(&tasks, |python, engine, told| {
        assert_eq!(told.count("succeeded"), 4, "{python:?} {engine}: {:?}", told.run["failures"]);
    });
}

#[test]
fn pools_within_tasks_work_and_never_run_the_worker_again() {
    let tasks = [
        ("pool", "py14_nested:pool", ""),
        ("executor", "py14_nested:executor", ""),
        ("process", "py14_nested:process", ""),
        ("names", "py14_nested:names", ""),
    ];
    let hashes = std::cell::RefCell::new(Vec::new());
    everywhere(&tasks, |python, engine, told| {
        assert_eq!(told.count("succeeded"), 4, "{python:?} {engine}: {:?}", told.run["failures"]);
        if engine == "pool" {
            hashes.borrow_mut().push(told.hash().to_owned());
        }
    });
    let hashes = hashes.into_inner();
    assert_eq!(hashes.len(), pythons().len());
    assert!(hashes.windows(2).all(|pair| pair[0] == pair[1]), "{hashes:?}");
}

#[test]
fn a_process_that_a_task_forks_is_no_second_worker() {
    let python = newest();
    let folder = folder(python, &[("forks", "forks:work", "count: 40")], "python: { interpreter: PYTHON }");
    let source = "import os\n\ndef work():\n    os.close(os.open('begun', os.O_CREAT | os.O_WRONLY))\n    \
                  os.write(os.open('begun', os.O_WRONLY | os.O_APPEND), b'x')\n    os.fork()\n    return 5\n";
    std::fs::write(folder.path("forks.py"), source).unwrap();
    for engine in ENGINES {
        std::fs::write(folder.path("begun"), "").unwrap();
        let told = run(&folder, engine);
        assert_eq!(told.count("succeeded"), 40, "{engine}: {:?}", told.run["failures"]);
        let begun = std::fs::read(folder.path("begun")).unwrap().len();
        assert_eq!(begun, 40, "{engine}: each task was begun once");
    }
}

#[test]
fn modules_of_the_users_do_not_stand_in_for_those_of_the_library() {
    let python = newest();
    let folder = folder(python, &[("t", "queue:work", "")], "python: { interpreter: PYTHON }");
    for name in ["queue", "random", "traceback", "pickle", "json", "struct", "inspect", "functools"] {
        let source =
            "def work():\n    return 1\n\ndef __getattr__(name):\n    raise RuntimeError('the wrong ' + name)\n";
        std::fs::write(folder.path(&format!("{name}.py")), source).unwrap();
    }
    for engine in ENGINES {
        let mut command = folder.run(engine, &["--format", "json"]);
        let output = command.env("PYTHONPATH", folder.as_path()).output().unwrap();
        let run = crate::support::program::only_run(&output);
        assert_eq!(run["tasks"]["succeeded"], 1, "{engine}: {run:#}");
    }
}
