//! What a file may say of programs that stay, and what it is told otherwise.

use crate::harness::*;
use crate::support::program::WorkloadFolder;

fn refused(task: &str, message: &str) {
    let folder = WorkloadFolder::new(&format!(
        "version: 1\nseed: 1\ntasks: [{{ name: t, count: 1, {task} }}]\nengines: [{{ kind: pool }}]\n"
    ));
    let (code, said) = check(&folder);
    assert!(code == 2 && said.contains(message), "{task}: {code}\n{said}");
}

#[test]
fn what_cannot_be_is_refused_at_its_place() {
    refused("kind: command, command: [x], serve: line", "`lines`");
    refused("kind: command, command: [x], serve: true", "lines");
    refused("kind: command, command: [x], serve: [lines]", "lines");
    refused("kind: command, serve: lines", "`command` is missing");
    refused(
        "kind: cpu, service_time: { dist: constant, value: 1ms }, serve: lines",
        "does not apply to a task of kind cpu",
    );
    refused("kind: python, callable: \"a:b\", serve: lines", "does not apply to a task of kind python");
    refused("kind: command, command: [x], serves: lines", "did you mean");
    refused("kind: command, command: [x, \"{index}\"], serve: lines", "`{index}` differs from task to task");
    refused(
        "kind: command, command: \"x {attempt}\", shell: true, serve: lines",
        "`{attempt}` differs from task to task",
    );
    refused("kind: command, command: [x], args: [1]", "goes with `serve: lines`");
    refused("kind: command, command: [x], serve: lines, args: 3", "must be a map");
    refused("kind: command, command: [x], serve: lines, args: [.nan]", "no infinity and no NaN");
    refused("kind: command, command: [x], serve: lines, args: [{ a: [-.inf] }]", "no infinity and no NaN");
    refused("kind: command, command: [x], serve: lines, args: [{ 1: 2 }]", "a key that is no text");
    refused("kind: command, command: [x], serve: lines, args: [\"{payload}\"]", "no bytes travel in a line");
}

#[test]
fn a_seed_is_asked_for_where_the_line_has_random_numbers() {
    let of = |args: &str| {
        WorkloadFolder::new(&format!(
            "version: 1\ntasks: [{{ name: t, count: 1, kind: command, command: [sort], serve: lines, args: {args} }}]\n"
        ))
    };
    let (code, said) = check(&of("[{ dist: uniform, min: 1, max: 2 }]"));
    assert!(code == 2 && said.contains("`seed` is missing"), "{said}");
    let (code, said) = check(&of("[1, { a: b }]"));
    assert_eq!(code, 0, "{said}");
}

#[test]
fn faults_are_the_programs_own() {
    let folder = workload("[cat]", "count: 5", "faults: [{ kind: crash, at: 3 }]");
    let (code, said) = check(&folder);
    assert!(code == 2 && said.contains("does its own wrong"), "{said}");
}
