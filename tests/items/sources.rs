//! Where items come from, and which task has which.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Output, Stdio};

use crate::support::cli::{code, text};
use crate::support::program::{WorkloadFolder, only_run};

pub const ENGINES: [&str; 3] = ["pool", "process", "serial"];

/// A workload whose tasks write their item to a file that is named by their index.
pub fn writing(items: &str) -> WorkloadFolder {
    let folder = WorkloadFolder::new(&format!(
        "version: 1\nname: w\nseed: 5\ntasks:\n  - {{ name: t, kind: command, items: {items}, \
         command: [sh, -c, 'printf %s \"$1\" > out/$2', sh, \"{{item}}\", \"{{index}}\"] }}\n\
         engines: [{{ kind: pool, workers: 2 }}, {{ kind: process, workers: 2 }}, {{ kind: serial }}]\n\
         measure: {{ warmup: 0, repeats: 1 }}\n"
    ));
    fs::create_dir(folder.path("out")).unwrap();
    folder
}

/// What the tasks wrote, in the order of their indices; it is taken away.
pub fn written(folder: &Path) -> Vec<Vec<u8>> {
    let count = fs::read_dir(folder.join("out")).unwrap().count();
    let read = |index: usize| {
        let path = folder.join("out").join(index.to_string());
        let content = fs::read(&path).unwrap();
        fs::remove_file(path).unwrap();
        content
    };
    (0..count).map(read).collect()
}

#[track_caller]
pub fn all_succeeded(output: &Output, count: u64) {
    let run = only_run(output);
    code(output, 0);
    assert_eq!(run["tasks"]["succeeded"], count, "{run}");
}

#[track_caller]
fn each_engine_gives(folder: &WorkloadFolder, wanted: &[&[u8]]) {
    for engine in ENGINES {
        let output = folder.run(engine, &["--format", "json"]).output().unwrap();
        all_succeeded(&output, wanted.len() as u64);
        assert_eq!(written(folder.as_path()), wanted, "{engine}");
    }
}

#[test]
fn a_list_of_values() {
    each_engine_gives(&writing("[a b, \"it's\", 0.10, 7, true]"), &[b"a b", b"it's", b"0.10", b"7", b"true"]);
}

#[test]
fn a_range_is_pythons() {
    each_engine_gives(&writing("{ range: [3, 10, 3] }"), &[b"3", b"6", b"9"]);
    each_engine_gives(&writing("{ range: [1, -2, -2] }"), &[b"1", b"-1"]);
}

#[test]
fn lines_of_a_file_whatever_is_in_them() {
    let folder = writing("{ lines: list.txt }");
    fs::write(folder.path("list.txt"), b"a b\n\n-n\r\n\xff\xfe $(touch bad) `x` 'y' \"z\"\nlast").unwrap();
    each_engine_gives(&folder, &[b"a b", b"-n", b"\xff\xfe $(touch bad) `x` 'y' \"z\"", b"last"]);
    assert!(!folder.path("bad").exists());
}

#[test]
fn stretches_up_to_a_zero_byte() {
    let folder = writing("{ lines: list, separator: nul }");
    fs::write(folder.path("list"), b"a\nb\0c\r\n\0\0d").unwrap();
    each_engine_gives(&folder, &[b"a\nb", b"c\r\n", b"d"]);
}

#[test]
fn files_that_match_a_pattern() {
    let folder = writing("{ glob: \"data/**/*.jpg\" }");
    fs::create_dir_all(folder.path("data/deep")).unwrap();
    let names: [&[u8]; 3] = [b"data/a\xff.jpg", b"data/b \n.jpg", b"data/deep/c.jpg"];
    for name in names {
        fs::write(folder.as_path().join(OsStr::from_bytes(name)), "").unwrap();
    }
    fs::write(folder.path("data/no.png"), "").unwrap();
    each_engine_gives(&folder, &names);
}

#[test]
fn standard_input_is_read_once_for_all_arms() {
    let folder = writing("{ lines: \"-\" }");
    let mut compare = folder.run("pool,process", &["--format", "json"]);
    compare.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_poolscope"));
    command.arg("compare").arg(folder.path("w.yaml")).args([
        "--engines",
        "pool,process",
        "--quiet",
        "--format",
        "json",
    ]);
    command.env("POOLSCOPE_CACHE_DIR", folder.path("cache")).env("POOLSCOPE_DB", "off");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"one\ntwo\n").unwrap();
    let output = child.wait_with_output().unwrap();
    code(&output, 0);
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    for arm in result["arms"].as_array().unwrap() {
        assert_eq!(arm["runs"][0]["tasks"]["succeeded"], 2, "{arm}");
    }
    assert_eq!(written(folder.as_path()), [b"one", b"two"]);
}

#[test]
fn fields_of_csv_json_and_maps() {
    let of = |items: &str| {
        WorkloadFolder::new(&format!(
            "version: 1\nname: w\ntasks:\n  - {{ name: t, kind: command, items: {items}, \
             command: [sh, -c, 'printf \"%s|%s|%s\" \"$1\" \"$2\" \"$3\" > out/$4', sh, \"{{item.name}}\", \
             \"{{item.n}}\", \"{{item}}\", \"{{index}}\"] }}\n\
             engines: [{{ kind: pool, workers: 2 }}, {{ kind: process, workers: 2 }}, {{ kind: serial }}]\n"
        ))
    };
    let maps = of("[{ name: \"a b\", n: 1 }, { n: [1, {x: y}], name: 0.10 }]");
    fs::create_dir(maps.path("out")).unwrap();
    each_engine_gives(
        &maps,
        &[br#"a b|1|{"name":"a b","n":1}"#, br#"0.10|[1,{"x":"y"}]|{"n":[1,{"x":"y"}],"name":0.10}"#],
    );
    let csv = of("{ csv: list.csv }");
    fs::create_dir(csv.path("out")).unwrap();
    fs::write(csv.path("list.csv"), b"n,name\r\n1,\"a, \"\"b\"\"\"\r\n2,\xff\r\n").unwrap();
    each_engine_gives(&csv, &[b"a, \"b\"|1|1,\"a, \"\"b\"\"\"", b"\xff|2|2,\xff"]);
    let lines = of("{ jsonl: list.jsonl }");
    fs::create_dir(lines.path("out")).unwrap();
    fs::write(lines.path("list.jsonl"), "{\"name\": \"\\u00fc\\n\", \"n\": null}\n\n{\"n\":\"2\",\"name\":\"\"}\n")
        .unwrap();
    each_engine_gives(
        &lines,
        &["ü\n|null|{\"name\": \"\\u00fc\\n\", \"n\": null}".as_bytes(), b"|2|{\"n\":\"2\",\"name\":\"\"}"],
    );
}

#[test]
fn items_are_repeated_and_sampled() {
    let folder = writing("[a, b], repeat: 2");
    each_engine_gives(&folder, &[b"a", b"b", b"a", b"b"]);
    let folder = writing("{ range: [0, 1000] }, sample: 3");
    let output = folder.run("pool", &["--format", "json"]).output().unwrap();
    all_succeeded(&output, 3);
    let first = written(folder.as_path());
    let output = folder.run("process", &["--format", "json"]).output().unwrap();
    all_succeeded(&output, 3);
    assert_eq!(written(folder.as_path()), first);
    let output = folder.run("process", &["--format", "json", "--seed", "6"]).output().unwrap();
    all_succeeded(&output, 3);
    assert_ne!(written(folder.as_path()), first, "another seed, another sample: {}", text(&output.stderr));
}

#[test]
fn the_stream_hash_covers_the_items() {
    let folder = writing("{ lines: list.txt }");
    let hash = || {
        let output = folder.run("serial", &["--format", "json"]).output().unwrap();
        let result: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        result["workload"]["stream_hash"].as_str().unwrap().to_owned()
    };
    fs::write(folder.path("list.txt"), "a\nb\n").unwrap();
    let first = hash();
    assert_eq!(hash(), first);
    fs::write(folder.path("list.txt"), "a\nc\n").unwrap();
    assert_ne!(hash(), first);
}

#[test]
fn an_item_that_was_changed_meanwhile_fails_and_no_other_does() {
    let folder = WorkloadFolder::new(
        "version: 1\nname: w\ntasks:\n  - { name: t, kind: command, items: { lines: list.txt }, \
         command: [sh, -c, 'echo 3 >> list.txt; printf x | dd of=list.txt bs=1 seek=40005 conv=notrunc 2> /dev/null', sh, \"{item}\"] }\n",
    );
    let lines: Vec<String> = ["a", "b", "c"].map(|letter| letter.repeat(40_000)).to_vec();
    fs::write(folder.path("list.txt"), lines.join("\n") + "\n").unwrap();
    let output = folder.run("process", &["--workers", "1", "--format", "json"]).output().unwrap();
    let run = only_run(&output);
    assert_eq!((&run["tasks"]["submitted"], &run["tasks"]["succeeded"]), (&3.into(), &2.into()), "{run}");
    let failure = &run["failures"][0];
    assert_eq!(failure["task"], 1, "{failure}");
    assert!(failure["cause"].as_str().unwrap().contains("have changed since they were counted"), "{failure}");
}

#[test]
fn a_failure_names_its_item() {
    let folder = WorkloadFolder::new(
        "version: 1\nname: w\ntasks: [{ name: t, kind: command, items: [good, \"b\\ta d\"], command: [test, \"{item}\", =, good] }]\n",
    );
    let output = folder.run("process", &["--format", "json"]).output().unwrap();
    let run = only_run(&output);
    assert_eq!(run["failures"][0]["item"], "b\ta d", "{run}");
    let report = folder.run("process", &[]).output().unwrap();
    assert!(text(&report.stdout).is_empty(), "what tasks write goes there: {}", text(&report.stdout));
    let report = folder.run("process", &["--output", "report"]).current_dir(folder.as_path()).output().unwrap();
    let report = fs::read_to_string(folder.path("report")).unwrap_or_else(|_| panic!("{}", text(&report.stderr)));
    assert!(report.contains("task 1 (t, b␉a d)"), "{report}");
}

#[test]
fn items_of_failures_are_told_apart_whatever_bytes_they_are() {
    let folder = WorkloadFolder::new(
        "version: 1\nname: w\ntasks: [{ name: t, kind: command, items: { lines: list }, command: [test, \"{item}\", =, good] }]\n",
    );
    let long = "x".repeat(300);
    fs::write(folder.path("list"), [b"bad\xff\nbad\xfe\n", long.as_bytes()].concat()).unwrap();
    let output = text(&folder.run("process", &["--format", "json"]).output().unwrap().stdout);
    for item in [r#""item": "bad\udcff""#, r#""item": "bad\udcfe""#, &format!("\"item\": \"{long}\"")] {
        assert!(output.contains(item), "{item}: {output}");
    }
}

#[test]
fn standard_input_is_read_only_to_run_and_only_once() {
    let folder = writing("{ lines: \"-\" }");
    let both = folder.shell("POOLSCOPE run - < w.yaml").output().unwrap();
    code(&both, 2);
    assert!(text(&both.stderr).contains("standard input"), "{}", text(&both.stderr));
}
