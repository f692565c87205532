//! Whatever tasks print, the protocol is untouched, and what is told of a failure is what that task has printed.

use crate::harness::*;

#[test]
fn any_output_is_harmless() {
    let names = ["no_newline", "raw", "child", "much", "progress", "escapes", "late", "reads", "closes", "none"];
    let callables = names.map(|name| format!("py11_output:{name}"));
    let tasks: Vec<Task<'_>> = names.iter().zip(&callables).map(|(name, call)| (*name, call.as_str(), "")).collect();
    in_processes(&tasks, |python, engine, told| {
        assert_eq!(told.count("succeeded"), 10, "{python:?} {engine}: {:?}", told.run["failures"]);
    });
}

#[test]
fn last_words_are_told() {
    everywhere(&[("lost", "py11_output:lost_buffer", "")], |python, engine, told| {
        let (outcome, why, stderr) = told.of("lost");
        assert_eq!((outcome, stderr), ("lost", "said before dying"), "{python:?} {engine}: {why}");
    });
}

/// Tasks that print in every way there is, some of which fail: none is told with what another has printed.
#[test]
fn a_failure_is_told_with_what_its_task_has_printed_and_nothing_else() {
    let source = r#"
import os, subprocess, sys
print("imported")

def work(index):
    print("printed by %d." % index, end="")
    os.write(1, b"written by %d." % index)
    if index % 10 == 3:
        subprocess.call(["sh", "-c", "echo child of %d." % index])
        sys.stderr.write("said by %d." % index)
        raise ValueError(index)
"#;
    for python in pythons() {
        let tasks = [("t", "prints:work", "args: { index: { index } }, count: 40")];
        let folder = folder(python, &tasks, "python: { interpreter: PYTHON }");
        std::fs::write(folder.path("prints.py"), source).unwrap();
        for engine in PROCESSES {
            let told = run(&folder, engine);
            let failures = told.run["failures"].as_array().unwrap();
            assert_eq!(failures.len(), 4, "{python:?} {engine}");
            for failure in failures {
                let (index, text) = (failure["task"].as_u64().unwrap(), failure["stderr"].as_str().unwrap());
                for part in ["printed by", "written by", "child of", "said by"] {
                    assert_eq!(text.matches(part).count(), 1, "{python:?} {engine}: {text}");
                    assert!(text.contains(&format!("{part} {index}.")), "{python:?} {engine} {index}: {text}");
                }
                let order = text.find("Traceback").unwrap() > text.find("said by").unwrap();
                assert!(order && !text.contains("imported"), "{python:?} {engine}: {text}");
            }
        }
    }
}
