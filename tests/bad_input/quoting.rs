//! Values are quoted as the file has them, and every one that is wrong is pointed at.

use crate::harness::*;

#[test]
fn values_are_quoted_as_they_are_written() {
    check(vec![
        case(file("measure: { repeats: §0x0 }"), "measure.repeats", &["found `0x0`"]),
        case(file("measure: { repeats: §1e3 }"), "measure.repeats", &["found `1e3`", "must be an integer"]),
        case(file("measure: { repeats: §0.50 }"), "measure.repeats", &["found `0.50`"]),
        case(file("measure: { repeats: §'3' }"), "measure.repeats", &["found `'3'`"]),
        case(file("measure: { repeats: §\"3\" }"), "measure.repeats", &["found `\"3\"`"]),
        case(file("measure: { repeats: §three }"), "measure.repeats", &["found `three`"]),
        case(file("measure: { repeats: §!!str 3 }"), "measure.repeats", &["found `!!str 3`"]),
        case(
            file("measure: { repeats: §99999999999999999999999999 }"),
            "measure.repeats",
            &["`99999999999999999999999999`"],
        ),
        case(file("measure: { warmup: §-0 # none\n }").replace("-0", "-07x"), "measure.warmup", &["found `-07x`"]),
        case(file("order: §\"lptt\"").replace("lptt", "lptx"), "order", &["unknown order `\"lptx\"`"]).proposing("lpt"),
        case(cpu("timeout: §1e3"), "tasks[0].timeout", &["`1e3`: a duration needs a unit"]),
        case(cpu("timeout: §1.50"), "tasks[0].timeout", &["`1.50`"]),
        case(cpu("timeout: §-.inf"), "tasks[0].timeout", &["found `-.inf`"]),
        case(cpu("timeout: §0ms"), "tasks[0].timeout", &["found `0ms`", "above 0"]),
        case(cpu("timeout: §True"), "tasks[0].timeout", &["found `True`"]),
        case(file("name: §0o17"), "name", &["found `0o17`", "must be text"]),
        case(file("title: §[a]"), "title", &["found a list"]),
        case(file("§0x1F: x"), "", &["`0x1F` is not a key"]),
        case(file("§~: x"), "", &["`~` is not a key"]),
    ]);
}

#[test]
fn the_value_of_an_alias_is_quoted_and_its_use_is_pointed_at() {
    let text = "version: 1\nname: &a \"2\"\nseed: §*a\ntasks: [{ name: t, kind: kernel, kernel: noop, count: 1 }]\n";
    check(vec![case(text, "seed", &["found `&a \"2\"`", "must be an integer"])]);
}

#[test]
fn every_null_is_reported_where_it_is() {
    check(vec![
        case(file("seed:").replace("seed: 1\n", "").replace("seed:", "§seed:"), "seed", &["the value is missing"]),
        case(file("name: §~"), "name", &["`~` is no value", "must be text"]),
        case(file("name: §null"), "name", &["`null` is no value"]),
        case(file("name: §Null"), "name", &["`Null` is no value"]),
        case(file("engines: [{ kind: pool, workers: §~ }]"), "engines[0].workers", &["`~` is no value"]),
        case(file("engines: [{ kind: pool, §workers: }]"), "engines[0].workers", &["the value is missing"]),
        case(file("teaches: [a, §~]"), "teaches[1]", &["`~` is no value"]),
        case(cpu("timeout: §~"), "tasks[0].timeout", &["`~` is no value", "a duration"]),
    ]);
    let nulls = "version: 1\ntasks:\n  -\n  - ~\n  - { name: , kind: ~, count: null }\n  - name: t\n    kind: command\n    count: 1\n    \
                 command: [~, ~]\nengines:\n  -\n  -\nmeasure:\n";
    let found = problems(nulls);
    let places: Vec<(usize, usize, &str)> =
        found.iter().map(|problem| (problem.line, problem.col, problem.key.as_str())).collect();
    let wanted = [
        (3, 4, "tasks[0]"),
        (4, 5, "tasks[1]"),
        (5, 7, "tasks[2].name"),
        (5, 21, "tasks[2].kind"),
        (5, 31, "tasks[2].count"),
        (9, 15, "tasks[3].command[0]"),
        (9, 18, "tasks[3].command[1]"),
        (11, 4, "engines[0]"),
        (12, 4, "engines[1]"),
        (13, 1, "measure"),
    ];
    assert_eq!(places, wanted, "{found}");
    let nothing = |message: &str| message == "the value is missing" || message.ends_with("is no value");
    assert!(found.iter().all(|problem| nothing(&problem.message)), "{found}");
}

#[test]
fn carets_are_under_the_value_whatever_is_around_it() {
    check(vec![
        case(
            file("engines:\n  [\n    { kind: pool,\n      workers:\n        §0 }\n  ]"),
            "engines[0].workers",
            &["found `0`"],
        ),
        case(file("engines:\n  - kind: pool\n    workers:\n      §zero"), "engines[0].workers", &["found `zero`"]),
        case(cpu("timeout:\n      §5"), "tasks[0].timeout", &["`5`: a duration needs a unit"]),
        case(file("measure: §[\n  1,\n  2\n ]"), "measure", &["found a list", "must be a map"]),
        case(file("teaches: §{\n  a: 1\n }"), "teaches", &["found a map", "must be a list"]),
        case(file("measure:\n  §- 1\n  - 2"), "measure", &["found a list"]),
        case(file("order: >-\n  §sideways"), "order", &["unknown order `sideways`"]),
        case(file("name: 任务\norder: §向"), "order", &["unknown order `向`"]),
        case(file("measure: { order: §\"日本\", repeats: 1 }"), "measure.order", &["unknown order `\"日本\"`"]),
    ]);
}

#[test]
fn carets_are_in_their_column_after_wide_characters_and_tabs() {
    for (line, value) in
        [("title: \"任务 🦀\", order: x", "x"), ("title: a,\torder:\tx", "x"), ("title: äö, order: x", "x")]
    {
        let text = file("").replace("{ name: t", &format!("{{ {line}, name: t"));
        let found = problems(&text);
        let rendered = found.render(false);
        assert_eq!(found.len(), 2, "{found}");
        for problem in &found {
            let word = if problem.key.ends_with("title") { "title" } else { "order" };
            let column = text.lines().nth(2).unwrap().find(&format!("{word}:")).unwrap();
            let before = &text.lines().nth(2).unwrap()[..column];
            assert_eq!((problem.line, problem.col), (3, before.chars().count() + 1), "{value}: {rendered}");
            // A tab is drawn as four columns, a wide character takes two.
            let width: usize =
                before.chars().map(|c| if c == '\t' { 4 } else { 1 + usize::from(c > '\u{1000}') }).sum();
            let shown = problem.render(false);
            let carets = shown.lines().find(|line| line.contains('^')).unwrap();
            assert_eq!(carets.find('^').unwrap() - (carets.find('|').unwrap() + 2), width, "{shown}");
        }
    }
}

#[test]
fn micro_is_written_either_way() {
    for micro in ["\u{b5}s", "\u{3bc}s", "us"] {
        let loaded = accepted(&dist(&format!("{{ dist: constant, value: 500{micro} }}")));
        let poolscope::workload::model::Work::Sleep(dist) = &loaded.workload.classes[0].work else {
            panic!("no sleep")
        };
        assert_eq!(dist.mean(), std::time::Duration::from_micros(500));
    }
}
