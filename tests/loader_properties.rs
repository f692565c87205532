//! Properties of the loader and of the stream that hold for any input.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use poolscope::workload::bundled;
use poolscope::workload::load::{Loaded, load};
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
        text in bundled_text(),
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
