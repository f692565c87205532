//! Items that cannot be used, and texts that name what is not there: told with their place, and nothing is started.

use std::fs;

use crate::support::cli::{code, text};
use crate::support::program::WorkloadFolder;

#[track_caller]
fn refused(task: &str, prepare: impl Fn(&WorkloadFolder), key: &str, says: &[&str]) {
    let folder = WorkloadFolder::new(&format!(
        "version: 1\nname: w\nseed: 1\ntasks:\n  - {{ name: t, {task} }}\nengines: [{{ kind: process }}]\n"
    ));
    prepare(&folder);
    let output = folder.run("process", &[]).output().unwrap();
    code(&output, 2);
    let errors = text(&output.stderr);
    assert!(errors.contains(&format!("tasks[0].{key}")), "{key}: {errors}");
    for words in says {
        assert!(errors.contains(words), "{words}: {errors}");
    }
    assert!(!folder.path("out").exists(), "nothing was started");
}

const TOUCH: &str = "kind: command, command: [touch, out, \"{item}\"]";

#[test]
fn a_file_that_is_none_or_has_none() {
    let nothing = |_: &WorkloadFolder| {};
    let task = format!("{TOUCH}, items: {{ lines: list.txt }}");
    refused(&task, nothing, "items.lines", &["list.txt: no such file"]);
    refused(&task, |f| fs::write(f.path("list.txt"), "\n\n").unwrap(), "items.lines", &["there is no item in it"]);
    refused(&task, |f| fs::create_dir(f.path("list.txt")).unwrap(), "items.lines", &["a folder, not a regular file"]);
    let fifo = |folder: &WorkloadFolder| {
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mkfifoat(rustix::fs::CWD, folder.path("list.txt"), mode).unwrap();
    };
    refused(&task, fifo, "items.lines", &["a named pipe, not a regular file"]);
    let long = |f: &WorkloadFolder| fs::write(f.path("list.txt"), vec![b'x'; (1 << 20) + 1]).unwrap();
    refused(&task, long, "items.lines", &["longer than 1 MiB"]);
}

#[test]
fn a_file_that_is_not_what_it_should_be() {
    let csv = |content: &'static [u8]| move |f: &WorkloadFolder| fs::write(f.path("list"), content).unwrap();
    let task = format!("{TOUCH}, items: {{ csv: list }}");
    refused(&task, csv(b"a,b\n1,2\n3\n"), "items.csv", &["line 3 has 1 fields, and the header has 2"]);
    refused(&task, csv(b"a,\xff\n1,2\n"), "items.csv", &["the names of its header are not UTF-8"]);
    refused(&task, csv(b"a,a\n1,2\n"), "items.csv", &["the header has `a` twice"]);
    refused(&task, csv(b"a,b\n"), "items.csv", &["there is no item in it"]);
    let task = format!("{TOUCH}, items: {{ jsonl: list }}");
    refused(&task, csv(b"{\"a\":1}\nx\n"), "items.jsonl", &["item 2 is not JSON"]);
    let task = format!("{TOUCH}, items: {{ glob: \"*.jpg\" }}");
    refused(&task, |_| {}, "items.glob", &["no file matches it"]);
    let task = format!("{TOUCH}, items: {{ glob: \"a[\" }}");
    refused(&task, |_| {}, "items.glob", &["not a pattern"]);
}

#[test]
fn items_that_make_no_sense() {
    for (items, key, says) in [
        ("[]", "items", "the list is empty"),
        ("[a, {b: 1}]", "items[0]", "a single value among maps"),
        ("{}", "items", "where the items come from"),
        ("{ lines: a, csv: b }", "items.csv", "`lines` and `csv` together"),
        ("{ csv: b, separator: nul }", "items.separator", "`separator` with `csv`"),
        ("{ range: [1, 1] }", "items.range", "no item"),
        ("{ range: [1, 5, 0] }", "items.range", "a step of 0"),
        ("{ range: [1.5, 5] }", "items.range", "not a range"),
        ("{ line: a }", "items.line", "did you mean"),
        ("list.txt", "items", "must be a list, or a map"),
        ("[a], count: 3", "count", "`count` and `items` together"),
        ("[a], weight: 3", "weight", "`weight` and `items` together"),
        ("[a], sample: 2", "sample", "a sample of 2 of 1 items"),
        ("[a], repeat: 0", "repeat", ">= 1"),
    ] {
        refused(&format!("{TOUCH}, items: {items}"), |_| {}, key, &[says]);
    }
    refused("kind: command, command: [touch, out], count: 1, repeat: 2", |_| {}, "repeat", &["goes with `items`"]);
    let sleeps = "kind: sleep, service_time: { dist: constant, value: 1ms }, items: [a]";
    refused(sleeps, |_| {}, "items", &["does not apply"]);
}

#[test]
fn a_field_that_is_not_there() {
    let named = |items: &str| format!("kind: command, command: [touch, out, \"{{item.nam}}\"], items: {items}");
    refused(&named("[a]"), |_| {}, "command[2]", &["no fields", "did you mean `item.name`"]);
    refused(&named("[{ name: a }, { nam: b }]"), |_| {}, "command[2]", &["item 1 has no `nam`"]);
    let csv = |f: &WorkloadFolder| fs::write(f.path("list"), "name,b\n1,2\n").unwrap();
    refused(&named("{ csv: list }"), csv, "command[2]", &["has no `nam`", "did you mean `item.name`"]);
    let python = "kind: python, callable: \"m:f\", items: [{ a: 1 }], args: [{ item.b }]";
    refused(python, |_| {}, "args[0]", &["has no `b`"]);
}

#[test]
fn an_item_in_quotes_of_the_shell() {
    for script in [
        "echo '{item}'",
        "echo \\\"{item}\\\"",
        "true # {item}",
        "echo `ls {item}`",
        "x=\\\"$(basename \\\"{item}\\\")\\\"",
        "echo $(( (1+(2)) + {item} ))",
        "true \\\\\\n# {item}",
    ] {
        let task = format!("kind: command, shell: true, command: \"touch out; {script}\", items: [a]");
        refused(&task, |_| {}, "command", &["an item", "`f={item}; ...`"]);
    }
}

#[test]
fn an_item_from_elsewhere_in_the_text_of_a_shell_that_something_else_starts() {
    let list = |f: &WorkloadFolder| fs::write(f.path("list"), "$(touch out)\n").unwrap();
    for (argv, place) in [
        ("env, A=1, sh, -c", 4),
        ("timeout, \"5\", sh, -ec", 4),
        ("bash, -c, -x", 3),
        ("bash, -eo, pipefail, -c", 4),
        ("python3, -W, ignore, -c", 4),
    ] {
        let task = format!("kind: command, command: [{argv}, \"echo {{item}}\"], items: {{ lines: list }}");
        refused(&task, list, &format!("command[{place}]"), &["would be run as part of this text"]);
    }
}

#[test]
fn an_item_from_elsewhere_in_the_text_of_a_shell() {
    let list = |f: &WorkloadFolder| fs::write(f.path("list"), "$(touch out)\n").unwrap();
    let task = |items: &str| format!("kind: command, command: [/bin/sh, -ec, \"echo {{item}}\"], items: {items}");
    for items in ["{ lines: list }", "{ glob: \"l*t\" }"] {
        refused(&task(items), list, "command[2]", &["would be run as part of this text", "an argument of its own"]);
    }
    // What the file says itself is its author's, and numbers are none's.
    for (items, warned) in [("[a]", true), ("{ range: [1, 2] }", false)] {
        let tasks = task(items);
        let folder = WorkloadFolder::new(&format!("version: 1\nname: w\ntasks: [{{ name: t, {tasks} }}]\n"));
        let output = folder.shell("POOLSCOPE check w.yaml").output().unwrap();
        code(&output, 0);
        let all = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert_eq!(all.contains("is run as part of this text"), warned, "{items}: {all}");
    }
}

#[test]
fn what_is_nearly_a_placeholder_is_told() {
    for (argument, says) in [
        ("{items}", "did you mean `{item}`"),
        ("{ item }", "did you mean `{item}`"),
        ("{Item.Name}", "did you mean `{item.name}`"),
        ("{}", "did you mean `{item}`"),
        ("{indx}", "did you mean `{index}`"),
        ("plain", "nothing of the task names its item"),
    ] {
        let folder = WorkloadFolder::new(&format!(
            "version: 1\nname: w\ntasks: [{{ name: t, kind: command, command: [\"true\", \"{argument}\"], items: [a] }}]\n"
        ));
        let output = folder.shell("POOLSCOPE check w.yaml").output().unwrap();
        let all = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert!(all.contains(says), "{argument}: {all}");
    }
    let folder = WorkloadFolder::new(
        "version: 1\nname: w\ntasks: [{ name: t, kind: command, command: [\"true\", \"{item}\"], count: 1 }]\n",
    );
    let output = folder.shell("POOLSCOPE check w.yaml").output().unwrap();
    let all = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(all.contains("this task has no `items`"), "{all}");
}
