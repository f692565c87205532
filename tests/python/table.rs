//! Every function of `cases` that can be run as it is, in one run for each engine: the outcome of each is what its first
//! lines say, whatever the others do beside it.

use crate::harness::*;

/// What is called, with which arguments, and its outcome in pool and process, and in serial where nothing is pickled.
type Row = (&'static str, &'static str, &'static str, &'static str);

const TABLE: &[Row] = &[
    ("py01_worker_dies:killed", "", "lost", "lost"),
    ("py01_worker_dies:segfault", "", "lost", "lost"),
    ("py01_worker_dies:vanish", "", "lost", "lost"),
    ("py01_worker_dies:vanish_ok", "", "lost", "lost"),
    ("py01_worker_dies:abort", "", "lost", "lost"),
    ("py01_worker_dies:fine", "args: [3]", "succeeded", "succeeded"),
    ("py02_not_an_exception:exit_text", "", "failed", "failed"),
    ("py02_not_an_exception:exit_zero", "", "failed", "failed"),
    ("py02_not_an_exception:interrupt", "", "failed", "failed"),
    ("py02_not_an_exception:gen_exit", "", "failed", "failed"),
    ("py02_not_an_exception:own", "", "failed", "failed"),
    ("py04_untravelling_results:lam", "", "failed", "succeeded"),
    ("py04_untravelling_results:lock", "", "failed", "succeeded"),
    ("py04_untravelling_results:generator", "", "failed", "succeeded"),
    ("py04_untravelling_results:sock", "", "failed", "succeeded"),
    ("py04_untravelling_results:module", "", "failed", "succeeded"),
    ("py04_untravelling_results:handle", "", "failed", "succeeded"),
    ("py04_untravelling_results:deep", "", "failed", "succeeded"),
    ("py04_untravelling_results:getstate_exits", "", "lost", "succeeded"),
    ("py04_untravelling_results:unreadable", "", "succeeded", "succeeded"),
    ("py06_callables:lam", "", "succeeded", "succeeded"),
    ("py06_callables:Static.c", "", "succeeded", "succeeded"),
    ("py06_callables:cached", "", "succeeded", "succeeded"),
    ("py07_random_after_fork:draw", "", "succeeded", "succeeded"),
    ("py07_random_after_fork:plain", "", "succeeded", "succeeded"),
    ("py07_random_after_fork:seeded", "args: [{ index }]", "succeeded", "succeeded"),
    ("py11_output:no_newline", "", "succeeded", "succeeded"),
    ("py11_output:raw", "", "succeeded", "succeeded"),
    ("py11_output:child", "", "succeeded", "succeeded"),
    ("py11_output:much", "args: [100]", "succeeded", "succeeded"),
    ("py11_output:progress", "", "succeeded", "succeeded"),
    ("py11_output:escapes", "", "succeeded", "succeeded"),
    ("py11_output:late", "", "succeeded", "succeeded"),
    ("py11_output:reads", "", "succeeded", "succeeded"),
    ("py11_output:lost_buffer", "", "lost", "lost"),
    ("py13_main_thread:main", "", "succeeded", "succeeded"),
    ("py13_main_thread:alarm", "", "succeeded", "succeeded"),
    ("py13_main_thread:loop", "", "succeeded", "succeeded"),
    ("py13_main_thread:shell", "", "succeeded", "succeeded"),
    ("py14_nested:pool", "", "succeeded", "succeeded"),
    ("py14_nested:executor", "", "succeeded", "succeeded"),
    ("py14_nested:process", "", "succeeded", "succeeded"),
    ("py15_recursion_memory:runaway", "", "failed", "failed"),
    ("py15_recursion_memory:no_memory", "", "failed", "failed"),
    ("py15_recursion_memory:big_result", "args: [20]", "succeeded", "succeeded"),
    ("py15_recursion_memory:leak", "", "succeeded", "succeeded"),
    ("py16_gil:small", "args: [10]", "succeeded", "succeeded"),
    ("py16_gil:wait", "", "succeeded", "succeeded"),
    ("py17_initializer:use", "", "succeeded", "succeeded"),
    ("py19_environment:seen", "", "succeeded", "succeeded"),
    ("py20_stuck:loop", "timeout: 300ms, grace_period: 100ms", "timed_out", "timed_out"),
    ("py20_stuck:swallow", "timeout: 300ms, grace_period: 100ms", "timed_out", "timed_out"),
    ("py20_stuck:in_c", "timeout: 300ms, grace_period: 100ms", "timed_out", "timed_out"),
    ("py20_stuck:ok", "timeout: 30s", "succeeded", "succeeded"),
    ("py22_signature:kinds", "args: { a: 1, b: ~ }", "succeeded", "succeeded"),
    ("py22_signature:mutable", "", "succeeded", "succeeded"),
    // What these leave behind is for nobody: their workers have nothing more to do.
    ("py12_rude:many_files", "", "succeeded", "succeeded"),
    ("py12_rude:own_session", "", "succeeded", "succeeded"),
    ("py12_rude:thread_left", "", "succeeded", "succeeded"),
    ("py12_rude:alarm", "", "succeeded", "succeeded"),
    ("py12_rude:chdir", "", "succeeded", "succeeded"),
    ("py12_rude:environ", "", "succeeded", "succeeded"),
    ("py12_rude:closes_std", "", "succeeded", "succeeded"),
    ("py11_output:closes", "", "succeeded", "succeeded"),
    ("py11_output:none", "", "succeeded", "succeeded"),
    ("py12_rude:settrace", "", "succeeded", "succeeded"),
    ("py12_rude:closes_all", "", "lost", "lost"),
];

/// What a task can do in the main thread alone, where none of a thread engine runs (`threads` has more of these).
const IN_MAIN_THREAD: [&str; 2] = ["py13_main_thread:alarm", "py12_rude:alarm"];

/// What CPython does not allow in a subinterpreter: threads that are daemons, forks, and handlers of signals.
const NOT_INSIDE: [&str; 5] =
    ["py11_output:late", "py13_main_thread:alarm", "py14_nested:pool", "py14_nested:executor", "py12_rude:alarm"];

/// A report names so many failures at least.
const AT_ONCE: usize = 14;

/// The rows in parts that a report has room for, and tasks that call them.
fn parts() -> impl Iterator<Item = (&'static [Row], Vec<String>)> {
    TABLE.chunks(AT_ONCE).map(|rows| (rows, rows.iter().map(|row| row.0.replace([':', '.'], "-")).collect()))
}

fn tasks<'a>(rows: &'a [Row], names: &'a [String]) -> Vec<Task<'a>> {
    names.iter().zip(rows).map(|(name, (callable, args, ..))| (name.as_str(), *callable, *args)).collect()
}

/// Each row has this outcome, and each is told once.
fn check(about: &str, rows: &[Row], names: &[String], told: &Told, expected: impl Fn(&Row) -> &'static str) {
    let found = names.iter().zip(rows).filter_map(|(name, row)| {
        let (outcome, why, stderr) = told.of(name);
        let expected = expected(row);
        (outcome != expected).then(|| format!("{}: {outcome}, not {expected}: {why}\n{stderr}", row.0))
    });
    let wrong: Vec<String> = found.collect();
    assert!(wrong.is_empty(), "{about}:\n{}", wrong.join("\n"));
    for outcome in ["succeeded", "failed", "lost", "timed_out"] {
        let count = rows.iter().filter(|row| expected(row) == outcome).count();
        assert_eq!(told.count(outcome), count as u64, "{about}: {outcome}");
    }
}

#[test]
fn each_function_has_the_outcome_that_it_should() {
    for (rows, names) in parts() {
        in_engines(every_python(), &PROCESSES, &tasks(rows, &names), |python, engine, told| {
            let expected = |row: &Row| if engine == "serial" { row.3 } else { row.2 };
            check(&format!("{python:?} {engine}"), rows, &names, told, expected);
        });
    }
}

/// Each row has this outcome in an engine with one lane, so that what ends an interpreter ends no other task with it.
fn in_a_lane(python: &Python, engine: &str, expected: impl Fn(&Row) -> &'static str) {
    for (rows, names) in parts() {
        // A lane cannot be ended, and has no time for that.
        let in_lanes = |more: &str| more.replace(", grace_period: 100ms", "");
        let tasks: Vec<(&str, &str, String)> =
            tasks(rows, &names).into_iter().map(|(name, call, more)| (name, call, in_lanes(more))).collect();
        let tasks: Vec<Task<'_>> = tasks.iter().map(|(name, call, more)| (*name, *call, more.as_str())).collect();
        let told = run(&folder(python, &tasks, &format!("engines: [{{ kind: {engine}, workers: 1 }}]")), engine);
        check(&format!("{python:?} {engine}"), rows, &names, &told, &expected);
    }
}

#[test]
fn in_a_thread_each_has_the_same_but_for_what_needs_the_main_one() {
    for python in pythons() {
        in_a_lane(python, "thread", |row| if IN_MAIN_THREAD.contains(&row.0) { "failed" } else { row.3 });
    }
}

#[test]
fn in_a_subinterpreter_each_has_the_same_but_for_what_is_not_allowed_there() {
    for python in with_subinterpreters() {
        in_a_lane(python, "interpreter", |row| if NOT_INSIDE.contains(&row.0) { "failed" } else { row.2 });
    }
}
