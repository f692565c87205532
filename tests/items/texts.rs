//! What is filled in: in arguments, in a text for the shell, in Python.

use std::fs;

use proptest::prelude::*;

use super::sources::{ENGINES, all_succeeded, written};
use crate::support::program::{WorkloadFolder, only_run};

/// CPython's own, which dispatch by themselves.
const REFERENCE: [&str; 3] = ["mp_pool", "mp_process", "ppe"];

/// A workload with this task, and a folder `out`.
fn folder(task: &str) -> WorkloadFolder {
    let folder = WorkloadFolder::new(&format!(
        "version: 1\nname: w\nseed: 5\ntasks:\n  - {{ name: t, {task} }}\n\
         engines: [{{ kind: pool, workers: 2 }}, {{ kind: process, workers: 2 }}, {{ kind: serial }}]\n"
    ));
    fs::create_dir(folder.path("out")).unwrap();
    folder
}

#[test]
fn only_the_exact_forms_are_replaced() {
    let folder = folder(
        "kind: command, items: [a/b.tar.gz], command: [sh, -c, 'shift; printf \"%s\\n\" \"$@\" > out/0', sh, x, \
         \"{item.name} {item.stem} {item.dir} {item.ext}\", \"{{item}} {{index}}\", \"{print $1} ${V} {x}\", \
         \"{index}.{attempt}.{seed}\", '{\"k\":\"{item}\"}']",
    );
    for engine in ENGINES {
        all_succeeded(&folder.run(engine, &["--format", "json"]).output().unwrap(), 1);
        let text = String::from_utf8(written(folder.as_path()).remove(0)).unwrap();
        let wanted =
            ["b.tar.gz b.tar a gz", "{item} {index}", "{print $1} ${V} {x}", "0.1.5", "{\"k\":\"a/b.tar.gz\"}"];
        assert_eq!(text.lines().collect::<Vec<_>>(), wanted, "{engine}");
    }
}

#[test]
fn a_program_of_its_own_for_each_item() {
    let folder = folder("kind: command, items: [touch, mkdir], command: [\"{item}\", \"out/{item}\"]");
    for engine in ENGINES {
        all_succeeded(&folder.run(engine, &["--format", "json"]).output().unwrap(), 2);
        assert!(folder.path("out/touch").is_file() && folder.path("out/mkdir").is_dir(), "{engine}");
        fs::remove_file(folder.path("out/touch")).unwrap();
        fs::remove_dir(folder.path("out/mkdir")).unwrap();
    }
}

#[test]
fn python_gets_an_item_with_its_type() {
    let folder = folder(
        "kind: python, callable: \"job:write\", items: { jsonl: list.jsonl }, \
         args: [{ index }, { item.v }, \"{item.v}\", { item }, \"x{item.k}-{index}\"]",
    );
    let job = "def write(index, value, text, item, name):\n    with open(f'out/{index}', 'w') as file:\n        \
               file.write(repr((value, text, item, name)))\n";
    fs::write(folder.path("job.py"), job).unwrap();
    fs::write(folder.path("list.jsonl"), "{\"v\":[1,2.5],\"k\":\"a\"}\n{\"v\":\"s\",\"k\":true}\n").unwrap();
    for engine in ENGINES.into_iter().chain(REFERENCE) {
        all_succeeded(&folder.run(engine, &["--format", "json"]).output().unwrap(), 2);
        let written = written(folder.as_path()).into_iter().map(|text| String::from_utf8(text).unwrap());
        let wanted =
            ["([1, 2.5], [1, 2.5], {'v': [1, 2.5], 'k': 'a'}, 'xa-0')", "('s', 's', {'v': 's', 'k': True}, 'xtrue-1')"];
        assert_eq!(written.collect::<Vec<_>>(), wanted, "{engine}");
    }
}

#[test]
fn python_gets_any_bytes_as_it_names_files() {
    let folder = folder(
        "kind: python, callable: \"job:write\", items: { lines: list.txt }, args: { item: { item }, index: { index } }",
    );
    let job = "import os\ndef write(item, index):\n    with open(f'out/{index}', 'wb') as file:\n        \
               file.write(os.fsencode(item))\n";
    fs::write(folder.path("job.py"), job).unwrap();
    let lines: [&[u8]; 3] = [b"a\xff\xfe b", "ü\u{1f980}".as_bytes(), b"\x80"];
    fs::write(folder.path("list.txt"), lines.join(&b'\n')).unwrap();
    for engine in ENGINES.into_iter().chain(REFERENCE) {
        all_succeeded(&folder.run(engine, &["--format", "json"]).output().unwrap(), 3);
        assert_eq!(written(folder.as_path()), lines, "{engine}");
    }
}

#[test]
fn a_served_program_is_sent_its_item() {
    let folder = folder(
        "kind: command, command: [python3, serve.py], serve: lines, items: [a, 2], args: { v: { item }, t: \"<{item}>\" }",
    );
    let serve = "import json, sys\nfor line in sys.stdin:\n    task = json.loads(line)\n    \
                 open('out/%d' % task['index'], 'w').write(repr(task['args']))\n    \
                 print(json.dumps({'index': task['index'], 'result': 1}), flush=True)\n";
    fs::write(folder.path("serve.py"), serve).unwrap();
    for engine in ENGINES {
        all_succeeded(&folder.run(engine, &["--format", "json"]).output().unwrap(), 2);
        let written: Vec<String> =
            written(folder.as_path()).into_iter().map(|text| String::from_utf8(text).unwrap()).collect();
        assert_eq!(written, ["{'v': 'a', 't': '<a>'}", "{'v': 2, 't': '<2>'}"], "{engine}");
    }
}

#[test]
fn a_zero_byte_fails_its_task_alone() {
    let folder = folder("kind: command, items: { lines: list.txt }, command: [touch, \"out/{item}\"]");
    fs::write(folder.path("list.txt"), b"0\na\0b\n1\n").unwrap();
    for engine in ENGINES {
        let output = folder.run(engine, &["--format", "json"]).output().unwrap();
        let run = only_run(&output);
        assert_eq!((&run["tasks"]["succeeded"], &run["tasks"]["failed"]), (&2.into(), &1.into()), "{engine}: {run}");
        assert!(run["failures"].to_string().contains("zero byte"), "{run}");
        assert_eq!(written(folder.as_path()).len(), 2);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, ..ProptestConfig::default() })]

    /// A hundred items of any bytes at once: starting a program for each takes the time.
    #[test]
    fn what_a_program_gets_is_what_was_asked(
        items in proptest::collection::vec(proptest::collection::vec(1_u8.., 1..40), 100)
    ) {
        let plain = folder(
            "kind: command, items: { lines: list, separator: nul }, \
             command: [sh, -c, 'printf %s \"$1\" > out/$2', sh, \"<{item}>\", \"{index}\"]",
        );
        let shell = folder(
            "kind: command, items: { lines: list, separator: nul }, shell: true, \
             command: \"x={item}; printf %s \\\"<$x\\\"{{item}} > /dev/null; printf %s '<'{item}'>' > out/{index}\"",
        );
        for folder in [plain, shell] {
            fs::write(folder.path("list"), items.join(&0)).unwrap();
            for engine in ["pool", "process"] {
                all_succeeded(&folder.run(engine, &["--format", "json"]).output().unwrap(), 100);
                let wanted: Vec<Vec<u8>> = items.iter().map(|item| [b"<", item.as_slice(), b">"].concat()).collect();
                prop_assert_eq!(written(folder.as_path()), wanted, "{}", engine);
            }
        }
    }
}
