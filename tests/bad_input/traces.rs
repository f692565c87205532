//! Files of recorded times: what is wrong with them is told where the workload names them, with the line of the file.

use super::harness::*;
use poolscope::workload::stream::Stream;

/// Open arrivals of a trace, and a task that each of them brings.
fn moments(fields: &str) -> String {
    arrivals(&format!("{{ mode: open, process: trace, {fields} }}"))
}

fn times(fields: &str) -> String {
    dist(&format!("{{ dist: trace, {fields} }}"))
}

#[test]
fn files_that_cannot_be_read() {
    let key = "tasks[0].service_time.file";
    check(vec![
        case(times("file: §none.csv"), key, &["none.csv: no such file"]),
        case(times("file: §'large'"), key, &["large: the file is larger than 16 MiB"]),
        case(times("file: §''"), key, &["the name is empty"]),
        case(times("file: §5"), key, &["must be text"]),
        case(times("file: §[a]"), key, &["must be text"]),
        case(times("file: §\"a\\x1b[31mb\""), key, &["control character"]),
        case(dist("§{ dist: trace, column: a }"), "tasks[0].service_time.file", &["`file` is missing"]),
        case(moments("file: §none.csv"), "arrivals.file", &["none.csv: no such file"]),
        meant(times("§fle: good.txt"), "tasks[0].service_time.fle", "file"),
        case(
            times("file: log.csv, column: took, unit: ms, §value: 5ms"),
            "tasks[0].service_time.value",
            &["does not apply to distribution trace"],
        ),
        case(
            dist("{ dist: constant, value: 5ms, §file: good.txt }"),
            "tasks[0].service_time.file",
            &["does not apply to distribution constant"],
        ),
    ]);
    // Only who loads it with its files has any.
    let without = poolscope::workload::load::load(&times("file: good.txt"), "bad.yaml").unwrap_err();
    assert!(without.to_string().contains("files cannot be read here"), "{without}");
}

#[test]
fn lines_that_are_no_times() {
    let key = "tasks[0].service_time.file";
    check(vec![
        case(times("file: §bad.txt"), key, &["bad.txt:3: `x`: not a duration (and another line is wrong)"]),
        case(
            times("file: §plain.txt"),
            key,
            &["plain.txt:1: `1.5`: a plain number, and no unit is stated", "`unit: s`"],
        ),
        case(times("file: §minus.txt"), key, &["minus.txt:2: `-5ms`: a duration has no sign"]),
        case(times("file: §empty.txt"), key, &["empty.txt: there is no value in it"]),
        case(times("file: §long.txt, unit: h"), key, &["long.txt:2: longer than a year"]),
        case(times("file: §log.csv"), key, &["log.csv:1: 2 columns", "`column` must say which one: `at` or `took`"]),
        meant(times("file: §log.csv, column: tok, unit: ms"), key, "took"),
        case(times("file: §log.csv, column: 3, unit: ms"), key, &["there is no column 3", "2 columns"]),
        case(times("file: log.csv, column: §0, unit: ms"), "tasks[0].service_time.column", &["an integer >= 1"]),
        case(times("file: log.csv, column: §[a], unit: ms"), "tasks[0].service_time.column", &["a name of the header"]),
        case(
            times("file: plain.txt, unit: §sec"),
            "tasks[0].service_time.unit",
            &["unknown unit", "ns, us, ms, s, min or h"],
        ),
        case(times("file: plain.txt, unit: §1s"), "tasks[0].service_time.unit", &["unknown unit"]),
        case(times("file: good.txt, sample: §yes please"), "tasks[0].service_time.sample", &["must be true or false"]),
    ]);
}

#[test]
fn moments_that_are_none() {
    check(vec![
        case(moments("file: §back.txt, unit: s"), "arrivals.file", &["back.txt:3: earlier than the moment before it"]),
        case(
            moments("file: §epoch.txt, unit: s"),
            "arrivals.file",
            &["epoch.txt:1: more than a year", "`from: first`"],
        ),
        case(moments("file: epoch.txt, unit: s, from: §begin"), "arrivals.from", &["unknown origin", "start or first"]),
        case(moments("file: good.txt, §rate: 5/s"), "arrivals.rate", &["does not apply to process trace"]),
        case(
            moments("file: good.txt").replace("kind: sleep,", "kind: sleep, count: §2,"),
            "tasks[0].count",
            &["arrivals of a trace, which says how many come"],
        ),
        case(file("arrivals: { mode: closed, §file: good.txt }"), "arrivals.file", &["closed mode has no `file`"]),
    ]);
}

#[test]
fn traces_that_are_read() {
    let stream = |text: &str| Stream::new(&accepted(text).workload);
    let all = |text: &str| {
        let stream = stream(text);
        (0..stream.total()).map(|index| stream.service_time(index).unwrap().as_micros()).collect::<Vec<_>>()
    };
    // Three tasks of a file of two values.
    assert_eq!(all(&times("file: good.txt")), [5000, 7000, 5000]);
    assert_eq!(all(&times("file: log.csv, column: took, unit: ms")), [1000, 2000, 3000]);
    assert_eq!(all(&times("file: log.csv, column: 2, unit: s")), [1_000_000, 2_000_000, 3_000_000]);
    assert!(all(&times("file: good.txt, sample: true")).iter().all(|time| [5000, 7000].contains(time)));
    let arrived = |text: &str| stream(text).arrivals().unwrap().map(|at| at.as_millis()).collect::<Vec<_>>();
    assert_eq!(arrived(&moments("file: good.txt")), [5, 7]);
    assert_eq!(arrived(&moments("file: log.csv, column: at, unit: s")), [0, 250, 250, 1500]);
    assert_eq!(arrived(&moments("file: epoch.txt, unit: s, from: first")), [0, 500]);
    let limited = format!("total: 3\n{}", moments("file: log.csv, column: at, unit: s"));
    assert_eq!(arrived(&limited), [0, 250, 250]);
}

#[test]
fn a_trace_that_is_too_short_is_told_with_the_numbers() {
    let warnings = |text: &str| {
        let warnings = accepted(text).warnings;
        warnings.iter().map(|warning| (warning.key.clone(), warning.message.clone())).collect::<Vec<_>>()
    };
    let heading = "log.csv:1: `took` is no time and is taken for a heading; `column: took` says that it is one";
    let file = "tasks[0].service_time.file".to_owned();
    assert_eq!(warnings(&times("file: log.csv, column: 2, unit: s")), [(file, heading.to_owned())]);
    assert_eq!(warnings(&times("file: log.csv, column: took, unit: ms")), []);
    // Two times for three tasks: the third has the first again.
    let again = "the trace of service times has 2 times for 3 tasks: after the last one it begins again";
    assert_eq!(warnings(&times("file: good.txt")), [("tasks[0].count".to_owned(), again.to_owned())]);
    assert_eq!(warnings(&times("file: good.txt, sample: true")), []);
    assert_eq!(warnings(&times("file: log.csv, column: took, unit: ms")), [], "as many as there are tasks");
    // A limit on the number of tasks that is higher than that of moments.
    let more = format!("total: 5\n{}", moments("file: log.csv, column: at, unit: s"));
    let less = "`total` is 5, but the trace of arrivals has 4: so many tasks there will be";
    assert_eq!(warnings(&more), [("total".to_owned(), less.to_owned())]);
    assert_eq!(Stream::new(&accepted(&more).workload).total(), 4);
    // The same of stages that end.
    let ends = format!("total: 50\n{}", arrivals("{ mode: open, process: constant, rate: 10/s, duration: 2s }"));
    let less = "`total` is 50, but the arrivals end after 20: so many tasks there will be";
    assert_eq!(warnings(&ends), [("total".to_owned(), less.to_owned())]);
    assert_eq!(warnings(&format!("total: 3\n{}", moments("file: log.csv, column: at, unit: s"))), []);
}

#[test]
fn a_trace_needs_no_seed_unless_it_is_sampled() {
    let unseeded = |text: String| text.replace("seed: 1\n", "");
    accepted(&unseeded(times("file: good.txt")));
    accepted(&unseeded(moments("file: good.txt")));
    let sampled = unseeded(times("file: good.txt, sample: true"));
    assert!(problems(&sampled).to_string().contains("`seed` is missing"));
}

#[test]
fn large_traces_are_read_at_most_a_few_times() {
    let tasks: Vec<String> = (0..40)
        .map(|n| format!("  - {{ name: t{n}, kind: sleep, count: 1, service_time: {{ dist: trace, file: half }} }}\n"))
        .collect();
    let found = problems(&format!("version: 1\ntasks:\n{}", tasks.concat()));
    let first = found.iter().find(|problem| problem.message.contains("larger than 32 MiB together")).unwrap();
    assert!(first.line > 4 && first.line < 10, "{found}");
}
