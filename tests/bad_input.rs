//! Everything that must be refused, and how: place, key path, what is wrong, what is allowed, what was meant.
//!
//! In each input `§` stands right before the character at which the problem must be reported. Unless a test says
//! otherwise an input has exactly one problem, and exactly one must be reported: no consequences of it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "bad_input/engines.rs"]
mod engines;
#[path = "bad_input/expect.rs"]
mod expect;
#[path = "bad_input/harness.rs"]
mod harness;
#[path = "bad_input/quoting.rs"]
mod quoting;
#[path = "bad_input/schema.rs"]
mod schema;
#[path = "bad_input/tasks.rs"]
mod tasks;
#[path = "bad_input/traces.rs"]
mod traces;
#[path = "bad_input/unseen.rs"]
mod unseen;

use harness::*;
use poolscope::workload::diagnostic::DiagnosticSeverity;
use poolscope::workload::load::load;

#[test]
fn the_files_that_cases_are_made_of_are_good() {
    for text in [file(""), cpu("timeout: 5ms"), dist("{ dist: constant, value: 1ms }"), engine("kind: pool")] {
        accepted(&text);
    }
    accepted(&arrivals("{ mode: open, process: poisson, rate: 5/s, duration: 2s }"));
}

#[test]
fn unknown_and_misspelt_keys() {
    check(vec![
        meant(engine("kind: pool, §worker: 4"), "engines[0].worker", "workers"),
        meant(engine("kind: pool, §chunk-size: 4"), "engines[0].chunk-size", "chunksize"),
        meant(file("§measures: {}"), "measures", "measure"),
        meant(file("measure: { §repeat: 3 }"), "measure.repeat", "repeats"),
        meant(cpu("§time_out: 5ms"), "tasks[0].time_out", "timeout"),
        meant(dist("{ dist: uniform, min: 1ms, §maxx: 2ms }"), "tasks[0].service_time.maxx", "max"),
        meant(task("§knd: cpu, count: 1"), "tasks[0].knd", "kind"),
        meant(task("kind: io, §byte: 1KiB, count: 1"), "tasks[0].byte", "bytes"),
        case(cpu("retries: { max: 1, §maximum: 2 }"), "tasks[0].retries.maximum", &["unknown key"]),
        case(file("§parallelism: 4"), "parallelism", &["unknown key", "a workload has version, name"]),
        case(file("§timeout: 5s"), "timeout", &["unknown key", "belongs to an entry of `tasks`"]),
        case(engine("kind: pool, §service_time: 5ms"), "engines[0].service_time", &["belongs to an entry of `tasks`"]),
        case(file("§1: x"), "", &["`1` is not a key", "keys must be text"]),
    ]);
}

#[test]
fn duplicate_keys_name_both_lines() {
    check(vec![
        case(
            file("engines:\n  - kind: pool\n    workers: 2\n    §workers: 4"),
            "engines[0].workers",
            &["duplicate key; it is already on line 6"],
        ),
        case(file("§seed: 2"), "seed", &["duplicate key; it is already on line 2"]),
        case(cpu("timeout: 1ms, retries: 1, §timeout: 2ms"), "tasks[0].timeout", &["already on line 4"]),
    ]);
    let found = problems(&file("name: a\nname: b"));
    let related = &found.iter().next().unwrap().related;
    assert_eq!((related[0].line, related[0].col), (4, 1));
    assert!(found.render(false).contains("::: bad.yaml:4:1"), "{found}");
}

#[test]
fn version_and_shape_of_the_file() {
    check(vec![
        case(format!("§seed: 1\n{TASK}"), "version", &["`version` is missing"]),
        case(format!("version: §2\nsome: new field\n{TASK}"), "version", &["version 2 is newer", "must be 1"]),
        case(format!("version: §\"1\"\n{TASK}"), "version", &["found `\"1\"`", "must be an integer >= 1"]),
        case(format!("version: §0\n{TASK}"), "version", &["must be an integer >= 1"]),
        case(format!("version: 1\n{TASK}§---\nversion: 1\n"), "", &["a second document", "one document per file"]),
        case("§", "", &["the file is empty"]),
        case("§# only a comment\n", "", &["the file is empty"]),
        case("§- a\n- b\n", "", &["found a list", "must be a map"]),
        case("§just text\n", "", &["must be a map"]),
        case("version: 1\ntasks:\n§\t- name: a\n", "", &["a tab in the indentation", "indented with spaces"]),
        case("version: 1\ntasks:\n  - name: a\n  §\tkind: cpu\n", "", &["a tab in the indentation"]),
        case("§version: 1\n", "tasks", &["`tasks` is missing"]),
        case("version: 1\ntasks: §[]\n", "tasks", &["the list is empty"]),
        case("version: 1\n§tasks:\n", "tasks", &["the value is missing", "must be a list"]),
        case("version: 1\ntasks: [§5]\n", "tasks[0]", &["found `5`", "must be a map"]),
    ]);
}

#[test]
fn text_that_is_not_yaml_is_refused_near_its_fault() {
    for (text, line) in [
        ("version: 1\ntasks: [\n", 2),
        ("version: 1\nname: \"open\n", 2),
        ("version: 1\nname: 'a' b\n", 2),
        ("version: 1\n  seed: 1\n", 2),
        ("version: 1\nname: *nowhere\n", 2),
        ("version: 1\nname: @home\n", 2),
        ("a: b: c\n", 1),
    ] {
        let found = problems(text);
        assert_eq!(found.len(), 1, "{found}");
        let problem = found.iter().next().unwrap();
        assert!(problem.line.abs_diff(line) <= 1 && problem.line <= text.lines().count(), "{found}");
        assert!(!problem.message.is_empty(), "{found}");
    }
}

#[test]
fn limits_of_size_depth_and_aliases() {
    let mut large = file("");
    large.push_str(&"#".repeat((1 << 20) + 1 - large.len()));
    assert!(problems(&large).to_string().contains("larger than 1 MiB"));
    large.pop();
    accepted(&large);

    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    assert!(problems(&bomb).to_string().contains("at most 10000 nodes out of aliases"));
    assert!(problems("a: &a [*a]\n").to_string().contains("inside its own anchor"));
    let deep = format!("version: 1\nname: {}{}\n", "[".repeat(10_000), "]".repeat(10_000));
    let refused = problems(&deep).to_string();
    assert!(refused.contains("nested too deeply"), "{refused}");
}

#[test]
fn a_modest_use_of_aliases_is_fine_and_errors_in_it_are_where_they_are_written() {
    let good = "version: 1\ntasks:\n  - { name: a, kind: cpu, count: 1, service_time: &t { dist: constant, value: 5ms } }\n  \
                - { name: b, kind: cpu, count: 1, service_time: *t }\n";
    assert_eq!(accepted(good).workload.classes.len(), 2);
    let found = problems(&good.replace("5ms", "5"));
    assert_eq!(found.len(), 1, "{found}");
    assert_eq!(found.iter().next().unwrap().line, 3);
}

#[test]
fn names_and_texts() {
    check(vec![
        case(file("name: §\"a\\eb\""), "name", &["control character U+001B"]),
        case(file("title: §\"a\\u202eb\""), "title", &["control character U+202E"]),
        case(file("description: §\"a\\u009bb\""), "description", &["control character U+009B"]),
        case(file("teaches: [§\"a\\bb\"]"), "teaches[0]", &["control character U+0008"]),
        case(file("title: §\"a\\nb\""), "title", &["one line"]),
        case(file("name: §\"\""), "name", &["the name is empty"]),
        case(file("name: §2026"), "name", &["must be text; quote it"]),
        case(file("teaches: §one"), "teaches", &["must be a list"]),
        case(
            task("kind: kernel, kernel: noop, count: 1").replace("name: t", "name: §\"\\a\""),
            "tasks[0].name",
            &["U+0007"],
        ),
        case(
            "version: 1\ntasks:\n  - { name: a, kind: kernel, kernel: noop, count: 1 }\n  - { name: §a, kind: kernel, kernel: noop, count: 1 }\n",
            "tasks[1].name",
            &["a second task with this name"],
        ),
        case(file("engines: [{ kind: pool }, { kind: §pool }]"), "engines[1].kind", &["a second engine named `pool`"]),
        case(
            file("engines: [{ name: a, kind: pool }, { name: §a, kind: process }]"),
            "engines[1].name",
            &["second engine named `a`"],
        ),
        case(
            file("engines: [{ kind: pool, baseline: true }, { kind: process, baseline: §true }]"),
            "engines[1].baseline",
            &["a second baseline"],
        ),
        case(file("engines: §[]"), "engines", &["the list is empty"]),
        case(file("engines: [§pool]"), "engines[0]", &["must be a map such as { kind: pool }"]),
        case(file("name: §!secret x"), "name", &["a value tagged"]),
    ]);
}

#[test]
fn all_problems_of_a_file_are_found_in_one_pass() {
    let text = "version: 1\nnmae: x\ntasks:\n  - name: a\n    kind: cpu\n    count: 0\n    timeout: 30\n  - name: a\n    kind: cpuu\n    \
                service_time: { dist: pareto, min: 5 }\nengines:\n  - { kind: pool, worker: 4 }\nmeasure: { repeats: 0 }\nsweep: {}\n";
    let found = problems(text);
    let places: Vec<(usize, &str)> = found.iter().map(|problem| (problem.line, problem.key.as_str())).collect();
    assert_eq!(
        places,
        [
            (2, "nmae"),
            (4, "tasks[0].service_time"),
            (6, "tasks[0].count"),
            (7, "tasks[0].timeout"),
            (8, "tasks[1]"),
            (8, "tasks[1].name"),
            (9, "tasks[1].kind"),
            (10, "tasks[1].service_time.alpha"),
            (10, "tasks[1].service_time.max"),
            (10, "tasks[1].service_time.min"),
            (12, "engines[0].worker"),
            (13, "measure.repeats"),
            (14, "sweep"),
        ]
    );
}

#[test]
fn a_flood_of_problems_is_cut_and_counted() {
    let keys: String = (0..500).map(|key| format!("key{key}: 1\n")).collect();
    let found = problems(&format!("version: 1\n{TASK}{keys}"));
    assert_eq!(found.len(), 100);
    assert!(found.render(false).contains("and 400 more problems"));
}

#[test]
fn limits_that_can_never_be_reached_are_warnings() {
    let loaded = accepted(&cpu("timeout: 1h"));
    let warning = &loaded.warnings[0];
    assert_eq!((loaded.warnings.len(), warning.severity), (1, DiagnosticSeverity::Warning));
    assert_eq!(warning.key, "tasks[0].timeout");
    assert!(warning.summary().contains("warning: tasks[0].timeout: `timeout` can never be reached"), "{warning}");
    assert_eq!(accepted(&cpu("queue_timeout: 1h")).warnings[0].key, "tasks[0].queue_timeout");
    assert_eq!(accepted(&cpu("timeout: 10ms, queue_timeout: 10ms")).warnings, []);
    let block = arrivals("{ mode: open, process: poisson, rate: 5/s, duration: 1s, max_in_flight: 5, on_full: block }");
    assert_eq!(accepted(&block).warnings[0].key, "arrivals.on_full");
    let placeholder =
        accepted(&task("kind: command, count: 1, command: [echo, \"{indx}\", \"{index}\", \"{ print }\"]"));
    assert_eq!(placeholder.warnings.len(), 1);
    assert_eq!(placeholder.warnings[0].key, "tasks[0].command[1]");
}

#[test]
fn control_characters_of_the_file_never_reach_the_terminal() {
    let hostile = "version: 1\n\"ke\\ey\u{85}\": 1\nname: \"\u{9b}31m\u{202e}\" # \u{9b}2J\ntasks: []\n";
    for color in [false, true] {
        let rendered = load(hostile, "evil\u{1b}]0;title\u{7}.yaml").unwrap_err().render(color);
        // Colours are the renderer's own escape sequences: ESC [ digits m.
        let mut plain = rendered.clone();
        while let Some(start) = plain.find("\u{1b}[") {
            let end = plain[start..].find('m').expect("only colours") + start;
            assert!(plain[start + 2..end].chars().all(|c| c.is_ascii_digit() || c == ';'), "{rendered:?}");
            plain.replace_range(start..=end, "");
        }
        assert!(plain.chars().all(|c| c == '\n' || !c.is_control()), "{plain:?}");
        assert!(!plain.contains('\u{202e}'), "{plain:?}");
    }
}

#[test]
fn problems_are_data_too() {
    let found = problems(&engine("kind: pool, worker: 4"));
    let json: serde_json::Value = serde_json::to_value(&found).unwrap();
    assert_eq!(json[0]["severity"], "error");
    assert_eq!(
        (json[0]["file"].as_str(), json[0]["line"].as_u64(), json[0]["col"].as_u64()),
        (Some("bad.yaml"), Some(5), Some(19))
    );
    assert_eq!((json[0]["key"].as_str(), json[0]["suggestion"].as_str()), (Some("engines[0].worker"), Some("workers")));
}
