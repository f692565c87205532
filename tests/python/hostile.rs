//! Functions that are up to no good: each costs itself, and what became of it is told.

use crate::harness::*;

/// Where things differ most.
fn both_ends() -> [&'static Python; 2] {
    [&pythons()[0], newest()]
}

fn in_each(engines: &[&str], tasks: &[Task<'_>], check: impl Fn(&str, &Told, &[String])) {
    for python in both_ends() {
        let folder = folder(python, tasks, "");
        for engine in engines {
            let notes = folder.path("notes");
            let _ = std::fs::remove_file(&notes);
            let mut command = folder.run(engine, &["--format", "json"]);
            let output = command.env("POOLSCOPE_NOTES", &notes).env("PYTHONDONTWRITEBYTECODE", "1").output().unwrap();
            let told = Told { run: crate::support::program::only_run(&output) };
            let notes = std::fs::read_to_string(notes).unwrap_or_default();
            let notes: Vec<String> = notes.lines().map(str::to_owned).collect();
            check(&format!("{python:?} {engine}"), &told, &notes);
        }
    }
}

#[test]
fn a_task_that_shuts_down_its_workers_socket_is_lost_once() {
    let tasks = [
        ("before", "py24_hostile:fine", "args: [{ index }], count: 8"),
        ("writing", "py24_hostile:shut", "args: [1]"),
        ("both", "py24_hostile:shut", "args: [2]"),
        ("lasts", "py24_hostile:shut", "args: [2, 0.3]"),
        ("child", "py24_hostile:shut", "args: [2, 0, true]"),
        ("after", "py24_hostile:fine", "args: [{ index }], count: 20"),
    ];
    in_each(&PROCESSES, &tasks, |about, told, notes| {
        for class in ["writing", "both", "lasts", "child"] {
            let (outcome, cause, stderr) = told.of(class);
            assert_eq!(outcome, "lost", "{about} {class}: {cause}");
            let shut = stderr.contains("a task has shut down the socket of its worker");
            assert!(
                shut || class == "lasts" && cause.contains("closed its socket"),
                "{about} {class}: {cause}: {stderr}"
            );
        }
        assert_eq!((told.count("succeeded"), told.count("retries")), (28, 0), "{about}: {:?}", told.run["failures"]);
        assert_eq!(notes.len(), 4, "{about}: each was begun once: {notes:?}");
    });
}

#[test]
fn an_exception_is_told_whatever_its_class_does_when_it_is_looked_at() {
    let tasks = [
        ("nameless", "py24_hostile:nameless", ""),
        ("classless", "py24_hostile:classless", ""),
        ("blind", "py24_hostile:blind", ""),
        ("forks", "py24_hostile:leaves_a_child_by_an_odd_code", ""),
        ("odd", "py24_hostile:odd", ""),
        ("bare", "py24_hostile:bare", ""),
        ("pipe", "py24_hostile:from_a_pipe", "timeout: 20s, grace_period: 0s"),
        ("after", "py24_hostile:fine", "args: [{ index }], count: 20"),
    ];
    in_each(&ENGINES, &tasks, |about, told, _| {
        for (class, says) in [
            ("nameless", "py24_hostile.Nameless: its text"),
            ("classless", "py24_hostile.Classless: its text"),
            ("odd", "py24_hostile.Odd: odd text"),
            ("bare", "py24_hostile.Bare: its text"),
            ("pipe", "ValueError: from a pipe"),
        ] {
            let (outcome, cause, stderr) = told.of(class);
            assert_eq!((outcome, cause), ("failed", says), "{about} {class}");
            let place = if class == "pipe" { "line 2, in f" } else { "py24_hostile.py\", line" };
            assert!(stderr.contains(place), "{about} {class}: {stderr}");
        }
        assert_eq!(told.of("blind").0, "failed", "{about}");
        assert_eq!(told.count("succeeded"), 21, "{about}: {:?}", told.run["failures"]);
    });
}

#[test]
fn what_a_task_leaves_behind_costs_nobody_who_has_returned_and_is_told() {
    let tasks = [
        ("before", "py24_hostile:fine", "args: [{ index }], count: 8"),
        ("frames", "py24_hostile:looks_at_threads", ""),
        ("handler", "py24_hostile:handler_left", ""),
        ("tracer", "py24_hostile:tracer_left", ""),
        ("alarm", "py24_hostile:alarm_left", ""),
        ("limit", "py24_hostile:limit_left", ""),
        ("quiet", "py24_hostile:traces_and_stops", ""),
        ("profile", "py24_hostile:profile_left", ""),
        ("after", "py24_hostile:fine", "args: [{ index }], count: 20"),
    ];
    in_each(&PROCESSES, &tasks, |about, told, _| {
        // The return of its own function is seen by what it sets.
        let (outcome, cause, _) = told.of("profile");
        assert_eq!((outcome, cause), ("failed", "RuntimeError: traced"), "{about}");
        assert_eq!(told.count("succeeded"), 34, "{about}: {:?}", told.run["failures"]);
        let notes = told.run["notes"].to_string();
        let left = ["a trace function", "a recursion limit below 1000", "a signal handler that raises"];
        for what in left.iter().take(if about.ends_with("process") { 0 } else { 3 }) {
            assert!(notes.contains(&format!("left {what} in worker")), "{about} {what}: {notes}");
        }
        assert!(notes.matches("left a ").count() <= 3, "{about}: {notes}");
        assert!(!notes.contains("left a profile"), "{about}: it has raised, and is gone by that: {notes}");
    });
}

#[test]
fn a_crash_is_told_with_its_line() {
    let tasks = [("crash", "py24_hostile:crash", ""), ("after", "py24_hostile:fine", "args: [{ index }], count: 5")];
    in_each(&ENGINES, &tasks, |about, told, _| {
        let (outcome, cause, stderr) = told.of("crash");
        assert!(outcome == "lost" && cause.contains("signal 11"), "{about}: {outcome} {cause}");
        assert!(stderr.contains("Segmentation fault") && stderr.contains(" in crash\n"), "{about}: {stderr}");
        assert!(!stderr.contains("<poolscope>") && !stderr.contains("<string>"), "{about}: {stderr}");
    });
}

#[test]
fn whoever_closes_the_worker_s_own_copy_is_still_told_as_having_done_so() {
    let tasks =
        [("closes", "py24_hostile:closes_the_rest", ""), ("after", "py24_hostile:fine", "args: [{ index }], count: 5")];
    in_each(&PROCESSES, &tasks, |about, told, _| {
        let (outcome, cause, stderr) = told.of("closes");
        assert_eq!(outcome, "lost", "{about}: {cause}");
        assert!(stderr.contains("a task has closed the descriptors of its worker"), "{about}: {stderr}");
        assert_eq!(told.count("succeeded"), 5, "{about}: {:?}", told.run["failures"]);
    });
}
