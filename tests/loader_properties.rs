//! Properties of the loader and of the stream that hold for any input.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use poolscope::workload::bundled;
use poolscope::workload::load::{Loaded, NamedFiles, load, load_with_files};
use poolscope::workload::model::Workload;
use poolscope::workload::stream::Stream;
use poolscope::workload::units::{self, format_duration, format_size, parse_duration, parse_size};
use proptest::prelude::*;

/// Loads, and shows whatever came of it: no step may panic, and each problem must point into the text.
fn load_and_show(text: &str) -> Option<Loaded> {
    match load(text, "any.yaml") {
        Ok(loaded) => {
            // What was accepted can be planned and streamed.
            let machine = poolscope::workload::plan::Machine {
                cores: 2,
                memory_bytes: 1 << 30,
                memory_source: "free memory",
                processes: poolscope::workload::plan::Room::of(4096),
                descriptors: None,
            };
            if Stream::new(&loaded.workload).total() < 100_000 {
                let plan = poolscope::workload::plan::plan(&loaded.workload, machine);
                assert!(serde_json::to_string(&plan).is_ok());
            }
            Some(loaded)
        }
        Err(problems) => {
            assert!(problems.errors() > 0, "refused without an error: {problems}");
            // A carriage return ends a line too.
            let lines = text.matches(['\n', '\r']).count() + 1;
            for problem in &problems {
                assert!(problem.line >= 1 && problem.line <= lines, "line {} of {lines}: {problem}", problem.line);
                assert!(problem.col >= 1, "{problem}");
                // A file may hold such a word itself, and a backtick before it.
                let foreign = foreign_word(&problem.summary()).filter(|word| !text.contains(word.as_str()));
                assert_eq!(foreign, None, "{problem}");
            }
            let rendered = problems.render(false);
            assert!(rendered.chars().all(|c| c == '\n' || !c.is_control()), "{rendered:?}");
            assert!(!problems.render(true).is_empty());
            None
        }
    }
}

/// A word of the language this program is written in, outside of what is quoted from the file.
fn foreign_word(summary: &str) -> Option<String> {
    const FOREIGN: [&str; 22] = [
        "u8",
        "u16",
        "u32",
        "u64",
        "u128",
        "usize",
        "i8",
        "i16",
        "i32",
        "i64",
        "i128",
        "isize",
        "f32",
        "f64",
        "NonZeroU32",
        "NonZeroU64",
        "Option",
        "Vec",
        "enum",
        "struct",
        "serde",
        "newtype",
    ];
    let own: String = summary.split('`').step_by(2).collect::<Vec<_>>().join(" ");
    // The place and the key path come first; they are the file's own words too.
    let message = own.splitn(6, ':').last().unwrap_or_default().to_owned();
    message.split(|c: char| !c.is_alphanumeric() && c != '_').find(|word| FOREIGN.contains(word)).map(str::to_owned)
}

fn bundled_text() -> impl Strategy<Value = String> {
    (0..bundled::all().len()).prop_map(|index| bundled::all()[index].text.to_owned())
}

/// What is put into a good file to break it: YAML's own characters, odd values, and control characters.
fn fragment() -> impl Strategy<Value = String> {
    prop_oneof![
        "[\\[\\]{}:,&*!|>%@`'\"#\\- \t\n?~0-9a-z.]{1,6}",
        prop::sample::select(vec![
            "0",
            "-1",
            "1e999",
            ".nan",
            ".inf",
            "~",
            "true",
            "[]",
            "{}",
            "5",
            "5ms",
            "99999999999999999999",
            "-99999999999999999999",
            "340282366920938463463374607431768211456",
            "0x1F",
            "\u{a0}",
            "\u{200b}",
            "\u{ff1a}",
            ":\t",
            "-\t",
            "<<: { a: 1 }, ",
            "'",
            "\"",
            "&a ",
            "*a",
            "<<: *a",
            "!x ",
            "---\n",
            "\t",
            "\r\n",
            "\r",
            "\u{feff}",
            "\u{1b}[2J",
            "\u{202e}",
            "\u{85}",
            "auto",
            "workers",
            "count: 3\n",
            "  - ",
            "\n",
            "|\n",
            ">\n",
            "? ",
            ": ",
        ])
        .prop_map(str::to_owned),
    ]
}

fn mutated(text: &str, edits: &[(prop::sample::Index, usize, String)]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (place, remove, insert) in edits {
        let at = place.index(chars.len() + 1);
        let end = (at + remove).min(chars.len());
        chars.splice(at..end, insert.chars());
    }
    chars.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_loaded_or_refused(text in "\\PC{0,200}") {
        load_and_show(&text);
    }

    #[test]
    fn any_bytes_are_loaded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        load_and_show(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_text_of_yaml_characters_is_loaded_or_refused(text in "(version: 1\n)?[\\[\\]{}:,&*!|>'\"#\\- \t\n?~0-9a-c]{0,120}") {
        load_and_show(&text);
    }

    #[test]
    fn any_edit_of_a_good_file_is_loaded_or_refused(
        text in bundled_text(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..12_usize, fragment()), 1..5),
    ) {
        load_and_show(&mutated(&text, &edits));
    }

    #[test]
    fn any_cut_of_a_good_file_is_loaded_or_refused(text in bundled_text(), place in any::<prop::sample::Index>()) {
        let chars: Vec<char> = text.chars().collect();
        load_and_show(&chars[..place.index(chars.len())].iter().collect::<String>());
    }

    #[test]
    fn durations_are_read_back_as_they_are_written(nanos in 0..units::LONGEST.as_nanos() as u64, scale in 0..9_u32) {
        // Durations as people write them, and any other.
        for nanos in [nanos, nanos / 10_u64.pow(scale) * 10_u64.pow(scale)] {
            let duration = Duration::from_nanos(nanos);
            let written = format_duration(duration);
            prop_assert_eq!(parse_duration(&written), Ok(duration), "{}", written);
        }
    }

    #[test]
    fn sizes_are_read_back_as_they_are_written(bytes in 0..=units::LARGEST, scale in 0..50_u32) {
        for bytes in [bytes, bytes >> scale << scale] {
            let written = format_size(bytes);
            prop_assert_eq!(parse_size(&written), Ok(bytes), "{}", written);
        }
    }

    #[test]
    fn shuffling_is_a_permutation(total in 1..3000_u64, seed in any::<u64>()) {
        let stream = Stream::new(&noop(&format!("count: {total}"), &format!("seed: {seed}\norder: shuffle")));
        prop_assert_eq!(stream.total(), total);
        let indices: HashSet<u64> = (0..total).map(|position| stream.index_at(position)).collect();
        prop_assert_eq!(indices.len() as u64, total);
        prop_assert!(indices.into_iter().all(|index| index < total));
    }

    #[test]
    fn longest_first_is_sorted_and_complete(total in 1..500_u64, seed in any::<u64>()) {
        let task = "kind: sleep, service_time: { dist: exponential, mean: 5ms }";
        let stream = Stream::new(&workload(task, &format!("count: {total}"), &format!("seed: {seed}\norder: lpt")));
        let indices: Vec<u64> = (0..total).map(|position| stream.index_at(position)).collect();
        let times: Vec<Duration> = indices.iter().map(|index| stream.service_time(*index).unwrap()).collect();
        prop_assert!(times.is_sorted_by(|a, b| a >= b));
        prop_assert_eq!(indices.into_iter().collect::<HashSet<_>>().len() as u64, total);
    }

    #[test]
    fn a_stream_depends_on_its_file_alone(
        text in bundled_text().prop_filter("it names no files", |text| !text.contains("items:")),
        positions in prop::collection::vec(any::<prop::sample::Index>(), 1..50),
    ) {
        let (one, other) = (stream(&text), stream(&text));
        prop_assert_eq!(one.total(), other.total());
        for position in positions {
            let position = position.index(one.total() as usize) as u64;
            let index = one.index_at(position);
            prop_assert_eq!(index, other.index_at(position));
            prop_assert_eq!(one.class_of(index), other.class_of(index));
            prop_assert_eq!(one.service_time(index), other.service_time(index));
        }
        prop_assert_eq!(one.hash(), other.hash());
        prop_assert!(one.arrivals().into_iter().flatten().eq(other.arrivals().into_iter().flatten()));
    }

    #[test]
    fn arrivals_never_go_back_and_keep_their_rate(
        seed in any::<u64>(),
        process in prop::sample::select(vec!["constant", "poisson"]),
        stages in prop::collection::vec((1..20_u64, 1..300_u64), 1..5),
    ) {
        let list: Vec<String> =
            stages.iter().map(|(seconds, rate)| format!("{{ duration: {seconds}s, rate: {rate}/s }}")).collect();
        let rest = format!("seed: {seed}\narrivals: {{ mode: open, process: {process}, stages: [{}] }}", list.join(", "));
        let stream = Stream::new(&noop("weight: 1", &rest));
        let times: Vec<Duration> = stream.arrivals().unwrap().collect();
        prop_assert_eq!(times.len() as u64, stream.total());
        prop_assert!(times.is_sorted());
        let mut begin = 0;
        for (seconds, rate) in stages {
            let (from, to) = (Duration::from_secs(begin), Duration::from_secs(begin + seconds));
            let count = times.iter().filter(|time| **time >= from && **time < to).count() as f64;
            let expected = (seconds * rate) as f64;
            // Six standard deviations of a Poisson count; evenly spaced arrivals are off by no more than a task.
            let tolerance = if process == "poisson" { 6.0 * expected.sqrt() + 3.0 } else { 1.0 };
            prop_assert!((count - expected).abs() <= tolerance, "{count} instead of {expected} in {from:?}..{to:?}");
            begin += seconds;
        }
        prop_assert!(times.iter().all(|time| *time <= Duration::from_secs(begin)));
    }

    #[test]
    fn ramps_bring_what_the_area_under_their_rate_says(
        stages in prop::collection::vec((1..20_u64, 0..300_u64, 0..300_u64), 1..5),
    ) {
        prop_assume!(stages.iter().any(|(_, from, to)| from + to > 0));
        let stage = |(seconds, from, to): &(u64, u64, u64)| {
            format!("{{ duration: {seconds}s, rate: {{ from: {from}/s, to: {to}/s }} }}")
        };
        let list: Vec<String> = stages.iter().map(stage).collect();
        let stream = Stream::new(&noop(
            "weight: 1",
            &format!("arrivals: {{ mode: open, process: ramp, stages: [{}] }}", list.join(", ")),
        ));
        let times: Vec<Duration> = stream.arrivals().unwrap().collect();
        prop_assert_eq!(times.len() as u64, stream.total());
        prop_assert!(times.is_sorted());
        let (mut begin, mut all) = (0, 0.0);
        for (seconds, from, to) in stages {
            let end = Duration::from_secs(begin + seconds);
            // In the first half, in which the rate has got half of the way.
            let middle = Duration::from_secs(begin) + Duration::from_secs(seconds) / 2;
            let half = seconds as f64 / 2.0 * (3.0 * from as f64 + to as f64) / 4.0;
            let until = |moment: Duration| times.partition_point(|time| *time < moment) as f64;
            prop_assert!((until(middle) - all - half).abs() <= 1.0 + 1e-6, "{} until {middle:?}", until(middle));
            all += seconds as f64 * (from + to) as f64 / 2.0;
            prop_assert!((until(end) - all).abs() <= 1.0 + 1e-6, "{} until {end:?}, not {all}", until(end));
            begin += seconds;
        }
    }

    #[test]
    fn bursts_come_whole_and_on_time(
        size in 1..500_u64, every in 1..5_000_000_000_u64, duration in 1..20_000_000_000_u64,
    ) {
        prop_assume!(duration / every * size < 100_000);
        let rest = format!(
            "arrivals: {{ mode: open, process: burst, burst: {size}, every: {every}ns, duration: {duration}ns }}"
        );
        let times: Vec<Duration> = Stream::new(&noop("weight: 1", &rest)).arrivals().unwrap().collect();
        prop_assert_eq!(times.len() as u64, duration.div_ceil(every) * size);
        for (time, index) in times.iter().zip(0..) {
            prop_assert_eq!(*time, Duration::from_nanos(index / size * every));
        }
    }

    #[test]
    fn no_trace_makes_the_loader_panic(trace in trace_text(), of_times in any::<bool>(), fields in trace_fields()) {
        let text = naming(of_times, &fields);
        match load_with_files(&text, "any.yaml", &Text(trace)) {
            Ok(loaded) => {
                let stream = Stream::new(&loaded.workload);
                prop_assert!(stream.hash().len() == 16);
                prop_assert!(stream.arrivals().into_iter().flatten().is_sorted());
            }
            Err(problems) => {
                let rendered = problems.render(false);
                prop_assert!(rendered.chars().all(|c| c == '\n' || !c.is_control()), "{rendered:?}");
                prop_assert!(problems.iter().all(|problem| problem.line >= 1), "{problems}");
            }
        }
    }

    #[test]
    fn recorded_times_are_read_as_they_were_written(
        times in prop::collection::vec(0..10_000_000_000_u64, 1..200),
        form in 0..4_u8, header in any::<bool>(), quoted in any::<bool>(), ending in prop::sample::select(vec!["\n", "\r\n"]),
    ) {
        let cell = |nanos: &u64| match form {
            0 => format_duration(Duration::from_nanos(*nanos)),
            1 => format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000),
            2 => format!("{nanos}e-9"),
            _ => format!("{nanos}ns"),
        };
        let cell = |nanos: &u64| if quoted { format!("\"a, b\",\"{}\"", cell(nanos)) } else { format!("x,{}", cell(nanos)) };
        let mut lines: Vec<String> = times.iter().map(cell).collect();
        if header {
            lines.insert(0, "what,took".to_owned());
        }
        let column = if header { "took" } else { "2" };
        let text = naming(true, &format!(", column: {column}, unit: s")).replace("count: 3", &format!("count: {}", times.len()));
        let loaded = load_with_files(&text, "any.yaml", &Text(lines.join(ending)));
        let stream = Stream::new(&loaded.map_err(|problems| TestCaseError::fail(problems.to_string()))?.workload);
        for (index, nanos) in (0..).zip(&times) {
            // A number with an exponent is a double.
            let off = stream.service_time(index).unwrap().abs_diff(Duration::from_nanos(*nanos));
            prop_assert!(off <= Duration::from_nanos(u64::from(form == 2)), "{off:?} off {nanos}");
        }
    }

    #[test]
    fn weights_are_kept_and_classes_add_up(seed in any::<u64>(), a in 1..20_u32, b in 0..20_u32) {
        let text = format!(
            "version: 1\nseed: {seed}\ntotal: 20000\ntasks:\n  - {{ name: a, kind: kernel, kernel: noop, weight: {a} }}\n  \
             - {{ name: b, kind: kernel, kernel: noop, weight: {b} }}\n"
        );
        let stream = stream(&text);
        prop_assert_eq!(stream.class_total(0) + stream.class_total(1), 20_000);
        let p = f64::from(a) / f64::from(a + b);
        let expected = 20_000.0 * p;
        let tolerance = 6.0 * (20_000.0 * p * (1.0 - p)).sqrt();
        prop_assert!((stream.class_total(0) as f64 - expected).abs() <= tolerance);
    }
}

/// A file that every name leads to.
struct Text(String);

impl NamedFiles for Text {
    fn read(&self, _: &str, _: u64) -> Result<String, String> {
        Ok(self.0.clone())
    }
}

/// A workload with recorded service times, or with recorded arrivals.
fn naming(of_times: bool, fields: &str) -> String {
    let tasks = "version: 1\nseed: 1\ntasks: [{ name: t, kind: sleep";
    if of_times {
        format!("{tasks}, count: 3, service_time: {{ dist: trace, file: f{fields} }} }}]\n")
    } else {
        let time = "service_time: { dist: constant, value: 1ms }";
        format!("{tasks}, {time} }}]\narrivals: {{ mode: open, process: trace, file: f{fields} }}\n")
    }
}

fn trace_fields() -> impl Strategy<Value = String> {
    let fields = vec![
        "",
        ", unit: s",
        ", unit: h, column: 1",
        ", column: 2",
        ", column: a, unit: ns",
        ", column: 10000, unit: s",
    ];
    prop::sample::select(fields).prop_map(str::to_owned)
}

fn trace_text() -> impl Strategy<Value = String> {
    let lines = prop::collection::vec("[-+0-9.eEmsunh,;\t\"' a\u{feff}\u{1b}\u{0}\u{e4}]{0,12}", 0..12);
    let values = prop::collection::vec("[0-9]{1,20}(\\.[0-9]{0,25})?(e-?[0-9]{1,3})?(ns|us|ms|s|min|h)?", 0..12);
    prop_oneof![lines, values].prop_map(|lines| lines.join("\n"))
}

fn workload(task: &str, share: &str, rest: &str) -> Workload {
    let text = format!("version: 1\ntasks: [{{ name: t, {task}, {share} }}]\n{rest}\n");
    load(&text, "generated").unwrap_or_else(|problems| panic!("{problems}\n{text}")).workload
}

fn noop(share: &str, rest: &str) -> Workload {
    workload("kind: kernel, kernel: noop", share, rest)
}

fn stream(text: &str) -> Stream {
    Stream::new(&load(text, "generated").unwrap_or_else(|problems| panic!("{problems}")).workload)
}

/// Inputs of 1 MiB made to be slow. The limit is far above what they take; a quadratic reading takes minutes.
#[test]
fn hostile_files_of_the_largest_size_are_refused_quickly() {
    let fill = |piece: &str| piece.repeat((1 << 20) / piece.len());
    let numbered = |form: &dyn Fn(usize) -> String| {
        let mut text = String::from("version: 1\n");
        for number in 0.. {
            let next = form(number);
            if text.len() + next.len() > 1 << 20 {
                break;
            }
            text.push_str(&next);
        }
        text
    };
    let inputs = [
        fill("["),
        fill("{"),
        fill("- "),
        fill("? "),
        fill("a: "),
        fill("- a\n"),
        fill("\"a\" "),
        fill("!a "),
        fill("&a "),
        fill("'"),
        fill("\t\n"),
        fill("#\n"),
        fill("\n"),
        fill("a\n"),
        fill("{a: "),
        fill("%a\n"),
        fill("|\n"),
        format!("version: 1\nname: {}", fill("x").split_off(30)),
        format!("version: 1\ntasks: [{}]", fill("{}, ").split_off(40)),
        numbered(&|number| format!("key{number}: {number}\n")),
        numbered(&|_| "same: 1\n".to_owned()),
        numbered(&|number| format!("? [{number}]\n: 1\n")),
        numbered(&|number| format!("k{number}: &a{number} x\n")),
    ];
    for input in inputs {
        assert!(input.len() <= 1 << 20);
        let start = Instant::now();
        assert!(load_and_show(&input).is_none(), "accepted: {}", input.chars().take(60).collect::<String>());
        let took = start.elapsed();
        assert!(took < Duration::from_secs(30), "{took:?} for {:?}", input.chars().take(60).collect::<String>());
    }
}
