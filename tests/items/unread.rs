//! Items that cannot be read when their tasks are to begin: those fail, no other does, and nothing is called with anything else.

use std::fs;

use crate::support::cli::{code, text};
use crate::support::program::{WorkloadFolder, only_run};

/// Every engine, and how CPython's own are given their tasks.
const ENGINES: [(&str, &str); 9] = [
    ("pool", ""),
    ("serial", ""),
    ("mp_pool", ", submit: apply_async"),
    ("mp_pool", ", submit: apply"),
    ("mp_pool", ", submit: map, chunksize: 1"),
    ("mp_pool", ", submit: imap"),
    ("ppe", ""),
    ("ppe", ", submit: map"),
    ("mp_process", ""),
];

fn folder(engine: &str, options: &str, job: &str, items: &str) -> WorkloadFolder {
    let workers = if engine == "serial" { "" } else { ", workers: 2" };
    let folder = WorkloadFolder::new(&format!(
        "version: 1\nname: w\ntasks:\n  - {{ name: t, kind: python, callable: \"job:work\", items: {{ jsonl: list }}, \
         args: [\"{{item}}\"] }}\nengines: [{{ kind: {engine}{workers}{options} }}]\nmeasure: {{ warmup: 0, repeats: 1 }}\n"
    ));
    fs::create_dir(folder.path("out")).unwrap();
    fs::write(folder.path("job.py"), job).unwrap();
    fs::write(folder.path("list"), items).unwrap();
    folder
}

#[test]
fn one_that_python_cannot_read_fails_its_task_alone() {
    let job = "import os\ndef work(item):\n    open(f'out/{item[\"n\"]}', 'w').close()\n";
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let digits = "7".repeat(5000);
    // Older interpreters read any number of digits.
    let items = format!(
        "{{\"n\":0}}\n{{\"n\":1,\"a\":{deep}}}\n{{\"n\":2}}\n{{\"n\":3,\"a\":{deep},\"b\":{digits}}}\n{{\"n\":4}}\n"
    );
    for (engine, options) in ENGINES {
        let folder = folder(engine, options, job, &items);
        let run = only_run(&folder.run(engine, &["--format", "json", "--max-time", "60s"]).output().unwrap());
        assert_eq!(
            (&run["tasks"]["succeeded"], &run["tasks"]["failed"]),
            (&3.into(), &2.into()),
            "{engine}{options}: {run}"
        );
        let mut called: Vec<_> =
            fs::read_dir(folder.path("out")).unwrap().map(|file| file.unwrap().file_name()).collect();
        called.sort();
        assert_eq!(called, ["0", "2", "4"], "{engine}{options}");
    }
}

#[test]
fn those_that_have_changed_are_not_called_with_anything_else() {
    let job =
        "open('list', 'w').write('9\\n8\\n7\\n')\ndef work(item):\n    open('out/called', 'w').write(repr(item))\n";
    for (engine, options) in ENGINES.into_iter().step_by(2) {
        let folder = folder(engine, options, job, "1\n2\n3\n");
        let output = folder.run(engine, &["--format", "json", "--max-time", "60s"]).output().unwrap();
        code(&output, 3);
        let errors = text(&output.stderr);
        assert!(
            errors.contains("ALL 3 TASKS FAILED") && errors.contains("have changed"),
            "{engine}{options}: {errors}"
        );
        assert_eq!(fs::read_dir(folder.path("out")).unwrap().count(), 0, "{engine}{options}");
    }
}
