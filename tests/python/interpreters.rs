//! Several subinterpreters beside each other. What a function comes to in one is in `table`.

use serde_json::Value;

use crate::harness::*;
use crate::support::program::only_run;

const SEEN: &str = "
import os, time
seen = []
def begin(number): seen.append(number)
def held(index): seen.append(index); return len(seen), os.getpid()
def both(index): time.sleep(0.2); return index
def slow(index): time.sleep(30)
def hinders(index): [os.set_blocking(number, False) for number in range(3, 300) if there(number)]; return index
def there(number):
    try: os.fstat(number)
    except OSError: return False
    return True
";

#[test]
fn each_has_its_own_modules_and_its_initializer_and_all_have_one_process() {
    for python in with_subinterpreters() {
        let engines = "engines: [{ kind: interpreter, workers: 2, chunksize: 1, initializer: { callable: 'seen:begin', args: [7] } }]\n\
                       python: { interpreter: PYTHON }";
        let folder = folder(python, &[("t", "seen:held", "args: [{ index }], count: 40")], engines);
        std::fs::write(folder.path("seen.py"), SEEN).unwrap();
        let output = folder.shell("POOLSCOPE run w.yaml --format json").output().unwrap();
        let run = only_run(&output);
        assert_eq!((run["tasks"]["succeeded"].as_u64(), run["worker_starts"].as_u64()), (Some(40), Some(1)), "{run}");
        assert_eq!(run["initializers"]["count"], 1, "{run}");
    }
}

#[test]
fn one_that_is_stuck_holds_up_no_other_one_and_is_a_ghost() {
    for python in with_subinterpreters() {
        let engines = "engines: [{ kind: interpreter, workers: 2 }]\npython: { interpreter: PYTHON }";
        let tasks = [
            ("s", "seen:slow", "args: [{ index }], count: 1, timeout: 300ms"),
            ("b", "seen:both", "args: [{ index }], count: 10"),
        ];
        let folder = folder(python, &tasks, engines);
        std::fs::write(folder.path("seen.py"), SEEN).unwrap();
        let told = run(&folder, "interpreter");
        assert_eq!((told.count("succeeded"), told.count("timed_out")), (10, 1), "{}", told.run);
        assert_eq!(told.run["ghosts"], 1, "{}", told.run);
    }
}

#[test]
fn what_cannot_be_had_inside_is_skipped_with_what_the_interpreter_says() {
    for python in with_subinterpreters() {
        let engines =
            "engines: [{ kind: pool, workers: 1 }, { kind: interpreter, workers: 2 }]\npython: { interpreter: PYTHON }";
        let folder = folder(python, &[("t", "faulthandler:is_enabled", "")], engines);
        let output = folder.shell("POOLSCOPE compare w.yaml --repeats 1 --warmup 0 --format json").output().unwrap();
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        let skipped = &document["workload"]["skipped"][0];
        let reason = skipped["reason"].as_str().unwrap();
        assert!(
            skipped["name"] == "interpreter" && reason.contains("does not support loading in subinterpreters"),
            "{skipped}"
        );
    }
}

#[test]
fn descriptors_that_are_made_non_blocking_cost_nobody_a_task() {
    for python in with_subinterpreters() {
        let engines = "engines: [{ kind: interpreter, workers: 3, chunksize: 1 }]\npython: { interpreter: PYTHON }";
        let folder = folder(python, &[("t", "seen:hinders", "args: [{ index }], count: 60")], engines);
        std::fs::write(folder.path("seen.py"), SEEN).unwrap();
        let told = run(&folder, "interpreter");
        assert_eq!((told.count("succeeded"), &told.run["worker_starts"]), (60, &1.into()), "{}", told.run);
    }
}

/// Its import takes longer than what others may say nothing for beside a task that is given up and goes on.
#[test]
fn a_lane_that_is_opened_later_has_time_for_its_imports() {
    for python in with_subinterpreters() {
        let engines = "engines: [{ kind: interpreter, workers: 2 }]\npython: { interpreter: PYTHON }";
        let tasks = [
            ("s", "seen:slow", "args: [{ index }], count: 1, timeout: 300ms"),
            ("b", "seen:both", "args: [{ index }], count: 30"),
        ];
        let folder = folder(python, &tasks, engines);
        // At the third import, which is that of the later lane: the probe and two lanes come before it.
        let slowly = "import os, time\nwith open('imports', 'a') as file: file.write('.')\nif os.path.getsize('imports') > 4: time.sleep(2.5)\n";
        std::fs::write(folder.path("seen.py"), format!("{slowly}{SEEN}")).unwrap();
        let told = run(&folder, "interpreter");
        let counts = (told.count("succeeded"), told.count("timed_out"), told.run["worker_starts"].as_u64());
        assert_eq!(counts, (30, 1, Some(1)), "{}", told.run);
    }
}
