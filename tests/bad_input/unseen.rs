//! What a writer cannot see: merges, tabs, and characters that look like others or like nothing.

use crate::harness::*;

#[test]
fn merge_keys_get_one_message_wherever_they_are() {
    let says: &[&str] = &["merge keys (`<<`) are not supported", "write the fields of the other map out here"];
    check(vec![
        case(file("§<<: { name: x }"), "<<", says),
        case(file("engines:\n  - &a { kind: pool }\n  - { §<<: *a, name: b }"), "engines[1].<<", says),
        case(
            file("engines:\n  - &a { kind: pool }\n  - §<<: *a\n    workers: 0\n    nonsense: 1"),
            "engines[1].<<",
            says,
        ),
        case(
            "version: 1\ntasks:\n  - &base { name: a, kind: cpu, count: 1, service_time: &t { dist: constant, value: 5ms } }\n  \
             - §<<: *base\n    name: b\n  - <<: [*base]\n    name: c\n",
            "tasks[1].<<",
            says,
        ),
        case(dist("{ §<<: { dist: constant }, value: 1ms }"), "tasks[0].service_time.<<", says),
        case(file("measure: { §<<: ~ }"), "measure.<<", says),
    ]);
    let two = "version: 1\ntasks:\n  - &a { name: a }\n  - <<: *a\n  - <<: *a\n";
    let rendered = problems(two).render(false);
    assert!(rendered.contains("another one") && rendered.contains(":5:5"), "{rendered}");
    // In quotes it is a name like any other.
    check(vec![case(file("§\"<<\": 1"), "<<", &["unknown key"])]);
}

#[test]
fn characters_that_look_like_spaces_or_nothing_are_named() {
    check(vec![
        case("version: 1\nname:§\u{a0}x\nseed: 1\n", "", &["a no-break space (U+00A0)", "write an ordinary space"]),
        case(
            "version: 1\nseed: 1\ntasks:\n§\u{a0}\u{a0}- name: a\n",
            "\u{a0}\u{a0}- name",
            &["a no-break space (U+00A0)"],
        ),
        case("version: 1\ntasks:\n  - name: a\n  §\u{a0} kind: cpu\n", "", &["a no-break space (U+00A0)"]),
        case(file("engines: [{ kind: pool, workers:§\u{a0}4 }]"), "engines[0].workers:\u{a0}4", &["U+00A0"]),
        case(
            file("engines: [{ kind: pool, workers§\u{200b}: 4 }]"),
            "engines[0].workers\u{fffd}",
            &["a zero-width space (U+200B)", "delete it"],
        ),
        case(format!("version: 1\n§\u{feff}seed: 1\n{TASK}"), "", &["a byte order mark (U+FEFF)", "delete it"]),
        case("version: 1\nseed§\u{ff1a} 1\nname: x\n", "", &["a full-width character (U+FF1A)", "write `:`"]),
        case(file("measure: { repeats§\u{ff1a} 3 }"), "measure.repeats\u{ff1a} 3", &["U+FF1A", "write `:`"]),
        case(cpu("timeout: §5\u{a0}ms"), "tasks[0].timeout", &["a no-break space (U+00A0) in column 93"]),
        case(cpu("timeout: §\u{ff15}ms"), "tasks[0].timeout", &["a full-width character (U+FF15)", "write `5`"]),
        case(file("order: §lpt\u{200b}"), "order", &["a zero-width space (U+200B)", "delete it"]).proposing("lpt"),
        case(file("measure: { repeats: §\u{2212}3 }"), "measure.repeats", &["a dash (U+2212)", "write `-`"]),
    ]);
    check(vec![
        case("§version:\u{a0}1\n", "", &["must be a map", "a no-break space (U+00A0) in column 9"]),
        case(
            engine("kind: pool, §w\u{43e}rkers: 4"),
            "engines[0].w\u{43e}rkers",
            &["a letter of another alphabet (U+043E)", "write `o`"],
        )
        .proposing("workers"),
    ]);
}

#[test]
fn the_same_characters_in_texts_and_comments_are_nobodys_business() {
    accepted(&file("title: \"95\u{a0}% \u{201c}kurz\u{201d}\"\ndescription: a\u{2013}b"));
    let found = problems("version: 1\nname: \"a\u{a0}b\" # \u{a0}\nseed: [\n");
    assert!(!found.to_string().contains("U+00A0"), "{found}");
}

#[test]
fn a_tab_after_a_colon_is_a_space_and_one_in_the_indentation_is_named() {
    let text = "version:\t1\nseed: \t1\ntasks:\n  - name:\tt\n    kind:\t\tkernel\n    kernel:\t\"noop\"\n    count:\t3\t# three\n\
                engines:\t[{ kind:\tpool,\tworkers: 2 }]\nmeasure:\t{ repeats: 2 }\n";
    let loaded = accepted(text).workload;
    assert_eq!((loaded.classes[0].name.as_str(), loaded.measure.repeats.get()), ("t", 2));
    check(vec![
        case(text.replace("seed: \t1", "seed: \t§x"), "seed", &["found `x`"]),
        case(text.replace("count:\t3", "count:\t§0"), "tasks[0].count", &["found `0`"]),
        case(text.replace("workers: 2", "workers:\t\t§0"), "engines[0].workers", &["found `0`"]),
        case("version: 1\ntasks:\n§\t- name: a\n", "", &["a tab in the indentation"]),
        case("version: 1\ntasks:\n  -§\tname: a\n", "", &["a tab where YAML has a space"]),
    ]);
}
