//! Each task has its own outcome with its cause, the same in every engine, and the engine goes on.

use crate::harness::*;

/// Whether results need not travel: a serial engine has no use for them, and threads share their memory.
fn stays(engine: &str) -> bool {
    matches!(engine, "serial" | "thread")
}

/// Tasks of a class that must do well, whatever the others do.
const FINE: Task<'_> = ("fine", "py01_worker_dies:fine", "args: { i: { index } }, count: 6");

#[test]
fn a_worker_that_dies_costs_its_task_and_no_other() {
    let dies = ["killed", "segfault", "abort", "vanish", "vanish_ok"];
    let callables = dies.map(|name| format!("py01_worker_dies:{name}"));
    let mut tasks: Vec<Task<'_>> = dies.iter().zip(&callables).map(|(name, call)| (*name, call.as_str(), "")).collect();
    tasks.push(FINE);
    in_processes(&tasks, |python, engine, told| {
        let causes = ["signal 9", "signal 11", "signal 6", "exit code 7", "exit code 0"];
        for (name, cause) in dies.iter().zip(causes) {
            let (outcome, why, _) = told.of(name);
            assert_eq!(outcome, "lost", "{python:?} {engine} {name}: {why}");
            assert!(why.contains(cause), "{python:?} {engine} {name}: {why}");
        }
        assert_eq!((told.count("succeeded"), told.of("fine").0), (6, "succeeded"), "{python:?} {engine}");
    });
}

#[test]
fn what_is_raised_fails_the_task_even_if_it_is_meant_to_end_the_interpreter() {
    let raised = [
        ("exit_text", "SystemExit: enough"),
        ("exit_zero", "SystemExit: 0"),
        ("interrupt", "KeyboardInterrupt"),
        ("gen_exit", "GeneratorExit: odd"),
        ("own", "py02_not_an_exception.Own: not an Exception"),
    ];
    let callables = raised.map(|(name, _)| format!("py02_not_an_exception:{name}"));
    let mut tasks: Vec<Task<'_>> =
        raised.iter().zip(&callables).map(|((name, _), call)| (*name, call.as_str(), "")).collect();
    tasks.push(FINE);
    everywhere(&tasks, |python, engine, told| {
        for (name, cause) in raised {
            let (outcome, why, stderr) = told.of(name);
            assert!(outcome == "failed" && why.starts_with(cause), "{python:?} {engine} {name}: {outcome} {why}");
            assert!(stderr.contains("Traceback (most recent call last):"), "{python:?} {engine} {name}: {stderr}");
            let place = "py02_not_an_exception.py\", line ";
            assert!(stderr.contains(place) && !stderr.contains("<poolscope>"), "{stderr}");
        }
        assert_eq!(told.count("succeeded"), 6, "{python:?} {engine}");
        let starts = told.run["worker_restarts"].as_u64().unwrap();
        assert_eq!(starts, 0, "nobody had to be replaced: {python:?} {engine}");
    });
}

#[test]
fn a_result_that_cannot_travel_fails_its_task_and_stays_where_nothing_travels() {
    let refused = ["lam", "lock", "generator", "module", "handle", "deep"];
    let mut callables = refused.map(|name| format!("py04_untravelling_results:{name}")).to_vec();
    callables.extend(["getstate_exits", "unreadable"].map(|name| format!("py04_untravelling_results:{name}")));
    let names = refused.iter().chain(&["getstate_exits", "unreadable"]);
    let mut tasks: Vec<Task<'_>> = names.zip(&callables).map(|(name, call)| (*name, call.as_str(), "")).collect();
    tasks.push(FINE);
    everywhere(&tasks, |python, engine, told| {
        for name in refused {
            let (outcome, why, _) = told.of(name);
            if stays(engine) {
                assert_eq!(outcome, "succeeded", "{python:?} {name}: {why}");
            } else {
                let begins = why.starts_with("result of type ") && why.contains(" cannot be pickled: ");
                assert!(outcome == "failed" && begins, "{python:?} {engine} {name}: {outcome} {why}");
            }
        }
        assert_eq!(told.of("unreadable").0, "succeeded", "{python:?} {engine}: it is never read back");
        let (outcome, why, _) = told.of("getstate_exits");
        let expected = if stays(engine) { "succeeded" } else { "lost" };
        assert!(outcome == expected && (why.is_empty() || why.contains("exit code 9")), "{outcome} {why}");
        assert_eq!(told.of("fine").0, "succeeded");
    });
}

#[test]
fn recursion_and_memory_end_one_task() {
    let tasks = [
        ("runaway", "py15_recursion_memory:runaway", ""),
        ("deeper", "py15_recursion_memory:deeper", ""),
        ("no_memory", "py15_recursion_memory:no_memory", ""),
        ("big", "py15_recursion_memory:big_result", "args: { mib: 20 }"),
        FINE,
    ];
    in_processes(&tasks, |python, engine, told| {
        let (outcome, why, stderr) = told.of("runaway");
        assert!(outcome == "failed" && why.starts_with("RecursionError"), "{python:?} {engine}: {outcome} {why}");
        assert!(stderr.contains(" frames left out]") && stderr.len() < 4000, "{stderr}");
        let (outcome, why, _) = told.of("deeper");
        match outcome {
            "lost" => assert!(why.contains("signal 11") && python.version < (3, 11), "{python:?} {engine}: {why}"),
            _ => assert!(outcome == "failed" && why.starts_with("RecursionError"), "{python:?} {engine}: {why}"),
        }
        let (outcome, why, _) = told.of("no_memory");
        assert!(outcome == "failed" && why.starts_with("MemoryError"), "{python:?} {engine}: {outcome} {why}");
        assert_eq!((told.of("big").0, told.of("fine").0), ("succeeded", "succeeded"), "{python:?} {engine}");
    });
}

#[test]
fn a_limit_ends_whatever_is_being_done() {
    let stuck = ["loop", "swallow", "in_c", "backtrack", "finalizer"];
    let callables = stuck.map(|name| format!("py20_stuck:{name}"));
    let limit = "timeout: 300ms, grace_period: 100ms";
    let mut tasks: Vec<Task<'_>> =
        stuck.iter().zip(&callables).map(|(name, call)| (*name, call.as_str(), limit)).collect();
    tasks.push(("rude", "py12_rude:ignores_term", limit));
    tasks.push(FINE);
    in_processes(&tasks, |python, engine, told| {
        for name in stuck.iter().chain(&["rude"]) {
            assert_eq!(told.of(name).0, "timed_out", "{python:?} {engine} {name}");
        }
        assert_eq!(told.count("succeeded"), 6, "{python:?} {engine}");
    });
}

#[test]
fn exceptions_and_results_that_misbehave_when_they_are_looked_at_cost_their_task_alone() {
    let names = ["notes", "note", "endless", "long_name", "reduce_exits", "shared"];
    let callables = names.map(|name| format!("looked_at:{name}"));
    let mut tasks: Vec<Task<'_>> =
        names.iter().zip(&callables).map(|(name, call)| (*name, call.as_str(), "timeout: 20s")).collect();
    tasks.push(FINE);
    everywhere(&tasks, |python, engine, told| {
        for (name, says) in [("notes", "Notes"), ("note", "Exception"), ("endless", "Exception"), ("long_name", "EEE")]
        {
            let (outcome, why, _) = told.of(name);
            assert!(outcome == "failed" && why.contains(says), "{python:?} {engine} {name}: {outcome} {why}");
        }
        let expected = if stays(engine) { "succeeded" } else { "failed" };
        assert_eq!(told.of("reduce_exits").0, expected, "{python:?} {engine}: {}", told.of("reduce_exits").1);
        assert_eq!(told.of("shared").0, "succeeded", "{python:?} {engine}: {}", told.of("shared").1);
        assert_eq!(told.of("fine").0, "succeeded", "{python:?} {engine}");
        assert_eq!(told.run["worker_restarts"], 0, "nobody had to be replaced: {python:?} {engine}");
    });
}
